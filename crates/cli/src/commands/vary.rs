//! `cantus vary`: variations that stay themselves.

use crate::Usage;
use crate::cells::bars;
use crate::files::{self, LimitArguments, Music, Outputs, Playing, SoundArguments};
use crate::pieces::{SamplingArguments, how_to_hear};
use crate::terminal::{bar, note, say};
use cantus_formats::svg::Roll;
use cantus_formats::{Format, Limits};
use cantus_model::latent::{AMOUNT, Aspect, VARYING, Wish};
use cantus_model::{ComposeError, Composition, digest};
use cantus_score::counted;
use cantus_workshop::{self as workshop, CodeOrigin};
use miette::{IntoDiagnostic, Result, WrapErr};
use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;

/// Write variations of a tune: other notes for the same bars, near enough to be heard as the tune.
///
/// Every two bars of a melody have a code; beside it there are others, which the model writes out. Of music for several voices the melody is taken.
/// With --amount 0 the piece stays as it is.
#[derive(clap::Args)]
pub struct Arguments {
    /// The tune (MIDI, MusicXML or ABC)
    file: PathBuf,
    /// The bars that are varied, such as 5-8 or 1-4,13-16, while all else is kept [default: all]
    #[arg(long, value_name = "BARS", value_delimiter = ',', value_parser = bars)]
    again: Vec<RangeInclusive<usize>>,
    /// How far from the tune: 0 is the tune, 1 shares nothing with it but its bars
    #[arg(long, value_name = "A", default_value_t = AMOUNT, allow_negative_numbers = true)]
    amount: f64,
    /// What it is to have more of: notes, leaps, syncopation
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    more: Vec<Aspect>,
    /// What it is to have less of
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    less: Vec<Aspect>,
    /// How many variations; seeds count up from the first
    #[arg(short = 'n', long = "count", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    #[command(flatten)]
    code: CodeArguments,
}

/// What blending and varying have in common.
#[derive(clap::Args)]
pub struct CodeArguments {
    /// A model whose music has codes, by its name in `cantus models`, or a .safetensors file, or a run's folder
    #[arg(short, long, default_value = workshop::TUNES)]
    pub model: String,
    /// Use the same seed to get the same piece; by default a new seed is chosen and printed
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub sampling: SamplingArguments,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl or .abc (notes), .wav or .flac (sound), .svg (picture), .npz (arrays for NumPy)
    /// A file that is named is written over. [default: blend.mid or variation.mid, or the next free of blend-2.mid, blend-3.mid ...]
    #[arg(short, long, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Write over the default's file where it is there already
    #[arg(long, conflicts_with = "output")]
    pub force: bool,
    /// Say what was written as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub sound: SoundArguments,
    #[command(flatten)]
    pub limits: LimitArguments,
}

/// What is told of a piece.
pub struct Written<'a> {
    /// Its files.
    pub paths: Vec<PathBuf>,
    /// What was done, in words.
    pub what: &'a str,
    /// The same, exactly.
    pub origin: &'a CodeOrigin,
    /// What the reader had to say.
    pub warnings: &'a [String],
}

/// Writes a piece, and says so.
pub fn write(
    code: &CodeArguments,
    composition: &Composition,
    playing: &Playing,
    formats: &[Format],
    written: Written<'_>,
) -> Result<Vec<PathBuf>> {
    let Written { paths, what, origin, warnings } = written;
    let score = &composition.score;
    for path in &paths {
        files::write_score(path, score, playing, &Roll::default())?;
    }
    let lost = files::losses(formats, score);
    lost.iter().for_each(note);
    let seconds = score.tempo_map().seconds(score.end());
    if code.json {
        let warnings = [warnings, &lost].concat();
        say(serde_json::json!({
            "files": paths, "origin": origin, "notes": score.note_count(), "seconds": seconds,
            "remarks": composition.remarks, "warnings": warnings,
        }))?;
        return Ok(paths);
    }
    composition.remarks.iter().for_each(note);
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    say(format!(
        "{}: {what}: {}, {}, {seconds:.0} s, seed {}",
        names.join(", "),
        counted(score.bar_count(), "bar"),
        counted(score.note_count(), "note"),
        origin.seed
    ))?;
    Ok(paths)
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { code, amount, more, less, .. } = arguments;
    if let Some(both) = more.iter().find(|aspect| less.contains(aspect)) {
        return Err(Usage(format!("more and less {} are asked for: leave one of them out", both.name())).into());
    }
    let count = arguments.count as usize;
    let outputs = Outputs::new(&code.output, "variation.mid", count, code.force)?;
    let (Music { score, warnings }, bytes) = files::read_music(&arguments.file, &code.limits.over(Limits::default()))?;
    let given = [digest(&bytes)];
    let model = workshop::load(&code.model).into_diagnostic()?;
    let sampling = code.sampling.over(VARYING)?;
    let playing = code.sound.load(&outputs.formats)?;
    let seed = code.seed.unwrap_or_else(workshop::fresh_seed);
    let seeds: Vec<u64> = (0..count as u64).map(|k| seed.wrapping_add(k)).collect();
    let wish = Wish { amount: *amount, again: arguments.again.clone(), more: more.clone(), less: less.clone() };
    let progress = bar(1000, "varying {wide_bar} {percent}%");
    let varied = workshop::vary(&model, (&score, &given), &wish, sampling, &seeds, &mut |done| {
        progress.set_position((done * 1000.0) as u64);
        ControlFlow::Continue(())
    });
    progress.finish_and_clear();
    let varied = match varied {
        Err(error @ (ComposeError::AgainBars { .. } | ComposeError::Amount { .. })) => {
            return Err(Usage(error.to_string()).into());
        }
        varied => {
            varied.into_diagnostic().wrap_err_with(|| format!("`{}` cannot be varied", arguments.file.display()))?
        }
    };
    let mut pieces = Vec::new();
    for (k, (composition, origin)) in varied.iter().enumerate() {
        let what = format!("varied by {amount}");
        let written = Written { paths: outputs.of(k), what: &what, origin, warnings: &warnings };
        pieces.extend(write(code, composition, &playing, &outputs.formats, written)?);
    }
    how_to_hear(&pieces, &outputs.formats).filter(|_| !code.json).map_or(Ok(()), say)
}
