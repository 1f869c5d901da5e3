//! How long a training will take, measured here and now: a few steps of it, on its own music, are done and forgotten.

use crate::crew::Crew;
use cantus_corpus::Corpus;
use cantus_model::{ComposerSpec, CreateError, StepAt};
use cantus_training::training_set;
use serde::Serialize;
use std::time::{Duration, Instant};

/// As many steps as are done in so much time are measured; one, if it takes longer.
const MEASURED: Duration = Duration::from_millis(400);
/// Of small steps so many tell enough.
const MOST_STEPS: u32 = 8;

/// What may be expected of a training.
#[derive(Debug, Serialize)]
pub struct Estimate {
    /// What an epoch takes, every piece being learnt from once, without what is looked at in between.
    pub seconds_an_epoch: f64,
    /// What is learnt at its end, in a line; nothing at most composers.
    pub afterwards: Option<String>,
}

/// Of a composer in one of its configurations. It takes a second or two.
///
/// # Errors
/// [`CreateError`], where this music is nothing for the composer, or cannot be read back.
pub fn measure(spec: &ComposerSpec, configuration: &str, corpus: &Corpus, seed: u64) -> Result<Estimate, CreateError> {
    let settings = spec.settings(configuration).unwrap_or_default();
    let set = training_set(corpus);
    Crew::new().work(|| {
        let mut trainable = cantus_workshop::create(spec, &settings, &set, seed)?;
        let steps = trainable.steps(0);
        // The first one also wakes up memory and threads.
        let rate = trainable.regime().learning_rate / 1000.0;
        trainable.step(StepAt { epoch: 0, step: 0 }, rate);
        let (begun, mut done) = (Instant::now(), 0);
        while done == 0 || (done < MOST_STEPS && begun.elapsed() < MEASURED) {
            trainable.step(StepAt { epoch: 0, step: u64::from(done + 1) % steps.max(1) }, rate);
            done += 1;
        }
        set.check_whole()?;
        let seconds_a_step = begun.elapsed().as_secs_f64() / f64::from(done);
        let afterwards = trainable.afterwards();
        Ok(Estimate { seconds_an_epoch: seconds_a_step * steps as f64, afterwards })
    })
}
