//! `cantus render`: from one format to another.

use crate::Usage;
use crate::files::{self, LimitArguments, SoundArguments};
use crate::terminal::say;
use cantus_formats::midi::Limits;
use cantus_formats::svg::Roll;
use miette::Result;
use std::path::PathBuf;

/// Turn a MIDI file into sound (.wav), a piano roll (.svg), or a clean MIDI file (.mid).
#[derive(clap::Args)]
pub struct Arguments {
    /// The MIDI file
    midi: PathBuf,
    /// Where to write, may be given several times: .wav, .svg or .mid
    #[arg(short, long, value_name = "FILE", required = true)]
    output: Vec<PathBuf>,
    #[command(flatten)]
    sound: SoundArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    for path in &arguments.output {
        files::output_format(path)?;
        if path == &arguments.midi {
            return Err(Usage(format!("`{}` would be overwritten by itself; write elsewhere", path.display())).into());
        }
    }
    let score = files::read_score(&arguments.midi, &arguments.limits.over(Limits::default()))?;
    let playing = arguments.sound.load()?;
    for path in &arguments.output {
        files::write_score(path, &score, &playing, &Roll::default())?;
        say(path.display())?;
    }
    Ok(())
}
