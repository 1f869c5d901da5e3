use super::*;
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

fn piece(mut notes: Vec<Note>) -> Score {
    let mut score = Score::new(grid());
    notes.sort_unstable();
    score.parts.push(Part { notes, ..Part::default() });
    score
}

fn keys(pitches: &[u8]) -> Keys {
    pitches.iter().map(|pitch| Key::try_from(Pitch::try_from(*pitch).unwrap()).unwrap()).collect()
}

#[test]
fn a_piece_reads_as_written() {
    let score = piece(vec![note(1, 60, 2), note(1, 64, 1), note(3, 60, 1), note(3, 21, 2), note(3, 108, 1)]);
    let frames = encode(&score, Outside::Refuse).unwrap();
    let frame = |struck: &[u8], held: &[u8]| Frame { struck: keys(struck), held: keys(held) };
    assert_eq!(
        frames,
        [frame(&[], &[]), frame(&[60, 64], &[]), frame(&[], &[60]), frame(&[21, 60, 108], &[]), frame(&[], &[21])]
    );
    assert_eq!(decode(&frames, grid()).parts[0].notes, score.parts[0].notes);
    assert_eq!(onsets(&frames)[2], Keys::NONE);
    // The second stroke on middle C is lost where only sounding keys are known.
    let tied = decode(&from_sounding(&sounding(&frames)), grid());
    assert_eq!(tied.parts[0].notes[0], note(1, 60, 3));
    assert_eq!(tied.note_count(), 4);
}

#[test]
fn notes_beyond_the_keyboard_are_refused_left_out_or_folded() {
    let score = piece(vec![note(0, 20, 1), note(0, 32, 4), note(1, 109, 1), note(2, 60, 1)]);
    let pitch = Pitch::try_from(20u8).unwrap();
    let refused = encode(&score, Outside::Refuse).unwrap_err();
    assert_eq!(refused, RollError::Outside(OutsideKeyboard { pitch }));
    assert!(refused.to_string().contains("pitch 20 (G#0)"), "{refused}");
    let found = |outside| canonicalize(&score, outside).unwrap().parts[0].notes.clone();
    assert_eq!(found(Outside::Omit), [note(0, 32, 4), note(2, 60, 1)]);
    assert_eq!(found(Outside::Fold), [note(0, 32, 4), note(1, 97, 1), note(2, 60, 1)]);
    for number in 0..=127u8 {
        let pitch = Pitch::try_from(number).unwrap();
        let near = Key::nearest(pitch).pitch();
        assert_eq!(near.class(), pitch.class());
        assert!(near == pitch || Key::try_from(pitch).is_err() && near.get().abs_diff(number) <= 24);
    }
}

#[test]
fn nothing_is_allocated_for_a_time_beyond_all_music() {
    for onset in [MOST_STEPS, 1 << 60, u64::MAX] {
        let found = encode(&piece(vec![note(onset, 60, 4)]), Outside::Refuse);
        assert!(matches!(found, Err(RollError::TooLong { steps }) if steps > MOST_STEPS), "{found:?}");
    }
}

#[test]
fn silence_drums_and_notes_without_length() {
    assert_eq!(encode(&Score::new(grid()), Outside::Refuse), Ok(Vec::new()));
    let mut drums = piece(vec![note(0, 10, 1)]);
    drums.parts[0].drums = true;
    assert_eq!(encode(&drums, Outside::Refuse), Ok(Vec::new()));
    assert_eq!(encode(&piece(vec![note(0, 60, 0)]), Outside::Refuse).unwrap()[0].struck, keys(&[60]));
    assert_eq!(decode(&[], grid()).note_count(), 0);
    // A hold that follows nothing.
    let frame = Frame { struck: Keys::NONE, held: keys(&[60]) };
    assert_eq!(decode(&[frame, frame], grid()).parts[0].notes, [note(0, 60, 2)]);
}

#[test]
fn sets_of_keys() {
    let set = keys(&[21, 60, 108]);
    assert_eq!(set.iter().map(Key::index).collect::<Vec<usize>>(), [0, 39, 87]);
    assert_eq!(set.iter().rev().map(Key::index).collect::<Vec<usize>>(), [87, 39, 0]);
    assert_eq!((set.len(), set.iter().len(), Keys::NONE.len(), Keys::ALL.len()), (3, 3, 0, 88));
    assert_eq!((!set).len(), 85);
    assert_eq!(set.pitch_classes(), 1 | 1 << 9);
    assert_eq!(format!("{set:?}"), "{A0 C4 C8}");
    assert_eq!((set.transposed(1), set.transposed(-1), set.transposed(0)), (None, None, Some(set)));
    assert_eq!(keys(&[60, 67]).transposed(-39), Some(keys(&[21, 28])));
    assert_eq!((keys(&[60]).transposed(i32::MIN), Keys::NONE.transposed(200)), (None, Some(Keys::NONE)));
    assert_eq!((Keys::from_bits(1 << 88), Key::new(88)), (None, None));
    let mut row = [7.0; 90];
    set.write(&mut row);
    assert_eq!((row[0], row[1], row[39], row[87], row[88]), (1.0, 0.0, 1.0, 1.0, 7.0));
}

fn any_score() -> impl Strategy<Value = Score> {
    let notes = prop::collection::vec((0..60u64, 0..=127u8, 0..9u64), 0..40);
    prop::collection::vec(notes, 0..3).prop_map(|parts| {
        let mut score = Score::new(grid());
        for notes in parts {
            let mut part = piece(notes.into_iter().map(|(onset, pitch, length)| note(onset, pitch, length)).collect());
            score.parts.append(&mut part.parts);
        }
        score
    })
}

fn any_keys() -> impl Strategy<Value = Vec<Keys>> {
    let frame = any::<u128>().prop_map(|bits| Keys::from_bits(bits & bits >> 40 & Keys::ALL.bits()).unwrap());
    prop::collection::vec(frame, 0..30).prop_map(|mut frames| {
        let sounding = frames.iter().rposition(|keys| !keys.is_empty()).map_or(0, |last| last + 1);
        frames.truncate(sounding);
        frames
    })
}

proptest! {
    #[test]
    fn decoding_gives_the_canonical_score(score in any_score(), fold in any::<bool>()) {
        let outside = if fold { Outside::Fold } else { Outside::Omit };
        let frames = encode(&score, outside).unwrap();
        prop_assert!(frames.iter().all(|frame| (frame.struck & frame.held).is_empty()));
        let canonical = canonicalize(&score, outside).unwrap();
        prop_assert_eq!(decode(&frames, grid()), canonical.clone());
        prop_assert_eq!(encode(&canonical, Outside::Refuse).unwrap(), frames.clone());
        let struck: usize = onsets(&frames).iter().map(|keys| keys.len()).sum();
        prop_assert_eq!(struck, canonical.note_count());
    }

    #[test]
    fn both_readings_survive_the_way_through_a_score(frames in any_keys()) {
        let through = |frames: &[Frame]| encode(&decode(frames, grid()), Outside::Refuse).unwrap();
        prop_assert_eq!(onsets(&through(&from_onsets(&frames))), frames.clone());
        prop_assert_eq!(sounding(&through(&from_onsets(&frames))), frames.clone());
        prop_assert_eq!(sounding(&through(&from_sounding(&frames))), frames);
    }
}
