//! `cantus compose`: new music.

use crate::Usage;
use crate::files::{self, LimitArguments, SoundArguments};
use crate::pieces::{SamplingArguments, how_to_hear, report};
use crate::terminal::{bar, say};
use cantus_formats::svg::Roll;
use cantus_formats::{Format, Limits};
use cantus_model::{ComposeError, Composition, Form};
use cantus_workshop::{self as workshop, BARS, Given, Model, PROMPT_BARS, PromptOrigin, Provenance};
use miette::{IntoDiagnostic, Result, miette};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Pieces that are composed at once.
const TOGETHER: usize = 64;

/// Write new music.
///
/// Needs nothing: the built-in model composes, and the piece goes to composition.mid. The same seed gives the same bytes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The model: `default` or `chorales` (built in), a .safetensors file, or a run's folder
    #[arg(short, long, default_value = workshop::DEFAULT)]
    model: String,
    /// A music file to continue (MIDI, MusicXML or ABC); its first bars are kept note for note, in key and tempo
    #[arg(long, value_name = "FILE")]
    prompt: Option<PathBuf>,
    /// How many bars of the prompt are kept, with its upbeat if it has one [default: 4, at most half of the piece]
    #[arg(long, value_name = "N", requires = "prompt")]
    prompt_bars: Option<usize>,
    /// Length of the whole piece in bars, the prompt's included [default: 16]
    #[arg(long, value_name = "N")]
    bars: Option<usize>,
    /// Choose it to get the same piece again; a new one is drawn, and told, where it is missing
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
    /// How many pieces; seeds count up from the first
    #[arg(short = 'n', long = "count", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl or .abc (notes), .wav or .flac (sound), .svg (picture)
    /// [default: composition.mid]
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Write the piece again that this file holds (MIDI, MusicXML or ABC): same model, seed and settings
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "bars", "form", "temperature", "top_p", "top_k", "tempo", "prompt_bars", "count"])]
    like: Option<PathBuf>,
    /// Say what was written as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sound: SoundArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let outputs = match &arguments.output[..] {
        [] => vec![PathBuf::from("composition.mid")],
        given => given.to_vec(),
    };
    let formats = outputs.iter().map(|path| files::output_format(path)).collect::<Result<Vec<Format>>>()?;
    let like = arguments.like.as_deref().map(origin).transpose()?;
    let model = workshop::load(&arguments.model).into_diagnostic()?;
    let mut settings = settle(arguments, like.as_ref(), &model)?;
    let given = given_prompt(arguments, &settings)?;
    if let (Some(origin), Some(path)) = (&like, &arguments.like) {
        let found = given.as_ref().map(|given| &given.sha256);
        if origin.prompt.as_ref().map(|prompt| &prompt.sha256) != found {
            return Err(miette!("`{}` continues a prompt: give the same file with --prompt", path.display()));
        }
    }
    if let (Some(origin), Some(given)) = (&mut settings.prompt, &given) {
        origin.sha256.clone_from(&given.sha256);
    }
    let playing = arguments.sound.load()?;
    let originality = model.originality();
    let mut pieces = Vec::new();
    let seeds: Vec<u64> = (0..arguments.count).map(|k| settings.seed.wrapping_add(u64::from(k))).collect();
    for (batch, seeds) in seeds.chunks(TOGETHER).enumerate() {
        let compositions = compose(&model, &settings, seeds, given.as_ref())?;
        for (k, (composition, seed)) in compositions.iter().zip(seeds).enumerate() {
            let origin = Provenance { seed: *seed, ..settings.clone() };
            let number = batch * TOGETHER + k;
            let written =
                outputs.iter().map(|path| files::numbered(path, number, arguments.count as usize)).collect::<Vec<_>>();
            let prompt_end = given.as_ref().map(|given| given.prompt.end_in(&composition.score));
            for path in &written {
                files::write_score(path, &composition.score, &playing, &Roll { prompt_end, ..Roll::default() })?;
            }
            let found = originality.as_ref().map(|digest| (digest.check(&composition.score), digest));
            report(arguments.json, &origin, composition, found.as_ref(), &written)?;
            pieces.extend(written);
        }
    }
    if let Some(hint) = how_to_hear(&pieces, &formats).filter(|_| !arguments.json) {
        say(hint)?;
    }
    Ok(())
}

/// The settings in force, but for the count of the piece.
fn settle(arguments: &Arguments, like: Option<&Provenance>, model: &Model) -> Result<Provenance> {
    if let Some(origin) = like {
        if origin.arrangement.is_some() {
            return Err(miette!(
                "the piece was not composed from nothing: `cantus harmonise` writes it again, given the same file"
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
    Ok(Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model.name.clone(),
        model_sha256: model.digest.clone(),
        seed: arguments.seed.unwrap_or_else(workshop::fresh_seed),
        bars,
        sampling,
        tempo: arguments.tempo,
        form: arguments.form.as_ref().map(Form::to_string),
        prompt,
        arrangement: None,
    })
}

fn given_prompt(arguments: &Arguments, settings: &Provenance) -> Result<Option<Given>> {
    let (Some(path), Some(PromptOrigin { bars, .. })) = (&arguments.prompt, &settings.prompt) else { return Ok(None) };
    let (score, bytes) = files::read_score_and_bytes(path, &arguments.limits.over(Limits::default()))?;
    Ok(Some(Given::new(&score, &bytes, *bars).into_diagnostic()?))
}

/// The pieces of these seeds; `settings` but for the seed.
fn compose(model: &Model, settings: &Provenance, seeds: &[u64], given: Option<&Given>) -> Result<Vec<Composition>> {
    let bar = bar(1000, "composing {wide_bar} {percent}%");
    let composed = workshop::compose(model, settings, seeds, given, &mut |done| {
        bar.set_position((done * 1000.0) as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    match composed {
        Err(error @ (ComposeError::Bars { .. } | ComposeError::Form(_))) => Err(Usage(error.to_string()).into()),
        composed => composed.into_diagnostic(),
    }
}

/// How the piece in a file came to be.
fn origin(path: &Path) -> Result<Provenance> {
    let score = files::read_score(path, &Limits::default())?;
    Provenance::find(&score.remarks)
        .ok_or_else(|| miette!("`{}` does not say how it was composed: cantus did not write it", path.display()))
}
