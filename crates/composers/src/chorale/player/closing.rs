//! How a piece ends of which some is given: on the tonic, all voices together.

use cantus_encoding::voices::{self, Chord, ITEMS, VOICES};
use cantus_model::choir::{ALL, Given};
use cantus_score::{Key, Mode, Pitch};
use std::ops::Range;

/// The bass.
const BASS: usize = VOICES - 1;

/// The last chord.
#[derive(Clone, Debug)]
pub(in super::super) struct Closing {
    /// The steps for which it is held.
    steps: Range<usize>,
    /// What the voices may sing then.
    items: u128,
    /// What the bass sings.
    bass: Pitch,
}

impl Closing {
    /// The tonic's triad from step `from` to the end, in the first of `keys` to which what is given there belongs; `None` where it
    /// belongs to none, and where all is given. `allowed` are the items that the model has heard.
    pub(super) fn of(
        given: &[Given],
        from: usize,
        keys: impl IntoIterator<Item = Key>,
        allowed: u128,
    ) -> Option<Closing> {
        let last = *given.get(from..)?.last()?;
        if last.voices == ALL {
            return None;
        }
        let sung: Vec<Pitch> = known(last).filter_map(|voice| last.chord.pitch(voice)).collect();
        // Files name C major where nobody cared: a key whose tonic is sung is believed first.
        let mut keys: Vec<Key> = keys.into_iter().collect();
        keys.sort_by_key(|key| !sung.iter().any(|pitch| above_tonic(*pitch, *key) == 0));
        keys.into_iter().find_map(|key| {
            let above = |pitch: Pitch| above_tonic(pitch, key);
            // A piece in minor may end in major: where the line says so.
            let third = if key.mode() == Mode::Major || sung.iter().any(|pitch| above(*pitch) == 4) { 4 } else { 3 };
            let belongs = |pitch: Pitch| [0, third, 7].contains(&above(pitch));
            if !sung.iter().all(|pitch| belongs(*pitch)) {
                return None;
            }
            let fits = |item: &usize| {
                let pitch = voices::pitch_of(*item);
                if voices::voice_of(*item) == BASS { above(pitch) == 0 } else { belongs(pitch) }
            };
            let items = (0..ITEMS).filter(fits).fold(0, |all, item| all | 1u128 << item) & allowed;
            let bass = if last.knows(BASS) {
                last.chord.pitch(BASS).filter(|pitch| above(*pitch) == 0)?
            } else {
                resting_place(items, allowed, sung.iter().min().copied())?
            };
            Some(Closing { steps: from..given.len(), items, bass })
        })
    }

    /// What is given, and the bass of the last chord: what is seen ahead leads up to it.
    pub(super) fn seen_ahead(&self, given: &[Given]) -> Vec<Given> {
        let mut given = given.to_vec();
        for given in &mut given[self.steps.clone()] {
            *given = Given { voices: given.voices | 1 << BASS, chord: given.chord.with(BASS, Some(self.bass)) };
        }
        given
    }

    /// What the voices may sing at a step, where it belongs to the last chord.
    pub(super) fn items(&self, step: usize) -> Option<u128> {
        self.steps.contains(&step).then_some(self.items)
    }

    /// The last chord, once it has begun: it is held, but for what is given otherwise.
    pub(super) fn held(&self, step: usize, before: Option<Chord>, given: Given) -> Option<Chord> {
        let begun = before.filter(|_| step > self.steps.start && self.steps.contains(&step))?;
        Some(known(given).fold(begun, |chord, voice| chord.with(voice, given.chord.pitch(voice))))
    }
}

/// The voices that are given.
fn known(given: Given) -> impl Iterator<Item = usize> {
    (0..VOICES).filter(move |voice| given.knows(*voice))
}

/// How many semitones a pitch lies above the next lower tonic.
fn above_tonic(pitch: Pitch, key: Key) -> i32 {
    (i32::from(pitch.class()) - i32::from(key.tonic())).rem_euclid(12)
}

/// The bass's own pitch among `items` that lies nearest to the middle of its range, below all that is sung.
fn resting_place(items: u128, allowed: u128, below: Option<Pitch>) -> Option<Pitch> {
    let own = |set: u128| {
        voices::items(set)
            .filter(|item| voices::voice_of(*item) == BASS)
            .map(|item| i32::from(voices::pitch_of(item).get()))
    };
    let middle = own(allowed).min()?.midpoint(own(allowed).max()?);
    let ceiling = below.map_or(128, |pitch| i32::from(pitch.get()));
    let nearest = own(items).filter(|pitch| *pitch < ceiling).min_by_key(|pitch| ((pitch - middle).abs(), *pitch))?;
    u8::try_from(nearest).ok().and_then(|pitch| Pitch::try_from(pitch).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soprano(pitch: u8) -> Given {
        Given { voices: 1, chord: Chord::REST.with(0, Pitch::try_from(pitch).ok()) }
    }

    fn key(fifths: i8, mode: Mode) -> Key {
        Key::new(fifths, mode).unwrap()
    }

    #[test]
    fn the_last_chord_is_the_tonics_where_the_line_belongs_to_it() {
        let closing = |pitch: u8, keys: &[Key]| {
            let given = [soprano(67), soprano(pitch), soprano(pitch)];
            Closing::of(&given, 1, keys.iter().copied(), u128::MAX)
        };
        let (c, g, a_minor) = (key(0, Mode::Major), key(1, Mode::Major), key(0, Mode::Minor));
        let classes = |closing: &Closing, voice: usize| {
            let own = voices::items(closing.items).filter(|item| voices::voice_of(*item) == voice);
            let mut classes: Vec<u8> = own.map(|item| voices::pitch_of(item).class()).collect();
            classes.sort_unstable();
            classes.dedup();
            classes
        };
        let found = closing(72, &[c]).unwrap();
        assert_eq!((classes(&found, 1), classes(&found, BASS)), (vec![0, 4, 7], vec![0]));
        assert_eq!((found.bass.class(), found.steps), (0, 1..3));
        // The named key has it as its fifth, the found one as its tonic.
        assert_eq!(classes(&closing(67, &[c, g]).unwrap(), BASS), [7]);
        assert_eq!(classes(&closing(67, &[c]).unwrap(), BASS), [0]);
        // A line that ends elsewhere stays open; in minor a line may say that the end is major.
        assert!(closing(74, &[c]).is_none());
        assert_eq!(classes(&closing(69, &[a_minor]).unwrap(), 1), [0, 4, 9]);
        assert_eq!(classes(&closing(73, &[a_minor]).unwrap(), 1), [1, 4, 9]);
    }

    #[test]
    fn a_last_chord_that_is_given_stays() {
        let all = Given { voices: ALL, ..soprano(72) };
        assert!(Closing::of(&[all], 0, [key(0, Mode::Major)], u128::MAX).is_none());
        let bass = |pitch: u8| Given { voices: 1 << BASS, chord: Chord::REST.with(BASS, Pitch::try_from(pitch).ok()) };
        assert!(Closing::of(&[bass(48)], 0, [key(0, Mode::Major)], u128::MAX).is_some());
        assert!(Closing::of(&[bass(43)], 0, [key(0, Mode::Major)], u128::MAX).is_none());
    }
}
