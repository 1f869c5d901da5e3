//! How folders of music are read: the same options wherever a command reads one.

use crate::Usage;
use crate::files::LimitArguments;
use crate::terminal::{bar, printable};
use cantus_corpus::{Corpus, CorpusError, MeterFilter, Options, Parts, survey};
use cantus_score::{Reading, Score, TicksPerQuarter, counted};
use miette::{IntoDiagnostic, Result, miette};
use std::path::Path;

/// So many remarks on files are told one by one.
const MOST_TOLD: usize = 5;

/// Reading options, for commands that read folders of music.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Reading")]
pub struct ReadingArguments {
    /// How pieces are read: merged (all pitched parts as one keyboard), parts (every part and drums apart), performed (as played, in
    /// hundredths of a second, pedal made length; nothing is off a grid), or pedalled (the same, keys and pedal apart) [default: as suits the
    /// composer and the folder]
    #[arg(long)]
    reading: Option<Reading>,
    /// Which parts of a file are read: all (merged), first, piano or melody [default: all]
    #[arg(long)]
    parts: Option<Parts>,
    /// Allow only these metres, as in 4/4,3/4; `duple` allows those derived from 4/4 [default: any]
    #[arg(long)]
    meters: Option<MeterFilter>,
    /// Steps of the grid to a quarter note [default: 4, or as many as the folder asks for]
    #[arg(long, value_name = "STEPS")]
    grid: Option<u32>,
    /// Refuse files with a larger share of onsets off the grid, 0-1 [default: 0.2]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    max_off_grid: Option<f64>,
    /// Refuse pieces with fewer bars than this [default: 4, or 1 in a folder of clips]
    #[arg(long, value_name = "N")]
    min_bars: Option<u64>,
    /// Refuse pieces with fewer notes than this [default: 16, or 4 in a folder of clips]
    #[arg(long, value_name = "N")]
    min_notes: Option<usize>,
    /// Refuse files with more pitched parts than this [default: no number is too many]
    #[arg(long, value_name = "N")]
    max_note_tracks: Option<usize>,
    /// Refuse files with notes beyond a piano's 88 keys
    #[arg(long)]
    piano_only: bool,
    #[command(flatten)]
    pub limits: LimitArguments,
}

impl ReadingArguments {
    /// `options` with what was given here in its place.
    ///
    /// # Errors
    /// What makes no sense.
    pub fn over(&self, options: Options) -> Result<Options> {
        let grid = self.grid.map(|steps| {
            TicksPerQuarter::new(steps).ok_or_else(|| {
                Usage("a grid of 0 steps has no room for notes; 4 is usual, 12 has room for triplets".to_owned())
            })
        });
        let options = Options {
            reading: self.reading.or(options.reading),
            parts: self.parts.unwrap_or(options.parts),
            meters: self.meters.clone().unwrap_or(options.meters),
            grid: grid.transpose()?.or(options.grid),
            max_off_grid: self.max_off_grid.unwrap_or(options.max_off_grid),
            min_bars: self.min_bars.or(options.min_bars),
            min_notes: self.min_notes.or(options.min_notes),
            max_note_tracks: self.max_note_tracks.or(options.max_note_tracks),
            piano_only: self.piano_only || options.piano_only,
            limits: self.limits.over(options.limits),
            ..options
        };
        options.check().map_err(|error| Usage(error.to_string()))?;
        Ok(options)
    }
}

/// The music of a folder or file, with a bar of how far reading is. What was left out, and what its readers had to say, goes to `warnings`.
///
/// # Errors
/// Where nothing of it can be used: why.
pub fn music(folder: &Path, options: &Options, warnings: &mut Vec<String>) -> Result<Corpus> {
    let progress = bar(0, "reading {wide_bar} {pos}/{len}");
    let read = survey(folder, options, &mut |at| {
        progress.set_length(at.total as u64);
        progress.set_position(at.done as u64);
    });
    progress.finish_and_clear();
    let corpus = match read {
        Err(CorpusError::Unusable { report }) => return Err(miette!("{report}")),
        read => read.into_diagnostic()?,
    };
    if corpus.pieces.is_empty() {
        return Err(miette!("no file of `{}` can be used; look at why:\n{}", folder.display(), corpus.report));
    }
    let name = printable(&folder.display().to_string());
    for (reason, count) in &corpus.report.totals.refused {
        warnings.push(format!("{name}: {} left out ({reason})", counted(*count, "file")));
    }
    let all = corpus.report.used().flat_map(|(file, _)| file.warnings.iter().map(|warning| (&file.path, warning)));
    let told = all.map(|(path, warning)| printable(&format!("{path}: {warning}")));
    let before = warnings.len();
    warnings.extend(told);
    let more = (warnings.len() - before).saturating_sub(MOST_TOLD);
    if more > 1 {
        warnings.truncate(before + MOST_TOLD);
        warnings.push(format!("{name}: {more} more remarks of this kind: `cantus inspect` sums them up"));
    }
    Ok(corpus)
}

/// The pieces of a corpus with their names.
///
/// # Errors
/// Where one cannot be read back.
pub fn scores(corpus: &Corpus) -> Result<Vec<(String, Score)>> {
    let all = corpus.pieces.iter().map(|piece| Ok((printable(&piece.path), piece.score().into_diagnostic()?)));
    all.collect()
}
