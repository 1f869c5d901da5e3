use super::layout::{Layout, choice};
use super::past::Past;
use super::view::View;
use cantus_encoding::note_events::{Vocabulary, encode};
use cantus_nn::cascade::NONE;
use cantus_nn::random::{below, seeded};
use cantus_score::{Note, Part, Pitch, Program, Reading, Score, Ticks, TicksPerQuarter, Velocity};

/// A band that plays by chance: two instruments and drums, with triplets, chords, notes over bar lines.
fn band(seed: u64, moved: i32) -> Score {
    let rng = &mut seeded(seed);
    let mut score = Score::new(TicksPerQuarter::new(12).unwrap());
    for (program, low) in [(0u8, 55u64), (33, 34)] {
        let mut at = 0;
        let mut notes = Vec::new();
        while at < 12 * 4 * 12 {
            for k in 0..1 + below(rng, 3) as u64 {
                notes.push(Note {
                    onset: Ticks(at),
                    pitch: Pitch::try_from((low + 4 * k + below(rng, 4) as u64) as i64 + i64::from(moved)).unwrap(),
                    duration: Ticks([3, 4, 6, 12, 40, 500][below(rng, 6)]),
                    velocity: Velocity::try_from(40 + 8 * below(rng, 9) as u8).unwrap(),
                });
            }
            at += [0, 3, 4, 6, 12, 30][below(rng, 6)] + 1;
        }
        notes.sort_unstable();
        let programs = vec![(Ticks::ZERO, Program::new(program).unwrap())];
        score.parts.push(Part { programs, notes, ..Part::default() });
    }
    let stroke = |k: u64| Note {
        onset: Ticks(6 * k),
        pitch: Pitch::try_from(36 + 2 * (k % 4) as u8).unwrap(),
        duration: Ticks(1),
        velocity: Velocity::DEFAULT,
    };
    score.parts.push(Part { notes: (0..90).map(stroke).collect(), ..Part::of_drums() });
    score
}

fn read(score: &Score, vocabulary: &Vocabulary) -> Past {
    let (events, adjustments) = encode(score, vocabulary);
    assert!(adjustments.is_empty());
    Past::of(&events.notes, events.bars, vocabulary.clock(), |number| vocabulary.is_drums(number))
}

#[test]
fn what_is_there_is_always_allowed_and_makes_the_note_again() {
    for seed in 0..6 {
        let score = band(seed, 0);
        let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
        let layout = Layout::new(&vocabulary);
        let past = read(&score, &vocabulary);
        let mut view = View::new(&vocabulary, &layout, &past, 0);
        for (j, note) in past.notes().iter().enumerate() {
            let (sight, _) = view.of_note(j);
            let drums = vocabulary.is_drums(note.instrument);
            for v in 0..choice::COUNT {
                let target = sight.targets[v];
                assert_eq!(target == NONE, drums && [choice::LENGTH, choice::END].contains(&v), "{j} {v}");
                assert!(target == NONE || sight.allowed[v] >> target & 1 == 1, "note {j}, choice {v}: {note:?}");
                let known = sight.known(v);
                assert!(known.iter().is_sorted() && known.windows(2).all(|pair| pair[0] < pair[1]), "{known:?}");
            }
            assert_eq!(view.level(note.level), *note);
        }
    }
}

#[test]
fn moved_music_moves_what_is_heard_and_offered_and_nothing_else() {
    let scores = [band(3, 0), band(3, 4)];
    let vocabulary = Vocabulary::build(&scores, Reading::Parts, true).unwrap();
    let layout = Layout::new(&vocabulary);
    let [still, moved] = scores.each_ref().map(|score| read(score, &vocabulary));
    let mut views = (View::new(&vocabulary, &layout, &still, 4), View::new(&vocabulary, &layout, &moved, 0));
    let (mut a, mut b) = (vec![0.0; layout.inputs()], vec![0.0; layout.inputs()]);
    for j in 0..still.notes().len() {
        let (expected, found) = (views.1.of_note(j).0, views.0.of_note(j).0);
        // Keys beyond the keyboard's ends are not compared: what was moved out of it is gone.
        let mut found = found;
        found.allowed[choice::PITCH] |= 15;
        let mut expected = expected;
        expected.allowed[choice::PITCH] |= 15;
        assert_eq!(found, expected, "note {j}");
        layout.read(&still, j, 4, |number| vocabulary.is_drums(number), &mut a);
        layout.read(&moved, j, 0, |number| vocabulary.is_drums(number), &mut b);
        assert_eq!(a, b, "note {j}");
    }
}

#[test]
fn what_comes_later_changes_nothing_that_is_known() {
    let score = band(5, 0);
    let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
    let layout = Layout::new(&vocabulary);
    let whole = read(&score, &vocabulary);
    let mut growing = Past::new(whole.bars().to_vec(), vocabulary.clock());
    let (mut a, mut b) = (vec![0.0; layout.inputs()], vec![0.0; layout.inputs()]);
    for (j, note) in whole.notes().iter().enumerate() {
        let mut before = View::new(&vocabulary, &layout, &growing, 0);
        before.open(j);
        let mut after = View::new(&vocabulary, &layout, &whole, 0);
        after.open(j);
        assert_eq!(before.sight, after.sight, "note {j}");
        layout.read(&growing, j, 0, |number| vocabulary.is_drums(number), &mut a);
        layout.read(&whole, j, 0, |number| vocabulary.is_drums(number), &mut b);
        assert_eq!(a, b, "note {j}");
        growing.push(*note, vocabulary.is_drums(note.instrument));
    }
}

#[test]
fn what_sounds_offers_its_end_and_what_came_offers_itself() {
    // A melody over a held bass, twice.
    let mut score = Score::new(TicksPerQuarter::new(12).unwrap());
    let note = |onset, pitch: u8, duration| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    };
    let once = |from: u64| [note(from, 48, 48), note(from, 60, 24), note(from + 24, 64, 24)];
    score.parts.push(Part { notes: [once(0), once(48)].concat(), ..Part::default() });
    score.parts[0].notes.sort_unstable();
    let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
    let (layout, past) = (Layout::new(&vocabulary), read(&score, &vocabulary));
    let mut view = View::new(&vocabulary, &layout, &past, 0);
    // The third note: where the melody's first ends; it lasts as long as the bass.
    let (sight, _) = view.of_note(2);
    let offers = |v: usize| sight.candidates.iter().any(|candidate| candidate.offers[v] == sight.targets[v]);
    assert!(offers(choice::QUARTERS) && offers(choice::LENGTH), "{sight:?}");
    // The last note: all of it has been before.
    let (sight, _) = view.of_note(5);
    let whole = |candidate: &&cantus_nn::cascade::Candidate| {
        (0..choice::COUNT).filter(|v| sight.targets[*v] != NONE).all(|v| candidate.offers[v] == sight.targets[v])
    };
    assert!(sight.candidates.iter().any(|candidate| whole(&candidate)), "{sight:?}");
}
