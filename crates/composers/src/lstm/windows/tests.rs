use super::*;
use crate::lstm::fixture;
use cantus_nn::inference::Scratch;
use cantus_nn::params::values_of;

fn trainer(batch_norm: bool, relu: bool) -> WindowTrainer {
    let settings = serde_json::json!({
        "network": "windows", "layers": [11, 7], "dropout": 0.2, "batch_norm": batch_norm, "dense": 9, "relu": relu,
        "optimizer": "adam", "batch": 8, "window": 6, "epochs": 1
    });
    WindowTrainer::new(&settings, &fixture::set(), 3).unwrap()
}

#[test]
fn composing_reads_a_window_as_the_network_does_in_evaluation() {
    for (batch_norm, relu) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut trainer = trainer(batch_norm, relu);
        // Running statistics and the factors of the normalisation leave where they began.
        for step in 0..trainer.steps(0) {
            assert!(trainer.step(StepAt { epoch: 0, step }, 0.05).finite);
        }
        let composer = WindowComposer::load(&trainer.save()).unwrap();
        assert_eq!(composer.norms.len(), if batch_norm { 3 } else { 0 });
        assert!(composer.norms.iter().all(|(factor, summand)| {
            factor.iter().any(|f| (f - 1.0).abs() > 0.01) && summand.iter().any(|s| s.abs() > 0.01)
        }));
        let starts: Vec<u32> = (0..(trainer.valid.count() - 6) as u32).collect();
        let windows = trainer.valid.windows(&starts, 7).unwrap();
        let (x, _) = trainer.gather(&windows, &Device::flex());
        let network = trainer.network().valid();
        let expected = values_of(network.forward(&trainer.settings, x, None));
        for (window, expected) in windows.iter().zip(expected.chunks(trainer.vocabulary.len())) {
            let mut layers: Vec<_> =
                composer.cells.iter().map(|cell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()])).collect();
            let mut logits = vec![0.0; trainer.vocabulary.len()];
            for token in &window[..6] {
                composer.read(*token, &mut layers, &mut Scratch::new(), &mut logits);
            }
            // Composing reads weights of 16 bits.
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-3 * (1.0 + b.abs());
            assert!(logits.iter().zip(expected).all(close), "{batch_norm} {relu}: {logits:?} {expected:?}");
        }
    }
}

#[test]
fn windows_cross_from_piece_to_piece() {
    let mut trainer = trainer(false, false);
    let vocabulary = Arc::clone(&trainer.vocabulary);
    let all: Vec<TokenId> = fixture::set().train.iter().flat_map(|piece| encode(&piece, &vocabulary).0).collect();
    assert_eq!(trainer.train.count(), all.len());
    for length in [1, 7, all.len()] {
        let starts: Vec<u32> = (0..=(all.len() - length) as u32).rev().collect();
        let windows = trainer.train.windows(&starts, length).unwrap();
        assert!(starts.iter().zip(windows).all(|(start, window)| all[*start as usize..][..length] == window));
    }
}

#[test]
fn validation_is_the_mean_over_all_windows() {
    let mut trainer = trainer(true, true);
    let windows = trainer.valid.count() - 6;
    let whole = trainer.validate();
    assert_eq!(whole.tokens, windows as f64);
    let network = trainer.network().valid();
    let mut nats = 0.0;
    for start in 0..windows as u32 {
        let window = trainer.valid.windows(&[start], 7).unwrap();
        let (x, targets) = trainer.gather(&window, &Device::flex());
        nats += cross_entropy(network.forward(&trainer.settings, x, None), &targets, &[1.0]).1.nats;
    }
    assert!((whole.nats - nats).abs() < 1e-5 * nats, "{} {nats}", whole.nats);
}

#[test]
fn an_epoch_reads_every_window_once_in_an_order_of_its_own() {
    let trainer = trainer(false, false);
    let (first, second) = (trainer.order_of(0, 0).1, trainer.order_of(1, 0).1);
    assert_ne!(first, second);
    assert_eq!(first, trainer.order_of(0, 0).1);
    for mut order in [first, second] {
        order.sort_unstable();
        assert!(order.into_iter().eq(0..(trainer.to_learn()) as u32));
    }
}

#[test]
fn too_little_music_for_a_window_is_refused_by_name() {
    let mut settings = serde_json::to_value(&trainer(false, false).settings).unwrap();
    settings["window"] = 4000.into();
    let error = WindowTrainer::new(&settings, &fixture::set(), 3).err().unwrap().to_string();
    assert!(error.contains("training") && error.contains("4000"), "{error}");
}
