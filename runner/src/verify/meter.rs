//! Check of the energy counters that a run would read.

use engine::Engine;
use host::machine::Host;
use meter::Availability;
use plan::{options::Settings, run_plan::RunPlan};

use super::Finding;
use crate::metering;

/// Reads every counter that a run would read.
pub(super) fn check(
    settings: &Settings,
    plan: &RunPlan,
    engine: &Engine,
    host: &Host,
) -> Vec<Finding> {
    let request = metering::request(settings, plan, engine, host);
    request.availability().into_iter().map(finding).collect()
}

/// The finding for a counter. A missing one is a note, because a run works without it.
fn finding(Availability { subject, is_metered, text }: Availability) -> Finding {
    let text = text.join("; ");
    if is_metered {
        Finding::ok("meter", subject, text)
    } else {
        Finding::note("meter", subject, text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Availability, finding};
    use crate::verify::render;

    #[test]
    fn missing_counter_is_a_note_with_its_reason() {
        let availability = |subject, is_metered, text: &[&str]| Availability {
            subject,
            is_metered,
            text: text.iter().map(|text| (*text).to_owned()).collect(),
        };
        let findings = [
            finding(availability("NVML", true, &["NVIDIA L4 (counter)", "no GPU `7`"])),
            finding(availability("RAPL", false, &["no counters"])),
        ];
        insta::assert_snapshot!(render(&findings, false), @r"
        ok      meter    NVML: NVIDIA L4 (counter); no GPU `7`
        note    meter    RAPL: no counters
        0 error(s), 0 warning(s)
        ");
    }
}
