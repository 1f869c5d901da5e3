//! The report as HTML that stands alone.

use super::Report;
use crate::picture::{comparison, escaped, shares};
use std::fmt::Write;

/// A picture that the page shows, with words under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// What is to be seen, and what to look for.
    pub caption: String,
    /// The SVG.
    pub svg: String,
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#28292f;background:#fff;max-width:1060px;margin:2em auto;padding:0 1em}\
h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2.2em;border-bottom:1px solid #e4e6eb}\
table{border-collapse:collapse;font-size:.88em;font-variant-numeric:tabular-nums}td,th{padding:.15em .9em .15em 0;text-align:right;\
vertical-align:top}td:first-child,th:first-child{text-align:left}tr:nth-child(even) td{background:#f6f7f9}.far{color:#b8420b;font-weight:600}\
figure{margin:1.2em 0;overflow-x:auto}figcaption{color:#5a5e68;font-size:.88em}svg{max-width:100%;height:auto}\
details summary{cursor:pointer;color:#2663aa}.small{color:#5a5e68;font-size:.88em}";

pub(super) fn page(report: &Report, title: &str, pictures: &[Picture]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style></head><body>\n<h1>{0}</h1>\n",
        escaped(title)
    );
    // Writing to a string cannot fail.
    let mut add = |text: String| html.push_str(&text);
    let (set, corpus) = (escaped(&report.set), escaped(&report.corpus));
    add(format!(
        "<p>{} pieces of <b>{set}</b> beside {} pieces of <b>{corpus}</b>.</p>\n<h2>In short</h2>\n<ul>",
        report.pieces.len(),
        report.corpus_summary.pieces
    ));
    report.findings().iter().for_each(|finding| add(format!("<li>{}</li>", escaped(finding))));
    add("</ul>\n".to_owned());
    if !report.likelihood.is_empty() {
        add("<h2>Likelihood</h2>\n".to_owned());
        add(likelihood(report));
    }
    add("<h2>Originality</h2>\n".to_owned());
    add(originality(report));
    add("<h2>Statistics</h2>\n<p class=\"small\">Mean and standard deviation of the pieces. The overlap says how far from the corpus \
         the pieces are, by the corpus' own measure: 100% where a piece is as far from the corpus' pieces as these are from one \
         another. The difference is that of the means, in standard deviations of the corpus; more than a half is marked.</p>\n\
         <p class=\"small\">Repetition says how alike the music is to itself so much later, over that of the same notes in random order: \
         1 is chance. Form is the same for whole bars over bars in random order: at 1 the order of the bars means nothing. \
         Structureness is the largest part of a piece that one passage of that length explains by coming again, 0 to 1; longer pieces \
         have more of it, and over shuffled bars is what the order of the bars adds.</p>\n"
        .to_owned());
    add(statistics(report));
    add(format!("<figure>{}</figure>\n", comparison(&report.comparison, &report.corpus, &report.set)));
    if !pictures.is_empty() {
        add("<h2>Structure, and the music</h2>\n".to_owned());
    }
    for picture in pictures {
        add(format!("<figure>{}<figcaption>{}</figcaption></figure>\n", picture.svg, escaped(&picture.caption)));
    }
    add("</body></html>\n".to_owned());
    html
}

fn likelihood(report: &Report) -> String {
    let unit = report.likelihood.first().map_or("token", |line| &line.unit);
    let mut html = format!(
        "<table><tr><th>pieces</th><th>nats per {0}</th><th>per quarter note</th><th>of the notes alone</th><th>per {0}, every piece alike</th>\
         <th>right</th></tr>",
        escaped(unit)
    );
    for line in &report.likelihood {
        let _ = write!(
            html,
            "<tr><td>{} ({})</td><td>{:.3}</td><td>{:.3}</td><td>{}</td><td>{:.3}</td><td>{:.1}%</td></tr>",
            escaped(&line.pieces),
            line.count,
            line.nats_per_token,
            line.nats_per_quarter,
            line.nats_per_quarter_of_notes.map_or_else(|| "-".to_owned(), |nats| format!("{nats:.3}")),
            line.nats_per_token_by_piece,
            100.0 * line.accuracy
        );
    }
    html.push_str("</table>\n");
    if let Some(line) = report.likelihood.first() {
        let _ = writeln!(html, "<p class=\"small\">{}; {}.</p>", escaped(&line.kind), escaped(&line.protocol));
    }
    html
}

fn originality(report: &Report) -> String {
    let ours: Vec<f64> = report.pieces.iter().filter_map(|piece| piece.originality.melody[1]).collect();
    let rows = [("real pieces, left out", report.held_out_shares.clone(), false), (report.set.as_str(), ours, true)];
    let limit = Some(report.held_out.melody[1].high).filter(|_| report.held_out.melody[1].pieces > 0);
    let title = format!("Share of the melody's 8-note turns that stand in {}", report.corpus);
    let mut html = format!("<figure>{}</figure>\n", shares(&rows, limit, &title));
    let _ = writeln!(
        html,
        "<p class=\"small\">Turns are compared by intervals and by ratios of durations: neither key nor tempo hides a copy. Each dot \
         is a piece; a real piece is held against all others of the {} that were learnt from.</p>",
        report.indexed
    );
    html.push_str(
        "<table><tr><th>piece</th><th>8-note turns</th><th>longest passage that stands in the corpus</th></tr>",
    );
    for number in report.most_copied().into_iter().take(12) {
        let piece = &report.pieces[number];
        let share = piece.originality.melody[1].map_or("-".to_owned(), |share| format!("{:.1}%", 100.0 * share));
        let passage = piece.originality.longest.as_ref().map_or("none".to_owned(), ToString::to_string);
        let mark = if piece.is_copied { " class=\"far\"" } else { "" };
        let _ = write!(
            html,
            "<tr><td>{}</td><td{mark}>{share}</td><td style=\"text-align:left\">{}</td></tr>",
            escaped(&piece.name),
            escaped(&passage)
        );
    }
    html.push_str("</table>\n");
    html
}

fn statistics(report: &Report) -> String {
    let mut html = format!(
        "<table><tr><th></th><th>{}</th><th>{}</th><th>difference</th><th>overlap</th><th>KL (nats)</th></tr>",
        escaped(&report.corpus),
        escaped(&report.set)
    );
    for row in &report.comparison.rows {
        let figure = report.corpus_summary.figures.iter().position(|figure| figure.name == row.name);
        let spreads = figure.map(|k| (&report.corpus_summary.figures[k], &report.set_summary.figures[k]));
        let (real, ours) = spreads.map_or(Default::default(), |(real, ours)| (real.to_string(), ours.to_string()));
        let difference = spreads.and_then(|(real, ours)| ours.difference(real));
        let is_far = difference.map_or(figure.is_none() && row.overlap < super::OTHER, |by| by.abs() > super::FAR);
        let _ = write!(
            html,
            "<tr{}><td>{}</td><td>{real}</td><td>{ours}</td><td>{}</td><td>{:.0}%</td><td>{:.3}</td></tr>",
            if is_far { " class=\"far\"" } else { "" },
            escaped(row.name),
            difference.map_or_else(String::new, |by| format!("{by:+.1}")),
            100.0 * row.overlap,
            row.divergence
        );
    }
    html.push_str("</table>\n");
    html
}
