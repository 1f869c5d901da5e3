//! What a listener keeps of a corpus, small enough for a model file: single pieces can be held against the corpus without it.

use super::features::{FIGURES_HEARD, Features, TURNS};
use super::{
    FOLDS, Heard, LEAST_PIECES, LEAST_QUARTERS, ask, common_quarters, count_pieces, excerpts, hear, usual_excerpts,
    usual_quarters,
};
use crate::base64::{base64, from_base64};
use crate::mean::mean;
use cantus_score::{Score, TicksPerQuarter};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Pieces of which something is kept, evenly spread; of every so many-th more than its beginning.
const PIECES: usize = 72;
const WHOLE_EVERY: usize = 4;
/// Bytes of a figure and of a turn.
const FIGURE: usize = 2;
const TURN: usize = 3;

/// Excerpts of a corpus as a listener hears them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Reference {
    /// The grid of its pieces, in steps to a quarter: whatever is held against them has to be on it.
    steps: TicksPerQuarter,
    /// Excerpts of one length and of half of it, the longer ones first.
    lengths: Vec<Excerpts>,
}

#[derive(Clone, Debug, PartialEq)]
struct Excerpts {
    quarters: u64,
    /// How many one piece has at most.
    most: usize,
    kept: Vec<Kept>,
}

#[derive(Clone, Debug, PartialEq)]
struct Kept {
    /// Which piece it is of, and the how many-th of that.
    piece: u8,
    place: u8,
    features: Features,
}

impl Reference {
    /// Of the pieces of a corpus, all on one grid; `None` where too few are long enough.
    pub fn of(pieces: &[&Score]) -> Option<Reference> {
        let steps = pieces.first()?.ticks_per_quarter;
        let whole = usual_quarters(pieces)?.min(common_quarters(pieces)?);
        let lengths = [whole, whole / 2].into_iter().filter(|quarters| *quarters >= LEAST_QUARTERS);
        let lengths: Vec<Excerpts> = lengths.map(|quarters| Excerpts::of(pieces, quarters)).collect();
        let is_enough = |excerpts: &Excerpts| excerpts.pieces() >= LEAST_PIECES;
        (!lengths.is_empty() && lengths.iter().all(is_enough)).then_some(Reference { steps, lengths })
    }

    /// The grid on which pieces have to be.
    pub fn steps(&self) -> TicksPerQuarter {
        self.steps
    }

    /// Of each piece of a set the log-odds that a listener takes it for one of the corpus, after it has heard the corpus and other pieces of
    /// the set; the mean over its excerpts, of the longest ones that it has. `None` where it has none, or too few pieces of the set have.
    pub fn judge(&self, set: &[&Score]) -> Vec<Option<f64>> {
        let mut judged = vec![None; set.len()];
        for excerpts_of in &self.lengths {
            let said = self.judge_by(excerpts_of, set).unwrap_or_default();
            judged.iter_mut().zip(said).for_each(|(judged, said)| *judged = judged.or(said));
        }
        judged
    }

    /// The same by excerpts of one length.
    fn judge_by(&self, excerpts_of: &Excerpts, set: &[&Score]) -> Option<Vec<Option<f64>>> {
        let quarters = excerpts_of.quarters;
        let most = excerpts_of.most.min(usual_excerpts(set, quarters));
        let corpus = excerpts_of.kept.iter().filter(|kept| usize::from(kept.place) < most);
        let corpus = corpus.map(|kept| Heard::of(false, kept.piece.into(), kept.features.clone()));
        let of_set = hear(set, true, quarters, most);
        if count_pieces(&of_set) < LEAST_PIECES {
            return None;
        }
        let heard: Vec<Heard> = corpus.chain(of_set).collect();
        let answers: Vec<(usize, f64)> = (0..FOLDS)
            .into_par_iter()
            .flat_map_iter(|fold| {
                let asked = heard.iter().filter(move |heard| heard.fold == fold);
                let said = asked.zip(ask(&heard, fold));
                said.filter(|(heard, _)| heard.is_second)
                    .map(|(heard, (odds, _))| (heard.piece, -odds))
                    .collect::<Vec<_>>()
            })
            .collect();
        let of_piece = |piece: usize| mean(answers.iter().filter(|(of, _)| *of == piece).map(|(_, odds)| *odds));
        Some((0..set.len()).map(of_piece).collect())
    }

    /// As JSON, for a model file.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads what [`Reference::to_json`] gave; `None` where it is something else, or what a listener hears has changed since.
    pub fn from_json(json: &serde_json::Value) -> Option<Reference> {
        Reference::deserialize(json).ok()
    }
}

impl Excerpts {
    fn of(pieces: &[&Score], quarters: u64) -> Excerpts {
        let most = usual_excerpts(pieces, quarters);
        let long: Vec<&&Score> = pieces
            .iter()
            .filter(|score| score.end().0 >= quarters * u64::from(score.ticks_per_quarter.get()))
            .collect();
        let count = long.len().min(PIECES);
        let of_piece = |piece: usize| -> Vec<Kept> {
            let most = if piece.is_multiple_of(WHOLE_EVERY) { most } else { 1 };
            let excerpts = excerpts(long[piece * long.len() / count], quarters, most);
            let keep = |(place, excerpt): (usize, Score)| {
                let features = Features::of(&excerpt).rounded();
                Kept { piece: piece as u8, place: place as u8, features }
            };
            excerpts.into_iter().enumerate().map(keep).collect()
        };
        Excerpts { quarters, most, kept: (0..count).into_par_iter().flat_map_iter(of_piece).collect() }
    }

    fn pieces(&self) -> usize {
        self.kept.chunk_by(|a, b| a.piece == b.piece).count()
    }
}

impl Features {
    /// Figures with as many digits as are kept: the upper half of an `f32`.
    fn rounded(mut self) -> Features {
        for figure in self.figures.iter_mut().flatten() {
            *figure = from_half(half(*figure));
        }
        self
    }

    /// As bytes: figures, the number of turns, turns and how often (at most 255).
    fn write(&self, bytes: &mut Vec<u8>) {
        self.figures.iter().for_each(|figure| bytes.extend(half(figure.unwrap_or(f64::NAN)).to_le_bytes()));
        bytes.extend((self.turns.len() as u16).to_le_bytes());
        for (turn, count) in &self.turns {
            bytes.extend(turn.to_le_bytes());
            bytes.push((*count).min(255) as u8);
        }
    }

    /// Reads what [`Features::write`] wrote, from the front of `bytes`.
    fn read(bytes: &mut &[u8]) -> Option<Features> {
        let (figures, rest) = bytes.split_at_checked(FIGURE * FIGURES_HEARD)?;
        let (count, rest) = rest.split_at_checked(2)?;
        let count = usize::from(u16::from_le_bytes(count.try_into().ok()?));
        let (turns, rest) = rest.split_at_checked(TURN * count)?;
        let figure = |k: usize| {
            let figure = from_half(u16::from_le_bytes([figures[FIGURE * k], figures[FIGURE * k + 1]]));
            figure.is_finite().then_some(figure)
        };
        let turns = turns.chunks(TURN).map(|turn| (u16::from_le_bytes([turn[0], turn[1]]), u16::from(turn[2])));
        let turns: Vec<(u16, u16)> = turns.collect();
        if turns.iter().any(|(turn, count)| usize::from(*turn) >= TURNS || *count == 0) {
            return None;
        }
        *bytes = rest;
        Some(Features { figures: std::array::from_fn(figure), turns })
    }
}

/// The upper half of a number as an `f32`, rounded to it.
fn half(value: f64) -> u16 {
    let bits = (value as f32).to_bits();
    if value.is_finite() { (bits.saturating_add(0x8000) >> 16) as u16 } else { 0x7fc0 }
}

fn from_half(half: u16) -> f64 {
    f32::from_bits(u32::from(half) << 16).into()
}

/// As it stands in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    steps: u32,
    /// Figures of an excerpt: where their number has changed, so have they.
    figures: usize,
    lengths: Vec<StoredExcerpts>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredExcerpts {
    quarters: u64,
    most: usize,
    kept: String,
}

impl From<Reference> for Stored {
    fn from(reference: Reference) -> Stored {
        let stored = |excerpts: Excerpts| {
            let mut bytes = Vec::new();
            for kept in &excerpts.kept {
                bytes.extend([kept.piece, kept.place]);
                kept.features.write(&mut bytes);
            }
            StoredExcerpts { quarters: excerpts.quarters, most: excerpts.most, kept: base64(&bytes) }
        };
        Stored {
            steps: reference.steps.get(),
            figures: FIGURES_HEARD,
            lengths: reference.lengths.into_iter().map(stored).collect(),
        }
    }
}

impl TryFrom<Stored> for Reference {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Reference, String> {
        if stored.figures != FIGURES_HEARD {
            return Err(format!("excerpts of {} figures", stored.figures));
        }
        let excerpts = |stored: StoredExcerpts| -> Option<Excerpts> {
            let bytes = from_base64(&stored.kept)?;
            let (mut bytes, mut kept) = (&bytes[..], Vec::new());
            while let Some(([piece, place], rest)) = bytes.split_first_chunk() {
                bytes = rest;
                kept.push(Kept { piece: *piece, place: *place, features: Features::read(&mut bytes)? });
            }
            let excerpts = Excerpts { quarters: stored.quarters, most: stored.most, kept };
            let is_sound = excerpts.quarters >= LEAST_QUARTERS && excerpts.pieces() >= LEAST_PIECES;
            (bytes.is_empty() && is_sound).then_some(excerpts)
        };
        let lengths: Option<Vec<Excerpts>> = stored.lengths.into_iter().map(excerpts).collect();
        let steps = TicksPerQuarter::new(stored.steps).ok_or("no grid")?;
        let lengths = lengths.filter(|lengths| !lengths.is_empty()).ok_or("excerpts that do not hold together")?;
        Ok(Reference { steps, lengths })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::tune;
    use super::*;
    use cantus_score::Ticks;

    fn set(from: u64, count: u64, leap: u64) -> Vec<Score> {
        (from..from + count).map(|seed| tune(seed, leap)).collect()
    }

    fn reference() -> Reference {
        Reference::of(&set(0, 100, 2).iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_is_like_the_corpus_stands_before_what_is_not() {
        let reference = reference();
        // Of thirty pieces every third is of the corpus's kind.
        let mixed: Vec<Score> = (0..30).map(|k| tune(1000 + k, if k % 3 == 0 { 2 } else { 5 })).collect();
        let odds = reference.judge(&mixed.iter().collect::<Vec<_>>());
        let mut order: Vec<usize> = (0..30).collect();
        order.sort_by(|a, b| odds[*b].unwrap().total_cmp(&odds[*a].unwrap()));
        let first = order[..10].iter().filter(|k| **k % 3 == 0).count();
        assert!(first >= 8, "{order:?}");
        // Short ones are heard by what is kept of half the length; the shortest are not heard.
        let of_length = |k: usize| Ticks(4 * [96, 40, 20][k % 3]);
        let cut: Vec<Score> = mixed.iter().enumerate().map(|(k, score)| score.before(of_length(k))).collect();
        let heard = reference.judge(&cut.iter().collect::<Vec<_>>());
        assert!((0..30).all(|k| heard[k].is_some() == (k % 3 < 2)), "{heard:?}");
        assert_eq!(reference.judge(&mixed[..9].iter().collect::<Vec<_>>()), [None; 9], "too few teach nothing");
    }

    #[test]
    fn what_is_kept_comes_back_and_damage_is_told() {
        let reference = reference();
        assert_eq!(
            reference.lengths.iter().map(|kept| (kept.quarters, kept.most)).collect::<Vec<_>>(),
            [(60, 1), (30, 3)]
        );
        let json = reference.to_json();
        assert_eq!(Reference::from_json(&json).as_ref(), Some(&reference));
        assert!(json.to_string().len() < 200_000, "{}", json.to_string().len());
        let damaged = |edit: &dyn Fn(&mut serde_json::Value)| {
            let mut json = json.clone();
            edit(&mut json);
            Reference::from_json(&json)
        };
        assert_eq!(damaged(&|json| json["figures"] = 1.into()), None);
        assert_eq!(damaged(&|json| json["lengths"] = serde_json::json!([])), None);
        assert_eq!(damaged(&|json| json["lengths"][0]["kept"] = "AAAA".into()), None);
        assert_eq!(damaged(&|json| json["steps"] = 0.into()), None);
        assert_eq!(Reference::of(&set(0, 9, 2).iter().collect::<Vec<_>>()), None);
        assert_eq!(Reference::of(&[]), None);
    }
}
