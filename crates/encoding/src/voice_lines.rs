//! `voice_lines`: the [`crate::voices`] of a choir as four lines of sites.
//!
//! A *site* is a voice at a step of the grid. It has one [`Symbol`]: a pitch, which is struck there; *hold*, which goes on with whatever
//! the voice did before, sound or silence; or a rest, which begins there. So a long note has its pitch in one place, and changing it is
//! changing one site. What [`crate::voices`] lose, that a pitch is struck again, is kept.
//!
//! Source: G. Hadjeres, F. Pachet, F. Nielsen, DeepBach, ICML 2017, arXiv:1612.01010v2, section 2.1. Departures: a rest is held as a note
//! is; pitches are MIDI's and have no spelling, so that C# and D flat are one.

use crate::voices::{self, Chord, SPAN, VOICES};
use cantus_score::{Pitch, Score, TicksPerQuarter};

/// How many symbols a site may have: the pitches of its voice, hold, a rest.
pub const SYMBOLS: usize = SPAN + 2;

/// What stands at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u8);

impl Symbol {
    /// What the voice did before goes on.
    pub const HOLD: Symbol = Symbol(SPAN as u8);
    /// A rest begins.
    pub const REST: Symbol = Symbol(SPAN as u8 + 1);

    /// The symbol of an index, see [`Symbol::index`]; `None` beyond [`SYMBOLS`].
    pub fn new(index: usize) -> Option<Symbol> {
        (index < SYMBOLS).then_some(Symbol(index as u8))
    }

    /// Its index among those of its voice: first the pitches from the lowest up, then hold, then a rest.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// How far above the lowest pitch of its voice it strikes; `None` where it strikes nothing.
    pub fn struck(self) -> Option<usize> {
        (self.index() < SPAN).then_some(self.index())
    }

    /// The pitch that it strikes in a voice; `None` where it strikes nothing.
    pub fn pitch(self, voice: usize) -> Option<Pitch> {
        self.struck().map(|above| voices::pitch_of(SPAN * (VOICES - 1 - voice) + above))
    }

    /// The same moved up by so many semitones; it stays where its voice cannot go.
    #[must_use]
    pub fn moved(self, semitones: i32) -> Symbol {
        let moved = self.struck().and_then(|above| usize::try_from(above as i32 + semitones).ok());
        moved.filter(|above| *above < SPAN).map_or(self, |above| Symbol(above as u8))
    }

    /// What strikes what `chord` has in a voice.
    pub fn striking(voice: usize, chord: Chord) -> Symbol {
        let item = chord.pitch(voice).and_then(|pitch| voices::item(voice, pitch));
        item.map_or(Symbol::REST, |item| Symbol((item % SPAN) as u8))
    }
}

/// The sites of a step, from the soprano down.
pub type Sites = [Symbol; VOICES];

/// What voices sing at a step, given what they sang at the step before.
pub fn sung(before: Chord, sites: Sites) -> Chord {
    let sing = |chord: Chord, voice: usize| match sites[voice] {
        Symbol::HOLD => chord,
        symbol => chord.with(voice, symbol.pitch(voice)),
    };
    (0..VOICES).fold(before, sing)
}

/// What voices sing at each step.
pub fn chords(sites: &[Sites]) -> Vec<Chord> {
    let mut chord = Chord::REST;
    let mut next = |sites: &Sites| {
        chord = sung(chord, *sites);
        chord
    };
    sites.iter().map(&mut next).collect()
}

/// The sites of chords; a pitch that stays is struck again where `again` says so of a step and a voice.
pub fn of_chords(chords: &[Chord], again: impl Fn(usize, usize) -> bool) -> Vec<Sites> {
    let site = |step: usize, voice: usize| {
        let before = step.checked_sub(1).map_or(Chord::REST, |before| chords[before]);
        let stays = before.pitch(voice) == chords[step].pitch(voice);
        let is_struck = !stays || (chords[step].pitch(voice).is_some() && again(step, voice));
        if is_struck { Symbol::striking(voice, chords[step]) } else { Symbol::HOLD }
    };
    (0..chords.len()).map(|step| std::array::from_fn(|voice| site(step, voice))).collect()
}

/// A quantised score (one tick a step) as sites, divided among the voices as [`voices::read`] does. Where `attacks` are known, a pitch that
/// stays is struck again at every onset; otherwise it is held.
pub fn read(score: &Score, attacks: bool) -> Vec<Sites> {
    let chords = voices::read(score);
    let mut struck = vec![0u128; if attacks { chords.len() } else { 0 }];
    for note in score.parts.iter().filter(|part| !part.drums).flat_map(|part| &part.notes) {
        if let Some(keys) = usize::try_from(note.onset.0).ok().and_then(|step| struck.get_mut(step)) {
            *keys |= 1 << note.pitch.get();
        }
    }
    of_chords(&chords, |step, voice| {
        let key = chords[step].pitch(voice).map_or(0, |pitch| 1u128 << pitch.get());
        struck.get(step).is_some_and(|keys| keys & key != 0)
    })
}

/// Sites as a score of four parts, one tick a step.
pub fn write(sites: &[Sites], steps_per_quarter: TicksPerQuarter) -> Score {
    voices::write(&chords(sites), steps_per_quarter, |step, voice| sites[step][voice].struck().is_some())
}

/// What [`write()`] makes of [`read`]: four parts, all notes equally loud.
pub fn canonicalize(score: &Score) -> Score {
    write(&read(score, true), score.ticks_per_quarter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::Pitch;
    use proptest::prelude::*;

    const GRID: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

    fn any_sites() -> impl Strategy<Value = Vec<Sites>> {
        let symbol = || (0..SYMBOLS).prop_map(|index| Symbol::new(index).unwrap());
        prop::collection::vec(prop::array::uniform4(symbol()), 1..40)
    }

    /// Lines that do not cross and never rest: who sings what is beyond doubt.
    fn chorale() -> impl Strategy<Value = Vec<Sites>> {
        let site = |low: usize| prop_oneof![(low..low + 6).prop_map(|k| Symbol::new(k).unwrap()), Just(Symbol::HOLD)];
        let step = (site(12), site(10), site(8), site(2)).prop_map(|(s, a, t, b)| [s, a, t, b]);
        let first = [12, 10, 8, 2].map(|k| Symbol::new(k).unwrap());
        prop::collection::vec(step, 0..40).prop_map(move |mut steps| {
            steps.insert(0, first);
            steps
        })
    }

    proptest! {
        #[test]
        fn any_sites_decode_and_their_chords_are_sung_as_they_are_written(sites in any_sites()) {
            let score = write(&sites, GRID);
            let mut sounding = vec![Chord::REST; sites.len()];
            for (voice, part) in score.parts.iter().enumerate() {
                for note in &part.notes {
                    for chord in &mut sounding[note.onset.0 as usize..note.end().0 as usize] {
                        *chord = chord.with(voice, Some(note.pitch));
                    }
                }
            }
            prop_assert_eq!(&chords(&sites), &sounding);
            // Rests that are said twice, and holding nothing, are said once.
            let again = of_chords(&sounding, |step, voice| sites[step][voice].struck().is_some());
            prop_assert_eq!(write(&again, GRID), score);
        }

        #[test]
        fn lines_survive_as_sites(sites in chorale()) {
            let score = write(&sites, GRID);
            prop_assert_eq!(&read(&score, true), &sites);
            prop_assert_eq!(canonicalize(&score), score.clone());
            // Without attacks a pitch that stays is held.
            let held = read(&score, false);
            prop_assert_eq!(chords(&held), chords(&sites));
            prop_assert!(held.iter().flatten().filter(|s| s.struck().is_some()).count()
                <= sites.iter().flatten().filter(|s| s.struck().is_some()).count());
        }
    }

    #[test]
    fn a_symbol_moves_with_the_key_and_never_out_of_its_voice() {
        let symbol = |index| Symbol::new(index).unwrap();
        assert_eq!((symbol(5).moved(3), symbol(5).moved(-5)), (symbol(8), symbol(0)));
        assert_eq!((symbol(5).moved(-6), symbol(30).moved(2)), (symbol(5), symbol(30)));
        assert_eq!((Symbol::HOLD.moved(3), Symbol::REST.moved(-40)), (Symbol::HOLD, Symbol::REST));
        assert_eq!(Symbol::new(SYMBOLS), None);
    }

    #[test]
    fn a_pitch_struck_again_is_a_site_and_a_held_one_is_not() {
        let chord = Chord::new([72u8, 67, 64, 48].map(|pitch| Pitch::try_from(pitch).ok()));
        let sites = of_chords(&[chord; 4], |step, voice| (step, voice) == (2, 3));
        assert_eq!(sites[1], [Symbol::HOLD; VOICES]);
        assert_eq!(sites[2], [Symbol::HOLD, Symbol::HOLD, Symbol::HOLD, Symbol::striking(3, chord)]);
        let bass = &write(&sites, GRID).parts[3].notes;
        assert_eq!(bass.iter().map(|note| (note.onset.0, note.duration.0)).collect::<Vec<_>>(), [(0, 2), (2, 2)]);
        let score = write(&sites, GRID);
        let merged = Score { parts: vec![cantus_score::merge_parts(&score.parts)], ..score };
        assert_eq!(read(&merged, true), sites);
    }
}
