//! Running the program, and the small corpus and model that the tests share.

use cantus_formats::{Format, Limits, midi};
use cantus_score::{Key, Mode, Note, Part, Pitch, Score, Tempo, Ticks, TicksPerQuarter, Velocity};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// What a run of the program gave.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Fails the test unless the exit code is 0; gives standard output.
    #[track_caller]
    pub fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self.out
    }

    /// Fails the test unless the exit code is `code`; gives standard error on one line, without the frame of the message.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        let words = self.err.split_whitespace().filter(|word| !["×", "│", "╰─▶", "├─▶"].contains(word));
        words.collect::<Vec<&str>>().join(" ")
    }
}

/// The program, to be started in `folder`.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cantus"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// Runs the program in `folder` to its end.
pub fn cantus(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command(folder, arguments).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// A folder that is gone when the test is over.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The bytes of a file of a test's folder.
#[track_caller]
pub fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The first piece of a music file of a test's folder.
#[track_caller]
pub fn score(folder: &Path, name: &str) -> Score {
    let format = Format::to_read(Path::new(name)).expect("a format that can be read");
    let mut pieces = cantus_formats::read(format, &bytes(folder, name), &Limits::default()).expect("a music file");
    pieces.remove(0).reading.expect("a piece").score
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Numbers that look random, the same for the same seed.
pub struct Draws(pub u64);

impl Draws {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The lowest and the highest pitch of the pieces below.
pub const RANGE: (u8, u8) = (48, 76);

/// Eight bars of 4/4 in C major, different for each seed: a melody in quarters and eighths over a bass of half notes, 96 quarters
/// a minute.
pub fn piece(seed: u64) -> Score {
    const SCALE: [u8; 7] = [0, 2, 4, 5, 7, 9, 11];
    const EIGHTH: u64 = 240;
    let mut draws = Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555);
    let note = |eighth: u64, pitch: u8, eighths: u64| Note {
        onset: Ticks(eighth * EIGHTH),
        pitch: Pitch::try_from(pitch).expect("a MIDI pitch"),
        duration: Ticks(eighths * EIGHTH),
        velocity: Velocity::DEFAULT,
    };
    let mut notes = Vec::new();
    for half in 0..16 {
        let bass = SCALE[draws.below(7) as usize];
        notes.push(note(4 * half, RANGE.0 + bass, 4));
        let mut at = 0;
        while at < 4 {
            let (step, length) = (draws.below(10) as usize, 1 + draws.below(2).min(3 - at));
            let pitch = 60 + 12 * (step / 7) as u8 + SCALE[step % 7];
            notes.push(note(4 * half + at, pitch, length));
            at += length;
        }
    }
    notes.sort_unstable();
    let tempo = Tempo::from_quarters_per_minute(96.0).expect("a tempo");
    let key = Key::new(0, Mode::Major).expect("a key");
    Score {
        tempos: vec![(Ticks::ZERO, tempo)],
        keys: vec![(Ticks::ZERO, key)],
        parts: vec![Part { notes, ..Part::default() }],
        ..Score::new(TicksPerQuarter::DEFAULT)
    }
}

/// Writes `count` pieces into `folder`.
pub fn fill(folder: &Path, count: u64) {
    std::fs::create_dir_all(folder).expect("a writable folder");
    for seed in 0..count {
        save(&piece(seed), &folder.join(format!("{seed:02}.mid")));
    }
}

/// Writes a MIDI file.
pub fn save(score: &Score, path: &Path) {
    std::fs::write(path, midi::write(score).expect("a score that MIDI can hold")).expect("a writable folder");
}

/// Settings under which a training takes seconds.
pub const TINY: [&str; 8] = ["--set", "hidden=24", "--set", "embedding=16", "--set", "batch=4", "--set", "window=24"];

/// `train music -o OUTPUT -c lstm --epochs EPOCHS`, tiny.
pub fn training<'a>(output: &'a str, epochs: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["train", "music", "-o", output, "-c", "lstm", "--epochs", epochs];
    arguments.extend(TINY);
    arguments
}

/// A finished run on a small corpus, trained once for all tests: in its folder lie `music`, `run`, and `train.out` with what the
/// training printed.
pub fn trained() -> &'static Path {
    static TRAINED: OnceLock<PathBuf> = OnceLock::new();
    TRAINED.get_or_init(|| {
        // Not a `TempDir`: nothing that is static is ever dropped. What former tests left is cleared away here.
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        for old in names(place).iter().filter(|name| name.starts_with("trained-")).map(|name| place.join(name)) {
            let age = old.metadata().and_then(|about| about.modified()).ok().and_then(|since| since.elapsed().ok());
            if age.is_some_and(|age| age > Duration::from_secs(3600)) {
                std::fs::remove_dir_all(old).unwrap_or_default();
            }
        }
        let root = place.join(format!("trained-{}", std::process::id()));
        fill(&root.join("music"), 12);
        let out = cantus(&root, &training("run", "3")).fine();
        std::fs::write(root.join("train.out"), out).expect("a writable folder");
        root
    })
}

/// The run of [`trained`] as an argument.
pub fn model() -> String {
    trained().join("run").display().to_string()
}
