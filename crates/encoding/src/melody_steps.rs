//! `melody_steps`: one melody on a grid; at each step a pitch begins, silence begins, or nothing new happens.
//!
//! Source: A. Roberts, J. Engel, C. Raffel, C. Hawthorne and D. Eck, "A Hierarchical Latent Vector Model for Learning Long-Term Structure in
//! Music", ICML 2018, arXiv:1803.05428v5, section 5.1, and `magenta/models/music_vae` (`OneHotMelodyConverter`): 90 outcomes.
//! Departures: any metre, and bars that need not be alike; a grid that holds the music, where theirs has four steps to a quarter; pitches
//! beyond the piano's keys are moved by octaves, where theirs make a melody unusable.
//!
//! `decode(encode(score)) == canonicalize(score)`: the melody, each note up to the next at the longest, and the bars.

use crate::note_chord::BarKind;
use cantus_score::{
    Bar, Bars, Meter, Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity, melody_line, merge_parts, quantize,
};
use std::ops::Range;

/// What may happen at a step: [`HOLD`], [`SILENCE`], and the 88 keys.
pub const OUTCOMES: usize = 90;
/// Nothing new: what sounds goes on, and so does silence.
pub const HOLD: u8 = 0;
/// What sounds ends.
pub const SILENCE: u8 = 1;
/// The lowest key.
pub const LOWEST: u8 = 21;
/// The highest key.
pub const HIGHEST: u8 = 108;
/// Steps of a piece at the most; what comes after is not read.
pub const MOST_STEPS: u64 = 1 << 20;

/// Grids that are tried, in steps to a quarter.
const GRIDS: [u32; 3] = [4, 12, 24];
/// The share of notes that may begin or end beside the grid.
const FEW: f64 = 0.03;

/// The outcome that a pitch is.
pub fn struck(pitch: Pitch) -> u8 {
    let mut key = pitch.get();
    while key < LOWEST {
        key += 12;
    }
    while key > HIGHEST {
        key -= 12;
    }
    key - LOWEST + 2
}

/// The pitch of an outcome, where it is one.
pub fn pitch_of(outcome: u8) -> Option<Pitch> {
    let key = outcome.checked_sub(2)?;
    Pitch::try_from(key + LOWEST).ok().filter(|pitch| pitch.get() <= HIGHEST)
}

/// A melody, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MelodySteps {
    /// Steps to a quarter.
    pub grid: TicksPerQuarter,
    /// The bars.
    pub bars: Vec<BarKind>,
    /// Whether the first bar is an upbeat.
    pub upbeat: bool,
    /// What happens at each step of these bars.
    pub steps: Vec<u8>,
}

impl MelodySteps {
    /// The melody of a score, in whole bars.
    pub fn of(score: &Score, grid: TicksPerQuarter) -> MelodySteps {
        MelodySteps::read(score, score.end(), grid, |bar, _| bar)
    }

    /// The same up to a time in the score's ticks, which cuts the last bar short.
    pub fn until(score: &Score, end: Ticks, grid: TicksPerQuarter) -> MelodySteps {
        MelodySteps::read(score, end, grid, |bar, end| {
            let length = bar.length.min(Ticks(end.0.saturating_sub(bar.start.0))).max(Ticks(1));
            Bar { length, ..bar }
        })
    }

    fn read(score: &Score, end: Ticks, grid: TicksPerQuarter, bar: impl Fn(Bar, Ticks) -> Bar) -> MelodySteps {
        let upbeat = score.upbeat().is_some();
        let coarse = quantize(score, grid, 0.5).0;
        let end = end.rescale(score.ticks_per_quarter, grid).min(Ticks(MOST_STEPS));
        let kind = |of: Bar| BarKind::of(&bar(of, end), grid);
        let bars: Vec<BarKind> = Bars::new(&coarse.meters, grid, end).map(kind).collect();
        let count: usize = bars.iter().map(|bar| usize::from(bar.steps)).sum();
        let mut steps = vec![HOLD; count];
        let mut silent_from = None;
        for note in &melody_line(&coarse) {
            let at = usize::try_from(note.onset.0).unwrap_or(usize::MAX);
            if let Some(end) = silent_from.filter(|end| *end < at && *end < count) {
                steps[end] = SILENCE;
            }
            if at >= count {
                silent_from = None;
                break;
            }
            steps[at] = struck(note.pitch);
            silent_from = usize::try_from(note.end().0).ok();
        }
        if let Some(end) = silent_from.filter(|end| *end < count) {
            steps[end] = SILENCE;
        }
        let upbeat = upbeat && bars.len() > 1;
        MelodySteps { grid, bars, upbeat, steps }
    }

    /// Its notes.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes: Vec<Note> = Vec::new();
        let mut begun: Option<(usize, Pitch)> = None;
        let mut close = |begun: &mut Option<(usize, Pitch)>, at: usize| {
            if let Some((onset, pitch)) = begun.take() {
                let (onset, duration) = (Ticks(onset as u64), Ticks((at - onset) as u64));
                notes.push(Note { onset, pitch, duration, velocity: Velocity::DEFAULT });
            }
        };
        for (at, outcome) in self.steps.iter().enumerate().filter(|(_, outcome)| **outcome != HOLD) {
            close(&mut begun, at);
            begun = pitch_of(*outcome).map(|pitch| (at, pitch));
        }
        close(&mut begun, self.steps.len());
        notes
    }

    /// As a score of one part.
    pub fn score(&self) -> Score {
        let mut score = Score::new(self.grid);
        score.meters = meters(&self.bars);
        score.parts.push(Part { notes: self.notes(), ..Part::default() });
        score
    }

    /// The sections of so many bars, as steps; an upbeat belongs to the first one, and the last one may be shorter.
    pub fn sections(&self, bars: usize) -> Vec<Range<usize>> {
        sections(&self.bars, self.upbeat, bars).into_iter().map(|of| steps_of(&self.bars, &of)).collect()
    }
}

/// Bars in sections of so many; an upbeat belongs to the first one, and the last one may be shorter.
pub fn sections(bars: &[BarKind], upbeat: bool, each: usize) -> Vec<Range<usize>> {
    let (mut found, mut start) = (Vec::new(), 0);
    while start < bars.len() {
        let before = usize::from(upbeat && start == 0);
        let end = (start + each.max(1) + before).min(bars.len());
        found.push(start..end);
        start = end;
    }
    found
}

/// The steps of some of these bars.
pub fn steps_of(bars: &[BarKind], of: &Range<usize>) -> Range<usize> {
    let length = |bars: &[BarKind]| bars.iter().map(|bar| usize::from(bar.steps)).sum::<usize>();
    let start = length(&bars[..of.start]);
    start..start + length(&bars[of.clone()])
}

/// The metres of bars, where they change.
pub fn meters(bars: &[BarKind]) -> Vec<(Ticks, Meter)> {
    let (mut found, mut at): (Vec<(Ticks, Meter)>, u64) = (Vec::new(), 0);
    for bar in bars {
        if found.last().is_none_or(|(_, meter)| *meter != bar.meter) {
            found.push((Ticks(at), bar.meter));
        }
        at += u64::from(bar.steps);
    }
    found
}

/// What sounds before each step: 0 for silence, else the outcome that began it.
pub fn sounding(steps: &[u8]) -> Vec<u8> {
    let mut now = 0;
    let before = |outcome: &u8| {
        let before = now;
        now = match *outcome {
            HOLD => now,
            SILENCE => 0,
            pitch => pitch,
        };
        before
    };
    steps.iter().map(before).collect()
}

/// The melody of a score as it comes back.
pub fn canonicalize(score: &Score, grid: TicksPerQuarter) -> Score {
    let coarse = quantize(score, grid, 0.5).0;
    let mut canonical = Score::new(grid);
    let bars: Vec<BarKind> = Bars::new(&coarse.meters, grid, coarse.end()).map(|bar| BarKind::of(&bar, grid)).collect();
    let end = bars.iter().map(|bar| u64::from(bar.steps)).sum();
    canonical.meters = meters(&bars);
    let mut notes = melody_line(&coarse);
    notes.retain(|note| note.onset.0 < end);
    for note in &mut notes {
        note.duration = note.duration.min(Ticks(end - note.onset.0)).max(Ticks(1));
        note.pitch = pitch_of(struck(note.pitch)).unwrap_or(note.pitch);
        note.velocity = Velocity::DEFAULT;
    }
    canonical.parts.push(Part { notes, ..Part::default() });
    canonical
}

/// The coarsest grid that holds nearly all notes of these pieces' melodies.
pub fn grid_of<S: std::borrow::Borrow<Score>>(pieces: impl IntoIterator<Item = S>) -> TicksPerQuarter {
    let (mut all, mut beside) = (0u64, [0u64; GRIDS.len()]);
    for piece in pieces {
        let piece: &Score = piece.borrow();
        let quarter = u64::from(piece.ticks_per_quarter.get());
        for note in melody_line(piece) {
            all += 1;
            for (beside, steps) in beside.iter_mut().zip(GRIDS) {
                // More than a tick beside it, in parts of a tick of which a step has `quarter`.
                let place = note.onset.0 % quarter * u64::from(steps) % quarter;
                *beside += u64::from(place.min(quarter - place) > u64::from(steps));
            }
        }
    }
    let holds = |beside: u64| beside as f64 <= FEW * all as f64;
    let found = GRIDS.into_iter().zip(beside).find(|(_, beside)| holds(*beside)).map_or(GRIDS[1], |(steps, _)| steps);
    TicksPerQuarter::new(found).unwrap_or(TicksPerQuarter::DEFAULT)
}

/// All pitched parts of a score but for its melody, as one: what this encoding leaves out.
pub fn left_out(score: &Score) -> usize {
    let all = merge_parts(score.parts.iter().filter(|part| !part.drums)).notes.len();
    all.saturating_sub(melody_line(score).len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FOUR: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

    fn note(onset: u64, pitch: u8, duration: u64) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        }
    }

    fn score(meters: &[(u64, &str)], notes: &[Note]) -> Score {
        let mut score = Score::new(FOUR);
        score.meters = meters.iter().map(|(at, meter)| (Ticks(*at), meter.parse().unwrap())).collect();
        score.parts.push(Part { notes: notes.to_vec(), ..Part::default() });
        score
    }

    #[test]
    fn a_melody_is_pitches_silences_and_nothing_new() {
        let tune = score(&[(0, "3/4")], &[note(0, 60, 2), note(2, 62, 2), note(6, 60, 6)]);
        let steps = MelodySteps::of(&tune, FOUR);
        let c = struck(Pitch::C4);
        assert_eq!(steps.steps, [c, HOLD, c + 2, HOLD, SILENCE, HOLD, c, HOLD, HOLD, HOLD, HOLD, HOLD]);
        assert_eq!(steps.score(), canonicalize(&tune, FOUR));
        assert_eq!(sounding(&steps.steps), [0, c, c, c + 2, c + 2, 0, 0, c, c, c, c, c]);
        // Of chords the highest note, whoever plays it; keys beyond the piano are moved.
        let chords = score(&[], &[note(0, 48, 16), note(0, 120, 4), note(4, 3, 4)]);
        let found = MelodySteps::of(&chords, FOUR);
        let key = |pitch: u8| struck(Pitch::try_from(pitch).unwrap());
        assert_eq!((found.steps[0], found.steps[4], found.steps[8]), (key(108), key(27), SILENCE));
    }

    #[test]
    fn an_upbeat_belongs_to_the_first_section() {
        let notes: Vec<Note> = (0..40).map(|k| note(4 * k, 60, 4)).collect();
        let tune = score(&[(0, "1/4"), (4, "4/4")], &notes);
        let steps = MelodySteps::of(&tune, FOUR);
        assert!(steps.upbeat && steps.bars.len() == 11);
        let lengths: Vec<usize> = steps.sections(2).iter().map(Range::len).collect();
        assert_eq!(lengths, [36, 32, 32, 32, 32]);
        let odd = MelodySteps { upbeat: false, ..steps };
        assert_eq!(odd.sections(2).last().unwrap().len(), 16);
    }

    #[test]
    fn the_grid_is_the_coarsest_that_holds_the_melodies() {
        let on = |places: &[u64], per_quarter: u32| {
            let onsets = (0..40).flat_map(|quarter| places.iter().map(move |place| quarter * 480 + place));
            let mut score = Score::new(TicksPerQuarter::new(480).unwrap());
            score.parts.push(Part { notes: onsets.map(|onset| note(onset, 60, 40)).collect(), ..Part::default() });
            assert_eq!(grid_of([score]).get(), per_quarter, "{places:?}");
        };
        on(&[0, 120, 241], 4);
        on(&[0, 160, 320], 12);
        on(&[0, 60, 240], 24);
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(
            notes in proptest::collection::vec((0u64..90, 10u8..120, 1u64..30), 1..40),
            meter in prop_oneof![Just("4/4"), Just("6/8"), Just("5/4"), Just("2/2")],
            change in 0u64..60,
        ) {
            let mut notes: Vec<Note> = notes.into_iter().map(|(at, pitch, long)| note(at, pitch, long)).collect();
            notes.sort_unstable();
            let tune = score(&[(0, meter), (change, "3/4")], &notes);
            let steps = MelodySteps::of(&tune, FOUR);
            prop_assert_eq!(steps.score(), canonicalize(&tune, FOUR));
            // But for bars of silence at the end, which a score does not have.
            let again = MelodySteps::of(&steps.score(), FOUR);
            prop_assert!(steps.steps.starts_with(&again.steps));
            prop_assert!(steps.steps[again.steps.len()..].iter().all(|outcome| *outcome <= SILENCE));
        }

        #[test]
        fn every_sequence_is_a_melody(steps in proptest::collection::vec(0u8..90, 32)) {
            let bar = BarKind { steps: 16, meter: Meter::COMMON };
            let melody = MelodySteps { grid: FOUR, bars: vec![bar; 2], upbeat: false, steps };
            let score = melody.score();
            prop_assert!(score.notes().all(|note| note.duration > Ticks::ZERO && note.end() <= Ticks(32)));
            let notes: Vec<&Note> = score.notes().collect();
            prop_assert!(notes.windows(2).all(|pair| pair[0].end() <= pair[1].onset));
        }
    }
}
