//! On a small corpus of tunes.

use super::*;
use cantus_encoding::abc_tune::{GRID, canonicalize, decode};
use cantus_formats::{abc, musicxml};
use cantus_model::tokens::{Batch, Outline, Piece as Line, Place as _, plan};
use cantus_model::{Composer, Judge as _, Prompt, Request, Sampling, StepAt, Trainable, seeded};
use cantus_score::{Note, Part, Pass, Pitch, Repeat, Ticks, Velocity};
use std::ops::ControlFlow;

/// A tune of two repeated strains in 6/8 or 4/4, of 4 bars each, with an upbeat where the number is odd.
fn tune(number: usize) -> Score {
    let (meter, whole): (&str, u64) = if number.is_multiple_of(3) { ("4/4", 96) } else { ("6/8", 72) };
    let upbeat = if number % 2 == 1 { 12 } else { 0 };
    let mut score = Score::new(GRID);
    score.meters.push((Ticks::ZERO, meter.parse().unwrap()));
    if upbeat > 0 {
        score.meters.push((Ticks(upbeat), meter.parse().unwrap()));
    }
    let degrees = [0u8, 2, 4, 5, 7, 9, 11, 12];
    let mut notes = Vec::new();
    for strain in 0..2u64 {
        for pass in 0..2 {
            let start = (2 * strain + pass) * 4 * whole;
            for step in 0..4 * whole / 12 {
                let degree = degrees[((step * (3 + strain) + step / 5 + number as u64) % 8) as usize];
                let pitch = Pitch::try_from(67 + degree).unwrap();
                let onset = Ticks(start + 12 * step);
                notes.push(Note { onset, pitch, duration: Ticks(12), velocity: Velocity::DEFAULT });
            }
        }
        let pass = |k: u64| Pass {
            start: Ticks((2 * strain + k) * 4 * whole),
            ending: Ticks((2 * strain + k + 1) * 4 * whole),
        };
        score.repeats.push(Repeat { passes: vec![pass(0), pass(1)], end: pass(1).ending });
    }
    score.keys.push((Ticks::ZERO, "G".parse().unwrap()));
    score.parts.push(Part { notes, ..Part::default() });
    if number.is_multiple_of(4) {
        score.chords = (0..16).map(|bar| (Ticks(bar * whole), ["G", "D7", "C"][bar as usize % 3].to_owned())).collect();
    }
    score
}

fn set() -> TrainingSet {
    TrainingSet {
        train: (0..8).map(tune).collect(),
        valid: (8..10).map(tune).collect(),
        attacks: true,
        reading: Reading::Parts,
    }
}

fn trainer() -> TokenTrainer<Tunes> {
    TokenTrainer::new(&SPEC.tiny_settings("default").unwrap(), &set(), 1).unwrap()
}

fn player(steps: u64) -> player::Player {
    let mut trainer = trainer();
    let mut at = StepAt { epoch: 0, step: 0 };
    for _ in 0..steps {
        trainer.step(at, 0.01);
        at.step += 1;
        if at.step == trainer.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    player::Player::load(&trainer.save()).unwrap()
}

fn write(player: &player::Player, request: &Request, seed: u64) -> Score {
    player.compose(request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score
}

/// What a composition is: full bars, a note in each, one metre, so many bars played; its ABC is read again without a warning, as it was.
fn is_clean(score: &Score, bars: usize) {
    assert_eq!(score.bar_count(), bars);
    let metres: std::collections::BTreeSet<String> =
        score.bars().skip(1 - score.first_bar()).map(|bar| bar.meter.to_string()).collect();
    assert_eq!(metres.len(), 1, "{metres:?}");
    assert!(score.bars().all(|bar| score.notes().any(|note| bar.start <= note.onset && note.onset < bar.end())));
    let text = abc::write(score).unwrap();
    let book = abc::read(&text, &cantus_formats::Limits::default()).unwrap();
    let reading = book.tunes[0].reading.as_ref().unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(reading.warnings.is_empty(), "{:?}\n{text}", reading.warnings);
    assert_eq!(reading.score, abc::canonicalize(score).unwrap(), "{text}");
    assert_eq!(reading.score.repeats.len(), score.repeats.len(), "{text}");
    // With their loudness.
    assert_eq!(musicxml::canonicalize(score).unwrap().repeats.len(), score.repeats.len(), "{text}");
}

#[test]
fn whatever_is_drawn_is_clean_abc_with_its_repeats() {
    for (player, seeds) in [(player(0), 0..70), (player(60), 70..100)] {
        let mut repeats = 0;
        for seed in seeds {
            let sampling = Sampling { temperature: if seed % 2 == 0 { 1.0 } else { 1.8 }, ..Sampling::default() };
            let bars = [16, 32, 7, 1, 2, 33][seed as usize % 6];
            let score = write(&player, &Request::new(bars, sampling), seed);
            is_clean(&score, bars);
            repeats += score.repeats.len();
        }
        assert!(repeats > 10, "{repeats}");
    }
}

#[test]
fn key_and_metre_come_as_they_are_asked_for() {
    let player = player(30);
    for (key, meter) in [("G", "6/8"), ("D", "4/4"), ("Bbm", "6/8"), ("F#", "4/4"), ("Gb", "6/8")] {
        let mut request = Request::new(16, Sampling::default());
        request.controls.set("key", key).unwrap();
        request.controls.set("meter", meter).unwrap();
        for seed in 0..4 {
            let score = write(&player, &request, seed);
            assert_eq!(score.keys, [(Ticks::ZERO, key.parse().unwrap())]);
            assert!(score.bars().skip(1 - score.first_bar()).all(|bar| bar.meter.to_string() == meter));
            // The corpus has notes of its scale alone, and so has what it writes in another key.
            let scale: Vec<u8> =
                [0, 2, 4, 5, 7, 9, 11].map(|step| (home(score.keys[0].1) + step).rem_euclid(12) as u8).into();
            assert!(score.notes().filter(|note| scale.contains(&note.pitch.class())).count() * 2 > score.note_count());
            is_clean(&score, 16);
        }
    }
}

#[test]
fn a_prompt_keeps_its_repeats_and_what_follows_has_its_own() {
    let player = player(30);
    for (number, kept) in [(0, 8), (3, 8), (0, 3), (1, 5)] {
        let prompt = Prompt::new(&tune(number), kept).unwrap();
        let request = Request::new(kept + 16, Sampling::default()).after(prompt.clone());
        let mut repeats = 0;
        for seed in 0..12 {
            let score = write(&player, &request, seed);
            let end = prompt.end_in(&score);
            let (before, after): (Vec<Repeat>, Vec<Repeat>) =
                score.repeats.iter().cloned().partition(|repeat| repeat.start() < end);
            assert_eq!(before, prompt.score().rescaled(score.ticks_per_quarter).repeats);
            assert_eq!(score.bar_count(), kept + 16);
            repeats += after.len();
        }
        assert!(repeats > 3, "{repeats}");
    }
}

#[test]
fn learning_judging_and_composing_forbid_the_same_words_in_every_key() {
    let set = set();
    let grammar = Tunes::of(&set, 3).unwrap();
    let pieces: Vec<Line> = set.train.iter().map(|piece| Line::new(grammar.encode(&piece).0, &grammar)).collect();
    let outlines: Vec<Outline> = pieces.iter().map(|piece| Outline::of(&piece.tokens, 1.0, &grammar, 3)).collect();
    let mut keys = std::collections::BTreeSet::new();
    for epoch in 0..3 {
        let plan = plan(&outlines, 2, 24, 1, epoch);
        for step in 0..plan.steps() {
            let rows: Vec<_> = plan.step(step).collect();
            keys.extend(rows.iter().flatten().map(|row| row.segment.shift));
            let batch = Batch::gather(|k| &pieces[k], rows.iter().copied(), &grammar);
            for (at, forbidden) in batch.forbidden.chunks(grammar.size()).enumerate() {
                assert!(batch.weights[at] == 0.0 || forbidden[batch.targets[at] as usize] == 0.0);
            }
        }
    }
    assert!(keys.len() > 2, "{keys:?}");
}

/// Whatever is said of a short tune, something may follow until it is over; and the judge gives a tune the product of what its words have among
/// those that may stand there.
#[test]
fn something_may_always_follow_and_the_judge_counts_it() {
    let mut short = Score::new(GRID);
    short.meters.push((Ticks::ZERO, "1/16".parse().unwrap()));
    let note = |onset, pitch: u8| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(6),
        velocity: Velocity::DEFAULT,
    };
    short.keys.push((Ticks::ZERO, "C".parse().unwrap()));
    short.parts.push(Part { notes: vec![note(0, 60), note(6, 61)], ..Part::default() });
    let pieces = vec![short.clone(), short.clone()];
    let set =
        TrainingSet { train: pieces.clone().into(), valid: pieces.into(), attacks: true, reading: Reading::Parts };
    let mut trainer = TokenTrainer::<Tunes>::new(&SPEC.tiny_settings("default").unwrap(), &set, 1).unwrap();
    for step in 0..3 {
        trainer.step(StepAt { epoch: 0, step }, 0.05);
    }
    let model = cantus_model::tokens::TokenModel::<Tunes>::load(&trainer.save()).unwrap();
    let words = &model.grammar.vocabulary;
    let mut beginnings = vec![Cursor::new(words)];
    for _ in 0..9 {
        let mut next = Vec::new();
        for cursor in beginnings.iter().filter(|cursor| !cursor.now().is_over()) {
            let all = (0..words.len() as u32).filter_map(|id| words.token(TokenId(id)));
            let before = next.len();
            for token in all.filter(|token| cursor.permits(*token)) {
                let mut longer = cursor.clone();
                longer.advance(token);
                next.push(longer);
            }
            assert!(next.len() > before, "{:?}", cursor.now());
        }
        beginnings = next;
    }
    assert!(beginnings.len() > 20 && beginnings.iter().any(|cursor| cursor.now().is_over()));
    let tokens = model.grammar.encode(&short).0;
    let (mut place, mut rows, mut nats) = (model.grammar.begin(&tokens), model.rows(), 0.0);
    for pair in tokens.windows(2) {
        place.read(pair[0]);
        model.read(pair[0], &place, &mut rows);
        let mut logits = model.predict(&place, &mut rows).to_vec();
        place.forbid(&mut logits);
        let sum: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
        nats -= (f64::from(logits[pair[1].index()]).exp() / sum).ln();
    }
    let judged = model.judge(&short).figures;
    assert!((judged.nats - nats).abs() < 1e-6 && nats > 0.0 && nats.is_finite(), "{judged:?} {nats}");
    assert_eq!(decode(&tokens, words).score(), canonicalize(&short, words));
}
