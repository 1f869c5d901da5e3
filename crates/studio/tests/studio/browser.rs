//! Chromium without a window, driven through its DevTools protocol over a pair of pipes: no driver, no port, no dependency.
//!
//! Protocol: <https://chromedevtools.github.io/devtools-protocol>, messages as JSON, each ended by a zero byte, commands on file
//! descriptor 3, answers on 4.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Nothing here is a measurement: whoever waits so long waits for something that does not come.
const PATIENCE: Duration = Duration::from_secs(90);

/// Names of a browser that can be driven, the first one found is taken; `CANTUS_CHROMIUM` comes before all.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Descriptors 3 and 4 are the browser's; what it says of itself is nobody's business.
const LAUNCH: &str = r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null"#;

const OPTIONS: [&str; 15] = [
    "--headless=new",
    // A container has no sandbox of its own to give; the pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--mute-audio",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
    "--lang=en",
];

fn executable() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("CANTUS_CHROMIUM") {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = NAMES.iter().flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    let found = found.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| "there is no Chromium on the PATH, and CANTUS_CHROMIUM names none".to_owned())
}

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What the page reported on its own.
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A new browser; where there is none, or it does not start, the reason.
    pub fn start() -> Result<Browser, String> {
        let profile = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(LAUNCH).arg(executable()?).args(OPTIONS);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (Some(to), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("Chromium has no pipes".to_owned());
        };
        let (sender, from) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let heard = serde_json::from_slice(&message).map(|message| sender.send(message));
                if !matches!(heard, Ok(Ok(()))) {
                    break;
                }
            }
        });
        let mut browser = Browser { child, to, from, session: None, last: 0, events: Vec::new(), _profile: profile };
        let targets = browser.ask("Target.getTargets", json!({}))?;
        let pages = targets["targetInfos"].as_array().cloned().unwrap_or_default();
        let page = pages.iter().find(|target| target["type"] == "page").ok_or("Chromium opened no page")?;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        browser.session = browser.ask("Target.attachToTarget", attach)?["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Network", "Log", "DOM"] {
            browser.ask(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Result<Value, String> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).map_err(|error| format!("Chromium does not listen: {error}"))?;
        loop {
            let mut answer = match self.from.recv_timeout(PATIENCE) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => return Err(format!("Chromium does not answer {method}")),
                Err(RecvTimeoutError::Disconnected) => return Err("Chromium has ended".to_owned()),
            };
            if answer["id"] == self.last {
                return match answer.get("error") {
                    Some(error) => Err(format!("{method}: {error}")),
                    None => Ok(answer["result"].take()),
                };
            }
            self.events.push(answer);
        }
    }

    /// Sends a command of the protocol.
    #[track_caller]
    pub fn send(&mut self, method: &str, parameters: Value) -> Value {
        self.ask(method, parameters).unwrap()
    }

    /// The value of an expression in the page, awaited.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let mut answer = self.send("Runtime.evaluate", parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}\n{}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// Asks until the expression is true.
    #[track_caller]
    pub fn wait(&mut self, expression: &str) {
        let patience = Instant::now() + PATIENCE;
        while self.eval(&format!("(async () => Boolean(await ({expression})))()")) != true {
            if Instant::now() > patience {
                let page = self.eval("document.body.innerText");
                panic!("never came true: {expression}\n{page}\n{:?}", self.complaints());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    #[track_caller]
    pub fn open(&mut self, address: &str) {
        self.send("Page.navigate", json!({ "url": address }));
        self.wait("document.readyState === 'complete' && document.querySelector('main:not([hidden])')");
    }

    /// A window of this size, light or dark.
    #[track_caller]
    pub fn look(&mut self, (width, height): (u32, u32), scheme: &str) {
        let narrow = width < 600;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": narrow });
        self.send("Emulation.setDeviceMetricsOverride", size);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.send("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Where the middle of the element is seen, scrolled there, once it is shown.
    #[track_caller]
    fn middle(&mut self, selector: &str) -> [f64; 2] {
        self.wait(&format!("document.querySelector({selector:?})?.getClientRects().length"));
        let place = self.eval(&format!(
            "(() => {{ const of = document.querySelector({selector:?}); of.scrollIntoView({{ block: 'center' }});
              const box = of.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        [0, 1].map(|k| place[k].as_f64().unwrap())
    }

    /// Clicks where the middle of the element is seen.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let [x, y] = self.middle(selector);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.send("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses a key: `Tab`, `Enter`, ` `, an arrow, `Home`, `End`, or a character.
    #[track_caller]
    pub fn press(&mut self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, None),
            "Enter" => ("Enter", 13, Some("\r")),
            " " => ("Space", 32, Some(" ")),
            "Escape" => ("Escape", 27, None),
            "ArrowLeft" => ("ArrowLeft", 37, None),
            "ArrowRight" => ("ArrowRight", 39, None),
            "Home" => ("Home", 36, None),
            "End" => ("End", 35, None),
            one if one.len() == 1 => ("", 0, Some(one)),
            _ => panic!("no key {key}"),
        };
        let mut event = json!({ "type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": number });
        if let Some(text) = text {
            event["text"] = text.into();
        }
        self.send("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.send("Input.dispatchKeyEvent", event);
    }

    /// Writes into the field.
    #[track_caller]
    pub fn fill(&mut self, selector: &str, text: &str) {
        self.eval(&format!(
            "(() => {{ const at = document.querySelector({selector:?}); at.focus(); at.select?.(); }})()"
        ));
        self.send("Input.insertText", json!({ "text": text }));
    }

    /// Chooses files, as a person does in the dialogue.
    #[track_caller]
    pub fn choose_files(&mut self, selector: &str, paths: &[PathBuf]) {
        let root = self.send("DOM.getDocument", json!({}))["root"]["nodeId"].clone();
        let node = self.send("DOM.querySelector", json!({ "nodeId": root, "selector": selector }))["nodeId"].clone();
        self.send("DOM.setFileInputFiles", json!({ "nodeId": node, "files": paths }));
    }

    /// Drops files or folders onto the middle of the element.
    #[track_caller]
    pub fn drop_files(&mut self, selector: &str, paths: &[PathBuf]) {
        let [x, y] = self.middle(selector);
        for kind in ["dragEnter", "dragOver", "drop"] {
            // What may be done with them: copying.
            let data = json!({ "items": [], "files": paths, "dragOperationsMask": 1 });
            self.send("Input.dispatchDragEvent", json!({ "type": kind, "x": x, "y": y, "data": data }));
        }
    }

    /// Chooses of a list, as a person does.
    #[track_caller]
    pub fn choose(&mut self, selector: &str, value: &str) {
        self.eval(&format!(
            "(() => {{ const of = document.querySelector({selector:?}); of.value = {value:?};
              of.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
        ));
    }

    /// The picture of what is seen, as PNG.
    #[track_caller]
    pub fn picture(&mut self) -> Vec<u8> {
        let picture = self.send("Page.captureScreenshot", json!({ "format": "png" }));
        from_base64(picture["data"].as_str().unwrap())
    }

    fn events_of<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["method"] == method).map(|event| &event["params"])
    }

    /// Addresses of all requests that the page has made so far.
    pub fn requests(&self) -> Vec<String> {
        self.events_of("Network.requestWillBeSent")
            .filter_map(|event| Some(event["request"]["url"].as_str()?.to_owned()))
            .collect()
    }

    /// Exceptions, errors and what the page's own policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let thrown = self.events_of("Runtime.exceptionThrown").map(Value::to_string);
        let logged = self.events_of("Log.entryAdded").filter(|event| event["entry"]["level"] == "error");
        let said = self.events_of("Runtime.consoleAPICalled").filter(|event| event["type"] == "error");
        thrown.chain(logged.map(Value::to_string)).chain(said.map(Value::to_string)).collect()
    }
}

/// RFC 4648, section 4; what is no digit is left out.
fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| ALPHABET.iter().position(|known| *known == byte));
    let (mut bytes, mut word, mut bits) = (Vec::with_capacity(text.len() / 4 * 3), 0usize, 0);
    for digit in digits {
        word = (word << 6 | digit) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    bytes
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already; asked to, it ends with all its processes and lets go of its profile.
        self.session = None;
        if self.ask("Browser.close", json!({})).is_err() {
            self.child.kill().unwrap_or_default();
        }
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}
