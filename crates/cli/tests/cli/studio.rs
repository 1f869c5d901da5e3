//! `cantus studio` as a process: killed at any moment, it finds everything again.
#![cfg(unix)]

use crate::common::{bytes, cantus, command, fill, folder, names};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

struct Studio {
    child: Child,
    host: String,
    output: BufReader<ChildStdout>,
}

impl Studio {
    fn start(folder: &Path) -> Studio {
        let mut child =
            command(folder, &["studio", "--port", "0", "--no-browser"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let host =
            line.trim().strip_prefix("The studio is open: http://").unwrap_or_else(|| panic!("{line}")).to_owned();
        Studio { child, host, output }
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let host = &self.host;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nX-Cantus: 1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Asks until the answer is as it should be.
    #[track_caller]
    fn wait(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let patience = Instant::now() + Duration::from_secs(120);
        loop {
            let answer = self.ask("GET", path, b"");
            if done(&answer) {
                return answer;
            }
            assert!(Instant::now() < patience, "{path}: {answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

#[test]
fn what_was_going_on_when_it_was_killed_goes_on() {
    let folder = folder();
    let music = folder.path().join("music");
    fill(&music, 8);
    let evaluated = |view: &Value| view["metrics"].as_array().unwrap().len();
    let (training, late, before);
    {
        let studio = Studio::start(folder.path());
        training = studio.ask("POST", "/api/trainings", br#"{"name":"mine"}"#)["id"].as_str().unwrap().to_owned();
        for name in names(&music) {
            studio.ask("POST", &format!("/api/trainings/{training}/files?name={name}"), &bytes(&music, &name));
        }
        studio.ask("POST", &format!("/api/trainings/{training}/start"), br#"{"minutes":60}"#);
        before = evaluated(&studio.wait(&format!("/api/trainings/{training}"), |view| evaluated(view) >= 1));
        let order = json!({ "bars": 32, "seed": 3 }).to_string();
        late = studio.ask("POST", "/api/compositions", order.as_bytes())["id"].as_str().unwrap().to_owned();
        // Dropped: killed, without a chance to save.
    }
    let mut studio = Studio::start(folder.path());
    let view = studio.wait(&format!("/api/trainings/{training}"), |view| evaluated(view) > before);
    assert_eq!((view["stage"].as_str(), view["name"].as_str()), (Some("running"), Some("mine")));
    let pieces = studio.wait("/api/pieces", |pieces| pieces[0]["id"] == late.as_str());
    assert_eq!(pieces.as_array().unwrap().len(), 1);

    // One that is asked to end saves, and says no more than that.
    let asked = std::process::Command::new("kill").args(["-INT", &studio.child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert_eq!(studio.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    studio.output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "Press Ctrl-C to close it.\n");
    assert!(!names(&folder.path().join("cantus-library/trainings").join(&training).join("run/checkpoints")).is_empty());
}

#[test]
fn a_port_or_a_library_in_use_is_said_so() {
    let folder = folder();
    let studio = Studio::start(folder.path());
    let port = studio.host.rsplit(':').next().unwrap();
    let message = cantus(folder.path(), &["studio", "--port", port, "--library", "other", "--no-browser"]).failed(1);
    assert!(message.contains(port) && message.contains("--port"), "{message}");
    let message = cantus(folder.path(), &["studio", "--port", "0", "--no-browser"]).failed(1);
    assert!(message.contains("cantus-library") && message.contains("--library"), "{message}");
}
