//! `memory`: writes piano music as frames whose notes know of one another, with an explicit memory of the piece so far.
//!
//! Source: our own. An LSTM reads the frames; a joint head ([`cantus_nn::joint`]) chooses the notes of the next one from the highest
//! down; a pointer offers, note by note, what stood after earlier places of the same piece whose past resembles the present. The parts
//! come from N. Boulanger-Lewandowski et al., ICML 2012 (notes of a frame one after the other), D. Johnson, EvoMUSART 2017 (weights
//! shared over pitches), S. Merity et al., arXiv:1609.07843v1 (a pointer with a sentinel).
//! Departures: from those: one softmax over the keys below the last note in the place of a coin for each key; the pointer attends by
//! the length of matching suffixes, not by learned queries; the sentinel's rival is the attention's whole mass.
//!
//! Where attacks are known (music files; not the benchmark's), it reads and writes which keys are struck as well as which sound:
//! [`cantus_model::frames`] decides, once the notes are chosen, which of those that sound on are struck again.
//!
//! Its likelihood is exact. Of a piece's past it uses what the piece itself gives: figures with the pointer are those of a model with
//! memory of the piece.
//!
//! Cost: the default, 0.5 million parameters (0.7 with strokes); memory and time of a frame do not grow with the piece.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_encoding::piano_roll::{Key, Keys};
use cantus_model::checks::{share, within};
use cantus_model::frames::{
    Batch, Effort, FrameComposer, FrameFigure, FrameHead, FrameNetwork, FrameSettings, FrameSums, FrameTrainer, League,
    Learning, Past, Recalling, Step,
};
use cantus_model::learner::Recurrent;
use cantus_model::{Around, ComposerSpec, Configuration, Control, Kind, ModelError, ModelFile, Rng, Sampling, Sizes};
use cantus_nn::coins::Coins;
use cantus_nn::joint::{CLASSES, JointHead, JointScorer, JointShape, Noise, Place};
use cantus_nn::lstm::Lstm;
use cantus_nn::random::derive;
use cantus_nn::suffix::SuffixIndex;
use cantus_score::Reading;
use rand_chacha::rand_core::Rng as _;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "memory",
    version: 1,
    writes: "keys that are struck and held from step to step; brings its themes back, and follows a form",
    suits: "tunes, chorales and piano pieces whose themes come again",
    is_made_for: None,
    title: "an LSTM, a joint head shared over pitches, and a pointer into the piece's own past",
    source: "own; after Boulanger-Lewandowski, Bengio and Vincent 2012, Johnson 2017, Merity et al. 2016",
    departures: "a softmax over the keys below the last note; the pointer attends by the length of matching suffixes",
    reads: &[Reading::Merged],
    encoding: "piano_roll",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &Control::OF_BARS,
    configurations: &[Configuration {
        name: "default",
        summary: "one LSTM layer of 256, all parts of the head",
        settings: r#"{"averaging":0.998}"#,
        sizes: Some(Sizes {
            small: r#"{"hidden":128,"units":96,"channels":16,"learning_rate":0.003}"#,
            large: r#"{"hidden":512,"units":320,"channels":64,"batch":32,"learning_rate":0.0015}"#,
        }),
        tiny: r#"{"hidden":24,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,"clock":8,"learning_rate":0.01,
              "averaging":0.5,"units":24,"channels":16,"reach":6,"lags":4,"candidates":12,"units_dropout":0.0,"past_dropout":0.0}"#,
    }],
    create: Some(FrameTrainer::<Network>::create),
    load: FrameComposer::<Network>::load,
};

/// Settings of the head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// Hidden units of the part that knows the keys by name.
    units: usize,
    /// Channels of the part that is shared over pitches, a multiple of 16; 0 leaves it out.
    channels: usize,
    /// Semitones that it looks up and down.
    reach: usize,
    /// Last frames that it sees each for itself.
    lags: usize,
    /// Places of the past that the pointer attends to; 0 leaves it out: no memory of the piece.
    candidates: usize,
    /// Whether the pointer always offers the piece's beginning, and knows where it is being repeated.
    openings: bool,
    /// Dropout of the head's units and channels.
    units_dropout: f32,
    /// Dropout of the notes of the past that the shared part sees.
    past_dropout: f32,
}

impl Default for Own {
    fn default() -> Own {
        Own {
            units: 192,
            channels: 32,
            reach: 12,
            lags: 8,
            candidates: 64,
            openings: false,
            units_dropout: 0.3,
            past_dropout: 0.1,
        }
    }
}

impl Own {
    fn shape(&self, features: usize) -> JointShape {
        let Own { units, channels, reach, lags, candidates, openings, .. } = *self;
        JointShape {
            keys: Keys::COUNT,
            features,
            hidden: units,
            channels,
            reach,
            lags,
            candidates,
            span: 0,
            tonal: false,
            openings,
            sounding: false,
        }
    }
}

#[derive(Module, Debug)]
struct Network {
    lstms: Vec<Lstm>,
    strokes: Option<Coins>,
    head: JointHead,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

impl FrameNetwork for Network {
    type Head = Head;
    type OwnSettings = Own;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn strokes(&self) -> Option<&Coins> {
        self.strokes.as_ref()
    }

    fn check(own: &Own) -> Result<(), String> {
        within("units", own.units, 1, 4096)?;
        within("channels", own.channels, 0, 256)?;
        within("reach", own.reach, 0, Keys::COUNT)?;
        within("lags", own.lags, 0, 64)?;
        within("candidates", own.candidates, 0, 4096)?;
        if !own.channels.is_multiple_of(16) {
            return Err(format!("channels = {} is no multiple of 16", own.channels));
        }
        share("units_dropout", own.units_dropout)?;
        share("past_dropout", own.past_dropout)
    }

    fn new(
        settings: &FrameSettings,
        own: &Own,
        frequencies: &[f32; Keys::COUNT],
        rng: &mut Rng,
        device: &Device,
    ) -> Network {
        let lstms = settings.lstms(settings.input(), rng, device);
        let head = JointHead::new(own.shape(settings.features()), frequencies, rng, device);
        Network { lstms, head, strokes: settings.strokes(settings.features(), rng, device) }
    }

    fn loss(
        &self,
        own: &Own,
        features: Tensor<2>,
        batch: &Batch,
        at: Learning<'_, Remembered>,
    ) -> (Tensor<1>, FrameSums) {
        let empty = Remembered::default();
        let place = |row: usize| match batch.windows[row % batch.rows] {
            Some(window) if batch.weights[row] > 0.0 => Place {
                past: &at.past(window.piece).0,
                at: window.first + row / batch.rows,
                shift: window.shift,
                classes: [0.0; CLASSES],
            },
            _ => Place { past: &empty.0, at: 0, shift: 0, classes: [0.0; CLASSES] },
        };
        let places: Vec<Place> = (0..batch.keys.len()).map(place).collect();
        let targets: Vec<u128> = batch.keys.iter().map(|keys| keys.bits()).collect();
        let seed = derive(at.seed, "head", &[]).next_u64();
        let noise = Noise { seed, step: at.step, units: own.units_dropout, past: own.past_dropout };
        let (loss, found) = self.head.loss(features, &places, &targets, &batch.weights, Some(noise));
        (loss, FrameSums { nats: found.nats, frames: found.counted, accuracies: found.accuracies })
    }

    fn validation_effort(_: &Own, _: usize) -> Effort {
        Effort { every: 1, chains: 1, temperatures: 1 }
    }
}

/// The piece so far, and where each place of it has been before.
#[derive(Clone, Debug, Default)]
pub struct Remembered(SuffixIndex);

impl Past for Remembered {
    fn push(&mut self, frame: Keys) {
        self.0.push(frame.bits());
    }
}

fn place(step: Step<'_, Remembered>) -> Place<'_> {
    Place { past: &step.past.0, at: step.at, shift: 0, classes: [0.0; CLASSES] }
}

/// The trained head.
struct Head(JointScorer);

impl FrameHead for Head {
    type Settings = Own;
    type Past = Remembered;

    fn load(file: &ModelFile, own: &Own, features: usize) -> Result<Head, ModelError> {
        JointScorer::new(own.shape(features), |name, shape| file.tensor(&format!("head.{name}"), shape)).map(Head)
    }

    fn kind() -> Kind {
        Kind::Exact
    }

    fn league() -> League {
        League::Joint
    }

    fn describe(&self) -> String {
        let JointShape { hidden, channels, candidates, .. } = self.0.shape();
        let shared = if channels > 0 { format!(", {channels} channels shared over pitches") } else { String::new() };
        let memory = if candidates > 0 { format!(", a memory of {candidates} places") } else { String::new() };
        format!("a joint head of {hidden} units{shared}{memory}")
    }

    fn remembers(&self) -> bool {
        self.0.shape().candidates > 0
    }

    fn default_sampling() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 0.95 }
    }

    fn judge(
        &self,
        features: &[f32],
        steps: &[Step<'_, Remembered>],
        targets: &[Keys],
        _: Effort,
        _: u64,
    ) -> Vec<FrameFigure> {
        let mut decision = self.0.decision();
        let rows = features.chunks_exact(self.0.shape().features).zip(steps).zip(targets);
        rows.map(|((features, step), target)| {
            decision.open(features, &place(*step));
            FrameFigure::of_set(&mut decision, target.bits())
        })
        .collect()
    }

    /// Note after note, each drawn as a token is; notes that are not allowed are left to the others.
    fn draw(
        &self,
        features: &[f32],
        step: Step<'_, Remembered>,
        _: Keys,
        allowed: Keys,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Option<Keys> {
        // A stream of its own for each frame: how many notes one has does not shift what comes after.
        let mut rng = derive(rng.next_u64(), "notes", &[]);
        let mut decision = self.0.decision();
        decision.open(features, &place(step));
        match step.recalling {
            Recalling::Free => {}
            Recalling::Nothing => decision.forget(),
            Recalling::Step(at) => decision.recall(&place(step), at, Recalling::TRUST),
        }
        let mut drawn = Keys::NONE;
        loop {
            let mut logits: Vec<f32> = decision.probabilities().iter().map(|p| p.ln()).collect();
            if logits.iter().any(|z| z.is_nan()) {
                return None;
            }
            let keys = logits[..Keys::COUNT].iter_mut().enumerate();
            keys.filter(|(k, _)| !Key::new(*k).is_some_and(|key| allowed.contains(key)))
                .for_each(|(_, logit)| *logit = f32::NEG_INFINITY);
            // Where nothing but what is not allowed was possible, the frame ends.
            let Some(key) = sampling.draw(&logits, &mut rng).and_then(Key::new) else { return Some(drawn) };
            drawn.insert(key);
            decision.choose(key.index());
        }
    }
}
