//! The pieces that are learnt from, and why nothing can be learnt from them.

use crate::{PieceError, Pieces};
use cantus_encoding::VocabularyError;
use cantus_score::{Meter, Reading, Score, Tempo};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A style is told apart where so many pieces are there to learn it from.
const ENOUGH: usize = 4;

/// The pieces to learn from and those to be judged by: read as a composer asks for; merged, that is quantised and one part each, unless it
/// asks for something else.
#[derive(Clone, Debug, Default)]
pub struct TrainingSet {
    /// Learnt from.
    pub train: Pieces,
    /// Judged by; never learnt from.
    pub valid: Pieces,
    /// How the pieces were read.
    pub reading: Reading,
    /// Whether it is known where a pitch that sounds on is struck again; else such notes are one, or each as short as can be.
    pub attacks: bool,
}

impl TrainingSet {
    /// All pieces.
    pub fn all(&self) -> impl Iterator<Item = Cow<'_, Score>> {
        self.train.iter().chain(self.valid.iter())
    }

    /// The lowest and the highest MIDI pitch of all pieces; 255 and 0 without a note that has one.
    pub fn range(&self) -> (u8, u8) {
        let mut range = (u8::MAX, 0);
        for piece in self.all() {
            for note in piece.pitched_notes() {
                range = (note.pitch.get().min(range.0), note.pitch.get().max(range.1));
            }
        }
        range
    }

    /// The styles that can be told apart, in order: the folders of the corpus in which enough pieces to learn from lie, where these are two
    /// at least.
    pub fn styles(&self) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for style in (0..self.train.len()).filter_map(|number| self.train.style(number)) {
            *counts.entry(style).or_default() += 1;
        }
        counts.retain(|_, count| *count >= ENOUGH);
        if counts.len() < 2 { Vec::new() } else { counts.into_keys().map(str::to_owned).collect() }
    }

    /// The pieces of one style.
    pub fn of_style(&self, style: &str) -> TrainingSet {
        let [train, valid] = [&self.train, &self.valid].map(|pieces| pieces.of_style(style));
        TrainingSet { train, valid, ..self.clone() }
    }

    /// Whether all pieces that were asked for could be had. Asked after whatever looks at pieces, and before anything is done with what it
    /// found.
    ///
    /// # Errors
    /// [`PieceError`]: the first that could not.
    pub fn check_whole(&self) -> Result<(), PieceError> {
        self.train.check_whole()?;
        self.valid.check_whole()
    }

    /// Whether there is a note to learn from, and one to be judged by.
    ///
    /// # Errors
    /// [`CreateError::EmptyCorpus`], where there is none.
    pub fn check_sounding(&self) -> Result<(), CreateError> {
        for (pieces, what) in [(&self.train, "training"), (&self.valid, "validation")] {
            if pieces.iter().all(|piece| piece.note_count() == 0) {
                return Err(CreateError::EmptyCorpus { what });
            }
        }
        Ok(())
    }

    /// The metre of most bars; 4/4 where there is none.
    pub fn usual_meter(&self) -> Meter {
        let mut meters: BTreeMap<Meter, u64> = BTreeMap::new();
        for piece in self.all() {
            piece.bars().for_each(|bar| *meters.entry(bar.meter).or_default() += 1);
        }
        meters.iter().max_by_key(|(_, bars)| **bars).map_or(Meter::COMMON, |(meter, _)| *meter)
    }

    /// The middle one of the pieces' first tempos, where they have any.
    pub fn usual_tempo(&self) -> Option<Tempo> {
        let mut tempos: Vec<Tempo> =
            self.all().filter_map(|piece| piece.tempos.first().map(|(_, tempo)| *tempo)).collect();
        tempos.sort_unstable_by_key(|tempo| tempo.micros_per_quarter());
        tempos.get(tempos.len() / 2).copied()
    }
}

/// Why a composer cannot be made for a corpus.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Nothing to learn from.
    #[error("there is no {what} piece to learn from; the report says why files were refused")]
    EmptyCorpus {
        /// Training or validation.
        what: &'static str,
    },
    /// A piece cannot be read back from where it was put.
    #[error(transparent)]
    Piece(#[from] PieceError),
    /// The corpus gives no vocabulary.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// Music of another kind than the composer writes.
    #[error("composer {composer} cannot learn from this music: {problem}")]
    Unsuitable {
        /// The composer.
        composer: &'static str,
        /// Why, and what to do.
        problem: String,
    },
    /// A composer by rules.
    #[error("composer `{composer}` learns nothing, it composes by rules and at once: `cantus compose -m {composer}`")]
    LearnsNothing {
        /// The composer.
        composer: &'static str,
    },
    /// Unknown or impossible settings.
    #[error("settings of composer {composer}: {problem}")]
    Settings {
        /// The composer.
        composer: &'static str,
        /// What is wrong.
        problem: String,
    },
}
