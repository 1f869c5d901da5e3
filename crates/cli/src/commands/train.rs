//! `cantus train`: a composer learns from a folder.

use crate::Usage;
use crate::files;
use crate::reading::ReadingArguments;
use crate::terminal::{self, bar, command, duration, remark};
use cantus_composers::registry;
use cantus_corpus::{CorpusError, Options, Preflight, Progress};
use cantus_model::{ComposerSpec, CorpusCard, Kind, Settings, Size, Unit};
use cantus_score::counted;
use cantus_training::run_folder::RunFiles;
use cantus_training::{
    Bounds, CheckpointPolicy, End, Event, Illness, Metrics, Outcome, Remark, RunDescription, Training, corpus_card,
};
use cantus_workshop::{self as workshop, Base, Gathered, Paused, Plan, WorkshopError};
use indicatif::ProgressBar;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Minutes of training where nothing else is asked for.
const MINUTES: f64 = 10.0;

/// Learn from a folder of music files: MIDI, MusicXML, ABC.
///
/// Says first which files are used and which are not, and why. Then trains until validation stands still or the time is over, and
/// keeps the best. Ctrl-C saves, and says how to go on. Then: cantus compose -m RUN
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder, searched with all folders in it; or a file of frames with its own split (.json, .json.gz)
    #[arg(required_unless_present = "resume")]
    folder: Option<PathBuf>,
    /// The composer, or COMPOSER:CONFIGURATION; see `cantus composers` [default: the one that suits what the folder holds]
    #[arg(short, long, value_name = "NAME")]
    composer: Option<String>,
    /// Go on from a model, built in or one's own, in the place of beginning with nothing: a few files are then enough. Its composer and settings are
    /// kept; what it does not know is learnt
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["composer", "size"])]
    from: Option<String>,
    /// The run's folder, for checkpoints, curves, samples and the model [default: runs/FOLDER-COMPOSER]
    #[arg(short, long, value_name = "RUN")]
    output: Option<PathBuf>,
    /// Train for at most this long; some composers train a second stage afterwards, and that time is extra [default: 10, unless --epochs is given]
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    minutes: Option<f64>,
    /// Train for at most so many epochs
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Go on with the run that -o names, as if it had never stopped
    #[arg(long, requires = "output", conflicts_with_all = ["composer", "from", "seed", "size", "set", "recipe", "parts", "meters", "max_note_tracks", "piano_only", "grid", "max_off_grid", "min_bars", "min_notes", "max_notes", "max_controls", "max_bytes", "max_tracks", "max_quarters", "half", "no_doctor"])]
    resume: bool,
    /// Use the same seed to get the same model [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// How large the network is: small is quick, large wants more music and time [default: medium]
    #[arg(long, value_enum)]
    size: Option<SizeArgument>,
    /// Change a setting of the composer, as in --set hidden=256
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Take composer, settings, seed and reading options from a recipe (.toml); options given here come first
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Store the model in 16 bits: half the size
    #[arg(long)]
    half: bool,
    /// Report training problems without intervening: no way back from a collapse or to the best epoch, copies and loops are kept
    #[arg(long)]
    no_doctor: bool,
    /// Seconds between checkpoints
    #[arg(long, value_name = "S", default_value_t = 120.0)]
    checkpoint_seconds: f64,
    /// List every file of the folder, not only the first refused ones
    #[arg(long)]
    verbose: bool,
    /// Report, figures and outcome as JSON, a line each; the report holds what the readers had to say of each file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingArguments,
}

/// See [`Size`].
#[derive(Clone, Copy, clap::ValueEnum)]
enum SizeArgument {
    Small,
    Medium,
    Large,
}

impl From<SizeArgument> for Size {
    fn from(size: SizeArgument) -> Size {
        match size {
            SizeArgument::Small => Size::Small,
            SizeArgument::Medium => Size::Medium,
            SizeArgument::Large => Size::Large,
        }
    }
}

/// A recipe: how a model was, and can be, made.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Recipe {
    /// What it makes.
    #[serde(rename = "description")]
    _description: String,
    /// Which music, for people; where it lies is given on the command line.
    pub data: String,
    /// The benchmark that it is a row of, for `cargo xtask bench frames`.
    #[serde(rename = "benchmark")]
    _benchmark: Option<String>,
    composer: Option<String>,
    from: Option<String>,
    pub seed: Option<u64>,
    pub minutes: Option<f64>,
    pub epochs: Option<u32>,
    pub half: bool,
    pub licence: Option<String>,
    pub credit: Option<String>,
    pub settings: serde_json::Map<String, serde_json::Value>,
    corpus: Option<Options>,
    /// What came out, for people.
    #[serde(rename = "outcome")]
    _outcome: Option<toml::Table>,
}

pub fn run(arguments: Arguments) -> Result<()> {
    cantus_nn::buffer::keep_freed_memory();
    let stop = Arc::new(AtomicBool::new(false));
    catch_interrupt(&stop)?;
    let (training, corpus_name, run) = if arguments.resume { resume(&arguments)? } else { begin(&arguments)? };
    let units = Units::of(training.description());
    let outcome = observe(training, units, &arguments, &stop)?;
    close(&outcome, units, &run, &corpus_name, arguments.json)
}

/// Prints a line. That nobody reads our output is no reason not to train.
fn say(line: impl std::fmt::Display) -> Result<()> {
    terminal::say(line).or_else(|error| if terminal::is_broken_pipe(&error) { Ok(()) } else { Err(error) })
}

/// The first Ctrl-C saves, the second one ends at once.
fn catch_interrupt(stop: &Arc<AtomicBool>) -> Result<()> {
    let stop = Arc::clone(stop);
    ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
        remark("\nstopping: saving a checkpoint (once more to stop at once) ...");
    })
    .into_diagnostic()
}

type Begun = (Training<'static>, String, PathBuf);

fn begin(arguments: &Arguments) -> Result<Begun> {
    let recipe = arguments.recipe.as_deref().map(read_recipe).transpose()?.unwrap_or_default();
    let base = arguments.from.as_deref().or(recipe.from.as_deref()).map(Base::of).transpose().into_diagnostic()?;
    let named = arguments.composer.clone().or(recipe.composer.clone()).filter(|_| base.is_none());
    let asked = match &base {
        Some(base) => Some(base.choice),
        None => named.as_deref().map(registry::choose).transpose().map_err(|error| Usage(error.to_string()))?,
    };
    let open = base.as_ref().map_or_else(Options::open, |base| base.options.clone());
    let options = arguments.reading.over(recipe.corpus.clone().unwrap_or(open))?;
    let bounds = bounds(arguments, &recipe)?;
    let changes = changes(&arguments.set)?;
    let Some(folder) = &arguments.folder else { return Err(Usage("name a folder of music files".to_owned()).into()) };
    let data = std::path::absolute(folder).into_diagnostic()?;
    let run_of = |spec: &ComposerSpec| match &arguments.output {
        Some(run) => run.clone(),
        None => PathBuf::from("runs").join(format!("{}-{}", name_of(&data), spec.id)),
    };
    // Where it can be known before all is read.
    if let Some((spec, _)) = asked {
        check_is_free(&run_of(spec))?;
    }
    let read = reading(|progress| workshop::gather(folder, &options, asked, progress));
    tell_report(
        match &read {
            Ok(found) => Some(&found.corpus.report),
            Err(WorkshopError::Corpus(CorpusError::Unusable { report })) => Some(report),
            Err(_) => None,
        },
        arguments,
    )?;
    let found = read.into_diagnostic()?;
    let run = run_of(found.spec);
    check_is_free(&run)?;
    if asked.is_none() {
        terminal::note(found.why());
    }
    let Gathered { spec, configuration, corpus } = found;
    let mut settings = match &base {
        Some(base) => base.settings.clone(),
        None => {
            let size = arguments.size.map_or(Size::Medium, Size::from);
            spec.sized_settings(configuration, size).ok_or_else(|| {
                Usage(format!(
                    "`{}:{configuration}` has the one size that its source says: leave out --size, or use --set",
                    spec.id
                ))
            })?
        }
    };
    for (key, value) in recipe.settings.into_iter().chain(changes) {
        settings[key] = value;
    }
    let seed = arguments.seed.or(recipe.seed).unwrap_or(1);
    let name = if recipe.data.is_empty() { name_of(&data) } else { recipe.data.clone() };
    let card =
        CorpusCard { licence: recipe.licence, credit: recipe.credit, ..corpus_card(&corpus, &name).into_diagnostic()? };
    let plan = Plan {
        spec,
        configuration,
        settings,
        seed,
        data,
        corpus: card,
        from: base.map(|base| base.file),
        bounds,
        doctor: !arguments.no_doctor,
        half: arguments.half || recipe.half,
    };
    let training = workshop::begin(plan, &corpus, &run, policy(arguments)).into_diagnostic()?;
    introduce(training.description(), arguments.json)?;
    Ok((training, name, run))
}

/// A run's folder that holds no training yet.
fn check_is_free(run: &Path) -> Result<()> {
    match RunFiles::at(run) {
        Ok(_) => Err(miette!(
            "`{}` already holds a training: go on with it by `{}`, or choose another folder with -o",
            run.display(),
            resume_command(run)
        )),
        Err(_) => Ok(()),
    }
}

fn resume(arguments: &Arguments) -> Result<Begun> {
    let Some(run) = arguments.output.clone() else { return Err(Usage("name the run with -o".to_owned()).into()) };
    let mut paused = Paused::open(&run).into_diagnostic()?;
    let description = &mut paused.description;
    if let Some(data) = &arguments.folder {
        description.data = std::path::absolute(data).into_diagnostic()?;
    }
    if arguments.minutes.is_some() || arguments.epochs.is_some() {
        description.bounds = Bounds { minutes: arguments.minutes, epochs: arguments.epochs };
    }
    let read = reading(|progress| cantus_corpus::read(&description.data, &description.options, progress));
    tell_report(
        match &read {
            Ok(corpus) => Some(&corpus.report),
            Err(CorpusError::Unusable { report }) => Some(report),
            Err(_) => None,
        },
        arguments,
    )?;
    let corpus = read.into_diagnostic()?;
    let training = paused.go_on(&corpus, policy(arguments)).into_diagnostic()?;
    let name = training.description().corpus.name.clone();
    introduce(training.description(), arguments.json)?;
    if !arguments.json {
        say(format!("going on after epoch {}", training.epochs_done()))?;
    }
    Ok((training, name, run))
}

fn policy(arguments: &Arguments) -> CheckpointPolicy {
    let every = Duration::try_from_secs_f64(arguments.checkpoint_seconds).unwrap_or(Duration::from_secs(120));
    CheckpointPolicy { every, ..CheckpointPolicy::default() }
}

pub(super) fn read_recipe(path: &Path) -> Result<Recipe> {
    let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
    toml::from_str(&text).into_diagnostic().wrap_err_with(|| format!("reading the recipe `{}`", path.display()))
}

/// `KEY=VALUE` as settings; a value that is no JSON is a text.
fn changes(pairs: &[String]) -> Result<Vec<(String, Settings)>> {
    let change = |pair: &String| {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| Usage(format!("`--set {pair}`: write KEY=VALUE, as in hidden=256")))?;
        Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
    };
    pairs.iter().map(change).collect()
}

/// A recipe's settings, with those of `--set` over them.
pub(super) fn settings_over(recipe: serde_json::Map<String, Settings>, pairs: &[String]) -> Result<Settings> {
    Ok(Settings::Object(recipe.into_iter().chain(changes(pairs)?).collect()))
}

fn bounds(arguments: &Arguments, recipe: &Recipe) -> Result<Bounds> {
    if arguments.minutes.is_some_and(|minutes| !(minutes > 0.0 && minutes.is_finite())) {
        return Err(Usage("--minutes must be a positive number".to_owned()).into());
    }
    if arguments.epochs == Some(0) {
        return Err(Usage("--epochs must be at least 1".to_owned()).into());
    }
    let given = Bounds { minutes: arguments.minutes, epochs: arguments.epochs };
    let written = Bounds { minutes: recipe.minutes, epochs: recipe.epochs };
    Ok([given, written]
        .into_iter()
        .find(|bounds| *bounds != Bounds::default())
        .unwrap_or(Bounds { minutes: Some(MINUTES), epochs: None }))
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "music".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Shows a bar while `read` reads.
pub(super) fn reading<T>(read: impl FnOnce(&mut dyn FnMut(Progress<'_>)) -> T) -> T {
    let progress = bar(0, "reading {wide_bar} {pos}/{len} {msg}");
    let found = read(&mut |at| {
        progress.set_length(at.total as u64);
        progress.set_position(at.done as u64);
    });
    progress.finish_and_clear();
    found
}

/// Says what was found in the folder.
fn tell_report(report: Option<&Preflight>, arguments: &Arguments) -> Result<()> {
    match report {
        None => Ok(()),
        Some(report) if arguments.json => say(serde_json::json!({ "preflight": report })),
        Some(report) if arguments.verbose => say(report.verbose()),
        Some(report) => say(report),
    }
}

fn introduce(description: &RunDescription, json: bool) -> Result<()> {
    if json {
        return say(serde_json::json!({ "run": description }));
    }
    let RunDescription { composer, configuration, parameters, seed, bounds, unit, .. } = description;
    let until = match bounds {
        Bounds { minutes: Some(1.0), .. } => "at most 1 minute".to_owned(),
        Bounds { minutes: Some(minutes), .. } => format!("at most {minutes} minutes"),
        Bounds { epochs: Some(epochs), .. } => format!("at most {}", counted(*epochs as usize, "epoch")),
        _ => "until validation stands still".to_owned(),
    };
    let threads = counted(rayon::current_num_threads(), "thread");
    let from = description.from.as_ref().map(|name| format!(", going on from {name}")).unwrap_or_default();
    say(format!("\n{composer}:{configuration}{from}, {parameters} parameters, seed {seed}, {until}, on {threads}"))?;
    for baseline in &description.baselines {
        say(format!(
            "to beat: {:.3} {} ({}, on the same validation {unit}s)",
            baseline.nats_per_token,
            description.likelihood.measure(*unit),
            baseline.name
        ))?;
    }
    say(format!("validation counts {}; {}", description.protocol, description.likelihood))
}

/// What the figures of a run are called.
#[derive(Clone, Copy)]
struct Units {
    unit: Unit,
    kind: Kind,
}

impl Units {
    fn of(description: &RunDescription) -> Units {
        Units { unit: description.unit, kind: description.likelihood }
    }
}

fn observe(training: Training<'_>, units: Units, arguments: &Arguments, stop: &AtomicBool) -> Result<Outcome> {
    let json = arguments.json;
    let progress = bar(1000, "{prefix} {wide_bar} {msg}");
    let mut estimate = Estimate { afterwards: training.afterwards(), ..Estimate::default() };
    let outcome = training.run(stop, &mut |event| {
        if let Some(words) = estimate.after(&event).filter(|_| !json) {
            progress.suspend(|| say(words).unwrap_or_default());
        }
        tell(&event, units, &progress, json);
    });
    progress.finish_and_clear();
    outcome.into_diagnostic()
}

/// How long a training is going to take, told once, as soon as a few steps have shown it.
#[derive(Default)]
struct Estimate {
    /// When the first step was done, and which of its epoch it was.
    first: Option<(Instant, u64)>,
    is_told: bool,
    /// What is learnt at its end, in time of its own.
    afterwards: Option<String>,
}

impl Estimate {
    /// Seconds of steps that are enough to tell by.
    const ENOUGH: f64 = 3.0;

    fn after(&mut self, event: &Event<'_>) -> Option<String> {
        let Event::Step { step, of, seconds_left, .. } = event else {
            // An epoch is over: its line says how long it took.
            self.is_told |= matches!(event, Event::Evaluated(_));
            return None;
        };
        let (begun, first) = *self.first.get_or_insert((Instant::now(), *step));
        let seconds = begun.elapsed().as_secs_f64();
        if self.is_told || seconds < Self::ENOUGH || *step <= first {
            return None;
        }
        self.is_told = true;
        let epoch = seconds / (step - first) as f64 * *of as f64;
        Some(format!(
            "an epoch takes about {} on this machine, the whole training at most {}; it ends sooner where validation stands still{}",
            duration(epoch),
            duration(*seconds_left),
            self.afterwards.as_ref().map_or_else(String::new, |what| format!(". Then, in time of its own: {what}"))
        ))
    }
}

/// What is told at the end of an epoch; a collapse was told when it happened.
fn remarks(metrics: &Metrics) -> impl Iterator<Item = &Remark> {
    metrics.remarks.iter().filter(|remark| remark.illness != Some(Illness::Collapse))
}

fn tell(event: &Event<'_>, Units { unit, kind }: Units, progress: &ProgressBar, json: bool) {
    let print = |line: String| {
        // Above the bar, where there is one. A full disk under our output is no reason to stop training, either.
        progress.suspend(|| say(line).unwrap_or_default());
    };
    match event {
        Event::Step { epoch, step, of, nats_per_token, tokens_per_second, done, seconds_left } => {
            progress.set_position((done * 1000.0) as u64);
            progress.set_prefix(format!("epoch {epoch} {step}/{of}"));
            let left = duration(*seconds_left);
            progress.set_message(format!(
                "{nats_per_token:.3} {}, {tokens_per_second:.0} {unit}s/s, {left} left at most",
                kind.measure(unit)
            ));
        }
        Event::Evaluated(metrics) if json => print(serde_json::json!({ "metrics": metrics }).to_string()),
        Event::Evaluated(metrics) if kind == Kind::None => {
            print(format!(
                "epoch {:>4}  training {:.3}  validation {:.3} apart ({kind}), diversity {:.2}  {}{}",
                metrics.epoch,
                metrics.train.nats_per_token,
                metrics.valid.nats_per_token,
                metrics.diversity.unwrap_or(f64::NAN),
                duration(metrics.seconds),
                if metrics.best { "  best" } else { "" },
            ));
            remarks(metrics).for_each(|remark| print(format!("            {remark}")));
        }
        Event::Evaluated(metrics) => {
            let (train, valid) = (&metrics.train, &metrics.valid);
            print(format!(
                "epoch {:>4}  training {:.3}  validation {:.3} nats/{unit}{}, {:.3}/quarter, {:>4.1}% right  {:>6.0} {unit}s/s  {}{}",
                metrics.epoch,
                train.nats_per_token,
                valid.nats_per_token,
                if kind == Kind::Exact { String::new() } else { format!(" ({kind})") },
                valid.nats_per_quarter,
                100.0 * valid.accuracy,
                metrics.tokens_per_second,
                duration(metrics.seconds),
                if metrics.best { "  best" } else { "" },
            ));
            remarks(metrics).for_each(|remark| print(format!("            {remark}")));
        }
        Event::Remarked(_) if json => {}
        Event::Remarked(remark) => print(format!("            {remark}")),
        Event::Finishing { done, seconds_left } => {
            progress.set_position((done * 1000.0) as u64);
            progress.set_prefix("second stage");
            let left = seconds_left.map_or_else(
                || "how long is not known yet".to_owned(),
                |left| format!("about {} left", duration(left)),
            );
            progress.set_message(left);
        }
        Event::Checkpoint { .. } if json => {}
        Event::Checkpoint { path, sample } => {
            let sample = sample.map(|sample| format!(", and a composition: {}", sample.display())).unwrap_or_default();
            print(format!("            checkpoint {}{sample}", path.display()));
        }
    }
}

/// The command that goes on with a run.
fn resume_command(run: &Path) -> String {
    command(["train".as_ref(), "--resume".as_ref(), "-o".as_ref(), run.as_os_str()])
}

fn close(outcome: &Outcome, Units { unit, kind }: Units, run: &Path, corpus: &str, json: bool) -> Result<()> {
    if json {
        let end = format!("{:?}", outcome.end).to_lowercase();
        let best =
            outcome.best.map(|best| serde_json::json!({"epoch": best.epoch, "steps": best.steps, "valid": best.valid}));
        return say(serde_json::json!({
            "outcome": {"end": end, "epochs": outcome.epochs, "steps": outcome.steps, "seconds": outcome.seconds, "best": best}
        }));
    }
    if outcome.end == End::Interrupted {
        return say(format!("stopped, nothing is lost. Go on with: {}", resume_command(run)));
    }
    let why = match outcome.end {
        End::Plateau => "validation stands still",
        End::Epochs => "the epochs are over",
        End::Minutes | End::Interrupted => "the time is over",
    };
    say(format!("\n{why}: {} in {}", counted(outcome.epochs as usize, "epoch"), duration(outcome.seconds)))?;
    match outcome.best {
        Some(best) => say(format!(
            "best on {corpus}: epoch {}, {}\nmodel    {}\ncurves   {}\ncompose  {}",
            best.epoch,
            best.valid.told(kind, unit),
            run.join("best.safetensors").display(),
            run.join("curves.svg").display(),
            command(["compose".as_ref(), "-m".as_ref(), run.as_os_str()])
        )),
        None => Err(miette!(
            "no epoch gave a finite validation figure: begin again with a lower learning rate (--set learning_rate=0.0005)"
        )),
    }
}
