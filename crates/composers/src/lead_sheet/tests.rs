//! On a small corpus of tunes with block chords.

use super::*;
use cantus_model::{
    ComposeError, Composer, Composition, Given, Prompt, Request, Sampling, StepAt, Trainable, TrainingSet, seeded,
};
use cantus_score::{Chord, Meter, Note, Part, Pitch, Ticks, TicksPerQuarter, Velocity};
use std::ops::ControlFlow;

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// Eight bars of arpeggios over block chords, at two ticks a quarter.
fn tune(number: usize) -> Score {
    let roots = [[0u8, 5, 7, 0], [0, 9, 5, 7], [0, 7, 5, 0]][number % 3];
    let mut score = Score::new(TicksPerQuarter::new(2).unwrap());
    score.meters.push((Ticks::ZERO, Meter::COMMON));
    let (mut melody, mut chords) = (Vec::new(), Vec::new());
    for bar in 0..8u64 {
        let root = roots[bar as usize % 4];
        let (third, at) = (if root == 9 { 3 } else { 4 }, 8 * bar);
        chords.extend([0, third, 7].map(|above| note(at, 43 + (root + 5) % 12 + above, 8)));
        let above = [[0u8, third, 7, third], [7, third, 0, 0]][(bar / 4 + number as u64) as usize % 2];
        melody.extend((0..4).map(|beat| note(at + 2 * beat, 60 + root + above[beat as usize], 2)));
    }
    score.parts = [melody, chords].map(|notes| Part { notes, ..Part::default() }).to_vec();
    score
}

fn set() -> TrainingSet {
    TrainingSet {
        train: (0..6).map(tune).collect(),
        valid: (6..8).map(tune).collect(),
        attacks: true,
        reading: Reading::Parts,
    }
}

fn trained(steps: u64) -> Box<dyn Trainable> {
    let mut trainable = SPEC.creates().unwrap()(&SPEC.tiny_settings("default").unwrap(), &set(), 1).unwrap();
    let mut at = StepAt { epoch: 0, step: 0 };
    for _ in 0..steps {
        trainable.step(at, 0.01);
        at.step += 1;
        if at.step == trainable.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    trainable
}

fn composed(composer: &dyn Composer, request: &Request, seed: u64) -> Result<Composition, ComposeError> {
    crate::registry::check(composer, request)?;
    composer.compose(request, &mut seeded(seed), &mut |_| ControlFlow::Continue(()))
}

fn names(sheet: &LeadSheet) -> Vec<String> {
    sheet.chords.iter().map(|chord| chord.map_or("-".to_owned(), |chord| chord.symbol(false))).collect()
}

#[test]
fn a_composition_has_symbols_and_a_part_that_plays_them() {
    let composer = trained(20).composer();
    let score = composed(composer.as_ref(), &Request::new(8, Sampling::default()), 3).unwrap().score;
    assert_eq!(score.parts.len(), 2);
    assert!(score.parts[0].is_one_line() && !score.chords.is_empty());
    let sheet = LeadSheet::of(&score);
    let heard = LeadSheet::of(&Score { chords: Vec::new(), ..score.clone() });
    assert_eq!(names(&sheet), names(&heard), "what is named is what sounds");
}

#[test]
fn chords_that_are_asked_for_stay_and_come_again() {
    let composer = trained(20).composer();
    let asked = |text: &str, bars: usize| {
        let mut request = Request::new(bars, Sampling::default());
        request.controls.set("chords", text).unwrap();
        request
    };
    for seed in 0..3 {
        let score = composed(composer.as_ref(), &asked("Ebmaj7 Cm | F7 Bb", 5), seed).unwrap().score;
        let sheet = LeadSheet::of(&score);
        let bars = ["Ebmaj7", "Ebmaj7", "Cm", "Cm", "F7", "F7", "A#", "A#"];
        let names = names(&sheet).join(" ").replace("D#", "Eb");
        assert_eq!(names, bars.iter().cycle().take(20).copied().collect::<Vec<_>>().join(" "));
        assert_eq!(score.chords[0], (Ticks::ZERO, "Ebmaj7".to_owned()), "spelt with flats: {:?}", score.keys);
        assert_eq!(score.bar_count(), 5);
    }
    let mut keyed = asked("Am F C G", 4);
    keyed.controls.set("key", "Am").unwrap();
    let score = composed(composer.as_ref(), &keyed, 1).unwrap().score;
    assert_eq!(score.keys[0].1.to_string(), "A minor");
    assert_eq!(score.chords.iter().map(|(_, symbol)| symbol.as_str()).collect::<Vec<_>>(), ["Am", "F", "C", "G"]);
    assert!(keyed.controls.set("chords", "Am H").is_err());
    // A prompt goes on to them.
    let mut request = asked("Am F", 6).after(Prompt::new(&tune(0), 2).unwrap());
    request.sampling = Sampling::GREEDY;
    let score = composed(composer.as_ref(), &request, 1).unwrap().score;
    let after: Vec<String> = names(&LeadSheet::of(&score)).split_off(8);
    assert_eq!(after.join(" "), "Am Am Am Am F F F F Am Am Am Am F F F F");
}

#[test]
fn chords_are_found_to_a_melody_that_stays() {
    let composer = trained(400).composer();
    let whole = tune(1);
    let mut alone = Score { parts: vec![whole.parts[0].clone()], ..whole.clone() };
    alone.parts[0].name = Some("Fiddle".to_owned());
    alone.parts.push(Part { notes: vec![note(0, 36, 1)], ..Part::of_drums() });
    let request = Request::around(Given::parts(alone.clone()).unwrap(), Sampling::GREEDY);
    let Composition { score, remarks, .. } = composed(composer.as_ref(), &request, 1).unwrap();
    assert!(remarks.is_empty(), "{remarks:?}");
    let kept = score.rescaled(alone.ticks_per_quarter);
    assert_eq!(kept.parts[..2], alone.parts[..]);
    assert_eq!((score.parts.len(), score.parts[2].name.as_deref()), (3, Some("Chords")));
    assert_ne!(score.parts[2].channel, score.parts[0].channel);
    // Most of them fit.
    let (expected, found) = (LeadSheet::of(&whole), LeadSheet::of(&score));
    let right = expected.chords.iter().zip(&found.chords).filter(|(a, b)| a == b).count();
    assert!(2 * right > expected.chords.len(), "{:?} for {:?}", names(&found), names(&expected));
    // Symbols that were there are replaced, and whoever listens is told.
    let mut named = alone.clone();
    named.chords.push((Ticks::ZERO, "F#".to_owned()));
    let request = Request::around(Given::parts(named).unwrap(), Sampling::default());
    assert!(composed(composer.as_ref(), &request, 1).unwrap().remarks[0].contains("in their place"));
    // Drums have no chords.
    let drums = Score { parts: vec![alone.parts[1].clone()], ..alone };
    let request = Request::around(Given::parts(drums).unwrap(), Sampling::default());
    assert!(matches!(composed(composer.as_ref(), &request, 1), Err(ComposeError::NoPart { .. })));
}

#[test]
fn a_prompt_with_block_chords_goes_on_in_both_parts() {
    let composer = trained(20).composer();
    let request = Request::new(6, Sampling::default()).after(Prompt::new(&tune(0), 2).unwrap());
    let score = composed(composer.as_ref(), &request, 1).unwrap().score;
    let end = request.prompt().unwrap().end_in(&score);
    assert!(score.parts.iter().all(|part| part.notes.iter().any(|note| note.onset >= end)));
    assert_eq!(names(&LeadSheet::of(&score))[..8], names(&LeadSheet::of(&tune(0)))[..8]);
}

#[test]
fn what_comes_second_depends_on_all_of_the_first() {
    let trainable = trained(60);
    let composer = trainable.composer();
    let judge = composer.judge().unwrap();
    let nats = |score: &Score| judge.judge(score).moments.iter().map(|moment| moment.nats).collect::<Vec<f64>>();
    // The same melody over another last chord: its first note has another probability.
    let mut other = tune(0);
    other.chords =
        LeadSheet::of(&other).symbols(0, false).into_iter().map(|(at, symbol)| (Ticks(at.0 / 6), symbol)).collect();
    let named = nats(&other);
    other.chords[1].1 = "G".to_owned();
    let moments = (named, nats(&other));
    assert_eq!(moments.0.len(), moments.1.len());
    // The melody's first pitch is read at the first moment, after the bar and the chord there.
    assert_eq!(moments.0[..2], moments.1[..2]);
    assert_ne!(moments.0[2], moments.1[2]);
}

#[test]
fn a_piece_is_the_same_in_every_key() {
    let sheets = Sheets::of(&set(), 0).unwrap();
    for semitones in [-5, 2, 6] {
        let elsewhere = tune(0).transposed(semitones).unwrap();
        let octaves = |tokens: Vec<TokenId>| -> Vec<Token> {
            tokens.iter().filter_map(|id| sheets.vocabulary.token(*id)).collect()
        };
        let chords = |piece: &Score| {
            octaves(sheets.encode(piece).0)
                .into_iter()
                .filter(|token| matches!(token, Token::Chord(_)))
                .collect::<Vec<_>>()
        };
        assert_eq!(chords(&elsewhere), chords(&tune(0)));
        assert_eq!(home(&elsewhere).1, semitones);
    }
}

#[test]
fn both_orders_are_learnt() {
    let set = set();
    let sheets = Sheets::of(&set, 0).unwrap();
    let (one, other) = (sheets.encode_take(&tune(0), 0), sheets.encode_take(&tune(0), 1));
    assert_eq!((one.len(), sheets.takes()), (other.len(), 2));
    assert_eq!(sheets.encode(&tune(0)).0, one);
    let sorted = |tokens: &[TokenId]| {
        let mut tokens = tokens[1..].to_vec();
        tokens.sort_unstable();
        tokens
    };
    assert!(one != other && sorted(&one) == sorted(&other));
    let chord = |token: &&TokenId| matches!(sheets.vocabulary.token(**token), Some(Token::Chord(_)));
    assert_eq!(
        sheets.vocabulary.token(*other.iter().rev().find(chord).unwrap()),
        Some(Token::Chord(Chord::named("C")))
    );
}
