use super::*;
use serde_json::{Value, json};

fn new_run() -> (tempfile::TempDir, RunFolder) {
    let home = tempfile::tempdir().unwrap();
    let run = RunFolder::create(home.path().join("runs/first"), &json!({"composer": "any", "seed": 7})).unwrap();
    (home, run)
}

fn steps(run: &RunFiles) -> Vec<u64> {
    run.metrics::<Value>().unwrap().iter().map(|line| line["step"].as_u64().unwrap()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_is_written_is_read_after_opening_again() {
    let (_home, mut run) = new_run();
    run.append_metrics(&json!({"step": 10, "loss": 2.5})).unwrap();
    run.append_metrics(&json!({"step": 20, "loss": 1.25})).unwrap();
    run.write_best(b"best").unwrap();
    run.write_curves("<svg/>").unwrap();
    let sample = run.write_sample("step-20.mid", b"MThd").unwrap();
    let path = run.path().to_owned();
    drop(run);

    let run = RunFolder::open(&path).unwrap();
    assert_eq!(run.description::<Value>().unwrap(), json!({"composer": "any", "seed": 7}));
    assert_eq!(run.metrics::<Value>().unwrap()[1], json!({"step": 20, "loss": 1.25}));
    assert_eq!(fs::read(run.best_path()).unwrap(), b"best");
    assert_eq!(fs::read(run.curves_path()).unwrap(), b"<svg/>");
    assert_eq!(fs::read(sample).unwrap(), b"MThd");
}

#[test]
fn a_torn_last_line_is_dropped_and_the_next_line_stands_alone() {
    for torn in [&b"{\"step\": 30, \"lo"[..], b"{\"step\": 30}", b"\0\0\0\0\0", b"\0\0\n\0\n", b"\n"] {
        let (_home, mut run) = new_run();
        run.append_metrics(&json!({"step": 10})).unwrap();
        let path = run.path().to_owned();
        drop(run);
        let whole = fs::read(path.join("metrics.jsonl")).unwrap();
        fs::write(path.join("metrics.jsonl"), [&whole, torn].concat()).unwrap();

        assert_eq!(steps(&RunFiles::at(&path).unwrap()), [10], "a reader beside the training sees whole lines");
        let mut run = RunFolder::open(&path).unwrap();
        assert_eq!(fs::read(run.metrics_path()).unwrap(), whole);
        run.append_metrics(&json!({"step": 20})).unwrap();
        assert_eq!(steps(&run), [10, 20]);
    }
}

#[test]
fn damage_in_the_middle_is_named_by_its_line() {
    let (_home, run) = new_run();
    let path = run.path().to_owned();
    drop(run);
    fs::write(path.join("metrics.jsonl"), "{\"step\":1}\n{\"st\n{\"step\":3}\n").unwrap();
    let error = RunFolder::open(&path).unwrap_err();
    assert!(matches!(error, RunFolderError::DamagedMetrics { line: 2, .. }), "{error}");
}

#[test]
fn resuming_leaves_the_bytes_of_a_run_that_was_never_stopped() {
    let (_home, mut run) = new_run();
    for step in 1..=3 {
        run.append_metrics(&json!({"step": step * 10, "loss": 1.0 / step as f64})).unwrap();
    }
    let never_stopped = fs::read(run.metrics_path()).unwrap();
    run.write_checkpoint(30, b"state").unwrap();
    run.append_metrics(&json!({"step": 40})).unwrap();
    run.write_checkpoint(40, b"unreadable").unwrap();
    let path = run.path().to_owned();
    drop(run);

    let mut run = RunFolder::open(path).unwrap();
    let readable = |checkpoint: &Checkpoint| fs::read(&checkpoint.path).is_ok_and(|bytes| bytes == b"state");
    let latest = run.latest_checkpoint(readable).unwrap().unwrap();
    assert_eq!(latest.step, 30);
    run.rewind_to(latest.step).unwrap();
    assert_eq!(fs::read(run.metrics_path()).unwrap(), never_stopped);
    assert_eq!(run.checkpoints().unwrap(), [latest]);
    run.append_metrics(&json!({"step": 40, "again": true})).unwrap();
    assert_eq!(steps(&run), [10, 20, 30, 40]);
}

#[test]
fn the_newest_checkpoints_stay_in_order_of_their_steps() {
    let (_home, run) = new_run();
    assert_eq!(run.latest_checkpoint(|_| true).unwrap(), None);
    for step in [9, 100, 1_000, 20_000, 300_000] {
        run.write_checkpoint(step, b"x").unwrap();
    }
    let kept: Vec<_> = run.checkpoints().unwrap().iter().map(|checkpoint| checkpoint.step).collect();
    assert_eq!(kept, [1_000, 20_000, 300_000]);
    assert_eq!(run.latest_checkpoint(|_| true).unwrap().unwrap().step, 300_000);
    assert_eq!(run.latest_checkpoint(|_| false).unwrap(), None);
}

#[test]
fn a_kill_between_writing_and_renaming_leaves_the_old_file() {
    let (_home, run) = new_run();
    run.write_checkpoint(10, b"old").unwrap();
    let path = run.path().to_owned();
    // What such a kill leaves behind: the new content, whole or not, under the other name.
    fs::write(partial_name(&run.checkpoint_path(20)), b"ne").unwrap();
    fs::write(partial_name(&run.best_path()), b"be").unwrap();
    drop(run);

    let run = RunFolder::open(&path).unwrap();
    assert_eq!(names(&path.join("checkpoints")), ["step-000000000010.safetensors"]);
    assert!(!names(&path).iter().any(|name| name.ends_with(PARTIAL)));
    let latest = run.latest_checkpoint(|_| true).unwrap().unwrap();
    assert_eq!(fs::read(latest.path).unwrap(), b"old");
}

#[test]
fn a_full_disk_is_named_and_leaves_the_old_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("best.safetensors");
    write_atomically(&path, |file| file.write_all(b"old")).unwrap();
    let error = write_atomically(&path, |file| {
        file.write_all(b"half of the ne")?;
        Err(ErrorKind::StorageFull.into())
    })
    .unwrap_err();
    assert!(matches!(&error, RunFolderError::DiskFull { path: named, .. } if *named == path), "{error}");
    assert!(error.to_string().contains("best.safetensors"), "{error}");
    assert_eq!(names(home.path()), ["best.safetensors"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

// Linux has a device that is always full: the same through the real system call.
#[cfg(target_os = "linux")]
#[test]
fn the_operating_systems_full_disk_is_recognised() {
    let mut full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = RunFolderError::io("write", Path::new("x"), full.write_all(b"x").unwrap_err());
    assert!(matches!(error, RunFolderError::DiskFull { .. }), "{error}");
}

#[test]
fn two_trainings_never_write_in_one_folder() {
    let (_home, run) = new_run();
    let path = run.path().to_owned();
    let error = RunFolder::open(&path).unwrap_err();
    let this = std::process::id();
    assert!(matches!(error, RunFolderError::Busy { process: Some(id), .. } if id == this), "{error}");
    assert!(RunFiles::at(&path).is_ok(), "looking is allowed");
    drop(run);
    // The file of the lock is still there, as after a kill; the lock is not.
    assert!(path.join("lock").exists());
    RunFolder::open(&path).unwrap();
}

#[test]
fn a_lock_file_of_a_dead_process_is_taken_over() {
    let (_home, run) = new_run();
    let path = run.path().to_owned();
    drop(run);
    fs::write(path.join("lock"), "4194304999\n").unwrap();
    let _run = RunFolder::open(&path).unwrap();
    assert_eq!(fs::read_to_string(path.join("lock")).unwrap().trim(), std::process::id().to_string());
}

#[test]
fn folders_that_are_no_runs_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let open = |name: &str| RunFolder::open(home.path().join(name)).unwrap_err();
    assert!(matches!(open("nowhere"), RunFolderError::NotFound { .. }));
    fs::create_dir(home.path().join("music")).unwrap();
    fs::write(home.path().join("music/song.mid"), b"MThd").unwrap();
    assert!(matches!(open("music"), RunFolderError::NotARun { .. }));
    let error = RunFolder::create(home.path().join("music"), &json!({})).unwrap_err();
    assert!(matches!(&error, RunFolderError::NotEmpty { found, .. } if found == "song.mid"), "{error}");

    let (_home, run) = new_run();
    let error = RunFolder::create(run.path(), &json!({})).unwrap_err();
    assert!(matches!(error, RunFolderError::AlreadyARun { .. }), "{error}");
}

#[test]
fn creating_goes_on_where_a_kill_stopped_it() {
    let (_home, run) = new_run();
    let path = run.path().to_owned();
    drop(run);
    fs::remove_file(path.join("run.json")).unwrap();
    RunFolder::create(&path, &json!({"seed": 8})).unwrap();
}

#[test]
fn a_line_without_a_step_is_refused_and_not_written() {
    let (_home, mut run) = new_run();
    for line in [json!({"loss": 1.0}), json!({"step": 1.5}), json!(3)] {
        let error = run.append_metrics(&line).unwrap_err();
        assert!(matches!(error, RunFolderError::MetricsWithoutStep), "{error}");
    }
    assert_eq!(fs::read(run.metrics_path()).unwrap(), b"");
}

#[test]
fn a_damaged_description_is_an_error_with_its_path() {
    let (_home, run) = new_run();
    fs::write(run.description_path(), b"{\"composer\": ").unwrap();
    let error = run.description::<Value>().unwrap_err();
    assert!(matches!(&error, RunFolderError::Json { path, .. } if path.ends_with("run.json")), "{error}");
}
