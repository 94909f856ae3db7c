//! Check of the energy counters that a run would read.

use engine::Engine;
use host::machine::Host;
use meter::Look;
use plan::{options::Settings, run_plan::RunPlan};

use super::Finding;
use crate::metering;

/// Reads every counter that a run would read.
pub(super) fn check(
    options: &Settings,
    plan: &RunPlan,
    engine: &Engine,
    host: &Host,
) -> Vec<Finding> {
    let request = metering::request(options, plan, engine, host);
    request.look().into_iter().map(finding).collect()
}

/// The finding for a counter. A missing one is a note, because a run works without it.
fn finding(Look { subject, is_metered, text }: Look) -> Finding {
    let text = text.join("; ");
    if is_metered {
        Finding::ok("meter", subject, text)
    } else {
        Finding::note("meter", subject, text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, finding};
    use crate::verify::render;

    #[test]
    fn missing_counter_is_a_note_with_its_reason() {
        let look = |subject, is_metered, text: &[&str]| Look {
            subject,
            is_metered,
            text: text.iter().map(|text| (*text).to_owned()).collect(),
        };
        let findings = [
            finding(look("NVML", true, &["NVIDIA L4 (counter)", "no GPU `7`"])),
            finding(look("RAPL", false, &["no counters"])),
        ];
        insta::assert_snapshot!(render(&findings, false), @r"
        ok      meter    NVML: NVIDIA L4 (counter); no GPU `7`
        note    meter    RAPL: no counters
        0 error(s), 0 warning(s)
        ");
    }
}
