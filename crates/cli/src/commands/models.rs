//! `cantus models`: what there is to compose with.

use crate::terminal::{columns, command, printable, say};
use cantus_score::counted;
use cantus_workshop::{self as workshop, Listed};
use miette::Result;
use std::path::PathBuf;

/// List the models: the built-in ones, and those of your trainings.
///
/// Each is called by its name: `cantus compose -m NAME`. How often a machine listener tells its pieces from real ones is 50% where it cannot.
/// The figure in nats says how surprised the model is by pieces that it did not learn
/// from, per quarter note; it compares models of one kind on the same music, and no others.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder in which trainings lie
    #[arg(long, value_name = "DIR", default_value = workshop::RUNS)]
    runs: PathBuf,
    /// As JSON, a line each
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let models = workshop::models(&arguments.runs);
    if arguments.json {
        return models.iter().try_for_each(|model| say(serde_json::json!(model)));
    }
    let head = ["name", "composer", "learnt from", "told from real ones", "on other pieces", "licence"]
        .map(str::to_owned)
        .to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(models.iter().map(row)).collect();
    say(columns(&rows))?;
    if models.iter().all(|model| model.run.is_none()) {
        say(format!("\nTrain your own: {}", command(["train", "FOLDER"])))?;
    }
    say(format!("\nCompose: {}", command(["compose", "-m", "NAME"])))?;
    // Who plays is no composer, and has no row among them.
    say(format!(
        "Have a score played by the built-in `{}`: {}",
        workshop::PIANIST,
        command(["perform", "FILE", "-o", "played.mid"])
    ))
}

fn row(model: &Listed) -> Vec<String> {
    let Listed { name, composer, corpus, figure, told, .. } = model;
    let pieces = corpus.train_pieces + corpus.valid_pieces;
    let figure = figure.map(|figure| {
        let unit = figure.unit;
        format!("{:.2} nats a quarter, {:.3} a {unit} ({})", figure.nats_per_quarter, figure.nats_per_unit, figure.kind)
    });
    // Who composes by rules has learnt from nothing.
    let (learnt, unknown) = match pieces {
        0 => (printable(&corpus.name), ["", "", ""]),
        _ => {
            let learnt = format!("{} ({})", printable(&corpus.name), counted(pieces, "piece"));
            (learnt, ["not asked yet", "no figure yet", "not said"])
        }
    };
    let [asked, judged, licensed] = unknown.map(str::to_owned);
    vec![
        printable(name),
        composer.clone(),
        learnt,
        told.map_or(asked, |told| format!("{:.0}%", 100.0 * told)),
        figure.unwrap_or(judged),
        corpus.licence.as_deref().map_or(licensed, printable),
    ]
}
