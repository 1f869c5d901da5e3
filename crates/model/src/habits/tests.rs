use super::*;
use crate::{Sampling, seeded};
use cantus_score::{Note, Part, Pitch, TicksPerQuarter, Velocity, find_key};

/// A scale in quarters, `by` semitones above C, at this tempo, in these metres.
fn piece(by: u8, quarters_per_minute: f64, meters: &[(u64, &str)]) -> Score {
    let scale = [0, 4, 7, 12, 11, 9, 7, 5, 4, 2, 0, 7, 4, 0, 0, 4];
    let note = |(k, step): (usize, &u8)| Note {
        onset: Ticks(4 * k as u64),
        pitch: Pitch::try_from(55 + by + step).unwrap(),
        duration: Ticks(4),
        velocity: Velocity::DEFAULT,
    };
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    score.parts.push(Part { notes: scale.iter().enumerate().map(note).collect(), ..Part::default() });
    score.meters = meters.iter().map(|(at, meter)| (Ticks(*at), meter.parse().unwrap())).collect();
    score.tempos = vec![(Ticks::ZERO, Tempo::from_quarters_per_minute(quarters_per_minute).unwrap())];
    score
}

fn habits(train: Vec<Score>) -> Habits {
    Habits::of(&TrainingSet {
        train: train.into(),
        valid: vec![piece(1, 33.0, &[(0, "7/8")])].into(),
        attacks: true,
        ..TrainingSet::default()
    })
}

fn share(all: &[Intent<'_>], what: impl Fn(&Intent<'_>) -> bool) -> f64 {
    all.iter().filter(|intent| what(intent)).count() as f64 / all.len() as f64
}

#[test]
fn what_is_drawn_is_what_the_training_pieces_have_and_as_often() {
    let train = vec![
        piece(0, 172.0, &[(0, "3/4")]),
        piece(0, 172.0, &[(0, "3/4")]),
        piece(0, 172.0, &[(0, "1/4"), (4, "4/4")]),
        piece(0, 96.5, &[(0, "4/4")]),
    ];
    let habits = habits(train);
    let rng = &mut seeded(1);
    let intents: Vec<Intent<'_>> = (0..4000).map(|_| habits.intent(rng)).collect();
    let tempo = |intent: &Intent<'_>| intent.tempo.unwrap().quarters_per_minute();
    assert!((share(&intents, |intent| (tempo(intent) - 172.0).abs() < 0.001) - 0.75).abs() < 0.03);
    assert!((share(&intents, |intent| (tempo(intent) - 96.5).abs() < 0.001) - 0.25).abs() < 0.03);
    let meter = |intent: &Intent<'_>| intent.opening.unwrap().meter.to_string();
    assert!((share(&intents, |intent| meter(intent) == "3/4") - 0.5).abs() < 0.03);
    assert!((share(&intents, |intent| meter(intent) == "4/4") - 0.5).abs() < 0.03);
    let pickup = |intent: &Intent<'_>| intent.opening.unwrap().pickup.is_some_and(|bar| bar.steps == 4);
    assert!((share(&intents, pickup) - 0.25).abs() < 0.03);
}

#[test]
fn a_piece_is_moved_to_a_key_of_the_corpus() {
    let habits = habits(vec![piece(2, 120.0, &[]), piece(9, 120.0, &[]), piece(9, 120.0, &[])]);
    let rng = &mut seeded(2);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..600 {
        let intent = habits.intent(rng);
        let mut composed = piece(6, 80.0, &[]);
        intent.finish(&mut composed, (48, 84));
        assert_eq!(composed.tempos, [(Ticks::ZERO, Tempo::DEFAULT)]);
        let [(_, key)] = composed.keys[..] else { panic!("{:?}", composed.keys) };
        assert_eq!(find_key(composed.notes()), Some(key));
        *counts.entry(key.to_string()).or_default() += 1;
    }
    // The scale begins on G: two and nine semitones above are A and E.
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["A major", "E major"]);
    assert!((150..250).contains(&counts["A major"]), "{counts:?}");
}

#[test]
fn keys_are_as_frequent_as_in_the_corpus_whatever_mode_is_written() {
    let minor = {
        let mut piece = piece(0, 120.0, &[]);
        let tune = [69u8, 72, 76, 69, 68, 69, 71, 72, 74, 76, 69, 69, 76, 72, 71, 69];
        piece.parts[0]
            .notes
            .iter_mut()
            .zip(tune)
            .for_each(|(note, pitch)| note.pitch = Pitch::try_from(pitch).unwrap());
        piece
    };
    // Three in G, five in A, two in A minor; and the network writes minor only.
    let mut train = vec![piece(0, 120.0, &[]); 3];
    train.extend(vec![piece(2, 120.0, &[]); 5]);
    train.extend(vec![minor.clone(); 2]);
    let habits = habits(train);
    let rng = &mut seeded(3);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..1000 {
        let mut composed = minor.transposed(6).unwrap();
        habits.intent(rng).finish(&mut composed, (40, 90));
        let [(_, key)] = composed.keys[..] else { panic!("{:?}", composed.keys) };
        assert_eq!(find_key(composed.notes()).map(Key::fifths), Some(key.fifths()), "its notes have that signature");
        *counts.entry(key.to_string()).or_default() += 1;
    }
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["A major", "A minor", "G major"]);
    for (key, expected) in [("G major", 300), ("A major", 500), ("A minor", 200)] {
        assert!(counts[key].abs_diff(expected) < 50, "{counts:?}");
    }
}

#[test]
fn where_nothing_is_known_a_key_can_be_asked_for_and_another_metre_cannot() {
    let rng = &mut seeded(1);
    let mut request = Request::new(4, Sampling::default());
    request.controls.set("key", "Eb").unwrap();
    request.controls.set("meter", "4/4").unwrap();
    for habits in [None, Some(&Habits::default())] {
        let intent = Intent::of(habits, &request, rng).unwrap();
        assert_eq!((intent.key, intent.meter(), intent.tempo), (request.controls.key, None, None));
        let mut score = piece(0, 90.0, &[(16, "4/4")]);
        intent.finish(&mut score, (0, 127));
        assert_eq!(
            (find_key_in(Mode::Major, score.notes()), score.keys[0].1),
            (request.controls.key, request.controls.key.unwrap())
        );
    }
    request.controls.set("meter", "3/4").unwrap();
    let refused = Intent::of(None, &request, rng).unwrap_err().to_string();
    assert_eq!(refused, "the model's music is never in 3/4; it is in 4/4");
}

#[test]
fn bars_follow_one_another_as_they_did() {
    let habits = habits(vec![piece(0, 120.0, &[(0, "1/4"), (4, "3/4")]), piece(0, 120.0, &[(0, "4/4")])]);
    let shown: Vec<String> =
        habits.follows().map(|(one, next, count)| format!("{} {} {count}", one.meter, next.meter)).collect();
    assert_eq!(shown, ["1/4 3/4 1", "3/4 3/4 4", "4/4 4/4 3"]);
}

#[test]
fn habits_are_stored_and_damage_is_an_error() {
    let habits = habits(vec![piece(0, 172.0, &[(0, "1/4"), (4, "3/4")]), piece(4, 97.0, &[(0, "6/8")])]);
    let text = serde_json::to_string(&habits).unwrap();
    assert_eq!(serde_json::from_str::<Habits>(&text).unwrap(), habits);
    for (good, bad) in [("[348837,1]", "[0,1]"), ("3/4", "3/5"), ("[1,false,", "[99,false,")] {
        assert!(text.contains(good), "{text}");
        assert!(serde_json::from_str::<Habits>(&text.replace(good, bad)).is_err(), "{bad}");
    }
    let none = Habits::default();
    let none = none.intent(&mut seeded(1));
    assert_eq!((none.tempo, none.opening), (None, None), "of nothing nothing is drawn");
}
