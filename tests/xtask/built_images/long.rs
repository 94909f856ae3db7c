//! Images that are built again, for minutes: what their build leaves in them, and a base that has PyTorch.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::LazyLock,
};

use contract::Flavour;
use serde_json::Value;

use super::{CPU, HOME_OF_ANY_UID, READ_ONLY, build, docker, lock, python};

#[test]
#[ignore = "needs Docker, mmdebstrap and a network, and builds for minutes"]
fn no_layer_has_the_certificates_of_the_build() {
    let _lock = lock();
    let image = CPU["image"].as_str().unwrap();
    let system = std::env::var("SSL_CERT_FILE")
        .unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".to_owned());
    let marker = format!("certificates of test {}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("network.pem");
    let text = fs::read_to_string(&system).expect("the system's certificates");
    fs::write(&bundle, format!("# {marker}\n{text}")).unwrap();

    // A missing tag causes a rebuild.
    docker(&["image", "rm", &format!("ai_energy_score:{}-cpu", env!("CARGO_PKG_VERSION"))]);
    let args = ["--flavour", "cpu", "--bootstrap-base", "--json", "--ca-bundle"];
    let built = build(&[&args[..], &[bundle.to_str().unwrap()]].concat());
    assert_eq!((&built["built"], &built["digest"]), (&Value::from(true), &CPU["digest"]));

    assert!(saved_lines_with(image, contract::ENTRYPOINT) > 0, "layers cannot be read like this");
    // Not `ca-bundle.pem` alone: packages mention the `tls-ca-bundle.pem` of other systems.
    for text in [marker.as_str(), "requirements/ca-bundle.pem", "network.pem"] {
        assert_eq!(saved_lines_with(image, text), 0, "{text}");
    }
}

/// Number of lines with `text` in all layers and the history of an image.
fn saved_lines_with(image: &str, text: &str) -> u64 {
    let mut save =
        Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
    let grep = Command::new("grep")
        .args(["--text", "--count", "--fixed-strings", "-e", text])
        .stdin(save.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(save.wait().unwrap().success());
    String::from_utf8(grep.stdout).unwrap().trim().parse().unwrap()
}

/// Restores the tags of the user's image when dropped.
struct RestoredTags {
    tags: Vec<String>,
    /// Another tag of the image, if there is one.
    backup: Option<String>,
}

impl RestoredTags {
    /// Tags the current image of `flavour` with a name of the test.
    fn new(flavour: Flavour) -> Self {
        let backup = format!("ai_energy_score-test:kept-{}", std::process::id());
        let mut tags = vec![flavour.image(), format!("ai_energy_score:{flavour}")];
        tags.push(format!("ai_energy_score:{}-{flavour}", env!("CARGO_PKG_VERSION")));
        let backup = succeeds(&["tag", &tags[0], &backup]).then_some(backup);
        Self { tags, backup }
    }
}

impl Drop for RestoredTags {
    fn drop(&mut self) {
        let Self { tags, backup } = self;
        for tag in tags.iter() {
            match backup {
                None => succeeds(&["image", "rm", tag]),
                Some(backup) => succeeds(&["tag", backup, tag]),
            };
        }
        if let Some(backup) = backup {
            succeeds(&["image", "rm", backup]);
        }
    }
}

fn succeeds(args: &[&str]) -> bool {
    Command::new("docker").args(args).output().unwrap().status.success()
}

#[test]
#[ignore = "needs Docker, mmdebstrap and a network, and builds for minutes"]
fn cuda_builds_on_a_python_base_and_torch_compiles() {
    let _lock = lock();
    // Like the CUDA runtime, and unlike the base of `cpu`, this base contains PyTorch.
    LazyLock::force(&CPU);
    let base = "ai_energy_score-test:base";
    let dockerfile = "FROM ai_energy_score-base:trixie\n\
                      RUN apt-get update --quiet && apt-get install --yes --quiet \
                      --no-install-recommends python3-torch && apt-get clean\n";
    let mut child = Command::new("docker")
        .args(["build", "--quiet", "--tag", base, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(dockerfile.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());

    let _restored = RestoredTags::new(Flavour::Cuda);
    let built = build(&["--flavour", "cuda", "--base", base, "--json"]);
    let image = built["image"].as_str().unwrap();
    let script = "import torch\n\
                  double = torch.compile(lambda x: torch.sin(x) ** 2 + torch.cos(x) ** 2 + x)\n\
                  print(round(double(torch.zeros(8)).sum().item()))";
    for options in [&[][..], &READ_ONLY] {
        assert_eq!(python(image, options, script), "8\n", "{options:?}");
    }
    assert_eq!(python(image, &READ_ONLY, HOME_OF_ANY_UID), python(image, &[], HOME_OF_ANY_UID));
}
