//! Judging: frame by frame, as composers of frames are judged; and of pitches alone, to a rhythm that is given.

use super::following::{Following, Steps};
use super::player::Player;
use cantus_encoding::TokenId;
use cantus_encoding::note_stream::{Token, encode};
use cantus_encoding::piano_roll::{Frame, Keys, decode};
use cantus_model::frames::{Effort, FrameFigure, JudgesFrames, League, Reading};
use cantus_model::tokens::Place as _;
use cantus_model::{Conditional, Judge, Judgement, Kind, said};
use cantus_score::{Rhythm, Score};
use rayon::prelude::*;

/// What a frame is given, word by word.
#[derive(Default)]
struct Sum(FrameFigure);

impl Sum {
    /// A word of probability `given`, among all words of its key; `end` is that of the step's end. `again` says that it is decided
    /// whether the key is struck again.
    fn add(&mut self, token: Token, probabilities: &[f64], again: bool) {
        let of = |token: Token| probabilities.get(token.id().index()).copied().unwrap_or(0.0);
        let nats = |p: f64| -p.max(f64::from(f32::MIN_POSITIVE)).ln();
        let (end, given) = (of(Token::Step), of(token));
        self.0.nats += nats(given);
        let Some(key) = token.key() else {
            self.0.union += (1.0 - end).max(0.0);
            return;
        };
        let there = of(Token::Strike(key)) + of(Token::Hold(key));
        self.0.strokes += if again { nats(given) - nats(there) } else { 0.0 };
        self.0.hits += there;
        self.0.union += 1.0 + (1.0 - there - end).max(0.0);
    }
}

impl Player {
    /// What each word of a piece is given, among those that may stand there: `each` is told the word, the probabilities of all, and whether its key
    /// sounded before.
    pub fn walk(&self, tokens: &[TokenId], mut each: impl FnMut(Token, &[f64], bool)) {
        let (mut spot, mut rows) = (self.begin(), self.model.rows());
        tokens.iter().take(1).for_each(|token| spot.read(*token));
        for pair in tokens.windows(2) {
            self.model.read(pair[0], &spot, &mut rows);
            let logits = self.model.predict(&spot, &mut rows);
            spot.forbid(logits);
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut probabilities: Vec<f64> = logits.iter().map(|z| f64::from(z - highest).exp()).collect();
            let sum: f64 = probabilities.iter().sum();
            probabilities.iter_mut().for_each(|p| *p /= sum);
            let Some(token) = Token::of(pair[1]) else { continue };
            each(token, &probabilities, token.key().is_some_and(|key| spot.cursor.holdable().contains(key)));
            spot.read(pair[1]);
        }
    }

    fn figures(&self, piece: &[Frame]) -> Vec<FrameFigure> {
        let mut tokens = encode(piece);
        tokens[0] = self.start_of_usual();
        let (mut figures, mut sum) = (Vec::with_capacity(piece.len()), Sum::default());
        let knows_strokes = self.reading() == Reading::Strokes;
        self.walk(&tokens, |token, probabilities, again| {
            sum.add(token, probabilities, again && knows_strokes);
            if token == Token::Step {
                figures.push(std::mem::take(&mut sum).0);
            }
        });
        figures
    }

    /// The nats of pitches, where the rhythm of a piece is given; `None` where nothing is.
    fn pitches(&self, piece: &Score) -> Option<Conditional> {
        let grid = self.grid();
        let frames = self.reading().frames(piece);
        // As the model reads it.
        let rhythm = Rhythm::of(&decode(&frames, grid))?;
        let steps = Steps::of(&rhythm, grid)?;
        let mut following = Following::new(&steps, Keys::ALL, self.reading() == Reading::Strokes);
        let (mut spot, mut rows) = (self.begin(), self.model.rows());
        let (tokens, _) = self.tokens(piece);
        let mut found = Conditional::default();
        tokens.iter().take(1).for_each(|token| spot.read(*token));
        for pair in tokens.windows(2) {
            self.model.read(pair[0], &spot, &mut rows);
            let logits = self.model.predict(&spot, &mut rows);
            spot.forbid(logits);
            following.mask(&spot, logits);
            found.nats += said(logits, pair[1].index()).0;
            let is_pitch = Token::of(pair[1]).is_some_and(|token| following.take(token));
            found.notes += if is_pitch { 1.0 } else { 0.0 };
            spot.read(pair[1]);
        }
        Some(found)
    }
}

impl JudgesFrames for Player {
    fn reading(&self) -> Reading {
        self.model.grammar.sounds
    }

    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn league(&self) -> League {
        League::Joint
    }

    fn judge_frames(&self, pieces: &[Vec<Frame>], effort: Effort, _seed: u64) -> Vec<Vec<Option<FrameFigure>>> {
        let starts: Vec<usize> =
            pieces.iter().scan(0, |sum, piece| Some(std::mem::replace(sum, *sum + piece.len()))).collect();
        let asked = |(piece, start): (&Vec<Frame>, &usize)| -> Vec<Option<FrameFigure>> {
            let figures = self.figures(piece).into_iter().zip(*start..);
            figures.map(|(figure, at)| at.is_multiple_of(effort.every.max(1)).then_some(figure)).collect()
        };
        pieces.par_iter().zip(&starts).map(asked).collect()
    }
}

impl Judge for Player {
    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        Judge::protocol(&self.model)
    }

    fn judge(&self, piece: &Score) -> Judgement {
        self.model.judge(piece)
    }

    fn given_rhythm(&self, piece: &Score) -> Option<Conditional> {
        self.pitches(piece)
    }
}
