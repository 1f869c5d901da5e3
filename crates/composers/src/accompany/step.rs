//! A step of the grid: where it stands among the bars, what is given there, and whether something begins.

use cantus_encoding::rhythm_section::REST;

/// A step's place among the bars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// Steps since its bar began, and how many that bar has.
    pub in_bar: u32,
    pub bar_steps: u32,
    /// Its bar, from 0, and how many come after it.
    pub bar: u32,
    pub left: u32,
}

/// The places of all steps, given where bars begin and the last one ends.
pub(super) fn spots(starts: &[usize], end: usize) -> Vec<Spot> {
    let mut spots = Vec::with_capacity(end);
    for (bar, &start) in starts.iter().enumerate() {
        let next = starts.get(bar + 1).copied().unwrap_or(end).min(end);
        let (bar_steps, left) = (next.saturating_sub(start) as u32, (starts.len() - 1 - bar) as u32);
        spots.extend((0..bar_steps).map(|in_bar| Spot { in_bar, bar_steps, bar: bar as u32, left }));
    }
    spots
}

/// What is given at a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Kinds of drums that are struck.
    pub drums: u16,
    /// What the bass does, as in its frames.
    pub bass: u128,
    /// Pitch classes that other parts sound.
    pub classes: u16,
    /// Those of them that begin here.
    pub begun: u16,
}

/// Whether something of a bass's frame sounds.
pub(super) fn sounds(frame: u128) -> bool {
    frame & !(1 << REST) != 0
}
