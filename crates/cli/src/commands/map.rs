//! `cantus map`: music laid out so that what is alike lies near.

use crate::Usage;
use crate::files;
use crate::reading::{ReadingArguments, music, scores};
use crate::terminal::{bar, note, printable, say};
use cantus_corpus::Options;
use cantus_evaluation::map::{Map, Track, map, page};
use cantus_score::{Reading, Score, counted};
use miette::Result;
use std::path::{Path, PathBuf};

/// So many pieces are laid out: of more every so many.
const MOST_PIECES: usize = 4000;

/// Lay the pieces of a folder out on a map, a page to look at and to hear: pieces that are alike lie near one another.
///
/// Files that are named after the folder are laid among its pieces and marked: so one sees where music of one's own, or a composer's, belongs. Pieces are
/// compared by statistics, by the intervals and lengths of their melodies, and by how they use their key (Kohonen's self-organising map). The sub-folders
/// give the colours, and the measure: how often a piece's nearest neighbours are of its own.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder of music (MIDI, MusicXML, ABC); its sub-folders are told apart by colour
    folder: PathBuf,
    /// Files, or folders of them, that are laid among the others and marked
    beside: Vec<PathBuf>,
    /// Where the page is written
    #[arg(short, long, value_name = "HTML", default_value = "map.html")]
    output: PathBuf,
    /// Say as JSON where each piece lies
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let is_page =
        |extension: &std::ffi::OsStr| extension.eq_ignore_ascii_case("html") || extension.eq_ignore_ascii_case("htm");
    if !arguments.output.extension().is_some_and(is_page) {
        return Err(Usage(format!("`{}` has to end in .html", arguments.output.display())).into());
    }
    // Every part, and drums: pieces are heard from the page.
    let options = arguments.reading.over(Options { reading: Some(Reading::Parts), ..Options::lenient() })?;
    let mut warnings = Vec::new();
    let mut pieces = pieces_of(&arguments.folder, &options, &mut warnings)?;
    let all = pieces.len();
    let every = all.div_ceil(MOST_PIECES).max(1);
    pieces = pieces.into_iter().step_by(every).collect();
    if every > 1 {
        note(format!("every {every}th of {} is laid out", counted(all, "piece")));
    }
    let known = pieces.len();
    for path in &arguments.beside {
        pieces.extend(pieces_of(path, &options, &mut warnings)?);
    }
    warnings.iter().for_each(note);
    let folders: Vec<Option<String>> =
        pieces.iter().enumerate().map(|(k, (path, _))| (k < known).then(|| folder_of(path))).collect();
    let folders: Vec<Option<&str>> = folders.iter().map(Option::as_deref).collect();
    let (names, scores): (Vec<String>, Vec<Score>) = pieces.into_iter().unzip();
    let progress = bar(0, "comparing {wide_bar}");
    let found = map(&scores, &folders);
    progress.finish_and_clear();
    let tracks: Vec<Track<'_>> =
        names.iter().zip(&folders).map(|(name, folder)| Track { name: name.clone(), folder: *folder }).collect();
    let title = format!("Map of {}", printable(&arguments.folder.display().to_string()));
    files::write_bytes(&arguments.output, page(&found, &tracks, &scores, &title).as_bytes())?;
    if arguments.json {
        let places = tracks.iter().zip(&found.cells);
        let places = places
            .map(|(Track { name, folder }, cell)| serde_json::json!({"piece": name, "folder": folder, "cell": cell}));
        return say(serde_json::json!({
            "file": arguments.output, "width": found.width, "height": found.height, "neighbours": found.neighbours, "torn": found.torn,
            "pieces": places.collect::<Vec<_>>(),
        }));
    }
    let Map { width, height, neighbours, torn, .. } = &found;
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    say(format!("{}: {} on {width} x {height} cells", arguments.output.display(), counted(names.len(), "piece")))?;
    // Of one folder there is nothing to tell apart.
    if folders[..known].windows(2).any(|pair| pair[0] != pair[1]) {
        say(format!(
            "the nearest neighbours name a piece's folder in {} of the pieces ({} in all dimensions, {} on two principal components, {} by chance); {} have neighbours elsewhere",
            percent(neighbours.of_map),
            percent(neighbours.of_all),
            percent(neighbours.of_plane),
            percent(neighbours.by_chance),
            percent(*torn),
        ))?;
    }
    for (Track { name, .. }, (x, y)) in tracks.iter().zip(&found.cells).skip(known) {
        say(format!("{name}: column {}, row {}", x + 1, y + 1))?;
    }
    Ok(())
}

/// The sub-folder that a piece lies in; a dot for those that lie in none.
fn folder_of(path: &str) -> String {
    path.rsplit_once('/').map_or(".", |(folder, _)| folder).to_owned()
}

/// The pieces of a folder or file with their paths, in order of these; what was left out goes to `warnings`.
fn pieces_of(path: &Path, options: &Options, warnings: &mut Vec<String>) -> Result<Vec<(String, Score)>> {
    let mut pieces = scores(&music(path, options, warnings)?)?;
    pieces.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(pieces)
}
