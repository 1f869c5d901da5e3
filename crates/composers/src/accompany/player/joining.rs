//! A part to given parts, which stay as they are.

use super::{
    Accompanist, ComposeError, Composition, Joined, Known, Progress, Rng, Sampling, Score, Task, lowest, spots,
};
use crate::accompany::piece::given;
use crate::accompany::step::sounds;
use cantus_model::band::{bar_starts, given_to, join, tonic};
use cantus_model::{Composer, Controls};

/// A part that dries up is written again, so many times in all.
const TRIES: usize = 8;
/// It does, where it has fewer onsets than this share of what the corpus has to as much.
const ENOUGH: f64 = 0.5;

impl Accompanist {
    /// The score with one part more.
    pub(super) fn joined(
        &self,
        score: &Score,
        controls: &Controls,
        sampling: &Sampling,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let (grid, rest) = (self.section.grid(), self.settings.own.rest);
        let (coarse, band, mut remarks) = given_to(self.writes(), score, grid)?;
        let (starts, steps) = bar_starts(&coarse);
        let style = self.styles_of(controls).draw(rng);
        let asked = controls.key.map(|key| key.tonic());
        let tonic = asked.or_else(|| tonic(&coarse, &band));
        let low = match self.writes() {
            Joined::Bass => self.register(style, tonic, rng),
            Joined::Drums => lowest(&band.bass),
        };
        let program = self.program(style, controls.program, rng);
        let known = Known {
            part: true,
            others: !band.others.is_empty(),
            family: program.map(|program| program.get() / 8),
            tempo: coarse.tempos.first().map(|(_, tempo)| tempo.quarters_per_minute()),
            tonic,
            style,
        };
        let (spots, given) = (spots(&starts, steps), given(&band, low, steps, rest));
        let task = Task { spots: &spots, given: &given, known, lowest: low, heard: Vec::new(), sampling };
        let frames = self.lively(&task, rng, progress)?;
        let written = Self::part(self.writes(), &frames, low, program);
        if written.notes.is_empty() {
            remarks.push(format!("the model wrote no note of {}: try another seed", self.writes().name()));
        }
        let (score, remark) = join(score, written, grid, controls.key);
        remarks.extend(remark);
        Ok(Composition::new(score, remarks))
    }
}

impl Accompanist {
    /// The frames of a task: written again where one dries up. A player who was asked for a bass plays.
    fn lively(&self, task: &Task<'_>, rng: &mut Rng, progress: Progress<'_>) -> Result<Vec<u128>, ComposeError> {
        let (enough, listened) = (ENOUGH * self.expected(task), self.listened(task));
        let (mut most, mut best) = (0, Vec::new());
        for _ in 0..TRIES {
            let frames = self.write(task, &listened, rng, progress)?;
            let onsets = frames.iter().filter(|frame| sounds(**frame)).count();
            if onsets > most {
                (most, best) = (onsets, frames);
            }
            if most > 0 && most as f64 >= enough {
                break;
            }
        }
        Ok(best)
    }
}
