//! Judging, and writing melodies whose codes are known.

use super::model::{Ahead, Model, Rows};
use super::settings::Settings;
use super::tune::{BARS, Frame, Tune};
use cantus_encoding::melody_steps::{HOLD, MelodySteps, OUTCOMES, SILENCE};
use cantus_model::latent::{Code, Coded, Latent, Sketch};
use cantus_model::melodies::{BEGINNING, Melodies};
use cantus_model::{
    ComposeError, Evaluation, Judge, Judgement, Kind, ModelError, ModelFile, Moment, Progress, Rng, Sampling, home,
    said,
};
use cantus_nn::gaussian::{divergence, log_weight};
use cantus_nn::random::{derive, normal, uniform_f64};
use cantus_score::{Score, Ticks, TicksPerQuarter};

/// Draws of a code by which a likelihood is estimated.
pub(super) const SAMPLES: usize = 64;

/// By so many nats that is likelier which happened in the section that comes again.
const AGAIN: f32 = 3.0;

/// What is judged, in words.
pub(super) fn protocol(settings: &Settings) -> String {
    let codes = match settings.kind() {
        Kind::Exact => String::new(),
        Kind::LowerBound => " and the codes, one draw of each".to_owned(),
        _ => format!(" and the codes, one draw of each, {} of their nats", settings.beta),
    };
    format!("every step of the grid{codes}; key, bars and length are given; mean over steps")
}

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    pub model: Model,
}

/// A step that was judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    nats: f64,
    is_right: bool,
}

impl Judged {
    /// Its nats, with those of the code that fall to it.
    #[cfg(test)]
    pub(super) fn nats(self) -> f64 {
        self.nats
    }

    /// As figures of so many quarters.
    pub(super) fn figures(self, quarters: f64) -> Evaluation {
        let correct = if self.is_right { 1.0 } else { 0.0 };
        Evaluation { nats: self.nats, tokens: 1.0, quarters, correct, ..Evaluation::default() }
    }
}

/// A draw from a code.
fn drawn(code: &Code, epsilon: &[f32]) -> Vec<f32> {
    let draw = |((mean, log_variance), epsilon): ((&f32, &f32), &f32)| mean + (0.5 * log_variance).exp() * epsilon;
    code.mean.iter().zip(&code.log_variance).zip(epsilon).map(draw).collect()
}

impl Model {
    /// Tunes step by step; a nat of the codes costs `price`, spread evenly over the steps of their sections. Each tune as if it were alone.
    pub(super) fn judge(&self, tunes: &[Tune], price: f64) -> Vec<Vec<Judged>> {
        let mut order: Vec<usize> = (0..tunes.len()).collect();
        order.sort_by_key(|tune| std::cmp::Reverse(tunes[*tune].steps.len()));
        let mut judged: Vec<Vec<Judged>> = vec![Vec::new(); tunes.len()];
        for group in order.chunks(32) {
            let codes: Vec<Vec<Code>> =
                group.iter().map(|tune| self.encode(&tunes[*tune].sections().collect::<Vec<_>>())).collect();
            let drawn: Vec<Vec<f32>> = codes.iter().map(|codes| self.one_draw(codes)).collect();
            let laid: Vec<Vec<f32>> = drawn.iter().map(|codes| self.lay(codes)).collect();
            let mut rows = self.rows(group.len());
            for step in 0..tunes[group[0]].steps.len() {
                let active = group.partition_point(|tune| tunes[*tune].steps.len() > step);
                rows.truncate(active);
                let ahead: Vec<Ahead<'_>> =
                    (0..active).map(|k| self.ahead(&tunes[group[k]], step, &drawn[k], &laid[k])).collect();
                let logits = self.step(&ahead, &mut rows);
                for (k, logits) in logits.chunks_exact(OUTCOMES).enumerate() {
                    let tune = &tunes[group[k]];
                    let (nats, is_right) = said(logits, usize::from(tune.steps[step]));
                    let section = tune.frame.section_of(step);
                    let code = &codes[k][section];
                    let all = price * divergence(&code.mean, &code.log_variance);
                    let nats = nats + all / tune.frame.sections[section].len() as f64;
                    judged[group[k]].push(Judged { nats, is_right });
                }
            }
        }
        judged
    }

    /// One draw from each code of a piece, always the same.
    fn one_draw(&self, codes: &[Code]) -> Vec<f32> {
        let draw = |(section, code): (usize, &Code)| {
            let rng = &mut derive(0, "bound", &[section as u64]);
            let epsilon: Vec<f32> = code.mean.iter().map(|_| normal(rng)).collect();
            drawn(code, &epsilon)
        };
        codes.iter().enumerate().flat_map(draw).collect()
    }

    fn ahead<'a>(&self, tune: &Tune, step: usize, codes: &'a [f32], laid: &'a [f32]) -> Ahead<'a> {
        let section = tune.frame.section_of(step);
        let size = self.settings.code;
        Ahead {
            before: tune.before(step),
            places: tune.frame.places[step],
            sounding: tune.sounding[step],
            code: &codes[section * size..(section + 1) * size],
            laid: self.part(laid, section, tune.frame.slot(section, step)),
        }
    }

    /// The nats of a tune, estimated by so many draws of each code: draws that make a section likely go on in the place of others.
    ///
    /// The mean of the estimates of the likelihood itself is the likelihood; of its logarithm it is a bound that more draws bring nearer:
    /// Y. Burda et al., arXiv:1509.00519v4, eq. 8, section after section as in C. Maddison et al., Filtering Variational Objectives, 2017,
    /// arXiv:1705.09279v3.
    pub(super) fn estimate(&self, tune: &Tune, samples: usize) -> f64 {
        let size = self.settings.code;
        let samples = if size == 0 { 1 } else { samples };
        let codes = self.encode(&tune.sections().collect::<Vec<_>>());
        let mut rows = self.rows(samples);
        let mut total = 0.0;
        for (section, code) in codes.iter().enumerate() {
            let rng = &mut derive(0, "estimate", &[section as u64]);
            let epsilon: Vec<f32> = (0..samples * size).map(|_| normal(rng)).collect();
            let mut weights = vec![0.0f64; samples];
            let mut z = Vec::with_capacity(samples * size);
            for (epsilon, weight) in epsilon.chunks_exact(size.max(1)).zip(&mut weights) {
                let draw = drawn(code, epsilon);
                *weight = log_weight(&draw, epsilon, &code.log_variance);
                z.extend(draw);
            }
            let laid = self.lay(&z);
            for step in tune.frame.sections[section].clone() {
                let slot = tune.frame.slot(section, step);
                let of_row = |row: usize| Ahead {
                    before: tune.before(step),
                    places: tune.frame.places[step],
                    sounding: tune.sounding[step],
                    code: &z[row * size..(row + 1) * size],
                    laid: self.part(&laid, row, slot),
                };
                let ahead: Vec<Ahead<'_>> = (0..samples).map(of_row).collect();
                let logits = self.step(&ahead, &mut rows);
                for (weight, logits) in weights.iter_mut().zip(logits.chunks_exact(OUTCOMES)) {
                    *weight -= said(logits, usize::from(tune.steps[step])).0;
                }
            }
            let top = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let shares: Vec<f64> = weights.iter().map(|weight| (weight - top).exp()).collect();
            let sum: f64 = shares.iter().sum();
            total -= top + (sum / samples as f64).ln();
            // Systematic resampling.
            let mut place = uniform_f64(rng);
            let mut chosen = Vec::with_capacity(samples);
            let mut reached = 0.0;
            for (row, share) in shares.iter().enumerate() {
                reached += share / sum * samples as f64;
                while place < reached && chosen.len() < samples {
                    chosen.push(row);
                    place += 1.0;
                }
            }
            chosen.resize(samples, chosen.last().copied().unwrap_or(0));
            rows.choose(&chosen);
        }
        total
    }
}

/// A melody that is being written.
struct Draft<'s> {
    sketch: &'s Sketch,
    frame: Frame,
    codes: Vec<f32>,
    laid: Vec<f32>,
    /// Where the last bar begins.
    last: usize,
    steps: Vec<u8>,
    sounding: u8,
}

impl Draft<'_> {
    /// What happens at the next step.
    fn next(
        &self,
        logits: &mut [f32],
        stored: &Melodies,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Result<u8, ComposeError> {
        let at = self.steps.len();
        if let Some(outcome) = self.sketch.given.get(at).copied().flatten() {
            return Ok(outcome);
        }
        let leaning = self.sketch.leaning.get(at).copied().unwrap_or_default();
        for (outcome, nats) in leaning.into_iter().filter(|(_, nats)| *nats != 0.0) {
            logits[usize::from(outcome)] += nats;
        }
        if let Some(outcome) = self.repeated(at) {
            logits[usize::from(outcome)] += AGAIN;
        }
        let must_begin = self.sketch.closes && at == self.last;
        let (low, high) = stored.outcomes;
        let is_leant_to = |outcome: u8| leaning.iter().any(|(to, nats)| *to == outcome && *nats > 0.0);
        for (outcome, logit) in (0..).zip(logits.iter_mut()) {
            let fits = match outcome {
                HOLD => !must_begin,
                SILENCE => !must_begin && self.sounding != 0,
                pitch => (low..=high).contains(&pitch) || is_leant_to(pitch),
            };
            if !fits {
                *logit = f32::NEG_INFINITY;
            }
        }
        let found = sampling.draw(logits, rng).ok_or(ComposeError::NoToken)?;
        u8::try_from(found).map_err(|_| ComposeError::NoToken)
    }

    /// What happened here in the section that is repeated.
    fn repeated(&self, at: usize) -> Option<u8> {
        let section = self.frame.section_of(at);
        let from = (*self.sketch.again.get(section)?)?;
        let (here, there) = (self.frame.sections.get(section)?, self.frame.sections.get(from)?);
        // An upbeat comes before what is repeated.
        let before = there.len().checked_sub(here.len())?;
        self.steps.get(there.start + before + at - here.start).copied()
    }

    fn take(&mut self, outcome: u8) {
        self.steps.push(outcome);
        self.sounding = match outcome {
            HOLD => self.sounding,
            SILENCE => 0,
            pitch => pitch,
        };
    }
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { model: Model::load(file)? })
    }

    fn draft<'s>(&self, sketch: &'s Sketch) -> Draft<'s> {
        let frame = Frame::new(&sketch.bars, sketch.upbeat, self.model.grid);
        let codes: Vec<f32> = sketch.codes.concat();
        let last = sketch.bars.last().map_or(0, |bar| usize::from(bar.steps));
        Draft {
            laid: self.model.lay(&codes),
            last: frame.places.len().saturating_sub(last),
            steps: Vec::with_capacity(frame.places.len()),
            sketch,
            frame,
            codes,
            sounding: 0,
        }
    }
}

impl Latent for Player {
    fn grid(&self) -> TicksPerQuarter {
        self.model.grid
    }

    fn codes(&self, melody: &MelodySteps) -> Vec<Code> {
        self.model.encode(&Tune::new(melody).sections().collect::<Vec<_>>())
    }

    fn encode(&self, piece: &Score) -> Coded {
        let (at_home, over) = home(piece);
        let melody = MelodySteps::of(&at_home, self.model.grid);
        let (sections, codes) = (melody.sections(BARS), self.codes(&melody));
        Coded { melody, over, sections, codes }
    }

    fn decode(
        &self,
        sketches: &[Sketch],
        sampling: &Sampling,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Vec<u8>>, ComposeError> {
        let (model, size) = (&self.model, self.model.settings.code);
        let mut drafts: Vec<(usize, Draft<'_>)> =
            sketches.iter().map(|sketch| self.draft(sketch)).enumerate().collect();
        // The longest first: those that are done are always the last.
        drafts.sort_by_key(|(_, draft)| std::cmp::Reverse(draft.frame.places.len()));
        let longest = drafts.first().map_or(0, |(_, draft)| draft.frame.places.len());
        let mut rows: Rows = model.rows(drafts.len());
        for step in 0..longest {
            let active = drafts.partition_point(|(_, draft)| draft.frame.places.len() > step);
            rows.truncate(active);
            let ahead = |(_, draft): &(usize, Draft<'_>)| -> (usize, usize) {
                let section = draft.frame.section_of(step);
                (section, draft.frame.slot(section, step))
            };
            let places: Vec<(usize, usize)> = drafts[..active].iter().map(ahead).collect();
            let ahead: Vec<Ahead<'_>> = drafts[..active]
                .iter()
                .zip(&places)
                .map(|((_, draft), (section, slot))| Ahead {
                    before: draft.steps.last().map_or(BEGINNING, |before| u32::from(*before)),
                    places: draft.frame.places[step],
                    sounding: draft.sounding,
                    code: &draft.codes[section * size..(section + 1) * size],
                    laid: model.part(&draft.laid, *section, *slot),
                })
                .collect();
            let logits = model.step(&ahead, &mut rows);
            for ((number, draft), logits) in drafts[..active].iter_mut().zip(logits.chunks_exact_mut(OUTCOMES)) {
                let next = draft.next(logits, &model.stored, sampling, &mut rngs[*number])?;
                draft.take(next);
            }
            if progress((step + 1) as f64 / longest as f64).is_break() {
                return Err(ComposeError::Stopped);
            }
        }
        drafts.sort_by_key(|(number, _)| *number);
        Ok(drafts.into_iter().map(|(_, draft)| draft.steps).collect())
    }
}

impl Judge for Player {
    fn kind(&self) -> Kind {
        match self.model.settings.code {
            0 => Kind::Exact,
            _ => Kind::LowerBound,
        }
    }

    fn protocol(&self) -> String {
        protocol(&Settings { beta: 1.0, ..self.model.settings.clone() })
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let tune = Tune::of(piece, self.model.grid);
        let judged = self.model.judge(std::slice::from_ref(&tune), 1.0).pop().unwrap_or_default();
        let mut figures = Evaluation::default();
        let mut moments = Vec::with_capacity(judged.len());
        for (step, judged) in judged.into_iter().enumerate() {
            figures += judged.figures(0.0);
            let at = Ticks(step as u64).rescale(self.model.grid, piece.ticks_per_quarter);
            moments.push(Moment { at, nats: judged.nats });
        }
        figures.quarters = tune.quarters;
        let is_adjusted = !self.model.stored.knows(&MelodySteps::of(piece, self.model.grid));
        Judgement { figures, moments, is_adjusted }
    }

    fn estimate(&self, piece: &Score) -> Option<f64> {
        let tune = Tune::of(piece, self.model.grid);
        (self.kind() == Kind::LowerBound).then(|| self.model.estimate(&tune, SAMPLES))
    }

    fn draws(&self) -> usize {
        SAMPLES
    }
}
