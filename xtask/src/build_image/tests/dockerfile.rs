//! The Dockerfile uses the paths of the contract and the files of the build context.

use std::fs;

use contract::{Flavour, path};

use super::super::{
    base,
    context::{self, stacks},
    labels,
};
use crate::workspace;

fn dockerfile() -> String {
    fs::read_to_string(workspace::root().join(context::DOCKERFILE)).unwrap()
}

/// The lines of a build stage.
fn stage<'a>(dockerfile: &'a str, name: &str) -> Vec<&'a str> {
    let (_, rest) = dockerfile.split_once(&format!(" AS {name}\n")).expect(name);
    rest.lines().take_while(|line| !line.starts_with("FROM ")).collect()
}

fn assert_lines(stage: &[&str], lines: &[String]) {
    for line in lines {
        assert!(stage.contains(&line.as_str()), "not in the Dockerfile: {line}\n{stage:#?}");
    }
}

#[test]
fn smoke_stage_uses_the_paths_of_the_contract() {
    let bin = path::ENTRYPOINT.rsplit_once('/').unwrap().0;
    assert_lines(
        &stage(&dockerfile(), "smoke"),
        &[
            format!("ENV HOME={} \\", path::HOME),
            format!("    PATH={bin}:/usr/bin:/bin \\"),
            format!("    BENCHMARK_BACKEND={}", Flavour::Smoke.default_backend()),
            format!("WORKDIR {}", path::RESULTS),
            format!("ENTRYPOINT [\"{}\"]", path::ENTRYPOINT),
            format!("COPY {}/ /", context::ROOTFS),
            format!("COPY {}/ /", context::SCRATCH),
        ],
    );
}

#[test]
fn stacks_stage_uses_the_paths_of_the_contract() {
    let environment = path::PYTHON.strip_suffix("/bin/python").unwrap();
    let share = path::ADAPTER.rsplit_once('/').unwrap().0;
    let system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let dockerfile = dockerfile();
    let stacks = stage(&dockerfile, "stacks");
    assert_lines(
        &stacks,
        &[
            format!("COPY --from=environment {environment}/ {environment}/"),
            format!("COPY {}/ /", context::ROOTFS),
            format!("COPY {}/ {share}/", stacks::SHARE),
            format!("    {}", path::ADAPTER),
            format!("ENV HOME={} \\", path::HOME),
            format!("    PATH={environment}/bin:${{PATH:-{system}}} \\"),
            format!("    BENCHMARK_BACKEND={} \\", Flavour::Cpu.default_backend()),
            format!("    HF_HOME={} \\", path::HF_HOME),
            format!("    XDG_CACHE_HOME={}/cache \\", path::TEMPORARY),
            format!("WORKDIR {}", path::RESULTS),
            format!("ENTRYPOINT [\"{}\"]", path::ENTRYPOINT),
        ],
    );
    assert_eq!(Flavour::Cpu.default_backend(), Flavour::Cuda.default_backend());
    let run = format!("RUN sh /tmp/requirements/environment.sh {environment} ${{FLAVOUR}}");
    assert!(stage(&dockerfile, "environment").contains(&run.as_str()), "{run}");
}

#[test]
fn every_cache_variable_names_the_temporary_folder() {
    let dockerfile = dockerfile();
    let caches = stage(&dockerfile, "stacks").into_iter().filter_map(|line| {
        let (name, value) = line.trim().trim_end_matches(" \\").split_once('=')?;
        name.contains("CACHE").then_some(value)
    });
    let below = format!("{}/cache", path::TEMPORARY);
    let caches = caches.collect::<Vec<_>>();
    assert!(caches.len() > 4 && caches.iter().all(|cache| cache.starts_with(&below)), "{caches:?}");
}

#[test]
fn ca_bundle_and_lock_files_stay_in_their_build_stage() {
    let dockerfile = dockerfile();
    for name in ["smoke", "base", "stacks", "cpu", "cuda"] {
        let stage = stage(&dockerfile, name);
        assert!(!stage.iter().any(|line| line.contains(stacks::REQUIREMENTS)), "{stage:#?}");
    }
    let [base_script, environment_script] = stacks::SCRIPTS;
    let copies = [
        ("base", format!("COPY {}/{base_script} /tmp/image/", stacks::IMAGE)),
        (
            "environment",
            format!(
                "COPY {}/{environment_script} {requirements}/ /tmp/{requirements}/",
                stacks::IMAGE,
                requirements = stacks::REQUIREMENTS
            ),
        ),
    ];
    for (name, copy) in copies {
        assert!(stage(&dockerfile, name).contains(&copy.as_str()), "{copy}");
    }
}

#[test]
fn every_flavour_is_a_target_and_the_default_base_is_of_cpu() {
    let dockerfile = dockerfile();
    for flavour in Flavour::ALL {
        assert!(dockerfile.contains(&format!(" AS {flavour}\n")), "{flavour}");
    }
    let base = format!("\nARG BASE={}\n", base::default_name(Flavour::Cpu).unwrap());
    assert!(dockerfile.contains(&base), "{base}");
    let label = |stage: &str| format!("LABEL {}={stage}", labels::STAGE);
    assert_lines(&stage(&dockerfile, "smoke"), &[label("smoke")]);
    assert_lines(&stage(&dockerfile, "environment"), &[label("environment-${FLAVOUR}")]);
}

#[test]
fn dockerfile_has_no_buildkit_syntax() {
    for line in dockerfile().lines() {
        let newer = ["RUN --", "COPY --chmod", "COPY --link", "ADD --", "<<"];
        assert!(!newer.iter().any(|syntax| line.contains(syntax)), "{line}");
    }
}
