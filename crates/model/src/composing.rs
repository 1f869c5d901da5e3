//! What composing may answer: how far it is, and why it cannot go on.

use crate::{FormError, SamplingError};
use cantus_score::{Meter, Unpitched, counted};
use std::ops::ControlFlow;

/// Told how far a composition is, from 0 to 1; breaking stops it.
pub type Progress<'a> = &'a mut dyn FnMut(f64) -> ControlFlow<()>;

/// Why nothing was composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// No bar was asked for.
    #[error("a piece of {bars} bars cannot be composed; ask for 1 to {most}")]
    Bars {
        /// What was asked for.
        bars: usize,
        /// The most that is composed at once.
        most: usize,
    },
    /// Nothing is left to compose after the prompt.
    #[error(
        "{} kept of the prompt, and the piece is to have {bars}: nothing is left to compose; ask for more bars or keep fewer of the prompt",
        if *prompt == 1 { "1 bar is".to_owned() } else { format!("{prompt} bars are") }
    )]
    PromptTooLong {
        /// Bars kept of the prompt.
        prompt: usize,
        /// Bars asked for.
        bars: usize,
    },
    /// The kept bars of the prompt are silent, and later ones are not.
    #[error(
        "the first {} of the prompt hold no note to go on from: its first note with a pitch stands in bar {first}; keep at least {}",
        counted(*bars, "bar"), counted(*first, "bar")
    )]
    EmptyPrompt {
        /// Bars kept.
        bars: usize,
        /// The bar of the first note, from 1.
        first: usize,
    },
    /// What is given has no pitched note at all.
    #[error("there is nothing to go on from: the piece holds {0}; give one with a melody")]
    Unpitched(Unpitched),
    /// The composer only writes from left to right.
    #[error(
        "a model of the composer {composer} writes from left to right and cannot work around what is given; use one of {able} (`cantus models` lists models with their composers)"
    )]
    CannotArrange {
        /// Which.
        composer: &'static str,
        /// Who can.
        able: String,
    },
    /// The composer writes no part to others.
    #[error(
        "a model of the composer {composer} writes no part to others; use one of {able} (`cantus models` lists models with their composers)"
    )]
    CannotJoin {
        /// Which.
        composer: &'static str,
        /// Who can.
        able: String,
    },
    /// The part is not there to which another is to be written.
    #[error("there are no {wanted} to write {written} to: the piece holds {found}")]
    NoPart {
        /// What was looked for.
        wanted: &'static str,
        /// What was to be written.
        written: &'static str,
        /// What there is.
        found: String,
    },
    /// Its pieces have no codes.
    #[error(
        "a model of the composer {composer} cannot {what}: its music has no codes; use one of {able} (`cantus models` lists models with their composers)"
    )]
    NoCode {
        /// Which.
        composer: &'static str,
        /// What was asked for.
        what: &'static str,
        /// Who can.
        able: String,
    },
    /// No place between two pieces.
    #[error("there is nothing at {at} between two pieces: give a number from 0 (the first piece) to 1 (the second)")]
    Between {
        /// What was asked for.
        at: f64,
    },
    /// No amount of variation.
    #[error(
        "a piece cannot be varied by {amount}: give a number from 0 (as it is) to 1 (nothing of it stays but its bars)"
    )]
    Amount {
        /// What was asked for.
        amount: f64,
    },
    /// It does not know what is asked for.
    #[error(
        "a model of the composer {composer} cannot be asked for a {control}; use one of {able} (`cantus models` lists models with their composers)"
    )]
    Control {
        /// Which.
        composer: &'static str,
        /// What was asked for.
        control: &'static str,
        /// Who can be asked for it.
        able: String,
    },
    /// The composer may be asked for it, but not this model.
    #[error(
        "this model cannot be asked for a {control}: the music that it learnt from does not have one, or not more than one"
    )]
    Lacking {
        /// What was asked for.
        control: &'static str,
    },
    /// It has not learnt that style.
    #[error("the model has no style `{style}`: it learnt {known}{}", if style.contains('=') { "; how much of each is said as in haydn=0.7, chopin=0.3" } else { "" })]
    Style {
        /// What was asked for.
        style: String,
        /// What there is.
        known: String,
    },
    /// A strength of no style.
    #[error("a strength is that of a style: say which of {known}")]
    NoStyle {
        /// What there is.
        known: String,
    },
    /// It counts bars.
    #[error(
        "the model counts bars and not seconds: ask for bars, or use a model that learnt from performances as they were played, with one of {able} (`cantus models` lists models with their composers)"
    )]
    Seconds {
        /// Who counts seconds, where it learnt so.
        able: String,
    },
    /// A control that is asked for in words that it does not know.
    #[error("{problem}")]
    Unreadable {
        /// What is wrong with it.
        problem: String,
    },
    /// What is given says it.
    #[error("a {control} is asked for, but what is given has its own: leave it out")]
    Settled {
        /// What was asked for.
        control: &'static str,
    },
    /// A metre that the corpus never had.
    #[error("the model's music is never in {meter}; it is in {known}")]
    Meter {
        /// What was asked for.
        meter: Meter,
        /// What there is.
        known: String,
    },
    /// An instrument that it does not write for.
    #[error("the model does not write for `{asked}`; it writes for: {known}")]
    Instrument {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// Keys that an instrument does not have.
    #[error(
        "{asked} is no register for `{instrument}`: the model's music has it between {known}; ask for {keys} keys of these at least"
    )]
    Register {
        /// What was asked for.
        asked: String,
        /// Of which instrument.
        instrument: &'static str,
        /// Its lowest and its highest key.
        known: String,
        /// How many keys are enough.
        keys: usize,
    },
    /// A form that does not fit.
    #[error(transparent)]
    Form(#[from] FormError),
    /// There is no such voice.
    #[error("there is no voice {voice}: the model writes {voices}, counted from the highest")]
    Voice {
        /// What was asked for, from 1.
        voice: usize,
        /// How many there are.
        voices: usize,
    },
    /// There are no such bars.
    #[error("bars {first}-{last} cannot be kept: the piece has bars 1-{bars}, counted as printed")]
    KeptBars {
        /// What was asked for.
        first: usize,
        /// What was asked for.
        last: usize,
        /// How many there are.
        bars: usize,
    },
    /// There are no such bars to be composed anew.
    #[error("bars {first}-{last} cannot be composed anew: the piece has bars 1-{bars}, counted as printed")]
    AgainBars {
        /// What was asked for.
        first: usize,
        /// What was asked for.
        last: usize,
        /// How many there are.
        bars: usize,
    },
    /// Neither voices nor bars.
    #[error("nothing is given: name voices or bars to keep")]
    NothingGiven,
    /// A piece to which nothing can be written.
    #[error("the piece has no note: there is nothing to write a part to")]
    NothingToJoin,
    /// All of it.
    #[error("everything is given: nothing is left to compose")]
    EverythingGiven,
    /// Temperature, top-k or top-p.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// The network gave no number.
    #[error("the model predicts nothing (its numbers are not finite): its training has failed; train it again")]
    NoToken,
    /// Stopped by the caller.
    #[error("stopped")]
    Stopped,
}
