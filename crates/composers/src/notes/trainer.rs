//! Training.

use super::base::Base;
use super::critic::{MOST_PIECES, learn};
use super::layout::{Layout, Told, choice};
use super::network::{Network, NoteSettings};
use super::past::Past;
use super::player::NoteComposer;
use super::texture::Textures;
use super::usual::{Customs, Usual};
use super::view::View;
use super::{PROTOCOL, SPEC};
use burn::tensor::Device;
use cantus_encoding::TokenId;
use cantus_encoding::note_events::{Clock, Event, Vocabulary, encode};
use cantus_model::critic::Critic;
use cantus_model::learner::Learner;
use cantus_model::plan::{Plan, Row, Segment};
use cantus_model::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Judge, Kind, ModelError, ModelFile, Pieces,
    Reader, Regime, Repertoire, Schedule, Settings, StepAt, StepReport, Styles, Trainable, TrainingSet, Unit,
    checkpoint, ngram,
};
use cantus_nn::cascade::{NONE, Noise, Sight};
use cantus_nn::dropout::MaskKey;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{below, derive};
use cantus_score::{Score, counted};
use rand_chacha::rand_core::Rng as _;
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Windows to a segment.
const SEGMENT_WINDOWS: usize = 8;

/// Notes whose pieces stay encoded: each takes some 350 bytes.
const MOST_ENCODED: usize = 500_000;
/// Of a corpus of more notes only every so many pieces are counted: for the baselines, and for what is usual.
const MOST_COUNTED: usize = 1_000_000;

/// What is always known of a piece.
struct Outline {
    notes: usize,
    quarters: f64,
    /// Semitones that it may be moved by.
    shifts: Range<i32>,
    style: Option<usize>,
}

/// Reads pieces that have notes.
struct NoteReader {
    vocabulary: Arc<Vocabulary>,
    transposition: u8,
    /// The style of each piece of the shelf.
    styles: Vec<Option<usize>>,
}

impl Reader for NoteReader {
    type Outline = Outline;
    type Piece = Past;
    type Learnt = Past;

    fn outlines(&self, number: usize, score: &Score) -> Vec<Outline> {
        let (events, _) = encode(score, &self.vocabulary);
        let is_pitched = |note: &&Event| !self.vocabulary.is_drums(note.instrument);
        let pitches = events.notes.iter().filter(is_pitched).map(|note| i32::from(note.pitch));
        let (low, high) = (pitches.clone().min().unwrap_or(0), pitches.max().unwrap_or(127));
        let by = i32::from(self.transposition);
        let (down, up) = (by.min(5).min(low), by.min(6).min(127 - high));
        let outline = Outline {
            notes: events.notes.len(),
            quarters: score.end().quarters(score.ticks_per_quarter),
            shifts: -down..up + 1,
            style: self.styles[number],
        };
        if outline.notes > 0 { vec![outline] } else { Vec::new() }
    }

    fn length(outline: &Outline) -> usize {
        outline.notes
    }

    fn piece(&self, outline: &Outline, score: &Score) -> Past {
        let (events, _) = encode(score, &self.vocabulary);
        let is_drums = |number: u8| self.vocabulary.is_drums(number);
        let (clock, end) = (self.vocabulary.clock(), events.bars.last().map_or(0, |bar| bar.end().0 as u32));
        let textures = Textures::of(&events.notes, end, clock, is_drums);
        Past::of(&events.notes, events.bars, clock, is_drums)
            .with_textures(textures)
            .in_styles(Styles::one(outline.style))
    }

    fn learnt(&self, past: Past) -> Past {
        past
    }
}

/// The network in training.
struct NoteTrainer {
    settings: NoteSettings,
    seed: u64,
    vocabulary: Arc<Vocabulary>,
    layout: Layout,
    train: Repertoire<NoteReader>,
    valid: Repertoire<NoteReader>,
    /// The choices of the training and the validation pieces that are counted, as tokens.
    tokens: [Vec<Vec<TokenId>>; 2],
    /// Notes of the latter.
    valid_notes: usize,
    learner: Learner<Network>,
    plan: Plan,
    quarters_per_note: f64,
    usual: Usual,
    habits: Habits,
    /// Of each style.
    customs: Vec<Customs>,
}

/// Makes a network that has learnt nothing yet.
pub(super) fn create(settings: &Settings, set: &TrainingSet, seed: u64) -> Result<Box<dyn Trainable>, CreateError> {
    set.check_sounding()?;
    let settings = NoteSettings { styles: set.styles(), ..NoteSettings::read(settings)? };
    Ok(Box::new(NoteTrainer::new(settings, set, seed)?))
}

impl NoteTrainer {
    fn new(settings: NoteSettings, set: &TrainingSet, seed: u64) -> Result<NoteTrainer, CreateError> {
        let vocabulary = Arc::new(Vocabulary::build(set.all(), set.reading, settings.loudness)?);
        let layout = Layout::new(&vocabulary, settings.styles.len());
        let repertoire = |pieces: &Pieces, transposition: u8| {
            let styles = pieces.styles_of(&settings.styles);
            let reader = NoteReader { vocabulary: Arc::clone(&vocabulary), transposition, styles };
            Repertoire::of(pieces, reader, MOST_ENCODED)
        };
        let (train, valid) = (repertoire(&set.train, settings.transposition), repertoire(&set.valid, 0));
        let sizes: Vec<usize> = settings.shape(&layout).choices.iter().map(|choice| choice.classes).collect();
        let of = |pieces: &[Past]| -> Vec<Vec<TokenId>> {
            pieces.par_iter().map(|past| tokens(past, &vocabulary, &layout, &sizes)).collect()
        };
        let valid_pasts = valid.counted(MOST_COUNTED);
        let valid_notes = valid_pasts.iter().map(|past| past.notes().len()).sum();
        let pasts = train.counted(MOST_COUNTED);
        let tokens = [of(&pasts), of(&valid_pasts)];
        let frequencies = frequencies(&tokens[0], &sizes);
        let device = Device::flex().autodiff();
        let network = Network::new(&settings, &layout, &frequencies, &mut derive(seed, "parameters", &[]), &device);
        let optimizer = Optimizer::new(Rule::adam_w(settings.weight_decay as f32)).with_clipping(settings.clip as f32);
        let quarters = train.outlines().iter().fold(0.0, |quarters, piece| quarters + piece.quarters);
        let custom = |(number, style): (usize, &String)| {
            let is_own = |past: &&Past| *past.styles() == Styles::one(Some(number));
            let own: Vec<&Past> = pasts.iter().filter(is_own).collect();
            Customs { usual: Usual::of(&own, &vocabulary), habits: Habits::of(&set.of_style(style)) }
        };
        Ok(NoteTrainer {
            plan: plan(train.outlines(), &settings, seed, 0),
            learner: Learner::new(network, optimizer, settings.averaging),
            quarters_per_note: quarters / f64::from(train.length().max(1) as u32),
            usual: Usual::of(&pasts.iter().collect::<Vec<_>>(), &vocabulary),
            customs: settings.styles.iter().enumerate().map(custom).collect(),
            valid_notes,
            habits: Habits::of(set),
            settings,
            seed,
            vocabulary,
            layout,
            train,
            valid,
            tokens,
        })
    }

    /// What a step learns from: what the LSTM reads, the sights, the weights, time-major; the nats of what classes leave open.
    fn gather(&self, rows: &[Option<&Row>], pasts: &HashMap<usize, Arc<Past>>) -> Batch {
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let (size, width) = (rows.len() * steps, self.layout.inputs());
        let of_rows: Vec<Vec<(Vec<f32>, Sight, f64)>> = rows
            .par_iter()
            .map(|row| {
                let Some(Row { segment, .. }) = row else { return Vec::new() };
                let past = &*pasts[&segment.piece];
                let mut view = View::new(&self.vocabulary, &self.layout, past, segment.shift);
                let told = self.told(segment.piece);
                view.told = told.texture;
                let read = |j: usize| {
                    let mut x = vec![0.0; width];
                    self.layout.read(past, j, (segment.shift, told), |number| self.vocabulary.is_drums(number), &mut x);
                    let (sight, open) = view.of_note(j);
                    (x, sight, open)
                };
                segment.tokens.clone().map(read).collect()
            })
            .collect();
        let mut batch = Batch {
            x: vec![0.0; size * width],
            sights: vec![Sight::default(); size],
            weights: vec![0.0; size],
            open: 0.0,
            shape: [steps, rows.len()],
        };
        for (b, row) in of_rows.into_iter().enumerate() {
            for (t, (x, sight, open)) in row.into_iter().enumerate() {
                let at = t * rows.len() + b;
                batch.x[at * width..][..width].copy_from_slice(&x);
                batch.sights[at] = sight;
                batch.weights[at] = 1.0;
                batch.open += open;
            }
        }
        batch
    }

    /// What the network is told of a piece in this epoch: each of these of every other one, by chance.
    fn told(&self, piece: usize) -> Told {
        let chance = derive(self.seed, "told", &[self.plan.epoch(), piece as u64]).next_u64();
        Told { texture: chance & 1 == 0, style: chance & 2 == 0 }
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let mut encoding = serde_json::json!({ "note_events": *self.vocabulary, "usual": self.usual });
        if !self.customs.is_empty() {
            encoding["styles"] = serde_json::json!(self.customs);
        }
        checkpoint::save(&SPEC, self.learner.network(), settings, encoding, &self.habits)
    }

    fn loaded(&self) -> NoteComposer {
        NoteComposer::load(&self.save()).expect("a network's own file fits it")
    }
}

/// See [`NoteTrainer::gather`].
struct Batch {
    x: Vec<f32>,
    sights: Vec<Sight>,
    weights: Vec<f32>,
    open: f64,
    shape: [usize; 2],
}

/// The choices of a piece's notes, each choice's classes with numbers of their own, from 1 on; 0 begins it.
fn tokens(past: &Past, vocabulary: &Vocabulary, layout: &Layout, sizes: &[usize]) -> Vec<TokenId> {
    let mut tokens = vec![TokenId(0)];
    let mut view = View::new(vocabulary, layout, past, 0);
    for j in 0..past.notes().len() {
        let (sight, _) = view.of_note(j);
        let mut first = 1;
        for (v, size) in sizes.iter().enumerate() {
            if sight.targets[v] != NONE {
                tokens.push(TokenId(first + u32::from(sight.targets[v])));
            }
            first += *size as u32;
        }
    }
    tokens
}

/// How often each class of each choice comes; one that never comes a little.
fn frequencies(pieces: &[Vec<TokenId>], sizes: &[usize]) -> Vec<Vec<f32>> {
    let mut counts: Vec<f32> = vec![0.02; 1 + sizes.iter().sum::<usize>()];
    pieces.iter().flatten().for_each(|token| counts[token.index()] += 1.0);
    let mut rest = &counts[1..];
    let of_choice = sizes.iter().map(|size| {
        let (own, others) = rest.split_at(*size);
        rest = others;
        let total: f32 = own.iter().sum();
        own.iter().map(|count| count / total.max(1.0)).collect()
    });
    of_choice.collect()
}

/// The plan of `epoch`: a function of the seed and the epoch alone. A long piece is cut into segments of some windows, elsewhere in every
/// epoch, so that rows stay busy to its end.
fn plan(pieces: &[Outline], settings: &NoteSettings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let longest = settings.window * SEGMENT_WINDOWS;
    let mut segments = Vec::new();
    for (piece, learnt) in pieces.iter().enumerate() {
        let keys = (learnt.shifts.end - learnt.shifts.start) as usize;
        let shift = learnt.shifts.start + below(&mut rng, keys) as i32;
        let notes = learnt.notes;
        let mut start = 0;
        let mut next = if notes > longest + longest / 2 { longest / 2 + below(&mut rng, longest) } else { notes };
        while start < notes {
            // What would be left over belongs to the last segment.
            let end = if notes - next.min(notes) <= longest / 4 { notes } else { next };
            segments.push(Segment { piece, shift, tokens: start..end });
            (start, next) = (end, end + longest);
        }
    }
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}

impl Trainable for NoteTrainer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn parameters(&self) -> usize {
        count_parameters(self.learner.network())
    }

    fn regime(&self) -> Regime {
        Regime {
            learning_rate: self.settings.learning_rate,
            schedule: Schedule::WarmupStableDecay { warmup: self.settings.warmup },
            patience: self.settings.patience,
            epochs: self.settings.epochs,
        }
    }

    fn likelihood(&self) -> Kind {
        Kind::Exact
    }

    fn unit(&self) -> Unit {
        Unit::Note
    }

    fn protocol(&self) -> String {
        PROTOCOL.to_owned()
    }

    fn steps(&self, epoch: u64) -> u64 {
        let steps = |plan: &Plan| plan.steps() as u64;
        if epoch == self.plan.epoch() {
            steps(&self.plan)
        } else {
            steps(&plan(self.train.outlines(), &self.settings, self.seed, epoch))
        }
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.plan.epoch() != at.epoch {
            self.plan = plan(self.train.outlines(), &self.settings, self.seed, at.epoch);
        }
        let rows: Vec<Option<&Row>> = self.plan.step(at.step as usize).collect();
        let Some(pasts) = self.train.learnt(rows.iter().flatten().map(|row| row.segment.piece)) else {
            return StepReport::default();
        };
        let batch = self.gather(&rows, &pasts);
        let (settings, seed, step) = (&self.settings, self.seed, (at.epoch << 32) | at.step);
        let noise = Noise {
            seed: derive(seed, "head", &[]).next_u64(),
            step,
            units: settings.units_dropout,
            heard: settings.heard_dropout,
        };
        let Batch { x, sights, weights, open, shape } = batch;
        let (figures, report) = self.learner.step(&rows, learning_rate, |network, states| {
            let mask = |layer| Some(MaskKey { seed, step, layer });
            let features = network.features(x, shape, states, settings, mask);
            network.head.loss(features, &sights, &weights, Some(noise))
        });
        let batch = Evaluation {
            nats: figures.nats() + open,
            tokens: figures.counted,
            quarters: figures.counted * self.quarters_per_note,
            correct: figures.correct,
            beside: None,
        };
        StepReport { finite: report.finite && batch.nats.is_finite(), gradient_norm: report.gradient_norm, batch }
    }

    fn validate(&mut self) -> Evaluation {
        let composer = self.loaded();
        let numbers = (0..self.valid.outlines().len()).into_par_iter();
        let judged: Vec<Evaluation> =
            numbers.map(|number| Judge::judge(&composer, &self.valid.score(number)).figures).collect();
        judged.into_iter().fold(Evaluation::default(), |mut sum, figures| {
            sum += figures;
            sum
        })
    }

    /// Per note, as all figures: a note's choices are several tokens.
    fn baselines(&self) -> Vec<Baseline> {
        let [train, valid] = &self.tokens;
        let vocabulary =
            1 + self.settings.shape(&self.layout).choices.iter().map(|choice| choice.classes).sum::<usize>();
        let mut found = ngram::baselines(train, valid, vocabulary);
        let predicted: usize = valid.iter().map(|tokens| tokens.len() - 1).sum();
        let per_note = predicted as f64 / self.valid_notes.max(1) as f64;
        found.iter_mut().for_each(|baseline| baseline.nats_per_token *= per_note);
        found
    }

    fn save(&self) -> ModelFile {
        self.learner.save(self.as_trained())
    }

    fn finishing(&self, model: &ModelFile) -> Option<String> {
        let rounds = self.settings.critic;
        (rounds > 0 && !Critic::is_in(model)).then(|| {
            format!(
                "a critic learns, in {}, what tells its pieces from the corpus; the model is there already, and stays as it is if you \
                 stop now",
                counted(rounds, "round")
            )
        })
    }

    fn finish(
        &self,
        model: &ModelFile,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Option<ModelFile>, ModelError> {
        if self.finishing(model).is_none() {
            return Ok(None);
        }
        let mut composer = NoteComposer::load(model)?;
        let pieces = self.train.spread(MOST_PIECES);
        let rounds = (self.settings.critic, self.seed);
        Ok(learn(&mut composer, &pieces, rounds, stop, progress).map(|critic| critic.write(model)))
    }

    fn checkpoint(&self) -> ModelFile {
        self.learner.checkpoint(self.as_trained())
    }

    fn resume(&mut self, file: &ModelFile) -> Result<(), ModelError> {
        let expected = self.as_trained().header;
        self.learner.resume(file, &expected)
    }

    fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.learner.adopt(model)
    }

    fn begin_from(&mut self, base: &ModelFile) -> Result<(), ModelError> {
        let (vocabulary, layout) = NoteComposer::load(base)?.into_layout();
        // Beats and seconds are two languages.
        let [own, old] = [&*self.vocabulary, &vocabulary].map(|vocabulary| vocabulary.clock() == Clock::Seconds);
        if own != old {
            let what = "how time is counted: one learnt from music on beats, the other from music as it was played";
            return Err(ModelError::OtherVocabulary { composer: SPEC.id, what: what.to_owned() });
        }
        let base_of = Base { own: (&self.vocabulary, &self.layout), old: (&vocabulary, &layout) };
        self.learner.begin_from(base, |name, axis| base_of.classes(name, axis))
    }

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(self.loaded())
    }
}

// The choices of a note are those of the head.
const _: () = assert!(choice::COUNT <= cantus_nn::cascade::MOST_CHOICES);
