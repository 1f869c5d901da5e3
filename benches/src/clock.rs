//! Contenders take turns, so that a slow minute of the machine is slow for all of them.

use crate::memory;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Something that is timed.
pub struct Contender<'a> {
    /// What the report calls it.
    pub name: String,
    /// Does the work once and returns what one unit of it took, in milliseconds.
    pub run: Box<dyn FnMut() -> f64 + 'a>,
    /// Floating-point operations of one unit, where that is meaningful.
    pub flops: Option<f64>,
    /// The process whose memory is told, where it does nothing else.
    pub process: Option<u32>,
}

impl<'a> Contender<'a> {
    /// Something that tells its own milliseconds.
    pub fn new(name: &str, run: impl FnMut() -> f64 + 'a) -> Contender<'a> {
        Contender { name: name.to_owned(), run: Box::new(run), flops: None, process: None }
    }

    /// Work that is timed here: `units` units a call.
    pub fn timed(name: &str, units: usize, mut work: impl FnMut() + 'a) -> Contender<'a> {
        Contender::new(name, move || {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64() * 1e3 / units as f64
        })
    }

    /// The same, with the floating-point operations of a unit.
    pub fn with_flops(self, flops: f64) -> Contender<'a> {
        Contender { flops: Some(flops), ..self }
    }

    /// The same, in a process that does nothing else: its memory is told.
    pub fn alone_in(self, process: u32) -> Contender<'a> {
        Contender { process: Some(process), ..self }
    }
}

/// What a contender took.
#[derive(Clone, Debug, Serialize)]
pub struct Samples {
    /// Its name.
    pub name: String,
    /// Milliseconds of each turn, in order, without those for warming up.
    pub milliseconds: Vec<f64>,
    /// Floating-point operations of a unit.
    pub flops: Option<f64>,
    /// The most memory that its process has ever held, in megabytes.
    pub megabytes: Option<f64>,
}

impl Samples {
    /// The quantile `q` of the milliseconds.
    pub fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (q * (sorted.len().saturating_sub(1)) as f64).round() as usize;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The median of the milliseconds.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// GFLOP/s at the median.
    pub fn rate(&self) -> Option<f64> {
        self.flops.map(|flops| flops / self.median() / 1e6)
    }
}

/// Turns of all contenders, one after another, until `seconds` have gone by; at least five, after two for warming up.
///
/// Before each turn the machine rests for a moment: some thread pools spin for a while after their work is done.
pub fn take_turns(contenders: &mut [Contender], seconds: f64) -> Vec<Samples> {
    let empty =
        |c: &Contender| Samples { name: c.name.clone(), milliseconds: Vec::new(), flops: c.flops, megabytes: None };
    let mut samples: Vec<Samples> = contenders.iter().map(empty).collect();
    let begun = Instant::now();
    for turn in 0.. {
        for (contender, samples) in contenders.iter_mut().zip(&mut samples) {
            std::thread::sleep(Duration::from_millis(20));
            let milliseconds = (contender.run)();
            if turn >= 2 {
                samples.milliseconds.push(milliseconds);
            }
        }
        if turn >= 6 && begun.elapsed().as_secs_f64() > seconds {
            break;
        }
    }
    for (contender, samples) in contenders.iter().zip(&mut samples) {
        samples.megabytes = contender.process.and_then(memory::most_resident).map(|bytes| bytes as f64 / 1e6);
    }
    samples
}
