//! Properties of regions in arbitrary text.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{Marker, Rendered, marker, render};

/// Markers, malformed markers and prose.
fn line() -> impl Strategy<Value = String> {
    let known = select(vec![
        "<!-- snippet: one -->",
        "<!--snippet:two-->",
        "<!-- snippet: none -->",
        "<!-- /snippet -->",
        "<!-- snippet: -->",
        "<!-- /snippet",
        "<!-- snippet: one",
        "<!-- a -->",
        "# prose",
        "```sh",
        "",
    ]);
    let line = prop_oneof![
        4 => ("[ \t]{0,2}", known, "[ \t\r]{0,2}").prop_map(|(a, line, b)| format!("{a}{line}{b}")),
        1 => r"[<!>/# :snipet-]{0,12}",
        1 => "\\PC{0,9}",
    ];
    (line, prop_oneof![9 => Just("\n"), 1 => Just("")]).prop_map(|(line, end)| line + end)
}

fn guide() -> impl Strategy<Value = String> {
    prop_oneof![vec(line(), 0..12).prop_map(|lines| lines.concat()), any::<String>()]
}

fn body(name: &str) -> Option<String> {
    (name != "none").then(|| format!("```text\nthe body of {name}\n```\n"))
}

/// The markers and the text outside of regions.
fn kept(text: &str) -> Vec<&str> {
    let mut inside = false;
    let lines = text.split_inclusive('\n').filter(|line| match marker(line) {
        Marker::Start(_) => {
            inside = true;
            true
        }
        Marker::End => {
            inside = false;
            true
        }
        Marker::None | Marker::Malformed => !inside,
    });
    lines.collect()
}

proptest! {
    #[test]
    fn rendering_twice_changes_nothing(guide in guide()) {
        let rendered = render(&guide, body);
        if rendered.errors.is_empty() {
            prop_assert_eq!(&render(&rendered.text, body), &rendered);
        }
    }

    #[test]
    fn text_outside_of_regions_is_kept(guide in guide()) {
        let Rendered { text, used, errors } = render(&guide, body);
        if errors.is_empty() {
            prop_assert_eq!(kept(&text), kept(&guide));
            prop_assert!(used.iter().all(|name| text.contains(&body(name).unwrap())));
        }
    }

    #[test]
    fn every_error_names_an_existing_line(guide in guide()) {
        let lines = guide.split_inclusive('\n').count();
        for (line, what) in render(&guide, body).errors {
            prop_assert!((1..=lines).contains(&line) && !what.is_empty());
        }
    }

    #[test]
    fn arbitrary_body_is_stable_or_an_error(shown in guide()) {
        let guide = "<!-- snippet: one -->\n<!-- /snippet -->\n";
        let body = |_: &str| Some(format!("{shown}\n"));
        let rendered = render(guide, body);
        if rendered.errors.is_empty() {
            prop_assert_eq!(&render(&rendered.text, body), &rendered);
        }
    }
}
