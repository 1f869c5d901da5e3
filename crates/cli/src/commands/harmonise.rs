//! `cantus harmonise`: the rest of a piece.

use crate::Usage;
use crate::cells::{CellText, bars};
use crate::files::{self, LimitArguments, Music, Outputs, SoundArguments};
use crate::pieces::{SamplingArguments, Told, how_to_hear, originality, report};
use crate::terminal::{bar, say};
use cantus_formats::Limits;
use cantus_formats::svg::Roll;
use cantus_model::{ComposeError, digest};
use cantus_workshop::{self as workshop, ArrangementOrigin, Provenance};
use miette::{IntoDiagnostic, Result, WrapErr};
use std::num::NonZeroU32;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;

/// Compose the other voices to a melody, or the bars that are missing of a piece.
///
/// What is given is kept note for note; everything else is composed to it. Without --voice, --keep and --again, the highest line of the
/// file is the melody. A file of four parts, each one note at a time, is read part by part.
#[derive(clap::Args)]
pub struct Arguments {
    /// The melody, or the piece (MIDI, MusicXML or ABC)
    file: PathBuf,
    /// A model that writes voices, by its name in `cantus models`, or a .safetensors file, or a run's folder
    #[arg(short, long, default_value = workshop::CHORALES)]
    model: String,
    /// The voices that are given throughout [default: soprano, unless bars are kept]
    #[arg(long = "voice", value_name = "VOICE", value_delimiter = ',')]
    voices: Vec<Voice>,
    /// Bars that are kept in all voices, such as 1-4,13-16; an upbeat is bar 0
    #[arg(long, value_name = "BARS", value_delimiter = ',', value_parser = bars)]
    keep: Vec<RangeInclusive<usize>>,
    /// What is composed anew while all else is kept, such as alto:5-8,tenor:5-6, or 5-8 in all voices, or a voice throughout
    #[arg(long, value_name = "CELLS", value_delimiter = ',', conflicts_with_all = ["voices", "keep"])]
    again: Vec<CellText>,
    /// How many quarter notes apart cadences are, each with a fermata, for composers that are told [default: as the piece says]
    #[arg(long, value_name = "QUARTERS")]
    cadences: Option<NonZeroU32>,
    /// Use the same seed to get the same piece; by default a new seed is chosen and printed
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// How many pieces; seeds count up from the first
    #[arg(short = 'n', long = "count", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl or .abc (notes), .wav or .flac (sound), .svg (picture), .npz (arrays for NumPy)
    /// A file that is named is written over. [default: harmony.mid, or the next free of harmony-2.mid, harmony-3.mid ...]
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Write over harmony.mid where it is there already
    #[arg(long, conflicts_with = "output")]
    force: bool,
    /// Say what was written as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sound: SoundArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

/// A voice, from the highest down.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Voice {
    Soprano,
    Alto,
    Tenor,
    Bass,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let outputs = Outputs::new(&arguments.output, "harmony.mid", arguments.count as usize, arguments.force)?;
    let limits = arguments.limits.over(Limits::default());
    let (Music { score, warnings }, bytes) = files::read_music(&arguments.file, &limits)?;
    let model = workshop::load(&arguments.model).into_diagnostic()?;
    let sampling = arguments.sampling.over(model.usual_sampling())?;
    let voices = match &arguments.voices[..] {
        [] if arguments.keep.is_empty() && arguments.again.is_empty() => vec![0],
        voices => voices.iter().map(|voice| *voice as usize).collect(),
    };
    let again = arguments.again.iter().map(|cell| cell.of(&score, model.composer.spec()));
    let again = again.collect::<Result<Vec<_>>>()?.concat();
    let cadences = arguments.cadences.map(|quarters| quarters.to_string());
    let seed = arguments.seed.unwrap_or_else(workshop::fresh_seed);
    let settings = Provenance {
        controls: cadences.map(|quarters| ("cadences".to_owned(), quarters)).into_iter().collect(),
        arrangement: Some(ArrangementOrigin {
            sha256: digest(&bytes),
            voices,
            bars: arguments.keep.iter().map(|range| (*range.start(), *range.end())).collect(),
            again,
            joined: false,
        }),
        ..Provenance::new(&model, seed, score.bar_count(), sampling)
    };
    let playing = arguments.sound.load(&outputs.formats)?;
    let is_melody_given = settings.arrangement.as_ref().is_some_and(ArrangementOrigin::has_melody);
    let mut pieces = Vec::new();
    for k in 0..arguments.count as usize {
        let seed = settings.seed.wrapping_add(k as u64);
        let bar = bar(1000, "composing {wide_bar} {percent}%");
        let arranged = workshop::compose(&model, &settings, &[seed], Some(&score), &mut |done| {
            bar.set_position((done * 1000.0) as u64);
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        let mut compositions = match arranged {
            Err(
                error @ (ComposeError::KeptBars { .. }
                | ComposeError::AgainBars { .. }
                | ComposeError::Unreadable { .. }),
            ) => return Err(Usage(error.to_string()).into()),
            arranged => arranged
                .into_diagnostic()
                .wrap_err_with(|| format!("`{}` cannot be harmonised", arguments.file.display()))?,
        };
        // One seed, one piece.
        let Some(composition) = compositions.pop() else { continue };
        let written = outputs.of(k);
        for path in &written {
            files::write_score(path, &composition.score, &playing, &Roll::default())?;
        }
        let originality = originality(&model, &composition.score, is_melody_given);
        let told = Told { written: &written, originality, standing: None, warnings: &warnings, sources: false };
        report(arguments.json, &Provenance { seed, ..settings.clone() }, &composition, told)?;
        pieces.extend(written);
    }
    how_to_hear(&pieces, &outputs.formats).filter(|_| !arguments.json).map_or(Ok(()), say)
}
