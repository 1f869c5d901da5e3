//! `cantus evaluate`: what music is like, beside a corpus.

mod joint;

use self::joint::{Joint, write_to};
use crate::Usage;
use crate::files;
use crate::reading::{ReadingArguments, music, scores};
use crate::terminal::{bar, note, printable, say};
use cantus_corpus::{Corpus, Options, Split, prepare};
use cantus_evaluation::originality::Digest;
use cantus_evaluation::picture::self_similarity;
use cantus_evaluation::report::{self, Estimate, GivenRhythm, LikelihoodLine, Picture, PieceLikelihood, Ranks, Report};
use cantus_evaluation::structure::{Feature, SelfSimilarity};
use cantus_formats::Format;
use cantus_formats::svg::{Roll, piano_roll};
use cantus_model::{Conditional, Evaluation, Judgement, Rank, Request, Rng, Unit, seeded};
use cantus_score::{Score, counted};
use cantus_training::RunDescription;
use cantus_training::run_folder::RunFiles;
use cantus_workshop::{self as workshop, Model};
use miette::{IntoDiagnostic, Result};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Pieces that a model composes to be looked at, unless told otherwise.
const COUNT: u32 = 100;
/// Pieces that are composed at once.
const TOGETHER: usize = 20;
/// Their length in bars, unless told otherwise.
const BARS: usize = 16;
/// Of more pieces than these a model's likelihood is asked of so many, evenly spread, unless told otherwise.
const JUDGED: usize = 100;
/// A melody of whose 8-note runs so many stand in the training music was learnt from: a filter may miss none, but the corpus may have
/// been read a little differently.
const WHOLE: f64 = 0.95;

/// Say what music is like beside a corpus: statistics, structure, originality; of a model also its likelihood.
///
/// `cantus evaluate MODEL FOLDER` lets the model compose and holds its pieces against the folder; its likelihood is asked of the
/// pieces of the folder that it did not learn from. `cantus evaluate FOLDER FOLDER` holds music files from anywhere against others.
/// Several models, or folders, before the last one stand in one table.
#[derive(clap::Args)]
pub struct Arguments {
    /// What is looked at, one or several: a model (its name in `cantus models`, a .safetensors file, a run's folder), or a folder or file of music
    #[arg(required = true, num_args = 1.., value_name = "WHAT")]
    what: Vec<String>,
    /// The folder of music files, or the benchmark file, that it is held against
    #[arg(required = true)]
    corpus: PathBuf,
    /// How many pieces a model composes for it
    #[arg(short = 'n', long = "count", default_value_t = COUNT, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Length in bars of the pieces that a model composes
    #[arg(long, value_name = "N", default_value_t = BARS)]
    bars: usize,
    /// Seed of the first piece; seeds count up from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ask a model how likely it finds so many pieces of the corpus at most, evenly spread over all
    #[arg(long, value_name = "N", default_value_t = JUDGED)]
    judged: usize,
    /// Print every statistic, not only those in which the pieces are furthest from the corpus
    #[arg(long)]
    full: bool,
    /// Where to write a report, may be given several times: .html (a page with pictures) or .json; of several models each has its
    /// own, numbered in their order
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// Say everything as JSON, the likelihood of every piece, bar and note (or token, or frame) included; of several models a line each
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
    let count = arguments.what.len();
    let mut reports: Vec<Report> = Vec::new();
    for (k, what) in arguments.what.iter().enumerate() {
        let report = look_at(what, arguments, &|report, pictures| {
            for (path, form) in arguments.output.iter().zip(&forms) {
                let text = match form {
                    Form::Json => serde_json::to_string(report).into_diagnostic()?,
                    Form::Html => report.page(&format!("{} beside {}", report.set, report.corpus), &pictures()),
                };
                files::write_bytes(&files::numbered(path, k, count), text.as_bytes())?;
            }
            Ok(())
        })?;
        let is_told = |warning: &String| reports.iter().any(|report| report.warnings.contains(warning));
        report.warnings.iter().filter(|warning| !is_told(warning)).for_each(note);
        match arguments.json {
            true => say(serde_json::to_string(&report).into_diagnostic()?)?,
            false if count > 1 && arguments.full => say(format!("{}\n{}", headline(&report), report.full()))?,
            false => {}
        }
        reports.push(report);
    }
    if arguments.json {
        return Ok(());
    }
    match &reports[..] {
        [report] if arguments.full => say(format!("{}\n{}", headline(report), report.full().trim_end()))?,
        [report] => say(format!(
            "{}\n{}\n--full prints every statistic; -o report.html draws them.",
            headline(report),
            report.brief().trim_end()
        ))?,
        several => say(format!("Beside {}\n\n{}", several[0].corpus, report::table(several).trim_end()))?,
    }
    let written = arguments.output.iter().flat_map(|path| (0..count).map(move |k| files::numbered(path, k, count)));
    written.into_iter().try_for_each(|path| say(path.display()))
}

fn headline(report: &Report) -> String {
    format!(
        "{} of {} beside {} of {}\n",
        counted(report.pieces.len(), "piece"),
        report.set,
        counted(report.corpus_summary.pieces, "piece"),
        report.corpus
    )
}

/// The pictures of a report, which take a while.
type Pictures<'a> = &'a dyn Fn() -> Vec<Picture>;

/// One model, or one set of music files, beside the corpus; `write` writes what is asked for while the music is at hand.
fn look_at(what: &str, arguments: &Arguments, write: &dyn Fn(&Report, Pictures<'_>) -> Result<()>) -> Result<Report> {
    let model = match is_music(Path::new(what)) {
        true => None,
        false => Some(workshop::load(what).into_diagnostic()?),
    };
    let mut options = options(what, arguments, model.as_ref())?;
    let mut warnings = Vec::new();
    let corpus = music(&arguments.corpus, &options, &mut warnings)?;
    // A benchmark file has a grid of its own.
    let own = scores(&corpus)?;
    options.grid = own.first().map(|(_, score)| score.ticks_per_quarter).or(options.grid);
    let all: Vec<report::Piece<'_>> =
        own.iter().map(|(name, score)| report::Piece { name, score, written: score }).collect();
    let known = match &model {
        Some(model) => learnt(model, &corpus, &own)?,
        None => vec![Learnt::Unknown; all.len()],
    };
    let of = |keep: &dyn Fn(Learnt) -> bool| -> Vec<report::Piece<'_>> {
        all.iter().zip(&known).filter(|(_, learnt)| keep(**learnt)).map(|(piece, _)| *piece).collect()
    };
    let (unheard, heard) = (of(&|of| !of.is_learnt()), of(&Learnt::is_learnt));
    // Where nothing was given, all of a piece was written.
    let whole = |pieces| Joint { pieces, written: Vec::new(), figures: None };
    let set = match &model {
        Some(model) => match model.composer.joins() {
            Some(joined) => {
                let pieces = if unheard.is_empty() { &heard } else { &unheard };
                let asked = (arguments.count as usize, arguments.bars, arguments.seed);
                write_to((model, joined), pieces, asked, &options, &mut warnings)?
            }
            None => whole(compositions(model, arguments, &options, &mut warnings)?),
        },
        None => whole(scores(&music(Path::new(what), &options, &mut warnings)?)?),
    };
    // Copies are looked for in whatever may have been learnt from.
    let (indexed, kept) = (of(&|learnt| learnt != Learnt::Kept), of(&|learnt| learnt == Learnt::Kept));
    let measure = report::Corpus { name: &name_of(&arguments.corpus), learnt: &indexed, kept: &kept };
    let written = set.written.iter().map(Some).chain(std::iter::repeat(None));
    let looked_at: Vec<report::Piece<'_>> = set
        .pieces
        .iter()
        .zip(written)
        .map(|((name, score), written)| report::Piece { name, score, written: written.unwrap_or(score) })
        .collect();
    let mut report = Report::new(&name_of(Path::new(what)), &looked_at, measure);
    if let Some(model) = &model {
        let learns = model.composer.spec().create.is_some();
        if learns && known.contains(&Learnt::Unknown) {
            warnings.push(format!(
                "{what} was trained on another choice of music than {}: by their melodies it has learnt from {} of its {}",
                printable(&arguments.corpus.display().to_string()),
                heard.len(),
                counted(all.len(), "piece")
            ));
        }
        let (pieces, which) = match unheard.is_empty() {
            true => (heard, "pieces that it has learnt from (there are no others)"),
            false => (unheard, "pieces that it did not learn from"),
        };
        report.likelihood = likelihood(model, &pieces, which, arguments.judged, &mut warnings);
    }
    report.accompaniment = set.figures.clone();
    report.warnings = warnings;
    write(&report, &|| pictures(&report, &looked_at, &[indexed.as_slice(), &kept].concat()))?;
    Ok(report)
}

/// Whether a model learnt from a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Learnt {
    /// It did: so says the split of its own corpus.
    Yes,
    /// It was kept from it, for validation.
    Kept,
    /// It is of another corpus, whose pieces the model's may hold; all of its melody stands in the model's training music.
    Likely,
    /// It is of another corpus.
    Unknown,
}

impl Learnt {
    fn is_learnt(self) -> bool {
        matches!(self, Learnt::Yes | Learnt::Likely)
    }
}

/// Which pieces of a corpus a model learnt from: of its own, known by content, the split says it; of others the digest of its training
/// music, in which a melody that was learnt from stands whole.
fn learnt(model: &Model, corpus: &Corpus, scores: &[(String, Score)]) -> Result<Vec<Learnt>> {
    let is_own = model.header.corpus.fingerprint == corpus.fingerprint().into_diagnostic()?.to_string();
    let digests = if is_own { model.originality_before().collect() } else { model.learnt() };
    let of = |(piece, (_, score)): (&cantus_corpus::Piece, &(String, Score))| {
        let is_known = |digest: &Digest| digest.check(score).melody[1].is_some_and(|share| share >= WHOLE);
        match is_own {
            true if piece.split == Split::Train => Learnt::Yes,
            _ if digests.iter().any(is_known) => Learnt::Likely,
            true => Learnt::Kept,
            false => Learnt::Unknown,
        }
    };
    Ok(corpus.pieces.par_iter().zip(scores).map(of).collect())
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
fn options(what: &str, arguments: &Arguments, model: Option<&Model>) -> Result<Options> {
    let folder = if Path::new(what).is_dir() { Some(PathBuf::from(what)) } else { workshop::run_named(what) };
    let run = || RunFiles::at(folder?).ok()?.description::<RunDescription>().ok();
    arguments.reading.over(match model {
        Some(model) => {
            run().map_or_else(|| workshop::reading_of(&model.header.composer, &model.header.corpus), |run| run.options)
        }
        None => Options::lenient(),
    })
}

/// The model's pieces, on the corpus' grid, named by their seeds.
fn compositions(
    model: &Model,
    arguments: &Arguments,
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<Vec<(String, Score)>> {
    let progress = bar(u64::from(arguments.count), "composing {wide_bar} {pos}/{len}");
    let request = Request::new(arguments.bars, model.usual_sampling());
    let options = Options { grid: options.grid, ..Options::lenient() };
    let seeds: Vec<u64> = (0..arguments.count).map(|k| arguments.seed.wrapping_add(u64::from(k))).collect();
    let (mut pieces, mut silent) = (Vec::new(), 0);
    for seeds in seeds.chunks(TOGETHER) {
        let mut rngs: Vec<Rng> = seeds.iter().map(|seed| seeded(*seed)).collect();
        let mut unbothered = |_: f64| ControlFlow::Continue(());
        let composed = workshop::write(model, &request, &mut rngs, &mut unbothered).into_diagnostic()?;
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
        warnings.push(format!("{} without a note left out", counted(silent, "composition")));
    }
    Ok(pieces)
}

/// How likely pieces are under the model, of which `most` are asked of at most; nothing where it cannot say.
fn likelihood(
    model: &Model,
    pieces: &[report::Piece<'_>],
    which: &str,
    most: usize,
    warnings: &mut Vec<String>,
) -> Vec<LikelihoodLine> {
    let Some(judge) = model.composer.judge() else {
        let composer = &model.header.composer;
        let instead = match model.composer.spec().create {
            Some(_) => "`cantus inspect` shows its training's figure",
            None => "it composes by rules",
        };
        warnings.push(format!("a model of {composer} cannot say how likely a piece is; {instead}"));
        return Vec::new();
    };
    let asked = pieces.len().min(most);
    if asked < pieces.len() {
        warnings.push(format!(
            "the likelihood is that of {asked} of {} pieces, evenly spread; --judged {} asks of all",
            pieces.len(),
            pieces.len()
        ));
    }
    let chosen: Vec<&report::Piece<'_>> = (0..asked).map(|k| &pieces[k * pieces.len() / asked]).collect();
    let judged: Vec<Judgement> = chosen.par_iter().map(|piece| judge.judge(piece.score)).collect();
    if judged.is_empty() {
        return Vec::new();
    }
    let estimates: Option<Vec<f64>> = chosen.par_iter().map(|piece| judge.estimate(piece.score)).collect();
    let pitches: Option<Vec<Conditional>> = chosen.par_iter().map(|piece| judge.given_rhythm(piece.score)).collect();
    let mut all = Evaluation::default();
    judged.iter().for_each(|judgement| all += judgement.figures);
    let by_piece = judged.iter().map(|judgement| judgement.figures.per_token()).sum::<f64>() / judged.len() as f64;
    let unit = model.header.training.as_ref().map_or(Unit::default(), |training| training.validation.unit);
    vec![LikelihoodLine {
        pieces: which.to_owned(),
        count: judged.len(),
        of: pieces.len(),
        kind: judge.kind().to_string(),
        unit: unit.to_string(),
        nats_per_token: all.per_token(),
        nats_per_quarter: all.per_quarter(),
        nats_per_quarter_of_notes: all.of_notes_per_quarter().filter(|nats| nats.is_finite()),
        nats_per_token_by_piece: by_piece,
        accuracy: all.accuracy(),
        adjusted: judged.iter().filter(|judgement| judgement.is_adjusted).count(),
        protocol: judge.protocol(),
        estimate: estimates
            .map(|nats| Estimate { draws: judge.draws(), nats_per_quarter: nats.iter().sum::<f64>() / all.quarters }),
        given_rhythm: pitches.map(|pitches| {
            let (nats, notes) = pitches.iter().fold((0.0, 0.0), |(nats, notes), of| (nats + of.nats, notes + of.notes));
            GivenRhythm { nats_per_note: nats / notes, nats_per_quarter: nats / all.quarters }
        }),
        ranks: ranks(&chosen.par_iter().flat_map(|piece| judge.ranks(piece.score)).collect::<Vec<Rank>>()),
        by_piece: chosen.iter().zip(&judged).map(|(piece, judgement)| of_piece(piece, judgement)).collect(),
    }]
}

fn ranks(found: &[Rank]) -> Option<Ranks> {
    let mean = |of: &mut dyn Iterator<Item = f64>, count: usize| of.sum::<f64>() / count as f64;
    let new: Vec<usize> = found.iter().filter(|found| found.is_new).map(|found| found.rank).collect();
    (!found.is_empty()).then(|| Ranks {
        mean: mean(&mut found.iter().map(|found| found.rank as f64), found.len()),
        new: new.len() as f64 / found.len() as f64,
        right_of_new: mean(&mut new.iter().map(|rank| f64::from(u8::from(*rank == 1))), new.len()),
        mean_of_new: mean(&mut new.iter().map(|rank| *rank as f64), new.len()),
    })
}

fn of_piece(piece: &report::Piece<'_>, judgement: &Judgement) -> PieceLikelihood {
    let Judgement { figures, moments, is_adjusted } = judgement;
    PieceLikelihood {
        name: piece.name.to_owned(),
        bars: judgement.by_bar(piece.score),
        moments: moments
            .iter()
            .map(|moment| (moment.at.quarters(piece.score.ticks_per_quarter), moment.nats))
            .collect(),
        nats: figures.nats,
        tokens: figures.tokens,
        quarters: figures.quarters,
        is_adjusted: *is_adjusted,
    }
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
