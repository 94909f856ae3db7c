//! The score's rules for a run.
//!
//! Source: AI Energy Score's documentation (huggingface.github.io/AIEnergyScore, as of its
//! `index.md` at 2c581bf): all benchmarks on NVIDIA H100 GPUs with 80 GB, GPU energy alone, the phases
//! preprocess, prefill and decode; models of class A (up to 20 billion parameters) and class B (up to
//! 66) on a single GPU, where several make the result invalid.

use contract::{
    host_meter::HostMeter,
    summary::{DeviceKind, Summary},
};

use super::{ModelLocation, gpus};

/// Notes on rules that keep a run from being compared with the score.
pub(super) fn rules(summary: &Summary, meter: &HostMeter, location: ModelLocation) -> Vec<String> {
    let mut names: Vec<_> = gpus(meter).map(|gpu| gpu.name.as_str()).collect();
    if names.is_empty() && summary.total.is_some() && location == ModelLocation::InBenchmark {
        let devices = summary.measurement.devices.iter();
        let backends = devices.filter(|device| device.kind == DeviceKind::Gpu);
        names = backends.flat_map(|device| device.name.split(", ")).collect();
    }
    if names.is_empty() {
        return vec![
            "not comparable with the score, which is the energy of an NVIDIA H100 80GB: no GPU was \
             measured"
                .to_owned(),
        ];
    }
    let mut notes = Vec::new();
    let mut other_gpus: Vec<_> = names.iter().copied().filter(|name| !is_reference(name)).collect();
    other_gpus.dedup();
    if !other_gpus.is_empty() {
        notes.push(format!(
            "not comparable with the score, which is measured on NVIDIA H100 80GB alone: this run had \
             {}",
            other_gpus.join(", ")
        ));
    }
    if names.len() > 1 {
        notes.push(format!(
            "the rules of the score want a single GPU for models of class A and B, those of up to 66 \
             billion parameters: on {} a run of such a model is not valid",
            names.len()
        ));
    }
    if summary.run.phases.is_empty() {
        notes.push(
            "the score counts the phases preprocess, prefill and decode, and never loading: when they \
             ran was not told, so this could not be checked"
                .to_owned(),
        );
    }
    notes
}

/// Whether a GPU has the score's model, by its name in NVIDIA's driver: `NVIDIA H100 80GB HBM3` or
/// `NVIDIA H100 PCIe`. The H100 NVL has another memory.
fn is_reference(name: &str) -> bool {
    name.contains("H100") && (name.contains("80GB") || name.contains("PCIe"))
}

#[cfg(test)]
mod tests {
    use super::is_reference;

    #[test]
    fn only_80_gb_h100_names_match_the_reference_gpu() {
        for name in ["NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe"] {
            assert!(is_reference(name), "{name}");
        }
        for name in
            ["NVIDIA H100 NVL", "NVIDIA H200", "NVIDIA GH200 480GB", "NVIDIA A100 80GB PCIe"]
        {
            assert!(!is_reference(name), "{name}");
        }
    }
}
