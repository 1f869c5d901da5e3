//! Composing without a prompt: length, chance, senseless requests, stopping.

use crate::corpus;
use crate::subject::{Subject, compose, each, each_composer, request};
use cantus_model::{ComposeError, Composer, Request, Rng, Sampling, SamplingError, seeded};
use cantus_score::{Score, Ticks};
use std::ops::ControlFlow;

/// A composer that has seen a few batches.
pub fn composer(subject: &Subject) -> Box<dyn Composer> {
    subject.composer(21, 5)
}

/// Asserts that `score` has exactly so many bars: no note outlasts them, and one begins in the last.
pub fn has_bars(score: &Score, bars: usize) {
    let found: Vec<_> = score.bars().collect();
    assert_eq!(found.len(), bars);
    let (last, end) = (found[bars - 1].start, found[bars - 1].end());
    assert!(score.notes().all(|note| note.onset < end && note.end() <= end && note.duration > Ticks::ZERO));
    assert!(score.notes().any(|note| note.onset >= last), "no onset in the last bar");
    for part in &score.parts {
        assert!(part.notes.is_sorted(), "notes out of order");
    }
}

#[test]
fn a_piece_has_exactly_the_bars_asked_for() {
    each_composer(|subject| {
        let composer = composer(subject);
        for bars in [1, 2, 7, 33] {
            for sampling in
                [Sampling::default(), composer.default_sampling(), Sampling { temperature: 3.0, top_k: 5, top_p: 0.9 }]
            {
                for seed in 0..4 {
                    let composition = compose(composer.as_ref(), &Request { sampling, ..request(bars) }, seed).unwrap();
                    assert!(composition.remarks.is_empty());
                    has_bars(&composition.score, bars);
                }
            }
        }
    });
}

#[test]
fn a_network_that_has_learnt_nothing_keeps_the_length_too() {
    each(|subject| {
        for seed in 0..4 {
            let composer = subject.create(&corpus::set(), seed).composer();
            has_bars(&compose(composer.as_ref(), &request(9), seed).unwrap().score, 9);
        }
    });
}

#[test]
fn the_seed_alone_decides_the_music() {
    each_composer(|subject| {
        let composer = composer(subject);
        let music = |seed| compose(composer.as_ref(), &request(8), seed).unwrap().score;
        for seed in 0..3 {
            assert_eq!(music(seed), music(seed));
            assert_ne!(music(seed), music(seed + 1));
        }
    });
}

#[test]
fn pieces_composed_together_are_those_composed_alone() {
    each_composer(|subject| {
        let composer = composer(subject);
        let mut rngs: Vec<Rng> = (0..5).map(seeded).collect();
        let together = composer.compose_all(&request(4), &mut rngs, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(together.len(), 5);
        for (seed, together) in together.iter().enumerate() {
            let alone = compose(composer.as_ref(), &request(4), seed as u64).unwrap();
            assert_eq!((&together.score, &together.remarks), (&alone.score, &alone.remarks), "seed {seed}");
        }
        let none = composer.compose_all(&request(4), &mut [], &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(none.is_empty());
    });
}

#[test]
fn the_generator_moves_on_between_pieces() {
    each_composer(|subject| {
        let composer = composer(subject);
        let mut rng = seeded(1);
        let mut next = || composer.compose(&request(4), &mut rng, &mut |_| ControlFlow::Continue(())).unwrap().score;
        assert_ne!(next(), next());
    });
}

#[test]
fn senseless_requests_are_refused_by_name() {
    each_composer(|subject| {
        let composer = composer(subject);
        for bars in [0, 1_000_000_000, usize::MAX] {
            match compose(composer.as_ref(), &request(bars), 0) {
                Err(ComposeError::Bars { bars: found, most }) => assert!(found == bars && most >= 1000),
                other => panic!("{bars} bars: {other:?}"),
            }
        }
        let with = |sampling| compose(composer.as_ref(), &Request { sampling, ..request(2) }, 0);
        for temperature in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 4.1, 1e300] {
            let found = with(Sampling { temperature, ..Sampling::default() });
            assert!(matches!(found, Err(ComposeError::Sampling(SamplingError::Temperature(_)))), "{temperature}");
        }
        for top_p in [0.0, -0.5, 1.5, f64::NAN] {
            let found = with(Sampling { top_p, ..Sampling::default() });
            assert!(matches!(found, Err(ComposeError::Sampling(SamplingError::TopP(_)))), "{top_p}");
        }
        for temperature in [0.0, 1e-300, Sampling::MOST_TEMPERATURE] {
            has_bars(&with(Sampling { temperature, ..Sampling::default() }).unwrap().score, 2);
        }
    });
}

#[test]
fn progress_goes_from_nought_to_one_and_can_stop_the_work() {
    each_composer(|subject| {
        let composer = composer(subject);
        let mut seen = Vec::new();
        let mut watch = |share| {
            seen.push(share);
            ControlFlow::Continue(())
        };
        let undisturbed = composer.compose(&request(6), &mut seeded(2), &mut watch).unwrap().score;
        assert_eq!(undisturbed, compose(composer.as_ref(), &request(6), 2).unwrap().score);
        assert!(
            seen.len() >= 6 && seen.is_sorted() && seen.iter().all(|share| (0.0..=1.0).contains(share)),
            "{seen:?}"
        );
        for stop_at in [1, 3] {
            let mut calls = 0;
            let stopped = composer.compose(&request(6), &mut seeded(2), &mut |_| {
                calls += 1;
                if calls == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(matches!(stopped, Err(ComposeError::Stopped)));
            assert_eq!(calls, stop_at, "asked again after the stop");
        }
    });
}
