//! Bar charts: an energy by phase, and the range of its repeats.

use maud::{Markup, html};

use crate::metrics::PHASES;

/// Width of a drawing in its own units; the page stretches it.
pub(super) const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 24.0;

/// A bar of a chart: one group of runs, or the phases of one run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar<'a> {
    /// Unique id of its title.
    pub(super) id: &'a str,
    /// Description for screen readers.
    pub(super) title: &'a str,
    /// Segments from the left: CSS class and length.
    pub(super) parts: Vec<(&'static str, f64)>,
    /// Values to mark on the bar.
    pub(super) marks: Vec<f64>,
    /// Value at the right end, of the longest bar in the chart.
    pub(super) scale: f64,
}

/// The bar as an SVG.
pub(super) fn draw(bar: &Bar<'_>) -> Markup {
    let Bar { id, title, parts, marks, scale } = bar;
    let at = |value: f64| (value / scale.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0) * WIDTH;
    let (width, height) = (number(WIDTH), number(HEIGHT));
    let mut from = 0.0;
    let parts = parts.iter().map(|(class, length)| {
        let begin = from;
        // The difference of two passes may be negative.
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

/// A coordinate, with few decimals to keep the page small.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The CSS class of a phase.
pub(super) fn phase_class(name: &str) -> &'static str {
    PHASES.into_iter().find(|phase| *phase == name).unwrap_or("prompts")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{Bar, draw, number, phase_class};

    #[test]
    fn segments_have_the_lengths_of_their_values() {
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
        fn segments_and_marks_stay_inside_the_drawing(
            parts in vec(-1.0..1e9_f64, 0..4), marks in vec(0.0..1e9_f64, 0..5), scale in 0.0..1e9_f64,
        ) {
            let count = marks.len();
            let parts = parts.into_iter().map(|part| ("decode", part)).collect();
            let html = draw(&Bar { id: "b", title: "t", parts, marks, scale }).into_string();
            prop_assert!(!html.contains("NaN") && !html.contains("inf"), "{}", html);
            let numbers = |begin: &str, end: char| {
                let found = html.match_indices(begin).map(|(at, _)| &html[at + begin.len()..]);
                found.map(|rest| rest.split(end).next().unwrap().parse().unwrap()).collect::<Vec<f64>>()
            };
            let (from, widths) = (numbers("\" x=\"", '"'), numbers("\" width=\"", '"'));
            prop_assert_eq!(numbers("class=\"mark\" d=\"M", ' ').len(), count);
            for x in [numbers("class=\"mark\" d=\"M", ' '), from.clone(), widths.clone()].concat() {
                prop_assert!((0.0..=1000.0).contains(&x), "{}", html);
            }
            // The rail is a width without an x.
            for (x, width) in from.iter().zip(&widths[1..]) {
                prop_assert!(x + width <= 1000.01, "{}", html);
            }
        }
    }
}
