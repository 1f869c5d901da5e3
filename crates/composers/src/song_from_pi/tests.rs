//! On a small corpus of songs: a tune, block chords, drums.

use super::cursor::{Cursor, Expected};
use super::*;
use crate::registry;
use cantus_model::tokens::{Place, Rows, TokenModel};
use cantus_model::{
    ComposeError, Composer, Composition, Given, Judge, Prompt, Request, Sampling, StepAt, Trainable, seeded,
};
use cantus_nn::cross_entropy::argmax;
use cantus_score::{Chord, Velocity};
use std::ops::ControlFlow;

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// Eight bars of arpeggios over block chords, kick and snare by turns, at four ticks a quarter.
fn song(number: usize) -> Score {
    let roots = [[0u8, 5, 7, 0], [0, 9, 5, 7], [0, 7, 5, 0]][number % 3];
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    score.meters.push((Ticks::ZERO, Meter::COMMON));
    let (mut melody, mut chords, mut drums) = (Vec::new(), Vec::new(), Vec::new());
    for bar in 0..8u64 {
        let root = roots[bar as usize % 4];
        let (third, at) = (if root == 9 { 3 } else { 4 }, 16 * bar);
        chords.extend([0, third, 7].map(|above| note(at, 43 + (root + 5) % 12 + above, 16)));
        let above = [[0u8, third, 7, third], [7, third, 0, 0]][(bar / 4 + number as u64) as usize % 2];
        melody.extend((0..4).map(|beat| note(at + 4 * beat, 60 + root + above[beat as usize], 4)));
        drums.extend((0..4).map(|beat| note(at + 4 * beat, if beat % 2 == 0 { 36 } else { 38 }, 1)));
        drums.push(note(at + 14, 42, 1));
    }
    score.parts = [melody, chords].map(|notes| Part { notes, ..Part::default() }).to_vec();
    drums.sort_unstable();
    score.parts.push(Part { notes: drums, ..Part::of_drums() });
    score
}

/// Some parts of a song.
fn parts(score: &Score, numbers: &[usize]) -> Score {
    Score { parts: numbers.iter().map(|k| score.parts[*k].clone()).collect(), ..score.clone() }
}

/// A song with all parts, one without drums, one of drums alone, and so on.
fn set() -> TrainingSet {
    let piece = |k: usize| match k % 3 {
        0 => song(k),
        1 => parts(&song(k), &[0, 1]),
        _ => parts(&song(k), &[2]),
    };
    TrainingSet {
        train: (0..9).map(piece).collect(),
        valid: vec![song(1), parts(&song(0), &[2])].into(),
        attacks: true,
        reading: Reading::Parts,
    }
}

fn trained_on(set: &TrainingSet, steps: u64) -> Box<dyn Trainable> {
    let mut trainable = SPEC.creates().unwrap()(&SPEC.tiny_settings("default").unwrap(), set, 1).unwrap();
    let mut at = StepAt { epoch: 0, step: 0 };
    for _ in 0..steps {
        assert!(trainable.step(at, 0.01).finite);
        at.step += 1;
        if at.step == trainable.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    trainable
}

fn model(set: &TrainingSet, steps: u64) -> TokenModel<Stack> {
    TokenModel::load(&trained_on(set, steps).save()).unwrap()
}

fn composed(composer: &dyn Composer, request: &Request, seed: u64) -> Result<Composition, ComposeError> {
    registry::check(composer, request)?;
    composer.compose(request, &mut seeded(seed), &mut |_| ControlFlow::Continue(()))
}

fn to_given(score: Score, write: Option<&str>) -> Request {
    let mut request = Request::around(Given::parts(score).unwrap(), Sampling::default());
    write.iter().for_each(|text| request.controls.set("write", text).unwrap());
    request
}

/// All tokens of a piece but the first, each with its nats.
fn said(model: &TokenModel<Stack>, piece: &Score) -> Vec<(Token, f64)> {
    let (tokens, is_adjusted) = model.grammar.encode(piece);
    assert!(!is_adjusted);
    let (mut place, mut rows) = (model.grammar.begin(&tokens), model.rows());
    place.read(tokens[0]);
    let mut nats = Vec::new();
    for pair in tokens.windows(2) {
        model.read(pair[0], &place, &mut rows);
        let logits = model.predict(&place, &mut rows);
        place.forbid(logits);
        nats.push((model.grammar.words.token(pair[1]).unwrap(), cantus_model::said(logits, pair[1].index()).0));
        place.read(pair[1]);
    }
    nats
}

/// The nats of those tokens that are of a kind.
fn of_kind(nats: &[(Token, f64)], is: impl Fn(&Token) -> bool) -> Vec<f64> {
    nats.iter().filter(|(token, _)| is(token)).map(|(_, nats)| *nats).collect()
}

fn is_chord(token: &Token) -> bool {
    matches!(token, Token::Chord(_))
}

fn is_stroke(token: &Token) -> bool {
    matches!(token, Token::Strokes(_))
}

/// The probability of all ways to go on to the end of the layer after these tokens, and how many there are.
fn sum(model: &TokenModel<Stack>, place: &Spot<'_>, rows: &Rows) -> (f64, usize) {
    if place.cursor.expected() == Expected::Layer {
        return (1.0, 1);
    }
    let mut here = rows.clone();
    let logits = model.predict(place, &mut here);
    place.forbid(logits);
    let highest = logits[argmax(logits).unwrap()];
    let weights: Vec<f64> = logits.iter().map(|z| f64::from(z - highest).exp()).collect();
    let all: f64 = weights.iter().sum();
    let (mut total, mut ways) = (0.0, 0);
    for (number, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        let (mut next, mut rows) = (place.clone(), rows.clone());
        let token = TokenId(number as u32);
        next.read(token);
        model.read(token, &next, &mut rows);
        let (share, more) = sum(model, &next, &rows);
        (total, ways) = (total + weight / all * share, ways + more);
    }
    (total, ways)
}

#[test]
fn each_layer_of_a_tiny_song_adds_up_to_one() {
    // Bars of a sixteenth: notes of a sixteenth, two pitches, a kind of chord, drums.
    let mut tiny = Score::new(TicksPerQuarter::new(4).unwrap());
    tiny.meters.push((Ticks::ZERO, "1/16".parse().unwrap()));
    tiny.chords = vec![(Ticks(0), "C".to_owned())];
    tiny.parts.push(Part { notes: (0..8).map(|k| note(k, 72 + (k % 2) as u8, 1)).collect(), ..Part::default() });
    tiny.parts.push(Part { notes: (0..8).map(|k| note(k, 36, 1)).collect(), ..Part::of_drums() });
    let pieces = vec![tiny.clone(); 3];
    let set =
        TrainingSet { train: pieces.clone().into(), valid: pieces.into(), attacks: true, reading: Reading::Parts };
    let model = model(&set, 8);
    let words = &model.grammar.words;
    assert_eq!(words.sheet.known_lengths(), [1, 3]);
    let bar = Token::Bar(words.sheet.bars()[0]);
    let pitch = Token::Pitch(words.sheet.pitch_range().0);
    let melody = [Token::Layer(Layer::Melody), Token::Sound(3), Token::Rest(3), pitch];
    let chords = [Token::Layer(Layer::Chords), Token::Chord(Chord::named("C")), Token::Chord(None)];
    let layers = [melody.to_vec(), chords.to_vec(), vec![Token::Layer(Layer::Drums), Token::Strokes(5)]];
    for (layer, expected_ways) in (0..3).zip([None, Some(13 * 13), Some(512)]) {
        let (mut place, mut rows) = (Spot::new(words, None), model.rows());
        // Of the last layer all but one set is given, of the others nothing.
        let here = if layer == 2 { &layers[layer][..] } else { &layers[layer][..1] };
        let before = layers[..layer].concat();
        for token in [&[Token::Start(true), bar, bar][..], &before, here].concat() {
            assert!(place.cursor.permits(token), "{token:?} at {:?}", place.cursor.expected());
            place.read(words.id(token));
            model.read(words.id(token), &place, &mut rows);
        }
        let (total, ways) = sum(&model, &place, &rows);
        assert!((total - 1.0).abs() < 1e-5, "{layer}: {total} in {ways} ways");
        assert!(expected_ways.is_none_or(|expected| ways == expected) && ways > 50, "{layer}: {ways} ways");
    }
}

#[test]
fn a_layer_hears_those_below_ahead_and_never_those_above() {
    let model = model(&set(), 60);
    let before = said(&model, &song(0));
    // The same as symbols, so that chords can be changed by themselves.
    let named = |change: &dyn Fn(&mut Score)| {
        let mut piece = song(0);
        piece.chords = song::Song::of(&song(0)).sheet.symbols(0, false);
        piece.chords.iter_mut().for_each(|(at, _)| *at = Ticks(at.0 / 3));
        change(&mut piece);
        said(&model, &piece)
    };
    assert_eq!(named(&|_| {}), before);
    let below = |nats: &[(Token, f64)], is_above: &dyn Fn(&Token) -> bool| {
        let end = nats.iter().position(|(token, _)| is_above(token)).unwrap();
        nats[..end].iter().map(|(_, nats)| *nats).collect::<Vec<f64>>()
    };
    // The melody's last note is another: the first chord has another probability, and so have drums; the rhythm has the same.
    let other = named(&|piece| piece.parts[0].notes.last_mut().unwrap().pitch = Pitch::try_from(64u8).unwrap());
    let rhythm = |nats: &[(Token, f64)]| of_kind(nats, |token| matches!(token, Token::Sound(_) | Token::Rest(_)));
    assert_eq!(rhythm(&other), rhythm(&before));
    assert_ne!(of_kind(&other, is_chord)[0], of_kind(&before, is_chord)[0]);
    assert_ne!(of_kind(&other, is_stroke), of_kind(&before, is_stroke));
    // The last chord is another: so are the first drums, and nothing below.
    let other = named(&|piece| piece.chords.last_mut().unwrap().1 = "G".to_owned());
    assert_eq!(
        below(&other, &|token| *token == Token::Layer(Layer::Chords)),
        below(&before, &|token| { *token == Token::Layer(Layer::Chords) })
    );
    assert_ne!(of_kind(&other, is_stroke)[0], of_kind(&before, is_stroke)[0]);
    // Other drums, or none, change nothing below.
    for drums in [vec![note(0, 36, 1)], Vec::new()] {
        let other = named(&|piece| piece.parts[2].notes.clone_from(&drums));
        let chords = |nats: &[(Token, f64)]| {
            of_kind(nats, |token| !is_stroke(token) && !matches!(token, Token::Layer(Layer::Drums) | Token::End))
        };
        assert_eq!(chords(&other), chords(&before));
    }
    // The judge's nats are those of the layers.
    let all: f64 = before.iter().map(|(_, nats)| nats).sum();
    assert!((model.judge(&song(0)).figures.nats - all).abs() < 1e-6 * all);
}

#[test]
fn what_is_encoded_comes_back_and_a_fifth_is_learnt_untold() {
    let stack = Stack::of(&set(), 0).unwrap();
    for piece in set().all() {
        let (tokens, is_adjusted) = stack.encode(&piece);
        assert!(!is_adjusted);
        let mut cursor = Cursor::new(&stack.words, None);
        for token in tokens.iter().filter_map(|id| stack.words.token(*id)) {
            assert!(cursor.permits(token), "{token:?} where {:?} is expected", cursor.expected());
            cursor.advance(token);
        }
        assert_eq!(cursor.expected(), Expected::Nothing);
        assert_eq!(cursor.song(), Song::of(&home(&piece).0));
    }
    assert!(stack.words.all().all(|(number, token)| stack.words.id(token).index() == number));
    let takes: Vec<Vec<TokenId>> = (0..stack.takes()).map(|take| stack.encode_take(&song(0), take)).collect();
    let untold = takes.iter().filter(|take| take[0] != takes[0][0]).count();
    assert_eq!(5 * untold, takes.len());
    assert!(takes.iter().all(|take| take[1..] == takes[0][1..]));
    // What is untold changes no input of those above.
    let chords = |melody: u8, take: usize| {
        let mut piece = parts(&song(0), &[0]);
        piece.parts[0].notes.iter_mut().for_each(|note| note.pitch = Pitch::try_from(melody).unwrap());
        piece.chords = vec![(Ticks::ZERO, "C".to_owned())];
        piece.keys = vec![(Ticks::ZERO, "C".parse().unwrap())];
        let (mut place, mut known) = (stack.begin(&[]), Vec::new());
        for token in stack.encode_take(&piece, take) {
            place.read(token);
            if place.cursor.expected() == Expected::Chord {
                place.contexts(&mut known);
            }
        }
        known
    };
    assert_ne!(chords(60, 0), chords(64, 0));
    assert_eq!(chords(60, TOLD), chords(64, TOLD));
}

#[test]
fn a_composition_has_all_layers_or_those_that_are_asked_for() {
    let composer = trained_on(&set(), 60).composer();
    for (write, expected) in [(None, 3), (Some("chords"), 2), (Some("drums"), 2), (Some("chords,drums"), 3)] {
        let mut request = Request::new(6, Sampling::default());
        write.iter().for_each(|text| request.controls.set("write", text).unwrap());
        let score = composed(composer.as_ref(), &request, 2).unwrap().score;
        assert_eq!((score.parts.len(), score.bar_count()), (expected, 6), "{write:?}");
        let has_drums = score.parts.iter().any(|part| part.drums && part.channel == Part::DRUM_CHANNEL);
        assert_eq!(has_drums, write.is_none_or(|write| write.contains("drums")));
        assert_eq!(score.chords.is_empty(), write == Some("drums"));
    }
    let mut request = Request::new(6, Sampling::default());
    request.controls.set("write", "bass").unwrap();
    let error = composed(composer.as_ref(), &request, 2).unwrap_err().to_string();
    assert!(error.contains("does not write for `bass`; it writes for: chords, drums"), "{error}");
    assert!(request.controls.set("write", "flute").is_err());
}

#[test]
fn what_is_given_stays_and_what_is_missing_comes() {
    let composer = trained_on(&set(), 200).composer();
    // In another key, in other ticks, beside the grid.
    let mut whole = song(4).transposed(3).unwrap().rescaled(TicksPerQuarter::new(480).unwrap());
    whole.parts[0].name = Some("Fiddle".to_owned());
    whole.keys = vec![(Ticks::ZERO, "Eb".parse().unwrap())];
    whole.parts[0].notes.iter_mut().skip(1).step_by(3).for_each(|note| note.onset.0 += 7);
    for (given, write, expected) in [
        (&[0][..], None, vec![Layer::Chords, Layer::Drums]),
        (&[0], Some("drums"), vec![Layer::Drums]),
        (&[0], Some("chords"), vec![Layer::Chords]),
        (&[0, 1], None, vec![Layer::Drums]),
        (&[0, 2], None, vec![Layer::Chords]),
        (&[0, 1, 2], Some("drums"), vec![Layer::Drums]),
    ] {
        let given = parts(&whole, given);
        let request = to_given(given.clone(), write);
        let Composition { score, remarks, .. } = composed(composer.as_ref(), &request, 1).unwrap();
        let count = given.parts.len();
        assert_eq!(score.parts[..count], given.rescaled(score.ticks_per_quarter).parts[..], "{write:?}");
        let new = &score.parts[count..];
        assert_eq!(new.len(), expected.len(), "{remarks:?}");
        for (part, layer) in new.iter().zip(&expected) {
            assert_eq!(part.drums, *layer == Layer::Drums);
            assert!(!part.notes.is_empty() && part.notes.is_sorted());
        }
        assert_eq!(remarks.is_empty(), count < 3, "{remarks:?}");
    }
    // Nothing is missing; nothing has a pitch.
    let nothing = composed(composer.as_ref(), &to_given(whole.clone(), None), 1);
    assert!(matches!(nothing, Err(ComposeError::EverythingGiven)));
    let drums = composed(composer.as_ref(), &to_given(parts(&whole, &[2]), None), 1);
    assert!(matches!(drums, Err(ComposeError::NoPart { .. })));
}

#[test]
fn a_prompt_with_drums_goes_on_in_its_drums() {
    let composer = trained_on(&set(), 60).composer();
    let request = Request::new(6, Sampling::default()).after(Prompt::new(&song(0), 2).unwrap());
    let score = composed(composer.as_ref(), &request, 1).unwrap().score;
    let end = request.prompt().unwrap().end_in(&score);
    assert_eq!(score.parts.len(), 3);
    for (part, given) in score.parts.iter().zip(&song(0).rescaled(score.ticks_per_quarter).parts) {
        let before = |part: &Part| part.notes.iter().filter(|note| note.onset < end).copied().collect::<Vec<_>>();
        assert_eq!(before(part), before(given));
        assert!(part.notes.iter().any(|note| note.onset >= end) && part.notes.is_sorted());
    }
    // Without drums none come in.
    let request = Request::new(6, Sampling::default()).after(Prompt::new(&parts(&song(0), &[0]), 2).unwrap());
    assert_eq!(composed(composer.as_ref(), &request, 1).unwrap().score.parts.len(), 1);
}

#[test]
fn drums_alone_are_learnt_and_composed() {
    let alone = |k: usize| parts(&song(k), &[2]);
    let set = TrainingSet {
        train: (0..4).map(alone).collect(),
        valid: vec![alone(4)].into(),
        attacks: true,
        reading: Reading::Parts,
    };
    let composer = trained_on(&set, 10).composer();
    for seed in 0..4 {
        let score = composed(composer.as_ref(), &Request::new(5, Sampling::default()), seed).unwrap().score;
        assert_eq!((score.parts.len(), score.parts[0].drums, score.bar_count()), (1, true, 5));
    }
    let Composition { score, remarks, .. } =
        composed(composer.as_ref(), &to_given(parts(&song(0), &[0]), None), 1).unwrap();
    assert!(score.parts.len() == 2 && remarks[0].contains("drums alone"), "{remarks:?}");
}

#[test]
fn a_chord_is_known_by_how_much_of_the_melody_it_has() {
    let mut melody = [0; 12];
    (melody[0], melody[4], melody[2]) = (12, 6, 6);
    let fit = |name: &str| Spot::fit(Token::Chord(Chord::named(name)), Some(&melody)) - 13;
    assert_eq!([fit("C"), fit("G"), fit("F#"), fit("F")], [3, 1, 0, 2]);
}
