//! `cantus inspect`: what something is.

use crate::files;
use crate::reading::ReadingArguments;
use crate::terminal::{command, duration, printable, say, table};
use cantus_corpus::{CorpusError, Options};
use cantus_evaluation::structure::{Recurrence, recurrences};
use cantus_formats::{self as formats, Format, Limits};
use cantus_training::run_folder::RunFiles;
use cantus_training::{Metrics, RunDescription, bars};
use cantus_workshop::{self as workshop, Model, Provenance};
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Stretches that come again and are told; of more there is a number.
const MOST_RECURRENCES: usize = 12;

/// Say what a music file, a folder, a model or a run is.
#[derive(clap::Args)]
pub struct Arguments {
    /// A music file (MIDI, MusicXML, ABC), a folder of them, a model (.safetensors), a run's folder, or `default` or `chorales` for a built-in model
    what: PathBuf,
    /// List every file of a folder, not only the first refused ones
    #[arg(long)]
    verbose: bool,
    /// Draw what a model shows of itself (where its attention goes, say) to this file
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let path = &arguments.what;
    if let Some(plot) = &arguments.plot {
        return draw(&workshop::load(&path.to_string_lossy()).into_diagnostic()?, plot);
    }
    let is_model = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    if is_model || workshop::built_in(&path.to_string_lossy()).is_some() {
        return model(&workshop::load(&path.to_string_lossy()).into_diagnostic()?, arguments.json);
    }
    if path.is_dir() {
        return match RunFiles::at(path) {
            Ok(files) => run_folder(&files, arguments.json),
            Err(_) => folder(arguments),
        };
    }
    music_file(arguments)
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
    if let Some(training) = &header.training {
        let validation = &training.validation;
        lines.extend(rows([
            ("trained", format!("{} epochs, {} steps, seed {}", training.epoch, training.steps, training.seed)),
            (
                "validation",
                format!(
                    "{:.3} nats per {}, {:.3} per quarter note ({})",
                    validation.nats_per_token, validation.unit, validation.nats_per_quarter, validation.kind
                ),
            ),
        ]));
        for baseline in &training.baselines {
            let nats = format!("{:.3} nats per {}: {}", baseline.nats_per_token, validation.unit, baseline.name);
            lines.push((String::new(), nats));
        }
        lines.push(("protocol".to_owned(), validation.protocol.clone()));
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
    let options = arguments.reading.over(Options::default())?;
    // As a training reads it, which has to have two pieces.
    let (report, lack) = match cantus_corpus::read(&arguments.what, &options, &mut |_| ()) {
        Ok(corpus) => (corpus.report, None),
        Err(error) => {
            let lack = error.to_string();
            let CorpusError::Unusable { report } = error else { return Err(error).into_diagnostic() };
            (*report, Some(lack))
        }
    };
    if arguments.json {
        return say(serde_json::to_string(&report).into_diagnostic()?);
    }
    if arguments.verbose {
        say(report.verbose())?
    } else {
        say(&report)?
    }
    lack.map_or(Ok(()), |lack| say(format!("A training cannot learn from this: {lack}")))
}

fn run_folder(files: &RunFiles, json: bool) -> Result<()> {
    let description: RunDescription = files.description().into_diagnostic()?;
    let metrics: Vec<Metrics> = files.metrics().into_diagnostic()?;
    if json {
        return say(serde_json::json!({ "run": description, "metrics": metrics }));
    }
    let best = metrics.iter().rev().find(|line| line.best);
    let figures = |line: &Metrics| {
        format!(
            "epoch {}: {:.3} nats per {}, {:.3} per quarter note ({}), {:.1}% right",
            line.epoch,
            line.valid.nats_per_token,
            description.unit,
            line.valid.nats_per_quarter,
            description.likelihood,
            100.0 * line.valid.accuracy
        )
    };
    let mut lines = rows([
        ("run", files.path().display().to_string()),
        (
            "composer",
            format!(
                "{}:{}, {} parameters, seed {}",
                description.composer, description.configuration, description.parameters, description.seed
            ),
        ),
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
                .map(|line| format!("{} epochs, {} steps, {}", line.epoch, line.step, duration(line.seconds)))
                .unwrap_or_default(),
        ),
        ("best", best.map(figures).unwrap_or_default()),
        ("last", metrics.last().map(figures).unwrap_or_default()),
    ]);
    for baseline in &description.baselines {
        let nats = format!("{:.3} nats per {}: {}", baseline.nats_per_token, description.unit, baseline.name);
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

/// What comes again, in a line.
fn form(recurrences: &[Recurrence]) -> String {
    let span = |first: usize, bars: usize| match bars {
        1 => format!("bar {first}"),
        _ => format!("bars {first}-{}", first + bars - 1),
    };
    let told = recurrences.iter().take(MOST_RECURRENCES).map(|Recurrence { bar, of, bars, likeness }| {
        let percent = (likeness * 100.0).round();
        let like = if percent < 100.0 { format!(" ({percent:.0}% alike)") } else { String::new() };
        let are = if *bars == 1 { "is" } else { "are" };
        format!("{} {are} {} again{like}", span(*bar, *bars), span(*of, *bars))
    });
    let more = recurrences.len().saturating_sub(MOST_RECURRENCES);
    let more = (more > 0).then(|| format!("and {more} more"));
    told.chain(more).collect::<Vec<_>>().join("; ")
}

fn music_file(arguments: &Arguments) -> Result<()> {
    let (path, json) = (&arguments.what, arguments.json);
    let limits = arguments.reading.limits.over(Limits::default());
    let bytes = files::read(path)?;
    // Whatever its name, most music is MIDI.
    let format = Format::to_read(path).unwrap_or(Format::Midi);
    let context = || format!("reading `{}`", path.display());
    let mut pieces = formats::read(format, &bytes, &limits).into_diagnostic().wrap_err_with(context)?;
    if pieces.len() > 1 {
        // A book of tunes is as good as a folder.
        return folder(arguments);
    }
    let Some(piece) = pieces.pop() else { return folder(arguments) };
    let reading = piece.reading.into_diagnostic().wrap_err_with(context)?;
    let score = &reading.score;
    let origin = Provenance::find(&score.remarks);
    let warnings = reading.warnings;
    let seconds = score.tempo_map().seconds(score.end());
    let quarters = score.end().quarters(score.ticks_per_quarter);
    let range = score.pitch_range().map(|(low, high)| format!("{low} to {high}")).unwrap_or_default();
    let meters: Vec<String> = score.meters.iter().map(|(_, meter)| meter.to_string()).collect();
    let keys: Vec<String> = score.keys.iter().map(|(_, key)| key.to_string()).collect();
    if json {
        let parts: Vec<_> = score
            .parts
            .iter()
            .map(|part| serde_json::json!({"name": part.name, "channel": part.channel, "program": part.program().get(), "notes": part.notes.len()}))
            .collect();
        return say(serde_json::json!({
            "file": path, "notes": score.note_count(), "quarters": quarters, "seconds": seconds, "meters": meters, "keys": keys,
            "parts": parts, "origin": origin, "warnings": warnings, "title": score.title, "recurrences": recurrences(score),
        }));
    }
    let shortened = |list: &[String]| {
        let mut distinct = list.to_vec();
        distinct.dedup();
        let more = distinct.len().saturating_sub(8);
        distinct.truncate(8);
        let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
        distinct.join(", ") + &tail
    };
    let mut lines = rows([
        ("file", printable(&path.display().to_string())),
        ("title", score.title.as_deref().map(printable).unwrap_or_default()),
        (
            "length",
            format!(
                "{} ({quarters:.1} quarter notes, {} bars)",
                duration(seconds),
                score.bars().take(1_000_000).count()
            ),
        ),
        ("notes", format!("{} {range}", score.note_count())),
        ("metre", if meters.is_empty() { "none is named; read as 4/4".to_owned() } else { shortened(&meters) }),
        ("key", shortened(&keys)),
        ("form", form(&recurrences(score))),
    ]);
    for part in &score.parts {
        let name = part.name.as_deref().map(printable).unwrap_or_else(|| "unnamed".to_owned());
        let instrument = if part.drums { "drums".to_owned() } else { format!("program {}", part.program().get()) };
        lines.push((
            "part".to_owned(),
            format!("{name}: {} notes, channel {}, {instrument}", part.notes.len(), part.channel + 1),
        ));
    }
    if let Some(origin) = origin {
        let mut again: Vec<&OsStr> = vec!["compose".as_ref(), "--like".as_ref(), path.as_os_str()];
        if origin.model != workshop::DEFAULT {
            again.extend([OsStr::new("-m"), origin.model.as_ref()]);
        }
        if origin.prompt.is_some() {
            again.extend([OsStr::new("--prompt"), OsStr::new("PROMPT")]);
        }
        let again = command(again);
        lines.extend(rows([
            (
                "composed by",
                format!(
                    "cantus {} with {} (SHA-256 {})",
                    printable(&origin.version),
                    printable(&origin.model),
                    printable(origin.model_sha256.get(..16).unwrap_or(""))
                ),
            ),
            (
                "settings",
                format!(
                    "seed {}, {} bars, temperature {}, top-p {}, top-k {}",
                    origin.seed, origin.bars, origin.sampling.temperature, origin.sampling.top_p, origin.sampling.top_k
                ),
            ),
            (
                "prompt",
                origin
                    .prompt
                    .map(|prompt| {
                        format!(
                            "{} bars of a file with SHA-256 {}",
                            prompt.bars,
                            printable(prompt.sha256.get(..16).unwrap_or(""))
                        )
                    })
                    .unwrap_or_default(),
            ),
            ("again", again),
        ]));
    }
    lines.extend(warnings.into_iter().map(|warning| ("oddity".to_owned(), warning)));
    say(table(&lines))
}
