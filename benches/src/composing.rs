//! Composing: a token at a time, with the state carried.

use crate::Common;
use crate::clock::Contender;
use crate::networks::{LstmComposer, Player};
use crate::report::Report;
use burn::tensor::Device;
use cantus_composers::registry;
use cantus_model::{Request, Rng};
use cantus_nn::precision::Precision;
use cantus_nn::random::{derive, seeded};
use rayon::prelude::*;
use std::io::{Error, Result};
use std::ops::ControlFlow;
use std::path::Path;

const TOKENS: usize = 300;

/// W3: one piece and sixteen.
pub fn w3(common: &Common) -> Result<Report> {
    let network = LstmComposer::new(Precision::Single, &mut seeded(1), &Device::flex());
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

/// The whole composer, not the layers alone: pieces of 16 bars by a network that has learnt nothing yet.
pub fn pieces(common: &Common, data: &Path) -> Result<Report> {
    const PIECES: usize = 16;
    let set = crate::article::training_set(data)?;
    let spec = registry::find("lstm").ok_or_else(|| Error::other("there is no composer lstm"))?;
    let mut settings = spec.settings("default").ok_or_else(|| Error::other("lstm has no configuration default"))?;
    settings["hidden"] = 512.into();
    let composer = spec.creates().and_then(|create| create(&settings, &set, 1)).map_err(Error::other)?.composer();
    let composer = composer.as_ref();
    let request = Request::new(16, composer.default_sampling());
    let compose = |rngs: &mut [Rng]| {
        let composed = composer.compose_all(&request, rngs, &mut |_| ControlFlow::Continue(()));
        assert!(composed.is_ok_and(|pieces| pieces.len() == rngs.len()));
    };
    let rngs = || (0..PIECES as u64).map(seeded).collect::<Vec<Rng>>();
    let together = Contender::timed("16 pieces together", PIECES, || compose(&mut rngs()));
    let apart = Contender::timed("one after another", PIECES, || rngs().chunks_mut(1).for_each(&compose));
    Ok(common.race("pieces", "milliseconds a piece of 16 bars", vec![together, apart], Vec::new()))
}
