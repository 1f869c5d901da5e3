//! Tables to read, and raw figures to keep.

use crate::clock::Samples;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Where, when and how figures were measured.
#[derive(Debug, Serialize)]
pub struct Conditions {
    /// The command line.
    pub command: Vec<String>,
    /// The processor, as it names itself.
    pub processor: String,
    /// The instructions that our kernels take.
    pub instructions: String,
    /// Threads of both sides.
    pub threads: usize,
}

impl Conditions {
    /// Of this run.
    pub fn now(threads: usize) -> Conditions {
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        Conditions {
            command: std::env::args().map(|word| without_folders(&word)).collect(),
            processor: processor.trim_matches([' ', '\t', ':']).to_owned(),
            instructions: format!("{:?}", cantus_nn::simd::Level::detect()),
            threads,
        }
    }
}

/// A word of the command line as it would be typed on any machine: of a path that leads elsewhere, the last name.
fn without_folders(word: &str) -> String {
    let path = Path::new(word);
    match path.file_name() {
        Some(name) if path.is_absolute() || path.starts_with("..") => name.to_string_lossy().into_owned(),
        _ => word.to_owned(),
    }
}

/// One benchmark's figures.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// What a unit is.
    pub unit: String,
    /// Where, when and how.
    pub conditions: Conditions,
    /// The contenders, ours first.
    pub samples: Vec<Samples>,
    /// Anything else that was found, in words.
    pub remarks: Vec<String>,
}

impl Report {
    /// The machine's peak in GFLOP/s, where it was among the contenders.
    fn peak(&self) -> Option<f64> {
        self.samples.iter().find(|s| s.name == crate::peak::NAME)?.rate()
    }

    /// Prints a table; the last column is how many times as fast as each contender ours (the first) is.
    pub fn print(&self) {
        println!("\n{} ({}; {} threads; {})", self.name, self.unit, self.conditions.threads, self.conditions.processor);
        println!(
            "{:<34} {:>10} {:>10} {:>10} {:>5} {:>9} {:>8} {:>9} {:>9}",
            "", "median", "10%", "90%", "n", "GFLOP/s", "of peak", "ours is", "memory"
        );
        let ours = self.samples.first().map_or(f64::NAN, Samples::median);
        for samples in &self.samples {
            let rate = samples.rate().map_or(String::new(), |rate| format!("{rate:.0}"));
            let share = match (samples.rate(), self.peak()) {
                (Some(rate), Some(peak)) => format!("{:.0}%", 100.0 * rate / peak),
                _ => String::new(),
            };
            let against = match samples.name == crate::peak::NAME {
                true => String::new(),
                false => format!("{:.2} x", samples.median() / ours),
            };
            let memory = samples.megabytes.map_or(String::new(), |megabytes| format!("{megabytes:.0} MB"));
            println!(
                "{:<34} {:>10.4} {:>10.4} {:>10.4} {:>5} {:>9} {:>8} {:>9} {:>9}",
                samples.name,
                samples.median(),
                samples.quantile(0.1),
                samples.quantile(0.9),
                samples.milliseconds.len(),
                rate,
                share,
                against,
                memory
            );
        }
        self.remarks.iter().for_each(|remark| println!("  {remark}"));
    }

    /// Writes the raw figures as `FOLDER/NAME.json`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, folder: &Path) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", self.name));
        let json = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        std::fs::write(&path, json + "\n")?;
        Ok(path)
    }
}
