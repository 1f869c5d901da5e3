//! `lead_sheet`: a melody and the chords to it. Chords are given and a melody is written, or a melody is given and chords are found.
//!
//! Source: D. Eck and J. Schmidhuber, "A First Look at Music Composition using LSTM Recurrent Neural Networks", IDSIA-07-02, 2002: the
//! likelihood is that of the chords, times that of the melody given the chords. P. Todd, "A Connectionist Approach to Algorithmic
//! Composition", Computer Music Journal 13(4), 1989: what is given stands beside the input.
//!
//! Departures: any chords, any metre; notes have lengths. One network writes both rows in either order, which it learns by turns: what comes
//! second is told what the first row has here and next, so it hears what is given ahead, as the source's melody does not. Beside each token it is
//! told the clock, and which tokens stood at those earlier places of the row that resemble the present most, since repetition is what tunes
//! are made of. Pieces are moved to the key without accidentals, so that what is learnt of one key holds for all.
//!
//! Cost: the default has 0.7 million parameters and takes 4 MFLOP a token in training; a quarter note has some four tokens.

mod likeness;
mod place;
mod player;
#[cfg(test)]
mod tests;

use cantus_encoding::TokenId;
use cantus_encoding::lead_sheet::{LeadSheet, Order, Token, Vocabulary, encode};
use cantus_model::tokens::{Grammar, TokenTrainer};
use cantus_model::{Around, ComposerSpec, Configuration, Control, CreateError, Sizes, TrainingSet, home};
use cantus_score::{Reading, Score};
use place::Spot;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "lead_sheet",
    version: 1,
    writes: "lead sheets: a tune with chord symbols; a tune to your chords, chords to your tune",
    suits: "tunes with chords: chord symbols, or a part that plays block chords",
    is_made_for: None,
    title: "an LSTM over chords, then a melody that hears them ahead, or the other way round; told where the row has been before",
    source: "Eck and Schmidhuber 2002 (blues with LSTM); Todd 1989",
    departures: "one network for both rows and both orders; any chords, metres and lengths; hears ahead what is given; told which earlier \
                 places resemble the present",
    reads: &[Reading::Parts],
    encoding: "lead_sheet",
    around: &[Around::Beginning, Around::Melody],
    abilities: &[],
    controls: &[Control::Key, Control::Meter, Control::Chords],
    configurations: &[Configuration {
        name: "default",
        summary: "one LSTM layer of 256",
        settings: r#"{"layers":1,"hidden":256,"embedding":128,"window":96,"batch":12,"learning_rate":0.004,"transposition":0,
                      "dropout":0.2,"input_dropout":0.1,"patience":4,"epochs":60}"#,
        sizes: Some(Sizes {
            small: r#"{"hidden":128,"embedding":64}"#,
            large: r#"{"hidden":384,"embedding":192,"layers":2,"learning_rate":0.002}"#,
        }),
        tiny: r#"{"hidden":24,"embedding":16,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,
                  "learning_rate":0.01}"#,
    }],
    create: Some(|settings, set, seed| Ok(Box::new(TokenTrainer::<Sheets>::new(settings, set, seed)?))),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};

/// It has no settings but those of all composers of tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

/// Chords, then a melody; by turns a melody, then chords. All are read in the key without accidentals, [`home`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheets {
    vocabulary: Vocabulary,
    /// The lowest and the highest pitch of the melodies in their own keys.
    range: (u8, u8),
}

impl Grammar for Sheets {
    type OwnSettings = Own;
    type Place<'g> = Spot<'g>;

    const NAME: &'static str = "lead_sheet";
    const PROTOCOL: &'static str = "bars, the chord of each beat, then notes and rests of the melody given the chords; the key is given; \
                                    of the notes alone: the melody given the chords; mean over tokens";
    const FORBIDS: bool = true;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn of(set: &TrainingSet, transposition: u8) -> Result<Sheets, CreateError> {
        let vocabulary = Vocabulary::build(set.all().map(|piece| home(&piece).0), transposition)?;
        let tones = set.all().flat_map(|piece| LeadSheet::of(&piece).melody);
        let range = tones.fold((u8::MAX, 0), |(low, high), tone| {
            let pitch = tone.pitch.get();
            (pitch.min(low), pitch.max(high))
        });
        Ok(Sheets { vocabulary, range })
    }

    fn size(&self) -> usize {
        self.vocabulary.len()
    }

    fn contexts(&self) -> Vec<usize> {
        place::sizes(&self.vocabulary)
    }

    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        encode(&LeadSheet::of(&home(piece).0), Order::ChordsFirst, &self.vocabulary)
    }

    /// Either order is a take.
    fn takes(&self) -> usize {
        2
    }

    fn encode_take(&self, piece: &Score, take: usize) -> Vec<TokenId> {
        let order = if take == 0 { Order::ChordsFirst } else { Order::MelodyFirst };
        encode(&LeadSheet::of(&home(piece).0), order, &self.vocabulary).0
    }

    fn is_of_notes(&self, token: TokenId) -> bool {
        matches!(self.vocabulary.token(token), Some(Token::Rest | Token::Pitch(_) | Token::Length(_)))
    }

    fn begin(&self, _tokens: &[TokenId]) -> Spot<'_> {
        Spot::new(&self.vocabulary)
    }

    fn may_begin(&self, token: TokenId) -> bool {
        matches!(self.vocabulary.token(token), Some(Token::Chord(_) | Token::Rest | Token::Pitch(_)))
    }

    fn shifts(&self, tokens: &[TokenId], transposition: u8) -> Range<i32> {
        let pitches = tokens.iter().filter_map(|token| match self.vocabulary.token(*token) {
            Some(Token::Pitch(pitch)) => Some(i32::from(pitch.get())),
            _ => None,
        });
        let (low, high) = pitches.fold((i32::MAX, i32::MIN), |(low, high), pitch| (low.min(pitch), high.max(pitch)));
        let (least, most) = self.vocabulary.pitch_range();
        // Twelve keys at most: 6 up and 5 down, as many as asked for and as the range allows.
        let by = i32::from(transposition);
        let down = by.min(5).min(low.saturating_sub(i32::from(least.get()))).max(0);
        let up = by.min(6).min(i32::from(most.get()).saturating_sub(high)).max(0);
        -down..up + 1
    }

    fn moved(&self, token: TokenId, semitones: i32) -> TokenId {
        self.vocabulary.moved(token, semitones)
    }

    fn token_of(&self, base: &Sheets, token: TokenId) -> Option<TokenId> {
        self.vocabulary.in_words_of(&base.vocabulary, token)
    }

    fn context_of(&self, base: &Sheets, context: usize, value: u32) -> Option<u32> {
        place::value_of(&self.vocabulary, &base.vocabulary, context, value)
    }
}
