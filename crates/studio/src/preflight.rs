//! What would be used of uploaded music, why not the rest, what readers had to say, and which composer suits it: for the page.

use cantus_composers::registry;
use cantus_corpus::{CorpusError, FileReport, Options, Preflight, Verdict};
use cantus_model::ComposerSpec;
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
    pub fn of(music: &Path) -> Result<Report, CorpusError> {
        match cantus_corpus::read(music, &Options::default(), &mut |_| ()) {
            Ok(corpus) => {
                let suits = cantus_workshop::recommended(&corpus).unwrap_or_else(registry::default);
                Ok(Report::new(&corpus.report, Some(suits)))
            }
            Err(error) => {
                let lack = error.to_string();
                let CorpusError::Unusable { report } = error else { return Err(error) };
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
