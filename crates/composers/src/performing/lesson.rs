//! What is learnt from: how a piece was played, beside what is written.

use super::alignment::{Warp, align};
use super::features::Past;
use super::rhythm;
use super::touch::{Choices, Decision, KINDS, LENGTH, SPREAD, TIMING, velocity_class};
use super::written::{Chord, Written, WrittenNote, levelled};
use cantus_score::{Score, Ticks};

/// Notes of one chord follow one another by no more than so many seconds, and the last one the first by no more than the second number.
const TOGETHER: (f64, f64) = (0.035, 0.075);
/// A note that is so many seconds from the middle of its chord is a wrong one, or one of its own.
const STRAY: f64 = 0.3;
/// A pedal that moves so shortly before a chord moves with it, in seconds.
const EARLY: f64 = 0.02;
/// Of a score's notes at least this share must be found in its performance.
const LEAST_FOUND: f64 = 0.6;
/// Fewer chords teach nothing.
const FEWEST: usize = 8;

/// A piece as it is written and as somebody played it.
#[derive(Clone, Debug)]
pub struct Lesson {
    pub(super) written: Written,
    /// What was decided at each note.
    pub(super) choices: Vec<Choices>,
    /// When the pedal moved, where it did.
    pub(super) pedal: Vec<PedalMove>,
    is_of_pair: bool,
}

/// The pedal's moves between two chords.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PedalMove {
    /// Whether it was down before.
    pub down: bool,
    /// Seconds after the chord at which it moves.
    pub first: f64,
    /// Seconds from its first to its last move, where there are several.
    pub again: Option<f64>,
}

/// Why there is nothing to learn from a performance.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LessonError {
    /// Hardly a chord.
    #[error("it has {found} chords, and {FEWEST} are the fewest")]
    TooShort {
        /// How many it has.
        found: usize,
    },
    /// No two beats that both sides share.
    #[error("its beats and those of its score do not go together: there are {score} and {played}")]
    Beats {
        /// In the score.
        score: usize,
        /// In the performance.
        played: usize,
    },
    /// It is of something else.
    #[error("{share:.0}% of the score's notes are found in it, and {least:.0}% are needed", share = 100.0 * share, least = 100.0 * LEAST_FOUND)]
    OtherMusic {
        /// The share of notes that are found, 0-1.
        share: f64,
    },
}

/// A key that went down and up.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stroke {
    onset: f64,
    end: f64,
    pitch: u8,
    velocity: u8,
}

impl Lesson {
    /// A performance whose score nobody has: what is written is made of it (`rhythm`).
    ///
    /// # Errors
    /// [`LessonError::TooShort`].
    pub fn of_performance(performance: &Score) -> Result<Lesson, LessonError> {
        let strokes = strokes(performance);
        let chords = chords(&strokes);
        let times: Vec<f64> = chords.iter().map(|chord| mean(chord.iter().map(|stroke| stroke.onset))).collect();
        if times.len() < FEWEST {
            return Err(LessonError::TooShort { found: times.len() });
        }
        let quarters = rhythm::quarters(&times);
        let (mut written, mut played) = (Written::default(), Vec::new());
        for (c, chord) in chords.iter().enumerate() {
            let mut chord = chord.clone();
            chord.sort_by_key(|stroke| std::cmp::Reverse(stroke.pitch));
            let from = written.notes.len();
            for stroke in chord {
                let end = written_until(c, &stroke, &times, &chords);
                let length = end.map_or(1.0, |end| quarters[end] - quarters[c]);
                written.notes.push(WrittenNote { pitch: stroke.pitch, length, loudness: None, origin: (0, 0) });
                played.push(Some(stroke));
            }
            written.chords.push(Chord {
                tick: Ticks((times[c] * 1000.0).max(0.0).round() as u64),
                at: quarters[c],
                notes: from..written.notes.len(),
                place: None,
            });
        }
        Lesson::of(written, &played, &moves(performance), false)
    }

    /// A performance beside its score; `beats` are the seconds of the same beats in both, as the score's own tempos have them and as they
    /// were played.
    ///
    /// # Errors
    /// [`LessonError`]: beats that do not go together, other music.
    pub fn of_pair(score: &Score, performance: &Score, beats: (&[f64], &[f64])) -> Result<Lesson, LessonError> {
        let quarter = f64::from(score.ticks_per_quarter.get());
        let map = score.tempo_map();
        let all = (score.end().quarters(score.ticks_per_quarter).ceil() as u64).saturating_add(2);
        let second = |k: u64| map.seconds(Ticks(k * u64::from(score.ticks_per_quarter.get())));
        let misfit = LessonError::Beats { score: beats.0.len(), played: beats.1.len() };
        let quarters = Warp::new((0..all).map(|k| (second(k), k as f64))).ok_or(misfit)?;
        if beats.0.len() != beats.1.len() {
            return Err(misfit);
        }
        let marks = beats.1.iter().zip(beats.0).map(|(played, score)| (*played, quarters.at(*score)));
        let warp = Warp::new(marks).ok_or(misfit)?;
        let written = Written::of_score(score, |tick| tick.0 as f64 / quarter);
        let strokes = strokes(performance);
        let places: Vec<(f64, u8)> = written
            .chords
            .iter()
            .flat_map(|chord| written.notes[chord.notes.clone()].iter().map(|note| (chord.at, note.pitch)))
            .collect();
        let keys: Vec<(f64, u8)> = strokes.iter().map(|stroke| (stroke.onset, stroke.pitch)).collect();
        let found = align(&places, &keys, &warp);
        let share = found.iter().flatten().count() as f64 / found.len().max(1) as f64;
        if share < LEAST_FOUND {
            return Err(LessonError::OtherMusic { share });
        }
        let played: Vec<Option<Stroke>> = found.into_iter().map(|k| k.map(|k| strokes[k])).collect();
        Lesson::of(written, &played, &moves(performance), true)
    }

    /// `written` has its times in quarters still.
    fn of(
        mut written: Written,
        played: &[Option<Stroke>],
        moves: &[(f64, bool)],
        is_of_pair: bool,
    ) -> Result<Lesson, LessonError> {
        let times = Times::of(&written, played)?;
        let quarters: Vec<f64> = written.chords.iter().map(|chord| chord.at).collect();
        let level = levelled(&quarters, &times.seconds);
        let misfit = LessonError::TooShort { found: quarters.len() };
        let warp = Warp::new(quarters.iter().copied().zip(level.iter().copied())).ok_or(misfit)?;
        for (chord, at) in written.chords.iter_mut().zip(&level) {
            for note in &mut written.notes[chord.notes.clone()] {
                note.length = warp.at(chord.at + note.length) - at;
            }
            chord.at = *at;
        }
        let clock = Warp::new(level.iter().copied().zip(times.seconds.iter().copied())).ok_or(misfit)?;
        let (choices, pedal) = choices(&written, played, moves, &times, &clock);
        Ok(Lesson { written, choices, pedal, is_of_pair })
    }

    /// How many notes it has.
    pub fn len(&self) -> usize {
        self.written.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Whether a score stands beside it.
    pub fn is_of_pair(&self) -> bool {
        self.is_of_pair
    }

    /// What was decided at each note, chord by chord, each from the highest to the lowest.
    pub fn choices(&self) -> &[Choices] {
        &self.choices
    }

    /// The pitch of each note, in the same order.
    pub fn pitches(&self) -> impl Iterator<Item = u8> {
        self.written.notes.iter().map(|note| note.pitch)
    }

    /// The same lesson with other choices: as many as it has notes.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn with(&self, choices: Vec<Choices>) -> Lesson {
        assert_eq!(choices.len(), self.len(), "choices of a lesson");
        Lesson { choices, ..self.clone() }
    }

    /// How many of each kind of decision are known.
    pub fn counted(&self) -> [usize; KINDS] {
        Decision::ALL.map(|decision| self.choices.iter().filter(|choices| choices[decision as usize].is_some()).count())
    }
}

/// When chords were played.
struct Times {
    seconds: Vec<f64>,
    /// Of which it is known, and not put between others.
    known: Vec<bool>,
}

impl Times {
    fn of(written: &Written, played: &[Option<Stroke>]) -> Result<Times, LessonError> {
        let mut marks: Vec<(usize, f64)> = Vec::new();
        for (c, chord) in written.chords.iter().enumerate() {
            let mut onsets: Vec<f64> =
                played[chord.notes.clone()].iter().flatten().map(|stroke| stroke.onset).collect();
            onsets.sort_by(f64::total_cmp);
            let Some(middle) = onsets.get(onsets.len() / 2).copied() else { continue };
            let near = onsets.iter().copied().filter(|onset| (onset - middle).abs() < STRAY);
            let at = mean(near);
            // What does not come after the chord before it is not known.
            if marks.last().is_none_or(|(_, last)| at > last + 0.002) {
                marks.push((c, at));
            }
        }
        let found = marks.len();
        if found < FEWEST {
            return Err(LessonError::TooShort { found });
        }
        let of_mark = |(c, at): &(usize, f64)| (written.chords[*c].at, *at);
        let warp = Warp::new(marks.iter().map(of_mark)).ok_or(LessonError::TooShort { found })?;
        let mut known = vec![false; written.chords.len()];
        marks.iter().for_each(|(c, _)| known[*c] = true);
        Ok(Times { seconds: written.chords.iter().map(|chord| warp.at(chord.at)).collect(), known })
    }
}

/// The choices at each note, and the pedal's moves.
fn choices(
    written: &Written,
    played: &[Option<Stroke>],
    moves: &[(f64, bool)],
    times: &Times,
    clock: &Warp,
) -> (Vec<Choices>, Vec<PedalMove>) {
    let mut all: Vec<Choices> = vec![[None; KINDS]; written.len()];
    let mut pedal = Vec::new();
    let mut past = Past::default();
    for (c, chord) in written.chords.iter().enumerate() {
        let gap = c.checked_sub(1).and_then(|before| written.gap(before)).unwrap_or(0.0);
        let at = times.seconds[c];
        past.begin_chord();
        for n in chord.notes.clone() {
            let mut set = |decision: Decision, class: u8| all[n][decision as usize] = Some(class);
            if n == chord.notes.start {
                if c > 0 && times.known[c] && times.known[c - 1] && gap > 0.0 {
                    let slower = ((at - times.seconds[c - 1]) / gap).ln();
                    set(Decision::Timing, TIMING.class(slower - past.level()));
                }
                if let Some(next) = times.seconds.get(c + 1) {
                    let within = |time: &f64| (at - EARLY..next - EARLY).contains(time);
                    let from = moves.partition_point(|(time, _)| *time < at - EARLY);
                    let here = moves[from..].iter().take_while(|(time, _)| within(time));
                    let here: Vec<(f64, bool)> = here.copied().collect();
                    let class = match here.len() {
                        0 => 0,
                        count if count % 2 == 1 => 1,
                        _ => 2,
                    };
                    if let (Some((first, down)), Some((last, _))) = (here.first(), here.last()) {
                        let again = (class == 2).then_some(last - first);
                        pedal.push(PedalMove { down: !down, first: first - at, again });
                    }
                    set(Decision::Pedal, class);
                }
            }
            if let Some(stroke) = played[n].filter(|stroke| (stroke.onset - at).abs() < STRAY) {
                set(Decision::Velocity, velocity_class(stroke.velocity));
                if chord.notes.len() > 1 && times.known[c] {
                    set(Decision::Spread, SPREAD.class(stroke.onset - at));
                }
                let due = clock.at(chord.at + written.notes[n].length) - at;
                let held = (stroke.end - stroke.onset).max(0.005) / due.max(0.005);
                set(Decision::Length, LENGTH.class(held.ln()));
            }
            past.read(written.notes[n].pitch, gap, &all[n]);
        }
    }
    (all, pedal)
}

/// The chord until which a stroke of chord `c` is written, where there is one: that in which its line goes on, wherever the key was let go before;
/// and if it was held for longer, that to which it was let go nearest.
fn written_until(c: usize, stroke: &Stroke, times: &[f64], chords: &[Vec<Stroke>]) -> Option<usize> {
    let goes_on = |chord: &Vec<Stroke>| chord.iter().any(|other| other.pitch.abs_diff(stroke.pitch) <= LINE);
    let near = (c + 1..times.len()).take(AHEAD).take_while(|k| times[*k] - times[c] < PAUSE);
    let line = near.into_iter().find(|k| goes_on(&chords[*k])).or(Some(c + 1).filter(|next| *next < times.len()))?;
    let after = times.partition_point(|time| *time < stroke.end).min(times.len() - 1);
    let released =
        if after > 0 && stroke.end - times[after - 1] < times[after] - stroke.end { after - 1 } else { after };
    Some(line.max(released))
}

/// A line goes on within so many semitones, so many chords and so many seconds.
const LINE: u8 = 9;
const AHEAD: usize = 6;
const PAUSE: f64 = 2.0;

/// The strokes of all parts but drums, in order of time.
fn strokes(performance: &Score) -> Vec<Stroke> {
    let map = performance.tempo_map();
    let notes = performance.parts.iter().filter(|part| !part.drums).flat_map(|part| &part.notes);
    let mut strokes: Vec<Stroke> = notes
        .map(|note| Stroke {
            onset: map.seconds(note.onset),
            end: map.seconds(note.end()),
            pitch: note.pitch.get(),
            velocity: note.velocity.get(),
        })
        .collect();
    strokes.sort_by(|a, b| a.onset.total_cmp(&b.onset).then(a.pitch.cmp(&b.pitch)));
    strokes
}

/// Strokes that were meant to be one.
fn chords(strokes: &[Stroke]) -> Vec<Vec<Stroke>> {
    let mut chords: Vec<Vec<Stroke>> = Vec::new();
    for stroke in strokes {
        let joins = |chord: &Vec<Stroke>| {
            let near = chord.last().is_some_and(|last| stroke.onset - last.onset < TOGETHER.0);
            let whole = chord.first().is_some_and(|first| stroke.onset - first.onset < TOGETHER.1);
            near && whole && chord.iter().all(|other| other.pitch != stroke.pitch)
        };
        match chords.last_mut().filter(|chord| joins(chord)) {
            Some(chord) => chord.push(*stroke),
            None => chords.push(vec![*stroke]),
        }
    }
    chords
}

/// When the pedal went down (true) and up, by whatever part.
fn moves(performance: &Score) -> Vec<(f64, bool)> {
    let map = performance.tempo_map();
    let mut spans: Vec<(f64, f64)> = performance
        .parts
        .iter()
        .flat_map(|part| &part.pedal)
        .map(|span| (map.seconds(span.down), map.seconds(span.up)))
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut moves: Vec<(f64, bool)> = Vec::new();
    let mut until = f64::NEG_INFINITY;
    for (down, up) in spans {
        if down <= until {
            if let Some(last) = moves.last_mut().filter(|last| last.0 < up) {
                last.0 = up;
            }
        } else {
            moves.extend([(down, true), (up, false)]);
        }
        until = until.max(up);
    }
    moves
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}
