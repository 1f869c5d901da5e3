//! Repeats: what stands once on paper and is played several times in a row.

use crate::Ticks;

/// A section that is repeated. The score holds it as it is played, time after time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repeat {
    /// Each time through, in order: two at least, as long as one another up to their endings.
    pub passes: Vec<Pass>,
    /// Where the last time through ends.
    pub end: Ticks,
}

/// One time through a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pass {
    /// Where it begins.
    pub start: Ticks,
    /// Where an ending begins that not all times have; where there is none, it is where this time ends.
    pub ending: Ticks,
}

impl Repeat {
    /// The same at other times.
    pub fn map(&self, at: impl Fn(Ticks) -> Ticks) -> Repeat {
        let pass = |pass: &Pass| Pass { start: at(pass.start), ending: at(pass.ending) };
        Repeat { passes: self.passes.iter().map(pass).collect(), end: at(self.end) }
    }

    /// All its times, in order.
    pub fn times(&self) -> impl Iterator<Item = Ticks> {
        self.passes.iter().flat_map(|pass| [pass.start, pass.ending]).chain([self.end])
    }

    /// Where it begins.
    pub fn start(&self) -> Ticks {
        self.passes.first().map_or(self.end, |pass| pass.start)
    }
}
