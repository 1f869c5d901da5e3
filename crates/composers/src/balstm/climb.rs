//! In which order the keys of a frame are decided.

use super::CLASSES;
use cantus_encoding::piano_roll::Keys;
use cantus_model::frames::Past;

/// The lowest key of each frame of a piece, if any sounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Lowest(Vec<Option<u8>>);

impl Past for Lowest {
    fn push(&mut self, frame: Keys) {
        self.0.push(frame.iter().next().map(|key| key.index() as u8));
    }
}

impl Lowest {
    /// That of the frame before frame `step`.
    pub(super) fn before(&self, step: usize) -> Option<usize> {
        self.0[step.checked_sub(1)?].map(usize::from)
    }
}

/// A frame on the way up its keys: from an octave below the lowest one that sounded last to the highest; then from the lowest to there. Begun at
/// the lowest throughout, layers along the keys would count from there, and so know each key's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Climb {
    /// The keys that are decided to sound.
    pub(super) set: u128,
    /// The first key.
    pub(super) start: usize,
}

impl Climb {
    /// Where `lowest` is the lowest key of the frame before.
    pub(super) fn new(set: Keys, lowest: Option<usize>) -> Climb {
        Climb { set: set.bits(), start: lowest.map_or(0, |key| key.saturating_sub(CLASSES)) }
    }

    /// The key, of so many, that is decided after `at` others.
    pub(super) fn key(self, at: usize, keys: usize) -> usize {
        (self.start + at) % keys
    }

    /// What was decided below a key: bit 0 is the next key below it.
    pub(super) fn below(self, key: usize) -> u128 {
        let first = if key < self.start { 0 } else { self.start };
        let known = key - first;
        let down = self.set >> first & ((1 << known) - 1);
        if known == 0 { 0 } else { down.reverse_bits() >> (u128::BITS as usize - known) }
    }
}
