//! A stub server of OpenAI's protocol.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::MODEL;

/// What becomes of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// Ten tokens.
    Answer,
    /// HTTP 500.
    Fail,
    /// Nothing, until the client hangs up.
    Hang,
}

/// Serves what `does` says of each prompt, counted from 0, warm-ups and all. The port.
pub(crate) fn serve(does: impl Fn(usize) -> Does + Send + Sync + 'static) -> u16 {
    let server = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let (does, prompts) = (Arc::new(does), Arc::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for client in server.incoming() {
            let (does, prompts) = (does.clone(), prompts.clone());
            thread::spawn(move || answer(client.unwrap(), &*does, &prompts));
        }
    });
    port
}

fn answer(mut client: TcpStream, does: &dyn Fn(usize) -> Does, prompts: &AtomicUsize) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            return;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let reply = match head.split_whitespace().nth(1).unwrap() {
        "/v1/models" => json(200, &format!(r#"{{"data":[{{"id":"{MODEL}"}}]}}"#)),
        "/v1/chat/completions" => match does(prompts.fetch_add(1, Ordering::SeqCst)) {
            Does::Answer => stream(),
            Does::Fail => json(500, r#"{"error":{"message":"planted"}}"#),
            Does::Hang => {
                let _ = reader.read(&mut [0]);
                return;
            }
        },
        _ => json(404, "{}"),
    };
    // The client may have gone.
    let _ = client.write_all(reply.as_bytes());
}

fn json(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

fn stream() -> String {
    let piece = r#"data: {"choices":[{"delta":{"content":"word "}}]}"#;
    let last = r#"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":10}}"#;
    let pieces = [piece; 10].join("\n\n");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n\
         {pieces}\n\n{last}\n\ndata: [DONE]\n\n"
    )
}
