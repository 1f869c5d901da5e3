//! Logits of tokens that have traits in common: to each token's own logit is added that of its class, of each trait, which depends on where
//! the token would stand. One node, forward and back; burn's own `gather` and its scatter take three times as long as the network.

use crate::buffer::Buffer;
use crate::flex::{FlexTensor, dims, is_fused, tensor, values};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Int, Tensor, TensorData};
use std::sync::Arc;

/// To each of V tokens' logits those outputs are added that `added` names.
///
/// # Shapes
/// `outputs`: `[N, O]`, a token's logit first, then those of classes; `added`: `[N, V, K]`, each below O -> `[N, V]`
///
/// # Panics
/// If there are not N * V * K indices, or one is not below O.
pub fn with_traits(outputs: Tensor<2>, tokens: usize, traits: usize, added: &Arc<[u32]>) -> Tensor<2> {
    let [n, all] = outputs.dims();
    assert_eq!(added.len(), n * tokens * traits, "indices of {traits} traits of {n} times {tokens} tokens");
    assert!(added.iter().all(|output| (*output as usize) < all), "an output beyond {all}");
    if !is_fused(&outputs) {
        let device = outputs.device();
        let own = outputs.clone().slice([0..n, 0..tokens]);
        return (0..traits).fold(own, |logits, k| {
            let indices: Vec<i64> = added.iter().skip(k).step_by(traits).map(|output| i64::from(*output)).collect();
            let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [n, tokens]), &device);
            logits + outputs.clone().gather(1, indices)
        });
    }
    let given = Given { tokens, traits, added: Arc::clone(added) };
    Tensor::from_dispatch(<Dispatch as TraitsBackend>::fused_traits(outputs.into_dispatch(), given))
}

/// What is added to what.
#[derive(Clone, Debug)]
pub struct Given {
    tokens: usize,
    traits: usize,
    added: Arc<[u32]>,
}

/// The backend operation; see [`with_traits`].
#[backend_extension(Autodiff, Flex)]
pub trait TraitsBackend: Backend {
    /// `[N, O]` -> `[N, V]`
    fn fused_traits(outputs: FloatTensor<Self>, given: Given) -> FloatTensor<Self>;
}

fn add(outputs: &FlexTensor, given: &Given) -> FlexTensor {
    let [n, all] = dims(outputs);
    let Given { tokens, traits, added } = given;
    let mut logits = Buffer::unspecified(n * tokens);
    let rows = values(outputs).chunks_exact(all.max(1)).zip(added.chunks_exact((tokens * traits).max(1)));
    for (logits, (outputs, added)) in logits.chunks_exact_mut((*tokens).max(1)).zip(rows) {
        for ((logit, own), added) in logits.iter_mut().zip(outputs).zip(added.chunks_exact((*traits).max(1))) {
            *logit = added.iter().fold(*own, |sum, output| sum + outputs[*output as usize]);
        }
    }
    tensor(logits, [n, *tokens])
}

impl TraitsBackend for Flex {
    fn fused_traits(outputs: FlexTensor, given: Given) -> FlexTensor {
        add(&outputs.to_contiguous(), &given)
    }
}

#[derive(Debug)]
struct TraitsBackward;

impl Backward<Flex, 1> for TraitsBackward {
    type State = ([usize; 2], Given);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([n, all], Given { tokens, traits, added }) = ops.state;
        let [to_outputs] = ops.parents;
        if let Some(node) = to_outputs {
            let mut gradient = Buffer::zeros(n * all);
            let rows = values(&dy).chunks_exact(tokens.max(1)).zip(added.chunks_exact((tokens * traits).max(1)));
            for (gradient, (dy, added)) in gradient.chunks_exact_mut(all.max(1)).zip(rows) {
                gradient[..tokens].copy_from_slice(dy);
                for (d, added) in dy.iter().zip(added.chunks_exact(traits.max(1))) {
                    added.iter().for_each(|output| gradient[*output as usize] += d);
                }
            }
            grads.register::<Flex>(node.id, tensor(gradient, [n, all]));
        }
    }
}

impl<C: CheckpointStrategy> TraitsBackend for Autodiff<Flex, C> {
    fn fused_traits(outputs: FloatTensor<Self>, given: Given) -> FloatTensor<Self> {
        let nodes = [outputs.node()];
        let outputs = outputs.into_primitive().to_contiguous();
        let y = add(&outputs, &given);
        match TraitsBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((dims(&outputs), given), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::values_of;
    use crate::random::{below, normal, seeded};
    use burn::tensor::Device;

    #[test]
    fn equals_burns_own_gather_with_its_gradient() {
        let device = Device::flex().autodiff();
        let rng = &mut seeded(5);
        let (n, tokens, all, traits) = (4, 3, 8, 2);
        let mut random = |count: usize| -> Vec<f32> { (0..count).map(|_| normal(rng)).collect() };
        let outputs = Tensor::<2>::from_data(TensorData::new(random(n * all), [n, all]), &device).require_grad();
        let direction = Tensor::<2>::from_data(TensorData::new(random(n * tokens), [n, tokens]), &device);
        // A token's own logit may be named, and one output by several tokens.
        let added: Arc<[u32]> = (0..n * tokens * traits).map(|_| below(rng, all) as u32).collect();
        let run = |y: Tensor<2>| {
            let grads = (y.clone() * direction.clone()).sum().backward();
            (values_of(y), values_of(outputs.grad(&grads).unwrap()))
        };
        let (y, dy) = run(with_traits(outputs.clone(), tokens, traits, &added));
        let own = outputs.clone().slice([0..n, 0..tokens]);
        let expected = (0..traits).fold(own, |sum, k| {
            let indices: Vec<i64> = added.iter().skip(k).step_by(traits).map(|output| i64::from(*output)).collect();
            let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [n, tokens]), &device);
            sum + outputs.clone().gather(1, indices)
        });
        let (expected, d_expected) = run(expected);
        assert!(y.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{y:?} {expected:?}");
        assert!(dy.iter().zip(&d_expected).all(|(a, b)| (a - b).abs() < 1e-6), "{dy:?} {d_expected:?}");
    }

    #[test]
    #[should_panic(expected = "beyond 2")]
    fn an_unknown_output_is_refused() {
        let outputs = Tensor::<2>::zeros([1, 2], &Device::flex());
        with_traits(outputs, 1, 1, &vec![2].into());
    }
}
