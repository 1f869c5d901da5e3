//! How likely pieces are under a loaded model.

use crate::{Evaluation, Kind};
use cantus_score::Score;

/// A composer that can say how likely music is. Every thread may ask at once.
pub trait Judge: Sync {
    /// What kind of figure its nats are.
    fn kind(&self) -> Kind;

    /// Which tokens count and what is given, in a sentence: that of the training, so that the figures can be compared.
    fn protocol(&self) -> String;

    /// A piece under the model; quantised, in one part, as in a [`crate::TrainingSet`].
    fn judge(&self, piece: &Score) -> Judgement;
}

/// A piece under a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Its likelihood.
    pub figures: Evaluation,
    /// Whether the model's vocabulary could not say the piece, so that the nearest was judged in its place.
    pub is_adjusted: bool,
}
