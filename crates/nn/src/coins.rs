//! Coins that a network tosses: yes or no, given features of a row and what kind of decision it is.
//!
//! A row (a step of a sequence, say) may have any number of decisions, none or many. Each is known by classes, one of each of G groups:
//!
//! ```text
//! P(yes) = sigmoid(v relu(S f + s + sum_g C[class_g]) + b)
//! ```
//! where f are the row's features; the product with S is made once a row. A decision may depend on those before it by its classes, so
//! that the decisions of a row, taken in order, are an exact joint distribution.
//!
//! Cost: a row `F H` multiplications, a decision `(G + 1) H`; three times as much in training.

use crate::buffer::Buffer;
use crate::given_gradient::given_gradient;
use crate::inference::Dense;
use crate::initial;
use crate::linear::Linear;
use crate::logistic::softplus_and_sigmoid;
use crate::params::values_of;
use crate::random::Rng;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// The sizes of a network that tosses coins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoinShape {
    /// Features F of a row.
    pub features: usize,
    /// Hidden units H.
    pub hidden: usize,
    /// Classes K of all groups together.
    pub classes: usize,
}

/// A decision, and how it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toss<const G: usize> {
    /// The row whose features bear on it.
    pub row: usize,
    /// Its classes, each below K.
    pub classes: [usize; G],
    /// What came up.
    pub is_yes: bool,
}

/// A network that tosses coins.
#[derive(Module, Debug)]
pub struct Coins {
    /// S, s: `[H, F]`
    state: Linear,
    /// C: `[K, H]`
    classes: Param<Tensor<2>>,
    /// v, b: `[1, H]`
    output: Linear,
}

impl Coins {
    /// A network that has learnt nothing but how often a coin says yes, 0-1.
    pub fn new(shape: CoinShape, frequency: f32, rng: &mut Rng, device: &Device) -> Coins {
        let CoinShape { features, hidden, classes } = shape;
        let state = Linear::new(features, hidden, rng, device);
        let values = initial::gaussian(rng, 0.1, classes * hidden);
        let frequency = frequency.clamp(1e-3, 1.0 - 1e-3);
        Coins {
            state,
            classes: Param::from_data(TensorData::new(values, [classes, hidden]), device),
            output: Linear::with_bias(hidden, &[(frequency / (1.0 - frequency)).ln()], rng, device),
        }
    }

    /// The negative log-likelihood of the tosses, divided by `units`, and their nats as they are.
    ///
    /// # Shapes
    /// `features`: `[N, F]` -> `[1]`
    /// # Units
    /// nats per unit
    /// # Panics
    /// If a toss has a row or a class that is not there.
    pub fn loss<const G: usize>(&self, features: Tensor<2>, tosses: &[Toss<G>], units: f64) -> (Tensor<1>, f64) {
        let device = features.device();
        let states = self.state.forward(features);
        let hidden = self.output.input();
        let (of_states, classes) = (values_of(states.clone()), values_of(self.classes.val()));
        let (output, bias) = (values_of(self.output.weight.val()), values_of(self.output.bias.val())[0]);
        let (mut to_states, mut to_classes) = (Buffer::zeros(of_states.len()), Buffer::zeros(classes.len()));
        let (mut to_output, mut to_bias) = (Buffer::zeros(hidden), Buffer::zeros(1));
        let (mut x, mut nats) = (vec![0.0; hidden], 0.0);
        let share = if units > 0.0 { (1.0 / units) as f32 } else { 0.0 };
        for toss in tosses {
            let state = &of_states[toss.row * hidden..][..hidden];
            x.iter_mut().zip(excited(state, &classes, &toss.classes)).for_each(|(x, unit)| *x = unit);
            let z = bias + x.iter().zip(&output).map(|(x, v)| x * v).sum::<f32>();
            let (of_toss, p) = judged(z, toss.is_yes);
            nats += of_toss;
            let to_z = share * (p - f32::from(u8::from(toss.is_yes)));
            to_bias[0] += to_z;
            for ((to, x), v) in to_output.iter_mut().zip(&mut x).zip(&output) {
                *to += to_z * *x;
                *x = if *x > 0.0 { to_z * v } else { 0.0 };
            }
            let add = |to: &mut [f32]| to.iter_mut().zip(&x).for_each(|(to, x)| *to += x);
            add(&mut to_states[toss.row * hidden..][..hidden]);
            toss.classes.iter().for_each(|class| add(&mut to_classes[class * hidden..][..hidden]));
        }
        let mut loss = Tensor::<1>::from_data([(nats * f64::from(share)) as f32], &device);
        loss = loss + given_gradient(states, to_states) + given_gradient(self.classes.val(), to_classes);
        loss = loss + given_gradient(self.output.weight.val(), to_output);
        (loss + given_gradient(self.output.bias.val(), to_bias), nats)
    }
}

/// What the hidden units give.
fn excited<const G: usize>(state: &[f32], classes: &[f32], picked: &[usize; G]) -> impl Iterator<Item = f32> {
    let rows = picked.map(|class| &classes[class * state.len()..][..state.len()]);
    state.iter().enumerate().map(move |(unit, x)| rows.iter().fold(*x, |x, row| x + row[unit]).max(0.0))
}

/// Nats of what came up, and the probability of yes.
fn judged(z: f32, is_yes: bool) -> (f64, f32) {
    let (no, p) = softplus_and_sigmoid::<false>(z);
    (f64::from(if is_yes { no - z } else { no }).max(0.0), p)
}

/// The trained form, outside of any graph.
#[derive(Clone, Debug)]
pub struct CoinTosser {
    state: Dense,
    classes: Vec<f32>,
    output: Vec<f32>,
    bias: f32,
}

impl CoinTosser {
    /// From the parameters of [`Coins`]: `tensor` gives those of a name, which must have a shape.
    ///
    /// # Errors
    /// Those of `tensor`.
    pub fn new<'t, E>(
        shape: CoinShape,
        tensor: impl Fn(&str, &[usize]) -> Result<&'t [f32], E>,
    ) -> Result<CoinTosser, E> {
        let CoinShape { features, hidden, classes } = shape;
        let (weight, bias) = (tensor("state.weight", &[hidden, features])?, tensor("state.bias", &[hidden])?);
        Ok(CoinTosser {
            state: Dense::new(features, hidden, weight, bias),
            classes: tensor("classes", &[classes, hidden])?.to_vec(),
            output: tensor("output.weight", &[1, hidden])?.to_vec(),
            bias: tensor("output.bias", &[1])?[0],
        })
    }

    /// What the hidden units see of rows.
    ///
    /// # Shapes
    /// `features`: `[n, F]` -> `[n, H]`
    pub fn states(&self, features: &[f32]) -> Vec<f32> {
        let mut states = vec![0.0; features.len() / self.state.input().max(1) * self.output.len()];
        self.state.forward(features, &mut states);
        states
    }

    /// The probability of yes, 0-1, given what [`CoinTosser::states`] made of the row.
    ///
    /// # Shapes
    /// `state`: `[H]`
    pub fn probability<const G: usize>(&self, state: &[f32], classes: &[usize; G]) -> f32 {
        judged(self.logit(state, classes), true).1
    }

    /// The nats of a toss of these rows.
    ///
    /// # Shapes
    /// `states`: `[n, H]`
    pub fn nats<const G: usize>(&self, states: &[f32], toss: &Toss<G>) -> f64 {
        let hidden = self.output.len();
        judged(self.logit(&states[toss.row * hidden..][..hidden], &toss.classes), toss.is_yes).0
    }

    fn logit<const G: usize>(&self, state: &[f32], classes: &[usize; G]) -> f32 {
        self.bias + excited(state, &self.classes, classes).zip(&self.output).map(|(x, v)| x * v).sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{load_parameters, named_parameters};
    use crate::random::{below, normal, seeded};

    const SHAPE: CoinShape = CoinShape { features: 5, hidden: 7, classes: 6 };

    fn tosses(rng: &mut Rng, rows: usize) -> Vec<Toss<2>> {
        (0..3 * rows)
            .map(|_| Toss {
                row: below(rng, rows),
                classes: [below(rng, 4), 4 + below(rng, 2)],
                is_yes: below(rng, 2) == 1,
            })
            .collect()
    }

    fn features(rng: &mut Rng, rows: usize) -> Vec<f32> {
        (0..rows * SHAPE.features).map(|_| normal(rng)).collect()
    }

    #[test]
    fn gradients_equal_central_differences() {
        let device = Device::flex().autodiff();
        let rng = &mut seeded(3);
        let coins = Coins::new(SHAPE, 0.2, rng, &device);
        let (values, tosses) = (features(rng, 4), tosses(rng, 4));
        let input = |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [4, 5]), &device);
        let x = input(&values).require_grad();
        let (loss, nats) = coins.loss(x.clone(), &tosses, 3.0);
        assert!((f64::from(values_of(loss.clone())[0]) - nats / 3.0).abs() < 1e-6);
        let grads = loss.backward();
        let nats_of = |coins: &Coins, values: &[f32]| coins.loss(input(values), &tosses, 3.0).1 / 3.0;
        let step = 1e-2f32;
        let close = |found: f32, above: f64, below: f64| {
            let expected = (above - below) / f64::from(2.0 * step);
            assert!((f64::from(found) - expected).abs() < 2e-3 + 0.01 * expected.abs(), "{found} {expected}");
        };
        for (k, found) in values_of(x.grad(&grads).unwrap()).into_iter().enumerate() {
            let at = |by: f32| {
                let mut moved = values.clone();
                moved[k] += by;
                nats_of(&coins, &moved)
            };
            close(found, at(step), at(-step));
        }
        let found = [
            ("state.weight", values_of(coins.state.weight.val().grad(&grads).unwrap())),
            ("state.bias", values_of(coins.state.bias.val().grad(&grads).unwrap())),
            ("classes", values_of(coins.classes.val().grad(&grads).unwrap())),
            ("output.weight", values_of(coins.output.weight.val().grad(&grads).unwrap())),
            ("output.bias", values_of(coins.output.bias.val().grad(&grads).unwrap())),
        ];
        let parameters = named_parameters(&coins);
        assert_eq!(parameters.len(), found.len());
        for (name, gradient) in found {
            for (k, found) in gradient.into_iter().enumerate() {
                let at = |by: f32| {
                    let lookup = |wanted: &str| {
                        let (_, shape, values) = parameters.iter().find(|(known, ..)| known == wanted)?;
                        let mut values = values.clone();
                        if wanted == name {
                            values[k] += by;
                        }
                        Some((shape.clone(), values))
                    };
                    nats_of(&load_parameters(coins.clone(), lookup).unwrap(), &values)
                };
                close(found, at(step), at(-step));
            }
        }
    }

    #[test]
    fn the_trained_form_gives_the_same_nats() {
        let device = Device::flex();
        let rng = &mut seeded(5);
        let coins = Coins::new(SHAPE, 0.3, rng, &device);
        let parameters = named_parameters(&coins);
        let tosser = CoinTosser::new(SHAPE, |name, shape| {
            let (_, found, values) = parameters.iter().find(|(known, ..)| known == name).ok_or(())?;
            (found == shape).then_some(&values[..]).ok_or(())
        });
        let tosser = tosser.unwrap();
        let (values, tosses) = (features(rng, 6), tosses(rng, 6));
        let input = Tensor::<2>::from_data(TensorData::new(values.clone(), [6, 5]), &device);
        let expected = coins.loss(input, &tosses, 1.0).1;
        let states = tosser.states(&values);
        let found: f64 = tosses.iter().map(|toss| tosser.nats(&states, toss)).sum();
        // Weights are rounded to 16 bits.
        assert!((found - expected).abs() < 1e-3 * expected, "{found} {expected}");
        for toss in &tosses {
            let p = tosser.probability(&states[toss.row * 7..][..7], &toss.classes);
            let given = if toss.is_yes { p } else { 1.0 - p };
            assert!((f64::from(given) - (-tosser.nats(&states, toss)).exp()).abs() < 1e-6);
        }
    }

    #[test]
    fn it_begins_with_a_frequency_and_learns_nothing_from_no_toss() {
        let device = Device::flex().autodiff();
        let coins = Coins::new(SHAPE, 0.2, &mut seeded(1), &device);
        let none: [Toss<2>; 0] = [];
        let x = Tensor::<2>::zeros([3, 5], &device).require_grad();
        let (loss, nats) = coins.loss(x.clone(), &none, 0.0);
        assert_eq!((values_of(loss.clone()), nats), (vec![0.0], 0.0));
        assert!(values_of(x.grad(&loss.backward()).unwrap()).iter().all(|g| *g == 0.0));
        assert!((values_of(coins.output.bias.val())[0] - (0.25f32).ln()).abs() < 1e-6);
    }
}
