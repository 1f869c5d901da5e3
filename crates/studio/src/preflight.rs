//! What would be used of uploaded music, why not the rest, what readers had to say, and which composer suits it: for the page.

use cantus_corpus::{CorpusError, FileReport, Options, Preflight, Verdict};
use cantus_model::ComposerSpec;
use cantus_workshop::WorkshopError;
use serde::Serialize;
use std::path::Path;

/// The preflight report.
#[derive(Serialize)]
pub struct Report {
    pub used: usize,
    pub train: usize,
    pub valid: usize,
    pub notes: u64,
    pub bars: u64,
    /// What the music is and how it would be read, in a sentence.
    pub found: Option<String>,
    pub remarks: Vec<String>,
    /// Why a training cannot learn from this, and what would help, as the command line says it; `None` where it can.
    pub lack: Option<String>,
    /// The composer that suits this music, as a training is asked for it; `None` where nothing can be used.
    pub recommended: Option<String>,
    pub files: Vec<FileLine>,
}

/// A file of it.
#[derive(Serialize)]
pub struct FileLine {
    pub name: String,
    /// Why it is not used.
    pub refused: Option<String>,
    pub notes: usize,
    pub bars: u64,
    /// What its reader had to say.
    pub warnings: Vec<String>,
}

impl Report {
    /// Of the files in a folder.
    pub fn of(music: &Path) -> Result<Report, WorkshopError> {
        match cantus_workshop::gather(music, &Options::open(), None, &mut |_| ()) {
            Ok(found) => Ok(Report::new(&found.corpus.report, Some(found.spec))),
            Err(error) => {
                let lack = error.to_string();
                let WorkshopError::Corpus(CorpusError::Unusable { report }) = error else { return Err(error) };
                Ok(Report { lack: Some(lack), ..Report::new(&report, None) })
            }
        }
    }

    fn new(report: &Preflight, recommended: Option<&ComposerSpec>) -> Report {
        let totals = &report.totals;
        Report {
            used: totals.used,
            train: totals.train,
            valid: totals.valid,
            notes: totals.notes,
            bars: totals.bars,
            found: report.found(),
            remarks: report.remarks.clone(),
            lack: None,
            recommended: recommended.map(|spec| format!("{}:{}", spec.id, spec.configurations[0].name)),
            files: report.files.iter().map(FileLine::new).collect(),
        }
    }
}

impl FileLine {
    fn new(file: &FileReport) -> FileLine {
        let (refused, notes, bars) = match &file.verdict {
            Verdict::Used(usage) => (None, usage.notes, usage.bars),
            Verdict::Refused(reason) => (Some(reason.to_string()), 0, 0),
        };
        FileLine { name: file.path.clone(), refused, notes, bars, warnings: file.warnings.clone() }
    }
}
