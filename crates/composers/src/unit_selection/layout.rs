//! The layout of a piece: chunks of bars, each of which one unit fills.

use cantus_model::{ComposeError, Form};
use std::ops::Range;

/// What a chunk is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// What is given.
    Given,
    /// A unit that is chosen for it.
    New,
    /// What fills an earlier chunk.
    Again(usize),
}

/// Some bars of the piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Counted with the upbeat.
    pub bars: Range<usize>,
    pub filling: Filling,
    /// Whether a note has to begin in its last bar.
    pub ends: bool,
}

/// The chunks of a piece of `bars` bars, of which the first `upbeat` are an upbeat and the first `given` are given; an upbeat that is not given is in no
/// chunk. A chunk has `each` bars, and fewer before the end of a section, or of what is given.
///
/// # Errors
/// [`ComposeError::Form`], where the form does not fit.
pub(super) fn layout(
    bars: usize,
    (upbeat, given): (usize, usize),
    each: usize,
    form: Option<&Form>,
) -> Result<Vec<Chunk>, ComposeError> {
    let whole = bars - upbeat;
    let sections = form.map(|form| form.sections(whole)).transpose()?;
    let sections: Vec<(usize, bool, Range<usize>)> = match &sections {
        None => vec![(0, false, 0..whole)],
        Some(sections) => {
            let first = |letter| sections.iter().position(|other| other.letter == letter).unwrap_or(0);
            sections.iter().map(|section| (first(section.letter), section.is_varied, section.bars.clone())).collect()
        }
    };
    let mut chunks: Vec<Chunk> = Vec::new();
    for (number, (first, is_varied, of)) in sections.iter().enumerate() {
        let mut start = of.start;
        while start < of.end {
            let next = of.start + ((start - of.start) / each + 1) * each;
            let end = [next.min(of.end), given - upbeat].into_iter().filter(|end| *end > start).min().unwrap_or(next);
            let is_given = start < given - upbeat;
            // Of a section that comes again varied the first half stays.
            let recalls = *first < number && (!is_varied || 2 * (start - of.start) < of.len());
            let original = sections[*first].2.start + upbeat + (start - of.start);
            let again = chunks.iter().position(|chunk| {
                chunk.bars.start == original && chunk.bars.len() >= end - start && original < of.start + upbeat
            });
            let filling = match again.filter(|_| recalls) {
                _ if is_given => Filling::Given,
                Some(of) => Filling::Again(of),
                None => Filling::New,
            };
            chunks.push(Chunk { bars: start + upbeat..end + upbeat, filling, ends: end == whole });
            start = end;
        }
    }
    // A chunk is as the one that was there first.
    for at in 0..chunks.len() {
        if let Filling::Again(of) = chunks[at].filling
            && let Filling::Again(earlier) = chunks[of].filling
        {
            chunks[at].filling = Filling::Again(earlier);
        }
    }
    Ok(chunks)
}
