//! Help, wrong usage, and readers that go away.

use crate::common::{cantus, command, fill, folder, training};
use std::process::{Command, Stdio};

#[test]
fn help_names_the_options() {
    let folder = folder();
    let cases: [(&str, &[&str]); 11] = [
        (
            "compose",
            &[
                "--model",
                "--prompt",
                "--prompt-bars",
                "--bars",
                "--seconds",
                "--seed",
                "--temperature",
                "--top-p",
                "--top-k",
                "-n",
                "--output",
                "--sound",
                "--like",
                "--force",
                "--json",
                "composition.mid",
                "same bytes",
            ],
        ),
        (
            "train",
            &[
                "--composer",
                "--output",
                "--minutes",
                "--epochs",
                "--resume",
                "--seed",
                "--set",
                "--recipe",
                "--parts",
                "--meters",
                "--grid",
                "--max-off-grid",
                "--max-notes",
                "--max-bytes",
                "--half",
                "--checkpoint-seconds",
                "--verbose",
                "--json",
                "Ctrl-C",
            ],
        ),
        ("inspect", &["--verbose", "--json", "default"]),
        (
            "evaluate",
            &[
                "--count",
                "--bars",
                "--seed",
                "--output",
                ".html",
                "--json",
                "--full",
                "--judged",
                "--max-notes",
                "originality",
            ],
        ),
        ("render", &["--output", "--sound", "choir", "--max-notes"]),
        (
            "perform",
            &[
                "--strength",
                "--seed",
                "--model",
                "--output",
                "--train",
                "--judge",
                "--minutes",
                "--recipe",
                "played.mid",
                "pianist",
            ],
        ),
        ("render", &["--output", "--soundfont", "--max-notes"]),
        (
            "listen",
            &["--mend", "--model", "--output", "--train", "--exam", "--seed", "--json", "mended.mid", "proofreader"],
        ),
        ("models", &["--runs", "--json"]),
        ("composers", &["--json"]),
        ("studio", &["--port", "--library", "--runs", "--no-browser"]),
    ];
    let all = cantus(folder.path(), &["--help"]).fine();
    for (name, options) in cases {
        assert!(all.contains(name), "{all}");
        let help = cantus(folder.path(), &[name, "--help"]).fine();
        for option in options {
            assert!(help.contains(option), "`{option}` is missing in:\n{help}");
        }
    }
    assert!(cantus(folder.path(), &["--version"]).fine().starts_with("cantus "));
}

#[test]
fn what_is_not_understood_is_wrong_usage() {
    let folder = folder();
    let cases: [&[&str]; 8] = [
        &[],
        &["dance"],
        &["--loud"],
        &["compose", "--loud"],
        &["train"],
        &["inspect"],
        &["render", "--loud"],
        &["composers", "lstm"],
    ];
    for arguments in cases {
        let message = cantus(folder.path(), arguments).failed(2);
        assert!(message.contains("Usage: cantus"), "{arguments:?}: {message}");
    }
}

/// A pipe whose reader has gone.
#[cfg(unix)]
fn closed_pipe() -> Stdio {
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().expect("`true` starts");
    let pipe = reader.stdin.take().expect("a pipe");
    reader.wait().expect("`true` ends");
    pipe.into()
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_gone_is_no_reason_to_panic() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    let cases: [&[&str]; 6] = [
        &["composers"],
        &["--help"],
        &["inspect", "music", "--verbose"],
        &["inspect", "none.mid"],
        &["train", "none"],
        &["dance"],
    ];
    for arguments in cases {
        let plain = cantus(folder.path(), arguments).code;
        let out = command(folder.path(), arguments).stdout(closed_pipe()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!said.contains("panicked") && out.status.code() == plain, "{arguments:?}: {said}");
        // Nor is one of standard error.
        let status = command(folder.path(), arguments).stdout(Stdio::null()).stderr(closed_pipe()).status().unwrap();
        assert_eq!(status.code(), plain, "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_training_goes_on_when_nobody_reads_its_output() {
    let folder = folder();
    fill(&folder.path().join("music"), 4);
    let status = command(folder.path(), &training("run", "2")).stdout(closed_pipe()).stderr(closed_pipe()).status();
    assert!(status.unwrap().success());
    assert!(folder.path().join("run/best.safetensors").exists());
}
