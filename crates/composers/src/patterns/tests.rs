//! What the rules promise.

use super::*;
use cantus_model::{Prompt, Request, Sampling, seeded};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

fn rules(configuration: &str) -> Rules {
    Rules::load(&SPEC.untaught(configuration).unwrap()).unwrap()
}

fn asked(bars: usize, controls: &[(&str, &str)]) -> Request {
    let mut request = Request::new(bars, Sampling::default());
    controls.iter().for_each(|(name, text)| request.controls.set(name, text).unwrap());
    request
}

fn write(rules: &Rules, request: &Request, seed: u64) -> Score {
    rules.compose(request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score
}

/// Every voice's pitch whenever one of them begins a note; `None` where one is silent.
fn slices(score: &Score) -> Vec<[i32; 4]> {
    let onsets: BTreeSet<Ticks> = score.notes().map(|note| note.onset).collect();
    let sounding = |part: &Part, at: Ticks| {
        let note = part.notes.iter().find(|note| note.onset <= at && at < note.end());
        i32::from(note.unwrap().pitch.get())
    };
    onsets.into_iter().map(|at| std::array::from_fn(|voice| sounding(&score.parts[voice], at))).collect()
}

#[test]
fn a_thousand_pieces_end_on_their_tonic_and_none_has_parallels() {
    let modes = ["default", "dorian", "phrygian", "lydian", "mixolydian"].map(rules);
    for seed in 0..1000 {
        let rules = &modes[if seed % 2 == 0 { 0 } else { 1 + seed as usize / 2 % 4 }];
        let bars = [8, 16, 5, 12, 3][seed as usize % 5];
        let score = write(rules, &asked(bars, &[("style", "voices")]), seed);
        let tonic = score.keys[0].1.tonic();
        let last: Vec<u8> = score.parts.iter().map(|part| part.notes.last().unwrap().pitch.class()).collect();
        assert!(last[0] == tonic && last[3] == tonic, "seed {seed}: {last:?}");
        let slices = slices(&score);
        for (k, pair) in slices.windows(2).enumerate() {
            for high in 0..4 {
                for low in high + 1..4 {
                    let at = |slice: &[i32; 4]| (slice[high], slice[low]);
                    let interval = |(a, b): (i32, i32)| (a - b).rem_euclid(12);
                    let (from, to) = (at(&pair[0]), at(&pair[1]));
                    let both = from.0 != to.0 && from.1 != to.1;
                    let same = interval(from) == interval(to) && [0, 7].contains(&interval(to));
                    assert!(!(both && same), "seed {seed}, moment {k}: {from:?} {to:?}");
                }
            }
        }
        assert!(
            slices.iter().all(|slice| slice.windows(2).all(|pair| pair[0] >= pair[1])),
            "seed {seed}: voices cross"
        );
    }
}

#[test]
fn songs_end_on_their_tonic_in_every_metre_and_mode() {
    let modes = ["default", "dorian", "phrygian", "lydian", "mixolydian", "lesson"].map(rules);
    let meters = [
        "4/4", "3/4", "6/8", "2/4", "5/4", "7/8", "5/8", "9/8", "12/8", "3/8", "2/2", "3/2", "11/8", "1/4", "13/16",
        "3/128",
    ];
    for (seed, meter) in meters.into_iter().cycle().take(96).enumerate() {
        for (density, bars) in [("0", 16), ("1", 9)] {
            let request = asked(bars, &[("meter", meter), ("density", density)]);
            let score = write(&modes[seed % modes.len()], &request, seed as u64);
            assert_eq!((score.bar_count(), score.meters[0].1.to_string()), (bars, meter.to_owned()));
            let melody = &score.parts[0].notes;
            assert_eq!(melody.last().unwrap().pitch.class(), score.keys[0].1.tonic(), "{meter} {seed}");
            assert!(
                melody.windows(2).all(|pair| pair[0].end() <= pair[1].onset),
                "{meter} {seed}: the melody is one line"
            );
            let leaps = melody.windows(2).map(|pair| pair[0].pitch.get().abs_diff(pair[1].pitch.get()));
            let widest = leaps.max().unwrap_or(0);
            // A tenth, where what comes again is joined to what came again.
            assert!(widest <= 16, "{meter}, seed {seed}: {widest} semitones");
        }
    }
}

#[test]
fn a_mode_has_its_own_notes() {
    // Two of three tonics' signatures would differ: the sixth of dorian, the second of phrygian, the fourth of lydian, the seventh of mixolydian.
    for (mode, key, classes) in [
        ("dorian", "Dm", [0, 2, 4, 5, 7, 9, 11]),
        ("phrygian", "Em", [0, 2, 4, 5, 7, 9, 11]),
        ("lydian", "F", [0, 2, 4, 5, 7, 9, 11]),
        ("mixolydian", "G", [0, 2, 4, 5, 7, 9, 11]),
    ] {
        for seed in 0..10 {
            let score = write(&rules(mode), &asked(16, &[("key", key)]), seed);
            assert!(score.notes().all(|note| classes.contains(&note.pitch.class())), "{mode} {seed}");
        }
    }
}

#[test]
fn density_is_ordered() {
    let rules = rules("default");
    let onsets = |density: &str| -> usize {
        let count =
            |seed| write(&rules, &asked(16, &[("density", density), ("meter", "4/4")]), seed).parts[0].notes.len();
        (0..20).map(count).sum()
    };
    let counts = ["0", "0.25", "0.5", "0.75", "1"].map(onsets);
    assert!(counts.is_sorted() && counts[4] > 2 * counts[0], "{counts:?}");
}

#[test]
fn chords_that_are_asked_for_are_what_sounds() {
    let rules = rules("default");
    for (style, text) in [("song", "Am F C G"), ("voices", "Am F C G"), ("song", "Dm | G7 E7 | C | Ab Bdim7")] {
        let progression: Progression = text.parse().unwrap();
        for seed in 0..8 {
            let score = write(&rules, &asked(8, &[("chords", text), ("style", style), ("meter", "4/4")]), seed);
            assert_eq!(score.chords[0].1, progression.at(0, 0, 4).unwrap().symbol(false), "{:?}", score.chords);
            for (number, bar) in score.bars().enumerate() {
                for beat in 0..4 {
                    let at = bar.start + Ticks(beat * bar.length.0 / 4);
                    let chord = progression.at(number, beat as usize, 4).unwrap();
                    let mut began = score.notes().filter(|note| note.onset == at);
                    assert!(
                        began.all(|note| chord.has(note.pitch.class())),
                        "{style} {seed}: bar {number}, beat {beat}"
                    );
                }
            }
        }
    }
    // The key is theirs.
    assert_eq!(write(&rules, &asked(8, &[("chords", "Am Dm E7 Am")]), 1).keys[0].1.to_string(), "A minor");
    assert_eq!(write(&rules, &asked(8, &[("chords", "D G A7 D")]), 1).keys[0].1.to_string(), "D major");
}

#[test]
fn sections_come_again_as_the_form_says() {
    let rules = rules("default");
    let notes = |score: &Score, bars: std::ops::Range<usize>| -> Vec<(u64, u8)> {
        let found: Vec<_> = score.bars().collect();
        let (from, to) = (found[bars.start].start, found[bars.end - 1].end());
        let within = score.parts[0].notes.iter().filter(|note| from <= note.onset && note.onset < to);
        within.map(|note| ((note.onset - from).0, note.pitch.get())).collect()
    };
    for seed in 0..10 {
        let score = write(&rules, &asked(32, &[("form", "AABA'")]), seed);
        assert_eq!(notes(&score, 0..8), notes(&score, 8..16));
        assert_ne!(notes(&score, 0..8), notes(&score, 16..24));
        assert_ne!(notes(&score, 0..8), notes(&score, 24..32));
        // A form of a piece that is gone on with has what is given for its first section.
        let prompt = Prompt::new(&score, 8).unwrap();
        let on = write(&rules, &asked(24, &[("form", "ABA")]).after(prompt), seed);
        let begins = |score: &Score, bar: usize| -> BTreeSet<(u64, u8)> {
            let bar = score.bars().nth(bar).unwrap();
            let within = score.notes().filter(|note| bar.start <= note.onset && note.onset < bar.end());
            within.map(|note| ((note.onset - bar.start).0, note.pitch.get())).collect()
        };
        assert_eq!(begins(&on, 2), begins(&on, 18), "seed {seed}");
    }
}

#[test]
fn what_goes_on_takes_up_the_motif() {
    let rules = rules("default");
    let theme = write(&rules, &asked(8, &[("meter", "4/4"), ("form", "A")]), 3);
    let prompt = Prompt::new(&theme, 1).unwrap();
    let rhythm = |score: &Score, bar: u64| -> Vec<u64> {
        let whole = 384;
        let mut onsets: Vec<u64> = score.parts[0].notes.iter().map(|note| note.onset.0).collect();
        onsets.dedup();
        onsets.into_iter().filter(|onset| onset / whole == bar).map(|onset| onset % whole).collect()
    };
    let on = write(&rules, &asked(9, &[("form", "AB")]).after(prompt), 5);
    assert_eq!(on.keys, theme.keys);
    assert!((1..9).any(|bar| rhythm(&on, bar).starts_with(&rhythm(&theme, 0)[..1])));
}

#[test]
fn a_lesson_says_which_rule_made_each_bar() {
    let score = write(&rules("lesson"), &asked(16, &[]), 1);
    let words: Vec<&str> = score.parts[0].lyrics.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(words.len(), 16);
    assert!(words[0].starts_with("motif: ") && words[15].starts_with("full cadence: "), "{words:?}");
    assert!(write(&rules("default"), &asked(4, &[]), 1).parts[0].lyrics.is_empty());
}
