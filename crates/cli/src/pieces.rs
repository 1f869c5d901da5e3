//! How pieces are asked for, and what is said of those that were composed.

use crate::Usage;
use crate::terminal::{self, command, say};
use cantus_evaluation::originality::{Digest, Sketch};
use cantus_formats::Format;
use cantus_model::{Composition, Sampling};
use cantus_score::Score;
use cantus_workshop::Provenance;
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

/// Says what was written of a piece.
pub fn report(
    json: bool,
    origin: &Provenance,
    composition: &Composition,
    originality: Option<&(Sketch, &Digest)>,
    written: &[PathBuf],
) -> Result<()> {
    let score = &composition.score;
    let seconds = score.tempo_map().seconds(score.end());
    if json {
        let line = serde_json::json!({
            "files": written, "origin": origin, "notes": score.note_count(), "seconds": seconds, "remarks": composition.remarks,
            "originality": originality.map(|(found, _)| found),
        });
        return say(line);
    }
    for remark in &composition.remarks {
        terminal::remark(format!("note: {remark}"));
    }
    let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    let tempo = tempo_of(score);
    let meter = score.meters.first().map_or_else(|| "4/4".to_owned(), |(_, meter)| meter.to_string());
    say(format!(
        "{}: {} bars in {meter}, {} notes, {seconds:.0} s at {tempo:.0} quarters a minute, seed {}",
        names.join(", "),
        origin.bars,
        score.note_count(),
        origin.seed
    ))?;
    originality.and_then(|(found, digest)| originality_line(found, digest)).map_or(Ok(()), say)
}

/// One line on how much of a piece stands in the training music, beside what real pieces have in common with it; nothing of a piece
/// that is too short for an 8-note run.
fn originality_line(found: &Sketch, digest: &Digest) -> Option<String> {
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    let [_, share, _] = found.melody;
    let real = &digest.held_out.melody[1];
    let usual = match real.pieces {
        0 => String::new(),
        _ => format!(" (real pieces: half under {}, nearly all under {})", percent(real.median), percent(real.high)),
    };
    let longest = match found.longest {
        0 => String::new(),
        notes => format!("; at most {notes} notes in a row"),
    };
    Some(format!(
        "Originality: {} of its melody's 8-note runs stand in the training music{usual}{longest}.",
        percent(share?)
    ))
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
