//! Trains `octave` on hymns and piano-midi.de with the files, the split and the figures of the composer's port to PyTorch, so that the
//! two curves can be held against one another: `octave_curve FOLDER [-c CONFIGURATION] [--set KEY=VALUE].. [--seed N] [--iterations N]`.
//!
//! FOLDER holds `hymns` and a folder for each composer. As in the port, a file is refused where a metre is not derived from 4/4 (a numerator
//! or denominator other than 2, 4, 8, 16) or a pitch lies beyond the 88 keys; a file whose path hashes (SHA-256) to a multiple of ten
//! is for validation. `short_pieces=false` leaves out what is shorter than a fragment, as the port does. Prints JSON, a line each.

use cantus_composers::registry;
use cantus_formats::midi::{self, Limits};
use cantus_model::{Precision, StepAt, TrainingSet};
use cantus_score::{Part, Score, TicksPerQuarter, merge_parts, quantize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

const FOLDERS: &str = "hymns albeniz bach balakirev beethoven borodin brahms burgmueller chopin clementi debussy godowsky granados grieg \
                       haydn liszt mendelssohn moszkowski mozart mussorgsky rachmaninoff ravel schubert schumann sinding tchaikovsky";

/// The piece on the grid, or `None` where the port refuses it.
fn read(path: &Path) -> Result<Option<Score>, Box<dyn Error>> {
    let mut score = midi::read(&std::fs::read(path)?, &Limits::default())?.score;
    let derived = |part: u8| [2, 4, 8, 16].contains(&part);
    let meters = score.meters.iter().all(|(_, meter)| derived(meter.numerator()) && derived(meter.denominator()));
    if !meters || score.note_count() == 0 || score.notes().any(|note| !(21..=108).contains(&note.pitch.get())) {
        return Ok(None);
    }
    // The port knows no drums.
    score.parts.iter_mut().for_each(|part| part.drums = false);
    let (mut score, _) = quantize(&score, TicksPerQuarter::new(4).ok_or("no grid")?, 0.5);
    let merged = Part { pedal: Vec::new(), ..merge_parts(&score.parts) };
    score.parts = vec![merged];
    Ok(Some(score))
}

fn corpus(root: &Path) -> Result<TrainingSet, Box<dyn Error>> {
    let (mut train, mut valid) = (Vec::new(), Vec::new());
    for folder in FOLDERS.split_whitespace() {
        let mut names: Vec<String> = std::fs::read_dir(root.join(folder))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_, std::io::Error>>()?;
        names.retain(|name| name.ends_with(".mid"));
        names.sort();
        for name in names {
            let Some(score) = read(&root.join(folder).join(&name))? else { continue };
            let digest = Sha256::digest(format!("{folder}/{name}"));
            let remainder = digest.iter().fold(0u32, |remainder, byte| (remainder * 256 + u32::from(*byte)) % 10);
            if remainder == 0 { valid.push(score) } else { train.push(score) }
        }
    }
    Ok(TrainingSet { train: train.into(), valid: valid.into(), ..TrainingSet::default() })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut folder, mut configuration, mut changes) = (None, "default".to_owned(), Vec::new());
    let (mut seed, mut iterations, mut rate, mut every, mut output) = (0u64, 400u64, None, 50u64, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "-c" => configuration = value()?,
            "-o" => output = Some(value()?),
            "--set" => changes.push(value()?),
            "--seed" => seed = value()?.parse()?,
            "--iterations" => iterations = value()?.parse()?,
            "--learning-rate" => rate = Some(value()?.parse::<f64>()?),
            "--every" => every = value()?.parse()?,
            _ => folder = Some(argument),
        }
    }
    let set = corpus(Path::new(&folder.ok_or("name the folder of the MIDI files")?))?;
    let spec = registry::find("octave").ok_or("no such composer")?;
    let mut settings = spec.settings(&configuration).ok_or("no such configuration")?;
    for change in &changes {
        let (key, value) = change.split_once('=').ok_or("write KEY=VALUE")?;
        settings[key] = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    }
    let mut trainable = spec.creates()?(&settings, &set, seed)?;
    let rate = rate.unwrap_or(trainable.regime().learning_rate);
    println!(
        "{}",
        json!({"event": "start", "train": set.train.len(), "valid": set.valid.len(), "parameters": trainable.parameters(),
               "settings": settings, "seed": seed, "epoch_steps": trainable.steps(0), "kind": trainable.likelihood(),
               "baselines": trainable.baselines()})
    );
    let (mut sum, mut times, mut trained, mut not_finite) = (cantus_model::Evaluation::default(), Vec::new(), 0.0, 0);
    let mut best = f64::INFINITY;
    for iteration in 0..=iterations {
        if iteration > 0 {
            let start = Instant::now();
            let at = iteration - 1;
            let steps = trainable.steps(0);
            let report = trainable.step(StepAt { epoch: at / steps, step: at % steps }, rate);
            let taken = start.elapsed().as_secs_f64();
            times.push(taken);
            trained += taken;
            not_finite += u32::from(!report.finite);
            sum += report.batch;
            if iteration % 10 == 0 {
                times.sort_by(f64::total_cmp);
                let ms = 1000.0 * times[times.len() / 2];
                println!(
                    "{}",
                    json!({"event": "train", "iteration": iteration, "nats": sum.per_token(), "ms": ms, "train_s": trained,
                           "gradient_norm": report.gradient_norm, "not_finite": not_finite})
                );
                (sum, times) = (cantus_model::Evaluation::default(), Vec::new());
            }
        }
        if iteration % every == 0 || iteration == iterations {
            let start = Instant::now();
            let found = trainable.validate();
            let attention = trainable.save().tensors.get("attention.mass").map(|mass| mass.values.clone());
            println!(
                "{}",
                json!({"event": "valid", "iteration": iteration, "nats": found.per_token(), "right": found.accuracy(), "frames": found.tokens,
                       "train_s": trained, "valid_s": start.elapsed().as_secs_f64(), "attention": attention})
            );
            if let Some(output) = output.as_ref().filter(|_| found.per_token() < best) {
                std::fs::write(output, trainable.save().to_bytes(Precision::Full)?)?;
            }
            best = best.min(found.per_token());
        }
    }
    println!("{}", json!({"event": "end", "best": best}));
    Ok(())
}
