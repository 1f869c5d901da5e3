//! A corpus as composers and model files take it.

use cantus_corpus::{Corpus, Split};
use cantus_model::{CorpusCard, TrainingSet};
use cantus_score::Reading;

/// The corpus's pieces, by the side on which they stand.
pub fn training_set(corpus: &Corpus) -> TrainingSet {
    let scores = |split| corpus.pieces_of(split).map(|piece| piece.score()).collect();
    TrainingSet {
        train: scores(Split::Train),
        valid: scores(Split::Valid),
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
