//! How pieces become batches: see [`Plan`].

use cantus_encoding::TokenId;
use cantus_encoding::note_chord::{Context, Cursor, Token, Vocabulary};
use cantus_model::Rng;
pub(super) use cantus_model::plan::{Plan, Row, Segment};
use cantus_nn::random::{below, derive};
use std::ops::Range;

/// Windows to a segment.
const SEGMENT_WINDOWS: usize = 8;

/// A piece as the network reads it: before each token but the first, what is known.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    /// From `Start` to `End`.
    pub tokens: Vec<TokenId>,
    /// After each token.
    pub contexts: Vec<Context>,
    /// Length in quarter notes.
    pub quarters: f64,
    /// Where bars begin: indices of the tokens before which a segment may be cut.
    cuts: Vec<usize>,
    /// Transpositions that keep all pitches within the vocabulary.
    shifts: Range<i32>,
}

impl Encoded {
    pub(super) fn new(tokens: Vec<TokenId>, quarters: f64, vocabulary: &Vocabulary, transposition: u8) -> Encoded {
        let bars = tokens.iter().filter(|token| vocabulary.token(**token) == Some(Token::Bar)).count();
        let mut cursor = Cursor::with_length(vocabulary, bars);
        let mut cuts = Vec::with_capacity(bars);
        let (mut low, mut high) = (i32::MAX, i32::MIN);
        let mut contexts = Vec::with_capacity(tokens.len());
        for (k, token) in tokens.iter().enumerate() {
            match vocabulary.token(*token) {
                Some(Token::Bar) => cuts.push(k),
                Some(Token::Pitch(pitch)) => {
                    low = low.min(i32::from(pitch.get()));
                    high = high.max(i32::from(pitch.get()));
                }
                _ => {}
            }
            cursor.advance(*token);
            contexts.push(cursor.context());
        }
        let (least, most) = vocabulary.pitch_range();
        // Twelve keys at most: 6 up and 5 down, as many as asked for and as the range allows.
        let by = i32::from(transposition);
        let down = by.min(5).min(low.saturating_sub(i32::from(least.get()))).max(0);
        let up = by.min(6).min(i32::from(most.get()).saturating_sub(high)).max(0);
        Encoded { tokens, contexts, quarters, cuts, shifts: -down..up + 1 }
    }

    /// Tokens that are predicted: all but the first.
    pub(super) fn predicted(&self) -> usize {
        self.tokens.len() - 1
    }

    /// The piece as segments of about `longest` tokens each, cut at bar lines from a random place on.
    fn segments(&self, piece: usize, longest: usize, shift: i32, rng: &mut Rng) -> Vec<Segment> {
        let mut starts = vec![0];
        if self.predicted() > longest + longest / 2 {
            // The first segment has a random length, so that the cuts fall elsewhere in every epoch.
            let mut next = longest / 2 + below(rng, longest);
            for &cut in &self.cuts {
                if cut >= next && self.predicted() - cut > longest / 4 {
                    starts.push(cut);
                    next = cut + longest;
                }
            }
        }
        let ends = starts.iter().skip(1).copied().chain([self.predicted()]).collect::<Vec<usize>>();
        starts.iter().zip(ends).map(|(&start, end)| Segment { piece, shift, tokens: start..end }).collect()
    }
}

/// The plan of `epoch`: a function of the seed and the epoch alone. A long piece is cut at bar lines into segments of about
/// [`SEGMENT_WINDOWS`] windows, elsewhere in every epoch, so that rows stay busy to its end.
pub(super) fn plan(pieces: &[Encoded], rows: usize, window: usize, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let mut segments: Vec<Segment> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let keys = (piece.shifts.end - piece.shifts.start) as usize;
        let shift = piece.shifts.start + below(&mut rng, keys) as i32;
        segments.extend(piece.segments(index, window * SEGMENT_WINDOWS, shift, &mut rng));
    }
    Plan::new(epoch, segments, rows, window, &mut rng)
}

/// A batch of windows, time-major: entry `t * rows + b` is step t of row b.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub rows: usize,
    pub steps: usize,
    /// What is read.
    pub tokens: Vec<u32>,
    pub contexts: [Vec<u32>; 5],
    /// What is to be predicted.
    pub targets: Vec<u32>,
    /// 1 where it counts, 0 for padding.
    pub weights: Vec<f32>,
}

impl Batch {
    /// Gathers `rows`; absent rows and the ends of short ones are padding.
    pub(super) fn gather<'r>(
        pieces: &[Encoded],
        rows: impl Iterator<Item = Option<&'r Row>>,
        vocabulary: &Vocabulary,
    ) -> Batch {
        let rows: Vec<Option<&Row>> = rows.collect();
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let size = rows.len() * steps;
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            tokens: vec![0; size],
            contexts: std::array::from_fn(|_| vec![0; size]),
            targets: vec![0; size],
            weights: vec![0.0; size],
        };
        for (b, row) in rows.iter().enumerate() {
            let Some(Row { segment, .. }) = row else { continue };
            let piece = &pieces[segment.piece];
            for (t, k) in segment.tokens.clone().enumerate() {
                let at = t * rows.len() + b;
                batch.tokens[at] = transposed(piece.tokens[k], segment.shift, vocabulary);
                batch.targets[at] = transposed(piece.tokens[k + 1], segment.shift, vocabulary);
                batch.weights[at] = 1.0;
                for (list, value) in batch.contexts.iter_mut().zip(indices(piece.contexts[k])) {
                    list[at] = value;
                }
            }
        }
        batch
    }
}

/// The context's indices in the order of the network's embeddings.
pub(super) fn indices(context: Context) -> [u32; 5] {
    [context.position, context.meter, context.duration, context.phase, context.remaining]
}

/// Pitches are numbered in order, so that transposition is addition.
fn transposed(token: TokenId, shift: i32, vocabulary: &Vocabulary) -> u32 {
    match vocabulary.token(token) {
        Some(Token::Pitch(_)) => token.0.saturating_add_signed(shift),
        _ => token.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_encoding::note_chord::encode;
    use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

    fn scores() -> Vec<Score> {
        [4u64, 30, 11, 70, 6]
            .iter()
            .map(|&bars| {
                let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
                let note = |k: u64| Note {
                    onset: Ticks(4 * k),
                    pitch: Pitch::try_from(60 + (k % 12) as u8).unwrap(),
                    duration: Ticks(4),
                    velocity: Velocity::DEFAULT,
                };
                score.parts.push(Part { notes: (0..bars * 4).map(note).collect(), ..Part::default() });
                score
            })
            .collect()
    }

    fn pieces(vocabulary: &Vocabulary) -> Vec<Encoded> {
        scores().iter().map(|score| Encoded::new(encode(score, vocabulary).0, 1.0, vocabulary, 6)).collect()
    }

    #[test]
    fn every_token_is_predicted_once_an_epoch_and_states_reset_where_segments_begin() {
        let vocabulary = Vocabulary::build(&scores(), 6).unwrap();
        let pieces = pieces(&vocabulary);
        for epoch in 0..5 {
            let plan = super::plan(&pieces, 3, 16, 7, epoch);
            let mut seen: Vec<Vec<usize>> = pieces.iter().map(|piece| vec![0; piece.predicted()]).collect();
            let mut ends = vec![None; plan.rows()];
            for step in 0..plan.steps() {
                for (b, row) in plan.step(step).enumerate() {
                    let Some(row) = row else { continue };
                    let Segment { piece, tokens, .. } = &row.segment;
                    tokens.clone().for_each(|k| seen[*piece][k] += 1);
                    assert_eq!(ends[b] != Some((*piece, tokens.start)), row.begins);
                    ends[b] = Some((*piece, tokens.end)).filter(|_| tokens.len() == 16);
                }
            }
            assert!(seen.iter().flatten().all(|count| *count == 1));
        }
    }

    #[test]
    fn plans_are_a_function_of_seed_and_epoch() {
        let vocabulary = Vocabulary::build(&scores(), 6).unwrap();
        let pieces = pieces(&vocabulary);
        let plan = |seed, epoch| super::plan(&pieces, 3, 16, seed, epoch);
        assert_eq!(plan(1, 2), plan(1, 2));
        assert_ne!(plan(1, 2), plan(1, 3));
        assert_ne!(plan(1, 2), plan(2, 2));
    }

    #[test]
    fn batches_are_transposed_as_a_whole() {
        let vocabulary = Vocabulary::build(&scores(), 6).unwrap();
        let pieces = pieces(&vocabulary);
        let batch = |shift| {
            let row = Row { segment: Segment { piece: 0, shift, tokens: 0..20 }, begins: true };
            Batch::gather(&pieces, [Some(&row), None].into_iter(), &vocabulary)
        };
        let (plain, moved) = (batch(0), batch(3));
        assert_eq!(plain.weights.iter().sum::<f32>(), 20.0);
        assert!(plain.weights.iter().skip(1).step_by(2).all(|weight| *weight == 0.0));
        let mut pitches = 0;
        for (a, b) in plain.targets.iter().zip(&moved.targets) {
            match (vocabulary.token(TokenId(*a)), vocabulary.token(TokenId(*b))) {
                (Some(Token::Pitch(a)), Some(Token::Pitch(b))) => {
                    assert_eq!(b.get(), a.get() + 3);
                    pitches += 1;
                }
                (a, b) => assert_eq!(a, b),
            }
        }
        assert!(pitches > 5);
    }
}
