//! Corpora in which nearly nothing can be learnt, or too much: no figure is ever no number.

use crate::corpus::{note, score};
use crate::subject::{BEGINNING, compose, each, request, steps};
use cantus_model::TrainingSet;
use cantus_score::{Note, Score};

fn both(piece: Score) -> TrainingSet {
    TrainingSet {
        train: vec![piece.clone(), piece.clone(), piece.clone()].into(),
        valid: vec![piece].into(),
        attacks: true,
        ..TrainingSet::default()
    }
}

fn chords(pitches: &[u8], onsets: impl Iterator<Item = u64>, duration: u64) -> TrainingSet {
    let chord = |onset| pitches.iter().map(move |pitch| note(onset, *pitch, duration));
    both(score(4, "4/4", onsets.flat_map(chord).collect::<Vec<Note>>()))
}

fn corpora() -> Vec<(&'static str, TrainingSet)> {
    let all: Vec<u8> = (21..=108).collect();
    vec![
        ("one chord only", chords(&[48, 60, 64, 67], (0..100).map(|k| 2 * k), 2)),
        ("one chord that never ends", chords(&[48, 60, 64, 67], [0].into_iter(), 300)),
        ("88 keys at once", chords(&all, (0..60).map(|k| 3 * k), 1)),
        ("88 keys without end", chords(&all, 0..60, 1)),
        ("a piece of three steps", chords(&[60], 0..3, 1)),
        ("one note after a long silence", chords(&[108], [400].into_iter(), 1)),
        ("the two ends of the keyboard in turn", {
            let notes = (0..120).map(|k| note(k, if k % 2 == 0 { 21 } else { 108 }, 1)).collect();
            both(score(4, "4/4", notes))
        }),
    ]
}

#[test]
fn no_corpus_makes_a_figure_that_is_no_number() {
    each(|subject| {
        for (what, set) in corpora() {
            // Too little for a window is refused by name.
            let Ok(mut trainable) = subject.spec.creates().unwrap()(&subject.settings, &set, 3) else { continue };
            assert!(trainable.baselines().iter().all(|baseline| baseline.nats_per_token.is_finite()), "{what}");
            let (reports, _) = steps(trainable.as_mut(), BEGINNING, 40, 0.05);
            assert!(reports.iter().all(|report| report.finite && report.batch.nats.is_finite()), "{what}");
            let found = trainable.validate();
            assert!(found.per_token().is_finite() && (0.0..=1.0).contains(&found.accuracy()), "{what}: {found:?}");
            let composition = compose(trainable.composer().as_ref(), &request(3), 1).unwrap();
            assert_eq!(composition.score.bars().count(), 3, "{what}");
        }
    });
}
