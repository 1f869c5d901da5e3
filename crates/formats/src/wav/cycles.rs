//! One period of a tone, in a soft and in a bright form.
//!
//! Both have the same partials in the same phases, so that a mixture of them is a tone of any brightness between. Only partials that the
//! sample rate can hold are in it, and that an upward bend does not fold back at once.

// tidy: allow(circle): a cycle is made for a tone's timbre, and a tone plays cycles
use super::tone::{Spectrum, Timbre};
use std::collections::HashMap;
use std::f32::consts::TAU;
use std::rc::Rc;

/// Samples of a period, as a power of two.
pub const BITS: u32 = 11;
/// Samples of a period.
const LENGTH: usize = 1 << BITS;
/// Partials at most: the highest still has some twenty samples, enough for straight lines between them.
const PARTIALS: usize = 96;
/// So many periods are kept for the next note of the same instrument and pitch (4 MB).
const KEPT: usize = 256;

/// A period: soft and bright, and the first sample again at its end.
pub type Cycle = [[f32; 2]; LENGTH + 1];

/// The periods that were needed lately.
#[derive(Default)]
pub struct Cycles {
    known: HashMap<(u8, u8), Rc<Cycle>>,
}

impl Cycles {
    /// The period of a program's pitch.
    pub fn of(&mut self, program: u8, pitch: u8, timbre: &Timbre, sample_rate: u32) -> Rc<Cycle> {
        if let Some(cycle) = self.known.get(&(program, pitch)) {
            return Rc::clone(cycle);
        }
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        let cycle = Rc::new(cycle(timbre, pitch, sample_rate as f32));
        self.known.insert((program, pitch), Rc::clone(&cycle));
        cycle
    }
}

/// The levels of partial `n`, soft and bright.
fn levels(timbre: &Timbre, n: usize, fundamental: f32) -> [f32; 2] {
    let frequency = n as f32 * fundamental;
    let plain = match timbre.spectrum {
        Spectrum::Slope { slope, even } => (n as f32).powf(-slope) * if n.is_multiple_of(2) { even } else { 1.0 },
        Spectrum::Partials(levels) => levels.get(n - 1).copied().unwrap_or(0.0),
    };
    // The body of an instrument, or a throat, favours some regions whatever the pitch.
    let body: f32 = timbre
        .formants
        .iter()
        .map(|(centre, gain)| gain * (-((frequency / centre).log2() / 0.45).powi(2)).exp())
        .sum::<f32>();
    let [soft, bright] = timbre.cutoff.map(|cutoff| (-(frequency - fundamental) / cutoff).exp());
    [plain * (1.0 + body) * soft, plain * (1.0 + body) * bright]
}

fn cycle(timbre: &Timbre, pitch: u8, sample_rate: f32) -> Cycle {
    let fundamental = 440.0 * ((f32::from(pitch) - 69.0) / 12.0).exp2();
    let highest = (0.4 * sample_rate).min(10_000.0);
    let mut cycle = [[0.0; 2]; LENGTH + 1];
    let mut power = [0.0_f32; 2];
    for n in 1..=PARTIALS {
        let frequency = n as f32 * fundamental;
        if frequency > 0.45 * sample_rate || (n > 1 && frequency > highest) {
            break;
        }
        let levels = levels(timbre, n, fundamental);
        if levels[1].max(levels[0]) < 1e-4 {
            continue;
        }
        // Scattered phases: where all begin together, their peaks add up. The fundamental begins at zero.
        let (mut im, mut re) = (TAU * ((n - 1) as f32 * 0.618_034).fract()).sin_cos();
        let (step_im, step_re) = (TAU * n as f32 / LENGTH as f32).sin_cos();
        for sample in &mut cycle {
            sample[0] += levels[0] * im;
            sample[1] += levels[1] * im;
            (re, im) = (re * step_re - im * step_im, re * step_im + im * step_re);
        }
        power = [0, 1].map(|k| power[k] + levels[k] * levels[k]);
    }
    // Both are equally strong: how loud a note is, its velocity says alone.
    let scale = power.map(|power| 1.0 / power.sqrt().max(1e-6));
    for sample in &mut cycle {
        *sample = [sample[0] * scale[0], sample[1] * scale[1]];
    }
    cycle[LENGTH] = cycle[0];
    cycle
}
