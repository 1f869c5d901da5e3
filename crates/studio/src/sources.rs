//! Where a passage of a piece stands in the music that its model learnt from, as long as that music is at hand.

use crate::Shared;
use crate::library::Piece;
use cantus_corpus::Split;
use cantus_evaluation::originality::{Index, Passage};
use cantus_formats::{Limits, midi};
use cantus_score::Score;
use cantus_training::RunDescription;
use cantus_training::run_folder::RunFiles;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

/// Of more notes no index is made: it takes 150 bytes for each.
const MOST_NOTES: u64 = 2_000_000;

/// The index of the music that was asked for last, by its model's id.
#[derive(Default)]
pub struct Sources(Mutex<Option<(String, Arc<Index>)>>);

/// The longest passage that also stands in the training music.
#[derive(Serialize)]
pub struct Source {
    /// In words: how long it is, where it stands here and there, and how it was changed.
    text: String,
    #[serde(flatten)]
    passage: Passage,
}

/// What is known of a piece's longest passage; nothing where the music is not at hand, or shares none. Takes a while.
pub fn find(shared: &Shared, piece: &Piece) -> Option<Source> {
    let index = index(shared, piece.model_id.as_deref()?)?;
    let file = shared.library.midi(piece).ok()?;
    let score = midi::read(&file, &Limits::default()).ok()?.score;
    let passage = index.check(&score).longest?;
    Some(Source { text: passage.to_string(), passage })
}

fn index(shared: &Shared, model: &str) -> Option<Arc<Index>> {
    // Whoever else asks waits: it is most likely the same music.
    let mut last = shared.sources.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((id, index)) = &*last
        && id == model
    {
        return Some(Arc::clone(index));
    }
    let run = RunFiles::at(shared.models.run(shared, model)?).ok()?;
    let RunDescription { data, options, corpus: card, .. } = run.description().ok()?;
    let corpus = cantus_corpus::read(&data, &options, &mut |_| ()).ok()?;
    // Music that has changed since is not what the model learnt from.
    if corpus.report.totals.notes > MOST_NOTES || corpus.fingerprint().ok()?.to_string() != card.fingerprint {
        return None;
    }
    let pieces = corpus.pieces_of(Split::Train).map(|piece| Some((name(&piece.path), piece.score().ok()?)));
    let pieces: Vec<(&str, Score)> = pieces.collect::<Option<_>>()?;
    let index = Arc::new(Index::new(pieces.iter().map(|(name, score)| (*name, score))));
    *last = Some((model.to_owned(), Arc::clone(&index)));
    Some(index)
}

/// The name under which a file was uploaded: the server has put a number before it.
fn name(path: &str) -> &str {
    match path.split_once(' ') {
        Some((number, name)) if number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => path,
    }
}
