//! Energies of made-up recordings.

use contract::{
    host_meter::{OtherProcess, Phase},
    summary::DeviceKind,
};
use proptest::prelude::*;

use super::{DeviceRecord, Estimate, Recording};
use crate::recording::{DeviceInfo, trace::Trace};

fn trace(watts: f64, from: f64, to: f64) -> Trace {
    let mut trace = Trace::default();
    let steps = ((to - from) * 10.0) as u32;
    for step in 0..=steps {
        let time = from + f64::from(step) / 10.0;
        trace.push(time, watts * (time - from));
    }
    trace
}

fn device(name: &str, kind: DeviceKind, trace: Trace) -> DeviceRecord {
    let info = DeviceInfo { name: name.into(), id: None, kind, source: "counter".into() };
    DeviceRecord { info, trace, others: vec![], used: false }
}

/// A recording of ten idle seconds and a run of twenty.
fn recording() -> Recording {
    let mut gpu = device("GPU", DeviceKind::Gpu, trace(360.0, 990.0, 1020.0));
    gpu.info.id = Some("GPU-1".into());
    gpu.others.push(OtherProcess { pid: 5, name: Some("Xorg".into()) });
    Recording {
        begun: 1000.0,
        ended: 1020.0,
        idle: Some((990.0, 1000.0)),
        devices: vec![gpu],
        estimate: Some(Estimate {
            watts: "7.2".parse().unwrap(),
            seconds: trace(2.0, 1000.0, 1019.9),
            cpu_time_source: "its control group",
        }),
        is_found: true,
        is_clock_shared: Some(true),
        own_percent: None,
        notes: vec![],
    }
}

fn phases() -> [Phase; 2] {
    let phase = |name: &str, from, to| Phase { name: name.into(), from, to };
    [phase("preprocess", 1002.0, 1003.0), phase("prompts", 1005.0, 1014.0)]
}

#[test]
fn energy_is_summed_over_the_counted_phases() {
    let mut meter = recording().into_host_meter(&phases());
    for device in &mut meter.devices {
        // In intervals of half a second or a little more.
        assert!((39..=40).contains(&device.power.len()), "{}", device.power.len());
        device.power.truncate(2);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&meter).unwrap(), @r#"
    {
      "begun": 1000.0,
      "seconds": 20.0,
      "phases": [
        {
          "name": "preprocess",
          "from": 2.0,
          "to": 3.0
        },
        {
          "name": "prompts",
          "from": 5.0,
          "to": 14.0
        }
      ],
      "idle_seconds": 10.0,
      "devices": [
        {
          "name": "GPU",
          "id": "GPU-1",
          "kind": "gpu",
          "energy_wh": 2.0,
          "counted_wh": 1.0,
          "idle_watts": 360.0,
          "status": "measured",
          "source": "counter",
          "power": [
            [
              0.5,
              360.0
            ],
            [
              1.0,
              360.0
            ]
          ],
          "others": [
            {
              "pid": 5,
              "name": "Xorg"
            }
          ]
        },
        {
          "name": "processors",
          "id": null,
          "kind": "cpu",
          "energy_wh": 0.07919999999999983,
          "counted_wh": 0.04,
          "idle_watts": null,
          "status": "estimated",
          "source": "39.60 CPU seconds of the benchmark, told by its control group, 20.00 s of them in the counted phases, x 7.2 W per CPU as stated",
          "power": [
            [
              0.508,
              14.4
            ],
            [
              1.015,
              14.4
            ]
          ]
        }
      ],
      "notes": []
    }
    "#);
}

#[test]
fn unplaced_phases_leave_the_energy_of_the_whole_run() {
    let late = [Phase { name: "prompts".into(), from: 1019.0, to: 1021.0 }];
    let mut other_clock = recording();
    other_clock.is_clock_shared = Some(false);
    let mut not_found = recording();
    not_found.is_found = false;
    let mut notes = Vec::new();
    for (recording, phases) in [
        (recording(), &[][..]),
        (recording(), &late[..]),
        (other_clock, &phases()[..]),
        (not_found, &phases()[..]),
    ] {
        let meter = recording.into_host_meter(phases);
        assert!(meter.devices.iter().all(|device| device.counted_wh.is_none()));
        assert_eq!(meter.devices[0].energy_wh, 2.0);
        assert!(meter.phases.is_empty());
        notes.push(meter.notes.join("\n"));
    }
    insta::assert_snapshot!(notes.join("\n---\n"), @r"
    the backend did not tell when its phases ran, so the energy over its counted phases is not known to the host
    ---
    the backend's phases lie outside of the run by this clock, so the energy over its counted phases is not known to the host
    ---
    the container has a clock of its own (a time namespace), so the energy over its counted phases is not known to the host
    ---
    there is no estimate: neither a control group nor a process of the benchmark was found on this machine
    the benchmark's processes were not found on this machine: the engine may be another machine's, as in a virtual one, and have another clock, so the energy over its counted phases is not known to the host
    ");
}

#[test]
fn device_lost_before_the_end_has_no_energy() {
    let mut recording = recording();
    assert_eq!(recording.lost_devices(), [""; 0]);
    recording.devices[0].trace = trace(360.0, 990.0, 1010.0);
    insta::assert_snapshot!(
        recording.lost_devices().join("\n"),
        @"the host's meter lost GPU before the run's end: what it says of the GPU energy is without that, and too little"
    );
    let meter = recording.into_host_meter(&phases());
    assert_eq!(meter.devices.len(), 1);
    assert_eq!(meter.notes, ["GPU was not read to the end, and has no number"]);
}

#[test]
fn gpus_without_a_process_are_dropped_if_another_has_one() {
    let mut recording = recording();
    recording.devices.push(device("package-0", DeviceKind::Cpu, Trace::default()));
    let names = |recording: &Recording| {
        let names = recording.devices.iter().map(|device| device.info.name.clone());
        names.collect::<Vec<_>>()
    };
    // Without any known process, every GPU may be in use.
    assert_eq!(names(&recording.clone().without_unused_gpus()), ["GPU", "package-0"]);
    let mut server = device("server's", DeviceKind::Gpu, Trace::default());
    server.used = true;
    recording.devices.push(server);
    let left = recording.without_unused_gpus();
    assert_eq!(names(&left), ["package-0", "server's"]);
    assert_eq!(left.notes, ["1 GPU(s) with no process on them are left out"]);
}

proptest! {
    #[test]
    fn counted_energy_is_at_most_the_total_and_power_adds_up_to_it(phases in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 1..5)) {
        let phase = |(a, b): (f64, f64)| {
            let (from, to) = (1000.0 + 20.0 * a.min(b), 1000.0 + 20.0 * a.max(b));
            Phase { name: "prompts".into(), from, to }
        };
        let phases: Vec<_> = phases.into_iter().map(phase).collect();
        let meter = recording().into_host_meter(&phases);
        for device in &meter.devices {
            let counted = device.counted_wh.unwrap();
            prop_assert!((0.0..=device.energy_wh + 1e-9).contains(&counted), "{:?}", device);
            let mut before = 0.0;
            let power: f64 = device.power.iter().map(|(time, watts)| {
                let joules = watts * (time - before);
                before = *time;
                joules
            }).sum();
            prop_assert!((power / 3600.0 - device.energy_wh).abs() < 1e-3 * device.energy_wh);
        }
        prop_assert!(meter.phases.iter().all(|phase| phase.from >= -1e-9 && phase.to <= 20.0 + 1e-9));
    }
}
