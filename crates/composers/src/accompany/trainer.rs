//! Training.

use super::conditions::{HEARD, View};
use super::piece::{Known, Piece, past_of};
use super::plan::BarPlan;
use super::player::{Accompanist, counted, protocol};
use super::section::Section;
use super::{Network, SPEC, Settings, items};
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::TokenId;
use cantus_model::frames::FrameSettings;
use cantus_model::learner::Learner;
use cantus_model::plan::{Plan, Row, Segment};
use cantus_model::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Joined, Kind, ModelError, ModelFile, Pieces,
    Reader, Regime, Repertoire, Schedule, StepAt, StepReport, Trainable, TrainingSet, Unit, checkpoint, ngram,
};
use cantus_nn::joint::{CLASSES, Noise, Place};
use cantus_nn::lstm::LstmState;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{derive, uniform};
use cantus_nn::suffix::SuffixIndex;
use cantus_score::{Score, TicksPerQuarter};
use rand_chacha::rand_core::Rng as _;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How much less often the given part itself is left out than what else a user may leave out.
const SELDOM: f32 = 0.1;

/// Steps of pieces that stay read, with what the network wants to know of them: some 600 bytes each.
const MOST_READ: usize = 250_000;
/// Of the pieces that are judged, so many steps are held at once.
const MOST_JUDGED: usize = 1_000_000;
/// Of pieces of more steps only every so many are counted.
const MOST_COUNTED: usize = 4_000_000;

/// What is always known of a piece.
struct Outline {
    steps: usize,
    /// Its style, one of those that are told apart.
    style: Option<usize>,
}

/// Reads pieces in which there is what is to be written.
struct BandReader {
    writes: Joined,
    grid: TicksPerQuarter,
    rest: usize,
    /// The style of each piece of the corpus.
    styles: Vec<Option<usize>>,
}

impl BandReader {
    fn read(&self, score: &Score) -> Option<Piece> {
        Piece::read(score, self.writes, self.grid, self.rest)
    }
}

impl Reader for BandReader {
    type Outline = Outline;
    type Piece = Piece;
    type Learnt = Learnt;

    fn outlines(&self, number: usize, score: &Score) -> Vec<Outline> {
        let outline = |piece: Piece| Outline { steps: piece.len(), style: self.styles[number] };
        self.read(score).map(outline).into_iter().collect()
    }

    fn length(outline: &Outline) -> usize {
        outline.steps
    }

    fn piece(&self, outline: &Outline, score: &Score) -> Piece {
        let mut piece = self.read(score).unwrap_or_else(|| Piece::silent(outline.steps, self.grid));
        piece.known.style = outline.style;
        piece
    }

    fn learnt(&self, piece: Piece) -> Learnt {
        Learnt::new(piece)
    }
}

/// A piece and where it has been before.
struct Learnt {
    piece: Piece,
    past: SuffixIndex,
    /// The last frame before each that is not empty.
    last: Vec<Option<usize>>,
}

impl Learnt {
    fn new(piece: Piece) -> Learnt {
        let mut sounded = None;
        let before = |(at, frame): (usize, &u128)| {
            let before = sounded;
            sounded = if *frame != 0 { Some(at) } else { sounded };
            before
        };
        Learnt { last: piece.frames.iter().enumerate().map(before).collect(), past: past_of(&piece.frames), piece }
    }
}

/// A network in training.
pub(super) struct AccompanyTrainer {
    settings: Settings,
    seed: u64,
    section: Section,
    habits: Habits,
    train: Repertoire<BandReader>,
    valid: Repertoire<BandReader>,
    learner: Learner<Network>,
    plan: Plan,
}

/// A batch of windows, time-major: entry `t * rows + b` is step t of row b.
struct Batch {
    rows: usize,
    steps: usize,
    /// `[T * B, I]`
    input: Vec<f32>,
    /// What is given: `[T * B, G]`
    given: Vec<f32>,
    /// What is given from beyond the window's end back to its beginning: `[(W + A) * B, G]`
    back: Vec<f32>,
    targets: Vec<u128>,
    /// 1 where it counts, 0 for padding.
    weights: Vec<f32>,
    /// Piece and step of each entry, and the harmony there; padding has none.
    places: Vec<Option<(usize, usize, [f32; CLASSES])>>,
}

impl AccompanyTrainer {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without what is to be written.
    pub(super) fn create(
        settings: &cantus_model::Settings,
        set: &TrainingSet,
        seed: u64,
    ) -> Result<Box<dyn Trainable>, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: SPEC.id, problem };
        let mut settings = Settings::read(settings).map_err(bad)?;
        settings.own.styles = set.styles();
        set.check_sounding()?;
        let grid = TicksPerQuarter::new(settings.own.steps).unwrap_or(TicksPerQuarter::DEFAULT);
        let writes = settings.own.writes;
        let pieces = |pieces: &Pieces| -> Result<Repertoire<BandReader>, CreateError> {
            let styles = pieces.styles_of(&settings.own.styles);
            let reader = BandReader { writes, grid, rest: settings.own.rest, styles };
            let read = Repertoire::of(pieces, reader, MOST_READ);
            if read.is_empty() {
                let problem = format!("no piece has {} that it could learn to write", writes.name());
                return Err(CreateError::Unsuitable { composer: SPEC.id, problem });
            }
            Ok(read)
        };
        let (train, valid) = (pieces(&set.train)?, pieces(&set.valid)?);
        let section = Section::of(set, train.iter(), writes, grid, &settings.own.styles);
        let device = Device::flex().autodiff();
        let mut rng = derive(seed, "parameters", &[]);
        let network = Network::new(&settings, &frequencies(&train, items(writes)), &mut rng, &device);
        let FrameSettings { weight_decay, clip, averaging, .. } = settings.shared;
        let optimizer = Optimizer::new(Rule::adam_w(weight_decay as f32)).with_clipping(clip as f32);
        Ok(Box::new(AccompanyTrainer {
            plan: plan(train.outlines(), &settings.shared, seed, 0),
            learner: Learner::new(network, optimizer, averaging),
            settings,
            seed,
            section,
            habits: Habits::of(set),
            train,
            valid,
        }))
    }

    /// What is told of a piece in an epoch.
    fn told<'p>(&self, piece: &'p Piece, index: usize, epoch: u64) -> (Known, &'p [BarPlan]) {
        let rng = &mut derive(self.seed, "known", &[epoch, index as u64]);
        let untold = self.settings.own.untold;
        let mut is_told = |often: f32| uniform(rng) >= often * untold;
        let Known { part, others, family, tempo, tonic, style } = piece.known;
        let known = Known {
            part: is_told(SELDOM) && part,
            others: is_told(1.0) && others,
            family: family.filter(|_| is_told(1.0)),
            tempo: tempo.filter(|_| is_told(1.0)),
            tonic: tonic.filter(|_| is_told(1.0)),
            style: style.filter(|_| is_told(1.0)),
        };
        let is_planned = uniform(rng) < self.settings.own.planned;
        (known, if is_planned { &piece.plan } else { &[] })
    }

    /// Gathers `rows`; absent rows and the ends of short ones are padding.
    fn gather(&self, pieces: &HashMap<usize, Arc<Learnt>>, rows: &[Option<&Row>], epoch: u64) -> Batch {
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let (size, width, heard) = (rows.len() * steps, self.settings.own_input(), self.settings.heard());
        let reach = self.settings.shared.window + self.settings.own.ahead;
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            input: vec![0.0; size * width],
            given: vec![0.0; size * heard],
            back: vec![0.0; rows.len() * reach * heard],
            targets: vec![0; size],
            weights: vec![0.0; size],
            places: vec![None; size],
        };
        for (b, row) in rows.iter().enumerate() {
            let Some(Row { segment: Segment { piece: index, tokens, .. }, .. }) = row else { continue };
            let Learnt { piece, last, .. } = &*pieces[index];
            let (known, plan) = self.told(piece, *index, epoch);
            let Piece { spots, given, frames, lowest, .. } = piece;
            let view = View { settings: &self.settings, spots, given, known, lowest: *lowest, plan };
            for (t, step) in tokens.clone().enumerate() {
                let at = t * rows.len() + b;
                view.write_input(&frames[..step], last[step], &mut batch.input[at * width..][..width]);
                view.write_heard(step, &mut batch.given[at * heard..][..heard]);
                batch.targets[at] = frames[step];
                batch.weights[at] = 1.0;
                batch.places[at] = Some((*index, step, view.classes(step)));
            }
            for k in 0..reach {
                let step = tokens.start + reach - 1 - k;
                view.write_heard(step, &mut batch.back[(k * rows.len() + b) * heard..][..heard]);
            }
        }
        batch
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let encoding = serde_json::json!({ "section": self.section });
        checkpoint::save(&SPEC, self.learner.network(), self.settings.write(), encoding, &self.habits)
    }

    fn accompanist(&self) -> Accompanist {
        Accompanist::open(&self.save()).expect("a network's own file fits it")
    }
}

/// How often each item is struck, a little smoothed.
fn frequencies(pieces: &Repertoire<BandReader>, items: usize) -> Vec<f32> {
    let mut counts = vec![0usize; items];
    for frame in pieces.iter().flat_map(|piece| piece.frames) {
        counts.iter_mut().enumerate().for_each(|(item, count)| *count += (frame >> item & 1) as usize);
    }
    counts.iter().map(|count| (*count as f32 + 0.1) / (pieces.length() as f32 + 1.0)).collect()
}

/// What the head sees, `[T * B, F]`; the states move on. Dropout's masks follow from `seed` and `step`.
fn features(
    settings: &Settings,
    network: &Network,
    states: &mut [LstmState],
    batch: &Batch,
    (seed, step): (u64, u64),
) -> Tensor<2> {
    let device = Device::flex().autodiff();
    let Batch { rows, steps, .. } = *batch;
    let tensor = |values: &[f32], steps: usize, width: usize| {
        Tensor::<3>::from_data(TensorData::new(values.to_vec(), [steps, rows, width]), &device)
    };
    let (heard, cells) = (settings.heard(), settings.own.heard);
    let (layers, reach) = (settings.shared.layers, settings.shared.window + settings.own.ahead);
    let given = tensor(&batch.given, steps, heard);
    let (forwards, state) = network.lstms[layers].forward(given.clone(), &states[layers]);
    states[layers] = state;
    let (backwards, _) = network.ahead.forward(tensor(&batch.back, reach, heard), &LstmState::zeros(rows, cells));
    let backwards = backwards.slice([reach - steps..reach, 0..rows, 0..cells]).flip([0]);
    let given = given.slice([0..steps, 0..rows, 0..HEARD]);
    let input = Tensor::cat(vec![tensor(&batch.input, steps, settings.own_input()), given, forwards, backwards], 2);
    settings.shared.run(&network.lstms[..layers], &mut states[..layers], input, (seed, step))
}

/// The plan of `epoch`: every step of every piece is predicted once.
fn plan(pieces: &[Outline], settings: &FrameSettings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let segment = |(piece, outline): (usize, &Outline)| Segment { piece, shift: 0, tokens: 0..outline.steps };
    let segments = pieces.iter().enumerate().map(segment).collect();
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}

impl Trainable for AccompanyTrainer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn parameters(&self) -> usize {
        count_parameters(self.learner.network())
    }

    fn regime(&self) -> Regime {
        let FrameSettings { learning_rate, warmup, patience, epochs, .. } = self.settings.shared;
        Regime { learning_rate, schedule: Schedule::WarmupStableDecay { warmup }, patience, epochs }
    }

    fn likelihood(&self) -> Kind {
        Kind::Exact
    }

    fn unit(&self) -> Unit {
        Unit::Frame
    }

    fn protocol(&self) -> String {
        protocol(self.settings.own.writes)
    }

    fn steps(&self, epoch: u64) -> u64 {
        let plan_for = |epoch| plan(self.train.outlines(), &self.settings.shared, self.seed, epoch);
        if epoch == self.plan.epoch() { self.plan.steps() as u64 } else { plan_for(epoch).steps() as u64 }
    }

    fn step(&mut self, at: StepAt, learning_rate: f64) -> StepReport {
        if self.plan.epoch() != at.epoch {
            self.plan = plan(self.train.outlines(), &self.settings.shared, self.seed, at.epoch);
        }
        let rows: Vec<Option<&Row>> = self.plan.step(at.step as usize).collect();
        let Some(pieces) = self.train.learnt(rows.iter().flatten().map(|row| row.segment.piece)) else {
            return StepReport::default();
        };
        let batch = self.gather(&pieces, &rows, at.epoch);
        let step = (at.epoch << 32) | at.step;
        let empty = SuffixIndex::default();
        let place = |place: &Option<(usize, usize, [f32; CLASSES])>| match place {
            Some((piece, at, classes)) => Place { past: &pieces[piece].past, at: *at, shift: 0, classes: *classes },
            None => Place { past: &empty, at: 0, shift: 0, classes: [0.0; CLASSES] },
        };
        let places: Vec<Place<'_>> = batch.places.iter().map(place).collect();
        let noise = Noise {
            seed: derive(self.seed, "head", &[]).next_u64(),
            step,
            units: self.settings.own.units_dropout,
            past: self.settings.own.past_dropout,
        };
        let (settings, seed) = (&self.settings, self.seed);
        let (found, report) = self.learner.step(&rows, learning_rate, |network, states| {
            let features = features(settings, network, states, &batch, (seed, step));
            network.head.loss(features, &places, &batch.targets, &batch.weights, Some(noise))
        });
        StepReport {
            batch: Evaluation {
                nats: found.nats,
                tokens: found.counted,
                quarters: found.counted / f64::from(self.settings.own.steps),
                correct: found.accuracies,
                ..Evaluation::default()
            },
            gradient_norm: report.gradient_norm,
            finite: report.finite && found.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let composer = self.accompanist();
        let mut total = Evaluation::default();
        for pieces in self.valid.portions(MOST_JUDGED) {
            for figures in composer.judge_pieces(&pieces) {
                total += counted(&figures, self.settings.own.steps);
            }
        }
        total
    }

    /// Frames as words, those of the pieces that are judged known.
    fn baselines(&self) -> Vec<Baseline> {
        let mut words: BTreeMap<u128, u32> = BTreeMap::new();
        let mut read = |frames: &[u128]| -> Vec<TokenId> {
            let word = |frame: &u128| {
                let next = words.len() as u32;
                TokenId(*words.entry(*frame).or_insert(next))
            };
            frames.iter().map(word).collect()
        };
        let [train, valid] = [&self.train, &self.valid].map(|side| -> Vec<Vec<TokenId>> {
            side.counted(MOST_COUNTED).iter().map(|piece| read(&piece.frames)).collect()
        });
        ngram::baselines(&train, &valid, words.len())
    }

    fn save(&self) -> ModelFile {
        self.learner.save(self.as_trained())
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

    fn composer(&self) -> Box<dyn Composer> {
        Box::new(self.accompanist())
    }
}
