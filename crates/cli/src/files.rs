//! Reading and writing files, with errors that say what, where, and what to do.

use cantus_formats::midi::{self, Limits};
use cantus_formats::svg::{self, Roll};
use cantus_formats::wav::{self, Sound};
use cantus_formats::{Format, FormatError};
use cantus_score::Score;
use cantus_training::run_folder::write_atomically;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::io::{Cursor, ErrorKind};
use std::path::Path;

use crate::Usage;

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
    Format::to_read(path).map_err(usage)?;
    let reading =
        midi::read(&read(path)?, limits).into_diagnostic().wrap_err_with(|| format!("reading `{}`", path.display()))?;
    let dropped = reading.warnings_dropped;
    for warning in reading.warnings.iter().take(5) {
        eprintln!("{}: {warning}", path.display());
    }
    let more = reading.warnings.len().saturating_sub(5) + dropped;
    if more > 0 {
        eprintln!("{}: {more} more such remarks", path.display());
    }
    Ok(reading.score)
}

/// The format of an output, by its extension.
pub fn output_format(path: &Path) -> Result<Format> {
    Format::from_path(path).map_err(usage)
}

fn usage(error: FormatError) -> miette::Report {
    Usage(error.to_string()).into()
}

/// Writes `score` in the format that the extension of `path` names; under the name there is never half a file.
pub fn write_score(path: &Path, score: &Score, sound: &Sound, roll: &Roll) -> Result<()> {
    let context = || format!("writing `{}`", path.display());
    let bytes = match output_format(path)? {
        Format::Midi => midi::write(score).into_diagnostic().wrap_err_with(context)?,
        Format::Svg => svg::piano_roll(score, roll).into_diagnostic().wrap_err_with(context)?.into_bytes(),
        Format::Wav => {
            let mut bytes = Cursor::new(Vec::new());
            wav::write(score, sound, &wav::Settings::default(), &mut bytes).into_diagnostic().wrap_err_with(context)?;
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
    write_atomically(path, |file| file.write_all(bytes)).into_diagnostic()
}

/// The built-in piano, or a SoundFont file.
pub fn sound(soundfont: Option<&Path>) -> Result<Sound> {
    match soundfont {
        None => Ok(Sound::Piano),
        Some(path) => Sound::soundfont(&read(path)?)
            .into_diagnostic()
            .wrap_err_with(|| format!("reading the SoundFont `{}`", path.display())),
    }
}
