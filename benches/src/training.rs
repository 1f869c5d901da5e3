//! Whole training steps: forward, loss, backward and Adam, through the layers and the optimiser of our own trainer.

use crate::Common;
use crate::clock::Contender;
use crate::memory::most_resident;
use crate::networks::{LstmComposer, OctaveData, OctaveShape, VOCABULARY};
use crate::peak;
use crate::report::Report;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::precision::Precision;
use cantus_nn::random::{below, seeded};
use std::io::{Error, Result};

/// W1: 50 windows of 100 tokens, as in the article.
const W1: (usize, usize) = (100, 50);
/// W2: 140 fragments of 256 steps, as in the thesis.
const W2: (usize, usize) = (256, 140);

/// A step of Adam on what `loss` gives for the network and the number of the step.
fn stepper<'a, M: Module + 'a>(network: M, loss: impl Fn(&M, u64) -> Tensor<1> + 'a) -> impl FnMut() + 'a {
    let (mut network, mut optimizer, mut step) = (Some(network), Optimizer::new(Rule::adam()), 0);
    move || {
        let Some(model) = network.take() else { unreachable!("put back below") };
        let gradients = loss(&model, step).backward();
        let (model, report) = optimizer.step(model, gradients, 1e-3);
        assert!(report.finite);
        network = Some(model);
        step += 1;
    }
}

/// Both precisions, where the processor knows the second.
fn precisions() -> impl Iterator<Item = (Precision, &'static str)> {
    let all = [(Precision::Single, "ours"), (Precision::Half, "ours, products of 16 bits")];
    all.into_iter().filter(|(precision, _)| *precision == Precision::Single || precision.is_paired())
}

fn w1_step(precision: Precision) -> (impl FnMut(), usize) {
    let (steps, batch) = W1;
    let rng = &mut seeded(1);
    let network = LstmComposer::new(precision, rng, &Device::flex().autodiff());
    let needed = network.bytes_needed(steps, batch);
    let tokens: Vec<u32> = (0..steps * batch).map(|_| below(rng, VOCABULARY) as u32).collect();
    let targets: Vec<u32> = (0..batch).map(|_| below(rng, VOCABULARY) as u32).collect();
    (stepper(network, move |network, step| network.loss(&tokens, &targets, steps, step)), needed)
}

/// The LSTM composer's step.
pub fn w1(common: &Common) -> Result<Report> {
    let flops = LstmComposer::flops(W1.0, W1.1);
    let ours = |(precision, name)| Contender::timed(name, 1, w1_step(precision).0).with_flops(flops);
    let mut contenders: Vec<Contender> = precisions().map(ours).collect();
    contenders.push(peak::contender());
    let threads = common.threads.to_string();
    if let Some(peer) = common.peer("PyTorch, tuned allocator", "torch_peer.py", &["w1", &threads])? {
        contenders.push(peer.with_flops(flops));
    }
    Ok(common.race("w1", "milliseconds a training step, 50 x 100 tokens", contenders, Vec::new()))
}

/// The octave composer's recurrent parts.
pub fn w2(common: &Common) -> Result<Report> {
    let (steps, batch) = W2;
    let device = Device::flex().autodiff();
    let flops = OctaveShape::flops(steps, batch);
    let ours = |(precision, name)| {
        let rng = &mut seeded(1);
        let (network, data) = (OctaveShape::new(precision, rng, &device), OctaveData::new(steps, batch, rng, &device));
        Contender::timed(name, 1, stepper(network, move |network, _| network.loss(&data))).with_flops(flops)
    };
    let mut contenders: Vec<Contender> = precisions().map(ours).collect();
    contenders.push(peak::contender());
    let threads = common.threads.to_string();
    if let Some(peer) = common.peer("PyTorch, tuned allocator", "torch_peer.py", &["w2", &threads])? {
        contenders.push(peer.with_flops(flops));
    }
    Ok(common.race("w2", "milliseconds a training step, 140 x 256 steps x 5 voices", contenders, Vec::new()))
}

/// What W1 takes above the process itself, after some steps.
pub fn memory(common: &Common) -> Result<Report> {
    let resident = || most_resident(std::process::id()).ok_or_else(|| Error::other("this system does not tell memory"));
    let before = resident()?;
    let (mut step, needed) = w1_step(Precision::Single);
    (0..8).for_each(|_| step());
    let taken = resident()? - before;
    let remark = format!(
        "memory of training W1: {:.1} MB; parameters, gradients, moments and saved activations are {:.1} MB: {:.2} x",
        taken as f64 / 1e6,
        needed as f64 / 1e6,
        taken as f64 / needed as f64
    );
    Ok(common.race("memory", "megabytes", Vec::new(), vec![remark]))
}
