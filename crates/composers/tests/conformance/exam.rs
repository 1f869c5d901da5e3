//! Composers of frames on made-up pieces whose entropy is known.

use crate::subject::{BEGINNING, each, steps};
use cantus_encoding::piano_roll::Frame;
use cantus_model::frames::Effort;
use cantus_model::frames::exam::{ExamPiece, Task};
use cantus_model::{Composer, Kind, TrainingSet, derive};
use std::cell::Cell;

/// Nobody who says how likely music is can be surer in the mean than there is to know: sums that are not 1, and looks ahead, show here.
#[test]
fn nobody_says_less_than_there_is_to_know() {
    let pieces = |name, count: usize| -> Vec<ExamPiece> {
        let rng = &mut derive(1, name, &[]);
        (0..count).map(|_| Task::Copy.piece(1..=4, rng)).collect()
    };
    let scores = |pieces: &[ExamPiece]| pieces.iter().map(ExamPiece::score).collect();
    let (taught, asked) = (pieces("taught", 40), pieces("asked", 100));
    let set = TrainingSet { train: scores(&taught), valid: scores(&taught[..4]), ..TrainingSet::default() };
    let judged = Cell::new(0);
    each(|subject| {
        // Others cannot learn from such music.
        let Ok(mut trainable) = subject.spec.creates().unwrap()(&subject.settings, &set, 1) else { return };
        let exact = |composer: &dyn Composer| composer.frames().is_some_and(|judge| judge.kind() == Kind::Exact);
        if !exact(trainable.composer().as_ref()) {
            return;
        }
        steps(trainable.as_mut(), BEGINNING, 20, 0.01);
        let composer = trainable.composer();
        let judge = composer.frames().unwrap();
        let frames: Vec<Vec<Frame>> = asked.iter().map(|piece| judge.reading().frames(&piece.score())).collect();
        let figures = judge.judge_frames(&frames, Effort { every: 1, chains: 1, temperatures: 1 }, 1);
        let found: f64 = figures.iter().flatten().flatten().map(|figure| figure.nats).sum();
        let floor: f64 = asked.iter().map(|piece| piece.perfect).sum();
        assert!(found.is_finite() && found > floor, "{}: {found} of {floor} nats", subject.name);
        judged.set(judged.get() + 1);
    });
    assert!(judged.get() > 1);
}
