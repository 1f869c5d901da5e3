//! The pieces of one side, which may be more than memory holds: of all of them an outline, and those that were wanted last as a batch wants
//! them.

use crate::pieces::Recent;
use crate::{CreateError, Pieces};
use cantus_score::Score;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// How a composer reads pieces.
pub trait Reader: Send + Sync {
    /// What is always known of a piece, so that an epoch can be planned before any is read.
    type Outline: Send + Sync;
    /// A piece in the composer's own terms.
    type Piece: Send;
    /// The same with all that a batch wants to know of it.
    type Learnt: Send + Sync;

    /// The outline of the piece of this number: none where it has nothing to learn from, several where it is learnt from in several takes.
    fn outlines(&self, number: usize, score: &Score) -> Vec<Self::Outline>;

    /// How long a piece is, in the composer's own terms.
    fn length(outline: &Self::Outline) -> usize;

    /// The piece of an outline; as long as that says, though the score be silence in its place.
    fn piece(&self, outline: &Self::Outline, score: &Score) -> Self::Piece;

    /// What a batch wants to know.
    fn learnt(&self, piece: Self::Piece) -> Self::Learnt;
}

/// See above. A number is that of an outline, unless something else is said.
#[derive(Debug)]
pub struct Repertoire<R: Reader> {
    pieces: Pieces,
    reader: R,
    outlines: Vec<R::Outline>,
    /// The number among `pieces` of the piece of each outline.
    places: Vec<usize>,
    learnt: Recent<R::Learnt>,
}

impl<R: Reader> Repertoire<R> {
    /// Of those pieces that have something to learn from. What was wanted last stays as far as it is no longer than `most` together.
    pub fn of(pieces: &Pieces, reader: R, most: usize) -> Repertoire<R> {
        let outlined = |place: usize| {
            let outlines = reader.outlines(place, &pieces.get(place));
            outlines.into_iter().map(move |outline| (place, outline))
        };
        let (places, outlines) = (0..pieces.len()).into_par_iter().flat_map_iter(outlined).unzip();
        Repertoire { pieces: pieces.clone(), reader, outlines, places, learnt: Recent::new(most) }
    }

    /// What is known of all.
    pub fn outlines(&self) -> &[R::Outline] {
        &self.outlines
    }

    /// Whether there is nothing to learn from.
    pub fn is_empty(&self) -> bool {
        self.outlines.is_empty()
    }

    /// Whether there is something to learn from, and something to be judged by.
    ///
    /// # Errors
    /// [`CreateError::EmptyCorpus`], naming what is not there: a composer may find nothing in pieces that have notes.
    pub fn check(train: &Repertoire<R>, valid: &Repertoire<R>) -> Result<(), CreateError> {
        for (pieces, what) in [(train, "training"), (valid, "validation")] {
            if pieces.is_empty() {
                return Err(CreateError::EmptyCorpus { what });
            }
        }
        Ok(())
    }

    /// How long all pieces are together.
    pub fn length(&self) -> usize {
        self.outlines.iter().map(R::length).sum()
    }

    /// The score of a number; silence, where it cannot be had any more.
    pub fn score(&self, number: usize) -> Cow<'_, Score> {
        self.pieces.get(self.places[number])
    }

    /// The piece of a number; as long as it was, whatever became of it.
    pub fn piece(&self, number: usize) -> R::Piece {
        self.reader.piece(&self.outlines[number], &self.score(number))
    }

    /// All pieces, one after another.
    pub fn iter(&self) -> impl Iterator<Item = R::Piece> {
        (0..self.outlines.len()).map(|number| self.piece(number))
    }

    /// All pieces in their order, some at once: so many that they are about so long together.
    pub fn portions(&self, length: usize) -> impl Iterator<Item = Vec<R::Piece>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let (first, mut so_far) = (next, 0);
            while next < self.outlines.len() && so_far < length {
                so_far += R::length(&self.outlines[next]);
                next += 1;
            }
            (next > first).then(|| (first..next).into_par_iter().map(|number| self.piece(number)).collect())
        })
    }

    /// The pieces of these numbers, all at once.
    pub fn some(&self, numbers: Vec<usize>) -> Vec<R::Piece> {
        numbers.into_par_iter().map(|number| self.piece(number)).collect()
    }

    /// All pieces at once; where they are longer than `most` together, every so many.
    pub fn counted(&self, most: usize) -> Vec<R::Piece> {
        self.some((0..self.outlines.len()).step_by(self.length() / most + 1).collect())
    }

    /// So many pieces at most, evenly spread, all at once.
    pub fn spread(&self, most: usize) -> Vec<R::Piece> {
        let (all, count) = (self.outlines.len(), self.outlines.len().min(most));
        self.some((0..count).map(|k| k * all / count).collect())
    }

    /// What a batch wants to know of the pieces of these numbers; `None` where one cannot be had any more.
    pub fn learnt(&mut self, numbers: impl IntoIterator<Item = usize>) -> Option<HashMap<usize, Arc<R::Learnt>>> {
        let Repertoire { pieces, reader, outlines, places, learnt } = self;
        let found = learnt.of(numbers, |number| {
            let outline = &outlines[number];
            let piece = reader.piece(outline, &pieces.get(places[number]));
            (reader.learnt(piece), R::length(outline))
        });
        pieces.check_whole().is_ok().then_some(found)
    }
}

/// What several pieces have many of, numbered through all of them.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// How many there are up to the end of each piece.
    ends: Vec<usize>,
}

impl Numbering {
    /// Given how many each piece has.
    pub fn of(counts: impl IntoIterator<Item = usize>) -> Numbering {
        let sums = counts.into_iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        Numbering { ends: sums.collect() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Which piece has the one of this number, and which of its own it is.
    pub fn find(&self, number: usize) -> (usize, usize) {
        let piece = self.ends.partition_point(|end| *end <= number);
        (piece, number - piece.checked_sub(1).map_or(0, |before| self.ends[before]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PieceError, Shelf};
    use cantus_score::{Note, Part, Pitch, Ticks, TicksPerQuarter, Velocity};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// Reads the pitches of a piece; learns from pieces of one note at least.
    #[derive(Debug)]
    struct Pitches<'t> {
        read: &'t AtomicUsize,
    }

    impl Reader for Pitches<'_> {
        type Outline = (usize, usize);
        type Piece = Vec<u8>;
        type Learnt = Vec<u8>;

        fn outlines(&self, number: usize, score: &Score) -> Vec<(usize, usize)> {
            [(number, score.note_count())].into_iter().filter(|(_, notes)| *notes > 0).collect()
        }

        fn length((_, notes): &(usize, usize)) -> usize {
            *notes
        }

        fn piece(&self, (_, notes): &(usize, usize), score: &Score) -> Vec<u8> {
            self.read.fetch_add(1, Ordering::Relaxed);
            let mut pitches: Vec<u8> = score.notes().map(|note| note.pitch.get()).collect();
            pitches.resize(*notes, 0);
            pitches
        }

        fn learnt(&self, piece: Vec<u8>) -> Vec<u8> {
            piece
        }
    }

    /// A piece of this pitch so many times.
    fn tune(pitch: u8, notes: usize) -> Score {
        let note = |k: usize| Note {
            onset: Ticks(k as u64),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(1),
            velocity: Velocity::DEFAULT,
        };
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        score.parts = vec![Part { notes: (0..notes).map(note).collect(), ..Part::default() }];
        score
    }

    /// Pieces that cannot be had any more from some time on.
    #[derive(Debug)]
    struct Losing {
        pieces: Vec<Score>,
        lost: Arc<AtomicBool>,
    }

    impl Shelf for Losing {
        fn count(&self) -> usize {
            self.pieces.len()
        }

        fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError> {
            match self.lost.load(Ordering::Relaxed) {
                true => Err(PieceError::new("a.mid", std::io::Error::other("the disk is gone"))),
                false => Ok(Cow::Borrowed(&self.pieces[number])),
            }
        }
    }

    #[test]
    fn of_all_pieces_outlines_are_kept_and_of_few_all() {
        let (read, lost) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
        let pieces = (60..70).map(|pitch| tune(pitch, usize::from(pitch) % 5)).collect();
        let pieces = Pieces::on(Losing { pieces, lost: Arc::clone(&lost) });
        let mut repertoire = Repertoire::of(&pieces, Pitches { read: &read }, 5);
        let outlines: Vec<(usize, usize)> = (0..10).map(|k| (k, k % 5)).filter(|(_, notes)| *notes > 0).collect();
        assert_eq!((repertoire.outlines(), repertoire.length(), read.load(Ordering::Relaxed)), (&outlines[..], 20, 0));
        assert_eq!(repertoire.piece(5), [67, 67]);
        let all: Vec<Vec<u8>> = repertoire.iter().collect();
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 3, 4, 1, 2, 3, 4]);
        let portions: Vec<Vec<Vec<u8>>> = repertoire.portions(5).collect();
        assert_eq!(portions.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 2, 1]);
        assert_eq!(portions.concat(), all);
        assert_eq!(
            (repertoire.counted(20).len(), repertoire.counted(21).len(), repertoire.counted(6).len()),
            (4, 8, 2)
        );
        assert_eq!(repertoire.spread(3), [&all[0][..], &all[2], &all[5]]);
        assert_eq!(repertoire.spread(9), all);
        read.store(0, Ordering::Relaxed);
        let mut count = |numbers: &[usize]| {
            let learnt = repertoire.learnt(numbers.iter().copied()).unwrap();
            assert!(numbers.iter().all(|number| *learnt[number] == all[*number]));
            read.swap(0, Ordering::Relaxed)
        };
        assert_eq!([&[0, 3][..], &[3, 0], &[2], &[3]].map(&mut count), [2, 0, 1, 1]);
        lost.store(true, Ordering::Relaxed);
        assert!(repertoire.learnt([3]).is_some(), "it is here");
        assert!(repertoire.learnt([3, 6]).is_none() && repertoire.learnt([3]).is_none());
        assert_eq!(repertoire.piece(6), [0; 3]);
    }

    #[test]
    fn what_pieces_have_is_numbered_through() {
        let numbering = Numbering::of([2, 0, 3, 0, 1]);
        assert_eq!(numbering.count(), 6);
        let found: Vec<(usize, usize)> = (0..6).map(|number| numbering.find(number)).collect();
        assert_eq!(found, [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2), (4, 0)]);
        assert_eq!(Numbering::default().count(), 0);
    }
}
