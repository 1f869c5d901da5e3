//! How pieces end: on the tonic, as often as those of the corpus do.
//!
//! Nothing tells a network that predicts a note from those before it that all depends on the last one: of its own pieces fewer close than
//! of those that it learnt from. So whether a piece is to close is drawn by the corpus's counts, and of the drafts those go on that do.

use super::past::Past;
use cantus_score::find_key;

/// Whether the last moment at which pitches begin stands on the tonic of the piece's key.
pub(super) fn closes(past: &Past, is_drums: impl Fn(u8) -> bool) -> bool {
    let notes = past.pitched(is_drums);
    let Some(key) = find_key(&notes) else { return false };
    let last = notes.iter().map(|note| note.onset).max();
    let lowest = notes.iter().filter(|note| Some(note.onset) == last).map(|note| note.pitch.get()).min();
    lowest.is_some_and(|lowest| lowest % 12 == key.tonic())
}

/// The share of pieces that close.
pub(super) fn share(pieces: &[&Past], is_drums: impl Fn(u8) -> bool) -> f32 {
    let closing = pieces.iter().filter(|piece| closes(piece, &is_drums)).count();
    closing as f32 / pieces.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_encoding::note_events::{Clock, Event};

    /// A scale of D minor up and down, ending on `last`.
    fn tune(last: u8) -> Past {
        let scale = [62, 64, 65, 67, 69, 70, 69, 67, 65, 64, 62, 61, 62, 69, 65, last];
        let note =
            |(k, pitch): (usize, &u8)| Event { onset: 4 * k as u32, instrument: 0, pitch: *pitch, length: 4, level: 0 };
        let notes: Vec<Event> = scale.iter().enumerate().map(note).collect();
        Past::of(&notes, Vec::new(), Clock::Beats(4), |_| false)
    }

    #[test]
    fn a_piece_closes_on_its_tonic_in_whatever_octave() {
        assert!(closes(&tune(62), |_| false) && closes(&tune(50), |_| false));
        assert!(!closes(&tune(69), |_| false) && !closes(&tune(65), |_| false));
        assert!(!closes(&tune(62), |_| true), "drums have no key");
        let pieces = [tune(62), tune(69)];
        assert!((share(&pieces.iter().collect::<Vec<_>>(), |_| false) - 0.5).abs() < 1e-6);
    }
}
