//! A melody: motifs put on the chords of the moment.

use super::motif::Motif;
use super::plan::{Bar, Cadence, Rule};
use super::pulse::Pulse;
use super::scale::{DEGREES, Scale};
use super::{Dice, Tone};

/// No two notes are further apart than so many steps.
const WIDEST: i32 = 5;

/// Who writes it.
pub(super) struct Melody<'a> {
    pub scale: Scale,
    pub pulse: &'a Pulse,
    /// The lowest and the highest MIDI pitch.
    pub range: (i32, i32),
    /// How busy it is, 0-1.
    pub density: f32,
    /// Where it has notes at all: one for each group at most, all of the chord.
    pub is_plain: bool,
}

/// A motif for each section, and another beside it.
pub(super) struct Motifs(Vec<(Motif, Motif)>);

impl Motifs {
    pub(super) fn draw(count: usize, first: Option<Motif>, pulse: &Pulse, density: f32, dice: &mut Dice<'_>) -> Motifs {
        let mut draw = || Motif::draw(pulse, density, dice);
        let mut motifs: Vec<(Motif, Motif)> = (0..count).map(|_| (draw(), draw())).collect();
        if let (Some(first), Some((motif, _))) = (first, motifs.first_mut()) {
            *motif = first;
        }
        Motifs(motifs)
    }

    fn of(&self, bar: &Bar) -> &(Motif, Motif) {
        &self.0[bar.motif % self.0.len()]
    }
}

impl Melody<'_> {
    /// The notes of each bar, in ticks of the bar; those of earlier ones are known.
    pub(super) fn bar(
        &self,
        number: usize,
        bars: &[Bar],
        motifs: &Motifs,
        before: &[Vec<Tone>],
        dice: &mut Dice<'_>,
    ) -> Vec<Tone> {
        let bar = &bars[number];
        let last = before.iter().rev().flatten().next_back().map(|tone| tone.step);
        let (motif, other) = motifs.of(bar);
        let middle = self.middle();
        let target = middle + bar.height;
        let mut tones = match bar.rule {
            Rule::Again(earlier, false) => before[earlier].clone(),
            Rule::Again(earlier, true) => self.varied(bar, &before[earlier], last, dice),
            Rule::Motif => self.on_chords(motif, bar, target, last),
            Rule::Sequence(up) => {
                // So many steps over the bar before, as far as the chord has it.
                let first = before.last().and_then(|tones| tones.first()).map_or(target, |tone| tone.step);
                self.on_chords(motif, bar, first + up.signum(), last)
            }
            Rule::Inverted => self.on_chords(&motif.inverted(), bar, target, last),
            Rule::Ornamented => self.on_chords(&motif.ornamented(), bar, target, last),
            Rule::Thinned => self.on_chords(&motif.thinned(), bar, target, last),
            Rule::Augmented => self.on_chords(&motif.augmented(), bar, target, last),
            Rule::Contrast => self.on_chords(other, bar, target, last),
            Rule::Cadence(cadence) => self.cadence(bar, cadence, number + 1 == bars.len(), last),
        };
        // The note before an ending on the tonic is a step away from it.
        if let Some(Bar { rule: Rule::Cadence(Cadence::Full), harmonies, .. }) = bars.get(number + 1)
            && !matches!(bar.rule, Rule::Again(..))
            && harmonies[0].1.chord.root() == self.scale.tonic
            && let Some(tone) = tones.last_mut().filter(|tone| tone.onset > 0 || bars.len() > 2)
        {
            let (at, harmony) = (tone.step, bar.harmony(tone.onset));
            let home = self.tonic_near(at);
            let around = [home - 1, home + 1].into_iter().filter(|step| self.scale.is_of_chord(*step, harmony));
            if let Some(step) = around.filter(|step| self.is_within(*step)).min_by_key(|step| (step - at).abs()) {
                tone.step = step;
            }
        }
        // What comes again begins where it did: the way there is no wider than an octave.
        if let Some(Bar { rule: Rule::Again(earlier, _), .. }) = bars.get(number + 1)
            && !matches!(bar.rule, Rule::Again(..))
            && let Some(next) = before.get(*earlier).and_then(|tones| tones.first()).map(|tone| tone.step)
            && let Some(tone) = tones.last_mut().filter(|tone| (tone.step - next).abs() > DEGREES as i32)
        {
            let nearer = next + (tone.step - next).signum() * WIDEST;
            tone.step = self.scale.nearest(self.inside(nearer), tone.step > nearer, bar.harmony(tone.onset));
        }
        tones.iter_mut().for_each(|tone| tone.pitch = self.scale.pitch(tone.step, bar.harmony(tone.onset)));
        tones
    }

    /// The step in the middle of the range.
    fn middle(&self) -> i32 {
        let pitch = (self.range.0 + self.range.1) / 2 - 2;
        (pitch - i32::from(self.scale.tonic)) * DEGREES as i32 / 12
    }

    /// The tonic that is nearest, of those within the range where there is one.
    fn tonic_near(&self, step: i32) -> i32 {
        let degrees = DEGREES as i32;
        let near = (step + degrees / 2).div_euclid(degrees) * degrees;
        let around = [near, near - degrees, near + degrees, near - 2 * degrees, near + 2 * degrees];
        let within = around.into_iter().filter(|tonic| self.is_within(*tonic));
        within.min_by_key(|tonic| (tonic - step).abs()).unwrap_or(near)
    }

    fn is_within(&self, step: i32) -> bool {
        let steps = self.scale.mode.steps();
        let pitch = i32::from(self.scale.tonic)
            + 12 * step.div_euclid(DEGREES as i32)
            + i32::from(steps[step.rem_euclid(DEGREES as i32) as usize]);
        (self.range.0..=self.range.1).contains(&pitch)
    }

    /// A motif that begins with the chord's note nearest to a target: on strong places notes of the chord, between them the scale's.
    fn on_chords(&self, motif: &Motif, bar: &Bar, target: i32, last: Option<i32>) -> Vec<Tone> {
        let target = last.map_or(target, |last| target.clamp(last - 3, last + 3));
        let motif = if self.is_plain { &self.plain(motif, bar) } else { motif };
        let mut tones: Vec<Tone> = Vec::with_capacity(motif.0.len());
        let (mut at, mut before) = (0, last);
        let first = self.scale.nearest(self.inside(target), last.is_none_or(|last| last <= target), bar.harmony(0));
        for (length, step) in &motif.0 {
            let harmony = bar.harmony(at);
            let ideal = self.inside(first + step);
            let is_strong = self.pulse.is_strong(at) || *length >= self.pulse.groups[0];
            let by = before.map_or(0, |before| ideal - before);
            // What is no note of the chord is reached by step.
            let must_fit = is_strong || by.abs() > 1;
            let mut found = if must_fit { self.scale.nearest(ideal, by >= 0, harmony) } else { ideal };
            if let Some(before) = before.filter(|before| (found - before).abs() > WIDEST) {
                let nearer = before + (found - before).signum() * (WIDEST - 2);
                found = self.scale.nearest(nearer, by < 0, harmony);
            }
            tones.push(Tone { onset: at, length: *length, step: found, pitch: 0 });
            (at, before) = (at + length, Some(found));
        }
        tones
    }

    /// One note for each group and each chord.
    fn plain(&self, motif: &Motif, bar: &Bar) -> Motif {
        let changes = bar.harmonies.iter().map(|(at, _)| *at);
        let onsets = motif.0.iter().scan(0, |at, (length, _)| {
            let onset = *at;
            *at += length;
            Some(onset)
        });
        let mut starts: Vec<u64> = onsets.filter(|at| self.pulse.is_strong(*at)).chain(changes).collect();
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).copied().chain([self.pulse.bar()]);
        let step = |at: u64| {
            let mut from = 0;
            motif.0.iter().find(|(length, _)| {
                from += length;
                at < from
            })
        };
        Motif(starts.iter().zip(ends).map(|(at, end)| (end - at, step(*at).map_or(0, |(_, step)| *step))).collect())
    }

    /// The step within the range that is nearest.
    fn inside(&self, step: i32) -> i32 {
        let around = (0..128).flat_map(|away| [step - away, step + away]);
        around.into_iter().find(|step| self.is_within(*step)).unwrap_or(step)
    }

    /// A bar that comes again: with a passing or a neighbouring note where there is room, or with fewer notes.
    fn varied(&self, bar: &Bar, earlier: &[Tone], last: Option<i32>, dice: &mut Dice<'_>) -> Vec<Tone> {
        let Some(first) = earlier.first() else { return Vec::new() };
        let filled = earlier.iter().map(|tone| tone.length).sum::<u64>() == self.pulse.bar();
        if !filled || self.is_plain {
            return earlier.to_vec();
        }
        let motif = Motif(earlier.iter().map(|tone| (tone.length, tone.step - first.step)).collect());
        let motif = if dice.chance(0.3 + 0.4 * self.density) { motif.ornamented() } else { motif.thinned() };
        self.on_chords(&motif, bar, first.step, last)
    }

    /// The end of a phrase: the tonic, or a note of the open chord; then, but at the end of all, a breath.
    fn cadence(&self, bar: &Bar, cadence: Cadence, is_last: bool, last: Option<i32>) -> Vec<Tone> {
        let (whole, harmony) = (self.pulse.bar(), bar.harmony(0));
        let from = last.unwrap_or_else(|| self.middle());
        let home = self.tonic_near(from);
        let step = match cadence {
            Cadence::Full if self.scale.is_of_chord(home, harmony) => home,
            _ => self.scale.nearest(self.inside(from), false, harmony),
        };
        let breath = self.pulse.groups.last().copied().filter(|last| !is_last && !self.is_plain && *last < whole);
        let mut tones = vec![Tone { onset: 0, length: whole - breath.unwrap_or(0), step, pitch: 0 }];
        if bar.harmonies.len() > 1 {
            // Where chords are asked for that change within it, the end follows them.
            let starts: Vec<u64> = bar.harmonies.iter().map(|(at, _)| *at).collect();
            let ends = starts.iter().skip(1).copied().chain([whole]);
            let tone = |(onset, end): (&u64, u64)| {
                let step = self.scale.nearest(step, false, bar.harmony(*onset));
                Tone { onset: *onset, length: end - onset, step, pitch: 0 }
            };
            tones = starts.iter().zip(ends).map(tone).collect();
        }
        tones
    }
}
