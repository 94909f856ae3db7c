//! Properties of answers with arbitrary text.

use host::testing::broken;
use proptest::prelude::*;
use serde_json::json;

use super::{Captured, Client, Limits, Mode, engine};

const INFO: &str = r#"{"host":{"cgroupVersion":"v2","ociRuntime":{"name":"runc"},"security":{"rootless":true}},"version":{"APIVersion":"4.3.1","Version":"4.3.1"}}"#;

fn answer(code: i32, stdout: String) -> Captured {
    Captured { code, stdout, stderr: String::new() }
}

proptest! {
    #[test]
    fn every_field_of_the_answer_is_read(
        rootless in any::<bool>(),
        cgroups in prop_oneof![Just("v1".to_owned()), Just("v2".to_owned()), any::<String>()],
        name in any::<String>(),
        version in any::<String>(),
    ) {
        let said = json!({
            "host": {
                "cgroupVersion": cgroups, "ociRuntime": {"name": name},
                "security": {"rootless": rootless}, "more": [1],
            },
            "version": {"Version": version},
        });
        let info = engine("podman", &answer(0, said.to_string())).unwrap();
        let mode = if rootless { Mode::PodmanRootless } else { Mode::PodmanRootful };
        let limits = if rootless && cgroups == "v1" { Limits::NONE } else { Limits::ALL };
        prop_assert_eq!((info.mode, info.limits), (mode, limits));
        prop_assert_eq!((info.version, info.runtime), (version, name));
    }

    #[test]
    fn unreadable_answer_is_an_error_that_names_the_command(
        code in prop_oneof![Just(0), any::<i32>()],
        said in prop_oneof![broken(INFO), any::<String>()],
    ) {
        match engine("podman", &answer(code, said)) {
            Ok(engine) => {
                prop_assert_eq!(code, 0);
                prop_assert!(engine.mode.is_podman() && engine.client == Client::Podman);
            }
            Err(error) => prop_assert!(error.to_string().contains("`podman info`"), "{}", error),
        }
    }
}
