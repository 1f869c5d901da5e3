//! What a music file is: its length, parts and form, and how it was composed.

use super::{Arguments, folder, rows};
use crate::cells::{VOICES, cells, range};
use crate::files;
use crate::terminal::{command, duration, printable, say, table};
use cantus_evaluation::picture;
use cantus_evaluation::structure::{Parallel, Parallels, Recurrence, Way, parallels, recurrences};
use cantus_formats::{self as formats, Format, Limits};
use cantus_score::{Part, Score, Unpitched, counted};
use cantus_workshop::{self as workshop, ArrangementOrigin, Provenance};
use miette::{IntoDiagnostic, Result, WrapErr};
use std::path::Path;

/// Stretches that come again and are told; of more there is a number.
const MOST_RECURRENCES: usize = 12;
/// Motifs that come again changed and are told.
const MOST_MOTIFS: usize = 3;
/// Metres and keys that are told; of more there is a number.
const MOST_CHANGES: usize = 8;
/// Letters of what was asked for that are told.
const MOST_SHOWN: usize = 60;
/// A file may claim any length: bars are counted so far.
const MOST_BARS: usize = 1_000_000;

pub fn file(arguments: &Arguments) -> Result<()> {
    let path = &arguments.what;
    let limits = arguments.reading.limits.over(Limits::default());
    let bytes = files::read(path)?;
    // Whatever its name, most music is MIDI.
    let format = Format::to_read(path).unwrap_or(Format::Midi);
    let context = || format!("reading `{}`", path.display());
    let mut pieces = formats::read(format, &bytes, &limits).into_diagnostic().wrap_err_with(context)?;
    if pieces.len() > 1 {
        // A book of tunes is as good as a folder.
        return folder(arguments);
    }
    let Some(piece) = pieces.pop() else { return folder(arguments) };
    let reading = piece.reading.into_diagnostic().wrap_err_with(context)?;
    let warnings = files::oddities(&reading);
    // What comes before the first note nobody hears, learns or continues.
    let (silent, from) = reading.score.silent_bars();
    let score = if silent > 0 { reading.score.after(from) } else { reading.score };
    if let Some(plot) = &arguments.plot {
        let title = score.title.clone().unwrap_or_else(|| path.display().to_string());
        files::write_bytes(plot, picture::parallels(&score, &parallels(&score), &title).as_bytes())?;
        return say(format!("{}: motifs of the melody that come again", plot.display()));
    }
    if arguments.json { as_json(path, &score, &warnings, silent) } else { as_table(path, &score, warnings, silent) }
}

fn as_json(path: &Path, score: &Score, warnings: &[String], silent: u64) -> Result<()> {
    let part = |part: &Part| {
        serde_json::json!({
            "name": part.name, "channel": part.channel, "port": part.port, "program": part.program().get(), "drums": part.drums,
            "notes": part.notes.len(),
        })
    };
    say(serde_json::json!({
        "file": path, "title": score.title, "notes": score.note_count(),
        "quarters": score.end().quarters(score.ticks_per_quarter), "seconds": score.tempo_map().seconds(score.end()),
        "meters": meters(score), "keys": keys(score), "parts": score.parts.iter().map(part).collect::<Vec<_>>(),
        "origin": Provenance::find(&score.remarks), "warnings": warnings, "recurrences": recurrences(score), "parallels": parallels(score),
        "silent_bars": silent, "printed_bars": (!score.printed.is_empty()).then(|| score.last_bar()),
    }))
}

fn as_table(path: &Path, score: &Score, warnings: Vec<String>, silent: u64) -> Result<()> {
    let seconds = score.tempo_map().seconds(score.end());
    let quarters = score.end().quarters(score.ticks_per_quarter);
    let range = score.pitch_range().map(|(low, high)| format!("{low} to {high}")).unwrap_or_default();
    let meters = meters(score);
    let upbeats = 1 - score.first_bar();
    let bars = counted(score.bars().skip(upbeats).take(MOST_BARS).count(), "bar");
    let bars = if upbeats > 0 { format!("{bars} after an upbeat") } else { bars };
    let left_out = match silent {
        0 => String::new(),
        1 => "; the silent bar before is left out".to_owned(),
        _ => format!("; the {silent} silent bars before are left out"),
    };
    let notes = match Unpitched::of(score) {
        Some(unpitched) => format!("{}: it holds {unpitched}", score.note_count()),
        None => format!("{} {range}", score.note_count()),
    };
    let mut lines = rows([
        ("file", printable(&path.display().to_string())),
        ("title", score.title.as_deref().map(printable).unwrap_or_default()),
        ("length", format!("{} ({quarters:.1} quarter notes, {bars}){left_out}", duration(seconds))),
        ("repeats", played_out(score).unwrap_or_default()),
        ("notes", notes),
        ("metre", if meters.is_empty() { "none is named; read as 4/4".to_owned() } else { shortened(meters) }),
        ("key", shortened(keys(score))),
        ("form", form(&recurrences(score))),
        ("motifs", motifs(&parallels(score))),
    ]);
    lines.extend(score.parts.iter().map(|of| ("part".to_owned(), part(of))));
    if let Some(origin) = Provenance::find(&score.remarks) {
        lines.extend(composed(path, &origin));
    }
    lines.extend(warnings.iter().map(|warning| ("oddity".to_owned(), printable(warning))));
    say(table(&lines))
}

/// What has become of repeats and jumps; `None` where there are none.
fn played_out(score: &Score) -> Option<String> {
    let printed = (!score.printed.is_empty()).then(|| score.last_bar())?;
    Some(format!(
        "played out: {} on paper; `harmonise --keep` counts these, the form below those that are played",
        counted(printed, "bar")
    ))
}

fn meters(score: &Score) -> Vec<String> {
    score.named_meters().iter().map(|(_, meter)| meter.to_string()).collect()
}

fn keys(score: &Score) -> Vec<String> {
    score.keys.iter().map(|(_, key)| key.to_string()).collect()
}

/// The first changes, and how many more there are.
fn shortened(mut changes: Vec<String>) -> String {
    changes.dedup();
    let more = changes.len().saturating_sub(MOST_CHANGES);
    changes.truncate(MOST_CHANGES);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    changes.join(", ") + &tail
}

fn part(part: &Part) -> String {
    let name = part.name.as_deref().map_or_else(|| "unnamed".to_owned(), printable);
    let port = if part.port > 0 { format!("port {}, ", part.port + 1) } else { String::new() };
    let instrument = if part.drums { "drums".to_owned() } else { format!("program {}", part.program().get()) };
    format!("{name}: {}, {port}channel {}, {instrument}", counted(part.notes.len(), "note"), part.channel + 1)
}

/// What comes again, in a line.
fn form(recurrences: &[Recurrence]) -> String {
    let span = |first: usize, bars: usize| match bars {
        1 => format!("bar {first}"),
        _ => format!("bars {first}-{}", first + bars - 1),
    };
    let told = recurrences.iter().take(MOST_RECURRENCES).map(|Recurrence { bar, of, bars, likeness }| {
        let percent = (likeness * 100.0).round();
        let like = if percent < 100.0 { format!(" ({percent:.0}% alike)") } else { String::new() };
        let are = if *bars == 1 { "is" } else { "are" };
        format!("{} {are} {} again{like}", span(*bar, *bars), span(*of, *bars))
    });
    let more = recurrences.len().saturating_sub(MOST_RECURRENCES);
    let more = (more > 0).then(|| format!("and {more} more"));
    told.chain(more).collect::<Vec<_>>().join("; ")
}

/// How much of the melody comes again, and its longest motifs that come changed, in a line.
fn motifs(parallels: &Parallels) -> String {
    let said = |way: &Way| {
        parallels.shares.get(way).filter(|share| **share >= 0.005).map(|share| format!("{:.0}% {way}", 100.0 * share))
    };
    let shares: Vec<String> = Way::ALL.iter().filter_map(said).collect();
    if shares.is_empty() {
        return String::new();
    }
    let mut changed: Vec<&Parallel> = parallels.found.iter().filter(|found| found.way != Way::Literal).collect();
    changed.sort_by_key(|found| (std::cmp::Reverse(found.notes), found.note));
    changed.truncate(MOST_MOTIFS);
    let told = changed.into_iter().map(|Parallel { way, notes, bar, of_bar, .. }| {
        format!("{} from bar {bar} are those from bar {of_bar} {way}", counted(*notes, "note"))
    });
    let heard = format!("of the melody's intervals were heard before: {}", shares.join(", "));
    [heard].into_iter().chain(told).collect::<Vec<String>>().join("; ")
}

/// How a piece was composed, and the command that composes it again.
fn composed(path: &Path, origin: &Provenance) -> Vec<(String, String)> {
    let digest = |sha256: &str| printable(sha256.get(..16).unwrap_or(sha256));
    let form: String =
        origin.asked().map(|(name, text)| format!(", {} {}", printable(name), printable(&short(text)))).collect();
    let tempo = origin.tempo.map(|tempo| format!(", {tempo} quarters a minute")).unwrap_or_default();
    let prompt = origin.prompt.as_ref();
    let prompt = prompt
        .map(|prompt| format!("{} of a file with SHA-256 {}", counted(prompt.bars, "bar"), digest(&prompt.sha256)));
    let given = origin.arrangement.as_ref();
    let given = given.map(|given| format!("{} of a file with SHA-256 {}", kept(given), digest(&given.sha256)));
    rows([
        (
            "composed by",
            format!(
                "cantus {} with {} (SHA-256 {})",
                printable(&origin.version),
                printable(&origin.model),
                digest(&origin.model_sha256)
            ),
        ),
        (
            "settings",
            format!(
                "seed {}, {}, temperature {}, top-p {}, top-k {}{form}{tempo}",
                origin.seed,
                counted(origin.bars, "bar"),
                origin.sampling.temperature,
                origin.sampling.top_p,
                origin.sampling.top_k
            ),
        ),
        ("prompt", prompt.unwrap_or_default()),
        ("given", given.unwrap_or_default()),
        ("again", command(again(path, origin))),
    ])
}

/// The beginning of a long text: a rhythm is that of a whole piece.
fn short(text: &str) -> String {
    let end = text.char_indices().nth(MOST_SHOWN).map(|(at, _)| at);
    end.map_or_else(|| text.to_owned(), |end| format!("{} ...", &text[..end]))
}

/// What was given of a piece whose rest was composed.
fn kept(given: &ArrangementOrigin) -> String {
    if given.joined {
        return "all parts".to_owned();
    }
    if !given.again.is_empty() {
        return format!("all but {}", cells(&given.again));
    }
    let voices: Vec<&str> = given.voices.iter().filter_map(|voice| VOICES.get(*voice).copied()).collect();
    let voices = (!voices.is_empty()).then(|| format!("the {}", voices.join(", ")));
    let bars = (!given.bars.is_empty()).then(|| format!("bars {}", ranges(&given.bars)));
    voices.into_iter().chain(bars).collect::<Vec<String>>().join(" and ")
}

fn ranges(bars: &[(usize, usize)]) -> String {
    bars.iter().map(range).collect::<Vec<String>>().join(",")
}

/// The words of the command that composes a piece again.
fn again(path: &Path, origin: &Provenance) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut add = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
    let usual = match &origin.arrangement {
        // What was given stands in a file of its own, which a person has to name.
        Some(given) => {
            match (given.joined, given.again.is_empty()) {
                // tidy: allow(registry): the command is called so
                (true, _) => add(&["accompany", "GIVEN"]),
                (_, true) => add(&["harmonise", "GIVEN"]),
                _ => add(&["compose", "--in", "GIVEN"]),
            }
            let voices: Vec<&str> = given.voices.iter().filter_map(|voice| VOICES.get(*voice).copied()).collect();
            for (name, text) in origin.asked() {
                add(&[&format!("--{name}"), text]);
            }
            if !given.again.is_empty() {
                add(&["--again", &cells(&given.again)]);
            } else if voices != VOICES[..1] || !given.bars.is_empty() {
                voices.iter().for_each(|voice| add(&["--voice", voice]));
            }
            if !given.bars.is_empty() {
                add(&["--keep", &ranges(&given.bars)]);
            }
            let sampling = origin.sampling;
            add(&["--seed", &origin.seed.to_string(), "--temperature", &sampling.temperature.to_string()]);
            add(&["--top-p", &sampling.top_p.to_string(), "--top-k", &sampling.top_k.to_string()]);
            match (given.joined, given.again.is_empty()) {
                (true, _) => "",
                (_, true) => workshop::CHORALES,
                _ => workshop::DEFAULT,
            }
        }
        None => {
            add(&["compose", "--like", &path.to_string_lossy()]);
            workshop::DEFAULT
        }
    };
    if origin.model != usual {
        add(&["-m", &origin.model]);
    }
    if origin.prompt.is_some() {
        add(&["--prompt", "PROMPT"]);
    }
    words
}
