//! Drums to bass, two bars at a time: the table of a file of pairs, divided by songs.
//!
//! Nats a pattern of 64 steps by 36 columns, natural logarithms, mean over the patterns of the test songs. The register, which the coding of
//! M. Karpenko and A. Kryshtapovich gives for nothing (columns are counted from the pattern's lowest note), is counted apart. Beside every
//! figure stands how many onsets a pattern has: a model that writes silence is told by it.

mod counting;
mod rhythm;

use cantus_composers::registry;
use cantus_corpus::{Pair, PairsFile, Sides};
use cantus_encoding::rhythm_section::{self, COLUMNS, KICK};
use cantus_evaluation::accompaniment::{Accompanied, Accompaniment};
use cantus_evaluation::listener::Listener;
use cantus_model::{Composer, Given, ModelFile, Pieces, Request, Rng, StepAt, TrainingSet, derive};
use cantus_score::{Note, Part, Pitch, Score};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use counting::counting;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Steps of a pattern.
const STEPS: usize = 64;
/// Salts of the splits; only the mean of three counts.
const SALTS: [&str; 3] = ["0", "1", "2"];
/// Patterns that are sampled for statistics.
const SAMPLED: usize = 500;
/// Basses that are written to each.
const VERSIONS: usize = 5;
/// Of these so many are held against the one that was played.
const COMPARED: usize = 4;
/// Two basses are unlike that share fewer of their notes.
const UNLIKE: f64 = 0.5;
/// A learning rate rises over so many steps, stays for this share of all, then falls.
const WARMUP: f64 = 100.0;
const STAYS: f64 = 0.5;

/// Options of the table.
#[derive(clap::Args)]
pub struct Arguments {
    /// The file of pairs (.jsonl.gz)
    data: PathBuf,
    /// Salts of the splits
    #[arg(long, value_delimiter = ',', default_values_t = SALTS.map(str::to_owned))]
    salt: Vec<String>,
    /// Only what is counted, nothing learnt
    #[arg(long)]
    counted: bool,
    /// A composer that writes a bass, and its configuration
    #[arg(long, default_value = "accompany")]
    composer: String,
    /// Change a setting of the composer, as in --set hidden=256
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Epochs
    #[arg(long, default_value_t = 20)]
    epochs: u64,
    /// Judge the validation pairs in the place of the test pairs: for looking for settings
    #[arg(long)]
    validation: bool,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seed of the network and of what is sampled
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Two bars as they are counted.
struct Pattern {
    source: String,
    drums: Vec<u16>,
    /// Columns that begin at each step.
    bass: Vec<u128>,
    lowest: u8,
}

impl Pattern {
    fn of(pair: &Pair) -> Pattern {
        let notes = &pair.score.parts[1].notes;
        let lowest = notes.iter().map(|note| note.pitch).min().unwrap_or(Pitch::C4);
        let within = |note: &&Note| usize::from(note.pitch.get() - lowest.get()) < COLUMNS;
        let notes: Vec<Note> = notes.iter().filter(within).copied().collect();
        Pattern {
            source: pair.source.clone(),
            drums: rhythm_section::drums(&pair.score.parts[0].notes, STEPS),
            bass: rhythm_section::encode(&notes, lowest, STEPS, STEPS),
            lowest: lowest.get(),
        }
    }

    fn onsets(&self) -> u32 {
        self.bass.iter().map(|frame| frame.count_ones()).sum()
    }

    /// 2 where the kick sounds, 1 where something else does.
    fn beat(&self, step: usize) -> usize {
        match self.drums[step] {
            0 => 0,
            row if row >> KICK & 1 == 1 => 2,
            _ => 1,
        }
    }
}

/// Runs the table.
///
/// # Errors
/// A file that cannot be read, a composer that cannot be made.
pub fn run(arguments: &Arguments) -> Result<()> {
    cantus_nn::buffer::keep_freed_memory();
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    let file = PairsFile::open(&arguments.data)?;
    println!("{} pairs", file.pairs().len());
    let mut sums: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for salt in &arguments.salt {
        let Sides { train, valid, test } = file.sides(salt);
        let test = if arguments.validation { &valid } else { &test };
        println!("salt {salt}: {} to learn from, {} for validation, {} judged", train.len(), valid.len(), test.len());
        let patterns = [&train, test].map(|pairs| pairs.iter().map(Pattern::of).collect::<Vec<_>>());
        let mut tell = |name: &'static str, value: f64| {
            println!("  {name}: {value:.3}");
            sums.entry(name).or_default().push(value);
        };
        for (name, nats) in counting(&patterns[0], &patterns[1]) {
            tell(name, nats);
        }
        let [by_step, silence] = rhythm::counted(&patterns[0], &valid, &patterns[1]);
        tell("counted: F1 of the rhythm, by step", by_step.f1);
        tell("counted: onsets a pattern, by step", by_step.onsets);
        tell("silence (what the squared error likes best): F1 of the rhythm", silence.f1);
        tell("silence: onsets a pattern", silence.onsets);
        println!("  onsets a pattern: {:.2}", mean(patterns[1].iter().map(|pattern| f64::from(pattern.onsets()))));
        if arguments.counted {
            continue;
        }
        let composer = learn(arguments, &train, &valid)?;
        for (name, value) in judged(composer.as_ref(), test, &patterns[1]) {
            tell(name, value);
        }
        if let Some(found) = rhythm::of(composer.as_ref(), &valid, test) {
            println!("  learnt: threshold of the validation songs {:.2}", found.threshold);
            tell("learnt: F1 of the rhythm", found.f1);
            tell("learnt: onsets a pattern over that threshold", found.onsets);
            tell("learnt: onsets a pattern as expected", found.expected);
            found.latent.into_iter().for_each(|nats| tell("learnt: nats of the latent", nats));
        }
        sampled(composer.as_ref(), test, &patterns[1], arguments.seed)?;
    }
    println!("mean over salts {}:", arguments.salt.join(", "));
    for (name, nats) in sums {
        println!("  {name}: {:.3}", mean(nats.iter().copied()));
    }
    Ok(())
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    sum / count
}

/// Trains, and gives the composer of the epoch that was best on validation.
fn learn(arguments: &Arguments, train: &[Pair], valid: &[Pair]) -> Result<Box<dyn Composer>> {
    let (spec, configuration) = registry::choose(&arguments.composer)?;
    let mut settings = spec.settings(configuration).ok_or("no settings")?;
    for change in &arguments.set {
        let (key, value) = change.split_once('=').ok_or("--set KEY=VALUE")?;
        settings[key] = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    }
    // The collection that a song comes from is its style.
    let style = |pair: &Pair| pair.source.split('/').nth(1).unwrap_or_default().to_owned();
    let pieces = |pairs: &[Pair]| {
        Pieces::on(pairs.iter().map(|pair| (style(pair), pair.score.clone())).collect::<Vec<(String, Score)>>())
    };
    let set = TrainingSet { train: pieces(train), valid: pieces(valid), ..TrainingSet::default() };
    let mut trainable = spec.creates()?(&settings, &set, arguments.seed)?;
    println!("  {} parameters", trainable.parameters());
    let (begun, height) = (Instant::now(), trainable.regime().learning_rate);
    let all = (arguments.epochs * trainable.steps(0)) as f64;
    let (mut done, mut best): (f64, Option<(f64, ModelFile)>) = (0.0, None);
    for epoch in 0..arguments.epochs {
        let (mut nats, mut tokens) = (0.0, 0.0);
        for step in 0..trainable.steps(epoch) {
            let falls = ((1.0 - done / all) / (1.0 - STAYS)).clamp(0.0, 1.0);
            let report = trainable.step(StepAt { epoch, step }, height * (done / WARMUP).min(1.0) * falls);
            nats += report.batch.nats;
            tokens += report.batch.tokens;
            done += 1.0;
        }
        let per_pattern = STEPS as f64 * nats / tokens;
        let judged = trainable.validate();
        let judged = judged.nats / valid.len() as f64;
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "  epoch {epoch}: training {per_pattern:.2}, validation {judged:.2} with the register, {seconds:.0} s"
        );
        if best.as_ref().is_none_or(|(known, _)| judged < *known) {
            best = Some((judged, trainable.save()));
        }
    }
    let (_, file) = best.ok_or("no epoch")?;
    println!("  {} bytes", file.to_bytes(cantus_model::Precision::Half)?.len());
    Ok(registry::load(&file)?)
}

/// The test patterns under a composer: nats a pattern.
fn judged(composer: &dyn Composer, test: &[Pair], patterns: &[Pattern]) -> Vec<(&'static str, f64)> {
    let Some(judge) = composer.judge() else { return Vec::new() };
    let of = |score: &Score| {
        let moments = judge.judge(score).moments;
        let all: f64 = moments.iter().map(|moment| moment.nats).sum();
        // The register comes first, where it is predicted.
        let register = if moments.len() > STEPS { moments[0].nats } else { 0.0 };
        (all - register, register)
    };
    let own: Vec<(f64, f64)> = test.par_iter().map(|pair| of(&pair.score)).collect();
    let foreign =
        |k: usize| (1..test.len()).map(|by| (k + by * 389) % test.len()).find(|j| test[*j].source != test[k].source);
    let under_others: Vec<f64> = (0..test.len())
        .into_par_iter()
        .map(|k| {
            let mut score = test[k].score.clone();
            if let Some(other) = foreign(k) {
                score.parts[0] = test[other].score.parts[0].clone();
            }
            of(&score).0
        })
        .collect();
    for folder in ["freedoom", "simutrans", "openmsx", "mma-synth"] {
        let here = || patterns.iter().zip(&own).filter(|(pattern, _)| pattern.source.contains(folder));
        println!("    {folder}: {:.2} of {} patterns", mean(here().map(|(_, (nats, _))| *nats)), here().count());
    }
    let mean_own = mean(own.iter().map(|(nats, _)| *nats));
    let mean_other = mean(under_others.iter().copied());
    vec![
        ("learnt: given the register", mean_own),
        ("learnt: its register", mean(own.iter().map(|(_, nats)| *nats))),
        ("learnt: under another song's drums", mean_other),
        ("learnt: what drums are worth", mean_other - mean_own),
        ("learnt: perplexity a step", (mean_own / STEPS as f64).exp()),
    ]
}

/// What the composer writes to drums of the test, beside what was played to them.
fn sampled(composer: &dyn Composer, test: &[Pair], patterns: &[Pattern], seed: u64) -> Result<()> {
    let every = test.len().div_ceil(SAMPLED).max(1);
    let has_drums = |k: &usize| patterns[*k].drums.iter().any(|row| *row != 0);
    let chosen: Vec<usize> = (0..test.len()).step_by(every).filter(has_drums).collect();
    let begun = Instant::now();
    let of = |k: usize| -> std::result::Result<(Score, Vec<Part>), String> {
        let mut drums = test[k].score.clone();
        drums.parts.truncate(1);
        let given = Given::parts(drums.clone()).map_err(|error| error.to_string())?;
        let request = Request::around(given, composer.default_sampling());
        let mut rngs: Vec<Rng> =
            (0..VERSIONS as u64).map(|version| derive(seed, "sampled", &[k as u64, version])).collect();
        let composed = registry::compose(composer, &request, &mut rngs, &mut |_| ControlFlow::Continue(()));
        let composed = composed.map_err(|error| error.to_string())?;
        let ticks = drums.ticks_per_quarter;
        let new = |score: Score| score.rescaled(ticks).parts.pop().unwrap_or_default();
        Ok((drums, composed.into_iter().map(|composition| new(composition.score)).collect()))
    };
    let written: std::result::Result<Vec<(Score, Vec<Part>)>, String> = chosen.par_iter().map(|k| of(*k)).collect();
    let written = written?;
    let seconds = begun.elapsed().as_secs_f64();
    let beside = |of: &dyn Fn(usize) -> Vec<Part>| {
        let versions: Vec<Vec<Part>> = (0..written.len()).map(of).collect();
        let pieces: Vec<Accompanied<'_>> = (0..written.len())
            .map(|k| Accompanied {
                given: &written[k].0,
                played: &test[chosen[k]].score.parts[1],
                written: &versions[k],
            })
            .collect();
        Accompaniment::of("bass", &pieces)
    };
    let ours = beside(&|k| written[k].1.iter().take(COMPARED).cloned().collect());
    // Any basses that were played, to other drums.
    let random = beside(&|k| {
        (1..=COMPARED).map(|by| test[(chosen[k] + by * 389) % test.len()].score.parts[1].clone()).collect()
    });
    for (name, found) in [("written", ours), ("basses of other songs in its place", random)] {
        println!("  {name}:");
        found.iter().for_each(|found| println!("{}", found.table()));
    }
    let unlike = mean(written.iter().map(|(_, versions)| unlike(versions) as f64));
    println!("  of {VERSIONS} basses to the same drums unlike one another: {unlike:.2}");
    // One version of each; a listener hears what has a pitch.
    let with = |k: usize, part: &Part| {
        let mut whole = written[k].0.clone();
        whole.parts.push(part.clone());
        whole
    };
    let sets: [Vec<Score>; 2] = [
        (0..written.len()).map(|k| with(k, &test[chosen[k]].score.parts[1])).collect(),
        (0..written.len()).filter_map(|k| Some(with(k, written[k].1.first()?))).collect(),
    ];
    let [played, ours] = sets.each_ref().map(|set| set.iter().collect::<Vec<&Score>>());
    Listener::of(&played, &ours).iter().for_each(|listener| println!("  {listener}"));
    let bars = 2.0 * VERSIONS as f64 * written.len() as f64;
    println!("  {:.3} s for 64 bars", seconds * 64.0 / bars);
    Ok(())
}

/// How many of the versions are unlike one another, from the first on.
fn unlike(versions: &[Part]) -> usize {
    let notes = |part: &Part| -> BTreeSet<(u64, u8)> {
        let lowest = part.notes.iter().map(|note| note.pitch.get()).min().unwrap_or(0);
        part.notes.iter().map(|note| (note.onset.0, note.pitch.get() - lowest)).collect()
    };
    let mut found: Vec<BTreeSet<(u64, u8)>> = Vec::new();
    for version in versions.iter().map(notes) {
        let is_like = |other: &BTreeSet<(u64, u8)>| {
            let both = 2.0 * other.intersection(&version).count() as f64;
            both >= UNLIKE * (other.len() + version.len()) as f64
        };
        if !found.iter().any(is_like) {
            found.push(version);
        }
    }
    found.len()
}
