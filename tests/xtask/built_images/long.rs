//! Images that are built again, for minutes: what their build leaves in them, and a base that has PyTorch.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::LazyLock,
};

use contract::Flavour;
use serde_json::Value;

use super::{AT_HOME, CPU, READ_ONLY, alone, build, docker, python};

#[test]
#[ignore = "needs Docker, mmdebstrap and a network, and builds for minutes"]
fn certificates_for_the_build_are_in_no_layer() {
    let _alone = alone();
    let image = CPU["image"].as_str().unwrap();
    let system = std::env::var("SSL_CERT_FILE")
        .unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".to_owned());
    let mark = format!("certificates of test {}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("network.pem");
    let text = fs::read_to_string(&system).expect("the system's certificates");
    fs::write(&bundle, format!("# {mark}\n{text}")).unwrap();

    // With one tag less, the image is made again.
    docker(&["image", "rm", &format!("ai_energy_score:{}-cpu", env!("CARGO_PKG_VERSION"))]);
    let args = ["--flavour", "cpu", "--bootstrap-base", "--json", "--ca-bundle"];
    let built = build(&[&args[..], &[bundle.to_str().unwrap()]].concat());
    assert_eq!((&built["built"], &built["digest"]), (&Value::from(true), &CPU["digest"]));

    assert!(saved_lines_with(image, contract::ENTRYPOINT) > 0, "layers cannot be read like this");
    // Packages speak of the `tls-ca-bundle.pem` of other systems.
    for text in [mark.as_str(), "requirements/ca-bundle.pem", "network.pem"] {
        assert_eq!(saved_lines_with(image, text), 0, "{text}");
    }
}

/// The number of lines with `text` in all layers and in the history.
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

/// The tags of an image of the user's, given back at the end.
struct Kept {
    tags: Vec<String>,
    name: String,
}

impl Kept {
    /// Keeps what the tags of `flavour` mean now.
    fn new(flavour: Flavour) -> Self {
        let name = format!("ai_energy_score-test:kept-{}", std::process::id());
        let mut tags = vec![flavour.image(), format!("ai_energy_score:{flavour}")];
        tags.push(format!("ai_energy_score:{}-{flavour}", env!("CARGO_PKG_VERSION")));
        if !succeeds(&["tag", &tags[0], &name]) {
            return Self { tags, name: String::new() };
        }
        Self { tags, name }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Self { tags, name } = self;
        for tag in tags.iter() {
            match name.is_empty() {
                true => succeeds(&["image", "rm", tag]),
                false => succeeds(&["tag", name, tag]),
            };
        }
        if !name.is_empty() {
            succeeds(&["image", "rm", name]);
        }
    }
}

fn succeeds(args: &[&str]) -> bool {
    Command::new("docker").args(args).output().unwrap().status.success()
}

#[test]
#[ignore = "needs Docker, mmdebstrap and a network, and builds for minutes"]
fn cuda_builds_on_a_base_with_python_and_compiles_there() {
    let _alone = alone();
    // The base of `cpu` has no PyTorch; this one has, as the CUDA runtime does.
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

    let _kept = Kept::new(Flavour::Cuda);
    let built = build(&["--flavour", "cuda", "--base", base, "--json"]);
    let image = built["image"].as_str().unwrap();
    let script = "import torch\n\
                  double = torch.compile(lambda x: torch.sin(x) ** 2 + torch.cos(x) ** 2 + x)\n\
                  print(round(double(torch.zeros(8)).sum().item()))";
    for options in [&[][..], &READ_ONLY] {
        assert_eq!(python(image, options, script), "8\n", "{options:?}");
    }
    assert_eq!(python(image, &READ_ONLY, AT_HOME), python(image, &[], AT_HOME));
}
