//! Properties of answers with arbitrary text.

use host::testing::broken;
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::json;

use super::{Captured, Engine, Info, Mode, Nvidia, Server};

const INFO: &str = r#"{"ServerVersion":"28.0","SecurityOptions":["name=seccomp,profile=default","name=rootless"],"Runtimes":{"nvidia":{"path":"x"}},"DiscoveredDevices":[{"Source":"cdi","ID":"nvidia.com/gpu=all"}],"MemoryLimit":true}"#;
const VERSION: &str = r#"{"Components":[{"Name":"Podman Engine","Version":"4.3.1","Details":{}},{"Name":"Engine","Version":"4.3.1"}],"Version":"4.3.1"}"#;

fn answer(code: i32, stdout: String) -> Captured {
    Captured { code, stdout, stderr: String::new() }
}

fn engine(answer: &Captured) -> anyhow::Result<Engine> {
    Ok(Info::read(answer)?.engine(&Server::default(), "", false))
}

proptest! {
    #[test]
    fn every_field_of_the_answer_is_read(
        version in option::of(any::<String>()),
        options in vec(select(vec!["seccomp,profile=x", "userns", "rootless", "rootlessness", "cgroupns"]), 0..4),
        nvidia in option::of(any::<bool>()),
        memory in option::of(any::<bool>()),
    ) {
        let security: Vec<_> = options.iter().map(|option| format!("name={option}")).collect();
        let runtimes = nvidia.map(|has| if has { json!({"nvidia": null}) } else { json!({"runc": 1}) });
        let said = json!({
            "ServerVersion": version, "SecurityOptions": security, "Runtimes": runtimes,
            "MemoryLimit": memory,
        });
        let info = engine(&answer(0, said.to_string())).unwrap();
        let has = |name| options.contains(&name);
        let mode = match (has("rootless"), has("userns")) {
            (true, _) => Mode::DockerRootless,
            (_, true) => Mode::DockerUsernsRemap,
            _ => Mode::DockerRootful,
        };
        let way = if nvidia == Some(true) { Nvidia::Gpus } else { Nvidia::No };
        prop_assert_eq!((info.mode, info.nvidia), (mode, way));
        prop_assert_eq!((info.version, info.limits.memory), (version.unwrap_or_default(), memory != Some(false)));
    }

    #[test]
    fn unreadable_answer_is_an_error_that_names_the_command(said in prop_oneof![broken(INFO), any::<String>()]) {
        match engine(&answer(0, said)) {
            Ok(engine) => prop_assert!(engine.has_containers() && !engine.mode.is_podman()),
            Err(error) => prop_assert!(error.to_string().contains("docker info"), "{}", error),
        }
    }

    #[test]
    fn failed_command_is_an_error_with_its_exit_code(code in 1..=i32::MAX, said in broken(INFO)) {
        let error = engine(&answer(code, said)).unwrap_err().to_string();
        prop_assert!(error.contains(&format!("exit code {code}")), "{}", error);
    }

    #[test]
    fn server_is_podman_only_if_a_component_says_so(
        names in vec(select(vec!["Engine", "Podman Engine", "podman engine", "runc"]), 0..4),
        version in any::<String>(),
    ) {
        let parts: Vec<_> =
            names.iter().map(|name| json!({"Name": name, "Version": version})).collect();
        let said = json!({"Components": parts}).to_string();
        let expected = names.contains(&"Podman Engine").then_some(version);
        let server = Server::read(&answer(0, said));
        prop_assert_eq!(server.podman(), expected.as_deref());
    }

    #[test]
    fn broken_answer_is_podman_only_with_its_name(said in prop_oneof![broken(VERSION), any::<String>()]) {
        if Server::read(&answer(0, said.clone())).podman().is_some() {
            prop_assert!(said.contains("Podman Engine"));
        }
    }
}
