//! Filters untrusted output for a terminal while it arrives.

use super::text::is_unseen;

/// Bytes of the longest colour sequence that passes.
const LONGEST: usize = 64;

/// Resets all attributes of a terminal.
const RESET: &[u8] = b"\x1b[0m";

/// Filter between a program and a terminal. Text, line feeds, carriage returns, tabs and colours
/// pass. Other control sequences are dropped, and other control characters are escaped.
#[derive(Debug, Default)]
pub struct TerminalFilter {
    /// An incomplete character or sequence.
    begun: Vec<u8>,
    is_coloured: bool,
}

impl TerminalFilter {
    /// The filtered output of the next `bytes`.
    pub fn next(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.begun.push(byte);
            self.advance(&mut shown);
        }
        shown
    }

    /// The filtered rest after the last bytes, with a reset of colours.
    pub fn end(&mut self) -> Vec<u8> {
        let mut shown = Vec::new();
        while !self.begun.is_empty() {
            self.escape_first(&mut shown);
        }
        if std::mem::take(&mut self.is_coloured) {
            shown.extend(RESET);
        }
        shown
    }

    /// Passes, drops or keeps the incomplete bytes.
    fn advance(&mut self, shown: &mut Vec<u8>) {
        while let Some(&first) = self.begun.first() {
            let is_waiting = match first {
                b'\n' | b'\r' | b'\t' | b' '..=b'~' => {
                    shown.push(first);
                    self.begun.remove(0);
                    false
                }
                0x1b => self.sequence(shown),
                0x80.. => self.character(shown),
                _ => {
                    self.escape_first(shown);
                    false
                }
            };
            if is_waiting {
                return;
            }
        }
    }

    /// Handles a control sequence (ECMA-48, 5.4). Returns whether it is incomplete.
    fn sequence(&mut self, shown: &mut Vec<u8>) -> bool {
        let Some(rest) = self.begun.strip_prefix(b"\x1b[") else {
            let is_waiting = self.begun.len() == 1;
            if !is_waiting {
                self.escape_first(shown);
            }
            return is_waiting;
        };
        let is_parameter = |byte: &u8| (0x20..=0x3f).contains(byte);
        match rest.split_last() {
            None => return true,
            Some((last, _)) if is_parameter(last) && self.begun.len() < LONGEST => return true,
            Some((b'm', parameters)) if parameters.iter().all(is_of_colour) => {
                self.is_coloured = true;
                shown.append(&mut self.begun);
            }
            // Any other sequence, such as one that moves the cursor.
            Some((0x40..=0x7e, _)) => self.begun.clear(),
            Some(_) => self.escape_first(shown),
        }
        false
    }

    /// Handles a character of several bytes. Returns whether it is incomplete.
    fn character(&mut self, shown: &mut Vec<u8>) -> bool {
        match std::str::from_utf8(&self.begun) {
            Ok(text) => {
                for character in text.chars() {
                    if is_unseen(character) {
                        shown.extend(character.escape_default().to_string().bytes());
                    } else {
                        shown.extend(character.to_string().bytes());
                    }
                }
                self.begun.clear();
                false
            }
            // Valid so far, and incomplete.
            Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => true,
            Err(_) => {
                self.escape_first(shown);
                false
            }
        }
    }

    fn escape_first(&mut self, shown: &mut Vec<u8>) {
        shown.extend(self.begun.remove(0).escape_ascii());
    }
}

fn is_of_colour(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b';' | b':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{RESET, TerminalFilter};

    fn shown(chunks: &[&[u8]]) -> String {
        let mut filter = TerminalFilter::default();
        let mut shown: Vec<u8> = chunks.iter().flat_map(|chunk| filter.next(chunk)).collect();
        shown.extend(filter.end());
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn text_and_colours_pass() {
        let text = "a\tb\r\nGröße 模型 \u{1b}[1;38:5:3mred\u{1b}[m";
        assert_eq!(shown(&[text.as_bytes()]), format!("{text}\u{1b}[0m"));
        assert_eq!(shown(&[b"plain\n"]), "plain\n");
    }

    #[test]
    fn control_sequences_are_dropped_or_escaped() {
        for (text, expected) in [
            ("a\u{1b}[2J\u{1b}[Hb", "ab"),
            ("\u{1b}[?1049hb", "b"),
            ("\u{1b}[>4;1mb", "b"),
            ("\u{1b}[1 mb", "b"),
            ("\u{1b}]0;title\u{7}", "\\x1b]0;title\\x07"),
            ("\u{1b}]52;c;cm0=\u{1b}\\", "\\x1b]52;c;cm0=\\x1b\\"),
            ("\u{1b}P+q\u{1b}\\", "\\x1bP+q\\x1b\\"),
            ("\u{1b}c\u{1b}7\u{1b}(0", "\\x1bc\\x1b7\\x1b(0"),
            ("\u{1b}\u{1b}[2Jx", "\\x1bx"),
            ("\u{1b}[3\u{1b}[2Jx", "\\x1b[3x"),
            ("\u{1b}[3\nx", "\\x1b[3\nx"),
            ("\u{9b}2J\u{9d}0;t\u{9c}", "\\u{9b}2J\\u{9d}0;t\\u{9c}"),
            ("a\u{8}\u{7f}\u{0}\u{e}", "a\\x08\\x7f\\x00\\x0e"),
            ("\u{202e}gpj", "\\u{202e}gpj"),
            ("end\u{1b}", "end\\x1b"),
            ("end\u{1b}[12", "end\\x1b[12"),
        ] {
            assert_eq!(shown(&[text.as_bytes()]), expected, "{text:?}");
        }
        assert_eq!(shown(&[b"\x9b2J\xc3(\xf0\x9f"]), "\\x9b2J\\xc3(\\xf0\\x9f");
    }

    #[test]
    fn endless_sequence_is_not_held_back() {
        let mut filter = TerminalFilter::default();
        let endless = [&b"\x1b["[..], &[b'1'; 200]].concat();
        assert!(filter.next(&endless).len() > 100);
    }

    /// Bytes with many control sequences.
    fn output() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            any::<String>().prop_map(String::into_bytes),
            any::<Vec<u8>>(),
            "[\u{1b}\u{9b}\u{9d}\\[\\]0-9;:?><=Pm\u{7}\n ]{0,12}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn only_text_and_colours_pass(bytes in output()) {
            let text = shown(&[&bytes]);
            let mut parts = text.split('\u{1b}');
            let mut rest = vec![parts.next().unwrap_or_default()];
            for part in parts {
                let (colour, text) = part.strip_prefix('[').unwrap().split_once('m').unwrap();
                prop_assert!(colour.bytes().all(|byte| b"0123456789;:".contains(&byte)), "{text:?}");
                rest.push(text);
            }
            let is_text = |c: char| !super::is_unseen(c) || "\n\r\t".contains(c);
            prop_assert!(rest.iter().all(|text| text.chars().all(is_text)), "{text:?}");
        }

        #[test]
        fn chunk_borders_do_not_change_the_output(bytes in output(), at in any::<prop::sample::Index>()) {
            let (before, after) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(shown(&[before, after]), shown(&[&bytes]));
        }

        #[test]
        fn plain_text_passes_unchanged(text in "[a-zA-ZäöüßΩ模 \n\r\t]*") {
            prop_assert_eq!(shown(&[text.as_bytes()]), text);
        }
    }

    #[test]
    fn colours_are_reset_at_the_end() {
        let mut filter = TerminalFilter::default();
        filter.next(b"\x1b[8mhidden");
        assert_eq!(filter.end(), RESET);
        assert_eq!(filter.end(), b"");
    }
}
