//! `cantus listen`: which notes of a piece are wrong, and what would be right; and proofreaders learn.

mod marks;
mod schooling;

use crate::Usage;
use crate::files::{self, Music, Outputs, SoundArguments};
use crate::reading::ReadingArguments;
use crate::terminal::{columns, note, printable, say};
use cantus_formats::Limits;
use cantus_score::{Note, Score, counted};
use cantus_workshop::{self as workshop, Change, Ear, Mended, Proof};
use marks::{Suspect, mark, suspects};
use miette::{IntoDiagnostic, Result, WrapErr};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Hear which notes of a piece are wrong, bar by bar, and mend them.
///
/// For each bar it says how many of its notes are likely wrong, and which; of the piece, which share is broken, or that it is no music: wrong notes in your
/// own MIDI, in transcriptions, in drafts. The listener that is built in learnt from hymns, folk tunes, chorales and piano music; your own learns from a folder of
/// music that is as it should be: `cantus listen --train FOLDER -o mine.safetensors`, then `cantus listen -m mine.safetensors piece.mid`.
///
/// What surprises it need not be wrong: it has its ears from what it learnt.
#[derive(clap::Args)]
pub struct Arguments {
    /// Pieces (MIDI, MusicXML or ABC)
    #[arg(required_unless_present_any = ["train", "exam"])]
    files: Vec<PathBuf>,
    /// Repair what is wrong, and leave all else as it is; written where -o says
    #[arg(long)]
    mend: bool,
    /// The listener: a .safetensors file that `--train` made [default: proofreader, which is built in]
    #[arg(short, long)]
    model: Option<String>,
    /// Where to write the piece with suspect notes marked, or with `--mend` the piece as it should be; may be given several times: .svg (picture, framed),
    /// .mid, .musicxml, .mxl or .abc (with a mark at each), .wav or .flac (sound) [default: nothing; with `--mend` mended.mid, or the next free of
    /// mended-2.mid ...]
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Write over mended.mid where it is there already
    #[arg(long, requires = "mend", conflicts_with = "output")]
    force: bool,
    /// Show all bars, not only those with suspect notes
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,
    /// Say all as JSON, a line a piece
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    learning: schooling::LearningArguments,
    #[command(flatten)]
    sound: SoundArguments,
    #[command(flatten)]
    reading: ReadingArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let learning = &arguments.learning;
    match (&learning.train, &learning.exam) {
        (Some(folder), _) => schooling::train(arguments, folder),
        (_, Some(folder)) => schooling::examine(arguments, folder),
        _ => listen(arguments),
    }
}

/// A piece, and what it is called.
struct Heard {
    name: String,
    score: Score,
    warnings: Vec<String>,
}

fn listen(arguments: &Arguments) -> Result<()> {
    let limits = arguments.reading.limits.over(Limits::default());
    let mut heard: Vec<Heard> = Vec::new();
    for path in &arguments.files {
        let (pieces, _) = files::read_pieces(path, &limits)?;
        let several = pieces.len() > 1;
        for (k, Music { score, warnings }) in pieces.into_iter().enumerate() {
            let mut name = printable(&path.display().to_string());
            if several {
                name += &format!(" ({})", k + 1);
            }
            heard.push(Heard { name, score, warnings });
        }
    }
    let ear = workshop::ear(arguments.model.as_deref()).into_diagnostic()?;
    let usual = arguments.output.is_empty() && !arguments.mend;
    let outputs =
        if usual { None } else { Some(Outputs::new(&arguments.output, "mended.mid", heard.len(), arguments.force)?) };
    let written = |piece: usize| outputs.as_ref().map_or_else(Vec::new, |outputs| outputs.of(piece));
    for path in &arguments.files {
        if (0..heard.len()).any(|piece| written(piece).contains(path)) {
            return Err(Usage(format!("`{}` would be overwritten by itself; write elsewhere", path.display())).into());
        }
    }
    let formats = outputs.as_ref().map_or(&[][..], |outputs| &outputs.formats);
    let playing = arguments.sound.load(formats)?;
    for (k, piece) in heard.into_iter().enumerate() {
        let result = hear(&ear, &piece, arguments)?;
        let (shown, roll) = match &result.mended {
            Some(mended) => (mended.score.clone(), marks::changed(&mended.changes)),
            None => mark(&piece.score, &result.suspects, result.proof.as_ref()),
        };
        for path in written(k) {
            files::write_score(&path, &shown, &playing, &roll)?;
        }
        let lost = files::losses(formats, &shown);
        lost.iter().for_each(note);
        tell(arguments, &piece, &result, &written(k), &lost)?;
    }
    Ok(())
}

/// What came of listening to a piece.
struct Outcome {
    /// Nothing where there was no note.
    proof: Option<Proof>,
    /// Why not.
    silent: Option<String>,
    suspects: Vec<Suspect>,
    mended: Option<Mended>,
}

fn hear(ear: &Ear, piece: &Heard, arguments: &Arguments) -> Result<Outcome> {
    let proof = match ear.proofreader.read(&piece.score) {
        Ok(proof) => proof,
        Err(error) if !arguments.mend => {
            return Ok(Outcome { proof: None, silent: Some(error.to_string()), suspects: Vec::new(), mended: None });
        }
        Err(error) => {
            return Err(error).into_diagnostic().wrap_err_with(|| format!("`{}` cannot be mended", piece.name));
        }
    };
    let mended = if arguments.mend {
        let progress = crate::terminal::bar(1000, "mending {wide_bar} {percent}%");
        let mended = ear.proofreader.mend(&piece.score, &mut |done| {
            progress.set_position((done * 1000.0) as u64);
            ControlFlow::Continue(())
        });
        progress.finish_and_clear();
        let named = || format!("`{}` cannot be mended", piece.name);
        Some(mended.into_diagnostic().wrap_err_with(named)?)
    } else {
        None
    };
    Ok(Outcome { suspects: suspects(&piece.score, &proof), proof: Some(proof), silent: None, mended })
}

/// A number with two places at most, and none that says nothing.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn tell(arguments: &Arguments, piece: &Heard, result: &Outcome, written: &[PathBuf], lost: &[String]) -> Result<()> {
    if arguments.json {
        return say(marks::json(&piece.name, &piece.score, result, (written, &piece.warnings, lost)));
    }
    let Some(proof) = &result.proof else {
        return say(format!("{}: {}", piece.name, result.silent.as_deref().unwrap_or("no music")));
    };
    proof.remarks.iter().for_each(|remark| note(format!("{}: {remark}", piece.name)));
    let verdict = if proof.is_music() {
        format!("{:.1}% of its {} are likely wrong", 100.0 * proof.broken, counted(proof.notes.len(), "note"))
    } else {
        "no music, as far as this listener can hear".to_owned()
    };
    say(format!("{}: {verdict} (sound: {:.0}%)", piece.name, 100.0 * proof.sound))?;
    if proof.is_music() && proof.order < 0.5 {
        say("its bars do not go on from one another: as if they were in another order")?;
    }
    let rows = marks::rows(&piece.score, proof, &result.suspects, arguments.verbose);
    if rows.len() > 1 && (proof.is_music() || arguments.verbose) {
        say(columns(&rows))?;
    }
    if let Some(mended) = &result.mended {
        tell_changes(&piece.score, &mended.changes)?;
    }
    for path in written {
        say(format!("written  {}", path.display()))?;
    }
    Ok(())
}

fn tell_changes(score: &Score, changes: &[Change]) -> Result<()> {
    if changes.is_empty() {
        return say("nothing is changed: nothing is suspect enough");
    }
    say(format!("{} changed:", counted(changes.len(), "note")))?;
    let at = |note: &Note| {
        let (bar, beat) = marks::place(score, note.onset);
        (bar, format!("{} on beat {}", note.pitch, trimmed(beat)))
    };
    for change in changes {
        let line = match (&change.was, &change.is) {
            (None, None) => continue,
            (Some(was), None) => {
                let (bar, named) = at(was);
                format!("  bar {bar}  {named}: left out")
            }
            (None, Some(is)) => {
                let (bar, named) = at(is);
                format!("  bar {bar}  {named}: put in")
            }
            (Some(was), Some(is)) if was.onset == is.onset => {
                let (bar, named) = at(was);
                format!("  bar {bar}  {named}: now {}", is.pitch)
            }
            (Some(was), Some(is)) => {
                let ((bar, named), (to, now)) = (at(was), at(is));
                if bar == to {
                    format!("  bar {bar}  {named}: now {now}")
                } else {
                    format!("  bar {bar}  {named}: now {now} of bar {to}")
                }
            }
        };
        say(line)?;
    }
    Ok(())
}
