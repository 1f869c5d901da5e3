//! Fused layers, losses and optimisers over burn; no music.
//!
//! burn carries modules, tensors and the autodiff graph; what a network spends its time in is computed here, by kernels
//! that take part in the graph as one node each and choose their vector instructions at run time ([`simd`]). Each
//! comes with a form made of burn's own operations, which serves other backends and checks the kernel in tests.
//!
//! Nothing here knows of music, touches a file or a clock, or draws a random number that the caller did not seed.

pub mod batch_norm;
pub mod bernoulli;
pub mod buffer;
pub mod cascade;
pub mod coins;
pub mod critic;
pub mod cross_entropy;
pub mod dropout;
pub mod embedding;
mod flex;

pub mod gaussian;
pub mod given_gradient;
pub mod inference;
pub mod initial;
pub mod joint;
pub mod lag_attention;
pub mod linear;
mod logistic;
pub mod lstm;
pub mod minibatch;
pub mod optimizer;
pub mod packed;
pub mod params;
mod plane;
pub mod precision;
mod product;
pub mod random;
pub mod rbm;
pub mod simd;
pub mod suffix;
mod tile;
pub mod traits;
pub mod voices;
