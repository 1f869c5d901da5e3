//! One request for any wish: what is given stays note for note, what is asked for comes, and whoever cannot do it says who can.

use crate::corpus;
use crate::subject::{Subject, compose, each_composer, request};
use cantus_composers::registry::COMPOSERS;
use cantus_model::{
    Around, Cell, ComposeError, Composer, Control, Given, Length, Pieces, Prompt, Request, Sampling, TrainingSet,
};
use cantus_score::{Note, Reading, Score, Ticks, performed};
use std::collections::BTreeSet;

fn composer(subject: &Subject) -> Box<dyn Composer> {
    subject.composer(1, 0)
}

/// The notes of a piece that begin in these bars of four quarters, numbered from 1, in ticks of `FINE` to a quarter.
fn notes_in(score: &Score, bars: std::ops::RangeInclusive<u64>) -> BTreeSet<(u64, u8)> {
    let ticks = u64::from(score.ticks_per_quarter.get());
    let place = |note: &Note| (note.onset.0 * u64::from(FINE) / ticks, note.pitch.get());
    score.notes().map(place).filter(|(onset, _)| bars.contains(&(onset / u64::from(4 * FINE) + 1))).collect()
}

/// Finer than the grid of any composer.
const FINE: u32 = 96;

/// The same piece, in whose second bar each note of a quarter gives its last 32nd to another one.
fn finer(piece: &Score) -> Score {
    let mut fine = piece.rescaled(cantus_score::TicksPerQuarter::new(FINE).unwrap());
    let short = Ticks(u64::from(FINE / 8));
    let bar = Ticks(u64::from(4 * FINE))..Ticks(u64::from(8 * FINE));
    for part in &mut fine.parts {
        let is_split = |note: &&mut Note| bar.contains(&note.onset) && note.duration == Ticks(FINE.into());
        let split = |note: &mut Note| {
            note.duration = note.duration - short;
            Note { onset: note.end(), pitch: note.pitch.transposed(1).unwrap(), duration: short, ..*note }
        };
        let more: Vec<Note> = part.notes.iter_mut().filter(is_split).map(split).collect();
        assert!(!more.is_empty());
        part.notes.extend(more);
        part.notes.sort_unstable();
    }
    fine
}

/// Where music is played and not counted, its length may be asked for in seconds; elsewhere those that can are named.
#[test]
fn a_performance_is_as_long_as_the_seconds_asked_for() {
    each_composer(|subject| {
        let played = |pieces: Pieces| pieces.iter().map(|piece| performed(&piece)).collect();
        let TrainingSet { train, valid, attacks, .. } = corpus::set();
        let reading = Reading::Performed;
        let is_able = subject.spec.reads.contains(&reading);
        let set = TrainingSet { train: played(train), valid: played(valid), reading, attacks };
        let composer = if is_able { subject.create(&set, 1).composer() } else { composer(subject) };
        let asked = |seconds: &str| {
            let mut asked = request(1);
            asked.controls.set("seconds", seconds).unwrap();
            asked
        };
        let lasts = |score: &Score| score.tempo_map().seconds(score.end());
        let found = compose(composer.as_ref(), &asked("7"), 1);
        if !is_able {
            let error = found.unwrap_err().to_string();
            assert!(error.contains("notes, performance_rnn"), "{error}");
            return;
        }
        let score = found.unwrap().score;
        assert!(score.note_count() > 0 && score.bars().count() >= 3 && lasts(&score) <= 7.001, "{}", lasts(&score));
        // A prompt counts, at its own tempo: two bars of 2.5 s.
        let prompt = Prompt::new(&corpus::piece(0), 2).unwrap();
        let score = compose(composer.as_ref(), &asked("11").after(prompt), 1).unwrap().score;
        assert!((7.5..=11.001).contains(&lasts(&score)), "{}", lasts(&score));
        let prompt = Prompt::new(&corpus::piece(0), 2).unwrap();
        let none_left = compose(composer.as_ref(), &asked("5").after(prompt), 1);
        assert!(matches!(none_left, Err(ComposeError::PromptTooLong { .. })));
        assert!(matches!(compose(composer.as_ref(), &asked("4000000000"), 1), Err(ComposeError::Bars { .. })));
        assert!(request(1).controls.set("seconds", "0").is_err());
    });
}

/// The beginning of a piece, wherever it is said, and any cells of it, where the composer works around them.
#[test]
fn what_is_given_stays_note_for_note() {
    each_composer(|subject| {
        let composer = composer(subject);
        let source = corpus::piece(0);
        let bars = source.bar_count();
        // The rest of a piece is what goes on from its beginning, as long as it.
        let rest = Request::around(Given::new(source.clone(), vec![Cell::bars(1..=3)]).unwrap(), Sampling::default());
        let found = compose(composer.as_ref(), &rest, 2).unwrap().score;
        assert_eq!(found.bar_count(), bars);
        assert_eq!(notes_in(&found, 1..=3), notes_in(&source, 1..=3));
        let fine = finer(&source);
        let rest = Request::around(Given::new(fine.clone(), vec![Cell::bars(1..=3)]).unwrap(), Sampling::default());
        let found = compose(composer.as_ref(), &rest, 2).unwrap().score;
        assert_eq!(notes_in(&found, 1..=3), notes_in(&fine, 1..=3));
        let last = source.bars().last().unwrap();
        let cells = vec![Cell::bars(2..=2), Cell { voice: Some(0), bars: Some(4..=4) }];
        let asked = Request::around(Given::new(source.clone(), cells).unwrap(), Sampling::default());
        match (compose(composer.as_ref(), &asked, 3), subject.spec.around.contains(&Around::Cells)) {
            (Ok(found), true) => {
                assert_eq!(notes_in(&found.score, 2..=2), notes_in(&source, 2..=2));
                let around = Given::new(fine.clone(), vec![Cell::bars(2..=2)]).unwrap();
                let around = compose(composer.as_ref(), &Request::around(around, Sampling::default()), 3).unwrap();
                assert_eq!(notes_in(&around.score, 2..=2), notes_in(&fine, 2..=2));
                let line: BTreeSet<u8> = notes_in(&source, 4..=4).into_iter().map(|(_, pitch)| pitch).collect();
                let found_line: BTreeSet<u8> =
                    notes_in(&found.score, 4..=4).into_iter().map(|(_, pitch)| pitch).collect();
                let highest = |pitches: &BTreeSet<u8>| pitches.last().copied();
                assert_eq!(highest(&found_line), highest(&line));
                assert!(found.score.end() <= Ticks(last.end().0 * u64::from(found.score.ticks_per_quarter.get()) / 4));
            }
            (Err(error @ ComposeError::CannotArrange { .. }), false) => {
                let able = COMPOSERS.iter().filter(|spec| spec.around.contains(&Around::Cells)).map(|spec| spec.id);
                let able = able.collect::<Vec<_>>().join(", ");
                assert!(
                    able.contains("chorale") && error.to_string().contains(&format!("use one of {able} (")),
                    "{error}"
                );
            }
            (other, can) => panic!("{can}: {other:?}"),
        }
        let nothing = Request { length: Length::AsGiven, ..request(4) };
        assert!(matches!(compose(composer.as_ref(), &nothing, 1), Err(ComposeError::NothingGiven)));
    });
}

#[test]
fn what_is_asked_for_comes_and_who_cannot_says_who_can() {
    each_composer(|subject| {
        let composer = composer(subject);
        let with = |name: &str, text: &str| {
            let mut request = request(6);
            request.controls.set(name, text).unwrap();
            request
        };
        for key in ["F# major", "C minor"] {
            let found = compose(composer.as_ref(), &with("key", key), 1).unwrap().score;
            assert_eq!(found.keys.iter().map(|(_, key)| key.to_string()).collect::<Vec<_>>(), [key]);
        }
        for meter in ["4/4", "3/4"] {
            let found = compose(composer.as_ref(), &with("meter", meter), 1).unwrap().score;
            assert_eq!(found.bars().next().unwrap().meter.to_string(), meter);
        }
        // Who has learnt metres has no others.
        let never = compose(composer.as_ref(), &with("meter", "17/16"), 1);
        let is_refused = matches!(never, Err(ComposeError::Meter { .. }));
        assert_eq!(is_refused, subject.spec.create.is_some(), "{never:?}");
        // What is given has a key and a metre of its own.
        let prompt = Prompt::new(&corpus::piece(0), 2).unwrap();
        let twice = compose(composer.as_ref(), &with("key", "D").after(prompt), 1).unwrap_err();
        assert!(twice.to_string().contains("what is given has its own"), "{twice}");
        let formed = compose(composer.as_ref(), &with("form", "AB"), 1);
        if !composer.can(Control::Form) {
            let error = formed.unwrap_err();
            assert!(
                error.to_string().contains("cannot be asked for a form; use one of notes, memory, chorale"),
                "{error}"
            );
        } else {
            formed.unwrap();
        }
    });
}
