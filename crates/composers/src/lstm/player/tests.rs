use super::*;
use crate::lstm::{SPEC, fixture};
use burn::tensor::Device;
use cantus_model::learner::Recurrent;
use cantus_model::plan::{Row, Segment};
use cantus_model::tokens::{Batch, TokenNetwork};
use cantus_model::{checkpoint, seeded};
use cantus_nn::params::values_of;
use cantus_score::{Meter, Note, Part, Pitch, TicksPerQuarter, Velocity};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

fn network_and_player(chords: &Chords, seed: u64) -> (TokenNetwork, ChordComposer) {
    let settings = fixture::settings();
    let network = TokenNetwork::new(&settings, chords, &mut seeded(seed), &Device::flex());
    let encoding = serde_json::json!({ "note_chord": chords });
    let file =
        checkpoint::save(&SPEC, &network, serde_json::to_value(&settings).unwrap(), encoding, &Habits::default());
    (network, ChordComposer::load(&file).unwrap())
}

#[test]
fn token_by_token_is_the_whole_sequence() {
    let (chords, pieces) = fixture::encoded();
    let vocabulary = &chords.0;
    let (network, player) = network_and_player(&chords, 1);
    for (piece, tokens) in pieces.iter().map(|piece| &piece.tokens).enumerate() {
        let predicted = pieces[piece].predicted();
        let row = Row { segment: Segment { piece, shift: 0, tokens: 0..predicted }, begins: true };
        let batch = Batch::gather(|k| &pieces[k], [Some(&row)].into_iter(), &chords);
        let whole = values_of(network.forward(&batch, &mut network.zeros(1), (0.0, 0.0), None));
        let bars = tokens.iter().filter(|token| vocabulary.token(**token) == Some(Token::Bar)).count();
        let mut state = player.start(bars);
        for (token, expected) in tokens[..predicted].iter().zip(whole.chunks(vocabulary.len())) {
            player.advance(&mut state, *token);
            let raw = player.model.predict(&state.place, &mut state.rows).to_vec();
            // Composing reads weights of 16 bits.
            assert!(raw.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{raw:?} {expected:?}");
            // The mask takes away, and changes nothing else.
            let masked = player.logits(&mut state);
            assert!(masked.iter().zip(&raw).all(|(a, b)| a == b || *a == f32::NEG_INFINITY));
        }
    }
}

#[test]
fn what_the_corpus_does_is_always_allowed() {
    let (chords, pieces) = fixture::encoded();
    let vocabulary = &chords.0;
    let (_, player) = network_and_player(&chords, 1);
    for tokens in pieces.iter().map(|piece| &piece.tokens) {
        let bars = tokens.iter().filter(|token| vocabulary.token(**token) == Some(Token::Bar)).count();
        let mut state = player.start(bars);
        for pair in tokens.windows(2) {
            player.advance(&mut state, pair[0]);
            let wanted = player.logits(&mut state)[pair[1].index()];
            assert!(wanted.is_finite(), "{:?} after {:?}", vocabulary.token(pair[1]), vocabulary.token(pair[0]));
        }
    }
}

#[test]
fn everything_that_is_sampled_decodes_to_the_length_asked_for() {
    let (chords, _) = fixture::encoded();
    let vocabulary = &chords.0;
    let (_, player) = network_and_player(&chords, 2);
    let sampling = Sampling { temperature: 5.0, ..Sampling::default() };
    for seed in 0..50 {
        let (bars, rng) = (1 + seed as usize % 9, &mut seeded(seed));
        let mut state = player.start(bars);
        let mut tokens = vec![vocabulary.id(Token::Start)];
        player.advance(&mut state, tokens[0]);
        while !state.place.cursor.ended() {
            let next = TokenId(sampling.draw(player.logits(&mut state), rng).unwrap() as u32);
            assert!(state.place.cursor.allows(next), "{:?} after {tokens:?}", vocabulary.token(next));
            if state.place.completes(next) {
                break;
            }
            player.advance(&mut state, next);
            tokens.push(next);
        }
        assert_eq!(state.place.cursor.bars(), bars);
        let decoded = decode(&tokens, vocabulary);
        let pitches = tokens.iter().filter(|token| matches!(vocabulary.token(**token), Some(Token::Pitch(_)))).count();
        assert_eq!(decoded.note_count(), pitches, "every note that was written is heard");
        assert_eq!(decoded.before(state.place.cursor.bar_end()).bars().count(), bars);
        // No two bars without an onset follow one another.
        let onsets: Vec<Ticks> = decoded.notes().map(|note| note.onset).collect();
        let silent = |bar: &cantus_score::Bar| !onsets.iter().any(|at| (bar.start..bar.end()).contains(at));
        let all: Vec<bool> = decoded.bars().take(bars).map(|bar| silent(&bar)).collect();
        assert!(!all.windows(2).any(|pair| pair[0] && pair[1]) && !all[0] && !all[bars - 1], "{all:?}");
    }
}

/// A vocabulary whose pieces of one bar can be counted: a bar of two steps, two durations, two pitches.
fn countable() -> Chords {
    let mut score = Score::new(TicksPerQuarter::new(1).unwrap());
    score.meters.push((Ticks::ZERO, "2/4".parse::<Meter>().unwrap()));
    let note = |onset, pitch: u8, duration| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    };
    score.parts.push(Part { notes: vec![note(0, 60, 2), note(1, 61, 1)], ..Part::default() });
    Chords(Vocabulary::build([&score], 0).unwrap())
}

type Notes = Vec<(u64, u8, u64)>;

/// Adds to `heard` the probability of every piece that begins with `tokens`.
fn enumerate(player: &ChordComposer, tokens: &mut Vec<TokenId>, probability: f64, heard: &mut BTreeMap<Notes, f64>) {
    let mut state = player.start(1);
    tokens.iter().for_each(|token| player.advance(&mut state, *token));
    let logits: Vec<f64> = player.logits(&mut state).iter().map(|x| f64::from(*x)).collect();
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|x| (x - highest).exp()).sum();
    for (k, logit) in logits.iter().enumerate().filter(|(_, logit)| logit.is_finite()) {
        let (token, share) = (TokenId(k as u32), probability * (logit - highest).exp() / total);
        if state.place.completes(token) {
            let score = decode(tokens, player.vocabulary()).before(state.place.cursor.bar_end());
            *heard.entry(notes(&score)).or_default() += share;
        } else {
            tokens.push(token);
            enumerate(player, tokens, share, heard);
            tokens.pop();
        }
    }
}

fn notes(score: &Score) -> Notes {
    score.notes().map(|note| (note.onset.0, note.pitch.get(), note.duration.0)).collect()
}

#[test]
fn the_probabilities_of_all_pieces_sum_to_one_and_pieces_come_as_often_as_they_say() {
    let chords = countable();
    let vocabulary = &chords.0;
    let (_, player) = network_and_player(&chords, 3);
    let mut heard = BTreeMap::new();
    enumerate(&player, &mut vec![vocabulary.id(Token::Start)], 1.0, &mut heard);
    let total: f64 = heard.values().sum();
    assert!((total - 1.0).abs() < 1e-6, "{total}");
    assert!(heard.len() > 10 && heard.keys().all(|piece| !piece.is_empty()));
    let draws = 4000;
    let request = Request::new(1, Sampling::default());
    let mut found: BTreeMap<Notes, f64> = BTreeMap::new();
    let rng = &mut seeded(5);
    for _ in 0..draws {
        let composed = player.compose(&request, rng, &mut |_| ControlFlow::Continue(())).unwrap();
        *found.entry(notes(&composed.score)).or_default() += 1.0 / f64::from(draws);
    }
    assert!(found.keys().all(|piece| heard.contains_key(piece)));
    for (piece, probability) in &heard {
        // Five standard deviations.
        let bound = 5.0 * (probability * (1.0 - probability) / f64::from(draws)).sqrt() + 1e-3;
        let share = found.get(piece).copied().unwrap_or(0.0);
        assert!((share - probability).abs() < bound, "{piece:?}: {share} where {probability} is right");
    }
}

#[test]
fn a_grid_beyond_reason_is_refused() {
    let (chords, _) = fixture::encoded();
    let vocabulary = &chords.0;
    let settings = fixture::settings();
    let network = TokenNetwork::new(&settings, &chords, &mut seeded(0), &Device::flex());
    for (steps, good) in [(4, true), (960, true), (961, false), (u32::MAX, false)] {
        let mut encoding = serde_json::json!({ "note_chord": vocabulary });
        encoding["note_chord"]["steps_per_quarter"] = serde_json::json!(steps);
        let file =
            checkpoint::save(&SPEC, &network, serde_json::to_value(&settings).unwrap(), encoding, &Habits::default());
        assert_eq!(ChordComposer::load(&file).is_ok(), good, "{steps}");
    }
}
