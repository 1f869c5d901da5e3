//! Fused layers, losses and optimisers over burn; no music.
//!
//! burn carries modules, tensors and the autodiff graph; what a network spends its time in is computed here, by kernels
//! that take part in the graph as one node each and choose their vector instructions at run time ([`simd`]). Each
//! comes with a form made of burn's own operations, which serves other backends and checks the kernel in tests.
//!
//! Nothing here knows of music, touches a file or a clock, or draws a random number that the caller did not seed.

pub mod buffer;
mod flex;
pub mod initial;
pub mod lstm;
pub mod packed;
mod product;
pub mod random;
pub mod simd;
