//! Composing with a prompt: it is kept note for note, and what follows begins where it ends.

use crate::composing::{composer, has_bars};
use crate::corpus::{self, note};
use crate::subject::{BEGINNING, compose, each, each_composer, request, steps};
use cantus_model::{Around, ComposeError, Composer, Joined, Prompt};
use cantus_score::{Key, Meter, Mode, Note, Part, Score, Tempo, Ticks, TicksPerQuarter};
use serde_json::json;

/// As a person would play it: odd ticks, nothing on the grid, two pitched parts and drums, tempo, key, four bars and a bit.
fn performed(per_quarter: u32, meter: &str) -> Score {
    let ticks = u64::from(per_quarter);
    let hand = |pitches: [u8; 3], shift: u64| -> Vec<Note> {
        (0..14)
            .map(|k| note(k * ticks * 5 / 4 + shift * (k % 3), pitches[k as usize % 3], (ticks - 1 + k % 2).max(1)))
            .collect()
    };
    let mut score = corpus::score(per_quarter, meter, hand([60, 64, 67], ticks / 9));
    score.parts[0].name = Some("right".to_owned());
    score.parts.push(Part { channel: 9, notes: vec![note(0, 35, ticks), note(ticks, 38, 1)], ..Part::default() });
    let mut left = hand([48, 52, 48], 0);
    left.sort_unstable();
    score.parts.push(Part { channel: 1, name: Some("left".to_owned()), notes: left, ..Part::default() });
    score.tempos.push((Ticks(ticks * 2), Tempo::from_quarters_per_minute(61.5).unwrap()));
    score.keys.push((Ticks::ZERO, Key::new(-3, Mode::Minor).unwrap()));
    score
}

/// Asserts that `joined` begins with `score`'s first `kept` bars and goes on after them, `bars` bars altogether: in its melody, or its bass.
fn continues(composer: &dyn Composer, score: &Score, kept: usize, joined: &Score, bars: usize) {
    let prompt = Prompt::new(score, kept).unwrap();
    let fine = joined.ticks_per_quarter;
    let expected = prompt.score().rescaled(fine);
    assert_eq!(expected.rescaled(score.ticks_per_quarter), *prompt.score(), "the ticks are too coarse for the prompt");
    let end = prompt.end_in(joined);
    assert_eq!(end, joined.bars().nth(kept - 1).unwrap().end());
    assert_eq!(joined.parts.len(), expected.parts.len());
    for (found, expected) in joined.parts.iter().zip(&expected.parts) {
        let before: Vec<Note> = found.notes.iter().copied().filter(|note| note.onset < end).collect();
        assert_eq!(before, expected.notes);
        assert!(before.iter().all(|note| note.end() <= end));
        assert_eq!((&found.name, found.channel), (&expected.name, expected.channel));
    }
    // The melody goes on, or who writes a bass goes on with that.
    let goes_on = |part: &&Part| part.notes.iter().any(|note| note.onset >= end);
    let melody = joined.parts.iter().find(|part| !part.drums).unwrap();
    let bass = cantus_score::bass_of(&expected.parts).map(|bass| &joined.parts[bass]);
    let expected_to = if composer.joins() == Some(Joined::Bass) { bass.unwrap_or(melody) } else { melody };
    assert_eq!(joined.parts.iter().filter(goes_on).collect::<Vec<_>>(), [expected_to]);
    assert_eq!(joined.tempos, expected.tempos);
    assert_eq!(joined.keys, expected.keys);
    let early: Vec<(Ticks, Meter)> = joined.meters.iter().copied().filter(|(at, _)| *at < end).collect();
    assert_eq!(early, expected.meters);
    assert!(joined.meters.is_sorted(), "{:?}", joined.meters);
    has_bars(joined, bars);
}

#[test]
fn the_prompt_is_kept_note_for_note_and_continued() {
    each_composer(|subject| {
        let composer = composer(subject);
        for (per_quarter, meter) in [(10, "4/4"), (480, "3/4"), (7, "4/4"), (1, "3/4"), (960, "4/4")] {
            let score = performed(per_quarter, meter);
            for (kept, bars) in [(1, 2), (1, 9), (3, 4), (4, 8)] {
                let prompt = Prompt::new(&score, kept).unwrap();
                assert_eq!(prompt.bars(), kept);
                let request = request(bars).after(prompt);
                for seed in 0..2 {
                    let joined = compose(composer.as_ref(), &request, seed).unwrap().score;
                    continues(composer.as_ref(), &score, kept, &joined, bars);
                }
            }
        }
    });
}

#[test]
fn a_prompt_of_the_corpus_needs_no_remark_and_the_seed_decides_what_follows() {
    each_composer(|subject| {
        // Who writes a part to others may rest where there are none.
        if subject.spec.around.contains(&Around::Parts) {
            return;
        }
        let composer = composer(subject);
        let score = corpus::piece(0);
        let request = request(10).after(Prompt::new(&score, 4).unwrap());
        let music = |seed| compose(composer.as_ref(), &request, seed).unwrap();
        assert_eq!(music(1).remarks, Vec::<String>::new());
        assert_eq!(music(1).score, music(1).score);
        assert_ne!(music(1).score, music(2).score);
    });
}

#[test]
fn what_follows_depends_on_the_prompt() {
    each(|subject| {
        // Long enough for the network to hear what it reads.
        let plain = subject.with(&json!({"dropout": 0.0, "input_dropout": 0.0}));
        let mut trainable = plain.create(&corpus::by_heart(), 1);
        steps(trainable.as_mut(), BEGINNING, 300, 0.01);
        let composer = trainable.composer();
        let (one, other) = (corpus::piece(0), corpus::piece(1));
        let after = |score: &Score, seed| {
            let request = request(12).after(Prompt::new(score, 4).unwrap());
            let joined = compose(composer.as_ref(), &request, seed).unwrap().score;
            let end = request.prompt().unwrap().end_in(&joined);
            joined.notes().filter(|note| note.onset >= end).map(|note| (note.onset, note.pitch)).collect::<Vec<_>>()
        };
        assert!((0..4).any(|seed| after(&one, seed) != after(&other, seed)));
    });
}

#[test]
fn silent_bars_before_within_and_after_the_prompts_notes_are_kept() {
    each_composer(|subject| {
        let composer = composer(subject);
        let notes = |bars: &[u64]| bars.iter().map(|bar| note(bar * 16 + 4, 60, 4)).collect();
        for (bars, kept) in [(vec![3, 5], 6), (vec![0, 1, 7], 5), (vec![0, 4], 5), (vec![2, 9], 8), (vec![0, 1], 2)] {
            let score = corpus::score(4, "4/4", notes(&bars));
            for more in [1, 2, 6] {
                let request = request(kept + more).after(Prompt::new(&score, kept).unwrap());
                for seed in 0..3 {
                    let joined = compose(composer.as_ref(), &request, seed).unwrap().score;
                    continues(composer.as_ref(), &score, kept, &joined, kept + more);
                }
            }
        }
    });
}

#[test]
fn notes_that_the_grid_moves_over_the_bar_line_are_kept_where_they_were() {
    each_composer(|subject| {
        let composer = composer(subject);
        for onsets in [vec![1915], vec![0, 1900], vec![0, 1919, 3839]] {
            let score = corpus::score(480, "4/4", onsets.iter().map(|onset| note(*onset, 60, 480)).collect());
            let kept = onsets.len().min(2);
            for bars in [kept + 1, kept + 4] {
                let prompt = Prompt::new(&score, kept).unwrap();
                let request = request(bars).after(prompt);
                continues(
                    composer.as_ref(),
                    &score,
                    kept,
                    &compose(composer.as_ref(), &request, 5).unwrap().score,
                    bars,
                );
            }
        }
    });
}

#[test]
fn what_the_model_does_not_know_is_remarked_and_kept() {
    each(|subject| {
        // Who writes a part to others may rest where there are none.
        if subject.spec.around.contains(&Around::Parts) {
            return;
        }
        let composer = composer(subject);
        // Pitches beyond the keyboard, a cluster, durations and metres that no piece of the corpus has.
        for meter in ["5/4", "7/8", "11/16", "1/4", "2/2", "3/8", "17/4"] {
            let bar = meter.parse::<Meter>().unwrap().bar(TicksPerQuarter::new(4).unwrap()).0;
            let notes = (0..3).flat_map(|k| [note(k * bar, 3, 13), note(k * bar, 61, 11), note(k * bar + 1, 125, 1)]);
            let score = corpus::score(4, meter, notes.collect());
            let request = request(7).after(Prompt::new(&score, 3).unwrap());
            let composition = compose(composer.as_ref(), &request, 0).unwrap();
            println!("{meter}: {:?}", composition.remarks);
            assert!(composition.remarks.iter().any(|remark| remark.contains("kept as it is")));
            continues(composer.as_ref(), &score, 3, &composition.score, 7);
        }
    });
}

#[test]
fn a_metre_that_changes_within_the_prompt_is_kept() {
    each_composer(|subject| {
        let composer = composer(subject);
        let mut score = corpus::score(4, "4/4", (0..16).map(|k| note(4 * k, 60 + k as u8 % 5, 4)).collect());
        score.meters.push((Ticks(16), "3/4".parse().unwrap()));
        // Cuts a bar of three quarters after two.
        score.meters.push((Ticks(36), "4/4".parse().unwrap()));
        for kept in 1..=4 {
            let request = request(8).after(Prompt::new(&score, kept).unwrap());
            continues(composer.as_ref(), &score, kept, &compose(composer.as_ref(), &request, 1).unwrap().score, 8);
        }
    });
}

#[test]
fn prompts_that_leave_nothing_to_compose_are_refused_by_name() {
    each_composer(|subject| {
        let composer = composer(subject);
        let prompt = Prompt::new(&corpus::piece(0), 6).unwrap();
        for bars in [1, 5, 6] {
            let request = request(bars).after(prompt.clone());
            match compose(composer.as_ref(), &request, 0) {
                Err(ComposeError::PromptTooLong { prompt: 6, bars: found }) => assert_eq!(found, bars),
                other => panic!("{bars}: {other:?}"),
            }
        }
    });
}

#[test]
fn prompts_without_a_note_to_continue_are_refused_by_name() {
    let mut drums = corpus::piece(0);
    drums.parts[0].drums = true;
    let late = corpus::score(4, "4/4", vec![note(100, 60, 4)]);
    for (what, score, bars) in [
        ("no bar", corpus::piece(0), 0),
        ("no part", Score::new(TicksPerQuarter::DEFAULT), 4),
        ("no note", corpus::score(4, "4/4", Vec::new()), 4),
        ("drums alone", drums, 4),
        ("silence before the first note", late, 3),
    ] {
        let refused = Prompt::new(&score, bars);
        let is_named = matches!(refused, Err(ComposeError::EmptyPrompt { .. } | ComposeError::Unpitched(_)));
        assert!(is_named, "{what}");
    }
}
