//! A digest of an index that is small enough for a model file: it knows whether an n-gram stands in the training music, not where.
//!
//! Source: B. Bloom, "Space/time trade-offs in hash coding with allowable errors", CACM 13(7), 1970; two hashes in the place of k,
//! A. Kirsch and M. Mitzenmacher, "Less Hashing, Same Performance", ESA 2006. What a filter finds by mistake is known and taken off.

use super::lines::{Voice, lines};
use super::{HeldOut, Index, LENGTHS, Shares};
use crate::base64::{base64, from_base64};
use cantus_score::{Score, Ticks};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Bits for each n-gram, where they fit: one in a hundred is found by mistake.
const BITS: u64 = 10;
/// More hashes than these are no filter of ours.
const MOST_HASHES: u32 = 16;

/// The n-grams of the lines of a corpus as Bloom filters, and what real pieces share with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Pieces in it.
    pub pieces: usize,
    /// What pieces that are not in it show.
    pub held_out: HeldOut,
    /// One for each of [`LENGTHS`].
    filters: [Filter; LENGTHS.len()],
}

/// What a digest says of a piece.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sketch {
    /// Shares of the melody's n-grams, for each of [`LENGTHS`].
    pub melody: Shares,
    /// The longest run of notes of the melody all of whose 8-note n-grams are found, be it in several places: at most so long is what
    /// the melody has copied. 0 where none is found.
    pub longest: usize,
    /// Where it stands in the piece that was looked at; the first of several. `None` where there is none.
    pub place: Option<Place>,
}

/// Where a run of notes stands in a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The bar in which it begins, from 1.
    pub bar: usize,
    /// The bar in which its last note begins.
    pub last_bar: usize,
    /// The onsets of its first and its last note.
    #[serde(skip)]
    pub onsets: RangeInclusive<Ticks>,
}

impl Sketch {
    /// Whether more of the melody is copied than real pieces have in common: of its 8-note n-grams, or in one run.
    pub fn is_copied(&self, real: &HeldOut) -> bool {
        let shares = self.melody[1].is_some_and(|share| real.is_exceeded_by_share(share) == Some(true));
        shares || real.longest.pieces > 0 && self.longest as f64 > real.longest.high
    }

    /// How much of the melody is copied, in one sentence for musicians, beside what real pieces share with one another.
    pub fn sentence(&self, real: &HeldOut) -> String {
        let Some(share) = self.melody[1] else {
            return "Its melody is too short to tell whether any of it is copied.".to_owned();
        };
        if self.longest == 0 {
            return "Nothing of its melody is copied.".to_owned();
        }
        let bars = match &self.place {
            Some(Place { bar, last_bar, .. }) if bar == last_bar => format!(" (bar {bar})"),
            Some(Place { bar, last_bar, .. }) => format!(" (bars {bar}-{last_bar})"),
            None => String::new(),
        };
        let percent = |share: f64| format!("{:.0}%", 100.0 * share);
        let beside = match real.is_exceeded_by_share(share) {
            None => String::new(),
            Some(false) => ", no more than real pieces have in common".to_owned(),
            Some(true) => format!(
                ", more than real pieces have in common: {} of its 8-note runs are found there, of nearly all real pieces under {}",
                percent(share),
                percent(real.melody[1].high)
            ),
        };
        format!("Up to {} notes in a row of its melody{bars} also stand in the training music{beside}.", self.longest)
    }
}

/// Why bytes are no digest.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// No JSON, or not of this form.
    #[error("this is no digest of training music: {0}")]
    Json(#[from] serde_json::Error),
}

impl Digest {
    /// How large a digest is at most, in bytes, unless told otherwise; in JSON a third more.
    pub const MOST_BYTES: usize = 256 << 10;

    /// The digest of an index, with filters of `most_bytes` bytes at most. Where they have no room for all n-grams at 10 bits each, they
    /// are less sure, and the shares that come of them noisier.
    pub fn new(index: &Index, held_out: HeldOut, most_bytes: usize) -> Digest {
        let grams = [0, 1, 2].map(|length| index.grams(length));
        let all: u64 = grams.iter().map(|grams| grams.len() as u64).sum();
        let bytes = (all * BITS).div_ceil(8).min(most_bytes as u64);
        let filter = |grams: Vec<u64>| Filter::new(&grams, (bytes * grams.len() as u64 / all.max(1)) as usize);
        Digest { pieces: index.pieces(), held_out, filters: grams.map(filter) }
    }

    /// What of the melody of `score`, quantised, stands in the training music.
    pub fn check(&self, score: &Score) -> Sketch {
        let lines = lines(score);
        let Some(line) = lines.iter().find(|line| line.voice == Voice::Top) else { return Sketch::default() };
        let found = |length: usize| {
            let filter = &self.filters[length];
            (0..line.events.len()).map(move |at| Some(filter.holds(line.gram(at, LENGTHS[length])?)))
        };
        let share = |length: usize| {
            let raw = crate::mean::mean(found(length).flatten().map(|found| if found { 1.0 } else { 0.0 }))?;
            let mistaken = self.filters[length].mistaken();
            Some(((raw - mistaken) / (1.0 - mistaken)).clamp(0.0, 1.0))
        };
        // The longest run of n-grams that are found, as their places.
        let (mut run, mut most) = (0..0, 0..0);
        for (at, found) in found(1).enumerate() {
            run = if found == Some(true) { run.start..at + 1 } else { at + 1..at + 1 };
            if run.len() > most.len() {
                most = run.clone();
            }
        }
        let notes = if most.is_empty() { 0 } else { most.len() + LENGTHS[1] - 1 };
        let place = line.events.get(most.start..most.start + notes).and_then(|notes| {
            let (first, last) = (notes.first()?, notes.last()?);
            let [bar, last_bar] = [first, last].map(|event| event.bar as usize);
            Some(Place { bar, last_bar, onsets: first.onset..=last.onset })
        });
        Sketch { melody: [0, 1, 2].map(share), longest: notes, place }
    }

    /// The digest as JSON: for a model file, or a file of its own.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads what [`Digest::to_json`] gave.
    ///
    /// # Errors
    /// [`DigestError`], where it is something else, or does not hold together.
    pub fn from_json(json: &serde_json::Value) -> Result<Digest, DigestError> {
        Ok(Digest::deserialize(json)?)
    }
}

/// A set that may hold more than was put in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
struct Filter {
    hashes: u32,
    bytes: Vec<u8>,
}

/// As it stands in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    hashes: u32,
    bits: String,
}

impl Filter {
    fn new(grams: &[u64], size: usize) -> Filter {
        let bytes = vec![0; size.max(1)];
        // ln 2 times the bits to a key is the best number of hashes.
        let bits = 8.0 * bytes.len() as f64 / grams.len().max(1) as f64;
        let hashes = (bits * std::f64::consts::LN_2).round().clamp(1.0, f64::from(MOST_HASHES)) as u32;
        let mut filter = Filter { hashes, bytes };
        for gram in grams {
            for (byte, bit) in filter.places(*gram).collect::<Vec<_>>() {
                filter.bytes[byte] |= bit;
            }
        }
        filter
    }

    fn places(&self, gram: u64) -> impl Iterator<Item = (usize, u8)> {
        let bits = 8 * self.bytes.len() as u64;
        let (first, step) = (gram, gram.rotate_right(32) | 1);
        (0..u64::from(self.hashes)).map(move |k| {
            let place = first.wrapping_add(k.wrapping_mul(step)) % bits;
            ((place / 8) as usize, 1 << (place % 8))
        })
    }

    fn holds(&self, gram: u64) -> bool {
        self.places(gram).all(|(byte, bit)| self.bytes[byte] & bit != 0)
    }

    /// The share of other n-grams that are found by mistake.
    fn mistaken(&self) -> f64 {
        let set: u64 = self.bytes.iter().map(|byte| u64::from(byte.count_ones())).sum();
        let full = set as f64 / (8 * self.bytes.len()) as f64;
        // Of a full filter nothing can be learnt; dividing by what is left must not give infinity.
        full.powi(self.hashes as i32).min(1.0 - f64::EPSILON)
    }
}

impl From<Filter> for Stored {
    fn from(filter: Filter) -> Stored {
        Stored { hashes: filter.hashes, bits: base64(&filter.bytes) }
    }
}

impl TryFrom<Stored> for Filter {
    type Error = String;
    fn try_from(stored: Stored) -> Result<Filter, String> {
        let bytes = from_base64(&stored.bits).ok_or("the bits of a filter are no base64")?;
        if bytes.is_empty() || !(1..=MOST_HASHES).contains(&stored.hashes) {
            return Err(format!("a filter of {} bytes with {} hashes", bytes.len(), stored.hashes));
        }
        Ok(Filter { hashes: stored.hashes, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{random_piece, transformed};
    use super::*;

    fn index(pieces: u64) -> (Index, Vec<Score>) {
        let scores: Vec<Score> = (0..pieces).map(random_piece).collect();
        let names: Vec<String> = (0..pieces).map(|k| format!("{k}")).collect();
        (Index::new(names.iter().map(String::as_str).zip(&scores)), scores)
    }

    #[test]
    fn a_digest_says_what_the_index_says() {
        let (index, scores) = index(60);
        let digest = Digest::new(&index, HeldOut::default(), Digest::MOST_BYTES);
        let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() < 0.05;
        for seed in [1000, 1001, 1002] {
            let (exact, sketch) = (index.check(&random_piece(seed)), digest.check(&random_piece(seed)));
            assert!((0..3).all(|k| close(exact.melody[k], sketch.melody[k])), "{exact:?} {sketch:?}");
        }
        let copy = digest.check(&transformed(&scores[7], 3, 1));
        assert_eq!(copy.melody, [Some(1.0); 3]);
        let exact = index.check(&scores[7]).longest.unwrap();
        assert_eq!(exact.piece, "7");
        assert!(copy.longest >= 60, "{copy:?}");
        let place = copy.place.unwrap();
        assert!(place.bar == exact.bar && place.last_bar >= place.bar && place.onsets.start() < place.onsets.end());
    }

    #[test]
    fn a_sentence_says_how_much_is_copied() {
        let sketch = |share, longest, bars: Option<(usize, usize)>| Sketch {
            melody: [None, share, None],
            longest,
            place: bars.map(|(bar, last_bar)| Place { bar, last_bar, onsets: Ticks(0)..=Ticks(1) }),
        };
        let real = |high| {
            let mut held_out = HeldOut::default();
            held_out.melody[1] = super::super::Range { pieces: 40, high, ..Default::default() };
            held_out
        };
        let said = |sketch: &Sketch, high| sketch.sentence(&real(high));
        assert_eq!(said(&sketch(None, 0, None), 0.07), "Its melody is too short to tell whether any of it is copied.");
        assert_eq!(said(&sketch(Some(0.0), 0, None), 0.07), "Nothing of its melody is copied.");
        assert_eq!(
            said(&sketch(Some(0.01), 8, Some((3, 3))), 0.07),
            "Up to 8 notes in a row of its melody (bar 3) also stand in the training music, no more than real pieces have in common."
        );
        assert_eq!(
            said(&sketch(Some(0.31), 21, Some((3, 7))), 0.07),
            "Up to 21 notes in a row of its melody (bars 3-7) also stand in the training music, more than real pieces have in \
             common: 31% of its 8-note runs are found there, of nearly all real pieces under 7%."
        );
        let is_copied = |share, longest: usize, most| {
            let mut held_out = real(0.07);
            held_out.longest = super::super::Range { pieces: 40, high: most, ..Default::default() };
            sketch(Some(share), longest, None).is_copied(&held_out)
        };
        assert!(is_copied(0.08, 9, 12.0) && is_copied(0.05, 13, 12.0) && !is_copied(0.05, 12, 12.0));
        assert!(!sketch(Some(1.0), 99, None).is_copied(&HeldOut::default()), "there is nothing to hold it against");
        let alone = sketch(Some(0.31), 21, Some((3, 7))).sentence(&HeldOut::default());
        assert_eq!(alone, "Up to 21 notes in a row of its melody (bars 3-7) also stand in the training music.");
    }

    #[test]
    fn a_digest_survives_storing_and_is_bounded() {
        let (index, _) = index(60);
        let digest = Digest::new(&index, HeldOut::default(), Digest::MOST_BYTES);
        let json = digest.to_json();
        assert_eq!(Digest::from_json(&json).unwrap(), digest);
        let small = Digest::new(&index, HeldOut::default(), 3000);
        let size: usize = small.filters.iter().map(|filter| filter.bytes.len()).sum();
        assert!(size <= 3000, "{size}");
        assert!(small.to_json().to_string().len() < 6000);
        // One bit to the n-gram is unsure, and says so.
        assert!(small.filters[1].mistaken() > 0.1 && digest.filters[1].mistaken() < 0.02);
    }

    #[test]
    fn damaged_digests_are_refused() {
        let (index, scores) = index(3);
        let good = Digest::new(&index, HeldOut::default(), Digest::MOST_BYTES).to_json();
        let with = |field: &str, value: serde_json::Value| {
            let mut json = good.clone();
            json["filters"][0][field] = value;
            Digest::from_json(&json)
        };
        assert!(with("bits", "".into()).is_err());
        assert!(with("bits", "*".into()).is_err());
        assert!(with("bits", "A".into()).is_err());
        assert!(with("hashes", 0.into()).is_err());
        assert!(with("hashes", 4_000_000_000u32.into()).is_err());
        // A filter of another size is another filter, and no panic.
        assert!(with("bits", "AAAA".into()).unwrap().check(&scores[0]).melody[0].is_some());
        assert!(Digest::from_json(&serde_json::Value::Null).is_err());
    }
}
