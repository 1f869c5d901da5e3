//! A critic, and the penalty that holds the norm of its gradient at 1.
//!
//! ```text
//! D(x): z_l = W_l fold(h_{l-1}) + b_l,  h_l = s_l * z_l,  s_l = 1 where z_l > 0, else 0.2;  D = w h_L + b
//! grad D(x) = W_1' (s_1 * fold' (W_2' (s_2 * .. w)))
//! L_D = mean D(made) - mean D(real) + lambda mean (|grad D(between)| - 1)^2,    between = e real + (1 - e) made
//! ```
//!
//! `fold` lays neighbouring rows side by side: a convolution whose stride is its size is a reshape and a product. The slopes `s` do not change
//! where the input moves a little, so that the gradient is itself a forward pass through the transposed layers; it is written as one, and differentiating
//! it once more needs nothing but its own products.
//!
//! Source: M. Arjovsky, S. Chintala and L. Bottou, Wasserstein GAN, 2017, arXiv:1701.07875v3; I. Gulrajani et al., Improved Training of Wasserstein
//! GANs, 2017, arXiv:1704.00028v3, equation 3.

use crate::linear::Linear;
use crate::random::Rng;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};

/// The slope of a leaky rectifier below 0.
const LEAK: f32 = 0.2;
/// Keeps the root of a norm away from 0, where it has no slope.
const TINY: f32 = 1e-12;

/// A leaky rectifier, and its slopes, which are constants.
///
/// # Shapes
/// `[N, C]` -> `[N, C]`, `[N, C]`
pub fn leaky(z: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let slopes = z.clone().detach().greater_elem(0.0).float() * (1.0 - LEAK) + LEAK;
    (z * slopes.clone(), slopes)
}

/// Cells that sound where their logit is over 0, with the gradient of their probability: deterministic binary neurons.
///
/// Source: H.-W. Dong and Y.-H. Yang, Convolutional Generative Adversarial Networks with Binary Neurons, 2018, arXiv:1804.09399v3, section 3.
///
/// # Shapes
/// `[B, N]` -> `[B, N]`, 0 or 1
pub fn binary(logits: Tensor<2>) -> Tensor<2> {
    let chance = activation::sigmoid(logits.clone());
    let cells = logits.detach().greater_elem(0.0).float();
    chance.clone() + (cells - chance.detach())
}

/// What lies between two sets, so much of the first one as a share says.
///
/// # Shapes
/// `[B, N]`, `[B, N]`, `B` shares -> `[B, N]`
///
/// # Panics
/// If there are more or fewer shares.
pub fn between(real: Tensor<2>, made: Tensor<2>, shares: Vec<f32>) -> Tensor<2> {
    let shares = Tensor::<2>::from_data(TensorData::new(shares, [real.dims()[0], 1]), &real.device());
    made.clone() + (real - made) * shares
}

/// The mean square of what the norm of each row lies over or under 1.
///
/// # Shapes
/// `[B, N]` -> `[1]`
pub fn penalty(gradient: Tensor<2>) -> Tensor<1> {
    let norm = ((gradient.clone() * gradient).sum_dim(1) + TINY).sqrt();
    (norm - 1.0).powi_scalar(2).mean()
}

/// A critic: dense layers over ever more rows at once. At its second layer a linear view of what came in, such as pitch classes, is heard as well.
#[derive(Module, Debug)]
pub struct Critic {
    layers: Vec<Linear>,
    view: Option<Linear>,
    output: Linear,
}

/// What came of a forward pass.
#[derive(Debug)]
pub struct Judged {
    /// `[B, 1]`
    pub value: Tensor<2>,
    /// What the output layer reads: `[B, C]`
    pub features: Tensor<2>,
    /// Of each layer.
    slopes: Vec<Tensor<2>>,
}

impl Critic {
    /// Layers of these inputs and outputs, of which the last one has a row for each piece; `view` numbers are heard at the second, and `beside` the
    /// features the output reads so many more.
    pub fn new(sizes: &[(usize, usize)], view: usize, beside: usize, rng: &mut Rng, device: &Device) -> Critic {
        let features = sizes.last().map_or(1, |(_, output)| *output);
        Critic {
            layers: sizes.iter().map(|(input, output)| Linear::new(*input, *output, rng, device)).collect(),
            view: (view > 0).then(|| Linear::new(view, sizes[1].1, rng, device)),
            output: Linear::new(features + beside, 1, rng, device),
        }
    }

    /// `view` is the matrix of what is heard at the second layer: `[rows of its input, V]`.
    ///
    /// # Shapes
    /// `[B, N]` -> `[B, 1]`, where nothing stands beside the features
    ///
    /// # Panics
    /// If a layer's input does not divide what it reads.
    pub fn forward(&self, x: Tensor<2>, view: Option<&Tensor<2>>) -> Judged {
        let (features, slopes) = self.features(x, view);
        Judged { value: self.output.forward(features.clone()), features, slopes }
    }

    /// What the last layer says, and the slopes of all.
    fn features(&self, x: Tensor<2>, view: Option<&Tensor<2>>) -> (Tensor<2>, Vec<Tensor<2>>) {
        let mut slopes = Vec::with_capacity(self.layers.len());
        let mut h = x.clone();
        for (number, layer) in self.layers.iter().enumerate() {
            let mut z = layer.forward(folded(h, layer.input()));
            if let (1, Some(heard), Some(view)) = (number, &self.view, view) {
                z = z + heard.forward(folded(x.clone(), view.dims()[0]).matmul(view.clone()));
            }
            let (value, slope) = leaky(z);
            slopes.push(slope);
            h = value;
        }
        let width = self.layers.last().map_or(1, Linear::output);
        (folded(h, width), slopes)
    }

    /// The same where something stands beside the features.
    ///
    /// # Shapes
    /// `[B, N]` -> `[B, 1]`; `beside`: `[B, C]` -> `[B, D]`
    pub fn forward_with(&self, x: Tensor<2>, beside: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        let (features, _) = self.features(x, None);
        self.output.forward(Tensor::cat(vec![features.clone(), beside(features)], 1))
    }

    /// The gradient of each piece's value by what came in, as a forward pass.
    ///
    /// # Shapes
    /// of `B` pieces -> `[B, N]`
    pub fn gradient(&self, judged: &Judged, view: Option<&Tensor<2>>) -> Tensor<2> {
        let pieces = judged.value.dims()[0];
        let mut g = self.output.weight.val().repeat_dim(0, pieces);
        let mut heard = None;
        for (number, (layer, slopes)) in self.layers.iter().zip(&judged.slopes).enumerate().rev() {
            let dz = g.reshape(slopes.dims()) * slopes.clone();
            if let (1, Some(of_view), Some(view)) = (number, &self.view, view) {
                heard = Some(dz.clone().matmul(of_view.weight.val()).matmul(view.clone().transpose()));
            }
            g = dz.matmul(layer.weight.val());
        }
        let width = g.shape().num_elements() / pieces;
        let g = g.reshape([pieces, width]);
        heard.map_or(g.clone(), |heard| g + heard.reshape([pieces, width]))
    }

    /// The loss of a Wasserstein critic with its penalty, and how far it holds the two sets apart, `mean D(real) - mean D(made)`.
    ///
    /// # Shapes
    /// `[B, N]`, `[B, N]`, `B` shares -> `[1]`, `[1]`
    pub fn loss(
        &self,
        real: Tensor<2>,
        made: Tensor<2>,
        shares: Vec<f32>,
        view: Option<&Tensor<2>>,
        weight: f32,
    ) -> (Tensor<1>, Tensor<1>) {
        let pieces = real.dims()[0];
        // The slopes are constants: what leads to them needs no gradient.
        let middle = self.clone().no_grad().forward(between(real.clone(), made.clone(), shares), view);
        let penalty = penalty(self.gradient(&middle, view));
        let values = self.forward(Tensor::cat(vec![real, made], 0), view).value;
        let apart = values.clone().slice([0..pieces, 0..1]).mean() - values.slice([pieces..2 * pieces, 0..1]).mean();
        (penalty * weight - apart.clone(), apart)
    }
}

/// Neighbouring rows side by side, so that a row has `width` numbers.
fn folded(x: Tensor<2>, width: usize) -> Tensor<2> {
    let all = x.shape().num_elements();
    x.reshape([all / width, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{load_parameters, named_parameters, values_of};
    use crate::random::{normal, seeded};

    const H: f32 = 1e-2;

    fn tensor(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
    }

    /// Two pieces of four rows of three cells, a view of two numbers of two rows.
    fn critic(device: &Device) -> (Critic, Tensor<2>, Vec<f32>) {
        let rng = &mut seeded(5);
        let critic = Critic::new(&[(3, 4), (8, 5), (10, 3)], 2, 0, rng, device);
        let view: Vec<f32> = (0..6 * 2).map(|k| (k % 3) as f32 * 0.5).collect();
        let x: Vec<f32> = (0..2 * 12).map(|_| normal(rng)).collect();
        (critic, tensor(&view, [6, 2], device), x)
    }

    #[test]
    fn the_gradient_written_as_a_forward_pass_is_the_gradient() {
        let device = Device::flex().autodiff();
        let (critic, view, x) = critic(&device);
        let input = tensor(&x, [2, 12], &device).require_grad();
        let judged = critic.forward(input.clone(), Some(&view));
        let found = values_of(critic.gradient(&judged, Some(&view)));
        let gradients = judged.value.sum().backward();
        let expected = values_of(input.grad(&gradients).unwrap());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} {expected:?}");
        // And both are central differences.
        for k in 0..x.len() {
            let value = |by: f32| {
                let mut x = x.clone();
                x[k] += by;
                values_of(critic.forward(tensor(&x, [2, 12], &device), Some(&view)).value.sum())[0]
            };
            let slope = (value(1e-3) - value(-1e-3)) / 2e-3;
            assert!((slope - found[k]).abs() < 5e-3, "{k}: {slope} {}", found[k]);
        }
    }

    #[test]
    fn the_gradient_of_the_loss_is_central_differences() {
        let device = Device::flex().autodiff();
        let (critic, view, x) = critic(&device);
        let rng = &mut seeded(8);
        let made: Vec<f32> = (0..2 * 12).map(|_| normal(rng)).collect();
        let loss = |critic: &Critic| {
            let (real, made) = (tensor(&x, [2, 12], &device), tensor(&made, [2, 12], &device));
            critic.loss(real, made, vec![0.3, 0.8], Some(&view), 10.0).0
        };
        let gradients = loss(&critic).backward();
        let of = |parameter: &Tensor<2>| values_of(parameter.grad(&gradients).unwrap());
        let mut weights: Vec<(String, Vec<f32>)> = critic
            .layers
            .iter()
            .enumerate()
            .map(|(k, layer)| (format!("layers.{k}.weight"), of(&layer.weight.val())))
            .collect();
        weights.push(("view.weight".to_owned(), of(&critic.view.as_ref().unwrap().weight.val())));
        weights.push(("output.weight".to_owned(), of(&critic.output.weight.val())));
        let all = named_parameters(&critic);
        for (name, found) in weights {
            for (k, found) in found.iter().enumerate() {
                let value = |by: f32| {
                    let moved = load_parameters(critic.clone(), |other| {
                        let (_, shape, values) = all.iter().find(|(known, ..)| known == other)?;
                        let mut values = values.clone();
                        if other == name {
                            values[k] += by;
                        }
                        Some((shape.clone(), values))
                    });
                    f64::from(values_of(loss(&moved.unwrap()))[0])
                };
                let slope = (value(H / 10.0) - value(-H / 10.0)) / f64::from(H / 5.0);
                assert!((slope - f64::from(*found)).abs() < 0.02 * slope.abs().max(1.0), "{name} {k}: {slope} {found}");
            }
        }
    }

    #[test]
    fn a_gradient_of_length_one_costs_nothing() {
        let device = Device::flex();
        let cost = |values: &[f32]| values_of(penalty(tensor(values, [2, 2], &device)))[0];
        assert!(cost(&[1.0, 0.0, 0.6, 0.8]).abs() < 1e-6);
        assert!((cost(&[0.0, 0.0, 0.0, 3.0]) - 2.5).abs() < 1e-4);
    }

    #[test]
    fn binary_cells_have_the_gradient_of_their_chance() {
        let device = Device::flex().autodiff();
        let logits = tensor(&[-1.0, 0.5, 3.0, 0.0], [2, 2], &device).require_grad();
        let cells = binary(logits.clone());
        assert_eq!(values_of(cells.clone()), [0.0, 1.0, 1.0, 0.0]);
        let found = values_of(logits.grad(&cells.sum().backward()).unwrap());
        let expected = [-1.0f32, 0.5, 3.0, 0.0].map(|z| 1.0 / (1.0 + (-z).exp()) * (1.0 - 1.0 / (1.0 + (-z).exp())));
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }
}
