//! Which note of a performance is which of its score.
//!
//! Both have been marked with the same beats. Between beats time runs evenly, so that a note that was played has a place in the score; it is the
//! nearest written note of its pitch, if that is near enough and nobody else's.

use std::collections::BTreeMap;

/// A played note lies at most so many beats from where it is written.
const MOST_BEATS: f64 = 0.6;
/// And so many seconds.
const MOST_SECONDS: f64 = 0.5;

/// Times between marks, and beyond them at the pace of the first and the last pair.
#[derive(Clone, Debug)]
pub(super) struct Warp {
    from: Vec<f64>,
    to: Vec<f64>,
}

impl Warp {
    /// Marks at rising times on both sides; those that do not rise on both are left out. `None` with fewer than two.
    pub(super) fn new(marks: impl Iterator<Item = (f64, f64)>) -> Option<Warp> {
        let (mut from, mut to): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for (a, b) in marks {
            let rises = |last: Option<&f64>, now: f64| last.is_none_or(|last| now > *last);
            if a.is_finite() && b.is_finite() && rises(from.last(), a) && rises(to.last(), b) {
                from.push(a);
                to.push(b);
            }
        }
        (from.len() >= 2).then_some(Warp { from, to })
    }

    /// Where `at` is on the other side.
    pub(super) fn at(&self, at: f64) -> f64 {
        let after = self.from.partition_point(|mark| *mark <= at).clamp(1, self.from.len() - 1);
        let (low, high) = (after - 1, after);
        let share = (at - self.from[low]) / (self.from[high] - self.from[low]);
        self.to[low] + share * (self.to[high] - self.to[low])
    }

    /// The other way.
    pub(super) fn inverse(&self) -> Warp {
        Warp { from: self.to.clone(), to: self.from.clone() }
    }
}

/// For each written note, by (beats, pitch), the played one that it is, by (seconds, pitch). `beats` leads from seconds to beats.
pub(super) fn align(written: &[(f64, u8)], played: &[(f64, u8)], beats: &Warp) -> Vec<Option<usize>> {
    let seconds = beats.inverse();
    let mut by_pitch: BTreeMap<u8, Vec<(f64, usize)>> = BTreeMap::new();
    for (k, (at, pitch)) in played.iter().enumerate() {
        by_pitch.entry(*pitch).or_default().push((beats.at(*at), k));
    }
    for places in by_pitch.values_mut() {
        places.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let mut candidates: Vec<(f64, usize, usize)> = Vec::new();
    for (k, (at, pitch)) in written.iter().enumerate() {
        let Some(places) = by_pitch.get(pitch) else { continue };
        let first = places.partition_point(|(place, _)| *place < at - MOST_BEATS);
        let near = places[first..].iter().take_while(|(place, _)| *place <= at + MOST_BEATS);
        for (place, other) in near {
            if (played[*other].0 - seconds.at(*at)).abs() <= MOST_SECONDS {
                candidates.push(((place - at).abs(), k, *other));
            }
        }
    }
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut found = vec![None; written.len()];
    let mut taken = vec![false; played.len()];
    for (_, k, other) in candidates {
        if found[k].is_none() && !taken[other] {
            found[k] = Some(other);
            taken[other] = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_found_by_pitch_and_warped_time_and_ornaments_are_nobodys() {
        let beats = Warp::new([(10.0, 0.0), (11.0, 1.0), (13.0, 2.0)].into_iter()).unwrap();
        assert_eq!((beats.at(12.0), beats.at(9.5), beats.at(15.0)), (1.5, -0.5, 3.0));
        assert_eq!(beats.inverse().at(1.5), 12.0);
        let written = [(0.0, 60), (0.5, 62), (1.0, 60), (1.5, 64), (2.0, 65)];
        // A trill on 62, a wrong note in the place of 64, and 65 late.
        let played = [(10.02, 60), (10.48, 62), (10.6, 64), (10.7, 62), (11.03, 60), (12.0, 63), (13.2, 65)];
        assert_eq!(align(&written, &played, &beats), [Some(0), Some(1), Some(4), None, Some(6)]);
        assert!(Warp::new([(0.0, 0.0), (0.0, 1.0)].into_iter()).is_none());
    }
}
