//! What the parts of the network read: rows of zeros in which a few numbers are set.

use super::lines::{BEATS, Lines, PLACES, Told};
use cantus_encoding::voice_lines::{SYMBOLS, Symbol};
use cantus_encoding::voices::{Chord, ITEMS, SPAN, VOICES, item, items, moved, voice_of};
use cantus_score::Pitch;

/// Pitch classes.
const CLASSES: usize = 12;
/// Width of what is told of a step: its place, whether fermatas are told, whether there is one, the key's scale.
const TOLD: usize = PLACES + BEATS + 2 + CLASSES;
/// Distances of what a voice does next that are told apart: 1, 2, 3, 4, 5-6, 7-8, 9-16 steps, and more.
const DISTANCES: [usize; 7] = [1, 2, 3, 4, 6, 8, 16];

/// Width of what is told of motions: what all voices sang at the step before, and which pitches would make, with another voice, parallel
/// unisons, fifths or octaves, on the way to them and from them.
const MOTIONS: usize = ITEMS + 2 * SPAN;
/// Steps ahead in which the motion is looked for that a pitch goes on to.
const AHEAD: usize = 16;

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
    /// Whether a site is told how the other voices move to it and from it, and what would be parallel to them.
    pub motions: bool,
}

impl Features {
    /// Width of what is seen of a site's own moment.
    pub(super) fn here(self) -> usize {
        let motions = if self.motions { MOTIONS } else { 0 };
        let beside = if self.beside { SPAN + 1 + SYMBOLS + DISTANCES.len() + 1 } else { 0 };
        ITEMS + 2 * VOICES + TOLD + motions + beside
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
        let mut row = &mut row[TOLD..];
        if self.motions {
            write_motions(lines, (at, voice), shift, &mut row[..MOTIONS]);
            row = &mut row[MOTIONS..];
        }
        if !self.beside {
            return;
        }
        let before = at.checked_sub(1).map_or(Symbol::REST, |before| Symbol::striking(voice, lines.sung()[before]));
        row[before.moved(shift).struck().unwrap_or(SPAN)] = 1.0;
        let row = &mut row[SPAN + 1..];
        let coming = lines.coming(at, voice);
        row[coming.symbol.moved(shift).index()] = 1.0;
        row[SYMBOLS + DISTANCES.partition_point(|distance| *distance < coming.steps)] = 1.0;
    }
}

/// How the other voices move to a site and from it, and which of its pitches would be parallel to them.
///
/// # Shapes
/// `row`: `[MOTIONS]`, zeros
fn write_motions(lines: &Lines, (at, voice): (usize, usize), shift: i32, row: &mut [f32]) {
    let before = at.checked_sub(1).map_or(Chord::REST, |before| lines.sung()[before]);
    items(moved(before.bits(), shift)).for_each(|item| row[item] = 1.0);
    let others = (0..VOICES).filter(|other| *other != voice);
    let own = before.pitch(voice);
    // On the way to the site.
    for other in others.clone() {
        let motion = (before.pitch(other), lines.sung()[at].pitch(other));
        parallel(voice, own, motion, shift).into_iter().for_each(|pitch| row[ITEMS + pitch] = 1.0);
    }
    // From it, to what its voice sings next.
    let coming = lines.coming(at, voice);
    let Some(next) = coming.symbol.pitch(voice).filter(|_| coming.steps <= AHEAD) else { return };
    for other in others {
        // Found from the sites, which are always as they are: what is sung later may be out of date.
        let mut motion = (None, lines.sung()[at].pitch(other));
        for sites in &lines.sites()[at + 1..=at + coming.steps] {
            let symbol = sites[other];
            motion = (motion.1, if symbol == Symbol::HOLD { motion.1 } else { symbol.pitch(other) });
        }
        // Backwards: what leads to the next pitch as the other voice is led to its own.
        let (from, to) = motion;
        parallel(voice, Some(next), (to, from), shift).into_iter().for_each(|pitch| row[ITEMS + SPAN + pitch] = 1.0);
    }
}

/// The pitch of a voice, from its lowest, that would go in unisons, fifths or octaves with another's motion, after `own`; `None` where
/// there is no such motion, or no such pitch.
fn parallel(voice: usize, own: Option<Pitch>, motion: (Option<Pitch>, Option<Pitch>), shift: i32) -> Option<usize> {
    let number = |pitch: Pitch| i32::from(pitch.get());
    let (own, from, to) = (number(own?), number(motion.0?), number(motion.1?));
    let is_perfect = matches!((own - from).abs() % 12, 0 | 7);
    let pitch = u8::try_from(own + to - from + shift).ok().and_then(|pitch| Pitch::try_from(pitch).ok())?;
    item(voice, pitch).filter(|_| is_perfect && from != to).map(|item| item % SPAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(index: usize) -> Symbol {
        Symbol::new(index).unwrap()
    }

    /// All that is read of a site, for every voice.
    fn seen(lines: &Lines, at: usize, voice: usize, shift: i32) -> Vec<f32> {
        let features = Features { beside: true, beats: true, motions: true };
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
    fn parallels_are_told_on_the_way_to_a_site_and_from_it() {
        // Tenor and bass a fifth apart, C3 and G3; the bass goes up a step, then up another.
        let (hold, rest) = (Symbol::HOLD, Symbol::REST);
        let of = |voice: usize, pitch: u8| Symbol::new(item(voice, Pitch::try_from(pitch).unwrap()).unwrap() % SPAN);
        let sites = vec![
            [rest, rest, of(2, 55).unwrap(), of(3, 48).unwrap()],
            [hold, hold, hold, of(3, 50).unwrap()],
            [hold, hold, of(2, 59).unwrap(), of(3, 52).unwrap()],
        ];
        let told = |shift: i32| {
            let mut row = vec![0.0; MOTIONS];
            write_motions(&Lines::new(sites.clone()), (1, 2), shift, &mut row);
            let set = |part: &[f32]| part.iter().position(|x| *x == 1.0);
            let lowest = item(2, Pitch::try_from(55u8).unwrap()).unwrap() % SPAN;
            let pitch = |above: Option<usize>| above.map(|above| above + 55 - lowest);
            assert!(row.iter().sum::<f32>() == 4.0, "two voices before, a parallel on either side");
            (pitch(set(&row[ITEMS..ITEMS + SPAN])), pitch(set(&row[ITEMS + SPAN..])))
        };
        // G to A would go with the bass; and A to B, which comes next a fifth above it, too.
        assert_eq!((told(0), told(2)), ((Some(57), Some(57)), (Some(59), Some(59))));
    }

    #[test]
    fn what_is_moved_is_seen_as_it_would_be_there() {
        let sites = vec![[12, 10, 8, 3].map(symbol), [Symbol::HOLD, symbol(11), Symbol::REST, symbol(1)]];
        let moved = sites.iter().map(|sites| sites.map(|symbol| symbol.moved(2))).collect();
        let (plain, moved) = (Lines::new(sites), Lines::new(moved));
        let without = |lines: &Lines, shift: i32| {
            let features = Features { beside: true, beats: false, motions: true };
            let mut row = vec![0.0; features.here()];
            // Told as it is before it is moved: D major becomes E major.
            let told = Told { scale: Some(4 - shift as u8), ..Told::default() };
            features.write_here((lines, &told), (1, 1), shift, &mut row);
            row
        };
        assert_eq!(without(&plain, 2), without(&moved, 0));
    }
}
