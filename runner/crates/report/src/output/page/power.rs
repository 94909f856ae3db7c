//! Charts of power over time by the host's meter, with the phases and the idle power.

use contract::host_meter::{HostMeter, MeteredDevice, Phase};
use maud::{Markup, html};

use super::{
    axis::{round_up, ticks},
    bars::{WIDTH, number, phase_class},
};
use crate::number_format::{four_digits, three_digits};

const HEIGHT: f64 = 240.0;
/// Limit for the steps of a line, above what the meter writes.
const MAX_STEPS: usize = 1000;
/// Limits for the steps of the axes.
const TIME_STEPS: u32 = 5;
const POWER_STEPS: u32 = 4;

/// A chart for each device that has power over time. `prefix` makes ids unique among runs.
pub(super) fn charts(prefix: &str, meter: &HostMeter, file: &str) -> Markup {
    html! {
        @for (index, device) in meter.devices.iter().enumerate() {
            @if device.power.len() > 1 {
                (chart(&format!("{prefix}-power-{index}"), index, device, meter, file))
            }
        }
    }
}

fn chart(id: &str, index: usize, device: &MeteredDevice, meter: &HostMeter, file: &str) -> Markup {
    let line = forward(&device.power);
    let axes = Axes::of(&line, device, meter);
    let times = ticks(axes.end, TIME_STEPS);
    html! {
        figure class="power" {
            figcaption {
                b { (device.kind.name()) " " (device.name) }
                @if let Some(id) = &device.id { " " code { (id) } }
            }
            div class="plot" {
                div class="y" aria-hidden="true" {
                    @for watts in axes.lines() {
                        span style={ "bottom:" (number(watts / axes.top * 100.0)) "%" } {
                            (few(watts)) @if watts + axes.step > axes.top { " W" }
                        }
                    }
                }
                (drawing(id, device, meter, &line, &axes))
                div class="x" aria-hidden="true" {
                    @for second in &times {
                        span style={ "left:" (number(second / axes.end * 100.0)) "%" } {
                            (few(*second)) @if times.last() == Some(second) { " s" }
                        }
                    }
                }
            }
            (legend(device, &meter.phases))
            p class="from" {
                "From "
                code {
                    (file) ": phases, devices." (index) ": power, idle_watts, energy_wh, counted_wh; "
                    (device.status.word()) "; " (device.source)
                }
            }
        }
    }
}

/// Up to three significant digits, without trailing zeros.
fn few(value: f64) -> String {
    let text = three_digits(value);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The axes of a chart.
struct Axes {
    /// Seconds at the right end.
    end: f64,
    /// Watts at the top.
    top: f64,
    /// Watts between grid lines.
    step: f64,
}

impl Axes {
    fn of(line: &[(f64, f64)], device: &MeteredDevice, meter: &HostMeter) -> Self {
        let end = line.last().map_or(0.0, |(to, _)| *to).max(meter.seconds);
        let watts = line.iter().map(|(_, watts)| *watts);
        let most = watts.chain(device.idle_watts).fold(0.0, f64::max);
        let step = round_up(most / f64::from(POWER_STEPS));
        // Up to the next grid line.
        let top = (most / step).ceil().max(1.0) * step;
        Self { end: end.max(f64::MIN_POSITIVE), top, step }
    }

    /// The watts at the grid lines, from 0.
    fn lines(&self) -> Vec<f64> {
        let count = (self.top / self.step).round() as u32;
        (0..=count).map(|line| f64::from(line) * self.step).collect()
    }

    /// Horizontal coordinate of a second.
    fn x(&self, second: f64) -> String {
        number((second / self.end).clamp(0.0, 1.0) * WIDTH)
    }

    /// Vertical coordinate of a power.
    fn y(&self, watts: f64) -> String {
        number(HEIGHT - (watts / self.top).clamp(0.0, 1.0) * HEIGHT)
    }
}

/// The chart as an SVG.
fn drawing(
    id: &str,
    device: &MeteredDevice,
    meter: &HostMeter,
    line: &[(f64, f64)],
    axes: &Axes,
) -> Markup {
    let (title, about) = (format!("{id}-title"), format!("{id}-about"));
    let (width, height) = (number(WIDTH), number(HEIGHT));
    let phases = meter.phases.iter().map(|Phase { name, from, to }| {
        let wide = (to.min(axes.end) - from.max(0.0)).max(0.0) / axes.end * WIDTH;
        (phase_class(name), axes.x(*from), number(wide))
    });
    let grid = axes.lines().into_iter().filter(|watts| *watts > 0.0 && *watts < axes.top);
    let mut path = String::new();
    for (to, watts) in line {
        // Each value is the mean since the one before, so the line has steps.
        let command = if path.is_empty() { "M0 " } else { "V" };
        path += &format!("{command}{}H{}", axes.y(*watts), axes.x(*to));
    }
    html! {
        svg viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none" role="img"
            aria-labelledby={ (title) " " (about) } {
            title id=(title) { "Power of " (device.name) " over time" }
            desc id=(about) { (described(device, meter, line)) }
            @for (class, x, wide) in phases {
                rect class={ "band " (class) } x=(x) width=(wide) height=(height) {}
            }
            @for watts in grid {
                path class="grid" d={ "M0 " (axes.y(watts)) "H" (width) } {}
            }
            path class="area" d={ (path) "V" (height) "H0Z" } {}
            path class="line" d=(path) {}
            @if let Some(idle) = device.idle_watts {
                path class="idle" d={ "M0 " (axes.y(idle)) "H" (width) } {}
            }
        }
    }
}

/// Description of the chart for screen readers.
fn described(device: &MeteredDevice, meter: &HostMeter, line: &[(f64, f64)]) -> String {
    let most = line.iter().map(|(_, watts)| *watts).fold(0.0, f64::max);
    let idle = device.idle_watts.map(|idle| format!(", {} W at rest before", four_digits(idle)));
    let phases = meter
        .phases
        .iter()
        .map(|phase| format!("{} from {} to {} s", phase.name, few(phase.from), few(phase.to)));
    let phases: Vec<_> = phases.collect();
    format!(
        "{} s in all, {} W at most{}. {}",
        few(meter.seconds),
        four_digits(most),
        idle.unwrap_or_default(),
        phases.join(", ")
    )
}

/// The legend of a chart.
fn legend(device: &MeteredDevice, phases: &[Phase]) -> Markup {
    html! {
        ul class="legend" {
            @for Phase { name, from, to } in phases {
                li {
                    i class=(phase_class(name)) {} (name) " "
                    span { (few(*from)) "–" (few(*to)) " s" }
                }
            }
            @match device.idle_watts {
                Some(idle) => li { i class="idle" {} "at rest " span { (four_digits(idle)) " W" } },
                None => li { "at rest: not measured" },
            }
            li { "whole run " span { (four_digits(device.energy_wh)) " Wh" } }
            @if let Some(counted) = device.counted_wh {
                li { "counted phases " span { (four_digits(counted)) " Wh" } }
            }
            @for other in &device.others {
                li class="warn" {
                    "shared with "
                    span {
                        (other.name.as_deref().unwrap_or("unknown")) " (process " (other.pid) ")"
                    }
                }
            }
        }
    }
}

/// The steps that move forward in time. Those of the meter always do, but the file may be hostile.
fn forward(power: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = vec![];
    for (to, watts) in power.iter().take(MAX_STEPS) {
        if *to > steps.last().map_or(0.0, |(last, _)| *last) {
            steps.push((*to, watts.max(0.0)));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use contract::host_meter::HostMeter;

    use super::{charts, forward};
    use crate::testing::measured;

    #[test]
    fn a_chart_has_a_title_and_a_description() {
        let (mut meter, _) = measured("1", 0.42).meter.unwrap();
        meter.devices[0].power = vec![(8.0, 100.0), (16.0, 400.0)];
        let charts = |meter: &HostMeter| charts("run-1", meter, "host_meter.json").into_string();
        insta::assert_snapshot!(charts(&meter).replace("><", ">\n<"));
        meter.devices[0].power.clear();
        assert_eq!(charts(&meter), "");
    }

    proptest! {
        #[test]
        fn only_steps_forward_in_time_are_drawn(power in vec((-1e3..1e3_f64, -1e3..1e3_f64), 0..50)) {
            let found = forward(&power);
            prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(found.iter().all(|(to, watts)| *to > 0.0 && *watts >= 0.0));
        }
    }
}
