//! Reading and writing files, with errors that say what, where, and what to do.

use cantus_formats::midi::{self, Limits};
use cantus_formats::svg::{self, Roll};
use cantus_formats::wav::{self, Sound};
use cantus_formats::{Format, FormatError};
use cantus_score::Score;
use cantus_training::run_folder::{RunFolderError, write_atomically};
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};

use crate::Usage;
use crate::terminal::remark;

/// What one file may cost, for commands that read MIDI.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArguments {
    /// Refuse files with more bytes than this [default: 67108864]
    #[arg(long, value_name = "N")]
    max_bytes: Option<usize>,
    /// Refuse files with more notes than this [default: 1000000]
    #[arg(long, value_name = "N")]
    max_notes: Option<usize>,
    /// Refuse files with more tracks than this [default: 4096]
    #[arg(long, value_name = "N")]
    max_tracks: Option<usize>,
    /// Refuse files that last longer than this many quarter notes [default: 1000000]
    #[arg(long, value_name = "N")]
    max_quarters: Option<u64>,
}

impl LimitArguments {
    /// `limits` with what was given here in its place.
    pub fn over(&self, limits: Limits) -> Limits {
        Limits {
            max_bytes: self.max_bytes.unwrap_or(limits.max_bytes),
            max_notes: self.max_notes.unwrap_or(limits.max_notes),
            max_tracks: self.max_tracks.unwrap_or(limits.max_tracks),
            max_quarters: self.max_quarters.unwrap_or(limits.max_quarters),
            ..limits
        }
    }
}

/// How sound is made, for commands that write it.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sound")]
pub struct SoundArguments {
    /// A SoundFont (.sf2) that plays a .wav instead of the built-in piano
    #[arg(long, value_name = "SF2")]
    soundfont: Option<PathBuf>,
    /// Refuse to write a .wav longer than this
    #[arg(long, value_name = "S", default_value_t = wav::Settings::default().max_seconds)]
    max_seconds: f64,
}

/// What plays, and how long at most.
pub struct Playing {
    sound: Sound,
    settings: wav::Settings,
}

impl SoundArguments {
    /// The built-in piano, or the SoundFont; it is read once for all pieces.
    pub fn load(&self) -> Result<Playing> {
        let sound = match &self.soundfont {
            None => Sound::Piano,
            Some(path) => Sound::soundfont(&read(path)?)
                .into_diagnostic()
                .wrap_err_with(|| format!("reading the SoundFont `{}`", path.display()))?,
        };
        Ok(Playing { sound, settings: wav::Settings { max_seconds: self.max_seconds, ..wav::Settings::default() } })
    }
}

/// The bytes of a file that a person named.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let name = path.display();
        match error.kind() {
            ErrorKind::NotFound => miette!("there is no file `{name}`; check its name"),
            ErrorKind::PermissionDenied => miette!("`{name}` may not be read; change its permissions, or copy it"),
            ErrorKind::IsADirectory => miette!("`{name}` is a folder, not a file"),
            _ => miette!("`{name}` cannot be read: {error}"),
        }
    })
}

/// A MIDI file; its oddities go to standard error.
pub fn read_score(path: &Path, limits: &Limits) -> Result<Score> {
    Ok(read_score_and_bytes(path, limits)?.0)
}

/// The same, with the file's bytes.
pub fn read_score_and_bytes(path: &Path, limits: &Limits) -> Result<(Score, Vec<u8>)> {
    Format::to_read(path).map_err(usage)?;
    let bytes = read(path)?;
    let reading =
        midi::read(&bytes, limits).into_diagnostic().wrap_err_with(|| format!("reading `{}`", path.display()))?;
    let dropped = reading.warnings_dropped;
    for warning in reading.warnings.iter().take(5) {
        remark(format!("{}: {warning}", path.display()));
    }
    let more = reading.warnings.len().saturating_sub(5) + dropped;
    if more > 0 {
        remark(format!("{}: {more} more such remarks", path.display()));
    }
    Ok((reading.score, bytes))
}

/// The format of an output, by its extension.
pub fn output_format(path: &Path) -> Result<Format> {
    Format::from_path(path).map_err(usage)
}

fn usage(error: FormatError) -> miette::Report {
    Usage(error.to_string()).into()
}

/// Writes `score` in the format that the extension of `path` names; under the name there is never half a file.
pub fn write_score(path: &Path, score: &Score, playing: &Playing, roll: &Roll) -> Result<()> {
    let context = || format!("writing `{}`", path.display());
    let bytes = match output_format(path)? {
        Format::Midi => midi::write(score).into_diagnostic().wrap_err_with(context)?,
        Format::Svg => svg::piano_roll(score, roll).into_diagnostic().wrap_err_with(context)?.into_bytes(),
        Format::Wav => {
            let mut bytes = Cursor::new(Vec::new());
            wav::write(score, &playing.sound, &playing.settings, &mut bytes)
                .into_diagnostic()
                .wrap_err_with(context)?;
            bytes.into_inner()
        }
    };
    write_bytes(path, &bytes)
}

/// Writes a file whole or not at all.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        return Err(miette!("the folder `{}` does not exist; create it, or write elsewhere", parent.display()));
    }
    if path.is_dir() {
        return Err(miette!("`{}` is a folder; name a file to write", path.display()));
    }
    match write_atomically(path, |file| file.write_all(bytes)) {
        Err(RunFolderError::DiskFull { path, .. }) => Err(miette!(
            "the disk is full: `{}` could not be written; free some space, or write elsewhere",
            path.display()
        )),
        written => written.into_diagnostic(),
    }
}
