//! The pieces of a folder, read in one way.

use crate::folder::{Files, Progress};
use crate::kin::compositions;
use crate::packed::pack;
use crate::piece::Piece;
use crate::remarks::Assigned;
use crate::split::sides;
use crate::spool::{Place, Spool, SpoolError};
use crate::{ContentHash, FileReport, Options, Prepared, Reason, Split, Usage, Verdict, prepare};
use cantus_score::{Key, Meter, Score};
use std::collections::HashMap;

/// Bars of silence before the music that are worth a word.
const SILENCE: u64 = 4;

/// What became of the files of a folder, and the pieces that are used.
pub(crate) struct Gathered {
    /// In the order in which they were read.
    pub files: Vec<FileReport>,
    pieces: Vec<Found>,
    spool: Spool,
}

/// A piece that is used.
struct Found {
    /// The number of its entry.
    entry: usize,
    hash: ContentHash,
    quarters: f64,
    first_pitch: i32,
    place: Place,
}

/// What a thread makes of an entry.
struct Made {
    usage: Usage,
    silent_bars: u64,
    first_pitch: i32,
    packed: Vec<u8>,
}

impl Gathered {
    /// Prepares all pieces as `options`, in which nothing is left open, ask for.
    ///
    /// # Errors
    /// [`SpoolError`]
    pub fn of(
        files: &Files,
        options: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Gathered, SpoolError> {
        let mut gathered = Gathered { files: Vec::new(), pieces: Vec::new(), spool: Spool::default() };
        let mut known: HashMap<ContentHash, usize> = HashMap::new();
        let make = |score: Result<Score, &Reason>| prepare(&score.map_err(Reason::clone)?, options).map(Made::of);
        files.each(make, progress, |number, made: Result<Made, Reason>| {
            let entry = &files.entries[number];
            let mut warnings = entry.warnings.clone();
            if let Ok(Made { silent_bars: bars @ SILENCE.., .. }) = &made {
                warnings.push(format!("{bars} bars of silence before the first note were left out"));
            }
            let verdict = match made {
                Err(reason) => Verdict::Refused(reason),
                Ok(made) => match known.get(&made.usage.hash).map(|at| &gathered.pieces[*at]) {
                    Some(original) => Verdict::Refused(Reason::DuplicateOf {
                        original: files.entries[original.entry].name.clone(),
                        transposed: made.first_pitch - original.first_pitch,
                    }),
                    None => {
                        let Made { usage, first_pitch, packed, .. } = made;
                        let (hash, quarters) = (usage.hash, usage.quarters);
                        known.insert(hash, gathered.pieces.len());
                        let place = gathered.spool.put(&packed)?;
                        gathered.pieces.push(Found { entry: number, hash, quarters, first_pitch, place });
                        Verdict::Used(usage)
                    }
                },
            };
            gathered.files.push(FileReport { path: entry.name.clone(), warnings, verdict });
            Ok(())
        })?;
        Ok(gathered)
    }

    /// How many pieces are clips, no shorter than clips may be, that were refused for being short; and how many pieces are used.
    pub fn clips(&self) -> (usize, usize) {
        let is_clip = |file: &&FileReport| {
            matches!(&file.verdict, Verdict::Refused(Reason::TooShort { notes, bars, .. })
                if *notes >= Options::CLIP_NOTES && *bars >= Options::CLIP_BARS)
        };
        (self.files.iter().filter(is_clip).count(), self.pieces.len())
    }

    /// The files with the sides of the pieces, in order of their paths; the pieces in order of their hashes; how the sides were assigned.
    ///
    /// # Errors
    /// [`SpoolError`]
    pub fn divided(
        self,
        files: &Files,
        valid_share: f64,
    ) -> Result<(Vec<FileReport>, Vec<Piece>, Assigned), SpoolError> {
        let Gathered { files: mut reports, pieces: mut found, spool } = self;
        found.sort_by_key(|piece| piece.hash);
        let spooled = spool.close()?;
        let hashes: Vec<ContentHash> = found.iter().map(|piece| piece.hash).collect();
        let compositions = compositions(found.len(), |piece| files.sketch(found[piece].entry))?;
        let sides = sides(&hashes, &compositions, valid_share);
        let name = |piece: &Found| files.entries[piece.entry].name.clone();
        let pieces = found.iter().zip(&sides.splits).map(|(piece, split)| {
            if let Verdict::Used(usage) = &mut reports[piece.entry].verdict {
                usage.split = *split;
            }
            Piece::put_away(name(piece), piece.hash, *split, piece.quarters, (spooled.clone(), piece.place))
        });
        let pieces = pieces.collect();
        reports.sort_by(|a, b| a.path.cmp(&b.path));
        let moved = sides.moved.map(|(split, piece)| (split, name(&found[piece])));
        Ok((reports, pieces, Assigned { moved, kin: kin(&compositions) }))
    }
}

/// How many pieces are not alone, and of how many compositions they are.
fn kin(compositions: &[usize]) -> (usize, usize) {
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    compositions.iter().for_each(|composition| *sizes.entry(*composition).or_default() += 1);
    let several = sizes.values().filter(|size| **size > 1);
    (several.clone().sum(), several.count())
}

impl Made {
    fn of(prepared: Prepared) -> Made {
        let score = &prepared.score;
        let usage = Usage {
            hash: prepared.hash,
            split: Split::Train,
            notes: score.note_count(),
            bars: prepared.bars,
            quarters: prepared.quarters,
            meters: prepared.meters.iter().map(Meter::to_string).collect(),
            key: prepared.key.as_ref().map(Key::to_string),
            quantization: prepared.quantization,
            drums: prepared.drums,
        };
        let first_pitch = score.notes().next().map_or(0, |note| i32::from(note.pitch.get()));
        Made { usage, silent_bars: prepared.silent_bars, first_pitch, packed: pack(score) }
    }
}
