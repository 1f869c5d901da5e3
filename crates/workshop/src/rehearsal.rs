//! How a performer learns: from a folder of performances, or of scores with their performances, and how it is judged.

use cantus_composers::performing::{
    self, Decision, Learning, Lesson, LessonError, Overlap, Performer, Settings, Verdict,
};
use cantus_corpus::{compositions_of, music_files};
use cantus_formats::{self as formats, Format, Limits};
use cantus_model::{Baseline, CorpusCard, Kind, Likelihood, ModelFile, TrainingSummary, Unit, digest};
use cantus_score::Score;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Names of a score that performances lie beside.
const SCORES: [&str; 2] = ["score", "midi_score"];
/// What is added to a file's stem where its beats are.
const BEATS: [&str; 2] = ["_beats.txt", "_annotations.txt"];
/// The share of the compositions that is judged by.
const VALID: f64 = 0.1;
/// Notes that are learnt from at most: what is told of one takes some 400 bytes.
const MOST_NOTES: usize = 4_000_000;
/// The learning rate falls over this share of a training.
const FALL: f64 = 0.4;

/// Why a performer cannot learn.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The folder cannot be listed.
    #[error("the folder `{}` cannot be read: {error}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Nothing to learn from.
    #[error(
        "there is too little to learn from in `{}`: {found} compositions as they were played, and 2 are needed, one to learn from and one to be judged by{}",
        path.display(), refused.first().map_or_else(String::new, |(path, why)| format!("; `{}`: {why}", path.display()))
    )]
    TooLittle {
        /// The folder.
        path: PathBuf,
        /// Compositions in it.
        found: usize,
        /// Files that cannot be learnt from, and why.
        refused: Vec<(PathBuf, String)>,
    },
    /// No finite figure.
    #[error("the training gave no finite figure: begin again with a lower learning rate (--set learning_rate=0.001)")]
    NotFinite,
}

/// What a folder has to learn from.
pub struct Gathering {
    /// Learnt from.
    pub train: Vec<Lesson>,
    /// Judged by: of other compositions.
    pub valid: Vec<Lesson>,
    /// The files of `valid`, each with its score where it has one.
    pub held_out: Vec<(PathBuf, Option<PathBuf>)>,
    /// Files that are not learnt from, and why.
    pub refused: Vec<(PathBuf, String)>,
    /// Compositions on either side.
    pub compositions: [usize; 2],
    /// What a model file says of it.
    pub card: CorpusCard,
}

/// A file to learn from.
struct Found {
    path: PathBuf,
    /// Its score, and where the beats of both stand.
    pair: Option<(PathBuf, PathBuf, PathBuf)>,
}

/// Reads a folder: performances; where a file `score.mid` lies beside them, and the seconds of their beats in text files (`NAME_beats.txt`, a beat
/// a line, as the ASAP data set has them), scores with their performances. Every so many compositions are kept to be judged by, whatever their
/// files are called; all performances of one stand on one side. `progress` is told how many files of how many are read.
///
/// # Errors
/// [`RehearsalError`], where there is too little.
pub fn gather_lessons(
    folder: &Path,
    limits: &Limits,
    mut progress: impl FnMut(usize, usize),
) -> Result<Gathering, RehearsalError> {
    let failed = |error| RehearsalError::Folder { path: folder.to_owned(), error };
    let files = music_files(folder).map_err(failed)?;
    let (found, mut refused) = sort(&files);
    let mut kept: Vec<(Found, Lesson, String)> = Vec::new();
    let mut music: Vec<Score> = Vec::new();
    let mut notes = 0;
    for (k, found_file) in found.into_iter().enumerate() {
        progress(k, files.len());
        if notes > MOST_NOTES {
            refused.push((found_file.path, "there is enough to learn from already".to_owned()));
            continue;
        }
        match lesson(&found_file, limits) {
            Ok((lesson, score, hash)) => {
                notes += lesson.len();
                // Sketches are made of what is struck alone.
                music.push(score);
                kept.push((found_file, lesson, hash));
            }
            Err(why) => refused.push((found_file.path, why)),
        }
    }
    let groups = compositions_of(&music);
    drop(music);
    let mut order: Vec<(u32, usize)> = groups.iter().map(|(group, number)| (*number, *group)).collect();
    order.sort_unstable();
    order.dedup();
    if order.len() < 2 {
        return Err(RehearsalError::TooLittle { path: folder.to_owned(), found: order.len(), refused });
    }
    let judged = ((order.len() as f64 * VALID).round() as usize).max(1);
    let valid: BTreeSet<usize> = (0..judged).map(|k| order[k * order.len() / judged].1).collect();
    let mut hashes: Vec<&str> = kept.iter().map(|(.., hash)| hash.as_str()).collect();
    hashes.sort_unstable();
    let fingerprint = digest(hashes.concat().as_bytes());
    let mut gathering = Gathering {
        train: Vec::new(),
        valid: Vec::new(),
        held_out: Vec::new(),
        refused,
        compositions: [order.len() - judged, judged],
        card: CorpusCard {
            name: folder.file_name().map_or_else(|| "music".to_owned(), |name| name.to_string_lossy().into_owned()),
            fingerprint,
            ..CorpusCard::default()
        },
    };
    for ((found, lesson, _), (group, _)) in kept.into_iter().zip(groups) {
        if valid.contains(&group) {
            gathering.held_out.push((found.path, found.pair.map(|(score, ..)| score)));
            gathering.valid.push(lesson);
        } else {
            gathering.train.push(lesson);
        }
    }
    gathering.card.train_pieces = gathering.train.len();
    gathering.card.valid_pieces = gathering.valid.len();
    Ok(gathering)
}

/// Which files are performances, and of what; and which are of no use.
fn sort(files: &[PathBuf]) -> (Vec<Found>, Vec<(PathBuf, String)>) {
    let beats = |path: &Path| {
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        BEATS.iter().map(|end| path.with_file_name(format!("{stem}{end}"))).find(|path| path.is_file())
    };
    let is_score = |path: &Path| path.file_stem().is_some_and(|stem| SCORES.iter().any(|name| *name == stem));
    let scores: Vec<&PathBuf> = files.iter().filter(|path| is_score(path)).collect();
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for path in files.iter().filter(|path| !is_score(path)) {
        let beside = scores.iter().find(|score| score.parent() == path.parent());
        let Some(score) = beside else {
            found.push(Found { path: path.clone(), pair: None });
            continue;
        };
        match (beats(score), beats(path)) {
            (Some(of_score), Some(played)) => {
                found.push(Found { path: path.clone(), pair: Some(((*score).clone(), of_score, played)) });
            }
            _ => refused.push((path.clone(), format!("it or its score has no beats: a file `NAME{}`", BEATS[0]))),
        }
    }
    (found, refused)
}

/// What is learnt from a file, its music, and what it is known by.
fn lesson(found: &Found, limits: &Limits) -> Result<(Lesson, Score, String), String> {
    let (performance, hash) = read(&found.path, limits)?;
    let of_error = |error: LessonError| error.to_string();
    let lesson = match &found.pair {
        None => Lesson::of_performance(&performance).map_err(of_error)?,
        Some((score, of_score, played)) => {
            let (score, _) = read(score, limits)?;
            Lesson::of_pair(&score, &performance, (&beats(of_score)?, &beats(played)?)).map_err(of_error)?
        }
    };
    Ok((lesson, performance, hash))
}

fn read(path: &Path, limits: &Limits) -> Result<(Score, String), String> {
    let format = Format::to_read(path).map_err(|error| error.to_string())?;
    let bytes = crate::read(path).map_err(|error| error.to_string())?;
    let pieces = formats::read(format, &bytes, limits).map_err(|error| error.to_string())?;
    let first = pieces.into_iter().next().ok_or_else(|| "it holds no piece".to_owned())?;
    Ok((first.reading.map_err(|error| error.to_string())?.score, digest(&bytes)))
}

/// The first number of each line.
fn beats(path: &Path) -> Result<Vec<f64>, String> {
    let bytes = crate::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let beat = |(k, line): (usize, &str)| {
        let first = line.split_whitespace().next().unwrap_or_default();
        let is_wrong = || format!("`{}`, line {}: no second of a beat", path.display(), k + 1);
        first.parse::<f64>().ok().filter(|second| second.is_finite()).ok_or_else(is_wrong)
    };
    lines.map(beat).collect()
}

/// Settings of a performer's network out of a list; what is absent is as usual.
///
/// # Errors
/// What is wrong with it.
pub fn player_settings(settings: &serde_json::Value) -> Result<Settings, String> {
    Settings::read(settings).map_err(|problem| format!("settings of a player: {problem}"))
}

/// When a training ends.
#[derive(Clone, Copy, Debug)]
pub enum Bounded {
    /// After so many epochs: the same seed gives the same model.
    Epochs(u64),
    /// After so many minutes.
    Minutes(f64),
}

/// What is to be learnt, and how.
pub struct Rehearsal {
    /// The network's settings.
    pub settings: Settings,
    /// The seed.
    pub seed: u64,
    /// When it ends.
    pub bounded: Bounded,
}

/// An epoch that is over.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Which, from 1.
    pub epoch: u64,
    /// Nats a note while learning.
    pub train: f64,
    /// On what is judged by.
    pub valid: f64,
    /// Seconds since the beginning.
    pub seconds: f64,
    /// Whether it is the best so far.
    pub is_best: bool,
}

/// Figures of one model on what is judged by.
#[derive(Clone, Debug)]
pub struct Table {
    /// Who, with their figures: the weakest first.
    pub verdicts: Vec<(&'static str, Verdict)>,
    /// How alike the choices of the model and of players are; see [`performing::overlap`].
    pub overlap: Overlap,
}

/// What came of a training.
pub struct Results {
    /// The best model.
    pub model: ModelFile,
    /// Its figures.
    pub table: Table,
}

/// Trains a performer. `told` hears of each epoch, `busy` the share of all that is done.
///
/// # Errors
/// [`RehearsalError::NotFinite`].
pub fn rehearse(
    plan: Rehearsal,
    gathering: Gathering,
    mut told: impl FnMut(Passed),
    mut busy: impl FnMut(f64),
) -> Result<Results, RehearsalError> {
    let Gathering { train, valid, card, .. } = gathering;
    let Rehearsal { settings, seed, bounded } = plan;
    let mut learning = Learning::new(settings, train, seed).ok_or(RehearsalError::NotFinite)?;
    let (height, warmup) = learning.pace();
    let begun = Instant::now();
    let mut best: Option<(f64, u64, u64, ModelFile)> = None;
    let (mut epoch, mut steps_done) = (0, 0u64);
    loop {
        let steps = learning.steps(epoch);
        let (mut nats, mut notes) = (0.0, 0);
        let mut share = 0.0;
        for step in 0..steps {
            share = match bounded {
                Bounded::Epochs(epochs) => (epoch as f64 + step as f64 / steps as f64) / epochs as f64,
                Bounded::Minutes(minutes) => begun.elapsed().as_secs_f64() / (60.0 * minutes),
            };
            if share >= 1.0 {
                break;
            }
            let rise = ((steps_done + 1) as f64 / warmup.max(1) as f64).min(1.0);
            let rate = height * rise * ((1.0 - share) / FALL).min(1.0);
            let learned = learning.step(epoch, step, rate);
            steps_done += 1;
            nats += learned.batch.decisions.iter().map(|figures| figures.nats).sum::<f64>();
            notes += learned.batch.notes;
            busy(share);
        }
        let found = performing::judge(&learning.performer(), &valid).per_note();
        epoch += 1;
        let is_best = found.is_finite() && best.as_ref().is_none_or(|(least, ..)| found < *least);
        if is_best {
            best = Some((found, epoch, steps_done, learning.save()));
        }
        let seconds = begun.elapsed().as_secs_f64();
        told(Passed { epoch, train: nats / f64::from(notes.max(1) as u32), valid: found, seconds, is_best });
        if matches!(bounded, Bounded::Epochs(epochs) if epoch >= epochs) || share >= 1.0 {
            break;
        }
    }
    let (_, epoch, steps, mut model) = best.ok_or(RehearsalError::NotFinite)?;
    let table = table(&learning, &Performer::load(&model).map_err(|_| RehearsalError::NotFinite)?, &valid, seed);
    let baseline = |(name, verdict): &(&'static str, Verdict)| Baseline {
        name: (*name).to_owned(),
        nats_per_token: verdict.per_note(),
    };
    let (own, simpler) = table.verdicts.split_last().ok_or(RehearsalError::NotFinite)?;
    model.header.corpus = card;
    model.header.training = Some(TrainingSummary {
        epoch,
        steps,
        seed,
        validation: Likelihood {
            kind: Kind::Exact,
            unit: Unit::Note,
            nats_per_token: own.1.per_note(),
            // What is played has no quarters.
            nats_per_quarter: own.1.per_note(),
            nats_per_quarter_of_notes: None,
            protocol: performing::PROTOCOL.to_owned(),
        },
        baselines: simpler.iter().map(baseline).collect(),
    });
    Ok(Results { model, table })
}

/// Holds a performer against chance and a linear model that have learnt from a folder, on what the folder keeps to be judged by.
///
/// # Errors
/// [`RehearsalError`], where there is nothing to count.
pub fn judge_player(performer: &Performer, gathering: Gathering, seed: u64) -> Result<Table, RehearsalError> {
    let Gathering { train, valid, .. } = gathering;
    let learning = Learning::new(Settings::default(), train, seed).ok_or(RehearsalError::NotFinite)?;
    Ok(table(&learning, performer, &valid, seed))
}

fn table(learning: &Learning, performer: &Performer, valid: &[Lesson], seed: u64) -> Table {
    let verdicts = vec![
        ("counted", learning.chance(valid)),
        ("linear", learning.linear(valid, |_| {})),
        ("model", performing::judge(performer, valid)),
    ];
    Table { verdicts, overlap: performing::overlap(performer, valid, seed) }
}

impl Table {
    /// Rows of a table: a heading, then nats of each decision, and of all of a note.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let mut heading = vec![String::new()];
        heading.extend(Decision::ALL.map(|decision| decision.name().to_owned()));
        heading.push("a note".to_owned());
        let mut rows = vec![heading];
        for (name, verdict) in &self.verdicts {
            let mut row = vec![(*name).to_owned()];
            row.extend(Decision::ALL.map(|decision| format!("{:.3}", verdict.per_decision(decision))));
            row.push(format!("{:.3}", verdict.per_note()));
            rows.push(row);
        }
        let mut row = vec!["in common".to_owned()];
        row.extend(self.overlap.map(|share| format!("{:.0}%", 100.0 * share)));
        row.push(String::new());
        rows.push(row);
        rows
    }
}
