//! From a folder to a corpus.

use crate::benchmark;
use crate::divide::divided;
use crate::folder::{Files, Folder, Progress};
use crate::gathering::Gathered;
use crate::remarks::remarks;
use crate::{Corpus, CorpusError, Music, Options, Preflight, Totals, Warning};
use cantus_score::Reading;
use std::path::Path;

/// Of so many pieces one has to be a clip where a folder is one of clips.
const CLIPS: usize = 3;

/// The corpus in `folder`, or in a single file; a file of frames brings its own split ([`crate::FrameFile`]).
///
/// A piece is for validation where its hash, taken as a number from 0 to 1, is less than [`Options::valid_share`]. Pieces that are versions
/// of one composition (performances, editions) stand on one side: that of one of them, drawn by its hash. One exception: neither side stays
/// empty. Without a validation piece the one with the smallest hash becomes it, without a training piece the one with the largest; only then,
/// and where it is a version of others, can a new file move another. A piece that is alone is divided at a bar line, where it is long
/// enough: its end is for validation.
///
/// # Errors
/// Where the folder cannot be read, an option is out of range, or there are no two pieces; a single bad file is no error, but a line of
/// the report.
pub fn read(folder: &Path, options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Corpus, CorpusError> {
    Folder::read(folder, options, progress)?.corpus(options, progress)
}

/// As [`read`], but contented with one piece or none: for looking at a folder or a file. A single piece is for training. A benchmark
/// file brings its own split, and its own grid.
///
/// # Errors
/// Where the folder cannot be read or an option is out of range.
pub fn survey(folder: &Path, options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Corpus, CorpusError> {
    Folder::read(folder, options, progress)?.survey(options, progress)
}

impl Folder {
    /// The corpus in it: see [`read`].
    ///
    /// # Errors
    /// As of [`read`].
    pub fn corpus(&self, options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Corpus, CorpusError> {
        let mut corpus = self.survey(options, progress)?;
        if let [alone] = &corpus.pieces[..]
            && let Some((pieces, remark)) = divided(alone, &alone.score()?, options)
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

    /// What is in it: see [`survey`].
    ///
    /// # Errors
    /// As of [`survey`].
    pub fn survey(&self, options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Corpus, CorpusError> {
        options.check()?;
        let Some(files) = &self.files else { return benchmark::corpus(&self.path, options) };
        // What nobody asked for follows from what was found.
        let mut chosen = Vec::new();
        let mut settled = files.suited(options, &mut chosen);
        let mut gathered = Gathered::of(files, &settled, progress)?;
        if let Some(short) = suited_to_clips(&gathered, options, &settled, &mut chosen) {
            settled = short;
            gathered = Gathered::of(files, &settled, progress)?;
        }
        let (mut reports, pieces, assigned) = gathered.divided(files, options.valid_share)?;
        reports.extend(files.closed.iter().cloned());
        reports.sort_by(|a, b| a.path.cmp(&b.path));
        let totals = Totals::of(&reports, files.ignored);
        let mut report = Preflight {
            folder: self.path.to_string_lossy().into_owned(),
            totals,
            holds: files.kinds.pieces(),
            options: settled,
            warnings: Warning::of(&reports),
            files: reports,
            remarks: Vec::new(),
        };
        report.remarks = chosen;
        report.remarks.extend(remarks(&report, assigned, &files.beats));
        Ok(Corpus { pieces, report, attacks: true })
    }
}

impl Files {
    /// The reading and the grid that suit them, where `options` leave these open; `chosen` is told why.
    fn suited(&self, options: &Options, chosen: &mut Vec<String>) -> Options {
        let usual = options.settled();
        let mut suited = usual.clone();
        if options.reading.is_none() && self.kinds.mostly() == Some(Music::Performances) {
            suited.reading = Some(Reading::Performed);
        }
        if suited.way() == Reading::Parts && options.grid.is_none() {
            suited.grid = Some(self.beats.fine_grid());
        }
        let grid = self.beats.grid();
        if suited.way() == Reading::Merged && options.grid.is_none() && grid != usual.steps() {
            suited.grid = Some(grid);
            let (grid, usual) = (grid.get(), usual.steps().get());
            chosen.push(format!(
                "more beats are divided into three than into two: read on {grid} steps a quarter note instead of {usual} (`--grid {usual}` \
                 asks for these)"
            ));
        }
        suited
    }
}

/// The least lengths for a folder of clips, where `options` leave them open and it is one; `chosen` is told why.
fn suited_to_clips(
    gathered: &Gathered,
    options: &Options,
    settled: &Options,
    chosen: &mut Vec<String>,
) -> Option<Options> {
    let (clips, used) = gathered.clips();
    let is_open = options.min_bars.is_none() || options.min_notes.is_none();
    if !is_open || clips == 0 || clips * CLIPS < clips + used {
        return None;
    }
    let suited = Options {
        min_bars: Some(options.min_bars.unwrap_or(Options::CLIP_BARS)),
        min_notes: Some(options.min_notes.unwrap_or(Options::CLIP_NOTES)),
        ..settled.clone()
    };
    chosen.push(format!(
        "{clips} of {} pieces are clips: {} bar and {} notes are the least, instead of {} bars and {} notes (`--min-bars`, `--min-notes`)",
        clips + used,
        suited.least_bars(),
        suited.least_notes(),
        settled.least_bars(),
        settled.least_notes()
    ));
    Some(suited)
}
