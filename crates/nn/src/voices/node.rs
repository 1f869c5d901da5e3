//! The voices as one node of burn's autodiff graph.

use super::kernel::{self, OwnedTargets, Saved, Shape, Weights};
use super::{Prediction, Targets, Voices};
use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, tensor, values};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use std::sync::{Arc, Mutex, PoisonError};

/// What came of a batch goes out beside the graph.
pub type SharedPrediction = Arc<Mutex<Option<Prediction>>>;

/// The backend operation; see [`Voices::forward`].
#[backend_extension(Autodiff, Flex)]
pub trait VoicesBackend: Backend {
    /// `[T, B, F]` and parameters -> `[1]`
    #[allow(clippy::too_many_arguments)]
    fn fused_voices(
        features: FloatTensor<Self>,
        w_ih: FloatTensor<Self>,
        w_hh: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        w_out: FloatTensor<Self>,
        b_out: FloatTensor<Self>,
        targets: OwnedTargets,
        prediction: SharedPrediction,
    ) -> FloatTensor<Self>;
}

/// Inputs of the node, contiguous: features, then parameters.
#[derive(Clone, Debug)]
struct Inputs {
    tensors: [FlexTensor; 6],
    shape: Shape,
}

impl Inputs {
    fn new(tensors: [FlexTensor; 6], targets: &OwnedTargets) -> Inputs {
        let tensors = tensors.map(|tensor| tensor.to_contiguous());
        let ([steps, batch, features], [_, hidden]) = (dims(&tensors[0]), dims(&tensors[2]));
        let OwnedTargets { items, voices, rule, .. } = *targets;
        Inputs { tensors, shape: Shape { steps, batch, features, items, hidden, voices, rule } }
    }

    fn weights(&self) -> Weights<'_> {
        let [_, w_ih, w_hh, bias, w_out, b_out] = &self.tensors;
        Weights {
            w_ih: values(w_ih),
            w_hh: values(w_hh),
            bias: values(bias),
            w_out: values(w_out),
            b_out: values(b_out),
        }
    }

    fn forward(&self, targets: &OwnedTargets, prediction: &SharedPrediction) -> (FlexTensor, Saved) {
        let (saved, found) = kernel::forward(self.shape, values(&self.tensors[0]), self.weights(), targets);
        let figures = found.figures;
        *prediction.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        let mean = if figures.counted > 0.0 { figures.nats / figures.counted } else { 0.0 };
        (tensor(Buffer::copy_of(&[mean as f32]), [1]), saved)
    }
}

impl VoicesBackend for Flex {
    fn fused_voices(
        features: FlexTensor,
        w_ih: FlexTensor,
        w_hh: FlexTensor,
        bias: FlexTensor,
        w_out: FlexTensor,
        b_out: FlexTensor,
        targets: OwnedTargets,
        prediction: SharedPrediction,
    ) -> FlexTensor {
        Inputs::new([features, w_ih, w_hh, bias, w_out, b_out], &targets).forward(&targets, &prediction).0
    }
}

/// What the graph keeps; burn wants it cloneable, and the backward pass runs at most once.
#[derive(Clone, Debug)]
struct Kept {
    inputs: Inputs,
    saved: Arc<Mutex<Option<Saved>>>,
}

#[derive(Debug)]
struct VoicesBackward;

impl Backward<Flex, 6> for VoicesBackward {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 6>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = values(&grads.consume::<Flex>(&ops.node).to_contiguous())[0];
        let Kept { inputs, saved } = ops.state;
        let saved = saved.lock().unwrap_or_else(PoisonError::into_inner).take();
        let saved = saved.expect("burn runs each backward step once");
        let want_features = ops.parents[0].is_some();
        let (shape, features) = (inputs.shape, values(&inputs.tensors[0]));
        let found = kernel::backward(shape, features, inputs.weights(), saved, upstream, want_features);
        let parameters = [found.w_ih, found.w_hh, found.bias, found.w_out, found.b_out].map(Some);
        let gradients = [found.features].into_iter().chain(parameters);
        for ((node, gradient), input) in ops.parents.into_iter().zip(gradients).zip(&inputs.tensors) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                let gradient = match input.layout().shape().num_dims() {
                    1 => tensor(gradient, dims::<1>(input)),
                    2 => tensor(gradient, dims::<2>(input)),
                    _ => tensor(gradient, dims::<3>(input)),
                };
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> VoicesBackend for Autodiff<Flex, C> {
    fn fused_voices(
        features: FloatTensor<Self>,
        w_ih: FloatTensor<Self>,
        w_hh: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        w_out: FloatTensor<Self>,
        b_out: FloatTensor<Self>,
        targets: OwnedTargets,
        prediction: SharedPrediction,
    ) -> FloatTensor<Self> {
        let tensors = [features, w_ih, w_hh, bias, w_out, b_out];
        let nodes = tensors.each_ref().map(|tensor| tensor.node());
        let inputs = Inputs::new(tensors.map(|tensor| tensor.into_primitive()), &targets);
        let (loss, saved) = inputs.forward(&targets, &prediction);
        match VoicesBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(Kept { inputs, saved: Arc::new(Mutex::new(Some(saved))) }, loss),
            OpsKind::UnTracked(prep) => prep.finish(loss),
        }
    }
}

/// Runs the node on burn's tensors.
pub(super) fn run(voices: &Voices, features: Tensor<3>, targets: Targets<'_>) -> (Tensor<1>, Prediction) {
    let prediction = SharedPrediction::default();
    let loss = <Dispatch as VoicesBackend>::fused_voices(
        features.into_dispatch(),
        voices.lstm.w_ih.val().into_dispatch(),
        voices.lstm.w_hh.val().into_dispatch(),
        voices.lstm.bias.val().into_dispatch(),
        voices.outcome.weight.val().into_dispatch(),
        voices.outcome.bias.val().into_dispatch(),
        targets.into(),
        prediction.clone(),
    );
    let found = prediction.lock().unwrap_or_else(PoisonError::into_inner).take();
    (Tensor::from_dispatch(loss), found.expect("the operation has run"))
}
