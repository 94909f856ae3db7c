//! Properties of paths of any bytes.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use proptest::{collection::vec, prelude::*};

use super::HostPath;

fn path() -> impl Strategy<Value = PathBuf> {
    let bytes = prop_oneof![
        r"([./a \r\n,:]|\.\.|/){0,12}".prop_map(String::into_bytes),
        vec(1..=u8::MAX, 0..12),
    ];
    bytes.prop_map(|bytes| OsString::from_vec(bytes).into())
}

proptest! {
    #[test]
    fn a_path_is_absolute_plain_and_the_same_place(path in path()) {
        let cwd = Path::new("/w/d");
        match HostPath::new("results", &path, cwd) {
            Ok(made) => {
                let text = made.as_str();
                prop_assert!(text.starts_with('/') && (text == "/" || !text.ends_with('/')));
                prop_assert!(!text.contains("//") && !text.split('/').any(|part| part == "."));
                prop_assert!(!text.contains("\r\n"));
                // Rust compares paths by their components.
                let joined = cwd.join(&path);
                prop_assert_eq!(made.as_path(), &joined);
                let again = HostPath::new("results", made.as_path(), Path::new("/elsewhere"));
                prop_assert_eq!(again, Ok(made));
            }
            Err(error) => {
                let bytes = path.as_os_str().as_bytes();
                let is_bad = str::from_utf8(bytes).is_err() || bytes.windows(2).any(|two| two == b"\r\n");
                prop_assert!(is_bad, "{}", error);
                prop_assert!(!error.to_string().contains(['\r', '\n']), "{}", error);
            }
        }
    }

    #[test]
    fn without_parents_there_are_none(path in path()) {
        if let Ok(made) = HostPath::new("results", &path, Path::new("/w/d"))
            && let Ok(real) = made.without_parents("results")
        {
            prop_assert!(!real.as_str().split('/').any(|part| part == ".."), "{}", real);
            prop_assert_eq!(real.clone().without_parents("results"), Ok(real));
        }
    }
}
