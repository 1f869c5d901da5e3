//! `cantus evaluate`: what music is like, beside a corpus.

use crate::Usage;
use crate::files;
use crate::reading::ReadingArguments;
use crate::terminal::{bar, printable, remark, say};
use cantus_corpus::{Corpus, CorpusError, Options, Split, prepare, survey};
use cantus_evaluation::picture::self_similarity;
use cantus_evaluation::report::{self, LikelihoodLine, Picture, Report};
use cantus_evaluation::structure::{Feature, SelfSimilarity};
use cantus_formats::Format;
use cantus_formats::svg::{Roll, piano_roll};
use cantus_model::{Evaluation, Judgement, Request, Rng, seeded};
use cantus_score::Score;
use cantus_training::RunDescription;
use cantus_training::run_folder::RunFiles;
use cantus_workshop::{self as workshop, Model};
use miette::{IntoDiagnostic, Result, miette};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Pieces that a model composes to be looked at, unless told otherwise.
const COUNT: u32 = 100;
/// Pieces that are composed at once.
const TOGETHER: usize = 20;
/// Their length in bars, unless told otherwise.
const BARS: usize = 16;
/// Of more pieces than these a model's likelihood is asked of so many, evenly spread.
const JUDGED: usize = 100;

/// Say what music is like beside a corpus: statistics, structure, originality; of a model also its likelihood.
///
/// `cantus evaluate MODEL FOLDER` lets the model compose and holds its pieces against the folder; with the folder that it was trained
/// on, likelihood is asked of the pieces that it did not learn from. `cantus evaluate FOLDER FOLDER` holds music files from anywhere
/// against others.
#[derive(clap::Args)]
pub struct Arguments {
    /// What is looked at: a model (`default`, a .safetensors file, a run's folder), or a folder or file of music
    what: String,
    /// The folder of music files, or the benchmark file, that it is held against
    corpus: PathBuf,
    /// How many pieces a model composes for it
    #[arg(short = 'n', long = "count", default_value_t = COUNT, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    count: u32,
    /// Length in bars of the pieces that a model composes
    #[arg(long, value_name = "N", default_value_t = BARS)]
    bars: usize,
    /// Seed of the first piece; seeds count up from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write a report, may be given several times: .html (a page with pictures) or .json
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Say everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingArguments,
}

/// What a report is written as.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Html,
    Json,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let forms = arguments.output.iter().map(|path| form(path)).collect::<Result<Vec<Form>>>()?;
    let model = match is_music(Path::new(&arguments.what)) {
        true => None,
        false => Some(workshop::load(&arguments.what).into_diagnostic()?),
    };
    let mut options = options(arguments, model.as_ref())?;
    let corpus = read(&arguments.corpus, &options)?;
    // A benchmark file has a grid of its own.
    options.grid = corpus.pieces.first().map(|piece| piece.score.ticks_per_quarter).or(options.grid);
    let set = match &model {
        Some(model) => compositions(model, arguments, &options)?,
        None => {
            let other = read(Path::new(&arguments.what), &options)?;
            other.pieces.into_iter().map(|piece| (printable(&piece.path), piece.score)).collect()
        }
    };
    // Which pieces a model learnt from can only be told of its own corpus.
    let fingerprint = corpus.fingerprint().to_string();
    let own = model.as_ref().is_some_and(|model| model.header.corpus.fingerprint == fingerprint);
    let names: Vec<String> = corpus.pieces.iter().map(|piece| printable(&piece.path)).collect();
    let pieces = |learnt: bool| -> Vec<report::Piece<'_>> {
        let all = corpus.pieces.iter().zip(&names);
        let chosen = all.filter(|(piece, _)| (!own || piece.split == Split::Train) == learnt);
        chosen.map(|(piece, name)| report::Piece { name, score: &piece.score }).collect()
    };
    let (learnt, kept) = (pieces(true), pieces(false));
    let measure = report::Corpus { name: &name_of(&arguments.corpus), learnt: &learnt, kept: &kept };
    let looked_at: Vec<report::Piece<'_>> = set.iter().map(|(name, score)| report::Piece { name, score }).collect();
    let mut report = Report::new(&name_of(Path::new(&arguments.what)), &looked_at, measure);
    if let Some(model) = &model {
        report.likelihood = likelihood(model, if own { &kept } else { &learnt }, own);
    }

    let json = || serde_json::to_string(&report).into_diagnostic();
    for (path, form) in arguments.output.iter().zip(&forms) {
        let text = match form {
            Form::Json => json()?,
            Form::Html => {
                let title = format!("{} beside {}", report.set, report.corpus);
                report.page(&title, &pictures(&report, &looked_at, &[learnt.as_slice(), &kept].concat()))
            }
        };
        files::write_bytes(path, text.as_bytes())?;
    }
    if arguments.json {
        return say(json()?);
    }
    say(format!("{} pieces of {} beside {} of {}", set.len(), report.set, corpus.pieces.len(), report.corpus))?;
    if model.is_some() && !own {
        say(
            "The model was trained on other music than this folder's: its pieces are all asked for copies and for likelihood.",
        )?;
    }
    say(report.text())?;
    arguments.output.iter().try_for_each(|path| say(path.display()))
}

fn form(path: &Path) -> Result<Form> {
    match path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase).as_deref() {
        Some("html" | "htm") => Ok(Form::Html),
        Some("json") => Ok(Form::Json),
        _ => Err(Usage(format!("`{}` has to end in .html or .json", path.display())).into()),
    }
}

/// Whether a path is music and not a model: a folder that is no run, or a music file.
fn is_music(path: &Path) -> bool {
    if path.is_dir() { RunFiles::at(path).is_err() } else { Format::to_read(path).is_ok() }
}

fn name_of(path: &Path) -> String {
    printable(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
}

/// How music is read: as the model's run read it, so that its pieces fall to the same sides; for two folders whatever notes there are.
fn options(arguments: &Arguments, model: Option<&Model>) -> Result<Options> {
    let run = || RunFiles::at(&arguments.what).ok()?.description::<RunDescription>().ok();
    arguments.reading.over(match model {
        Some(_) => run().map(|run| run.options).unwrap_or_default(),
        None => Options::lenient(),
    })
}

fn read(folder: &Path, options: &Options) -> Result<Corpus> {
    let progress = bar(0, "reading {wide_bar} {pos}/{len}");
    let read = survey(folder, options, &mut |at| {
        progress.set_length(at.total as u64);
        progress.set_position(at.done as u64);
    });
    progress.finish_and_clear();
    let corpus = match read {
        Err(CorpusError::Unusable { report }) => return Err(miette!("{report}")),
        read => read.into_diagnostic()?,
    };
    if corpus.pieces.is_empty() {
        return Err(miette!("no file of `{}` can be used; look at why:\n{}", folder.display(), corpus.report));
    }
    for (reason, count) in &corpus.report.totals.refused {
        remark(format!("{}: {count} files left out ({reason})", folder.display()));
    }
    Ok(corpus)
}

/// The model's pieces, on the corpus' grid, named by their seeds.
fn compositions(model: &Model, arguments: &Arguments, options: &Options) -> Result<Vec<(String, Score)>> {
    let progress = bar(u64::from(arguments.count), "composing {wide_bar} {pos}/{len}");
    let request = Request::new(arguments.bars, model.usual_sampling());
    let options = Options { grid: options.grid, ..Options::lenient() };
    let seeds: Vec<u64> = (0..arguments.count).map(|k| arguments.seed.wrapping_add(u64::from(k))).collect();
    let (mut pieces, mut silent) = (Vec::new(), 0);
    for seeds in seeds.chunks(TOGETHER) {
        let mut rngs: Vec<Rng> = seeds.iter().map(|seed| seeded(*seed)).collect();
        let mut unbothered = |_: f64| ControlFlow::Continue(());
        let composed = model.composer.compose_all(&request, &mut rngs, &mut unbothered).into_diagnostic()?;
        progress.inc(seeds.len() as u64);
        for (composition, seed) in composed.iter().zip(seeds) {
            match prepare(&composition.score, &options) {
                Ok(prepared) => pieces.push((format!("seed {seed}"), prepared.score)),
                Err(_) => silent += 1,
            }
        }
    }
    progress.finish_and_clear();
    if silent > 0 {
        remark(format!("{silent} compositions hold no note, and are left out"));
    }
    Ok(pieces)
}

/// How likely pieces are under the model; nothing where it cannot say.
fn likelihood(model: &Model, pieces: &[report::Piece<'_>], own: bool) -> Vec<LikelihoodLine> {
    let Some(judge) = model.composer.judge() else {
        remark("this composer cannot say how likely a piece is; its training has its figure on validation");
        return Vec::new();
    };
    let asked = pieces.len().min(JUDGED);
    let chosen: Vec<&report::Piece<'_>> = (0..asked).map(|k| &pieces[k * pieces.len() / asked]).collect();
    let judged: Vec<Judgement> = chosen.par_iter().map(|piece| judge.judge(piece.score)).collect();
    if judged.is_empty() {
        return Vec::new();
    }
    let mut all = Evaluation::default();
    judged.iter().for_each(|judgement| all += judgement.figures);
    let by_piece = judged.iter().map(|judgement| judgement.figures.per_token()).sum::<f64>() / judged.len() as f64;
    let pieces = match own {
        true => "the pieces of its corpus that it did not learn from",
        false => "pieces of another corpus",
    };
    vec![LikelihoodLine {
        pieces: pieces.to_owned(),
        count: judged.len(),
        kind: judge.kind().to_string(),
        nats_per_token: all.per_token(),
        nats_per_quarter: all.per_quarter(),
        nats_per_token_by_piece: by_piece,
        accuracy: all.accuracy(),
        adjusted: judged.iter().filter(|judgement| judgement.is_adjusted).count(),
        protocol: judge.protocol(),
    }]
}

/// What there is to look at: a piece of each set that is in the middle of its like, and the piece that shares most with the corpus.
fn pictures(report: &Report, set: &[report::Piece<'_>], corpus: &[report::Piece<'_>]) -> Vec<Picture> {
    let mut pictures = Vec::new();
    let (real, ours) = report.typical();
    let typical = [(real.map(|k| corpus[k]), &report.corpus), (ours.map(|k| set[k]), &report.set)];
    for (piece, of) in typical {
        let Some(piece) = piece else { continue };
        let matrices = [(Feature::Both, "rhythm and pitch"), (Feature::Chroma, "harmony")];
        let svg = matrices.map(|(feature, what)| {
            self_similarity(&SelfSimilarity::of(piece.score, feature), &format!("{}: {what}", piece.name))
        });
        pictures.push(Picture {
            caption: format!(
                "A piece of {of} with as much structure as the middle of its like. Every bar against every other, darker where more \
                 alike: lines beside the diagonal are passages that come again, squares are sections of one colour."
            ),
            svg: svg.concat(),
        });
        pictures.extend(roll(&piece, "The same piece as a piano roll.".to_owned()));
    }
    if let Some(number) = report.most_copied().first() {
        let passage = report.pieces[*number].originality.longest.as_ref();
        let passage = passage.map_or_else(|| "nothing of it stands there".to_owned(), ToString::to_string);
        let caption = format!("The piece that shares most with {}: {passage}.", report.corpus);
        pictures.extend(roll(&set[*number], caption));
    }
    pictures
}

fn roll(piece: &report::Piece<'_>, caption: String) -> Option<Picture> {
    let roll = Roll { title: Some(piece.name.to_owned()), max_bars: 64, ..Roll::default() };
    Some(Picture { caption, svg: piano_roll(piece.score, &roll).ok()? })
}
