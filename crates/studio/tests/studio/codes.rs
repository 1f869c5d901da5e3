//! Variations of pieces, and what lies between two: heard, chosen by ear, kept.

use crate::client::{Open, open};
use crate::composing::compose;
use crate::page::with_page;
use serde_json::{Value, json};

fn notes(studio: &Open, address: &str) -> Value {
    studio.get(&format!("{address}/notes")).expect(200).json()["notes"].clone()
}

#[test]
fn a_variation_of_a_variation_follows_from_its_steps_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let piece = compose(&studio, &json!({ "model": "airs", "bars": 8, "seed": 3 }));
    let address = format!("/api/pieces/{}", piece["id"].as_str().unwrap());
    let ways = ["7@0.3", "8@0.3", "7@0.3,8@0.3"].map(|steps| format!("{address}/variations/{steps}"));
    let [a, b, of_a] = ways.each_ref().map(|way| notes(&studio, way));
    let melody = notes(&studio, &format!("{address}/variations/7@0"));
    for (one, other) in [(&melody, &a), (&a, &b), (&a, &of_a), (&b, &of_a)] {
        assert_ne!(one, other);
    }
    assert_eq!(notes(&studio, &ways[2]), of_a);
    for wrong in ["x", "7", "7@2", "-1@0.3", "7@0.3,", &vec!["1@0"; 65].join(",")] {
        studio.get(&format!("{address}/variations/{wrong}/notes")).expect(400);
    }

    let kept = studio.send("POST", &ways[2], b"{}").expect(201).json();
    assert_eq!(kept["title"], format!("Variation of {}", piece["title"].as_str().unwrap()));
    assert_eq!(notes(&studio, &format!("/api/pieces/{}", kept["id"].as_str().unwrap())), of_a);
    let between = format!("{address}/blends/{}/0.5", kept["id"].as_str().unwrap());
    let half = notes(&studio, &between);
    let kept = studio.send("POST", &between, b"{}").expect(201).json();
    assert_eq!(notes(&studio, &format!("/api/pieces/{}", kept["id"].as_str().unwrap())), half);
    assert_eq!(studio.get("/api/pieces").json().as_array().unwrap().len(), 3);
}

#[test]
fn the_best_of_eight_variations_has_eight_more() {
    with_page(|browser, studio, _| {
        browser.wait("document.querySelector('#model').options.length > 2");
        browser.choose("#model", "airs");
        browser.fill("#bars", "8");
        browser.fill("#seed", "3");
        crate::page::compose(browser);
        let piece = crate::page::newest(studio);
        let of = format!("/api/pieces/{}", piece["id"].as_str().unwrap());
        let address = "document.querySelector('#get-midi').pathname";
        let names =
            "[...document.querySelectorAll('#variations button')].map((button) => button.textContent).join(' ')";
        browser.click("#vary button");
        browser.wait(&format!("{names} === 'the piece A B C D E F G H' && {address}.startsWith('{of}/variations/')"));
        let first = browser.eval(address);
        browser.click("#variations button:nth-child(4)");
        browser.wait(&format!("{address} !== '{}'", first.as_str().unwrap()));
        let third = browser.eval(address).as_str().unwrap().replace("/midi", "");
        browser.click("#vary button");
        browser.wait(&format!("{address}.startsWith('{third},') && {names}.startsWith('the one before A')"));
        browser.click("#variations button:first-child");
        browser.wait(&format!("{address} === '{third}/midi'"));
        assert_eq!(
            browser.eval("document.querySelector('#variations [aria-pressed=true]').textContent"),
            "the one before"
        );
        let heard = notes(studio, &third);
        browser.click("#keep");
        browser.wait("document.querySelector('#keep').hidden");
        let kept = crate::page::newest(studio);
        assert_ne!(kept["id"], piece["id"]);
        assert_eq!(notes(studio, &format!("/api/pieces/{}", kept["id"].as_str().unwrap())), heard);
        browser.wait(&format!("{names} === ''"));
    });
}
