//! Texts of several parts of the page.

use contract::summary::Status;
use maud::{Markup, html};

use crate::metrics::PHASES;

/// A sentence, with what is quoted in it as code.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<_> = text.split('`').collect();
    html! {
        // A quote that does not end is none.
        @if parts.len() % 2 == 0 {
            (text)
        } @else {
            @for (index, part) in parts.iter().enumerate() {
                @if index % 2 == 0 { (part) } @else { code { (part) } }
            }
        }
    }
}

/// How a number is known, as a mark that is read without its colour.
pub(super) fn badge(status: Status) -> Markup {
    let class = match status {
        Status::Measured => "how measured",
        Status::Estimated => "how estimated",
        Status::NotMeasured => "how unknown",
    };
    html! { span class=(class) { (status.word()) } }
}

/// Why there is no number, in the place of its mark.
pub(super) fn no_badge(why: &str) -> Markup {
    html! { span class="how unknown" { (why) } }
}

/// What the colours of phases stand for.
pub(super) fn phases_legend() -> Markup {
    html! {
        ul class="legend" {
            @for name in PHASES {
                li { i class=(name) {} (name) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use maud::html;
    use proptest::prelude::*;

    use super::prose;

    #[test]
    fn what_a_sentence_quotes_is_code() {
        let prose = |text| prose(text).into_string();
        assert_eq!(prose("`<a>` is `b`"), "<code>&lt;a&gt;</code> is <code>b</code>");
        assert_eq!(prose("a ` b"), "a ` b");
    }

    proptest! {
        #[test]
        fn no_text_ends_its_element_or_attribute(text in any::<String>()) {
            let html = html! { p title=(text) { (text) } }.into_string();
            prop_assert_eq!(html.matches('<').count(), 2);
            prop_assert_eq!(html.matches('>').count(), 2);
            prop_assert_eq!(html.matches('"').count(), 2);
        }
    }
}
