//! `cantus perform`: a score is played; and performers learn.

use crate::Usage;
use crate::commands::train::{Recipe, read_recipe, settings_over};
use crate::files::{self, LimitArguments, Music, Outputs, SoundArguments};
use crate::pieces::how_to_hear;
use crate::terminal::{bar, columns, command, duration, note, say};
use cantus_formats::Limits;
use cantus_formats::svg::Roll;
use cantus_model::Precision;
use cantus_score::counted;
use cantus_workshop::{self as workshop, Bounded, Gathering, Rehearsal, Table};
use miette::{IntoDiagnostic, Result, WrapErr};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Strength where nothing else is asked for.
const STRENGTH: f64 = 0.7;
/// Minutes of training where nothing else is asked for.
const MINUTES: f64 = 10.0;

/// Play a score as a player would: timing, touch, held notes and pedal.
///
/// No pitch is changed, no note is added or lost, and bars, words and other parts keep their places: the player's time is the tempo of the file. All
/// parts follow one clock; drums keep their strokes' loudness. The player that is built in learnt from transcribed recordings of pianists. Your own
/// learns from performances (MIDI), or from scores with their performances and the beats of both:
/// `cantus perform --train FOLDER -o mine.safetensors`, then `cantus perform -m mine.safetensors score.mid`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The score (MIDI, MusicXML or ABC)
    #[arg(required_unless_present_any = ["train", "judge"])]
    file: Option<PathBuf>,
    /// How far from what is written: 0 as written, 1 as a player, up to 2
    #[arg(long, value_name = "S", default_value_t = STRENGTH, allow_negative_numbers = true)]
    strength: f64,
    /// Use the same seed to get the same playing; by default a new seed is chosen and printed. Of a training: 1
    #[arg(long)]
    seed: Option<u64>,
    /// The player: a .safetensors file that `--train` made [default: pianist, which is built in]
    #[arg(short, long)]
    model: Option<String>,
    /// Where to write, may be given several times: .mid, .musicxml, .mxl or .abc (notes), .wav or .flac (sound), .svg (picture), .npz (arrays for
    /// NumPy). A file that is named is written over [default: played.mid, or the next free of played-2.mid ...]
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Write over played.mid where it is there already
    #[arg(long, conflicts_with = "output")]
    force: bool,
    /// Say what was written as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    learning: LearningArguments,
    #[command(flatten)]
    sound: SoundArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

/// How a player learns.
#[derive(clap::Args)]
#[command(next_help_heading = "Training")]
struct LearningArguments {
    /// Learn from a folder of performances in the place of playing; where `score.mid` lies beside them, with `NAME_beats.txt` for each file (a beat's second a
    /// line), from both
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["file", "strength", "model", "force"], requires = "output")]
    train: Option<PathBuf>,
    /// Say how likely a player finds the performances of a folder, beside simpler models
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["file", "strength", "force", "train", "output"])]
    judge: Option<PathBuf>,
    /// Train for at most this long [default: 10, unless --epochs is given]
    #[arg(long, value_name = "M", requires = "train", allow_negative_numbers = true)]
    minutes: Option<f64>,
    /// Train for so many epochs
    #[arg(long, value_name = "N", requires = "train", conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// Change a setting of the network, as in --set writer=128
    #[arg(long, value_name = "KEY=VALUE", requires = "train")]
    set: Vec<String>,
    /// Take settings, seed, licence and credit from a recipe (.toml); options given here come first
    #[arg(long, value_name = "FILE", requires = "train")]
    recipe: Option<PathBuf>,
    /// Store the model in 16 bits: half the size
    #[arg(long, requires = "train")]
    half: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let learning = &arguments.learning;
    match (&arguments.file, &learning.train, &learning.judge) {
        (_, Some(folder), _) => train(arguments, folder),
        (_, _, Some(folder)) => judge(arguments, folder),
        (Some(file), ..) => play(arguments, file),
        _ => Err(Usage("name a score".to_owned()).into()),
    }
}

fn play(arguments: &Arguments, file: &Path) -> Result<()> {
    let outputs = Outputs::new(&arguments.output, "played.mid", 1, arguments.force)?;
    let written = outputs.of(0);
    if written.iter().any(|path| path == file) {
        return Err(Usage(format!("`{}` would be overwritten by itself; write elsewhere", file.display())).into());
    }
    let limits = arguments.limits.over(Limits::default());
    let (Music { score, mut warnings }, _) = files::read_music(file, &limits)?;
    let player = workshop::player(arguments.model.as_deref()).into_diagnostic()?;
    let playing = arguments.sound.load(&outputs.formats)?;
    let seed = arguments.seed.unwrap_or_else(workshop::fresh_seed);
    let progress = bar(1000, "playing {wide_bar} {percent}%");
    let played = workshop::perform(&player, &score, arguments.strength, seed, &mut |done| {
        progress.set_position((done * 1000.0) as u64);
        ControlFlow::Continue(())
    });
    progress.finish_and_clear();
    let (performance, origin) =
        played.into_diagnostic().wrap_err_with(|| format!("`{}` cannot be played", file.display()))?;
    for path in &written {
        files::write_score(path, &performance.score, &playing, &Roll::default())?;
    }
    for lost in files::losses(&outputs.formats, &performance.score) {
        note(&lost);
        warnings.push(lost);
    }
    let (notes, seconds) =
        (performance.score.note_count(), performance.score.tempo_map().seconds(performance.score.end()));
    if arguments.json {
        return say(serde_json::json!({
            "files": written, "origin": origin, "notes": notes, "seconds": seconds,
            "remarks": performance.remarks, "warnings": warnings,
        }));
    }
    performance.remarks.iter().for_each(note);
    let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    say(format!(
        "{}: {}, {seconds:.0} s, strength {}, seed {seed}",
        names.join(", "),
        counted(notes, "note"),
        arguments.strength
    ))?;
    how_to_hear(&written, &outputs.formats).map_or(Ok(()), say)
}

fn train(arguments: &Arguments, folder: &Path) -> Result<()> {
    cantus_nn::buffer::keep_freed_memory();
    let learning = &arguments.learning;
    let output = files::model_output(&arguments.output, "player.safetensors")?;
    let recipe: Recipe = learning.recipe.as_deref().map(read_recipe).transpose()?.unwrap_or_default();
    let bounded = match (learning.epochs, learning.minutes, recipe.epochs, recipe.minutes) {
        (Some(epochs), ..) => Bounded::Epochs(epochs),
        (_, Some(minutes), ..) if minutes > 0.0 && minutes.is_finite() => Bounded::Minutes(minutes),
        (_, Some(_), ..) => return Err(Usage("--minutes must be a positive number".to_owned()).into()),
        (_, _, Some(epochs), _) => Bounded::Epochs(epochs.max(1).into()),
        (.., minutes) => Bounded::Minutes(minutes.filter(|minutes| *minutes > 0.0).unwrap_or(MINUTES)),
    };
    let settings = settings_over(recipe.settings, &learning.set)?;
    let settings = workshop::player_settings(&settings).map_err(Usage)?;
    let seed = arguments.seed.or(recipe.seed).unwrap_or(1);
    let mut gathering = gather(arguments, folder)?;
    let card = &mut gathering.card;
    (card.licence, card.credit) = (recipe.licence, recipe.credit);
    if !recipe.data.is_empty() {
        card.name = recipe.data;
    }
    let progress = bar(1000, "{msg} {wide_bar} {percent}%");
    let told = |passed: workshop::Passed| {
        let line = if arguments.json {
            serde_json::json!({
                "epoch": passed.epoch, "train": passed.train, "valid": passed.valid, "seconds": passed.seconds, "best": passed.is_best
            })
            .to_string()
        } else {
            format!(
                "epoch {:>3}   {:.3} nats a note, {:.3} on what it does not learn from   {}{}",
                passed.epoch,
                passed.train,
                passed.valid,
                duration(passed.seconds),
                if passed.is_best { "  best" } else { "" }
            )
        };
        // That nobody reads our output is no reason not to train.
        progress.suspend(|| say(line)).unwrap_or_default();
    };
    let plan = Rehearsal { settings, seed, bounded };
    let busy = |done: f64| progress.set_position((done * 1000.0) as u64);
    let results = workshop::rehearse(plan, gathering, told, busy).into_diagnostic()?;
    progress.finish_and_clear();
    let precision = if learning.half || recipe.half { Precision::Half } else { Precision::Full };
    files::write_bytes(output, &results.model.to_bytes(precision).into_diagnostic()?)?;
    tell(&results.table, arguments.json)?;
    if arguments.json {
        return Ok(());
    }
    let play = ["perform".as_ref(), "-m".as_ref(), output.as_os_str(), "SCORE".as_ref()];
    say(format!("model    {}\nplay     {}", output.display(), command(play)))
}

fn judge(arguments: &Arguments, folder: &Path) -> Result<()> {
    let player = workshop::player(arguments.model.as_deref()).into_diagnostic()?;
    let gathering = gather(arguments, folder)?;
    let table = workshop::judge_player(&player.performer, gathering, arguments.seed.unwrap_or(1)).into_diagnostic()?;
    tell(&table, arguments.json)
}

fn gather(arguments: &Arguments, folder: &Path) -> Result<Gathering> {
    let limits = arguments.limits.over(Limits::default());
    let progress = bar(0, "reading {wide_bar} {pos}/{len}");
    let gathering = workshop::gather_lessons(folder, &limits, |done, all| {
        progress.set_length(all as u64);
        progress.set_position(done as u64);
    });
    progress.finish_and_clear();
    let gathering = gathering.into_diagnostic()?;
    const TOLD: usize = 5;
    for (path, why) in gathering.refused.iter().take(TOLD) {
        note(format!("not learnt from: {}: {why}", path.display()));
    }
    if gathering.refused.len() > TOLD {
        note(format!("and {} more", gathering.refused.len() - TOLD));
    }
    let of = |lessons: &[workshop::Lesson]| lessons.iter().map(workshop::Lesson::len).sum::<usize>();
    let (train, valid) = (&gathering.train, &gathering.valid);
    let [learnt, judged] = gathering.compositions;
    if arguments.json {
        say(serde_json::json!({
            "train": {"performances": train.len(), "compositions": learnt, "notes": of(train)},
            "valid": {"performances": valid.len(), "compositions": judged, "notes": of(valid),
                      "files": gathering.held_out.iter().map(|(path, _)| path).collect::<Vec<_>>()},
        }))?;
    } else {
        let said = |performances: usize, compositions: usize, notes: usize| {
            format!(
                "{} of {}, {}",
                counted(performances, "performance"),
                counted(compositions, "composition"),
                counted(notes, "note")
            )
        };
        say(format!("to learn from  {}", said(train.len(), learnt, of(train))))?;
        say(format!("to judge by    {}", said(valid.len(), judged, of(valid))))?;
    }
    Ok(gathering)
}

/// The figures: nats of each decision, of the whole note, and how alike the choices are.
fn tell(table: &Table, json: bool) -> Result<()> {
    if !json {
        return say(format!("\nnats a decision, on what is not learnt from (exact):\n{}", columns(&table.rows())));
    }
    let rows = table.rows();
    let verdicts: Vec<serde_json::Value> = table
        .verdicts
        .iter()
        .map(|(name, verdict)| {
            let each = verdict.decisions.map(|figures| figures.nats / figures.counted);
            serde_json::json!({"name": name, "per_note": verdict.per_note(), "per_decision": each})
        })
        .collect();
    say(serde_json::json!({"decisions": rows[0][1..6], "verdicts": verdicts, "in_common": table.overlap}))
}
