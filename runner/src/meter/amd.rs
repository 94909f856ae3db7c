//! AMD's GPUs, by the power that their driver tells in `hwmon`. It has no energy counter there
//! (`Documentation/gpu/amdgpu/thermal.rst` of the kernel: `power1_average`, on newer GPUs
//! `power1_input`, in microwatts).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use contract::summary::DeviceKind;

use super::gauge::{About, Gauge, Reading, Source};
use crate::gpus::Devices;

/// The devices of AMD's that were asked for below `root`, and why others are not metered.
pub(super) fn gauges(root: &Path, asked: &Devices) -> (Vec<Gauge<'static>>, Vec<String>) {
    let (mut gauges, mut refused) = (vec![], vec![]);
    let all = cards(root);
    for (number, card) in chosen(&all, asked, &mut refused) {
        let name = card.name.clone().unwrap_or_else(|| format!("AMD GPU {number}"));
        match &card.power {
            Some(file) => {
                let source = "power samples of amdgpu, integrated: it has no energy counter";
                let id = card.id.clone();
                let about = About { name, id, kind: DeviceKind::Gpu, source: source.to_owned() };
                gauges.push(Gauge::new(about, Power(file.clone())));
            }
            None => refused.push(format!("{name} is not metered: its driver tells no power")),
        }
    }
    (gauges, refused)
}

/// A GPU as AMD's driver knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Card {
    name: Option<String>,
    /// As `ROCR_VISIBLE_DEVICES` takes it.
    id: Option<String>,
    /// The file with its power.
    power: Option<PathBuf>,
}

/// The GPUs in the order in which ROCm numbers them: that of the driver's nodes that compute.
fn cards(root: &Path) -> Vec<Card> {
    let nodes = fs::read_dir(root.join("sys/class/kfd/kfd/topology/nodes"));
    let mut nodes: Vec<(u32, PathBuf)> = nodes
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|node| Some((node.file_name().to_str()?.parse().ok()?, node.path())))
        .collect();
    nodes.sort();
    nodes.iter().filter_map(|(_, node)| card(root, node)).collect()
}

fn card(root: &Path, node: &Path) -> Option<Card> {
    // Processors are nodes, too, and have no id.
    text(&node.join("gpu_id")).filter(|id| id != "0")?;
    let properties = text(&node.join("properties")).unwrap_or_default();
    let properties: BTreeMap<_, _> =
        properties.lines().filter_map(|line| line.split_once(' ')).collect();
    let number = |key: &str| properties.get(key)?.trim().parse::<u64>().ok();
    let device = number("drm_render_minor")
        .map(|minor| root.join(format!("sys/class/drm/renderD{minor}/device")));
    let unique = number("unique_id").filter(|unique| *unique != 0);
    let power = device.as_deref().and_then(|device| {
        let monitors = fs::read_dir(device.join("hwmon")).ok()?.flatten();
        let files = ["power1_average", "power1_input"];
        let mut files = monitors.flat_map(|monitor| files.map(|file| monitor.path().join(file)));
        files.find(|file| file.exists())
    });
    Some(Card {
        name: device.and_then(|device| text(&device.join("product_name"))),
        id: unique.map(|unique| format!("GPU-{unique:016x}")),
        power,
    })
}

/// Those of all that were asked for, with their numbers.
fn chosen<'a>(
    all: &'a [Card],
    asked: &Devices,
    refused: &mut Vec<String>,
) -> Vec<(usize, &'a Card)> {
    let numbered = || all.iter().enumerate();
    match asked {
        Devices::None => vec![],
        Devices::All => numbered().collect(),
        Devices::Count(count) => numbered().take(*count as usize).collect(),
        Devices::List(names) => {
            let find = |name: &String| {
                let is = |(number, card): &(usize, &Card)| {
                    *name == number.to_string() || card.id.as_ref() == Some(name)
                };
                let found = numbered().find(is);
                if found.is_none() {
                    refused.push(format!("AMD's driver knows no GPU `{name}`: it is not metered"));
                }
                found
            };
            let mut found: Vec<_> = names.iter().filter_map(find).collect();
            // One may be named twice, by its number and by its id.
            found.sort_unstable_by_key(|(number, _)| *number);
            found.dedup_by_key(|(number, _)| *number);
            found
        }
    }
}

fn text(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The file that tells the power.
#[derive(Debug)]
struct Power(PathBuf);

impl Source for Power {
    fn read(&mut self) -> Result<Reading, String> {
        let refused = |why: String| format!("`{}`: {why}", self.0.display());
        let text = fs::read_to_string(&self.0).map_err(|error| refused(error.to_string()))?;
        let microwatts: u64 =
            text.trim().parse().map_err(|_| refused(format!("`{}` is no power", text.trim())))?;
        Ok(Reading::Watts(microwatts as f64 / 1e6))
    }

    fn processes(&mut self) -> Result<Vec<u32>, String> {
        Err("they are not looked at on GPUs of AMD".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::gauges;
    use crate::gpus::Devices;

    /// A machine with a processor and three GPUs, numbered as ROCm does: the nodes' numbers are not
    /// in the order of their names.
    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let nodes = "sys/class/kfd/kfd/topology/nodes";
        write(&format!("{nodes}/0/gpu_id"), "0\n");
        for (node, minor, unique) in [("1", 128, 0), ("2", 130, 43981), ("10", 129, 255)] {
            write(&format!("{nodes}/{node}/gpu_id"), "45727\n");
            let properties =
                format!("simd_count 4\ndrm_render_minor {minor}\nunique_id {unique}\n");
            write(&format!("{nodes}/{node}/properties"), &properties);
        }
        let device = |minor| format!("sys/class/drm/renderD{minor}/device");
        write(&format!("{}/hwmon/hwmon3/power1_average", device(128)), "60000000\n");
        write(&format!("{}/product_name", device(128)), "AMD Instinct MI210\n");
        write(&format!("{}/hwmon/hwmon7/power1_input", device(130)), "45500000\n");
        write(&format!("{}/hwmon/hwmon1/temp1_input", device(129)), "1\n");
        root
    }

    fn shown(root: &Path, asked: &Devices) -> String {
        let (mut found, refused) = gauges(root, asked);
        let lines = found.iter_mut().map(|gauge| {
            let power = gauge.source.read();
            format!("{} {:?} {power:?}", gauge.about.name, gauge.about.id)
        });
        lines.chain(refused).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn those_that_were_asked_for_are_read_and_others_told() {
        let machine = machine();
        let list = |names: &[&str]| Devices::List(names.iter().map(|n| (*n).into()).collect());
        let said = [
            Devices::All,
            Devices::Count(1),
            list(&["1", "GPU-000000000000abcd", "7"]),
            Devices::None,
        ]
        .map(|asked| shown(machine.path(), &asked));
        insta::assert_snapshot!(said.join("\n---\n"), @r#"
        AMD Instinct MI210 None Ok(Watts(60.0))
        AMD GPU 1 Some("GPU-000000000000abcd") Ok(Watts(45.5))
        AMD GPU 2 is not metered: its driver tells no power
        ---
        AMD Instinct MI210 None Ok(Watts(60.0))
        ---
        AMD GPU 1 Some("GPU-000000000000abcd") Ok(Watts(45.5))
        AMD's driver knows no GPU `7`: it is not metered
        ---
        "#);
    }

    #[test]
    fn a_power_that_is_none_is_named() {
        let machine = machine();
        let (mut found, _) = gauges(machine.path(), &Devices::Count(1));
        let file =
            machine.path().join("sys/class/drm/renderD128/device/hwmon/hwmon3/power1_average");
        fs::write(&file, "much\n").unwrap();
        assert!(found[0].source.read().unwrap_err().ends_with("`much` is no power"));
    }
}
