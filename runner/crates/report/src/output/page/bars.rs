//! Bars: an energy in its phases, and how far its repeats are apart.

use maud::{Markup, html};

use crate::metrics::PHASES;

/// Width of a drawing, which is stretched to that of its place.
pub(super) const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 24.0;

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar<'a> {
    /// Tells it from the others of the page.
    pub(super) id: &'a str,
    /// What it shows, for those who do not see it.
    pub(super) title: &'a str,
    /// Its parts from the left: the class that colours it, and its length.
    pub(super) parts: Vec<(&'static str, f64)>,
    /// Values to mark on it.
    pub(super) marks: Vec<f64>,
    /// Where the longest bar of the chart ends.
    pub(super) scale: f64,
}

/// Draws a bar.
pub(super) fn draw(bar: &Bar<'_>) -> Markup {
    let Bar { id, title, parts, marks, scale } = bar;
    let at = |value: f64| (value / scale.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0) * WIDTH;
    let (width, height) = (number(WIDTH), number(HEIGHT));
    let mut from = 0.0;
    let parts = parts.iter().map(|(class, length)| {
        let begin = from;
        // A difference of two passes may be below 0: nothing to draw.
        from += length.max(0.0);
        (class, number(at(begin)), number(at(from) - at(begin)))
    });
    let least = marks.iter().copied().reduce(f64::min);
    let most = marks.iter().copied().reduce(f64::max);
    html! {
        svg class="bar" viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none"
            role="img" aria-labelledby=(id) {
            title id=(id) { (title) }
            rect class="rail" width=(width) height=(height) {}
            @for (class, x, wide) in parts {
                rect class=(class) x=(x) width=(wide) height=(height) {}
            }
            @if let (Some(least), Some(most)) = (least, most) {
                path class="range" d={
                    "M" (number(at(least))) " " (number(HEIGHT / 2.0)) "H" (number(at(most)))
                } {}
                @for mark in marks {
                    path class="mark" d={ "M" (number(at(*mark))) " 5V19" } {}
                }
            }
        }
    }
}

/// A coordinate: more decimals than a pixel has parts make a page large.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The class that colours a phase.
pub(super) fn phase_class(name: &str) -> &'static str {
    PHASES.into_iter().find(|phase| *phase == name).unwrap_or("prompts")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{Bar, draw, number, phase_class};

    #[test]
    fn a_bar_is_as_long_as_its_parts() {
        let bar = Bar {
            id: "b",
            title: "2 Wh",
            parts: vec![("prefill", 0.5), ("decode", 1.5)],
            marks: vec![1.9, 2.1],
            scale: 4.0,
        };
        insta::assert_snapshot!(draw(&bar).into_string(), @r#"<svg class="bar" viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-labelledby="b"><title id="b">2 Wh</title><rect class="rail" width="1000" height="24"></rect><rect class="prefill" x="0" width="125" height="24"></rect><rect class="decode" x="125" width="375" height="24"></rect><path class="range" d="M475 12H525"></path><path class="mark" d="M475 5V19"></path><path class="mark" d="M525 5V19"></path></svg>"#);
        assert_eq!((phase_class("decode"), phase_class("x")), ("decode", "prompts"));
        assert_eq!(number(12.50), "12.5");
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_outside(
            parts in vec(-1.0..1e9_f64, 0..4), marks in vec(0.0..1e9_f64, 0..5), scale in 0.0..1e9_f64,
        ) {
            let parts = parts.into_iter().map(|part| ("decode", part)).collect();
            let html = draw(&Bar { id: "b", title: "t", parts, marks, scale }).into_string();
            prop_assert!(!html.contains("NaN") && !html.contains("inf"), "{}", html);
            for (at, _) in html.match_indices("width=\"") {
                let value: f64 = html[at + 7..].split('"').next().unwrap().parse().unwrap();
                prop_assert!((0.0..=1000.0).contains(&value));
            }
        }
    }
}
