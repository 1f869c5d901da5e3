//! `note_stream`: the notes of each step of the grid one after another, downwards, and a word that ends the step.
//!
//! Source: C. Walder, Modelling Symbolic Music: Beyond the Piano Roll, 2016, arXiv:1606.01368: notes in a row, within a moment by pitch. F. Liang
//! et al., Automatic Stylistic Composition of Bach Chorales with Deep LSTM (BachBot), ISMIR 2017: a step's notes downwards, new or held, then its
//! end.
//! Departures: the 88 keys of a piano; a key is held only where it sounded in the step before, so that no probability is lost on others; the end of a
//! piece is not said, as it is not in a piano roll.
//!
//! A step is a [`Frame`] of [`crate::piano_roll`], and has one spelling. Which pieces can be told apart is what that encoding says: with attacks
//! known, every note keeps its length; where only the keys that sound are known, a key that stands in one step after another is held.

use crate::TokenId;
use crate::piano_roll::{Frame, Key, Keys};

/// A word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The beginning of a piece.
    Start,
    /// The end of a step.
    Step,
    /// A note begins.
    Strike(Key),
    /// A note goes on that sounded in the step before.
    Hold(Key),
}

/// How many words there are.
pub const WORDS: usize = STRIKES + 2 * Keys::COUNT;
/// The number of the first word that begins a note.
const STRIKES: usize = 2;

impl Token {
    /// Its number.
    pub fn id(self) -> TokenId {
        TokenId(match self {
            Token::Start => 0,
            Token::Step => 1,
            Token::Strike(key) => STRIKES + key.index(),
            Token::Hold(key) => STRIKES + Keys::COUNT + key.index(),
        } as u32)
    }

    /// The word of a number; `None` from [`WORDS`] on.
    pub fn of(id: TokenId) -> Option<Token> {
        match id.index() {
            0 => Some(Token::Start),
            1 => Some(Token::Step),
            id if id < STRIKES + Keys::COUNT => Key::new(id - STRIKES).map(Token::Strike),
            id => Key::new(id - STRIKES - Keys::COUNT).map(Token::Hold),
        }
    }

    /// The key that it speaks of.
    pub fn key(self) -> Option<Key> {
        match self {
            Token::Strike(key) | Token::Hold(key) => Some(key),
            Token::Start | Token::Step => None,
        }
    }
}

/// The words of frames, from [`Token::Start`] to the end of the last step. A key that is held without having sounded is taken as struck.
pub fn encode(frames: &[Frame]) -> Vec<TokenId> {
    let mut tokens = vec![Token::Start.id()];
    let mut before = Keys::NONE;
    for frame in frames {
        let keys = frame.sounding();
        let held = frame.held & before & !frame.struck;
        let word = |key: Key| if held.contains(key) { Token::Hold(key) } else { Token::Strike(key) };
        tokens.extend(keys.iter().rev().map(|key| word(key).id()).chain([Token::Step.id()]));
        before = keys;
    }
    tokens
}

/// The frames of words; a word that may not follow is passed over, and a step that is not ended is none.
pub fn decode(tokens: &[TokenId]) -> Vec<Frame> {
    let (mut cursor, mut frames) = (Cursor::default(), Vec::new());
    for token in tokens.iter().filter_map(|id| Token::of(*id)).filter(|token| *token != Token::Start) {
        if cursor.permits(token) {
            if token == Token::Step {
                frames.push(cursor.frame());
            }
            cursor.advance(token);
        }
    }
    frames
}

/// A place in a piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    steps: usize,
    /// The step so far.
    frame: Frame,
    /// The two steps before it.
    before: [Frame; 2],
    /// What may be held.
    holdable: Keys,
    /// The key that was said last in this step.
    lowest: Option<Key>,
}

impl Cursor {
    /// Steps that are over.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// What is said of the step so far.
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// The steps before it, the last one first.
    pub fn before(&self) -> [Frame; 2] {
        self.before
    }

    /// The key that was said last in this step, the lowest so far.
    pub fn lowest(&self) -> Option<Key> {
        self.lowest
    }

    /// The keys that may still be said in this step.
    pub fn below(&self) -> Keys {
        self.lowest.and_then(|lowest| Keys::from_bits((1 << lowest.index()) - 1)).unwrap_or(Keys::ALL)
    }

    /// The keys that may be held in this step, those that were passed over included.
    pub fn holdable(&self) -> Keys {
        self.holdable
    }

    /// All notes end before this step.
    pub fn release(&mut self) {
        self.holdable = Keys::NONE;
    }

    /// Whether a word may come next.
    pub fn permits(&self, token: Token) -> bool {
        let is_below = |key: Key| self.lowest.is_none_or(|lowest| key < lowest);
        match token {
            Token::Start => false,
            Token::Step => true,
            Token::Strike(key) => is_below(key),
            Token::Hold(key) => is_below(key) && self.holdable.contains(key),
        }
    }

    /// Goes on past a word.
    pub fn advance(&mut self, token: Token) {
        match token {
            Token::Start => *self = Cursor::default(),
            Token::Step => {
                self.before = [self.frame, self.before[0]];
                self.holdable = self.frame.sounding();
                (self.frame, self.lowest) = (Frame::default(), None);
                self.steps += 1;
            }
            Token::Strike(key) => {
                self.frame.struck.insert(key);
                self.lowest = Some(key);
            }
            Token::Hold(key) => {
                self.frame.held.insert(key);
                self.lowest = Some(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::piano_roll::{self, Outside};
    use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
    use proptest::prelude::*;

    fn keys(indices: &[usize]) -> Keys {
        indices.iter().filter_map(|k| Key::new(*k)).collect()
    }

    #[test]
    fn notes_come_downwards_and_say_whether_they_are_new() {
        let frames = [
            Frame { struck: keys(&[10, 40]), held: Keys::NONE },
            Frame { struck: keys(&[20]), held: keys(&[10]) },
            Frame::default(),
        ];
        let key = |k| Key::new(k).unwrap();
        use Token::{Hold, Start, Step, Strike};
        let expected =
            [Start, Strike(key(40)), Strike(key(10)), Step, Strike(key(20)), Hold(key(10)), Step, Step].map(Token::id);
        assert_eq!(encode(&frames), expected);
        assert_eq!(decode(&expected), frames);
    }

    #[test]
    fn numbers_and_words_are_one_to_one() {
        let words: Vec<Token> = (0..WORDS as u32).filter_map(|id| Token::of(TokenId(id))).collect();
        assert!(words.len() == WORDS && words.iter().zip(0..).all(|(word, id)| word.id() == TokenId(id)));
        assert_eq!(Token::of(TokenId(WORDS as u32)), None);
    }

    proptest! {
        #[test]
        fn scores_survive_there_and_back(notes in prop::collection::vec((0u64..40, 0u8..128, 1u64..9), 0..60)) {
            let grid = TicksPerQuarter::new(4).unwrap();
            let mut score = Score::new(grid);
            let mut notes: Vec<Note> = notes
                .into_iter()
                .map(|(onset, pitch, duration)| Note {
                    onset: Ticks(onset),
                    pitch: Pitch::try_from(pitch).unwrap(),
                    duration: Ticks(duration),
                    velocity: Velocity::DEFAULT,
                })
                .collect();
            notes.sort_unstable();
            score.parts.push(Part { notes, ..Part::default() });
            let frames = piano_roll::encode(&score, Outside::Fold).unwrap();
            let back = piano_roll::decode(&decode(&encode(&frames)), grid);
            prop_assert_eq!(back, piano_roll::canonicalize(&score, Outside::Fold).unwrap());
        }

        #[test]
        fn all_that_may_be_drawn_is_one_piece_of_its_own(choices in prop::collection::vec(any::<u16>(), 0..200)) {
            let (mut cursor, mut tokens) = (Cursor::default(), vec![Token::Start.id()]);
            for choice in choices {
                let may: Vec<Token> =
                    (0..WORDS as u32).filter_map(|id| Token::of(TokenId(id))).filter(|token| cursor.permits(*token)).collect();
                let token = may[usize::from(choice) % may.len()];
                cursor.advance(token);
                tokens.push(token.id());
            }
            let ended = tokens.iter().rposition(|token| *token == Token::Step.id()).unwrap_or(0);
            prop_assert_eq!(encode(&decode(&tokens)), tokens[..=ended].to_vec());
        }

        #[test]
        fn nothing_panics(ids in prop::collection::vec(0u32..300, 0..100)) {
            decode(&ids.into_iter().map(TokenId).collect::<Vec<_>>());
        }
    }
}
