//! `song_from_pi`: a song as a stack of layers, each of which hears those below: the rhythm of a melody, its pitches, chords, drums.
//!
//! Source: H. Chu, R. Urtasun and S. Fidler, "Song From PI: A Musically Plausible Network for Pop Music Generation", 2016, arXiv:1611.03477v1:
//! a melody's notes, then chords, then drums, each generator conditioned on what those before it wrote. No program was published.
//!
//! Departures: the layers below are heard ahead as well, so that any beginning of the stack may be given, and they are known as they were
//! written, not as a scale and an hour's histogram. One LSTM writes all layers one after another, told which one it is in, in the place of one
//! network each. Any metre and any chord; drums are sets of nine kinds at each sixteenth, in the place of one-bar patterns; no dancing, no
//! karaoke. A piece teaches the layers whose parts it has. In a fifth of what is learnt from the layers below are not told.
//! Pieces are moved to the key without accidentals. Beside each token the network is told the clock, what the layers below have here and next, and
//! which tokens stood at those earlier places of the layer that resemble the present most; these tokens have outputs of their own.
//!
//! The likelihood is exact: the nats of the layers add up, and no layer's depend on one above it.
//!
//! Cost: the default has 0.85 million parameters without drums, 2.1 million with; a token takes 4 to 6 MFLOP in training; a quarter note has some
//! four tokens, and four more of drums.

mod cursor;
mod likeness;
mod place;
mod player;
mod song;
#[cfg(test)]
mod tests;
mod words;

use cantus_encoding::TokenId;
use cantus_encoding::lead_sheet::Vocabulary;
use cantus_model::tokens::{Grammar, TokenTrainer};
use cantus_model::{Around, ComposerSpec, Configuration, Control, CreateError, Sizes, TrainingSet, home};
use cantus_score::{Meter, Note, Part, Pitch, Reading, Score, Ticks, TicksPerQuarter, Velocity};
use place::Spot;
use serde::{Deserialize, Serialize};
use song::Song;
use std::ops::Range;
use words::{Layer, Token, Words};

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "song_from_pi",
    version: 1,
    writes: "songs: a melody, chords to it, drums to both; what is missing of these to what you have",
    suits: "tunes with chords, songs with drums, drums alone: each teaches the layers that it has",
    is_made_for: None,
    title: "an LSTM over a stack of layers, rhythm, pitches, chords, drums, each of which hears those below ahead",
    source: "Chu, Urtasun and Fidler 2016 (Song From PI)",
    departures: "layers are heard ahead; one network for all, told which earlier places of a layer resemble the present; any metres and \
                 chords; drums as sets",
    reads: &[Reading::Parts],
    encoding: "lead_sheet",
    around: &[Around::Beginning, Around::Melody],
    abilities: &[],
    controls: &[Control::Key, Control::Meter, Control::Write],
    configurations: &[Configuration {
        name: "default",
        summary: "one LSTM layer of 256",
        settings: r#"{"layers":1,"hidden":256,"embedding":128,"window":96,"batch":12,"learning_rate":0.004,"transposition":0,
                      "dropout":0.2,"input_dropout":0.1,"patience":4,"epochs":60}"#,
        sizes: Some(Sizes {
            small: r#"{"hidden":128,"embedding":64}"#,
            large: r#"{"hidden":384,"embedding":256,"layers":2,"learning_rate":0.002}"#,
        }),
        tiny: r#"{"hidden":24,"embedding":16,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,
                  "learning_rate":0.01}"#,
    }],
    create: Some(|settings, set, seed| Ok(Box::new(TokenTrainer::<Stack>::new(settings, set, seed)?))),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};

/// Takes of a piece in which layers are told what those below say; in one more they are not.
const TOLD: usize = 4;

/// It has no settings but those of all composers of tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

/// A piece from its bars to its drums, a layer after another. All are read in the key without accidentals, [`home`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stack {
    words: Words,
    /// The lowest and the highest pitch of the melodies in their own keys.
    range: (u8, u8),
}

impl Grammar for Stack {
    type OwnSettings = Own;
    type Place<'g> = Spot<'g>;

    const NAME: &'static str = "song_from_pi";
    const PROTOCOL: &'static str = "bars, which layers there are, then the melody's rhythm, its pitches, the chord of each beat, the drums of \
                                    each sixteenth, each given all before; the key is given; of the notes alone: melody and drums; mean over \
                                    tokens";
    const FORBIDS: bool = true;
    const SKIP: bool = true;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn of(set: &TrainingSet, transposition: u8) -> Result<Stack, CreateError> {
        let (mut melody, mut drums, mut range) = (false, false, (u8::MAX, 0));
        for song in set.all().map(|piece| Song::of(&piece)) {
            melody |= song.has(Layer::Melody);
            drums |= song.has(Layer::Drums);
            for tone in &song.sheet.melody {
                range = (tone.pitch.get().min(range.0), tone.pitch.get().max(range.1));
            }
        }
        let pieces = set.all().map(|piece| home(&piece).0);
        // Drums alone have bars, but no note to begin a vocabulary with.
        let first = (!melody && drums).then(one_note);
        let sheet = Vocabulary::build(pieces.chain(first), transposition)?;
        Ok(Stack { words: Words { sheet, melody, drums }, range })
    }

    fn size(&self) -> usize {
        self.words.len()
    }

    fn contexts(&self) -> Vec<usize> {
        place::sizes(&self.words)
    }

    fn traits(&self) -> Vec<usize> {
        place::traits(&self.words)
    }

    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        Song::of(&home(piece).0).tokens(&self.words, true)
    }

    fn is_of_notes(&self, token: TokenId) -> bool {
        let said = self.words.token(token);
        matches!(said, Some(Token::Sound(_) | Token::Rest(_) | Token::Pitch(_) | Token::Strokes(_)))
    }

    fn takes(&self) -> usize {
        TOLD + 1
    }

    fn encode_take(&self, piece: &Score, take: usize) -> Vec<TokenId> {
        Song::of(&home(piece).0).tokens(&self.words, take < TOLD).0
    }

    fn begin(&self, _tokens: &[TokenId]) -> Spot<'_> {
        Spot::new(&self.words, None)
    }

    fn may_begin(&self, token: TokenId) -> bool {
        !matches!(self.words.token(token), Some(Token::Bar(_)) | None)
    }

    /// All pieces stand in one key.
    fn shifts(&self, _tokens: &[TokenId], _transposition: u8) -> Range<i32> {
        0..1
    }

    fn moved(&self, token: TokenId, _semitones: i32) -> TokenId {
        token
    }

    fn token_of(&self, base: &Stack, token: TokenId) -> Option<TokenId> {
        self.words.in_words_of(&base.words, token)
    }

    fn context_of(&self, base: &Stack, context: usize, value: u32) -> Option<u32> {
        place::value_of(&self.words, &base.words, context, value)
    }
}

/// A bar with middle C.
fn one_note() -> Score {
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    let duration = Meter::COMMON.bar(score.ticks_per_quarter);
    let note = Note { onset: Ticks::ZERO, pitch: Pitch::C4, duration, velocity: Velocity::DEFAULT };
    score.parts.push(Part { notes: vec![note], ..Part::default() });
    score
}
