//! The LSTM made of burn's own operations, one by one: the oracle of the tests, and the form for other backends.

use super::{Lstm, LstmState};
use burn::tensor::{Tensor, TensorData, activation, s};

pub(super) fn forward(
    lstm: &Lstm,
    x: Tensor<3>,
    added: Option<Tensor<3>>,
    state: &LstmState,
) -> (Tensor<3>, LstmState) {
    let [steps, batch, input] = x.dims();
    let hidden = lstm.hidden();
    let device = x.device();
    let load = |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [batch, hidden]), &device);
    let (mut h, mut c) = (load(&state.h), load(&state.c));
    if steps == 0 || batch == 0 {
        return (Tensor::zeros([steps, batch, hidden], &device), state.clone());
    }
    let projected =
        x.reshape([steps * batch, input]).matmul(lstm.w_ih.val().transpose()) + lstm.bias.val().unsqueeze::<2>();
    let projected = projected.reshape([steps, batch, 4 * hidden]);
    let projected = match added {
        Some(added) => projected + added,
        None => projected,
    };
    let recurrent = lstm.w_hh.val().transpose();
    let mut outputs = Vec::with_capacity(steps);
    for t in 0..steps {
        let sums =
            projected.clone().slice(s![t..t + 1, .., ..]).reshape([batch, 4 * hidden]) + h.matmul(recurrent.clone());
        let gate = |at: usize| sums.clone().slice([0..batch, at * hidden..(at + 1) * hidden]);
        let (i, f) = (activation::sigmoid(gate(0)), activation::sigmoid(gate(1)));
        let (g, o) = (gate(2).tanh(), activation::sigmoid(gate(3)));
        c = f * c + i * g;
        h = o * c.clone().tanh();
        outputs.push(h.clone());
    }
    let plain = |t: Tensor<2>| t.inner().into_data().try_into_vec::<f32>().expect("f32 tensors");
    let state = LstmState { batch, hidden, h: plain(h), c: plain(c) };
    (Tensor::stack(outputs, 0), state)
}
