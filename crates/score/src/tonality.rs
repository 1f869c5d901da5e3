//! Which key music is in.

use crate::{Key, Mode, Note, Score};
use std::cmp::Reverse;

/// How well each scale degree stands for its key: the mean of what listeners said (C. L. Krumhansl and E. J. Kessler, "Tracing the dynamic
/// changes in perceived tonal organization in a spatial representation of musical keys", Psychological Review 89, 1982) and of
/// D. Temperley's correction ("What's Key for Key? The Krumhansl-Schmuckler Key-Finding Algorithm Reconsidered", Music Perception 17(1),
/// 1999), in which leading notes count for more. Both were checked against Essentia (`src/algorithms/tonal/key.cpp`, `krumhansl` and
/// `temperley`). Each alone errs more often: the first takes major for minor, the second natural minor for major.
const MAJOR: [f64; 12] = [5.675, 2.115, 3.49, 2.165, 4.44, 4.045, 2.26, 4.845, 2.195, 3.58, 1.895, 3.44];
const MINOR: [f64; 12] = [5.665, 2.34, 3.51, 4.94, 2.3, 3.765, 2.27, 4.625, 3.74, 2.345, 2.42, 3.585];
/// Classes of the scale without accidentals.
const WHITE: [usize; 7] = [0, 2, 4, 5, 7, 9, 11];
/// Signatures without enharmonic doubles. Nearest to no accidentals first: of equals the simplest is kept.
const SIGNATURES: [i8; 12] = [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6];
/// How many notes more the lowest note of the beginning and that of the end count for: there music says where it is at home.
const FIRST: f64 = 2.0;
const LAST: f64 = 3.0;
/// Signatures whose scale holds nearly as much of the sounding time as the best one's are as good.
const AS_GOOD: f64 = 0.02;
/// A file's own signature is believed where its scale holds nearly as much: some programs write C major whatever is played.
const BELIEVED: f64 = 0.05;

/// How long each pitch class sounds, of all.
type Classes = [f64; 12];

/// The key that notes are in; `None` without a note. A signature's scale is what most of the sounding time lies in; of several scales, and
/// of a major key and its relative minor, it is the one whose profile the pitch classes, weighed by their durations, correlate with best
/// (Krumhansl and Schmuckler; C. Krumhansl, "Cognitive Foundations of Musical Pitch", 1990, chapter 4).
pub fn find_key<'a>(notes: impl IntoIterator<Item = &'a Note>) -> Option<Key> {
    Sounding::of(notes)?.key(&[Mode::Major, Mode::Minor])
}

/// The same of one mode: a piece in A minor is, of the major keys, nearest to C.
pub fn find_key_in<'a>(mode: Mode, notes: impl IntoIterator<Item = &'a Note>) -> Option<Key> {
    Sounding::of(notes)?.key(&[mode])
}

/// The key of a piece: the file's own, where its notes agree, else that of its notes.
pub fn key_of(score: &Score) -> Option<Key> {
    let sounding = Sounding::of(score.pitched_notes())?;
    let found = sounding.key(&[Mode::Major, Mode::Minor])?;
    let named = score.keys.first().map(|(_, key)| *key);
    let agrees = |key: &Key| sounding.held(key.fifths()) >= sounding.held(found.fifths()) - BELIEVED;
    named.filter(agrees).or(Some(found))
}

/// What a key is found by.
struct Sounding {
    classes: Classes,
    /// With the beginning and the end, which count for more.
    weighed: Classes,
}

impl Sounding {
    fn of<'a>(notes: impl IntoIterator<Item = &'a Note>) -> Option<Sounding> {
        let mut classes = [0.0; 12];
        let (mut first, mut last): (Option<&Note>, Option<&Note>) = (None, None);
        let mut count = 0u32;
        for note in notes {
            classes[usize::from(note.pitch.class())] += note.duration.0.max(1) as f64;
            count += 1;
            if first.is_none_or(|known| (note.onset, note.pitch) < (known.onset, known.pitch)) {
                first = Some(note);
            }
            if last.is_none_or(|known| (note.onset, Reverse(note.pitch)) > (known.onset, Reverse(known.pitch))) {
                last = Some(note);
            }
        }
        let all: f64 = classes.iter().sum();
        let classes = classes.map(|length| length / all);
        let mut weighed = classes;
        for (note, times) in [(first?, FIRST), (last?, LAST)] {
            weighed[usize::from(note.pitch.class())] += times / f64::from(count);
        }
        Some(Sounding { classes, weighed })
    }

    /// The share that lies in a signature's scale.
    fn held(&self, fifths: i8) -> f64 {
        WHITE.iter().map(|class| self.classes[(*class as i32 + 7 * i32::from(fifths)).rem_euclid(12) as usize]).sum()
    }

    fn key(&self, modes: &[Mode]) -> Option<Key> {
        let most = SIGNATURES.into_iter().map(|fifths| self.held(fifths)).fold(0.0, f64::max);
        let mut best: Option<(f64, Key)> = None;
        for fifths in SIGNATURES.into_iter().filter(|fifths| self.held(*fifths) >= most - AS_GOOD) {
            for mode in modes {
                let (profile, tonic_of_c) = match mode {
                    Mode::Major => (&MAJOR, 0),
                    Mode::Minor => (&MINOR, 9),
                };
                let tonic = (i32::from(fifths) * 7 + tonic_of_c).rem_euclid(12) as usize;
                let rotated: Classes = std::array::from_fn(|class| profile[(class + 12 - tonic) % 12]);
                let fit = correlation(&self.weighed, &rotated);
                if let Some(key) = Key::new(fifths, *mode).filter(|_| best.is_none_or(|(known, _)| fit > known + 1e-9))
                {
                    best = Some((fit, key));
                }
            }
        }
        best.map(|(_, key)| key)
    }
}

fn correlation(a: &Classes, b: &Classes) -> f64 {
    let mean = |x: &Classes| x.iter().sum::<f64>() / 12.0;
    let (ma, mb) = (mean(a), mean(b));
    let product =
        |x: &Classes, mx: f64, y: &Classes, my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
    let scale = (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt();
    if scale > 0.0 { product(a, ma, b, mb) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Part, Pitch, Ticks, TicksPerQuarter, Velocity};

    #[test]
    fn scales_have_their_keys() {
        let key = |pitches: &[u8]| {
            let note = |(k, pitch): (usize, &u8)| Note {
                onset: Ticks(k as u64),
                pitch: Pitch::try_from(*pitch).unwrap(),
                duration: Ticks(1),
                velocity: Velocity::DEFAULT,
            };
            find_key(&pitches.iter().enumerate().map(note).collect::<Vec<_>>()).map(|key| key.to_string())
        };
        assert_eq!(key(&[62, 64, 66, 67, 69, 71, 73, 74, 62, 69]).as_deref(), Some("D major"));
        assert_eq!(key(&[60, 62, 63, 65, 67, 68, 71, 72, 60, 67, 63]).as_deref(), Some("C minor"));
        // Up and down a fifth, without its end; natural minor; a tune with an upbeat.
        assert_eq!(key(&[60, 62, 64, 65, 67, 65, 64, 62]).as_deref(), Some("C major"));
        assert_eq!(key(&[69, 71, 72, 74, 76, 77, 79, 76, 74, 72, 71, 69]).as_deref(), Some("A minor"));
        assert_eq!(key(&[62, 67, 67, 71, 69, 67, 71, 69, 67, 66, 67]).as_deref(), Some("G major"));
        assert_eq!(key(&[]), None);
    }

    fn tune(pitches: &[u8]) -> Score {
        let note = |(k, pitch): (u64, &u8)| Note {
            onset: Ticks(4 * k),
            pitch: Pitch::try_from(*pitch).unwrap(),
            duration: Ticks(4),
            velocity: Velocity::DEFAULT,
        };
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts.push(Part { notes: (0..).zip(pitches).map(note).collect(), ..Part::default() });
        score
    }

    const TUNE: [u8; 14] = [60, 64, 67, 72, 71, 69, 67, 65, 64, 62, 60, 67, 64, 60];
    const MINOR_TUNE: [u8; 12] = [69, 72, 76, 69, 68, 69, 71, 72, 74, 76, 69, 69];

    #[test]
    fn keys_are_found_wherever_they_stand() {
        let (c, a) = (Key::new(0, Mode::Major).unwrap(), Key::new(0, Mode::Minor).unwrap());
        for by in -5..=6 {
            let (major, minor) = (tune(&TUNE).transposed(by).unwrap(), tune(&MINOR_TUNE).transposed(by).unwrap());
            assert_eq!(find_key(major.notes()), Some(c.transposed(by)), "{by}");
            assert_eq!(find_key(minor.notes()), Some(a.transposed(by)), "{by}");
            // Each is nearest to its relative, of the other mode.
            assert_eq!(find_key_in(Mode::Minor, major.notes()), Some(a.transposed(by)), "{by}");
            assert_eq!(find_key_in(Mode::Major, minor.notes()), Some(c.transposed(by)), "{by}");
        }
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
        assert_eq!(key_of(&tune(&[])), None);
    }
}
