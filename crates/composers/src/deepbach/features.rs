//! What the parts of the network read: rows of zeros in which a few numbers are set.

use super::lines::{BEATS, Lines, PLACES, Told};
use cantus_encoding::voice_lines::{SYMBOLS, Symbol};
use cantus_encoding::voices::{ITEMS, SPAN, VOICES, items, moved, voice_of};

/// Pitch classes.
const CLASSES: usize = 12;
/// Width of what is told of a step: its place, whether fermatas are told, whether there is one, the key's scale.
const TOLD: usize = PLACES + BEATS + 2 + CLASSES;
/// Distances of what a voice does next that are told apart: 1, 2, 3, 4, 5-6, 7-8, 9-16 steps, and more.
const DISTANCES: [usize; 7] = [1, 2, 3, 4, 6, 8, 16];

/// Width of what the LSTMs read of a step: what each voice sings, how it does, whether the piece begins (or ends), and what is told of the
/// step that is asked for.
pub(super) const READ: usize = ITEMS + 2 * VOICES + 1 + TOLD;

/// How features are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Features {
    /// Whether a site is told what its own voice does before and after.
    pub beside: bool,
    /// Whether the place in the bar is told.
    pub beats: bool,
}

impl Features {
    /// Width of what is seen of a site's own moment.
    pub(super) fn here(self) -> usize {
        ITEMS + 2 * VOICES + TOLD + if self.beside { SPAN + 1 + SYMBOLS + DISTANCES.len() + 1 } else { 0 }
    }

    /// What is told of a step of a piece that is moved up by so many semitones.
    fn write_told(self, told: &Told, at: usize, shift: i32, row: &mut [f32]) {
        let place = told.places.get(at).copied().unwrap_or_default();
        row[usize::from(place.place)] = 1.0;
        if self.beats {
            row[PLACES + usize::from(place.beat)] = 1.0;
        }
        if let Some(fermatas) = &told.fermatas {
            row[PLACES + BEATS] = 1.0;
            row[PLACES + BEATS + 1] = if fermatas.get(at) == Some(&true) { 1.0 } else { 0.0 };
        }
        if let Some(scale) = told.scale {
            let class = (i32::from(scale) + shift).rem_euclid(CLASSES as i32) as usize;
            row[PLACES + BEATS + 2 + class] = 1.0;
        }
    }

    /// What the forward LSTM reads before it is asked for step `at`: what is sung at the step before it.
    ///
    /// # Shapes
    /// `row`: `[READ]`, zeros
    pub(super) fn write_before(self, (lines, told): (&Lines, &Told), at: usize, shift: i32, row: &mut [f32]) {
        match at.checked_sub(1) {
            Some(before) => {
                let chord = lines.sung()[before];
                items(moved(chord.bits(), shift)).for_each(|item| row[item] = 1.0);
                for voice in 0..VOICES {
                    row[ITEMS + voice] = f32::from(lines.sites()[before][voice].struck().is_some());
                    row[ITEMS + VOICES + voice] = f32::from(chord.pitch(voice).is_none());
                }
            }
            None => row[ITEMS + 2 * VOICES] = 1.0,
        }
        self.write_told(told, at, shift, &mut row[ITEMS + 2 * VOICES + 1..]);
    }

    /// What the backward LSTM reads before it is asked for step `at`: the sites of the step after it. What they hold is not told, since that
    /// would give away what is asked for.
    ///
    /// # Shapes
    /// `row`: `[READ]`, zeros
    pub(super) fn write_after(self, (lines, told): (&Lines, &Told), at: usize, shift: i32, row: &mut [f32]) {
        match lines.sites().get(at + 1) {
            Some(next) => {
                for (voice, symbol) in next.iter().enumerate() {
                    let at = match symbol.moved(shift) {
                        Symbol::HOLD => ITEMS + voice,
                        Symbol::REST => ITEMS + VOICES + voice,
                        symbol => SPAN * (VOICES - 1 - voice) + symbol.index(),
                    };
                    row[at] = 1.0;
                }
            }
            None => row[ITEMS + 2 * VOICES] = 1.0,
        }
        self.write_told(told, at, shift, &mut row[ITEMS + 2 * VOICES + 1..]);
    }

    /// What is seen of the moment of a site: what the other voices sing then, and what its own does before and after.
    ///
    /// # Shapes
    /// `row`: `[here]`, zeros
    pub(super) fn write_here(
        self,
        (lines, told): (&Lines, &Told),
        (at, voice): (usize, usize),
        shift: i32,
        row: &mut [f32],
    ) {
        let chord = lines.sung()[at];
        let others = items(moved(chord.bits(), shift)).filter(|item| voice_of(*item) != voice);
        others.for_each(|item| row[item] = 1.0);
        for other in (0..VOICES).filter(|other| *other != voice) {
            row[ITEMS + other] = f32::from(lines.sites()[at][other].struck().is_some());
            row[ITEMS + VOICES + other] = f32::from(chord.pitch(other).is_none());
        }
        let row = &mut row[ITEMS + 2 * VOICES..];
        self.write_told(told, at, shift, row);
        if !self.beside {
            return;
        }
        let row = &mut row[TOLD..];
        let before = at.checked_sub(1).map_or(Symbol::REST, |before| Symbol::striking(voice, lines.sung()[before]));
        row[before.moved(shift).struck().unwrap_or(SPAN)] = 1.0;
        let row = &mut row[SPAN + 1..];
        let coming = lines.coming(at, voice);
        row[coming.symbol.moved(shift).index()] = 1.0;
        row[SYMBOLS + DISTANCES.partition_point(|distance| *distance < coming.steps)] = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(index: usize) -> Symbol {
        Symbol::new(index).unwrap()
    }

    /// All that is read of a site, for every voice.
    fn seen(lines: &Lines, at: usize, voice: usize, shift: i32) -> Vec<f32> {
        let features = Features { beside: true, beats: true };
        let told = Told { places: Vec::new(), scale: Some(7), fermatas: Some(vec![false, true]) };
        let mut all = Vec::new();
        for step in 0..lines.len() {
            let (mut before, mut after) = (vec![0.0; READ], vec![0.0; READ]);
            if step <= at {
                features.write_before((lines, &told), step, shift, &mut before);
            }
            if step >= at {
                features.write_after((lines, &told), step, shift, &mut after);
            }
            all.extend([before, after].concat());
        }
        let mut here = vec![0.0; features.here()];
        features.write_here((lines, &told), (at, voice), shift, &mut here);
        all.extend(here);
        all
    }

    #[test]
    fn nothing_of_a_site_is_given_away_and_all_else_is_seen() {
        let hold = [Symbol::HOLD; VOICES];
        let first = [12, 10, 8, 3].map(symbol);
        let mut second = hold;
        second[2] = symbol(9);
        let sites = vec![first, hold, second, hold, [14, 32, 7, 33].map(symbol)];
        for at in 0..sites.len() {
            for voice in 0..VOICES {
                let plain = seen(&Lines::new(sites.clone()), at, voice, 0);
                for other in [symbol(0), symbol(20), Symbol::HOLD, Symbol::REST] {
                    let mut changed = sites.clone();
                    changed[at][voice] = other;
                    assert_eq!(seen(&Lines::new(changed), at, voice, 0), plain, "{at} {voice}");
                }
                for elsewhere in (0..sites.len()).flat_map(|step| (0..VOICES).map(move |voice| (step, voice))) {
                    let mut changed = sites.clone();
                    changed[elsewhere.0][elsewhere.1] = symbol(5);
                    let is_seen = seen(&Lines::new(changed), at, voice, 0) != plain;
                    assert_eq!(is_seen, elsewhere != (at, voice), "{elsewhere:?} from {at} {voice}");
                }
            }
        }
    }

    #[test]
    fn what_is_moved_is_seen_as_it_would_be_there() {
        let sites = vec![[12, 10, 8, 3].map(symbol), [Symbol::HOLD, symbol(11), Symbol::REST, symbol(1)]];
        let moved = sites.iter().map(|sites| sites.map(|symbol| symbol.moved(2))).collect();
        let (plain, moved) = (Lines::new(sites), Lines::new(moved));
        let without = |lines: &Lines, shift: i32| {
            let features = Features { beside: true, beats: false };
            let mut row = vec![0.0; features.here()];
            // Told as it is before it is moved: D major becomes E major.
            let told = Told { scale: Some(4 - shift as u8), ..Told::default() };
            features.write_here((lines, &told), (1, 1), shift, &mut row);
            row
        };
        assert_eq!(without(&plain, 2), without(&moved, 0));
    }
}
