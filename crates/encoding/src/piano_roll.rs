//! `piano_roll`: the 88 keys of a piano at each step of the grid.
//!
//! A step is a [`Frame`]: the keys that are struck, and those that are held on from the step before. With both, durations and
//! repeated notes survive. Networks often read one set of keys a step instead:
//! - the **onsets** ([`onsets`], back with [`from_onsets`]), which lose durations;
//! - the **sounding** keys ([`sounding`], back with [`from_sounding`]), which lose where a note is struck again. So are the frames of
//!   the polyphonic-music benchmark (N. Boulanger-Lewandowski, Y. Bengio, P. Vincent, Modeling Temporal Dependencies in
//!   High-Dimensional Sequences, ICML 2012, arXiv:1206.6392v1, section 6).
//!
//! Column 0 is MIDI pitch 21. Silence after the last note is not part of a score, and so is lost by a way through one.

mod keys;

pub use keys::{Key, Keys, OutsideKeyboard};

use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, TicksPerQuarter, Velocity, merge_parts};

/// The most steps that a piece may have: 72 hours of music on a grid of sixteenths.
pub const MOST_STEPS: u64 = 1 << 21;

/// What happens at one step of the grid. No key is both struck and held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Keys whose note begins here.
    pub struck: Keys,
    /// Keys whose note began earlier and sounds on.
    pub held: Keys,
}

impl Frame {
    /// All keys that sound.
    pub fn sounding(self) -> Keys {
        self.struck | self.held
    }

    /// All keys moved by `semitones`, or `None` where one would leave the keyboard.
    pub fn transposed(self, semitones: i32) -> Option<Frame> {
        Some(Frame { struck: self.struck.transposed(semitones)?, held: self.held.transposed(semitones)? })
    }
}

/// What becomes of notes beyond the 88 keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    /// The score is refused.
    #[default]
    Refuse,
    /// They are left out.
    Omit,
    /// They move by octaves to the nearest key of their pitch class.
    Fold,
}

impl Outside {
    /// The key for a pitch, or `None` where its notes are to be left out.
    fn key(self, pitch: Pitch) -> Result<Option<Key>, OutsideKeyboard> {
        match (Key::try_from(pitch), self) {
            (Ok(key), _) => Ok(Some(key)),
            (Err(outside), Outside::Refuse) => Err(outside),
            (Err(_), Outside::Omit) => Ok(None),
            (Err(_), Outside::Fold) => Ok(Some(Key::nearest(pitch))),
        }
    }
}

/// Why a score is no piano roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollError {
    /// A note beyond the keyboard.
    #[error(transparent)]
    Outside(#[from] OutsideKeyboard),
    /// More steps than any piece has.
    #[error("the piece has {steps} steps, and at most {MOST_STEPS} are read")]
    TooLong {
        /// Steps to the end of its last note.
        steps: u64,
    },
}

/// A quantised score (one tick a step) as frames, from its first step to the end of its last note; drums are left out.
///
/// # Errors
/// [`RollError`], for notes beyond the keyboard where `outside` refuses them, and for pieces without end.
pub fn encode(score: &Score, outside: Outside) -> Result<Vec<Frame>, RollError> {
    let keyboard = on_keyboard(score, outside)?;
    let end = keyboard.iter().map(|(_, note)| note_end(note)).max().unwrap_or(0);
    if end > MOST_STEPS {
        return Err(RollError::TooLong { steps: end });
    }
    let mut frames = vec![Frame::default(); end as usize];
    for (key, note) in keyboard {
        let (from, to) = (note.onset.0 as usize, note_end(&note) as usize);
        frames[from].struck.insert(key);
        frames[from + 1..to].iter_mut().for_each(|frame| frame.held.insert(key));
    }
    Ok(frames)
}

/// Frames as a score of one piano part, one tick a step. A key that is held without having been struck is taken as struck.
pub fn decode(frames: &[Frame], steps_per_quarter: TicksPerQuarter) -> Score {
    let mut part = Part { programs: vec![(Ticks::ZERO, Program::PIANO)], ..Part::default() };
    // When the note began that sounds on each key.
    let mut began = [None; Keys::COUNT];
    let mut sounding = Keys::NONE;
    let end = [Frame::default()];
    for (step, frame) in frames.iter().chain(&end).enumerate() {
        let held = frame.held & sounding & !frame.struck;
        for key in sounding & !held {
            let onset: Option<usize> = began[key.index()].take();
            part.notes.extend(onset.map(|onset| Note {
                onset: Ticks(onset as u64),
                pitch: key.pitch(),
                duration: Ticks((step - onset) as u64),
                velocity: Velocity::DEFAULT,
            }));
        }
        sounding = frame.sounding();
        for key in sounding & !held {
            began[key.index()] = Some(step);
        }
    }
    part.notes.sort_unstable();
    let mut score = Score::new(steps_per_quarter);
    score.parts.push(part);
    score
}

/// What `decode(encode(score))` gives: one piano part, one stroke a key at a time, all notes equally loud.
///
/// # Errors
/// As [`encode`].
pub fn canonicalize(score: &Score, outside: Outside) -> Result<Score, RollError> {
    let notes = on_keyboard(score, outside)?;
    let even = |(key, note): (Key, Note)| Note { pitch: key.pitch(), velocity: Velocity::DEFAULT, ..note };
    let part = Part {
        notes: notes.into_iter().map(even).collect(),
        programs: vec![(Ticks::ZERO, Program::PIANO)],
        ..Part::default()
    };
    let mut canonical = Score::new(score.ticks_per_quarter);
    canonical.parts.push(part);
    Ok(canonical)
}

/// The keys struck at each step.
pub fn onsets(frames: &[Frame]) -> Vec<Keys> {
    frames.iter().map(|frame| frame.struck).collect()
}

/// The keys that sound at each step.
pub fn sounding(frames: &[Frame]) -> Vec<Keys> {
    frames.iter().map(|frame| frame.sounding()).collect()
}

/// Every key is struck wherever it stands: notes of one step.
pub fn from_onsets(keys: &[Keys]) -> Vec<Frame> {
    keys.iter().map(|keys| Frame { struck: *keys, held: Keys::NONE }).collect()
}

/// A key that stands in one step after the other is held: notes as long as possible.
pub fn from_sounding(keys: &[Keys]) -> Vec<Frame> {
    let before = std::iter::once(&Keys::NONE).chain(keys);
    keys.iter().zip(before).map(|(now, before)| Frame { struck: *now & !*before, held: *now & *before }).collect()
}

/// The notes of all pitched parts on the keys of one keyboard: a key struck twice at once sounds once, the longer; struck again while
/// it sounds, it is released before. A note has one step at least.
fn on_keyboard(score: &Score, outside: Outside) -> Result<Vec<(Key, Note)>, RollError> {
    let mut part = merge_parts(score.parts.iter().filter(|part| !part.drums));
    let mut notes = Vec::with_capacity(part.notes.len());
    for note in part.notes.drain(..) {
        if let Some(key) = outside.key(note.pitch)? {
            let duration = note.duration.max(Ticks(1));
            notes.push(Note { pitch: key.pitch(), duration, ..note });
        }
    }
    // Folding may have put two notes on one key.
    part.notes = notes;
    let merged = merge_parts([&part]).notes;
    Ok(merged.into_iter().filter_map(|note| Some((Key::try_from(note.pitch).ok()?, note))).collect())
}

fn note_end(note: &Note) -> u64 {
    note.end().0
}

#[cfg(test)]
mod tests;
