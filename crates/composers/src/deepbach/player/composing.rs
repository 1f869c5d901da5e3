//! Composing: from nothing, from a beginning, around what is given.

use super::DeepBach;
use super::recall::recall;
use crate::deepbach::cadences;
use crate::deepbach::chain::settle;
use crate::deepbach::lines::{Lines, Told, bar_starts, places, scale_of};
use crate::deepbach::walk::Walk;
use cantus_encoding::voice_lines::{self, Sites, Symbol};
use cantus_encoding::voices::{Chord, VOICES};
use cantus_model::choir::{ALL, Arrangement, hold, touch};
use cantus_model::frames::BarSteps;
use cantus_model::{ComposeError, Composition, Controls, Intent, Progress, Prompt, Request, Rng, Sampling};
use cantus_nn::random::{below, derive};
use cantus_score::{Ticks, find_key};
use rand_chacha::rand_core::Rng as _;
use std::collections::BTreeSet;

/// Sites that are to be drawn.
struct Task {
    /// What is given; at other sites, anything.
    sites: Vec<Sites>,
    /// The voices that are drawn at each step, a bit each.
    free: Vec<u8>,
    told: Told,
}

impl DeepBach {
    /// A piece from nothing, or from its beginning on.
    pub(super) fn composed(
        &self,
        request: &Request,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let (prompt, grid) = (request.prompt(), self.choir.grid());
        let mut sites = prompt.map_or_else(Vec::new, |prompt| self.heard(prompt));
        let heard = sites.len();
        let meter = prompt.and_then(|prompt| prompt.score().bars().last()).map(|bar| bar.meter);
        let intent = Intent::of(self.habits.as_ref(), request, rng)?;
        let meter = meter.or(intent.meter()).unwrap_or_else(|| self.choir.meter());
        let bars = request.bars() - prompt.map_or(0, Prompt::bars);
        let in_bars = BarSteps::new(grid, meter);
        let steps = heard + in_bars.first_step(bars);
        let mut starts = prompt.map_or_else(Vec::new, |prompt| bar_starts(prompt.score(), grid, heard));
        starts.extend((0..bars).map(|bar| heard + in_bars.first_step(bar)));
        let key = intent.key.or_else(|| {
            let score = prompt?.score();
            score.keys.last().map(|(_, key)| *key).or_else(|| find_key(score.pitched_notes()))
        });
        let mut cadences = self.cadences(&request.controls, heard..steps, rng);
        let of_heard = cadences::of_sites(&sites, grid, self.attacks);
        let all: Vec<usize> = of_heard.iter().map(|cadence| cadence.at).chain(cadences.iter().copied()).collect();
        let told = Told {
            places: places(&starts, steps, grid),
            scale: key.map(scale_of),
            fermatas: (!cadences.is_empty()).then(|| cadences::held(&all, steps, grid)),
        };
        sites.resize(steps, [Symbol::HOLD; VOICES]);
        let free = (0..steps).map(|step| if step < heard { 0 } else { ALL }).collect();
        let sites = self.draw(Task { sites, free, told }, &request.sampling, rng, progress)?;
        let before = heard.checked_sub(1).map_or(Chord::REST, |last| voice_lines::chords(&sites[..heard])[last]);
        let mut sites = sites[heard..].to_vec();
        resume(&mut sites, before);
        self.sound_to_the_end(&mut sites, in_bars.first_step(bars - 1), before);
        cadences.iter_mut().for_each(|step| *step -= heard);
        let mut composed = self.choir.open();
        composed.parts = voice_lines::write(&sites, grid).parts;
        hold(&mut composed, &cadences, grid);
        composed = composed.rescaled(in_bars.fine).before(Ticks(bars as u64 * in_bars.ticks));
        composed.meters = vec![(Ticks::ZERO, meter)];
        intent.finish(&mut composed, self.choir.pitches());
        touch(&mut composed);
        let score = prompt.map_or_else(|| composed.clone(), |prompt| prompt.join(&composed, Ticks::ZERO));
        let remarks = prompt.and_then(|prompt| self.choir.strange(prompt.score(), "prompt")).into_iter().collect();
        Ok(Composition::new(score, remarks))
    }

    /// The piece with what is missing composed.
    pub(super) fn arranged(
        &self,
        asked: &cantus_model::Given,
        request: &Request,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let arrangement = Arrangement::of(&self.choir, asked)?;
        let (source, given, grid) = (arrangement.source(), arrangement.given(), self.choir.grid());
        let steps = given.len();
        let key = source.keys.last().map(|(_, key)| *key).or_else(|| find_key(source.pitched_notes()));
        let cadences: BTreeSet<usize> = match request.controls.cadences {
            Some(_) => self.cadences(&request.controls, 0..steps, rng).into_iter().collect(),
            None => source.parts.iter().flat_map(|part| &part.fermatas).map(|at| arrangement.step(*at)).collect(),
        };
        let cadences: Vec<usize> = cadences.into_iter().collect();
        let told = Told {
            places: places(&arrangement.bar_starts(), steps, grid),
            scale: key.map(scale_of),
            fermatas: (!cadences.is_empty()).then(|| cadences::held(&cadences, steps, grid)),
        };
        let onsets = arrangement.lines().each_ref().map(|line| -> BTreeSet<usize> {
            if !self.attacks {
                return BTreeSet::new();
            }
            line.iter().map(|note| arrangement.step(note.onset)).collect()
        });
        let site = |step: usize, voice: usize| {
            let before = step.checked_sub(1).map(|before| given[before]).filter(|before| before.knows(voice));
            let stays = before.is_some_and(|before| before.chord.pitch(voice) == given[step].chord.pitch(voice));
            if !given[step].knows(voice) || (stays && !onsets[voice].contains(&step)) {
                return Symbol::HOLD;
            }
            Symbol::striking(voice, given[step].chord)
        };
        let sites = (0..steps).map(|step| std::array::from_fn(|voice| site(step, voice))).collect();
        let free: Vec<u8> = given.iter().map(|given| ALL & !given.voices).collect();
        let mut sites = self.draw(Task { sites, free: free.clone(), told }, &request.sampling, rng, progress)?;
        // What was composed, without what is given: that is added as it was written.
        let sung = voice_lines::chords(&sites);
        for (step, sites) in sites.iter_mut().enumerate() {
            for (voice, symbol) in sites.iter_mut().enumerate() {
                let follows = step.checked_sub(1).is_some_and(|before| free[before] >> voice & 1 == 0);
                *symbol = match (free[step] >> voice & 1 == 1, *symbol) {
                    (false, _) => Symbol::REST,
                    // It goes on with the pitch of what is given, as a note of its own.
                    (true, Symbol::HOLD) if follows => Symbol::striking(voice, sung[step]),
                    (true, symbol) => symbol,
                };
            }
        }
        let mut composition = arrangement.finish(voice_lines::write(&sites, grid));
        hold(&mut composition.score, &cadences, grid);
        Ok(composition)
    }

    /// Where cadences are, by the first step of the quarter note under a fermata, of music that begins and ends at these steps: so far apart
    /// as is asked for, else as the phrases of the corpus are long. There is one at the end.
    fn cadences(&self, controls: &Controls, steps: std::ops::Range<usize>, rng: &mut Rng) -> Vec<usize> {
        let mut rng = derive(rng.next_u64(), "cadences", &[]);
        let quarters = match controls.cadences {
            Some(quarters) => cadences::every(quarters.get() as usize, steps.len(), self.choir.grid()),
            None => cadences::drawn(&self.phrases, steps.len(), self.choir.grid(), &mut rng),
        };
        quarters.into_iter().map(|step| steps.start + step).collect()
    }

    /// The sites of a prompt.
    fn heard(&self, prompt: &Prompt) -> Vec<Sites> {
        let (score, steps) = self.choir.heard(prompt);
        let mut sites = voice_lines::read(&score, self.attacks);
        if sites.len() < steps {
            sites.push([Symbol::REST; VOICES]);
        }
        sites.resize(steps, [Symbol::HOLD; VOICES]);
        sites
    }

    /// Draws the free sites, again and again.
    fn draw(
        &self,
        task: Task,
        sampling: &Sampling,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Vec<Sites>, ComposeError> {
        let Task { mut sites, free, told } = task;
        let mut rng = derive(rng.next_u64(), "sites", &[]);
        let is_free = |voices: &u8| *voices != 0;
        let steps = match (free.iter().position(is_free), free.iter().rposition(is_free)) {
            (Some(first), Some(last)) => first..last + 1,
            _ => return Ok(sites),
        };
        for step in steps.clone().filter(|step| step.is_multiple_of(self.choir.steps_per_quarter as usize)) {
            for voice in (0..VOICES).filter(|voice| free[step] >> voice & 1 == 1) {
                sites[step][voice] = self.any(voice, &mut rng);
            }
        }
        let mut walk = Walk::new(&self.network, Lines::new(sites), told, steps.clone());
        settle(&mut walk, (steps, &free), (sampling, self.network.settings().sweeps), &mut rng, progress)?;
        let mut sites = walk.into_lines().into_sites();
        recall(&mut sites, &free, self.choir.steps_per_quarter as usize);
        Ok(sites)
    }

    /// Any pitch that a voice sings; a rest where it never does.
    fn any(&self, voice: usize, rng: &mut Rng) -> Symbol {
        let pitches: Vec<Symbol> = (0..Symbol::HOLD.index())
            .filter(|index| self.network.allowed(voice) >> index & 1 == 1)
            .filter_map(Symbol::new)
            .collect();
        if pitches.is_empty() { Symbol::REST } else { pitches[below(rng, pitches.len())] }
    }

    /// A piece does not fade out before its last bar: where nothing begins there, what is sung, or was last, is struck once more.
    fn sound_to_the_end(&self, sites: &mut [Sites], last_bar: usize, before: Chord) {
        let last_bar = last_bar.min(sites.len().saturating_sub(1));
        if sites[last_bar..].iter().flatten().any(|symbol| symbol.struck().is_some()) {
            return;
        }
        let mut chords = vec![before];
        chords.extend(voice_lines::chords(sites));
        let held = chords[last_bar + 1];
        let chord = if held.is_rest() { self.choir.closing(&chords) } else { held };
        sites[last_bar] = std::array::from_fn(|voice| Symbol::striking(voice, chord));
    }
}

/// Lets voices that hold what was sung before strike it anew.
fn resume(sites: &mut [Sites], before: Chord) {
    for (voice, symbol) in sites.first_mut().into_iter().flatten().enumerate() {
        if *symbol == Symbol::HOLD {
            *symbol = Symbol::striking(voice, before);
        }
    }
}
