//! The network of the article (lstm:softology), trained by our trainer's own code, beside the same in Keras.

use crate::Common;
use crate::clock::Contender;
use crate::report::Report;
use cantus_composers::registry;
use cantus_corpus::Options;
use cantus_encoding::pitch_class_chord::{Vocabulary, encode};
use cantus_model::{Request, Sampling, StepAt, Trainable, TrainingSet, seeded};
use std::io::{Error, Result};
use std::ops::ControlFlow;
use std::path::Path;

/// Steps in a turn.
const STEPS: usize = 10;

/// Notes of a composition.
const NOTES: usize = 500;
/// Its bars: a note lasts half a quarter.
const BARS: usize = NOTES.div_ceil(8);

/// A network that has learnt nothing yet, and the number of words it chooses from.
fn trainer(data: &Path) -> Result<(Box<dyn Trainable>, usize)> {
    let set = training_set(data)?;
    let spec = registry::find("lstm").ok_or_else(|| Error::other("there is no composer lstm"))?;
    let settings = spec.settings("softology").ok_or_else(|| Error::other("lstm has no configuration softology"))?;
    let trainer = spec.creates().and_then(|create| create(&settings, &set, 1)).map_err(Error::other)?;
    let classes = trainer.save().header.encoding["pitch_class_chord"]["words"].as_array().map_or(376, Vec::len);
    Ok((trainer, classes))
}

/// The pieces of a folder.
pub(crate) fn training_set(data: &Path) -> Result<TrainingSet> {
    let corpus = cantus_corpus::read(data, &Options::default(), &mut |_| ()).map_err(Error::other)?;
    Ok(cantus_training::training_set(&corpus))
}

/// Prints the numbers of all words, training and validation pieces run together as the article does it.
pub fn words(data: &Path) -> Result<()> {
    let set = training_set(data)?;
    let vocabulary = Vocabulary::build(set.all()).map_err(Error::other)?;
    let [train, valid] = [&set.train, &set.valid].map(|pieces| {
        let words = pieces.iter().flat_map(|piece| encode(&piece, &vocabulary).0);
        words.map(|word| word.0).collect::<Vec<u32>>()
    });
    println!("{}", serde_json::json!({ "vocabulary": vocabulary.len(), "train": train, "valid": valid }));
    Ok(())
}

/// A step of 50 windows of 100 words.
pub fn run(common: &Common, data: &Path) -> Result<Report> {
    let (mut trainer, classes) = trainer(data)?;
    let (rate, mut step) = (trainer.regime().learning_rate, 0);
    let work = move || {
        for _ in 0..STEPS {
            let report = trainer.step(StepAt { epoch: 0, step: step % trainer.steps(0) }, rate);
            assert!(report.finite);
            step += 1;
        }
    };
    let mut contenders = vec![Contender::timed("ours", STEPS, work)];
    let (threads, classes) = (common.threads.to_string(), classes.to_string());
    contenders.extend(common.peer("Keras (TensorFlow)", "keras_peer.py", &["train", &classes, &threads])?);
    Ok(common.race("article", "milliseconds a training step, 50 x 100 words", contenders, Vec::new()))
}

/// Always the likeliest note, as the article has it; the peer runs its whole window again for each.
pub fn notes(common: &Common, data: &Path) -> Result<Report> {
    let (trainer, classes) = trainer(data)?;
    let composer = trainer.composer();
    let request = Request::new(BARS, Sampling::GREEDY);
    let work = move || {
        let composed = composer.compose(&request, &mut seeded(1), &mut |_| ControlFlow::Continue(()));
        assert!(composed.is_ok_and(|piece| piece.score.note_count() >= NOTES));
    };
    let mut contenders = vec![Contender::timed("ours", 8 * BARS, work)];
    let (threads, classes) = (common.threads.to_string(), classes.to_string());
    contenders.extend(common.peer("Keras (TensorFlow)", "keras_peer.py", &["compose", &classes, &threads])?);
    Ok(common.race("notes", "milliseconds a note", contenders, Vec::new()))
}
