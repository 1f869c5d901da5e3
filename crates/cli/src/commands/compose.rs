//! `cantus compose`: new music.

use crate::Usage;
use crate::cells::CellText;
use crate::files::{self, LimitArguments, Outputs, SoundArguments};
use crate::pieces::{SamplingArguments, Told, how_to_hear, originality, report};
use crate::terminal::{bar, say};
use cantus_formats::svg::Roll;
use cantus_formats::{Format, Limits};
use cantus_model::{ComposeError, Composition, Form, digest};
use cantus_score::{Key, Meter, Rhythm, Score, progression_of};
use cantus_workshop::{
    self as workshop, ArrangementOrigin, BARS, Model, PROMPT_BARS, PromptOrigin, Provenance, Standing,
};
use miette::{IntoDiagnostic, Result, miette};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Pieces that are composed at once.
const TOGETHER: usize = 64;

/// Write new music.
///
/// Needs nothing: the built-in model composes, and the piece goes to composition.mid. The same seed gives the same bytes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The model, by its name in `cantus models`, or a .safetensors file, or a run's folder [default: hymns; with --like the one of that piece]
    #[arg(short, long)]
    model: Option<String>,
    /// A music file to continue (MIDI, MusicXML or ABC); its first bars are kept note for note, in key and tempo
    #[arg(long, value_name = "FILE")]
    prompt: Option<PathBuf>,
    /// How many bars of the prompt are kept, with its upbeat if it has one [default: 4, at most half of the piece]
    #[arg(long, value_name = "N", requires = "prompt")]
    prompt_bars: Option<usize>,
    /// A piece of which some is written anew, as --again says; the rest stays note for note, what follows it is heard, too
    #[arg(long = "in", value_name = "FILE", conflicts_with_all = ["prompt", "bars", "seconds", "form", "key", "meter", "density", "polyphony", "chords", "instruments", "tempo"])]
    piece: Option<PathBuf>,
    /// What of it is written anew: bars, as 5-8, or a part in some bars, by name, instrument or number, as bass:5-8,drums:7
    #[arg(long, value_name = "CELLS", value_delimiter = ',', requires = "piece")]
    again: Vec<CellText>,
    /// Length of the whole piece in bars, the prompt's included [default: 16]
    #[arg(long, value_name = "N")]
    bars: Option<usize>,
    /// Length of the whole piece in seconds, for models of music as it is played
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["bars", "form", "tempo"])]
    seconds: Option<NonZeroU32>,
    /// Use the same seed to get the same piece; by default a new seed is chosen and printed
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// Tempo of the whole piece in quarter notes a minute, 10-400 [default: the prompt's, or what suits the model]
    #[arg(long, value_name = "BPM", allow_negative_numbers = true)]
    tempo: Option<f64>,
    /// Which sections come again, for composers with a memory: AABA, AA'BA (' is varied), or with bars A8 A'8 B8 A8
    #[arg(long, value_name = "FORM")]
    form: Option<Form>,
    /// The key in which the piece stands, as in D, Bb, "F# minor" or Am [default: as often as the corpus has each]
    #[arg(long, value_name = "KEY")]
    key: Option<Key>,
    /// The metre of the piece, one that the model's music has, as in 3/4 [default: as often as the corpus has each]
    #[arg(long, value_name = "METRE")]
    meter: Option<Meter>,
    /// How busy it is: from 0, as the calmest of the pieces learnt from, to 1, as the busiest [default: as one of them]
    #[arg(long, value_name = "0-1")]
    density: Option<String>,
    /// How full its chords are: from 0, as the barest of the pieces learnt from, to 1, as the fullest [default: as one of them]
    #[arg(long, value_name = "0-1")]
    polyphony: Option<String>,
    /// Between which keys it stays, as in C3-C6, or by instrument, as in "bass: E1-G2, piano: C3-C6" [default: as the corpus]
    #[arg(long, value_name = "KEYS")]
    register: Option<String>,
    /// How hard keys are struck: from 0, as in the softest of the pieces learnt from, to 1, as in the loudest [default: as one of them]
    #[arg(long, value_name = "0-1")]
    velocity: Option<String>,
    /// How surprising its notes are to the model itself, in nats a note; what `cantus models` and `evaluate` show is its own figure
    #[arg(long, value_name = "NATS")]
    surprise: Option<String>,
    /// Who plays, of those that the model writes for, as in "piano, bass, drums" [default: as in one of the pieces learnt from]
    #[arg(long, value_name = "NAMES")]
    instruments: Option<String>,
    /// In the style of which folder of the corpus, for models that learnt from folders, or of several: `haydn=0.7, chopin=0.3` (`notes`
    /// mixes them; others draw one of them) [default: of any]
    #[arg(long, value_name = "NAMES")]
    style: Option<String>,
    /// How far that style is overdone: 0 is as the model has it, 1 is plainly heard
    #[arg(long, value_name = "0-3", requires = "style")]
    strength: Option<String>,
    /// How many quarter notes apart cadences are, each with a fermata, for composers that are told [default: as phrases of the corpus]
    #[arg(long, value_name = "QUARTERS")]
    cadences: Option<NonZeroU32>,
    /// The chords that it is written to: "Am F C G", a bar each and again from the first, "Am F | C G7", or a file whose chords they are: its
    /// symbols, or those that its music stands in
    #[arg(long, value_name = "CHORDS")]
    chords: Option<String>,
    /// Which parts are written beside the melody, of those that the model writes, as in chords,drums [default: all]
    #[arg(long, value_name = "PARTS", conflicts_with_all = ["prompt", "piece"])]
    write: Option<String>,
    /// A piece (MIDI, MusicXML or ABC) whose rhythm is kept, when notes begin and end, its metre, tempo and length; its pitches are new
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "piece", "bars", "seconds", "form", "meter", "density", "polyphony"])]
    rhythm_of: Option<PathBuf>,
    /// How many pieces; seeds count up from the first
    #[arg(short = 'n', long = "count", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Of the pieces of -n write only so many, the best: no copies, by a machine listener that knows the corpus and by the model's critic
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    best: Option<u32>,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl or .abc (notes), .wav or .flac (sound), .svg (picture), .npz (arrays for NumPy)
    /// A file that is named is written over. [default: composition.mid, or the next free of composition-2.mid, composition-3.mid ...]
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Write over composition.mid where it is there already
    #[arg(long, conflicts_with = "output")]
    force: bool,
    /// Recreate the piece stored in FILE (MIDI, MusicXML or ABC): same model, seed and settings
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "bars", "seconds", "form", "key", "meter", "density", "polyphony", "register", "velocity", "surprise", "instruments", "style", "strength", "cadences", "chords", "write", "rhythm_of", "temperature", "top_p", "top_k", "tempo", "prompt_bars", "count", "best"])]
    like: Option<PathBuf>,
    /// Say of each bar where it is from, with models that know: the file and the bar (unit_selection), or the rule (patterns:lesson)
    #[arg(long)]
    sources: bool,
    /// Say what was written as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sound: SoundArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let kept = arguments.best.unwrap_or(arguments.count);
    if kept > arguments.count {
        return Err(Usage(format!("--best {kept}: give -n more pieces than that to choose from")).into());
    }
    let outputs = Outputs::new(&arguments.output, "composition.mid", kept as usize, arguments.force)?;
    let like = arguments.like.as_deref().map(origin).transpose()?;
    let named = arguments.model.as_deref().or(like.as_ref().map(|origin| origin.model.as_str()));
    let model = workshop::load(named.unwrap_or(workshop::DEFAULT)).into_diagnostic()?;
    let (mut given, mut warnings) = (None, Vec::new());
    if let Some(path) = arguments.prompt.as_ref().or(arguments.piece.as_ref()) {
        let (music, bytes) = files::read_music(path, &arguments.limits.over(Limits::default()))?;
        warnings = music.warnings;
        given = Some((music.score, digest(&bytes)));
    }
    let mut settings = settle(arguments, like.as_ref(), &model, given.as_ref())?;
    if let (Some(origin), Some(path)) = (&like, &arguments.like) {
        let found = given.as_ref().map(|(_, sha256)| sha256);
        let named =
            [origin.prompt.as_ref().map(|prompt| &prompt.sha256), origin.arrangement.as_ref().map(|of| &of.sha256)];
        if named.into_iter().flatten().next() != found {
            let (what, how) = if origin.arrangement.is_some() {
                ("was written into another piece", "--in")
            } else {
                ("continues a prompt", "--prompt")
            };
            return Err(miette!("`{}` {what}: give the same file with {how}", path.display()));
        }
    }
    if let (Some(origin), Some((_, sha256))) = (&mut settings.prompt, &given) {
        origin.sha256.clone_from(sha256);
    }
    let given = given.as_ref().map(|(score, _)| score);
    let request = settings.request(given).map_err(|error| match error {
        error @ (ComposeError::Unreadable { .. } | ComposeError::Form(_) | ComposeError::AgainBars { .. }) => {
            Usage(error.to_string()).into()
        }
        error => match &arguments.prompt {
            Some(path) => miette::Report::from_err(error).wrap_err(format!("`{}` cannot be continued", path.display())),
            None => miette::Report::from_err(error),
        },
    })?;
    settings.bars = request.bars();
    let playing = arguments.sound.load(&outputs.formats)?;
    let seeds: Vec<u64> = (0..arguments.count).map(|k| settings.seed.wrapping_add(u64::from(k))).collect();
    let mut files = Vec::new();
    let mut write = |number: usize, seed: u64, composition: &Composition, standing: Option<&Standing>| -> Result<()> {
        let origin = Provenance { seed, ..settings.clone() };
        let written = outputs.of(number);
        let prompt_end = request.prompt().map(|prompt| prompt.end_in(&composition.score));
        for path in &written {
            files::write_score(path, &composition.score, &playing, &Roll { prompt_end, ..Roll::default() })?;
        }
        let is_given = origin.arrangement.as_ref().is_some_and(ArrangementOrigin::has_melody);
        let originality = originality(&model, &composition.score, is_given);
        report(
            arguments.json,
            &origin,
            composition,
            Told { written: &written, originality, standing, warnings: &warnings, sources: arguments.sources },
        )?;
        files.extend(written);
        Ok(())
    };
    let mut all = Vec::new();
    for (batch, seeds) in seeds.chunks(TOGETHER).enumerate() {
        let compositions = compose(&model, &settings, seeds, given)?;
        match arguments.best {
            Some(_) => all.extend(compositions),
            None => {
                for (k, (composition, seed)) in compositions.iter().zip(seeds).enumerate() {
                    write(batch * TOGETHER + k, *seed, composition, None)?;
                }
            }
        }
    }
    if arguments.best.is_some() {
        for (k, standing) in workshop::order(&model, &all).iter().take(kept as usize).enumerate() {
            write(k, seeds[standing.number], &all[standing.number], Some(standing))?;
        }
    }
    if let Some(hint) = how_to_hear(&files, &outputs.formats).filter(|_| !arguments.json) {
        say(hint)?;
    }
    Ok(())
}

/// The settings in force, but for the count of the piece.
fn settle(
    arguments: &Arguments,
    like: Option<&Provenance>,
    model: &Model,
    given: Option<&(Score, String)>,
) -> Result<Provenance> {
    if let Some(origin) = like {
        if origin.arrangement.as_ref().is_some_and(|of| of.again.is_empty()) {
            return Err(miette!(
                // tidy: allow(registry): the command is called so
                "the piece was not composed from nothing: `cantus harmonise` or `cantus accompany` writes it again, given the same file"
            ));
        }
        if origin.model_sha256 != model.digest {
            return Err(miette!(
                "the piece was composed with the model `{}` (SHA-256 {}), and `{}` is another; name the right one with --model",
                origin.model,
                origin.model_sha256.get(..16).unwrap_or(&origin.model_sha256),
                model.name
            ));
        }
        // The name is part of the bytes; the digest says that it is the same model.
        return Ok(origin.clone());
    }
    let sampling = arguments.sampling.over(model.usual_sampling())?;
    if let Some(tempo) = arguments.tempo.filter(|tempo| workshop::tempo(*tempo).is_none()) {
        return Err(Usage(format!("--tempo {tempo}: give 10 to 400 quarter notes a minute")).into());
    }
    let form_bars = arguments.form.as_ref().and_then(Form::bars);
    let bars = arguments.bars.or(form_bars).unwrap_or(BARS);
    let prompt = arguments.prompt.is_some().then(|| PromptOrigin {
        sha256: String::new(),
        bars: arguments.prompt_bars.unwrap_or(PROMPT_BARS.min(bars / 2).max(1)),
    });
    let arrangement = match (&arguments.piece, given) {
        (Some(_), Some((score, sha256))) => {
            if arguments.again.is_empty() {
                let how = "say with --again what of the piece is to be written anew, as in --again 5-8";
                return Err(Usage(how.to_owned()).into());
            }
            let again = arguments.again.iter().map(|cell| cell.of(score, model.composer.spec()));
            Some(ArrangementOrigin {
                sha256: sha256.clone(),
                voices: Vec::new(),
                bars: Vec::new(),
                again: again.collect::<Result<Vec<_>>>()?.concat(),
                joined: false,
            })
        }
        _ => None,
    };
    let controls = [
        ("form", arguments.form.as_ref().map(Form::to_string)),
        ("key", arguments.key.map(|key| key.to_string())),
        ("meter", arguments.meter.map(|meter| meter.to_string())),
        ("density", arguments.density.clone()),
        ("polyphony", arguments.polyphony.clone()),
        ("register", arguments.register.clone()),
        ("velocity", arguments.velocity.clone()),
        ("surprise", arguments.surprise.clone()),
        ("instruments", arguments.instruments.clone()),
        ("chords", arguments.chords.as_deref().map(chords).transpose()?),
        ("write", arguments.write.clone()),
        ("rhythm", arguments.rhythm_of.as_deref().map(|path| rhythm(path, arguments)).transpose()?),
        ("style", arguments.style.clone()),
        ("strength", arguments.strength.clone()),
        ("cadences", arguments.cadences.map(|quarters| quarters.to_string())),
        ("seconds", arguments.seconds.map(|seconds| seconds.to_string())),
    ];
    let seed = arguments.seed.unwrap_or_else(workshop::fresh_seed);
    Ok(Provenance {
        tempo: arguments.tempo,
        controls: controls.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))).collect(),
        prompt,
        arrangement,
        ..Provenance::new(model, seed, bars, sampling)
    })
}

/// The chords of a file where `text` names one, as text: so they can be asked for again without it.
fn chords(text: &str) -> Result<String> {
    let path = Path::new(text);
    if Format::to_read(path).is_err() {
        return Ok(text.to_owned());
    }
    let (music, _) = files::read_music(path, &Limits::default())?;
    let found = progression_of(&music.score).map(|progression| progression.to_string());
    found.ok_or_else(|| {
        miette!("`{text}` has neither chord symbols nor pitches: name a file with chords, or write them: --chords \"Am F C G\"")
    })
}

/// The rhythm of a file, as text: so it can be asked for again without it.
fn rhythm(path: &Path, arguments: &Arguments) -> Result<String> {
    let (music, _) = files::read_music(path, &arguments.limits.over(Limits::default()))?;
    let found = Rhythm::of(&music.score).map(|rhythm| rhythm.to_string());
    found.ok_or_else(|| {
        miette!(
            "`{}` has no rhythm to keep: it has no note with a pitch, or it is far too long; name a file with a melody",
            path.display()
        )
    })
}

/// The pieces of these seeds; `settings` but for the seed.
fn compose(model: &Model, settings: &Provenance, seeds: &[u64], given: Option<&Score>) -> Result<Vec<Composition>> {
    let bar = bar(1000, "composing {wide_bar} {percent}%");
    let composed = workshop::compose(model, settings, seeds, given, &mut |done| {
        bar.set_position((done * 1000.0) as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    match composed {
        Err(
            error @ (ComposeError::Bars { .. }
            | ComposeError::Form(_)
            | ComposeError::Seconds { .. }
            | ComposeError::Settled { .. }
            | ComposeError::Meter { .. }),
        ) => Err(Usage(error.to_string()).into()),
        composed => composed.into_diagnostic(),
    }
}

/// How the piece in a file came to be.
fn origin(path: &Path) -> Result<Provenance> {
    let (music, _) = files::read_music(path, &Limits::default())?;
    Provenance::find(&music.score.remarks)
        .ok_or_else(|| miette!("`{}` does not say how it was composed: cantus did not write it", path.display()))
}
