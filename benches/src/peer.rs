//! Another program that does the same work, in a process of its own: it is told when its turn is, and times itself.
//!
//! The scripts in `benches/peers` print `ready` once they are set up; for every line `run` that they read they do their work once
//! and print the milliseconds of one unit.

use crate::clock::Contender;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// glibc's allocator gives large blocks back to the system after each step unless it is told otherwise, which costs PyTorch
/// up to half its time. The peer runs at its best.
const TUNED: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "8589934592"),
    ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
    ("MALLOC_TOP_PAD_", "268435456"),
];

/// A peer's process; it ends when this is dropped.
struct Peer {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.from.read_line(&mut line)? {
            0 => Err(std::io::Error::other("the peer has ended; its own message stands above")),
            _ => Ok(line.trim().to_owned()),
        }
    }

    fn turn(&mut self) -> std::io::Result<f64> {
        if let Some(to) = &mut self.to {
            writeln!(to, "run")?;
            to.flush()?;
        }
        let line = self.line()?;
        line.parse().map_err(|_| std::io::Error::other(format!("the peer said `{line}`, not milliseconds")))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input is its sign to leave.
        self.to = None;
        let _ = self.child.wait();
    }
}

/// Starts `python script arguments` and waits until it is ready.
///
/// # Errors
/// Where it cannot be started or gives up, as a peer whose library is not installed does.
pub fn start(name: &str, python: &Path, script: &str, arguments: &[String]) -> std::io::Result<Contender<'static>> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
    let mut child = Command::new(python)
        .arg(script)
        .args(arguments)
        .envs(TUNED)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("the peer's pipes are missing"));
    };
    let process = child.id();
    let mut peer = Peer { child, to: Some(to), from: BufReader::new(from) };
    let line = peer.line()?;
    if line != "ready" {
        return Err(std::io::Error::other(format!("the peer said `{line}`, not `ready`")));
    }
    let run = move || match peer.turn() {
        Ok(milliseconds) => milliseconds,
        Err(error) => {
            eprintln!("{error}");
            f64::NAN
        }
    };
    Ok(Contender::new(name, run).alone_in(process))
}
