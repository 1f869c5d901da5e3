//! Generation without burn and without allocation: packed weights, one step of work per token.
//!
//! Everything works on `n` rows at once, reading the weights once for all of them. Weights are rounded to 16 bits, since a token waits
//! for nothing but their way through the memory; sums are made in 32. A row's result has the same bits whatever the other
//! rows are, and the same as the training form gives with weights so rounded (both are the products of
//! [`crate::packed`], on the same machine): a model stored in 16 bits composes as the same model stored in 32.

use crate::embedding::Embedding;
use crate::linear::Linear;
use crate::lstm::{Lstm, step_in_place};
use crate::packed::PackedMatrix;
use crate::params::values_of;
use crate::plane::add;
use crate::simd::Level;
use half::f16;

/// An LSTM that advances one step at a time; see [`Lstm`] for the equations and the layout.
#[derive(Clone, Debug)]
pub struct LstmCell {
    w_ih: Input,
    w_hh: PackedMatrix<f16>,
    bias: Vec<f32>,
}

/// The weights of an input.
#[derive(Clone, Debug)]
enum Input {
    /// For inputs that have no zeros.
    Dense(PackedMatrix<f16>),
    /// For inputs that are nearly all zeros: the weights of each feature by themselves, `[I, 4H]`.
    Sparse { rows: Vec<f32>, features: usize },
}

impl Input {
    /// For an input that is nearly all zeros, of whose features `weight` (`[O, I]`) has a column each.
    fn sparse(input: usize, output: usize, weight: &[f32]) -> Input {
        let rounded = |k: usize, j: usize| f16::from_f32(weight[j * input + k]).to_f32();
        let rows = (0..input).flat_map(|k| (0..output).map(move |j| rounded(k, j))).collect();
        Input::Sparse { rows, features: input }
    }

    fn features(&self) -> usize {
        match self {
            Input::Dense(weights) => weights.k(),
            Input::Sparse { features, .. } => *features,
        }
    }

    /// What `n` rows of input give to as many rows of `width` sums: the same bits in either form, because what is not zero is added in the
    /// same order.
    fn multiply(&self, n: usize, x: &[f32], sums: &mut [f32], width: usize) {
        match self {
            Input::Dense(weights) => weights.multiply(n, x, weights.k(), sums, width, false),
            Input::Sparse { rows, features } => {
                sums.fill(0.0);
                for (x, sums) in x.chunks_exact((*features).max(1)).zip(sums.chunks_exact_mut(width)) {
                    let told = x.iter().enumerate().filter(|(_, x)| **x != 0.0);
                    told.for_each(|(k, x)| add(sums, &rows[k * width..][..width], *x));
                }
            }
        }
    }
}

/// Memory that a step works in; it grows on first use and can serve any number of cells.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    gates: Vec<f32>,
}

impl Scratch {
    /// An empty one.
    pub fn new() -> Scratch {
        Scratch::default()
    }
}

impl LstmCell {
    /// Packs the parameters.
    ///
    /// # Shapes
    /// `w_ih`: `[4H, I]`, `w_hh`: `[4H, H]`, `bias`: `[4H]`
    ///
    /// # Panics
    /// If the lengths do not agree.
    pub fn new(input: usize, hidden: usize, w_ih: &[f32], w_hh: &[f32], bias: &[f32]) -> LstmCell {
        let h4 = 4 * hidden;
        assert_eq!((w_ih.len(), w_hh.len(), bias.len()), (h4 * input, h4 * hidden, h4), "an LSTM {input} -> {hidden}");
        LstmCell {
            w_ih: Input::Dense(PackedMatrix::rounded(input, h4, w_ih, 1, input)),
            w_hh: PackedMatrix::rounded(hidden, h4, w_hh, 1, hidden),
            bias: bias.to_vec(),
        }
    }

    /// The same for an input that is nearly all zeros, of which it reads only what is not: the same bits, in less time.
    ///
    /// # Panics
    /// If the lengths do not agree.
    pub fn sparse(input: usize, hidden: usize, w_ih: &[f32], w_hh: &[f32], bias: &[f32]) -> LstmCell {
        let h4 = 4 * hidden;
        assert_eq!((w_ih.len(), w_hh.len(), bias.len()), (h4 * input, h4 * hidden, h4), "an LSTM {input} -> {hidden}");
        LstmCell {
            w_ih: Input::sparse(input, h4, w_ih),
            w_hh: PackedMatrix::rounded(hidden, h4, w_hh, 1, hidden),
            bias: bias.to_vec(),
        }
    }

    /// Features I of the input.
    pub fn input(&self) -> usize {
        self.w_ih.features()
    }

    /// Cells H.
    pub fn hidden(&self) -> usize {
        self.w_hh.k()
    }

    /// Advances `n` rows by one step, in place.
    ///
    /// # Shapes
    /// `x`: `[n, I]`, `h`, `c`: `[n, H]`
    ///
    /// # Panics
    /// If the lengths are not those of `n` rows.
    pub fn step(&self, x: &[f32], h: &mut [f32], c: &mut [f32], scratch: &mut Scratch) {
        let (input, hidden) = (self.input(), self.hidden());
        let (n, h4) = (h.len() / hidden.max(1), 4 * hidden);
        assert_eq!((x.len(), h.len(), c.len()), (n * input, n * hidden, n * hidden), "rows of an LSTM step");
        if scratch.gates.len() < n * h4 {
            scratch.gates.resize(n * h4, 0.0);
        }
        let gates = &mut scratch.gates[..n * h4];
        self.w_ih.multiply(n, x, gates, h4);
        self.w_hh.multiply(n, h, hidden, gates, h4, true);
        let level = Level::detect();
        for r in 0..n {
            let row = r * hidden..(r + 1) * hidden;
            step_in_place(level, &self.bias, &gates[r * h4..(r + 1) * h4], &mut c[row.clone()], &mut h[row]);
        }
    }
}

impl From<&Lstm> for LstmCell {
    fn from(lstm: &Lstm) -> LstmCell {
        let (w_ih, w_hh, bias) = (values_of(lstm.w_ih.val()), values_of(lstm.w_hh.val()), values_of(lstm.bias.val()));
        LstmCell::new(lstm.input(), lstm.hidden(), &w_ih, &w_hh, &bias)
    }
}

/// `y = W x + b`, optionally through a rectifier.
#[derive(Clone, Debug)]
pub struct Dense {
    weight: Input,
    bias: Vec<f32>,
    relu: bool,
}

impl Dense {
    /// Packs the parameters.
    ///
    /// # Shapes
    /// `weight`: `[O, I]`, `bias`: `[O]`
    ///
    /// # Panics
    /// If the lengths do not agree.
    pub fn new(input: usize, output: usize, weight: &[f32], bias: &[f32]) -> Dense {
        assert_eq!((weight.len(), bias.len()), (input * output, output), "a dense layer {input} -> {output}");
        let weight = Input::Dense(PackedMatrix::rounded(input, output, weight, 1, input));
        Dense { weight, bias: bias.to_vec(), relu: false }
    }

    /// The same for an input that is nearly all zeros, of which it reads only what is not: the same bits, in less time.
    ///
    /// # Panics
    /// If the lengths do not agree.
    pub fn sparse(input: usize, output: usize, weight: &[f32], bias: &[f32]) -> Dense {
        assert_eq!((weight.len(), bias.len()), (input * output, output), "a dense layer {input} -> {output}");
        Dense { weight: Input::sparse(input, output, weight), bias: bias.to_vec(), relu: false }
    }

    /// The same with `max(0, y)` as its output.
    pub fn with_relu(self) -> Dense {
        Dense { relu: true, ..self }
    }

    /// Features I of the input.
    pub fn input(&self) -> usize {
        self.weight.features()
    }

    /// Features O of the output.
    pub fn output(&self) -> usize {
        self.bias.len()
    }

    /// # Shapes
    /// `x`: `[n, I]`, `y`: `[n, O]`
    ///
    /// # Panics
    /// If the lengths are not those of `n` rows.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (input, output) = (self.input(), self.output());
        let n = y.len() / output.max(1);
        assert_eq!((x.len(), y.len()), (n * input, n * output), "rows of a dense layer");
        self.weight.multiply(n, x, y, output);
        for row in y.chunks_exact_mut(output.max(1)) {
            row.iter_mut().zip(&self.bias).for_each(|(y, b)| *y += b);
            if self.relu {
                row.iter_mut().for_each(|y| *y = y.max(0.0));
            }
        }
    }
}

impl From<&Linear> for Dense {
    fn from(linear: &Linear) -> Dense {
        let (weight, bias) = (values_of(linear.weight.val()), values_of(linear.bias.val()));
        Dense::new(linear.input(), linear.output(), &weight, &bias)
    }
}

/// The rows of an embedding.
#[derive(Clone, Debug)]
pub struct Lookup {
    table: Vec<f32>,
    width: usize,
}

impl Lookup {
    /// From a table `[V, E]`.
    ///
    /// # Panics
    /// If the table is not whole rows of `width` > 0 values.
    pub fn new(width: usize, table: Vec<f32>) -> Lookup {
        assert!(width > 0 && table.len().is_multiple_of(width), "a table of rows of {width} values");
        Lookup { table, width }
    }

    /// Values E of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `index`: `[E]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, index: u32) -> &[f32] {
        &self.table[index as usize * self.width..][..self.width]
    }

    /// Rows one after another: `[n, E]` into `x`.
    ///
    /// # Panics
    /// If an index has no row or `x` is not `n` rows long.
    pub fn gather(&self, indices: &[u32], x: &mut [f32]) {
        assert_eq!(x.len(), indices.len() * self.width, "rows of an embedding");
        for (x, index) in x.chunks_exact_mut(self.width).zip(indices) {
            x.copy_from_slice(self.row(*index));
        }
    }
}

impl From<&Embedding> for Lookup {
    fn from(embedding: &Embedding) -> Lookup {
        Lookup::new(embedding.width(), values_of(embedding.table.val()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lstm::LstmState;
    use crate::random::{below, normal, seeded};
    use burn::module::{Module, ModuleMapper, Param};
    use burn::tensor::{Device, Tensor, TensorData};

    /// A layer with the weights that composing reads.
    fn rounded<M: Module>(layer: M) -> M {
        struct Round;
        impl ModuleMapper for Round {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|tensor| {
                    let (shape, device) = (tensor.dims(), tensor.device());
                    let values: Vec<f32> = values_of(tensor).into_iter().map(|v| f16::from_f32(v).to_f32()).collect();
                    Tensor::from_data(TensorData::new(values, shape), &device)
                })
            }
        }
        layer.map(&mut Round)
    }

    #[test]
    fn a_network_steps_to_the_bits_of_its_training_form() {
        let device = Device::flex();
        let rng = &mut seeded(4);
        let (steps, n, vocabulary) = (9, 5, 13);
        let embedding = Embedding::new(vocabulary, 7, rng, &device);
        let (first, second) = (rounded(Lstm::new(7, 40, rng, &device)), rounded(Lstm::new(40, 19, rng, &device)));
        let out = rounded(Linear::new(19, vocabulary, rng, &device));
        let tokens: Vec<u32> = (0..steps * n).map(|_| below(rng, vocabulary) as u32).collect();

        let x = embedding.forward_sequence(&tokens, steps, n);
        let (h, _) = first.forward(x, &LstmState::zeros(n, 40));
        let (h, _) = second.forward(h, &LstmState::zeros(n, 19));
        let trained = values_of(out.forward(h));

        let table = Lookup::from(&embedding);
        let (one, two, dense) = (LstmCell::from(&first), LstmCell::from(&second), Dense::from(&out));
        let mut scratch = Scratch::new();
        let mut run = |rows: std::ops::Range<usize>| {
            let n_rows = rows.len();
            let (mut h1, mut c1) = (vec![0.0; n_rows * 40], vec![0.0; n_rows * 40]);
            let (mut h2, mut c2) = (vec![0.0; n_rows * 19], vec![0.0; n_rows * 19]);
            let (mut x, mut y) = (vec![0.0; n_rows * 7], vec![0.0; n_rows * vocabulary]);
            let mut all = Vec::new();
            for step in tokens.chunks(n) {
                table.gather(&step[rows.clone()], &mut x);
                one.step(&x, &mut h1, &mut c1, &mut scratch);
                two.step(&h1, &mut h2, &mut c2, &mut scratch);
                dense.forward(&h2, &mut y);
                all.extend_from_slice(&y);
            }
            all
        };
        let together = run(0..n);
        assert_eq!(together, trained);
        for row in 0..n {
            let picked: Vec<f32> =
                together.chunks(n * vocabulary).flat_map(|s| s[row * vocabulary..][..vocabulary].to_vec()).collect();
            assert_eq!(run(row..row + 1), picked);
        }
    }

    #[test]
    fn an_input_of_zeros_costs_nothing_and_gives_the_same_bits() {
        const SIZES: [usize; 2] = [600, 21];
        let [input, hidden] = SIZES;
        let rng = &mut seeded(7);
        let mut values = |n: usize| -> Vec<f32> { (0..n).map(|_| normal(rng)).collect() };
        let (w_ih, w_hh, bias) = (values(4 * hidden * input), values(4 * hidden * hidden), values(4 * hidden));
        let cells = [LstmCell::new, LstmCell::sparse].map(|cell| cell(input, hidden, &w_ih, &w_hh, &bias));
        let states = cells.map(|cell| {
            assert_eq!((cell.input(), cell.hidden()), (input, hidden));
            let (mut h, mut c) = (vec![0.0; 2 * hidden], vec![0.0; 2 * hidden]);
            for step in 0..5 {
                let told = |k: usize| if (k * 7 + step).is_multiple_of(31) { 0.1 + k as f32 } else { 0.0 };
                let x: Vec<f32> = (0..2 * input).map(told).collect();
                cell.step(&x, &mut h, &mut c, &mut Scratch::new());
            }
            (h, c)
        });
        assert_eq!(states[0], states[1]);
        let layers = [Dense::new, Dense::sparse].map(|layer| layer(input, 4 * hidden, &w_ih, &bias).with_relu());
        let rows = layers.map(|layer| {
            assert_eq!((layer.input(), layer.output()), (input, 4 * hidden));
            let x: Vec<f32> = (0..2 * input).map(|k| if k % 37 == 0 { 0.3 - k as f32 } else { 0.0 }).collect();
            let mut y = vec![0.0; 8 * hidden];
            layer.forward(&x, &mut y);
            y
        });
        assert_eq!(rows[0], rows[1]);
    }

    #[test]
    fn the_rectifier_cuts_below_zero() {
        let dense = Dense::new(2, 2, &[1.0, 2.0, -3.0, 0.5], &[0.5, 0.25]);
        let mut y = [9.0; 4];
        dense.forward(&[1.0, 1.0, -1.0, -1.0], &mut y);
        assert_eq!(y, [3.5, -2.25, -2.5, 2.75]);
        dense.with_relu().forward(&[1.0, 1.0, -1.0, -1.0], &mut y);
        assert_eq!(y, [3.5, 0.0, 0.0, 2.75]);
    }

    #[test]
    fn agrees_with_the_reference_form() {
        let device = Device::flex();
        let rng = &mut seeded(6);
        let lstm = rounded(Lstm::new(5, 21, rng, &device));
        let x: Vec<f32> = (0..8 * 5).map(|_| normal(rng)).collect();
        let input = Tensor::from_data(TensorData::new(x.clone(), [8, 1, 5]), &device);
        let (_, state) = lstm.forward_reference(input, &LstmState::zeros(1, 21));
        let (cell, mut scratch) = (LstmCell::from(&lstm), Scratch::new());
        let (mut h, mut c) = (vec![0.0; 21], vec![0.0; 21]);
        x.chunks(5).for_each(|x| cell.step(x, &mut h, &mut c, &mut scratch));
        assert!(h.iter().zip(&state.h).chain(c.iter().zip(&state.c)).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
