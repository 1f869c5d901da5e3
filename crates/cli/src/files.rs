//! Reading and writing files, with errors that say what, where, and what to do.

use cantus_evaluation::structure::recurrences;
use cantus_formats::svg::Roll;
use cantus_formats::wav::{self, Sound};
use cantus_formats::{self as formats, Format, FormatError, Limits, Reading, Rendering};
use cantus_score::{Score, Unpitched};
use cantus_training::run_folder::{RunFolderError, write_atomically};
use cantus_workshop as workshop;
use clap::builder::{OsStringValueParser, TypedValueParser};
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::terminal::{note, printable};
use crate::{Usage, soundfonts};

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
    /// What plays a .wav or .flac: built-in (instruments; a piano where the music names none), choir (it sings all parts but drums, with the
    /// words of the music), or a SoundFont (its .sf2 file)
    #[arg(
        long,
        visible_alias = "soundfont",
        value_name = "SOUND",
        default_value = "built-in",
        value_parser = OsStringValueParser::new().try_map(named)
    )]
    sound: Named,
    /// Refuse to write sound longer than this
    #[arg(long, value_name = "S", default_value_t = wav::Settings::default().max_seconds)]
    max_seconds: f64,
}

/// A sound that a person named.
#[derive(Clone, Debug)]
enum Named {
    Known(String),
    SoundFont(PathBuf),
}

fn named(name: OsString) -> std::result::Result<Named, String> {
    if let Some(known) = name.to_str().filter(|name| Sound::named(name).is_some()) {
        return Ok(Named::Known(known.to_owned()));
    }
    let path = PathBuf::from(name);
    // A misspelt name is no file.
    if path.extension().is_none() {
        return Err("name built-in, choir, or the .sf2 file of a SoundFont".to_owned());
    }
    Ok(Named::SoundFont(path))
}

/// What plays, and how long at most.
pub struct Playing {
    sound: Sound,
    settings: wav::Settings,
}

impl SoundArguments {
    /// What was named; a SoundFont is read once for all pieces. Where the built-in instruments play, one of the `outputs` is sound and a
    /// SoundFont lies in a usual place, a note says how it would be used.
    pub fn load(&self, outputs: &[Format]) -> Result<Playing> {
        let is_sound = outputs.iter().any(|format| format.is_sound());
        let sound = match &self.sound {
            Named::Known(name) => Sound::named(name).unwrap_or_default(),
            Named::SoundFont(path) => Sound::soundfont(&read(path)?)
                .into_diagnostic()
                .wrap_err_with(|| format!("reading the SoundFont `{}`", path.display()))?,
        };
        if matches!(sound, Sound::BuiltIn)
            && is_sound
            && let Some(path) = soundfonts::first(&soundfonts::usual_folders(|name| std::env::var_os(name)))
        {
            note(format!(
                "the built-in instruments play; with `--sound {}` that SoundFont does",
                printable(&path.display().to_string())
            ));
        }
        Ok(Playing { sound, settings: wav::Settings { max_seconds: self.max_seconds, ..wav::Settings::default() } })
    }
}

/// The one file that a model is to be written to; `example` is a name that it could have.
pub fn model_output<'a>(outputs: &'a [PathBuf], example: &str) -> Result<&'a Path> {
    let [output] = outputs else {
        return Err(Usage(format!("name one file for the model: -o {example}")).into());
    };
    if output.extension().is_none_or(|extension| extension != "safetensors") {
        return Err(Usage(format!("`{}` is no name of a model: it ends with .safetensors", output.display())).into());
    }
    Ok(output)
}

/// The bytes of a file that a person named.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    cantus_workshop::read(path).into_diagnostic()
}

/// Music that a person named, and what its reader had to say.
pub struct Music {
    /// The piece.
    pub score: Score,
    /// What was odd about it: told already.
    pub warnings: Vec<String>,
}

/// The pieces in a music file, and its bytes; what is odd about them is told. A tune that cannot be read is so, as long as another can.
pub fn read_pieces(path: &Path, limits: &Limits) -> Result<(Vec<Music>, Vec<u8>)> {
    let format = Format::to_read(path).map_err(usage)?;
    let bytes = read(path)?;
    let context = || format!("reading `{}`", path.display());
    let pieces = formats::read(format, &bytes, limits).into_diagnostic().wrap_err_with(context)?;
    let mut music: Vec<Music> = Vec::new();
    let mut refused = Vec::new();
    for piece in pieces {
        match piece.reading {
            Ok(reading) => {
                let warnings = oddities(&reading);
                music.push(Music { score: reading.score, warnings });
            }
            Err(error) => refused.push(error),
        }
    }
    let Some(first) = music.first_mut() else {
        let Some(error) = refused.into_iter().next() else {
            return Err(miette!("`{}` holds no piece: name another file", path.display()));
        };
        return Err(error).into_diagnostic().wrap_err_with(context);
    };
    first.warnings.extend(refused.iter().map(ToString::to_string));
    for warning in music.iter().flat_map(|music| &music.warnings) {
        note(format!("{}: {}", printable(&path.display().to_string()), printable(warning)));
    }
    Ok((music, bytes))
}

/// All that a reader had to say, and whether the music begins late.
pub fn oddities(reading: &Reading) -> Vec<String> {
    let more = (reading.warnings_dropped > 0).then(|| format!("{} more such remarks", reading.warnings_dropped));
    reading.warnings.iter().cloned().chain(more).chain(workshop::silence(&reading.score)).collect()
}

/// The piece in a music file, and the file's bytes; what is odd about it is told.
pub fn read_music(path: &Path, limits: &Limits) -> Result<(Music, Vec<u8>)> {
    let (mut pieces, bytes) = read_pieces(path, limits)?;
    let count = pieces.len();
    match pieces.pop() {
        Some(piece) if count == 1 => Ok((piece, bytes)),
        _ => Err(miette!(
            "`{}` holds {count} tunes, and one is needed: `cantus render {} -o tune.abc` makes a file of each",
            path.display(),
            path.display()
        )),
    }
}

/// What a piece without any note is said to be: what is written of it is silent.
pub fn silence(path: &Path, score: &Score) -> Option<String> {
    let unpitched = Unpitched::of(score).filter(|unpitched| unpitched.strokes == 0)?;
    Some(format!(
        "{}: it holds {unpitched}, so what is written of it is silent",
        printable(&path.display().to_string())
    ))
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

/// Where pieces are written.
pub struct Outputs {
    /// For each piece its files.
    paths: Vec<Vec<PathBuf>>,
    /// Of each piece's files.
    pub formats: Vec<Format>,
}

impl Outputs {
    /// For `count` pieces: what a person `named`, or else `usual`.
    pub fn new(named: &[PathBuf], usual: &str, count: usize, force: bool) -> Result<Outputs> {
        let usual_path = [PathBuf::from(usual)];
        let of_one = if named.is_empty() { &usual_path } else { named };
        let formats = of_one.iter().map(|path| output_format(path)).collect::<Result<Vec<Format>>>()?;
        let paths = match named {
            [] => free_names(usual, count, force).into_iter().map(|path| vec![path]).collect(),
            _ => (0..count).map(|k| named.iter().map(|path| numbered(path, k, count)).collect()).collect(),
        };
        Ok(Outputs { paths, formats })
    }

    /// The files of a piece.
    pub fn of(&self, piece: usize) -> Vec<PathBuf> {
        self.paths.get(piece).cloned().unwrap_or_default()
    }
}

/// The names under which `count` pieces are written where a person gave none: those of [`numbered`], or with higher numbers where files
/// of these names are there already, so that nothing is lost; with `force` they are written over.
fn free_names(name: &str, count: usize, force: bool) -> Vec<PathBuf> {
    let path = Path::new(name);
    let usual: Vec<PathBuf> = (0..count).map(|k| numbered(path, k, count)).collect();
    let Some(taken) = usual.iter().find(|path| path.exists()).filter(|_| !force) else { return usual };
    let mut first = 1;
    loop {
        // With a number that is not the only one.
        let names: Vec<PathBuf> = (first..first + count).map(|k| numbered(path, k, first + count)).collect();
        match names.iter().rposition(|path| path.exists()) {
            Some(last) => first += last + 1,
            None => {
                note(format!(
                    "`{}` is there already; writing `{}` (--force writes over it)",
                    taken.display(),
                    names[0].display()
                ));
                return names;
            }
        }
    }
}

/// The format of an output, by its extension.
pub fn output_format(path: &Path) -> Result<Format> {
    Format::from_path(path).map_err(usage)
}

fn usage(error: FormatError) -> miette::Report {
    Usage(error.to_string()).into()
}

/// What of a score these formats have no place for, each said once.
pub fn losses(written: &[Format], score: &Score) -> Vec<String> {
    let mut lost: Vec<String> = Vec::new();
    for loss in written.iter().filter_map(|format| formats::losses(*format, score)) {
        if !lost.contains(&loss) {
            lost.push(loss);
        }
    }
    lost
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
