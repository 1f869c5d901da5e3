//! Chorales site by site: what a model and counting give to the test pieces, what it writes to their sopranos, and how that moves.

use cantus_composers::registry;
use cantus_corpus::FrameFile;
use cantus_encoding::voice_lines::{self, Sites};
use cantus_encoding::voices::{self, Chord, VOICES};
use cantus_model::{Cell, Composer, Given, ModelFile, Request, Rng, seeded};
use cantus_score::{Score, TicksPerQuarter};
use clap::Args;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Args)]
pub struct Arguments {
    /// The chorales on sixteenths, with their split
    data: PathBuf,
    /// A model that judges sites
    model: PathBuf,
    /// Judge the validation pieces in the place of the test pieces
    #[arg(long)]
    validation: bool,
    /// Harmonise the sopranos of the pieces, from this seed on
    #[arg(long, value_name = "SEED")]
    harmonise: Option<u64>,
    /// So many quarter notes apart cadences are asked for
    #[arg(long, value_name = "QUARTERS")]
    cadences: Option<String>,
    /// Write what is composed into this folder, and the pieces themselves beside it
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let file = FrameFile::open(&arguments.data)?;
    let pieces = if arguments.validation { &file.valid } else { &file.test };
    let composer = registry::load(&ModelFile::from_bytes(&std::fs::read(&arguments.model)?)?)?;
    judge(composer.as_ref(), pieces)?;
    println!("parallels in 100 quarters: {:.2} in the pieces", parallels(pieces.iter()));
    let Some(seed) = arguments.harmonise else { return Ok(()) };
    let began = std::time::Instant::now();
    let mut composed = Vec::new();
    for (k, piece) in pieces.iter().enumerate() {
        let given = Given::new(piece.clone(), vec![Cell::voice(0)])?;
        let mut request = Request::around(given, composer.default_sampling());
        if let Some(quarters) = &arguments.cadences {
            request.controls.set("cadences", quarters)?;
        }
        let mut rngs: Vec<Rng> = vec![seeded(seed.wrapping_add(k as u64))];
        let found = registry::compose(composer.as_ref(), &request, &mut rngs, &mut |_| ControlFlow::Continue(()))?;
        composed.extend(found.into_iter().map(|composition| composition.score));
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{} sopranos harmonised in {seconds:.1} s", composed.len());
    println!("parallels in 100 quarters: {:.2} in what is composed", parallels(composed.iter()));
    if let Some(folder) = &arguments.save {
        for (name, scores) in [("composed", &composed), ("pieces", pieces)] {
            std::fs::create_dir_all(folder.join(name))?;
            for (k, score) in scores.iter().enumerate() {
                std::fs::write(folder.join(name).join(format!("{k:03}.mid")), cantus_formats::midi::write(score)?)?;
            }
        }
    }
    Ok(())
}

/// Prints nats a site, and at the sites where something begins.
fn judge(composer: &dyn Composer, pieces: &[Score]) -> Result<()> {
    let judge = composer.judge().ok_or("the model cannot judge")?;
    let (mut nats, mut sites, mut at_changes, mut changes) = (0.0, 0.0, 0.0, 0.0);
    for piece in pieces {
        let moments = judge.judge(piece).moments;
        let lines: Vec<Sites> = voice_lines::read(piece, false);
        if moments.len() != VOICES * lines.len() {
            return Err("the model does not judge sites".into());
        }
        for (moment, symbol) in moments.iter().zip(lines.iter().flatten()) {
            (nats, sites) = (nats + moment.nats, sites + 1.0);
            if symbol.struck().is_some() {
                (at_changes, changes) = (at_changes + moment.nats, changes + 1.0);
            }
        }
    }
    println!(
        "{}, {} pieces: {:.4} nats a site; {:.4} at the {:.1}% where a note begins",
        judge.kind(),
        pieces.len(),
        nats / sites,
        at_changes / changes,
        100.0 * changes / sites
    );
    Ok(())
}

/// Parallel fifths and octaves in 100 quarter notes: from one quarter to the next two voices move the same way, and stand a fifth or an
/// octave apart both times. Voices in unison are none: of three keys that sound, two voices are thought to share one.
fn parallels<'s>(scores: impl Iterator<Item = &'s Score>) -> f64 {
    let (mut found, mut quarters) = (0, 0);
    for score in scores {
        let Some(grid) = TicksPerQuarter::new(4) else { continue };
        let chords: Vec<Chord> = voices::read(&score.rescaled(grid)).into_iter().step_by(4).collect();
        for pair in chords.windows(2) {
            quarters += 1;
            for upper in 0..VOICES {
                found += (upper + 1..VOICES).filter(|lower| is_parallel(pair, upper, *lower)).count();
            }
        }
    }
    100.0 * found as f64 / f64::from(quarters)
}

fn is_parallel(pair: &[Chord], upper: usize, lower: usize) -> bool {
    let pitch = |k: usize, voice: usize| pair[k].pitch(voice).map(|pitch| i32::from(pitch.get()));
    let (Some(u0), Some(u1), Some(l0), Some(l1)) = (pitch(0, upper), pitch(1, upper), pitch(0, lower), pitch(1, lower))
    else {
        return false;
    };
    let (before, after) = ((u0 - l0).rem_euclid(12), (u1 - l1).rem_euclid(12));
    u0 != u1 && (u1 > u0) == (l1 > l0) && l0 != l1 && before == after && (before == 7 || (before == 0 && u0 != l0))
}
