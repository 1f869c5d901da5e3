//! `cantus accompany`: more parts to given ones.

use crate::Usage;
use crate::files::{self, LimitArguments, Music, Outputs, SoundArguments};
use crate::pieces::{SamplingArguments, Told, how_to_hear, originality, report};
use crate::terminal::{bar, say};
use cantus_formats::Limits;
use cantus_formats::svg::Roll;
use cantus_model::{Around, ComposeError, Control, Joined, Written, digest};
use cantus_score::Key;
use cantus_workshop::{self as workshop, ArrangementOrigin, Model, Provenance};
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Compose a bass to your drums, drums to your bass, or chords and drums to your tune.
///
/// All parts of the file are kept, note for note and stroke for stroke; a new one has a track, a name, a channel and an instrument of its
/// own. Chords and melodies in the file say the harmony. Three models are built in: `bass` and `beat`, which learnt from the few songs of one
/// game, and `arranger`, which writes chords and drums to a tune (`--write chords,drums`). Your own comes from `cantus train FOLDER -c accompany` (a bass to drums), or with `--set writes=drums` (drums to a bass). A
/// model of tunes with chords (`cantus train FOLDER -c lead_sheet`) finds the chords to a melody: their symbols, and a part that plays them; one
/// of songs (`cantus train FOLDER -c song_from_pi`) writes what is missing of chords and drums.
#[derive(clap::Args)]
pub struct Arguments {
    /// The drums, or the tune, with whatever else there is (MIDI, MusicXML or ABC)
    file: PathBuf,
    /// A model that writes to given parts: its name in `cantus models`, a .safetensors file, or a run's folder [default: bass, or beat]
    #[arg(short, long)]
    model: Option<String>,
    /// What is composed, as in chords,drums [default: what the model writes and the file lacks; without a model, a bass to drums, drums where
    /// there are none]
    #[arg(long, value_enum, value_delimiter = ',')]
    write: Vec<Part>,
    /// The key, as in D, Bb, "F# minor" or Am [default: that of the file, or of its notes]
    #[arg(long, value_name = "KEY")]
    key: Option<Key>,
    /// The instrument of the new part, a program of General MIDI from 0 to 127 [default: as often as the corpus has each]
    #[arg(long, value_name = "PROGRAM", value_parser = clap::value_parser!(u8).range(0..=127))]
    program: Option<u8>,
    /// In the style of which folder of the corpus, for models that learnt from folders; of several (`rock=0.7, folk=0.3`) one is drawn
    /// [default: of any]
    #[arg(long, visible_alias = "genre", value_name = "NAME")]
    style: Option<String>,
    /// Use the same seed to get the same part; by default a new seed is chosen and printed
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// How many; seeds count up from the first
    #[arg(short = 'n', long = "count", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl or .abc (notes), .wav or .flac (sound), .svg (picture), .npz (arrays for NumPy)
    /// A file that is named is written over. [default: accompaniment.mid, or the next free of accompaniment-2.mid ...]
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Write over accompaniment.mid where it is there already
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

/// What is composed.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    Bass,
    Chords,
    Drums,
}

impl From<Part> for Written {
    fn from(part: Part) -> Written {
        match part {
            Part::Bass => Written::Bass,
            Part::Chords => Written::Chords,
            Part::Drums => Written::Drums,
        }
    }
}

/// The built-in model that writes what is wanted, or what the file lacks.
fn built_in(wanted: &[Written], has_drums: bool) -> Result<&'static str> {
    let usual = if has_drums { Joined::Bass } else { Joined::Drums };
    let one = |joined: &Joined| wanted == [Written::from(*joined)];
    match [Joined::Bass, Joined::Drums].into_iter().find(one) {
        Some(joined) => Ok(workshop::accompanist(joined)),
        None if wanted.is_empty() => Ok(workshop::accompanist(usual)),
        None if !wanted.contains(&Written::Bass) => Ok(workshop::ARRANGER),
        None => {
            Err(Usage("the built-in models write a bass, or chords and drums: ask for one after the other".into())
                .into())
        }
    }
}

/// What a model is asked to write, where it can be asked; an error where it writes something else.
fn asked(model: &Model, name: &str, wanted: &[Written]) -> Result<Option<String>> {
    let names = |parts: &[Written]| parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(",");
    let composer = model.composer.as_ref();
    if wanted.is_empty() || composer.can(Control::Write) {
        return Ok((!wanted.is_empty()).then(|| names(wanted)));
    }
    let finds_chords = composer.spec().around.contains(&Around::Melody);
    let written = composer.joins().map(Written::from).or(finds_chords.then_some(Written::Chords));
    match (composer.joins(), written.filter(|written| wanted != [*written])) {
        (Some(_), Some(written)) if wanted.len() == 1 => {
            let (wanted, written) = (names(wanted), written.name());
            Err(miette!("the model `{name}` writes {written}, and not {wanted}: train one with --set writes={wanted}"))
        }
        (_, Some(written)) => Err(miette!("the model `{name}` writes {}, and not {}", written.name(), names(wanted))),
        (_, None) => Ok(None),
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let outputs = Outputs::new(&arguments.output, "accompaniment.mid", arguments.count as usize, arguments.force)?;
    let limits = arguments.limits.over(Limits::default());
    let (Music { score, warnings }, bytes) = files::read_music(&arguments.file, &limits)?;
    let has_drums = score.parts.iter().any(|part| part.drums && !part.notes.is_empty());
    let wanted: Vec<Written> = arguments.write.iter().map(|part| Written::from(*part)).collect();
    let name = arguments.model.as_deref().map_or_else(|| built_in(&wanted, has_drums), Ok)?;
    let model = workshop::load(name).into_diagnostic()?;
    let write = asked(&model, name, &wanted)?;
    let sampling = arguments.sampling.over(model.usual_sampling())?;
    let controls = [
        ("key", arguments.key.map(|key| key.to_string())),
        ("program", arguments.program.map(|program| program.to_string())),
        ("style", arguments.style.clone()),
        ("write", write),
    ];
    let settings = Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model.name.clone(),
        model_sha256: model.digest.clone(),
        seed: arguments.seed.unwrap_or_else(workshop::fresh_seed),
        bars: score.bar_count(),
        sampling,
        tempo: None,
        form: None,
        controls: controls.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))).collect(),
        prompt: None,
        arrangement: Some(ArrangementOrigin {
            sha256: digest(&bytes),
            voices: Vec::new(),
            bars: Vec::new(),
            again: Vec::new(),
            joined: true,
        }),
    };
    let playing = arguments.sound.load(&outputs.formats)?;
    let mut pieces = Vec::new();
    for k in 0..arguments.count as usize {
        let seed = settings.seed.wrapping_add(k as u64);
        let bar = bar(1000, "composing {wide_bar} {percent}%");
        let joined = workshop::compose(&model, &settings, &[seed], Some(&score), &mut |done| {
            bar.set_position((done * 1000.0) as u64);
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        let mut compositions = match joined {
            Err(error @ (ComposeError::Unreadable { .. } | ComposeError::Settled { .. })) => {
                return Err(Usage(error.to_string()).into());
            }
            joined => joined
                .into_diagnostic()
                .wrap_err_with(|| format!("`{}` cannot be accompanied", arguments.file.display()))?,
        };
        // One seed, one part.
        let Some(composition) = compositions.pop() else { continue };
        let written = outputs.of(k);
        for path in &written {
            files::write_score(path, &composition.score, &playing, &Roll::default())?;
        }
        // The melody, where there is one, is the file's own.
        let originality = originality(&model, &composition.score, score.pitched_notes().next().is_some());
        let warnings = [&warnings[..], &files::losses(&outputs.formats, &composition.score)].concat();
        let told = Told { written: &written, originality, standing: None, warnings: &warnings, sources: false };
        report(arguments.json, &Provenance { seed, ..settings.clone() }, &composition, told)?;
        pieces.extend(written);
    }
    how_to_hear(&pieces, &outputs.formats).filter(|_| !arguments.json).map_or(Ok(()), say)
}
