//! The self-similarity of a piece, bar by bar.

use super::repetition::{jaccard, onsets};
use cantus_score::{Bar, Note, Part, Score, Ticks, merge_parts};
use serde::Serialize;

/// What two bars are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// The cosine of their chroma vectors: how long each pitch class sounds.
    Chroma,
    /// The Jaccard index of their onsets, as steps within the bar: rhythm alone.
    Onsets,
    /// The Jaccard index of their onsets as (step within the bar, pitch class): rhythm and pitch at once.
    Both,
}

/// The likeness of every pair of bars, 0-1; 1 on the diagonal. Two silent bars are alike, a silent and a sounding one are not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SelfSimilarity {
    /// Bars to a side.
    pub bars: usize,
    /// Row by row, `[bars * bars]`.
    pub values: Vec<f32>,
}

impl SelfSimilarity {
    /// Bars beyond these are left out: the matrix grows with their square.
    pub const MOST_BARS: usize = 512;

    /// The self-similarity of the pitched parts of a quantised score.
    pub fn of(score: &Score, feature: Feature) -> SelfSimilarity {
        let notes = merge_parts(score.parts.iter().filter(|part: &&Part| !part.drums)).notes;
        let end = notes.iter().map(Note::end).max().unwrap_or_default();
        let bars: Vec<Bar> = score.bars().take_while(|bar| bar.start < end).take(SelfSimilarity::MOST_BARS).collect();
        match feature {
            Feature::Chroma => {
                let spans: Vec<(Ticks, Ticks)> = bars.iter().map(|bar| (bar.start, bar.end())).collect();
                let chroma = chroma(&spans, &notes);
                SelfSimilarity::from_pairs(bars.len(), |a, b| cosine(&chroma[a], &chroma[b], 0))
            }
            Feature::Both => {
                let onsets: Vec<_> = bars.iter().map(|bar| onsets(bar, &notes)).collect();
                SelfSimilarity::from_pairs(bars.len(), |a, b| jaccard(&onsets[a], &onsets[b]).unwrap_or(1.0) as f32)
            }
            Feature::Onsets => {
                let steps = |bar| {
                    let mut steps: Vec<u64> = onsets(bar, &notes).into_iter().map(|(step, _)| step).collect();
                    steps.dedup();
                    steps
                };
                let steps: Vec<Vec<u64>> = bars.iter().map(steps).collect();
                SelfSimilarity::from_pairs(bars.len(), |a, b| jaccard(&steps[a], &steps[b]).unwrap_or(1.0) as f32)
            }
        }
    }

    fn from_pairs(bars: usize, likeness: impl Fn(usize, usize) -> f32) -> SelfSimilarity {
        let mut values = vec![1.0; bars * bars];
        for a in 0..bars {
            for b in a + 1..bars {
                let alike = likeness(a, b);
                values[a * bars + b] = alike;
                values[b * bars + a] = alike;
            }
        }
        SelfSimilarity { bars, values }
    }

    /// The likeness of two bars, counted from 0.
    pub fn at(&self, a: usize, b: usize) -> f32 {
        self.values[a * self.bars + b]
    }
}

/// How long each pitch class sounds within each span, scaled to length 1; zeros where nothing does. `spans` in order and without
/// gaps, `notes` sorted by onset.
pub(super) fn chroma(spans: &[(Ticks, Ticks)], notes: &[Note]) -> Vec<[f32; 12]> {
    let mut vectors = vec![[0.0f32; 12]; spans.len()];
    for note in notes {
        let first = spans.partition_point(|(_, end)| *end <= note.onset);
        for ((start, end), vector) in spans[first..].iter().zip(&mut vectors[first..]) {
            if *start >= note.end() {
                break;
            }
            let sounding = note.end().min(*end) - note.onset.max(*start);
            vector[usize::from(note.pitch.class())] += sounding.0 as f32;
        }
    }
    for vector in &mut vectors {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if norm > 0.0 {
            vector.iter_mut().for_each(|x| *x /= norm);
        }
    }
    vectors
}

/// The cosine of two vectors of length 1, the second moved up by `shift` semitones; 1 for two silences.
pub(super) fn cosine(a: &[f32; 12], b: &[f32; 12], shift: usize) -> f32 {
    let silent = |vector: &[f32; 12]| vector.iter().all(|x| *x == 0.0);
    if silent(a) && silent(b) {
        return 1.0;
    }
    let product: f32 = (0..12).map(|class| a[(class + shift) % 12] * b[class]).sum();
    product.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::repetition::tests::piece;

    #[test]
    fn bars_are_alike_in_what_they_share() {
        // C D | D C | D E | silence | C D an octave lower.
        let score = piece(&[Some((60, 62)), Some((62, 60)), Some((62, 64)), None, Some((48, 50))]);
        let [chroma, onsets, both] =
            [Feature::Chroma, Feature::Onsets, Feature::Both].map(|feature| SelfSimilarity::of(&score, feature));
        let close = |a: f32, b: f32| (a - b).abs() < 1e-6;
        assert_eq!((chroma.bars, onsets.bars, both.bars), (5, 5, 5));
        assert!(close(chroma.at(0, 1), 1.0) && close(chroma.at(0, 2), 0.5) && close(chroma.at(0, 4), 1.0));
        assert!((0..3).all(|a| onsets.at(0, a) == 1.0) && onsets.at(0, 3) == 0.0);
        assert_eq!((both.at(0, 1), both.at(0, 2), both.at(0, 4)), (0.0, 0.0, 1.0));
        assert!(close(both.at(1, 2), 1.0 / 3.0) && close(both.at(2, 1), 1.0 / 3.0));
        assert!([&chroma, &onsets, &both].iter().all(|matrix| (0..5).all(|a| matrix.at(a, a) == 1.0)));
    }

    #[test]
    fn nothing_is_a_matrix_of_nothing() {
        let none = Score::new(cantus_score::TicksPerQuarter::DEFAULT);
        assert_eq!(SelfSimilarity::of(&none, Feature::Both), SelfSimilarity { bars: 0, values: Vec::new() });
    }
}
