use super::*;
use crate::mixing::mix;
use cantus_score::{Meter, Pitch, TicksPerQuarter, Velocity};

/// A tune over a bass, 24 bars; `leap` is how far it moves at most.
pub(super) fn tune(seed: u64, leap: u64) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let mut notes = Vec::new();
    let (mut pitch, mut at, mut k) = (72i64, 0u64, 0);
    while at < 24 * 16 {
        k += 1;
        let chance = mix(seed, k);
        let length = [2, 4, 4, 8][(chance % 4) as usize];
        pitch = (pitch + (chance >> 8) as i64 % (2 * leap as i64 + 1) - leap as i64).clamp(60, 84);
        let mut note = |pitch: i64, duration: u64| {
            let pitch = Pitch::try_from(pitch).unwrap();
            notes.push(Note { onset: Ticks(at), pitch, duration: Ticks(duration), velocity: Velocity::DEFAULT });
        };
        note(pitch, length);
        if at % 16 == 0 {
            note(40 + (chance >> 32) as i64 % 12, 16);
        }
        at += length;
    }
    notes.sort_unstable();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn listen(first: &[Score], second: &[Score]) -> Option<Listener> {
    Listener::of(&first.iter().collect::<Vec<_>>(), &second.iter().collect::<Vec<_>>())
}

#[test]
fn sets_of_one_kind_cannot_be_told_apart() {
    let set = |from: u64| (from..from + 60).map(|seed| tune(seed, 2)).collect::<Vec<_>>();
    let listener = listen(&set(0), &set(1000)).unwrap();
    // 30 seconds at 120 quarters a minute; a piece has 96 quarters.
    assert_eq!((listener.quarters, listener.pieces, listener.excerpts), (60, [60, 60], [60, 60]));
    assert!((listener.right - 0.5).abs() < 3.0 * listener.error, "{listener}");
}

#[test]
fn other_melodies_are_told_apart() {
    let set = |from: u64, leap: u64| (from..from + 40).map(|seed| tune(seed, leap)).collect::<Vec<_>>();
    let listener = listen(&set(0, 2), &set(1000, 4)).unwrap();
    assert!(listener.right > 0.9, "{listener}");
    assert_eq!(listen(&set(0, 2), &set(1000, 4)), Some(listener));
}

/// What differs is the order alone: no statistic of pitches or lengths tells.
#[test]
fn the_order_of_notes_is_heard() {
    let backwards = |score: &Score| {
        let end = Ticks(24 * 16 + 16);
        let mut turned = score.clone();
        for note in &mut turned.parts[0].notes {
            note.onset = end - note.end();
        }
        turned.parts[0].notes.sort_unstable();
        turned
    };
    let rising = |seed: u64| {
        let mut score = tune(seed, 2);
        // Each tune is a scale upwards again and again; backwards it falls.
        for (k, note) in score.parts[0].notes.iter_mut().filter(|note| note.pitch.get() >= 60).enumerate() {
            note.pitch = Pitch::try_from(60 + (k as i64 + seed as i64) % 13).unwrap();
        }
        score
    };
    let first: Vec<Score> = (0..20).map(rising).collect();
    let second: Vec<Score> = (100..120).map(|seed| backwards(&rising(seed))).collect();
    assert!(listen(&first, &second).unwrap().right > 0.9);
}

#[test]
fn the_key_tells_nothing() {
    let set =
        |from: u64, up: i32| (from..from + 60).map(|seed| tune(seed, 2).transposed(up).unwrap()).collect::<Vec<_>>();
    let listener = listen(&set(0, 0), &set(1000, 5)).unwrap();
    assert!((listener.right - 0.5).abs() < 3.0 * listener.error, "{listener}");
}

#[test]
fn too_few_or_too_short_pieces_teach_nothing() {
    let set = |count: u64| (0..count).map(|seed| tune(seed, 2)).collect::<Vec<_>>();
    assert_eq!(listen(&set(9), &set(20)), None);
    let short: Vec<Score> = set(20).iter().map(|score| score.before(Ticks(16))).collect();
    assert_eq!(listen(&set(20), &short), None);
    assert_eq!(listen(&[], &[]), None);
}

#[test]
fn all_excerpts_are_of_one_length() {
    // A quarter of the pieces has 20 quarters, the others 40: of their own length all would be told apart.
    let cut = |from: u64, quarters: u64| {
        (from..from + 40).map(move |seed| tune(seed, 2).before(Ticks(4 * if seed % 4 == 0 { 20 } else { quarters })))
    };
    let (first, second): (Vec<Score>, Vec<Score>) = (cut(0, 40).collect(), cut(1000, 96).collect());
    let listener = listen(&first, &second).unwrap();
    assert_eq!((listener.quarters, listener.pieces), (40, [30, 30]));
    assert!((listener.right - 0.5).abs() < 3.0 * listener.error, "{listener}");
}

/// Pieces become livelier after their first 16 bars: those that end there are not told from whole ones by it.
#[test]
fn beginnings_are_held_against_beginnings() {
    let first = Ticks(64 * 4);
    let piece = |seed: u64| {
        let (mut begun, then) = (tune(seed, 2).before(first), tune(seed, 6));
        begun.parts[0].notes.extend(then.parts[0].notes.iter().filter(|note| note.onset >= first));
        begun
    };
    let wholes: Vec<Score> = (0..40).map(piece).collect();
    let begun: Vec<Score> = (1000..1040).map(|seed| piece(seed).before(first)).collect();
    let listener = listen(&wholes, &begun).unwrap();
    assert_eq!(listener.excerpts, [40, 40]);
    assert!((listener.right - 0.5).abs() < 3.0 * listener.error, "{listener}");
    assert_eq!(excerpts(&wholes[0], 32, 2).len(), 2);
}

#[test]
fn excerpts_begin_with_a_bar_one_after_another() {
    let mut score = tune(3, 2);
    score.meters = vec![(Ticks::ZERO, Meter::COMMON), (Ticks(32), "3/4".parse().unwrap())];
    // Bars of 16, 16 and then 12 steps, excerpts of 40.
    let found = excerpts(&score, 10, 4);
    assert_eq!(found.len(), 4);
    assert_eq!(found[0].meters, score.meters);
    assert_eq!(found[1].meters, [(Ticks::ZERO, "3/4".parse().unwrap())]);
    let inside = |from: u64| score.notes().filter(|note| note.end().0 > from && note.onset.0 < from + 40).count();
    assert_eq!([0, 1, 2].map(|k: usize| found[k].note_count()), [0, 44, 92].map(inside));
    assert!(found.iter().flat_map(Score::notes).all(|note| note.end() <= Ticks(40)));
}
