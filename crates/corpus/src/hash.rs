//! What a piece is known by: its notes, whatever its file is called and whatever key it stands in.

use cantus_score::{Score, TicksPerQuarter};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// SHA-256 of music.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of the piece, the same for every transposition of it and after any silence at the beginning.
    ///
    /// It covers which intervals are struck when, on the piece's grid. It leaves out how long notes are held, velocities, tempo and
    /// metre: two files that differ in these alone are the same piece, and must not stand on both sides of the split.
    ///
    /// `score` holds quantised notes in one sorted part.
    pub fn of(score: &Score) -> ContentHash {
        let mut hash = start(b"cantus piece 1", score.ticks_per_quarter);
        let first = score.notes().next().copied();
        for (note, first) in score.notes().zip(first.iter().cycle()) {
            hash.update((note.onset - first.onset).0.to_le_bytes());
            hash.update((i16::from(note.pitch.get()) - i16::from(first.pitch.get())).to_le_bytes());
        }
        ContentHash(hash.finalize().into())
    }

    /// The hash of everything that a composer may learn from: `scores` in the order given.
    ///
    /// # Errors
    /// The first of `scores`.
    pub(crate) fn of_corpus<E>(scores: impl Iterator<Item = Result<(u8, Score), E>>) -> Result<ContentHash, E> {
        let mut hash = Sha256::new_with_prefix(b"cantus corpus 1");
        for score in scores {
            let (split, score) = score?;
            let mut piece = start(&[split], score.ticks_per_quarter);
            for (at, meter) in &score.meters {
                piece.update(at.0.to_le_bytes());
                piece.update([meter.numerator(), meter.denominator()]);
            }
            piece.update([0xff]);
            for (at, tempo) in &score.tempos {
                piece.update(at.0.to_le_bytes());
                piece.update(tempo.micros_per_quarter().to_le_bytes());
            }
            piece.update([0xff]);
            for note in score.notes() {
                piece.update(note.onset.0.to_le_bytes());
                piece.update(note.duration.0.to_le_bytes());
                piece.update([note.pitch.get(), note.velocity.get()]);
            }
            for (at, symbol) in &score.chords {
                piece.update(at.0.to_le_bytes());
                piece.update(symbol.as_bytes());
            }
            hash.update(piece.finalize());
        }
        Ok(ContentHash(hash.finalize().into()))
    }

    /// Another number of the hash, as evenly spread, that has nothing to do with [`ContentHash::fraction`].
    pub(crate) fn lot(&self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The hash as a number, 0 <= x < 1, evenly spread over all music.
    pub fn fraction(&self) -> f64 {
        let [a, b, c, d, e, f, g, ..] = self.0;
        // 53 bits, as many as a f64 holds exactly.
        let bits = u64::from_be_bytes([0, a, b, c, d, e, f, g]) >> 3;
        bits as f64 / (1u64 << 53) as f64
    }
}

fn start(kind: &[u8], grid: TicksPerQuarter) -> Sha256 {
    Sha256::new_with_prefix(kind).chain_update(grid.get().to_le_bytes())
}

/// Hexadecimal.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ContentHash, D::Error> {
        let text = String::deserialize(from)?;
        let bytes: Option<Vec<u8>> = (0..text.len())
            .step_by(2)
            .map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(ContentHash).ok_or_else(|| D::Error::custom("a hash has 64 hexadecimal digits"))
    }
}
