//! What the command line, the studio and evaluation see of a composer.

use crate::Trainable; // tidy: allow(circle): an entry makes trainers and composers, and each of them names its entry
use crate::frames::JudgesFrames;
use crate::latent::{Ability, Latent};
use crate::{
    Around, ComposeError, Control, Controls, CorpusCard, CreateError, Expected, Header, Joined, Judge, ModelError,
    ModelFile, Progress, Request, Rng, Sampling, Settings, Styles, TrainingSet,
};
use cantus_score::{Reading, Score};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Makes a network that has learnt nothing yet, for a corpus; its first numbers follow from the seed.
pub type Create = fn(&Settings, &TrainingSet, seed: u64) -> Result<Box<dyn Trainable>, CreateError>;

/// Everything that the rest of the program needs to know of a composer: one entry in the registry.
#[derive(Debug)]
pub struct ComposerSpec {
    /// Its name on the command line and in model files.
    pub id: &'static str,
    /// Raised when old model files no longer load.
    pub version: u32,
    /// What it writes, in a line for musicians.
    pub writes: &'static str,
    /// For which folders of music it is, in a line for musicians.
    pub suits: &'static str,
    /// Whether it is made for a corpus more than others are; `None` where it takes any as it comes.
    pub is_made_for: Option<fn(&TrainingSet) -> bool>,
    /// What it is, in a line for those who know how such things are made.
    pub title: &'static str,
    /// Where it comes from: authors, title, year.
    pub source: &'static str,
    /// What differs from the source, and why.
    pub departures: &'static str,
    /// How it reads music; the first is what it reads unless told otherwise.
    pub reads: &'static [Reading],
    /// The encodings that it reads and writes.
    pub encoding: &'static str,
    /// What it can work around.
    pub around: &'static [Around],
    /// What it can do with codes: see [`Composer::latent`].
    pub abilities: &'static [Ability],
    /// What it can be asked for besides a length and what is given.
    pub controls: &'static [Control],
    /// Its named configurations; the first is the default.
    pub configurations: &'static [Configuration],
    /// A network that has learnt nothing yet, for a corpus; `None` where it composes by rules and learns nothing.
    pub create: Option<Create>,
    /// A composer out of a model file.
    pub load: fn(&ModelFile) -> Result<Box<dyn Composer>, ModelError>,
}

/// A named choice of settings.
#[derive(Debug)]
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// The settings, as a JSON object; what is absent has its default.
    pub settings: &'static str,
    /// Its other sizes; `None` where the source says how large it is.
    pub sizes: Option<Sizes>,
    /// Changes to them, as a JSON object, that make it small enough for a test.
    pub tiny: &'static str,
}

/// What changes with the size of a network, as JSON objects: widths, and the batch and the learning rate that go with them.
#[derive(Debug)]
pub struct Sizes {
    /// For a quick try, or a small corpus.
    pub small: &'static str,
    /// For a large corpus and time.
    pub large: &'static str,
}

/// How large a network is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// See [`Sizes::small`].
    Small,
    /// As its configuration is.
    #[default]
    Medium,
    /// See [`Sizes::large`].
    Large,
}

impl ComposerSpec {
    /// What makes its networks.
    ///
    /// # Errors
    /// [`CreateError::LearnsNothing`], where it composes by rules.
    pub fn creates(&self) -> Result<Create, CreateError> {
        self.create.ok_or(CreateError::LearnsNothing { composer: self.id })
    }

    /// The model of a configuration of a composer by rules: its settings, and nothing else. `None` of one that learns, and where there is no
    /// such configuration.
    pub fn untaught(&self, configuration: &str) -> Option<ModelFile> {
        let settings = self.settings(configuration).filter(|_| self.create.is_none())?;
        let header = Header::new((self.id, self.version), settings, Settings::Null);
        let mut file = ModelFile { header, tensors: BTreeMap::new() };
        let styles = (self.load)(&file).ok()?.styles().to_vec();
        file.header.corpus = CorpusCard { name: "rules, no corpus".to_owned(), styles, ..CorpusCard::default() };
        Some(file)
    }

    fn configuration(&self, name: &str) -> Option<&Configuration> {
        self.configurations.iter().find(|known| known.name == name)
    }

    /// The name of the configuration that settings were made of; that of the first, where they fit none.
    pub fn configuration_of(&self, settings: &Settings) -> &'static str {
        let fits = |known: &&Configuration| {
            let written: Option<serde_json::Map<String, Settings>> = serde_json::from_str(known.settings).ok();
            written.is_some_and(|written| {
                !written.is_empty() && written.iter().all(|(key, value)| settings[key] == *value)
            })
        };
        self.configurations.iter().find(fits).unwrap_or(&self.configurations[0]).name
    }

    /// The settings of a named configuration, or `None` where there is no such name.
    pub fn settings(&self, configuration: &str) -> Option<Settings> {
        serde_json::from_str(self.configuration(configuration)?.settings).ok()
    }

    /// The same of some size; `None` where there is no such name, or where it has one size.
    pub fn sized_settings(&self, configuration: &str, size: Size) -> Option<Settings> {
        let sizes = || self.configuration(configuration)?.sizes.as_ref();
        let changes = match size {
            Size::Small => sizes()?.small,
            Size::Medium => "{}",
            Size::Large => sizes()?.large,
        };
        changed(self.settings(configuration)?, changes)
    }

    /// The settings of a named configuration made small enough for a test, or `None` where there is no such name.
    pub fn tiny_settings(&self, configuration: &str) -> Option<Settings> {
        changed(self.settings(configuration)?, self.configuration(configuration)?.tiny)
    }
}

/// Settings with changes, a JSON object, on top.
fn changed(mut settings: Settings, changes: &str) -> Option<Settings> {
    let changes: serde_json::Map<String, Settings> = serde_json::from_str(changes).ok()?;
    settings.as_object_mut()?.extend(changes);
    Some(settings)
}

/// The most bars that a composer writes at once, unless it says otherwise.
const MOST_BARS: usize = 10_000;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The music.
    pub score: Score,
    /// What the listener should know: how a prompt was understood, say.
    pub remarks: Vec<String>,
    /// The logarithm of the odds that its critic takes it for one of the corpus, passage by passage added up, where it has a critic.
    pub verdict: Option<f64>,
}

impl Composition {
    /// Of a composer without a critic.
    pub fn new(score: Score, remarks: Vec<String>) -> Composition {
        Composition { score, remarks, verdict: None }
    }
}

/// Numbers that a composer shows of itself, to be drawn as bars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chart {
    /// What a file of it is called, without ending.
    pub name: &'static str,
    /// The headline.
    pub title: String,
    /// What the bars' names are.
    pub axis: String,
    /// Names and numbers, from left to right.
    pub bars: Vec<(String, f64)>,
}

/// Writes music.
pub trait Composer: Send + Sync {
    /// Its entry in the registry.
    fn spec(&self) -> &'static ComposerSpec;

    /// How it draws tokens unless told otherwise.
    fn default_sampling(&self) -> Sampling;

    /// What a person would want to know of it: network, vocabulary, size.
    fn describe(&self) -> Vec<(String, String)>;

    /// What can be drawn of it.
    fn charts(&self) -> Vec<Chart> {
        Vec::new()
    }

    /// The part that it writes to given ones, where it does.
    fn joins(&self) -> Option<Joined> {
        None
    }

    /// What it expects of a piece's part of that kind, where it can say; `None` where the piece has none.
    fn expects(&self, _piece: &Score) -> Option<Expected> {
        None
    }

    /// Its codes, where its melodies have some.
    fn latent(&self) -> Option<&dyn Latent> {
        None
    }

    /// Judges frames with it, where it predicts frames.
    fn frames(&self) -> Option<&dyn JudgesFrames> {
        None
    }

    /// Whether this very model cannot be asked for something that its entry says.
    fn lacks(&self, _control: Control) -> bool {
        false
    }

    /// Whether it can be asked for something: for a style only where it has some.
    fn can(&self, control: Control) -> bool {
        let has_some = !matches!(control, Control::Style | Control::Strength) || !self.styles().is_empty();
        self.spec().controls.contains(&control) && has_some && !self.lacks(control)
    }

    /// The styles that are asked for.
    fn styles_of(&self, controls: &Controls) -> Styles {
        let asked = controls.style.as_ref().and_then(|text| Styles::read(text, self.styles()).ok());
        asked.unwrap_or_default()
    }

    /// The styles that it tells apart, each a folder of its corpus: [`TrainingSet::styles`].
    fn styles(&self) -> &[String] {
        &[]
    }

    /// Whether its music is made of bars of its corpus, so that a copy is what was asked for and no fault.
    fn quotes(&self) -> bool {
        false
    }

    /// The most bars that it writes at once.
    fn most_bars(&self) -> usize {
        MOST_BARS
    }

    /// The piece that is asked for; what is given stays note for note. The same request and the same generator give the same score. The
    /// request is one that [`Request::check`] has found nothing wrong with.
    ///
    /// # Errors
    /// [`ComposeError`]; nothing is half written.
    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError>;

    /// A new piece for each generator: the same pieces as one after another. Composers whose network can advance several pieces at once
    /// do that instead.
    ///
    /// # Errors
    /// [`ComposeError`]; nothing is half written.
    fn compose_all(
        &self,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        together(rngs, progress, |rngs, progress| {
            let all = rngs.len() as f64;
            let mut piece =
                |(k, rng): (usize, &mut Rng)| self.compose(request, rng, &mut |done| progress((k as f64 + done) / all));
            rngs.iter_mut().enumerate().map(&mut piece).collect()
        })
    }

    /// The composer as a judge of music, or `None` where it cannot say how likely a piece is.
    fn judge(&self) -> Option<&dyn Judge> {
        None
    }
}

/// The one piece of a composer that writes several together: its [`Composer::compose`].
///
/// # Errors
/// [`ComposeError`], that of [`Composer::compose_all`].
pub fn alone(
    composer: &dyn Composer,
    request: &Request,
    rng: &mut Rng,
    progress: Progress<'_>,
) -> Result<Composition, ComposeError> {
    let mut composed = composer.compose_all(request, std::slice::from_mut(rng), progress)?;
    composed.pop().ok_or(ComposeError::NoToken)
}

/// Spreads pieces over rayon's threads, in as many parts as there are threads, and puts what `compose` makes of each part in order.
/// `progress` is told of the first part, on the calling thread; where it breaks, the other parts stop, too.
///
/// # Errors
/// The first part's [`ComposeError`] that has one.
pub fn together(
    rngs: &mut [Rng],
    progress: Progress<'_>,
    compose: impl Fn(&mut [Rng], Progress<'_>) -> Result<Vec<Composition>, ComposeError> + Sync,
) -> Result<Vec<Composition>, ComposeError> {
    let part = rngs.len().div_ceil(rayon::current_num_threads()).max(1);
    let (first, others) = rngs.split_at_mut(part.min(rngs.len()));
    let stopped = AtomicBool::new(false);
    let watch = |_: f64| if stopped.load(Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let mut parts: Vec<Result<Vec<Composition>, ComposeError>> = Vec::new();
    parts.resize_with(others.chunks(part).len(), || Ok(Vec::new()));
    let begun = rayon::in_place_scope(|scope| {
        for (rngs, made) in others.chunks_mut(part).zip(&mut parts) {
            let (compose, watch) = (&compose, &watch);
            scope.spawn(move |_| *made = compose(rngs, &mut |done| watch(done)));
        }
        let begun = compose(first, progress);
        stopped.store(begun.is_err(), Relaxed);
        begun
    });
    let mut composed = begun?;
    for made in parts {
        composed.extend(made?);
    }
    Ok(composed)
}
