//! The piece on the stand, in a player's hands.

use crate::browser::Browser;
use crate::client::Open;
use crate::page::{PLAYS, compose, with_page};
use serde_json::json;

const AT: &str = "import('/player.js').then((player) => player.now())";

/// Where the bars of the piece on the stand begin, and where the last one ends.
fn bars(browser: &mut Browser) -> Vec<f64> {
    let bars = browser.eval(
        "fetch(document.querySelector('#get-midi').pathname.replace(/midi$/, 'notes')).then((answer) => answer.json()).then(({ bars }) => bars)",
    );
    bars.as_array().unwrap().iter().map(|bar| bar.as_f64().unwrap()).collect()
}

#[test]
fn keys_lead_bar_by_bar_and_change_the_size() {
    with_page(|browser, _, _| {
        compose(browser);
        browser.press(" ");
        browser.wait(&format!("{PLAYS}.then((plays) => !plays)"));
        let bars = bars(browser);
        let last = bars[bars.len() - 2];
        for place in ["#score", ".roll"] {
            browser.eval(&format!("document.querySelector('{place}').focus()"));
            for (key, to) in [
                ("Home", 0.0),
                ("ArrowRight", bars[1]),
                ("ArrowRight", bars[2]),
                ("ArrowLeft", bars[1]),
                ("End", last),
                ("ArrowRight", last),
                ("Home", 0.0),
                ("ArrowLeft", 0.0),
            ] {
                browser.press(key);
                let at = browser.eval(AT).as_f64().unwrap();
                assert!((at - to).abs() < 1e-3, "{place} {key}: {at}, not {to}");
            }
        }
        // Whoever presses a second time before the sound is there hears nothing.
        let twice = "import('/player.js').then(async (player) => { const due = player.load(player.current(), true); player.toggle(); await due; return player.isPlaying(); })";
        assert_eq!(browser.eval(twice), false);
        // Elsewhere the same keys mean what they always mean.
        browser.eval("document.querySelector('#volume').focus()");
        browser.press("End");
        assert_eq!(browser.eval(AT), 0);

        let width = "document.querySelector('#score .notehead').getBoundingClientRect().width";
        let usual = browser.eval(width).as_f64().unwrap();
        browser.eval("document.querySelector('#score').focus()");
        browser.press("+");
        browser.wait(&format!("document.querySelector('#score > svg') && {width} > {usual} * 1.15"));
        browser.click("#smaller");
        browser.click("#smaller");
        browser.wait(&format!("document.querySelector('#score > svg') && {width} < {usual} * 0.9"));
    });
}

#[test]
fn bars_are_looped_and_the_volume_is_set() {
    with_page(|browser, _, _| {
        compose(browser);
        let bars = bars(browser);
        browser.click("#loop");
        browser.fill("#loop-from", "2");
        browser.fill("#loop-to", "2");
        browser.eval("document.querySelector('#loop-to').dispatchEvent(new Event('change'))");
        browser.press("Tab");
        // Twice round the second bar, without ever being elsewhere.
        let round = browser.eval(&format!(
            "import('/player.js').then((player) => new Promise((done) => {{
               const seen = []; let before = player.now(); let turns = 0;
               const look = () => {{
                 const at = player.now();
                 if (at < before) turns += 1;
                 before = at;
                 seen.push(at);
                 if (turns === 2) done([Math.min(...seen.slice(seen.length / 2)), Math.max(...seen.slice(seen.length / 2))]);
                 else setTimeout(look, 40);
               }};
               player.jump({});
               setTimeout(look, 200);
             }}))",
            bars[1]
        ));
        let [low, high] = [0, 1].map(|k| round[k].as_f64().unwrap());
        assert!(bars[1] - 0.01 <= low && high <= bars[2] + 0.01, "{low} to {high}, {bars:?}");
        browser.click("#loop");
        assert_eq!(browser.eval("document.querySelector('#loop-bars').hidden"), true);

        let loudness = "import('/player.js').then((player) => player.loudness())";
        assert_eq!(browser.eval(loudness), 1);
        browser.eval(
            "(() => { const of = document.querySelector('#volume'); of.value = 0.5; of.dispatchEvent(new Event('input')); })()",
        );
        assert_eq!(browser.eval(loudness), 0.25);
        // It stays so when the page comes again.
        browser.send("Page.reload", json!({}));
        browser.wait("document.readyState === 'complete' && document.querySelector('#volume')?.value === '0.5'");
    });
}

/// The sum of all samples' magnitudes of what is heard.
const HEARD: &str = "import('/player.js').then((player) =>
    player.loudness() * player.sound().getChannelData(0).reduce((sum, sample) => sum + Math.abs(sample), 0))";

#[test]
fn parts_have_colours_and_are_muted_or_heard_alone() {
    with_page(|browser, _, _| {
        browser.wait("document.querySelectorAll('#model option').length >= 2");
        browser.choose("#model", "chorales");
        browser.fill("#bars", "4");
        compose(browser);
        let names = browser.eval("[...document.querySelectorAll('#parts span')].map((of) => of.textContent)");
        assert_eq!(names, json!(["Soprano", "Alto", "Tenor", "Bass"]));
        // The roll shows at least three hues, away from the playhead's.
        browser.press(" ");
        browser.eval("import('/player.js').then((player) => player.jump(0))");
        let hues = browser.eval(
            "(() => { const canvas = document.querySelector('#roll'); const { width, height } = canvas;
               const { data } = canvas.getContext('2d').getImageData(8, 0, width - 8, height); const counts = new Map();
               for (let k = 0; k < data.length; k += 4) {
                 const [r, g, b] = data.slice(k, k + 3); const most = Math.max(r, g, b); const least = Math.min(r, g, b);
                 if (most - least < 40) continue;
                 const sixth = most === r ? (g - b) / (most - least) : most === g ? 2 + (b - r) / (most - least) : 4 + (r - g) / (most - least);
                 const hue = Math.round(((sixth + 6) % 6) * 2) % 12; counts.set(hue, (counts.get(hue) ?? 0) + 1);
               }
               return [...counts.values()].filter((count) => count > 100).length; })()",
        );
        assert!(hues.as_f64().unwrap() >= 3.0, "{hues}");

        let all = browser.eval(HEARD).as_f64().unwrap();
        browser.click("[aria-label='Mute Soprano']");
        browser.wait(&format!("{HEARD}.then((sum) => sum < 0.95 * {all})"));
        let three = browser.eval(HEARD).as_f64().unwrap();
        browser.click("[aria-label='Solo Bass']");
        browser.wait(&format!("{HEARD}.then((sum) => sum > 0 && sum < 0.8 * {three})"));
        browser.click("[aria-label='Solo Bass']");
        browser.click("[aria-label='Mute Soprano']");
        browser.wait(&format!("{HEARD}.then((sum) => sum === {all})"));
        for name in ["Soprano", "Alto", "Tenor", "Bass"] {
            browser.click(&format!("[aria-label='Mute {name}']"));
        }
        browser.wait(&format!("{HEARD}.then((sum) => sum === 0)"));
    });
}

#[test]
fn a_choir_sings_chorales_and_steps_back_for_instruments() {
    with_page(|browser, studio, _| {
        browser.wait("document.querySelectorAll('#model option').length >= 2");
        let chosen = "document.querySelector('#sound').value";
        let link = |browser: &mut Browser| {
            browser.eval("['wav', 'flac'].map((form) => document.querySelector(`#get-${form}`).search)")
        };
        browser.fill("#bars", "4");
        compose(browser);
        assert_eq!(browser.eval(chosen), "built-in");
        browser.choose("#model", "chorales");
        browser.click("#do-compose");
        browser.wait(&format!("{chosen} === 'choir' && {PLAYS}"));
        assert_eq!(link(browser), json!(["?sound=choir", "?sound=choir"]));
        let sung = browser.eval(HEARD).as_f64().unwrap();
        // Whoever plays goes on where the other was.
        browser.choose("#sound", "built-in");
        browser.wait(&format!("{HEARD}.then((sum) => sum > 0 && sum !== {sung})"));
        browser.wait(PLAYS);
        assert_eq!(link(browser), json!(["?sound=built-in", "?sound=built-in"]));
        browser.choose("#sound", "choir");
        browser.wait(&format!("{HEARD}.then((sum) => sum === {sung})"));
        assert_eq!(crate::page::newest(studio)["choir"], true);
    });
}

#[test]
fn a_pianist_plays_the_piece_from_the_place_that_was_reached() {
    with_page(|browser, _, _| {
        browser.fill("#seed", "7");
        browser.fill("#bars", "8");
        compose(browser);
        browser.press(" ");
        browser.wait(&format!("{PLAYS}.then((plays) => !plays)"));
        let written = bars(browser);
        browser.eval("document.querySelector('#score').focus()");
        browser.press("Home");
        for _ in 0..4 {
            browser.press("ArrowRight");
        }
        assert!((browser.eval(AT).as_f64().unwrap() - written[4]).abs() < 1e-3);
        browser.choose("#playing", "1.2");
        browser.wait("document.querySelector('#get-midi').search === '?played=1.2'");
        let address = "document.querySelector('#get-midi').pathname.replace(/midi$/, 'notes')";
        let played = browser.eval(&format!("fetch({address} + '?played=1.2').then((answer) => answer.json())"));
        let fourth = played["bars"][4].as_f64().unwrap();
        assert_ne!(played["bars"], serde_json::json!(written));
        browser.wait(&format!("{AT}.then((at) => Math.abs(at - {fourth}) < 0.001)"));
        browser.choose("#playing", "");
        assert_eq!(browser.eval("document.querySelector('#get-midi').search"), "");
        browser.wait(&format!("{AT}.then((at) => Math.abs(at - {}) < 0.001)", written[4]));
        let shown = "Number(document.querySelector('#position').value)";
        browser.wait(&format!("Math.abs({shown} - {}) < 0.02", written[4]));
    });
}

#[test]
fn a_repeat_is_followed_each_time_through() {
    with_page(|browser, _, _| {
        browser.wait("document.querySelector('#model').options.length > 2");
        browser.choose("#model", "folk");
        browser.fill("#seed", "1");
        browser.fill("#bars", "32");
        compose(browser);
        browser.press(" ");
        browser.wait(&format!("{PLAYS}.then((plays) => !plays)"));
        let drawn = "document.querySelectorAll('#score .measure').length";
        browser.wait(&format!("{drawn} > 0"));
        let played = bars(browser).len() as u64 - 1;
        let printed = browser.eval(drawn).as_u64().unwrap();
        assert!(printed * 2 <= played + 4, "{printed} of {played} bars");
        let starts = bars(browser);
        // Two strains as long as one another, each twice, whose upbeats are in their last bars.
        let whole = *starts.last().unwrap();
        let again = (whole - starts[1]) / 4.0;
        browser.eval(&format!("import('/player.js').then((player) => player.jump({again} + 0.05))"));
        browser.press(" ");
        let first = "document.querySelector('#score .note')";
        browser.wait(&format!("{first}.classList.contains('sounding')"));
        browser.press(" ");
        browser.wait(&format!("{PLAYS}.then((plays) => !plays)"));
        // A click leads to the time through that is on.
        browser.eval(&format!("{first}.dispatchEvent(new MouseEvent('click', {{ bubbles: true }}))"));
        browser.wait(&format!("{AT}.then((at) => Math.abs(at - {again}) < 0.01)"));
        // What comes after a repeat stands where it is played, too.
        browser.eval(&format!("import('/player.js').then((player) => player.jump({whole} - 0.2))"));
        browser.eval("[...document.querySelectorAll('#score .note')].at(-1).dispatchEvent(new MouseEvent('click', { bubbles: true }))");
        browser.wait(&format!("{AT}.then((at) => at > {whole} * 0.95)"));
    });
}

#[test]
fn a_slider_leads_from_one_piece_to_another() {
    with_page(|browser, studio, _| {
        browser.fill("#bars", "4");
        browser.wait("document.querySelector('#model').options.length > 2");
        browser.choose("#model", "airs");
        compose(browser);
        let first = crate::page::newest(studio);
        assert_eq!(browser.eval("document.querySelector('#blend').hidden"), true);
        let count = "fetch('/api/pieces').then((answer) => answer.json()).then((all) => all.length)";
        browser.click("#do-compose");
        browser.wait(&format!("{count}.then((count) => count === 2)"));
        let second = crate::page::newest(studio);
        browser.wait("!document.querySelector('#blend').hidden");
        let id = |piece: &serde_json::Value| piece["id"].as_str().unwrap().to_owned();
        let address = "document.querySelector('#get-midi').pathname";
        browser.wait(&format!("{address} === '/api/pieces/{}/midi'", id(&second)));
        let of = |piece: &serde_json::Value| {
            let notes = studio.get(&format!("/api/pieces/{}/notes", id(piece))).expect(200).json()["notes"].clone();
            assert!(!notes.as_array().unwrap().is_empty());
            notes
        };
        browser.choose("#blend-with", &id(&first));
        let half = format!("/api/pieces/{}/blends/{}/0.5", id(&second), id(&first));
        browser.wait(&format!("{address} === '{half}/midi'"));
        let notes = studio.get(&format!("{half}/notes")).expect(200).json()["notes"].clone();
        assert!(notes != of(&first) && notes != of(&second) && !notes.as_array().unwrap().is_empty());
        // Where the ways end, the pieces themselves are.
        browser.eval("(() => { const at = document.querySelector('#blend-at'); at.value = 1; at.dispatchEvent(new Event('change')); })()");
        browser.wait(&format!("{address}.endsWith('/blends/{}/1/midi')", id(&first)));
        let end = studio.get(&format!("/api/pieces/{}/blends/{}/1/notes", id(&second), id(&first))).expect(200).json();
        assert_eq!(end["notes"], of(&first));
        browser.eval("(() => { const at = document.querySelector('#blend-at'); at.value = 0; at.dispatchEvent(new Event('change')); })()");
        browser.wait(&format!("{address} === '/api/pieces/{}/midi'", id(&second)));
        for at in ["2", "x"] {
            let path = format!("/api/pieces/{}/blends/{}/{at}/notes", id(&second), id(&first));
            studio.get(&path).expect(400);
        }
    });
}

#[test]
fn a_sign_is_seen_while_the_score_is_engraved() {
    with_page(|browser, _, _| {
        compose(browser);
        let seen = browser.eval(
            "import('/score.js').then(async (score) => {
               score.forget();
               const come = score.show(document.querySelector('#get-midi').pathname.replace(/.midi$/, ''), 512);
               const place = document.querySelector('#score');
               const during = [place.getAttribute('aria-busy'), place.innerText];
               await come;
               return [...during, place.getAttribute('aria-busy'), place.querySelectorAll('.sign').length, place.querySelectorAll('svg').length > 0];
             })",
        );
        assert_eq!(
            seen,
            json!(["true", "Engraving the score, all 512 bars of it: this takes a while ...", null, 0, true])
        );
    });
}

#[test]
fn how_much_is_copied_is_said_in_one_sentence() {
    with_page(|browser, studio, _| {
        compose(browser);
        let piece = crate::page::newest(studio);
        let text = piece["originality"]["text"].as_str().unwrap();
        let said = browser.eval("document.querySelector('#originality').textContent");
        let said = said.as_str().unwrap();
        assert!(said.contains(text) && said.matches(text).count() == 1, "{said}");
    });
}

/// The notes of a piece as onset, duration, pitch in seconds, and where its bars begin.
fn notes(studio: &Open, id: &str) -> (Vec<(f64, f64, f64)>, Vec<f64>) {
    let found = studio.get(&format!("/api/pieces/{id}/notes")).json();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let note = |note: &serde_json::Value| (number(&note[0]), number(&note[1]), number(&note[2]));
    let mut notes: Vec<(f64, f64, f64)> = found["notes"].as_array().unwrap().iter().map(note).collect();
    notes.sort_by(|a, b| a.partial_cmp(b).unwrap());
    (notes, found["bars"].as_array().unwrap().iter().map(number).collect())
}

#[test]
fn bars_are_written_again_and_that_is_taken_back() {
    with_page(|browser, studio, _| {
        browser.fill("#seed", "5");
        compose(browser);
        let first = crate::page::newest(studio);
        let title = browser.eval("document.querySelector('#get-midi').pathname");
        browser.fill("#again-from", "5");
        browser.fill("#again-to", "8");
        browser.click("#again button");
        browser.wait("!document.querySelector('#again-undo').hidden");
        let second = crate::page::newest(studio);
        assert_ne!(second["id"], first["id"]);
        assert_eq!(second["origin"]["arrangement"]["again"], json!([{ "bars": [5, 8] }]));
        let [(before, bars), (after, _)] = [&first, &second].map(|piece| notes(studio, piece["id"].as_str().unwrap()));
        let split = |notes: &[(f64, f64, f64)]| -> [Vec<(f64, f64, f64)>; 2] {
            let is_new = |note: &&(f64, f64, f64)| (bars[4] - 0.01..bars[8] - 0.01).contains(&note.0);
            let (new, kept): (Vec<_>, Vec<_>) = notes.iter().partition(is_new);
            [new, kept].map(|notes| notes.into_iter().copied().collect())
        };
        let ([was, kept_before], [is, kept_after]) = (split(&before), split(&after));
        assert_eq!(kept_before, kept_after);
        assert!(!is.is_empty() && was != is);
        browser.click("#again-undo");
        browser.wait(&format!("document.querySelector('#get-midi').pathname === {title}"));
        browser.wait("document.querySelector('#again-undo').hidden");
    });
}
