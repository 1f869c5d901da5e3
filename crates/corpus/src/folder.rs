//! A folder whose files are read once, however often they are looked at afterwards.

use crate::beats::Beats;
use crate::files::{self, Found, LoadError};
use crate::frames::is_frame_file;
use crate::holdings::{Kinds, Music};
use crate::kin::Sketch;
use crate::packed::{pack, unpack};
use crate::pairs::is_pairs_file;
use crate::spool::{Place, Spool, SpoolError, Spooled};
use crate::text::printable;
use crate::{CorpusError, FileReport, Options, Reason, Verdict};
use cantus_formats::{self as formats, Format};
use cantus_score::Score;
use rayon::prelude::*;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that are looked at together, for each thread: enough that threads seldom wait for one another, and few enough that what they have
/// read fits into little memory.
const TOGETHER: usize = 32;

/// How far the reading has come. Told before each file, and once at the end; then the same again when the pieces are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Files done.
    pub done: usize,
    /// Files in all.
    pub total: usize,
    /// The file that comes next, relative to the folder, ready for printing; empty at the end.
    pub path: &'a str,
}

/// The music of a folder, or of a single file, as its files have it.
///
/// What is in memory does not grow with the music, but only with the number of files: scores are packed, and where they are many they are
/// put into a temporary file, in the folder that the environment variable `TMPDIR` names.
#[derive(Debug)]
pub struct Folder {
    pub(crate) path: PathBuf,
    /// `None` for a file of frames.
    pub(crate) files: Option<Files>,
}

/// The music of music files.
#[derive(Debug)]
pub(crate) struct Files {
    /// Every piece, and every file that has none, in order of the files.
    pub entries: Vec<Entry>,
    /// Folders that could not be listed.
    pub closed: Vec<FileReport>,
    /// How many other files there are.
    pub ignored: usize,
    /// How the beat is divided.
    pub beats: Beats,
    /// The kinds of music.
    pub kinds: Kinds,
    spooled: Arc<Spooled>,
}

/// A piece as its file has it, or why there is none.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The file, relative to the folder; of a book of several tunes with the tune's number: `jigs.abc#12`.
    pub name: String,
    /// What the reader had to say.
    pub warnings: Vec<String>,
    /// Where it is put, and where its sketch.
    pub piece: Result<(Place, Place), Reason>,
}

impl Folder {
    /// Reads the files. Of `options` only the limits and the tolerance matter here.
    ///
    /// # Errors
    /// Where the folder cannot be read or an option is out of range; a single bad file is no error.
    pub fn read(
        folder: &Path,
        options: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Folder, CorpusError> {
        options.check()?;
        let path = folder.to_path_buf();
        if is_frame_file(folder) || is_pairs_file(folder) {
            return Ok(Folder { path, files: None });
        }
        let (root, found) = look(folder)?;
        let mut spool = Spool::default();
        let (mut entries, mut beats, mut kinds) = (Vec::new(), Beats::default(), Kinds::default());
        let mut told = Told::of(found.music.len(), progress);
        for paths in found.music.chunks(together()) {
            let loaded: Vec<(String, Vec<Loaded>)> = paths
                .par_iter()
                .map(|path| {
                    let name = relative(path, root);
                    let pieces = load(path, &name, options);
                    (name, pieces)
                })
                .collect();
            for (name, pieces) in loaded {
                told.next(&name);
                for Loaded { name, warnings, read } in pieces {
                    let piece = match read {
                        Err(reason) => Err(reason),
                        Ok(read) => {
                            beats += read.beats;
                            kinds.add(read.kind);
                            Ok((spool.put(&read.packed)?, spool.put(&read.sketch.to_bytes())?))
                        }
                    };
                    entries.push(Entry { name, warnings, piece });
                }
            }
        }
        told.end();
        let closed = found.closed.iter().map(|(path, error)| {
            let message = format!("this folder cannot be listed: {error}");
            let verdict = Verdict::Refused(Reason::Unreadable { message });
            FileReport { path: format!("{}/", relative(path, root)), warnings: Vec::new(), verdict }
        });
        let closed = closed.collect();
        let files = Files { entries, closed, ignored: found.ignored, beats, kinds, spooled: spool.close()? };
        Ok(Folder { path, files: Some(files) })
    }
}

impl Files {
    /// What `look` finds in each entry, by many threads at once; `found` is told of it in order.
    ///
    /// # Errors
    /// [`SpoolError`], where a piece cannot be read back; what `found` says.
    pub fn each<T: Send>(
        &self,
        look: impl Fn(Result<Score, &Reason>) -> T + Sync,
        progress: &mut dyn FnMut(Progress<'_>),
        mut found: impl FnMut(usize, T) -> Result<(), SpoolError>,
    ) -> Result<(), SpoolError> {
        let mut told = Told::of(self.entries.len(), progress);
        for (chunk, entries) in self.entries.chunks(together()).enumerate() {
            let looked: Vec<Result<T, SpoolError>> =
                entries.par_iter().map(|entry| Ok(look(self.score(entry)?))).collect();
            for (k, looked) in looked.into_iter().enumerate() {
                told.next(&entries[k].name);
                found(chunk * together() + k, looked?)?;
            }
        }
        told.end();
        Ok(())
    }

    /// The sketch of an entry; an empty one where there is no piece.
    ///
    /// # Errors
    /// [`SpoolError::Get`]
    pub fn sketch(&self, entry: usize) -> Result<Sketch, SpoolError> {
        match &self.entries[entry].piece {
            Ok((_, place)) => self.spooled.get(*place, |bytes| Some(Sketch::from_bytes(bytes))),
            Err(_) => Ok(Sketch::default()),
        }
    }

    fn score<'e>(&self, entry: &'e Entry) -> Result<Result<Score, &'e Reason>, SpoolError> {
        match &entry.piece {
            Ok((place, _)) => self.spooled.get(*place, unpack).map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
    }
}

fn together() -> usize {
    TOGETHER * rayon::current_num_threads()
}

/// Tells of progress.
struct Told<'p> {
    done: usize,
    total: usize,
    progress: &'p mut dyn FnMut(Progress<'_>),
}

impl<'p> Told<'p> {
    fn of(total: usize, progress: &'p mut dyn FnMut(Progress<'_>)) -> Told<'p> {
        Told { done: 0, total, progress }
    }

    fn next(&mut self, name: &str) {
        (self.progress)(Progress { done: self.done, total: self.total, path: &printable(name) });
        self.done += 1;
    }

    fn end(self) {
        (self.progress)(Progress { done: self.total, total: self.total, path: "" });
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

/// A piece of a file.
struct Loaded {
    name: String,
    warnings: Vec<String>,
    read: Result<Read, Reason>,
}

/// A score, and what is counted of it.
struct Read {
    packed: Vec<u8>,
    beats: Beats,
    kind: Option<(Music, usize)>,
    sketch: Sketch,
}

impl Read {
    fn of(score: &Score, options: &Options) -> Read {
        let mut beats = Beats::default();
        beats.add(score, options.tolerance);
        let kind = Music::of(score).map(|music| (music, score.note_count()));
        Read { packed: pack(score), beats, kind, sketch: Sketch::of(score) }
    }
}

/// The pieces in a file. A book of several tunes has one for each.
fn load(path: &Path, name: &str, options: &Options) -> Vec<Loaded> {
    let refused = |name: String, reason| Loaded { name, warnings: Vec::new(), read: Err(reason) };
    let pieces = match read_pieces(path, options) {
        Err(reason) => return vec![refused(name.to_owned(), reason)],
        Ok(pieces) => pieces,
    };
    let loaded = pieces.into_iter().map(|piece| {
        let name = piece.number.map_or(name.to_owned(), |number| format!("{name}#{number}"));
        match piece.reading {
            Err(error) => refused(name, Reason::Unreadable { message: error.to_string() }),
            Ok(formats::Reading { score, warnings, .. }) => {
                Loaded { name, warnings, read: Ok(Read::of(&score, options)) }
            }
        }
    });
    loaded.collect()
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
