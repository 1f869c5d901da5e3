//! The polyphonic-music benchmark of Boulanger-Lewandowski 2012: trains by recipe, and judges the test pieces under one protocol.
//!
//! Negative log-likelihood in nats per frame, a frame being all keys of one step. The primary figure leaves out the first frame of each
//! piece, which is context, and divides the total over all pieces by the number of counted frames (S. Bai et al., arXiv:1803.01271,
//! public code). Beside it: all frames counted, the first predicted from nothing; the mean over pieces; the expected frame accuracy.
//! The parameters are those that were best on the validation pieces; the test pieces are judged once.

use cantus_composers::registry;
use cantus_corpus::{FrameFile, Options};
use cantus_encoding::piano_roll::Frame;
use cantus_model::frames::{Effort, FrameFigure, League, frame_accuracy};
use cantus_model::{Kind, ModelFile, Settings};
use cantus_training::run_folder::{RunFiles, RunFolder};
use cantus_training::{Bounds, CheckpointPolicy, Doctor, Event, RunDescription, Training, corpus_card, training_set};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Options of the benchmark.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder with the benchmark's files (.json.gz)
    data: PathBuf,
    /// A recipe that names a benchmark; without one, all of recipes/ that do
    #[arg(long, value_name = "FILE")]
    recipe: Vec<PathBuf>,
    /// Where the runs lie; one that is there already is judged as it is, the others are trained
    #[arg(long, value_name = "FOLDER", default_value = "runs/frames")]
    runs: PathBuf,
    /// Change a setting of the composer, as in --set hidden=256
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Train for so many epochs at most
    #[arg(long)]
    epochs: Option<u32>,
    /// Train with so many seeds, the recipe's and those after it, and judge the mean of their probabilities as well
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Judge the validation pieces in the place of the test pieces: for looking for settings
    #[arg(long)]
    validation: bool,
    /// Chains of annealing for each frame, where likelihoods are estimated
    #[arg(long, default_value_t = 14)]
    chains: usize,
    /// Temperatures of annealing
    #[arg(long, default_value_t = 1000)]
    temperatures: usize,
    /// Judge one of every so many frames, where likelihoods are estimated
    #[arg(long, default_value_t = 1)]
    every: usize,
}

/// What a recipe says, as far as it matters here.
#[derive(Default, Deserialize)]
pub struct Recipe {
    /// The benchmark's name, as its file has it.
    pub benchmark: Option<String>,
    pub composer: Option<String>,
    pub seed: Option<u64>,
    pub minutes: Option<f64>,
    pub epochs: Option<u32>,
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// Trains what is not trained yet, and prints a row for each recipe.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut rows: Vec<(Kind, String)> = Vec::new();
    for path in recipes(arguments)? {
        let recipe: Recipe = toml::from_str(&std::fs::read_to_string(&path)?)?;
        let Some(benchmark) = &recipe.benchmark else { continue };
        let file = find(&arguments.data, benchmark)?;
        let stem = path.file_stem().map_or_else(|| "run".into(), |stem| stem.to_string_lossy().into_owned());
        let first = recipe.seed.unwrap_or(1);
        let mut judged = Vec::new();
        for seed in first..first + arguments.seeds.max(1) {
            let name = if seed == first { stem.clone() } else { format!("{stem}-seed-{seed}") };
            let run = arguments.runs.join(name);
            if RunFiles::at(&run).is_err() {
                train(&recipe, seed, &file, &run, &arguments.set, arguments.epochs)?;
            }
            judged.push(judge(&file, &run, arguments)?);
            rows.extend(judged.last().map(|judged| (judged.kind, judged.row())));
        }
        rows.extend(mean_of(&judged).map(|mean| (mean.kind, mean.row())));
    }
    for kind in [Kind::Exact, Kind::LowerBound, Kind::Estimate, Kind::Surrogate] {
        let own: Vec<&String> = rows.iter().filter(|(of, _)| *of == kind).map(|(_, row)| row).collect();
        if !own.is_empty() {
            let split = if arguments.validation { "validation" } else { "test" };
            println!("\n{kind}, {split} pieces, nats per frame\n");
            println!(
                "| composer | league | set | first frame left out | all frames | mean over pieces | accuracy | parameters | epoch | training |"
            );
            println!("|---|---|---|---|---|---|---|---|---|---|");
            own.iter().for_each(|row| println!("{row}"));
        }
    }
    Ok(())
}

fn recipes(arguments: &Arguments) -> Result<Vec<PathBuf>> {
    if !arguments.recipe.is_empty() {
        return Ok(arguments.recipe.clone());
    }
    let mut found: Vec<PathBuf> =
        std::fs::read_dir("recipes")?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    found.sort();
    Ok(found)
}

/// The file of a benchmark.
fn find(folder: &Path, benchmark: &str) -> Result<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths.into_iter().filter(|path| cantus_corpus::is_frame_file(path)) {
        if FrameFile::open(&path).is_ok_and(|file| file.name == benchmark) {
            return Ok(path);
        }
    }
    Err(format!("no file in {} is the benchmark {benchmark}", folder.display()).into())
}

/// Trains as `cantus train FILE --recipe` does, with other settings (`KEY=VALUE`) on top, with a line for each epoch on standard error.
pub fn train(
    recipe: &Recipe,
    seed: u64,
    file: &Path,
    run: &Path,
    changes: &[String],
    epochs: Option<u32>,
) -> Result<()> {
    let named = recipe.composer.as_deref().ok_or("the recipe names no composer")?;
    let (id, configuration) = named.split_once(':').unwrap_or((named, ""));
    let spec = registry::find(id).ok_or_else(|| format!("there is no composer {id}"))?;
    let configuration = if configuration.is_empty() { spec.configurations[0].name } else { configuration };
    let mut settings: Settings = spec.settings(configuration).ok_or("there is no such configuration")?;
    recipe.settings.iter().for_each(|(key, value)| settings[key] = value.clone());
    for pair in changes {
        let (key, value) = pair.split_once('=').ok_or("write --set KEY=VALUE")?;
        settings[key] = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    }
    let corpus = cantus_corpus::read(file, &Options::default(), &mut |_| {})?;
    let set = training_set(&corpus);
    let trainable = spec.creates()?(&settings, &set, seed)?;
    let bounds = match epochs {
        Some(epochs) => Bounds { epochs: Some(epochs), minutes: None },
        None => Bounds { epochs: recipe.epochs, minutes: recipe.minutes },
    };
    let description = RunDescription {
        composer: spec.id.to_owned(),
        configuration: configuration.to_owned(),
        settings,
        seed,
        data: std::path::absolute(file)?,
        options: corpus.report.options.clone(),
        corpus: corpus_card(&corpus, recipe.benchmark.as_deref().unwrap_or_default())?,
        from: None,
        bounds,
        doctor: true,
        half: false,
        baselines: trainable.baselines(),
        unit: trainable.unit(),
        likelihood: trainable.likelihood(),
        protocol: trainable.protocol(),
        parameters: trainable.parameters(),
        created_by: concat!("cantus ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    for baseline in &description.baselines {
        eprintln!("{}: {:.3}", baseline.name, baseline.nats_per_token);
    }
    let folder = RunFolder::create(run, &description)?;
    let policy = CheckpointPolicy { epochs: 1000, every: Duration::from_secs(600) };
    let training = Training::new(
        trainable,
        set,
        folder,
        description,
        // The protocol chooses by validation alone.
        Doctor::of_figures(),
        policy,
        ("mid", &|score| cantus_formats::midi::write(score).ok()),
    )?;
    let outcome = training.run(&AtomicBool::new(false), &mut |event| {
        if let Event::Evaluated(metrics) = event {
            eprintln!(
                "{named} {} epoch {} training {:.3} validation {:.3} accuracy {:.3} rate {:.5} {:.0} frames/s {:.0} s{} {}",
                recipe.benchmark.as_deref().unwrap_or_default(),
                metrics.epoch,
                metrics.train.nats_per_token,
                metrics.valid.nats_per_token,
                metrics.valid.accuracy,
                metrics.learning_rate,
                metrics.tokens_per_second,
                metrics.seconds,
                if metrics.best { " best" } else { "" },
                metrics.remarks.iter().map(ToString::to_string).collect::<Vec<String>>().join("; "),
            );
        }
    })?;
    std::fs::write(run.join("seconds"), format!("{:.0}", outcome.seconds))?;
    Ok(())
}

/// What a model, or the mean of several, gives to the frames of the pieces.
struct Judged {
    composer: String,
    league: League,
    kind: Kind,
    set: String,
    figures: Vec<Vec<Option<FrameFigure>>>,
    parameters: usize,
    epoch: String,
    seconds: String,
}

/// Judges a run's best model.
fn judge(path: &Path, run: &Path, arguments: &Arguments) -> Result<Judged> {
    let model = ModelFile::from_bytes(&std::fs::read(run.join("best.safetensors"))?)?;
    let composer = registry::load(&model)?;
    let judge = composer.frames().ok_or_else(|| format!("{} predicts no frames", model.header.composer))?;
    let file = FrameFile::open(path)?;
    let scores = if arguments.validation { &file.valid } else { &file.test };
    let pieces: Vec<Vec<Frame>> = scores.iter().map(|score| judge.reading().frames(score)).collect();
    let every = if judge.kind() == Kind::Exact { 1 } else { arguments.every };
    let effort = Effort { every, chains: arguments.chains, temperatures: arguments.temperatures };
    let judged = Judged {
        league: judge.league(),
        kind: judge.kind(),
        set: file.name,
        figures: judge.judge_frames(&pieces, effort, 1),
        parameters: model.tensors.values().map(|tensor| tensor.values.len()).sum(),
        epoch: model.header.training.as_ref().map_or(0, |summary| summary.epoch).to_string(),
        seconds: std::fs::read_to_string(run.join("seconds")).unwrap_or_default(),
        composer: model.header.composer,
    };
    eprintln!("{} effort {effort:?}", judged.row());
    Ok(judged)
}

/// The mean of exact models in probability, frame by frame; accuracies are means as well.
fn mean_of(judged: &[Judged]) -> Option<Judged> {
    let first = judged.first().filter(|first| judged.len() > 1 && first.kind == Kind::Exact)?;
    let count = judged.len() as f64;
    let frame = |piece: usize, at: usize| -> Option<FrameFigure> {
        let of_each: Option<Vec<FrameFigure>> = judged.iter().map(|judged| judged.figures[piece][at]).collect();
        let of_each = of_each?;
        let least = of_each.iter().map(|figure| figure.nats).fold(f64::INFINITY, f64::min);
        let mean = |value: &dyn Fn(&FrameFigure) -> f64| of_each.iter().map(value).sum::<f64>() / count;
        Some(FrameFigure {
            nats: least - mean(&|figure| (least - figure.nats).exp()).ln(),
            strokes: mean(&|figure| figure.strokes),
            variance: 0.0,
            hits: mean(&|figure| figure.hits),
            union: mean(&|figure| figure.union),
        })
    };
    let frames = |(piece, figures): (usize, &Vec<_>)| (0..figures.len()).map(|at| frame(piece, at)).collect();
    Some(Judged {
        composer: format!("mean of {} {}", judged.len(), first.composer),
        set: first.set.clone(),
        figures: first.figures.iter().enumerate().map(frames).collect(),
        parameters: judged.iter().map(|judged| judged.parameters).sum(),
        epoch: String::new(),
        seconds: String::new(),
        ..*first
    })
}

impl Judged {
    /// A row of the table.
    fn row(&self) -> String {
        // A bound of frames has a partition function that is estimated.
        let estimated = self.kind != Kind::Exact;
        let primary = Mean::of(self.figures.iter().flat_map(|piece| piece.iter().skip(1).flatten()));
        let all = Mean::of(self.figures.iter().flatten().flatten());
        let by_piece: Vec<Mean> = self.figures.iter().map(|piece| Mean::of(piece.iter().skip(1).flatten())).collect();
        let counted: Vec<&Mean> = by_piece.iter().filter(|mean| mean.frames > 0).collect();
        format!(
            "| {} | {} | {} | {} | {} | {:.3} | {:.1}% | {} | {} | {} s |",
            self.composer,
            self.league,
            self.set,
            primary.print(estimated),
            all.print(estimated),
            counted.iter().map(|mean| mean.nats).sum::<f64>() / counted.len() as f64,
            100.0 * frame_accuracy(self.figures.iter().flat_map(|piece| piece.iter().skip(1).flatten())),
            self.parameters,
            self.epoch,
            self.seconds,
        )
    }
}

/// A mean over frames, with the standard error of its estimate.
struct Mean {
    nats: f64,
    error: f64,
    frames: usize,
}

impl Mean {
    fn of<'f>(figures: impl Iterator<Item = &'f FrameFigure>) -> Mean {
        let (nats, variance, frames) =
            figures.fold((0.0, 0.0, 0), |(n, v, f), figure| (n + figure.nats, v + figure.variance, f + 1));
        let count = frames as f64;
        Mean { nats: nats / count, error: variance.sqrt() / count, frames }
    }

    fn print(&self, estimated: bool) -> String {
        if estimated { format!("{:.3} ± {:.4}", self.nats, self.error) } else { format!("{:.3}", self.nats) }
    }
}
