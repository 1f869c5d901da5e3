//! The key of a piece, by its notes.
//!
//! A signature's scale is what most of the sounding time lies in; of several scales, and of a major key and its relative minor, it is the
//! one whose profile is most like the piece's.
//!
//! Source: C. Krumhansl and E. Kessler, Tracing the dynamic changes in perceived tonal organization, Psychological Review 89(4), 1982
//! (the profiles); C. Krumhansl, Cognitive Foundations of Musical Pitch, 1990, chapter 4 (correlating them with durations).

use cantus_score::{Key, Mode, Part, Pitch, Score, merge_parts};

/// How well each class fits a major key, from its tonic up.
const MAJOR: [f64; 12] = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
/// How well each class fits a minor key.
const MINOR: [f64; 12] = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];
/// Classes of the scale without accidentals.
const WHITE: [usize; 7] = [0, 2, 4, 5, 7, 9, 11];
/// Scales that hold nearly as much of a piece as the best one are as good.
const AS_GOOD: f64 = 0.02;
/// A file's own signature is believed where its scale holds nearly as much: some programs write C major whatever is played.
const BELIEVED: f64 = 0.05;

/// How long each pitch class sounds.
type Classes = [f64; 12];

fn classes(score: &Score) -> Option<Classes> {
    let mut classes = [0.0; 12];
    for note in score.parts.iter().filter(|part| !part.drums).flat_map(|part| &part.notes) {
        classes[usize::from(note.pitch.get() % 12)] += note.duration.0 as f64;
    }
    let all: f64 = classes.iter().sum();
    (all > 0.0).then(|| classes.map(|length| length / all))
}

/// The share that lies in a signature's scale.
fn held(classes: &Classes, fifths: i8) -> f64 {
    WHITE.iter().map(|class| classes[(*class as i32 + 7 * i32::from(fifths)).rem_euclid(12) as usize]).sum()
}

/// How much a piece is like a key, -1 to 1.
fn likeness(classes: &Classes, key: Key) -> f64 {
    let (profile, above) = match key.mode() {
        Mode::Major => (MAJOR, 0),
        Mode::Minor => (MINOR, 9),
    };
    let tonic = (7 * i32::from(key.fifths()) + above).rem_euclid(12) as usize;
    let mean = |values: &Classes| values.iter().sum::<f64>() / 12.0;
    let (found, expected) = (mean(classes), mean(&profile));
    let (mut product, mut one, mut other) = (0.0, 0.0, 0.0);
    for (k, fit) in profile.iter().enumerate() {
        let (x, y) = (classes[(k + tonic) % 12] - found, fit - expected);
        product += x * y;
        one += x * x;
        other += y * y;
    }
    product / (one * other).sqrt().max(f64::MIN_POSITIVE)
}

/// Signatures without enharmonic doubles.
fn signatures() -> impl Iterator<Item = i8> {
    -5..=6
}

fn by_notes(classes: &Classes) -> Option<Key> {
    let best = signatures().map(|fifths| held(classes, fifths)).fold(0.0, f64::max);
    let good = signatures().filter(|fifths| held(classes, *fifths) >= best - AS_GOOD);
    let keys =
        good.flat_map(|fifths| [Mode::Major, Mode::Minor].into_iter().filter_map(move |mode| Key::new(fifths, mode)));
    keys.max_by(|a, b| likeness(classes, *a).total_cmp(&likeness(classes, *b)))
}

/// The key that the notes of a piece are in; `None` without notes.
pub fn found_in(score: &Score) -> Option<Key> {
    by_notes(&classes(score)?)
}

/// The key of a piece: the file's own, where its notes agree, else that of its notes.
pub fn key_of(score: &Score) -> Option<Key> {
    let classes = classes(score)?;
    let found = by_notes(&classes)?;
    let named = score.keys.first().map(|(_, key)| *key);
    named.filter(|key| held(&classes, key.fifths()) >= held(&classes, found.fifths()) - BELIEVED).or(Some(found))
}

/// A way from one key to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transposition {
    /// Semitones up, -5 to 6.
    semitones: i32,
}

impl Transposition {
    /// The shortest way between two signatures.
    pub fn between(from: Key, to: Key) -> Transposition {
        let up = (7 * (i32::from(to.fifths()) - i32::from(from.fifths()))).rem_euclid(12);
        Transposition { semitones: if up > 6 { up - 12 } else { up } }
    }

    /// The music moved so, or an octave from there, whichever leaves fewer notes outside of `range` (the lowest and the highest MIDI
    /// pitch); these are moved into it by an octave, where it has room. `None` where a note would leave what MIDI has.
    pub fn of(self, score: &Score, (low, high): (u8, u8)) -> Option<Score> {
        let other = if self.semitones > 0 { self.semitones - 12 } else { self.semitones + 12 };
        let outside = |by: &i32| {
            let beyond = |pitch: Pitch| {
                let moved = i32::from(pitch.get()) + by;
                moved < i32::from(low) || moved > i32::from(high)
            };
            let pitched = score.parts.iter().filter(|part| !part.drums).flat_map(|part| &part.notes);
            pitched.filter(|note| beyond(note.pitch)).count()
        };
        let by = [self.semitones, other].into_iter().min_by_key(outside)?;
        let mut moved = score.transposed(by)?;
        if outside(&by) > 0 {
            let (low, high) = (Pitch::try_from(low).ok()?, Pitch::try_from(high).ok()?);
            moved.parts.iter_mut().filter(|part| !part.drums).for_each(|part| fold(part, low, high));
        }
        Some(moved)
    }
}

/// Moves notes outside of a range into it by an octave, where that leads there.
fn fold(part: &mut Part, low: Pitch, high: Pitch) {
    let range = low..=high;
    for note in part.notes.iter_mut().filter(|note| !range.contains(&note.pitch)) {
        let octave = if note.pitch < low { 12 } else { -12 };
        note.pitch = note.pitch.transposed(octave).filter(|pitch| range.contains(pitch)).unwrap_or(note.pitch);
    }
    // A note may have come to stand on another.
    part.notes = merge_parts([&*part]).notes;
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Ticks, TicksPerQuarter, Velocity};

    /// Quarters of these pitches.
    fn tune(pitches: &[u8]) -> Score {
        let note = |(k, pitch): (usize, &u8)| Note {
            onset: Ticks(4 * k as u64),
            pitch: Pitch::try_from(*pitch).unwrap(),
            duration: Ticks(4),
            velocity: Velocity::DEFAULT,
        };
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts.push(Part { notes: pitches.iter().enumerate().map(note).collect(), ..Part::default() });
        score
    }

    const TUNE: [u8; 14] = [60, 64, 67, 72, 71, 69, 67, 65, 64, 62, 60, 67, 64, 60];
    const MINOR_TUNE: [u8; 12] = [69, 72, 76, 69, 68, 69, 71, 72, 74, 76, 69, 69];

    #[test]
    fn keys_are_found_wherever_they_stand() {
        for by in -5..=6 {
            let c = Key::new(0, Mode::Major).unwrap();
            assert_eq!(found_in(&tune(&TUNE).transposed(by).unwrap()), Some(c.transposed(by)), "{by}");
            let a = Key::new(0, Mode::Minor).unwrap();
            assert_eq!(found_in(&tune(&MINOR_TUNE).transposed(by).unwrap()), Some(a.transposed(by)), "{by}");
        }
        assert_eq!(found_in(&tune(&[])), None);
    }

    #[test]
    fn a_signature_is_believed_where_the_notes_agree() {
        let mut dorian = tune(&[62, 64, 65, 67, 69, 71, 72, 74, 69, 62]);
        let c = Key::new(0, Mode::Major).unwrap();
        dorian.keys = vec![(Ticks(0), c)];
        assert_eq!(key_of(&dorian), Some(c));
        let mut sharp = tune(&TUNE).transposed(4).unwrap();
        sharp.keys = vec![(Ticks(0), c)];
        assert_eq!(key_of(&sharp), Key::new(4, Mode::Major));
    }

    #[test]
    fn ways_are_short_and_stay_in_range() {
        let key = |fifths| Key::new(fifths, Mode::Major).unwrap();
        let up = Transposition::between(key(0), key(2));
        let pitches = |score: Score| score.notes().map(|note| note.pitch.get()).collect::<Vec<u8>>();
        assert_eq!(pitches(up.of(&tune(&[60, 67]), (55, 79)).unwrap()), [62, 69]);
        assert_eq!(pitches(up.of(&tune(&[60, 67]), (50, 67)).unwrap()), [50, 57]);
        assert_eq!(
            pitches(up.of(&tune(&[55, 60, 70]), (55, 70)).unwrap()),
            [57, 62, 60],
            "what is too high comes down"
        );
        assert_eq!(Transposition::between(key(0), key(-1)), Transposition { semitones: 5 });
        assert_eq!(Transposition::between(key(2), key(0)), Transposition { semitones: -2 });
    }
}
