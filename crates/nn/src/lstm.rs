//! Long short-term memory over whole sequences, as one fused operation.
//!
//! ```text
//! i, f, o = sigmoid(W_ih x_t + W_hh h_(t-1) + b)      g = tanh(W_ih x_t + W_hh h_(t-1) + b)
//! c_t = f c_(t-1) + i g                               h_t = o tanh(c_t)
//! ```
//! each gate with its own quarter of the rows, in the order i, f, g, o.
//!
//! Source: Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997; the forget gate from
//! Gers, Schmidhuber and Cummins, Learning to Forget, Neural Computation 12(10), 2000. Layout as in PyTorch's
//! `nn.LSTM`. Departures: one bias in the place of PyTorch's two, whose sum is all that counts.
//!
//! Cost: 4H (I + H + 1) parameters; a training step makes 24 H (I + H) floating-point operations per position and
//! keeps 6H values for each until the backward pass.

mod gates;
mod kernel;
mod node;
mod reference;
#[cfg(test)]
mod tests;

pub(crate) use gates::{gradient, step, step_in_place};

use crate::flex::is_fused;
use crate::initial;
use crate::precision::Precision;
use crate::random::Rng;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// A layer of LSTM cells.
#[derive(Module, Debug)]
pub struct Lstm {
    /// `[4H, I]`
    pub w_ih: Param<Tensor<2>>,
    /// `[4H, H]`
    pub w_hh: Param<Tensor<2>>,
    /// `[4H]`
    pub bias: Param<Tensor<1>>,
    /// Of the fused form's products while it learns.
    #[module(skip)]
    precision: Precision,
}

/// The state of a batch between two sequences, outside of any graph: truncated back-propagation carries it along
/// without a gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct LstmState {
    batch: usize,
    hidden: usize,
    /// Outputs of the last step, `[B, H]` row by row.
    pub h: Vec<f32>,
    /// Cells after the last step, `[B, H]` row by row.
    pub c: Vec<f32>,
}

impl LstmState {
    /// The state at the start of a piece.
    pub fn zeros(batch: usize, hidden: usize) -> LstmState {
        LstmState { batch, hidden, h: vec![0.0; batch * hidden], c: vec![0.0; batch * hidden] }
    }

    /// Rows B.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Cells H of each row.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Puts row `b` back to the start of a piece.
    ///
    /// # Panics
    /// If there is no row `b`.
    pub fn reset_row(&mut self, b: usize) {
        assert!(b < self.batch, "row {b} of {}", self.batch);
        let row = b * self.hidden..(b + 1) * self.hidden;
        self.h[row.clone()].fill(0.0);
        self.c[row].fill(0.0);
    }
}

impl Lstm {
    /// A layer with fresh weights: `w_ih` uniform within `sqrt(6 / (I + H))` (Glorot's bound for each gate), `w_hh`
    /// orthogonal in each gate, biases zero but for the forget gate's, which are 1 (Jozefowicz et al., ICML 2015).
    /// These are Keras' choices taken gate by gate (Keras draws all four at once), and they train faster than PyTorch's uniform 1 / sqrt(H).
    pub fn new(input: usize, hidden: usize, rng: &mut Rng, device: &Device) -> Lstm {
        let w_ih = initial::glorot(rng, input, hidden, 4 * hidden * input);
        let w_hh: Vec<f32> = (0..4).flat_map(|_| initial::orthogonal(rng, hidden)).collect();
        let bias = (0..4 * hidden).map(|j| if (hidden..2 * hidden).contains(&j) { 1.0 } else { 0.0 }).collect();
        Lstm::of_values(w_ih, w_hh, bias, input, hidden, device)
    }

    /// A layer whose values are all uniform within `1 / sqrt(H)`, as PyTorch begins; its two biases are one here, their sum.
    pub fn uniform(input: usize, hidden: usize, rng: &mut Rng, device: &Device) -> Lstm {
        let mut uniform = |n| initial::inverse_root(rng, hidden, n);
        let (w_ih, w_hh) = (uniform(4 * hidden * input), uniform(4 * hidden * hidden));
        let (first, second) = (uniform(4 * hidden), uniform(4 * hidden));
        let bias = first.iter().zip(&second).map(|(a, b)| a + b).collect();
        Lstm::of_values(w_ih, w_hh, bias, input, hidden, device)
    }

    fn of_values(w_ih: Vec<f32>, w_hh: Vec<f32>, bias: Vec<f32>, input: usize, hidden: usize, device: &Device) -> Lstm {
        Lstm {
            w_ih: Param::from_data(TensorData::new(w_ih, [4 * hidden, input]), device),
            w_hh: Param::from_data(TensorData::new(w_hh, [4 * hidden, hidden]), device),
            bias: Param::from_data(TensorData::new::<f32, _>(bias, [4 * hidden]), device),
            precision: Precision::Single,
        }
    }

    /// The same layer, with products of another precision while it learns: on a device with autodiff.
    pub fn with_precision(self, precision: Precision) -> Lstm {
        Lstm { precision, ..self }
    }

    /// Features I of the input.
    pub fn input(&self) -> usize {
        self.w_ih.dims()[1]
    }

    /// Cells H.
    pub fn hidden(&self) -> usize {
        self.w_hh.dims()[1]
    }

    /// Runs the sequence from `state`; returns the outputs and the state after the last step.
    ///
    /// Row b of the batch depends on no other row, and stepping (T = 1, state carried) gives the same bits as the
    /// whole sequence, in either precision. No gradient flows into `state`.
    ///
    /// # Shapes
    /// `x`: `[T, B, I]` -> `[T, B, H]`
    ///
    /// # Panics
    /// If `x` or `state` does not fit the layer.
    pub fn forward(&self, x: Tensor<3>, state: &LstmState) -> (Tensor<3>, LstmState) {
        self.run(x, None, state, true)
    }

    /// [`forward`](Self::forward) with `added` on top of the gates' sums: the product of an input that several sequences, or all
    /// steps of this one, have in common, and that so is made once.
    ///
    /// # Shapes
    /// `x`: `[T, B, I]`, `added`: `[T, B, 4H]` or, the same at every step, `[1, B, 4H]` -> `[T, B, H]`
    ///
    /// # Panics
    /// If `x`, `added` or `state` does not fit the layer.
    pub fn forward_added(&self, x: Tensor<3>, added: Tensor<3>, state: &LstmState) -> (Tensor<3>, LstmState) {
        self.run(x, Some(added), state, true)
    }

    /// [`forward`](Self::forward) made of burn's own operations: works on every backend, many times slower.
    pub fn forward_reference(&self, x: Tensor<3>, state: &LstmState) -> (Tensor<3>, LstmState) {
        self.run(x, None, state, false)
    }

    fn run(&self, x: Tensor<3>, added: Option<Tensor<3>>, state: &LstmState, fused: bool) -> (Tensor<3>, LstmState) {
        self.check(&x, state);
        if let Some(added) = &added {
            let ([steps, batch, _], [at, rows, sums]) = (x.dims(), added.dims());
            let fits = (at == 1 || at == steps) && (rows, sums) == (batch, 4 * self.hidden());
            assert!(fits, "what is added to an LSTM's gates is {:?}", added.dims());
        }
        if fused && is_fused(&x) {
            return node::run(self, x, added, state);
        }
        reference::forward(self, x, added, state)
    }

    fn check(&self, x: &Tensor<3>, state: &LstmState) {
        let [_, batch, input] = x.dims();
        assert_eq!(input, self.input(), "features of the LSTM's input");
        assert_eq!((state.batch, state.hidden), (batch, self.hidden()), "rows and cells of the LSTM's state");
        assert_eq!((state.h.len(), state.c.len()), (batch * state.hidden, batch * state.hidden), "the LSTM's state");
    }
}
