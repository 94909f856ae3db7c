//! A local llama.cpp server with the smoke test's model.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::{MODEL, environment, file};
use crate::harness::smoke;

/// The server; it ends with this value.
pub(crate) struct Llama {
    child: Child,
    pub(crate) port: u16,
}

impl Llama {
    /// Starts it, and does not wait until it has loaded its model.
    pub(crate) fn start(keys: &[&str]) -> Self {
        // The stack's own client makes another port of one that ends in 1.
        let port = free_port(|port| port % 10 == 1);
        let mut command = Command::new(environment("xllamacpp"));
        command.arg(file("llama_server.py")).arg(gguf()).args([MODEL, &port.to_string()]);
        let child = command.args(keys).stdin(Stdio::piped()).stdout(Stdio::null());
        Self { child: child.stderr(Stdio::null()).spawn().unwrap(), port }
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gguf() -> PathBuf {
    let mut files =
        fs::read_dir(smoke::snapshot(smoke::GGUF)).unwrap().map(|file| file.unwrap().path());
    files.find(|file| file.extension().is_some_and(|end| end == "gguf")).unwrap()
}

/// A port of this machine that nobody has, and that `fits`.
pub(super) fn free_port(fits: impl Fn(u16) -> bool) -> u16 {
    // Each is held until one fits, so that none comes twice.
    let mut held = vec![];
    loop {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if fits(port) {
            return port;
        }
        held.push(listener);
    }
}
