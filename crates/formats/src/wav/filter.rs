//! A filter for noise: what lies below, around and above a frequency.
//!
//! Source: A. Simper, "Linear Trapezoidal Integrated State Variable Filter", Cytomic, 2013, the equations of its first algorithm.

use std::f32::consts::PI;

/// Two poles.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    resonance: f32,
    a: [f32; 3],
    state: [f32; 2],
}

impl Filter {
    /// Around `frequency` in Hz; `quality` is the frequency over the width of the band.
    pub fn new(frequency: f32, quality: f32, sample_rate: f32) -> Filter {
        let g = (PI * (frequency / sample_rate).clamp(1e-4, 0.45)).tan();
        let resonance = 1.0 / quality;
        let a1 = 1.0 / (1.0 + g * (g + resonance));
        Filter { resonance, a: [a1, g * a1, g * g * a1], state: [0.0; 2] }
    }

    /// The next sample: what lies below, within (of level 1 in the middle) and above.
    pub fn step(&mut self, sample: f32) -> [f32; 3] {
        let [a1, a2, a3] = self.a;
        let rest = sample - self.state[1];
        let band = a1 * self.state[0] + a2 * rest;
        let low = self.state[1] + a2 * self.state[0] + a3 * rest;
        self.state = [2.0 * band - self.state[0], 2.0 * low - self.state[1]];
        let band = self.resonance * band;
        [low, band, sample - band - low]
    }
}
