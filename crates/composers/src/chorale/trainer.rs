//! Training.

use super::critic::{MOST_PIECES, learn};
use super::given::{AHEAD, Mask, write_ahead};
use super::player::{ChoraleComposer, counted, past_of, protocol};
use super::profile::Profile;
use super::{Corpus, Network, SPEC, Settings, beats_left};
use burn::tensor::{Device, Tensor, TensorData};
use cantus_encoding::TokenId;
use cantus_encoding::voices::{self, Chord, ITEMS, SPAN, VOICES};
use cantus_model::choir::Given;
use cantus_model::critic::Critic;
use cantus_model::frames::FrameSettings;
use cantus_model::learner::{Learner, Recurrent};
use cantus_model::plan::{Plan, Row, Segment};
use cantus_model::{
    Baseline, Composer, ComposerSpec, CreateError, Evaluation, Habits, Kind, ModelError, ModelFile, Pieces, Reader,
    Regime, Repertoire, Schedule, StepAt, StepReport, Trainable, TrainingSet, Unit, checkpoint, ngram,
};
use cantus_nn::joint::{CLASSES, Noise, Place};
use cantus_nn::lstm::LstmState;
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::params::count_parameters;
use cantus_nn::random::{below, derive};
use cantus_nn::suffix::SuffixIndex;
use cantus_score::{Note, Score, TicksPerQuarter};
use rand_chacha::rand_core::Rng as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Outcomes of a voice, for counting: its pitches and a rest.
const OUTCOMES: usize = SPAN + 1;

/// With fewer voices at once, on average, there is nothing to learn of how voices go together.
const FEW: f64 = 1.25;
/// With as many it is music for four voices.
const MANY: f64 = 3.2;
/// Of the moves below the melody those in which not all go on have a tenth in hymns, and none in tunes over chords, which have fewer than this;
/// there the tune moves alone more often than so.
const ALONE: f64 = 0.03;
const TUNE: f64 = 0.3;

/// Chords of pieces that stay read, with what the network wants to know of them: some 700 bytes each.
const MOST_READ: usize = 250_000;
/// Of the pieces that are judged, so many chords are held at once.
const MOST_JUDGED: usize = 1_000_000;
/// Of pieces of more chords only every so many are counted.
const MOST_COUNTED: usize = 4_000_000;

/// What is always known of a piece.
struct Outline {
    /// How many chords it has.
    chords: usize,
    /// Transpositions that keep all voices within their ranges, down and up.
    shifts: (i32, i32),
}

/// A piece as the network reads it.
struct Learnt {
    chords: Vec<Chord>,
    /// What was sung before each chord.
    profiles: Vec<Profile>,
    /// Where it has been before.
    past: SuffixIndex,
}

/// Reads pieces in which something is sung.
struct ChordReader {
    /// Semitones that pieces are moved by at most.
    transposition: u8,
    /// That of all pieces.
    steps_per_quarter: u32,
}

impl Reader for ChordReader {
    type Outline = Outline;
    type Piece = Vec<Chord>;
    type Learnt = Learnt;

    fn outlines(&self, _: usize, score: &Score) -> Vec<Outline> {
        let chords = voices::read(score);
        if chords.iter().all(|chord| chord.is_rest()) {
            return Vec::new();
        }
        let most = i32::from(self.transposition);
        let (down, up) = chords.iter().fold((-most.min(5), most.min(6)), |(down, up), chord| {
            let room = chord.room();
            (down.max(room.0), up.min(room.1))
        });
        vec![Outline { chords: chords.len(), shifts: (down.min(0), up.max(0)) }]
    }

    fn length(outline: &Outline) -> usize {
        outline.chords
    }

    fn piece(&self, outline: &Outline, score: &Score) -> Vec<Chord> {
        let mut chords = voices::read(score);
        chords.resize(outline.chords, Chord::REST);
        chords
    }

    fn learnt(&self, chords: Vec<Chord>) -> Learnt {
        let mut sung = Profile::default();
        let before = |chord: &Chord| {
            let before = sung;
            sung.add(*chord, self.steps_per_quarter);
            before
        };
        Learnt { profiles: chords.iter().map(before).collect(), past: past_of(&chords), chords }
    }
}

/// How often what is sung.
struct Census {
    chords: usize,
    /// Those that are not silent.
    sounding: usize,
    /// How many have each item.
    items: [usize; ITEMS],
}

impl Census {
    fn of(pieces: impl Iterator<Item = Vec<Chord>>) -> Census {
        let mut census = Census { chords: 0, sounding: 0, items: [0; ITEMS] };
        for chord in pieces.flatten() {
            census.chords += 1;
            census.sounding += usize::from(!chord.is_rest());
            voices::items(chord.bits()).for_each(|item| census.items[item] += 1);
        }
        census
    }

    /// Of how many voices something is sung, on average over all chords that are not silent.
    fn voices(&self) -> f64 {
        self.items.iter().sum::<usize>() as f64 / self.sounding.max(1) as f64
    }

    /// How often each item is sung, a little smoothed.
    fn frequencies(&self) -> [f32; ITEMS] {
        self.items.map(|count| (count as f32 + 0.1) / (self.chords as f32 + 1.0))
    }
}

/// A network in training.
pub(super) struct ChoraleTrainer {
    settings: Settings,
    seed: u64,
    corpus: Corpus,
    habits: Habits,
    train: Repertoire<ChordReader>,
    valid: Repertoire<ChordReader>,
    learner: Learner<Network>,
    plan: Plan,
}

/// A batch of windows, time-major: entry `t * rows + b` is step t of row b.
struct Batch {
    rows: usize,
    steps: usize,
    /// `[T * B, I]`
    input: Vec<f32>,
    /// `[T * B, AHEAD]`
    ahead: Vec<f32>,
    targets: Vec<u128>,
    /// 1 where it counts, 0 for padding.
    weights: Vec<f32>,
    /// Piece, step and shift of each entry; padding has none.
    places: Vec<Option<(usize, usize, i32)>>,
}

impl ChoraleTrainer {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// [`CreateError`], for settings and for a corpus without music.
    pub(super) fn create(
        settings: &cantus_model::Settings,
        set: &TrainingSet,
        seed: u64,
    ) -> Result<Box<dyn Trainable>, CreateError> {
        let bad = |problem: String| CreateError::Settings { composer: SPEC.id, problem };
        let settings = Settings::read(settings).map_err(bad)?;
        let steps_per_quarter =
            set.all().next().map_or(TicksPerQuarter::DEFAULT, |piece| piece.ticks_per_quarter).get();
        let pieces = |pieces: &Pieces, transposition, what| {
            let read = Repertoire::of(pieces, ChordReader { transposition, steps_per_quarter }, MOST_READ);
            if read.is_empty() { Err(CreateError::EmptyCorpus { what }) } else { Ok(read) }
        };
        let train = pieces(&set.train, settings.shared.transposition, "training")?;
        let valid = pieces(&set.valid, 0, "validation")?;
        let census = Census::of(train.iter());
        if census.voices() < FEW {
            return Err(CreateError::Unsuitable {
                composer: SPEC.id,
                problem: "it writes four voices, and these pieces have hardly more than one: train another composer, such as the \
                          default, or add music in parts"
                    .to_owned(),
            });
        }
        let corpus = Corpus::of(set).ok_or(CreateError::EmptyCorpus { what: "training" })?;
        let device = Device::flex().autodiff();
        let mut rng = derive(seed, "parameters", &[]);
        let network = Network::new(&settings, &census.frequencies(), &mut rng, &device);
        let FrameSettings { weight_decay, clip, averaging, .. } = settings.shared;
        let optimizer = Optimizer::new(Rule::adam_w(weight_decay as f32)).with_clipping(clip as f32);
        Ok(Box::new(ChoraleTrainer {
            plan: plan(train.outlines(), &settings.shared, seed, 0),
            learner: Learner::new(network, optimizer, averaging),
            settings,
            seed,
            corpus,
            habits: Habits::of(set),
            train,
            valid,
        }))
    }

    /// Gathers `rows`; absent rows and the ends of short ones are padding.
    fn gather(&self, pieces: &HashMap<usize, Arc<Learnt>>, rows: &[Option<&Row>], epoch: u64) -> Batch {
        let steps = rows.iter().flatten().map(|row| row.segment.tokens.len()).max().unwrap_or(0);
        let (size, width) = (rows.len() * steps, self.settings.input());
        let mut batch = Batch {
            rows: rows.len(),
            steps,
            input: vec![0.0; size * width],
            ahead: vec![0.0; size * AHEAD],
            targets: vec![0; size],
            weights: vec![0.0; size],
            places: vec![None; size],
        };
        for (b, row) in rows.iter().enumerate() {
            let Some(Row { segment: Segment { piece, shift, tokens }, .. }) = row else { continue };
            let (index, shift) = (*piece, *shift);
            let Learnt { chords, profiles, .. } = &*pieces[&index];
            let mut rng = derive(self.seed, "given", &[epoch, index as u64]);
            let mask = Mask::draw(self.settings.own.given, chords.len(), &mut rng);
            let given = |step: usize| chords.get(step).map(|chord| Given { voices: mask.at(step), chord: *chord });
            // Within the ranges by the choice of shifts.
            let moved = |step: usize| voices::moved(chords[step].bits(), shift);
            for (t, step) in tokens.clone().enumerate() {
                let at = t * rows.len() + b;
                let left = beats_left(&self.corpus.choir, step, chords.len());
                let input = &mut batch.input[at * width..][..width];
                self.settings.write_input(step.checked_sub(1).map(moved), step, left, (&profiles[step], shift), input);
                write_ahead(given, step, shift, &mut batch.ahead[at * AHEAD..][..AHEAD]);
                batch.targets[at] = moved(step);
                batch.weights[at] = 1.0;
                batch.places[at] = Some((index, step, shift));
            }
        }
        batch
    }

    /// The network as the optimiser moves it, without any average.
    fn as_trained(&self) -> ModelFile {
        let encoding = serde_json::json!({ "voices": self.corpus });
        checkpoint::save(&SPEC, self.learner.network(), self.settings.write(), encoding, &self.habits)
    }

    fn chorale_composer(&self) -> ChoraleComposer {
        ChoraleComposer::open(&self.save()).expect("a network's own file fits it")
    }
}

/// Whether a corpus is music for four voices, most of the time: not a tune over chords, whose notes all begin at once while the tune goes on.
pub(super) fn is_four_part(set: &TrainingSet) -> bool {
    let is_many = Census::of(set.all().map(|piece| voices::read(&piece))).voices() >= MANY;
    is_many && !set.all().map(|piece| Moves::of(&piece)).fold(Moves::default(), Moves::and).are_of_chords()
}

/// Moments at which something begins.
#[derive(Default)]
struct Moves {
    all: usize,
    /// The highest note of several alone begins.
    tune: usize,
    /// Some of what sounds below it begins; and not all of that.
    below: usize,
    some: usize,
}

impl Moves {
    fn of(piece: &Score) -> Moves {
        let mut notes: Vec<&Note> = piece.pitched_notes().collect();
        notes.sort_unstable_by_key(|note| note.onset);
        let (mut sounding, mut moves): (Vec<&Note>, Moves) = (Vec::new(), Moves::default());
        for moment in notes.chunk_by(|a, b| a.onset == b.onset) {
            let now = moment[0].onset;
            sounding.retain(|note| note.end() > now);
            sounding.extend(moment);
            let top = sounding.iter().map(|note| note.pitch).max();
            let below = || sounding.iter().filter(|note| Some(note.pitch) != top);
            let (held, begun) = (below().count(), below().filter(|note| note.onset == now).count());
            moves.all += 1;
            moves.tune += usize::from(held > 1 && begun == 0);
            moves.below += usize::from(held > 1 && begun > 0);
            moves.some += usize::from(held > 1 && begun > 0 && begun < held);
        }
        moves
    }

    fn and(self, other: Moves) -> Moves {
        Moves {
            all: self.all + other.all,
            tune: self.tune + other.tune,
            below: self.below + other.below,
            some: self.some + other.some,
        }
    }

    fn are_of_chords(&self) -> bool {
        self.tune as f64 > TUNE * self.all as f64 && (self.some as f64) < ALONE * self.below as f64
    }
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
    let input = TensorData::new(batch.input.clone(), [batch.steps, batch.rows, settings.input()]);
    let seen = settings.shared.run(network.lstms(), states, Tensor::from_data(input, &device), (seed, step));
    let ahead = TensorData::new(batch.ahead.clone(), [batch.steps * batch.rows, AHEAD]);
    Tensor::cat(vec![seen, Tensor::from_data(ahead, &device)], 1)
}

/// The plan of `epoch`: every chord of every piece is predicted once, each piece in a key of its own.
fn plan(pieces: &[Outline], settings: &FrameSettings, seed: u64, epoch: u64) -> Plan {
    let mut rng = derive(seed, "batches", &[epoch]);
    let segments = pieces.iter().enumerate().map(|(index, piece)| {
        let shift = piece.shifts.0 + below(&mut rng, (piece.shifts.1 - piece.shifts.0 + 1) as usize) as i32;
        Segment { piece: index, shift, tokens: 0..piece.chords }
    });
    let segments = segments.collect();
    Plan::new(epoch, segments, settings.batch, settings.window, &mut rng)
}

/// A voice of a piece as tokens for counting.
fn tokens(chords: &[Chord], voice: usize) -> Vec<TokenId> {
    let token =
        |chord: &Chord| chord.pitch(voice).and_then(|pitch| voices::item(voice, pitch)).map_or(SPAN, |k| k % SPAN);
    chords.iter().map(|chord| TokenId(token(chord) as u32)).collect()
}

impl Trainable for ChoraleTrainer {
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
        protocol()
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
        let place = |place: &Option<(usize, usize, i32)>| match place {
            Some((piece, at, shift)) => {
                let Learnt { past, profiles, .. } = &*pieces[piece];
                Place { past, at: *at, shift: *shift, classes: profiles[*at].shares() }
            }
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
                quarters: found.counted / f64::from(self.corpus.choir.steps_per_quarter),
                correct: found.accuracies,
                ..Evaluation::default()
            },
            gradient_norm: report.gradient_norm,
            finite: report.finite && found.nats.is_finite(),
        }
    }

    fn validate(&mut self) -> Evaluation {
        let composer = self.chorale_composer();
        let mut total = Evaluation::default();
        for pieces in self.valid.portions(MOST_JUDGED) {
            for figures in composer.judge_chords(&pieces) {
                total += counted(&figures, self.corpus.choir.steps_per_quarter);
            }
        }
        total
    }

    fn baselines(&self) -> Vec<Baseline> {
        // Each voice by itself; a chord has one token of each.
        let (train, valid) = (self.train.counted(MOST_COUNTED), self.valid.counted(MOST_COUNTED));
        let of_voice = |voice: usize| {
            let sequences =
                |pieces: &[Vec<Chord>]| -> Vec<_> { pieces.iter().map(|chords| tokens(chords, voice)).collect() };
            ngram::baselines(&sequences(&train), &sequences(&valid), OUTCOMES)
        };
        let mut total: Vec<Baseline> = Vec::new();
        for baseline in (0..VOICES).map(of_voice).flat_map(Vec::into_iter) {
            let name = format!("{} of each voice", baseline.name);
            match total.iter_mut().find(|known| known.name == name) {
                Some(known) => known.nats_per_token += baseline.nats_per_token,
                None => total.push(Baseline { name, ..baseline }),
            }
        }
        total
    }

    fn save(&self) -> ModelFile {
        self.learner.save(self.as_trained())
    }

    fn finishing(&self, model: &ModelFile) -> Option<String> {
        let rounds = self.settings.own.critic;
        let learnt = Critic::is_in(model);
        (rounds > 0 && !learnt).then(|| {
            format!(
                "a critic learns, in {}, what tells its pieces from the corpus; the model is there already, and stays as it is if you \
                 stop now",
                cantus_score::counted(rounds, "round")
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
        let mut composer = ChoraleComposer::open(model)?;
        let pieces = self.train.spread(MOST_PIECES);
        let rounds = (self.settings.own.critic, self.seed);
        let Some(critic) = learn(&mut composer, &pieces, rounds, stop, progress) else { return Ok(None) };
        Ok(Some(critic.write(model)))
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
        Box::new(self.chorale_composer())
    }
}
