//! What holds for arguments of any text.

use std::path::Path;

use contract::Backend;
use host::testing::host;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{Inputs, Kind, plain_name};

fn kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Model, Kind::Dataset])
}

proptest! {
    #[test]
    fn any_arguments_name_places_or_are_told_of(
        args in vec(("[+]{0,2}", kind(), r"=?(([~./:a'\r\n]|gguf|csv){0,8}|\PC{0,5})"), 0..4),
        backend in option::of(select(Backend::ALL.to_vec())),
    ) {
        let args: Vec<_> = args.iter().map(|(plus, kind, rest)| format!("{plus}{}{rest}", kind.key())).collect();
        if let Ok(inputs) = Inputs::find(&args, backend, &host()) {
            for input in &inputs.local {
                prop_assert!(input.path.as_path().is_absolute());
                prop_assert!(args[input.argument].contains(input.kind.key()));
                prop_assert!(backend != Some(Backend::Vllm) || input.kind == Kind::Dataset);
            }
        }
    }

    #[test]
    fn a_name_in_a_container_is_plain(path in any::<String>(), kind in kind()) {
        let name = plain_name(Path::new(&path), kind);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        prop_assert!(!name.is_empty() && name.chars().all(is_plain), "{}", name);
        prop_assert!(![".", ".."].contains(&name.as_str()), "{}", name);
    }

    #[test]
    fn a_hub_id_is_no_path(org in "[A-Za-z0-9][A-Za-z0-9-]{0,5}", name in "[A-Za-z0-9][A-Za-z0-9_-]{0,5}", kind in kind()) {
        prop_assert!(!kind.is_path(&name), "{}", name);
        let id = format!("{org}/{name}");
        prop_assert!(!kind.is_path(&id), "{}", id);
        let (below, here) = (format!("{id}/x"), format!("./{id}"));
        prop_assert!(kind.is_path(&below) && kind.is_path(&here));
    }
}
