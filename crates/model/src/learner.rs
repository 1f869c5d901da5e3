//! What recurrent composers share in training: the network, what moves it, the average of where it has been, and the states that the rows
//! of a batch carry from window to window.

use crate::plan::Row;
use crate::{Header, ModelError, ModelFile, checkpoint};
use burn::module::Module;
use burn::tensor::Tensor;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::optimizer::{Average, Optimizer, StepReport};

/// A network that reads a piece step by step.
pub trait Recurrent: Module {
    /// Its layers, the first one first.
    fn lstms(&self) -> &[Lstm];

    /// The layers' states at the beginning of `rows` pieces.
    fn zeros(&self, rows: usize) -> Vec<LstmState> {
        self.lstms().iter().map(|lstm| LstmState::zeros(rows, lstm.hidden())).collect()
    }
}

/// One layer after another, with dropout after each; the states move on. Layer `k`, counted from 1, has the mask of `key(k)`.
///
/// # Shapes
/// `x`: `[T, B, I]` -> `[T, B, H]`
pub fn unroll(
    lstms: &[Lstm],
    states: &mut [LstmState],
    mut x: Tensor<3>,
    rate: f32,
    key: impl Fn(usize) -> Option<MaskKey>,
) -> Tensor<3> {
    for (k, (lstm, state)) in lstms.iter().zip(states).enumerate() {
        let (y, last) = lstm.forward(x, state);
        *state = last;
        x = dropout(y, rate, key(k + 1));
    }
    x
}

/// A recurrent network in training, by truncated back-propagation.
#[derive(Debug)]
pub struct Learner<N> {
    /// Taken out only while a step replaces it.
    network: Option<N>,
    optimizer: Optimizer,
    average: Option<Average>,
    /// The states of the batch's rows after the last step.
    carried: Vec<LstmState>,
}

impl<N: Recurrent> Learner<N> {
    /// A network that has learnt nothing yet. With `averaging`, 0-1, models hold the exponential average of the parameters, which keeps
    /// that share of itself at each step; with 0 they hold the parameters.
    pub fn new(network: N, optimizer: Optimizer, averaging: f64) -> Learner<N> {
        let average = (averaging > 0.0).then(|| Average::new(averaging));
        Learner { carried: network.zeros(0), network: Some(network), optimizer, average }
    }

    /// The network as the optimiser moves it.
    pub fn network(&self) -> &N {
        self.network.as_ref().expect("a step gives the network back")
    }

    /// A step of learning. `loss` gives the loss of a batch of these rows, moves the states on, and says what else it found.
    pub fn step<F>(
        &mut self,
        rows: &[Option<&Row>],
        learning_rate: f64,
        loss: impl FnOnce(&N, &mut [LstmState]) -> (Tensor<1>, F),
    ) -> (F, StepReport) {
        let Some(mut network) = self.network.take() else { unreachable!("a step gives the network back") };
        if self.carried.first().is_none_or(|state| state.batch() != rows.len()) {
            self.carried = network.zeros(rows.len());
        }
        for (b, _) in rows.iter().enumerate().filter(|(_, row)| row.is_none_or(|row| row.begins)) {
            self.carried.iter_mut().for_each(|state| state.reset_row(b));
        }
        let (loss, found) = loss(&network, &mut self.carried);
        let gradients = loss.backward();
        let report;
        (network, report) = self.optimizer.step(network, gradients, learning_rate);
        if let Some(average) = self.average.as_mut().filter(|_| report.finite) {
            average.add(&network);
        }
        self.network = Some(network);
        if self.carried.iter().any(|state| state.c.iter().any(|c| !c.is_finite())) {
            self.carried.clear();
        }
        (found, report)
    }

    /// The model: `file`, which holds the network as it is, with the average in its place where there is one.
    pub fn save(&self, mut file: ModelFile) -> ModelFile {
        self.average.iter().for_each(|average| checkpoint::take_average(&mut file, average));
        file
    }

    /// The checkpoint: `file`, which holds the network as it is, with all that a training needs to go on.
    pub fn checkpoint(&self, mut file: ModelFile) -> ModelFile {
        self.average.iter().for_each(|average| checkpoint::add_average(&mut file, average));
        checkpoint::add_optimizer(&mut file, checkpoint::OPTIMIZER, &self.optimizer);
        checkpoint::add_carried(&mut file, &self.carried);
        file
    }

    /// Takes up a checkpoint of a training whose files have the header `expected`; nothing changes where it does not fit.
    ///
    /// # Errors
    /// [`ModelError`], naming what does not fit.
    pub fn resume(&mut self, file: &ModelFile, expected: &Header) -> Result<(), ModelError> {
        checkpoint::same_training(&file.header, expected)?;
        let network = checkpoint::restore(self.network().clone(), file)?;
        let optimizer = checkpoint::restore_optimizer(&network, &self.optimizer, checkpoint::OPTIMIZER, file)?;
        let carried = checkpoint::restore_carried(file, network.lstms().iter().map(Lstm::hidden))?;
        if let Some(average) = &mut self.average {
            *average = checkpoint::restore_average(&network, average, file)?;
        }
        (self.optimizer, self.carried, self.network) = (optimizer, carried, Some(network));
        Ok(())
    }

    /// Goes on from a model's parameters; the average begins anew.
    ///
    /// # Errors
    /// [`ModelError`], naming what does not fit.
    pub fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.network = Some(checkpoint::restore(self.network().clone(), model)?);
        self.average.iter_mut().for_each(Average::clear);
        Ok(())
    }
}
