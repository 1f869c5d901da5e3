//! `gan`: eight bars of pitch classes out of noise, by two small networks that play against one another. It is here for the record.
//!
//! Source: the notebook "GAN" of I. Ivanov's MusicGeneration, 2018 (github.com/FortsAndMills/MusicGeneration): 100 uniform numbers -> 64 -> 128 steps of
//! 13 cells; the same -> 64 -> 1; Adam, batches of 64, songs in all keys, cells sound from a chance of 0.1 on; one song comes out of it, whatever the
//! noise. `minibatch` adds what was meant to mend that: T. Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498v1, section
//! 3.2; the losses are I. Goodfellow et al., Generative Adversarial Nets, 2014, arXiv:1406.2661v1, with the generator's `-ln D`.
//!
//! Departures: the thirteenth cell says that nothing begins; a piece of any metre is read as steps, 128 at every 64th; the drawn average of the generator; cells begin
//! where they just sound; a note lasts until something else begins, a quarter at most.
//!
//! There is no likelihood. `notes` does all that it does, and better.
//!
//! Cost: 115 thousand parameters; a step takes 60 MFLOP.

mod player;
#[cfg(test)]
mod tests;

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use cantus_encoding::octave_roll::PitchClasses;
use cantus_encoding::phrases::{GRID, Phrase, STEPS};
use cantus_encoding::piano_roll::MOST_STEPS;
use cantus_model::adversarial::{AdversarialTrainer, Duel};
use cantus_model::checks::within;
use cantus_model::{Around, ComposerSpec, Configuration, Control, CreateError, Rng, TrainingSet, merged_on_grid};
use cantus_nn::critic::Critic;
use cantus_nn::linear::Linear;
use cantus_nn::minibatch::Minibatch;
use cantus_nn::random::uniform_in;
use cantus_score::{Reading, Score};
use serde::{Deserialize, Serialize};

/// Steps of a phrase, and from one to the next in a piece.
const LENGTH: usize = 128;
const EVERY: usize = 64;
/// Cells of a step: the pitch classes, and that nothing begins.
const CELLS: usize = PitchClasses::COUNT + 1;
/// The cell that says so.
const NOTHING: usize = PitchClasses::COUNT;

/// Makes any configuration small enough for a test.
const TINY: &str = r#"{"hidden":16,"noise":8,"batch":8,"epoch_steps":6,"averaging":0.5,"learning_rate":0.01}"#;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "gan",
    version: 1,
    writes: "eight bars of pitch classes out of noise, much the same ones each time",
    suits: "nobody who wants music, for which there is `notes`: two small networks against one another, for the record",
    is_made_for: None,
    title: "dense layers from noise to 128 steps of pitch classes, against dense layers; with or without minibatch discrimination",
    source: "Ivanov 2018 (the GAN notebook of FortsAndMills/MusicGeneration); Salimans et al. 2016",
    departures: "the thirteenth cell says that nothing begins; the generator's average draws",
    reads: &[Reading::Merged],
    encoding: "octave_roll",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter],
    configurations: &[
        Configuration {
            name: "source",
            summary: "the notebook's networks",
            settings: r#"{"batch":64,"critic_steps":1,"epoch_steps":200,"learning_rate":0.001,"beta1":0.9,"beta2":0.999,"epochs":30}"#,
            sizes: None,
            tiny: TINY,
        },
        Configuration {
            name: "minibatch",
            summary: "the same, the critic being told how near the phrases of a batch are to one another",
            settings: r#"{"kernels":32,"batch":64,"critic_steps":1,"epoch_steps":200,"learning_rate":0.001,"beta1":0.9,"beta2":0.999,
                          "epochs":30}"#,
            sizes: None,
            tiny: TINY,
        },
    ],
    create: Some(AdversarialTrainer::<Notebook>::create),
    load: |file| Ok(Box::new(player::Player::load(file)?)),
};

/// Settings beside those of the training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// Units of both hidden layers.
    hidden: usize,
    /// Numbers of noise.
    noise: usize,
    /// Nearnesses of a phrase to the others of its batch; 0 is none.
    kernels: usize,
    /// Dimensions of each.
    dimensions: usize,
}

impl Default for Own {
    fn default() -> Own {
        Own { hidden: 64, noise: 100, kernels: 0, dimensions: 8 }
    }
}

/// What a model knows of its corpus.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notebook {
    /// The lowest and the highest pitch.
    range: (u8, u8),
}

/// Noise to the logits of all cells.
#[derive(Module, Debug)]
struct Generator {
    hidden: Linear,
    output: Linear,
}

/// A phrase to the logit of its being real.
#[derive(Module, Debug)]
struct Judge {
    critic: Critic,
    minibatch: Option<Minibatch>,
}

impl Judge {
    fn forward(&self, own: &Own, x: Tensor<2>) -> Tensor<2> {
        match &self.minibatch {
            Some(minibatch) => self.critic.forward_with(x, |features| minibatch.forward(features, own.kernels)),
            None => self.critic.forward(x, None).value,
        }
    }
}

/// `-ln p` of what a logit says is real.
fn is_real(z: Tensor<2>) -> Tensor<1> {
    activation::softplus(z.neg(), 1.0).mean()
}

/// `-ln (1 - p)`.
fn is_made(z: Tensor<2>) -> Tensor<1> {
    activation::softplus(z, 1.0).mean()
}

/// The cells of steps: pitch classes that begin, or nothing.
fn cells(frames: &[PitchClasses]) -> Vec<u32> {
    let mut cells = Vec::new();
    for (step, frame) in frames.iter().enumerate() {
        let begun = (0..NOTHING).filter(|class| frame.contains(*class as u8));
        let nothing = frame.is_empty().then_some(NOTHING);
        cells.extend(begun.chain(nothing).map(|cell| (step * CELLS + cell) as u32));
    }
    cells
}

impl Duel for Notebook {
    type Own = Own;
    type Generator = Generator;
    type Critic = Judge;

    /// A chance of 0.1.
    const THRESHOLD: f32 = -2.197_224_6;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn check_settings(own: &Own) -> Result<(), String> {
        within("hidden", own.hidden, 1, 8192)?;
        within("noise", own.noise, 1, 8192)?;
        within("kernels", own.kernels, 0, 1024)?;
        within("dimensions", own.dimensions, 1, 256)
    }

    fn of(set: &TrainingSet, _: &Own) -> Result<Notebook, CreateError> {
        Ok(Notebook { range: set.range() })
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn phrases(&self, piece: &Score) -> Vec<Phrase> {
        let merged = merged_on_grid(piece, GRID);
        let mut frames = vec![PitchClasses::NONE; merged.end().0.min(MOST_STEPS) as usize];
        for note in merged.pitched_notes() {
            let Some(frame) = frames.get_mut(note.onset.0 as usize) else { break };
            *frame = PitchClasses::from_bits(frame.bits() | 1 << note.pitch.class()).unwrap_or_default();
        }
        let starts = (0..frames.len()).step_by(EVERY).take_while(|start| *start == 0 || start + LENGTH <= frames.len());
        let phrase = |start: usize| {
            let mut own = frames[start..frames.len().min(start + LENGTH)].to_vec();
            own.resize(LENGTH, PitchClasses::NONE);
            Phrase(cells(&own))
        };
        starts.map(phrase).collect()
    }

    fn cells(&self) -> usize {
        LENGTH * CELLS
    }

    fn quarters(&self) -> f64 {
        (LENGTH / GRID.get() as usize) as f64
    }

    /// How often something begins at each step of sixteen, how often each class does, and how many at once (of four).
    fn statistics(&self, cells: &[bool]) -> Vec<f32> {
        let (mut steps, mut classes, mut all) = ([0.0f32; STEPS], [0.0f32; PitchClasses::COUNT], 0.0f32);
        let mut begun = 0.0f32;
        for (step, cells) in cells.chunks_exact(CELLS).enumerate() {
            let notes = cells[..NOTHING].iter().filter(|sounds| **sounds).count() as f32;
            let begins = f32::from(notes > 0.0);
            steps[step % STEPS] += begins * STEPS as f32 / LENGTH as f32;
            classes.iter_mut().zip(cells).for_each(|(class, sounds)| *class += f32::from(*sounds));
            (begun, all) = (begun + begins, all + notes);
        }
        classes.iter_mut().for_each(|class| *class /= all.max(1.0));
        let more = [begun / LENGTH as f32, all / begun.max(1.0) / 4.0];
        steps.into_iter().chain(classes).chain(more).collect()
    }

    fn generator(&self, own: &Own, rng: &mut Rng, device: &Device) -> Generator {
        let hidden = Linear::new(own.noise, own.hidden, rng, device);
        // Before anything is learnt each cell is as likely to sound as not.
        let bias = vec![Self::THRESHOLD; LENGTH * CELLS];
        Generator { hidden, output: Linear::with_bias(own.hidden, &bias, rng, device) }
    }

    fn critic(&self, own: &Own, rng: &mut Rng, device: &Device) -> Judge {
        let critic = Critic::new(&[(LENGTH * CELLS, own.hidden)], 0, own.kernels, rng, device);
        let minibatch =
            (own.kernels > 0).then(|| Minibatch::new(own.hidden, (own.kernels, own.dimensions), rng, device));
        Judge { critic, minibatch }
    }

    fn noise(&self, own: &Own) -> usize {
        own.noise
    }

    fn draw(rng: &mut Rng) -> f32 {
        uniform_in(rng, -1.0, 1.0)
    }

    fn logits(&self, _: &Own, generator: &Generator, noise: Tensor<2>) -> Tensor<2> {
        generator.output.forward(activation::relu(generator.hidden.forward(noise)))
    }

    fn shown(logits: Tensor<2>) -> Tensor<2> {
        activation::sigmoid(logits)
    }

    fn critic_loss(&self, own: &Own, critic: &Judge, real: Tensor<2>, made: Tensor<2>, _: Vec<f32>) -> Tensor<1> {
        // Each minibatch is near to its own.
        is_real(critic.forward(own, real)) + is_made(critic.forward(own, made))
    }

    fn generator_loss(&self, own: &Own, critic: &Judge, made: Tensor<2>) -> Tensor<1> {
        is_real(critic.forward(own, made))
    }
}
