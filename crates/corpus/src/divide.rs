//! A single long piece becomes two: one to learn from, one to validate on.

use crate::text::printable;
use crate::{ContentHash, Options, Piece, Split};
use cantus_score::{Score, Ticks};

/// The fewest bars of a piece that is divided.
const MOST_SHORT: usize = 16;
/// The fewest bars and notes of each side.
const LEAST_BARS: usize = 4;
const LEAST_NOTES: usize = 8;

/// The beginning and the end of a piece, divided at a bar line, with a remark about it; `None` where it is too short for that.
pub(crate) fn divided(piece: &Piece, score: &Score, options: &Options) -> Option<([Piece; 2], String)> {
    let starts: Vec<Ticks> = score.bars().map(|bar| bar.start).collect();
    let bars = starts.len();
    if bars < MOST_SHORT {
        return None;
    }
    let wanted = (bars as f64 * options.valid_share).round() as usize;
    let valid = wanted.clamp(LEAST_BARS, bars - LEAST_BARS);
    let at = starts[bars - valid];
    let (beginning, end) = (score.before(at), score.after(at));
    if beginning.note_count() < LEAST_NOTES || end.note_count() < LEAST_NOTES {
        return None;
    }
    let part = |split: Split, score: Score, (first, last): (usize, usize)| {
        Piece::new(format!("{} (bars {first}-{last})", piece.path), ContentHash::of(&score), split, &score)
    };
    let remark = format!(
        "{} is alone: its last {valid} of {bars} bars are for validation, the others to learn from",
        printable(&piece.path)
    );
    let learnt = part(Split::Train, beginning, (1, bars - valid));
    Some(([learnt, part(Split::Valid, end, (bars - valid + 1, bars))], remark))
}
