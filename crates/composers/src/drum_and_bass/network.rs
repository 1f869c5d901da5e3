//! The seven networks under one name.

use super::batch::{Batch, Noise};
use super::cells::{Sums, of_cells};
use super::cnn::Cnn;
use super::fcnn::Fcnn;
use super::lstm_fcnn::LstmFcnn;
use super::pattern::Rates;
use super::pix2pix::Pix2pix;
use super::seq2seq::Seq2seq;
use super::settings::{Settings, Which};
use super::vae::Vae;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cantus_model::learner::Recurrent;
use cantus_model::{Kind, Rng};
use cantus_nn::lstm::Lstm;

/// One of the networks.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it, and burn has no modules in boxes")]
pub(super) enum Network {
    Fcnn(Fcnn),
    Cnn(Cnn),
    LstmFcnn(LstmFcnn),
    Vae(Vae),
    Seq2seq(Seq2seq),
    Pix2pix(Pix2pix),
}

impl Recurrent for Network {
    /// Nothing is carried from one pattern to another.
    fn lstms(&self) -> &[Lstm] {
        &[]
    }
}

impl Which {
    /// What kind of figure its nats are.
    pub(super) fn kind(self) -> Kind {
        match self {
            Which::Fcnn | Which::Cnn | Which::LstmFcnn | Which::Seq2seq => Kind::Exact,
            Which::VaeFcnn | Which::VaeLstm => Kind::LowerBound,
            Which::Pix2pix => Kind::Surrogate,
        }
    }
}

impl Network {
    /// A network that has learnt nothing but how often cells begin.
    pub(super) fn new(settings: &Settings, rates: &Rates, rng: &mut Rng, device: &Device) -> Network {
        match settings.network {
            Which::Fcnn => Network::Fcnn(Fcnn::new(settings, rates, rng, device)),
            Which::Cnn => Network::Cnn(Cnn::new(settings, rates, rng, device)),
            Which::LstmFcnn => Network::LstmFcnn(LstmFcnn::new(settings, rates, rng, device)),
            Which::VaeFcnn | Which::VaeLstm => Network::Vae(Vae::new(settings, rates, rng, device)),
            Which::Seq2seq => Network::Seq2seq(Seq2seq::new(settings, rates, rng, device)),
            Which::Pix2pix => Network::Pix2pix(Pix2pix::new(settings, rng, device)),
        }
    }

    /// What it learns by.
    pub(super) fn loss(&self, settings: &Settings, batch: &Batch, noise: Noise) -> (Tensor<1>, Sums) {
        let learning = Some(noise);
        match self {
            Network::Fcnn(network) => of_cells(network.logits(settings, batch, learning), batch),
            Network::Cnn(network) => of_cells(network.logits(settings, batch, learning), batch),
            Network::LstmFcnn(network) => of_cells(network.logits(settings, batch, learning), batch),
            Network::Vae(network) => network.loss(settings, batch, noise),
            Network::Seq2seq(network) => network.loss(settings, batch, noise),
            Network::Pix2pix(network) => network.loss(settings, batch, noise),
        }
    }
}
