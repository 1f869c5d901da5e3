//! Composing: a token at a time, with the state carried.

use crate::Common;
use crate::clock::Contender;
use crate::networks::{LstmComposer, Player};
use crate::report::Report;
use burn::tensor::Device;
use cantus_nn::random::{derive, seeded};
use rayon::prelude::*;
use std::io::Result;

const TOKENS: usize = 300;

/// W3: one piece and sixteen.
pub fn w3(common: &Common) -> Result<Report> {
    let network = LstmComposer::new(&mut seeded(1), &Device::flex());
    let mut one = Player::new(&network, 1);
    let rng = &mut seeded(2);
    let alone = Contender::timed("ours, one piece, one thread", TOKENS, || (0..TOKENS).for_each(|_| one.step(rng)));
    let batch = |threads: usize| {
        let mut players: Vec<_> =
            (0..threads).map(|k| (Player::new(&network, 16 / threads), derive(3, "piece", &[k as u64]))).collect();
        Contender::timed(&format!("ours, 16 pieces, {threads} thread(s), a token"), TOKENS * 16, move || {
            players.par_iter_mut().for_each(|(player, rng)| (0..TOKENS).for_each(|_| player.step(rng)));
        })
    };
    let mut contenders = vec![alone, batch(1)];
    if common.threads > 1 {
        contenders.push(batch(2));
    }
    contenders.extend(common.peer("PyTorch nn.LSTM, one thread", "torch_peer.py", &["w3", "1"])?);
    contenders.extend(common.peer("PyTorch LSTMCell, one thread", "torch_peer.py", &["w3cell", "1"])?);
    Ok(common.race("w3", "milliseconds a token", contenders, Vec::new()))
}
