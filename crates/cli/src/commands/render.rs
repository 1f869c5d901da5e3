//! `cantus render`: from one format to another.

use crate::Usage;
use crate::files::{self, LimitArguments, Music, SoundArguments};
use crate::terminal::{note, printable, say};
use cantus_formats::Limits;
use cantus_formats::svg::Roll;
use cantus_score::{Score, TicksPerQuarter, with_chords};
use miette::Result;
use std::path::PathBuf;

/// Turn music from one format into another: notes, sound, or a picture.
///
/// Reads MIDI (.mid), MusicXML (.musicxml, .xml, .mxl) and ABC (.abc). Writes these as well, sound (.wav, .flac) and a piano roll: as a
/// picture (.svg), or as arrays for NumPy (.npz: `roll`, velocities 0-127 as uint8 of parts, steps, 128 pitches, at 24 steps a quarter note;
/// `struck`, `programs`, `seconds`, `bars`, `numbers`, `steps_per_quarter`).
/// Of a book of several ABC tunes each becomes a file, with its place in the book behind the name.
#[derive(clap::Args)]
pub struct Arguments {
    /// The music file
    #[arg(value_name = "FILE")]
    music: PathBuf,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl, .abc, .wav, .flac, .svg or .npz
    #[arg(short, long, value_name = "FILE", required = true)]
    output: Vec<PathBuf>,
    /// Find the chords that the music stands in, and write their symbols over it where it has none
    #[arg(long)]
    chords: bool,
    /// Say what was written as JSON, a line for each piece
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sound: SoundArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut formats = Vec::new();
    for path in &arguments.output {
        formats.push(files::output_format(path)?);
        if path == &arguments.music {
            return Err(Usage(format!("`{}` would be overwritten by itself; write elsewhere", path.display())).into());
        }
    }
    let (mut pieces, _) = files::read_pieces(&arguments.music, &arguments.limits.over(Limits::default()))?;
    let playing = arguments.sound.load(&formats)?;
    let count = pieces.len();
    for (k, Music { score, warnings }) in pieces.iter_mut().enumerate() {
        if arguments.chords {
            *score = with_chords(std::mem::replace(score, Score::new(TicksPerQuarter::DEFAULT)));
        }
        if let Some(silence) = files::silence(&arguments.music, score) {
            note(&silence);
            warnings.push(silence);
        }
        for lost in files::losses(&formats, score) {
            note(format!("{}: {lost}", printable(&arguments.music.display().to_string())));
            warnings.push(lost);
        }
        let written: Vec<PathBuf> = arguments.output.iter().map(|path| files::numbered(path, k, count)).collect();
        for path in &written {
            files::write_score(path, score, &playing, &Roll::default())?;
            if !arguments.json {
                say(path.display())?;
            }
        }
        if arguments.json {
            let (notes, title) = (score.note_count(), &score.title);
            say(serde_json::json!({ "files": written, "title": title, "notes": notes, "warnings": warnings }))?;
        }
    }
    Ok(())
}
