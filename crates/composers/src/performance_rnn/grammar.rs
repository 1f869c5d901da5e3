//! The words of performances, what is known beside each, and by which traits those that may follow are told apart.

use super::SPEC;
use cantus_encoding::TokenId;
use cantus_encoding::performance::{CHORD, Cursor, GRID, KEYS, LEVELS, Token, Vocabulary, canonicalize, encode};
use cantus_model::tokens::{Grammar, Place};
use cantus_model::{ComposerSpec, CreateError, TrainingSet};
use cantus_score::{PedalSpan, STEPS_PER_SECOND, Score, Ticks, TicksPerQuarter};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// How much slower and faster performances are learnt, too.
pub(super) const STRETCHES: [f64; 4] = [0.95, 0.975, 1.025, 1.05];
/// Keys held, and strokes of a moment, that are told from one another.
const COUNTED: usize = 9;
/// Octaves of the time since the last stroke, and of the time that the pedal is down, that are told from one another.
const OCTAVES: usize = 10;
/// Steps ahead in which strokes are counted, to say how busy the music is going to be: 3 s, as in the source.
const AHEAD: u32 = 3 * STEPS_PER_SECOND;
/// Classes of it, each an eighth of what the corpus has.
const BUSY: usize = 8;
/// Pieces of more strokes than these, all together, are counted every so many.
const MOST_COUNTED: usize = 1_000_000;
/// It has no settings but those of all composers of tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Own {}

/// The words of performances.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Playing {
    #[serde(flatten)]
    pub vocabulary: Vocabulary,
    /// Whether the corpus was read as it was played: only then may it be slower and faster, and is counted in seconds.
    pub is_played: bool,
    /// Strokes in [`AHEAD`] from which on the second to the last class begin.
    busy: Vec<u32>,
}

impl Grammar for Playing {
    type OwnSettings = Own;
    type Place<'g> = Moment<'g>;

    const NAME: &'static str = "performance";
    const PROTOCOL: &'static str =
        "all words after the start of each piece, in its own key and tempo, the end not predicted; mean over words";
    const FORBIDS: bool = true;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn of(set: &TrainingSet, _transposition: u8) -> Result<Playing, CreateError> {
        let vocabulary = Vocabulary::build(set.all(), set.reading)?;
        let mut counts = Vec::new();
        for piece in set.train.iter() {
            let strokes = strokes(&encode(&piece, &vocabulary).0, &vocabulary);
            counts.extend((0..strokes.len()).map(|k| ahead(&strokes, strokes[k])));
            if counts.len() > MOST_COUNTED {
                counts = counts.into_iter().step_by(2).collect();
            }
        }
        counts.sort_unstable();
        let busy = (1..BUSY).filter_map(|k| counts.get(counts.len() * k / BUSY)).copied().collect();
        Ok(Playing { vocabulary, is_played: set.reading.is_played(), busy })
    }

    fn size(&self) -> usize {
        self.vocabulary.len()
    }

    /// Loudness, pedal, keys held, strokes of the moment, time since the last stroke; how busy it is going to be.
    fn contexts(&self) -> Vec<usize> {
        vec![usize::from(LEVELS) + 1, OCTAVES + 1, COUNTED, COUNTED, OCTAVES + 1, BUSY + 1]
    }

    fn traits(&self) -> Vec<usize> {
        vec![traits::AGES, traits::INTERVALS, traits::INTERVALS]
    }

    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        let (tokens, adjustments) = encode(piece, &self.vocabulary);
        (tokens, !adjustments.is_empty())
    }

    fn is_of_notes(&self, token: TokenId) -> bool {
        matches!(self.vocabulary.token(token), Some(Token::Wait(_) | Token::Strike(_) | Token::Release(_)))
    }

    /// As it is, slower and faster; then the same again, told how busy it is going to be.
    fn takes(&self) -> usize {
        2 * self.tempos()
    }

    fn take(&self, piece: &Score, take: usize) -> Score {
        let canonical = canonicalize(piece, &self.vocabulary);
        match take % self.tempos() {
            0 => canonical,
            tempo => timed(canonical, |ticks| Ticks((ticks.0 as f64 * STRETCHES[tempo - 1]).round() as u64)),
        }
    }

    fn encode_take(&self, piece: &Score, take: usize) -> Vec<TokenId> {
        let mut tokens = self.encode(&self.take(piece, take)).0;
        if take >= self.tempos() {
            tokens[0] = Vocabulary::id(Token::Told);
        }
        tokens
    }

    fn begin(&self, tokens: &[TokenId]) -> Moment<'_> {
        let is_told = tokens.first() == Some(&Vocabulary::id(Token::Told));
        let busy = if is_told { Busy::As(strokes(tokens, &self.vocabulary).into()) } else { Busy::Unsaid };
        Moment { grammar: self, cursor: Cursor::default(), busy }
    }

    fn may_begin(&self, token: TokenId) -> bool {
        matches!(self.vocabulary.token(token), Some(Token::Wait(_)))
    }

    fn shifts(&self, tokens: &[TokenId], transposition: u8) -> Range<i32> {
        let keys = tokens.iter().filter_map(|token| match self.vocabulary.token(*token) {
            Some(Token::Strike(key)) => Some(key),
            _ => None,
        });
        let (low, high) = keys.fold((KEYS - 1, 0), |(low, high), key| (low.min(key), high.max(key)));
        let (down, up) = (transposition.min(low), transposition.min(KEYS - 1 - high));
        -i32::from(down)..i32::from(up) + 1
    }

    /// Keys are numbered in order, so that transposition is addition.
    fn moved(&self, token: TokenId, semitones: i32) -> TokenId {
        match self.vocabulary.token(token) {
            Some(Token::Strike(_) | Token::Release(_)) => TokenId(token.0.saturating_add_signed(semitones)),
            _ => token,
        }
    }
}

impl Playing {
    /// How many tempos each piece is learnt at.
    fn tempos(&self) -> usize {
        if self.is_played { 1 + STRETCHES.len() } else { 1 }
    }

    /// Before a piece that is as busy as is asked for: from 0, the calmest eighth of the corpus's music, to 1, the busiest.
    pub fn begin_as_busy(&self, density: f64) -> Moment<'_> {
        let class = (density * BUSY as f64) as usize;
        Moment { busy: Busy::Asked(class.min(BUSY - 1) as u32), ..self.begin(&[]) }
    }

    fn class_of(&self, strokes: u32) -> u32 {
        self.busy.partition_point(|from| *from <= strokes) as u32
    }
}

/// When keys are struck, in steps.
fn strokes(tokens: &[TokenId], vocabulary: &Vocabulary) -> Vec<u32> {
    let mut now = 0u32;
    let mut at = Vec::new();
    for token in tokens {
        match vocabulary.token(*token) {
            Some(Token::Wait(steps)) => now = now.saturating_add(steps.into()),
            Some(Token::Strike(_)) => at.push(now),
            _ => {}
        }
    }
    at
}

/// How many of these strokes are less than [`AHEAD`] after a moment.
fn ahead(strokes: &[u32], now: u32) -> u32 {
    let before = |time: u32| strokes.partition_point(|at| *at <= time);
    (before(now.saturating_add(AHEAD)) - before(now)) as u32
}

/// The notes and the pedal of a score at other times.
pub(super) fn timed(mut score: Score, at: impl Fn(Ticks) -> Ticks) -> Score {
    for part in &mut score.parts {
        for note in &mut part.notes {
            let end = at(note.end());
            note.onset = at(note.onset);
            note.duration = end - note.onset;
        }
        part.pedal.iter_mut().for_each(|span| *span = PedalSpan { down: at(span.down), up: at(span.up) });
    }
    score
}

/// How busy a piece is going to be.
#[derive(Clone)]
enum Busy {
    /// As the network likes.
    Unsaid,
    /// As this class of it, throughout.
    Asked(u32),
    /// As it is: the times of its strokes.
    As(Arc<[u32]>),
}

/// A place in a performance.
#[derive(Clone)]
pub(super) struct Moment<'g> {
    pub grammar: &'g Playing,
    pub cursor: Cursor,
    busy: Busy,
}

impl Place for Moment<'_> {
    fn read(&mut self, token: TokenId) {
        if let Some(token) = self.grammar.vocabulary.token(token) {
            self.cursor.advance(token);
        }
    }

    fn at(&self, _last: TokenId) -> (Ticks, TicksPerQuarter) {
        (Ticks(self.cursor.now().into()), GRID)
    }

    fn contexts(&self, known: &mut Vec<u32>) {
        let ago = |at: u32| ((self.cursor.now() - at + 1).ilog2() as usize).min(OCTAVES - 1) as u32;
        let counted = |count: usize| count.min(COUNTED - 1) as u32;
        known.extend([
            self.cursor.level().map_or(u32::from(LEVELS), u32::from),
            self.cursor.pedal_since().map_or(OCTAVES as u32, ago),
            counted(self.cursor.sounding().count()),
            counted(self.cursor.strokes()),
            self.cursor.last_stroke().map_or(OCTAVES as u32, ago),
            match &self.busy {
                Busy::Unsaid => BUSY as u32,
                Busy::Asked(class) => *class,
                Busy::As(strokes) => self.grammar.class_of(ahead(strokes, self.cursor.now())),
            },
        ]);
    }

    fn forbid(&self, logits: &mut [f32]) {
        for (logit, may) in logits.iter_mut().zip(self.cursor.permitted(&self.grammar.vocabulary)) {
            if !may {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn classes(&self, classes: &mut [u32]) {
        let words = self.grammar.vocabulary.len();
        let lowest = self.cursor.sounding().iter().next();
        for number in 0..words {
            let token = self.grammar.vocabulary.token(TokenId(number as u32));
            let of_token = token.map_or([0; 3], |token| {
                [
                    traits::age(token, &self.cursor),
                    traits::interval(token, self.cursor.last_key()),
                    traits::interval(token, lowest),
                ]
            });
            (0..of_token.len()).for_each(|k| classes[k * words + number] = of_token[k]);
        }
    }
}

/// By what words that may follow are told apart, whichever key they are of. Class 0 is for those of which nothing is known.
mod traits {
    use super::{CHORD, Cursor, Token};

    /// Octaves of the time since a key was struck.
    const SINCE: u32 = 12;
    /// Half octaves of the time that a key is down.
    const DOWN: u32 = 22;
    /// How far a class of loudness is from the one before, at most.
    const APART: i32 = 6;
    /// Quarters of an octave by which a time between two strokes is longer or shorter than the one before, at most.
    const LONGER: i32 = 12;
    const OF_RELEASES: u32 = 1 + SINCE + 1;
    const OF_LEVELS: u32 = OF_RELEASES + DOWN;
    const OF_WAITS: u32 = OF_LEVELS + 2 * APART as u32 + 1;
    /// Classes of [`age`].
    pub const AGES: usize = OF_WAITS as usize + 2 * LONGER as usize + 1;

    /// For how long a key has been down, or not been struck; how a loudness differs from the one before, and a wait, with what has passed
    /// since the last stroke, from the time between the two before.
    pub fn age(token: Token, cursor: &Cursor) -> u32 {
        let near = |far: i32, most: i32| (far.clamp(-most, most) + most) as u32;
        let ago = |at: u32| cursor.now() - at + 1;
        match token {
            Token::Start | Token::Told | Token::Pedal(_) => 0,
            Token::Strike(key) => 1 + cursor.struck(key).map_or(SINCE, |at| ago(at).ilog2().min(SINCE - 1)),
            Token::Release(key) => {
                let down = cursor.struck(key).map_or(0, |at| half_octaves(ago(at).into()));
                OF_RELEASES + down.min(DOWN - 1)
            }
            Token::Level(level) => match cursor.level() {
                Some(before) => OF_LEVELS + near(i32::from(level) - i32::from(before), APART),
                None => 0,
            },
            Token::Wait(steps) => match (cursor.last_stroke(), cursor.gap()) {
                (Some(at), Some(gap)) => {
                    let all = cursor.now() - at + u32::from(steps);
                    if all <= CHORD {
                        return 0;
                    }
                    let quarters = |steps: u32| half_octaves(u64::from(steps).pow(2)) as i32;
                    OF_WAITS + near(quarters(all) - quarters(gap), LONGER)
                }
                _ => 0,
            },
        }
    }

    /// How many half octaves a number is above 1, rounded down: by whole numbers, which are the same on every machine.
    fn half_octaves(number: u64) -> u32 {
        u128::from(number).pow(2).ilog2()
    }

    /// How far a key is from another, at most.
    const FAR: i32 = 24;
    /// Classes of [`interval`].
    pub const INTERVALS: usize = 1 + 2 * (2 * FAR as usize + 1);

    /// How far a key that is struck, or let go, lies from another.
    pub fn interval(token: Token, other: Option<u8>) -> u32 {
        let span = 2 * FAR as u32 + 1;
        let far = |key: u8, other: u8| ((i32::from(key) - i32::from(other)).clamp(-FAR, FAR) + FAR) as u32;
        match (token, other) {
            (Token::Strike(key), Some(other)) => 1 + far(key, other),
            (Token::Release(key), Some(other)) => 1 + span + far(key, other),
            _ => 0,
        }
    }
}
