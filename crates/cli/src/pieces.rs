//! How pieces are asked for, and what is said of those that were composed.

use crate::Usage;
use crate::terminal::{self, command, printable, say, table};
use cantus_evaluation::originality::Sketch;
use cantus_formats::Format;
use cantus_model::{Composition, Sampling};
use cantus_score::{Bar, Lyric, Meter, Score, counted};
use cantus_workshop::{Model, Provenance, Standing};
use miette::Result;
use std::ffi::OsStr;
use std::path::PathBuf;

/// How notes are drawn, for commands that compose.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct SamplingArguments {
    /// Below 1 safer, above 1 wilder, 0 always the likeliest [default: what suits the model]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Draw only among the likeliest notes that together have this probability [default: what suits the model]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Draw only among the K likeliest; 0 means all [default: what suits the model]
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
}

impl SamplingArguments {
    /// What was asked for, and what is usual for the rest.
    pub fn over(&self, usual: Sampling) -> Result<Sampling> {
        let sampling = Sampling {
            temperature: self.temperature.unwrap_or(usual.temperature),
            top_k: self.top_k.unwrap_or(usual.top_k),
            top_p: self.top_p.unwrap_or(usual.top_p),
        };
        sampling.check().map_err(|error| Usage(error.to_string()))?;
        Ok(sampling)
    }
}

/// What is told of a piece beside its music.
pub struct Told<'a> {
    /// What its files are.
    pub written: &'a [PathBuf],
    /// How much of its melody is copied, in a sentence and in figures; nothing where the model does not know its training music.
    pub originality: Option<(String, Sketch)>,
    /// Why it is among the best, where these were asked for.
    pub standing: Option<&'a Standing>,
    /// What the reader of the given music had to say: told already, but for JSON.
    pub warnings: &'a [String],
    /// Whether it is told where each bar is from.
    pub sources: bool,
}

/// What `model` can say about copies in a composition, whose melody may be what was given.
pub fn originality(model: &Model, score: &Score, is_given: bool) -> Option<(String, Sketch)> {
    let (sentence, found, _) = cantus_workshop::originality(model, score, is_given)?;
    Some((sentence, found))
}

/// Says what was written of a piece.
pub fn report(json: bool, origin: &Provenance, composition: &Composition, told: Told<'_>) -> Result<()> {
    let score = &composition.score;
    let seconds = score.tempo_map().seconds(score.end());
    if json {
        let line = serde_json::json!({
            "files": told.written, "origin": origin, "notes": score.note_count(), "seconds": seconds,
            "sources": told.sources.then(|| sources(score)), "remarks": composition.remarks, "warnings": told.warnings, "standing": told.standing,
            "originality": told.originality.as_ref().map(|(sentence, found)| {
                serde_json::json!({
                    "sentence": sentence, "melody": found.melody, "longest": found.longest, "place": found.place,
                })
            }),
        });
        return say(line);
    }
    composition.remarks.iter().for_each(terminal::note);
    let names: Vec<String> = told.written.iter().map(|path| path.display().to_string()).collect();
    say(format!(
        "{}: {}, {}, {seconds:.0} s at {:.0} quarters a minute, seed {}",
        names.join(", "),
        meters(score, origin.bars),
        counted(score.note_count(), "note"),
        tempo_of(score),
        origin.seed
    ))?;
    told.standing.map_or(Ok(()), say)?;
    told.originality.map_or(Ok(()), |(sentence, _)| say(sentence))?;
    if told.sources {
        let row = |(bar, words): (usize, String)| (format!("bar {bar}"), printable(&words));
        let rows: Vec<(String, String)> = sources(score).into_iter().map(row).collect();
        say(if rows.is_empty() { "The model does not say where its bars are from.".to_owned() } else { table(&rows) })?;
    }
    Ok(())
}

/// Where each bar is from: the words that a composer has written under it, of bars as they are numbered on paper.
fn sources(score: &Score) -> Vec<(usize, String)> {
    let words: Vec<&Lyric> = score.parts.iter().flat_map(|part| &part.lyrics).collect();
    let under = |bar: Bar| {
        let within = words.iter().filter(|word| (bar.start..bar.end()).contains(&word.at));
        within.map(|word| word.text.as_str()).collect::<Vec<&str>>().join(" ")
    };
    let bars = score.numbered_bars().map(|(number, bar)| (number, under(bar)));
    bars.filter(|(_, words)| !words.is_empty()).collect()
}

/// `16 bars in 4/4`; of several metres the bars of each, in the order in which they first come: `3 bars in 5/8, 5 in 2/4`. An upbeat is
/// named and not counted.
fn meters(score: &Score, bars: usize) -> String {
    let mut meters: Vec<(Meter, usize)> = Vec::new();
    let upbeats = 1 - score.first_bar();
    for bar in score.bars().skip(upbeats) {
        match meters.iter_mut().find(|(meter, _)| *meter == bar.meter) {
            Some((_, bars)) => *bars += 1,
            None => meters.push((bar.meter, 1)),
        }
    }
    let said = match &meters[..] {
        [] => counted(bars, "bar"),
        [(meter, counted_bars)] => {
            format!("{} in {meter}", counted(if upbeats > 0 { *counted_bars } else { bars }, "bar"))
        }
        [(meter, bars), others @ ..] => {
            let others = others.iter().map(|(meter, bars)| format!(", {bars} in {meter}"));
            format!("{} in {meter}{}", counted(*bars, "bar"), others.collect::<String>())
        }
    };
    if upbeats > 0 { format!("an upbeat and {said}") } else { said }
}

fn tempo_of(score: &Score) -> f64 {
    score.tempos.first().map_or(120.0, |(_, tempo)| tempo.quarters_per_minute())
}

/// How a person hears the first of the pieces; `formats` are those of each piece's files.
pub fn how_to_hear(written: &[PathBuf], formats: &[Format]) -> Option<String> {
    let first =
        |format: Format| written.iter().zip(formats.iter().cycle()).find(|(_, f)| **f == format).map(|(path, _)| path);
    if let Some(sound) = first(Format::Wav).or_else(|| first(Format::Flac)) {
        return Some(format!("Hear it: open {} with any player.", sound.display()));
    }
    let midi = first(Format::Midi)?;
    let render = [OsStr::new("render"), midi.as_os_str(), OsStr::new("-o"), midi.with_extension("wav").as_os_str()]
        .map(OsStr::to_owned);
    Some(format!(
        "Hear it: open {} with a player or notation program (MuseScore, GarageBand, VLC),\nor make it sound: {}",
        midi.display(),
        command(render)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Part, Pitch, Ticks, TicksPerQuarter, Velocity};

    #[test]
    fn metres_are_told_by_bars() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        let note = Note { onset: Ticks(0), pitch: Pitch::C4, duration: Ticks(480 * 9), velocity: Velocity::DEFAULT };
        score.parts.push(Part { notes: vec![note], ..Part::default() });
        score.meters = vec![(Ticks(0), "3/4".parse().unwrap())];
        assert_eq!(meters(&score, 3), "3 bars in 3/4");
        assert_eq!(meters(&score, 1), "1 bar in 3/4");
        score.meters.extend([(Ticks(480 * 3), "2/4".parse().unwrap()), (Ticks(480 * 7), "3/4".parse().unwrap())]);
        assert_eq!(meters(&score, 4), "2 bars in 3/4, 2 in 2/4");
    }
}
