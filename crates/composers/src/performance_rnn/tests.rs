use super::grammar::STRETCHES;
use super::*;
use cantus_encoding::TokenId;
use cantus_encoding::performance::{GRID, LEVELS, LONGEST_WAIT};
use cantus_model::tokens::{Batch, Outline, Piece as Line, plan};
use cantus_model::{StepAt, Trainable, TrainingSet, seeded};
use cantus_score::{Note, Part, PedalSpan, Pitch, Velocity};
use std::ops::ControlFlow;

/// So many seconds of playing: chords with a restrike, loudness that changes, a pedal that is changed every second.
fn played(seconds: u64) -> Score {
    let mut score = Score::new(GRID);
    let mut part = Part::default();
    for k in 0..4 * seconds {
        let mut add = |onset: u64, pitch: u64, duration: u64| {
            part.notes.push(Note {
                onset: Ticks(onset),
                pitch: Pitch::try_from((pitch) as u8).unwrap(),
                duration: Ticks(duration),
                velocity: Velocity::try_from((40 + onset * 7 % 60) as u8).unwrap(),
            });
        };
        add(25 * k + k % 3, 60 + k * 7 % 12, 20 + 40 * (k % 2));
        if k % 4 == 0 {
            add(25 * k, 40 + k % 5, 90);
            add(25 * k + 91, 40 + k % 5, 6);
        }
    }
    part.notes.sort_unstable();
    part.pedal = (0..seconds).map(|k| PedalSpan { down: Ticks(100 * k + 8), up: Ticks(100 * k + 103) }).collect();
    score.parts.push(part);
    score
}

fn set(reading: Reading) -> TrainingSet {
    TrainingSet {
        train: [20, 9, 31].into_iter().map(played).collect(),
        valid: vec![played(12)].into(),
        reading,
        attacks: true,
    }
}

fn trainer(reading: Reading) -> TokenTrainer<Playing> {
    let settings = SPEC.tiny_settings("default").unwrap();
    TokenTrainer::new(&settings, &set(reading), 1).unwrap()
}

fn composer(reading: Reading, steps: u64) -> Player {
    let mut trainer = trainer(reading);
    for step in 0..steps {
        trainer.step(StepAt { epoch: 0, step }, 0.01);
    }
    Player::load(&trainer.save()).unwrap()
}

fn write(player: &Player, request: &Request, seed: u64) -> Score {
    player.compose(request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score
}

#[test]
fn learning_judging_and_composing_forbid_the_same_words_in_every_key() {
    let set = set(Reading::Pedalled);
    let grammar = Playing::of(&set, 3).unwrap();
    let pieces: Vec<Line> = set.train.iter().map(|piece| Line::new(grammar.encode(&piece).0, &grammar)).collect();
    let outlines: Vec<Outline> = pieces.iter().map(|piece| Outline::of(&piece.tokens, 1.0, &grammar, 3)).collect();
    let mut keys = std::collections::BTreeSet::new();
    for epoch in 0..4 {
        let plan = plan(&outlines, 2, 24, 1, epoch);
        for step in 0..plan.steps() {
            let rows: Vec<_> = plan.step(step).collect();
            keys.extend(rows.iter().flatten().map(|row| row.segment.shift));
            let batch = Batch::gather(|k| &pieces[k], rows.iter().copied(), &grammar);
            for (at, forbidden) in batch.forbidden.chunks(grammar.size()).enumerate() {
                assert!(batch.weights[at] == 0.0 || forbidden[batch.targets[at] as usize] == 0.0);
            }
            for (b, row) in rows.iter().enumerate() {
                let Some(row) = row else { continue };
                let tokens = &pieces[row.segment.piece].tokens;
                let mut place = grammar.begin(&[]);
                (0..row.segment.tokens.end).for_each(|k| place.read(grammar.moved(tokens[k], row.segment.shift)));
                let mut expected = vec![0.0; grammar.size()];
                place.forbid(&mut expected);
                let at = (row.segment.tokens.len() - 1) * batch.rows + b;
                assert_eq!(batch.forbidden[at * grammar.size()..(at + 1) * grammar.size()], expected);
            }
        }
    }
    assert!(keys.len() > 2, "{keys:?}");
    // A judge gives all probability to what may follow: a piece whose every word is the only one has no nats.
    let player = composer(Reading::Pedalled, 3);
    let mut rows = player.model.rows();
    let place = player.model.grammar.begin(&[]);
    player.model.read(Vocabulary::id(Token::Start), &place, &mut rows);
    let logits = player.model.predict(&place, &mut rows);
    place.forbid(logits);
    let may = logits.iter().filter(|logit| logit.is_finite()).count();
    // Waits, loudness, and the pedal; nothing can be struck before its loudness is said.
    assert_eq!(may, usize::from(LONGEST_WAIT) + usize::from(LEVELS) + 1);
}

#[test]
fn performances_are_learnt_slower_and_faster_and_scores_are_not() {
    let takes = |reading| -> Vec<Score> {
        let grammar = Playing::of(&set(reading), 3).unwrap();
        (0..grammar.takes()).map(|take| grammar.take(&played(20), take)).collect()
    };
    // As it is, and once more, told how busy it is.
    assert_eq!(takes(Reading::Merged).len(), 2);
    let ends: Vec<u64> = takes(Reading::Pedalled).iter().map(|take| take.end().0).collect();
    let end = played(20).end().0 as f64;
    let of = [1.0, STRETCHES[0], STRETCHES[1], STRETCHES[2], STRETCHES[3]].map(|by| (end * by).round() as u64);
    assert_eq!(ends, [of, of].concat());
    for take in takes(Reading::Performed) {
        assert_eq!(take.note_count(), played(20).note_count());
        assert!(take.parts[0].pedal.is_empty());
    }
}

#[test]
fn a_composition_has_no_longer_notes_nor_pedal_than_the_corpus() {
    for (reading, steps) in [(Reading::Pedalled, 0), (Reading::Pedalled, 30), (Reading::Performed, 5)] {
        let player = composer(reading, steps);
        let (longest, held) = (player.vocabulary().longest_note(), player.vocabulary().longest_pedal());
        for seed in 0..6 {
            let sampling = Sampling { temperature: 1.0 + seed as f32 as f64 / 2.0, ..Sampling::default() };
            let score = write(&player, &Request::new(9, sampling), seed);
            // A millisecond is a tick: 500 to the quarter, at 120 quarters a minute.
            assert_eq!(score.ticks_per_quarter.get(), 500);
            let steps = |ticks: Ticks| (ticks.0 / u64::from(FINE)) as u32;
            assert!(score.notes().all(|note| steps(note.duration) <= longest && note.onset.0 % 10 == 0));
            let spans: Vec<_> = score.parts.iter().flat_map(|part| &part.pedal).collect();
            assert!(spans.iter().all(|span| steps(span.up - span.down) <= held));
            assert_eq!(spans.is_empty(), reading == Reading::Performed);
            let one_key_at_a_time = cantus_score::merge_parts(&score.parts);
            assert_eq!(one_key_at_a_time.notes, score.parts[0].notes);
        }
    }
}

#[test]
fn a_prompt_keeps_its_pedal_and_what_follows_has_its_own() {
    let player = composer(Reading::Pedalled, 30);
    let source = Score { tempos: vec![(Ticks::ZERO, Tempo::from_quarters_per_minute(90.0).unwrap())], ..played(20) };
    let prompt = Prompt::new(&source, 2).unwrap();
    let request = Request::new(8, Sampling::default()).after(prompt.clone());
    let score = write(&player, &request, 3);
    let kept = prompt.score().rescaled(score.ticks_per_quarter);
    let end = prompt.end_in(&score);
    let (before, after): (Vec<PedalSpan>, Vec<PedalSpan>) =
        score.parts[0].pedal.iter().copied().partition(|span| span.down < end);
    assert_eq!(before, kept.parts[0].pedal);
    assert!(!after.is_empty() && score.parts[0].pedal.is_sorted());
    assert_eq!(score.tempos, source.tempos);
}

#[test]
fn half_of_the_takes_are_told_how_busy_they_are_going_to_be() {
    let grammar = Playing::of(&set(Reading::Pedalled), 0).unwrap();
    let known = |take: usize| {
        let tokens = grammar.encode_take(&played(20), take);
        let mut place = grammar.begin(&tokens);
        let mut busy = Vec::new();
        for token in tokens {
            place.read(token);
            let mut known = Vec::new();
            place.contexts(&mut known);
            busy.extend(known.last());
        }
        busy
    };
    let unsaid = grammar.contexts().last().map(|count| *count as u32 - 1).unwrap();
    let (untold, told) = (known(0), known(grammar.takes() / 2));
    assert!(untold.iter().all(|class| *class == unsaid), "{untold:?}");
    assert_eq!(untold.len(), told.len(), "the same words but for the first");
    // At the end nothing is struck any more; before it is as busy as it is.
    assert!(told.iter().all(|class| *class < unsaid) && told.last() == Some(&0), "{told:?}");
    assert!(told.iter().max() > told.last(), "{told:?}");
    let place = |density: f64| {
        let mut known = Vec::new();
        grammar.begin_as_busy(density).contexts(&mut known);
        known.last().copied()
    };
    assert_eq!([0.0, 0.5, 1.0].map(place), [Some(0), Some(unsaid / 2), Some(unsaid - 1)]);
}

#[test]
fn words_that_may_follow_are_told_apart_by_traits_that_do_not_depend_on_the_key() {
    let grammar = Playing::of(&set(Reading::Pedalled), 3).unwrap();
    let tokens = grammar.encode(&played(12)).0;
    let size = grammar.size();
    let traits = grammar.traits();
    let classes = |shift: i32| {
        let mut place = grammar.begin(&tokens);
        tokens.iter().take(200).for_each(|token| place.read(grammar.moved(*token, shift)));
        let mut classes = vec![0; traits.len() * size];
        place.classes(&mut classes);
        classes
    };
    let (plain, moved) = (classes(0), classes(2));
    for (count, classes) in traits.iter().zip(plain.chunks(size)) {
        assert!(classes.iter().all(|class| (*class as usize) < *count));
        assert!(classes.iter().collect::<std::collections::BTreeSet<_>>().len() > 3, "{classes:?}");
    }
    for key in 20..60 {
        for token in [Token::Strike(key), Token::Release(key)].map(Vocabulary::id) {
            for of_trait in 0..traits.len() {
                let at = |token: TokenId| of_trait * size + token.index();
                assert_eq!(plain[at(token)], moved[at(grammar.moved(token, 2))], "{token:?}");
            }
        }
    }
}

#[test]
fn composing_adds_the_traits_that_were_learnt() {
    let player = composer(Reading::Pedalled, 8);
    let settings = SPEC.tiny_settings("default").unwrap();
    let mut trainer: TokenTrainer<Playing> = TokenTrainer::new(&settings, &set(Reading::Pedalled), 1).unwrap();
    for step in 0..8 {
        trainer.step(StepAt { epoch: 0, step }, 0.01);
    }
    let validated = trainer.validate();
    let judged = player.judge().unwrap().judge(&played(12)).figures;
    // The judge's weights have 16 bits.
    assert!((judged.nats / judged.tokens - validated.nats / validated.tokens).abs() < 0.01, "{judged:?} {validated:?}");
}
