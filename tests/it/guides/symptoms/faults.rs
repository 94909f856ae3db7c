//! What goes wrong around a run, in the words of the guide.

use super::{Here, Symptom};

/// A smoke-sized request.
const RUN: [&str; 4] = ["run", "--flavour", "smoke", "backend.model=o/m"];

/// An engine whose image is of this version and architecture.
fn with_image(version: &str, architecture: &str) -> Here {
    let labels = format!(
        r#"{{"org.aienergyscore.flavour":"smoke","org.opencontainers.image.version":"{version}"}}"#
    );
    Here::new(&format!(
        "version) echo '{{\"Arch\":\"amd64\"}}'; exit ;;\n\
         image) echo '{{\"Architecture\":\"{architecture}\",\"Config\":{{\"Labels\":{labels}}}}}'; exit ;;"
    ))
}

/// What needs nothing but the programs.
pub(super) const ANYWHERE: [Symptom; 11] = [
    ("The engine hangs", || {
        let engine = ["run", "--engine", "docker"];
        Here::new("info) exec sleep 60 ;;").said(&[&engine[..], &RUN[1..]].concat())
    }),
    ("The engine is on another machine", || {
        let mut here = Here::new("");
        here.0.set("DOCKER_HOST", "ssh://ada@gpu7.invalid");
        here.said(&RUN)
    }),
    ("The engine sees other files", || {
        let state =
            r#"{"Running":false,"OOMKilled":false,"ExitCode":121,"Error":"","StartedAt":"2026"}"#;
        let mut here = Here::new(&format!("run) exit 121 ;;\ncontainer) echo '{state}'; exit ;;"));
        here.0.set("DOCKER_HOST", "tcp://127.0.0.1:2375");
        here.said(&RUN)
    }),
    ("The image is made for another processor", || {
        with_image(env!("CARGO_PKG_VERSION"), "arm64").said(&RUN)
    }),
    ("The image is of another version", || {
        let said = with_image("0.0.7", "amd64").said(&RUN);
        said.replace(env!("CARGO_PKG_VERSION"), "0.1.0")
    }),
    ("The benchmark was killed", || {
        let state =
            r#"{"Running":false,"OOMKilled":false,"ExitCode":137,"Error":"","StartedAt":"2026"}"#;
        Here::new(&format!("run) exit 137 ;;\ncontainer) echo '{state}'; exit ;;")).said(&RUN)
    }),
    ("The container was removed", || {
        let says = "Error: No such container: aienergyscore-20260101T000000Z-7";
        // The fake engine gives no id by itself.
        Here::new(&format!(
            "run) for word in \"$@\"; do case $word in */aienergyscore-*-cid) printf %064d 7 >\"$word\" ;; \
             esac; done; exit 137 ;;\ncontainer) echo '{says}' >&2; exit 1 ;;"
        ))
        .said(&RUN)
    }),
    ("The results folder cannot be used", || {
        let here = Here::new("");
        std::fs::write(here.0.cwd().join("results"), "precious").unwrap();
        here.said(&RUN)
    }),
    ("The results folder cannot be used", || {
        let here = Here::new("");
        std::os::unix::fs::symlink("/mnt/disk", here.0.cwd().join("results")).unwrap();
        here.said(&RUN)
    }),
    ("The results folder cannot be used", || {
        Here::new("").said(&[&RUN[..], &["--results", "runs\r\n1"]].concat())
    }),
    ("A container is left behind", || {
        let line = "aienergyscore-20260101T000000Z-4194305\\texited\\t20260101T000000Z-4194305\\t";
        Here::new(&format!("ps) printf '{line}%s\\n' \"$(id -u)\"; exit ;;")).said(&RUN)
    }),
];
