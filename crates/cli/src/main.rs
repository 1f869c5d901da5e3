//! The command line program `cantus`.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage.

mod cells;
mod commands;
mod files;
mod pieces;
mod reading;
mod soundfonts;
mod terminal;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Trains composers on folders of music, and writes new music.
///
/// `cantus compose` writes a piece at once, with the model that is built in. `cantus train FOLDER` learns from your own MIDI, MusicXML or ABC files, in
/// minutes, and then composes in their style.
#[derive(Parser)]
#[command(name = "cantus", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How many threads work [default: one for each core that the system gives]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

// No doc comments on the variants: they would hide the longer ones of the arguments.
#[derive(Subcommand)]
enum Command {
    Compose(Box<commands::compose::Arguments>),
    Harmonise(commands::harmonise::Arguments),
    // tidy: allow(registry): the command is called so
    Accompany(commands::accompany::Arguments),
    Blend(commands::blend::Arguments),
    Vary(commands::vary::Arguments),
    Texture(commands::texture::Arguments),
    Perform(commands::perform::Arguments),
    Listen(commands::listen::Arguments),
    Train(commands::train::Arguments),
    Inspect(commands::inspect::Arguments),
    Evaluate(commands::evaluate::Arguments),
    Map(commands::map::Arguments),
    Render(commands::render::Arguments),
    Models(commands::models::Arguments),
    Composers(commands::composers::Arguments),
    Studio(commands::studio::Arguments),
}

/// The command line asks for something that makes no sense: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

impl miette::Diagnostic for Usage {}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(threads) = arguments.threads {
        // Nothing has begun to work yet: there is no other pool.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
    }
    let done = match arguments.command {
        Command::Compose(arguments) => commands::compose::run(&arguments),
        Command::Harmonise(arguments) => commands::harmonise::run(&arguments),
        // tidy: allow(registry): the command is called so
        Command::Accompany(arguments) => commands::accompany::run(&arguments),
        Command::Blend(arguments) => commands::blend::run(&arguments),
        Command::Vary(arguments) => commands::vary::run(&arguments),
        Command::Texture(arguments) => commands::texture::run(&arguments),
        Command::Perform(arguments) => commands::perform::run(&arguments),
        Command::Listen(arguments) => commands::listen::run(&arguments),
        Command::Train(arguments) => commands::train::run(arguments),
        Command::Inspect(arguments) => commands::inspect::run(&arguments),
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments),
        Command::Map(arguments) => commands::map::run(&arguments),
        Command::Render(arguments) => commands::render::run(&arguments),
        Command::Models(arguments) => commands::models::run(&arguments),
        Command::Composers(arguments) => commands::composers::run(&arguments),
        Command::Studio(arguments) => commands::studio::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output has gone (`cantus inspect ... | head`): nobody is left to be told.
        Err(report) if terminal::is_broken_pipe(&report) => ExitCode::SUCCESS,
        Err(report) => {
            terminal::remark(format!("{report:?}"));
            ExitCode::from(if report.downcast_ref::<Usage>().is_some() { 2 } else { 1 })
        }
    }
}
