//! Training as a person does it on the page.

use crate::page::{PLAYS, compose, made, music, newest, with_page};
use crate::training::{chorale, tune};
use serde_json::json;

#[test]
fn a_model_is_trained_and_composes() {
    with_page(|browser, studio, folder| {
        browser.click("nav a[href='#train']");
        browser.choose_files("#music-files", &music(folder));
        browser.wait("document.querySelector('#training .start .primary:not(:disabled)')");
        let told = browser.eval("document.querySelector('#training').innerText");
        let told = told.as_str().unwrap();
        assert!(told.contains("10 of 11 files can be used") && told.contains("MThd"), "{told}");
        // Without a critic that learns at the end, which takes its time.
        browser.choose("#training select", "lstm:default");
        browser.fill("#training .start input", "0.1");
        browser.click("#training .start .primary");
        browser.wait("document.querySelector('#training .state')?.textContent.startsWith('finished')");
        browser.wait("document.querySelector('#training .curves')");
        // A sample that was composed on the way is heard.
        browser.wait("document.querySelector('#training [data-plays]')");
        browser.click("#training [data-plays]");
        browser.wait(PLAYS);
        browser.wait("document.querySelector('#training [data-plays][aria-pressed=true]')");
        // And the model is one to compose with.
        browser.click("#training .head .button");
        browser.wait("!document.querySelector('#compose').hidden");
        compose(browser);
        assert_eq!(newest(studio)["model"], "tune 0 and 10 more");
    });
}

#[test]
fn a_page_that_was_left_finds_its_training_again() {
    with_page(|browser, _, folder| {
        browser.click("nav a[href='#train']");
        // The whole folder, dropped.
        let folder = made(folder.join("music"));
        music(&folder);
        browser.drop_files("#music-drop", &[folder]);
        browser.wait("document.querySelector('#training .start .primary:not(:disabled)')");
        browser.click("#training .start .primary");
        browser.wait("document.querySelector('#training .curves')");
        browser.send("Page.reload", json!({}));
        browser.wait("document.querySelector('#progress b') && document.querySelector('#training .curves')");
        browser.click("#training .head button:not(.link)");
        browser.wait("document.querySelector('#training .state')?.textContent === 'stopped: the best is kept'");
    });
}

#[test]
fn the_composer_is_recommended_and_what_readers_said_is_told() {
    with_page(|browser, _, folder| {
        let mut files: Vec<_> = (60..72).map(|k| (format!("chorale {k}.mid"), chorale(k))).collect();
        let whole = tune(60);
        files.push(("cut.mid".to_owned(), whole[..whole.len() - 6].to_vec()));
        let paths: Vec<_> = files.iter().map(|(name, _)| folder.join(name)).collect();
        for (path, (_, bytes)) in paths.iter().zip(&files) {
            std::fs::write(path, bytes).unwrap();
        }
        browser.click("nav a[href='#train']");
        browser.choose_files("#music-files", &paths);
        browser.wait("document.querySelector('#training .start .primary:not(:disabled)')");
        let told = browser.eval("document.querySelector('#training').innerText");
        let told = told.as_str().unwrap();
        assert!(told.contains("1 of the used files has something odd about it"), "{told}");
        assert_eq!(browser.eval("document.querySelectorAll('#training .files small').length > 0"), true);
        let chosen = browser.eval("document.querySelector('#training select').selectedOptions[0].textContent");
        assert_eq!(
            chosen,
            "Recommended: four voices; harmonises a melody or a bass of yours, fills bars that are missing, follows a form (chorale)"
        );
        assert!(
            told.contains("Recommended for this music.") && told.contains("after 10 minutes at the latest"),
            "{told}"
        );
        browser.wait(
            "document.querySelector('#training .about').textContent.includes('To learn from all of it once takes')",
        );
        browser.wait("document.querySelector('#training .about').textContent.includes('Then a critic learns')");
        browser.choose("#training select", "memory:default");
        let about = browser.eval("document.querySelector('#training .about').textContent");
        assert!(!about.as_str().unwrap().contains("Recommended"), "{about}");

        // The critic has a progress of its own.
        browser.choose("#training select", "chorale:default");
        browser.fill("#training .start input", "0.1");
        browser.click("#training .start .primary");
        browser.wait("document.querySelector('#progress')?.innerText.includes('Now a critic learns')");
        browser.wait("document.querySelector('#trainings').innerText.includes('finishing, ')");
        let bar = "document.querySelector('#progress progress[aria-label=Finishing]').value";
        assert!(browser.eval(bar).as_f64().unwrap() < 1.0);
        browser.click("#training .head button:not(.link)");
        // On a fast machine the critic is done before it is stopped.
        browser.wait("/^(stopped|finished)/.test(document.querySelector('#training .state')?.textContent)");
    });
}

#[test]
fn a_training_is_called_something_else() {
    with_page(|browser, studio, folder| {
        browser.click("nav a[href='#train']");
        browser.choose_files("#music-files", &music(folder));
        browser.wait("document.querySelector('#training .start .primary:not(:disabled)')");
        browser.click("#training .name-line .link");
        browser.fill("#training .rename", "Scales");
        browser.press("Enter");
        browser.wait("document.querySelector('#training h2')?.textContent === 'Scales'");
        browser.wait("document.querySelector('#trainings b')?.textContent === 'Scales'");
        assert_eq!(studio.get("/api/trainings").json()[0]["name"], "Scales");
    });
}
