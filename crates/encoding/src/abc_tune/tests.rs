use super::*;
use cantus_score::{Chord, Key, Mode, Note, Part, Pass, Pitch, Repeat, Ticks, Velocity};
use proptest::prelude::*;

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// Notes one after another, in ticks of the grid: pitch (0 is a rest) and length.
fn line(from: u64, notes: &[(u8, u64)]) -> Vec<Note> {
    let mut at = from;
    let mut line = Vec::new();
    for (pitch, length) in notes {
        if *pitch > 0 {
            line.push(note(at, *pitch, *length));
        }
        at += length;
    }
    line
}

fn piece(meters: &[(u64, &str)], notes: Vec<Note>) -> Score {
    let mut score = Score::new(GRID);
    score.meters = meters.iter().map(|(at, meter)| (Ticks(*at), meter.parse().unwrap())).collect();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn repeat(passes: &[(u64, u64)], end: u64) -> Repeat {
    let pass = |(start, ending): &(u64, u64)| Pass { start: Ticks(*start), ending: Ticks(*ending) };
    Repeat { passes: passes.iter().map(pass).collect(), end: Ticks(end) }
}

/// A jig of two strains with an upbeat; the first has two endings.
fn jig() -> Score {
    let eighths = |pitches: &[u8]| pitches.iter().map(|pitch| (*pitch, 12)).collect::<Vec<_>>();
    let upbeat = eighths(&[74]);
    let bar = eighths(&[79, 78, 79, 74, 71, 67]);
    let first = eighths(&[69, 71, 69, 67, 66]);
    let second = vec![(67, 36), (67, 24)];
    let other = [(76, 36), (74, 12), (71, 12), (67, 12), (69, 24), (66, 12), (67, 24)];
    let mut notes = Vec::new();
    for ending in [&first, &second] {
        notes.extend(upbeat.iter().chain(&bar).chain(&bar).chain(ending).copied());
    }
    let (body, all) = (12 + 2 * 72, 2 * (12 + 3 * 72 - 12));
    for _ in 0..2 {
        notes.extend(upbeat.iter().chain(&other).copied());
    }
    let mut score = piece(&[(0, "6/8"), (12, "6/8")], line(0, &notes));
    score.repeats = vec![
        repeat(&[(0, body), (216, 216 + body)], all),
        repeat(&[(all, all + 144), (all + 144, all + 288)], all + 288),
    ];
    score.keys = vec![(Ticks(0), "G".parse().unwrap())];
    score
}

fn words(score: &Score) -> String {
    let vocabulary = Vocabulary::build([score], 0).unwrap();
    let tokens = encode(&Tune::of(score), &vocabulary).0;
    let word = |token: Token| match token {
        Token::Start => String::new(),
        Token::End => "|]".to_owned(),
        Token::Bar => "|".to_owned(),
        Token::Open => "|:".to_owned(),
        Token::Close => ":|".to_owned(),
        Token::First => "[1".to_owned(),
        Token::Double => "||".to_owned(),
        Token::Tie => "-".to_owned(),
        Token::Rest => "z".to_owned(),
        Token::Meter(meter) => format!("M{meter}"),
        Token::Key(key) => format!("K{}", key.fifths()),
        Token::Unit(unit) => format!("L{unit}"),
        Token::Partial(steps) => format!("({steps})"),
        Token::Chord(chord) => format!("\"{}\"", chord.map_or("N".to_owned(), |chord| chord.symbol(false))),
        Token::Tuplet(span) => format!("T{span}"),
        Token::Note(over) => over.to_string(),
        Token::Length(length) => format!("*{length}"),
    };
    let words = tokens.iter().map(|id| word(vocabulary.token(*id).unwrap()));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_jig_is_spelled_as_it_is_written() {
    assert_eq!(
        words(&jig()),
        "M6/8 K1 L12 |: (12) 19 | 24 23 24 19 16 12 | 24 23 24 19 16 12 [1 (60) 14 16 14 12 11 :| \
         (60) 12 *24 12 *16 |: (12) 19 | 21 *24 19 16 12 | (60) 14 *16 11 12 *16 :| |]"
    );
}

#[test]
fn chords_ties_and_triplets_are_spelled() {
    let notes =
        line(0, &[(72, 8), (74, 8), (76, 8), (77, 24), (79, 72), (0, 24), (76, 16), (74, 8), (72, 24), (0, 24)]);
    let mut score = piece(&[(0, "4/4")], notes);
    score.keys = vec![(Ticks(0), "C".parse().unwrap())];
    let named = [(0, "C"), (24, "C"), (72, "G7"), (96, "G7/B"), (120, "N.C."), (144, "Am")];
    score.chords = named.map(|(at, symbol)| (Ticks(at), symbol.to_owned())).to_vec();
    assert_eq!(
        words(&score),
        "M4/4 K0 L24 \"C\" T8 12 14 16 17 19 - \"G7\" 19 - | 19 \"N\" z \"Am\" T8 16 *8 14 12 |]"
    );
}

#[test]
fn what_is_repeated_stands_once() {
    let vocabulary = Vocabulary::build([&jig()], 0).unwrap();
    let tune = Tune::of(&jig());
    assert_eq!(tune.bars.iter().filter(|bar| bar.closes).count(), 2);
    let (tokens, is_adjusted) = encode(&tune, &vocabulary);
    assert!(!is_adjusted);
    let played = decode(&tokens, &vocabulary).score();
    assert_eq!((played.repeats.clone(), played.meters.clone()), (jig().repeats, jig().meters));
    assert_eq!(played.parts[0].notes, jig().parts[0].notes);
    let numbers: Vec<usize> = played.printed.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 1, 2, 4, 5, 6, 5, 6]);
    // Where the times through differ, all is written.
    let mut other = jig();
    other.parts[0].notes[3].pitch = Pitch::C4;
    assert_eq!(Tune::of(&other).bars.iter().filter(|bar| bar.closes).count(), 1);
}

#[test]
fn a_tune_is_spelled_alike_in_every_key() {
    let pieces: Vec<Score> = (-5..=6).map(|by| jig().transposed(by).unwrap()).collect();
    let vocabulary = Vocabulary::build(&pieces, 0).unwrap();
    assert_eq!(vocabulary.keys().len(), 12);
    let tokens = |piece: &Score| encode(&Tune::of(piece), &vocabulary).0;
    let is_note = |id: &&TokenId| !matches!(vocabulary.token(**id), Some(Token::Key(_)));
    for piece in &pieces {
        let over = home(piece.keys[0].1) - home("G".parse().unwrap());
        let here = tokens(piece);
        // Where the home is elsewhere by octaves, so is the tune.
        let octaves = i32::from(piece.parts[0].notes[0].pitch.get()) - 74 - over;
        assert!(octaves.rem_euclid(12) == 0);
        if octaves == 0 {
            let (a, b): (Vec<_>, Vec<_>) =
                (here.iter().filter(is_note).collect(), tokens(&jig()).into_iter().collect());
            assert!(a.into_iter().eq(b.iter().filter(is_note)));
            let moved: Vec<TokenId> = b.iter().map(|id| vocabulary.moved(*id, over)).collect();
            assert_eq!(moved, here);
        }
    }
}

#[test]
fn what_is_unknown_is_said_by_what_is_near() {
    let vocabulary = Vocabulary::build([&jig()], 0).unwrap();
    // Notes off every grid, other metres and keys, chords, a note beyond the range.
    let mut odd =
        piece(&[(0, "5/4"), (120, "3/64")], line(0, &[(30, 25), (61, 1), (62, 2), (100, 100), (0, 7), (64, 40)]));
    odd.keys = vec![(Ticks(0), "F#".parse().unwrap()), (Ticks(120), "Bbm".parse().unwrap())];
    odd.chords = vec![(Ticks(5), "C".to_owned())];
    let (tokens, is_adjusted) = encode(&Tune::of(&odd), &vocabulary);
    assert!(is_adjusted);
    assert_eq!(decode(&tokens, &vocabulary).score(), canonicalize(&odd, &vocabulary));
    // A beginning keeps its bars.
    let (tokens, heard, _) = encode_beginning(&Tune::of(&odd), &vocabulary);
    let mut cursor = Cursor::hearing(&vocabulary, &heard);
    tokens.iter().for_each(|id| cursor.advance(vocabulary.token(*id).unwrap()));
    assert_eq!(cursor.tune().bars.iter().map(|bar| bar.steps).collect::<Vec<_>>()[..2], [120, 6]);
    // Silence is a start.
    assert_eq!(encode(&Tune::of(&piece(&[], Vec::new())), &vocabulary).0.len(), 1);
}

#[test]
fn damaged_vocabularies_are_named() {
    let good = serde_json::to_value(Vocabulary::build([&jig()], 0).unwrap()).unwrap();
    let read = |value: serde_json::Value| serde_json::from_value::<Vocabulary>(value).map_err(|e| e.to_string());
    assert_eq!(read(good.clone()).unwrap(), Vocabulary::build([&jig()], 0).unwrap());
    for (key, value, word) in [
        ("meters", serde_json::json!([]), "meters"),
        ("meters", serde_json::json!(["4/x"]), "meters"),
        ("keys", serde_json::json!([[7, false]]), "keys"),
        ("units", serde_json::json!([5]), "units"),
        ("partials", serde_json::json!([4]), "short bars"),
        ("chords", serde_json::json!(["blue"]), "chords"),
        ("lengths", serde_json::json!([16]), "lengths"),
        ("tuplets", serde_json::json!([0]), "tuplets"),
        ("pitches", serde_json::json!([9, -9]), "pitches"),
        ("heard", serde_json::json!([80, 60]), "pitches"),
    ] {
        let mut damaged = good.clone();
        damaged[key] = value.clone();
        let problem = read(damaged).unwrap_err();
        assert!(problem.contains(word), "{key} = {value}: {problem}");
    }
}

prop_compose! {
    fn any_piece()(
        meter in prop::sample::select(vec!["4/4", "6/8", "3/4", "2/2", "5/8", "2/4"]),
        upbeat in prop::sample::select(vec![0u64, 12, 24, 27]),
        notes in prop::collection::vec(
            (prop::sample::select(vec![0u8, 55, 60, 61, 62, 66, 67, 72, 74, 79]), prop::sample::select(vec![1u64, 3, 4, 6, 8, 12, 12, 12, 16, 24, 32, 36, 48, 72, 100])),
            1..60,
        ),
        chords in prop::collection::vec((0u64..400, 0u8..12, prop::sample::select(cantus_score::Quality::all().collect::<Vec<_>>())), 0..12),
        twice in any::<bool>(),
        endings in 0usize..4,
        fifths in -5i8..=6,
    ) -> Score {
        let mut score = piece(&[(0, meter)], Vec::new());
        if upbeat > 0 {
            score.meters.push((Ticks(upbeat), meter.parse().unwrap()));
        }
        score.keys = vec![(Ticks(0), Key::new(fifths, Mode::Minor).unwrap())];
        let tail = endings.min(notes.len() - 1);
        let (body, rest) = notes.split_at(notes.len() - tail);
        let length = |notes: &[(u8, u64)]| notes.iter().map(|(_, length)| length).sum::<u64>();
        let mut played = body.to_vec();
        if twice && length(body) % 3 == 0 {
            played.extend(body);
            score.repeats = vec![repeat(&[(0, length(body)), (length(body), 2 * length(body))], 2 * length(body))];
        }
        played.extend(rest);
        score.parts[0].notes = line(0, &played);
        let mut chords = chords;
        chords.sort_by_key(|(at, ..)| *at);
        score.chords = chords.into_iter().map(|(at, root, quality)| (Ticks(at), Chord::new(root, quality).symbol(true))).collect();
        score
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_encoded_comes_back(piece in any_piece()) {
        prop_assume!(piece.note_count() > 0);
        let vocabulary = Vocabulary::build([&piece], 0).unwrap();
        let (tokens, _) = encode(&Tune::of(&piece), &vocabulary);
        let mut cursor = Cursor::new(&vocabulary);
        for id in &tokens {
            let token = vocabulary.token(*id).unwrap();
            prop_assert_eq!(vocabulary.id(token), *id);
            prop_assert!(cursor.permits(token), "{:?} at {:?}", token, cursor.now());
            cursor.advance(token);
        }
        prop_assert!(cursor.now().is_over());
        prop_assert_eq!(decode(&tokens, &vocabulary).score(), canonicalize(&piece, &vocabulary));
    }

    /// Whatever is drawn of what is permitted is a tune whose bars are full.
    #[test]
    fn what_is_permitted_decodes(
        piece in any_piece(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 300),
    ) {
        prop_assume!(piece.note_count() > 0);
        let vocabulary = Vocabulary::build([&piece, &jig()], 0).unwrap();
        let (mut cursor, mut tokens) = (Cursor::new(&vocabulary), Vec::new());
        for choice in choices {
            let may = |id: &u32| cursor.permits(vocabulary.token(TokenId(*id)).unwrap());
            let permitted: Vec<u32> = (0..vocabulary.len() as u32).filter(may).collect();
            if cursor.now().is_over() {
                prop_assert!(permitted.is_empty());
                break;
            }
            prop_assert!(!permitted.is_empty(), "{:?}", cursor.now());
            let id = TokenId(permitted[choice.index(permitted.len())]);
            cursor.advance(vocabulary.token(id).unwrap());
            tokens.push(id);
        }
        let tune = decode(&tokens, &vocabulary);
        prop_assert_eq!(&tune, &cursor.tune());
        for bar in &tune.bars {
            prop_assert_eq!(bar.events.iter().map(|event| event.steps).sum::<u32>(), bar.steps);
        }
        let score = tune.score();
        prop_assert!(score.parts[0].notes.is_sorted() && score.chords.is_sorted_by_key(|(at, _)| *at));
    }
}
