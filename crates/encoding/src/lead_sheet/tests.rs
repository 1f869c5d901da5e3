use super::*;
use crate::note_chord::BarKind;
use cantus_score::{Chord, Meter, Note, Part, Pitch, Ticks, Velocity};
use proptest::prelude::*;

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// A piece of some parts, at four ticks a quarter.
fn piece(meters: &[(u64, &str)], parts: &[&[(u64, u8, u64)]]) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    score.meters = meters.iter().map(|(at, meter)| (Ticks(*at), meter.parse().unwrap())).collect();
    let part = |notes: &&[(u64, u8, u64)]| Part {
        notes: notes.iter().map(|(onset, pitch, duration)| note(*onset, *pitch, *duration)).collect(),
        ..Part::default()
    };
    score.parts = parts.iter().map(part).collect();
    score
}

fn vocabulary(pieces: &[&Score]) -> Vocabulary {
    Vocabulary::build(pieces.iter().copied(), 6).unwrap()
}

/// Tokens in words, for tests that a person can read.
fn words(tokens: &[TokenId], vocabulary: &Vocabulary) -> String {
    let word = |id: &TokenId| match vocabulary.token(*id).expect("known") {
        Token::Start(Order::ChordsFirst) => "chords:".into(),
        Token::Start(Order::MelodyFirst) => "melody:".into(),
        Token::Bar(BarKind { steps, meter }) => format!("{meter}={steps}"),
        Token::Chord(chord) => chord.map_or("-".into(), |chord| chord.symbol(false)),
        Token::Rest => "rest".into(),
        Token::Pitch(pitch) => pitch.to_string(),
        Token::Length(steps) => steps.to_string(),
    };
    tokens.iter().map(word).collect::<Vec<String>>().join(" ")
}

/// An upbeat, a bar of two chords, a bar of one that is held on under a rest.
fn tune() -> Score {
    let melody = [(0, 67, 4), (4, 72, 8), (12, 71, 6), (20, 72, 12)];
    let chords = [
        (4, 48, 8),
        (4, 52, 8),
        (4, 55, 8),
        (12, 43, 8),
        (12, 47, 8),
        (12, 50, 8),
        (12, 53, 8),
        (20, 48, 16),
        (20, 52, 16),
        (20, 55, 16),
    ];
    piece(&[(0, "1/4"), (4, "4/4")], &[&melody, &chords])
}

#[test]
fn a_tune_with_block_chords_reads_as_a_lead_sheet() {
    let (tune, sheet) = (tune(), LeadSheet::of(&tune()));
    let vocabulary = vocabulary(&[&tune]);
    let (tokens, is_adjusted) = encode(&sheet, Order::ChordsFirst, &vocabulary);
    assert!(!is_adjusted);
    let chords = "- C C G7 G7 C C C C";
    let melody = "G4 12 C5 24 B4 12 rest 6 C5 36 rest 12";
    let melody = melody.replace("B4 12", "B4 18");
    let bars = "1/4=12 4/4=48 4/4=48";
    assert_eq!(words(&tokens, &vocabulary), format!("chords: {bars} {chords} {melody}"));
    let (turned, _) = encode(&sheet, Order::MelodyFirst, &vocabulary);
    assert_eq!(words(&turned, &vocabulary), format!("melody: {bars} {melody} {chords}"));
    assert_eq!(vocabulary.register().get(), 43);
    // As a score it has symbols, and a part that plays them in the register.
    let score = decode(&tokens, &vocabulary).score(vocabulary.register());
    let symbols: Vec<(u64, &str)> = score.chords.iter().map(|(at, symbol)| (at.0, symbol.as_str())).collect();
    assert_eq!(symbols, [(12, "C"), (36, "G7"), (60, "C")]);
    let played: Vec<(u64, u8, u64)> =
        score.parts[1].notes.iter().map(|note| (note.onset.0, note.pitch.get(), note.duration.0)).collect();
    assert_eq!(played[..4], [(12, 48, 24), (12, 52, 24), (12, 55, 24), (36, 43, 24)]);
    // Over a low root the other tones lie where they are heard apart.
    assert_eq!(played[4..7].iter().map(|note| note.1).collect::<Vec<u8>>(), [53, 59, 62]);
    // Symbols say the chords, whatever else sounds.
    let mut named = tune.clone();
    named.chords = vec![(Ticks(4), "Am7/G".into()), (Ticks(13), "N.C.".into()), (Ticks(20), "D9".into())];
    let chords = LeadSheet::of(&named).chords;
    assert_eq!(
        chords.iter().map(|chord| chord.map_or("-".into(), |chord| chord.symbol(false))).collect::<Vec<_>>().join(" "),
        "- Am7 Am7 - - D7 D7 D7 D7"
    );
}

#[test]
fn beats_are_counted_as_one_counts_them() {
    let kind = |text: &str| {
        let meter: Meter = text.parse().unwrap();
        BarKind { steps: meter.bar(GRID).0 as u16, meter }
    };
    let lengths = |text: &str| beats(&[kind(text)]).iter().map(|beat| beat.length).collect::<Vec<u32>>();
    assert_eq!(lengths("4/4"), [12; 4]);
    assert_eq!(lengths("6/8"), [18; 2]);
    assert_eq!(lengths("2/2"), [24; 2]);
    assert_eq!(lengths("5/8"), [12, 12, 6]);
    let two = beats(&[kind("3/8"), kind("3/4")]);
    assert_eq!(
        two.iter().map(|beat| (beat.at, beat.bar, beat.number)).collect::<Vec<_>>(),
        [(0, 0, 0), (18, 1, 0), (30, 1, 1), (42, 1, 2)]
    );
}

#[test]
fn what_is_unknown_is_the_nearest_known() {
    let vocabulary = vocabulary(&[&tune()]);
    let mut strange = piece(&[(0, "4/4")], &[&[(0, 30, 7), (8, 72, 40)]]);
    strange.chords = vec![(Ticks(0), "Fmaj7".into())];
    let sheet = LeadSheet::of(&strange);
    let (tokens, is_adjusted) = encode(&sheet, Order::ChordsFirst, &vocabulary);
    assert!(is_adjusted);
    let bars = "4/4=48 4/4=48 4/4=48";
    let chords = ["F"; 12].join(" ");
    // An octave up into the range; a length that is unknown ends early, and rests fill the time: whole lengths first.
    assert_eq!(
        words(&tokens, &vocabulary),
        format!("chords: {bars} {chords} F#4 18 rest 6 C5 36 rest 36 rest 36 rest 12")
    );
    // A bar of a metre that no piece has is one that is as long as possible.
    let odd = piece(&[(0, "7/8")], &[&[(0, 72, 4)]]);
    let (tokens, is_adjusted) = encode(&LeadSheet::of(&odd), Order::MelodyFirst, &vocabulary);
    assert!(is_adjusted && words(&tokens, &vocabulary).starts_with("melody: 4/4=48 C5 12 rest 36 -"));
    // Nothing sounds: nothing is said.
    assert_eq!(encode(&LeadSheet::of(&piece(&[], &[&[]])), Order::ChordsFirst, &vocabulary).0.len(), 1);
}

#[test]
fn damaged_vocabularies_are_named() {
    let good = serde_json::to_value(vocabulary(&[&tune()])).unwrap();
    let read = |value: serde_json::Value| serde_json::from_value::<Vocabulary>(value).map_err(|e| e.to_string());
    assert_eq!(read(good.clone()).unwrap(), vocabulary(&[&tune()]));
    for (key, value, word) in [
        ("bars", serde_json::json!([]), "bars"),
        ("bars", serde_json::json!([["4/4", 0]]), "bars"),
        ("bars", serde_json::json!([["4/x", 4]]), "bars"),
        ("chords", serde_json::json!(["7", ""]), "chords"),
        ("chords", serde_json::json!(["blue"]), "chords"),
        ("lengths", serde_json::json!([2, 4]), "lengths"),
        ("lengths", serde_json::json!([1, 60000]), "lengths"),
        ("pitches", serde_json::json!([200, 201]), "pitches"),
        ("heard", serde_json::json!([80, 60]), "pitches"),
        ("register", serde_json::json!(127), "register"),
    ] {
        let mut damaged = good.clone();
        damaged[key] = value.clone();
        let problem = read(damaged).unwrap_err();
        assert!(problem.contains(word), "{key} = {value}: {problem}");
    }
}

prop_compose! {
    fn any_piece()(
        meter in prop::sample::select(vec!["4/4", "6/8", "3/4", "2/2", "5/8"]),
        melody in prop::collection::vec((0u64..9, 55u8..80, 1u64..9), 1..40),
        chords in prop::collection::vec((0u8..12, prop::sample::select(cantus_score::Quality::all().collect::<Vec<_>>()), 1u64..12), 0..12),
        symbols in any::<bool>(),
    ) -> Score {
        let mut score = piece(&[(0, meter)], &[]);
        let mut at = 0;
        let melody = melody.into_iter().map(|(gap, pitch, length)| {
            at += gap + length;
            note(at - length, pitch, length)
        });
        score.parts.push(Part { notes: melody.collect(), ..Part::default() });
        let mut at = 0;
        let mut notes = Vec::new();
        for (root, quality, length) in chords {
            let chord = Chord::new(root, quality);
            if symbols {
                score.chords.push((Ticks(at), chord.symbol(true)));
            }
            notes.extend(quality.classes().iter().map(|class| note(at, 36 + root + class, length)));
            at += length;
        }
        notes.sort_unstable();
        score.parts.push(Part { notes, ..Part::default() });
        score
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_encoded_comes_back(piece in any_piece(), order in prop::sample::select(vec![Order::ChordsFirst, Order::MelodyFirst])) {
        let vocabulary = vocabulary(&[&piece]);
        let sheet = LeadSheet::of(&piece);
        let (tokens, is_adjusted) = encode(&sheet, order, &vocabulary);
        prop_assert!(!is_adjusted);
        prop_assert_eq!(&decode(&tokens, &vocabulary), &sheet);
        prop_assert_eq!(decode(&tokens, &vocabulary).score(vocabulary.register()), canonicalize(&piece, &vocabulary));
        let mut cursor = Cursor::new(&vocabulary);
        for id in &tokens {
            let token = vocabulary.token(*id).unwrap();
            prop_assert_eq!(vocabulary.id(token), *id);
            prop_assert!(cursor.permits(token), "{:?} where {:?} is expected", token, cursor.expected());
            cursor.advance(token);
        }
        prop_assert_eq!(cursor.expected(), Expected::Nothing);
        // In another key it is the same sheet in that key.
        for semitones in [-5, 6] {
            let moved: Vec<TokenId> = tokens.iter().map(|id| vocabulary.moved(*id, semitones)).collect();
            let heard = decode(&moved, &vocabulary);
            let chords: Vec<Option<Chord>> = sheet.chords.iter().map(|chord| chord.map(|chord| chord.transposed(semitones))).collect();
            prop_assert_eq!(heard.chords, chords);
            let pitches: Vec<Pitch> = sheet.melody.iter().map(|tone| tone.pitch.transposed(semitones).unwrap()).collect();
            prop_assert_eq!(heard.melody.iter().map(|tone| tone.pitch).collect::<Vec<_>>(), pitches);
        }
    }

    /// Whatever is drawn of what is permitted is a lead sheet whose melody fills its bars, and there is no other spelling of it.
    #[test]
    fn what_is_permitted_decodes(
        choices in prop::collection::vec(any::<prop::sample::Index>(), 400),
        bars in 1usize..4,
    ) {
        let vocabulary = vocabulary(&[&tune()]);
        let (mut cursor, mut tokens) = (Cursor::new(&vocabulary), Vec::new());
        for choice in choices {
            let may = |id: &u32| {
                let token = vocabulary.token(TokenId(*id)).unwrap();
                let is_bar = matches!(token, Token::Bar(_));
                cursor.permits(token) && (is_bar == (cursor.bars().len() < bars) || cursor.expected() != Expected::Bar)
            };
            let permitted: Vec<u32> = (0..vocabulary.len() as u32).filter(may).collect();
            if permitted.is_empty() {
                break;
            }
            let id = TokenId(permitted[choice.index(permitted.len())]);
            cursor.advance(vocabulary.token(id).unwrap());
            tokens.push(id);
        }
        prop_assert_eq!(cursor.expected(), Expected::Nothing);
        let sheet = decode(&tokens, &vocabulary);
        prop_assert_eq!(&sheet, &cursor.sheet());
        prop_assert!(sheet.melody.iter().all(|tone| tone.end() <= sheet.end()));
        if !sheet.melody.is_empty() {
            prop_assert_eq!(encode(&sheet, cursor.order().unwrap(), &vocabulary).0, tokens);
        }
    }
}
