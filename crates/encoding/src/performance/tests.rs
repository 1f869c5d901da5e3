use super::*;
use cantus_score::{Pitch, Reading, Velocity, performed};
use proptest::prelude::*;

fn note(onset: u64, pitch: u8, duration: u64, velocity: u8) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::try_from(velocity).unwrap(),
    }
}

fn span(down: u64, up: u64) -> PedalSpan {
    PedalSpan { down: Ticks(down), up: Ticks(up) }
}

fn piece(notes: Vec<Note>, pedal: Vec<PedalSpan>) -> Score {
    let mut score = Score::new(GRID);
    score.parts.push(Part { notes, pedal, ..Part::default() });
    score
}

fn vocabulary(piece: &Score, reading: Reading) -> Vocabulary {
    Vocabulary::build([piece], reading).unwrap()
}

/// Tokens in words, for tests that a person can read.
fn words(tokens: &[TokenId], vocabulary: &Vocabulary) -> String {
    let word = |id: &TokenId| match vocabulary.token(*id).expect("known") {
        Token::Start | Token::Told => "start".into(),
        Token::Wait(steps) => format!("w{steps}"),
        Token::Level(level) => format!("v{level}"),
        Token::Strike(key) => Vocabulary::pitch(key).to_string(),
        Token::Release(key) => format!("-{}", Vocabulary::pitch(key)),
        Token::Pedal(true) => "down".into(),
        Token::Pedal(false) => "up".into(),
    };
    tokens.iter().map(word).collect::<Vec<String>>().join(" ")
}

#[test]
fn a_performance_reads_as_it_was_played() {
    let notes = vec![note(3, 60, 20, 81), note(3, 64, 130, 83), note(23, 60, 40, 64), note(133, 67, 5, 64)];
    let piece = piece(notes, vec![span(10, 133), span(135, 300)]);
    let pedalled = vocabulary(&piece, Reading::Pedalled);
    let (tokens, adjustments) = encode(&piece, &pedalled);
    assert!(adjustments.is_empty());
    assert_eq!(
        words(&tokens, &pedalled),
        "start w3 v20 C4 E4 w7 down w13 -C4 v16 C4 w40 -C4 w70 -E4 up G4 w2 down w3 -G4 w100 w62 up"
    );
    assert_eq!((pedalled.longest_note(), pedalled.longest_pedal(), pedalled.len()), (130, 165, 312));
    let plain = vocabulary(&piece, Reading::Performed);
    let words = words(&encode(&piece, &plain).0, &plain);
    assert!(!words.contains("down") && plain.len() == 310, "{words}");
}

#[test]
fn what_no_piano_has_is_left_out_and_counted() {
    let mut piece = piece(vec![note(0, 60, 4, 80), note(0, 20, 4, 80), note(8, 109, 4, 80)], Vec::new());
    piece.parts.push(Part { notes: vec![note(0, 36, 1, 80)], ..Part::of_drums() });
    let (_, adjustments) = encode(&piece, &vocabulary(&piece, Reading::Performed));
    assert_eq!(adjustments, Adjustments { dropped: 3 });
    assert_eq!(adjustments.to_string(), "3 notes left out");
    piece.parts.remove(0);
    assert!(Vocabulary::build([&piece], Reading::Performed).is_err());
}

#[test]
fn loudness_comes_back_within_two_and_time_within_a_step() {
    for velocity in 1..=127 {
        let velocity = Velocity::try_from(velocity).unwrap();
        let back = Vocabulary::velocity(Vocabulary::level(velocity));
        assert!(back.get().abs_diff(velocity.get()) <= 2, "{velocity:?} {back:?}");
    }
    // Restrikes 12 ms apart and a pedal that is changed within 15 ms, at 1 ms a tick.
    let mut score = Score::new(TicksPerQuarter::new(500).unwrap());
    let notes = vec![note(1001, 60, 12, 80), note(1013, 60, 300, 90), note(2000, 62, 1, 80)];
    score.parts.push(Part { notes, pedal: vec![span(900, 1500), span(1515, 1800)], ..Part::default() });
    let pedalled = cantus_score::pedalled(&score);
    let vocabulary = vocabulary(&pedalled, Reading::Pedalled);
    let back = decode(&encode(&pedalled, &vocabulary).0, &vocabulary);
    let times = |score: &Score| -> Vec<u64> {
        let part = &score.parts[0];
        let notes = part.notes.iter().flat_map(|note| [note.onset.0, note.end().0]);
        notes.chain(part.pedal.iter().flat_map(|span| [span.down.0, span.up.0])).collect()
    };
    assert_eq!(times(&back).len(), times(&score).len());
    for (found, played) in times(&back).into_iter().zip(times(&score)) {
        assert!((10 * found).abs_diff(played) <= 10, "{found} {played}");
    }
    // The same where pedal is length: the second C is held until it comes up, the first only until the key is struck again.
    let extended = canonicalize(&performed(&score), &vocabulary);
    let lengths: Vec<u64> = extended.notes().map(|note| note.duration.0).collect();
    assert_eq!(lengths, [1, 49, 1]);
}

#[test]
fn a_vocabulary_is_stored_in_words_and_checked() {
    let vocabulary = vocabulary(&piece(vec![note(0, 60, 4, 80), note(9, 71, 7, 80)], Vec::new()), Reading::Pedalled);
    let stored = serde_json::to_value(&vocabulary).unwrap();
    assert_eq!(
        stored,
        serde_json::json!({"pedal": true, "lowest": 60, "highest": 71, "longest_note": 7, "longest_pedal": 0})
    );
    assert_eq!(serde_json::from_value::<Vocabulary>(stored.clone()).unwrap(), vocabulary);
    for (name, value) in [("lowest", 72), ("lowest", 20), ("highest", 109), ("longest_note", 0)] {
        let mut damaged = stored.clone();
        damaged[name] = value.into();
        assert!(serde_json::from_value::<Vocabulary>(damaged).is_err(), "{name} {value}");
    }
}

fn performances() -> impl Strategy<Value = Score> {
    let note = (0u64..400, 15u8..115, 0u64..250, 1u8..=127)
        .prop_map(|(onset, pitch, duration, velocity)| note(onset, pitch, duration, velocity));
    let pedal = prop::collection::vec((0u64..60, 0u64..120), 0..6).prop_map(|steps| {
        let mut at = 0;
        let mut next = |(pause, held)| {
            let down = at + pause;
            at = down + held;
            span(down, at)
        };
        steps.into_iter().map(&mut next).collect::<Vec<_>>()
    });
    (prop::collection::vec(note, 1..60), pedal).prop_map(|(mut notes, pedal)| {
        notes.push(self::note(7, 60, 9, 80));
        notes.sort_unstable();
        piece(notes, pedal)
    })
}

proptest! {
    #[test]
    fn decoding_gives_the_canonical_score_and_every_word_was_permitted(piece in performances()) {
        for reading in [Reading::Performed, Reading::Pedalled] {
            let vocabulary = vocabulary(&piece, reading);
            let (tokens, _) = encode(&piece, &vocabulary);
            let canonical = canonicalize(&piece, &vocabulary);
            prop_assert_eq!(&canonicalize(&canonical, &vocabulary), &canonical);
            prop_assert_eq!(decode(&tokens, &vocabulary), canonical);
            let mut cursor = Cursor::default();
            for id in &tokens[1..] {
                let token = vocabulary.token(*id).unwrap();
                prop_assert!(cursor.permits(token), "{token:?} after {:?}", cursor.last());
                cursor.advance(token);
            }
        }
    }

    /// Whatever is drawn of what is permitted is a performance, and the only spelling of it.
    #[test]
    fn what_is_permitted_has_one_spelling(choices in prop::collection::vec(any::<prop::sample::Index>(), 1..300)) {
        let vocabulary = vocabulary(&piece(vec![note(0, 60, 4, 80)], Vec::new()), Reading::Pedalled);
        let (mut cursor, mut tokens) = (Cursor::default(), vec![Vocabulary::id(Token::Start)]);
        for choice in choices {
            let permitted: Vec<u32> =
                (0..).zip(cursor.permitted(&vocabulary)).filter(|(_, may)| *may).map(|(number, _)| number).collect();
            let id = TokenId(permitted[choice.index(permitted.len())]);
            cursor.advance(vocabulary.token(id).unwrap());
            tokens.push(id);
        }
        // To its end: all keys and the pedal come up a step later.
        if matches!(cursor.last(), Token::Level(_)) {
            tokens.pop();
            cursor = Cursor::default();
            tokens.iter().for_each(|id| cursor.advance(vocabulary.token(*id).unwrap()));
        }
        let mut end = Vec::new();
        end.extend(cursor.permits(Token::Wait(1)).then_some(Token::Wait(1)));
        end.extend(cursor.sounding().iter().map(Token::Release));
        end.extend(cursor.pedal_since().map(|_| Token::Pedal(false)));
        for token in end {
            if cursor.permits(token) {
                cursor.advance(token);
                tokens.push(Vocabulary::id(token));
            }
        }
        while matches!(tokens.last().and_then(|id| vocabulary.token(*id)), Some(Token::Wait(_))) {
            tokens.pop();
        }
        prop_assert_eq!(encode(&decode(&tokens, &vocabulary), &vocabulary).0, tokens);
    }
}
