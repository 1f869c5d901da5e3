//! A piece as the network sees it: its sites, what sounds because of them, and what is told of its steps.

use cantus_encoding::voice_lines::{self, Sites, Symbol};
use cantus_encoding::voices::{Chord, VOICES};
use cantus_score::{Bar, Key, Score, Ticks, TicksPerQuarter};

/// Places of a quarter note that are told apart.
pub(super) const PLACES: usize = 12;
/// Quarters of a bar that are told apart; all later ones are one.
pub(super) const BEATS: usize = 8;

/// What a voice does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coming {
    /// What it strikes, or that it rests; hold where nothing comes any more.
    pub symbol: Symbol,
    /// How many steps later.
    pub steps: usize,
}

impl Coming {
    /// Nothing comes any more.
    const NOTHING: Coming = Coming { symbol: Symbol::HOLD, steps: 0 };
}

/// The sites of a piece, with what follows from them.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    sites: Vec<Sites>,
    /// What is sung at each step.
    sung: Vec<Chord>,
    /// What comes after each step, voice by voice.
    coming: Vec<[Coming; VOICES]>,
}

impl Lines {
    pub(super) fn new(sites: Vec<Sites>) -> Lines {
        let (sung, coming) = (vec![Chord::REST; sites.len()], vec![[Coming::NOTHING; VOICES]; sites.len()]);
        let mut lines = Lines { sites, sung, coming };
        lines.follow();
        lines
    }

    /// All that follows from the sites, anew.
    pub(super) fn follow(&mut self) {
        (0..self.sites.len()).for_each(|step| self.sing(step));
        (0..self.sites.len()).rev().for_each(|step| self.look_ahead(step));
    }

    /// What is sung at a step, anew; what is sung at the step before is taken as it stands.
    pub(super) fn sing(&mut self, step: usize) {
        let before = step.checked_sub(1).map_or(Chord::REST, |before| self.sung[before]);
        self.sung[step] = voice_lines::sung(before, self.sites[step]);
    }

    /// What comes after a step, anew; what comes after the next step is taken as it stands.
    pub(super) fn look_ahead(&mut self, step: usize) {
        let Some(next) = self.sites.get(step + 1) else {
            self.coming[step] = [Coming::NOTHING; VOICES];
            return;
        };
        let later = self.coming[step + 1];
        self.coming[step] = std::array::from_fn(|voice| match (next[voice], later[voice]) {
            (Symbol::HOLD, Coming { steps: 0, .. }) => Coming::NOTHING,
            (Symbol::HOLD, Coming { symbol, steps }) => Coming { symbol, steps: steps + 1 },
            (symbol, _) => Coming { symbol, steps: 1 },
        });
    }

    /// Puts a symbol at a site; what is sung at that step follows.
    pub(super) fn set(&mut self, step: usize, voice: usize, symbol: Symbol) {
        self.sites[step][voice] = symbol;
        self.sing(step);
    }

    pub(super) fn len(&self) -> usize {
        self.sites.len()
    }

    pub(super) fn sites(&self) -> &[Sites] {
        &self.sites
    }

    pub(super) fn sung(&self) -> &[Chord] {
        &self.sung
    }

    pub(super) fn coming(&self, step: usize, voice: usize) -> Coming {
        self.coming[step][voice]
    }

    pub(super) fn into_sites(self) -> Vec<Sites> {
        self.sites
    }
}

/// Where a step lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// In its quarter note, of [`PLACES`].
    pub place: u8,
    /// In its bar, of [`BEATS`].
    pub beat: u8,
}

/// What is told of a piece beside its sites.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Where each step lies.
    pub places: Vec<Place>,
    /// The pitch class on which the major scale of its key signature begins; `None` where that is not told.
    pub scale: Option<u8>,
    /// Whether each step lies under a fermata; `None` where that is not told.
    pub fermatas: Option<Vec<bool>>,
}

/// The class on which the major scale of a key signature begins.
pub(super) fn scale_of(key: Key) -> u8 {
    (i32::from(key.fifths()) * 7).rem_euclid(12) as u8
}

/// Where `steps` steps lie in bars that begin at these steps, of a grid of so many steps to a quarter. A first bar that is shorter than the
/// second is an upbeat to it.
pub(super) fn places(starts: &[usize], steps: usize, grid: TicksPerQuarter) -> Vec<Place> {
    let grid = grid.get() as usize;
    let missing = match starts {
        [first, second, third, ..] => (third - second).saturating_sub(second - first),
        _ => 0,
    };
    let place = |step: usize| {
        let bar = starts.partition_point(|start| *start <= step);
        let start = bar.checked_sub(1).map_or(0, |bar| starts[bar]);
        let since = step - start + if bar <= 1 { missing } else { 0 };
        Place { place: (since % grid * PLACES / grid) as u8, beat: (since / grid).min(BEATS - 1) as u8 }
    };
    (0..steps).map(place).collect()
}

/// The first steps of a score's bars on a grid; none of what is longer than `steps`.
pub(super) fn bar_starts(score: &Score, grid: TicksPerQuarter, steps: usize) -> Vec<usize> {
    let step = |bar: Bar| bar.start.rescale(score.ticks_per_quarter, grid);
    score.bars().map(step).take_while(|start| *start < Ticks(steps as u64)).map(|start| start.0 as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(index: usize) -> Symbol {
        Symbol::new(index).unwrap()
    }

    #[test]
    fn what_follows_from_sites_is_the_same_step_by_step() {
        let hold = Symbol::HOLD;
        let column = |soprano: Symbol, bass: Symbol| [soprano, hold, hold, bass];
        let sites = vec![
            column(symbol(12), symbol(3)),
            column(hold, hold),
            column(symbol(14), Symbol::REST),
            column(hold, hold),
        ];
        let mut lines = Lines::new(sites);
        assert_eq!(lines.coming(0, 0), Coming { symbol: symbol(14), steps: 2 });
        assert_eq!(lines.coming(0, 3), Coming { symbol: Symbol::REST, steps: 2 });
        assert_eq!((lines.coming(2, 0), lines.coming(0, 1)), (Coming::NOTHING, Coming::NOTHING));
        assert_eq!([1, 3].map(|step| lines.sung()[step].pitch(0).unwrap().get()), [71, 73]);
        assert_eq!(lines.sung()[3].pitch(3), None);
        // A change is heard at its step at once, and everywhere once all follows anew.
        lines.set(2, 0, hold);
        assert_eq!(lines.sung()[2].pitch(0).unwrap().get(), 71);
        lines.follow();
        assert_eq!((lines.sung()[3].pitch(0).unwrap().get(), lines.coming(0, 0)), (71, Coming::NOTHING));
    }

    #[test]
    fn places_are_counted_from_the_bar_and_an_upbeat_ends_with_its_bar() {
        let grid = TicksPerQuarter::new(4).unwrap();
        let found = places(&[0, 4, 20], 24, grid);
        let plain: Vec<(u8, u8)> = found.iter().map(|place| (place.place, place.beat)).collect();
        assert_eq!(plain[..6], [(0, 3), (3, 3), (6, 3), (9, 3), (0, 0), (3, 0)]);
        assert_eq!((plain[19], plain[20]), ((9, 3), (0, 0)));
        assert_eq!(places(&[0, 16], 17, grid)[16], Place::default());
    }
}
