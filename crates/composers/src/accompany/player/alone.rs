//! A piece that goes on from a prompt, or begins with nothing: then a bass is written to a loop of the
//! corpus's drums, again and again.

use super::{
    Accompanist, BarSteps, COLUMNS, ComposeError, Composition, Given, Intent, Joined, Known, Prompt, Task,
    TicksPerQuarter,
};
use crate::accompany::piece::given;
use crate::accompany::section::{LOOP_BARS, Section};
use crate::accompany::step::{sounds, spots};
use cantus_encoding::rhythm_section;
use cantus_model::band::{Band, in_its_place, lowest, on_grid};
use cantus_model::{Composer, Progress, Request, Rng, accentuate};
use cantus_nn::random::{below, derive};
use cantus_score::{Pitch, Score, Tempo, Ticks};
use rand_chacha::rand_core::Rng as _;

impl Accompanist {
    /// What is struck where nothing else is: what was struck last, or the lowest note; a kick.
    fn closing(frames: &[u128]) -> u128 {
        frames.iter().rev().copied().find(|frame| sounds(*frame)).unwrap_or(1)
    }

    /// A piece that goes on from a prompt, or begins with nothing.
    pub(super) fn alone(
        &self,
        request: &Request,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let prompt = request.prompt();
        let (grid, style) = (self.section.grid(), self.styles_of(&request.controls).draw(rng));
        let section = self.section.of_style(style);
        let intent = Intent::of(self.habits.as_ref(), request, rng)?;
        let before = prompt.and_then(|prompt| prompt.score().bars().last()).map(|bar| bar.meter);
        let meter = before.or(intent.meter()).unwrap_or_else(|| section.meter());
        let bars = request.bars() - prompt.map_or(0, Prompt::bars);
        let in_bars = BarSteps::new(grid, meter);
        let opened = prompt.map(|prompt| self.opened(prompt, grid));
        let (mut starts, heard, mut given, known, mut low) = opened.unwrap_or_default();
        let there = heard.len();
        starts.extend((0..bars).map(|bar| there + in_bars.first_step(bar)));
        let steps = in_bars.first_step(bars).max(1);
        given.resize(there + steps, Given::default());
        let looped = if prompt.is_none() { Self::looped(section, in_bars.first_step(1), rng) } else { &[] };
        given.iter_mut().zip(looped.iter().cycle()).for_each(|(given, row)| given.drums = *row);
        let tonic = intent.key.map(|key| key.tonic());
        let register = self.register(style, tonic, rng);
        let program = self.program(style, request.controls.program, rng);
        let known = Known {
            part: !looped.is_empty(),
            family: program.map(|program| program.get() / 8),
            tempo: intent.tempo.map(Tempo::quarters_per_minute).or(known.tempo),
            style,
            ..known
        };
        let lowest = *low.get_or_insert(register);
        let spots = spots(&starts, there + steps);
        let task = Task { spots: &spots, given: &given, known, lowest, heard, sampling: &request.sampling };
        let all = self.write(&task, &self.listened(&task), rng, progress)?;
        let (heard, mut frames) = (&all[..there], all[there..].to_vec());
        // A prompt's notes end with it; a piece does not fade out before its last bar.
        let last_bar = in_bars.first_step(bars - 1).min(steps - 1);
        if !frames[last_bar..].iter().any(|frame| sounds(*frame)) {
            let closing = Self::closing(if frames.iter().any(|frame| sounds(*frame)) { &frames } else { heard });
            frames[last_bar] = closing;
        }
        let mut composed = Score::new(grid);
        composed
            .tempos
            .extend(section.tempo.and_then(Tempo::from_micros_per_quarter).map(|tempo| (Ticks::ZERO, tempo)));
        if !looped.is_empty() {
            let frames: Vec<u128> = given.iter().map(|given| u128::from(given.drums)).collect();
            composed.parts.push(Self::part(Joined::Drums, &frames, lowest, None));
        }
        composed.parts.push(Self::part(self.writes(), &frames, lowest, program));
        composed = composed.rescaled(in_bars.fine).before(Ticks(bars as u64 * in_bars.ticks));
        composed.meters = vec![(Ticks::ZERO, meter)];
        if self.writes() == Joined::Bass {
            let range = section.lowest.keys();
            let (low, high) = (range.clone().min().copied().unwrap_or(0), range.max().copied().unwrap_or(127));
            intent.finish(&mut composed, (low, (usize::from(high) + COLUMNS).min(127) as u8));
        } else {
            intent.finish(&mut composed, (0, 127));
        }
        accentuate(&mut composed, Ticks::ZERO);
        let score = match prompt {
            Some(prompt) => {
                let composed = if self.writes() == Joined::Bass { in_its_place(composed, prompt) } else { composed };
                prompt.join(&composed, Ticks::ZERO)
            }
            None => composed,
        };
        Ok(Composition::new(score, Vec::new()))
    }

    /// A loop of the corpus's drums, each as likely; none where bars have another length.
    fn looped<'s>(section: &'s Section, bar: usize, rng: &mut Rng) -> &'s [u16] {
        let fits = |rows: &&Vec<u16>| rows.len() == LOOP_BARS * bar;
        let loops: Vec<&Vec<u16>> = section.loops.iter().filter(fits).collect();
        let mut rng = derive(rng.next_u64(), "loop", &[]);
        if loops.is_empty() { &[] } else { loops[below(&mut rng, loops.len())] }
    }

    /// What a prompt gives: where its bars begin, its frames, what other parts do in it, what is known, and its lowest note.
    fn opened(&self, prompt: &Prompt, grid: TicksPerQuarter) -> Opened {
        let score = on_grid(prompt.score(), grid);
        let band = Band::of(&score);
        let steps = prompt.end_in(&Score::new(grid)).0.min(rhythm_section::MOST_STEPS) as usize;
        let (low, rest) = (lowest(&band.bass), self.settings.own.rest);
        let frames = match self.writes() {
            Joined::Bass => rhythm_section::encode(&band.bass, low, steps, rest),
            Joined::Drums => rhythm_section::drums(&band.drums, steps).into_iter().map(u128::from).collect(),
        };
        let starts = prompt.bar_starts().map(|start| start.rescale(prompt.score().ticks_per_quarter, grid).0 as usize);
        let tempo = score.tempos.first().map(|(_, tempo)| tempo.quarters_per_minute());
        let given = given(&band, low, steps, rest);
        // What comes after it is not given: neither is what is in it.
        let known = Known { tempo, ..Known::default() };
        (starts.collect(), frames, given, known, (!band.bass.is_empty()).then_some(low))
    }
}

/// See [`Accompanist::opened`].
type Opened = (Vec<usize>, Vec<u128>, Vec<Given>, Known, Option<Pitch>);
