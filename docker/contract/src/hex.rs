//! Bytes in lower-case hexadecimal, as digests and the Hub's names are written.

use std::fmt::Write as _;

/// The digits of `bytes`.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The `N` bytes that `digits` spell; `None` for another number of digits or an upper-case one.
pub fn decode<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    (digits.len() == 2 * N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, encode};

    proptest! {
        #[test]
        fn digits_decode_to_the_bytes_they_encode(bytes in any::<[u8; 4]>()) {
            let digits = encode(bytes);
            prop_assert_eq!(decode(digits.as_bytes()), Some(bytes));
            prop_assert_eq!(decode::<3>(digits.as_bytes()), None);
            prop_assert_eq!(decode::<5>(digits.as_bytes()), None);
        }

        #[test]
        fn only_lower_case_digits_decode(text in "[0-9a-fA-F g-]{8}") {
            let decoded = decode::<4>(text.as_bytes());
            prop_assert!(decoded.is_none_or(|bytes| encode(bytes) == text));
        }
    }
}
