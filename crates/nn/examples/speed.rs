//! Times the pieces at the workloads that the peers are measured on: `speed w1|w3|gemm [SECONDS]`.
//!
//! w1: train embedding 300 x 64, LSTM 512, dropout 0.3, LSTM 256, last step, dense 128, 300 classes; 50 rows of 100
//! steps, Adam. w3: the same network, a token at a time, for 1 and for 16 pieces. gemm: the machine's peak. Threads:
//! `RAYON_NUM_THREADS`.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation, s};
use cantus_nn::cross_entropy::cross_entropy;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::embedding::Embedding;
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_nn::linear::Linear;
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::optimizer::{Optimizer, Rule};
use cantus_nn::packed::PackedMatrix;
use cantus_nn::random::{Rng, below, categorical, seeded};
use std::time::Instant;

const VOCABULARY: usize = 300;

#[derive(Module, Debug)]
struct Network {
    embedding: Embedding,
    first: Lstm,
    second: Lstm,
    dense: Linear,
    out: Linear,
}

impl Network {
    fn new(rng: &mut Rng, device: &Device) -> Network {
        Network {
            embedding: Embedding::new(VOCABULARY, 64, rng, device),
            first: Lstm::new(64, 512, rng, device),
            second: Lstm::new(512, 256, rng, device),
            dense: Linear::new(256, 128, rng, device),
            out: Linear::new(128, VOCABULARY, rng, device),
        }
    }

    fn forward(&self, tokens: &[u32], steps: usize, batch: usize, step: u64) -> Tensor<2> {
        let x = self.embedding.forward_sequence(tokens, steps, batch);
        let (h, _) = self.first.forward(x, &LstmState::zeros(batch, 512));
        let h = dropout(h, 0.3, Some(MaskKey { seed: 1, step, layer: 0 }));
        let (h, _) = self.second.forward(h, &LstmState::zeros(batch, 256));
        let last = h.slice(s![steps - 1..steps, .., ..]).reshape([batch, 256]);
        self.out.forward(activation::relu(self.dense.forward(last)))
    }
}

/// Seconds of processor time that this process has used, where the system tells (in ticks of 10 ms): on a busy machine
/// it says more than the clock.
fn processor_seconds() -> Option<f64> {
    let line = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = line.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Milliseconds: the median over repeats that fill `seconds`, after two for warming up.
fn median(seconds: f64, mut run: impl FnMut()) -> f64 {
    run();
    run();
    let before = processor_seconds();
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < 3 || start.elapsed().as_secs_f64() < seconds {
        let begun = Instant::now();
        run();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    if let (Some(before), Some(after)) = (before, processor_seconds()) {
        print!("[{:.1} ms of processor time] ", (after - before) * 1e3 / times.len() as f64);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn train(seconds: f64) {
    let (steps, batch) = (100, 50);
    let device = Device::flex().autodiff();
    let rng = &mut seeded(1);
    let mut network = Some(Network::new(rng, &device));
    let mut optimizer = Optimizer::new(Rule::adam());
    let tokens: Vec<u32> = (0..steps * batch).map(|_| below(rng, VOCABULARY) as u32).collect();
    let targets: Vec<u32> = (0..batch).map(|_| below(rng, VOCABULARY) as u32).collect();
    let weights = vec![1.0; batch];
    let mut step = 0;
    let mut spent = [0.0f64; 3];
    let ms = median(seconds, || {
        let model = network.take().expect("put back below");
        let begun = Instant::now();
        let (loss, _) = cross_entropy(model.forward(&tokens, steps, batch, step), &targets, &weights);
        spent[0] += begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let gradients = loss.backward();
        spent[1] += begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let (model, report) = optimizer.step(model, gradients, 1e-3);
        spent[2] += begun.elapsed().as_secs_f64();
        assert!(report.finite);
        network = Some(model);
        step += 1;
    });
    let cells = |i: usize, h: usize| 4 * h * (i + h);
    let flops = 6.0 * (steps * batch * (cells(64, 512) + cells(512, 256)) + batch * (256 * 128 + 128 * 300)) as f64;
    println!("w1: {ms:.1} ms a step, {:.0} GFLOP/s, {} steps", flops / ms / 1e6, step);
    let each = spent.map(|s| s * 1e3 / step as f64);
    println!("    means: forward {:.1}, backward {:.1}, optimiser {:.1} ms", each[0], each[1], each[2]);
}

fn compose(seconds: f64, pieces: usize) {
    let rng = &mut seeded(2);
    let network = Network::new(rng, &Device::flex());
    let lookup = Lookup::from(&network.embedding);
    let cells = [LstmCell::from(&network.first), LstmCell::from(&network.second)];
    let (dense, out) = (Dense::from(&network.dense).with_relu(), Dense::from(&network.out));
    let state = |h: usize| (vec![0.0f32; pieces * h], vec![0.0f32; pieces * h]);
    let ((mut h1, mut c1), (mut h2, mut c2)) = (state(512), state(256));
    let (mut x, mut y, mut z) = (vec![0.0; pieces * 64], vec![0.0; pieces * 128], vec![0.0; pieces * VOCABULARY]);
    let mut tokens = vec![0u32; pieces];
    let mut scratch = Scratch::new();
    const TOKENS: usize = 200;
    let ms = median(seconds, || {
        for _ in 0..TOKENS {
            lookup.gather(&tokens, &mut x);
            cells[0].step(&x, &mut h1, &mut c1, &mut scratch);
            cells[1].step(&h1, &mut h2, &mut c2, &mut scratch);
            dense.forward(&h2, &mut y);
            out.forward(&y, &mut z);
            for (row, token) in z.chunks_exact_mut(VOCABULARY).zip(&mut tokens) {
                row.iter_mut().for_each(|v| *v = v.exp());
                *token = categorical(rng, row).expect("finite logits") as u32;
            }
        }
    });
    let each = ms / TOKENS as f64;
    println!("w3: {pieces} piece(s): {:.4} ms a step, {:.4} ms a token", each, each / pieces as f64);
}

/// The rate of one product on every thread, by the `gemm` crate and by ours.
fn peak(seconds: f64) {
    use rayon::prelude::*;
    let threads = rayon::current_num_threads();
    for (m, n, k) in [
        (14, 32, 128),
        (112, 2048, 512),
        (2048, 2048, 512),
        (25, 2048, 512),
        (25, 512, 2048),
        (25, 1024, 256),
        (2500, 2048, 512),
    ] {
        let (a, b) = (vec![0.5f32; m * k], vec![0.25f32; k * n]);
        let packed = PackedMatrix::new(k, n, &b, n, 1);
        let repeats = (4_000_000_000 / (2 * m * n * k)).max(1);
        let mut outputs: Vec<Vec<f32>> = (0..threads).map(|_| vec![0.0; m * n]).collect();
        let flops = (2 * m * n * k * threads * repeats) as f64;
        let theirs = median(seconds / 10.0, || {
            outputs.par_iter_mut().for_each(|c| {
                for _ in 0..repeats {
                    // SAFETY: strides of contiguous row-major matrices of these sizes.
                    unsafe {
                        gemm::gemm(
                            m,
                            n,
                            k,
                            c.as_mut_ptr(),
                            1,
                            n as isize,
                            false,
                            a.as_ptr(),
                            1,
                            k as isize,
                            b.as_ptr(),
                            1,
                            n as isize,
                            1.0f32,
                            1.0f32,
                            false,
                            false,
                            false,
                            gemm::Parallelism::None,
                        );
                    }
                }
            });
        });
        let ours = median(seconds / 10.0, || {
            outputs.par_iter_mut().for_each(|c| {
                for _ in 0..repeats {
                    packed.multiply(m, &a, k, c, n, false);
                }
            });
        });
        println!("{m} x {n} x {k}: gemm {:.0}, packed {:.0} GFLOP/s", flops / theirs / 1e6, flops / ours / 1e6);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let seconds = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(5.0);
    match what.as_str() {
        "w1" => train(seconds),
        "w3" => [1, 16].into_iter().for_each(|pieces| compose(seconds, pieces)),
        "gemm" => peak(seconds),
        _ => eprintln!("speed w1|w3|gemm [SECONDS]"),
    }
}
