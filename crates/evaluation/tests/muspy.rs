//! Our statistics against MusPy's, on the pieces of `tests/muspy.jsonl`; and on those of the file that `CANTUS_MUSPY` names, where it
//! does. Both come from `benches/peers/muspy_metrics.py`. In the repository are three pieces of the built-in model, and one
//! made by hand, with rests, a change of metre, unisons of two parts and drums.

use cantus_evaluation::{Statistics, muspy, pitch_in_scale_rate};
use cantus_score::{Mode, Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use serde_json::Value;

/// A piece as MusPy read it.
fn score(piece: &Value) -> Score {
    let number = |value: &Value| value.as_u64().expect("a number");
    let note = |note: &Value| Note {
        onset: Ticks(number(&note[0])),
        pitch: Pitch::try_from(note[1].as_i64().expect("a pitch")).expect("a MIDI pitch"),
        duration: Ticks(number(&note[2])),
        velocity: Velocity::DEFAULT,
    };
    let part = |part: &Value| {
        let mut notes: Vec<Note> = part["notes"].as_array().expect("notes").iter().map(note).collect();
        notes.sort_unstable();
        let drums = part["drums"] == true;
        Part { notes, drums, ..Part::default() }
    };
    let resolution = number(&piece["resolution"]) as u32;
    let mut score = Score::new(TicksPerQuarter::new(resolution).expect("a resolution"));
    score.parts = piece["parts"].as_array().expect("parts").iter().map(part).collect();
    score
}

/// Compares every metric of every piece; returns how many pieces there were.
fn compare(lines: &str) -> usize {
    for line in lines.lines() {
        let piece: Value = serde_json::from_str(line).expect("JSON");
        let score = score(&piece);
        let ours = Statistics::of(&score);
        let all: Vec<Note> = score.notes().copied().collect();
        let pitched: Vec<Note> = score.pitched_notes().copied().collect();
        let quarter = Ticks(u64::from(score.ticks_per_quarter.get()));
        let bar = Ticks(piece["bar"].as_u64().expect("a bar"));
        let metrics = [
            ("n_pitches_used", Some(ours.pitches_used as f64)),
            ("n_pitch_classes_used", Some(ours.pitch_classes_used as f64)),
            ("pitch_range", ours.pitch_range.map(f64::from)),
            ("pitch_entropy", ours.pitch_entropy),
            ("pitch_class_entropy", ours.pitch_class_entropy),
            ("scale_consistency", ours.scale_consistency),
            ("pitch_in_scale_rate", pitch_in_scale_rate(&pitched, 0, Mode::Major)),
            ("polyphony", ours.polyphony),
            ("polyphony_rate", ours.polyphony_rate),
            ("empty_beat_rate", muspy::empty_rate(&all, quarter)),
            ("empty_measure_rate", muspy::empty_rate(&all, bar)),
            ("groove_consistency", muspy::groove_consistency(&all, bar)),
        ];
        let theirs = piece["metrics"].as_object().expect("metrics");
        assert_eq!(theirs.len(), metrics.len(), "every metric is compared");
        for (name, found) in metrics {
            let expected = theirs[name].as_f64();
            let same = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-6,
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(same, "{} {name}: {found:?} instead of {expected:?}", piece["file"]);
        }
    }
    lines.lines().count()
}

#[test]
fn statistics_are_those_of_muspy() {
    assert_eq!(compare(include_str!("muspy.jsonl")), 4);
}

#[test]
fn statistics_are_those_of_muspy_on_real_music() {
    let Some(path) = std::env::var_os("CANTUS_MUSPY") else {
        println!(
            "skipped: statistics_are_those_of_muspy_on_real_music (CANTUS_MUSPY names no file of MusPy's figures)"
        );
        return;
    };
    let lines = std::fs::read_to_string(&path).expect("the file that CANTUS_MUSPY names");
    assert!(compare(&lines) >= 100, "fewer than 100 pieces");
}
