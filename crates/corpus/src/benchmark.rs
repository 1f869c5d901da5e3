//! A benchmark file as a corpus.

use crate::{
    ContentHash, Corpus, CorpusError, FileReport, FrameFile, FrameFileError, Options, Pair, PairsError, PairsFile,
    Piece, Preflight, Quantization, Sides, Split, Totals, Usage, Verdict, is_pairs_file,
};
use cantus_score::{Reading, Score};
use std::path::Path;

/// The salt of the split of a file of pairs.
const SALT: &str = "0";

/// A file that is divided already.
struct Divided {
    train: Vec<Score>,
    valid: Vec<Score>,
    reading: Reading,
    remarks: Vec<String>,
}

impl Divided {
    fn frames(path: &Path) -> Result<Divided, CorpusError> {
        let unreadable = |problem: FrameFileError| CorpusError::Frames { path: path.to_path_buf(), problem };
        let FrameFile { name, train, valid, test, silent } = FrameFile::open(path).map_err(unreadable)?;
        let mut remarks =
            vec![format!("the benchmark {name} with its own split; its {} test pieces are left alone", test.len())];
        if silent > 0 {
            remarks.push(format!("{silent} silent steps at the ends of pieces were left out"));
        }
        // Frames know no parts.
        Ok(Divided { train, valid, reading: Reading::Merged, remarks })
    }

    fn pairs(path: &Path) -> Result<Divided, CorpusError> {
        let unreadable = |problem: PairsError| CorpusError::Pairs { path: path.to_path_buf(), problem };
        let Sides { train, valid, test } = PairsFile::open(path).map_err(unreadable)?.sides(SALT);
        let remark = format!(
            "pairs of drums and bass, divided by songs (salt {SALT}); {} for the test are left alone",
            cantus_score::counted(test.len(), "pair")
        );
        let scores = |pairs: Vec<Pair>| pairs.into_iter().map(|pair| pair.score).collect();
        Ok(Divided { train: scores(train), valid: scores(valid), reading: Reading::Parts, remarks: vec![remark] })
    }
}

/// A benchmark file or a file of pairs as a corpus: its own training and validation pieces; the test pieces are not looked at. Nothing is
/// refused, not even a piece that stands in both: the splits are canonical.
pub(crate) fn corpus(path: &Path, options: &Options) -> Result<Corpus, CorpusError> {
    let Divided { train, valid, reading, remarks } =
        if is_pairs_file(path) { Divided::pairs(path)? } else { Divided::frames(path)? };
    let (mut pieces, mut files) = (Vec::new(), Vec::new());
    let sides = [(Split::Train, &train), (Split::Valid, &valid)];
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
    // On the file's own grid.
    let grid = train.first().map(|score| score.ticks_per_quarter).filter(|_| reading == Reading::Parts);
    let options = Options { reading: Some(reading), grid: grid.or(options.settled().grid), ..options.settled() };
    let folder = path.to_string_lossy().into_owned();
    let report = Preflight { folder, files, totals, options, remarks, ..Preflight::default() };
    let corpus = Corpus { pieces, report, attacks: reading == Reading::Parts };
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
