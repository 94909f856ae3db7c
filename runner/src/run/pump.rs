//! Copies a program's output to ours for as long as somebody reads ours.

use std::{
    io::{self, PipeReader, PipeWriter, Read as _, Write},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

/// How long a pipe may stay open after its program ended: something it started may hold it.
const GRACE: Duration = Duration::from_secs(1);

/// A copier at work.
#[derive(Debug)]
pub(super) struct Pump(Receiver<()>);

impl Pump {
    /// Starts a copier to `to`. The program gets the writer: it is never told that our reader has
    /// gone, because it would end and take the benchmark with it.
    pub(super) fn start(to: impl Write + Send + 'static) -> io::Result<(PipeWriter, Self)> {
        let (from, writer) = io::pipe()?;
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            copy(from, to);
            // The receiver is gone when nobody waits for the end.
            let _ = done.send(());
        });
        Ok((writer, Self(ended)))
    }

    /// Waits until all that an ended program wrote is copied.
    pub(super) fn finish(self) {
        // Too late, or a panic of the copier: either way nothing more will come.
        let _ = self.0.recv_timeout(GRACE);
    }
}

fn copy(mut from: PipeReader, to: impl Write) {
    let mut to = Some(to);
    let mut buffer = [0; 16 * 1024];
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let written = to.as_mut().map(|to| to.write_all(bytes).and_then(|()| to.flush()));
        if let Some(Err(_)) = written {
            to = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read as _, Write as _};

    use super::Pump;

    #[test]
    fn everything_arrives_and_a_lost_reader_is_not_told() {
        let (mut ours, to) = io::pipe().unwrap();
        let (mut program, pump) = Pump::start(to).unwrap();
        program.write_all(b"one").unwrap();
        drop(program);
        pump.finish();
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one");

        let (ours, to) = io::pipe().unwrap();
        drop(ours);
        let (mut program, pump) = Pump::start(to).unwrap();
        for _ in 0..1000 {
            program.write_all(&[b'x'; 1000]).unwrap();
        }
        drop(program);
        pump.finish();
    }
}
