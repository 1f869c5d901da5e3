//! The report for a terminal: in short, in full, and several models in one table.

use super::{Estimate, GivenRhythm, LENGTHS_ASKED_FOR, LikelihoodLine, Ranks, Report};
use crate::originality::{LENGTHS, Originality, Range};
use crate::summary::lines;
use crate::{FIGURES, side_by_side};
use std::fmt::Write;

/// Statistics that the short form shows.
const SHOWN: usize = 8;
/// Pieces with a passage of the corpus that are named in full.
const COPIES: usize = 5;

impl Report {
    /// The report on some thirty lines: the verdict first, then likelihood, originality, and where the pieces are furthest from the
    /// corpus. Lines end with a line break.
    pub fn brief(&self) -> String {
        let mut text = self.verdict();
        // Writing to a string cannot fail.
        for likelihood in &self.likelihood {
            let _ = writeln!(text, "\n{} {}", likelihood.heading(), likelihood.words());
        }
        text.push_str(&self.accompaniment());
        text.push_str(&self.tracks());
        let _ = writeln!(text, "\n{}", self.copies());
        text.push_str(&self.passages(1));
        let furthest = self.furthest();
        if !furthest.is_empty() {
            let _ = writeln!(text, "\nFurthest from the corpus, of {} statistics\n", self.comparison.rows.len());
            text.push_str(&lines(&furthest));
        }
        text
    }

    /// The report with every statistic. Lines end with a line break.
    pub fn full(&self) -> String {
        let mut text = self.verdict();
        // Writing to a string cannot fail.
        let mut line = |words: String| {
            let _ = writeln!(text, "{words}");
        };
        for likelihood in &self.likelihood {
            line(format!("\n{} {}", likelihood.heading(), likelihood.words()));
        }
        if self.accompaniment.is_some() {
            line(self.accompaniment());
        }
        if self.tracks.is_some() {
            line(self.tracks());
        }
        line("\nStatistics, mean and standard deviation of the pieces\n".to_owned());
        line(side_by_side(&[(&self.corpus, &self.corpus_summary), (&self.set, &self.set_summary)]));
        line(
            "Distances between pieces; overlap and divergence of those across with those within the corpus\n"
                .to_owned(),
        );
        line(self.comparison.table());
        line(format!(
            "Originality: n-grams of the melody that stand in the {} pieces of {}\n",
            self.indexed, self.corpus
        ));
        line(self.shares_table());
        text.push_str(&self.passages(COPIES));
        text
    }

    /// What was written to given parts beside what was played to them; empty where nothing was.
    fn accompaniment(&self) -> String {
        let Some(found) = &self.accompaniment else { return String::new() };
        format!(
            "\nThe {} beside what was played to the same parts, in {} patterns of two bars\n\n{}",
            found.part,
            found.patterns,
            found.table()
        )
    }

    /// The tracks of bands; empty where there are none.
    fn tracks(&self) -> String {
        let Some((corpus, set)) = &self.tracks else { return String::new() };
        format!("\nTrack by track, {} and {}\n\n{}", self.corpus, self.set, set.beside(corpus))
    }

    fn verdict(&self) -> String {
        let mut text = "In short\n".to_owned();
        for finding in self.findings() {
            let _ = writeln!(text, "- {finding}");
        }
        text
    }

    /// How much the melodies have in common with the corpus, in a sentence.
    fn copies(&self) -> String {
        let ours = Range::of(self.pieces.iter().filter_map(|piece| piece.originality.melody[1]));
        let real = &self.held_out.melody[1];
        let percent = |share: f64| format!("{:.1}%", 100.0 * share);
        let beside = match real.pieces {
            0 => String::new(),
            _ => format!("; real pieces: half under {}, 19 of 20 under {}", percent(real.median), percent(real.high)),
        };
        format!(
            "Originality: of the melodies' 8-note runs {} stand in the {} pieces of {} in the middle piece, {} at most{beside}",
            percent(ours.median),
            self.indexed,
            self.corpus,
            percent(ours.highest)
        )
    }

    /// The longest passages that also stand in the corpus, of the pieces that share most with it.
    fn passages(&self, most: usize) -> String {
        let mut text = String::new();
        for number in self.most_copied().into_iter().take(most) {
            let piece = &self.pieces[number];
            if let Some(passage) = &piece.originality.longest {
                let mark = if piece.is_copied { "  more than real pieces share" } else { "" };
                let _ = writeln!(text, "{}: {passage}{mark}", piece.name);
            }
        }
        text
    }

    /// The statistics whose distances overlap least with those within the corpus, as rows of a table.
    fn furthest(&self) -> Vec<Vec<String>> {
        let is_asked_for = |name| FIGURES[..LENGTHS_ASKED_FOR].iter().any(|figure| figure.name == name);
        let mut rows: Vec<_> = self.comparison.rows.iter().filter(|row| !is_asked_for(row.name)).collect();
        rows.sort_by(|a, b| a.overlap.total_cmp(&b.overlap));
        let mean = |name: &str, summary: &crate::Summary| {
            let number = FIGURES.iter().position(|figure| figure.name == name)?;
            Some(summary.figures[number].short())
        };
        let cells = |row: &crate::comparison::Row| {
            let of = |summary| mean(row.name, summary).unwrap_or_else(|| "-".to_owned());
            vec![
                row.name.to_owned(),
                of(&self.corpus_summary),
                of(&self.set_summary),
                format!("{:.0}%", 100.0 * row.overlap),
            ]
        };
        let Some(overlap) = self.comparison.overlap() else { return Vec::new() };
        let head = ["", &self.corpus, &self.set, "overlap"].map(str::to_owned).to_vec();
        let all = vec!["all statistics".to_owned(), String::new(), String::new(), format!("{:.0}%", 100.0 * overlap)];
        std::iter::once(head).chain(rows.into_iter().take(SHOWN).map(cells)).chain([all]).collect()
    }

    fn shares_table(&self) -> String {
        let mut rows = vec![["", "real pieces, left out", "", "these pieces", ""].map(str::to_owned).to_vec()];
        rows.push(["", "median", "19 of 20 under", "median", "highest"].map(str::to_owned).to_vec());
        let percent = |share: f64| format!("{:.1}%", 100.0 * share);
        let mut add = |name: String, real: &Range, ours: Range, say: &dyn Fn(f64) -> String| {
            rows.push(vec![name, say(real.median), say(real.high), say(ours.median), say(ours.highest)]);
        };
        let ours = |of: &dyn Fn(&Originality) -> Option<f64>| {
            Range::of(self.pieces.iter().filter_map(|piece| of(&piece.originality)))
        };
        for (k, length) in LENGTHS.iter().enumerate() {
            add(format!("{length} notes of the melody"), &self.held_out.melody[k], ours(&|o| o.melody[k]), &percent);
        }
        for (k, length) in LENGTHS.iter().enumerate() {
            add(format!("{length} chords"), &self.held_out.chords[k], ours(&|o| o.chords[k]), &percent);
        }
        let longest = |o: &Originality| o.longest.as_ref().map(|passage| passage.onsets as f64);
        add("longest passage (onsets)".to_owned(), &self.held_out.longest, ours(&longest), &|x| format!("{x:.0}"));
        lines(&rows)
    }
}

/// Kinds of figures that never stand in a column with another.
const APART: [&str; 2] = ["pseudo-likelihood", "ranking among candidates"];

/// Several sets beside one corpus, a line each, and what the columns mean. Lines end with a line break.
pub fn table(reports: &[Report]) -> String {
    let mut head = vec!["", "told from real", "overlap", "copies", "nats per quarter of the notes", "in its own unit"];
    let first = |report: &'_ Report| report.likelihood.first().map(|line| line.kind.clone());
    let apart: Vec<&str> =
        APART.into_iter().filter(|kind| reports.iter().any(|report| first(report).as_deref() == Some(kind))).collect();
    head.extend(&apart);
    let mut rows = vec![head.into_iter().map(str::to_owned).collect()];
    for report in reports {
        let likelihood = report.likelihood.first();
        let listener = report.listener.as_ref();
        let copied = report.pieces.iter().filter(|piece| piece.is_copied).count();
        let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        let mut row = vec![
            report.set.clone(),
            or_none(listener.map(|heard| format!("{:.0}% ± {:.0}%", 100.0 * heard.right, 100.0 * heard.error))),
            or_none(report.comparison.overlap().map(|overlap| format!("{:.0}%", 100.0 * overlap))),
            format!("{copied} of {}", report.pieces.len()),
            or_none(
                likelihood.and_then(|line| Some(format!("{:.3} ({})", line.nats_per_quarter_of_notes?, line.kind))),
            ),
        ];
        let own = |line: &LikelihoodLine| format!("{:.3} per {}", line.nats_per_token, line.unit);
        row.push(or_none(likelihood.filter(|line| !APART.contains(&&line.kind[..])).map(own)));
        row.extend(apart.iter().map(|kind| or_none(likelihood.filter(|line| line.kind == *kind).map(own))));
        rows.push(row);
    }
    let mut text = lines(&rows);
    text.push_str(
        "\nTold from real: how often a machine listener is right about whose an excerpt is; 50% is chance.\n\
         Overlap: how far the pieces are from the corpus, by its own measure; 100% is as its own pieces are from one another.\n\
         Copies: pieces that share more with the corpus than 19 of 20 real pieces do.\n",
    );
    let protocols: Vec<(&str, &LikelihoodLine)> =
        reports.iter().filter_map(|report| Some((&report.set[..], report.likelihood.first()?))).collect();
    if let Some(((_, first), others)) = protocols.split_first() {
        let alike = |line: &LikelihoodLine| {
            (&line.kind, &line.unit, &line.protocol) == (&first.kind, &first.unit, &first.protocol)
        };
        text.push_str(if others.iter().all(|(_, line)| alike(line)) {
            "Nats: how surprised the model is by pieces that it did not learn from; fewer are better.\n"
        } else {
            "Nats: how surprised each model is by pieces that it did not learn from. Those of the notes (onset, \
             pitch, length) compare where kind and grid are the same; in their own units they count different things:\n"
        });
        for (set, line) in &protocols {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "  {set}: {} of {} pieces, per {}, {}; {}",
                line.count, line.of, line.unit, line.kind, line.protocol
            );
        }
    }
    text
}

impl LikelihoodLine {
    fn heading(&self) -> &'static str {
        if self.ranks.is_some() { "Ranks of" } else { "Likelihood of" }
    }

    pub(super) fn words(&self) -> String {
        let LikelihoodLine { unit, kind, protocol, .. } = self;
        let adjusted = match self.adjusted {
            0 => String::new(),
            some => format!("; {some} of them said in the nearest words the model has"),
        };
        let estimate = self.estimate.map_or_else(String::new, |Estimate { draws, nats_per_quarter }| {
            format!("\n  estimated by {draws} draws of each code: {nats_per_quarter:.3} nats per quarter note")
        });
        let pitches = self.given_rhythm.map_or_else(String::new, |GivenRhythm { nats_per_note, nats_per_quarter }| {
            format!("\n  pitches where the rhythm is given: {nats_per_note:.3} nats a note, {nats_per_quarter:.3} per quarter note")
        });
        let of = if self.count < self.of { format!("{} of {}", self.count, self.of) } else { self.count.to_string() };
        if let Some(Ranks { mean, new, right_of_new, mean_of_new }) = self.ranks {
            return format!(
                "the next {unit} in {} ({of}{adjusted}): {:.1}% right, mean rank {mean:.2}, {:.3} nats per {unit}\n  of the {:.0}% that the piece has not \
                 had before {:.1}% right, mean rank {mean_of_new:.2}\n  {kind}; {protocol}",
                self.pieces,
                100.0 * self.accuracy,
                self.nats_per_token,
                100.0 * new,
                100.0 * right_of_new,
            );
        }
        format!(
            "{} ({of}{adjusted}): {:.3} nats per {unit}, {:.3} per quarter note{}, {:.1}% right; every piece alike {:.3} nats per {unit}\n  \
             {kind}; {protocol}{estimate}{pitches}",
            self.pieces,
            self.nats_per_token,
            self.nats_per_quarter,
            self.nats_per_quarter_of_notes.map_or_else(String::new, |nats| format!(", {nats:.3} of the notes alone")),
            100.0 * self.accuracy,
            self.nats_per_token_by_piece,
        )
    }
}
