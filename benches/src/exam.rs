//! The exam of memory ([`cantus_model::frames::exam`]): trains composers of frames on made-up pieces, and asks them for longer ones.
//!
//! Nats per frame, all frames counted, on fresh pieces of one length each. The checkpoint is the best on validation pieces up to twice
//! as long as those that are taught: who learns their lengths by heart is no better for it. `composed`: of what follows the mark, steps
//! that are right until the first wrong one, the likeliest note being taken each time.

use crate::frames::{Recipe, train};
use cantus_composers::registry;
use cantus_encoding::piano_roll::Frame;
use cantus_model::frames::exam::{ExamPiece, Task};
use cantus_model::frames::{Effort, JudgesFrames};
use cantus_model::{Composer, ModelFile, Prompt, Request, Rng, derive};
use cantus_score::Score;
use cantus_training::run_folder::RunFiles;
use clap::Args;
use serde_json::json;
use std::error::Error;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Pieces that are asked for, of each length.
const ASKED: usize = 64;
/// Pieces that are composed.
const COMPOSED: usize = 16;
/// Steps of a bar, where a step is a quarter note.
const BAR: usize = 4;

#[derive(Args)]
pub struct Arguments {
    /// Who takes it
    #[arg(long = "composer", value_name = "NAME", default_values_t = ["lstm_frames".to_owned(), "memory".to_owned()])]
    composers: Vec<String>,
    /// Which tasks; all of them without it
    #[arg(long = "task", value_name = "NAME")]
    tasks: Vec<String>,
    /// Pieces to learn from
    #[arg(long, default_value_t = 1000)]
    pieces: usize,
    /// Epochs
    #[arg(long, default_value_t = 20)]
    epochs: u32,
    /// The same seed makes the same pieces and the same training
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Change a setting of the composers, as in --set openings=true
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where pieces and runs lie; a run that is there already is judged as it is, the others are trained
    #[arg(long, value_name = "FOLDER", default_value = "runs/exam")]
    runs: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let known = |task: &Task| arguments.tasks.is_empty() || arguments.tasks.iter().any(|name| name == task.name());
    let tasks: Vec<Task> = Task::ALL.into_iter().filter(known).collect();
    if tasks.is_empty() {
        let names: Vec<&str> = Task::ALL.map(Task::name).to_vec();
        return Err(format!("no such task; there are {}", names.join(", ")).into());
    }
    println!("| task | composer | as taught | {} | composed |", ["longest taught", "longer", "longest"].join(" | "));
    println!("|---|---|---|---|---|---|---|");
    for task in tasks {
        let folder = arguments.runs.join(task.name());
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("pieces.json");
        write(task, arguments, &file)?;
        let exams = exams(task, arguments.seed);
        for (name, cost) in [("floor: no memory", blind as Cost), ("floor: perfect", perfect)] {
            let cells: Vec<String> = exams.iter().map(|exam| format!("{:.3}", mean(exam, cost))).collect();
            println!("| {} | {name} | {} | |", task.name(), cells.join(" | "));
        }
        for composer in &arguments.composers {
            let name = [composer.replace(':', "-"), arguments.set.join("-")].join("-");
            let run = folder.join(name.trim_end_matches('-'));
            if RunFiles::at(&run).is_err() {
                let recipe = Recipe {
                    benchmark: Some(task.name().to_owned()),
                    composer: Some(composer.clone()),
                    settings: json!({"transposition": 0, "dropout": 0.1}).as_object().cloned().unwrap_or_default(),
                    ..Recipe::default()
                };
                train(&recipe, arguments.seed, &file, &run, &arguments.set, Some(arguments.epochs))?;
            }
            let model = registry::load(&ModelFile::from_bytes(&std::fs::read(run.join("best.safetensors"))?)?)?;
            println!(
                "| {} | {composer} {} | {} |",
                task.name(),
                arguments.set.join(" "),
                row(model.as_ref(), task, &exams)?
            );
        }
    }
    Ok(())
}

type Cost = fn(&ExamPiece) -> f64;

fn blind(piece: &ExamPiece) -> f64 {
    piece.blind
}

fn perfect(piece: &ExamPiece) -> f64 {
    piece.perfect
}

/// The mean over frames.
fn mean(pieces: &[ExamPiece], cost: Cost) -> f64 {
    let frames: usize = pieces.iter().map(|piece| piece.steps.len()).sum();
    pieces.iter().map(cost).sum::<f64>() / frames as f64
}

/// Fresh pieces: of the lengths that are taught, and of the three lengths that are asked for.
fn exams(task: Task, seed: u64) -> Vec<Vec<ExamPiece>> {
    let rng = |k: usize| derive(seed, "exam", &[k as u64]);
    let taught = |rng: &mut Rng| (0..ASKED).map(|_| task.piece(task.taught(), rng)).collect();
    let of = |n: usize, rng: &mut Rng| (0..ASKED).map(|_| task.asked_for(n, rng)).collect();
    let asked = task.asked().into_iter().enumerate().map(|(k, n)| of(n, &mut rng(k + 1)));
    std::iter::once(taught(&mut rng(0))).chain(asked).collect()
}

/// The pieces that are learnt from, and those that the checkpoint is chosen by.
fn write(task: Task, arguments: &Arguments, path: &Path) -> Result<()> {
    let (taught, rng) = (task.taught(), &mut derive(arguments.seed, "pieces", &[]));
    let drawn = |lengths: RangeInclusive<usize>, count: usize, rng: &mut Rng| -> Vec<Vec<Vec<u8>>> {
        (0..count).map(|_| task.piece(lengths.clone(), rng).steps).collect()
    };
    let train = drawn(taught.clone(), arguments.pieces, rng);
    let valid = drawn(*taught.start()..=2 * taught.end(), arguments.pieces.div_ceil(10), rng);
    let file = json!({"name": task.name(), "step": "quarter note", "train": train, "valid": valid, "test": []});
    Ok(std::fs::write(path, serde_json::to_vec(&file)?)?)
}

/// What a model gives to each exam, and how far it composes one.
fn row(model: &dyn Composer, task: Task, exams: &[Vec<ExamPiece>]) -> Result<String> {
    let judge = model.frames().ok_or("only composers of frames can take the exam")?;
    let nats = |exam: &Vec<ExamPiece>| {
        let pieces: Vec<Vec<Frame>> = exam.iter().map(|piece| judge.reading().frames(&piece.score())).collect();
        let effort = Effort { every: 1, chains: 7, temperatures: 300 };
        let figures = judge.judge_frames(&pieces, effort, 1);
        let (sum, frames) =
            figures.iter().flatten().flatten().fold((0.0, 0), |(sum, frames), figure| (sum + figure.nats, frames + 1));
        format!("{:.3}", sum / f64::from(frames))
    };
    let mut cells: Vec<String> = exams.iter().map(nats).collect();
    cells.push(composed(model, judge, task)?.unwrap_or_default());
    Ok(cells.join(" | "))
}

/// Of pieces that begin with whole bars up to the mark: the share of what follows that is right until the first step that is not; `None`
/// where there is no such beginning.
fn composed(model: &dyn Composer, judge: &dyn JudgesFrames, task: Task) -> Result<Option<String>> {
    let longest = *task.taught().end();
    let rng = &mut derive(1, "composed", &[]);
    let Some(free) = task.piece(longest..=longest, rng).free else { return Ok(None) };
    // So long that what is given ends with a bar.
    let n = longest - free % BAR;
    let (mut right, mut all) = (0, 0);
    for k in 0..COMPOSED {
        let piece = task.piece(n..=n, rng);
        let (free, score) = (piece.free.unwrap_or_default(), piece.score());
        let mut request = Request::new(piece.steps.len().div_ceil(BAR), model.default_sampling());
        request.sampling.top_k = 1;
        let request = request.after(Prompt::new(&score, free / BAR)?);
        let rngs = &mut [derive(1, "composing", &[k as u64])];
        let found = registry::compose(model, &request, rngs, &mut |_| ControlFlow::Continue(()))?;
        let sounding =
            |score: &Score| -> Vec<_> { judge.reading().frames(score).iter().map(|frame| frame.sounding()).collect() };
        let expected = sounding(&score);
        let written =
            found.first().map(|found| sounding(&found.score.rescaled(score.ticks_per_quarter))).unwrap_or_default();
        let agree = expected.iter().zip(&written).skip(free).take_while(|(a, b)| a == b).count();
        right += agree;
        all += expected.len() - free;
    }
    Ok(Some(format!("{:.0}%", 100.0 * right as f64 / all as f64)))
}
