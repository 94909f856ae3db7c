//! Properties of arguments with arbitrary text.

use std::path::Path;

use contract::{Backend, argument};
use host::testing::host;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{Inputs, Kind, plain_name};

fn kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Model, Kind::Dataset])
}

proptest! {
    #[test]
    fn found_input_is_absolute_and_is_a_path_in_its_argument(
        args in vec(("[+]{0,2}", kind(), r"=?(([~./:a'\r\n]|gguf|csv){0,8}|\PC{0,5})"), 0..4),
        backend in option::of(select(Backend::ALL.to_vec())),
    ) {
        let args: Vec<_> = args.iter().map(|(plus, kind, rest)| format!("{plus}{}{rest}", kind.key())).collect();
        if let Ok(inputs) = Inputs::find(&args, backend, &host()) {
            for input in &inputs.local {
                prop_assert!(input.path.as_path().is_absolute());
                let (key, value) = argument::split(&args[input.argument]).unwrap();
                prop_assert_eq!(key, input.kind.key());
                prop_assert!(input.kind.is_path(&value), "{}", value);
                prop_assert!(backend != Some(Backend::Vllm) || input.kind == Kind::Dataset);
            }
        }
    }

    #[test]
    fn name_in_a_container_is_plain(path in any::<String>(), kind in kind()) {
        let name = plain_name(Path::new(&path), kind);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        prop_assert!(!name.is_empty() && name.chars().all(is_plain), "{}", name);
        prop_assert!(![".", ".."].contains(&name.as_str()), "{}", name);
    }

    #[test]
    fn hub_id_is_not_a_path(org in "[A-Za-z0-9][A-Za-z0-9-]{0,5}", name in "[A-Za-z0-9][A-Za-z0-9_-]{0,5}", kind in kind()) {
        prop_assert!(!kind.is_path(&name), "{}", name);
        let id = format!("{org}/{name}");
        prop_assert!(!kind.is_path(&id), "{}", id);
        let (longer, dotted) = (format!("{id}/x"), format!("./{id}"));
        prop_assert!(kind.is_path(&longer) && kind.is_path(&dotted));
    }
}
