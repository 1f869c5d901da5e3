//! A song that is being written, token by token.

use super::{Plan, Player};
use crate::song_from_pi::cursor::Expected;
use crate::song_from_pi::place::Spot;
use crate::song_from_pi::song::{Song, rhythm};
use crate::song_from_pi::words::{Layer, Token, Words};
use cantus_encoding::TokenId;
use cantus_model::tokens::{Draft, Rows};
use cantus_model::{ComposeError, Progress, Rng, Sampling};

impl Player {
    /// Pieces from their plans to their ends.
    pub(super) fn finished(
        &self,
        plans: Vec<Plan>,
        sampling: &Sampling,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Piece<'_>>, ComposeError> {
        let start = self.words().id(Token::Start(true));
        // The start stands before all that is drawn.
        let begin = |plan: Plan| {
            let (mut piece, mut rows) = (Piece::new(self.words(), plan), self.model.rows());
            piece.take(start);
            self.model.read(start, piece.place(), &mut rows);
            (piece, rows)
        };
        let (pieces, rows): (Vec<Piece<'_>>, Vec<Rows>) = plans.into_iter().map(begin).unzip();
        self.model.write(pieces.into_iter().zip(&rows).collect(), sampling, rngs, progress)
    }
}

/// A piece that is being written.
pub(super) struct Piece<'a> {
    words: &'a Words,
    spot: Spot<'a>,
    pub plan: Plan,
    /// The rhythm that is given.
    rhythm: Vec<Token>,
    /// Where the piece ends, and where its last bar begins, in steps; how long that is.
    end: u32,
    last: u32,
    bar: u32,
}

impl<'a> Piece<'a> {
    fn new(words: &'a Words, plan: Plan) -> Piece<'a> {
        let sheet = &plan.song.sheet;
        let spot = Spot::new(words, Some(sheet.bars.clone()));
        let (end, bar) = (sheet.end(), sheet.bars.last().map_or(1, |kind| u32::from(kind.steps)));
        let rhythm = rhythm(sheet, plan.melody, words);
        Piece { words, spot, rhythm, end, last: end.saturating_sub(bar), bar, plan }
    }

    /// What is written.
    pub(super) fn song(&self) -> Song {
        let mut song = self.spot.cursor.song();
        // What was given is as it was, whatever the network took it for.
        if self.plan.chords > 0 {
            song.sheet.chords[..self.plan.chords].copy_from_slice(&self.plan.song.sheet.chords[..self.plan.chords]);
        }
        song
    }

    /// Whether what the grammar permits fits what is to be written: pitches as the corpus has them, no long silence, an onset in the last
    /// bar.
    fn fits(&self, token: Token) -> bool {
        let cursor = &self.spot.cursor;
        let (low, high) = self.words.sheet.heard_range();
        let now = cursor.now();
        let enters = |steps: u16| now < self.last && now + u32::from(steps) > self.last;
        match token {
            Token::Bar(_) | Token::Layer(_) | Token::End => false,
            Token::Pitch(pitch) => (low..=high).contains(&pitch),
            Token::Sound(steps) => !enters(steps),
            Token::Rest(steps) => {
                let goes_on = cursor.events.last().is_some_and(|event| !event.sounds);
                now != self.last && !goes_on && !enters(steps) && u32::from(steps) <= self.bar
            }
            // Where drums are alone, one of them is struck in the last bar.
            Token::Strokes(0) => {
                let is_alone = self.plan.layers == [Layer::Drums];
                !is_alone || cursor.steps.get(cursor.drums.len()).is_none_or(|step| step.at != self.last)
            }
            _ => true,
        }
    }

    /// The layer after the one that is written; the end after the last one.
    fn next_layer(&self) -> Token {
        let now = self.spot.cursor.layer;
        self.plan.layers.iter().find(|layer| now < Some(**layer)).map_or(Token::End, |layer| Token::Layer(*layer))
    }
}

impl<'a> Draft for Piece<'a> {
    type Place = Spot<'a>;

    fn place(&self) -> &Spot<'a> {
        &self.spot
    }

    fn intended(&self) -> Option<TokenId> {
        let cursor = &self.spot.cursor;
        let Plan { song, chords, drums, .. } = &self.plan;
        let given = match cursor.expected() {
            Expected::Start => Some(Token::Start(true)),
            Expected::Bar => song.sheet.bars.get(cursor.bars.len()).map(|kind| Token::Bar(*kind)),
            Expected::Rhythm => self.rhythm.get(cursor.events.len()).copied(),
            Expected::Pitch => song.sheet.melody.get(cursor.pitches.len()).map(|tone| Token::Pitch(tone.pitch)),
            Expected::Chord => {
                let given = song.sheet.chords.get(..*chords).unwrap_or_default();
                given.get(cursor.chords.len()).map(|chord| Token::Chord(*chord))
            }
            Expected::Strokes => {
                let given = song.drums.get(..*drums).unwrap_or_default();
                given.get(cursor.drums.len()).map(|set| Token::Strokes(*set))
            }
            Expected::Layer => Some(self.next_layer()),
            Expected::Nothing => None,
        };
        let is_laid = cursor.expected() == Expected::Bar && cursor.bars.len() >= song.sheet.bars.len();
        given.or_else(|| is_laid.then(|| self.next_layer())).map(|token| self.words.id(token))
    }

    fn mask(&self, logits: &mut [f32]) {
        for (number, token) in self.words.all() {
            if !self.fits(token) {
                logits[number] = f32::NEG_INFINITY;
            }
        }
    }

    fn take(&mut self, token: TokenId) -> bool {
        cantus_model::tokens::Place::read(&mut self.spot, token);
        self.spot.cursor.expected() != Expected::Nothing
    }

    fn written(&self) -> (usize, usize) {
        let cursor = &self.spot.cursor;
        let pitched = cursor.pitches.len().checked_sub(1).map_or(0, |last| {
            let event = cursor.events[cursor.notes[last]];
            event.onset + event.length
        });
        let chords: u32 = cursor.beats.iter().take(cursor.chords.len()).map(|beat| beat.length).sum();
        let drums = cursor.drums.len().checked_sub(1).map_or(0, |last| cursor.steps[last].at + 1);
        let layers = self.plan.layers.iter().map(|layer| if *layer == Layer::Melody { 2 } else { 1 }).sum::<usize>();
        ((cursor.now() + pitched + chords + drums) as usize, self.end as usize * layers.max(1))
    }
}
