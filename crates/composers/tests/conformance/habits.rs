//! Tempos, metres and keys: however short a training was, what no piece to learn from has is not composed.

use crate::corpus;
use crate::subject::{compose, each, request};
use cantus_model::{Habits, Prompt, TrainingSet};
use cantus_score::{Meter, Score, Tempo, Ticks};
use std::collections::BTreeSet;

/// A piece of the corpus, `by` semitones higher, at a tempo.
fn piece(index: usize, by: i32, tempo: Tempo) -> Score {
    let mut piece = corpus::piece(index).transposed(by).unwrap();
    piece.tempos = vec![(Ticks::ZERO, tempo)];
    piece
}

fn tempo(quarters_per_minute: f64) -> Tempo {
    Tempo::from_quarters_per_minute(quarters_per_minute).unwrap()
}

/// Pieces in 3/4 and D major at 172; what is for validation is otherwise in everything.
fn waltzes() -> TrainingSet {
    TrainingSet {
        train: [1, 3, 5].map(|index| piece(index, 2, tempo(172.0))).to_vec().into(),
        valid: vec![piece(2, -3, tempo(61.0))].into(),
        attacks: true,
        ..TrainingSet::default()
    }
}

#[test]
fn a_corpus_at_one_tempo_in_one_metre_and_key_comes_back_so() {
    each(|subject| {
        let composer = subject.create(&waltzes(), 1).composer();
        for seed in 0..6 {
            let score = compose(composer.as_ref(), &request(5), seed).unwrap().score;
            assert_eq!(score.tempos, [(Ticks::ZERO, tempo(172.0))]);
            let meters: BTreeSet<Meter> = score.bars().map(|bar| bar.meter).collect();
            assert_eq!(meters, BTreeSet::from(["3/4".parse().unwrap()]));
            let fifths: Vec<i8> = score.keys.iter().map(|(_, key)| key.fifths()).collect();
            assert_eq!(fifths, [2]);
        }
    });
}

#[test]
fn what_pieces_differ_in_comes_as_often_as_there() {
    each(|subject| {
        let (slow, fast) = (tempo(60.0), tempo(120.0));
        let train = vec![piece(0, 0, slow), piece(2, 7, fast), piece(4, 7, fast), piece(1, 7, fast)];
        let set = TrainingSet {
            valid: vec![piece(3, 0, slow)].into(),
            train: train.into(),
            attacks: true,
            ..TrainingSet::default()
        };
        let composer = subject.create(&set, 2).composer();
        let composed: Vec<Score> =
            (0..60).map(|seed| compose(composer.as_ref(), &request(2), seed).unwrap().score).collect();
        let count = |what: &dyn Fn(&Score) -> bool| composed.iter().filter(|score| what(score)).count();
        // Three of four pieces are fast, in 4/4, in G: 45 are expected of 60, with a deviation of 3.4.
        let fast = count(&|score| score.tempos == [(Ticks::ZERO, fast)]);
        let common = count(&|score| score.bars().next().is_some_and(|bar| bar.meter == Meter::COMMON));
        let in_g = count(&|score| score.keys.first().is_some_and(|(_, key)| key.fifths() == 1));
        assert!([fast, common, in_g].iter().all(|count| (33..58).contains(count)), "{fast} {common} {in_g}");
        let tempos: BTreeSet<Tempo> = composed.iter().map(|score| score.tempos[0].1).collect();
        assert_eq!(tempos, BTreeSet::from([slow, tempo(120.0)]));
        let keys: BTreeSet<i8> =
            composed.iter().flat_map(|score| score.keys.iter().map(|(_, key)| key.fifths())).collect();
        assert!(keys.is_subset(&BTreeSet::from([0, 1])), "{keys:?}");
    });
}

#[test]
fn a_pick_up_comes_before_the_bars_asked_for_and_is_no_metre() {
    let with_pickup = |index: usize| {
        let mut piece = corpus::piece(index);
        piece.parts[0].notes.iter_mut().for_each(|note| note.onset += Ticks(4));
        piece.parts[0].notes.insert(0, corpus::note(0, 67, 4));
        let meter = piece.meters[0].1;
        piece.meters = vec![(Ticks::ZERO, "1/4".parse().unwrap()), (Ticks(4), meter)];
        piece
    };
    let train = [0, 2, 4].map(with_pickup).to_vec();
    let set = TrainingSet {
        train: train.into(),
        valid: vec![corpus::piece(6)].into(),
        attacks: true,
        ..TrainingSet::default()
    };
    each(|subject| {
        let composer = subject.create(&set, 4).composer();
        for (seed, bars) in (0..6).zip([1, 2, 5, 9, 20, 3]) {
            let score = compose(composer.as_ref(), &request(bars), seed).unwrap().score;
            let meters: Vec<Meter> = score.bars().map(|bar| bar.meter).collect();
            let whole = meters.iter().skip_while(|meter| **meter != Meter::COMMON);
            assert!(whole.clone().all(|meter| *meter == Meter::COMMON), "{meters:?}");
            assert!(whole.count() == bars && meters.len() <= bars + 1, "{meters:?}");
        }
    });
}

#[test]
fn a_prompt_keeps_its_tempo_and_key() {
    each(|subject| {
        let composer = subject.create(&waltzes(), 1).composer();
        let prompt = piece(0, 4, tempo(90.0));
        let asked = request(4).after(Prompt::new(&prompt, 2).unwrap());
        let score = compose(composer.as_ref(), &asked, 1).unwrap().score;
        assert_eq!((score.tempos, score.keys), (prompt.tempos, prompt.keys));
    });
}

#[test]
fn a_model_that_does_not_say_what_its_corpus_has_composes_as_ever() {
    each(|subject| {
        let mut file = subject.create(&waltzes(), 1).save();
        let habits = file.header.habits.take();
        assert!(habits.is_some_and(|habits| habits != Habits::default()));
        let older = cantus_composers::registry::load(&file).unwrap();
        let score = compose(older.as_ref(), &request(3), 1).unwrap().score;
        assert_eq!(score.keys, []);
        assert_eq!(score.bars().count(), 3);
    });
}
