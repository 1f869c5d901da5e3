//! The LSTM as one node of burn's autodiff graph.

use super::kernel::{self, Added, Saved, Shape, Weights};
use super::{Lstm, LstmState};
use crate::flex::{FlexTensor, dims, tensor, values};
use crate::precision::Precision;
use crate::simd::Pair;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use std::sync::{Arc, Mutex};

/// The state goes in and comes out beside the graph, as plain data.
pub type SharedState = Arc<Mutex<LstmState>>;

/// The backend operation; see [`crate::lstm::Lstm::forward`].
#[backend_extension(Autodiff, Flex)]
pub trait LstmBackend: Backend {
    /// `[T, B, I]`, what is added (`[1 or T, B, 4H]`, or empty for nothing) and parameters -> `[T, B, H]`; `state` is replaced by
    /// the final state.
    fn fused_lstm(
        x: FloatTensor<Self>,
        added: FloatTensor<Self>,
        w_ih: FloatTensor<Self>,
        w_hh: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        state: SharedState,
        precision: Precision,
    ) -> FloatTensor<Self>;
}

/// Inputs of the node, contiguous.
#[derive(Clone, Debug)]
struct Inputs {
    x: FlexTensor,
    added: FlexTensor,
    w_ih: FlexTensor,
    w_hh: FlexTensor,
    bias: FlexTensor,
    precision: Precision,
}

impl Inputs {
    fn new([x, added, w_ih, w_hh, bias]: [FlexTensor; 5], precision: Precision) -> Inputs {
        Inputs {
            x: x.to_contiguous(),
            added: added.to_contiguous(),
            w_ih: w_ih.to_contiguous(),
            w_hh: w_hh.to_contiguous(),
            bias: bias.to_contiguous(),
            precision,
        }
    }

    fn shape(&self) -> Shape {
        let [steps, batch, input] = dims(&self.x);
        let [_, hidden] = dims(&self.w_hh);
        Shape { steps, batch, input, hidden }
    }

    fn weights(&self) -> Weights<'_> {
        Weights { w_ih: values(&self.w_ih), w_hh: values(&self.w_hh), bias: values(&self.bias) }
    }

    fn forward(&self, state: &SharedState) -> (FlexTensor, Saved) {
        let shape = self.shape();
        let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let [steps, _, _] = dims(&self.added);
        let added = (steps > 0).then(|| Added { values: values(&self.added), steps });
        let forward = if self.precision.is_paired() { kernel::forward::<Pair> } else { kernel::forward::<f32> };
        let (y, saved, c) = forward(shape, values(&self.x), added, self.weights(), &state.h, &state.c);
        if shape.steps > 0 {
            state.h.copy_from_slice(&y[(shape.steps - 1) * shape.batch * shape.hidden..]);
            state.c = c;
        }
        (tensor(y, [shape.steps, shape.batch, shape.hidden]), saved)
    }
}

impl LstmBackend for Flex {
    fn fused_lstm(
        x: FlexTensor,
        added: FlexTensor,
        w_ih: FlexTensor,
        w_hh: FlexTensor,
        bias: FlexTensor,
        state: SharedState,
        _: Precision,
    ) -> FlexTensor {
        // Nothing is learnt here: what judges and composes does not round.
        Inputs::new([x, added, w_ih, w_hh, bias], Precision::Single).forward(&state).0
    }
}

/// What the graph keeps; burn wants it cloneable, and the backward pass runs at most once.
#[derive(Clone, Debug)]
struct Kept {
    inputs: Inputs,
    y: FlexTensor,
    saved: Arc<Mutex<Option<Saved>>>,
}

#[derive(Debug)]
struct LstmBackward;

impl Backward<Flex, 5> for LstmBackward {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let Kept { inputs, y, saved } = ops.state;
        let saved = saved.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let saved = saved.expect("burn runs each backward step once");
        let shape = inputs.shape();
        let [x, added, w_ih, w_hh, bias] = ops.parents;
        let backward = if inputs.precision.is_paired() { kernel::backward::<Pair> } else { kernel::backward::<f32> };
        let g = backward(shape, values(&inputs.x), inputs.weights(), values(&y), saved, values(&dy), x.is_some());
        let h4 = 4 * shape.hidden;
        if let (Some(node), Some(dx)) = (x, g.dx) {
            grads.register::<Flex>(node.id, tensor(dx, [shape.steps, shape.batch, shape.input]));
        }
        if let (Some(node), Some(d_added)) = (added, g.d_added) {
            grads.register::<Flex>(node.id, tensor(d_added, dims::<3>(&inputs.added)));
        }
        if let Some(node) = w_ih {
            grads.register::<Flex>(node.id, tensor(g.dw_ih, [h4, shape.input]));
        }
        if let Some(node) = w_hh {
            grads.register::<Flex>(node.id, tensor(g.dw_hh, [h4, shape.hidden]));
        }
        if let Some(node) = bias {
            grads.register::<Flex>(node.id, tensor(g.db, [h4]));
        }
    }
}

impl<C: CheckpointStrategy> LstmBackend for Autodiff<Flex, C> {
    fn fused_lstm(
        x: FloatTensor<Self>,
        added: FloatTensor<Self>,
        w_ih: FloatTensor<Self>,
        w_hh: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        state: SharedState,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let all = [x, added, w_ih, w_hh, bias];
        let nodes = all.each_ref().map(|tensor| tensor.node());
        let inputs = Inputs::new(all.map(|tensor| tensor.into_primitive()), precision);
        match LstmBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (y, saved) = inputs.forward(&state);
                let kept = Kept { inputs, y: y.clone(), saved: Arc::new(Mutex::new(Some(saved))) };
                prep.finish(kept, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(inputs.forward(&state).0),
        }
    }
}

/// Runs the node on burn's tensors.
pub(super) fn run(lstm: &Lstm, x: Tensor<3>, added: Option<Tensor<3>>, state: &LstmState) -> (Tensor<3>, LstmState) {
    let shared = Arc::new(Mutex::new(state.clone()));
    let added = added.unwrap_or_else(|| Tensor::zeros([0, 0, 0], &x.device()));
    let y = <Dispatch as LstmBackend>::fused_lstm(
        x.into_dispatch(),
        added.into_dispatch(),
        lstm.w_ih.val().into_dispatch(),
        lstm.w_hh.val().into_dispatch(),
        lstm.bias.val().into_dispatch(),
        shared.clone(),
        lstm.precision,
    );
    let state = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    (Tensor::from_dispatch(y), state)
}
