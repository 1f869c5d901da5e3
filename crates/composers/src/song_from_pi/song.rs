//! A song: bars, a melody, a chord for each beat, drums for each sixteenth.

use super::words::{KINDS, Layer, Token, Words};
use cantus_encoding::TokenId;
use cantus_encoding::lead_sheet::{GRID, LeadSheet, beats};
use cantus_encoding::note_chord::BarKind;
use cantus_encoding::rhythm_section;
use cantus_score::{Note, Part, Pitch, Score, Ticks, Velocity, quantize};

/// Steps of the grid between two of the times at which drums are struck: a sixteenth.
const SIXTEENTH: u32 = GRID.get() / 4;
/// What percussion is played like, by its kind from [`KINDS`] on.
const LIKE: [usize; 5] = [8, 6, 4, 2, 8];

/// A time at which drums may be struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// When it is, in steps of the grid.
    pub at: u32,
    /// Which sixteenth of its bar it is, from 0.
    pub number: usize,
    /// Its bar, from 0.
    pub bar: usize,
}

/// The sixteenths of bars; the last one of a bar may be shorter.
pub(super) fn steps(bars: &[BarKind]) -> Vec<Step> {
    let (mut steps, mut start) = (Vec::new(), 0);
    for (bar, kind) in bars.iter().enumerate() {
        let count = u32::from(kind.steps).div_ceil(SIXTEENTH);
        steps.extend((0..count).map(|k| Step { at: start + k * SIXTEENTH, number: k as usize, bar }));
        start += u32::from(kind.steps);
    }
    steps
}

/// Times are in steps of the [`GRID`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Song {
    /// Bars, melody and chords.
    pub sheet: LeadSheet,
    /// A set for each of the [`steps`]; nothing where there are no drums.
    pub drums: Vec<u16>,
    /// Whether that says all strokes.
    pub is_exact: bool,
}

impl Song {
    pub(super) fn of(score: &Score) -> Song {
        Song::until(score, score.end())
    }

    /// The bars that cover a time in the score's ticks.
    pub(super) fn until(score: &Score, end: Ticks) -> Song {
        let mut song = Song { sheet: LeadSheet::until(score, end), ..Song::default() };
        song.hear_drums(score);
        song
    }

    /// Reads the drums again, for other bars.
    pub(super) fn hear_drums(&mut self, score: &Score) {
        (self.drums, self.is_exact) = drums(score, &self.sheet.bars);
    }

    /// Whether it has such a layer.
    pub(super) fn has(&self, layer: Layer) -> bool {
        match layer {
            Layer::Melody => !self.sheet.melody.is_empty(),
            Layer::Chords => self.sheet.chords.iter().any(Option::is_some),
            Layer::Drums => !self.drums.is_empty(),
        }
    }

    /// Its tokens, of the layers that the words know, and whether it could not be said as it is.
    pub(super) fn tokens(&self, words: &Words, told: bool) -> (Vec<TokenId>, bool) {
        let mut tokens = vec![Token::Start(told)];
        let layers: Vec<Layer> = Layer::ALL.into_iter().filter(|layer| self.has(*layer) && words.has(*layer)).collect();
        if layers.is_empty() {
            return (vec![words.id(tokens[0])], false);
        }
        let (said, is_adjusted) = words.sheet.canonical(&self.sheet);
        tokens.extend(said.bars.iter().map(|kind| Token::Bar(*kind)));
        for layer in &layers {
            tokens.push(Token::Layer(*layer));
            match layer {
                Layer::Melody => {
                    tokens.extend(rhythm(&said, said.end(), words));
                    tokens.extend(said.melody.iter().map(|tone| Token::Pitch(tone.pitch)));
                }
                Layer::Chords => tokens.extend(said.chords.iter().map(|chord| Token::Chord(*chord))),
                Layer::Drums => {
                    let sets = self.drums.iter().copied().chain(std::iter::repeat(0));
                    tokens.extend(sets.take(steps(&said.bars).len()).map(Token::Strokes));
                }
            }
        }
        tokens.push(Token::End);
        let is_deaf = Layer::ALL.iter().any(|layer| self.has(*layer) && !words.has(*layer));
        let is_adjusted = is_adjusted || is_deaf || !self.is_exact;
        (tokens.into_iter().map(|token| words.id(token)).collect(), is_adjusted)
    }

    /// The drums as a part, struck from a time on.
    pub(super) fn strokes(&self, from: u32) -> Part {
        let mut part = Part { name: Some("Drums".to_owned()), ..Part::of_drums() };
        for (step, set) in steps(&self.sheet.bars).iter().zip(&self.drums).filter(|(step, _)| step.at >= from) {
            let struck = rhythm_section::KINDS.iter().take(KINDS).enumerate().filter(|(kind, _)| set >> kind & 1 == 1);
            part.notes.extend(struck.filter_map(|(_, pitch)| Pitch::try_from(*pitch).ok()).map(|pitch| Note {
                onset: Ticks(step.at.into()),
                pitch,
                duration: Ticks(SIXTEENTH.into()),
                velocity: Velocity::DEFAULT,
            }));
        }
        part.notes.sort_unstable();
        part
    }

    /// Fills what is missing, so that there is a chord for each beat and, where there are drums, a set for each sixteenth.
    pub(super) fn complete(&mut self) {
        self.sheet.chords.resize(beats(&self.sheet.bars).len(), None);
        if !self.drums.is_empty() {
            self.drums.resize(steps(&self.sheet.bars).len(), 0);
        }
    }
}

/// The rhythm of a melody up to a time: its notes, of lengths that are known, and rests between them.
pub(super) fn rhythm(sheet: &LeadSheet, end: u32, words: &Words) -> Vec<Token> {
    let (mut tokens, mut now) = (Vec::new(), 0);
    for tone in &sheet.melody {
        tokens.extend(words.sheet.lengths(tone.onset.saturating_sub(now)).map(Token::Rest));
        tokens.push(Token::Sound(u16::try_from(tone.length).unwrap_or(u16::MAX)));
        now = tone.end();
    }
    tokens.extend(words.sheet.lengths(end.saturating_sub(now)).map(Token::Rest));
    tokens
}

/// What is struck at each sixteenth of the bars, each stroke at the nearest one, and whether that says all: nothing where nothing is struck.
fn drums(score: &Score, bars: &[BarKind]) -> (Vec<u16>, bool) {
    if !score.parts.iter().any(|part| part.drums && !part.notes.is_empty()) {
        return (Vec::new(), true);
    }
    let steps = steps(bars);
    let (mut sets, mut is_exact) = (vec![0; steps.len()], true);
    let coarse = quantize(score, GRID, 0.5).0;
    for note in coarse.parts.iter().filter(|part| part.drums).flat_map(|part| &part.notes) {
        let kind = rhythm_section::kind(note.pitch);
        let like = if kind < KINDS { kind } else { LIKE[(kind - KINDS).min(LIKE.len() - 1)] };
        let after = steps.partition_point(|step| u64::from(step.at) < note.onset.0);
        let near = (after.saturating_sub(1)..steps.len().min(after + 1))
            .min_by_key(|k| u64::from(steps[*k].at).abs_diff(note.onset.0));
        let Some(near) = near else { continue };
        sets[near] |= 1 << like;
        is_exact &= kind < KINDS && u64::from(steps[near].at) == note.onset.0;
    }
    (sets, is_exact)
}
