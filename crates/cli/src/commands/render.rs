//! `cantus render`: from one format to another.

use crate::Usage;
use crate::files;
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
    /// A SoundFont (.sf2) that plays instead of the built-in piano
    #[arg(long, value_name = "SF2")]
    soundfont: Option<PathBuf>,
    /// Refuse files with more notes than this
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_notes)]
    max_notes: usize,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    for path in &arguments.output {
        files::output_format(path)?;
        if path == &arguments.midi {
            return Err(Usage(format!("`{}` would be overwritten by itself; write elsewhere", path.display())).into());
        }
    }
    let score = files::read_score(&arguments.midi, &Limits { max_notes: arguments.max_notes, ..Limits::default() })?;
    let sound = files::sound(arguments.soundfont.as_deref())?;
    for path in &arguments.output {
        files::write_score(path, &score, &sound, &Roll::default())?;
        say(path.display())?;
    }
    Ok(())
}
