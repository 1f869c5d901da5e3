//! Writing a bass: pattern after pattern, to given drums, or to a loop of the corpus's where nothing is given.

use super::{
    Bassist, COLUMNS, ComposeError, Composition, GRID, Pattern, Progress, Request, Rng, STEPS, Sampling, Score,
};
use crate::drum_and_bass::cells::silence;
use crate::drum_and_bass::pattern::{Conditions, STEPS_OF_ROW, given};
use cantus_encoding::rhythm_section;
use cantus_model::band::{Band, bar_starts, given_to, in_its_place, join, lowest, on_grid, tonic};
use cantus_model::frames::BarSteps;
use cantus_model::{Controls, Intent, Joined, Prompt, accentuate};
use cantus_nn::random::{below, categorical, derive, uniform};
use cantus_score::{Part, Pitch, Program, Tempo, Ticks};
use rand_chacha::rand_core::Rng as _;

/// The program of a fingered electric bass.
const FINGERED: u8 = 33;

impl Bassist {
    /// The frames of patterns: columns that begin at each step of the piece. `bars` are those that are done after a step.
    fn write(
        &self,
        patterns: &[Pattern],
        bars: &[usize],
        sampling: &Sampling,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Vec<u128>, ComposeError> {
        let end = patterns.last().map_or(0, |pattern| pattern.steps.end);
        let mut frames = vec![0; end];
        let rng = &mut derive(rng.next_u64(), "patterns", &[]);
        let logits = self.logits(&self.batch(patterns), Some(rng));
        for (k, pattern) in patterns.iter().enumerate() {
            let rng = &mut derive(rng.next_u64(), "pattern", &[]);
            let written = match (&logits, &self.writer) {
                (Some(logits), _) => logits[k * STEPS * COLUMNS..]
                    .chunks_exact(COLUMNS)
                    .take(pattern.steps.len())
                    .map(|logits| self.draw(logits, sampling, rng))
                    .collect(),
                (None, Some(writer)) => writer.draw(&self.batch(std::slice::from_ref(pattern)), sampling, rng),
                (None, None) => None,
            };
            let written = written.ok_or(ComposeError::NoToken)?;
            frames[pattern.steps.clone()].iter_mut().zip(written).for_each(|(frame, new)| *frame = u128::from(new));
            for bar in bars.iter().filter(|bar| pattern.steps.contains(&(**bar - 1))) {
                if progress(*bar as f64 / end.max(1) as f64).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        Ok(frames)
    }

    /// What begins at a step, given the log-odds of its cells: whether anything does, then which column, then, as often as in the corpus, one
    /// more. `None` where they are no numbers.
    fn draw(&self, logits: &[f32], sampling: &Sampling, rng: &mut Rng) -> Option<u64> {
        if logits.iter().any(|z| !z.is_finite()) {
            return None;
        }
        let rng = &mut derive(rng.next_u64(), "step", &[]);
        let silence = silence(logits);
        // ln (1 - e^-s) + s, the log-odds that anything begins.
        let onset = (silence.exp_m1()).ln().clamp(-1e4, 1e4) as f32;
        if sampling.draw(&[0.0, onset], rng)? == 0 {
            return Some(0);
        }
        let first = sampling.draw(logits, rng)?;
        let mut frame = 1 << first;
        if uniform(rng) < self.section.chords {
            let mut others = logits.to_vec();
            others[first] = f32::NEG_INFINITY;
            frame |= sampling.draw(&others, rng).map_or(0, |second| 1u64 << second);
        }
        Some(frame)
    }

    /// The score with a bass more.
    pub(super) fn joined(
        &self,
        score: &Score,
        controls: &Controls,
        sampling: &Sampling,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let (coarse, band, mut remarks) = given_to(Joined::Bass, score, GRID)?;
        let (starts, end) = bar_starts(&coarse);
        let tonic = controls.key.map(|key| key.tonic()).or_else(|| tonic(&coarse, &band));
        let lowest = self.register(tonic, rng);
        let program = self.program(controls.program, rng);
        let tempo = coarse.tempos.first().map(|(_, tempo)| tempo.quarters_per_minute());
        let patterns = given(&band, lowest, &starts, end, Conditions { tempo, program });
        let frames = self.write(&patterns, &ends(&starts, end), sampling, rng, progress)?;
        let written = part(&frames, lowest, program);
        if written.notes.is_empty() {
            remarks.push("the model wrote no note of a bass: try another seed".to_owned());
        }
        let (score, remark) = join(score, written, GRID, controls.key);
        remarks.extend(remark);
        Ok(Composition::new(score, remarks))
    }

    /// A piece that goes on from a prompt, of which it hears the register, or begins with nothing.
    pub(super) fn alone(
        &self,
        request: &Request,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let prompt = request.prompt();
        let intent = Intent::of(self.habits.as_ref(), request, rng)?;
        let before = prompt.and_then(|prompt| prompt.score().bars().last()).map(|bar| bar.meter);
        let meter = before.or(intent.meter()).unwrap_or_else(|| self.section.meter());
        let bars = request.bars() - prompt.map_or(0, Prompt::bars);
        let in_bars = BarSteps::new(GRID, meter);
        let starts: Vec<usize> = (0..bars).map(|bar| in_bars.first_step(bar)).collect();
        let end = in_bars.first_step(bars).max(1);
        let heard = prompt.and_then(|prompt| {
            let notes = Band::of(&on_grid(prompt.score(), GRID)).bass;
            (!notes.is_empty()).then(|| lowest(&notes))
        });
        let register = self.register(intent.key.map(|key| key.tonic()), rng);
        let (lowest, program) = (heard.unwrap_or(register), self.program(request.controls.program, rng));
        let tempo = intent.tempo.map(Tempo::quarters_per_minute);
        let mut patterns = given(&Band::default(), lowest, &starts, end, Conditions { tempo, program });
        if prompt.is_none() {
            self.loop_drums(&mut patterns, in_bars.first_step(2).div_ceil(STEPS_OF_ROW), rng);
        }
        let mut frames = self.write(&patterns, &ends(&starts, end), &request.sampling, rng, progress)?;
        // A piece does not fade out before its last bar.
        let last_bar = in_bars.first_step(bars - 1).min(end - 1);
        if !frames[last_bar..].iter().any(|frame| *frame != 0) {
            frames[last_bar] = frames.iter().rev().copied().find(|frame| *frame != 0).unwrap_or(1);
        }
        let mut composed = Score::new(GRID);
        let tempo = self.section.tempo.and_then(Tempo::from_micros_per_quarter);
        composed.tempos.extend(tempo.map(|tempo| (Ticks::ZERO, tempo)));
        let strokes: Vec<u16> = patterns.iter().flat_map(strokes).collect();
        if strokes.iter().any(|row| *row != 0) {
            let notes = rhythm_section::strokes(&strokes);
            composed.parts.push(Part { name: Some("Drums".to_owned()), notes, ..Part::of_drums() });
        }
        composed.parts.push(part(&frames, lowest, program));
        composed = composed.rescaled(in_bars.fine).before(Ticks(bars as u64 * in_bars.ticks));
        composed.meters = vec![(Ticks::ZERO, meter)];
        let range = self.section.lowest.keys();
        let (low, high) = (range.clone().min().copied().unwrap_or(0), range.max().copied().unwrap_or(127));
        intent.finish(&mut composed, (low, (usize::from(high) + COLUMNS).min(127) as u8));
        accentuate(&mut composed, Ticks::ZERO);
        let score = match prompt {
            Some(prompt) => prompt.join(&in_its_place(composed, prompt), Ticks::ZERO),
            None => composed,
        };
        Ok(Composition::new(score, Vec::new()))
    }

    /// A loop of the corpus's drums for all patterns, each that is as long as two bars as likely; none where bars have another length.
    fn loop_drums(&self, patterns: &mut [Pattern], rows: usize, rng: &mut Rng) {
        let rng = &mut derive(rng.next_u64(), "loop", &[]);
        let loops: Vec<&Vec<u16>> = self.section.loops.iter().filter(|rows_of| rows_of.len() == rows).collect();
        if loops.is_empty() {
            return;
        }
        let chosen = loops[below(rng, loops.len())];
        for pattern in patterns {
            let rows = pattern.rows();
            pattern.drums[..rows].iter_mut().zip(chosen).for_each(|(row, bits)| *row = *bits);
        }
    }

    /// The lowest note of the columns.
    fn register(&self, tonic: Option<u8>, rng: &mut Rng) -> Pitch {
        self.section.registers().draw(tonic, &mut derive(rng.next_u64(), "register", &[]))
    }

    /// The program that plays the bass: the one asked for, or as often as the corpus has each.
    fn program(&self, asked: Option<Program>, rng: &mut Rng) -> Option<Program> {
        let rng = &mut derive(rng.next_u64(), "program", &[]);
        let counts: Vec<f32> = self.section.programs.values().map(|count| *count as f32).collect();
        let drawn = categorical(rng, &counts).and_then(|k| self.section.programs.keys().nth(k).copied());
        asked.or_else(|| Program::new(drawn.unwrap_or(FINGERED)))
    }
}

/// Where bars end.
fn ends(starts: &[usize], end: usize) -> Vec<usize> {
    starts.iter().skip(1).copied().chain([end]).map(|step| step.min(end).max(1)).collect()
}

/// A bass of frames on the grid: a note lasts until the next one begins.
fn part(frames: &[u128], lowest: Pitch, program: Option<Program>) -> Part {
    Part {
        name: Some("Bass".to_owned()),
        programs: program.map(|program| (Ticks::ZERO, program)).into_iter().collect(),
        notes: rhythm_section::decode(frames, lowest),
        ..Part::default()
    }
}

/// The drums of a pattern by steps.
fn strokes(pattern: &Pattern) -> Vec<u16> {
    let row = |step: usize| if step.is_multiple_of(STEPS_OF_ROW) { pattern.drums[step / STEPS_OF_ROW] } else { 0 };
    (0..pattern.steps.len()).map(row).collect()
}
