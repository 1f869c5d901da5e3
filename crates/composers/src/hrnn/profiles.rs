//! Classes of rhythm: the commonest rhythms of bars, or of beats, each other one with the nearest of these.
//!
//! The source finds them by k-means. Here the centres are rhythms that stand in the corpus, so that nothing depends on a random beginning.

use cantus_encoding::melody_steps::{HOLD, SILENCE};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What happens at a step, whatever its pitch: nothing new, silence begins, a note begins.
const RHYTHM: [char; 3] = ['-', '.', 'x'];

/// The classes, each by its rhythm: `x---x-x-`, one sign a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Profiles(Vec<String>);

/// The rhythm of some steps.
pub(super) fn rhythm(steps: &[u8]) -> String {
    let sign = |outcome: &u8| match *outcome {
        HOLD => RHYTHM[0],
        SILENCE => RHYTHM[1],
        _ => RHYTHM[2],
    };
    steps.iter().map(sign).collect()
}

impl Profiles {
    /// So many at the most, the commonest first; of two that are as common, in the order of their signs.
    pub(super) fn of(rhythms: impl Iterator<Item = String>, most: usize) -> Profiles {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        if most > 0 {
            rhythms.for_each(|rhythm| *counts.entry(rhythm).or_default() += 1);
        }
        let mut found: Vec<(String, usize)> = counts.into_iter().collect();
        found.sort_by_key(|(_, count)| Reverse(*count));
        found.truncate(most);
        Profiles(found.into_iter().map(|(rhythm, _)| rhythm).collect())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The class of some steps: that of the rhythm that differs least, in length first.
    pub(super) fn class(&self, steps: &[u8]) -> u32 {
        let own = rhythm(steps);
        let distance = |of: &String| {
            let differ = of.bytes().zip(own.bytes()).filter(|(a, b)| a != b).count();
            (of.len().abs_diff(own.len()), differ)
        };
        let nearest = self.0.iter().enumerate().min_by_key(|(_, of)| distance(of));
        nearest.map_or(0, |(class, _)| class as u32)
    }

    /// Whether a file's can be used.
    pub(super) fn check(&self, most: usize) -> Result<(), String> {
        let is_rhythm = |of: &String| of.chars().all(|sign| RHYTHM.contains(&sign));
        match self.0.len() <= most && self.0.iter().all(is_rhythm) && (most == 0) == self.0.is_empty() {
            true => Ok(()),
            false => Err(format!("profiles: {:?}", self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rhythm_is_of_the_class_that_differs_least() {
        let steps: [&[u8]; 5] = [&[40, 0, 41, 0], &[50, 0, 50, 0], &[30, 0, 0, 0], &[30, 1], &[30, 0, 0, 0]];
        let all = || steps.iter().map(|steps| rhythm(steps));
        let profiles = Profiles::of(all(), 2);
        // As often as one another: by their signs.
        assert_eq!(profiles.0, ["x---", "x-x-"]);
        assert_eq!(
            [&[9, 0, 9, 0][..], &[9, 0, 0, 1], &[9, 9, 9, 0], &[9, 9]].map(|steps| profiles.class(steps)),
            [1, 0, 1, 0]
        );
        assert!(profiles.check(2).is_ok() && profiles.check(1).is_err() && Profiles::of(all(), 0).check(0).is_ok());
        assert!(Profiles(vec!["x?".to_owned()]).check(3).is_err() && Profiles::default().check(3).is_err());
    }
}
