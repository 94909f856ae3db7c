//! Power over time, as the host metered it: the phases that count, and what the device drew at rest.

use contract::host_meter::{HostMeter, MeteredDevice, Phase};

use super::{
    super::number::{digits, few_digits, nice_above, ticks},
    bars::{WIDTH, number, phase_class},
    markup::Markup,
};

const HEIGHT: f64 = 240.0;
/// Points of a line: more than a screen has pixels would only make the page large.
const POINTS: usize = 480;
/// Parts of the axes at most.
const PARTS_OF_TIME: u32 = 5;
const PARTS_OF_POWER: u32 = 4;

/// Draws the power of every device. `prefix` tells the drawings of one run from others'.
pub(super) fn charts(page: &mut Markup, prefix: &str, meter: &HostMeter, file: &str) {
    for (index, device) in meter.devices.iter().enumerate() {
        if device.power.len() > 1 {
            chart(page, &format!("{prefix}-power-{index}"), index, device, meter, file);
        }
    }
}

fn chart(
    page: &mut Markup,
    id: &str,
    index: usize,
    device: &MeteredDevice,
    meter: &HostMeter,
    file: &str,
) {
    let line = binned(&device.power, POINTS);
    let end = line.last().map_or(0.0, |(to, _)| *to).max(meter.seconds);
    let most = line.iter().map(|(_, watts)| *watts).chain(device.idle_watts).fold(0.0, f64::max);
    let step = nice_above(most / f64::from(PARTS_OF_POWER));
    // Up to the next line of the grid.
    let top = (most / step).ceil().max(1.0) * step;
    let axes = Axes { end: end.max(f64::MIN_POSITIVE), top, step };

    page.raw("<figure class=\"power\"><figcaption>");
    page.element("b", &[], &format!("{} {}", device.kind.name(), device.name));
    if let Some(id) = &device.id {
        page.raw(" ").element("code", &[], id);
    }
    page.raw("</figcaption><div class=\"plot\"><div class=\"y\" aria-hidden=\"true\">");
    for watts in axes.lines() {
        let style = format!("bottom:{}%", number(watts / axes.top * 100.0));
        let unit = if watts + axes.step > axes.top { " W" } else { "" };
        page.element("span", &[("style", &style)], &format!("{}{unit}", few(watts)));
    }
    page.raw("</div>");
    drawing(page, id, device, meter, &line, &axes);
    page.raw("<div class=\"x\" aria-hidden=\"true\">");
    let times = ticks(axes.end, PARTS_OF_TIME);
    for second in &times {
        let style = format!("left:{}%", number(second / axes.end * 100.0));
        let unit = if times.last() == Some(second) { " s" } else { "" };
        page.element("span", &[("style", &style)], &format!("{}{unit}", few(*second)));
    }
    page.raw("</div></div>");
    legend(page, device, &meter.phases);
    let from = format!(
        "{file}: phases, devices.{index}: power, idle_watts, energy_wh, counted_wh; {}; {}",
        device.status.word(),
        device.source
    );
    page.raw("<p class=\"from\">From <code>").text(&from).raw("</code></p></figure>");
}

/// A round number, or nearly so.
fn few(value: f64) -> String {
    let text = few_digits(value);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// What is at the ends of a drawing.
struct Axes {
    /// Seconds at its right.
    end: f64,
    /// Watts at its top.
    top: f64,
    /// Watts between the lines of the grid.
    step: f64,
}

impl Axes {
    /// The watts of the grid's lines, from 0 on.
    fn lines(&self) -> Vec<f64> {
        let count = (self.top / self.step).round() as u32;
        (0..=count).map(|line| f64::from(line) * self.step).collect()
    }

    fn x(&self, second: f64) -> String {
        number((second / self.end).clamp(0.0, 1.0) * WIDTH)
    }

    fn y(&self, watts: f64) -> String {
        number(HEIGHT - (watts / self.top).clamp(0.0, 1.0) * HEIGHT)
    }
}

fn drawing(
    page: &mut Markup,
    id: &str,
    device: &MeteredDevice,
    meter: &HostMeter,
    line: &[(f64, f64)],
    axes: &Axes,
) {
    let (title, about) = (format!("{id}-title"), format!("{id}-about"));
    let labelled = format!("{title} {about}");
    let view = format!("0 0 {} {}", number(WIDTH), number(HEIGHT));
    page.open(
        "svg",
        &[
            ("viewBox", &view),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-labelledby", &labelled),
        ],
    );
    page.element("title", &[("id", &title)], &format!("Power of {} over time", device.name));
    page.element("desc", &[("id", &about)], &described(device, meter, line));
    for Phase { name, from, to } in &meter.phases {
        let wide = (to.min(axes.end) - from.max(0.0)).max(0.0) / axes.end * WIDTH;
        let class = format!("band {}", phase_class(name));
        let (x, wide, high) = (axes.x(*from), number(wide), number(HEIGHT));
        page.open("rect", &[("class", &class), ("x", &x), ("width", &wide), ("height", &high)]);
        page.close("rect");
    }
    for watts in axes.lines().into_iter().filter(|watts| *watts > 0.0 && *watts < axes.top) {
        let y = axes.y(watts);
        let path = format!("M0 {y}H{}", number(WIDTH));
        page.open("path", &[("class", "grid"), ("d", &path)]).close("path");
    }
    let mut path = String::new();
    for (to, watts) in line {
        // Each is the mean since the one before, so the line has steps.
        let command = if path.is_empty() { "M0 " } else { "V" };
        path += &format!("{command}{}H{}", axes.y(*watts), axes.x(*to));
    }
    let area = format!("{path}V{0}H0Z", number(HEIGHT));
    page.open("path", &[("class", "area"), ("d", &area)]).close("path");
    page.open("path", &[("class", "line"), ("d", &path)]).close("path");
    if let Some(idle) = device.idle_watts {
        let path = format!("M0 {}H{}", axes.y(idle), number(WIDTH));
        page.open("path", &[("class", "idle"), ("d", &path)]).close("path");
    }
    page.close("svg");
}

/// The drawing in words.
fn described(device: &MeteredDevice, meter: &HostMeter, line: &[(f64, f64)]) -> String {
    let most = line.iter().map(|(_, watts)| *watts).fold(0.0, f64::max);
    let idle = device.idle_watts.map(|idle| format!(", {} W at rest before", digits(idle)));
    let phases = meter
        .phases
        .iter()
        .map(|phase| format!("{} from {} to {} s", phase.name, few(phase.from), few(phase.to)));
    let phases: Vec<_> = phases.collect();
    format!(
        "{} s in all, {} W at most{}. {}",
        few(meter.seconds),
        digits(most),
        idle.unwrap_or_default(),
        phases.join(", ")
    )
}

fn legend(page: &mut Markup, device: &MeteredDevice, phases: &[Phase]) {
    page.raw("<ul class=\"legend\">");
    for Phase { name, from, to } in phases {
        page.raw("<li>").element("i", &[("class", phase_class(name))], "").text(name);
        page.raw(" ").element("span", &[], &format!("{}–{} s", few(*from), few(*to))).raw("</li>");
    }
    match device.idle_watts {
        Some(idle) => {
            page.raw("<li><i class=\"idle\"></i>at rest ");
            page.element("span", &[], &format!("{} W", digits(idle))).raw("</li>");
        }
        None => {
            page.raw("<li>at rest: not measured</li>");
        }
    }
    page.raw("<li>whole run ");
    page.element("span", &[], &format!("{} Wh", digits(device.energy_wh))).raw("</li>");
    if let Some(counted) = device.counted_wh {
        page.raw("<li>counted phases ");
        page.element("span", &[], &format!("{} Wh", digits(counted))).raw("</li>");
    }
    for other in &device.others {
        let name = other.name.as_deref().unwrap_or("unknown");
        page.raw("<li class=\"warn\">shared with ");
        page.element("span", &[], &format!("{name} (process {})", other.pid)).raw("</li>");
    }
    page.raw("</ul>");
}

/// At most `most` steps of the same power over time, each the mean over its time. What does not move
/// forward in time is left out.
fn binned(power: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = vec![];
    for (to, watts) in power {
        if *to > steps.last().map_or(0.0, |(last, _)| *last) {
            steps.push((*to, watts.max(0.0)));
        }
    }
    let (Some((end, _)), true) = (steps.last().copied(), steps.len() > most) else {
        return steps;
    };
    let wide = end / most as f64;
    let mut joules = vec![0.0; most];
    let mut from = 0.0;
    for (to, watts) in steps {
        let last = ((to / wide) as usize).min(most - 1);
        for (bin, joules) in
            joules.iter_mut().enumerate().take(last + 1).skip((from / wide) as usize)
        {
            let (begin, end) = (bin as f64 * wide, (bin + 1) as f64 * wide);
            *joules += watts * (to.min(end) - f64::max(from, begin)).max(0.0);
        }
        from = to;
    }
    let bins = joules.into_iter().enumerate();
    bins.map(|(bin, joules)| ((bin + 1) as f64 * wide, joules / wide)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{Markup, binned, charts};
    use crate::report::testing::measured;

    fn joules(steps: &[(f64, f64)]) -> f64 {
        let mut from = 0.0;
        steps.iter().map(|(to, watts)| watts * (to - std::mem::replace(&mut from, *to))).sum()
    }

    #[test]
    fn a_drawing_has_a_name_and_says_what_is_in_it() {
        let (mut meter, _) = measured("1", 0.42).meter.unwrap();
        meter.devices[0].power = vec![(8.0, 100.0), (16.0, 400.0)];
        let mut page = Markup::default();
        charts(&mut page, "run-1", &meter, "host_meter.json");
        insta::assert_snapshot!(page.into_string().replace("><", ">\n<"));
        meter.devices[0].power.clear();
        let mut page = Markup::default();
        charts(&mut page, "run-1", &meter, "host_meter.json");
        assert_eq!(page, Markup::default());
    }

    proptest! {
        #[test]
        fn fewer_points_are_the_same_energy(
            steps in vec((0.001..2.0_f64, 0.0..700.0_f64), 2..200), most in 2..50_usize,
        ) {
            let mut at = 0.0;
            let power: Vec<_> = steps.iter().map(|(long, watts)| { at += long; (at, *watts) }).collect();
            let found = binned(&power, most);
            prop_assert!(found.len() <= most.max(power.len().min(most)));
            let (before, after) = (joules(&power), joules(&found));
            prop_assert!((before - after).abs() <= 1e-6 * before.max(1.0), "{before} {after}");
        }

        #[test]
        fn time_only_goes_forward(power in vec((-1e3..1e3_f64, -1e3..1e3_f64), 0..50)) {
            let found = binned(&power, 10);
            prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(found.iter().all(|(to, watts)| *to > 0.0 && *watts >= 0.0));
        }
    }
}
