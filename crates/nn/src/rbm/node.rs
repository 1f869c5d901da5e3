//! Contrastive divergence as one node of burn's autodiff graph.

use super::{Chain, Contrast, PackedRbm};
use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, tensor, values};
use crate::product::{Factor, transposed_products};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use std::sync::Arc;

/// What goes beside the graph.
#[derive(Debug)]
pub struct Divergence {
    data: Vec<f32>,
    /// Each row's share of the mean.
    shares: Vec<f32>,
    chain: Chain,
}

/// Shared with the graph.
pub type SharedDivergence = Arc<Divergence>;

/// The backend operation; see [`super::Rbm::contrastive_divergence`].
#[backend_extension(Autodiff, Flex)]
pub trait RbmBackend: Backend {
    /// `[H, V]`, `[N, V]`, `[N, H]` -> `[1]`
    fn fused_divergence(
        weight: FloatTensor<Self>,
        visible_bias: FloatTensor<Self>,
        hidden_bias: FloatTensor<Self>,
        job: SharedDivergence,
    ) -> FloatTensor<Self>;
}

/// Derivatives by the three inputs.
#[derive(Clone, Debug)]
struct Derivatives {
    weight: FlexTensor,
    visible_bias: FlexTensor,
    hidden_bias: FlexTensor,
}

/// The loss, and its derivatives: with s the row's share, `s (v' - v)`, `s (h' - h)` and `sum s (h' v' - h v)`, where h are the hidden
/// units' probabilities given v, and a prime marks the sample.
fn run_job(weight: &FlexTensor, bv: &FlexTensor, bh: &FlexTensor, job: &Divergence) -> (FlexTensor, Derivatives) {
    let ([hidden, visible], rows) = (dims(weight), job.shares.len());
    let rbm = PackedRbm::new(visible, hidden, values(weight));
    let (bv, bh) = (values(bv), values(bh));
    // Data above, samples below: the derivative by W is one product over both.
    let mut v = Buffer::unspecified(2 * rows * visible);
    let mut h = Buffer::unspecified(2 * rows * hidden);
    let (data, sample) = v.split_at_mut(rows * visible);
    data.copy_from_slice(&job.data);
    sample.copy_from_slice(&job.data);
    rbm.gibbs(sample, bv, bh, job.chain);
    let (of_data, of_sample) = h.split_at_mut(rows * hidden);
    let below = rbm.free_energies_and_hidden(data, bv, bh, of_data);
    let above = rbm.free_energies_and_hidden(sample, bv, bh, of_sample);
    let loss: f64 = below.iter().zip(&above).zip(&job.shares).map(|((a, b), s)| f64::from(*s) * (a - b)).sum();
    for ((of_data, of_sample), share) in
        of_data.chunks_exact_mut(hidden.max(1)).zip(of_sample.chunks_exact_mut(hidden.max(1))).zip(&job.shares)
    {
        of_data.iter_mut().for_each(|h| *h *= -share);
        of_sample.iter_mut().for_each(|h| *h *= share);
    }
    let mut dw = Buffer::unspecified(hidden * visible);
    let factor = Factor { b: &v, n: visible, skip: 0, c: &mut dw, accumulate: false };
    transposed_products([2 * rows, hidden], &h, hidden, [factor]);
    let mut dbh = Buffer::unspecified(rows * hidden);
    let (of_data, of_sample) = h.split_at(rows * hidden);
    dbh.iter_mut().zip(of_data).zip(of_sample).for_each(|((d, a), b)| *d = a + b);
    let mut dbv = Buffer::unspecified(rows * visible);
    let (data, sample) = v.split_at(rows * visible);
    let each = dbv.chunks_exact_mut(visible.max(1)).zip(data.chunks_exact(visible.max(1)));
    for (((d, a), b), share) in each.zip(sample.chunks_exact(visible.max(1))).zip(&job.shares) {
        d.iter_mut().zip(a).zip(b).for_each(|((d, a), b)| *d = share * (b - a));
    }
    let derivatives = Derivatives {
        weight: tensor(dw, [hidden, visible]),
        visible_bias: tensor(dbv, [rows, visible]),
        hidden_bias: tensor(dbh, [rows, hidden]),
    };
    (tensor(Buffer::copy_of(&[loss as f32]), [1]), derivatives)
}

impl RbmBackend for Flex {
    fn fused_divergence(weight: FlexTensor, bv: FlexTensor, bh: FlexTensor, job: SharedDivergence) -> FlexTensor {
        run_job(&weight.to_contiguous(), &bv.to_contiguous(), &bh.to_contiguous(), &job).0
    }
}

#[derive(Debug)]
struct DivergenceBackward;

impl Backward<Flex, 3> for DivergenceBackward {
    type State = Derivatives;

    fn backward(self, ops: Ops<Derivatives, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = values(&grads.consume::<Flex>(&ops.node).to_contiguous())[0];
        let Derivatives { weight, visible_bias, hidden_bias } = ops.state;
        for (node, derivative) in ops.parents.into_iter().zip([weight, visible_bias, hidden_bias]) {
            if let Some(node) = node {
                let mut scaled = Buffer::copy_of(values(&derivative));
                scaled.iter_mut().for_each(|d| *d *= upstream);
                grads.register::<Flex>(node.id, tensor(scaled, dims::<2>(&derivative)));
            }
        }
    }
}

impl<C: CheckpointStrategy> RbmBackend for Autodiff<Flex, C> {
    fn fused_divergence(
        weight: FloatTensor<Self>,
        visible_bias: FloatTensor<Self>,
        hidden_bias: FloatTensor<Self>,
        job: SharedDivergence,
    ) -> FloatTensor<Self> {
        let nodes = [weight.node(), visible_bias.node(), hidden_bias.node()];
        let [weight, bv, bh] = [weight, visible_bias, hidden_bias].map(|t| t.into_primitive().to_contiguous());
        let (loss, derivatives) = run_job(&weight, &bv, &bh, &job);
        match DivergenceBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(derivatives, loss),
            OpsKind::UnTracked(prep) => prep.finish(loss),
        }
    }
}

/// Runs the node on burn's tensors.
pub(super) fn run(
    weight: Tensor<2>,
    visible_bias: Tensor<2>,
    hidden_bias: Tensor<2>,
    contrast: Contrast<'_>,
) -> Tensor<1> {
    let total: f64 = contrast.weights.iter().map(|w| f64::from(*w)).sum();
    let share = if total > 0.0 { 1.0 / total } else { 0.0 };
    let job = Arc::new(Divergence {
        data: contrast.data.to_vec(),
        shares: contrast.weights.iter().map(|w| (f64::from(*w) * share) as f32).collect(),
        chain: Chain::plain(contrast.steps, contrast.seed),
    });
    let loss = <Dispatch as RbmBackend>::fused_divergence(
        weight.into_dispatch(),
        visible_bias.into_dispatch(),
        hidden_bias.into_dispatch(),
        job,
    );
    Tensor::from_dispatch(loss)
}
