//! The library as a person meets it.

use crate::page::{WINDOWS, fits, with_page};
use serde_json::json;

#[test]
fn the_library_rates_compares_finds_and_deletes() {
    with_page(|browser, studio, _| {
        for seed in [11, 22, 33] {
            studio.post("/api/compositions", &json!({ "bars": 2, "seed": seed })).expect(202);
        }
        studio.wait("/api/pieces", |answer| answer.json().as_array().unwrap().len() == 3);
        browser.click("nav a[href='#library']");
        let rows = "document.querySelectorAll('#pieces > li').length";
        browser.wait(&format!("{rows} === 3"));
        browser.click("#pieces > li:last-child .stars button:nth-child(4)");
        browser.wait("document.querySelectorAll('#pieces .stars .on').length === 4");
        assert_eq!(studio.get("/api/pieces").json()[2]["rating"], 4);
        // Blind: nothing of the two is told before one is preferred.
        browser.click("#compare");
        let blind = "document.querySelector('#blind').innerText";
        assert!(!browser.eval(blind).as_str().unwrap().contains("Composition"));
        browser.click("#blind .sides button:not([data-plays])");
        browser.wait(&format!("{blind}.includes('A is Composition')"));
        browser.fill("#find", "22");
        browser.wait(&format!("{rows} === 1"));
        browser.click("#pieces [aria-label^=Delete]");
        browser.wait(&format!("{rows} === 0"));
        let count = || studio.get("/api/pieces").json().as_array().unwrap().len();
        assert_eq!(count(), 2);
        // And back.
        browser.click("#message button");
        browser.wait(&format!("{rows} === 1"));
        assert_eq!(count(), 3);
    });
}

/// As long as a name can be, without a place where it would break.
const LONG: &str = "Wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww";

#[test]
fn pieces_are_called_something_else_and_long_names_fit() {
    with_page(|browser, studio, folder| {
        let job = studio.post("/api/compositions", &json!({ "bars": 2, "seed": 3 })).expect(202).json();
        let path = format!("/api/pieces/{}", job["id"].as_str().unwrap());
        studio.wait(&path, |answer| answer.status == 200);
        let title = || studio.get(&path).json()["title"].as_str().unwrap().to_owned();
        let before = title();
        browser.click("nav a[href='#library']");
        // Thought better of.
        browser.click("#pieces [aria-label^=Rename]");
        browser.fill("#pieces .rename", "no");
        browser.press("Escape");
        browser.wait("!document.querySelector('#pieces .rename')");
        assert_eq!(title(), before);
        browser.click("#pieces [aria-label^=Rename]");
        browser.fill("#pieces .rename", "Evening");
        browser.press("Enter");
        browser.wait("document.querySelector('#pieces b')?.textContent === 'Evening'");
        assert_eq!(title(), "Evening");
        // In the other view, too.
        browser.click("#pieces [aria-label^=Open]");
        browser.wait("document.querySelector('#piece-title')?.textContent === 'Evening'");
        browser.click("#rename");
        browser.fill(".headline .rename", LONG);
        browser.press("Enter");
        browser.wait(&format!("document.querySelector('#piece-title')?.textContent === '{LONG}'"));
        assert_eq!(title(), LONG);
        // A long name of everything that has one.
        let tune = folder.join(format!("{LONG}.mid"));
        std::fs::write(&tune, crate::training::tune(60)).unwrap();
        browser.choose_files("#prompt-file", std::slice::from_ref(&tune));
        browser.wait("!document.querySelector('#prompt-set').hidden");
        browser.click("nav a[href='#train']");
        browser.choose_files("#music-files", &[tune]);
        browser.wait("document.querySelector('#training .files')");
        browser.eval("import('/dom.js').then(({ say }) => say('W'.repeat(300)))");
        for window in WINDOWS {
            browser.look(window, "light");
            for view in ["compose", "train", "library"] {
                browser.click(&format!("nav a[href='#{view}']"));
                browser.wait(&format!("!document.querySelector('#{view}').hidden"));
                fits(browser, &format!("{view} {window:?}"));
            }
        }
    });
}

#[test]
fn what_is_told_covers_nothing_that_is_pressed() {
    with_page(|browser, studio, _| {
        studio.post("/api/compositions", &json!({ "bars": 2, "seed": 3 })).expect(202);
        studio.wait("/api/pieces", |answer| !answer.json().as_array().unwrap().is_empty());
        browser.send("Page.reload", json!({}));
        browser.wait("document.querySelector('#downloads')?.checkVisibility()");
        for window in WINDOWS {
            browser.look(window, "light");
            browser.eval("import('/dom.js').then(({ say }) => say('Something happened, and this is what it was.'))");
            let covered = browser.eval(
                "(() => { const told = document.querySelector('#message').getBoundingClientRect();
                   return [...document.querySelectorAll('main:not([hidden]) :is(a, button, input, select)')].filter((of) => {
                     const box = of.getBoundingClientRect();
                     return of.checkVisibility() && box.left < told.right && told.left < box.right && box.top < told.bottom && told.top < box.bottom;
                   }).map((of) => of.id); })()",
            );
            assert_eq!(covered, json!([]), "{window:?}");
        }
    });
}
