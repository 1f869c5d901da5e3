//! How listeners learn, and are put to the test.

use super::Arguments;
use crate::Usage;
use crate::commands::train::{Recipe, read_recipe, reading, settings_over};
use crate::files;
use crate::terminal::{bar, columns, command, say};
use cantus_corpus::Options;
use cantus_model::Precision;
use cantus_workshop::{self as workshop, Exam};
use miette::{IntoDiagnostic, Result};
use std::path::{Path, PathBuf};

/// How a listener learns.
#[derive(clap::Args)]
#[command(next_help_heading = "Training")]
pub(super) struct LearningArguments {
    /// Learn from a folder of music that is as it should be, or from a benchmark file, in the place of listening
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["files", "mend", "model"], requires = "output")]
    pub train: Option<PathBuf>,
    /// Put a listener to the test with music of a folder that it has not learnt from (the pieces that `--train` leaves out), or with a
    /// benchmark file's test pieces
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["files", "mend", "train", "output"])]
    pub exam: Option<PathBuf>,
    /// The seed of a training or an exam [default: 1]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Change a setting, as in --set steps=12000
    #[arg(long, value_name = "KEY=VALUE", requires = "train")]
    pub set: Vec<String>,
    /// Take settings, seed, licence and credit from a recipe (.toml); options given here come first
    #[arg(long, value_name = "FILE", requires = "train")]
    pub recipe: Option<PathBuf>,
    /// Store the model in 16 bits: half the size
    #[arg(long, requires = "train")]
    pub half: bool,
}

pub(super) fn train(arguments: &Arguments, folder: &Path) -> Result<()> {
    let learning = &arguments.learning;
    let output = files::model_output(&arguments.output, "listener.safetensors")?;
    let recipe: Recipe = learning.recipe.as_deref().map(read_recipe).transpose()?.unwrap_or_default();
    let settings = settings_over(recipe.settings, &learning.set)?;
    let settings = workshop::proofreader_settings(&settings).map_err(Usage)?;
    let seed = learning.seed.or(recipe.seed).unwrap_or(1);
    let options = arguments.reading.over(Options::default())?;
    let corpus = reading(|told| workshop::gather_music(folder, &options, told)).into_diagnostic()?;
    if arguments.json {
        say(serde_json::json!({"preflight": corpus.report}))?;
    } else {
        say(&corpus.report)?;
    }
    let progress = bar(1000, "learning {wide_bar} {percent}%");
    let name = if recipe.data.is_empty() {
        folder.file_name().map_or_else(|| "music".to_owned(), |name| name.to_string_lossy().into_owned())
    } else {
        recipe.data
    };
    let mut tenth = 0;
    let model = workshop::teach(&corpus, settings, seed, (&name, recipe.licence, recipe.credit), &mut |share, loss| {
        progress.set_position((share * 1000.0) as u64);
        let now = (share * 10.0) as u32;
        if now > tenth {
            tenth = now;
            let line = if arguments.json {
                serde_json::json!({"done": share, "loss": loss}).to_string()
            } else {
                format!("{:>3.0}%   {loss:.3} nats a note", 100.0 * share)
            };
            // That nobody reads our output is no reason not to learn.
            progress.suspend(|| say(line)).unwrap_or_default();
        }
    });
    progress.finish_and_clear();
    let precision = if learning.half || recipe.half { Precision::Half } else { Precision::Full };
    files::write_bytes(output, &model.into_diagnostic()?.to_bytes(precision).into_diagnostic()?)?;
    if arguments.json {
        return Ok(());
    }
    let listen = ["listen".as_ref(), "-m".as_ref(), output.as_os_str(), "PIECE".as_ref()];
    say(format!("model    {}\nlisten   {}", output.display(), command(listen)))
}

pub(super) fn examine(arguments: &Arguments, folder: &Path) -> Result<()> {
    let ear = workshop::ear(arguments.model.as_deref()).into_diagnostic()?;
    let options = arguments.reading.over(Options::default())?;
    let seed = arguments.learning.seed.unwrap_or(1);
    let (pieces, exam) = reading(|told| workshop::examine(&ear, folder, &options, seed, told)).into_diagnostic()?;
    let rows = rows(&exam);
    if arguments.json {
        let figures: serde_json::Map<String, serde_json::Value> =
            rows.into_iter().map(|(name, figure, _)| (name, figure.into())).collect();
        return say(serde_json::json!({"pieces": pieces, "seed": seed, "figures": figures}));
    }
    let line = |(name, figure, unit): (String, f64, &str)| match unit {
        "%" => vec![name, format!("{:.1}%", 100.0 * figure)],
        _ => vec![name, format!("{figure:.3}")],
    };
    let head = vec![format!("{pieces} pieces that it has not learnt from, seed {seed}"), String::new()];
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows.into_iter().map(line)).collect();
    say(columns(&rows))
}

/// Figures, each with its name and its unit.
fn rows(exam: &Exam) -> Vec<(String, f64, &'static str)> {
    let mut rows: Vec<(String, f64, &'static str)> = Vec::new();
    for (what, told) in &exam.told {
        rows.push((format!("sound above {what}"), *told, ""));
    }
    for (what, sound) in exam.soundness.iter().chain(&exam.searches) {
        rows.push((format!("soundness of {what}"), *sound, ""));
    }
    if exam.asked > 0 {
        rows.push(("one note moved: its bar of 16 named first".to_owned(), exam.bar[0], "%"));
        rows.push(("its bar among the first three".to_owned(), exam.bar[1], "%"));
    }
    for (how, [back, touched]) in &exam.mended {
        rows.push((format!("mended, 5% of the notes broken ({how}): put back"), *back, "%"));
        rows.push((format!("mended, 5% of the notes broken ({how}): sound ones touched"), *touched, "%"));
    }
    rows
}
