//! The doctor: looks after a training, finds its illnesses by name, and says what is to be done.
//!
//! Source: the author of the LSTM composer's article found them by eye: a loss that "goes crazy" and never recovers, models that
//! repeat a note, models that copy the training music.
//!
//! What it goes by is a function of the steps and epochs done, never of the clock: a training that was stopped and resumed finds the
//! same illnesses at the same places.

use cantus_corpus::{Corpus, Options, Split, SpoolError, prepare};
use cantus_evaluation::listener::Reference;
use cantus_evaluation::originality::{Digest, HeldOut, Index, Originality};
use cantus_evaluation::structure::longest_run;
use cantus_evaluation::{pitch_entropy, spread};
use cantus_model::latent::CodeUse;
use cantus_model::{Composer, Evaluation, Request, Rng, Sampling};
use cantus_score::{Note, Score};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Compositions that are looked at together.
const TRIALS: u64 = 4;
/// Bars of each.
const TRIAL_BARS: usize = 16;
/// Epochs from one look to the next, besides those at every epoch that may be kept.
const LOOK_EVERY: u64 = 5;
/// One chord more often than this in a row is a loop.
const MOST_IN_A_ROW: usize = 16;
/// Pitch entropy under this share of the corpus's, and far beyond its spread, is a loop of a few notes.
const POOR: f64 = 0.5;
/// Where a model loops at its own temperature, the lowest of these is taken at which it does not.
const WARMER: [f64; 7] = [0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5];
/// Of a larger corpus so many pieces say what real pieces share with one another.
const HELD_OUT: usize = 300;
/// Of a corpus of more notes not all pieces are compared with: an index takes 150 bytes for each.
const MOST_NOTES: u64 = 2_000_000;
/// A loss of so many times its best has collapsed.
const COLLAPSE: f64 = 3.0;
/// An epoch's loss of so many times the best one's is no noise.
const UNLEARNT: f64 = 1.1;
/// A loss that is this share of the first one is as good as none: so low, three times more is no collapse.
const NEXT_TO_NOTHING: f64 = 0.1;
/// Steps over which the loss is averaged.
const PULSE: f64 = 10.0;
/// Epochs of falling training and rising validation that are no chance.
const OVERFITTING_EPOCHS: u32 = 3;
/// The rise of validation over its best, as a share, that is worth a word.
const OVERFITTING_RISE: f64 = 0.02;

/// What can be wrong with a training. (Bad data is found before: see [`cantus_corpus::Preflight`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Illness {
    /// The loss is no number, or jumps far beyond its best.
    Collapse,
    /// Validation does not improve any more.
    Plateau,
    /// Training falls while validation rises.
    Overfitting,
    /// Compositions share more with the training music than real pieces do.
    Copying,
    /// Compositions repeat one chord, or use a few pitches only.
    OneNoteLoop,
    /// Codes that say nothing of their pieces.
    SilentCode,
    /// What is drawn is much the same whatever it is drawn out of.
    Sameness,
}

impl std::fmt::Display for Illness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Illness::Collapse => "collapse",
            Illness::Plateau => "plateau",
            Illness::Overfitting => "overfitting",
            Illness::Copying => "copying",
            Illness::OneNoteLoop => "one-note loop",
            Illness::SilentCode => "collapsed code",
            Illness::Sameness => "mode collapse",
        })
    }
}

/// Something that happened in a training, and what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remark {
    /// What is wrong, if anything is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub illness: Option<Illness>,
    /// What was seen and done.
    pub text: String,
}

/// `copying: 31% of ...`.
impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.illness {
            Some(illness) => write!(f, "{illness}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Epochs after which a code should say something.
const SPOKEN: u64 = 2;
/// A code of fewer nats says nothing.
const NEXT_TO_NO_NATS: f64 = 0.5;
/// So many numbers of a code are too few: one in so many.
const FEW_ACTIVE: usize = 16;

/// What is wrong with a code after so many epochs, in words: posterior collapse (S. Bowman et al., Generating Sentences from a Continuous Space, 2016,
/// arXiv:1511.06349v4, section 3.1).
pub(crate) fn silence(code: &CodeUse, epochs: u64) -> Option<String> {
    let CodeUse { active, size, nats } = *code;
    let is_silent = nats < NEXT_TO_NO_NATS || active * FEW_ACTIVE < size;
    (epochs >= SPOKEN && is_silent).then(|| {
        format!(
            "{active} of the {size} numbers of a code say something, {nats:.1} nats: the network writes without them; make them cheaper (--set beta=0.2) or \
             some of them free (--set free_nats=0.5)"
        )
    })
}

/// Drawn phrases that differ by less than this share of what real ones do are one phrase.
const ALIKE: f64 = 0.5;

/// What is wrong with drawn phrases that differ so much from one another, beside real ones, after so many epochs, in words: the mode collapse of a
/// generator (T. Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498v1, section 3.2).
pub(crate) fn sameness(diversity: f64, epochs: u64) -> Option<String> {
    (epochs >= SPOKEN && diversity < ALIKE).then(|| {
        format!(
            "drawn phrases differ by {:.0}% of what real ones do: the generator draws much the same whatever the noise; a critic that learns more between \
             its steps (--set critic_steps=10) or another seed may help",
            100.0 * diversity
        )
    })
}

/// What a few compositions show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Compositions that hold notes.
    pub pieces: usize,
    /// The mean share of their melodies' 8-note n-grams that stand in the training music, 0-1.
    pub copied: Option<f64>,
    /// The most often that one chord is struck in a row.
    pub longest_run: usize,
    /// The mean of their pitch entropies, in bits.
    pub pitch_entropy: Option<f64>,
}

/// What the doctor thinks of a [`Trial`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Findings {
    /// In words, where more is copied than real pieces share.
    pub copying: Option<String>,
    /// In words, where there is a loop.
    pub loops: Option<String>,
}

/// Knows what a corpus is like, and so what its compositions should be like.
#[derive(Debug)]
pub struct Doctor {
    /// How compositions are brought onto the corpus's grid.
    options: Options,
    index: Index,
    held_out: HeldOut,
    /// Mean and standard deviation of the pieces' pitch entropies.
    entropy: (f64, f64),
    /// The most often that one chord is struck in a row in the corpus.
    longest_run: usize,
    /// What a listener keeps of the corpus.
    reference: Option<Reference>,
}

impl Doctor {
    /// The doctor for a corpus.
    ///
    /// # Errors
    /// [`SpoolError::Get`], where a piece cannot be read back.
    pub fn new(corpus: &Corpus) -> Result<Doctor, SpoolError> {
        // Of a very large corpus every so many pieces: what is known of them is held in memory.
        let every = (corpus.report.totals.notes / MOST_NOTES + 1) as usize;
        let some = |split| -> Result<Vec<(&str, Score)>, SpoolError> {
            let some = corpus.pieces_of(split).step_by(every);
            some.map(|piece| Ok((piece.path.as_str(), piece.score()?))).collect()
        };
        let (learnt, kept) = (some(Split::Train)?, some(Split::Valid)?);
        let index = Index::new(learnt.iter().map(|(name, score)| (*name, score)));
        let learnt: Vec<&Score> = learnt.iter().map(|(_, score)| score).collect();
        let kept: Vec<&Score> = kept.iter().map(|(_, score)| score).collect();
        let held_out = HeldOut::of(&index.check_real(&learnt, &kept, HELD_OUT));
        let notes: Vec<Vec<Note>> = learnt.iter().chain(&kept).map(|score| notes(score)).collect();
        let entropy = spread(notes.iter().filter_map(|notes| pitch_entropy(notes)));
        let longest_run = notes.iter().map(|notes| longest_run(notes)).max().unwrap_or(0);
        let options = Options { grid: corpus.report.options.grid, ..Options::lenient() };
        let reference = Reference::of(&[learnt, kept].concat());
        Ok(Doctor { options, index, held_out, entropy, longest_run, reference })
    }

    /// A doctor who looks at figures alone and never at compositions: for a protocol that chooses by validation only.
    pub fn of_figures() -> Doctor {
        let (index, held_out) = (Index::default(), HeldOut::default());
        Doctor { options: Options::lenient(), index, held_out, entropy: (0.0, 0.0), longest_run: 0, reference: None }
    }

    /// Whether it looks at compositions.
    pub(crate) fn listens(&self) -> bool {
        self.index.pieces() > 0
    }

    /// The share of 8-note n-grams that nearly all real pieces stay under, 0-1; `None` where no piece was left to tell.
    pub fn usual_share(&self) -> Option<f64> {
        let share = &self.held_out.melody[1];
        (share.pieces > 0).then_some(share.high)
    }

    /// What a model file takes along, to say of every piece how original it is.
    pub fn digest(&self) -> Option<Digest> {
        self.listens().then(|| Digest::new(&self.index, self.held_out, Digest::MOST_BYTES))
    }

    /// What a model file takes along, to order pieces by how like the corpus they are; `None` where that is too small.
    pub fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// Whether it is time to look at compositions of this epoch, besides those that may be kept.
    pub(crate) fn is_time(epoch: u64) -> bool {
        epoch.is_multiple_of(LOOK_EVERY)
    }

    /// Lets a composer compose, and looks at it. `rng` gives each composition its generator.
    pub(crate) fn trial(&self, composer: &dyn Composer, sampling: Sampling, rng: impl Fn(u64) -> Rng) -> Trial {
        let request = Request::new(TRIAL_BARS, sampling);
        let mut rngs: Vec<Rng> = (0..TRIALS).map(rng).collect();
        let composed = composer.compose_all(&request, &mut rngs, &mut |_| ControlFlow::Continue(()));
        // What cannot be composed yet is no reason to stop a training.
        let compositions = composed.unwrap_or_default();
        let prepared = compositions.iter().filter_map(|made| Some(prepare(&made.score, &self.options).ok()?.score));
        let trial = self.look_at(&prepared.collect::<Vec<Score>>());
        // A bass may stay on one note as long as players do: it is not held against whole pieces.
        let is_one_part = composer.joins().is_some();
        if is_one_part { Trial { longest_run: 0, pitch_entropy: None, ..trial } } else { trial }
    }

    /// What compositions, quantised, show.
    pub fn look_at(&self, compositions: &[Score]) -> Trial {
        let notes: Vec<Vec<Note>> = compositions.iter().map(notes).collect();
        let originality: Vec<Originality> = compositions.iter().map(|score| self.index.check(score)).collect();
        let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        Trial {
            pieces: compositions.len(),
            copied: mean(originality.iter().filter_map(|piece| piece.melody[1]).collect()),
            longest_run: notes.iter().map(|notes| longest_run(notes)).max().unwrap_or(0),
            pitch_entropy: mean(notes.iter().filter_map(|notes| pitch_entropy(notes)).collect()),
        }
    }

    /// What is wrong with it.
    pub(crate) fn findings(&self, trial: &Trial) -> Findings {
        let percent = |share: f64| format!("{:.1}%", 100.0 * share);
        let copying = trial.copied.filter(|copied| self.held_out.is_exceeded_by_share(*copied) == Some(true));
        let copying = copying.map(|copied| {
            format!(
                "{} of the 8-note runs of {} compositions stand in the training music, and nearly all real pieces stay under {}",
                percent(copied),
                trial.pieces,
                percent(self.usual_share().unwrap_or_default())
            )
        });
        let (mean, deviation) = self.entropy;
        let poor = |entropy: &f64| *entropy < POOR * mean && *entropy < mean - 3.0 * deviation;
        let loops = if trial.longest_run > MOST_IN_A_ROW.max(self.longest_run) {
            Some(format!("a composition strikes one chord {} times in a row", trial.longest_run))
        } else {
            let words =
                |entropy| format!("the compositions' pitch entropy is {entropy:.1} bits, the corpus's {mean:.1}");
            trial.pitch_entropy.filter(poor).map(words)
        };
        Findings { copying, loops }
    }

    /// The lowest temperature above that of `usual` at which a composer does not loop, or the highest there is.
    pub(crate) fn warmer(&self, composer: &dyn Composer, usual: Sampling, rng: impl Fn(u64) -> Rng) -> Option<f64> {
        let mut last = None;
        for temperature in WARMER.into_iter().filter(|t| *t > usual.temperature) {
            last = Some(temperature);
            let trial = self.trial(composer, Sampling { temperature, ..usual }, &rng);
            if self.findings(&trial).loops.is_none() {
                break;
            }
        }
        last
    }
}

/// A score's pitched notes in the order of their onsets.
fn notes(score: &Score) -> Vec<Note> {
    let pitched = score.parts.iter().filter(|part| !part.drums);
    let mut notes: Vec<Note> = pitched.flat_map(|part| part.notes.iter().copied()).collect();
    notes.sort_by_key(|note| (note.onset, note.pitch));
    notes
}

/// The training loss, averaged over the last steps: what tells a collapse. A step counts by what its batch has, beside the largest: an epoch may
/// end with a few long pieces alone, and their silence is no best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pulse {
    sum: f64,
    weight: f64,
    /// What the largest batch had.
    #[serde(default)]
    most: f64,
    first: Option<f64>,
    best: Option<f64>,
}

impl Pulse {
    /// After a step. Says how many times its best the loss is, where that is a collapse.
    pub fn beat(&mut self, batch: &Evaluation) -> Option<f64> {
        let nats = batch.per_token();
        // Steps without a finite gradient are counted elsewhere.
        if !nats.is_finite() {
            return None;
        }
        self.most = self.most.max(batch.tokens);
        let share = batch.tokens / self.most;
        let keep = 1.0 - share / PULSE;
        (self.sum, self.weight) = (keep * self.sum + share * nats, keep * self.weight + share);
        let average = self.sum / self.weight;
        let first = *self.first.get_or_insert(average);
        let best = self.best.map_or(average, |best| best.min(average));
        self.best = Some(best);
        let measure = best.max(NEXT_TO_NOTHING * first);
        (average > COLLAPSE * measure).then(|| average / best)
    }

    /// Forgets the last steps, and remembers what was reached before.
    pub fn calm(&mut self) {
        (self.sum, self.weight) = (0.0, 0.0);
    }
}

/// Whether an epoch's training loss has risen over the best one's, and is worse than what the weakest baseline gives: slower than a jump,
/// but a collapse, too.
pub(crate) fn unlearns(train: f64, best: f64, baseline: f64) -> bool {
    train > UNLEARNT * best && train > baseline
}

/// Whether training falls while validation rises: `since_best` epochs after the best one, whose figures are given first.
pub(crate) fn is_overfitting(since_best: u32, best: (f64, f64), now: (f64, f64)) -> bool {
    let ((best_train, best_valid), (train, valid)) = (best, now);
    since_best >= OVERFITTING_EPOCHS && train < best_train && valid > best_valid + OVERFITTING_RISE * best_valid.abs()
}

#[cfg(test)]
mod tests;
