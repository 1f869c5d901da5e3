//! What the critic has heard of a piece that is being written.

use cantus_encoding::voices::{Chord, VOICES};
use cantus_model::critic::Turns;

/// Kinds of turns.
pub(in super::super) const KINDS: usize = 13;
/// A passage, in quarters: twelve bars of four.
const PASSAGE: usize = 48;
/// Larger intervals, in semitones, are all alike.
const WIDEST: i32 = 13;
/// Longer notes are all alike, in steps.
const LONGEST: usize = 32;
/// Steps of a bar, in quarters.
const BAR: usize = 4;
/// The classes of a major scale, counted from its first.
const MAJOR: u64 = 0b1010_1011_0101;

/// A chord at a step where a voice begins a note.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: usize,
    /// The lowest and the highest pitch.
    outer: (i32, i32),
    /// Pitch classes, counted from the lowest pitch's.
    classes: u64,
}

/// What has been heard so far.
#[derive(Clone, Debug)]
pub(in super::super) struct Hearing {
    steps_per_quarter: usize,
    at: usize,
    before: Chord,
    /// The last two moments, the latest first.
    moments: [Option<Moment>; 2],
    /// How many notes of each pitch class were begun in the piece.
    classes: [u32; 12],
    /// Which pitch classes and which pitches there were in this passage.
    of_passage: (u16, u128),
    /// The steps of this bar at which notes were begun, and those of the bar before.
    bars: [u64; 2],
    turns: Turns,
}

impl Hearing {
    /// Nothing yet.
    pub(in super::super) fn new(steps_per_quarter: u32) -> Hearing {
        Hearing {
            steps_per_quarter: steps_per_quarter as usize,
            at: 0,
            before: Chord::REST,
            moments: [None; 2],
            classes: [0; 12],
            of_passage: (0, 0),
            bars: [0; 2],
            turns: Turns::new(KINDS),
        }
    }

    fn passage(&self) -> usize {
        PASSAGE * self.steps_per_quarter
    }

    /// The next chord.
    pub(in super::super) fn push(&mut self, weights: &[f32], chord: Chord) {
        if self.at > 0 && self.at.is_multiple_of(self.passage()) {
            self.turns.close();
            self.of_passage = (0, 0);
        }
        let bar = BAR * self.steps_per_quarter;
        if self.at.is_multiple_of(bar) {
            if self.at >= 2 * bar {
                let unlike = (self.bars[0] ^ self.bars[1]).count_ones();
                self.turns.hear(weights, 12, &[u64::from(unlike)]);
            }
            self.bars = [0, self.bars[0]];
        }
        let begins = |voice: &usize| chord.pitch(*voice).is_some() && chord.pitch(*voice) != self.before.pitch(*voice);
        let struck: Vec<i32> = (0..VOICES)
            .filter(begins)
            .filter_map(|voice| chord.pitch(voice))
            .map(|pitch| i32::from(pitch.get()))
            .collect();
        if !struck.is_empty() {
            // Finer grids than 64 steps to a bar are heard as that.
            self.bars[0] |= 1 << (self.at % bar * bar.min(64) / bar);
            self.moment(weights, chord, &struck);
        }
        self.before = chord;
        self.at += 1;
    }

    /// The scale that holds most of what was begun so far: how far above `low` it begins. It is major, or minor on its sixth.
    fn scale(&self, low: i32) -> i32 {
        let inside = |first: &i32| -> u32 {
            (0..12)
                .filter(|k| MAJOR >> k & 1 == 1)
                .map(|k| self.classes[(low + first + k).rem_euclid(12) as usize])
                .sum()
        };
        // Of equals the nearest above, so that nothing depends on the key itself.
        (0..12).rev().max_by_key(inside).unwrap_or(0)
    }

    fn moment(&mut self, weights: &[f32], chord: Chord, struck: &[i32]) {
        let mut pitches: Vec<i32> =
            (0..VOICES).filter_map(|voice| chord.pitch(voice)).map(|pitch| i32::from(pitch.get())).collect();
        pitches.sort_unstable();
        pitches.dedup();
        let low = pitches[0];
        let c = Moment {
            at: self.at,
            outer: (low, pitches[pitches.len() - 1]),
            classes: pitches.iter().fold(0, |classes, pitch| classes | 1 << ((pitch - low) % 12)),
        };
        let interval = |from: i32, to: i32| (to - from).clamp(-WIDEST, WIDEST) as u64;
        let steps_per_quarter = self.steps_per_quarter;
        let place = |at: usize| (at % steps_per_quarter) as u64;
        let spacing = pitches.windows(2).fold(0, |all, pair| 64 * all + (pair[1] - pair[0]) as u64);
        for pitch in struck {
            self.classes[pitch.rem_euclid(12) as usize] += 1;
            self.of_passage.0 |= 1 << pitch.rem_euclid(12);
            self.of_passage.1 |= 1 << pitch.clamp(&0, &127);
        }
        let first = self.scale(low);
        let is_outside = |pitch: &&i32| MAJOR >> (*pitch - low - first).rem_euclid(12) & 1 == 0;
        let outside = struck.iter().filter(is_outside).count();
        let [b, a] = self.moments;
        let (classes, used) = self.of_passage;
        let mut hear = |kind: usize, what: &[u64]| self.turns.hear(weights, kind, what);
        // Sonorities, spacings, how many voices move where in the beat.
        hear(0, &[c.classes]);
        hear(1, &[spacing]);
        hear(2, &[struck.len() as u64, place(c.at)]);
        // The key: what lies outside of it, harmonies by their degree, how many classes and pitches there have been.
        hear(9, &[outside as u64]);
        hear(10, &[first as u64, c.classes]);
        hear(11, &[u64::from(classes.count_ones()), u64::from(used.count_ones())]);
        if let Some(b) = b {
            let (bass, top) = (interval(b.outer.0, c.outer.0), interval(b.outer.1, c.outer.1));
            let lasted = (c.at - b.at).min(LONGEST) as u64;
            // Progressions, the outer voices, rhythm.
            hear(3, &[b.classes, bass, c.classes]);
            hear(4, &[bass, top]);
            hear(5, &[lasted, place(c.at)]);
            if let Some(a) = a {
                let before = (b.at - a.at).min(LONGEST) as u64;
                // Melody, bass and rhythm, three moments at once.
                hear(6, &[interval(a.outer.1, b.outer.1), before, interval(b.outer.1, c.outer.1), lasted]);
                hear(7, &[interval(a.outer.0, b.outer.0), interval(b.outer.0, c.outer.0)]);
                hear(8, &[before, lasted, place(a.at)]);
            }
        }
        self.moments = [Some(c), b];
    }

    /// How much more likely it is, as a logarithm, that the corpus has what was heard than that the network writes it. A passage that is
    /// only begun counts for as much as there is of it.
    pub(in super::super) fn verdict(&self) -> f64 {
        let begun = match self.at % self.passage() {
            0 => self.passage().min(self.at),
            begun => begun,
        };
        self.turns.verdict(begun as f64 / self.passage() as f64)
    }

    /// The roots of how often turns occur in the passage that is being heard; the squares of each kind's sum to 1.
    pub(super) fn turns(&self) -> Vec<(usize, f64)> {
        self.turns.roots()
    }

    /// Whether the next chord begins a passage.
    pub(super) fn is_whole(&self) -> bool {
        self.at > 0 && self.at.is_multiple_of(self.passage())
    }

    /// The share of a passage that has been heard of this one, 0-1.
    pub(super) fn begun(&self) -> f64 {
        (self.at % self.passage()) as f64 / self.passage() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_model::critic::Critic;
    use cantus_score::Pitch;

    fn indifferent() -> Vec<f32> {
        Critic::indifferent(KINDS).weights().to_vec()
    }

    fn chord(pitches: [u8; VOICES]) -> Chord {
        Chord::new(pitches.map(|pitch| Pitch::try_from(pitch).ok()))
    }

    /// Two chords in turn, a quarter each.
    fn music(quarters: usize) -> impl Iterator<Item = Chord> {
        let chords = [[72, 67, 64, 48], [71, 67, 62, 43]].map(chord);
        (0..4 * quarters).map(move |step| chords[step / 4 % 2])
    }

    #[test]
    fn a_whole_passage_is_judged_by_the_roots_of_its_turns_and_a_begun_one_by_as_much_as_there_is() {
        let weights: Vec<f32> = (0..indifferent().len()).map(|turn| (turn % 7) as f32 - 3.0).collect();
        let mut hearing = Hearing::new(4);
        music(PASSAGE / 2).for_each(|chord| hearing.push(&weights, chord));
        let said = |hearing: &Hearing| -> f64 {
            hearing.turns().iter().map(|(turn, root)| f64::from(weights[*turn]) * root).sum()
        };
        assert!((hearing.verdict() - said(&hearing) / 2.0).abs() < 1e-6);
        music(PASSAGE / 2).for_each(|chord| hearing.push(&weights, chord));
        assert!(hearing.is_whole());
        let whole = said(&hearing);
        assert!((hearing.verdict() - whole).abs() < 1e-6 && whole.abs() > 0.1, "{whole}");
        let squares: f64 = hearing.turns().iter().map(|(_, root)| root * root).sum();
        assert!((squares - KINDS as f64).abs() < 1e-6, "each kind counts alike: {squares}");
        // What was heard is kept in mind while the next passage begins.
        music(1).for_each(|chord| hearing.push(&weights, chord));
        assert!((hearing.verdict() - whole - said(&hearing) / PASSAGE as f64).abs() < 1e-6);
    }

    #[test]
    fn what_is_held_or_moved_to_another_key_is_heard_as_the_same() {
        let heard = |up: i32, quarters: usize| {
            let mut hearing = Hearing::new(4);
            let weights = indifferent();
            let moved = |chord: Chord| Chord::from_bits(cantus_encoding::voices::moved(chord.bits(), up));
            music(quarters).for_each(|chord| hearing.push(&weights, moved(chord)));
            hearing.turns()
        };
        assert_eq!(heard(0, 6), heard(3, 6));
        assert_ne!(heard(0, 6), heard(0, 7));
        let mut held = Hearing::new(4);
        (0..64).for_each(|_| held.push(&indifferent(), chord([72, 67, 64, 48])));
        assert_eq!(held.turns().len(), 8, "one moment, and two pairs of bars");
    }

    #[test]
    fn what_leaves_the_key_and_what_breaks_the_rhythm_is_heard() {
        let said = |kind: usize, what: &[u64], music: &[Chord]| {
            let critic = Critic::indifferent(KINDS);
            let mut hearing = Hearing::new(4);
            music.iter().for_each(|chord| hearing.push(critic.weights(), *chord));
            hearing.turns.count(kind, what)
        };
        let usual: Vec<Chord> = music(12).collect();
        let strange = [chord([73, 69, 64, 45]); 4];
        let (before, after) = ([&usual[..], &strange].concat(), [&strange, &usual[..]].concat());
        // C sharp, where all was C major; where it came first, nothing was known yet.
        assert_eq!(said(9, &[1], &usual), 0);
        assert_eq!(said(9, &[1], &before), 1);
        assert_eq!(said(9, &[1], &after), 0);
        // C, E, G, then B and D, then C sharp and A; of pitches four, then three more, and three more.
        assert_eq!(said(11, &[3, 4], &usual), 1);
        assert_eq!(said(11, &[7, 10], &before), 1);
        // In the second bar the first chord lasts until the last.
        let mut broken = usual.clone();
        (20..24).for_each(|step| broken[step] = broken[19]);
        assert_eq!(said(12, &[0], &usual), 1);
        assert_eq!((said(12, &[0], &broken), said(12, &[2], &broken)), (0, 1));
    }
}
