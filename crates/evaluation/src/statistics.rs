//! The statistics of one piece.
//!
//! Definitions follow MusPy (H.-W. Dong, K. Chen, J. McAuley and T. Berg-Kirkpatrick, "MusPy: A Toolkit for Symbolic Music
//! Generation", ISMIR 2020, `muspy.metrics`) where it has them, MuseGAN (H.-W. Dong et al., AAAI 2018, section 5) for the empty
//! bars, and L.-C. Yang and A. Lerch, "On the evaluation of generative models in music", 2020 ("mgeval") for the histograms.
//!
//! Departures: drums are left out everywhere; bars are those of the piece's own metre, not 4/4 throughout.

use crate::repetition::{LAGS, longest_run, repetition};
use cantus_score::{Bar, Note, Part, Score, Ticks, merge_parts};
use serde::Serialize;

/// What one piece is like. A figure is `None` where the piece is too small to have it.
///
/// The piece is a quantised score: a step is one of its ticks. Its pitched parts are taken as one, as a keyboard would play them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Statistics {
    /// Number of notes.
    pub notes: usize,
    /// Number of bars up to the last note's end.
    pub bars: usize,
    /// Highest pitch - lowest pitch, in semitones (MusPy `pitch_range`).
    pub pitch_range: Option<u8>,
    /// Number of different pitches (MusPy `n_pitches_used`).
    pub pitches_used: usize,
    /// `-sum p(c) log2 p(c)` over the pitch classes c of the notes, in bits: 0 for one class, 3.58 for twelve equally often (MusPy
    /// `pitch_class_entropy`).
    pub pitch_class_entropy: Option<f64>,
    /// Pitches sounding at a step, averaged over the steps at which at least one sounds (MusPy `polyphony`).
    pub polyphony: Option<f64>,
    /// Share of bars in which nothing sounds (MuseGAN's "EB").
    pub empty_bar_rate: Option<f64>,
    /// Steps at which a note begins / steps up to the last note's end.
    pub onset_step_rate: Option<f64>,
    /// Share of notes inside the scale that holds most of them, of 12 major and 12 natural minor scales (MusPy `scale_consistency`).
    pub scale_consistency: Option<f64>,
    /// `1 - mean over neighbouring bars of (steps that are an onset in just one of them) / (steps to the bar)`; bars of
    /// different lengths are no neighbours (MusPy `groove_consistency`, after S.-L. Wu and Y.-H. Yang, "The Jazz Transformer on the
    /// Front Line", ISMIR 2020).
    pub groove_consistency: Option<f64>,
    /// For each of [`LAGS`]: how much alike bars so far apart are, over how much alike any two bars are. See [`repetition`].
    pub repetition: [Option<f64>; LAGS.len()],
    /// How often in a row the same note or chord is struck, at most. See [`longest_run`].
    pub longest_run: usize,
    /// Lengths of notes, in steps, up to four quarters.
    pub note_lengths: Histogram,
    /// Steps from one onset to the next, up to four quarters.
    pub inter_onsets: Histogram,
}

impl Statistics {
    /// The statistics of `score`, whose ticks are the steps of a grid.
    pub fn of(score: &Score) -> Statistics {
        let notes = merge_parts(score.parts.iter().filter(|part: &&Part| !part.is_drums())).notes;
        let mut onsets: Vec<Ticks> = notes.iter().map(|note| note.onset).collect();
        onsets.dedup();
        let end = notes.iter().map(Note::end).max().unwrap_or_default();
        let bars: Vec<Bar> = score.bars().take_while(|bar| bar.start < end).collect();
        let longest = 4 * score.ticks_per_quarter.get() as usize;
        let rate = |count: f64, of: f64| if of > 0.0 { Some(count / of) } else { None };
        let low = notes.iter().map(|note| note.pitch.get()).min();
        let high = notes.iter().map(|note| note.pitch.get()).max();
        let classes = pitch_classes(&notes);
        let sounding: u64 = notes.iter().map(|note| note.duration.0).sum();
        Statistics {
            notes: notes.len(),
            bars: bars.len(),
            pitch_range: low.zip(high).map(|(low, high)| high - low),
            pitches_used: (0..128).filter(|pitch| notes.iter().any(|note| note.pitch.get() == *pitch)).count(),
            pitch_class_entropy: entropy(&classes),
            polyphony: rate(sounding as f64, union(&notes) as f64),
            empty_bar_rate: rate(empty(&bars, &notes) as f64, bars.len() as f64),
            onset_step_rate: rate(onsets.len() as f64, end.0 as f64),
            scale_consistency: rate(in_best_scale(&classes) as f64, notes.len() as f64),
            groove_consistency: groove(&bars, &onsets),
            repetition: repetition(&bars, &notes),
            longest_run: longest_run(&notes),
            note_lengths: Histogram::of(notes.iter().map(|note| note.duration.0), longest),
            inter_onsets: Histogram::of(onsets.windows(2).map(|pair| (pair[1] - pair[0]).0), longest),
        }
    }
}

/// How often each number of steps occurs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// The share of k steps at index k; the last one is of that many or more. Sums to 1, or is empty.
    pub shares: Vec<f64>,
}

impl Histogram {
    /// The histogram of `values`; what is above `largest` counts as `largest`.
    fn of(values: impl Iterator<Item = u64>, largest: usize) -> Histogram {
        let mut counts = vec![0usize; largest + 1];
        values.for_each(|value| counts[usize::try_from(value).map_or(largest, |value| value.min(largest))] += 1);
        let sum: usize = counts.iter().sum();
        match sum {
            0 => Histogram::default(),
            _ => Histogram { shares: counts.into_iter().map(|count| count as f64 / sum as f64).collect() },
        }
    }

    /// The share of k steps.
    pub fn share(&self, steps: usize) -> f64 {
        self.shares.get(steps).copied().unwrap_or(0.0)
    }

    /// What two histograms have in common, `sum min(p, q)`: 0 nothing, 1 everything.
    pub fn overlap(&self, other: &Histogram) -> f64 {
        self.shares.iter().zip(&other.shares).map(|(p, q)| p.min(*q)).sum()
    }
}

fn pitch_classes(notes: &[Note]) -> [usize; 12] {
    let mut counts = [0; 12];
    notes.iter().for_each(|note| counts[usize::from(note.pitch.class())] += 1);
    counts
}

fn entropy(counts: &[usize; 12]) -> Option<f64> {
    let sum: usize = counts.iter().sum();
    let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / sum as f64);
    // `0.0 -` and not a sign: a single class has entropy 0, not -0.
    (sum > 0).then(|| 0.0 - shares.map(|share| share * share.log2()).sum::<f64>())
}

/// Notes inside the best diatonic scale. A natural minor scale has the notes of its relative major: twelve sets are enough.
fn in_best_scale(counts: &[usize; 12]) -> usize {
    const MAJOR: [usize; 7] = [0, 2, 4, 5, 7, 9, 11];
    (0..12).map(|tonic| MAJOR.iter().map(|step| counts[(tonic + step) % 12]).sum()).max().unwrap_or(0)
}

/// Steps at which something sounds; `notes` sorted by onset.
fn union(notes: &[Note]) -> u64 {
    let (mut covered, mut until) = (0, Ticks::ZERO);
    for note in notes {
        covered += (note.end() - note.onset.max(until)).0;
        until = until.max(note.end());
    }
    covered
}

/// Bars in which nothing sounds; both in order of time.
fn empty(bars: &[Bar], notes: &[Note]) -> usize {
    let (mut next, mut until) = (0, Ticks::ZERO);
    let is_empty = |bar: &&Bar| {
        let held = until > bar.start;
        let before = next;
        while let Some(note) = notes.get(next).filter(|note| note.onset < bar.end()) {
            until = until.max(note.end());
            next += 1;
        }
        !held && next == before
    };
    bars.iter().filter(is_empty).count()
}

/// See [`Statistics::groove_consistency`].
fn groove(bars: &[Bar], onsets: &[Ticks]) -> Option<f64> {
    let patterns: Vec<Vec<u64>> = bars
        .iter()
        .map(|bar| {
            let from = onsets.partition_point(|onset| *onset < bar.start);
            let to = onsets.partition_point(|onset| *onset < bar.end());
            onsets[from..to].iter().map(|onset| (*onset - bar.start).0).collect()
        })
        .collect();
    let neighbours = bars.windows(2).zip(patterns.windows(2)).filter(|(bars, _)| bars[0].length == bars[1].length);
    let (mut pairs, mut distance) = (0, 0.0);
    for (bars, patterns) in neighbours {
        let common = patterns[0].iter().filter(|step| patterns[1].binary_search(step).is_ok()).count();
        let different = patterns[0].len() + patterns[1].len() - 2 * common;
        distance += different as f64 / bars[0].length.0 as f64;
        pairs += 1;
    }
    (pairs > 0).then(|| 1.0 - distance / f64::from(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Pitch, TicksPerQuarter, Velocity};

    /// A score on a grid of sixteenths; notes as (step, pitch, steps).
    fn score(notes: &[(u64, u8, u64)]) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: notes.iter().map(note).collect(), ..Part::default() });
        score
    }

    #[test]
    fn nothing_has_no_figures_and_no_panic() {
        let none = Statistics::of(&Score::new(TicksPerQuarter::DEFAULT));
        assert_eq!((none.notes, none.bars, none.pitches_used, none.longest_run), (0, 0, 0, 0));
        assert_eq!((none.polyphony, none.pitch_class_entropy, none.scale_consistency), (None, None, None));
        assert_eq!(none.note_lengths, Histogram::default());
    }

    #[test]
    fn pitches() {
        // Two Cs, an E and an F sharp: half, a quarter, a quarter.
        let figures = Statistics::of(&score(&[(0, 60, 4), (4, 72, 4), (8, 64, 4), (12, 66, 4)]));
        assert_eq!((figures.notes, figures.pitch_range, figures.pitches_used), (4, Some(12), 4));
        assert_eq!(figures.pitch_class_entropy, Some(1.5));
        // G major has C, E and F sharp.
        assert_eq!(figures.scale_consistency, Some(1.0));
        let chromatic = Statistics::of(&score(&(0..12).map(|k| (u64::from(k), 60 + k, 1)).collect::<Vec<_>>()));
        assert_eq!(chromatic.scale_consistency, Some(7.0 / 12.0));
        assert!((chromatic.pitch_class_entropy.unwrap() - 12f64.log2()).abs() < 1e-12);
        assert_eq!(Statistics::of(&score(&[(0, 60, 1)])).pitch_class_entropy, Some(0.0));
    }

    #[test]
    fn time() {
        // A held C under a moving voice, a silent bar, one more note.
        let figures = Statistics::of(&score(&[(0, 48, 8), (0, 60, 2), (2, 62, 2), (8, 64, 4), (32, 60, 4)]));
        assert_eq!(figures.bars, 3);
        assert_eq!(figures.empty_bar_rate, Some(1.0 / 3.0));
        // 20 steps of notes, of which 16 are distinct in time.
        assert_eq!(figures.polyphony, Some(20.0 / 16.0));
        assert_eq!(figures.onset_step_rate, Some(4.0 / 36.0));
        assert_eq!([2, 4, 8].map(|steps| figures.note_lengths.share(steps)), [0.4, 0.4, 0.2]);
        // Onsets 0, 2, 8, 32: the last distance is more than four quarters.
        assert_eq!([2, 6, 16].map(|steps| figures.inter_onsets.share(steps)), [1.0 / 3.0; 3]);
    }

    #[test]
    fn a_note_held_over_a_bar_fills_it() {
        let figures = Statistics::of(&score(&[(0, 48, 40), (44, 48, 4)]));
        assert_eq!((figures.bars, figures.empty_bar_rate), (3, Some(0.0)));
    }

    #[test]
    fn grooves() {
        // Bars 1 and 2 have the same onsets; 2 and 3 differ at two steps of 16.
        let bars = [(0, 60, 4), (8, 60, 4), (16, 60, 4), (24, 62, 4), (32, 60, 4), (36, 60, 12)];
        assert_eq!(Statistics::of(&score(&bars)).groove_consistency, Some(1.0 - (2.0 / 16.0) / 2.0));
        assert_eq!(Statistics::of(&score(&bars[..2])).groove_consistency, None);
    }

    #[test]
    fn drums_are_left_out() {
        let mut drums = score(&[(0, 36, 1)]);
        drums.parts[0].channel = Part::DRUM_CHANNEL;
        assert_eq!(Statistics::of(&drums).notes, 0);
    }

    #[test]
    fn histograms_overlap() {
        let histogram = |values: &[u64]| Histogram::of(values.iter().copied(), 8);
        assert_eq!(histogram(&[1, 1, 2, 4]).overlap(&histogram(&[1, 2, 2, 8])), 0.5);
        assert_eq!(histogram(&[u64::MAX]).share(8), 1.0);
        assert_eq!(histogram(&[]).overlap(&histogram(&[1])), 0.0);
    }
}
