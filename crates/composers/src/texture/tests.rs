use super::tables::{Pairs, Places};
use super::*;
use cantus_model::seeded;
use cantus_nn::random::below;
use cantus_score::{Pitch, Velocity};
use std::ops::ControlFlow;

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// So many bars of a broken chord over a bass, each chord a bar, and a kit.
fn band(bars: u64) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let mut piano = Part::default();
    let mut kit = Part { drums: true, channel: Part::DRUM_CHANNEL, ..Part::default() };
    for bar in 0..bars {
        let root = [60, 65, 67, 57][bar as usize % 4];
        piano.notes.push(note(16 * bar, root - 24, 16));
        (0..8).for_each(|k| piano.notes.push(note(16 * bar + 2 * k, root + [0, 4, 7, 12][k as usize % 4], 2)));
        (0..4).for_each(|k| kit.notes.push(note(16 * bar + 4 * k, [36, 38][k as usize % 2], 1)));
    }
    piano.notes.sort_unstable();
    score.parts = vec![piano, kit];
    score
}

fn woven(score: &Score, bars: usize, seed: u64) -> Texture {
    texture(std::slice::from_ref(score), bars, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn tables_that_follow_changes_are_those_of_what_has_become() {
    let rng = &mut seeded(3);
    let (steps, lags) = (40, 17);
    let mut pairs = Pairs::silence(steps, lags);
    let mut sum = pairs.error();
    for _ in 0..600 {
        let (step, key) = (below(rng, steps), below(rng, 128) as u8);
        sum += pairs.set(step, key, !pairs.has(step, key));
    }
    // Counted anew, pair by pair.
    let mut counted = vec![0; (lags + 1) * 25];
    for (step, lag) in (0..steps).flat_map(|step| (0..=lags).map(move |lag| (step, lag))) {
        for (low, high) in (0..128u8).flat_map(|low| (0..128u8).map(move |high| (low, high))) {
            let interval = i32::from(high) - i32::from(low);
            if interval.abs() <= 12 && step + lag < steps && pairs.has(step, low) && pairs.has(step + lag, high) {
                counted[lag * 25 + (interval + 12) as usize] += 1;
            }
        }
    }
    assert_eq!(pairs.counted().0, counted);
    assert!((pairs.error() - sum).abs() < 1e-6 * sum, "{} {sum}", pairs.error());
    // What is wanted is what there is: no error.
    let (counts, of) = pairs.counted();
    let means = counts.iter().zip(of).map(|(count, of)| f64::from(*count) / of as f64).collect();
    let mut other = Pairs::like(means, steps, lags);
    for (step, key) in (0..steps).flat_map(|step| (0..128).map(move |key| (step, key))) {
        if pairs.has(step, key) {
            other.set(step, key, true);
        }
    }
    assert!(other.error() < 1e-12, "{}", other.error());
    let mut bars = Places::silence(4, 2);
    assert_eq!(bars.strike(5, 60, 1), 0.25);
    assert_eq!(
        Places::like(&bars, 1).strike(1, 60, 1),
        0.0,
        "struck in every other bar: one is as far from it as none"
    );
}

#[test]
fn what_is_written_is_like_the_piece_and_is_not_the_piece() {
    let source = band(16);
    let Texture { score, error, error_at_random, .. } = woven(&source, 8, 1);
    assert!(error < error_at_random / 5.0, "{error} of {error_at_random}");
    assert_eq!(score.meters, [(Ticks::ZERO, Meter::COMMON)]);
    let quarter = u64::from(score.ticks_per_quarter.get());
    assert!(score.end() <= Ticks(8 * 4 * quarter));
    let drums = &score.parts.iter().find(|part| part.drums).unwrap().notes;
    let on_beats = drums.iter().filter(|note| note.onset.0 % quarter == 0).count();
    assert!(on_beats * 10 >= drums.len() * 9 && drums.len() >= 28, "{on_beats} of {}", drums.len());
    let density = |score: &Score, bars: f64| score.parts[0].notes.len() as f64 / bars;
    assert!((density(&score, 8.0) / density(&source, 16.0) - 1.0).abs() < 0.15);
    // No key sounds twice at once.
    for part in &score.parts {
        let merged = cantus_score::merge_parts([part]);
        assert_eq!(merged.notes, part.notes);
    }
    // Bars in another metre are left out, and that is said.
    assert!(woven(&source, 8, 1).remarks.is_empty());
    let mut mixed = source.clone();
    mixed.meters = vec![(Ticks::ZERO, Meter::COMMON), (Ticks(16 * 12), "2/4".parse().unwrap())];
    let Texture { score: written, remarks, .. } = woven(&mixed, 4, 1);
    assert_eq!(written.meters, [(Ticks::ZERO, Meter::COMMON)]);
    assert!(remarks.iter().any(|remark| remark.contains("8 bars in other metres left out")), "{remarks:?}");
    let again = woven(&source, 8, 1).score;
    assert_eq!((&again, again == woven(&source, 8, 2).score), (&score, false));
}

#[test]
fn nothing_is_written_like_nothing() {
    let write = |score: Score, bars: usize| {
        texture(&[score], bars, &mut seeded(1), &mut |_| ControlFlow::Continue(())).unwrap_err().to_string()
    };
    let empty = Score::new(TicksPerQuarter::DEFAULT);
    assert!(write(empty.clone(), 4).contains("no"), "{}", write(empty, 4));
    assert!(write(band(4), 0).contains("0 bars"));
    let mut short = band(1);
    short.parts.truncate(1);
    assert!(write(short, 4).contains("only 1 bar"), "one bar");
    let stop = texture(&[band(4)], 4, &mut seeded(1), &mut |_| ControlFlow::Break(()));
    assert!(matches!(stop, Err(TextureError::Stopped)));
    // A very long file of two notes.
    let mut long = Score::new(TicksPerQuarter::new(4).unwrap());
    long.parts.push(Part { notes: vec![note(0, 60, 4), note(1 << 40, 62, 4)], ..Part::default() });
    assert!(woven(&long, 2, 1).score.note_count() <= 1);
}
