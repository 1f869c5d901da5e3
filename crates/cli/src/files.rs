//! Reading and writing files, with errors that say what, where, and what to do.

use cantus_evaluation::structure::recurrences;
use cantus_formats::svg::Roll;
use cantus_formats::wav::{self, Sound};
use cantus_formats::{self as formats, Format, FormatError, Limits, Reading, Rendering};
use cantus_score::Score;
use cantus_training::run_folder::{RunFolderError, write_atomically};
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::path::{Path, PathBuf};

use crate::Usage;
use crate::terminal::remark;

/// What one file may cost, for commands that read music.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArguments {
    /// Refuse files with more bytes than this [default: 67108864]
    #[arg(long, value_name = "N")]
    max_bytes: Option<usize>,
    /// Refuse files with more notes than this [default: 1000000]
    #[arg(long, value_name = "N")]
    max_notes: Option<usize>,
    /// Drop controllers, bends, pedal and program changes, lyrics and markers beyond this many, with a warning [default: 1000000]
    #[arg(long, value_name = "N")]
    max_controls: Option<usize>,
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
            max_controls: self.max_controls.unwrap_or(limits.max_controls),
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
    /// A SoundFont (.sf2) that plays a .wav or .flac instead of the built-in piano
    #[arg(long, value_name = "SF2")]
    soundfont: Option<PathBuf>,
    /// Refuse to write sound longer than this
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
    cantus_workshop::read(path).into_diagnostic()
}

/// The pieces in a music file, and its bytes; oddities go to standard error. A tune that cannot be read is one, as long as another can.
pub fn read_pieces(path: &Path, limits: &Limits) -> Result<(Vec<Score>, Vec<u8>)> {
    let format = Format::to_read(path).map_err(usage)?;
    let bytes = read(path)?;
    let context = || format!("reading `{}`", path.display());
    let pieces = formats::read(format, &bytes, limits).into_diagnostic().wrap_err_with(context)?;
    let mut scores = Vec::new();
    let mut refused = None;
    for piece in pieces {
        match piece.reading {
            Ok(reading) => {
                tell_oddities(path, &reading);
                scores.push(reading.score);
            }
            Err(error) => {
                if refused.is_some() || !scores.is_empty() {
                    remark(format!("{}: {error}", path.display()));
                }
                refused.get_or_insert(error);
            }
        }
    }
    match refused {
        Some(error) if scores.is_empty() => Err(error).into_diagnostic().wrap_err_with(context),
        _ => Ok((scores, bytes)),
    }
}

fn tell_oddities(path: &Path, reading: &Reading) {
    for warning in reading.warnings.iter().take(5) {
        remark(format!("{}: {warning}", path.display()));
    }
    let more = reading.warnings.len().saturating_sub(5) + reading.warnings_dropped;
    if more > 0 {
        remark(format!("{}: {more} more such remarks", path.display()));
    }
}

/// The piece in a music file; its oddities go to standard error.
pub fn read_score(path: &Path, limits: &Limits) -> Result<Score> {
    Ok(read_score_and_bytes(path, limits)?.0)
}

/// The same, with the file's bytes.
pub fn read_score_and_bytes(path: &Path, limits: &Limits) -> Result<(Score, Vec<u8>)> {
    let (mut scores, bytes) = read_pieces(path, limits)?;
    let count = scores.len();
    match scores.pop() {
        Some(score) if count == 1 => Ok((score, bytes)),
        _ => {
            Err(miette!("`{}` holds {count} tunes, and one is needed: cut it out, or render it first", path.display()))
        }
    }
}

/// `piece.mid` of three becomes `piece-1.mid`, of ten `piece-01.mid`.
pub fn numbered(path: &Path, k: usize, count: usize) -> PathBuf {
    if count == 1 {
        return path.to_owned();
    }
    let width = count.to_string().len();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{:0width$}.{extension}", k + 1))
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
    let format = output_format(path)?;
    let mut roll = roll.clone();
    if format == Format::Svg {
        // A picture shows which bars come again, and from where.
        let label =
            |of: usize, bars: usize| if bars == 1 { format!("= {of}") } else { format!("= {of}-{}", of + bars - 1) };
        roll.labels = recurrences(score).iter().map(|found| (found.bar, label(found.of, found.bars))).collect();
    }
    let rendering = Rendering { sound: &playing.sound, settings: playing.settings, roll };
    let bytes = formats::write(format, score, &rendering)
        .into_diagnostic()
        .wrap_err_with(|| format!("writing `{}`", path.display()))?;
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
