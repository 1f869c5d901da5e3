//! A studio on a library of its own, and a client that can say anything.

use cantus_studio::{Closer, Config, Studio};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An open studio; it closes with the value.
pub struct Open {
    pub address: SocketAddr,
    closer: Closer,
    thread: Option<JoinHandle<()>>,
}

/// Opens a studio on the library `folder`.
pub fn open(folder: &Path) -> Open {
    let config = Config { port: 0, library: folder.join("library"), runs: folder.join("runs") };
    let studio = Studio::open(&config).unwrap();
    let (address, closer) = (studio.address(), studio.closer());
    let thread = std::thread::spawn(move || studio.run().unwrap());
    Open { address, closer, thread: Some(thread) }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.closer.close();
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

impl Open {
    /// Sends a request as it stands, `body` with its length.
    pub fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses a large body may hang up before all of it is sent.
        stream.write_all(body).unwrap_or_default();
        read_answer(&mut BufReader::new(stream))
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// A request as the studio's own page sends it.
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let (host, origin) = (self.host(), format!("http://{}", self.host()));
        let headers =
            [("Host", host.as_str()), ("Origin", &origin), ("Sec-Fetch-Site", "same-origin"), ("X-Cantus", "1")];
        self.raw(method, path, &headers, body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body.to_string().as_bytes())
    }

    /// Asks until `done` says so.
    #[track_caller]
    pub fn wait(&self, path: &str, done: impl Fn(&Answer) -> bool) -> Answer {
        let patience = Instant::now() + Duration::from_secs(300);
        loop {
            let answer = self.get(path);
            if done(&answer) {
                return answer;
            }
            assert!(Instant::now() < patience, "{path}: {}", String::from_utf8_lossy(&answer.body));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The first events of the stream until one of this name.
    pub fn events_until(&self, name: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        write!(stream, "GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", self.host()).unwrap();
        let mut names = Vec::new();
        for line in BufReader::new(stream).lines() {
            if let Some(found) = line.unwrap().strip_prefix("event: ") {
                names.push(found.to_owned());
                if found == name {
                    break;
                }
            }
        }
        names
    }
}

fn read_answer(from: &mut impl BufRead) -> Answer {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {line:?}")).parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut body = Vec::new();
    from.read_to_end(&mut body).unwrap_or_default();
    Answer { status, headers, body }
}
