//! What is tested: every configuration of every composer, small.

use crate::corpus;
use cantus_composers::registry::{self, COMPOSERS};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Request, Sampling, Settings, StepAt, StepReport, Trainable,
    TrainingSet, seeded,
};
use std::ops::ControlFlow;

/// A composer in a small configuration.
pub struct Subject {
    pub spec: &'static ComposerSpec,
    pub name: String,
    pub settings: Settings,
}

impl Subject {
    pub fn create(&self, set: &TrainingSet, seed: u64) -> Box<dyn Trainable> {
        self.spec.creates().unwrap()(&self.settings, set, seed).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// A composer that learnt for so many steps, or one by rules.
    pub fn composer(&self, seed: u64, count: u64) -> Box<dyn Composer> {
        if self.spec.create.is_none() {
            let mut file = self.spec.untaught(self.spec.configurations[0].name).unwrap();
            file.header.settings = self.settings.clone();
            return registry::load(&file).unwrap();
        }
        let mut trainable = self.create(&corpus::set(), seed);
        steps(trainable.as_mut(), BEGINNING, count, 0.01);
        trainable.composer()
    }

    /// The same with other settings on top; those that the composer does not know are left out.
    pub fn with(&self, changes: &Settings) -> Subject {
        let mut settings = self.settings.clone();
        for (key, value) in changes.as_object().unwrap() {
            let mut changed = settings.clone();
            changed[key] = value.clone();
            if self.spec.creates().unwrap()(&changed, &corpus::set(), 0).is_ok() {
                settings = changed;
            }
        }
        Subject { settings, name: self.name.clone(), spec: self.spec }
    }
}

/// Every configuration, made small as its composer says.
pub fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for spec in COMPOSERS {
        for configuration in spec.configurations {
            let name = format!("{} {}", spec.id, configuration.name);
            let settings = spec.tiny_settings(configuration.name).unwrap_or_else(|| panic!("{name}: no JSON object"));
            subjects.push(Subject { spec, name, settings });
        }
    }
    subjects
}

/// Runs a check on each that learns; the output of a test that fails ends with the one that failed it.
pub fn each(check: impl Fn(&Subject)) {
    each_composer(|subject| {
        if subject.spec.create.is_some() {
            check(subject);
        }
    });
}

/// The same, with those that compose by rules.
pub fn each_composer(check: impl Fn(&Subject)) {
    for subject in subjects() {
        println!("{}: {}", subject.name, subject.settings);
        check(&subject);
    }
}

/// Steps from a place in the training on.
pub fn steps(trainable: &mut dyn Trainable, from: StepAt, count: u64, rate: f64) -> (Vec<StepReport>, StepAt) {
    let mut at = from;
    let mut reports = Vec::new();
    for _ in 0..count {
        reports.push(trainable.step(at, rate));
        at.step += 1;
        if at.step == trainable.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    (reports, at)
}

pub const BEGINNING: StepAt = StepAt { epoch: 0, step: 0 };

/// A request without a prompt, drawn from the model's own distribution.
pub fn request(bars: usize) -> Request {
    Request::new(bars, Sampling::default())
}

pub fn compose(composer: &dyn Composer, request: &Request, seed: u64) -> Result<Composition, ComposeError> {
    let found = registry::compose(composer, request, &mut [seeded(seed)], &mut |_| ControlFlow::Continue(()))?.pop();
    found.ok_or(ComposeError::Stopped)
}
