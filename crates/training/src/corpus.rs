//! A corpus as composers and model files take it.

use cantus_corpus::{Corpus, Piece, Split, SpoolError};
use cantus_model::{CorpusCard, PieceError, Pieces, Shelf, TrainingSet};
use cantus_score::{Reading, Score};
use std::borrow::Cow;

/// Pieces that stay where the corpus keeps them.
#[derive(Debug)]
struct Kept {
    pieces: Vec<Piece>,
    /// How many folders all pieces of the corpus lie in.
    shared: usize,
}

impl Shelf for Kept {
    fn count(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError> {
        let piece = &self.pieces[number];
        piece.score().map(Cow::Owned).map_err(|error| PieceError::new(&piece.path, error))
    }

    fn style(&self, number: usize) -> Option<&str> {
        folders(&self.pieces[number]).nth(self.shared)
    }

    fn name(&self, number: usize) -> Option<&str> {
        Some(&self.pieces[number].path)
    }
}

/// The folders on the way to a piece, the outermost first.
fn folders(piece: &Piece) -> impl Iterator<Item = &str> {
    piece.path.rsplit_once('/').map(|(folders, _)| folders.split('/')).into_iter().flatten()
}

/// How many folders all pieces lie in.
fn shared(pieces: &[Piece]) -> usize {
    let Some(first) = pieces.first() else { return 0 };
    let alike = |piece: &Piece| folders(piece).zip(folders(first)).take_while(|(a, b)| a == b).count();
    pieces.iter().map(alike).min().unwrap_or(0)
}

/// The corpus's pieces, by the side on which they stand.
pub fn training_set(corpus: &Corpus) -> TrainingSet {
    let shared = shared(&corpus.pieces);
    let pieces = |split| Pieces::on(Kept { pieces: corpus.pieces_of(split).cloned().collect(), shared });
    TrainingSet {
        train: pieces(Split::Train),
        valid: pieces(Split::Valid),
        attacks: corpus.attacks,
        reading: corpus.report.options.way(),
    }
}

/// What a model file says of the corpus; licence and credit are for the caller to add.
///
/// # Errors
/// [`SpoolError::Get`], where a piece cannot be read back.
pub fn corpus_card(corpus: &Corpus, name: &str) -> Result<CorpusCard, SpoolError> {
    let options = &corpus.report.options;
    let told = options.way() != Reading::Merged;
    Ok(CorpusCard {
        name: name.to_owned(),
        fingerprint: corpus.fingerprint()?.to_string(),
        train_pieces: corpus.pieces_of(Split::Train).count(),
        valid_pieces: corpus.pieces_of(Split::Valid).count(),
        quarters: corpus.pieces.iter().map(|piece| piece.quarters).sum(),
        reading: told.then(|| options.way().name().to_owned()),
        grid: told.then(|| options.steps().get()),
        styles: training_set(corpus).styles(),
        licence: None,
        credit: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_corpus::ContentHash;
    use cantus_score::TicksPerQuarter;

    #[test]
    fn styles_are_the_folders_in_which_pieces_first_part() {
        let score = Score::new(TicksPerQuarter::DEFAULT);
        let piece = |path: &str| Piece::new(path.to_owned(), ContentHash::of(&score), Split::Train, &score);
        let all = |paths: &[&str]| paths.iter().map(|path| piece(path)).collect::<Vec<Piece>>();
        let styles = |paths: &[&str]| -> Vec<Option<String>> {
            let kept = Kept { shared: shared(&all(paths)), pieces: all(paths) };
            (0..paths.len()).map(|number| kept.style(number).map(str::to_owned)).collect()
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            styles(&["bach/a.mid", "bach/organ/b.mid", "liszt/c.mid"]),
            [named("bach"), named("bach"), named("liszt")]
        );
        assert_eq!(styles(&["all/bach/a.mid", "all/liszt/b.mid"]), [named("bach"), named("liszt")]);
        assert_eq!(styles(&["all/a.mid", "all/b.mid"]), [None, None]);
        assert_eq!(styles(&["a.mid", "liszt/b.mid"]), [None, named("liszt")]);
        assert_eq!(styles(&[]), []);
    }
}
