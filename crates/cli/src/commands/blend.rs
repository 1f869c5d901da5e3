//! `cantus blend`: what lies between two pieces.

use crate::Usage;
use crate::commands::vary::{CodeArguments, Written, write};
use crate::files::{self, Music, Outputs};
use crate::terminal::{bar, say};
use cantus_formats::Limits;
use cantus_model::digest;
use cantus_model::latent::{BLENDING, Way};
use cantus_workshop as workshop;
use miette::{IntoDiagnostic, Result, WrapErr};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Write what lies between two pieces, or a piece that begins as the one and ends as the other.
///
/// Every two bars of a melody have a code; between the codes of two pieces there are others, which the model writes out. At 0 it is the first piece and
/// at 1 the second, note for note. Of music for several voices the melody is taken.
#[derive(clap::Args)]
pub struct Arguments {
    /// The first piece (MIDI, MusicXML or ABC)
    first: PathBuf,
    /// The second piece
    second: PathBuf,
    /// How far from the first piece: 0 is that, 1 the second [default: 0.5]
    #[arg(long, value_name = "T", allow_negative_numbers = true, conflicts_with_all = ["steps", "bars"])]
    at: Option<f64>,
    /// So many pieces, evenly from the first to the second, both included
    #[arg(long, value_name = "N", conflicts_with = "bars", value_parser = clap::value_parser!(u32).range(2..=1000))]
    steps: Option<u32>,
    /// One piece of so many bars that begins as the first and ends as the second
    #[arg(long, value_name = "N")]
    bars: Option<usize>,
    #[command(flatten)]
    code: CodeArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { at, steps, bars, code, .. } = arguments;
    let ways: Vec<Way> = match (steps, bars) {
        (Some(steps), _) => (0..*steps).map(|k| Way::At(f64::from(k) / f64::from(steps - 1))).collect(),
        (_, Some(bars)) => vec![Way::Along(*bars)],
        _ => vec![Way::At(at.unwrap_or(0.5))],
    };
    if let Some(at) = at.filter(|at| !(0.0..=1.0).contains(at)) {
        return Err(Usage(cantus_model::ComposeError::Between { at }.to_string()).into());
    }
    let outputs = Outputs::new(&code.output, "blend.mid", ways.len(), code.force)?;
    let limits = code.limits.over(Limits::default());
    let (Music { score: first, warnings: mut told }, first_bytes) = files::read_music(&arguments.first, &limits)?;
    let (Music { score: second, warnings }, second_bytes) = files::read_music(&arguments.second, &limits)?;
    told.extend(warnings);
    let given = [digest(&first_bytes), digest(&second_bytes)];
    let model = workshop::load(&code.model).into_diagnostic()?;
    let sampling = code.sampling.over(BLENDING)?;
    let playing = code.sound.load(&outputs.formats)?;
    let seed = code.seed.unwrap_or_else(workshop::fresh_seed);
    let mut pieces = Vec::new();
    for (k, way) in ways.into_iter().enumerate() {
        let progress = bar(1000, "blending {wide_bar} {percent}%");
        let blended = workshop::blend(&model, ([&first, &second], &given), way, sampling, seed, &mut |done| {
            progress.set_position((done * 1000.0) as u64);
            ControlFlow::Continue(())
        });
        progress.finish_and_clear();
        let (composition, origin) = blended.into_diagnostic().wrap_err_with(|| {
            format!("`{}` and `{}` cannot be blended", arguments.first.display(), arguments.second.display())
        })?;
        let what = match way {
            Way::At(at) => format!("at {at:.2}"),
            Way::Along(bars) => format!("over {bars} bars"),
        };
        let written = Written { paths: outputs.of(k), what: &what, origin: &origin, warnings: &told };
        pieces.extend(write(code, &composition, &playing, &outputs.formats, written)?);
    }
    crate::pieces::how_to_hear(&pieces, &outputs.formats).filter(|_| !code.json).map_or(Ok(()), say)
}
