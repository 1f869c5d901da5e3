//! The course of a piece, unit by unit: what a candidate for the next place has to do with the units before it.

use super::joins::{Joins, SAID};
use super::library::{Join, Unit};
use cantus_encoding::bar_bags::WIDTH;
use std::sync::Arc;

/// How many units earlier a candidate's likeness is looked at.
pub(super) const LOOKS: [usize; 5] = [1, 2, 3, 4, 8];
/// Numbers of a relation: of each look the likeness and whether the two are the same; the likeness to what followed when the past was most like the
/// last unit; what the join says.
pub(super) const RELATED: usize = 2 * LOOKS.len() + 1 + SAID;
/// Two units so much alike are the same.
const SAME: f32 = 0.9995;

/// A number for each of [`RELATED`].
pub(super) type Relation = [f32; RELATED];

/// An earlier unit after the one that was most like the last, and how much that was.
pub(super) type Recalled = Option<(usize, f32)>;

/// The relation of a candidate to `past` units, given its likeness to each of them.
pub(super) fn relate(past: usize, recalled: Recalled, said: [f32; SAID], likeness: impl Fn(usize) -> f32) -> Relation {
    let mut relation = [0.0; RELATED];
    for (k, look) in LOOKS.into_iter().enumerate().filter(|(_, look)| *look <= past) {
        let like = likeness(past - look);
        relation[2 * k] = like;
        relation[2 * k + 1] = f32::from(u8::from(like > SAME));
    }
    if let Some((follower, like)) = recalled {
        relation[2 * LOOKS.len()] = like * like * likeness(follower);
    }
    relation[2 * LOOKS.len() + 1..].copy_from_slice(&said);
    relation
}

/// What followed the earlier unit that is most like the last of `past` units, the latest of equals.
pub(super) fn recall(past: usize, likeness: impl Fn(usize, usize) -> f32) -> Recalled {
    let last = past.checked_sub(1)?;
    let earlier = (0..last).map(|earlier| (earlier + 1, likeness(last, earlier)));
    earlier.max_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)))
}

/// The units that have been heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// Their bags, as rows.
    rows: Vec<Arc<Vec<f32>>>,
    last: Option<Join>,
    recalled: Recalled,
}

impl Course {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The relation of a candidate.
    pub(super) fn relation(&self, joins: &Joins, candidate: &Unit) -> Relation {
        let said = self.last.map_or([0.0; SAID], |last| joins.say(last, candidate.join, false));
        relate(self.rows.len(), self.recalled, said, |earlier| candidate.bag.product(&self.rows[earlier]))
    }

    /// Goes on by a unit.
    pub(super) fn push(&mut self, unit: &Unit) {
        let mut row = vec![0.0; WIDTH];
        unit.bag.add_to(&mut row);
        self.rows.push(Arc::new(row));
        self.last = Some(unit.join);
        let product = |_: usize, earlier: usize| unit.bag.product(&self.rows[earlier]);
        self.recalled = recall(self.rows.len(), product);
    }
}
