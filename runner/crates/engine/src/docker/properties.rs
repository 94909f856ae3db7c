//! What holds for answers of any text.

use host::testing::broken;
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::json;

use super::{Captured, Info, Mode, Nvidia, Server};
use crate::Engine;

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
    fn a_daemon_is_what_it_says(
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
    fn what_is_no_answer_is_told_with_the_question(said in prop_oneof![broken(INFO), any::<String>()]) {
        if let Err(error) = engine(&answer(0, said)) {
            prop_assert!(error.to_string().contains("docker info"), "{}", error);
        }
    }

    #[test]
    fn a_failure_is_never_an_answer(code in 1..=i32::MAX, said in broken(INFO)) {
        let error = engine(&answer(code, said)).unwrap_err().to_string();
        prop_assert!(error.contains(&format!("exit code {code}")), "{}", error);
    }

    #[test]
    fn only_a_server_that_names_itself_is_podman(
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
    fn any_text_is_podman_or_not(said in prop_oneof![broken(VERSION), any::<String>()]) {
        if Server::read(&answer(0, said.clone())).podman().is_some() {
            prop_assert!(said.contains("Podman Engine"));
        }
    }
}
