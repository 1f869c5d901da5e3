//! The statistics of one piece.
//!
//! Definitions follow MusPy (H.-W. Dong, K. Chen, J. McAuley and T. Berg-Kirkpatrick, "MusPy: A Toolkit for Symbolic Music
//! Generation", ISMIR 2020, `muspy.metrics` of version 0.5.0) where it has them; MuseGAN (H.-W. Dong et al., AAAI 2018, section 5) for
//! qualified notes; mgeval (L.-C. Yang and A. Lerch, "On the evaluation of generative models in music", Neural Computing and
//! Applications 32, 2020) for lengths, intervals and transitions; S.-L. Wu and Y.-H. Yang, "The Jazz Transformer on the Front Line",
//! ISMIR 2020, for the entropy of 4 bars. Where ours differ from MusPy's, [`crate::muspy`] has its own, and says why.
//!
//! Drums are no pitches and are left out, except where MusPy hears them, too: in what is empty, in the groove, and in the length.

mod pitch;
mod rhythm;
mod texture;

pub(crate) use pitch::pitch_classes;
pub use pitch::{pitch_entropy, pitch_in_scale_rate};

use crate::mean::mean;
use crate::structure::{LAGS, Repetition, Structureness, longest_run};
use cantus_score::{Bar, Note, Part, Score, Ticks, merge_parts};
use serde::Serialize;
use texture::Texture;

/// What one piece is like. A figure is `None` where the piece is too small to have it.
///
/// A step is one tick of the score: put it on a grid first ([`cantus_score::quantize`]). "Onset" is a step at which a note begins.
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
    /// Number of different pitch classes (MusPy `n_pitch_classes_used`).
    pub pitch_classes_used: usize,
    /// `-sum p(k) log2 p(k)` over the pitches k of the notes, in bits (MusPy `pitch_entropy`).
    pub pitch_entropy: Option<f64>,
    /// The same over pitch classes: 0 for one class, 3.58 for twelve equally often (MusPy `pitch_class_entropy`).
    pub pitch_class_entropy: Option<f64>,
    /// The mean of that over all stretches of 4 bars, hopping bar by bar (Wu and Yang's "H4").
    pub pitch_class_entropy_of_4_bars: Option<f64>,
    /// Share of notes inside the scale of the first key signature (MusPy `pitch_in_scale_rate`); `None` without a signature.
    pub in_key_rate: Option<f64>,
    /// Share of notes inside the scale that holds most of them, of 12 major and 12 natural minor scales (MusPy `scale_consistency`).
    pub scale_consistency: Option<f64>,
    /// Mean distance in semitones from one melody note to the next, the melody being the highest note at each onset (mgeval
    /// `avg_pitch_shift`, which takes a track's notes as they stand and so counts the inside of chords, too).
    pub mean_interval: Option<f64>,
    /// Pitches sounding at a step, averaged over the steps at which at least one sounds (MusPy `polyphony`).
    pub polyphony: Option<f64>,
    /// Steps at which *more than 2* pitches sound / all steps (MusPy and MuseGAN `polyphony_rate` with their default threshold).
    pub polyphony_rate: Option<f64>,
    /// Share of quarters in which nothing sounds.
    pub empty_beat_rate: Option<f64>,
    /// Share of bars in which nothing sounds (MuseGAN's "EB").
    pub empty_bar_rate: Option<f64>,
    /// Onsets / all steps.
    pub active_step_rate: Option<f64>,
    /// Notes / onsets: how many notes are struck together.
    pub notes_per_onset: Option<f64>,
    /// Mean distance between neighbouring onsets, in quarters (mgeval `avg_IOI`, there in seconds).
    pub mean_inter_onset: Option<f64>,
    /// Share of notes that last a 32nd or longer (MuseGAN's "QN"). On a grid of sixteenths it is 1.
    pub qualified_note_rate: Option<f64>,
    /// `1 - mean over neighbouring bars of (steps that are an onset in just one of them) / (steps to the bar)`; bars of different
    /// lengths are no neighbours (MusPy `groove_consistency`, after Wu and Yang, who compare all pairs of bars).
    pub groove_consistency: Option<f64>,
    /// Repetition after so many bars and after 32 quarters.
    pub repetition: Repetition,
    /// How much of the piece repeats, in spans of short, middle and long length.
    pub structureness: Structureness,
    /// The same with the bars in random order: what the piece would have without form.
    pub structureness_of_shuffled_bars: Structureness,
    /// How often in a row the same note or chord is struck, at most. See [`longest_run`].
    pub longest_run: usize,
    /// Shares of the pitch classes.
    pub pitch_classes: Histogram,
    /// Shares of the transitions between pitch classes, `[from * 12 + to]`: from a note to each that begins when it ends (mgeval
    /// `pitch_class_transition_matrix`, normalised by its sum).
    pub transitions: Histogram,
    /// Shares of mgeval's 12 note lengths: whole, half, quarter, 8th, 16th, dotted half, quarter, 8th, 16th, half, quarter and 8th
    /// triplet.
    pub length_classes: Histogram,
    /// Lengths of notes, in steps, up to four quarters.
    pub note_lengths: Histogram,
    /// Steps from one onset to the next, up to four quarters.
    pub inter_onsets: Histogram,
}

impl Statistics {
    /// The statistics of `score`, whose ticks are the steps of a grid.
    pub fn of(score: &Score) -> Statistics {
        let pitched = || score.parts.iter().filter(|part: &&Part| !part.drums);
        let mut notes: Vec<Note> = pitched().flat_map(|part| &part.notes).copied().collect();
        notes.sort_unstable();
        let mut all: Vec<Note> = score.notes().copied().collect();
        all.sort_unstable();
        let distinct = |notes: &[Note]| {
            let mut onsets: Vec<Ticks> = notes.iter().map(|note| note.onset).collect();
            onsets.dedup();
            onsets
        };
        let onsets = distinct(&notes);
        let end = all.iter().map(Note::end).max().unwrap_or_default();
        let bars: Vec<Bar> = score.bars().take_while(|bar| bar.start < end).collect();
        let merged = merge_parts(pitched()).notes;
        let quarter = u64::from(score.ticks_per_quarter.get());
        let quarters = |ticks: f64| ticks / quarter as f64;
        let rate = |count: u64, of: u64| (of > 0).then(|| count as f64 / of as f64);
        let low = notes.iter().map(|note| note.pitch.get()).min();
        let high = notes.iter().map(|note| note.pitch.get()).max();
        let (pitches, classes) = (pitch::pitches(&notes), pitch_classes(&notes));
        let texture = Texture::of(&notes);
        let beats = (0..end.0.div_ceil(quarter)).map(|beat| (Ticks(beat * quarter), Ticks((beat + 1) * quarter)));
        let inter_onsets = || onsets.windows(2).map(|pair| (pair[1] - pair[0]).0);
        let count = notes.len() as u64;
        let qualified = notes.iter().filter(|note| 8 * note.duration.0 >= quarter).count() as u64;
        let longest = 4 * quarter as usize;
        Statistics {
            notes: notes.len(),
            bars: bars.len(),
            pitch_range: low.zip(high).map(|(low, high)| high - low),
            pitches_used: pitches.iter().filter(|count| **count > 0).count(),
            pitch_classes_used: classes.iter().filter(|count| **count > 0).count(),
            pitch_entropy: pitch::entropy(&pitches),
            pitch_class_entropy: pitch::entropy(&classes),
            pitch_class_entropy_of_4_bars: pitch::windowed_entropy(&bars, &notes, 4),
            in_key_rate: score.keys.first().and_then(|(_, key)| pitch::in_key(&classes, *key)),
            scale_consistency: pitch::scale_consistency(&classes),
            mean_interval: pitch::mean_interval(&notes),
            polyphony: rate(texture.cells, texture.sounding),
            polyphony_rate: rate(texture.thick, end.0),
            empty_beat_rate: texture::empty_rate(beats, &all),
            empty_bar_rate: texture::empty_rate(bars.iter().map(|bar| (bar.start, bar.end())), &all),
            active_step_rate: rate(onsets.len() as u64, end.0),
            notes_per_onset: rate(count, onsets.len() as u64),
            mean_inter_onset: mean(inter_onsets().map(|steps| quarters(steps as f64))),
            qualified_note_rate: rate(qualified, count),
            groove_consistency: rhythm::groove(&bars, &distinct(&all)),
            repetition: Repetition::of(&bars, &merged, score.ticks_per_quarter),
            structureness: Structureness::of(&bars, &merged),
            structureness_of_shuffled_bars: Structureness::of_shuffled_bars(&bars, &merged),
            longest_run: longest_run(&merged),
            pitch_classes: Histogram { shares: shares(&classes) },
            transitions: Histogram { shares: pitch::transitions(&notes, Ticks(quarter / 10)) },
            length_classes: rhythm::note_lengths(notes.iter().map(|note| note.duration), score.ticks_per_quarter),
            note_lengths: Histogram::of(notes.iter().map(|note| note.duration.0), longest),
            inter_onsets: Histogram::of(inter_onsets(), longest),
        }
    }

    /// Of [`LAGS`], the repetition after `bars` bars over that of shuffled time.
    pub fn repetition_after(&self, bars: usize) -> Option<f64> {
        let lag = LAGS.iter().position(|lag| *lag == bars)?;
        self.repetition.over_shuffled_time[lag]
    }
}

/// How often each of several kinds occurs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// The share of each kind. Sums to 1, or is empty.
    pub shares: Vec<f64>,
}

impl Histogram {
    /// The histogram of `values`; what is above `largest` counts as `largest`.
    pub(crate) fn of(values: impl Iterator<Item = u64>, largest: usize) -> Histogram {
        let mut counts = vec![0usize; largest + 1];
        values.for_each(|value| counts[usize::try_from(value).map_or(largest, |value| value.min(largest))] += 1);
        Histogram { shares: shares(&counts) }
    }

    /// The share of kind k.
    pub fn share(&self, k: usize) -> f64 {
        self.shares.get(k).copied().unwrap_or(0.0)
    }

    /// What two histograms have in common, `sum min(p, q)`: 0 nothing, 1 everything.
    pub fn overlap(&self, other: &Histogram) -> f64 {
        self.shares.iter().zip(&other.shares).map(|(p, q)| p.min(*q)).sum()
    }
}

/// `counts` over their sum; nothing where the sum is 0.
fn shares(counts: &[usize]) -> Vec<f64> {
    match counts.iter().sum::<usize>() {
        0 => Vec::new(),
        sum => counts.iter().map(|count| *count as f64 / sum as f64).collect(),
    }
}

#[cfg(test)]
mod tests;
