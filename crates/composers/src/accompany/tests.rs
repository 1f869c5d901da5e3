use super::*;
use crate::registry;
use cantus_model::{
    ComposeError, Composer, Composition, Control, Evaluation, Given, ModelFile, Pieces, Precision, Request, Sampling,
    Settings as Json, StepAt, Trainable, TrainingSet, seeded,
};
use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, TicksPerQuarter, Velocity};
use std::ops::ControlFlow;

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// Bars of 4/4, 8 steps to the quarter: kicks as `beats` say, a snare after each; the bass on the kicks, a fifth up on the last.
fn band(bars: u64, beats: &[u64], root: u8) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(8).unwrap());
    let (mut drums, mut bass) = (Part::of_drums(), Part { name: Some("Bass".into()), ..Part::default() });
    bass.programs = vec![(Ticks::ZERO, Program::new(34).unwrap())];
    for bar in 0..bars {
        for (k, beat) in beats.iter().enumerate() {
            let at = 32 * bar + beat;
            drums.notes.extend([note(at, 36, 1), note(at + 3, 38, 1)]);
            bass.notes.push(note(at, root + if k + 1 == beats.len() { 7 } else { 0 }, 4));
        }
    }
    drums.notes.sort_unstable();
    score.parts = vec![drums, bass];
    score
}

const BEATS: [&[u64]; 3] = [&[0, 16], &[0, 8, 20], &[0, 12, 16, 24]];

fn set() -> TrainingSet {
    let pieces =
        |range: std::ops::Range<usize>| range.map(|k| band(4 + k as u64 % 3, BEATS[k % 3], 28 + k as u8 % 5)).collect();
    TrainingSet { train: pieces(0..9), valid: pieces(9..12), attacks: true, ..TrainingSet::default() }
}

fn settings(writes: &str, changes: &[(&str, Json)]) -> Json {
    let mut settings = SPEC.tiny_settings("default").unwrap();
    settings["writes"] = writes.into();
    changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
    settings
}

fn trained(writes: &str, epochs: u64, changes: &[(&str, Json)]) -> Box<dyn Trainable> {
    let mut trainable = SPEC.creates().unwrap()(&settings(writes, changes), &set(), 1).unwrap();
    for epoch in 0..epochs {
        for step in 0..trainable.steps(epoch) {
            assert!(trainable.step(StepAt { epoch, step }, 0.01).finite);
        }
    }
    trainable
}

fn joined(
    composer: &dyn Composer,
    score: Score,
    controls: &[(&str, &str)],
    seed: u64,
) -> Result<Composition, ComposeError> {
    let mut request = Request::around(Given::parts(score)?, Sampling::default());
    controls.iter().for_each(|(name, text)| request.controls.set(name, text).unwrap());
    registry::compose(composer, &request, &mut [seeded(seed)], &mut |_| ControlFlow::Continue(()))
        .map(|mut found| found.remove(0))
}

fn alone(mut score: Score, drums: bool) -> Score {
    score.parts.retain(|part| part.drums == drums);
    score
}

/// The nats of the steps of a piece.
fn nats(composer: &dyn Composer, score: &Score) -> Vec<f64> {
    let mut moments: Vec<f64> =
        composer.judge().unwrap().judge(score).moments.iter().map(|moment| moment.nats).collect();
    let steps = score.bars().last().unwrap().end().0 as usize;
    moments.split_off(moments.len() - steps)
}

#[test]
fn what_is_given_stays_and_one_part_comes_to_it() {
    for (configuration, kept, program) in [("bass", true, Some(38)), ("drums", false, None)] {
        let trainable = trained(configuration, 6, &[]);
        let composer = trainable.composer();
        // Other ticks than the model's, some strokes beside the grid, a second drum track, a name.
        let mut given = alone(band(5, BEATS[1], 40), kept).rescaled(TicksPerQuarter::new(96).unwrap());
        given.parts[0].notes.iter_mut().skip(1).step_by(3).for_each(|note| note.onset.0 += 2);
        given.parts.push(Part { name: Some("more".into()), notes: vec![note(0, 44, 3)], ..given.parts[0].clone() });
        let controls: &[(&str, &str)] = if kept { &[("program", "38"), ("key", "D minor")] } else { &[] };
        let mut notes = 0;
        for seed in 0..4 {
            let Composition { score, remarks, .. } = joined(composer.as_ref(), given.clone(), controls, seed).unwrap();
            assert!(remarks.is_empty() || score.parts[2].notes.is_empty(), "{remarks:?}");
            assert_eq!(score.parts.len(), 3);
            assert_eq!(score.parts[..2], given.rescaled(score.ticks_per_quarter).parts[..]);
            let new = &score.parts[2];
            assert_eq!((new.drums, new.name.is_some()), (!kept, true));
            assert_eq!(new.programs.first().map(|(_, program)| program.get()), program);
            assert!(new.drums || new.channel != Part::DRUM_CHANNEL && new.channel != score.parts[0].channel);
            let end = given.bars().last().unwrap().end().0 * u64::from(score.ticks_per_quarter.get()) / 96;
            assert!(new.notes.is_sorted() && new.notes.iter().all(|note| note.duration.0 > 0 && note.end().0 <= end));
            notes += new.notes.len();
            assert_eq!(joined(composer.as_ref(), given.clone(), controls, seed).unwrap().score, score);
        }
        assert!(notes > 20, "{configuration}: {notes}");
    }
}

#[test]
fn what_begins_with_a_stroke_begins_when_it_was_played() {
    let composer = trained("bass", 25, &[]).composer();
    let mut given = alone(band(4, BEATS[0], 30), true).rescaled(TicksPerQuarter::new(480).unwrap());
    given.parts[0].notes.iter_mut().for_each(|note| note.onset.0 += if note.onset.0 > 0 { 11 } else { 0 });
    let strokes: Vec<u64> = given.parts[0].notes.iter().map(|note| note.onset.0).collect();
    let score = joined(composer.as_ref(), given, &[], 1).unwrap().score;
    let onsets: Vec<u64> = score.parts[1].notes.iter().map(|note| note.onset.0).collect();
    let with = onsets.iter().filter(|onset| strokes.contains(onset)).count();
    // On a stroke, or on the grid.
    assert!(onsets.iter().all(|onset| strokes.contains(onset) || onset % 60 == 0), "{onsets:?}");
    assert!(2 * with > onsets.len() && onsets.len() >= 6, "{onsets:?} to {strokes:?}");
}

#[test]
fn what_is_missing_is_refused_by_name() {
    let (bass, drums) = (trained("bass", 1, &[]).composer(), trained("drums", 1, &[]).composer());
    let told = |composer: &dyn Composer, score: Score| joined(composer, score, &[], 1).unwrap_err().to_string();
    let without = told(bass.as_ref(), alone(band(2, BEATS[0], 30), false));
    assert!(without.contains("no drums to write a bass to") && without.contains("4 notes"), "{without}");
    let only = told(drums.as_ref(), alone(band(2, BEATS[0], 30), true));
    assert!(only.contains("8 strokes"), "{only}");
    let nothing = Given::parts(Score::new(TicksPerQuarter::DEFAULT));
    assert!(matches!(nothing, Err(ComposeError::NothingToJoin)));
    // Who writes no part to others says who does; a metre is that of the given parts.
    let mut request = Request::around(Given::parts(alone(band(2, BEATS[0], 30), true)).unwrap(), Sampling::default());
    let other = registry::find("memory").unwrap();
    let plain = other.creates().unwrap()(&other.tiny_settings("default").unwrap(), &set(), 1).unwrap().composer();
    let error = request.check(plain.as_ref(), registry::COMPOSERS).unwrap_err().to_string();
    assert!(error.contains("use one of accompany"), "{error}");
    request.controls.set("meter", "3/4").unwrap();
    assert!(matches!(request.check(bass.as_ref(), registry::COMPOSERS), Err(ComposeError::Settled { .. })));
    // A bass that is there already is said, and kept.
    let both = joined(bass.as_ref(), band(3, BEATS[0], 30), &[], 1).unwrap();
    assert!(both.remarks[0].contains("a bass already (Bass)") && both.score.parts.len() == 3, "{:?}", both.remarks);
}

#[test]
fn a_part_has_a_name_of_its_own_and_says_where_there_is_no_channel() {
    let composer = trained("bass", 6, &[]).composer();
    let mut given = band(3, BEATS[1], 40);
    let found = joined(composer.as_ref(), given.clone(), &[], 1).unwrap();
    assert_eq!(found.score.parts[2].name.as_deref(), Some("Bass 2"));
    assert_eq!(found.remarks.len(), 1, "{:?}", found.remarks);
    let bass = given.parts[1].clone();
    for channel in (0..16).filter(|channel| *channel != Part::DRUM_CHANNEL) {
        given.parts.push(Part { channel, name: None, ..bass.clone() });
    }
    let found = joined(composer.as_ref(), given, &[], 1).unwrap();
    assert!(found.remarks.iter().any(|remark| remark.contains("all 16 channels are taken")), "{:?}", found.remarks);
}

#[test]
fn odd_files_get_a_part_as_long_as_they_are() {
    let composer = trained("bass", 4, &[]).composer();
    for (meter, bars, beats) in [("7/8", 3, &[0u64, 12][..]), ("4/4", 1, &[0]), ("5/16", 6, &[0]), ("3/4", 2, &[0, 16])]
    {
        let meter: cantus_score::Meter = meter.parse().unwrap();
        let mut score = Score::new(TicksPerQuarter::new(8).unwrap());
        let bar = meter.bar(score.ticks_per_quarter).0;
        score.meters = vec![(Ticks::ZERO, meter)];
        let strokes = (0..bars).flat_map(|k| beats.iter().map(move |beat| note(bar * k + beat, 36, 1)));
        score.parts = vec![Part { notes: strokes.collect(), ..Part::of_drums() }];
        let found = joined(composer.as_ref(), score.clone(), &[], 3).unwrap().score;
        assert_eq!((found.bar_count(), found.meters.clone()), (score.bar_count(), score.meters.clone()));
        assert_eq!(found.parts[0], score.parts[0]);
    }
}

#[test]
fn the_future_of_what_is_given_is_seen_and_that_of_what_is_written_never() {
    let composer = trained("bass", 4, &[]).composer();
    let score = band(5, BEATS[1], 30);
    let before = nats(composer.as_ref(), &score);
    let later = |change: &dyn Fn(&mut Score)| {
        let mut changed = score.clone();
        change(&mut changed);
        nats(composer.as_ref(), &changed)
    };
    // The bass from the third bar on is another one, as low.
    let bass = later(&|score| {
        let moved = |note: &mut Note| note.pitch = note.pitch.transposed(5).unwrap();
        score.parts[1].notes.iter_mut().filter(|note| note.onset.0 >= 64).for_each(moved);
    });
    assert_eq!(bass[..64], before[..64]);
    assert_ne!(bass[64..], before[64..]);
    // Drums in the third bar are heard in the second.
    let drums = later(&|score| score.parts[0].notes.retain(|note| note.onset.0 < 64));
    assert_ne!(drums[..64], before[..64]);
}

#[test]
fn windows_in_rows_give_the_nats_of_whole_pieces_one_by_one() {
    for (configuration, changes) in [
        ("bass", vec![]),
        ("bass", vec![("window", 40.into()), ("ahead", 0.into())]),
        ("bass", vec![("candidates", 0.into()), ("layers", 2.into()), ("skip", false.into())]),
        ("bass", vec![("channels", 0.into())]),
        ("drums", vec![]),
    ] {
        let changes = [&changes[..], &[("untold", 0.0.into()), ("planned", 0.0.into())]].concat();
        let mut trainable = trained(configuration, 2, &changes);
        let composer = trainable.composer();
        let expected: f64 = set().train.iter().map(|piece| nats(composer.as_ref(), &piece).iter().sum::<f64>()).sum();
        // An epoch that changes nothing; but for the average, which is what models hold.
        let file = trainable.save();
        trainable.adopt(&file).unwrap();
        let mut found = Evaluation::default();
        for step in 0..trainable.steps(9) {
            found += trainable.step(StepAt { epoch: 9, step }, 0.0).batch;
        }
        let steps: f64 = set().train.iter().map(|piece| piece.bars().last().unwrap().end().0 as f64).sum();
        assert_eq!(found.tokens, steps);
        // Judging reads weights rounded to 16 bits.
        assert!((found.nats - expected).abs() < 2e-3 * expected, "{changes:?}: {} {expected}", found.nats);
    }
}

#[test]
fn other_drums_make_another_bass_likely() {
    let composer = trained("bass", 40, &[]).composer();
    let mut foreign = band(4, BEATS[0], 30);
    foreign.parts[0] = band(4, BEATS[2], 30).parts[0].clone();
    let [own, other]: [f64; 2] =
        [band(4, BEATS[0], 30), foreign].map(|score| nats(composer.as_ref(), &score).iter().sum());
    assert!(other > own + 10.0, "{own} {other}");
}

#[test]
fn the_registers_add_up_to_one_and_follow_the_key() {
    let composer = player::Accompanist::open(&trained("bass", 1, &[]).save()).unwrap();
    for tonic in [None, Some(0), Some(7)] {
        let sum: f64 = composer.registers(tonic).iter().sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
}

#[test]
fn where_nothing_is_given_a_bass_has_a_loop_of_the_corpus() {
    let (bass, drums) = (trained("bass", 6, &[]).composer(), trained("drums", 6, &[]).composer());
    let compose = |composer: &dyn Composer, seed| {
        let request = Request::new(6, Sampling::default());
        registry::compose(composer, &request, &mut [seeded(seed)], &mut |_| ControlFlow::Continue(()))
            .unwrap()
            .remove(0)
            .score
    };
    let mut loops = std::collections::BTreeSet::new();
    for seed in 0..8 {
        let score = compose(bass.as_ref(), seed);
        assert_eq!((score.parts.len(), score.bar_count()), (2, 6));
        assert!(score.parts[0].drums && !score.parts[1].notes.is_empty());
        let bar = score.bars().next().unwrap().end().0;
        let onsets = |bars: std::ops::Range<u64>| -> Vec<(u64, u8)> {
            let inside = score.parts[0].notes.iter().filter(|n| bars.contains(&(n.onset.0 / bar)));
            inside.map(|note| (note.onset.0 - bars.start * bar, note.pitch.get())).collect()
        };
        assert!(!onsets(0..2).is_empty());
        assert_eq!((onsets(0..2), onsets(0..2)), (onsets(2..4), onsets(4..6)), "{seed}");
        loops.insert(onsets(0..2));
    }
    assert!(loops.len() > 1, "always the same loop");
    let alone = compose(drums.as_ref(), 1);
    assert!(alone.parts.len() == 1 && alone.parts[0].drums);
}

#[test]
fn styles_are_told_apart_and_asked_for() {
    // The same drums throughout; a busy bass plays every quarter of a bar, a calm one its beginning.
    let piece = |k: usize| {
        let mut piece = band(6, BEATS[1], 30);
        let onsets = if k.is_multiple_of(2) { 1 } else { 4 };
        piece.parts[1].notes =
            (0..6).flat_map(|bar| (0..onsets).map(move |beat| note(32 * bar + 8 * beat, 30, 4))).collect();
        piece
    };
    let pieces = |count: usize| {
        Pieces::on((0..count).map(|k| (["calm", "busy"][k % 2].to_owned(), piece(k))).collect::<Vec<_>>())
    };
    let set = TrainingSet { train: pieces(12), valid: pieces(4), attacks: true, ..TrainingSet::default() };
    let mut trainable = SPEC.creates().unwrap()(&settings("bass", &[("untold", 0.2.into())]), &set, 1).unwrap();
    for epoch in 0..20 {
        for step in 0..trainable.steps(epoch) {
            assert!(trainable.step(StepAt { epoch, step }, 0.01).finite);
        }
    }
    let composer =
        registry::load(&ModelFile::from_bytes(&trainable.save().to_bytes(Precision::Full).unwrap()).unwrap()).unwrap();
    assert_eq!(composer.styles(), ["busy", "calm"]);
    assert!(composer.can(Control::Style));
    let onsets = |style: &str| -> usize {
        let written = |seed| joined(composer.as_ref(), alone(piece(0), true), &[("style", style)], seed).unwrap().score;
        (0..6).map(|seed| written(seed).parts[1].notes.len()).sum()
    };
    let (calm, busy) = (onsets("calm"), onsets("busy"));
    assert!(busy > calm + calm / 2, "busy {busy}, calm {calm}");
    let refused = joined(composer.as_ref(), alone(piece(0), true), &[("style", "loud")], 1).unwrap_err().to_string();
    assert_eq!(refused, "the model has no style `loud`: it learnt busy, calm");
    // Without folders there is nothing to ask for.
    let plain = trained("bass", 1, &[]).composer();
    let refused = joined(plain.as_ref(), alone(piece(0), true), &[("style", "calm")], 1).unwrap_err();
    assert!(matches!(refused, ComposeError::Lacking { control: "style" }), "{refused}");
}
