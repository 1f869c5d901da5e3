//! A benchmark file as a corpus.

use crate::{
    ContentHash, Corpus, CorpusError, FileReport, FrameFile, FrameFileError, Options, Piece, Preflight, Quantization,
    Split, Totals, Usage, Verdict,
};
use cantus_score::Reading;
use std::path::Path;

/// A benchmark file as a corpus: its own training and validation pieces; the test pieces are not looked at. Nothing is refused, not
/// even a piece that stands in both: the splits are canonical.
pub(crate) fn corpus(path: &Path, options: &Options) -> Result<Corpus, CorpusError> {
    let unreadable = |problem: FrameFileError| CorpusError::Frames { path: path.to_path_buf(), problem };
    let file = FrameFile::open(path).map_err(unreadable)?;
    let (mut pieces, mut files) = (Vec::new(), Vec::new());
    let sides = [(Split::Train, &file.train), (Split::Valid, &file.valid)];
    for (split, scores) in sides {
        for score in scores.iter().filter(|score| score.note_count() > 0) {
            let name = score.title.clone().unwrap_or_default();
            let (hash, quarters) = (ContentHash::of(score), score.end().quarters(score.ticks_per_quarter));
            let usage = Usage {
                hash,
                split,
                notes: score.note_count(),
                bars: score.bar_count() as u64,
                quarters,
                meters: Vec::new(),
                key: None,
                quantization: Quantization { notes_read: score.note_count(), ..Quantization::default() },
                drums: 0,
            };
            files.push(FileReport { path: name.clone(), warnings: Vec::new(), verdict: Verdict::Used(usage) });
            pieces.push(Piece::new(name, hash, split, score));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    pieces.sort_by_key(|piece| (piece.hash, piece.split));
    let totals = Totals::of(&files, 0);
    let mut remarks = vec![format!(
        "the benchmark {} with its own split; its {} test pieces are left alone",
        file.name,
        file.test.len()
    )];
    if file.silent > 0 {
        remarks.push(format!("{} silent steps at the ends of pieces were left out", file.silent));
    }
    // Frames know no parts.
    let options = Options { reading: Some(Reading::Merged), ..options.settled() };
    let folder = path.to_string_lossy().into_owned();
    let report = Preflight { folder, files, totals, options, remarks, ..Preflight::default() };
    let corpus = Corpus { pieces, report, attacks: false };
    let lacks = |split| corpus.pieces_of(split).next().is_none();
    if lacks(Split::Train) || lacks(Split::Valid) {
        return Err(CorpusError::Unusable { report: Box::new(corpus.report) });
    }
    Ok(corpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"name":"small","step":"quarter note",
        "train":[[[60,64],[],[60]],[[21,108],[]]],"valid":[[[62],[62]]],"test":[[[65]]]}"#;

    #[test]
    fn a_corpus_keeps_the_split_of_the_file_and_knows_no_attacks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.json");
        std::fs::write(&path, SMALL).unwrap();
        let corpus = crate::read(&path, &crate::Options::default(), &mut |_| {}).unwrap();
        assert_eq!((corpus.pieces_of(Split::Train).count(), corpus.pieces_of(Split::Valid).count()), (2, 1));
        assert_eq!((corpus.report.totals.used, corpus.report.totals.train, corpus.report.totals.valid), (3, 2, 1));
        assert!(corpus.report.to_string().contains("small") && !corpus.attacks);
        std::fs::write(&path, SMALL.replace("[[62],[62]]", "[]")).unwrap();
        let found = crate::read(&path, &crate::Options::default(), &mut |_| {});
        assert!(matches!(found, Err(CorpusError::Unusable { .. })));
        std::fs::write(&path, "[1]").unwrap();
        let found = crate::read(&path, &crate::Options::default(), &mut |_| {});
        assert!(matches!(found, Err(CorpusError::Frames { .. })));
    }
}
