//! Pieces as the networks read them, and batches of fragments.

use super::settings::{Clock, OctaveSettings, Transposition};
use cantus_encoding::octave_roll::{PitchClasses, TIME_BITS, time_bits};
use cantus_encoding::piano_roll::{self, Frame, Keys, Outside};
use cantus_model::{Numbering, Reader, Rng};
use cantus_nn::lag_attention::{History, Lag};
use cantus_nn::random::{below, uniform};
use cantus_nn::voices::Targets;
use cantus_score::{Score, merge_parts};
use std::sync::Arc;

/// What the generator reads at a step: pitch classes and the clock.
pub(super) const INPUT: usize = PitchClasses::COUNT + TIME_BITS;
/// What the decoder reads: pitch classes and keys.
pub(super) const BOTH: usize = PitchClasses::COUNT + Keys::COUNT;
/// What the touch reads: these, and how long nothing else is struck.
pub(super) const TOUCHED: usize = BOTH + 1;
/// Steps of pieces that stay read: some 150 bytes each.
pub(super) const MOST_READ: usize = 1_000_000;
/// The source's program sees this far back at a fragment's beginning.
const SOURCE_REACHES: usize = 32;

/// A key that is struck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    pub key: usize,
    /// 0 to 1.
    pub velocity: f32,
    /// Steps.
    pub duration: u64,
}

/// A piece, step by step.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub keys: Vec<Keys>,
    pub classes: Vec<PitchClasses>,
    /// What is struck at each step.
    pub strokes: Vec<Vec<Stroke>>,
    /// Steps of silence before the clock's first.
    lead: usize,
    /// See [`waits`].
    waits: Vec<u64>,
}

impl Piece {
    /// `None` where nothing is struck on the 88 keys.
    pub(super) fn new(score: &Score, OctaveSettings { clock, opening, .. }: &OctaveSettings) -> Option<Piece> {
        let frames = piano_roll::encode(score, Outside::Omit).ok()?;
        let first = frames.iter().position(|frame| !frame.struck.is_empty())?;
        let last = frames.iter().rposition(|frame| !frame.struck.is_empty())?;
        let from = match clock {
            Clock::Onset => first,
            Clock::Bar => 0,
        };
        let lead = usize::from(*opening);
        let mut strokes = vec![Vec::new(); lead + last + 1 - from];
        for note in merge_parts(score.parts.iter().filter(|part| !part.drums)).notes {
            let step = (note.onset.0 as usize + lead).checked_sub(from).filter(|step| *step < strokes.len());
            if let (Some(step), Ok(key)) = (step, piano_roll::Key::try_from(note.pitch)) {
                let velocity = f32::from(note.velocity.get()) / 128.0;
                strokes[step].push(Stroke { key: key.index(), velocity, duration: note.duration.0.max(1) });
            }
        }
        let mut keys = vec![Keys::NONE; lead];
        keys.extend(frames[from..=last].iter().map(|frame: &Frame| frame.struck));
        let classes = keys.iter().map(|keys| PitchClasses::from(*keys)).collect();
        // What is struck last waits for its own end.
        let end = strokes.last().into_iter().flatten().map(|stroke| stroke.duration).max().unwrap_or(1);
        Some(Piece { classes, waits: waits(&keys, end), keys, strokes, lead })
    }

    /// So many steps in which nothing is struck.
    fn silent(steps: usize, OctaveSettings { opening, .. }: &OctaveSettings) -> Piece {
        Piece {
            keys: vec![Keys::NONE; steps],
            classes: vec![PitchClasses::NONE; steps],
            strokes: vec![Vec::new(); steps],
            lead: usize::from(*opening),
            waits: vec![1; steps],
        }
    }

    /// What the clock says at a step.
    pub(super) fn clock(&self, step: usize) -> u64 {
        (step as u64).wrapping_sub(self.lead as u64)
    }

    pub(super) fn steps(&self) -> usize {
        self.keys.len()
    }

    fn classes_at(&self, step: Option<usize>) -> PitchClasses {
        step.and_then(|step| self.classes.get(step)).copied().unwrap_or_default()
    }
}

/// What is always known of a piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    pub steps: usize,
    /// All keys that are struck in it.
    pub keys: Keys,
}

/// Pieces are read from their first onset, or its bar, to their last.
impl Reader for OctaveSettings {
    type Outline = Outline;
    type Piece = Piece;
    type Learnt = Piece;

    fn outlines(&self, _: usize, score: &Score) -> Vec<Outline> {
        let outline = |piece: Piece| Outline {
            steps: piece.steps(),
            keys: piece.keys.iter().fold(Keys::NONE, |all, keys| all | *keys),
        };
        Piece::new(score, self).map(outline).into_iter().collect()
    }

    fn length(outline: &Outline) -> usize {
        outline.steps
    }

    fn piece(&self, outline: &Outline, score: &Score) -> Piece {
        Piece::new(score, self).unwrap_or_else(|| Piece::silent(outline.steps, self))
    }

    fn learnt(&self, piece: Piece) -> Piece {
        piece
    }
}

/// A stretch of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub piece: usize,
    pub start: usize,
    /// Semitones up.
    pub shift: i32,
}

/// All stretches to learn from, unmoved: of each piece one at every `stride` steps.
#[derive(Clone, Debug)]
pub(super) struct Stretches {
    numbering: Numbering,
    stride: usize,
}

impl Stretches {
    /// Of pieces of so many steps.
    pub(super) fn of(pieces: impl Iterator<Item = usize>, settings: &OctaveSettings) -> Stretches {
        let OctaveSettings { fragment, stride, short_pieces, .. } = *settings;
        let count = |steps: usize| match (steps + 1).saturating_sub(fragment) {
            0 => usize::from(short_pieces && steps > 1),
            starts => starts.div_ceil(stride),
        };
        Stretches { numbering: Numbering::of(pieces.map(count)), stride }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.numbering.count()
    }

    /// The one of a number.
    pub(super) fn get(&self, number: usize) -> Fragment {
        let (piece, k) = self.numbering.find(number);
        Fragment { piece, start: k * self.stride, shift: 0 }
    }
}

/// All stretches of pieces of so many steps to be judged by: one after another, that of the rest of a piece where short pieces count.
pub(super) fn to_judge(pieces: impl Iterator<Item = usize>, settings: &OctaveSettings) -> Vec<Fragment> {
    let mut all = Vec::new();
    for (piece, steps) in pieces.enumerate() {
        for start in (0..steps).step_by(settings.fragment) {
            let here = steps - start;
            if here >= settings.fragment || (settings.short_pieces && here > 1) {
                all.push(Fragment { piece, start, shift: 0 });
            }
        }
    }
    all
}

/// As many fragments as a batch has, drawn with replacement and moved at random.
pub(super) fn draw(stretches: &Stretches, settings: &OctaveSettings, rng: &mut Rng) -> Vec<Fragment> {
    let mut shift = || below(rng, 12) as i32 - 6;
    let shifts: Vec<i32> = match settings.transposition {
        Transposition::None => vec![0; settings.batch],
        Transposition::Batch => vec![shift(); settings.batch],
        Transposition::Fragment => (0..settings.batch).map(|_| shift()).collect(),
    };
    shifts.into_iter().map(|shift| Fragment { shift, ..stretches.get(below(rng, stretches.count())) }).collect()
}

/// What the generator reads and predicts, time-major: entry `t * rows + b` is step t of row b.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub rows: usize,
    pub steps: usize,
    /// `[T, B, 18]`
    pub inputs: Vec<f32>,
    pub history: History,
    /// `[T, B]`: what follows.
    pub sets: Vec<u32>,
    /// 1 where there is something to be predicted, 0 after a piece's end.
    pub weights: Vec<f32>,
    /// `[T, V, B]`
    chances: Vec<f32>,
}

impl Batch {
    /// Gathers fragments; `rng` makes the chances of the voices.
    pub(super) fn gather<'p>(
        pieces: impl Fn(usize) -> &'p Piece,
        fragments: &[Fragment],
        settings: &OctaveSettings,
        rng: &mut Rng,
    ) -> Batch {
        let (rows, steps, past) = (fragments.len(), settings.fragment - 1, settings.past());
        let mut inputs = vec![0.0; steps * rows * INPUT];
        let mut history = vec![0.0; (past + steps) * rows * PitchClasses::COUNT];
        let mut sets = vec![0; steps * rows];
        let mut weights = vec![0.0; steps * rows];
        for (b, fragment) in fragments.iter().enumerate() {
            let piece = pieces(fragment.piece);
            let at = |step: Option<usize>| piece.classes_at(step).rolled(fragment.shift);
            for k in 0..past + steps {
                let row = &mut history[(k * rows + b) * PitchClasses::COUNT..][..PitchClasses::COUNT];
                at((fragment.start + k).checked_sub(past)).write(row);
            }
            for t in 0..steps {
                let (n, step) = (t * rows + b, fragment.start + t);
                let (classes, clock) = inputs[n * INPUT..(n + 1) * INPUT].split_at_mut(PitchClasses::COUNT);
                at(Some(step)).write(classes);
                clock.copy_from_slice(&time_bits(piece.clock(step)));
                sets[n] = u32::from(at(Some(step + 1)).bits());
                weights[n] = if step + 1 < piece.steps() { 1.0 } else { 0.0 };
            }
        }
        let reaches = |lag: usize| if settings.source_history && lag > SOURCE_REACHES { 0 } else { past };
        let lags = settings.lags.iter().map(|&lag| Lag { steps: lag, reaches: reaches(lag) }).collect();
        let history = History { values: history.into(), past, width: PitchClasses::COUNT, lags };
        let chances = (0..steps * rows * settings.voices).map(|_| uniform(rng)).collect();
        Batch { rows, steps, inputs, history, sets, weights, chances }
    }

    /// What the voices are to predict.
    pub(super) fn targets(&self, settings: &OctaveSettings) -> Targets<'_> {
        Targets {
            items: PitchClasses::COUNT,
            voices: settings.voices,
            rule: settings.decisions.rule(),
            sets: &self.sets,
            weights: &self.weights,
            chances: &self.chances,
        }
    }
}

/// What decoder and touch learn from: steps 1 to the end of fragments on all 88 keys.
#[derive(Clone, Debug)]
pub(super) struct KeyBatch {
    pub rows: usize,
    pub steps: usize,
    /// `[T, B, 100]`: the pitch classes of the step, the keys of the step before.
    pub before: Vec<f32>,
    /// `[T, B, 101]`: the pitch classes and the keys of the step, and how long it waits for the next one in which anything is struck.
    pub now: Vec<f32>,
    /// `[T * B, 88]`: the keys of the step.
    pub keys: Arc<[f32]>,
    /// `[T * B]`: 1 where something is struck.
    pub weights: Vec<f32>,
    /// `[T * B, 88]`: velocity, 0 to 1, and binary logarithm of the duration of what is struck, in such waits.
    pub velocities: Vec<f32>,
    pub durations: Vec<f32>,
}

impl KeyBatch {
    pub(super) fn gather<'p>(
        pieces: impl Fn(usize) -> &'p Piece,
        fragments: &[Fragment],
        settings: &OctaveSettings,
    ) -> KeyBatch {
        let (rows, steps) = (fragments.len(), settings.fragment - 1);
        let size = steps * rows;
        let (mut before, mut now) = (vec![0.0; size * BOTH], vec![0.0; size * TOUCHED]);
        let mut keys = vec![0.0; size * Keys::COUNT];
        let (mut velocities, mut durations) = (keys.clone(), keys.clone());
        let mut weights = vec![0.0; size];
        for (b, fragment) in fragments.iter().enumerate() {
            let piece = pieces(fragment.piece);
            let moved = |step: usize| shifted(piece.keys.get(step).copied().unwrap_or_default(), fragment.shift);
            for t in 0..steps {
                let (n, step) = (t * rows + b, fragment.start + t + 1);
                let struck = moved(step);
                let own = n * Keys::COUNT..(n + 1) * Keys::COUNT;
                let (classes, keys_before) = before[n * BOTH..(n + 1) * BOTH].split_at_mut(PitchClasses::COUNT);
                PitchClasses::from(struck).write(classes);
                moved(step - 1).write(keys_before);
                let wait = piece.waits.get(step).copied().unwrap_or(1);
                write_touched(struck, wait, &mut now[n * TOUCHED..(n + 1) * TOUCHED]);
                struck.write(&mut keys[own.clone()]);
                weights[n] = if struck.is_empty() { 0.0 } else { 1.0 };
                for stroke in piece.strokes.get(step).into_iter().flatten() {
                    let key = stroke.key.checked_add_signed(fragment.shift as isize);
                    if let Some(key) = key.filter(|key| *key < Keys::COUNT) {
                        velocities[own.start + key] = stroke.velocity;
                        durations[own.start + key] = (stroke.duration as f32 / wait as f32).log2();
                    }
                }
            }
        }
        KeyBatch { rows, steps, before, now, keys: keys.into(), weights, velocities, durations }
    }
}

/// Steps from each step to the next one in which anything is struck, or to the end, which comes `end` steps after the last step.
pub(super) fn waits(keys: &[Keys], end: u64) -> Vec<u64> {
    let mut wait = end;
    let before = |keys: &Keys| {
        let next = if keys.is_empty() { wait + 1 } else { 1 };
        std::mem::replace(&mut wait, next)
    };
    let mut waits: Vec<u64> = keys.iter().rev().map(before).collect();
    waits.reverse();
    waits
}

/// Writes what the touch reads at a step.
///
/// # Shapes
/// `row`: `[101]`, zeros
pub(super) fn write_touched(struck: Keys, wait: u64, row: &mut [f32]) {
    PitchClasses::from(struck).write(&mut row[..PitchClasses::COUNT]);
    struck.write(&mut row[PitchClasses::COUNT..BOTH]);
    row[BOTH] = (wait as f32).log2() / 4.0;
}

/// Keys so many semitones higher; what leaves the keyboard is gone.
fn shifted(keys: Keys, semitones: i32) -> Keys {
    let by = semitones.unsigned_abs();
    let bits = if semitones >= 0 { keys.bits() << by } else { keys.bits() >> by };
    Keys::from_bits(bits & Keys::ALL.bits()).unwrap_or(Keys::NONE)
}
