//! LSTM over frames: writes piano music as the keys of each step, every key a coin of its own.
//!
//! Source: the recurrent baseline of N. Boulanger-Lewandowski, Y. Bengio, P. Vincent, Modeling Temporal Dependencies in
//! High-Dimensional Sequences, ICML 2012, arXiv:1206.6392v1, section 6, with LSTM cells as in S. Bai, J. Kolter, V. Koltun, An
//! Empirical Evaluation of Generic Convolutional and Recurrent Networks, 2018, arXiv:1803.01271v2, section 4 (their outputs and loss).
//! Departures: the output sees the last frame directly as well; a clock that counts steps is read beside the keys; dropout on what is
//! read and on what the layers give; the first frame is predicted, too, from nothing; temperature and top-p when drawing; on music files,
//! whose attacks are known, which of the keys that sound on are struck again is decided after the keys.
//!
//! The notes of a frame do not know of one another: of two chords that are equally likely it draws a mixture. That is what models
//! of the joint league mend.
//!
//! Cost: the default, 0.4 million parameters, takes 2.3 MFLOP a frame in training.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_encoding::piano_roll::{Key, Keys};
use cantus_model::frames::{
    Batch, Effort, FrameComposer, FrameFigure, FrameHead, FrameNetwork, FrameSettings, FrameSums, FrameTrainer, League,
    Learning, Step,
};
use cantus_model::learner::Recurrent;
use cantus_model::{
    Around, ComposerSpec, Configuration, Control, Kind, ModelError, ModelFile, Rng, Sampling, Sizes, layers,
};
use cantus_nn::bernoulli::bernoulli;
use cantus_nn::coins::Coins;
use cantus_nn::inference::Dense;
use cantus_nn::linear::Linear;
use cantus_nn::lstm::Lstm;
use cantus_score::Reading;
use serde::{Deserialize, Serialize};

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "lstm_frames",
    version: 1,
    writes: "chords on a piano's keys from step to step, each key drawn by itself",
    suits: "researchers: a yardstick for composers of frames, on benchmark files or piano pieces",
    is_made_for: None,
    title: "LSTM over frames of 88 keys, each key by itself",
    source: "Boulanger-Lewandowski, Bengio and Vincent 2012 (recurrent baseline); Bai, Kolter and Koltun 2018 (LSTM)",
    departures: "the output sees the last frame, too; a clock is read; dropout; the first frame is predicted from nothing",
    reads: &[Reading::Merged],
    encoding: "piano_roll",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[Configuration {
        name: "default",
        summary: "one LSTM layer of 256",
        settings: "{}",
        sizes: Some(Sizes {
            small: r#"{"hidden":128,"learning_rate":0.003}"#,
            large: r#"{"hidden":512,"batch":32,"learning_rate":0.0015}"#,
        }),
        tiny: r#"{"hidden":24,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,"clock":8,"learning_rate":0.01}"#,
    }],
    create: Some(FrameTrainer::<Network>::create),
    load: FrameComposer::<Network>::load,
};

/// It has no settings but those of all composers of frames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

#[derive(Module, Debug)]
struct Network {
    lstms: Vec<Lstm>,
    strokes: Option<Coins>,
    output: Linear,
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

    fn check(_: &Own) -> Result<(), String> {
        Ok(())
    }

    fn new(
        settings: &FrameSettings,
        _: &Own,
        frequencies: &[f32; Keys::COUNT],
        rng: &mut Rng,
        device: &Device,
    ) -> Network {
        let lstms = settings.lstms(settings.input(), rng, device);
        let output = Linear::with_bias(settings.features(), &frequencies.map(logit), rng, device);
        Network { lstms, output, strokes: settings.strokes(settings.features(), rng, device) }
    }

    fn loss(&self, _: &Own, features: Tensor<2>, batch: &Batch, _: Learning<'_, ()>) -> (Tensor<1>, FrameSums) {
        let (loss, found) = bernoulli(self.output.forward(features), &batch.targets, &batch.weights);
        (loss, FrameSums { nats: found.nats, frames: found.counted, accuracies: found.accuracies })
    }

    fn validation_effort(_: &Own, _: usize) -> Effort {
        Effort { every: 1, chains: 1, temperatures: 1 }
    }
}

fn logit(p: f32) -> f32 {
    (p / (1.0 - p)).ln()
}

/// A logit for each key.
struct Head {
    output: Dense,
}

impl FrameHead for Head {
    type Settings = Own;
    type Past = ();

    fn load(file: &ModelFile, _: &Own, features: usize) -> Result<Head, ModelError> {
        Ok(Head { output: layers::dense(file, "output", (features, Keys::COUNT), Dense::new)? })
    }

    fn kind() -> Kind {
        Kind::Exact
    }

    fn league() -> League {
        League::Factored
    }

    fn describe(&self) -> String {
        "88 independent keys".to_owned()
    }

    fn default_sampling() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 0.95 }
    }

    fn judge(&self, features: &[f32], _: &[Step<'_, ()>], targets: &[Keys], _: Effort, _: u64) -> Vec<FrameFigure> {
        let mut logits = vec![0.0; targets.len() * Keys::COUNT];
        self.output.forward(features, &mut logits);
        FrameFigure::of_coins(&logits, targets)
    }

    /// Each key is a choice of two outcomes, drawn as tokens are: so top-p below 1 silences keys that are less likely than `1 - top_p`.
    fn draw(
        &self,
        features: &[f32],
        _: Step<'_, ()>,
        _: Keys,
        allowed: Keys,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Option<Keys> {
        let mut logits = [0.0; Keys::COUNT];
        self.output.forward(features, &mut logits);
        let mut drawn = Keys::NONE;
        for (k, logit) in logits.into_iter().enumerate() {
            let on = sampling.draw(&[0.0, logit], rng).filter(|_| logit.is_finite())?;
            drawn = if on == 1 { drawn | Key::new(k).into_iter().collect() } else { drawn };
        }
        Some(drawn & allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_encoding::piano_roll::Frame;
    use cantus_model::{Pieces, Settings, StepAt, Trainable, TrainingSet};
    use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

    const ALL: Effort = Effort { every: 1, chains: 1, temperatures: 1 };

    fn piece(length: u64, seed: u64) -> Score {
        let note = |k: u64, pitch: u64| Note {
            onset: Ticks(k),
            pitch: Pitch::try_from(pitch as u8).unwrap(),
            duration: Ticks(1 + (k * seed) % 3),
            velocity: Velocity::DEFAULT,
        };
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let notes = (0..length).flat_map(|k| [note(k, 40 + (k * seed) % 12), note(k, 60 + (k * k) % 17)]).collect();
        score.parts.push(Part { notes, ..Part::default() });
        score
    }

    fn set() -> TrainingSet {
        let train = [90, 3, 41, 240, 60].iter().zip(1..).map(|(length, seed)| piece(*length, seed)).collect();
        TrainingSet { train, valid: vec![piece(50, 9), piece(20, 8)].into(), attacks: false, ..TrainingSet::default() }
    }

    fn trainer(changes: &[(&str, Settings)]) -> Box<dyn Trainable> {
        let mut settings: Settings = SPEC.tiny_settings("default").unwrap();
        changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
        FrameTrainer::<Network>::create(&settings, &set(), 1).unwrap()
    }

    fn judge(trainable: &dyn Trainable, pieces: &[Vec<Frame>], effort: Effort) -> Vec<Vec<Option<FrameFigure>>> {
        trainable.composer().frames().unwrap().judge_frames(pieces, effort, 0)
    }

    fn frames(pieces: &Pieces) -> Vec<Vec<Frame>> {
        pieces.iter().map(|score| cantus_model::frames::Reading::Sounding.frames(&score)).collect()
    }

    #[test]
    fn windows_in_rows_give_the_nats_of_whole_pieces_one_by_one() {
        for changes in
            [vec![], vec![("skip", false.into()), ("clock", 0.into()), ("layers", 2.into()), ("window", 40.into())]]
        {
            let mut trainable = trainer(&changes);
            // Away from the first parameters; then an epoch that changes nothing.
            for step in 0..5 {
                assert!(trainable.step(StepAt { epoch: 0, step }, 0.02).finite);
            }
            let pieces = frames(&set().train);
            let expected: f64 =
                judge(trainable.as_ref(), &pieces, ALL).iter().flatten().flatten().map(|f| f.nats).sum();
            let epoch: Vec<_> =
                (0..trainable.steps(1)).map(|step| trainable.step(StepAt { epoch: 1, step }, 0.0).batch).collect();
            let found: f64 = epoch.iter().map(|batch| batch.nats).sum();
            let counted: f64 = epoch.iter().map(|batch| batch.tokens).sum();
            assert_eq!(counted, pieces.iter().map(Vec::len).sum::<usize>() as f64);
            assert!((found - expected).abs() < 1e-4 * expected, "{found} {expected}");
        }
    }

    #[test]
    fn neither_the_future_nor_other_pieces_change_a_figure() {
        let trainable = trainer(&[]);
        let pieces = frames(&set().train);
        let together = judge(trainable.as_ref(), &pieces, ALL);
        for (piece, expected) in pieces.iter().zip(&together) {
            let found = judge(trainable.as_ref(), &[piece[..piece.len() / 2 + 1].to_vec()], ALL);
            assert_eq!(found[0], expected[..piece.len() / 2 + 1]);
        }
        let some = judge(trainable.as_ref(), &pieces, Effort { every: 7, ..ALL });
        let (all, some) = (together.concat(), some.concat());
        assert!(some.iter().enumerate().all(|(k, figure)| *figure == all[k].filter(|_| k % 7 == 0)));
    }
}
