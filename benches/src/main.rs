//! Times Cantus beside what people would use instead, turn by turn in one run: `cargo xtask bench help`.
//!
//! Each benchmark is a module; [`clock`] takes the turns, [`peer`] talks to the other programs, [`report`] prints and keeps.

mod article;
mod clock;
mod composing;
mod exam;
mod frames;
mod memory;
mod networks;
mod notes;
mod pairs;
mod peak;
mod peer;
mod products;
mod reading;
mod report;
mod sites;
mod startup;
mod studio;
mod training;

use clap::{Args, Parser, Subcommand};
use report::{Conditions, Report};
use std::path::PathBuf;

/// Times Cantus beside what people would use instead.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// What all benchmarks understand.
#[derive(Args, Clone)]
pub struct Common {
    /// Threads of both sides
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seconds of taking turns
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// A Python that has the peer's library (torch, tensorflow, symusic and mido); without one only our side is timed
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
    /// Keep the raw figures in this folder, as benches/runs/2026-11-21-xeon
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// A training step of the LSTM composer's network (W1) beside PyTorch
    W1(Common),
    /// A training step of the octave composer's recurrent parts (W2) beside PyTorch
    W2(Common),
    /// Composing with W1's network (W3), one piece and sixteen at once, beside PyTorch
    W3(Common),
    /// The memory that training W1 takes, against what it cannot do without
    Memory(Common),
    /// A training step of the article's network (lstm:softology) on a folder, beside Keras
    Article {
        /// A folder of MIDI files
        data: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// A note composed by the article's network, always the likeliest one, beside Keras
    Notes {
        /// A folder of MIDI files
        data: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// A training step of the composer `notes` on a folder, beside the same network in PyTorch
    NotesStep {
        /// A folder of MIDI files
        data: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// The words of a folder as the article's network reads them, as JSON: what benches/peers/softology_torch.py learns from
    Words {
        /// A folder of MIDI files
        data: PathBuf,
    },
    /// 16 pieces composed one after another and together, by the LSTM composer at the size of W3
    Pieces {
        /// A folder of MIDI files
        data: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Reading a folder of MIDI files into scores, beside symusic and mido
    Reading {
        /// A folder of MIDI files
        data: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// `cantus compose` with the model that comes with the program, from process start to the file written
    Startup {
        /// The program
        #[arg(long, default_value = "target/release/cantus")]
        cantus: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// The studio's page in Chromium: first paint, first sound, engraving, frames, a library of 2,000 pieces
    Studio {
        /// The program
        #[arg(long, default_value = "target/release/cantus")]
        cantus: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// A person's first visit to the studio: compose, another, MusicXML, ten files of a folder, train, hear the result
    StudioPath {
        /// A folder of MIDI files
        data: PathBuf,
        /// The program
        #[arg(long, default_value = "target/release/cantus")]
        cantus: PathBuf,
        /// How long the training lasts
        #[arg(long, default_value_t = 2.0)]
        minutes: f64,
        #[command(flatten)]
        common: Common,
    },
    /// Half an hour of everything at once against the studio, which is killed twice: nothing lost, nothing stuck, no answer of 500
    StudioLoad {
        /// The program
        #[arg(long, default_value = "target/release/cantus")]
        cantus: PathBuf,
        /// How long
        #[arg(long, default_value_t = 30.0)]
        minutes: f64,
        /// Keep the raw figures in this folder
        #[arg(long, value_name = "FOLDER")]
        save: Option<PathBuf>,
    },
    /// Products of the shapes that occur, ours beside gemm
    Products(Common),
    /// The polyphonic-music benchmark: trains by recipe, judges the test pieces
    Frames(frames::Arguments),
    /// What composers of frames remember: made-up pieces, of lengths that were taught and beyond, beside what perfect memory costs
    Exam(exam::Arguments),
    /// Drums to bass: what counting and a composer give to the basses of a file of pairs, divided by songs
    Pairs(pairs::Arguments),
    /// Chorales site by site: what a model gives to the test pieces, what it writes to their sopranos
    Sites(sites::Arguments),
}

/// What takes the turns of one benchmark.
type Benchmark = Box<dyn FnOnce(&Common) -> std::io::Result<Report>>;

fn main() {
    let (common, run): (Common, Benchmark) = match Arguments::parse().what {
        What::W1(common) => (common, Box::new(training::w1)),
        What::W2(common) => (common, Box::new(training::w2)),
        What::W3(common) => (common, Box::new(composing::w3)),
        What::Memory(common) => (common, Box::new(training::memory)),
        What::Article { data, common } => (common, Box::new(move |c| article::run(c, &data))),
        What::Notes { data, common } => (common, Box::new(move |c| article::notes(c, &data))),
        What::NotesStep { data, common } => (common, Box::new(move |c| notes::run(c, &data))),
        What::Words { data } => return end(article::words(&data).map_err(Into::into)),
        What::Pieces { data, common } => (common, Box::new(move |c| composing::pieces(c, &data))),
        What::Reading { data, common } => (common, Box::new(move |c| reading::run(c, &data))),
        What::Startup { cantus, common } => (common, Box::new(move |c| startup::run(c, &cantus))),
        What::Studio { cantus, common } => (common, Box::new(move |c| studio::page(c, &cantus))),
        What::StudioPath { data, cantus, minutes, common } => {
            (common, Box::new(move |c| studio::path(c, &cantus, &data, minutes)))
        }
        What::StudioLoad { cantus, minutes, save } => return end(studio::load(&cantus, minutes, save.as_deref())),
        What::Products(common) => (common, Box::new(products::run)),
        What::Frames(arguments) => return end(frames::run(&arguments)),
        What::Exam(arguments) => return end(exam::run(&arguments)),
        What::Pairs(arguments) => return end(pairs::run(&arguments)),
        What::Sites(arguments) => return end(sites::run(&arguments)),
    };
    cantus_nn::buffer::keep_freed_memory();
    let done = rayon::ThreadPoolBuilder::new()
        .num_threads(common.threads)
        .build_global()
        .map_err(std::io::Error::other)
        .and_then(|()| run(&common))
        .and_then(|report| {
            report.print();
            if let Some(folder) = &common.save {
                println!("  kept in {}", report.save(folder)?.display());
            }
            Ok(())
        });
    end(done.map_err(Into::into));
}

/// Exit code 1 where something failed.
fn end(done: Result<(), Box<dyn std::error::Error>>) {
    if let Err(error) = done {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

impl Common {
    /// The peer, if a Python was named.
    fn peer(&self, name: &str, script: &str, arguments: &[&str]) -> std::io::Result<Option<clock::Contender<'static>>> {
        let Some(python) = &self.python else { return Ok(None) };
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        peer::start(name, python, script, &arguments).map(Some)
    }

    /// Takes turns and gathers the report.
    fn race(&self, name: &str, unit: &str, mut contenders: Vec<clock::Contender>, remarks: Vec<String>) -> Report {
        Report {
            name: name.to_owned(),
            unit: unit.to_owned(),
            conditions: Conditions::now(self.threads),
            samples: clock::take_turns(&mut contenders, self.seconds),
            remarks,
        }
    }
}
