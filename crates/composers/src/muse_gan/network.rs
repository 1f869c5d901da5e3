//! The generators and the critic.

use super::settings::Own;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use cantus_encoding::phrases::{BARS, KEYS, LENGTH, Layout, STEPS};
use cantus_model::Rng;
use cantus_nn::linear::Linear;

/// Beats of a bar, and steps of a beat.
const BEATS: usize = 4;
/// Pitch classes.
const CLASSES: usize = 12;
/// The slope of a leaky rectifier below 0.
const LEAK: f64 = 0.2;
/// Cells begin with these log-odds: most are silent.
const SILENT: f32 = -1.0;

/// Noise that becomes what is heard at each beat.
#[derive(Module, Debug)]
struct Trunk {
    time: Linear,
    bars: Linear,
    beats: Linear,
}

/// The beats of one track become its steps, and these its cells: time first, then pitch.
#[derive(Module, Debug)]
struct Head {
    steps: Linear,
    cells: Linear,
}

/// All generators.
#[derive(Module, Debug)]
pub(super) struct Generator {
    common: Option<Trunk>,
    own: Vec<Trunk>,
    heads: Vec<Head>,
}

fn leaky<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::leaky_relu(x, LEAK)
}

impl Trunk {
    fn new(noise: usize, width: usize, beats: usize, rng: &mut Rng, device: &Device) -> Trunk {
        Trunk {
            time: Linear::new(noise, BARS * noise, rng, device),
            bars: Linear::new(2 * noise, width, rng, device),
            beats: Linear::new(width, BEATS * beats, rng, device),
        }
    }

    /// # Shapes
    /// `[B, 2 noise]` -> `[B * BARS * BEATS, C]`
    fn forward(&self, noise: Tensor<2>) -> Tensor<2> {
        let [pieces, both] = noise.dims();
        let half = both / 2;
        let stays = noise.clone().slice([0..pieces, 0..half]).reshape([pieces, 1, half]).repeat_dim(1, BARS);
        let moves = activation::tanh(self.time.forward(noise.slice([0..pieces, half..both])));
        let bars = Tensor::cat(vec![stays, moves.reshape([pieces, BARS, half])], 2).reshape([pieces * BARS, both]);
        let beats = leaky(self.beats.forward(leaky(self.bars.forward(bars))));
        let channels = beats.dims()[1] / BEATS;
        beats.reshape([pieces * BARS * BEATS, channels])
    }
}

/// Numbers of noise for so many tracks.
pub(super) fn noise(own: &Own, tracks: usize) -> usize {
    let of_tracks = if own.generators.own() { tracks } else { 0 };
    2 * own.noise * (usize::from(own.generators.share()) + of_tracks)
}

impl Generator {
    pub(super) fn new(own: &Own, layout: &Layout, rng: &mut Rng, device: &Device) -> Generator {
        let Own { generators, width, noise, .. } = *own;
        let (shared, private) = (2 * width, width);
        let heard = if generators.share() { shared } else { 0 } + if generators.own() { private } else { 0 };
        let common = generators.share().then(|| Trunk::new(noise, 4 * width, shared, rng, device));
        let own = if generators.own() { layout.tracks() } else { &[] };
        let own = own.iter().map(|_| Trunk::new(noise, 2 * width, private, rng, device)).collect();
        let head = |cells: usize, rng: &mut Rng| Head {
            steps: Linear::new(heard, BEATS * width, rng, device),
            // As wide a spread of logits whatever the number of cells.
            cells: Linear::with_bias(width, &vec![SILENT; cells], rng, device)
                .scaled(((width + cells) as f32 / (2 * width) as f32).sqrt(), device),
        };
        Generator { common, own, heads: layout.tracks().iter().map(|track| head(track.width(), rng)).collect() }
    }

    /// # Shapes
    /// `[B, noise]` -> `[B, cells]`
    pub(super) fn logits(&self, noise: Tensor<2>) -> Tensor<2> {
        let [pieces, all] = noise.dims();
        let trunks = self.common.iter().len() + self.own.len();
        let each = all / trunks;
        let of = |k: usize| noise.clone().slice([0..pieces, k * each..(k + 1) * each]);
        let common = self.common.as_ref().map(|trunk| trunk.forward(of(0)));
        let first = usize::from(common.is_some());
        let track = |(k, head): (usize, &Head)| {
            let own = self.own.get(k).map(|trunk| trunk.forward(of(first + k)));
            let beats = Tensor::cat(common.iter().cloned().chain(own).collect(), 1);
            let steps = leaky(head.steps.forward(beats));
            let width = head.cells.input();
            head.cells.forward(steps.reshape([pieces * LENGTH, width]))
        };
        let tracks: Vec<Tensor<2>> = self.heads.iter().enumerate().map(track).collect();
        let width = tracks.iter().map(|track| track.dims()[1]).sum::<usize>();
        Tensor::cat(tracks, 1).reshape([pieces, LENGTH * width])
    }
}

/// Inputs and outputs of the critic's layers: of a step, a beat, a bar, the phrase.
pub(super) fn critic_sizes(own: &Own, layout: &Layout) -> [(usize, usize); 4] {
    let width = own.width;
    [
        (layout.width(), width),
        (STEPS / BEATS * width, 2 * width),
        (BEATS * 2 * width, 4 * width),
        (BARS * 4 * width, 4 * width),
    ]
}

/// Numbers of the [`view`].
pub(super) fn viewed(layout: &Layout) -> usize {
    CLASSES * layout.tracks().iter().filter(|track| !track.is_drums()).count()
}

/// How much each pitch class of each track sounds in a beat, as a matrix; `None` where there are only drums.
///
/// # Shapes
/// `[steps of a beat * cells of a step, viewed]`
pub(super) fn view(layout: &Layout, device: &Device) -> Option<Tensor<2>> {
    let (steps, width, columns) = (STEPS / BEATS, layout.width(), viewed(layout));
    if columns == 0 {
        return None;
    }
    let mut matrix = vec![0.0f32; steps * width * columns];
    let pitched = layout.tracks().iter().zip(layout.starts()).filter(|(track, _)| !track.is_drums());
    for (number, (_, start)) in pitched.enumerate() {
        for cell in 0..steps * KEYS {
            let (step, key) = (cell / KEYS, cell % KEYS);
            // A track's keys begin at any class: which one is the same for all that it plays.
            let column = number * CLASSES + key % CLASSES;
            matrix[(step * width + start + key) * columns + column] = 1.0 / steps as f32;
        }
    }
    Some(Tensor::from_data(TensorData::new(matrix, [steps * width, columns]), device))
}
