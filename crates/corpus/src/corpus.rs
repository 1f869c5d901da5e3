//! Reading a folder, one file at a time.

use crate::advice;
use crate::beats::Beats;
use crate::divide::divided;
use crate::files::{self, Found, LoadError};
use crate::frames::{self, FrameFileError, is_frame_file};
use crate::holdings::{Kinds, Music};
use crate::preflight::{grouped, printable};
use crate::{
    ContentHash, FileReport, Options, OptionsError, Preflight, Prepared, Reason, Totals, Usage, Verdict, Warning,
    prepare,
};
use cantus_formats::{self as formats, Format};
use cantus_score::{Key, Meter, Reading, Score};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Of so many pieces one has to be a clip where a folder is one of clips.
const CLIPS: usize = 3;
/// Bars of silence before the music that are worth a word.
const SILENCE: u64 = 4;

/// Pieces to learn from, and how they were found.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// In order of their hashes, so that file names have no influence on a training run.
    pub pieces: Vec<Piece>,
    /// What became of each file.
    pub report: Preflight,
    /// Whether it is known where a pitch that sounds on is struck again: music files say so, benchmark files do not.
    pub attacks: bool,
}

/// A piece on the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Its file, relative to the folder.
    pub path: String,
    /// What it is known by.
    pub hash: ContentHash,
    /// On which side it stands.
    pub split: Split,
    /// Its notes, in one part, in steps of the grid.
    pub score: Score,
    /// Its length in quarter notes, silence at the beginning left out.
    pub quarters: f64,
}

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// A composer learns from it.
    Train,
    /// It tells how well a composer has learnt.
    Valid,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Split::Train => "train",
            Split::Valid => "valid",
        })
    }
}

/// How far the reading has come. Told before each file, and once at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Files read.
    pub done: usize,
    /// Files to read.
    pub total: usize,
    /// The file that comes next, relative to the folder, ready for printing; empty at the end.
    pub path: &'a str,
}

/// Why there is no corpus.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The folder is not there.
    #[error("there is no folder `{}`: check its name", path.display())]
    NotFound {
        /// Its name.
        path: PathBuf,
    },
    /// The folder is there, but closed.
    #[error("`{}` may not be read: change its permissions, or copy it to a place of yours", path.display())]
    NotPermitted {
        /// Its name.
        path: PathBuf,
    },
    /// Neither a folder nor a file.
    #[error("`{}` is neither a folder nor a file: name a folder of music files", path.display())]
    NotAFolder {
        /// Its name.
        path: PathBuf,
    },
    /// The system failed otherwise.
    #[error("`{}` cannot be read: {source}", path.display())]
    Io {
        /// Its name.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of frames that is none.
    #[error("`{}` {problem}", path.display())]
    Frames {
        /// Its name.
        path: PathBuf,
        /// What is wrong.
        problem: FrameFileError,
    },
    /// An option outside its range.
    #[error("{0}")]
    Options(#[from] OptionsError),
    /// Fewer than two pieces can be used: there has to be one to train on and one to validate.
    #[error("{}", advice::unusable(report))]
    Unusable {
        /// What was found, and why it cannot be used: to be printed.
        report: Box<Preflight>,
    },
}

impl Corpus {
    /// The pieces of one side.
    pub fn pieces_of(&self, split: Split) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(move |piece| piece.split == split)
    }

    /// A hash over all notes, metres, tempos and the split: equal for equal music, whatever the files are called.
    ///
    /// Unlike the pieces' own hashes it sees keys and durations: what a composer learns from is the same if, and only if, this is.
    pub fn fingerprint(&self) -> ContentHash {
        ContentHash::of_corpus(self.pieces.iter().map(|piece| (piece.split as u8, &piece.score)))
    }
}

/// The corpus in `folder`, or in a single file; a file of frames brings its own split ([`crate::FrameFile`]).
///
/// A piece is for validation where its hash, taken as a number from 0 to 1, is less than [`Options::valid_share`]. One exception:
/// neither side stays empty. Without a validation piece the one with the smallest hash becomes it, without a training piece the one
/// with the largest; only then can a new file move another. A piece that is alone is divided at a bar line, where it is long enough:
/// its end is for validation.
///
/// # Errors
/// Where the folder cannot be read, an option is out of range, or there are no two pieces; a single bad file is no error, but a line of
/// the report.
pub fn read(folder: &Path, options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Corpus, CorpusError> {
    let mut corpus = survey(folder, options, progress)?;
    if let [alone] = &corpus.pieces[..]
        && let Some((pieces, remark)) = divided(alone, options)
    {
        corpus.pieces = pieces.into();
        let totals = &mut corpus.report.totals;
        (totals.train, totals.valid) = (1, 1);
        corpus.report.remarks.insert(0, remark);
    }
    match corpus.pieces.len() {
        0 | 1 => Err(CorpusError::Unusable { report: Box::new(corpus.report) }),
        _ => Ok(corpus),
    }
}

/// As [`read`], but contented with one piece or none: for looking at a folder or a file. A single piece is for training. A benchmark
/// file brings its own split, and its own grid.
///
/// # Errors
/// Where the folder cannot be read or an option is out of range.
pub fn survey(folder: &Path, options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Corpus, CorpusError> {
    options.check()?;
    if is_frame_file(folder) {
        return frames::corpus(folder, options);
    }
    let (root, found) = look(folder)?;
    let mut settled = options.settled();
    let mut gathered = Gathered::read(root, &found, &settled, progress);
    // What nobody asked for may follow from what was found: then it is read again, as suits it.
    let mut chosen = Vec::new();
    let suited = gathered.suited(options, &settled, &mut chosen);
    if suited != settled {
        settled = suited;
        gathered = Gathered::read(root, &found, &settled, progress);
    }
    let Gathered { mut files, mut pieces, beats, kinds } = gathered;
    for (path, error) in &found.closed {
        let message = format!("this folder cannot be listed: {error}");
        let verdict = Verdict::Refused(Reason::Unreadable { message });
        files.push(FileReport { path: format!("{}/", relative(path, root)), warnings: Vec::new(), verdict });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));

    pieces.sort_by_key(|piece| piece.hash);
    let moved = split(&mut pieces, options.valid_share);
    let sides: HashMap<ContentHash, Split> = pieces.iter().map(|piece| (piece.hash, piece.split)).collect();
    for file in &mut files {
        if let Verdict::Used(usage) = &mut file.verdict {
            usage.split = sides[&usage.hash];
        }
    }
    let totals = Totals::of(&files, found.ignored);
    let folder = folder.to_string_lossy().into_owned();
    let warnings = Warning::of(&files);
    let holds = kinds.pieces();
    let mut report = Preflight { folder, files, totals, holds, options: settled, warnings, remarks: Vec::new() };
    report.remarks = chosen;
    report.remarks.extend(remarks(&report, moved, &beats));
    Ok(Corpus { pieces, report, attacks: true })
}

/// What was found in a folder that was read in one way.
#[derive(Default)]
struct Gathered {
    files: Vec<FileReport>,
    pieces: Vec<Piece>,
    beats: Beats,
    kinds: Kinds,
}

impl Gathered {
    fn read(root: &Path, found: &Found, options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Gathered {
        let mut gathered = Gathered::default();
        let Gathered { files, pieces, beats, kinds } = &mut gathered;
        let mut known: HashMap<ContentHash, usize> = HashMap::new();
        let total = found.music.len();
        for (done, path) in found.music.iter().enumerate() {
            let name = relative(path, root);
            progress(Progress { done, total, path: &printable(&name) });
            for (name, Loaded { warnings, prepared }) in load(path, &name, options, beats, kinds) {
                let verdict = match prepared {
                    Err(reason) => Verdict::Refused(reason),
                    Ok(prepared) => match known.get(&prepared.hash).map(|at| &pieces[*at]) {
                        Some(original) => Verdict::Refused(Reason::DuplicateOf {
                            original: original.path.clone(),
                            transposed: first_pitch(&prepared.score) - first_pitch(&original.score),
                        }),
                        None => {
                            known.insert(prepared.hash, pieces.len());
                            let usage = usage(&prepared);
                            let Prepared { score, hash, quarters, .. } = prepared;
                            pieces.push(Piece { path: name.clone(), hash, split: Split::Train, score, quarters });
                            Verdict::Used(usage)
                        }
                    },
                };
                files.push(FileReport { path: name, warnings, verdict });
            }
        }
        progress(Progress { done: total, total, path: "" });
        gathered
    }

    /// The options that suit what was found with `settled`, where `options` leave it open; `chosen` is told why.
    fn suited(&self, options: &Options, settled: &Options, chosen: &mut Vec<String>) -> Options {
        let mut suited = settled.clone();
        if options.reading.is_none() && self.kinds.mostly() == Some(Music::Performances) {
            suited.reading = Some(Reading::Performed);
        }
        if suited.way() == Reading::Parts && options.grid.is_none() {
            suited.grid = Some(self.beats.fine_grid());
        }
        let grid = self.beats.grid();
        if suited.way() == Reading::Merged && options.grid.is_none() && grid != settled.steps() {
            suited.grid = Some(grid);
            let (grid, usual) = (grid.get(), settled.steps().get());
            chosen.push(format!(
                "more beats are divided into three than into two: read on {grid} steps a quarter note instead of {usual} (`--grid {usual}` \
                 asks for these)"
            ));
        }
        let is_clip = |file: &&FileReport| {
            matches!(&file.verdict, Verdict::Refused(Reason::TooShort { notes, bars, .. })
                if *notes >= Options::CLIP_NOTES && *bars >= Options::CLIP_BARS)
        };
        let (clips, used) = (self.files.iter().filter(is_clip).count(), self.pieces.len());
        if (options.min_bars.is_none() || options.min_notes.is_none()) && clips * CLIPS >= clips + used && clips > 0 {
            suited.min_bars = Some(options.min_bars.unwrap_or(Options::CLIP_BARS));
            suited.min_notes = Some(options.min_notes.unwrap_or(Options::CLIP_NOTES));
            chosen.push(format!(
                "{clips} of {} pieces are clips: {} bar and {} notes are the least, instead of {} bars and {} notes (`--min-bars`, `--min-notes`)",
                clips + used,
                suited.least_bars(),
                suited.least_notes(),
                settled.least_bars(),
                settled.least_notes()
            ));
        }
        suited
    }
}

/// The folder that names are relative to, and what is in it.
fn look(folder: &Path) -> Result<(&Path, Found), CorpusError> {
    let path = || folder.to_path_buf();
    let error = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => CorpusError::NotFound { path: path() },
        io::ErrorKind::PermissionDenied => CorpusError::NotPermitted { path: path() },
        _ => CorpusError::Io { path: path(), source },
    };
    let meta = std::fs::metadata(folder).map_err(error)?;
    if meta.is_dir() {
        Ok((folder, files::find(folder).map_err(error)?))
    } else if meta.is_file() {
        let found = Found { music: vec![path()], ..Found::default() };
        Ok((folder.parent().unwrap_or(folder), found))
    } else {
        Err(CorpusError::NotAFolder { path: path() })
    }
}

fn relative(path: &Path, root: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    let names: Vec<_> = path.components().map(|name| name.as_os_str().to_string_lossy()).collect();
    names.join("/")
}

/// What became of a piece.
struct Loaded {
    /// What the reader had to say.
    warnings: Vec<String>,
    /// The piece, or why it cannot be used.
    prepared: Result<Prepared, Reason>,
}

impl Loaded {
    fn refused(reason: Reason) -> Loaded {
        Loaded { warnings: Vec::new(), prepared: Err(reason) }
    }

    fn of(reading: formats::Reading, options: &Options) -> Loaded {
        let formats::Reading { score, mut warnings, .. } = reading;
        let prepared = prepare(&score, options);
        if let Ok(Prepared { silent_bars: bars @ SILENCE.., .. }) = &prepared {
            warnings.push(format!("{bars} bars of silence before the first note were left out"));
        }
        Loaded { warnings, prepared }
    }
}

/// The pieces in a file. A book of several tunes has one for each, named after the file and the tune's number: `jigs.abc#12`.
fn load(path: &Path, name: &str, options: &Options, beats: &mut Beats, kinds: &mut Kinds) -> Vec<(String, Loaded)> {
    let mut loaded = |reading: Result<formats::Reading, formats::ReadError>| match reading {
        Err(error) => Loaded::refused(Reason::Unreadable { message: error.to_string() }),
        Ok(reading) => {
            beats.add(&reading.score, options.tolerance);
            kinds.add(&reading.score);
            Loaded::of(reading, options)
        }
    };
    match read_pieces(path, options) {
        Err(reason) => vec![(name.to_owned(), Loaded::refused(reason))],
        Ok(pieces) => {
            let named = |number: Option<u32>| number.map_or(name.to_owned(), |number| format!("{name}#{number}"));
            pieces.into_iter().map(|piece| (named(piece.number), loaded(piece.reading))).collect()
        }
    }
}

fn read_pieces(path: &Path, options: &Options) -> Result<Vec<formats::Piece>, Reason> {
    let limit = options.limits.max_bytes as u64;
    let unreadable = |message: String| Reason::Unreadable { message };
    let bytes = files::load(path, limit).map_err(|error| match error {
        LoadError::Io(error) => unreadable(error.to_string()),
        LoadError::NotAFile => unreadable("not a regular file".to_owned()),
        LoadError::TooLarge(bytes) => Reason::TooLarge { bytes, limit },
    })?;
    // A file that was named itself may have any name; most music is MIDI.
    let format = Format::to_read(path).unwrap_or(Format::Midi);
    formats::read(format, &bytes, &options.limits).map_err(|error| unreadable(error.to_string()))
}

fn usage(prepared: &Prepared) -> Usage {
    Usage {
        hash: prepared.hash,
        split: Split::Train,
        notes: prepared.score.note_count(),
        bars: prepared.bars,
        quarters: prepared.quarters,
        meters: prepared.meters.iter().map(Meter::to_string).collect(),
        key: prepared.key.as_ref().map(Key::to_string),
        quantization: prepared.quantization,
        drums: prepared.drums,
    }
}

fn first_pitch(score: &Score) -> i32 {
    score.notes().next().map_or(0, |note| i32::from(note.pitch.get()))
}

/// Which side was empty, and the piece that was moved to it.
type Moved = Option<(Split, String)>;

/// Assigns the sides; see [`read`]. `pieces` in order of their hashes.
fn split(pieces: &mut [Piece], valid_share: f64) -> Moved {
    for piece in pieces.iter_mut() {
        piece.split = if piece.hash.fraction() < valid_share { Split::Valid } else { Split::Train };
    }
    // In order of hashes all validation pieces come first: the borders are the ends.
    match pieces {
        [] => None,
        [only] => {
            only.split = Split::Train;
            None
        }
        [first, ..] if first.split == Split::Train => {
            first.split = Split::Valid;
            Some((Split::Valid, first.path.clone()))
        }
        [.., last] if last.split == Split::Valid => {
            last.split = Split::Train;
            Some((Split::Train, last.path.clone()))
        }
        _ => None,
    }
}

/// What a person should know.
fn remarks(report: &Preflight, moved: Moved, beats: &Beats) -> Vec<String> {
    let mut remarks = Vec::new();
    let totals = &report.totals;
    if let Some((side, path)) = moved {
        let purpose = if side == Split::Valid { "validation" } else { "training" };
        remarks.push(format!("no piece fell to {purpose}: {} was chosen for it", printable(&path)));
    }
    let longest = report.used().max_by(|a, b| a.1.quarters.total_cmp(&b.1.quarters));
    if let Some((file, usage)) = longest.filter(|(_, usage)| totals.used > 1 && usage.quarters > totals.quarters / 2.0)
    {
        let share = 100.0 * usage.quarters / totals.quarters;
        let path = printable(&file.path);
        remarks.push(format!("{path} alone is {share:.0}% of the music: a composer will learn it by heart"));
    }
    if (2..20).contains(&totals.used) {
        let (used, valid) = (totals.used, totals.valid);
        remarks.push(format!("{used} pieces are few, and validation figures rest on {valid} of them: expect copying"));
    }
    let meters = |side: Split| -> BTreeSet<&str> {
        let of_side = report.used().filter(|(_, usage)| usage.split == side);
        of_side.flat_map(|(_, usage)| usage.meters.iter().map(String::as_str)).collect()
    };
    let (train, valid) = (meters(Split::Train), meters(Split::Valid));
    if totals.used > 1 && train.is_disjoint(&valid) {
        let list = |meters: BTreeSet<&str>| meters.into_iter().collect::<Vec<&str>>().join(", ");
        let (train, valid) = (list(train), list(valid));
        remarks
            .push(format!("pieces to train on are in {train}, those to validate in {valid}: figures will say little"));
    }
    let read: usize = report.used().map(|(_, usage)| usage.quantization.notes_read).sum();
    let moved: f64 =
        report.used().map(|(_, usage)| usage.quantization.moved * usage.quantization.notes_read as f64).sum();
    let share = |count: f64| 100.0 * count / read.max(1) as f64;
    if share(moved) > 10.0 {
        remarks.push(advice::moved(share(moved), report, beats));
    }
    let drums: Vec<usize> = report.used().map(|(_, usage)| usage.drums).filter(|drums| *drums > 0).collect();
    if !drums.is_empty() {
        let (strokes, files) = (grouped(drums.iter().sum::<usize>() as u64), grouped(drums.len() as u64));
        let s = if drums.len() == 1 { "" } else { "s" };
        remarks.push(format!("{strokes} drum strokes in {files} file{s} are left out: all is read as one instrument (`--reading parts` keeps them apart)"));
    }
    if totals.merged > 0 {
        let (merged, percent) = (grouped(totals.merged), share(totals.merged as f64));
        remarks
            .push(format!("{merged} notes ({percent:.1}%) fell on another of the same step and pitch and were merged"));
    }
    remarks
}
