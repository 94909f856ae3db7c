//! Elements that several parts of the page share.

use contract::summary::Status;
use maud::{Markup, html};

use crate::number_format::count;

/// Suffix of an energy that the host's meter measured.
pub(super) const BY_HOST: &str = ", by the host’s meter";

/// A sentence whose text between backquotes is code.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<_> = text.split('`').collect();
    html! {
        // A backquote without a partner is plain text.
        @if parts.len() % 2 == 0 {
            (text)
        } @else {
            @for (index, part) in parts.iter().enumerate() {
                @if index % 2 == 0 { (part) } @else { code { (part) } }
            }
        }
    }
}

/// Whether a number was measured, as a badge that does not depend on its colour.
pub(super) fn badge(status: Status) -> Markup {
    let class = match status {
        Status::Measured => "how measured",
        Status::Estimated => "how estimated",
        Status::NotMeasured => "how unknown",
    };
    html! { span class=(class) { (status.word()) } }
}

/// A badge in place of a missing number.
pub(super) fn no_badge(why: &str) -> Markup {
    html! { span class="how unknown" { (why) } }
}

/// `value` as `format` writes it, or with all of its digits if it is a count, without a unit.
pub(super) fn value_or_count(value: f64, unit: &str, format: fn(f64) -> String) -> String {
    if unit.is_empty() { count(value as u64) } else { format(value) }
}

#[cfg(test)]
mod tests {
    use super::prose;

    #[test]
    fn text_between_backquotes_is_code() {
        let prose = |text| prose(text).into_string();
        assert_eq!(prose("`<a>` is `b`"), "<code>&lt;a&gt;</code> is <code>b</code>");
        assert_eq!(prose("a ` b"), "a ` b");
    }
}
