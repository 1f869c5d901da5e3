//! What a model writes to parts of the corpus's pieces, beside what was played to them.

use crate::terminal::bar;
use cantus_corpus::{Options, prepare};
use cantus_evaluation::accompaniment::{Accompanied, Accompaniment};
use cantus_evaluation::report;
use cantus_model::{Given, Joined, Request, Rng, seeded};
use cantus_score::{Part, Score, counted};
use cantus_workshop::{self as workshop, Model};
use miette::{IntoDiagnostic, Result, miette};
use std::ops::ControlFlow;

/// Parts that are written to each piece.
const VERSIONS: usize = 4;

/// A piece whose one part was written again, several times.
struct Written<'a> {
    name: &'a str,
    given: Score,
    played: Part,
    /// Whole pieces, by their seeds.
    versions: Vec<(u64, Score)>,
}

/// Pieces with a part that the model wrote, on the corpus's grid, named by their seeds.
pub struct Joint {
    pub pieces: Vec<(String, Score)>,
    /// Of each the part that was written, alone.
    pub written: Vec<Score>,
    /// How the new parts go with the rest.
    pub figures: Option<Accompaniment>,
}

/// Writes a part to so many pieces, each several times.
pub fn write_to(
    (model, joined): (&Model, Joined),
    pieces: &[report::Piece<'_>],
    (count, bars, seed): (usize, usize, u64),
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<Joint> {
    if bars == 0 {
        return Err(miette!("a piece has one bar at least"));
    }
    let begun = |piece: &report::Piece<'_>| {
        let end = piece.score.bars().nth(bars - 1).map(|bar| bar.end());
        end.map_or_else(|| piece.score.clone(), |end| piece.score.before(end))
    };
    let able: Vec<(&str, (Score, Part))> =
        pieces.iter().filter_map(|piece| Some((piece.name, joined.apart(&begun(piece))?))).collect();
    if able.is_empty() {
        let name = joined.name();
        return Err(miette!(
            "no piece has {name} and something else in its first {bars} bars: there is nothing to write {name} to"
        ));
    }
    let wanted = count.div_ceil(VERSIONS);
    let chosen = wanted.min(able.len());
    if chosen < wanted {
        warnings.push(format!(
            "the {} is written to the first {bars} bars of {}, {VERSIONS} times each: no more of them have both parts",
            joined.name(),
            counted(able.len(), "piece")
        ));
    }
    let progress = bar((chosen * VERSIONS) as u64, "composing {wide_bar} {pos}/{len}");
    let mut written: Vec<Written<'_>> = Vec::new();
    for k in 0..chosen {
        let (name, (given, played)) = &able[k * able.len() / chosen];
        let request = Request::around(Given::parts(given.clone()).into_diagnostic()?, model.usual_sampling());
        let seeds: Vec<u64> = (0..VERSIONS).map(|version| seed.wrapping_add((k * VERSIONS + version) as u64)).collect();
        let mut rngs: Vec<Rng> = seeds.iter().map(|seed| seeded(*seed)).collect();
        let composed = workshop::write(model, &request, &mut rngs, &mut |_| ControlFlow::Continue(()));
        let composed = composed.into_diagnostic()?.into_iter().map(|composition| composition.score);
        let versions: Vec<(u64, Score)> = seeds.into_iter().zip(composed).collect();
        progress.inc(VERSIONS as u64);
        // The new part may need finer ticks.
        let ticks = versions.first().map_or(given.ticks_per_quarter, |(_, score)| score.ticks_per_quarter);
        let played = Score { parts: vec![played.clone()], ..given.clone() }.rescaled(ticks).parts.remove(0);
        written.push(Written { name, given: given.rescaled(ticks), played, versions });
    }
    progress.finish_and_clear();
    let new = |version: &(u64, Score)| version.1.parts.last().cloned().unwrap_or_default();
    let parts: Vec<Vec<Part>> = written.iter().map(|piece| piece.versions.iter().map(new).collect()).collect();
    let beside: Vec<Accompanied<'_>> = written
        .iter()
        .zip(&parts)
        .map(|(piece, written)| Accompanied { given: &piece.given, played: &piece.played, written })
        .collect();
    let figures = Accompaniment::of(joined.name(), &beside);
    let options = Options { grid: options.grid, ..Options::lenient() };
    let mut joint = Joint { pieces: Vec::new(), written: Vec::new(), figures };
    for piece in &written {
        for (seed, score) in &piece.versions {
            let Ok(prepared) = prepare(score, &options) else { continue };
            joint.pieces.push((format!("{}, seed {seed}", piece.name), prepared.score));
            let alone = Score { parts: score.parts.last().cloned().into_iter().collect(), ..score.clone() };
            // Drums alone have no melody that could be one of the corpus.
            let nothing = || Score { parts: Vec::new(), ..score.clone() };
            joint.written.push(prepare(&alone, &options).map_or_else(|_| nothing(), |prepared| prepared.score));
        }
    }
    joint.pieces.truncate(count);
    joint.written.truncate(count);
    Ok(joint)
}
