//! Starting from a piece of one's own, as a person does it.

use crate::composing::drum_loop;
use crate::page::{PLAYS, compose, music, newest, with_page};
use crate::training::tune;
use serde_json::json;

#[test]
fn a_prompt_is_continued() {
    with_page(|browser, studio, folder| {
        browser.choose_files("#prompt-file", &music(folder)[..1]);
        browser.wait("!document.querySelector('#prompt-set').hidden");
        let told = browser.eval("document.querySelector('#prompt-label').textContent");
        assert_eq!(told, "From tune 0.mid: 8 bars, 32 notes");
        compose(browser);
        let piece = newest(studio);
        assert_eq!(piece["origin"]["prompt"]["bars"], 4);
        let notes = studio.get(&format!("/api/pieces/{}/notes", piece["id"].as_str().unwrap())).expect(200).json();
        // Four bars of four quarters, a note each, as they were given.
        let end = notes["prompt_end"].as_f64().unwrap();
        let kept = notes["notes"].as_array().unwrap().iter().filter(|note| note[0].as_f64().unwrap() < end - 1e-3);
        assert_eq!(kept.count(), 16);
        browser.click("#prompt-clear");
        browser.wait("document.querySelector('#prompt-set').hidden");
    });
}

#[test]
fn voices_are_composed_to_a_melody_that_was_dropped() {
    with_page(|browser, studio, folder| {
        browser.drop_files("#prompt-drop", &music(folder)[..1]);
        browser.wait("!document.querySelector('#prompt-set').hidden");
        browser.choose("#prompt-use", "harmonise");
        assert_eq!(browser.eval("document.querySelector('#model').value"), "chorales");
        assert_eq!(
            browser.eval("document.querySelector('#prompt-label').textContent"),
            "To tune 0.mid: 8 bars, 32 notes"
        );
        browser.click("#do-compose");
        browser.wait(PLAYS);
        let piece = newest(studio);
        assert_eq!((&piece["origin"]["arrangement"]["voices"], &piece["origin"]["bars"]), (&json!([0]), &json!(8)));
        // Without what was given, the same model follows a form.
        browser.click("#prompt-clear");
        browser.wait("document.querySelector('#control-form')");
        browser.fill("#control-form", "ABA");
        browser.fill("#control-key", "D");
        browser.fill("#bars", "12");
        browser.click("#do-compose");
        browser.wait("document.querySelector('#piece-detail').textContent.includes('form ABA')");
        assert_eq!(newest(studio)["origin"]["controls"], json!({ "form": "ABA", "key": "D" }));
        // A model that cannot is asked for nothing of the kind.
        assert_eq!(browser.eval("document.querySelector('#control-density')"), json!(null));
        browser.choose("#model", "hymns");
        browser.wait("document.querySelector('#control-density')");
        browser.fill("#control-form", "");
        browser.fill("#control-key", "");
        browser.click("#do-compose");
        browser.wait("document.querySelector('#piece-detail').textContent.startsWith('Hymns')");
        assert_eq!(newest(studio)["origin"].get("controls"), None);
    });
}

#[test]
fn a_loop_gets_as_many_basses_as_are_wanted() {
    with_page(|browser, studio, folder| {
        let given = folder.join("loop.mid");
        std::fs::write(&given, drum_loop()).unwrap();
        browser.drop_files("#prompt-drop", &[given]);
        browser.wait("!document.querySelector('#prompt-set').hidden");
        // Drums can be accompanied, and nothing else.
        assert_eq!(browser.eval("document.querySelector('#prompt-use').value"), "accompany");
        assert_eq!(browser.eval("document.querySelector('#prompt-use option').disabled"), json!(true));
        assert_eq!(browser.eval("document.querySelector('#model').value"), "bass");
        browser.fill("#prompt-count", "3");
        browser.fill("#control-key", "Em");
        browser.click("#do-compose");
        browser.wait(PLAYS);
        browser.wait("document.querySelectorAll('#jobs li').length === 0");
        let pieces = studio.get("/api/pieces").expect(200).json();
        let pieces = pieces.as_array().unwrap();
        assert_eq!(pieces.len(), 3);
        for piece in pieces {
            assert_eq!(
                (&piece["origin"]["arrangement"]["joined"], &piece["model"]),
                (&json!(true), &json!("A bass to given drums"))
            );
        }
        // A melody can be gone on with again.
        browser.choose_files("#prompt-file", &music(folder)[..1]);
        browser.wait("document.querySelector('#prompt-label').textContent.includes('tune 0')");
        browser.choose("#prompt-use", "continue");
        assert_eq!(browser.eval("document.querySelector('#prompt-several').hidden"), json!(true));
    });
}

#[test]
fn the_bass_is_given_and_bars_are_written_anew() {
    with_page(|browser, studio, folder| {
        let job = json!({ "model": "chorales", "bars": 4, "seed": 2 });
        let job = studio.post("/api/compositions", &job).expect(202).json();
        let path = format!("/api/pieces/{}", job["id"].as_str().unwrap());
        studio.wait(&path, |answer| answer.status == 200);
        let given = folder.join("four voices.mid");
        std::fs::write(&given, studio.get(&format!("{path}/midi")).expect(200).body).unwrap();
        browser.choose_files("#prompt-file", &[given]);
        browser.wait("!document.querySelector('#prompt-set').hidden");
        browser.choose("#prompt-use", "harmonise");
        browser.choose("#prompt-voice", "3");
        browser.click("#do-compose");
        browser.wait(PLAYS);
        assert_eq!(newest(studio)["origin"]["arrangement"]["voices"], json!([3]));

        browser.choose("#prompt-use", "rewrite");
        // Bars that there are not are refused in the field itself.
        for wrong in ["5", "2-1", "0-2", "all", ""] {
            browser.fill("#prompt-stay", wrong);
            browser.eval("document.querySelector('#prompt-stay').dispatchEvent(new Event('input'))");
            let fine = browser.eval(&format!(
                "(() => {{ const field = document.querySelector('#prompt-stay'); field.value = '{wrong}';
                   field.dispatchEvent(new Event('input')); return field.checkValidity(); }})()"
            ));
            assert_eq!(fine, false, "{wrong}");
        }
        browser.fill("#prompt-stay", "1-2, 4");
        browser.click("#do-compose");
        studio.wait("/api/pieces", |answer| answer.json().as_array().unwrap().len() == 3);
        let piece = newest(studio);
        assert_eq!(piece["origin"]["arrangement"]["bars"], json!([[1, 2], [4, 4]]));
        assert_eq!(piece["origin"]["arrangement"]["voices"], json!([]));
    });
}

#[test]
fn what_was_odd_about_a_file_is_told_and_what_is_none_is_refused() {
    with_page(|browser, _, folder| {
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let whole = tune(60);
        let cut = put("cut.mid", &whole[..whole.len() - 6]);
        browser.drop_files("#prompt-drop", &[cut]);
        browser.wait("document.querySelectorAll('#prompt-warnings li').length > 0");
        assert_eq!(browser.eval("document.querySelector('#prompt-warnings').checkVisibility()"), true);
        browser.choose_files("#prompt-file", &[put("whole.mid", &whole)]);
        browser.wait("document.querySelector('#prompt-warnings').hidden");
        let told = "document.querySelector('#message').textContent";
        for (path, says) in [
            (
                put("song.wav", &vec![0; 5 << 20]),
                "song.wav is sound. What is needed are notes: a MIDI, MusicXML or ABC file.",
            ),
            (put("long.mid", &vec![0; 5 << 20]), "long.mid is larger than 4 MiB, the most that is taken."),
            (put("notes.pdf", b"%PDF"), "notes.pdf is no MIDI, MusicXML or ABC file."),
        ] {
            browser.drop_files("#prompt-drop", &[path]);
            browser.wait(&format!("{told} === '{says}'"));
        }
        // What was given before is still there.
        assert_eq!(browser.eval("document.querySelector('#prompt-set').hidden"), false);
        browser.click("nav a[href='#train']");
        browser.drop_files("#music-drop", &[folder.join("song.wav")]);
        browser.wait(&format!("{told}.startsWith('song.wav is sound')"));
    });
}
