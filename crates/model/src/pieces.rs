//! Pieces that are asked for one at a time: a corpus may be larger than memory.

use cantus_score::{Score, TicksPerQuarter};
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A piece that cannot be had any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{name}` cannot be learnt from any more: {source}")]
pub struct PieceError {
    /// Which.
    name: String,
    /// Why.
    source: Arc<dyn Error + Send + Sync>,
}

impl PieceError {
    /// Of the piece of this name.
    pub fn new(name: &str, source: impl Error + Send + Sync + 'static) -> PieceError {
        PieceError { name: name.to_owned(), source: Arc::new(source) }
    }
}

/// Where pieces are, in memory or elsewhere.
pub trait Shelf: fmt::Debug + Send + Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// The piece of a number below the count; always the same.
    ///
    /// # Errors
    /// [`PieceError`], where it is elsewhere, and cannot be had from there.
    fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError>;

    /// The folder of the corpus in which the piece of a number lies, where it lies in one.
    fn style(&self, _number: usize) -> Option<&str> {
        None
    }

    /// What the piece of a number is called, where it is a file.
    fn name(&self, _number: usize) -> Option<&str> {
        None
    }
}

impl Shelf for Vec<Score> {
    fn count(&self) -> usize {
        self.len()
    }

    fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError> {
        Ok(Cow::Borrowed(&self[number]))
    }
}

/// Pieces with their styles.
impl Shelf for Vec<(String, Score)> {
    fn count(&self) -> usize {
        self.len()
    }

    fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError> {
        Ok(Cow::Borrowed(&self[number].1))
    }

    fn style(&self, number: usize) -> Option<&str> {
        Some(&self[number].0)
    }
}

/// Pieces in their order. A clone is of the same shelf.
///
/// In the place of a piece that cannot be had there is silence. Nothing that was made of these pieces is worth anything from then on:
/// [`Pieces::check_whole`] says so, to all who have a clone.
#[derive(Clone, Debug)]
pub struct Pieces {
    shelf: Arc<dyn Shelf>,
    lost: Arc<OnceLock<PieceError>>,
}

impl Pieces {
    /// The pieces of a shelf.
    pub fn on(shelf: impl Shelf + 'static) -> Pieces {
        Pieces { shelf: Arc::new(shelf), lost: Arc::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shelf.count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The piece of a number below [`Pieces::len`]; silence, where it cannot be had.
    pub fn get(&self, number: usize) -> Cow<'_, Score> {
        self.shelf.piece(number).unwrap_or_else(|error| {
            // The first one is told.
            let _ = self.lost.set(error);
            Cow::Owned(Score::new(TicksPerQuarter::DEFAULT))
        })
    }

    /// The folder of the corpus in which the piece of a number lies, where it lies in one.
    pub fn style(&self, number: usize) -> Option<&str> {
        self.shelf.style(number)
    }

    /// What the piece of a number is called: its path in the corpus, where it is a file.
    pub fn name(&self, number: usize) -> Option<&str> {
        self.shelf.name(number)
    }

    /// The style of each piece: its number among those named, where it is one of them.
    pub fn styles_of(&self, named: &[String]) -> Vec<Option<usize>> {
        (0..self.len()).map(|number| named.iter().position(|style| self.style(number) == Some(style))).collect()
    }

    /// Those of one style, on the same shelf.
    pub(crate) fn of_style(&self, style: &str) -> Pieces {
        let numbers = (0..self.len()).filter(|number| self.style(*number) == Some(style)).collect();
        let chosen = Chosen { shelf: Arc::clone(&self.shelf), numbers };
        Pieces { shelf: Arc::new(chosen), lost: Arc::clone(&self.lost) }
    }

    /// Whether all pieces that were asked for could be had.
    ///
    /// # Errors
    /// [`PieceError`]: the first that could not.
    pub fn check_whole(&self) -> Result<(), PieceError> {
        self.lost.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// All of them, one after another.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Cow<'_, Score>> {
        (0..self.len()).map(|number| self.get(number))
    }
}

/// Some of the pieces of a shelf.
#[derive(Debug)]
struct Chosen {
    shelf: Arc<dyn Shelf>,
    numbers: Vec<usize>,
}

impl Shelf for Chosen {
    fn count(&self) -> usize {
        self.numbers.len()
    }

    fn piece(&self, number: usize) -> Result<Cow<'_, Score>, PieceError> {
        self.shelf.piece(self.numbers[number])
    }

    fn style(&self, number: usize) -> Option<&str> {
        self.shelf.style(self.numbers[number])
    }

    fn name(&self, number: usize) -> Option<&str> {
        self.shelf.name(self.numbers[number])
    }
}

impl Default for Pieces {
    fn default() -> Pieces {
        Pieces::from(Vec::new())
    }
}

impl From<Vec<Score>> for Pieces {
    fn from(pieces: Vec<Score>) -> Pieces {
        Pieces::on(pieces)
    }
}

impl FromIterator<Score> for Pieces {
    fn from_iter<I: IntoIterator<Item = Score>>(pieces: I) -> Pieces {
        pieces.into_iter().collect::<Vec<Score>>().into()
    }
}

/// What was made of the pieces that were wanted last: a trainer wants the same ones step after step, and all of them in an epoch.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    /// With its weight, and when it was last wanted.
    made: HashMap<usize, (Arc<T>, usize, u64)>,
    /// The weight that is kept.
    most: usize,
    weight: usize,
    time: u64,
}

impl<T: Send + Sync> Recent<T> {
    /// Keeps a weight of `most` at most, besides what is wanted at the moment.
    pub fn new(most: usize) -> Recent<T> {
        Recent { made: HashMap::new(), most, weight: 0, time: 0 }
    }

    /// What is made of the pieces of these numbers, by number. `make` makes what is not here, and says how much it weighs.
    pub fn of(
        &mut self,
        wanted: impl IntoIterator<Item = usize>,
        make: impl Fn(usize) -> (T, usize) + Sync,
    ) -> HashMap<usize, Arc<T>> {
        self.time += 1;
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        for number in wanted {
            match self.made.get_mut(&number) {
                Some((made, _, time)) => {
                    *time = self.time;
                    found.insert(number, Arc::clone(made));
                }
                None => missing.push(number),
            }
        }
        missing.sort_unstable();
        missing.dedup();
        let made: Vec<(usize, (T, usize))> = missing.into_par_iter().map(|number| (number, make(number))).collect();
        for (number, (made, weight)) in made {
            let made = Arc::new(made);
            found.insert(number, Arc::clone(&made));
            self.made.insert(number, (made, weight, self.time));
            self.weight += weight;
        }
        self.forget();
        found
    }

    /// Forgets what was not wanted for longest, until the rest is light enough, or wanted now.
    fn forget(&mut self) {
        if self.weight <= self.most {
            return;
        }
        let mut oldest: Vec<(u64, usize)> = self.made.iter().map(|(number, (_, _, time))| (*time, *number)).collect();
        oldest.sort_unstable();
        for (time, number) in oldest {
            if self.weight <= self.most || time == self.time {
                break;
            }
            if let Some((_, weight, _)) = self.made.remove(&number) {
                self.weight -= weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_was_wanted_last_is_kept_and_the_rest_made_anew() {
        let mut recent = Recent::new(30);
        let count = AtomicUsize::new(0);
        // How many are made for these; each weighs ten.
        let mut made = |wanted: &[usize]| {
            let before = count.load(Ordering::Relaxed);
            let make = |number: usize| {
                count.fetch_add(1, Ordering::Relaxed);
                (2 * number, 10)
            };
            let found = recent.of(wanted.iter().copied(), make);
            assert!(wanted.iter().all(|number| *found[number] == 2 * number));
            (count.load(Ordering::Relaxed) - before, recent.made.len())
        };
        assert_eq!(made(&[1, 2, 2, 3]), (3, 3));
        assert_eq!(made(&[3, 1]), (0, 3));
        assert_eq!(made(&[4, 3]), (1, 3), "2 goes");
        assert_eq!(made(&[2]), (1, 3), "1 goes");
        assert_eq!(made(&[5, 6, 7, 8, 9]), (5, 5), "what is wanted stays, however heavy");
        assert_eq!(made(&[9]), (0, 3));
    }
}
