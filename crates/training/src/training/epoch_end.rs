//! The end of an epoch: validation, what the doctor finds and decides, the best epoch, and the learning rate's phase.

use super::{Clock, End, Event, Observer, Standing, TrainError, Training};
use crate::doctor::{self, Doctor, Illness, Remark, Trial};
use crate::record::{Best, Figures, Metrics};
use crate::schedule::Phase;
use cantus_model::{Evaluation, Rng, Schedule, derive};

impl Training<'_> {
    /// Evaluates at the end of an epoch, keeps the best, and moves the learning rate's phase.
    pub(super) fn evaluate(
        &mut self,
        clock: &Clock,
        tokens_per_second: f64,
        observer: Observer<'_>,
    ) -> Result<(), TrainError> {
        let learning_rate = self.learning_rate(self.standing.steps.saturating_sub(1));
        let valid: Figures = self.trainable.validate().into();
        self.set.check_whole()?;
        let train: Figures = self.standing.so_far.into();
        if self.description.doctor
            && let Some(why) = self.has_collapsed(&train, &valid)
        {
            return self.go_back(&why, observer);
        }
        let standing = &mut self.standing;
        standing.so_far = Evaluation::default();
        standing.epoch += 1;
        standing.step = 0;
        let mut remarks = std::mem::take(&mut standing.remarks);
        let improved = valid.nats_per_token.is_finite()
            && standing.best.is_none_or(|best| valid.nats_per_token < best.valid.nats_per_token);
        let is_time = self.doctor.listens() && (improved || Doctor::is_time(self.standing.epoch));
        let looked = is_time.then(|| self.look(improved, &mut remarks));
        let standing = &mut self.standing;
        standing.copying = looked.map_or(standing.copying, |looked| looked.copies);
        let better = improved && looked.is_none_or(|looked| looked.may_be_kept);
        if better {
            let warmer = looked.and_then(|looked| looked.warmer);
            standing.best = Some(Best { epoch: standing.epoch, steps: standing.steps, valid, warmer });
            (standing.since_best, standing.overfitting) = (0, false);
            self.best_model = Some(self.finished(self.trainable.save()));
            self.best_written = false;
        } else {
            standing.since_best += 1;
            remarks.extend(self.overfitting(&train, &valid));
        }
        remarks.extend(self.silent_code());
        let diversity = self.trainable.diversity();
        remarks.extend(self.sameness(diversity));
        remarks.extend(self.move_phase(clock)?);
        self.good = self.trainable.checkpoint();
        let metrics = Metrics {
            step: self.standing.steps,
            epoch: self.standing.epoch,
            learning_rate,
            train,
            valid,
            best: better,
            trial: looked.map(|looked| looked.trial),
            diversity,
            remarks,
            seconds: clock.seconds(),
            tokens_per_second,
        };
        self.folder.append_metrics(&metrics)?;
        observer(Event::Evaluated(&metrics));
        self.metrics.push(metrics);
        Ok(())
    }

    /// What of an epoch's figures is a collapse, though no step was.
    fn has_collapsed(&self, train: &Figures, valid: &Figures) -> Option<String> {
        if !valid.nats_per_token.is_finite() {
            return Some("validation gave no number".to_owned());
        }
        let best = self.metrics.iter().map(|line| line.train.nats_per_token).fold(f64::INFINITY, f64::min);
        let weakest = self.description.baselines.first()?;
        let unlearns = doctor::unlearns(train.nats_per_token, best, weakest.nats_per_token);
        unlearns.then(|| format!("the training loss rose to {:.2}, worse than {}", train.nats_per_token, weakest.name))
    }

    /// Lets the network as it is compose, and has the doctor look at it. `improved`: whether it is the best on validation.
    fn look(&self, improved: bool, remarks: &mut Vec<Remark>) -> Looked {
        let composer = self.trainable.composer();
        let composer = composer.as_ref();
        let (seed, steps) = (self.description.seed, self.standing.steps);
        let rng = |k: u64| -> Rng { derive(seed, "trial", &[steps, k]) };
        let usual = composer.default_sampling();
        let trial = self.doctor.trial(composer, usual, rng);
        let mut findings = self.doctor.findings(&trial);
        // Who is made of its corpus does not fall ill of it.
        findings.copying = findings.copying.filter(|_| !composer.quotes());
        let mut looked = Looked { trial, may_be_kept: true, warmer: None, copies: findings.copying.is_some() };
        let acts = self.description.doctor;
        let mut say = |illness, text: String, done: String| {
            let done = if acts { done } else { "the doctor is off, nothing was done".to_owned() };
            remarks.push(Remark { illness: Some(illness), text: format!("{text}: {done}") });
        };
        if let Some(text) = findings.copying {
            // Without any other there is no choice.
            looked.may_be_kept = self.standing.best.is_none() || !acts;
            let done = match self.standing.best {
                Some(best) if improved => {
                    format!("epoch {} stays the best, though validation is better now", best.epoch)
                }
                Some(best) => format!("epoch {} stays the best", best.epoch),
                None => "kept for want of an earlier epoch".to_owned(),
            };
            // Told where it begins, and where it decides.
            if improved || !self.standing.copying {
                say(Illness::Copying, text, done);
            }
        }
        if let Some(text) = findings.loops.filter(|_| improved && looked.may_be_kept) {
            looked.warmer = if acts { self.doctor.warmer(composer, usual, rng) } else { None };
            let done = match looked.warmer {
                Some(warmer) => format!("composes at a temperature of {warmer} at least"),
                None => "its temperature is as high as makes sense".to_owned(),
            };
            say(Illness::OneNoteLoop, text, done);
        }
        looked
    }

    /// Says once that codes say nothing.
    fn silent_code(&self) -> Option<Remark> {
        let is_silence = |remark: &Remark| remark.illness == Some(Illness::SilentCode);
        if self.metrics.iter().flat_map(|line| &line.remarks).any(is_silence) {
            return None;
        }
        let text = doctor::silence(&self.trainable.code()?, self.standing.epoch)?;
        Some(Remark { illness: Some(Illness::SilentCode), text })
    }

    /// Says that a generator has collapsed, when it has, and not again until it has recovered.
    fn sameness(&mut self, diversity: Option<f64>) -> Option<Remark> {
        let text = doctor::sameness(diversity?, self.standing.epoch);
        let was = std::mem::replace(&mut self.standing.alike, text.is_some());
        text.filter(|_| !was).map(|text| Remark { illness: Some(Illness::Sameness), text })
    }

    /// Says once after each best epoch that training falls while validation rises.
    fn overfitting(&mut self, train: &Figures, valid: &Figures) -> Option<Remark> {
        let best = self.standing.best?;
        let then = self.metrics.iter().find(|line| line.epoch == best.epoch)?;
        let best_figures = (then.train.nats_per_token, best.valid.nats_per_token);
        let now = (train.nats_per_token, valid.nats_per_token);
        if self.standing.overfitting || !doctor::is_overfitting(self.standing.since_best, best_figures, now) {
            return None;
        }
        self.standing.overfitting = true;
        let text = format!("training falls while validation rises: epoch {} stays the best", best.epoch);
        Some(Remark { illness: Some(Illness::Overfitting), text })
    }

    /// Lets the learning rate fall when it is time, from the best epoch's parameters.
    fn move_phase(&mut self, clock: &Clock) -> Result<Option<Remark>, TrainError> {
        let standing = &self.standing;
        if standing.phase != Phase::Stable || self.regime.schedule == Schedule::Constant {
            return Ok(None);
        }
        let Standing { steps, epoch, since_best, .. } = *standing;
        let bounds = self.bounds();
        let left = || (epoch..u64::from(bounds.epochs.unwrap_or(0))).map(|e| self.trainable.steps(e)).sum();
        let plateau = (since_best >= self.regime.patience).then(|| Phase::after_plateau(steps));
        let late = bounds.minutes.and_then(|minutes| Phase::before_minutes(steps, clock.seconds(), minutes));
        let last = bounds.epochs.and_then(|epochs| Phase::before_epochs(steps, epoch, epochs, left));
        let (phase, end, why) = match (plateau, late, last) {
            (Some(phase), ..) => {
                (phase, End::Plateau, format!("no better for {}", cantus_score::counted(since_best as usize, "epoch")))
            }
            (None, Some(phase), _) => (phase, End::Minutes, "the time allowed draws to its end".to_owned()),
            (None, None, Some(phase)) => (phase, End::Epochs, "the last epochs".to_owned()),
            (None, None, None) => return Ok(None),
        };
        let illness = (end == End::Plateau).then_some(Illness::Plateau);
        let mut text = format!("{why}: the learning rate falls");
        self.standing.phase = phase;
        self.standing.falls_to = Some(end);
        self.standing.fell_for = Some(bounds);
        let best = self.standing.best.filter(|best| best.epoch < epoch && self.description.doctor);
        if let (Some(best), Some(model)) = (best, &self.best_model) {
            // What was learnt by heart since then would stay learnt by heart.
            self.trainable.adopt(model)?;
            text += &format!(", from epoch {} on", best.epoch);
        }
        Ok(Some(Remark { illness, text }))
    }
}

/// What the doctor saw in the network as it is.
#[derive(Clone, Copy, Debug)]
struct Looked {
    trial: Trial,
    /// False where it copies, and there is another that does not.
    may_be_kept: bool,
    /// The temperature that it needs, where its own is too low.
    warmer: Option<f64>,
    /// Whether it copies.
    copies: bool,
}
