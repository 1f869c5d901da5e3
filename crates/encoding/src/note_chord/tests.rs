use super::*;
use cantus_score::{Meter, TicksPerQuarter};
use proptest::prelude::*;

fn grid() -> TicksPerQuarter {
    TicksPerQuarter::new(4).expect("not zero")
}

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

fn piece(meters: &[(u64, &str)], mut notes: Vec<Note>) -> Score {
    let mut score = Score::new(grid());
    score.meters = meters.iter().map(|(at, meter)| (Ticks(*at), meter.parse().unwrap())).collect();
    notes.sort_unstable();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn vocabulary(scores: &[Score]) -> Vocabulary {
    Vocabulary::build(scores, 0).expect("has notes")
}

/// Tokens in words, for tests that a person can read.
fn words(tokens: &[TokenId], vocabulary: &Vocabulary) -> String {
    let word = |id: &TokenId| match vocabulary.token(*id).expect("known") {
        Token::Start => "start".into(),
        Token::End => "end".into(),
        Token::Bar => "|".into(),
        Token::Tempo(class) => format!("tempo{class}"),
        Token::Meter(kind) => kind.meter.to_string(),
        Token::Position(step) => format!("@{step}"),
        Token::Duration(steps) => format!("d{steps}"),
        Token::Pitch(pitch) => pitch.to_string(),
    };
    tokens.iter().map(word).collect::<Vec<String>>().join(" ")
}

#[test]
fn a_piece_reads_as_written() {
    let score = piece(
        &[(0, "3/4"), (12, "4/4")],
        vec![note(0, 60, 4), note(0, 64, 4), note(4, 67, 2), note(12, 48, 16), note(12, 72, 4), note(44, 60, 4)],
    );
    let vocabulary = vocabulary(std::slice::from_ref(&score));
    let (tokens, adjustments) = encode(&score, &vocabulary);
    assert_eq!(
        words(&tokens, &vocabulary),
        "start tempo10 3/4 | @0 d4 E4 C4 @4 d2 G4 4/4 | @0 d4 C5 d16 C3 | | @0 d4 C4 end"
    );
    assert!(adjustments.is_empty());
}

#[test]
fn leading_silence_is_dropped_and_pickups_keep_their_place() {
    let score = piece(&[(0, "4/4")], vec![note(28, 60, 4), note(32, 62, 4)]);
    let vocabulary = vocabulary(std::slice::from_ref(&score));
    let decoded = decode(&encode(&score, &vocabulary).0, &vocabulary);
    assert_eq!(decoded.parts[0].notes, [note(12, 60, 4), note(16, 62, 4)]);
}

#[test]
fn what_the_vocabulary_cannot_say_is_said_with_the_nearest_and_counted() {
    let known = piece(&[(0, "4/4")], vec![note(0, 60, 4), note(0, 71, 8)]);
    let vocabulary = vocabulary(&[known]);
    let foreign = piece(&[(0, "7/8")], vec![note(0, 30, 5), note(2, 65, 8)]);
    let (tokens, adjustments) = encode(&foreign, &vocabulary);
    assert_eq!(adjustments, Adjustments { pitches: 1, durations: 1, meters: 1, dropped: 0 });
    let pitches: Vec<u8> = decode(&tokens, &vocabulary).notes().map(|note| note.pitch.get()).collect();
    assert_eq!(pitches, [66, 65]);
}

#[test]
fn the_cursor_counts_down_to_the_last_bar() {
    let score = piece(&[(0, "4/4")], vec![note(0, 60, 4), note(16, 60, 4), note(32, 60, 4)]);
    let vocabulary = vocabulary(std::slice::from_ref(&score));
    let mut cursor = Cursor::with_length(&vocabulary, 3);
    let mut remaining = Vec::new();
    for token in encode(&score, &vocabulary).0 {
        cursor.advance(token);
        if vocabulary.token(token) == Some(Token::Bar) {
            remaining.push((cursor.context().remaining, cursor.context().phase));
        }
    }
    assert_eq!(remaining, [(2, 1), (1, 2), (0, 3)]);
    assert!(cursor.ended());
}

#[test]
fn a_stored_vocabulary_is_checked() {
    let vocabulary = vocabulary(&[piece(&[(0, "3/4")], vec![note(0, 60, 4)])]);
    let text = serde_json::to_string(&vocabulary).unwrap();
    assert_eq!(serde_json::from_str::<Vocabulary>(&text).unwrap(), vocabulary);
    for (from, to) in [
        ("[60,60]", "[61,60]"),
        ("[60,60]", "[60,200]"),
        ("\"heard\":[60,60]", "\"heard\":[60,61]"),
        ("3/4", "3/5"),
        ("[4]", "[]"),
        ("[4]", "[5,4]"),
        (":4,", ":0,"),
    ] {
        assert!(text.contains(from), "{text}");
        assert!(serde_json::from_str::<Vocabulary>(&text.replacen(from, to, 1)).is_err(), "{from} -> {to}");
    }
}

#[test]
fn every_token_has_its_number() {
    let vocabulary =
        vocabulary(&[piece(&[(0, "3/4"), (12, "6/8")], vec![note(0, 60, 4), note(24, 72, 3), note(30, 50, 60)])]);
    for id in (0..vocabulary.len() as u32).map(TokenId) {
        assert_eq!(vocabulary.id(vocabulary.token(id).expect("within")), id);
    }
    assert_eq!(vocabulary.token(TokenId(vocabulary.len() as u32)), None);
    assert_eq!(vocabulary.token(TokenId(u32::MAX)), None);
}

fn any_piece() -> impl Strategy<Value = Score> {
    let meters = prop::sample::subsequence(vec![(0, "4/4"), (7, "3/4"), (30, "6/8"), (61, "2/4")], 0..=4);
    let notes = prop::collection::vec((0u64..120, 20u8..110, 1u64..90), 1..60);
    (meters, notes).prop_map(|(meters, notes)| {
        let notes: Vec<Note> = notes.into_iter().map(|(onset, pitch, duration)| note(onset, pitch, duration)).collect();
        let mut score = piece(&meters, notes);
        score.parts = vec![cantus_score::merge_parts(&score.parts)];
        score
    })
}

proptest! {
    #[test]
    fn decoding_gives_the_canonical_piece(score in any_piece()) {
        let vocabulary = vocabulary(std::slice::from_ref(&score));
        let (tokens, _) = encode(&score, &vocabulary);
        prop_assert_eq!(decode(&tokens, &vocabulary), canonicalize(&score, &vocabulary));
    }

    #[test]
    fn a_foreign_piece_is_still_sayable(score in any_piece(), known in any_piece()) {
        let vocabulary = vocabulary(&[known]);
        let (tokens, _) = encode(&score, &vocabulary);
        let mut cursor = Cursor::new(&vocabulary);
        for token in tokens {
            prop_assert!(cursor.allows(token));
            cursor.advance(token);
        }
        prop_assert!(cursor.ended());
    }

    #[test]
    fn canonical_pieces_lose_nothing(score in any_piece()) {
        let vocabulary = vocabulary(std::slice::from_ref(&score));
        let canonical = canonicalize(&score, &vocabulary);
        prop_assert_eq!(canonical.note_count(), score.note_count());
        prop_assert_eq!(canonicalize(&canonical, &vocabulary), canonical);
    }

    #[test]
    fn any_tokens_decode(tokens in prop::collection::vec(0u32..400, 0..200), known in any_piece()) {
        let vocabulary = vocabulary(&[known]);
        let tokens: Vec<TokenId> = tokens.into_iter().map(TokenId).collect();
        decode(&tokens, &vocabulary);
    }
}

#[test]
fn common_time_stands_where_nothing_does() {
    let score = piece(&[], vec![note(0, 60, 4)]);
    let vocabulary = vocabulary(&[score]);
    assert_eq!(vocabulary.bars(), [BarKind { steps: 16, meter: Meter::COMMON }]);
}

#[test]
fn a_finer_grid_has_the_same_bars_and_durations() {
    // A dotted half, a whole note, and four 4/4 bars in one, on twelve steps a quarter note.
    let notes = vec![note(0, 60, 36), note(48, 62, 48), note(96, 64, 16), note(112, 65, 8), note(191, 67, 1)];
    let mut score = piece(&[(0, "4/4"), (96, "16/4")], notes);
    score.ticks_per_quarter = TicksPerQuarter::new(12).expect("not zero");
    let vocabulary = vocabulary(std::slice::from_ref(&score));
    assert_eq!(vocabulary.durations(), [1, 8, 16, 36, 48]);
    assert_eq!(vocabulary.bars().iter().map(|kind| kind.steps).collect::<Vec<u16>>(), [48, 192]);
    let (tokens, adjustments) = encode(&score, &vocabulary);
    assert!(adjustments.is_empty());
    assert_eq!(decode(&tokens, &vocabulary).parts[0].notes, score.parts[0].notes);
    let stored = serde_json::to_string(&vocabulary).expect("JSON");
    assert_eq!(serde_json::from_str::<Vocabulary>(&stored).expect("a vocabulary"), vocabulary);
}

#[test]
fn one_change_is_said_as_one() {
    let said = |pitches, meters| Adjustments { pitches, meters, ..Adjustments::default() }.to_string();
    assert_eq!(said(2, 0), "2 pitches moved by octaves into the model's range");
    let one = "1 pitch moved by octaves into the model's range, 1 bar read in the nearest metre the model knows";
    assert_eq!(said(1, 1), one);
}

#[test]
fn what_two_vocabularies_both_say_is_told_whatever_their_grids() {
    let coarse = vocabulary(&[piece(&[(0, "3/4")], vec![note(0, 60, 4), note(4, 62, 1), note(8, 64, 2)])]);
    let finer = piece(&[(0, "3/4"), (12, "4/4")], vec![note(0, 60, 4), note(4, 61, 3), note(12, 64, 2)]);
    let fine = vocabulary(&[finer.rescaled(TicksPerQuarter::new(12).unwrap())]);
    let in_fine = |token| coarse.in_words_of(&fine, token);
    let of = |n: u8| Token::Pitch(Pitch::try_from(n).unwrap());
    assert_eq!(in_fine(Token::Bar), Some(Token::Bar));
    assert_eq!(in_fine(Token::Duration(4)), Some(Token::Duration(12)));
    assert_eq!(in_fine(Token::Duration(1)), None, "no piece has it");
    assert_eq!(in_fine(Token::Position(5)), Some(Token::Position(15)));
    assert_eq!([in_fine(of(64)), in_fine(of(59))], [Some(of(64)), None]);
    let kind = |steps, meter: &str| Token::Meter(BarKind { steps, meter: meter.parse().unwrap() });
    assert_eq!(in_fine(kind(12, "3/4")), Some(kind(36, "3/4")));
    assert_eq!(fine.in_words_of(&coarse, kind(48, "4/4")), None);
    assert_eq!(fine.in_words_of(&coarse, Token::Position(16)), None, "between two steps of the other grid");
}
