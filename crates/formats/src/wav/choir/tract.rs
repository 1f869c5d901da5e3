//! Resonances in a row, for eight singers at a time, and what lies above the fifth.
//!
//! Source: D. H. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67, 1980, equations 1-2 (the resonator); G. Fant,
//! "Acoustic Theory of Speech Production", 1960, section 1.3 (the correction for higher poles).

use super::formants::{FORMANTS, Formants};
use std::f32::consts::TAU;

/// Singers of a bank: the compiler puts them into vector registers.
pub const LANES: usize = 8;

/// A resonance passes the lowest frequencies as they are: `y = a x + b y' + c y''`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resonance {
    a: f32,
    b: f32,
    c: f32,
}

impl Resonance {
    /// It changes nothing.
    const NONE: Resonance = Resonance { a: 1.0, b: 0.0, c: 0.0 };

    /// At a frequency and with a bandwidth in Hz; none where the sample rate has no place for it.
    pub fn new(hertz: f32, width: f32, rate: f32) -> Resonance {
        if hertz > 0.43 * rate {
            return Resonance::NONE;
        }
        let c = -(-TAU * width / rate).exp();
        let b = 2.0 * (-0.5 * TAU * width / rate).exp() * (TAU * hertz / rate).cos();
        // What is left where b and c are near 2 and -1 has few digits; in double precision it has enough.
        let a = (1.0 - f64::from(b) - f64::from(c)) as f32;
        Resonance { a, b, c }
    }

    /// How much it lets through at so many radians a sample, squared.
    fn power(self, radians: f32) -> f32 {
        let (sin, cos) = radians.sin_cos();
        let re = 1.0 - self.b * cos - self.c * (2.0 * cos * cos - 1.0);
        let im = self.b * sin + self.c * 2.0 * sin * cos;
        self.a * self.a / (re * re + im * im)
    }
}

/// The five resonances of eight singers.
pub struct Bank {
    a: [[f32; LANES]; FORMANTS],
    b: [[f32; LANES]; FORMANTS],
    c: [[f32; LANES]; FORMANTS],
    last: [[f32; LANES]; FORMANTS],
    before: [[f32; LANES]; FORMANTS],
}

impl Bank {
    pub fn new() -> Bank {
        let zero = [[0.0; LANES]; FORMANTS];
        Bank { a: [[1.0; LANES]; FORMANTS], b: zero, c: zero, last: zero, before: zero }
    }

    /// A singer's mouth takes another shape.
    pub fn set(&mut self, lane: usize, formants: &Formants, rate: f32) {
        for k in 0..FORMANTS {
            let Resonance { a, b, c } = Resonance::new(formants.hertz[k], formants.widths[k], rate);
            (self.a[k][lane], self.b[k][lane], self.c[k][lane]) = (a, b, c);
        }
    }

    /// What becomes of the pulses.
    pub fn play(&mut self, samples: &mut [[f32; LANES]]) {
        for k in 0..FORMANTS {
            let (a, b, c) = (self.a[k], self.b[k], self.c[k]);
            let (mut last, mut before) = (self.last[k], self.before[k]);
            for frame in samples.iter_mut() {
                for lane in 0..LANES {
                    let y = (a[lane] * frame[lane] + c[lane] * before[lane]) + b[lane] * last[lane];
                    before[lane] = last[lane];
                    last[lane] = y;
                    frame[lane] = y;
                }
            }
            (self.last[k], self.before[k]) = (last, before);
        }
    }

    /// The largest number that still rings in it.
    pub fn ringing(&self) -> f32 {
        self.last.as_flattened().iter().fold(0.0, |most, x| most.max(x.abs()))
    }

    /// Nothing rings any more: what is left would become numbers that are slow to reckon with.
    pub fn hush(&mut self) {
        self.last = [[0.0; LANES]; FORMANTS];
        self.before = self.last;
    }
}

/// Real zeros at this many Hz, and a resonance of this frequency and bandwidth, stand for all resonances above the fifth: within 3.5 dB of the
/// product of those of a tube of 17.5 cm up to 4 kHz.
const ZEROS: f32 = 2620.0;
const ABOVE: (f32, f32) = (5000.0, 1200.0);

/// What the throat does beyond its fifth resonance. It is the same for everybody, so that all voices together pass it once.
#[derive(Clone, Copy)]
pub struct Higher {
    zero: f32,
    resonance: Resonance,
    /// The four zeros' last samples, then the resonance's.
    state: [[f32; 2]; 6],
}

impl Higher {
    pub fn new(rate: f32) -> Higher {
        let zero = (-TAU * ZEROS / rate).exp();
        Higher { zero, resonance: Resonance::new(ABOVE.0, ABOVE.1, rate), state: [[0.0; 2]; 6] }
    }

    fn power(&self, radians: f32) -> f32 {
        let (sin, cos) = radians.sin_cos();
        let one = ((1.0 - self.zero * cos).powi(2) + (self.zero * sin).powi(2)) / (1.0 - self.zero).powi(2);
        one.powi(4) * self.resonance.power(radians)
    }

    /// Left and right.
    pub fn play(&mut self, frames: &mut [[f32; 2]]) {
        let (zero, scale) = (self.zero, 1.0 / (1.0 - self.zero));
        let Resonance { a, b, c } = self.resonance;
        for frame in frames {
            for side in 0..2 {
                let mut x = frame[side];
                for state in &mut self.state[..4] {
                    (x, state[side]) = ((x - zero * state[side]) * scale, x);
                }
                let y = a * x + b * self.state[4][side] + c * self.state[5][side];
                (self.state[5][side], self.state[4][side]) = (self.state[4][side], y);
                frame[side] = y;
            }
        }
    }

    /// The largest number that still rings in it.
    pub fn ringing(&self) -> f32 {
        self.state.as_flattened().iter().fold(0.0, |most, x| most.max(x.abs()))
    }

    /// See [`Bank::hush`].
    pub fn hush(&mut self) {
        self.state = [[0.0; 2]; 6];
    }
}

/// The mean power of a tone of so many Hz whose partials have these levels, once it has passed these formants.
pub fn power(formants: &Formants, higher: &Higher, hertz: f32, levels: impl Iterator<Item = f32>, rate: f32) -> f32 {
    let resonances: [Resonance; FORMANTS] =
        std::array::from_fn(|k| Resonance::new(formants.hertz[k], formants.widths[k], rate));
    let of = |(n, level): (usize, f32)| {
        let radians = TAU * hertz * (n + 1) as f32 / rate;
        let passed: f32 = resonances.iter().map(|resonance| resonance.power(radians)).product();
        0.5 * level * level * passed * higher.power(radians)
    };
    levels.enumerate().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::super::formants::{Register, Shape};
    use super::*;

    const RATE: f32 = 44_100.0;

    #[test]
    fn what_is_reckoned_is_what_is_played() {
        let formants = Formants::of(Register::Tenor, Shape::Ah);
        let (mut bank, mut higher) = (Bank::new(), Higher::new(RATE));
        bank.set(3, &formants, RATE);
        let reckoned = power(&formants, &higher, 200.0, [0.0, 0.0, 0.3, 0.0, 0.1].into_iter(), RATE);
        let mut played = 0.0;
        for second in 0..2 {
            let mut samples = vec![[0.0; LANES]; RATE as usize];
            for (k, frame) in samples.iter_mut().enumerate() {
                let turn = |hertz: f32| (TAU * ((hertz * k as f32 / RATE).fract())).sin();
                frame[3] = 0.3 * turn(600.0) + 0.1 * turn(1000.0);
            }
            bank.play(&mut samples);
            assert!(samples.iter().all(|frame| frame[2] == 0.0));
            let mut frames: Vec<[f32; 2]> = samples.iter().map(|frame| [frame[3], 0.0]).collect();
            higher.play(&mut frames);
            if second == 1 {
                played = frames.iter().map(|frame| f64::from(frame[0] * frame[0])).sum::<f64>() / f64::from(RATE);
            }
        }
        assert!((played / f64::from(reckoned) - 1.0).abs() < 0.01, "{played} {reckoned}");
    }

    #[test]
    fn what_stands_for_the_higher_poles_is_near_their_product() {
        let higher = Higher::new(RATE);
        for hertz in [200.0_f32, 500.0, 1000.0, 1500.0, 2000.0, 2500.0, 3000.0, 3500.0, 4000.0] {
            let found = 10.0 * higher.power(TAU * hertz / RATE).log10();
            let poles = (6..2000).map(|n| 1.0 - (f64::from(hertz) / (1000.0 * f64::from(n) - 500.0)).powi(2));
            let product = -20.0 * poles.map(f64::log10).sum::<f64>();
            assert!((f64::from(found) - product).abs() < 3.5, "{hertz} Hz: {found} dB for {product}");
        }
    }
}
