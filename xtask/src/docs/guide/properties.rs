//! Properties of guides with arbitrary snippets.

use std::panic::Location;

use proptest::{collection::vec, prelude::*};

use super::{Guide, Snippet, render_all};
use crate::docs::content::Content;

fn content() -> impl Strategy<Value = Content> {
    let text = || prop_oneof!["[a|`# <!>\n-]{0,12}", any::<String>()];
    prop_oneof![
        text().prop_map(Content::Shell),
        text().prop_map(Content::Text),
        vec(vec(text(), 2), 0..4)
            .prop_map(|rows| Content::Table { head: vec!["Name", "Meaning"], rows }),
    ]
}

fn guide(name: &str, text: String) -> Guide {
    Guide { name: name.into(), path: name.into(), text, rendered: String::new() }
}

proptest! {
    #[test]
    fn regenerated_guide_is_up_to_date(content in content(), prose in "[a-z\n]{0,9}") {
        let snippets = [Snippet { name: "one", at: Location::caller(), content }];
        let page = format!("{prose}\n<!-- snippet: one -->\n<!-- /snippet -->\n{prose}");
        let guides = vec![guide("README.md", page)];
        let (guides, diagnostics) = render_all(guides, &snippets);
        if diagnostics.is_empty() {
            let again = guides.iter().map(|old| guide(&old.name, old.rendered.clone())).collect();
            let (again, diagnostics) = render_all(again, &snippets);
            prop_assert!(diagnostics.is_empty());
            for guide in again {
                prop_assert_eq!(guide.diff(), "");
            }
        }
    }
}
