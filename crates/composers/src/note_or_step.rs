//! `note_or_step`: writes the notes of each step of the grid one after another, downwards, new or held, and then goes a step on.
//!
//! Source: C. Walder, Modelling Symbolic Music: Beyond the Piano Roll, 2016, arXiv:1606.01368: an LSTM over notes in a row, the rhythm given; F.
//! Liang, M. Gotham, M. Johnson and J. Shotton, Automatic Stylistic Composition of Bach Chorales with Deep LSTM (BachBot), ISMIR 2017: a step's notes
//! downwards, then its end, three LSTM layers of 256.
//!
//! Departures: the encoding's ([`cantus_encoding::note_stream`]). A step costs as many words of memory as it has notes, and one more; so the network
//! is told beside each word what is said of the step so far, the two steps before it, which of their notes may still be held and for how long they have
//! been, and where in the bar it stands; the output sees that directly, too. What may not follow has no probability. Rhythm is written unless one is
//! given; where one is, only pitches are drawn, and their likelihood is another, conditional one. The default is small enough for a laptop; `source`
//! has the sizes and the dropout of BachBot.
//!
//! Cost: the default, 0.5 million parameters, takes 3 MFLOP a word in training; a step has some five words.

mod following;
mod frames;
mod player;
mod spot;
#[cfg(test)]
mod tests;

use cantus_encoding::TokenId;
use cantus_encoding::note_stream::{self, Token, WORDS, encode};
use cantus_encoding::piano_roll::{Key, Keys};
use cantus_model::frames::{Reading as Sounds, Roll};
use cantus_model::tokens::{Grammar, TokenTrainer};
use cantus_model::{Around, ComposerSpec, Configuration, Control, CreateError, ModelError, Sizes, TrainingSet, Unit};
use cantus_score::{Reading, Score};
use serde::{Deserialize, Serialize};
use spot::{Clock, Spot};
use std::collections::BTreeSet;
use std::ops::Range;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "note_or_step",
    version: 1,
    writes: "chords on a piano's keys, note by note from the top down; new pitches to the rhythm of any piece",
    suits: "chorales, hymns, tunes and piano pieces; benchmark files",
    is_made_for: None,
    title: "an LSTM over the notes of each step, downwards, new or held, and the end of the step",
    source: "Walder 2016; Liang et al. 2017 (BachBot)",
    departures: "88 keys; what may not follow has no probability; told the step so far, the two before it, what may be held, and the place in the \
                 bar; the output sees that, too; `source`: three layers of 256, as in BachBot",
    reads: &[Reading::Merged],
    encoding: "note_stream",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter, Control::Rhythm],
    configurations: &[
        Configuration {
            name: "default",
            summary: "one LSTM layer of 256",
            settings: r#"{"layers":1,"window":128,"averaging":0.998}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":128,"embedding":96,"learning_rate":0.003}"#,
                large: r#"{"hidden":512,"embedding":256,"batch":32,"learning_rate":0.0015}"#,
            }),
            tiny: r#"{"hidden":24,"embedding":16,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,
                      "learning_rate":0.01,"averaging":0.5}"#,
        },
        Configuration {
            name: "source",
            summary: "the sizes of BachBot: three LSTM layers of 256, dropout of a half",
            settings: r#"{"layers":3,"hidden":256,"embedding":128,"dropout":0.5,"input_dropout":0.0,"batch":50,"window":128,"weight_decay":0.0,
                          "clip":5.0}"#,
            sizes: None,
            tiny: r#"{"hidden":16,"embedding":16,"layers":2,"batch":4,"window":24,"dropout":0.0,"transposition":0,"learning_rate":0.01}"#,
        },
    ],
    create: Some(|settings, set, seed| Ok(Box::new(TokenTrainer::<Stream>::new(settings, set, seed)?))),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};

/// It has no settings but those of all composers of tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

/// The words of steps, and what the corpus has in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream {
    roll: Roll,
    /// Which keys of a step are read; as learnt, all that the corpus knows.
    sounds: Sounds,
    /// In which bars pieces begin, in order: each has a word of its own to begin with.
    clocks: Vec<Clock>,
}

/// The most beginnings that a model file may have words for.
const MOST_CLOCKS: usize = 4096;

impl Stream {
    /// Whether a file's can be used.
    fn check(&self) -> Result<(), ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        self.roll.check().map_err(metadata)?;
        if self.clocks.len() > MOST_CLOCKS || !self.clocks.iter().all(Clock::is_sound) || !self.clocks.is_sorted() {
            return Err(metadata("the list of beginnings is damaged".to_owned()));
        }
        Ok(())
    }

    /// Whether it is known where a key that sounds on is struck again.
    fn knows_strokes(&self) -> bool {
        self.sounds == Sounds::Strokes
    }

    /// The word with which a piece begins in such bars; the one nearest to it.
    fn start(&self, clock: Clock) -> TokenId {
        let like = |known: &&Clock| known.bar == clock.bar;
        let found = self.clocks.iter().find(|known| **known == clock).or_else(|| self.clocks.iter().find(like));
        let number = found.and_then(|found| self.clocks.iter().position(|known| known == found));
        number.map_or(Token::Start.id(), |number| TokenId((WORDS + number) as u32))
    }

    /// The bars that a first word speaks of.
    fn clock_of(&self, start: TokenId) -> Option<Clock> {
        self.clocks.get(start.index().checked_sub(WORDS)?).copied()
    }

    /// The bars of the corpus' usual metre.
    fn usual_clock(&self) -> Clock {
        Clock::of(&self.roll.open())
    }
}

impl Grammar for Stream {
    type OwnSettings = Own;
    type Place<'g> = Spot<'g>;

    const NAME: &'static str = "note_stream";
    const PROTOCOL: &'static str = "all frames of each piece in its own key, the first predicted from nothing, the end not predicted; a frame is all words of \
                                    one step; mean over frames; right: of the words";
    const FORBIDS: bool = true;
    const SKIP: bool = true;
    const UNIT: Unit = Unit::Frame;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn of(set: &TrainingSet, _transposition: u8) -> Result<Stream, CreateError> {
        let sounds = Sounds::of(set);
        let roll = Roll::of(set, sounds).ok_or(CreateError::EmptyCorpus { what: "training" })?;
        let clocks: BTreeSet<Clock> = set.all().map(|piece| Clock::of(&piece)).collect();
        Ok(Stream { roll, sounds, clocks: clocks.into_iter().take(MOST_CLOCKS).collect() })
    }

    fn size(&self) -> usize {
        WORDS + self.clocks.len()
    }

    fn contexts(&self) -> Vec<usize> {
        spot::SIZES.to_vec()
    }

    fn marks(&self) -> usize {
        spot::MARKS
    }

    fn completes(&self, token: TokenId) -> bool {
        token == Token::Step.id()
    }

    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        let mut tokens = encode(&self.sounds.frames(piece));
        tokens[0] = self.start(Clock::of(piece));
        (tokens, piece.pitched_notes().any(|note| Key::try_from(note.pitch).is_err()))
    }

    fn is_of_notes(&self, _token: TokenId) -> bool {
        true
    }

    fn begin(&self, _tokens: &[TokenId]) -> Spot<'_> {
        Spot::new(self)
    }

    fn may_begin(&self, token: TokenId) -> bool {
        token == Token::Step.id()
    }

    fn shifts(&self, tokens: &[TokenId], transposition: u8) -> Range<i32> {
        let keys = tokens.iter().filter_map(|token| Token::of(*token)?.key());
        let (low, high) =
            keys.fold((Keys::COUNT - 1, 0), |(low, high), key| (low.min(key.index()), high.max(key.index())));
        let by = usize::from(transposition);
        let (down, up) = (by.min(5).min(low), by.min(6).min(Keys::COUNT - 1 - high));
        -(down as i32)..up as i32 + 1
    }

    /// Keys are numbered in order, so that transposition is addition.
    fn moved(&self, token: TokenId, semitones: i32) -> TokenId {
        match Token::of(token) {
            Some(Token::Strike(_) | Token::Hold(_)) if token.index() < WORDS => {
                TokenId(token.0.saturating_add_signed(semitones))
            }
            _ => token,
        }
    }

    fn token_of(&self, base: &Stream, token: TokenId) -> Option<TokenId> {
        let Some(clock) = self.clock_of(token) else { return Some(token) };
        let number = base.clocks.iter().position(|known| *known == clock)?;
        Some(TokenId((note_stream::WORDS + number) as u32))
    }
}
