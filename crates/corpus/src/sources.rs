//! What a corpus was read from, file by file, so that it can be said later what has changed.

use crate::spool::SpoolError;
use crate::{ContentHash, Corpus, Piece};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// Files that are named; of more there is a number.
const MOST_NAMED: usize = 5;

/// The files that are learnt from, each with a hash of all that is learnt from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources(BTreeMap<String, ContentHash>);

/// How the files of a folder differ from what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    added: Vec<String>,
    dropped: Vec<String>,
    changed: Vec<String>,
}

impl Sources {
    /// Those of a corpus.
    ///
    /// # Errors
    /// [`SpoolError::Get`], where a piece cannot be read back.
    pub fn of(corpus: &Corpus) -> Result<Sources, SpoolError> {
        let all = |piece: &Piece| {
            Ok((piece.hash, ContentHash::of_corpus([piece.score().map(|score| (0, score))].into_iter())?))
        };
        let pieces: HashMap<ContentHash, ContentHash> =
            corpus.pieces.iter().map(all).collect::<Result<_, SpoolError>>()?;
        // Of a piece that was divided only the notes are known.
        let whole = |hash: &ContentHash| pieces.get(hash).copied().unwrap_or(*hash);
        Ok(Sources(corpus.report.used().map(|(file, usage)| (file.path.clone(), whole(&usage.hash))).collect()))
    }

    /// What has changed since; nothing where the files are the same, and only read differently.
    pub fn changes(&self, now: &Sources) -> Changes {
        let names = |sources: &Sources| sources.0.keys().cloned().collect::<BTreeSet<String>>();
        let (before, after) = (names(self), names(now));
        let hashes = |sources: &Sources, names: &mut dyn Iterator<Item = &String>| -> BTreeSet<ContentHash> {
            names.map(|name| sources.0[name]).collect()
        };
        let gone = hashes(self, &mut before.difference(&after));
        let come = hashes(now, &mut after.difference(&before));
        // The same music under another name is what it was.
        Changes {
            added: after.difference(&before).filter(|name| !gone.contains(&now.0[*name])).cloned().collect(),
            dropped: before.difference(&after).filter(|name| !come.contains(&self.0[*name])).cloned().collect(),
            changed: before.intersection(&after).filter(|name| self.0[*name] != now.0[*name]).cloned().collect(),
        }
    }
}

/// For people, in a line without control characters.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("added", &self.added), ("dropped", &self.dropped), ("changed", &self.changed)];
        let told: Vec<String> =
            kinds.iter().filter(|(_, names)| !names.is_empty()).map(|(kind, names)| said(kind, names)).collect();
        match &told[..] {
            [] => f.write_str(
                "no file was added, dropped or changed, but this version of the program reads them differently",
            ),
            told => f.write_str(&told.join("; ")),
        }
    }
}

/// `added: a.mid, b.mid and 3 more`.
fn said(kind: &str, names: &[String]) -> String {
    let named: Vec<String> = names.iter().take(MOST_NAMED).map(|name| crate::text::printable(name)).collect();
    let more = names.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{kind}: {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

    fn sources(files: &[(&str, u8)]) -> Sources {
        let hash = |pitch: u8| {
            let mut score = Score::new(TicksPerQuarter::DEFAULT);
            let note = Note {
                onset: Ticks(0),
                pitch: Pitch::try_from(pitch).unwrap(),
                duration: Ticks(1),
                velocity: Velocity::DEFAULT,
            };
            score.parts.push(cantus_score::Part { notes: vec![note], ..cantus_score::Part::default() });
            ContentHash::of_corpus([Ok::<_, SpoolError>((0, score))].into_iter()).unwrap()
        };
        Sources(files.iter().map(|(name, pitch)| ((*name).to_owned(), hash(*pitch))).collect())
    }

    #[test]
    fn what_was_added_dropped_and_changed_is_named() {
        let before = sources(&[("a.mid", 60), ("b.mid", 61), ("c.mid", 62)]);
        let said = |files: &[(&str, u8)]| before.changes(&sources(files)).to_string();
        assert_eq!(said(&[("a.mid", 60), ("c.mid", 62), ("d\u{1b}.mid", 63)]), "added: d\\u{1b}.mid; dropped: b.mid");
        assert_eq!(said(&[("a.mid", 60), ("b.mid", 70), ("c.mid", 62)]), "changed: b.mid");
        assert!(said(&[("a.mid", 60), ("b.mid", 61), ("c.mid", 62)]).starts_with("no file was added"));
        assert_eq!(said(&[("a.mid", 60), ("renamed.mid", 61), ("new.mid", 63)]), "added: new.mid; dropped: c.mid");
        let many: Vec<String> = (0..9).map(|k| format!("{k}.mid")).collect();
        let many: Vec<(&str, u8)> = many.iter().map(|name| (name.as_str(), 70)).collect();
        assert_eq!(said(&many), "added: 0.mid, 1.mid, 2.mid, 3.mid, 4.mid and 4 more; dropped: a.mid, b.mid, c.mid");
    }

    #[test]
    fn they_survive_storing() {
        let before = sources(&[("a.mid", 60), ("b.mid", 61)]);
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Sources>(&text).unwrap(), before);
    }
}
