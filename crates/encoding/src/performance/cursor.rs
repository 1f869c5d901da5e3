//! A place in a performance: which keys sound, and which words may follow.

use super::{KEYS, LONGEST_WAIT, Token, Vocabulary};

/// Strokes that are no more steps apart are of one chord.
pub const CHORD: u32 = 3;

/// Some of a piano's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys(u128);

impl Keys {
    /// Keys from one to another, that one included.
    pub fn between(lowest: u8, highest: u8) -> Keys {
        let up_to = |key: u8| (1u128 << key) - 1;
        Keys(up_to(highest + 1) & !up_to(lowest))
    }

    /// Whether a key is one of them.
    pub fn has(self, key: u8) -> bool {
        self.0 >> key & 1 == 1
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// They, one after another, upwards.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..KEYS).filter(move |key| self.has(*key))
    }
}

/// A place in a performance.
#[derive(Clone, Debug)]
pub struct Cursor {
    last: Token,
    now: u32,
    sounding: Keys,
    /// When each key was struck last.
    struck: [Option<u32>; KEYS as usize],
    level: Option<u8>,
    pedal_since: Option<u32>,
    /// The highest key struck at this moment, and how many were.
    highest: Option<u8>,
    strokes: usize,
    last_stroke: Option<u32>,
    /// The key that was struck last.
    last_key: Option<u8>,
    /// Steps from one stroke to the next, those of a chord left out, the last time.
    gap: Option<u32>,
}

impl Default for Cursor {
    /// Before a piece.
    fn default() -> Cursor {
        Cursor {
            last: Token::Start,
            now: 0,
            sounding: Keys::default(),
            struck: [None; KEYS as usize],
            level: None,
            pedal_since: None,
            highest: None,
            strokes: 0,
            last_stroke: None,
            last_key: None,
            gap: None,
        }
    }
}

impl Cursor {
    /// The word before.
    pub fn last(&self) -> Token {
        self.last
    }

    /// Steps since the beginning.
    pub fn now(&self) -> u32 {
        self.now
    }

    /// The keys that are down.
    pub fn sounding(&self) -> Keys {
        self.sounding
    }

    /// When a key was struck last.
    pub fn struck(&self, key: u8) -> Option<u32> {
        self.struck[usize::from(key)]
    }

    /// How loud keys are struck; `None` before that was said.
    pub fn level(&self) -> Option<u8> {
        self.level
    }

    /// Since when the pedal is down; `None` where it is up.
    pub fn pedal_since(&self) -> Option<u32> {
        self.pedal_since
    }

    /// How many keys are struck at this moment so far.
    pub fn strokes(&self) -> usize {
        self.strokes
    }

    /// When a key was struck last.
    pub fn last_stroke(&self) -> Option<u32> {
        self.last_stroke
    }

    /// The key that was struck last.
    pub fn last_key(&self) -> Option<u8> {
        self.last_key
    }

    /// Steps between the last two strokes that are more than [`CHORD`] apart.
    pub fn gap(&self) -> Option<u32> {
        self.gap
    }

    /// Whether a word may come next: no key is struck that sounds, none released that does not, and a moment is spelled in one way only.
    pub fn permits(&self, token: Token) -> bool {
        let before_pedal = matches!(self.last, Token::Start | Token::Wait(_) | Token::Release(_));
        match token {
            Token::Start | Token::Told => false,
            Token::Wait(steps) => match self.last {
                // What is longer than the longest wait is said with that one first.
                Token::Wait(before) => before == LONGEST_WAIT,
                Token::Level(_) => false,
                _ => steps > 0,
            },
            Token::Level(level) => {
                Some(level) != self.level
                    && !matches!(self.last, Token::Level(_))
                    && self.can_strike(Keys::between(0, KEYS - 1))
            }
            Token::Strike(key) => {
                self.level.is_some() && !self.sounding.has(key) && self.highest.is_none_or(|highest| key > highest)
            }
            Token::Release(key) => {
                self.sounding.has(key)
                    && match self.last {
                        Token::Wait(_) => true,
                        Token::Release(before) => key > before,
                        _ => false,
                    }
            }
            Token::Pedal(down) => before_pedal && down != self.pedal_since.is_some(),
        }
    }

    /// Whether one of these keys may still be struck at this moment.
    pub fn can_strike(&self, keys: Keys) -> bool {
        let above = self.highest.map_or(keys.0, |highest| keys.0 & !Keys::between(0, highest).0);
        above & !self.sounding.0 != 0
    }

    /// Goes on past a word.
    pub fn advance(&mut self, token: Token) {
        match token {
            Token::Start | Token::Told => return *self = Cursor::default(),
            Token::Wait(steps) => {
                self.now = self.now.saturating_add(u32::from(steps));
                (self.highest, self.strokes) = (None, 0);
            }
            Token::Level(level) => self.level = Some(level),
            Token::Strike(key) => {
                let apart = self.last_stroke.map(|before| self.now - before);
                self.gap = apart.filter(|steps| *steps > CHORD).or(self.gap);
                self.sounding.0 |= 1 << key;
                self.struck[usize::from(key)] = Some(self.now);
                self.highest = Some(key);
                self.strokes += 1;
                self.last_stroke = Some(self.now);
                self.last_key = Some(key);
            }
            Token::Release(key) => self.sounding.0 &= !(1 << key),
            Token::Pedal(down) => self.pedal_since = down.then_some(self.now),
        }
        self.last = token;
    }

    /// Whether each word may come next, in the order of their numbers.
    pub fn permitted<'v>(&'v self, vocabulary: &'v Vocabulary) -> impl Iterator<Item = bool> {
        (0..vocabulary.len() as u32)
            .map(|number| vocabulary.token(crate::TokenId(number)).is_some_and(|token| self.permits(token)))
    }
}
