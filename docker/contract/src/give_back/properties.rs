//! What holds for lists of any bytes.

use proptest::{collection::vec, option, prelude::*};

use super::{Line, parse};

/// Paths as the kernel has them: any bytes but NUL.
fn path() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![1..=u8::MAX, Just(b'\t'), Just(b'\n')], 0..20)
}

fn written<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> Vec<u8> {
    let mut list = vec![];
    lines.into_iter().for_each(|line| line.write(&mut list));
    list
}

proptest! {
    #[test]
    fn what_is_written_is_read(lines in vec((option::of(0_u32..0o10_000), path()), 0..9)) {
        let lines: Vec<_> = lines.iter().map(|(mode, path)| Line { mode: *mode, path }).collect();
        let list = written(lines.iter().copied());
        prop_assert_eq!(parse(&list), Ok(lines));
    }

    #[test]
    fn what_breaks_off_is_refused(path in path(), mode in 0_u32..0o10_000, cut in any::<usize>()) {
        let list = written([Line { mode: Some(mode), path: &path }]);
        let cut = 1 + cut % (list.len() - 1);
        prop_assert!(parse(&list[..cut]).is_err());
    }

    #[test]
    fn what_is_read_is_written_alike(list in r"(([0-8]{0,5}|-)?\t?[ab\t]{0,3}\x00?){0,4}") {
        if let Ok(lines) = parse(list.as_bytes()) {
            let again = written(lines.iter().copied());
            prop_assert_eq!(parse(&again), Ok(lines));
            prop_assert_eq!(again.iter().filter(|byte| **byte == 0).count(), list.matches('\0').count());
        }
    }

    #[test]
    fn any_bytes_are_a_list_or_an_error(list in any::<Vec<u8>>()) {
        let _ = parse(&list);
    }
}
