//! Blending and varying, through the registry: ends are the originals, and what is not varied stays.

use cantus_composers::registry::{self, COMPOSERS};
use cantus_model::latent::{self, Ability, Aspect, BLENDING, VARYING, Way, Wish};
use cantus_model::{ComposeError, Composer, Composition, StepAt, TrainingSet, seeded};
use cantus_score::{Meter, Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use std::ops::ControlFlow;

/// A tune of so many bars in a metre, after an upbeat of a quarter where it has one; in ticks that are no grid's, and a little late.
fn tune(number: u64, bars: u64, meter: &str, upbeat: bool) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(96).unwrap());
    let meter: Meter = meter.parse().unwrap();
    let quarters = meter.bar(TicksPerQuarter::new(1).unwrap()).0;
    let before = u64::from(upbeat);
    if upbeat {
        score.meters.push((Ticks::ZERO, "1/4".parse().unwrap()));
    }
    score.meters.push((Ticks(96 * before), meter));
    const SCALE: [u8; 8] = [60, 62, 64, 65, 67, 69, 71, 72];
    let note = |k: u64| Note {
        onset: Ticks(96 * k + k % 3),
        pitch: Pitch::try_from(SCALE[((k * (number + 1) + k / 4) % 8) as usize]).unwrap(),
        duration: Ticks(90),
        velocity: Velocity::try_from(60 + (k % 7) as u8).unwrap(),
    };
    score.parts.push(Part { notes: (0..before + bars * quarters).map(note).collect(), ..Part::default() });
    score.title = Some(format!("tune {number}"));
    score
}

fn composer() -> Box<dyn Composer> {
    let spec = COMPOSERS.iter().find(|spec| spec.abilities.contains(&Ability::Blend)).unwrap();
    let set = TrainingSet {
        train: (0..6).map(|number| tune(number, 8, if number % 2 == 0 { "4/4" } else { "3/4" }, false)).collect(),
        valid: (1..3).map(|number| tune(number, 6, "4/4", false)).collect(),
        attacks: true,
        ..TrainingSet::default()
    };
    let mut trainable =
        spec.creates().unwrap()(&spec.tiny_settings(spec.configurations[0].name).unwrap(), &set, 1).unwrap();
    for step in 0..trainable.steps(0) {
        trainable.step(StepAt { epoch: 0, step }, 0.01);
    }
    trainable.composer()
}

fn notes(score: &Score) -> Vec<(Ticks, Ticks, u8)> {
    let fine = TicksPerQuarter::new(96 * 5).unwrap();
    let of = |at: Ticks| at.rescale(score.ticks_per_quarter, fine);
    score.notes().map(|note| (of(note.onset), of(note.end()), note.pitch.get())).collect()
}

fn blend(composer: &dyn Composer, pieces: [&Score; 2], way: Way) -> Result<Composition, ComposeError> {
    let codes = registry::latent(composer, Ability::Blend)?;
    latent::blend(codes, pieces, way, &BLENDING, &mut seeded(3), &mut |_| ControlFlow::Continue(()))
}

fn vary(composer: &dyn Composer, piece: &Score, wish: &Wish, count: u64) -> Result<Vec<Composition>, ComposeError> {
    let codes = registry::latent(composer, Ability::Vary)?;
    let mut rngs: Vec<_> = (0..count).map(seeded).collect();
    latent::vary(codes, piece, wish, &VARYING, &mut rngs, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn the_ends_of_a_blend_are_the_pieces() {
    let composer = composer();
    let (mut first, second) = (tune(1, 6, "4/4", false), tune(4, 9, "3/4", true));
    // Whatever else is in a piece stays at its end, too.
    first.parts.push(Part { notes: vec![first.parts[0].notes[0]], channel: 3, ..Part::default() });
    for (at, own) in [(0.0, &first), (1.0, &second)] {
        let found = blend(composer.as_ref(), [&first, &second], Way::At(at)).unwrap();
        assert_eq!((&found.score, found.remarks.len()), (own, 0));
    }
    // Next to the ends it is nearly them: what both have there is likelier than all else.
    let near = blend(composer.as_ref(), [&second, &first], Way::At(1e-9)).unwrap().score;
    let pitches = |score: &Score| score.notes().map(|note| note.pitch).collect::<Vec<Pitch>>();
    assert_eq!(pitches(&near), pitches(&second));
    for at in [-0.1, 1.1, f64::NAN] {
        let refused = blend(composer.as_ref(), [&first, &second], Way::At(at));
        assert!(matches!(refused, Err(ComposeError::Between { .. })), "{at}");
    }
}

#[test]
fn a_piece_that_turns_into_another_begins_and_ends_as_they_do() {
    let composer = composer();
    for (one, other) in [("4/4", "4/4"), ("3/4", "4/4"), ("4/4", "3/4")] {
        let (first, second) = (tune(1, 6, one, false), tune(3, 10, other, false));
        for bars in [4, 7, 12] {
            let found = blend(composer.as_ref(), [&first, &second], Way::Along(bars)).unwrap().score;
            assert_eq!(found.bar_count(), bars, "{one} {other}");
            let pitches = |score: &Score| score.notes().map(|note| note.pitch.get()).collect::<Vec<u8>>();
            let beats = |meter: &str| if meter == "4/4" { 4 } else { 3 };
            let (begins, ends) = (2 * beats(one), if bars % 2 == 1 { beats(other) } else { 2 * beats(other) });
            let (all, last) = (pitches(&found), pitches(&second));
            assert_eq!(all[..begins], pitches(&first)[..begins], "{one} {other} {bars}");
            assert_eq!(all[all.len() - ends..], last[last.len() - ends..], "{one} {other} {bars}");
        }
    }
    let refused = blend(composer.as_ref(), [&tune(1, 4, "4/4", false); 2], Way::Along(0));
    assert!(matches!(refused, Err(ComposeError::Bars { bars: 0, .. })));
}

#[test]
fn a_variation_by_nothing_is_the_tune_and_of_some_bars_the_others_stay() {
    let composer = composer();
    for upbeat in [false, true] {
        let piece = tune(2, 8, "4/4", upbeat);
        let none = vary(composer.as_ref(), &piece, &Wish { amount: 0.0, ..Wish::default() }, 2).unwrap();
        assert!(none.len() == 2 && none.iter().all(|found| found.score == piece && found.remarks.is_empty()));
        let wish = Wish { amount: 0.9, again: vec![3..=4, 7..=7], ..Wish::default() };
        let varied = vary(composer.as_ref(), &piece, &wish, 3).unwrap();
        let bar = |at: Ticks| {
            let beat = at.0 / (96 * 5);
            if upbeat { beat.div_ceil(4) } else { beat / 4 + 1 }
        };
        let kept = |score: &Score| -> Vec<(Ticks, Ticks, u8)> {
            notes(score).into_iter().filter(|(at, ..)| ![3, 4, 7].contains(&bar(*at))).collect()
        };
        for found in &varied {
            // Each note, to the tick; but the last before what is varied, which may go on into it.
            let (own, found) = (kept(&piece), kept(&found.score));
            assert_eq!(own.len(), found.len());
            for (own, found) in own.iter().zip(&found) {
                assert_eq!((own.0, own.2), (found.0, found.2));
            }
            assert!(own.iter().zip(&found).filter(|(own, found)| own == found).count() + 2 >= own.len());
        }
        assert!(varied.iter().any(|found| notes(&found.score) != notes(&piece)));
        assert!(varied[0].score.title.as_deref() == Some("tune 2, varied"));
    }
    let piece = tune(2, 8, "4/4", false);
    for (again, amount) in [(vec![7..=9], 0.3), (vec![0..=2], 0.3), (Vec::new(), 1.5)] {
        let refused = vary(composer.as_ref(), &piece, &Wish { again, amount, ..Wish::default() }, 1).unwrap_err();
        assert!(matches!(refused, ComposeError::AgainBars { .. } | ComposeError::Amount { .. }), "{refused}");
    }
}

#[test]
fn the_seed_alone_decides_and_more_is_more() {
    let composer = composer();
    let piece = tune(5, 8, "4/4", false);
    let wish = Wish { amount: 0.6, more: vec![Aspect::Notes], ..Wish::default() };
    let together = vary(composer.as_ref(), &piece, &wish, 3).unwrap();
    for (seed, found) in together.iter().enumerate() {
        let codes = registry::latent(composer.as_ref(), Ability::Vary).unwrap();
        let mut rngs = [seeded(seed as u64)];
        let alone = latent::vary(codes, &piece, &wish, &VARYING, &mut rngs, &mut |_| ControlFlow::Continue(()));
        assert_eq!(alone.unwrap()[0].score, found.score);
    }
    let count = |wish: &Wish| -> usize {
        vary(composer.as_ref(), &piece, wish, 4).unwrap().iter().map(|found| found.score.note_count()).sum()
    };
    let fewer = Wish { more: Vec::new(), less: vec![Aspect::Notes], ..wish.clone() };
    assert!(count(&wish) > count(&fewer));
}

#[test]
fn of_polyphony_the_melody_is_taken_and_a_remark_says_so() {
    let composer = composer();
    let mut piece = tune(1, 6, "4/4", false);
    let low =
        piece.parts[0].notes.iter().map(|note| Note { pitch: note.pitch.transposed(-24).unwrap(), ..*note }).collect();
    piece.parts.push(Part { notes: low, channel: 1, ..Part::default() });
    let varied = vary(composer.as_ref(), &piece, &Wish::default(), 1).unwrap().remove(0);
    assert!(varied.remarks[0].contains("of `tune 1` the melody alone is taken"), "{:?}", varied.remarks);
    assert_eq!(varied.score.parts.len(), 1);
    let blended = blend(composer.as_ref(), [&piece, &tune(3, 6, "4/4", false)], Way::At(0.4)).unwrap();
    assert!(blended.remarks[0].contains("of `tune 1` the melody alone"), "{:?}", blended.remarks);
    let mut drums = tune(1, 4, "4/4", false);
    drums.parts[0].drums = true;
    assert!(matches!(vary(composer.as_ref(), &drums, &Wish::default(), 1), Err(ComposeError::Unpitched(_))));
}

#[test]
fn a_silence_of_days_is_refused_and_not_written_out() {
    let composer = composer();
    let mut late = tune(1, 4, "4/4", false);
    let mut last = late.parts[0].notes[0];
    last.onset = Ticks(96 * 4 * 200_000);
    late.parts[0].notes.push(last);
    let varied = vary(composer.as_ref(), &late, &Wish::default(), 1);
    assert!(matches!(varied, Err(ComposeError::Bars { bars: 200_001, most: 10_000 })), "{varied:?}");
    let way = Way::At(0.5);
    assert!(matches!(blend(composer.as_ref(), [&late, &late], way), Err(ComposeError::Bars { .. })));
}

#[test]
fn who_has_no_codes_says_who_has() {
    let able: Vec<&str> =
        COMPOSERS.iter().filter(|spec| spec.abilities.contains(&Ability::Vary)).map(|spec| spec.id).collect();
    let set = TrainingSet {
        train: (0..3).map(|number| tune(number, 4, "4/4", false)).collect(),
        valid: (1..2).map(|number| tune(number, 4, "4/4", false)).collect(),
        attacks: true,
        ..TrainingSet::default()
    };
    let spec = registry::find("lead_sheet").unwrap();
    let trainable = spec.creates().unwrap()(&spec.tiny_settings("default").unwrap(), &set, 1).unwrap();
    let refused = vary(trainable.composer().as_ref(), &tune(1, 4, "4/4", false), &Wish::default(), 1).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains(&format!("cannot vary a piece: its music has no codes; use one of {}", able.join(", "))),
        "{refused}"
    );
}
