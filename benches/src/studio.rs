//! The studio: how soon it paints, sounds and engraves in Chromium, and whether it stands half an hour of everything at once.

#[path = "../../crates/studio/tests/studio/browser.rs"]
#[allow(dead_code, reason = "the tests of the page use all of it")]
mod browser;

use crate::Common;
use crate::clock::{Contender, Samples};
use crate::report::{Conditions, Report};
use browser::Browser;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Pieces in the library while the page is timed.
const PIECES: usize = 2000;

/// A studio as a process of its own.
struct Server {
    child: Child,
    host: String,
    /// Kept open, for whatever else it says.
    _output: BufReader<ChildStdout>,
}

impl Server {
    fn start(cantus: &Path, library: &Path) -> Result<Server> {
        let mut command = Command::new(cantus);
        command.args(["studio", "--port", "0", "--library"]).arg(library).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().ok_or_else(|| Error::other("no output"))?);
        output.read_line(&mut line)?;
        let host = line.split("http://").nth(1).map(|host| host.trim().to_owned());
        let host = host.ok_or_else(|| Error::other("cantus studio did not open"))?;
        Ok(Server { child, host, _output: output })
    }

    /// Ends it as a power cut would.
    fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Kilobytes of memory it holds; 0 where the system does not say.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill().unwrap_or_default();
    }
}

/// One request, as the page sends it: status and body.
fn ask(host: &str, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nX-Cantus: 1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    // Of a body that is too large the server may have had enough before its end.
    stream.write_all(body).unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(|| Error::other("no answer"))?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| Error::other("no status"))?, answer.split_off(end + 4)))
}

fn get(host: &str, path: &str) -> Result<Value> {
    Ok(serde_json::from_slice(&ask(host, "GET", path, b"")?.1)?)
}

/// How soon the page paints, sounds, engraves, and shows a library of 2,000 pieces.
pub fn page(common: &Common, cantus: &Path) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(cantus, folder.path())?;
    fill(&server.host)?;
    let browser = RefCell::new(Browser::start().map_err(Error::other)?);
    let address = format!("http://{}/", server.host);
    browser.borrow_mut().look((1280, 800), "light");
    browser.borrow_mut().open(&address);
    let eval = |script: &str| browser.borrow_mut().eval(script).as_f64().unwrap_or(f64::NAN);
    let timed = |name: &str, script: &'static str| Contender::new(name, move || eval(script));
    let paint = Contender::new("first paint", || {
        browser.borrow_mut().open(&address);
        eval(FIRST_PAINT)
    });
    let contenders = vec![
        paint,
        timed("Compose to first sound, 16 bars", COMPOSE_TO_SOUND),
        timed("a score of 64 bars engraved", ENGRAVE),
        timed("longest frame in 2 s of playing", LONGEST_FRAME),
        timed("the library shown", SHOW_LIBRARY),
        timed("one piece found in it", FIND),
    ];
    let remarks = vec![format!("{PIECES} pieces in the library; a frame lasts 16.7 ms at 60 a second")];
    Ok(common.race("studio", "milliseconds", contenders, remarks))
}

/// Fills the library, and puts a piece of 64 bars on top.
fn fill(host: &str) -> Result<()> {
    let compose = |bars: usize, seed: usize| {
        let order = json!({ "bars": bars, "seed": seed }).to_string();
        Ok::<u16, Error>(ask(host, "POST", "/api/compositions", order.as_bytes())?.0)
    };
    let mut ordered = 0;
    while ordered < PIECES - 1 {
        match compose(2, ordered)? {
            202 => ordered += 1,
            // The queue is full.
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    while compose(64, 64)? != 202 {
        std::thread::sleep(Duration::from_millis(100));
    }
    while get(host, "/api/compositions")?.as_array().is_some_and(|jobs| !jobs.is_empty()) {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

const FIRST_PAINT: &str = "new Promise((done) => {
  const look = () => {
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    if (paint) done(paint.startTime); else requestAnimationFrame(look);
  };
  look();
})";

const COMPOSE_TO_SOUND: &str = "(async () => {
  const player = await import('/player.js');
  location.hash = 'compose';
  player.pause();
  document.querySelector('#seed').value = '';
  const begun = performance.now();
  document.querySelector('#do-compose').click();
  while (!player.isPlaying()) await new Promise((done) => setTimeout(done, 2));
  const took = performance.now() - begun;
  // What follows must not disturb the next turn.
  while (!document.querySelector('#score > svg')) await new Promise((done) => setTimeout(done, 20));
  return took;
})()";

/// With the engraver loaded, from asking for the MusicXML to the drawing in the page.
const ENGRAVE: &str = "(async () => {
  const score = await import('/score.js');
  const pieces = await (await fetch('/api/pieces')).json();
  const { id } = pieces.find(({ origin }) => origin.bars === 64);
  score.forget();
  const begun = performance.now();
  await score.show(`/api/pieces/${id}`);
  return performance.now() - begun;
})()";

const LONGEST_FRAME: &str = "(async () => {
  const player = await import('/player.js');
  await player.start(0);
  const frame = () => new Promise(requestAnimationFrame);
  let last = await frame(), longest = 0;
  for (const end = last + 2000; last < end;) {
    const now = await frame();
    longest = Math.max(longest, now - last);
    last = now;
  }
  player.pause();
  return longest;
})()";

const SHOW_LIBRARY: &str = "(async () => {
  const frame = () => new Promise(requestAnimationFrame);
  location.hash = 'compose';
  await frame(); await frame();
  const begun = performance.now();
  location.hash = 'library';
  while (document.querySelector('#library').hidden || !document.querySelector('#pieces li')) await frame();
  await frame();
  return performance.now() - begun;
})()";

const FIND: &str = "(async () => {
  const find = document.querySelector('#find');
  const begun = performance.now();
  find.value = '1234';
  find.dispatchEvent(new Event('input'));
  await new Promise(requestAnimationFrame);
  const took = performance.now() - begun;
  find.value = '';
  find.dispatchEvent(new Event('input'));
  return took;
})()";

/// What a person does at the first visit, step by step, each timed once: `data` gives the ten files to learn from.
pub fn path(common: &Common, cantus: &Path, data: &Path, minutes: f64) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(data)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "mid"));
    files.sort();
    files.truncate(10);
    let begun = Instant::now();
    let server = Server::start(cantus, folder.path())?;
    let opened = begun.elapsed();
    let mut browser = Browser::start().map_err(Error::other)?;
    browser.look((1280, 800), "light");
    let mut samples: Vec<Samples> = Vec::new();
    let mut note = |name: &str, took: Duration| {
        let milliseconds = vec![took.as_secs_f64() * 1e3];
        samples.push(Samples { name: name.to_owned(), milliseconds, flops: None, megabytes: None });
    };
    note("cantus studio, until it is open", opened);
    let mut step = |name: &str, act: &mut dyn FnMut(&mut Browser)| {
        let begun = Instant::now();
        act(&mut browser);
        note(name, begun.elapsed());
    };
    let plays = "import('/player.js').then((player) => player.isPlaying())";
    step("the page", &mut |b| b.open(&format!("http://{}/", server.host)));
    step("Compose, until it sounds", &mut |b| {
        b.click("#do-compose");
        b.wait(plays);
    });
    step("the score", &mut |b| b.wait("document.querySelector('#score > svg')"));
    step("Another, until it sounds", &mut |b| {
        let title = b.eval("document.querySelector('#piece-title').textContent");
        b.click("#another");
        b.wait(&format!("document.querySelector('#piece-title').textContent !== {title}"));
        b.wait(plays);
    });
    step("its MusicXML", &mut |b| {
        b.wait("fetch(document.querySelector('#get-musicxml').href).then(async (answer) => (await answer.text()).includes('<note>'))");
    });
    step("ten files, until the preflight report", &mut |b| {
        b.click("nav a[href='#train']");
        b.drop_files("#music-drop", &files);
        b.wait("document.querySelector('#training .start .primary:not(:disabled)')");
    });
    let told = std::cell::RefCell::new(String::new());
    step("Train, until the first figures", &mut |b| {
        *told.borrow_mut() =
            b.eval("document.querySelector('#training .verdict').textContent").as_str().unwrap_or("").to_owned();
        b.fill("#training .start input", &minutes.to_string());
        b.click("#training .start .primary");
        b.wait("document.querySelector('#training .curves')");
    });
    step("the rest of the training", &mut |b| {
        let patience = Instant::now() + Duration::from_secs_f64(minutes * 60.0 + 300.0);
        let state = "document.querySelector('#training .state').textContent";
        while Instant::now() < patience && !b.eval(state).as_str().is_some_and(|state| state.starts_with("finished")) {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    step("Compose with it, until it sounds", &mut |b| {
        b.click("#training .head .button");
        b.wait("!document.querySelector('#compose').hidden");
        b.click("#do-compose");
        b.wait("!document.querySelector('#piece-detail').textContent.startsWith('Hymns')");
        b.wait(plays);
    });
    let detail = browser.eval("document.querySelector('#piece-detail').textContent");
    let complaints = browser.complaints();
    let remarks = vec![
        told.into_inner(),
        format!("heard in the end: {}", detail.as_str().unwrap_or_default()),
        format!("complaints of the page: {}", complaints.len()),
    ];
    Ok(Report {
        name: "studio-path".to_owned(),
        unit: "milliseconds, once".to_owned(),
        conditions: Conditions::now(common.threads),
        samples,
        remarks,
    })
}

/// What the clients of a load found.
#[derive(Default)]
struct Found {
    /// Orders that were taken, less those that were cancelled.
    taken: Mutex<BTreeSet<String>>,
    requests: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
}

/// The same choices in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Minutes of everything at once: compose, cancel, listen, upload good and hostile files, train, watch the events; the program is killed
/// twice on the way. Fails where an answer was 500 or more, a composition was lost or a job is stuck.
pub fn load(cantus: &Path, minutes: f64, save: Option<&Path>) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::start(cantus, folder.path())?;
    let host = RwLock::new(server.host.clone());
    let (found, over) = (Found::default(), AtomicBool::new(false));
    let begun = Instant::now();
    let all = Duration::from_secs_f64(minutes * 60.0);
    // Seconds since the beginning, kilobytes, and the number of the process.
    let mut memory: Vec<(f64, u64, u32)> = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        for client in 0..2 {
            let (host, found, over) = (&host, &found, &over);
            scope.spawn(move || client_of(host, found, over, client));
        }
        scope.spawn(|| watch(&host, &over));
        let mut life = 0;
        let lived = (|| {
            while begun.elapsed() < all {
                std::thread::sleep(Duration::from_secs(5));
                memory.push((begun.elapsed().as_secs_f64(), server.memory(), life));
                if begun.elapsed() > all.mul_f64(f64::from(life + 1) / 3.0) && life < 2 {
                    life += 1;
                    server.kill()?;
                    server = Server::start(cantus, folder.path())?;
                    *host.write().unwrap_or_else(PoisonError::into_inner) = server.host.clone();
                }
            }
            Ok(())
        })();
        over.store(true, Ordering::Relaxed);
        lived
    })?;
    let host = &server.host;
    let idle = |path: &str| -> Result<bool> {
        let busy = |job: &Value| matches!(job["stage"].as_str().or(job["state"].as_str()), Some("waiting" | "running"));
        Ok(!get(host, path)?.as_array().is_some_and(|all| all.iter().any(busy)))
    };
    let patience = Instant::now() + Duration::from_secs(300);
    while Instant::now() < patience && !(idle("/api/compositions")? && idle("/api/trainings")?) {
        std::thread::sleep(Duration::from_millis(500));
    }
    let stuck = !(idle("/api/compositions")? && idle("/api/trainings")?);
    let pieces = get(host, "/api/pieces")?;
    let kept: BTreeSet<&str> =
        pieces.as_array().into_iter().flatten().filter_map(|piece| piece["id"].as_str()).collect();
    let taken = found.taken.lock().unwrap_or_else(PoisonError::into_inner);
    let lost = taken.iter().filter(|id| !kept.contains(id.as_str())).count();
    // What the first training of a life takes is kept for the next one, and is no leak: its second half is looked at.
    let median = |part: &[u64]| {
        let mut sorted = part.to_vec();
        sorted.sort_unstable();
        sorted.get(part.len() / 2).copied().unwrap_or(0) as f64
    };
    let growth = |number: u32| {
        let life: Vec<u64> =
            memory.iter().filter(|(_, _, life)| *life == number).map(|(_, kilobytes, _)| *kilobytes).collect();
        let fifth = life.len() / 5;
        median(&life[life.len() - fifth..]) / median(&life[2 * fifth..3 * fifth]) - 1.0
    };
    let growths = [0, 1, 2].map(growth);
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    let report = json!({
        "name": "studio-load", "conditions": Conditions::now(2), "minutes": minutes, "requests": count(&found.requests),
        "answers_500_or_more": count(&found.failures), "refused_as_they_should": count(&found.refused),
        "unanswered_while_restarting": count(&found.unanswered), "taken": taken.len(), "in_the_library": kept.len(), "lost": lost,
        "stuck": stuck, "memory_kilobytes": memory, "growth_in_the_second_half_of_each_life": growths,
    });
    for (name, value) in
        report.as_object().into_iter().flatten().filter(|(_, value)| value.is_number() || value.is_boolean())
    {
        println!("{name:<28} {value}");
    }
    if let Some(folder) = save {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("studio-load.json"), serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if count(&found.failures) > 0 || lost > 0 || stuck {
        return Err("the studio did not stand it: see above".into());
    }
    Ok(())
}

/// Opens the stream of events, listens for a while, goes, and comes again.
fn watch(host: &RwLock<String>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let host = host.read().unwrap_or_else(PoisonError::into_inner).clone();
        let listened = TcpStream::connect(&host).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            write!(stream, "GET /api/events HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
            let mut heard = vec![0; 1 << 16];
            (0..20).try_for_each(|_| stream.read(&mut heard).map(|_| ()))
        });
        // Silence, and a studio that is just being killed, are no errors.
        listened.unwrap_or_else(|_| std::thread::sleep(Duration::from_millis(100)));
    }
}

/// One client: something else about six times a second.
fn client_of(host: &RwLock<String>, found: &Found, over: &AtomicBool, number: u64) {
    let dice = &mut Dice(number);
    let mut pieces: Vec<String> = Vec::new();
    let mut file = Vec::new();
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100 + dice.below(100)));
        let host = host.read().unwrap_or_else(PoisonError::into_inner).clone();
        let send = |method: &str, path: &str, body: &[u8]| {
            let answer = ask(&host, method, path, body);
            found.requests.fetch_add(1, Ordering::Relaxed);
            match &answer {
                Ok((500.., _)) => found.failures.fetch_add(1, Ordering::Relaxed),
                Ok((400.., _)) => found.refused.fetch_add(1, Ordering::Relaxed),
                Ok(_) => 0,
                Err(_) => found.unanswered.fetch_add(1, Ordering::Relaxed),
            };
            answer.ok().filter(|(status, _)| *status < 400).map(|(_, body)| body)
        };
        let json = |body: Option<Vec<u8>>| -> Value {
            body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default()
        };
        let id_of = |value: &Value| value["id"].as_str().map(str::to_owned);
        let piece = pieces.get(dice.below(pieces.len().max(1) as u64) as usize).cloned().unwrap_or_default();
        match dice.below(12) {
            0..=3 => {
                let order = json!({ "bars": 2 + dice.below(15), "seed": dice.below(1 << 40) });
                let Some(id) = id_of(&json(send("POST", "/api/compositions", order.to_string().as_bytes()))) else {
                    continue;
                };
                let mut taken = found.taken.lock().unwrap_or_else(PoisonError::into_inner);
                taken.insert(id.clone());
                // A cancelled one may be composed or not: either is right.
                if dice.below(5) == 0 {
                    taken.remove(&id);
                    drop(taken);
                    send("DELETE", &format!("/api/compositions/{id}"), b"");
                }
            }
            4 => {
                let all = json(send("GET", "/api/pieces", b""));
                pieces = all.as_array().into_iter().flatten().take(50).filter_map(id_of).collect();
            }
            5 => {
                let form = ["wav", "musicxml", "notes", "flac"][dice.below(4) as usize];
                send("GET", &format!("/api/pieces/{piece}/{form}"), b"");
            }
            6 => {
                if let Some(midi) = send("GET", &format!("/api/pieces/{piece}/midi"), b"") {
                    file = midi;
                }
                let rating = json!({ "rating": dice.below(6) }).to_string();
                send("PATCH", &format!("/api/pieces/{piece}"), rating.as_bytes());
            }
            7 => {
                let prompt = json(send("POST", "/api/prompts?name=a.mid", &file));
                let order = json!({ "bars": 8, "prompt": { "sha256": prompt["sha256"], "bars": 2 } });
                if let Some(id) = id_of(&json(send("POST", "/api/compositions", order.to_string().as_bytes()))) {
                    found.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
                }
            }
            8 => {
                // Hostile: noise, a header that promises much, a good file cut short, one byte too many.
                let mut bad = match dice.below(4) {
                    0 => (0..2000).map(|_| dice.below(256) as u8).collect(),
                    1 => b"MThd\0\0\0\x06\0\x01\xff\xff\xff\xffMTrk\xff\xff\xff\xff\0\x90".to_vec(),
                    2 => file[..file.len() / 2].to_vec(),
                    _ => vec![b'M'; (4 << 20) + 1],
                };
                let at = dice.below(bad.len().max(1) as u64) as usize;
                if let Some(byte) = bad.get_mut(at) {
                    *byte ^= 0x55;
                }
                send("POST", "/api/prompts?name=a.mid", &bad);
            }
            9 => {
                for path in [
                    "/",
                    "/score.js",
                    "/verovio/verovio.mjs",
                    "/api/models",
                    "/api/composers",
                    "/api/library",
                    "/%2e%2e/x",
                ] {
                    send("GET", path, b"");
                }
            }
            10 if dice.below(20) == 0 => train(&send, &json, &pieces, dice),
            _ => {
                send("GET", "/api/compositions", b"");
                send("GET", "/api/trainings", b"");
            }
        }
    }
}

/// Sends method, path and body, counts, and gives the body of an answer that is no refusal.
type Send<'a> = dyn Fn(&str, &str, &[u8]) -> Option<Vec<u8>> + 'a;

/// A training of a few seconds on what was composed, with a hostile file among it.
fn train(send: &Send<'_>, json: &dyn Fn(Option<Vec<u8>>) -> Value, pieces: &[String], dice: &mut Dice) {
    let training = json(send("POST", "/api/trainings", br#"{"name":"load"}"#));
    let Some(id) = training["id"].as_str() else { return };
    for (k, piece) in pieces.iter().take(12).enumerate() {
        if let Some(midi) = send("GET", &format!("/api/pieces/{piece}/midi"), b"") {
            send("POST", &format!("/api/trainings/{id}/files?name={k}.mid"), &midi);
        }
    }
    send("POST", &format!("/api/trainings/{id}/files?name=bad.xml"), b"<score-partwise><part>");
    send("GET", &format!("/api/trainings/{id}/preflight"), b"");
    send("POST", &format!("/api/trainings/{id}/start"), br#"{"minutes":0.1}"#);
    if dice.below(2) == 0 {
        send("POST", &format!("/api/trainings/{id}/stop"), b"");
    }
}
