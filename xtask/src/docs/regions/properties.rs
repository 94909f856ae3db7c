//! What holds for guides of any text.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{Mark, Rendered, mark, render};

/// Lines that are marks, nearly marks, and prose.
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

/// The text outside of the regions, and their marks.
fn kept(text: &str) -> Vec<&str> {
    let mut inside = false;
    let lines = text.split_inclusive('\n').filter(|line| match mark(line) {
        Mark::Start(_) => {
            inside = true;
            true
        }
        Mark::End => {
            inside = false;
            true
        }
        Mark::None | Mark::Broken => !inside,
    });
    lines.collect()
}

proptest! {
    #[test]
    fn what_is_regenerated_stays_as_it_is(guide in guide()) {
        let rendered = render(&guide, body);
        if rendered.faults.is_empty() {
            prop_assert_eq!(&render(&rendered.text, body), &rendered);
        }
    }

    #[test]
    fn nothing_outside_of_a_region_changes(guide in guide()) {
        let Rendered { text, used, faults } = render(&guide, body);
        if faults.is_empty() {
            prop_assert_eq!(kept(&text), kept(&guide));
            prop_assert!(used.iter().all(|name| text.contains(&body(name).unwrap())));
        }
    }

    #[test]
    fn a_fault_is_of_a_line_that_is_there(guide in guide()) {
        let lines = guide.split_inclusive('\n').count();
        for (line, what) in render(&guide, body).faults {
            prop_assert!((1..=lines).contains(&line) && !what.is_empty());
        }
    }

    #[test]
    fn a_body_of_any_text_is_regenerated_or_told_of(shown in guide()) {
        let guide = "<!-- snippet: one -->\n<!-- /snippet -->\n";
        let body = |_: &str| Some(format!("{shown}\n"));
        let rendered = render(guide, body);
        if rendered.faults.is_empty() {
            prop_assert_eq!(&render(&rendered.text, body), &rendered);
        }
    }
}
