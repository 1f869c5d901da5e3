//! What a performer must keep, whatever it has learnt.

use cantus_composers::performing::{
    Decision, Learning, Lesson, LessonError, PerformError, Performance, Performer, Settings, judge, overlap,
};
use cantus_composers::registry;
use cantus_model::{ModelFile, Precision, Rng, seeded};
use cantus_nn::random::{below, normal, uniform_f64};
use cantus_score::{
    Key, Lyric, Mode, Note, Part, PedalSpan, Pitch, Program, Score, Slur, Tempo, Ticks, TicksPerQuarter, Velocity,
};
use std::ops::ControlFlow;

fn note(onset: u64, pitch: u8, duration: u64, velocity: u8) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::try_from(velocity).unwrap(),
    }
}

/// Two hands, a flute that doubles the upper one, and drums, at 480 ticks a quarter: chords of three on each beat, eighths above.
fn band(bars: u64) -> Score {
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    let right = (0..8 * bars).map(|k| note(240 * k, 72 + [0, 2, 4, 5, 7, 5, 4, 2][k as usize % 8], 240, 80)).collect();
    let left = (0..4 * bars).flat_map(|k| [48, 52, 55].map(|pitch| note(480 * k, pitch, 480, 80))).collect();
    let flute = (0..2 * bars).map(|k| note(960 * k, 84, 960, 90)).collect();
    let drums = (0..8 * bars).map(|k| note(240 * k, 42, 60, 50 + (k % 2) as u8 * 30)).collect();
    score.parts.push(Part { name: Some("right".to_owned()), notes: right, ..Part::default() });
    score.parts.push(Part { channel: 1, notes: left, ..Part::default() });
    let programs = vec![(Ticks::ZERO, Program::new(73).unwrap())];
    score.parts.push(Part { channel: 2, programs, notes: flute, ..Part::default() });
    score.parts.push(Part { notes: drums, ..Part::of_drums() });
    score.tempos = vec![
        (Ticks::ZERO, Tempo::from_quarters_per_minute(90.0).unwrap()),
        (Ticks(480 * 9), Tempo::from_quarters_per_minute(140.0).unwrap()),
    ];
    score.meters = vec![(Ticks::ZERO, "4/4".parse().unwrap())];
    score.keys = vec![(Ticks::ZERO, Key::new(0, Mode::Major).unwrap())];
    score.markers = vec![(Ticks(1920), "B".to_owned())];
    score.parts[0].lyrics = vec![Lyric { at: Ticks(240), verse: 1, text: "la".to_owned(), goes_on: false }];
    score.parts[1].slurs = vec![Slur {
        from: (Ticks(0), Pitch::try_from(48u8).unwrap()),
        to: (Ticks(480), Pitch::try_from(48u8).unwrap()),
    }];
    score
}

/// Somebody plays: the top of each chord loud, longer notes late, with pedal.
fn performance(seed: u64, chords: usize) -> Score {
    let rng = &mut seeded(seed);
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    let (mut at, mut notes, mut pedal) = (1.0f64, Vec::new(), Vec::new());
    let tick = |second: f64| (second * 960.0).round() as u64;
    for chord in 0..chords {
        let value = [0.5, 0.25, 0.25][chord % 3];
        let gap = value * (1.0 + 0.1 * (chord as f64 / 7.0).sin()) + 0.005 * f64::from(normal(rng));
        let base = 48 + below(rng, 12) as u8;
        for (k, pitch) in [base, base + 12, base + 24].into_iter().enumerate().skip(usize::from(chord % 3 != 0)) {
            let onset = at + 0.01 * (2 - k) as f64 + 0.002 * f64::from(normal(rng));
            let velocity = 45 + 15 * k as u8 + below(rng, 6) as u8;
            notes.push(note(tick(onset), pitch, tick(gap * 0.9), velocity));
        }
        if chord % 6 == 0 {
            pedal.push(PedalSpan { down: Ticks(tick(at + 0.1)), up: Ticks(tick(at + 0.9)) });
        }
        at += gap;
    }
    notes.sort_unstable();
    score.parts.push(Part { notes, pedal, ..Part::default() });
    score
}

fn lessons(count: u64, chords: usize) -> Vec<Lesson> {
    (0..count).map(|seed| Lesson::of_performance(&performance(seed, chords)).unwrap()).collect()
}

fn small() -> Settings {
    Settings {
        reader: 8,
        writer: 12,
        window: 48,
        batch: 4,
        dropout: 0.0,
        warmup: 5,
        averaging: 0.5,
        ..Settings::default()
    }
}

fn learnt(steps: u64) -> Learning {
    let mut learning = Learning::new(small(), lessons(6, 90), 1).unwrap();
    let (mut epoch, mut step) = (0, 0);
    for _ in 0..steps {
        assert!(learning.step(epoch, step, 0.01).finite);
        step += 1;
        if step == learning.steps(epoch) {
            (epoch, step) = (epoch + 1, 0);
        }
    }
    learning
}

fn perform(performer: &Performer, score: &Score, strength: f64, seed: u64) -> Performance {
    performer.perform(score, strength, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Notes of a part, each as (chord of the score in which it stands, pitch), in order.
fn pitches(score: &Score) -> Vec<Vec<u8>> {
    let of = |part: &Part| part.notes.iter().map(|note| note.pitch.get()).collect::<Vec<u8>>();
    score.parts.iter().map(of).collect()
}

#[test]
fn pitches_and_their_order_stay_and_everything_else_keeps_its_place() {
    let (performer, score) = (learnt(30).performer(), band(6));
    for (seed, strength) in [(1, 0.3), (2, 0.7), (3, 1.0), (4, 2.0)] {
        let played = perform(&performer, &score, strength, seed).score;
        let by = u64::from(played.ticks_per_quarter.get()) / 480;
        assert!(by >= 2, "fine ticks");
        let (before, after) = (pitches(&score), pitches(&played));
        assert_eq!((&before[0], &before[2], &before[3]), (&after[0], &after[2], &after[3]), "lines keep their order");
        // A chord's notes may change places among themselves.
        for (chord, notes) in before[1].chunks(3).zip(after[1].chunks(3)) {
            let mut sorted = notes.to_vec();
            sorted.sort_unstable();
            assert_eq!(chord, sorted);
        }
        let moved = |ticks: Ticks| Ticks(ticks.0 * by);
        assert_eq!(played.meters, score.meters);
        assert_eq!((&played.keys, &played.markers[0].1), (&score.keys, &score.markers[0].1));
        assert_eq!(played.markers[0].0, moved(score.markers[0].0));
        // Drums follow the clock, and nothing else.
        let strokes = |score: &Score, by: u64| -> Vec<(u64, u64, u8)> {
            let of = |note: &Note| (note.onset.0 * by, note.duration.0 * by, note.velocity.get());
            score.parts[3].notes.iter().map(of).collect()
        };
        assert_eq!(strokes(&played, 1), strokes(&score, by));
        // What is sung, and slurs, go with their notes.
        let sung = played.parts[0].lyrics[0].at;
        assert!(played.parts[0].notes.iter().any(|note| note.onset == sung));
        let slur = played.parts[1].slurs[0];
        let stands = |(at, pitch): (Ticks, Pitch)| {
            played.parts[1].notes.iter().any(|note| (note.onset, note.pitch) == (at, pitch))
        };
        assert!(stands(slur.from) && stands(slur.to));
        // The piece lasts as long, a chord is a chord, and no key is struck while it is down.
        let lasts = |score: &Score| score.tempo_map().seconds(score.parts[3].end());
        assert!((lasts(&played) / lasts(&score) - 1.0).abs() < 0.002, "{} {}", lasts(&played), lasts(&score));
        let seconds = |at: Ticks| played.tempo_map().seconds(at);
        for chord in played.parts[1].notes.chunks(3) {
            assert!(seconds(chord[2].onset) - seconds(chord[0].onset) <= 0.301);
        }
        for part in &played.parts {
            assert!(part.notes.is_sorted() && part.notes.iter().all(|note| note.duration > Ticks::ZERO));
            for (k, note) in part.notes.iter().enumerate() {
                let again = part.notes[k + 1..].iter().find(|later| later.pitch == note.pitch);
                assert!(again.is_none_or(|again| note.end() <= again.onset));
            }
            assert!(part.pedal.windows(2).all(|pair| pair[0].up <= pair[1].down));
        }
        assert_eq!(played.parts[2].pedal, [], "a flute has none");
    }
}

#[test]
fn without_strength_it_is_what_is_written_and_more_of_it_is_farther_from_it() {
    let (performer, score) = (learnt(30).performer(), band(8));
    assert_eq!(perform(&performer, &score, 0.0, 1).score, score);
    let distance = |strength: f64| -> (f64, f64) {
        let played = perform(&performer, &score, strength, 5).score;
        let written = score.tempo_map();
        let clock = played.tempo_map();
        let by = u64::from(played.ticks_per_quarter.get()) / 480;
        let apart = |k: u64| (clock.seconds(Ticks(240 * k * by)) - written.seconds(Ticks(240 * k))).abs();
        let louder =
            played.notes().zip(score.notes()).map(|(a, b)| f64::from(a.velocity.get().abs_diff(b.velocity.get())));
        ((0..64).map(apart).sum(), louder.sum())
    };
    let [little, half, whole] = [0.1, 0.5, 1.0].map(distance);
    assert!(
        little.0 < half.0 && half.0 < whole.0 && little.1 < half.1 && half.1 < whole.1,
        "{little:?} {half:?} {whole:?}"
    );
}

#[test]
fn the_seed_alone_decides_and_written_loudness_and_pedal_stay() {
    let performer = learnt(30).performer();
    let mut score = band(6);
    assert_eq!(perform(&performer, &score, 0.7, 1), perform(&performer, &score, 0.7, 1));
    assert_ne!(perform(&performer, &score, 0.7, 1).score, perform(&performer, &score, 0.7, 2).score);
    // The second half is written softer, and stays so; as loud as before it is on the whole.
    let half = score.end().0 / 2;
    for part in &mut score.parts[..2] {
        part.notes
            .iter_mut()
            .filter(|note| note.onset.0 >= half)
            .for_each(|note| note.velocity = Velocity::try_from(40).unwrap());
    }
    score.parts[1].pedal = vec![PedalSpan { down: Ticks(0), up: Ticks(960) }];
    let performance = perform(&performer, &score, 1.0, 3);
    let mean =
        |notes: &[Note]| notes.iter().map(|note| f64::from(note.velocity.get())).sum::<f64>() / notes.len() as f64;
    let (first, second) = performance.score.parts[0].notes.split_at(24);
    assert!(mean(first) > mean(second) + 15.0, "{} {}", mean(first), mean(second));
    let all = |score: &Score| mean(&[&score.parts[0].notes[..], &score.parts[1].notes].concat());
    assert!((all(&performance.score) - all(&score)).abs() < 4.0);
    assert_eq!(performance.score.parts[1].pedal, [PedalSpan { down: Ticks(0), up: Ticks(1920) }]);
    assert!(performance.remarks.iter().any(|remark| remark.contains("file's own")), "{:?}", performance.remarks);
}

#[test]
fn odd_scores_are_played_or_refused_by_name() {
    let performer = learnt(3).performer();
    let play = |score: &Score, strength: f64| {
        performer.perform(score, strength, &mut seeded(1), &mut |_| ControlFlow::Continue(()))
    };
    let empty = Score::new(TicksPerQuarter::DEFAULT);
    assert!(matches!(play(&empty, 0.7), Err(PerformError::NothingWritten(_))));
    let mut drums = band(1);
    drums.parts.drain(..3);
    let told = play(&drums, 0.7).unwrap_err().to_string();
    assert!(told.contains("nothing to play"), "{told}");
    for strength in [-0.1, 2.1, f64::NAN] {
        assert!(matches!(play(&band(1), strength), Err(PerformError::Strength { .. })));
    }
    let of = |notes: Vec<Note>, per_quarter: u32| {
        let mut score = Score::new(TicksPerQuarter::new(per_quarter).unwrap());
        score.parts.push(Part { notes, ..Part::default() });
        score
    };
    let odd = [
        of(vec![note(0, 60, 480, 80)], 480),
        of(vec![note(7, 0, 0, 1), note(7, 127, 0, 127), note(7, 60, 1, 80), note(7, 60, 9, 80)], 1),
        of((0..50).map(|k| note(k, 60, 1000, 64)).collect(), 0x7fff),
        of(vec![note(0, 60, 1, 80), note(24_000_000, 62, 1, 80)], 24),
        of((0..128).map(|pitch| note(5, pitch as u8, 480, 80)).collect(), 480),
    ];
    for score in odd {
        let played = play(&score, 1.0).unwrap().score;
        assert_eq!(played.note_count(), score.note_count());
        let sorted = |score: &Score| {
            let mut pitches = pitches(score).concat();
            pitches.sort_unstable();
            pitches
        };
        assert_eq!(sorted(&played), sorted(&score));
        assert!(played.notes().all(|note| note.duration > Ticks::ZERO));
    }
    let stopped = performer.perform(&band(2), 0.7, &mut seeded(1), &mut |_| ControlFlow::Break(()));
    assert_eq!(stopped, Err(PerformError::Stopped));
}

#[test]
fn a_hundred_thousand_notes_are_played() {
    let performer = learnt(1).performer();
    let mut score = Score::new(TicksPerQuarter::DEFAULT);
    let notes =
        (0..100_000).map(|k| note(60 * (k / 2), 40 + (k % 2) as u8 * 12 + (k / 7 % 12) as u8, 60, 80)).collect();
    score.parts.push(Part { notes, ..Part::default() });
    let played = perform(&performer, &score, 1.0, 1).score;
    assert_eq!(played.note_count(), 100_000);
    let lasts = |score: &Score| score.tempo_map().seconds(score.end());
    assert!((lasts(&played) / lasts(&score) - 1.0).abs() < 0.01);
}

#[test]
fn learning_beats_chance_and_a_file_plays_as_its_network() {
    let held_out: Vec<Lesson> = (20..22).map(|seed| Lesson::of_performance(&performance(seed, 90)).unwrap()).collect();
    let learning = learnt(150);
    let chance = learning.chance(&held_out);
    let found = judge(&learning.performer(), &held_out);
    assert_eq!((found.notes, found.decisions.map(|f| f.counted)), (chance.notes, chance.decisions.map(|f| f.counted)));
    assert!(found.per_note() < 0.8 * chance.per_note(), "{} {}", found.per_note(), chance.per_note());
    assert!(found.per_decision(Decision::Velocity) < chance.per_decision(Decision::Velocity) - 0.3);
    let linear = learning.linear(&held_out, |_| {});
    assert!(linear.per_note() < chance.per_note(), "{} {}", linear.per_note(), chance.per_note());
    let file = learning.save();
    let again = ModelFile::from_bytes(&file.to_bytes(Precision::Half).unwrap()).unwrap();
    assert_eq!(
        perform(&Performer::load(&again).unwrap(), &band(2), 1.0, 4),
        perform(&learning.performer(), &band(2), 1.0, 4)
    );
    // Another's file is refused by name.
    let mut other = file.clone();
    other.header.composer = "lstm".to_owned();
    assert!(matches!(Performer::load(&other), Err(cantus_model::ModelError::NoPerformer { .. })));
    other = file.clone();
    other.tensors.remove("velocity.weight");
    assert!(matches!(Performer::load(&other), Err(cantus_model::ModelError::Shape { .. })));
    assert!(matches!(registry::load(&file), Err(cantus_model::ModelError::Performer)));
    // Choices are as frequent as they were learnt, more or less.
    let shares = overlap(&learning.performer(), &held_out, 1);
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)) && shares[2] > 0.5, "{shares:?}");
}

#[test]
fn the_seed_alone_decides_a_training() {
    assert_eq!(learnt(8).save(), learnt(8).save());
    let other = Learning::new(small(), lessons(6, 90), 2).unwrap();
    assert_ne!(other.save(), Learning::new(small(), lessons(6, 90), 1).unwrap().save());
}

#[test]
fn probabilities_of_a_note_sum_to_one() {
    let performer = learnt(20).performer();
    let lesson = &lessons(1, 20)[0];
    let last = lesson.len() - 1;
    let nats = |velocity: Option<u8>, length: Option<u8>| {
        let mut choices = lesson.choices().to_vec();
        choices[last][Decision::Velocity as usize] = velocity;
        choices[last][Decision::Spread as usize] = None;
        choices[last][Decision::Length as usize] = length;
        performer.judge(&lesson.with(choices)).decisions.iter().map(|figures| figures.nats).sum::<f64>()
    };
    let without = nats(None, None);
    let mut sum = 0.0f64;
    for velocity in 0..Decision::Velocity.classes() as u8 {
        for length in 0..Decision::Length.classes() as u8 {
            sum += (without - nats(Some(velocity), Some(length))).exp();
        }
    }
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");
}

/// What is drawn comes as often as its probability says: of one decision, many times.
#[test]
fn draws_follow_the_likelihood() {
    let performer = learnt(60).performer();
    let lesson = &lessons(1, 12)[0];
    let classes = Decision::Velocity.classes();
    let mut drawn = vec![0.0; classes];
    const TIMES: u64 = 2000;
    for seed in 0..TIMES {
        let found = performer.draw(lesson, &mut seeded(seed));
        drawn[usize::from(found[0][Decision::Velocity as usize].unwrap())] += 1.0 / TIMES as f64;
    }
    let chance = |class: u8| {
        let mut choices = vec![Default::default(); lesson.len()];
        choices[0] = [None, None, Some(class), None, None];
        (-performer.judge(&lesson.with(choices)).decisions[Decision::Velocity as usize].nats).exp()
    };
    let apart: f64 = (0..classes).map(|class| (drawn[class] - chance(class as u8)).abs()).sum();
    assert!(apart < 0.12, "{apart}");
}

#[test]
fn a_pair_teaches_what_was_played_beside_what_is_written() {
    let mut score = band(8);
    score.parts.truncate(2);
    score.tempos.truncate(1);
    let written = score.tempo_map();
    // Played 20% slower, beats 1 s after the beginning of the file, the upper hand loud and 10 ms early; a wrong note; one left out.
    let at = |second: f64| 1.0 + 1.2 * second;
    let rng: &mut Rng = &mut seeded(1);
    let mut played = Score::new(TicksPerQuarter::DEFAULT);
    let tick = |second: f64| (second * 960.0).round() as u64;
    let mut notes = Vec::new();
    for (hand, part) in score.parts.iter().enumerate() {
        for (k, of) in part.notes.iter().enumerate().filter(|(k, _)| *k != 5) {
            let early = if hand == 0 { 0.01 } else { 0.0 } + 0.001 * uniform_f64(rng);
            let onset = at(written.seconds(of.onset)) - early;
            let held = 0.5 * 1.2 * (written.seconds(of.end()) - written.seconds(of.onset));
            notes.push(note(tick(onset), of.pitch.get(), tick(held), if hand == 0 { 100 } else { 60 + (k % 3) as u8 }));
        }
    }
    notes.push(note(tick(3.3), 61, 100, 90));
    notes.sort_unstable();
    played.parts.push(Part { notes, ..Part::default() });
    let beats: Vec<f64> = (0..32).map(|k| written.seconds(Ticks(480 * k))).collect();
    let marked: Vec<f64> = beats.iter().map(|beat| at(*beat)).collect();
    let lesson = Lesson::of_pair(&score, &played, (&beats, &marked)).unwrap();
    assert!(lesson.is_of_pair() && lesson.len() == score.note_count());
    let [timing, _, velocity, spread, length] = lesson.counted();
    assert_eq!((velocity, length), (lesson.len() - 2, lesson.len() - 2), "all but those that were left out");
    // A chord that nobody struck takes the gaps before and after it along.
    assert!(timing == 61 && spread > 100, "{timing} {spread}");
    let middle = (Decision::Length.classes() / 2) as u8;
    for (choices, pitch) in lesson.choices().iter().zip(lesson.pitches()) {
        let upper = pitch >= 72;
        if let Some(velocity) = choices[2] {
            assert_eq!(velocity == 25, upper, "{choices:?}");
        }
        assert!(choices[4].is_none_or(|length| length < middle), "half as long as written");
    }
    let other = Lesson::of_pair(&band(3), &performance(9, 90), (&beats, &marked));
    assert!(matches!(other, Err(LessonError::OtherMusic { .. })), "{other:?}");
    assert!(matches!(Lesson::of_pair(&score, &played, (&beats[..5], &marked)), Err(LessonError::Beats { .. })));
    assert!(matches!(Lesson::of_performance(&Score::new(TicksPerQuarter::DEFAULT)), Err(LessonError::TooShort { .. })));
}
