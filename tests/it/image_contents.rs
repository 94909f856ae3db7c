//! What an image must not hold is found in the image as real engines hand it out.

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::Value;

use crate::harness::program;

/// An engine with a storage of its own, if it can have one, and an image that is gone at the end.
struct Image {
    engine: &'static str,
    name: String,
    folder: tempfile::TempDir,
}

impl Image {
    /// An image with a set-uid file, a token and a password.
    fn import(engine: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("localhost/ai_energy_score-test:contents-{}", std::process::id());
        let config =
            "[containers]\n[engine]\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"file\"\n";
        fs::write(folder.path().join("containers.conf"), config).unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let storage = format!(
            "[storage]\ndriver=\"vfs\"\ngraphroot={:?}\nrunroot={:?}\n",
            at("graph"),
            at("run")
        );
        fs::write(folder.path().join("storage.conf"), storage).unwrap();

        let mut archive = tar::Builder::new(Vec::new());
        let token = format!("hf_{}", "aB3".repeat(12));
        for (path, mode, content) in
            [("bin/su", 0o4755, "#!"), ("etc/motd", 0o644, &*token), ("etc/empty", 0o644, "")]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(mode);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        let file = folder.path().join("root.tar");
        fs::write(&file, archive.into_inner().unwrap()).unwrap();
        let image = Self { engine, name, folder };
        let changes =
            ["--change", "ENV API_TOKEN=abc", "--change", "LABEL org.aienergyscore.flavour=smoke"];
        let file = file.to_str().unwrap();
        let import = [&["import"], &changes[..], &[file, &image.name]].concat();
        let output = image.command(engine).args(import).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        image
    }

    /// A program that sees the engine's storage.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, file) in
            [("CONTAINERS_CONF", "containers.conf"), ("CONTAINERS_STORAGE_CONF", "storage.conf")]
        {
            command.env(name, self.folder.path().join(file));
        }
        command
    }

    fn verify(&self) -> Output {
        let mut command = self.command(program("xtask"));
        command.args(["verify", "--json", "--backend", "native", "--engine", self.engine]);
        command.args(["--image", &self.name, "--results"]).arg(self.folder.path().join("results"));
        command.env("HF_HOME", self.folder.path().join("home")).output().unwrap()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let removed =
            self.command(self.engine).args(["image", "rm", "--force", &self.name]).output();
        eprintln!("{}: {removed:?}", self.name);
    }
}

#[test]
#[ignore = "needs Docker, Podman and root"]
fn what_an_image_must_not_hold_is_found() {
    for engine in ["docker", "podman"] {
        let image = Image::import(engine);
        let output = image.verify();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{engine}: {said}");
        let findings: Value = serde_json::from_slice(&output.stdout).expect(&said);
        let texts = findings["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["check"] == "contents")
            .map(|finding| {
                assert_eq!(finding["severity"], "error");
                finding["text"].as_str().unwrap()
            })
            .collect::<Vec<_>>();
        let [su, token, environment] = texts[..] else { panic!("{engine}: {texts:?}") };
        assert!(su.starts_with("`/bin/su` (4755)"), "{su}");
        assert!(token.starts_with("`/etc/motd`") && token.contains("of HuggingFace"), "{token}");
        assert!(environment.contains("`/config/Env/"), "{environment}");
    }
}
