//! Pieces as composers of frames read them.

use super::{Past, Reading};
use crate::{Pieces, Reader};
use cantus_encoding::piano_roll::{Frame, Keys};
use cantus_score::Score;
use std::marker::PhantomData;

/// Frames of pieces that stay read, with what a head keeps of them: a memory's are some 150 bytes each.
const MOST_READ: usize = 500_000;

/// What is always known of a piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
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

/// Reads pieces that have notes.
#[derive(Debug)]
pub(super) struct FrameReader<P> {
    reading: Reading,
    transposition: u8,
    past: PhantomData<fn() -> P>,
}

pub(super) type Repertoire<P> = crate::Repertoire<FrameReader<P>>;

/// The pieces of one side.
pub(super) fn repertoire<P: Past>(pieces: &Pieces, reading: Reading, transposition: u8) -> Repertoire<P> {
    Repertoire::of(pieces, FrameReader { reading, transposition, past: PhantomData }, MOST_READ)
}

impl<P: Past> Reader for FrameReader<P> {
    type Outline = Outline;
    type Piece = Vec<Frame>;
    type Learnt = Piece<P>;

    fn outlines(&self, _: usize, score: &Score) -> Vec<Outline> {
        let frames = self.reading.frames(score);
        let shifts = shifts(&frames, self.transposition);
        (!frames.is_empty()).then_some(Outline { frames: frames.len(), shifts }).into_iter().collect()
    }

    fn length(outline: &Outline) -> usize {
        outline.frames
    }

    fn piece(&self, outline: &Outline, score: &Score) -> Vec<Frame> {
        let mut frames = self.reading.frames(score);
        frames.resize(outline.frames, Frame::default());
        frames
    }

    fn learnt(&self, frames: Vec<Frame>) -> Piece<P> {
        Piece { past: past_of(&frames), frames }
    }
}

fn shifts(frames: &[Frame], transposition: u8) -> (i32, i32) {
    let all = frames.iter().fold(Keys::NONE, |all, frame| all | frame.sounding());
    let room = |by: i32| (0..=by.abs()).rev().find(|by_less| all.transposed(by_less * by.signum()).is_some());
    let most = i32::from(transposition);
    (-room(-most.min(5)).unwrap_or(0), room(most.min(6)).unwrap_or(0))
}
