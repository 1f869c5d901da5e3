//! The pieces of one side: what is always known of each, and those as frames that were wanted last.

use super::{Past, Reading};
use crate::{Pieces, Recent};
use cantus_encoding::piano_roll::{Frame, Keys};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// Frames of pieces that stay read, with what a head keeps of them: a memory's are some 150 bytes each.
const MOST_READ: usize = 500_000;

/// What is always known of a piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    /// Its number among all pieces.
    number: usize,
    /// How many frames it has.
    pub frames: usize,
    /// Transpositions that keep all keys on the keyboard, down and up.
    pub shifts: (i32, i32),
}

/// A piece as the network reads it.
#[derive(Clone, Debug)]
pub(super) struct Piece<P> {
    pub frames: Vec<Frame>,
    /// What the head keeps of all of it.
    pub past: P,
}

/// What a head keeps of a whole piece.
pub(super) fn past_of<P: Past>(frames: &[Frame]) -> P {
    let mut past = P::default();
    frames.iter().for_each(|frame| past.push(frame.sounding()));
    past
}

/// See above. A number is that of an outline.
#[derive(Debug)]
pub(super) struct Repertoire<P> {
    pieces: Pieces,
    reading: Reading,
    outlines: Vec<Outline>,
    read: Recent<Piece<P>>,
}

impl<P: Past> Repertoire<P> {
    /// Of those pieces that have notes.
    pub fn of(pieces: &Pieces, reading: Reading, transposition: u8) -> Repertoire<P> {
        let outlined = |number: usize| {
            let frames = reading.frames(&pieces.get(number));
            let shifts = shifts(&frames, transposition);
            (!frames.is_empty()).then_some(Outline { number, frames: frames.len(), shifts })
        };
        let outlines = (0..pieces.len()).into_par_iter().filter_map(outlined).collect();
        Repertoire { pieces: pieces.clone(), reading, outlines, read: Recent::new(MOST_READ) }
    }

    /// What is known of all.
    pub fn outlines(&self) -> &[Outline] {
        &self.outlines
    }

    /// How many frames all have together.
    pub fn frames(&self) -> usize {
        self.outlines.iter().map(|outline| outline.frames).sum()
    }

    /// All pieces, one after another; as long as each was, whatever became of it.
    pub fn iter(&self) -> impl Iterator<Item = Vec<Frame>> {
        self.outlines.iter().map(|outline| frames(&self.pieces, self.reading, *outline))
    }

    /// The pieces of these numbers; `None` where one cannot be had any more.
    pub fn read(&mut self, numbers: impl IntoIterator<Item = usize>) -> Option<HashMap<usize, Arc<Piece<P>>>> {
        let Repertoire { pieces, reading, outlines, read } = self;
        let found = read.of(numbers, |number| {
            let frames = frames(pieces, *reading, outlines[number]);
            let weight = frames.len();
            (Piece { past: past_of(&frames), frames }, weight)
        });
        pieces.check_whole().is_ok().then_some(found)
    }
}

fn frames(pieces: &Pieces, reading: Reading, outline: Outline) -> Vec<Frame> {
    let mut frames = reading.frames(&pieces.get(outline.number));
    frames.resize(outline.frames, Frame::default());
    frames
}

fn shifts(frames: &[Frame], transposition: u8) -> (i32, i32) {
    let all = frames.iter().fold(Keys::NONE, |all, frame| all | frame.sounding());
    let room = |by: i32| (0..=by.abs()).rev().find(|by_less| all.transposed(by_less * by.signum()).is_some());
    let most = i32::from(transposition);
    (-room(-most.min(5)).unwrap_or(0), room(most.min(6)).unwrap_or(0))
}
