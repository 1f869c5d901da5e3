//! `cantus inspect`: what something is.

mod finding;
mod music;

use crate::Usage;
use crate::files;
use crate::reading::ReadingArguments;
use crate::terminal::{command, duration, say, table};
use cantus_composers::registry;
use cantus_corpus::{CorpusError, Options};
use cantus_model::{Kind, Origin, of_notes};
use cantus_score::counted;
use cantus_training::run_folder::RunFiles;
use cantus_training::{Metrics, RunDescription, bars};
use cantus_workshop::{self as workshop, Model, WorkshopError};
use miette::{IntoDiagnostic, Result, miette};
use std::path::{Path, PathBuf};

/// Say what a music file, a folder, a model or a run is.
#[derive(clap::Args)]
pub struct Arguments {
    /// A music file (MIDI, MusicXML, ABC), a folder of them, a model (.safetensors, or its name in `cantus models`), or a run's folder
    what: PathBuf,
    /// List every file of a folder, not only the first refused ones
    #[arg(long)]
    verbose: bool,
    /// Judge a folder as music for this composer, or COMPOSER:CONFIGURATION [default: the one that suits what the folder holds]
    #[arg(short, long, value_name = "NAME")]
    composer: Option<String>,
    /// Draw what a model shows of itself (where its attention goes, say), or the motifs of a music file that come again, to this file
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
    /// List the bars of a folder that are most like the melody of this file: exact and near turns first, in any key, then by counts; no model is needed
    #[arg(long, value_name = "THEME", conflicts_with_all = ["composer", "plot", "verbose"])]
    find: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(theme) = &arguments.find {
        return finding::theme(arguments, theme);
    }
    let path = &arguments.what;
    let is_model = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    // A folder of music is looked at itself, whatever is built in under its name.
    if is_model || !path.is_dir() && workshop::built_in(&path.to_string_lossy()).is_some() {
        let loaded = workshop::load(&path.to_string_lossy()).into_diagnostic()?;
        return arguments.plot.as_ref().map_or_else(|| model(&loaded, arguments.json), |plot| draw(&loaded, plot));
    }
    let run = workshop::run_named(&path.to_string_lossy()).filter(|_| !path.exists());
    if let Some(plot) = arguments.plot.as_ref().filter(|_| path.is_dir() || run.is_some()) {
        return draw(&workshop::load(&path.to_string_lossy()).into_diagnostic()?, plot);
    }
    if path.is_dir() {
        return match RunFiles::at(path) {
            Ok(files) => run_folder(&files, arguments.json),
            Err(_) => folder(arguments),
        };
    }
    match run {
        Some(run) => run_folder(&RunFiles::at(run).into_diagnostic()?, arguments.json),
        None => music::file(arguments),
    }
}

fn rows(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Vec<(String, String)> {
    pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn model(model: &Model, json: bool) -> Result<()> {
    let header = &model.header;
    if json {
        return say(serde_json::json!({
            "name": model.name, "sha256": model.digest, "bytes": model.bytes, "header": header, "composer": model.composer.describe(),
            "charts": model.composer.charts(),
        }));
    }
    let corpus = &header.corpus;
    let mut lines = rows([
        ("model", format!("{} ({:.1} MB, SHA-256 {})", model.name, model.bytes as f64 / 1e6, &model.digest[..16])),
        (
            "composer",
            format!("{} (version {}), written by {}", header.composer, header.composer_version, header.created_by),
        ),
    ]);
    lines.extend(model.composer.describe());
    let styles = model.composer.styles().join(", ");
    lines.extend((!styles.is_empty()).then(|| ("styles".to_owned(), styles)));
    lines.extend(rows([
        (
            "data",
            format!(
                "{}: {} pieces to learn from, {} to judge by, {:.0} quarter notes",
                corpus.name, corpus.train_pieces, corpus.valid_pieces, corpus.quarters
            ),
        ),
        ("credit", corpus.credit.clone().unwrap_or_default()),
        ("licence", corpus.licence.clone().unwrap_or_default()),
        ("fingerprint", corpus.fingerprint.get(..16).unwrap_or(&corpus.fingerprint).to_owned()),
    ]));
    for origin in &header.origins {
        let Origin { name, corpus, .. } = origin;
        let thanks = [corpus.credit.as_deref(), corpus.licence.as_deref()].into_iter().flatten();
        let said: Vec<String> = thanks.map(|text| format!("; {text}")).collect();
        let pieces = counted(corpus.train_pieces, "piece");
        lines.push((
            "goes on from".to_owned(),
            format!("{name}, which learnt from {pieces} of {}{}", corpus.name, said.concat()),
        ));
    }
    if let Some(training) = &header.training {
        let validation = &training.validation;
        lines.extend(rows([
            (
                "trained",
                format!(
                    "{}, {}, seed {}",
                    counted(training.epoch as usize, "epoch"),
                    counted(training.steps as usize, "step"),
                    training.seed
                ),
            ),
            (
                "validation",
                format!(
                    "{:.3} {}{} ({})",
                    validation.nats_per_token,
                    validation.kind.measure(validation.unit),
                    match validation.kind {
                        Kind::None => String::new(),
                        _ => format!(
                            ", {:.3} per quarter note{}",
                            validation.nats_per_quarter,
                            of_notes(validation.nats_per_quarter_of_notes)
                        ),
                    },
                    validation.kind
                ),
            ),
        ]));
        for baseline in &training.baselines {
            let measure = validation.kind.measure(validation.unit);
            let nats = format!("{:.3} {measure}: {}", baseline.nats_per_token, baseline.name);
            lines.push((String::new(), nats));
        }
        lines.push(("protocol".to_owned(), validation.protocol.clone()));
    }
    if let Some(told) = workshop::built_in(&model.name).and_then(|built_in| built_in.told) {
        let told = format!("right about {:.0}% of excerpts, its own and real ones (50% is chance)", 100.0 * told);
        lines.push(("listener".to_owned(), told));
    }
    let sampling = model.usual_sampling();
    lines.push((
        "sampling".to_owned(),
        format!(
            "temperature {}, top-p {}, top-k {} unless told otherwise",
            sampling.temperature, sampling.top_p, sampling.top_k
        ),
    ));
    say(table(&lines))
}

/// Draws a model's charts: the first to `path`, others beside it under their names.
fn draw(model: &Model, path: &Path) -> Result<()> {
    let charts = model.composer.charts();
    if charts.is_empty() {
        return Err(miette!("composer `{}` has nothing to draw of its model", model.header.composer));
    }
    for (k, chart) in charts.iter().enumerate() {
        let to = if k == 0 { path.to_owned() } else { path.with_file_name(format!("{}.svg", chart.name)) };
        files::write_bytes(&to, bars::render(chart).as_bytes())?;
        say(format!("{}: {}", to.display(), chart.title))?;
    }
    Ok(())
}

fn folder(arguments: &Arguments) -> Result<()> {
    let options = arguments.reading.over(Options::open())?;
    let asked = arguments.composer.as_deref().map(registry::choose).transpose();
    let asked = asked.map_err(|error| Usage(error.to_string()))?;
    // As a training reads it, which has to have two pieces.
    let (report, verdict) = match workshop::gather(&arguments.what, &options, asked, &mut |_| ()) {
        Ok(found) => {
            let verdict = if asked.is_none() { Some(format!("In a training, {}", found.why())) } else { None };
            (found.corpus.report, verdict)
        }
        Err(error) => {
            let lack = error.to_string();
            let WorkshopError::Corpus(CorpusError::Unusable { report }) = error else {
                return Err(error).into_diagnostic();
            };
            (*report, Some(format!("A training cannot learn from this: {lack}")))
        }
    };
    if arguments.json {
        let mut json = serde_json::to_value(&report).into_diagnostic()?;
        json["verdict"] = serde_json::json!(verdict);
        return say(json);
    }
    if arguments.verbose {
        say(report.verbose())?
    } else {
        say(&report)?
    }
    verdict.map_or(Ok(()), say)
}

fn run_folder(files: &RunFiles, json: bool) -> Result<()> {
    let description: RunDescription = files.description().into_diagnostic()?;
    let metrics: Vec<Metrics> = files.metrics().into_diagnostic()?;
    if json {
        return say(serde_json::json!({ "run": description, "metrics": metrics }));
    }
    let best = metrics.iter().rev().find(|line| line.best);
    let figures =
        |line: &Metrics| format!("epoch {}: {}", line.epoch, line.valid.told(description.likelihood, description.unit));
    let mut lines = rows([
        ("run", files.path().display().to_string()),
        (
            "composer",
            format!(
                "{}:{}, {} parameters, seed {}",
                description.composer, description.configuration, description.parameters, description.seed
            ),
        ),
        ("goes on from", description.from.clone().unwrap_or_default()),
        (
            "data",
            format!(
                "{} ({} + {} pieces)",
                description.data.display(),
                description.corpus.train_pieces,
                description.corpus.valid_pieces
            ),
        ),
        (
            "trained",
            metrics
                .last()
                .map(|line| {
                    let (epochs, steps) = (counted(line.epoch as usize, "epoch"), counted(line.step as usize, "step"));
                    format!("{epochs}, {steps}, {}", duration(line.seconds))
                })
                .unwrap_or_default(),
        ),
        ("best", best.map(figures).unwrap_or_default()),
        ("last", metrics.last().map(figures).unwrap_or_default()),
    ]);
    for baseline in &description.baselines {
        let measure = description.likelihood.measure(description.unit);
        let nats = format!("{:.3} {measure}: {}", baseline.nats_per_token, baseline.name);
        lines.push((String::new(), nats));
    }
    for line in &metrics {
        lines.extend(line.remarks.iter().map(|remark| (format!("epoch {}", line.epoch), remark.to_string())));
    }
    let checkpoints = files.checkpoints().into_diagnostic()?;
    let newest = checkpoints.last().map(|checkpoint| {
        let resume = ["train".as_ref(), "--resume".as_ref(), "-o".as_ref(), files.path().as_os_str()];
        format!("step {}; go on with: {}", checkpoint.step, command(resume))
    });
    lines.extend(rows([
        ("checkpoint", newest.unwrap_or_default()),
        ("compose", command(["compose".as_ref(), "-m".as_ref(), files.path().as_os_str()])),
    ]));
    say(table(&lines))
}
