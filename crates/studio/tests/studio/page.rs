//! The page as a person meets it, in Chromium. Where there is none, these tests say that they were skipped.

use crate::browser::Browser;
use crate::client::{Open, open};
use crate::training::tune;
use cantus_formats::{Format, Limits, midi, read};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The two windows that the page must look good in.
pub const WINDOWS: [(u32, u32); 2] = [(1440, 900), (390, 844)];

/// Runs a test with a studio and a browser, and makes sure that the page complained of nothing and asked nobody else.
pub fn with_page(test: impl FnOnce(&mut Browser, &Open, &Path)) {
    let mut browser = match Browser::start() {
        Ok(browser) => browser,
        Err(why) => {
            println!("skipped a test of the page: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    browser.look(WINDOWS[0], "light");
    browser.open(&format!("http://{}/", studio.host()));
    // Once the models are there, nothing moves any more: a file is dropped where it was aimed at.
    browser.wait("document.querySelector('#control-key')");
    test(&mut browser, &studio, folder.path());
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let own = format!("http://{}/", studio.host());
    let elsewhere = |address: &&String| !address.starts_with(&own) && !address.starts_with("blob:");
    assert_eq!(browser.requests().iter().find(elsewhere), None);
}

/// The newest piece of the library.
pub fn newest(studio: &Open) -> Value {
    studio.get("/api/pieces").json()[0].clone()
}

pub const PLAYS: &str = "import('/player.js').then((player) => player.isPlaying())";

pub fn compose(browser: &mut Browser) {
    browser.click("#do-compose");
    browser.wait("document.querySelector('#piece-title').textContent.startsWith('Composition')");
    browser.wait(PLAYS);
    browser.wait("document.querySelector('#score > svg')");
}

#[test]
fn a_piece_is_composed_heard_seen_and_taken_away() {
    with_page(|browser, studio, _| {
        browser.fill("#seed", "7");
        compose(browser);
        let piece = newest(studio);
        let address = format!("/api/pieces/{}", piece["id"].as_str().unwrap());
        let file = studio.get(&format!("{address}/midi")).expect(200).body;
        let score = midi::read(&file, &Limits::default()).unwrap().score;
        let seconds = score.tempo_map().seconds(score.end());

        // Heard: what was decoded is not silent, and as long as the notes with what rings on after them.
        let sound = browser.eval(
            "import('/player.js').then((player) => {
               const sound = player.sound();
               const samples = sound.getChannelData(0);
               return { seconds: sound.duration, loudest: samples.reduce((a, b) => Math.max(a, Math.abs(b)), 0) };
             })",
        );
        assert!(sound["loudest"].as_f64().unwrap() > 0.05, "{sound}");
        let heard = sound["seconds"].as_f64().unwrap();
        assert!(seconds <= heard && heard <= seconds + 10.0, "{heard} s of {seconds} s");

        // Seen: as many heads as notes; of notes that are tied, each has a head, and a tie between them, which is drawn in two parts where
        // a new line begins.
        let seen = browser.eval(
            "(() => { const count = (of) => document.querySelectorAll(`#score ${of}`).length;
               return { heads: count('.note .notehead'), ties: count('.tie:not(.spanning)'), bars: count('.measure') }; })()",
        );
        let [heads, ties, bars] = ["heads", "ties", "bars"].map(|what| seen[what].as_u64().unwrap() as usize);
        assert_eq!(heads - ties, score.note_count(), "{seen}");
        assert_eq!(bars, score.bars().count());

        // Score and roll follow what sounds: at every moment the notes that sound are marked, and no others.
        let marked = browser.eval(
            "(async () => {
               const notes = await (await fetch(document.querySelector('#get-midi').pathname.replace('midi', 'notes'))).json();
               const [player, score] = await Promise.all([import('/player.js'), import('/score.js')]);
               const wrong = [];
               for (let at = 0.05; at < notes.seconds; at += 0.37) {
                 score.follow(at);
                 const edge = notes.notes.some(([on, long]) => Math.abs(on - at) < 0.02 || Math.abs(on + long - at) < 0.02);
                 const sounds = notes.notes.filter(([on, long]) => on <= at && at < on + long).length;
                 const shown = document.querySelectorAll('#score .note.sounding').length;
                 if (!edge && (shown === 0) !== (sounds === 0)) wrong.push([at, sounds, shown]);
               }
               return wrong;
             })()",
        );
        assert_eq!(marked, json!([]));

        // Taken away: each link gives what it says.
        let links = browser.eval("[...document.querySelectorAll('#downloads a')].map((link) => link.pathname)");
        let forms = [Format::Midi, Format::MusicXml, Format::Abc];
        for (link, format) in links.as_array().unwrap().iter().zip(forms) {
            let taken = studio.get(link.as_str().unwrap()).expect(200).body;
            let taken = read(format, &taken, &Limits::default()).unwrap();
            assert_eq!(taken[0].reading.as_ref().unwrap().score.note_count(), score.note_count());
        }
        for (link, begins) in [(3, b"RIFF"), (4, b"fLaC")] {
            assert_eq!(&studio.get(links[link].as_str().unwrap()).expect(200).body[..4], begins);
        }
        let drawing = browser.eval("import('/score.js').then((score) => score.file().text())");
        assert!(drawing.as_str().unwrap().starts_with("<svg") && drawing.as_str().unwrap().contains("notehead"));

        // Compose means new, as long as nobody keeps the seed; whoever does gets the same again.
        let again = |browser: &mut Browser, count: usize| {
            browser.click("#do-compose");
            studio.wait("/api/pieces", |answer| answer.json().as_array().unwrap().len() == count);
            newest(studio)["origin"]["seed"].clone()
        };
        browser.click("#pin");
        assert_eq!(browser.eval("document.querySelector('#seed').value"), "");
        let (second, third) = (again(browser, 2), again(browser, 3));
        assert!(second != json!(7) && third != second, "{second} {third}");
        let title = format!("document.querySelector('#piece-detail').textContent.endsWith('seed {third}')");
        browser.wait(&title);
        browser.click("#pin");
        assert_eq!(browser.eval("document.querySelector('#seed').value"), third.to_string());
        assert_eq!(again(browser, 4), third);
        browser.click("#pin");
        assert_ne!(again(browser, 5), third);
    });
}

#[test]
fn a_click_and_the_space_bar_lead_through_a_piece() {
    with_page(|browser, _, _| {
        compose(browser);
        // The focus went from Compose to Play: the space bar now means stop.
        browser.press(" ");
        browser.wait(&format!("{PLAYS}.then((plays) => !plays)"));
        // Into the last bar, then to a note of the first one, then by the roll.
        let at = "import('/player.js').then((player) => player.now())";
        browser.eval(
            "(() => { const all = document.querySelectorAll('#score .measure'); const of = all[all.length - 1]; of.scrollIntoView();
               const box = of.getBoundingClientRect();
               of.dispatchEvent(new MouseEvent('click', { bubbles: true, clientX: box.x + 3, clientY: box.y + box.height / 2 })); })()",
        );
        let late = browser.eval(at).as_f64().unwrap();
        browser
            .eval("document.querySelector('#score .note').dispatchEvent(new MouseEvent('click', { bubbles: true }))");
        let early = browser.eval(at).as_f64().unwrap();
        assert!(early < 2.0 && late > 5.0, "{early} {late}");
        browser.click("#roll");
        assert!(browser.eval(at).as_f64().unwrap() > early);
        // The space bar where nothing has the focus.
        browser.eval("document.activeElement.blur()");
        browser.press(" ");
        browser.wait(PLAYS);
    });
}

#[test]
fn the_keyboard_alone_composes() {
    with_page(|browser, studio, _| {
        let focus = "document.activeElement.id || document.activeElement.textContent";
        let mut seen = Vec::new();
        // The end of the page comes long before the hundredth key.
        for _ in 0..100 {
            browser.press("Tab");
            let at = browser.eval(focus).as_str().unwrap_or_default().trim().to_owned();
            let outline = browser.eval("getComputedStyle(document.activeElement).outlineStyle");
            assert!(outline != "none" || at == "prompt-file", "{at} has the focus, and nobody sees it");
            seen.push(at);
            if seen.last().is_some_and(|at| at == "do-compose") {
                break;
            }
        }
        assert!(seen.iter().any(|at| at == "Library") && seen.last().unwrap() == "do-compose", "{seen:?}");
        browser.press("Enter");
        browser.wait(PLAYS);
        browser.press(" ");
        browser.wait(&format!("{PLAYS}.then((plays) => !plays)"));
        assert_eq!(studio.get("/api/pieces").json().as_array().unwrap().len(), 1);
    });
}

/// A folder, made.
pub fn made(folder: PathBuf) -> PathBuf {
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// Ten tunes and a file that is none, in a folder.
pub fn music(folder: &Path) -> Vec<PathBuf> {
    let put = |name: String, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let tunes = (0..10).map(|k| put(format!("tune {k}.mid"), &tune(48 + k)));
    tunes.chain([put("broken.mid".to_owned(), b"no music")]).collect()
}

/// What axe-core finds of the two graver kinds, as `rule: element`.
fn barriers(browser: &mut Browser) -> Value {
    browser.eval(
        "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
           .filter(({ impact }) => impact === 'serious' || impact === 'critical')
           .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`)))",
    )
}

/// Nothing of what is seen reaches beyond the window.
pub fn fits(browser: &mut Browser, what: &str) {
    let beyond = browser.eval(
        "[...document.querySelectorAll('main:not([hidden]) *, header *, #message')].filter((of) => of.checkVisibility() && !of.closest('svg'))
           .filter((of) => of.getBoundingClientRect().right > innerWidth + 1).map((of) => of.outerHTML.slice(0, 200))",
    );
    assert_eq!(beyond, json!([]), "{what}");
    assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth"), true, "{what}");
}

/// Every view in both windows and both schemes: without a barrier to anybody, within the window's width, and as a picture for a look.
#[test]
fn every_view_is_open_to_everyone_and_fits() {
    let mut axe = String::new();
    GzDecoder::new(&include_bytes!("../axe/axe.min.js.gz")[..]).read_to_string(&mut axe).unwrap();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    with_page(|browser, studio, folder| {
        compose(browser);
        studio.post("/api/compositions", &json!({ "bars": 8, "seed": 5 })).expect(202);
        browser.click("nav a[href='#train']");
        browser.choose_files("#music-files", &music(folder));
        browser.wait("document.querySelector('#training .start .primary:not(:disabled)')");
        studio.wait("/api/pieces", |answer| answer.json().as_array().unwrap().len() == 2);
        browser.click("nav a[href='#compose']");
        browser.click("#vary button");
        browser.wait("document.querySelectorAll('#variations button').length === 9");
        for scheme in ["light", "dark"] {
            for window in WINDOWS {
                browser.look(window, scheme);
                for view in ["compose", "train", "library", "compose with a melody"] {
                    let main = view.split(' ').next().unwrap_or_default();
                    browser.click(&format!("nav a[href='#{main}']"));
                    browser.wait(&format!("!document.querySelector('#{main}').hidden"));
                    if main == "compose" {
                        browser.wait("document.querySelector('#score > svg')");
                    }
                    if main != view {
                        browser.drop_files("#prompt-drop", &music(folder)[..1]);
                        browser.wait("!document.querySelector('#prompt-set').hidden");
                        browser.choose("#prompt-use", "harmonise");
                    } else if main == "compose" {
                        browser.eval("document.querySelector('#prompt-clear').click()");
                        browser.choose("#model", "chorales");
                    }
                    // Colours that are still changing are neither.
                    browser.wait("document.getAnimations().length === 0");
                    browser.eval(&axe);
                    assert_eq!(barriers(browser), json!([]), "{view}, {window:?}, {scheme}");
                    fits(browser, view);
                    let name = format!("{}-{}x{}-{scheme}.png", view.replace(' ', "-"), window.0, window.1);
                    let picture = browser.picture();
                    assert!(picture.starts_with(b"\x89PNG"));
                    std::fs::write(pictures.join(name), picture).unwrap();
                }
            }
        }
    });
}

/// All of it, with the engraver, which comes with the first score.
#[test]
fn the_page_weighs_less_than_four_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
    let mut folders = vec![page.clone()];
    let (mut weight, mut count) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&page).unwrap().to_str().unwrap();
            let answer = studio.get(&format!("/{}", name.strip_suffix(".gz").unwrap_or(name))).expect(200);
            weight += answer.body.len();
            count += 1;
        }
    }
    assert!(count > 10 && weight < 4_000_000, "{count} files, {weight} bytes");
}
