//! By what tokens that may follow are told apart, whichever they are.

use super::{Past, Spot, sounding};
use crate::song_from_pi::cursor::Expected;
use crate::song_from_pi::words::{KINDS, Layer, Token, Words};
use cantus_encoding::lead_sheet::GRID;

/// Earlier places whose tokens are told from all others: two candidates, one at another height, a bar ago, two bars ago.
const COPIES: usize = 5;

/// By what tokens that may follow are told apart, whichever they are; class 0 is for those of which nothing is known. How many classes each
/// has: which of the earlier places had it; how a note moves from the last, a chord from the last, a length ends; how a chord goes with the
/// melody, which class a pitch has; then, for each kind of drum, whether it is struck.
pub(in crate::song_from_pi) fn traits(words: &Words) -> Vec<usize> {
    let drums = if words.drums { KINDS } else { 0 };
    [1 << COPIES, 1 + ENDS + MOTIONS + CHANGES, 1 + 12 + FITS]
        .into_iter()
        .chain(std::iter::repeat_n(2, drums))
        .collect()
}

/// Ends of a length, twice: those of notes and of rests.
const ENDS: usize = 2 * 6;
/// Intervals to the last pitch, a tenth at most, and that there is none.
const FAR: i32 = 16;
const MOTIONS: usize = 2 * FAR as usize + 2;
/// A chord is the same, or has its root so far above the last; or there is none.
const CHANGES: usize = 14;
/// The share of the melody's time in a beat that a chord has, in fifths; no chord; nothing is known of the melody.
const FITS: usize = 8;

impl Spot<'_> {
    /// The class of where a length ends.
    fn end_class(&self, steps: u16, sounds: bool) -> u32 {
        let to = self.place() + u32::from(steps);
        let bar = self.cursor.bars.get(self.bar).map_or(1, |kind| u32::from(kind.steps)).max(1);
        let beat = self.cursor.beats.get(self.beat).map_or(1, |beat| beat.length).max(1);
        let class = match to {
            _ if to == bar => 0,
            _ if to > bar => 1,
            _ if to.is_multiple_of(beat) => 2,
            _ if (2 * to).is_multiple_of(beat) => 3,
            _ if to.is_multiple_of(GRID.get() / 4) => 4,
            _ => 5,
        };
        1 + class + if sounds { 0 } else { ENDS as u32 / 2 }
    }

    /// How a token moves on from the one before: see [`traits`].
    fn motion(&self, token: Token) -> u32 {
        let cursor = &self.cursor;
        let (motions, changes) = (1 + ENDS as u32, (1 + ENDS + MOTIONS) as u32);
        match token {
            Token::Sound(steps) => self.end_class(steps, true),
            Token::Rest(steps) => self.end_class(steps, false),
            Token::Pitch(pitch) => cursor.pitches.last().map_or(motions + 2 * FAR as u32 + 1, |last| {
                let far = i32::from(pitch.get()) - i32::from(last.get());
                motions + (far.clamp(-FAR, FAR) + FAR) as u32
            }),
            Token::Chord(chord) => match (cursor.chords.last().copied(), chord) {
                (Some(last), _) if last == chord => changes,
                (Some(Some(last)), Some(chord)) => changes + 1 + u32::from((chord.root() + 12 - last.root()) % 12),
                _ => changes + 13,
            },
            _ => 0,
        }
    }

    /// How a token goes with the key, or with the melody of which so much sounds in the beat, by pitch classes: see [`traits`].
    pub(in crate::song_from_pi) fn fit(token: Token, melody: Option<&[u32; 12]>) -> u32 {
        match (token, melody) {
            (Token::Pitch(pitch), _) => 1 + u32::from(pitch.class()),
            (Token::Chord(None), _) => 13 + 6,
            (Token::Chord(Some(_)), None) => 13 + 7,
            (Token::Chord(Some(chord)), Some(melody)) => {
                let all: u32 = melody.iter().sum();
                let own: u32 = (0..12).filter(|class| chord.has(*class)).map(|class| melody[usize::from(class)]).sum();
                13 + (5 * own).checked_div(all).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// For how many steps of a beat the melody sounds in each pitch class; `None` where that is untold, or it is silent.
    fn melody_in(&self, beat: usize) -> Option<[u32; 12]> {
        let beat = self.cursor.beats.get(beat).filter(|_| self.cursor.hears(Layer::Melody))?;
        let mut classes = [0; 12];
        for (event, pitch) in sounding(&self.cursor, beat) {
            let (from, to) = (event.onset.max(beat.at), (event.onset + event.length).min(beat.at + beat.length));
            classes[usize::from(pitch.class())] += to.saturating_sub(from);
        }
        (classes != [0; 12]).then_some(classes)
    }

    /// See [`cantus_model::tokens::Place::classes`].
    pub(super) fn classify(&self, classes: &mut [u32]) {
        classes.fill(0);
        let expected = self.cursor.expected();
        if matches!(expected, Expected::Start | Expected::Bar | Expected::Layer | Expected::Nothing) {
            return;
        }
        let words = self.words.len();
        let Past { candidates, moved, ago } = self.past();
        let found = |k: usize| candidates.get(k).map(|found| found.token);
        let copies: [Option<Token>; COPIES] = [found(0), found(1), moved.map(|(token, _)| token), ago[0], ago[1]];
        for (bit, token) in copies.iter().enumerate() {
            if let Some(token) = token {
                classes[self.words.id(*token).index()] |= 1 << bit;
            }
        }
        let melody = self.melody_in(self.beat);
        for (number, token) in self.words.all() {
            match token {
                Token::Strokes(set) if expected == Expected::Strokes => {
                    (0..KINDS).for_each(|k| classes[(3 + k) * words + number] = u32::from(set >> k & 1));
                }
                Token::Strokes(_) => break,
                token => {
                    classes[words + number] = self.motion(token);
                    classes[2 * words + number] = Spot::fit(token, melody.as_ref());
                }
            }
        }
    }
}
