//! `cantus render`: from one format to another.

use crate::Usage;
use crate::files::{self, LimitArguments, SoundArguments};
use crate::terminal::say;
use cantus_formats::Limits;
use cantus_formats::svg::Roll;
use miette::Result;
use std::path::PathBuf;

/// Turn music from one format into another: notes, sound, or a picture.
///
/// Reads MIDI (.mid), MusicXML (.musicxml, .xml, .mxl) and ABC (.abc). Writes these as well, sound (.wav, .flac) and a piano roll (.svg).
/// Of a book of several ABC tunes each becomes a file, with its place in the book behind the name.
#[derive(clap::Args)]
pub struct Arguments {
    /// The music file
    #[arg(value_name = "FILE")]
    music: PathBuf,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl, .abc, .wav, .flac or .svg
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
        if path == &arguments.music {
            return Err(Usage(format!("`{}` would be overwritten by itself; write elsewhere", path.display())).into());
        }
    }
    let (scores, _) = files::read_pieces(&arguments.music, &arguments.limits.over(Limits::default()))?;
    let playing = arguments.sound.load()?;
    for (k, score) in scores.iter().enumerate() {
        for path in &arguments.output {
            let path = files::numbered(path, k, scores.len());
            files::write_score(&path, score, &playing, &Roll::default())?;
            say(path.display())?;
        }
    }
    Ok(())
}
