//! A corpus as composers and model files take it.

use cantus_corpus::{Corpus, Piece, Split};
use cantus_model::{CorpusCard, Pieces, Shelf, TrainingSet};
use cantus_score::{Reading, Score};
use std::borrow::Cow;

/// Pieces that stay where the corpus keeps them.
#[derive(Debug)]
struct Kept(Vec<Piece>);

impl Shelf for Kept {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn piece(&self, number: usize) -> Cow<'_, Score> {
        Cow::Owned(self.0[number].score())
    }
}

/// The corpus's pieces, by the side on which they stand.
pub fn training_set(corpus: &Corpus) -> TrainingSet {
    let pieces = |split| Pieces::on(Kept(corpus.pieces_of(split).cloned().collect()));
    TrainingSet {
        train: pieces(Split::Train),
        valid: pieces(Split::Valid),
        attacks: corpus.attacks,
        reading: corpus.report.options.way(),
    }
}

/// What a model file says of the corpus; licence and credit are for the caller to add.
pub fn corpus_card(corpus: &Corpus, name: &str) -> CorpusCard {
    let options = &corpus.report.options;
    let told = options.way() != Reading::Merged;
    CorpusCard {
        name: name.to_owned(),
        fingerprint: corpus.fingerprint().to_string(),
        train_pieces: corpus.pieces_of(Split::Train).count(),
        valid_pieces: corpus.pieces_of(Split::Valid).count(),
        quarters: corpus.pieces.iter().map(|piece| piece.quarters).sum(),
        reading: told.then(|| options.way().name().to_owned()),
        grid: told.then(|| options.steps().get()),
        licence: None,
        credit: None,
    }
}
