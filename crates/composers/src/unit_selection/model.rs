//! A trained network: what it expects after a past, and the place of the right unit among candidates.

use super::course::{Course, RELATED};
use super::joins::Joins;
use super::library::{Library, Stored, Tune, Unit, units_of};
use super::network::{PLACE, PLACES, SCALE, input, places};
use super::settings::Settings;
use super::{SPEC, TUNES};
use cantus_encoding::bar_bags::WIDTH;
use cantus_model::melodies::Melodies;
use cantus_model::{
    CheckedSettings, Evaluation, Habits, ModelError, ModelFile, Rng, Sampling, checkpoint, derive, layers, said,
};
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_nn::random::{below, mix};
use cantus_score::TicksPerQuarter;
use std::sync::Arc;

/// Candidates among which the right unit is ranked, itself one of them.
pub(super) const CANDIDATES: usize = 50;
/// Units that are encoded at once.
const TOGETHER: usize = 256;

/// A unit of the library, from one of its bars on.
pub(super) type Candidate = (u32, usize);

/// A trained network.
#[derive(Debug)]
pub(super) struct Model {
    pub settings: Settings,
    pub melodies: Melodies,
    pub grid: TicksPerQuarter,
    pub habits: Option<Habits>,
    pub library: Library,
    /// Number of parameters.
    pub parameters: usize,
    pub joins: Joins,
    encode: [Dense; 2],
    places: [Lookup; 2],
    lstm: LstmCell,
    output: Dense,
    /// Of each unit of the library.
    points: Vec<f32>,
}

/// A past, and what the network makes of it.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub course: Course,
    h: Vec<f32>,
    c: Vec<f32>,
    /// What is expected of the next unit's point, and how much each number of a relation counts.
    expected: Arc<Vec<f32>>,
}

/// Where the right unit stood among its candidates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ranked {
    /// The first step of the unit.
    pub step: usize,
    pub nats: f64,
    /// 1 where no candidate was thought to fit as well.
    pub rank: usize,
    /// Whether the tune has not had the same before.
    pub is_new: bool,
    /// How many candidates there were, the right one among them, and the nats of the counted joins alone.
    pub of: usize,
    pub counted: f64,
}

/// What was found of a tune, as figures.
pub(super) fn figures(quarters: f64, ranked: &[Ranked]) -> Evaluation {
    Evaluation {
        nats: ranked.iter().map(|found| found.nats).sum(),
        tokens: ranked.len() as f64,
        quarters,
        correct: ranked.iter().filter(|found| found.rank == 1).count() as f64,
        // Nothing of it is nats of notes.
        beside: None,
    }
}

/// The library as a model file has it.
///
/// # Errors
/// [`ModelError::Metadata`], where it is damaged.
pub(super) fn library(file: &ModelFile, bars: usize, grid: TicksPerQuarter) -> Result<Library, ModelError> {
    let metadata = |problem: String| ModelError::Metadata { problem };
    let stored: Vec<Stored> =
        serde_json::from_value(file.header.encoding[TUNES].clone()).map_err(|error| metadata(error.to_string()))?;
    let tunes = stored.iter().map(|tune| tune.tune(grid)).collect::<Result<Vec<Tune>, String>>().map_err(metadata)?;
    let library = Library::new(tunes, bars);
    if library.units.is_empty() {
        return Err(metadata("the library has no unit".to_owned()));
    }
    Ok(library)
}

impl Model {
    pub(super) fn load(file: &ModelFile) -> Result<Model, ModelError> {
        let settings = Settings::read(&file.header.settings).map_err(|problem| ModelError::Metadata { problem })?;
        let melodies = Melodies::read(&file.header, SPEC.encoding)?;
        let grid = melodies.steps()?;
        let library = library(file, settings.bars, grid)?;
        let Settings { coder, embedding, hidden, .. } = settings;
        let dense = |name: &str, sizes: (usize, usize)| layers::dense(file, name, sizes, Dense::new);
        let table = |k: usize| {
            let values = file.tensor(&format!("places.{k}.table"), &[PLACES[k], PLACE])?;
            Ok::<_, ModelError>(Lookup::new(PLACE, values.to_vec()))
        };
        // What only learning needs is looked at, too: a file is whole or it is refused.
        for (k, (i, o)) in [(embedding, coder), (coder, WIDTH)].into_iter().enumerate() {
            dense(&format!("decode.{k}"), (i, o))?;
        }
        let mut model = Model {
            encode: [dense("encode.0", (WIDTH, coder))?.with_relu(), dense("encode.1", (coder, embedding))?],
            places: [table(0)?, table(1)?],
            lstm: layers::cell(file, "lstms.0", (input(&settings), hidden), LstmCell::new)?,
            output: dense("output", (hidden, embedding + RELATED))?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            joins: Joins::of(&library),
            points: Vec::new(),
            melodies,
            grid,
            library,
            settings,
        };
        model.points = model.library.units.chunks(TOGETHER).flat_map(|units| model.encoded(units)).collect();
        Ok(model)
    }

    /// The points of units: `[n, E]`.
    fn encoded(&self, units: &[Unit]) -> Vec<f32> {
        let mut bags = vec![0.0; units.len() * WIDTH];
        for (unit, row) in units.iter().zip(bags.chunks_exact_mut(WIDTH)) {
            unit.bag.add_to(row);
        }
        bags.iter_mut().for_each(|x| *x *= SCALE);
        let mut between = vec![0.0; units.len() * self.settings.coder];
        self.encode[0].forward(&bags, &mut between);
        let mut points = vec![0.0; units.len() * self.settings.embedding];
        self.encode[1].forward(&between, &mut points);
        points
    }

    /// The point of a unit of the library.
    pub(super) fn point(&self, unit: u32) -> &[f32] {
        let width = self.settings.embedding;
        &self.points[unit as usize * width..][..width]
    }

    /// The point of any unit.
    pub(super) fn point_of(&self, unit: &Unit) -> Vec<f32> {
        self.encoded(std::slice::from_ref(unit))
    }

    /// Before the first unit.
    pub(super) fn start(&self) -> State {
        let cells = vec![0.0; self.settings.hidden];
        State { course: Course::default(), h: cells.clone(), c: cells, expected: Arc::default() }
    }

    /// Goes on by a unit, the next one being one of `all` of a piece.
    pub(super) fn go_on(&self, state: &mut State, unit: &Unit, point: &[f32], all: usize, scratch: &mut Scratch) {
        let mut x = point.to_vec();
        x.extend(state.course.relation(&self.joins, unit));
        state.course.push(unit);
        let at = state.course.len();
        let place = places(at, all.max(at + 1)).into_iter().zip(&self.places).map(|(place, table)| table.row(place));
        let mut sum = vec![0.0; PLACE];
        place.for_each(|row| sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
        x.extend(sum);
        self.lstm.step(&x, &mut state.h, &mut state.c, scratch);
        let mut expected = vec![0.0; self.output.output()];
        self.output.forward(&state.h, &mut expected);
        state.expected = Arc::new(expected);
    }

    /// How well a candidate fits next: a logit.
    pub(super) fn fit(&self, state: &State, candidate: &Unit, point: &[f32]) -> f32 {
        let (expected, weights) = state.expected.split_at(self.settings.embedding);
        let near: f32 = expected.iter().zip(point).map(|(a, b)| a * b).sum();
        let relation = state.course.relation(&self.joins, candidate);
        let related: f32 = weights.iter().zip(relation).map(|(weight, x)| weight * x).sum();
        near / (self.settings.embedding as f32).sqrt() + related
    }

    /// The likeliest of candidates, units from a bar on, with their nats: so many as top-k and top-p leave, the first the likeliest.
    pub(super) fn likeliest(
        &self,
        state: &State,
        candidates: &[Candidate],
        sampling: &Sampling,
    ) -> Vec<(Candidate, f64)> {
        let fit = |candidate: &Candidate| {
            let unit = &self.library.units[candidate.0 as usize];
            (*candidate, f64::from(self.fit(state, unit, self.point(candidate.0))))
        };
        let mut found: Vec<(Candidate, f64)> = candidates.iter().map(fit).filter(|(_, fit)| fit.is_finite()).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let Some(highest) = found.first().map(|(_, fit)| *fit) else { return found };
        let sum = found.iter().map(|(_, fit)| (fit - highest).exp()).sum::<f64>().ln() + highest;
        found.iter_mut().for_each(|(_, fit)| *fit = sum - *fit);
        let mut covered = 0.0;
        let within = found.iter().position(|(_, nats)| {
            covered += (-nats).exp();
            covered >= sampling.top_p
        });
        let most = if sampling.top_k == 0 { found.len() } else { sampling.top_k };
        found.truncate(within.map_or(found.len(), |last| last + 1).min(most));
        found
    }

    /// The other candidates for the place of a unit: units of the library with the same bars and other notes, drawn by the tune's own notes, so that
    /// they are always the same.
    fn drawn(&self, unit: &Unit, digest: u64, at: usize) -> Vec<u32> {
        let others: Vec<u32> = self.library.alike(&unit.bars).to_vec();
        let is_other = |id: &u32| self.library.units[*id as usize].steps != unit.steps;
        if others.len() < 2 * CANDIDATES {
            return others.into_iter().filter(is_other).take(CANDIDATES - 1).collect();
        }
        let mut rng: Rng = derive(0, "candidates", &[digest, at as u64]);
        let mut found: Vec<u32> = Vec::with_capacity(CANDIDATES);
        while found.len() < CANDIDATES - 1 {
            let id = others[below(&mut rng, others.len())];
            if is_other(&id) && !found.contains(&id) {
                found.push(id);
            }
        }
        found
    }

    /// Each unit of a tune but the first, ranked among its candidates.
    pub(super) fn rank(&self, tune: &Tune) -> Vec<Ranked> {
        let units = units_of(tune, self.settings.bars);
        let digest = tune.melody.steps.iter().fold(0, |digest, step| mix(digest ^ u64::from(*step)));
        let points = self.encoded(&units.iter().map(|(_, unit)| unit.clone()).collect::<Vec<Unit>>());
        let point = |at: usize| &points[at * self.settings.embedding..][..self.settings.embedding];
        let (mut state, mut scratch) = (self.start(), Scratch::new());
        let mut found = Vec::with_capacity(units.len());
        for (at, (bars, unit)) in units.iter().enumerate() {
            if let Some((_, last)) = at.checked_sub(1).map(|last| &units[last]) {
                self.go_on(&mut state, last, point(at - 1), units.len(), &mut scratch);
                let others = self.drawn(unit, digest, at);
                let other = |id: &u32| &self.library.units[*id as usize];
                // The right one comes last: of equals the first is taken.
                let mut fits: Vec<f32> = others.iter().map(|id| self.fit(&state, other(id), self.point(*id))).collect();
                fits.push(self.fit(&state, unit, point(at)));
                let say = |unit: &Unit| self.joins.say(last.join, unit.join, false).iter().sum::<f32>();
                let counted: Vec<f32> = others.iter().map(|id| say(other(id))).chain([say(unit)]).collect();
                let right = fits[others.len()];
                found.push(Ranked {
                    step: tune.steps(bars).start,
                    nats: said(&fits, others.len()).0,
                    rank: 1 + fits[..others.len()].iter().filter(|fit| **fit >= right).count(),
                    is_new: units[..at].iter().all(|(_, earlier)| earlier.steps != unit.steps),
                    of: fits.len(),
                    counted: said(&counted, others.len()).0,
                });
            }
        }
        found
    }
}
