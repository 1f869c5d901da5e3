//! `cantus studio`: the web page.

use crate::terminal::{is_broken_pipe, remark, say};
use cantus_studio::{Config, Studio};
use miette::{IntoDiagnostic, Result};
use std::path::PathBuf;

/// Open the studio, a page in your web browser: compose, listen, train.
///
/// It answers on this machine only. Trainings go on while the page is closed, and after a restart of this command. Ctrl-C saves and ends.
#[derive(clap::Args)]
pub struct Arguments {
    /// The port; 0 takes any that is free
    #[arg(long, default_value_t = 8317)]
    port: u16,
    /// The folder that keeps pieces, uploaded music and trainings; made where there is none
    #[arg(long, value_name = "DIR", default_value = "cantus-library")]
    library: PathBuf,
    /// Offer the trainings in this folder as models, too
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

pub fn run(arguments: Arguments) -> Result<()> {
    cantus_nn::buffer::keep_freed_memory();
    let Arguments { port, library, runs } = arguments;
    let studio = Studio::open(&Config { port, library, runs }).into_diagnostic()?;
    let closer = studio.closer();
    let mut stopping = false;
    ctrlc::set_handler(move || {
        if std::mem::replace(&mut stopping, true) {
            std::process::exit(1);
        }
        remark("\nsaving what is running (once more to stop at once) ...");
        closer.close();
    })
    .into_diagnostic()?;
    // That nobody reads our output is no reason not to open.
    say(format!("The studio is open: http://{}\nPress Ctrl-C to close it.", studio.address()))
        .or_else(|error| if is_broken_pipe(&error) { Ok(()) } else { Err(error) })?;
    studio.run().into_diagnostic()
}
