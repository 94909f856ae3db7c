//! What goes wrong between the `vllm` backend and its server, in the words of the guide.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use super::{Here, Symptom, ada, words};
use crate::vllm::{self, Does, serve};

/// What needs nothing but the programs.
pub(super) const ANYWHERE: [Symptom; 3] = [
    ("The server's address is localhost", || told("http://localhost:8000/v1", &[])),
    ("VLLM_ENDPOINT is not an address", || told("gpu7:8000", &[])),
    ("The API key file is missing", || {
        told("http://gpu7:8000", &[("VLLM_API_KEY_PATH", "/home/ada/key")])
    }),
];

/// What a client in the `cpu` image says.
pub(super) const IN_CONTAINERS: [Symptom; 8] = [
    ("No server answers", || {
        // A port that no server has.
        client("http://host.docker.internal:9/v1", "org/model")
            .replace("internal:9", "internal:8000")
    }),
    ("The server's name cannot be resolved", || client("http://gpu7.invalid:8000/v1", "org/model")),
    ("The server is still starting", || {
        of_server("503 X", r#"{"error":{"message":"Loading model"}}"#)
    }),
    ("The server has no API at that path", || of_server("404 X", "")),
    ("Another program answers", || {
        of_server("200 OK\r\nContent-Type: text/html; charset=utf-8", "<html>")
    }),
    ("The server wants an API key", || of_server("401 X", r#"{"error":"Unauthorized"}"#)),
    ("The server has another model", || of_server("200 OK", r#"{"data":[{"id":"gpt-oss"}]}"#)),
    ("Too many prompts failed", || {
        let does = |prompt| if prompt % 2 == 0 { Does::Answer } else { Does::Fail };
        let mut ada = vllm::ada();
        ada.set("VLLM_ENDPOINT", format!("http://host.docker.internal:{}/v1", serve(does)));
        let model = format!("backend.model={}", vllm::MODEL);
        words(vllm::client(&ada, &[&model, "-n", "4"]))
    }),
];

/// What a run would say whose server is at `endpoint`.
fn told(endpoint: &str, variables: &[(&str, &str)]) -> String {
    let mut here = Here::new("");
    here.0.set("VLLM_ENDPOINT", endpoint);
    for (name, value) in variables {
        here.0.set(name, *value);
    }
    here.said(&["run", "--dry-run", "--backend", "vllm", "backend.model=o/m"])
}

/// What a client of the server at `endpoint` says.
fn client(endpoint: &str, model: &str) -> String {
    let mut ada = ada();
    ada.set("VLLM_ENDPOINT", endpoint);
    words(vllm::client(&ada, &[&format!("backend.model={model}")]))
}

/// What a client says of a server that gives this answer to every request. The port is the guide's.
fn of_server(status: &'static str, body: &'static str) -> String {
    let server = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let port = server.local_addr().expect("its address").port();
    thread::spawn(move || {
        for client in server.incoming() {
            let mut client = client.expect("a client");
            // The whole request fits.
            let _ = client.read(&mut [0; 4096]).expect("a request");
            write!(client, "HTTP/1.0 {status}\r\n\r\n{body}").expect("an answer");
        }
    });
    let said = client(&format!("http://host.docker.internal:{port}/v1"), "openai/gpt-oss-20b");
    said.replace(&format!("internal:{port}"), "internal:8000")
}
