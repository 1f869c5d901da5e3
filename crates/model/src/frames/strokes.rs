//! Which of the keys that sound on are struck again.
//!
//! Where attacks are known ([`Reading::Strokes`]), a frame is the set S of keys that sound and, of those that sounded in the step
//! before, the ones whose note begins anew; all others of S are struck anyhow:
//!
//! ```text
//! P(frame) = P(S | past) prod_k P(k is struck again | S, the keys above k, past)        k from the top down
//! ```
//! The first factor is the head's, the others are coins ([`cantus_nn::coins`]), which see what the head sees and by which classes each
//! decision is known: since when the key has been sounding, where it stands in S, how much else moves, how the keys above it were
//! decided. The product is a distribution over frames: exact where the head's is.

use super::{FrameSettings, Reading};
use crate::{ModelError, ModelFile, Rng};
use burn::tensor::Device;
use cantus_encoding::piano_roll::{Frame, Key, Keys};
use cantus_nn::coins::{CoinShape, CoinTosser, Coins, Toss};
use cantus_nn::random::{derive, uniform};
use rand_chacha::rand_core::Rng as _;

/// Hidden units.
const HIDDEN: usize = 32;
/// How often a key that sounds on is struck again, before anything is learnt.
const FREQUENCY: f32 = 0.1;
/// Classes of each group: see [`Since::classes`].
const SIZES: [usize; GROUPS] = [AGES, 4, 3, 3, 4, 4, Keys::COUNT];
const GROUPS: usize = 7;
/// Steps since the last stroke: each for itself, then 25-32, 33-48, and more.
const AGES: usize = 27;
/// Steps since the last stroke are counted up to here.
pub(super) const OLDEST: u8 = 49;

/// By what a decision is known: a class of each group.
pub(super) type Classes = [usize; GROUPS];
/// A decision whether a key is struck again, as it was taken.
pub(super) type Stroke = Toss<GROUPS>;

/// Since when keys have been sounding, before the next frame.
#[derive(Clone, Debug)]
pub(super) struct Since([u8; Keys::COUNT]);

impl Default for Since {
    fn default() -> Since {
        Since([0; Keys::COUNT])
    }
}

impl Since {
    /// Adds the next frame. What is held without ever having been struck has been there for ever.
    pub(super) fn push(&mut self, frame: Frame) {
        let mut next = [0; Keys::COUNT];
        for key in frame.held {
            next[key.index()] = if self.steps(key) == 0 { OLDEST } else { OLDEST.min(self.steps(key) + 1) };
        }
        frame.struck.iter().for_each(|key| next[key.index()] = 1);
        self.0 = next;
    }

    /// Steps since a key that sounded last was struck, at most [`OLDEST`]; 0 where it did not sound.
    fn steps(&self, key: Key) -> u8 {
        self.0[key.index()]
    }

    /// The frame in which these keys sound: those that sounded before are struck again where `again` says so, asked from the top down.
    pub(super) fn decide(&self, sounding: Keys, mut again: impl FnMut(Key, Classes) -> bool) -> Frame {
        let before: Keys = (0..Keys::COUNT).filter_map(Key::new).filter(|key| self.steps(*key) > 0).collect();
        let mut frame = Frame { struck: sounding - before, held: Keys::NONE };
        let (new, gone) = (frame.struck.len(), (before - sounding).len());
        let mut counts = [0, 0];
        for key in (sounding & before).iter().rev() {
            let is_again = again(key, self.classes(key, sounding, [new, gone], counts));
            counts[usize::from(is_again)] += 1;
            if is_again { frame.struck.insert(key) } else { frame.held.insert(key) }
        }
        frame
    }

    /// Since when it sounds; whether it is the only, highest, lowest key or between; how many keys are new, and gone; how many above it
    /// were held, and struck again; which it is.
    fn classes(&self, key: Key, sounding: Keys, [new, gone]: [usize; 2], [held, again]: [usize; 2]) -> Classes {
        let age = match self.steps(key) {
            steps @ 0..=24 => usize::from(steps.saturating_sub(1)),
            25..=32 => 24,
            33..=48 => 25,
            _ => 26,
        };
        let (lowest, highest) = (sounding.iter().next() == Some(key), sounding.iter().next_back() == Some(key));
        let place = usize::from(lowest) + 2 * usize::from(highest);
        let mut classes = [age, place, new.min(2), gone.min(2), held.min(3), again.min(3), key.index()];
        let mut first = 0;
        for (class, size) in classes.iter_mut().zip(SIZES) {
            *class += first;
            first += size;
        }
        classes
    }
}

/// How long a decision's key has been sounding, as one of [`AGES`] classes.
pub(super) fn age(classes: &Classes) -> usize {
    classes[0]
}

/// As many as [`age`] tells apart.
pub(super) const fn ages() -> usize {
    AGES
}

/// Adds the decisions of a frame, which is number `at` of those that have `rows` rows of features each: one for all keys, or one for each.
pub(super) fn decisions(since: &Since, frame: Frame, (at, rows): (usize, usize), strokes: &mut Vec<Stroke>) {
    since.decide(frame.sounding(), |key, classes| {
        let is_yes = frame.struck.contains(key);
        let (row, classes) = seen(key, classes, (at, rows));
        strokes.push(Toss { row, classes, is_yes });
        is_yes
    });
}

/// The row that bears on a key's decision, and its classes. A key with a row of its own is not told which key it is, so that moved music is
/// struck alike.
fn seen(key: Key, mut classes: Classes, (at, rows): (usize, usize)) -> (usize, Classes) {
    if rows == 1 {
        return (at, classes);
    }
    classes[GROUPS - 1] -= key.index();
    (at * rows + key.index(), classes)
}

fn shape(features: usize) -> CoinShape {
    CoinShape { features, hidden: HIDDEN, classes: SIZES.iter().sum() }
}

impl FrameSettings {
    /// What decides which keys are struck again, where that is read, by rows of so many features.
    pub fn strokes(&self, features: usize, rng: &mut Rng, device: &Device) -> Option<Coins> {
        self.reads_strokes().then(|| Coins::new(shape(features), FREQUENCY, rng, device))
    }

    /// Whether it is read which keys are struck.
    pub fn reads_strokes(&self) -> bool {
        self.reading() == Reading::Strokes
    }
}

/// The trained form.
pub(super) struct Striker {
    tosser: CoinTosser,
    /// Rows of features that a frame has.
    rows: usize,
}

impl Striker {
    /// Out of a model file, where strokes are read.
    pub(super) fn load(
        file: &ModelFile,
        settings: &FrameSettings,
        (rows, features): (usize, usize),
    ) -> Result<Option<Striker>, ModelError> {
        let load = || CoinTosser::new(shape(features), |name, s| file.tensor(&format!("strokes.{name}"), s));
        let tosser = settings.reads_strokes().then(load).transpose()?;
        Ok(tosser.map(|tosser| Striker { tosser, rows }))
    }

    /// The nats of each frame's decisions.
    ///
    /// # Shapes
    /// `features`: `[N * rows, F]` -> `[N]`
    pub(super) fn nats(&self, features: &[f32], frames: usize, strokes: &[Stroke]) -> Vec<f64> {
        let states = self.tosser.states(features);
        let mut nats = vec![0.0; frames];
        strokes.iter().for_each(|stroke| nats[stroke.row / self.rows] += self.tosser.nats(&states, stroke));
        nats
    }

    /// The frame in which these keys sound, drawn by the model's own probability; where a frame comes again (`recalled`, and how sure
    /// that is), its strokes do. `None` where the model gives no number. Takes one number from `rng`.
    ///
    /// # Shapes
    /// `features`: `[rows, F]`
    pub(super) fn draw(
        &self,
        features: &[f32],
        since: &Since,
        sounding: Keys,
        recalled: Option<(Frame, f32)>,
        rng: &mut Rng,
    ) -> Option<Frame> {
        let mut rng = derive(rng.next_u64(), "strokes", &[]);
        let states = self.tosser.states(features);
        let mut finite = true;
        let frame = since.decide(sounding, |key, classes| {
            let p = match recalled {
                Some((frame, trust)) if frame.struck.contains(key) => trust,
                Some((frame, trust)) if frame.held.contains(key) => 1.0 - trust,
                _ => {
                    let (row, classes) = seen(key, classes, (0, self.rows));
                    self.tosser.probability(&states[row * HIDDEN..][..HIDDEN], &classes)
                }
            };
            finite &= p.is_finite();
            uniform(&mut rng) < p
        });
        finite.then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(indices: &[usize]) -> Keys {
        indices.iter().filter_map(|k| Key::new(*k)).collect()
    }

    fn frame(struck: &[usize], held: &[usize]) -> Frame {
        Frame { struck: keys(struck), held: keys(held) }
    }

    #[test]
    fn decisions_are_of_the_keys_that_sound_on_from_the_top_down() {
        let mut since = Since::default();
        since.push(frame(&[10, 20, 30], &[]));
        since.push(frame(&[20, 40], &[10]));
        let (mut strokes, now) = (Vec::new(), frame(&[40, 50], &[10, 20]));
        decisions(&since, now, (3, 1), &mut strokes);
        let found: Vec<_> = strokes.iter().map(|stroke| (stroke.classes, stroke.is_yes)).collect();
        let offsets: Vec<usize> = (0..GROUPS).map(|k| SIZES[..k].iter().sum()).collect();
        let expected = |classes: Classes| std::array::from_fn(|k| classes[k] + offsets[k]);
        assert_eq!(
            found,
            [
                (expected([0, 0, 1, 0, 0, 0, 40]), true),
                (expected([0, 0, 1, 0, 0, 1, 20]), false),
                (expected([1, 1, 1, 0, 1, 1, 10]), false),
            ]
        );
        assert!(strokes.iter().all(|stroke| stroke.row == 3));
        // The answers give the frame back.
        assert_eq!(since.decide(now.sounding(), |key, _| now.struck.contains(key)), now);
    }

    #[test]
    fn a_look_back_of_the_longest_is_enough() {
        let piece: Vec<Frame> = (0..200usize)
            .map(|k| frame(&[k % 7 * 3, 60 + k % 2], &[70, 80]))
            .map(|f| Frame { held: f.held - f.struck, ..f })
            .collect();
        for at in [5, 49, 50, 150] {
            let since = |from: usize| {
                let mut since = Since::default();
                piece[from..at].iter().for_each(|frame| since.push(*frame));
                since.0
            };
            assert_eq!(since(0), since(at.saturating_sub(usize::from(OLDEST))));
        }
    }

    #[test]
    fn repeated_notes_survive_there_and_back() {
        use cantus_encoding::piano_roll::{self, Outside};
        use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
        let note = |(onset, pitch, duration): (u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        let grid = TicksPerQuarter::new(4).unwrap();
        let mut score = Score::new(grid);
        let notes = [(0, 60, 2), (0, 72, 6), (2, 60, 2), (4, 60, 1), (5, 60, 3), (6, 72, 2)];
        score.parts.push(Part { notes: notes.map(note).into(), ..Part::default() });
        let spans = |score: &Score| -> Vec<_> { score.notes().map(|n| (n.onset, n.pitch, n.duration)).collect() };
        let back = |reading: Reading| piano_roll::decode(&reading.frames(&score), grid);
        let canonical = piano_roll::canonicalize(&score, Outside::Fold).unwrap();
        assert_eq!(spans(&back(Reading::Strokes)), spans(&canonical));
        assert_eq!((back(Reading::Strokes).note_count(), back(Reading::Sounding).note_count()), (6, 2));
    }
}
