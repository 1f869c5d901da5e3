//! `abc_rnn`: folk tunes as they are written down, in a key and a metre, with their repeats as repeats.
//!
//! Source: B. Sturm, J. Santos, O. Ben-Tal and I. Korshunova, "Music transcription modelling and composition using deep learning",
//! arXiv:1604.08723v1 (folk-rnn): an LSTM over the tokens of ABC. M. Araoz, "Training a Recurrent Neural Network to Compose Music", 2016:
//! char-rnn on the Nottingham tunes.
//!
//! Departures: the encoding's ([`cantus_encoding::abc_tune`]): chord symbols and ties, pitches counted from the key, the tune in its own; bars
//! are full, and what may not follow has no probability. Beside each token the network is told where in bar, section and tune it stands, how long the
//! tune is to be, and which tokens stood at those earlier places before which the same was said, so that it need not remember what it may look up.
//! Characters are left out: what they say beside the tokens is how the writer spells. The default is small enough for a laptop; `paper` has
//! the source's sizes and dropout, with our optimiser.
//!
//! Cost: the default has 0.9 million parameters and takes 5 MFLOP a token in training; a tune has some 170 tokens.

mod draft;
mod past;
mod place;
mod player;
#[cfg(test)]
mod tests;

use cantus_encoding::TokenId;
use cantus_encoding::abc_tune::{Cursor, Token, Tune, Vocabulary, encode, home};
use cantus_model::tokens::{Grammar, TokenTrainer};
use cantus_model::{Around, ComposerSpec, Configuration, Control, CreateError, Sizes, TrainingSet};
use cantus_score::{Reading, Score};
use place::Spot;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "abc_rnn",
    version: 2,
    writes: "folk tunes as they are written down: repeats and endings, upbeats, full bars, chord symbols where the corpus has them",
    suits: "tunes of one voice: ABC collections, melodies in MusicXML or MIDI",
    is_made_for: None,
    title: "an LSTM over the tokens of ABC, told where it stands in the tune and what stood at like places before",
    source: "Sturm et al. 2016 (folk-rnn); Araoz 2016 (char-rnn on ABC)",
    departures: "pitches counted from the key, in one's own key; bars full by grammar; chord symbols; told the place in the tune and what resembles \
                 the present; `paper`: the source's sizes and dropout",
    reads: &[Reading::Parts],
    encoding: "abc_tune",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "default",
            summary: "one LSTM layer of 256",
            settings: r#"{"layers":1,"hidden":256,"embedding":128,"window":96,"batch":12,"learning_rate":0.003,"transposition":0,
                          "dropout":0.3,"input_dropout":0.15,"patience":4,"epochs":80}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":128,"embedding":64}"#,
                large: r#"{"hidden":384,"embedding":192,"layers":2,"learning_rate":0.002}"#,
            }),
            tiny: r#"{"hidden":24,"embedding":16,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,
                      "learning_rate":0.01}"#,
        },
        Configuration {
            name: "paper",
            summary: "the source's sizes: three LSTM layers of 512, dropout of a half",
            settings: r#"{"layers":3,"hidden":512,"embedding":512,"window":128,"batch":64,"learning_rate":0.003,"transposition":0,
                          "dropout":0.5,"input_dropout":0.0,"weight_decay":0.0,"clip":5.0,"epochs":100}"#,
            sizes: None,
            tiny: r#"{"hidden":16,"embedding":16,"layers":2,"batch":4,"window":24,"dropout":0.0,"learning_rate":0.01}"#,
        },
    ],
    create: Some(|settings, set, seed| Ok(Box::new(TokenTrainer::<Tunes>::new(settings, set, seed)?))),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};

/// It has no settings but those of all composers of tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

/// The words of tunes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tunes {
    vocabulary: Vocabulary,
}

impl Grammar for Tunes {
    type OwnSettings = Own;
    type Place<'g> = Spot<'g>;

    const NAME: &'static str = "abc_tune";
    const PROTOCOL: &'static str = "all tokens after the start of each tune as it is written, end included, in its own key; how long it is to be \
                                    played is given; of the notes alone: all but metre, key, unit, chords and end; mean over tokens";
    const FORBIDS: bool = true;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn of(set: &TrainingSet, transposition: u8) -> Result<Tunes, CreateError> {
        Ok(Tunes { vocabulary: Vocabulary::build(set.all(), transposition)? })
    }

    fn size(&self) -> usize {
        self.vocabulary.len()
    }

    fn contexts(&self) -> Vec<usize> {
        place::sizes(&self.vocabulary)
    }

    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        encode(&Tune::of(piece), &self.vocabulary)
    }

    /// Repeats say which notes come again.
    fn is_of_notes(&self, token: TokenId) -> bool {
        use Token::{Chord, End, Key, Start, Unit};
        !matches!(
            self.vocabulary.token(token),
            None | Some(Start | End | Token::Meter(_) | Key(_) | Unit(_) | Chord(_))
        )
    }

    fn begin(&self, tokens: &[TokenId]) -> Spot<'_> {
        Spot::new(&self.vocabulary, Cursor::new(&self.vocabulary), place::length(&self.vocabulary, tokens))
    }

    fn may_begin(&self, token: TokenId) -> bool {
        matches!(self.vocabulary.token(token), Some(Token::Bar | Token::Open | Token::Close))
    }

    fn shifts(&self, tokens: &[TokenId], transposition: u8) -> Range<i32> {
        let keys = tokens.iter().filter_map(|token| match self.vocabulary.token(*token) {
            Some(Token::Key(key)) => Some(key),
            _ => None,
        });
        let by = i32::from(transposition);
        let (mut down, mut up) = (by.min(5), by.min(6));
        for key in keys {
            // Where the home would be an octave away, so would the tune.
            let stays = |by: &i32| {
                home(key.transposed(*by)) == home(key) + by && self.vocabulary.keys().contains(&key.transposed(*by))
            };
            down = (1..=down).take_while(|by| stays(&-by)).last().unwrap_or(0);
            up = (1..=up).take_while(stays).last().unwrap_or(0);
        }
        -down..up + 1
    }

    fn moved(&self, token: TokenId, semitones: i32) -> TokenId {
        self.vocabulary.moved(token, semitones)
    }

    fn token_of(&self, base: &Tunes, token: TokenId) -> Option<TokenId> {
        self.vocabulary.in_words_of(&base.vocabulary, token)
    }

    fn context_of(&self, base: &Tunes, context: usize, value: u32) -> Option<u32> {
        place::value_of(&self.vocabulary, &base.vocabulary, context, value)
    }
}
