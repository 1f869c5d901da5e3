//! What is asked for note by note.

use super::*;
use cantus_model::Control;
use cantus_score::{Chord, find_chords, find_key};

fn asking(composer: &dyn Composer, bars: usize, controls: &[(&str, &str)]) -> Request {
    let mut request = Request::new(bars, composer.default_sampling());
    controls.iter().for_each(|(name, text)| request.controls.set(name, text).unwrap());
    request
}

/// Tunes of which some are played softly and in single notes, others loudly and in chords.
fn players() -> TrainingSet {
    let piece = |seed: u64| {
        let mut score = tune(8, seed);
        let loud = seed.is_multiple_of(2);
        let notes = &mut score.parts[0].notes;
        let thirds: Vec<Note> = notes
            .iter()
            .filter(|note| loud && note.pitch.get() >= 60)
            .map(|note| Note { pitch: note.pitch.transposed(-5).unwrap(), ..*note })
            .collect();
        notes.extend(thirds);
        let velocity = Velocity::try_from(if loud { 100 } else { 40 } + (seed % 5) as u8).unwrap();
        notes.iter_mut().for_each(|note| note.velocity = velocity);
        notes.sort_unstable();
        score
    };
    TrainingSet {
        train: (1..13).map(piece).collect(),
        valid: vec![piece(13)].into(),
        reading: Reading::Parts,
        ..tunes()
    }
}

#[test]
fn what_is_written_stays_between_the_keys_and_in_the_key_that_are_asked_for() {
    let composer = trained(&tunes(), 60);
    for seed in 1..6 {
        let request = asking(composer.as_ref(), 8, &[("register", "C3-C5"), ("key", "D")]);
        let score = made(composer.as_ref(), &request, seed);
        let (low, high) = score.pitch_range().unwrap();
        assert!((48..=72).contains(&low.get()) && (48..=72).contains(&high.get()), "{low}-{high}");
        assert_eq!(find_key(score.pitched_notes()).unwrap().to_string(), "D major", "seed {seed}");
    }
    // By instrument, and the others as they like.
    let composer = trained(&bands(), 40);
    let request = asking(composer.as_ref(), 6, &[("register", "bass: B1-G2")]);
    let score = made(composer.as_ref(), &request, 1);
    let bass = score.parts.iter().find(|part| part.program().get() == 33).unwrap();
    assert!(bass.notes.len() > 3 && bass.notes.iter().all(|note| (35..=43).contains(&note.pitch.get())), "{bass:?}");
    for (asked, told) in [("C6-C8", "has it between"), ("flute: C4-C6", "flute")] {
        let refused =
            composer.compose(&asking(composer.as_ref(), 6, &[("register", asked)]), &mut seeded(1), &mut |_| {
                ControlFlow::Continue(())
            });
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
}

#[test]
fn chords_that_are_asked_for_are_heard_and_named() {
    let composer = trained(&tunes(), 150);
    let (mut right, mut all) = (0, 0);
    let (mut inside, mut sounding) = (0, 0);
    for seed in 1..6 {
        let request = asking(composer.as_ref(), 8, &[("chords", "C F | G7 | Am | C")]);
        let score = made(composer.as_ref(), &request, seed);
        let fine = u64::from(score.ticks_per_quarter.get());
        let named: Vec<(u64, &str)> = score.chords.iter().map(|(at, symbol)| (at.0 / fine, &symbol[..])).collect();
        assert_eq!(named[..5], [(0, "C"), (2, "F"), (4, "G7"), (8, "Am"), (12, "C")], "a bar each, or halves");
        // From the last C into the first one again nothing changes.
        assert_eq!(named[5..], [(18, "F"), (20, "G7"), (24, "Am"), (28, "C")]);
        let found = find_chords(&score);
        let ends = score.chords.iter().skip(1).map(|(at, _)| *at).chain([score.end()]);
        for ((at, symbol), end) in score.chords.iter().zip(ends) {
            let chord = Chord::named(symbol).unwrap();
            for note in score.notes().filter(|note| note.onset < end && note.end() > *at) {
                let lasts = note.end().min(end).0 - note.onset.max(*at).0;
                sounding += lasts;
                inside += if chord.has(note.pitch.class()) { lasts } else { 0 };
            }
            let heard = found.iter().rev().find(|(from, _)| from <= at).map(|(_, chord)| chord.root());
            right += usize::from(heard == Chord::named(symbol).map(Chord::root));
            all += 1;
        }
    }
    // By the least of networks, which knows no chords: what sounds is of them, and half of the roots are heard.
    assert!(10 * inside >= 9 * sounding, "{inside} of {sounding} ticks");
    assert!(2 * right >= all, "{right} of {all} roots");
}

#[test]
fn the_soft_and_the_bare_are_told_from_the_loud_and_the_full() {
    let composer = trained(&players(), 150);
    let mean = |control: &str, place: &str, measure: &dyn Fn(&Score) -> f64| {
        let request = asking(composer.as_ref(), 8, &[(control, place)]);
        (1..9).map(|seed| measure(&made(composer.as_ref(), &request, seed))).sum::<f64>() / 8.0
    };
    let loudness = |score: &Score| {
        score.notes().map(|note| f64::from(note.velocity.get())).sum::<f64>() / score.note_count().max(1) as f64
    };
    let (soft, loud) = (mean("velocity", "0", &loudness), mean("velocity", "1", &loudness));
    assert!(soft < 60.0 && loud > 80.0, "{soft} {loud}");
    let chords = |score: &Score| {
        let mut onsets: Vec<Ticks> = score.notes().map(|note| note.onset).collect();
        onsets.sort_unstable();
        onsets.dedup();
        score.note_count() as f64 / onsets.len().max(1) as f64
    };
    let (bare, full) = (mean("polyphony", "0", &chords), mean("polyphony", "1", &chords));
    assert!(full > bare + 0.3, "{bare} {full}");
    // Where all are as loud nothing can be asked for.
    assert!(trained(&tunes(), 0).lacks(Control::Velocity) && !composer.lacks(Control::Velocity));
}
