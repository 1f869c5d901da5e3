//! Everything about a set of pieces beside a corpus, put together: for a terminal, as JSON, and as a page that stands alone.

mod page;
mod text;

pub use page::Picture;
pub use text::table;

use crate::accompaniment::Accompaniment;
use crate::listener::Listener;
use crate::originality::{HeldOut, Index, Originality};
use crate::tracks::Tracks;
use crate::{Comparison, FIGURES, Statistics, Summary};
use cantus_score::{Score, counted};
use rayon::prelude::*;
use serde::Serialize;

/// Of a larger corpus so many pieces, evenly spread, say what real pieces share with one another.
const HELD_OUT: usize = 300;
/// A listener hears all real pieces, where fewer than these were kept from learning.
const ENOUGH_KEPT: usize = 30;
/// Findings that are said in words.
const FINDINGS: usize = 8;
/// A difference of means of more corpus' standard deviations than this is worth a word: half of the pieces' spread (J. Cohen, "Statistical
/// Power Analysis for the Behavioral Sciences", 1988, calls it a medium effect).
const FAR: f64 = 0.5;
/// Fewer pieces than this say little of what is usual.
const FEW: usize = 5;
/// An overlap of distributions under this is worth a word.
const OTHER: f64 = 0.75;
/// The first figures are notes and bars: how long a piece is was asked for, and is no finding.
const LENGTHS_ASKED_FOR: usize = 2;

/// A piece to be looked at; its score is quantised, on the same grid as all others.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Its file's name, or its seed.
    pub name: &'a str,
    /// Its music.
    pub score: &'a Score,
    /// What of it may be a copy: all of it, or where the rest was given the part that was written.
    pub written: &'a Score,
}

/// A corpus as the measure: the pieces that a model may have copied, and others like them, if there are any.
#[derive(Clone, Copy, Debug)]
pub struct Corpus<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What was learnt from: originality is asked of these.
    pub learnt: &'a [Piece<'a>],
    /// What was kept from learning.
    pub kept: &'a [Piece<'a>],
}

/// A figure of a model on pieces that it did not learn from, with its protocol.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LikelihoodLine {
    /// Which pieces, in words.
    pub pieces: String,
    /// How many pieces were asked of.
    pub count: usize,
    /// How many there are: of more than were asked for these are spread evenly over all.
    pub of: usize,
    /// What kind of figure: exact, bound, ...
    pub kind: String,
    /// What the model predicts at once, token or frame: wherever figures say "token", it stands for this.
    pub unit: String,
    /// Nats per token, all tokens alike.
    pub nats_per_token: f64,
    /// Nats per quarter note, all quarters alike.
    pub nats_per_quarter: f64,
    /// The same of the notes themselves, their onsets, pitches and lengths: it compares composers of different kinds where pieces and
    /// grid are the same. `None` where they cannot be told apart.
    pub nats_per_quarter_of_notes: Option<f64>,
    /// The mean of the pieces' nats per token: every piece counts alike.
    pub nats_per_token_by_piece: f64,
    /// Share of tokens predicted right, 0-1.
    pub accuracy: f64,
    /// Pieces that the model's vocabulary could only say roughly.
    pub adjusted: usize,
    /// Which tokens count, what is given.
    pub protocol: String,
    /// Beside a bound what the figure itself is estimated at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// What pitches are worth where the rhythm is given, of models that can be given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_rhythm: Option<GivenRhythm>,
    /// Where the right one stands, of models that rank candidates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranks: Option<Ranks>,
    /// Each piece that was asked of.
    pub by_piece: Vec<PieceLikelihood>,
}

/// What the figure is estimated at of which only a bound is known. It stands in no column of other figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Draws of each code that it is estimated by.
    pub draws: usize,
    /// Nats per quarter note, all quarters alike.
    pub nats_per_quarter: f64,
}

/// Where the right one stands among its candidates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ranks {
    /// Its mean rank, 1 being the best.
    pub mean: f64,
    /// The share of those that the piece has not had before, and of these the share that is right, and the mean rank.
    pub new: f64,
    /// 0-1; not a number where nothing is new.
    pub right_of_new: f64,
    /// 1 being the best.
    pub mean_of_new: f64,
}

/// What pitches are worth where it is given when notes begin and end. It stands in no column of other figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GivenRhythm {
    /// Nats of a note's pitch, all notes alike.
    pub nats_per_note: f64,
    /// The same per quarter note, all quarters alike.
    pub nats_per_quarter: f64,
}

/// How likely a model finds one piece.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PieceLikelihood {
    /// Its name.
    pub name: String,
    /// Nats of the whole piece.
    pub nats: f64,
    /// Tokens that were counted.
    pub tokens: f64,
    /// Quarter notes that these stand for.
    pub quarters: f64,
    /// Whether the model's vocabulary could only say it roughly.
    pub is_adjusted: bool,
    /// Nats of each bar; together those of the piece.
    pub bars: Vec<f64>,
    /// Each thing that was predicted (a token, a frame, a note): where it stands, in quarter notes, and its nats.
    pub moments: Vec<(f64, f64)>,
}

/// A set of pieces beside a corpus.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the corpus is called.
    pub corpus: String,
    /// What the set is called.
    pub set: String,
    /// A model's likelihoods, where a model is looked at.
    pub likelihood: Vec<LikelihoodLine>,
    /// What a part is like that a model wrote to given ones, where it does.
    pub accompaniment: Option<Accompaniment>,
    /// The tracks of the corpus, and of the set, where both have bands.
    pub tracks: Option<(Tracks, Tracks)>,
    /// What the corpus is like.
    pub corpus_summary: Summary,
    /// What the set is like.
    pub set_summary: Summary,
    /// The one against the other.
    pub comparison: Comparison,
    /// How well a machine tells the set from real pieces, those kept from learning where there are enough of them.
    pub listener: Option<Listener>,
    /// Pieces that originality was asked of.
    pub indexed: usize,
    /// What real pieces share with those.
    pub held_out: HeldOut,
    /// The shares of the real pieces' melodies' 8-note n-grams.
    pub held_out_shares: Vec<f64>,
    /// Each piece of the set.
    pub pieces: Vec<PieceReport>,
    /// What whoever read the music had to say of it.
    pub warnings: Vec<String>,
    /// A piece of the corpus and one of the set that are as structured as the middle of their like, by number.
    #[serde(skip)]
    typical: (Option<usize>, Option<usize>),
}

/// A piece of the set.
#[derive(Clone, Debug, Serialize)]
pub struct PieceReport {
    /// Its name.
    pub name: String,
    /// What it is like.
    pub statistics: Statistics,
    /// What of it stands in the corpus.
    pub originality: Originality,
    /// Whether that is more than 19 of 20 real pieces show.
    pub is_copied: bool,
}

fn scores_of<'p>(pieces: &[Piece<'p>]) -> Vec<&'p Score> {
    pieces.iter().map(|piece| piece.score).collect()
}

impl Report {
    /// Looks at `set` beside `corpus`.
    ///
    /// What real pieces share is asked of the kept ones, and of the learnt ones with themselves left out.
    pub fn new<'a>(name: &str, set: &[Piece<'_>], corpus: Corpus<'a>) -> Report {
        let statistics = |pieces: &[Piece<'_>]| -> Vec<Statistics> {
            pieces.par_iter().map(|piece| Statistics::of(piece.score)).collect()
        };
        let all: Vec<Piece<'a>> = corpus.learnt.iter().chain(corpus.kept).copied().collect();
        let (real, ours) = (statistics(&all), statistics(set));
        let heard = if corpus.kept.len() >= ENOUGH_KEPT { corpus.kept } else { &all };
        let listener = Listener::of(&scores_of(heard), &scores_of(set));
        let index = Index::new(corpus.learnt.iter().map(|piece| (piece.name, piece.score)));
        let left_out = index.check_real(&scores_of(corpus.learnt), &scores_of(corpus.kept), HELD_OUT);
        let held_out = HeldOut::of(&left_out);
        let found: Vec<Originality> = set.par_iter().map(|piece| index.check(piece.written)).collect();
        let comparison = Comparison::of(&real, &ours);
        let typical = (middle(&real), middle(&ours));
        let (corpus_summary, set_summary) = (Summary::of(&real), Summary::of(&ours));
        let pieces = set.iter().zip(ours).zip(found).map(|((piece, statistics), originality)| PieceReport {
            name: piece.name.to_owned(),
            statistics,
            is_copied: held_out.is_exceeded_by(&originality),
            originality,
        });
        Report {
            corpus: corpus.name.to_owned(),
            set: name.to_owned(),
            likelihood: Vec::new(),
            accompaniment: None,
            tracks: Tracks::of(&scores_of(&all)).zip(Tracks::of(&scores_of(set))),
            corpus_summary,
            set_summary,
            comparison,
            listener,
            indexed: index.pieces(),
            held_out,
            held_out_shares: left_out.iter().filter_map(|piece| piece.melody[1]).collect(),
            pieces: pieces.collect(),
            warnings: Vec::new(),
            typical,
        }
    }

    /// The number of the corpus' piece (learnt ones first) and of the set's piece that are in the middle of their like by structure.
    pub fn typical(&self) -> (Option<usize>, Option<usize>) {
        self.typical
    }

    /// The numbers of the set's pieces, the one that shares most with the corpus first.
    pub fn most_copied(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.pieces.len()).collect();
        let key = |k: &usize| {
            let originality = &self.pieces[*k].originality;
            (originality.melody[1].unwrap_or(0.0), originality.longest.as_ref().map_or(0, |passage| passage.onsets))
        };
        order.sort_by(|a, b| key(b).partial_cmp(&key(a)).unwrap_or(std::cmp::Ordering::Equal));
        order
    }

    /// What a musician should hear of first: copies, loops, and the statistics in which the set is furthest from the corpus.
    pub fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let copied = self.pieces.iter().filter(|piece| piece.is_copied).count();
        let pieces = self.pieces.len();
        // One real piece in 20 shares as much by chance; twice as many, and at least two, are no chance.
        if pieces > 0 && copied > 1.max(pieces / 10) {
            findings.push(format!(
                "{copied} of {pieces} pieces share more with {} than nearly all real pieces do",
                self.corpus
            ));
        }
        let looping = self.pieces.iter().filter(|piece| piece.statistics.longest_run > 16).count();
        if looping > 0 {
            findings.push(format!("{looping} of {pieces} pieces strike one chord more than 16 times in a row"));
        }
        let mut differences: Vec<(f64, String)> = Vec::new();
        for (k, figure) in FIGURES.iter().enumerate().skip(LENGTHS_ASKED_FOR) {
            let (real, ours) = (&self.corpus_summary.figures[k], &self.set_summary.figures[k]);
            let Some(difference) = ours.difference(real).filter(|difference| difference.abs() > FAR) else { continue };
            let more = if difference > 0.0 { "more" } else { "less" };
            let words =
                format!("{}: {more} than the corpus ({} instead of {})", figure.name, ours.short(), real.short());
            differences.push((difference.abs(), words));
        }
        differences.sort_by(|a, b| b.0.total_cmp(&a.0));
        findings.extend(differences.into_iter().take(FINDINGS).map(|(_, words)| words));
        for row in self.comparison.rows.iter().filter(|row| row.overlap < OTHER) {
            if FIGURES.iter().all(|figure| figure.name != row.name) {
                findings.push(format!(
                    "{}: other ones than in the corpus (overlap {:.0}%)",
                    row.name,
                    100.0 * row.overlap
                ));
            }
        }
        if findings.is_empty() && pieces < FEW {
            findings.push(format!("nothing stands out, of which {} can say little", counted(pieces, "piece")));
        } else if findings.is_empty() {
            findings.push(
                "in every statistic the pieces are about as far from the corpus as its own pieces are from one another"
                    .to_owned(),
            );
        }
        findings.splice(0..0, self.listener.as_ref().map(ToString::to_string));
        findings
    }

    /// The report as a page: one file, nothing to load, with `pictures` where they belong.
    pub fn page(&self, title: &str, pictures: &[Picture]) -> String {
        page::page(self, title, pictures)
    }
}

/// The number of the piece with the middle structureness of 4 to 8 bars.
fn middle(pieces: &[Statistics]) -> Option<usize> {
    let mut order: Vec<(f64, usize)> =
        pieces.iter().enumerate().filter_map(|(k, piece)| Some((piece.structureness.middle?, k))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    order.get(order.len() / 2).map(|(_, k)| *k)
}

#[cfg(test)]
mod tests;
