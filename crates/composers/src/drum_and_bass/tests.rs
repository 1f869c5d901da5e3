use super::SPEC;
use super::batch::Batch;
use super::pattern::{CELLS, COLUMNS, Pattern, Piece, ROWS, Rates, STEPS};
use crate::registry;
use cantus_model::{
    ComposeError, Composer, Composition, Given, Kind, Request, Sampling, Settings as Json, StepAt, Trainable,
    TrainingSet, seeded,
};
use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, TicksPerQuarter, Velocity};
use std::ops::ControlFlow;

pub(super) fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// Drums and bass, eight steps to the quarter.
pub(super) fn pair(strokes: &[(u64, u8)], bass: &[(u64, u8)]) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(8).unwrap());
    let notes = |of: &[(u64, u8)]| of.iter().map(|(onset, pitch)| note(*onset, *pitch, 1)).collect::<Vec<Note>>();
    let mut drums = Part { notes: notes(strokes), ..Part::of_drums() };
    drums.notes.sort_unstable();
    let programs = vec![(Ticks::ZERO, Program::new(34).unwrap())];
    score.parts = vec![drums, Part { name: Some("Bass".into()), programs, notes: notes(bass), ..Part::default() }];
    score
}

/// Bars of 4/4: kicks as `beats` say, a snare after each; the bass on the kicks, a fifth up on the last.
fn band(bars: u64, beats: &[u64], root: u8) -> Score {
    let (mut drums, mut bass) = (Vec::new(), Vec::new());
    for bar in 0..bars {
        for (k, beat) in beats.iter().enumerate() {
            drums.extend([(32 * bar + beat, 36), (32 * bar + beat + 4, 38)]);
            bass.push((32 * bar + beat, root + if k + 1 == beats.len() { 7 } else { 0 }));
        }
    }
    pair(&drums, &bass)
}

const BEATS: [&[u64]; 3] = [&[0, 16], &[0, 8, 20], &[0, 12, 16, 24]];

fn set() -> TrainingSet {
    let pieces =
        |range: std::ops::Range<usize>| range.map(|k| band(4 + k as u64 % 3, BEATS[k % 3], 28 + k as u8 % 5)).collect();
    TrainingSet { train: pieces(0..9), valid: pieces(9..12), attacks: true, ..TrainingSet::default() }
}

pub(super) fn trained(configuration: &str, epochs: u64, changes: &[(&str, Json)]) -> Box<dyn Trainable> {
    let mut settings = SPEC.tiny_settings(configuration).unwrap();
    changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
    let mut trainable = SPEC.creates().unwrap()(&settings, &set(), 1).unwrap();
    for epoch in 0..epochs {
        for step in 0..trainable.steps(epoch) {
            assert!(trainable.step(StepAt { epoch, step }, 0.01).finite);
        }
    }
    trainable
}

fn joined(composer: &dyn Composer, score: Score, seed: u64) -> Result<Composition, ComposeError> {
    let request = Request::around(Given::parts(score)?, Sampling::default());
    registry::compose(composer, &request, &mut [seeded(seed)], &mut |_| ControlFlow::Continue(()))
        .map(|mut found| found.remove(0))
}

fn nats(composer: &dyn Composer, score: &Score) -> Vec<f64> {
    composer.judge().unwrap().judge(score).moments.iter().map(|moment| moment.nats).collect()
}

fn configurations() -> impl Iterator<Item = &'static str> {
    SPEC.configurations.iter().map(|configuration| configuration.name)
}

#[test]
fn pairs_are_coded_to_the_bit() {
    let read = |score: &Score| Piece::read(score).unwrap();
    // Kick and closed hi-hat; a snare on the second sixteenth, a low conga on the last. E, the fifth above it, both at once.
    let first = read(&pair(&[(0, 36), (0, 42), (2, 38), (62, 64)], &[(0, 28), (3, 35), (63, 28), (63, 35)]));
    let Pattern { drums, bass, .. } = &first.patterns[0];
    let mut rows = [0; ROWS];
    (rows[0], rows[1], rows[31]) = (0b101, 0b10, 1 << 13);
    let mut frames = [0; STEPS];
    (frames[0], frames[3], frames[63]) = (1, 1 << 7, 1 | 1 << 7);
    assert_eq!((drums, bass, first.patterns.len(), first.is_exact), (&rows, &frames, 1, true));
    // A crash between two sixteenths belongs to the one before; what lies three octaves above the lowest note has no column.
    let second = read(&pair(&[(5, 49), (60, 36)], &[(8, 40), (16, 75), (24, 76)]));
    let Pattern { drums, bass, .. } = &second.patterns[0];
    (rows, frames) = ([0; ROWS], [0; STEPS]);
    (rows[2], rows[30], frames[8], frames[16]) = (1 << 7, 1, 1, 1 << 35);
    assert_eq!((drums, bass, second.is_exact), (&rows, &frames, false));
    // In 3/4 two bars have 48 steps; a third bar stands alone. The register is that of the whole piece.
    let mut third = pair(&[(0, 36), (50, 38)], &[(0, 47), (24, 45), (48, 40), (71, 41)]);
    third.meters = vec![(Ticks::ZERO, "3/4".parse().unwrap())];
    let third = read(&third);
    let steps: Vec<_> = third.patterns.iter().map(|pattern| pattern.steps.clone()).collect();
    assert_eq!(steps, [0..48, 48..72]);
    assert_eq!([0, 24].map(|step| third.patterns[0].bass[step]), [1 << 7, 1 << 5]);
    assert_eq!([0, 23].map(|step| third.patterns[1].bass[step]), [1, 2]);
    assert_eq!(third.patterns[1].drums[1], 0b10);
    // As numbers: kinds, then classes, then that there is a row; cells row by row.
    let batch = Batch::of(third.patterns, true);
    assert_eq!(
        batch.bass.iter().enumerate().filter(|(_, cell)| **cell > 0.0).map(|(k, _)| k).collect::<Vec<_>>(),
        [7, 24 * COLUMNS + 5, CELLS, CELLS + 23 * COLUMNS + 1]
    );
    assert_eq!(batch.weights.iter().sum::<f32>(), 72.0);
    let heard: Vec<f32> =
        batch.heard[..ROWS * super::batch::HEARD].chunks(super::batch::HEARD).map(|row| row[26]).collect();
    assert_eq!(heard.iter().sum::<f32>(), 24.0);
    // 34 is the third of General MIDI's basses.
    assert_eq!(batch.conditions[2..super::batch::CONDITIONS].iter().sum::<f32>(), 3.0);
}

#[test]
fn rates_are_those_of_steps_times_columns() {
    let pieces = [band(2, BEATS[0], 30), band(2, BEATS[1], 33)];
    let patterns: Vec<Pattern> = pieces.iter().flat_map(|score| Piece::read(score).unwrap().patterns).collect();
    let rates = Rates::of(patterns.iter().cloned());
    // Ten onsets, six on column 0, four on column 7; step 0 has two.
    assert!((rates.one - 10.0 / (2.0 * CELLS as f32)).abs() < 1e-7);
    assert!((rates.cells[0] - 2.5 / 3.0 * 6.5 / 28.0).abs() < 1e-6, "{}", rates.cells[0]);
    assert!((rates.cells[7] - 2.5 / 3.0 * 4.5 / 28.0).abs() < 1e-6, "{}", rates.cells[7]);
    assert_eq!(rates.chords, 0.0);
}

#[test]
fn drums_stay_stroke_for_stroke_and_a_bass_comes_to_them() {
    for configuration in configurations() {
        let composer = trained(configuration, 4, &[]).composer();
        let mut given = band(5, BEATS[1], 40).rescaled(TicksPerQuarter::new(96).unwrap());
        given.parts.truncate(1);
        given.parts[0].notes.iter_mut().skip(1).step_by(3).for_each(|note| note.onset.0 += 2);
        let mut notes = 0;
        for seed in 0..4 {
            let Composition { score, .. } = joined(composer.as_ref(), given.clone(), seed).unwrap();
            assert_eq!(score.parts.len(), 2);
            assert_eq!(score.parts[0], given.rescaled(score.ticks_per_quarter).parts[0]);
            let bass = &score.parts[1];
            assert!(!bass.drums && bass.program().get() == 34 && bass.notes.is_sorted());
            // The register is one of the corpus's; a note lasts until the next begins.
            let lowest = bass.notes.iter().map(|note| note.pitch.get()).min().unwrap_or(28);
            assert!((28..28 + COLUMNS as u8 + 5).contains(&lowest), "{configuration}: {lowest}");
            for two in bass.notes.windows(2) {
                assert!(two[0].onset == two[1].onset || two[0].end() == two[1].onset, "{configuration}: {two:?}");
            }
            notes += bass.notes.len();
            assert_eq!(joined(composer.as_ref(), given.clone(), seed).unwrap().score, score);
        }
        // A distance likes silence.
        assert!(notes > 8 || configuration == "pix2pix", "{configuration}: {notes}");
    }
}

#[test]
fn other_drums_give_other_probabilities() {
    for configuration in configurations() {
        let composer = trained(configuration, 2, &[]).composer();
        let expected = |beats: &[u64]| {
            let mut score = band(2, BEATS[0], 30);
            score.parts[0] = band(2, beats, 30).parts[0].clone();
            composer.expects(&score).unwrap().onsets
        };
        let (one, other) = (expected(BEATS[0]), expected(BEATS[2]));
        assert_eq!(one.len(), STEPS);
        assert!(one.iter().all(|p| (0.0..=1.0).contains(p)), "{configuration}: {one:?}");
        assert_ne!(one, other, "{configuration}");
    }
}

#[test]
fn a_file_without_drums_is_refused_by_name() {
    for configuration in configurations() {
        let composer = trained(configuration, 0, &[]).composer();
        let mut bass = band(2, BEATS[0], 30);
        bass.parts.remove(0);
        let told = joined(composer.as_ref(), bass, 1).unwrap_err().to_string();
        assert!(told.contains("no drums to write a bass to") && told.contains("4 notes"), "{told}");
    }
}

#[test]
fn seq2seq_sees_the_drums_to_come_and_never_the_bass() {
    let composer = trained("seq2seq", 3, &[]).composer();
    let score = band(2, BEATS[1], 30);
    let before = nats(composer.as_ref(), &score);
    let mut bass = score.clone();
    bass.parts[1].notes.last_mut().unwrap().pitch = Pitch::try_from(35u8).unwrap();
    let last = score.parts[1].notes.last().unwrap().onset.0 as usize;
    let after = nats(composer.as_ref(), &bass);
    assert_eq!(before[..last], after[..last]);
    assert_ne!(before[last], after[last]);
    let mut drums = score;
    drums.parts[0].notes.pop();
    assert!(nats(composer.as_ref(), &drums).iter().zip(&before).filter(|(a, b)| a != b).count() > STEPS / 2);
}

#[test]
fn each_network_says_what_kind_of_figure_it_has() {
    for configuration in configurations() {
        let trainable = trained(configuration, 0, &[]);
        let expected = match configuration {
            "vae-fcnn" | "vae-lstm" => Kind::LowerBound,
            "pix2pix" => Kind::Surrogate,
            _ => Kind::Exact,
        };
        assert_eq!(trainable.likelihood(), expected);
        // A distance is not printed among likelihoods.
        assert_eq!(trainable.composer().judge().is_none(), configuration == "pix2pix");
    }
}

#[test]
fn a_vae_as_published_ignores_the_bass_it_is_judged_by() {
    for configuration in ["vae-fcnn", "vae-lstm"] {
        let trainable = trained(configuration, 3, &[("source", true.into()), ("samples", 1.into())]);
        let composer = trainable.composer();
        let score = band(2, BEATS[1], 30);
        let mut other = score.clone();
        other.parts[1].notes.truncate(2);
        let latent = |score: &Score| composer.expects(score).unwrap().latent.unwrap();
        assert_eq!(latent(&score), latent(&other));
        // Nothing learnt yet: later the latent may fall silent.
        let mended = trained(configuration, 0, &[]).composer();
        let latent = |score: &Score| mended.expects(score).unwrap().latent.unwrap();
        assert_ne!(latent(&score), latent(&other));
    }
}
