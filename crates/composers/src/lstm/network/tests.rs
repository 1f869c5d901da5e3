use super::*;
use crate::lstm::batches::{Encoded, Row, Segment};
use crate::lstm::fixture;
use cantus_nn::params::values_of;

const PLAIN: (f32, f32) = (0.0, 0.0);

fn network(vocabulary: &Vocabulary, seed: u64) -> Network {
    Network::new(&fixture::settings(), vocabulary, &mut cantus_model::seeded(seed), &Device::flex())
}

fn whole(piece: usize, pieces: &[Encoded]) -> Row {
    Row { segment: Segment { piece, shift: 0, tokens: 0..pieces[piece].predicted() }, begins: true }
}

/// Logits of one piece read at once: a row of `[V]` for each token.
fn alone(network: &Network, piece: usize, pieces: &[Encoded], vocabulary: &Vocabulary) -> Vec<f32> {
    let batch = Batch::gather(pieces, [Some(&whole(piece, pieces))].into_iter(), vocabulary);
    values_of(network.forward(&batch, &mut network.zeros(1), PLAIN, None))
}

#[test]
fn rows_know_nothing_of_their_neighbours_nor_of_padding() {
    let (vocabulary, pieces) = fixture::encoded();
    let network = network(&vocabulary, 1);
    let rows: Vec<Row> = (0..pieces.len()).map(|piece| whole(piece, &pieces)).collect();
    let lengths: Vec<usize> = pieces.iter().map(Encoded::predicted).collect();
    assert!(lengths.iter().min() < lengths.iter().max());
    // An absent row in the midst, too.
    let listed = [Some(&rows[0]), None].into_iter().chain(rows[1..].iter().map(Some));
    let batch = Batch::gather(&pieces, listed, &vocabulary);
    let logits = values_of(network.forward(&batch, &mut network.zeros(batch.rows), PLAIN, None));
    let size = vocabulary.len();
    for (piece, length) in lengths.iter().enumerate() {
        let b = if piece == 0 { 0 } else { piece + 1 };
        let found: Vec<f32> =
            (0..*length).flat_map(|t| &logits[(t * batch.rows + b) * size..][..size]).copied().collect();
        assert_eq!(found, alone(&network, piece, &pieces, &vocabulary), "piece {piece}");
    }
}

#[test]
fn the_future_never_changes_past_logits() {
    let (vocabulary, mut pieces) = fixture::encoded();
    let network = network(&vocabulary, 2);
    let before = alone(&network, 0, &pieces, &vocabulary);
    let at = pieces[0].predicted() / 2;
    let other = pieces[1].tokens[3];
    assert_ne!(pieces[0].tokens[at], other);
    pieces[0].tokens[at] = other;
    let after = alone(&network, 0, &pieces, &vocabulary);
    let past = at * vocabulary.len();
    assert_eq!(before[..past], after[..past]);
    assert!(before[past..].iter().zip(&after[past..]).all(|(a, b)| a != b), "a change must be seen from then on");
}

#[test]
fn windows_with_a_carried_state_are_the_whole() {
    let (vocabulary, pieces) = fixture::encoded();
    let network = network(&vocabulary, 3);
    let mut states = network.zeros(1);
    let mut found = Vec::new();
    for start in (0..pieces[0].predicted()).step_by(7) {
        let tokens = start..pieces[0].predicted().min(start + 7);
        let row = Row { segment: Segment { piece: 0, shift: 0, tokens }, begins: start == 0 };
        let batch = Batch::gather(&pieces, [Some(&row)].into_iter(), &vocabulary);
        found.extend(values_of(network.forward(&batch, &mut states, PLAIN, None)));
    }
    assert_eq!(found, alone(&network, 0, &pieces, &vocabulary));
}

#[test]
fn dropout_acts_in_training_alone_and_follows_seed_and_step() {
    let (vocabulary, pieces) = fixture::encoded();
    let network = network(&vocabulary, 4);
    let batch = Batch::gather(&pieces, [Some(&whole(0, &pieces))].into_iter(), &vocabulary);
    let run = |masks| values_of(network.forward(&batch, &mut network.zeros(1), (0.2, 0.4), masks));
    assert_eq!(run(None), alone(&network, 0, &pieces, &vocabulary));
    let masks = |seed, step| Some(Masks { seed, step });
    assert_eq!(run(masks(1, 1)), run(masks(1, 1)));
    assert_ne!(run(masks(1, 1)), run(None));
    assert_ne!(run(masks(1, 1)), run(masks(1, 2)));
    assert_ne!(run(masks(1, 1)), run(masks(2, 1)));
}

#[test]
fn a_large_corpus_has_less_dropout_unless_it_is_chosen() {
    let fitted = |settings: serde_json::Value, tokens| ChordSettings::read(&settings).unwrap().fit(tokens).dropouts();
    let (input, hidden) = fitted(serde_json::json!({}), MUCH - 1);
    let (large_input, large_hidden) = fitted(serde_json::json!({}), MUCH);
    assert!(large_input < input && large_hidden < hidden);
    assert_eq!(fitted(serde_json::json!({"dropout": 0.3}), MUCH), (large_input, 0.3));
    assert!(ChordSettings::read(&serde_json::json!({"dropout": 1.5})).is_err());
}
