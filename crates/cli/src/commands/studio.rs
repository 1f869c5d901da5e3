//! `cantus studio`: the web page.

use crate::terminal::{is_broken_pipe, remark, say};
use cantus_studio::{Config, Studio};
use miette::{IntoDiagnostic, Result};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Open the studio, a page in your web browser: compose, listen, train.
///
/// The page opens in your browser, and its address is printed. It answers on this machine only. Trainings go on while the page is closed, and after a restart of this command. Ctrl-C saves and ends.
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
    /// Only print the address, and open no browser
    #[arg(long)]
    no_browser: bool,
}

pub fn run(arguments: Arguments) -> Result<()> {
    cantus_nn::buffer::keep_freed_memory();
    let Arguments { port, library, runs, no_browser } = arguments;
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
    if !no_browser {
        // The port is taken already: a browser that is quicker than the studio waits for it.
        open_in_browser(&format!("http://{}", studio.address()));
    }
    studio.run().into_diagnostic()
}

/// Shows a page in the person's browser, where there is one: the address stands on the terminal in any case.
fn open_in_browser(address: &str) {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        Command::new("explorer")
    } else {
        Command::new("xdg-open")
    };
    let is_headless =
        cfg!(target_os = "linux") && ["DISPLAY", "WAYLAND_DISPLAY"].iter().all(|name| std::env::var_os(name).is_none());
    if is_headless {
        return;
    }
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Ok(mut child) = command.spawn() {
        // Waited for, so that no process is left behind; whether it found a browser is the desktop's concern.
        std::thread::spawn(move || child.wait());
    }
}
