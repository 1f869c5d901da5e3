//! How likely pieces are under a loaded model.

use crate::{Evaluation, Kind};
use cantus_score::{Score, Ticks};

/// A composer that can say how likely music is. Every thread may ask at once.
pub trait Judge: Sync {
    /// What kind of figure its nats are.
    fn kind(&self) -> Kind;

    /// Which tokens count and what is given, in a sentence: that of the training, so that the figures can be compared.
    fn protocol(&self) -> String;

    /// A piece under the model; quantised, in one part, as in a [`crate::TrainingSet`].
    fn judge(&self, piece: &Score) -> Judgement;

    /// The nats of a piece, estimated by so many draws as [`Judge::draws`] says, where its own figure is a bound; `None` where it is none. An estimate is
    /// never compared with an exact figure.
    fn estimate(&self, _piece: &Score) -> Option<f64> {
        None
    }

    /// The pitches of a piece, where its rhythm is given; `None` where it cannot say.
    fn given_rhythm(&self, _piece: &Score) -> Option<Conditional> {
        None
    }

    /// Where the right one stood among its candidates, of each thing that is predicted in a piece; none where it is not candidates that are judged.
    fn ranks(&self, _piece: &Score) -> Vec<Rank> {
        Vec::new()
    }

    /// Draws of an estimate.
    fn draws(&self) -> usize {
        0
    }
}

/// What pitches are worth where the rhythm is given: when notes begin and end, and how many of them. It is another figure than that of a whole piece,
/// and never compared with one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditional {
    /// Negative log-likelihood of all pitches, in nats.
    pub nats: f64,
    /// Notes that they are of.
    pub notes: f64,
}

/// Where the right one stood among its candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// 1 where it was the first choice.
    pub rank: usize,
    /// Whether the piece has not had the same before: what comes again is easier to tell.
    pub is_new: bool,
}

/// A piece under a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Its likelihood.
    pub figures: Evaluation,
    /// All that was counted, in order of time: together the nats of `figures`.
    pub moments: Vec<Moment>,
    /// Whether the model's vocabulary could not say the piece, so that the nearest was judged in its place.
    pub is_adjusted: bool,
}

/// One thing that was predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Where it stands, in the piece's ticks.
    pub at: Ticks,
    /// Its negative log-likelihood.
    pub nats: f64,
}

impl Judgement {
    /// The nats of each bar of the piece; what comes after the last one, as its end does, counts with it.
    pub fn by_bar(&self, piece: &Score) -> Vec<f64> {
        let starts: Vec<Ticks> = piece.bars().map(|bar| bar.start).collect();
        let mut nats = vec![0.0; starts.len()];
        for moment in &self.moments {
            let bar = starts.partition_point(|start| *start <= moment.at).saturating_sub(1);
            if let Some(sum) = nats.get_mut(bar) {
                *sum += moment.nats;
            }
        }
        nats
    }
}
