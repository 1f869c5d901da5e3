//! `cantus texture`: more of a piece, without learning.

use crate::Usage;
use crate::files::{self, LimitArguments, Music, Outputs, SoundArguments};
use crate::pieces::how_to_hear;
use crate::terminal::{bar, note, say};
use cantus_composers::texture::TextureError;
use cantus_formats::Limits;
use cantus_formats::svg::Roll;
use cantus_model::digest;
use cantus_score::counted;
use cantus_workshop as workshop;
use miette::{IntoDiagnostic, Result};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Write more of a piece at once, without a model: bars with its chords, rhythms and instruments.
///
/// What follows what in the piece is counted (which key sounds so long after which, and where in the bar each sounds), and notes are changed until the new
/// bars have the same counts. They go on like the piece from moment to moment, and go nowhere: no melody comes back, and no end is made. For music with
/// a form train a composer. Of several files it is like all of them at once.
#[derive(clap::Args)]
pub struct Arguments {
    /// The music that it is to be like (MIDI, MusicXML or ABC); a few files at most, of one metre
    #[arg(required = true, num_args = 1..=100)]
    files: Vec<PathBuf>,
    /// How many bars
    #[arg(long, default_value_t = 16)]
    bars: usize,
    /// How many pieces; seeds count up from the first
    #[arg(short = 'n', long = "count", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Use the same seed to get the same piece; by default a new seed is chosen and printed
    #[arg(long)]
    seed: Option<u64>,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl or .abc (notes), .wav or .flac (sound), .svg (picture), .npz (arrays for NumPy)
    /// A file that is named is written over. [default: texture.mid, or the next free of texture-2.mid, texture-3.mid ...]
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Write over the default's file where it is there already
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

pub fn run(arguments: &Arguments) -> Result<()> {
    let outputs = Outputs::new(&arguments.output, "texture.mid", arguments.count as usize, arguments.force)?;
    let limits = arguments.limits.over(Limits::default());
    let (mut pieces, mut like, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    for file in &arguments.files {
        let (Music { score, warnings: told }, bytes) = files::read_music(file, &limits)?;
        // What comes before the first note is not like the piece.
        pieces.push(score.sounding().into_owned());
        like.push(digest(&bytes));
        warnings.extend(told);
    }
    let playing = arguments.sound.load(&outputs.formats)?;
    let first = arguments.seed.unwrap_or_else(workshop::fresh_seed);
    let mut written = Vec::new();
    for k in 0..arguments.count as usize {
        let seed = first.wrapping_add(k as u64);
        let progress = bar(1000, "weaving {wide_bar} {percent}%");
        let woven = workshop::more_of(&pieces, &like, arguments.bars, seed, &mut |done| {
            progress.set_position((done * 1000.0) as u64);
            ControlFlow::Continue(())
        });
        progress.finish_and_clear();
        let (woven, origin) = match woven {
            Err(error @ TextureError::Bars { .. }) => return Err(Usage(error.to_string()).into()),
            woven => woven.into_diagnostic()?,
        };
        let (score, paths) = (&woven.score, outputs.of(k));
        for path in &paths {
            files::write_score(path, score, &playing, &Roll::default())?;
        }
        let lost = files::losses(&outputs.formats, score);
        let seconds = score.tempo_map().seconds(score.end());
        if arguments.json {
            let warnings = [&warnings[..], &lost].concat();
            say(serde_json::json!({
                "files": paths, "origin": origin, "notes": score.note_count(), "seconds": seconds,
                "error": woven.error, "error_at_random": woven.error_at_random, "remarks": woven.remarks, "warnings": warnings,
            }))?;
        } else {
            lost.iter().chain(&woven.remarks).for_each(note);
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            let (bars, notes) = (counted(arguments.bars, "bar"), counted(score.note_count(), "note"));
            say(format!(
                "{}: {bars}, {notes}, {seconds:.0} s, seed {seed}; {:.2} from what it is like, {:.1} where it began",
                names.join(", "),
                woven.error,
                woven.error_at_random,
            ))?;
        }
        written.extend(paths);
    }
    how_to_hear(&written, &outputs.formats).filter(|_| !arguments.json).map_or(Ok(()), say)
}
