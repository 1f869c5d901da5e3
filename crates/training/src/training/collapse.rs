//! Steps, and what the doctor decides where they lead nowhere: back to the last good epoch, or the end.

use super::{Event, Observer, TrainError, Training};
use crate::doctor::{Illness, Remark};
use cantus_model::{Evaluation, StepAt};

/// Steps without a finite gradient, one after another, that are a collapse.
pub(super) const HOPELESS_STEPS: u32 = 20;
/// Collapses after which training is given up: by then the learning rate is a 65,000th of what it was.
pub(super) const MOST_COLLAPSES: u32 = 16;
impl Training<'_> {
    /// One step, and its batch; `None` where the training collapsed and went back to the beginning of the epoch.
    pub(super) fn step(&mut self, observer: Observer<'_>) -> Result<Option<Evaluation>, TrainError> {
        let learning_rate = self.learning_rate(self.standing.steps);
        let standing = &mut self.standing;
        let at = StepAt { epoch: standing.epoch, step: standing.step };
        let report = self.trainable.step(at, learning_rate);
        self.set.check_whole()?;
        standing.step += 1;
        standing.steps += 1;
        let acts = self.description.doctor;
        if report.finite {
            standing.hopeless = 0;
            standing.so_far += report.batch;
            let collapsed = standing.pulse.beat(&report.batch).filter(|_| acts);
            if let Some(times) = collapsed {
                self.go_back(&format!("the training loss rose to {times:.1} times its best"), observer)?;
                return Ok(None);
            }
        } else {
            standing.hopeless += 1;
            if standing.hopeless >= HOPELESS_STEPS {
                if !acts {
                    return Err(TrainError::NotFinite { epoch: standing.epoch + 1 });
                }
                self.go_back(&format!("{HOPELESS_STEPS} steps gave no finite gradient"), observer)?;
                return Ok(None);
            }
        }
        Ok(Some(report.batch))
    }

    pub(super) fn learning_rate(&self, steps: u64) -> f64 {
        self.standing.phase.learning_rate(&self.regime, steps) * 0.5f64.powi(self.standing.collapses as i32)
    }

    /// After a collapse: everything as it stood at the end of the last epoch, at half the learning rate.
    pub(super) fn go_back(&mut self, why: &str, observer: Observer<'_>) -> Result<(), TrainError> {
        let epoch = self.standing.epoch;
        self.standing.collapses += 1;
        if self.standing.collapses > MOST_COLLAPSES {
            return Err(TrainError::Collapsed { epoch: epoch + 1 });
        }
        self.trainable.resume(&self.good)?;
        let at = self.standing.step;
        self.standing.step = 0;
        self.standing.hopeless = 0;
        self.standing.so_far = Evaluation::default();
        self.standing.pulse.calm();
        let back = if epoch == 0 { "the beginning".to_owned() } else { format!("the end of epoch {epoch}") };
        let rate = self.learning_rate(self.standing.steps);
        let text = format!(
            "{why} at step {at} of epoch {}: went back to {back}, halved the learning rate to {rate:.2e}",
            epoch + 1
        );
        let remark = Remark { illness: Some(Illness::Collapse), text };
        observer(Event::Remarked(&remark));
        self.standing.remarks.push(remark);
        Ok(())
    }
}
