//! What recurrent composers share in training: the network, what moves it, the average of where it has been, and the states that the rows
//! of a batch carry from window to window.

use crate::plan::Row;
use crate::transplant::{Classes, transplant};
use crate::{Header, ModelError, ModelFile, checkpoint};
use burn::module::Module;
use burn::tensor::Tensor;
use cantus_nn::dropout::{MaskKey, dropout};
use cantus_nn::lstm::{Lstm, LstmState};
use cantus_nn::optimizer::{Average, Optimizer, StepReport};

/// A network that reads a piece step by step.
pub trait Recurrent: Module {
    /// Rows of state that a piece has: each is read by the same layers.
    const ROWS: usize = 1;

    /// Its layers, the first one first.
    fn lstms(&self) -> &[Lstm];

    /// The layers' states at the beginning of so many pieces.
    fn zeros(&self, pieces: usize) -> Vec<LstmState> {
        self.lstms().iter().map(|lstm| LstmState::zeros(pieces * Self::ROWS, lstm.hidden())).collect()
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

/// A network in training, and the average of where it has been, where models hold that.
#[derive(Debug)]
pub struct Averaged<N> {
    /// Taken out only while a step replaces it.
    network: Option<N>,
    average: Option<Average>,
}

impl<N: Module> Averaged<N> {
    /// With `averaging`, 0-1, models hold the exponential average of the parameters, which keeps that share of itself at each step; with 0
    /// they hold the parameters.
    pub fn new(network: N, averaging: f64) -> Averaged<N> {
        let average = (averaging > 0.0).then(|| Average::new(averaging));
        Averaged { network: Some(network), average }
    }

    /// The network as its optimisers move it.
    pub fn network(&self) -> &N {
        self.network.as_ref().expect("a step gives the network back")
    }

    /// The network as models hold it.
    pub fn of_models(&self) -> N {
        let network = self.network().clone();
        self.average.iter().fold(network, checkpoint::with_average)
    }

    /// Replaces the network by what a step makes of it. The step says whether its numbers were finite, so that the average may take it in,
    /// and what else it found.
    pub fn step<F>(&mut self, step: impl FnOnce(N) -> (N, bool, F)) -> F {
        let Some(network) = self.network.take() else { unreachable!("a step gives the network back") };
        let (network, finite, found) = step(network);
        if let Some(average) = self.average.as_mut().filter(|_| finite) {
            average.add(&network);
        }
        self.network = Some(network);
        found
    }

    /// The model: `file`, which holds the network as it is, with the average in its place where there is one.
    pub fn save(&self, mut file: ModelFile) -> ModelFile {
        self.average.iter().for_each(|average| checkpoint::take_average(&mut file, average));
        file
    }

    /// `file`, which holds the network as it is, with the average beside it.
    pub fn checkpoint(&self, mut file: ModelFile) -> ModelFile {
        self.average.iter().for_each(|average| checkpoint::add_average(&mut file, average));
        file
    }

    /// The two as a checkpoint holds them.
    ///
    /// # Errors
    /// [`ModelError`], naming what does not fit.
    pub fn restored(&self, file: &ModelFile) -> Result<Averaged<N>, ModelError> {
        let network = checkpoint::restore(self.network().clone(), file)?;
        let restore = |average: &Average| checkpoint::restore_average(&network, average, file);
        let average = self.average.as_ref().map(restore).transpose()?;
        Ok(Averaged { network: Some(network), average })
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

    /// Begins with the parameters of a model whose vocabulary differs, see [`transplant`].
    ///
    /// # Errors
    /// [`ModelError`], naming what does not fit.
    pub fn begin_from(
        &mut self,
        base: &ModelFile,
        classes: impl Fn(&str, usize) -> Option<Classes>,
    ) -> Result<(), ModelError> {
        self.network = Some(transplant(self.network().clone(), base, classes)?);
        Ok(())
    }
}

/// A recurrent network in training, by truncated back-propagation.
#[derive(Debug)]
pub struct Learner<N> {
    network: Averaged<N>,
    optimizer: Optimizer,
    /// The states of the batch's rows after the last step.
    carried: Vec<LstmState>,
}

impl<N: Recurrent> Learner<N> {
    /// A network that has learnt nothing yet; `averaging` as in [`Averaged::new`].
    pub fn new(network: N, optimizer: Optimizer, averaging: f64) -> Learner<N> {
        Learner { carried: network.zeros(0), network: Averaged::new(network, averaging), optimizer }
    }

    /// The network as the optimiser moves it.
    pub fn network(&self) -> &N {
        self.network.network()
    }

    /// See [`Averaged::of_models`].
    pub fn of_models(&self) -> N {
        self.network.of_models()
    }

    /// A step of learning. `loss` gives the loss of a batch of these rows, moves the states on, and says what else it found.
    pub fn step<F>(
        &mut self,
        rows: &[Option<&Row>],
        learning_rate: f64,
        loss: impl FnOnce(&N, &mut [LstmState]) -> (Tensor<1>, F),
    ) -> (F, StepReport) {
        if self.carried.first().is_none_or(|state| state.batch() != rows.len() * N::ROWS) {
            self.carried = self.network().zeros(rows.len());
        }
        for (b, _) in rows.iter().enumerate().filter(|(_, row)| row.is_none_or(|row| row.begins)) {
            let own = b * N::ROWS..(b + 1) * N::ROWS;
            self.carried.iter_mut().for_each(|state| own.clone().for_each(|row| state.reset_row(row)));
        }
        let (optimizer, carried) = (&mut self.optimizer, &mut self.carried);
        let found = self.network.step(|network| {
            let (loss, found) = loss(&network, carried);
            let (network, report) = optimizer.step(network, loss.backward(), learning_rate);
            (network, report.finite, (found, report))
        });
        if self.carried.iter().any(|state| state.c.iter().any(|c| !c.is_finite())) {
            self.carried.clear();
        }
        found
    }

    /// See [`Averaged::save`].
    pub fn save(&self, file: ModelFile) -> ModelFile {
        self.network.save(file)
    }

    /// The checkpoint: `file`, which holds the network as it is, with all that a training needs to go on.
    pub fn checkpoint(&self, file: ModelFile) -> ModelFile {
        let mut file = self.network.checkpoint(file);
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
        let restored = self.network.restored(file)?;
        let network = restored.network();
        let optimizer = checkpoint::restore_optimizer(network, &self.optimizer, checkpoint::OPTIMIZER, file)?;
        let carried = checkpoint::restore_carried(file, network.lstms().iter().map(Lstm::hidden))?;
        (self.optimizer, self.carried, self.network) = (optimizer, carried, restored);
        Ok(())
    }

    /// See [`Averaged::adopt`].
    ///
    /// # Errors
    /// [`ModelError`], naming what does not fit.
    pub fn adopt(&mut self, model: &ModelFile) -> Result<(), ModelError> {
        self.network.adopt(model)
    }

    /// See [`Averaged::begin_from`].
    ///
    /// # Errors
    /// [`ModelError`], naming what does not fit.
    pub fn begin_from(
        &mut self,
        base: &ModelFile,
        classes: impl Fn(&str, usize) -> Option<Classes>,
    ) -> Result<(), ModelError> {
        self.network.begin_from(base, classes)
    }
}
