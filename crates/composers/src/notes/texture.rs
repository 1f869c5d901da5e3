//! How busy the music is, stretch by stretch: told to the network, so that a piece keeps the pace of some piece of the corpus.
//!
//! Left to itself a network that reads notes drifts to where little happens: a rest makes rests likelier. What it is told of each stretch
//! is what this piece has there, in half of the training; in the other half, and where pieces are judged, nothing is told, and the
//! likelihood is that of the notes alone. Told and untold in one network: J. Ho and T. Salimans, 2022, arXiv:2207.12598v1, section 3.2.

use cantus_encoding::note_events::{Clock, Event};
use serde::{Deserialize, Serialize};

/// Notes back that are looked at one by one.
pub(super) const LOOK: usize = 160;

/// Beats of a stretch.
const STRETCH: u32 = 16;
/// Stretches that are remembered of a piece at most.
const MOST: usize = 64;
/// Classes of either figure; beyond them stands that nothing is known.
pub(super) const CLASSES: usize = 16;

/// How busy a stretch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(super) struct Texture {
    /// Moments at which something begins, to the beat, as a class.
    pace: u8,
    /// Notes to such a moment, as a class.
    chords: u8,
    /// Beats in which nothing with a pitch sounds.
    silent: u8,
    /// How many of [`ALL`] notes have a pitch, where drums play, too.
    pitched: Option<u8>,
    /// What pace and chords are to be beyond their classes, in hundredths of one, where somebody asked for it.
    beyond: [i8; 2],
}

/// Of so many notes a share is told.
const ALL: u8 = 32;

/// As models hold it; without drums the last number is not there.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Band(u8, u8, u8, u8),
    Pitched(u8, u8, u8),
}

impl From<Stored> for Texture {
    fn from(stored: Stored) -> Texture {
        match stored {
            Stored::Band(pace, chords, silent, pitched) => {
                Texture { pace, chords, silent, pitched: Some(pitched), beyond: [0; 2] }
            }
            Stored::Pitched(pace, chords, silent) => Texture { pace, chords, silent, pitched: None, beyond: [0; 2] },
        }
    }
}

impl From<Texture> for Stored {
    fn from(Texture { pace, chords, silent, pitched, .. }: Texture) -> Stored {
        match pitched {
            Some(pitched) => Stored::Band(pace, chords, silent, pitched),
            None => Stored::Pitched(pace, chords, silent),
        }
    }
}

/// The textures of a piece, stretch by stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Textures(Vec<Texture>);

impl Textures {
    /// Those of a piece up to a time.
    pub fn of(notes: &[Event], end: u32, clock: Clock, is_drums: impl Fn(u8) -> bool) -> Textures {
        let length = STRETCH * clock.beat();
        let count = (end.div_ceil(length) as usize).min(MOST);
        let of_stretch = |k: usize| {
            let (from, to) = (k as u32 * length, ((k as u32 + 1) * length).min(end));
            let first = notes.partition_point(|note| note.onset < from);
            let inside = &notes[first..notes.partition_point(|note| note.onset < to)];
            let moments = inside.chunk_by(|a, b| a.onset == b.onset).count();
            let beats = f64::from(to - from) / f64::from(clock.beat());
            let drums = inside.iter().filter(|note| is_drums(note.instrument)).count();
            let pitched = (inside.len() - drums) * usize::from(ALL) / inside.len().max(1);
            Texture {
                silent: silent(notes, from, to, clock, &is_drums),
                pitched: (drums > 0).then_some(pitched as u8),
                ..Texture::new(inside.len(), moments, beats)
            }
        };
        Textures((0..count).map(of_stretch).collect())
    }

    /// The texture at a time; beyond the last stretch, which seldom is a whole one, that of the last whole one.
    pub fn at(&self, time: u32, clock: Clock) -> Option<Texture> {
        let k = (time / (STRETCH * clock.beat())) as usize;
        self.0.get(k).or(self.0.iter().rev().nth(1)).or(self.0.last()).copied()
    }

    /// Moments to the beat, as a class, in the mean.
    pub fn busy(&self) -> f64 {
        self.0.iter().map(|texture| f64::from(texture.pace)).sum::<f64>() / self.0.len().max(1) as f64
    }

    /// Notes to a moment, as a class, in the mean.
    pub fn full(&self) -> f64 {
        self.0.iter().map(|texture| f64::from(texture.chords)).sum::<f64>() / self.0.len().max(1) as f64
    }

    /// The same, each stretch as much busier and fuller that both have these means, as far as there are classes for it.
    #[must_use]
    pub fn moved(mut self, busy: Option<f64>, full: Option<f64>) -> Textures {
        let by = |wanted: Option<f64>, is: f64| wanted.map_or(0.0, |wanted| wanted - is);
        let (busier, fuller) = (by(busy, self.busy()), by(full, self.full()));
        let (mut pace, mut chords) = (0.0, 0.0);
        for texture in &mut self.0 {
            let of_pace = moved(&mut texture.pace, busier, &mut pace);
            let of_chords = moved(&mut texture.chords, fuller, &mut chords);
            texture.beyond = [of_pace, of_chords];
        }
        self
    }

    /// The same for a piece of so many steps: what it has beyond that is left out, what is missing is as the last whole stretch.
    #[must_use]
    pub fn covering(self, end: u32, clock: Clock) -> Textures {
        let stretches = end.div_ceil(STRETCH * clock.beat()).min(MOST as u32);
        Textures((0..stretches).filter_map(|k| self.at(k * STRETCH * clock.beat(), clock)).collect())
    }

    /// Moments, and notes at them, that are to be between two times.
    pub fn expected(&self, from: u32, to: u32, clock: Clock) -> [f64; 2] {
        let length = STRETCH * clock.beat();
        let mut expected = [0.0; 2];
        for k in from / length..to.div_ceil(length) {
            let Some(texture) = self.at(k * length, clock) else { continue };
            let steps = ((k + 1) * length).min(to) - (k * length).max(from);
            let moments = texture.moments() * f64::from(steps) / f64::from(clock.beat());
            expected = [expected[0] + moments, expected[1] + moments * texture.notes()];
        }
        expected
    }

    /// The texture at a time, and when its stretch begins.
    pub fn stretch(&self, time: u32, clock: Clock) -> Option<(u32, Texture)> {
        let length = STRETCH * clock.beat();
        Some((time / length * length, self.at(time, clock)?))
    }

    /// Whether all classes are such.
    pub fn is_sound(&self) -> bool {
        let is_one = |texture: &Texture| {
            usize::from(texture.pace.max(texture.chords)) < CLASSES
                && texture.pitched.is_none_or(|pitched| pitched <= ALL)
        };
        self.0.len() <= MOST && self.0.iter().all(is_one)
    }
}

impl Texture {
    /// Moments to the beat.
    pub fn moments(self) -> f64 {
        ((f64::from(self.pace) + f64::from(self.beyond[0]) / 100.0) / 2.0).exp2() / 8.0
    }

    /// Beats of a stretch in which nothing with a pitch sounds.
    pub fn silent(self) -> u8 {
        self.silent
    }

    /// The share of the notes that have a pitch, where drums play, too.
    pub fn pitched(self) -> Option<f64> {
        self.pitched.map(|pitched| f64::from(pitched) / f64::from(ALL))
    }

    /// Notes to a moment.
    pub fn notes(self) -> f64 {
        ((f64::from(self.chords) + f64::from(self.beyond[1]) / 100.0) / 4.0).exp2()
    }

    /// Of so many notes at so many moments in so many beats.
    fn new(notes: usize, moments: usize, beats: f64) -> Texture {
        // Half octaves above a moment in eight beats, quarters of one above a note to the moment.
        let class = |ratio: f64, steps: f64| (steps * ratio.log2()).round().clamp(0.0, CLASSES as f64 - 1.0) as u8;
        let pace = class(8.0 * moments as f64 / beats.max(0.25), 2.0);
        Texture {
            pace,
            silent: 0,
            pitched: None,
            beyond: [0; 2],
            chords: class(notes as f64 / moments.max(1) as f64, 4.0),
        }
    }
}

/// Moves a class by a number of classes, to a whole one; what is missing so far is made up for. Hundredths by which it was to be another.
fn moved(class: &mut u8, by: f64, missing: &mut f64) -> i8 {
    let exact = f64::from(*class) + by;
    *missing += by;
    let whole = (f64::from(*class) + *missing).round().clamp(0.0, CLASSES as f64 - 1.0);
    *missing -= whole - f64::from(*class);
    *class = whole as u8;
    (100.0 * (exact - whole)).round().clamp(-100.0, 100.0) as i8
}

/// Whole beats between two times in which nothing with a pitch sounds.
pub(super) fn silent(notes: &[Event], from: u32, to: u32, clock: Clock, is_drums: impl Fn(u8) -> bool) -> u8 {
    let first = notes.partition_point(|note| note.onset < from).saturating_sub(LOOK);
    let near = &notes[first..notes.partition_point(|note| note.onset < to)];
    let begins = (from..to).step_by(clock.beat() as usize).filter(|begin| begin + clock.beat() <= to);
    let is_silent = |begin: &u32| {
        !near
            .iter()
            .filter(|note| !is_drums(note.instrument))
            .any(|note| note.onset < begin + clock.beat() && note.end().max(note.onset + 1) > *begin)
    };
    begins.filter(is_silent).count().min(u8::MAX.into()) as u8
}

/// A class of either figure, or that it is not known.
pub(super) fn known(texture: Option<Texture>) -> [usize; 2] {
    texture.map_or([CLASSES; 2], |texture| [texture.pace.into(), texture.chords.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_as_busy_as_what_begins_in_it() {
        let note = |onset, pitch| Event { onset, instrument: 0, pitch, length: 2, level: 0 };
        // Sixteen beats of eighths alone, sixteen of chords of four on the beat, and half a stretch of nothing.
        let eighths = (0..32).map(|k| note(2 * k, 60));
        let chords = (16..32u32).flat_map(|beat| (0..4).map(move |k| note(4 * beat, 60 + k)));
        let notes: Vec<Event> = eighths.chain(chords).collect();
        let clock = Clock::Beats(4);
        let textures = Textures::of(&notes, 4 * 40, clock, |_| false);
        let at = |beat: u32| textures.at(4 * beat, clock).map(|texture| (texture.pace, texture.chords));
        assert_eq!([at(0), at(15), at(16), at(32)], [Some((8, 0)), Some((8, 0)), Some((6, 8)), Some((0, 0))]);
        assert_eq!(at(100), Some((6, 8)), "as the last whole stretch");
        let quiet = |beat: u32| textures.stretch(4 * beat, clock).map(|(from, texture)| (from, texture.silent()));
        assert_eq!([quiet(3), quiet(20), quiet(39)], [Some((0, 0)), Some((64, 0)), Some((128, 8))]);
        assert!(textures.is_sound());
        assert_eq!(textures.at(0, clock).and_then(Texture::pitched), None, "there are no drums");
        // Thirty-two eighths, and eight of the sixteen chords.
        assert_eq!(textures.expected(0, 96, clock), [40.0, 64.0]);
        // Classes are whole, and what they are to be beyond is kept: 8.3 and 6.3, where there were 8 and 6.
        let moved = textures.clone().covering(128, clock).moved(Some(7.3), Some(4.0));
        let classes = |beat: u32| moved.at(4 * beat, clock).map(|texture| (texture.pace, texture.chords));
        assert_eq!([classes(0), classes(16), classes(32)], [Some((8, 0)), Some((7, 8)), Some((8, 0))]);
        let moments = |beat: u32| moved.at(4 * beat, clock).map_or(0.0, Texture::moments);
        assert!((moments(0) / (8.3f64 / 2.0).exp2() * 8.0 - 1.0).abs() < 0.01, "{}", moments(0));
        assert!((moments(16) / (6.3f64 / 2.0).exp2() * 8.0 - 1.0).abs() < 0.01, "{}", moments(16));
        // Every fourth note of the eighths is a stroke.
        let mut band = notes.clone();
        band.iter_mut().take(32).step_by(4).for_each(|note| note.instrument = 1);
        let band = Textures::of(&band, 4 * 40, clock, |number| number == 1);
        assert_eq!([0, 64].map(|at| band.at(at, clock).and_then(Texture::pitched)), [Some(0.75), None]);
        let json = serde_json::to_string(&band).unwrap();
        assert_eq!(json, "[[8,0,0,24],[6,8,0],[0,0,8]]");
        assert_eq!(serde_json::from_str::<Textures>(&json).unwrap(), band);
        assert_eq!(Textures::default().at(0, clock), None);
        assert_eq!(known(None), [CLASSES; 2]);
    }
}
