//! The whole program: from process start to the file written.

use crate::Common;
use crate::clock::Contender;
use crate::report::Report;
use std::io::Result;
use std::path::Path;
use std::process::{Command, Stdio};

/// `cantus compose --bars 32` with the model that comes with it.
pub fn run(common: &Common, cantus: &Path) -> Result<Report> {
    let folder = std::env::temp_dir().join(format!("cantus-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let out = folder.join("piece.mid");
    let compose = || {
        let mut command = Command::new(cantus);
        command.args(["compose", "--bars", "32", "-o"]).arg(&out).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let _ = std::fs::remove_file(&out);
    if !compose().status()?.success() || !out.exists() {
        return Err(std::io::Error::other("cantus compose did not write its piece"));
    }
    let mut refused = 0;
    let work = || {
        let _ = std::fs::remove_file(&out);
        refused += usize::from(!compose().status().is_ok_and(|status| status.success()));
    };
    let mut report = common.race(
        "startup",
        "milliseconds a piece of 32 bars",
        vec![Contender::timed("cantus compose", 1, work)],
        Vec::new(),
    );
    // SAFETY: `usage` is plain data that the call fills in.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let megabytes = usage.ru_maxrss as f64 * if cfg!(target_os = "macos") { 1e-6 } else { 1.024e-3 };
    report.remarks.push(format!("most memory of one process: {megabytes:.1} MB; {refused} failed"));
    std::fs::remove_dir_all(&folder)?;
    Ok(report)
}
