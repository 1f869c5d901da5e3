//! The pulses that the vocal folds let through, without any partial that the sample rate cannot hold.
//!
//! Source: G. Fant, J. Liljencrants, Q. Lin, "A four-parameter model of glottal flow", STL-QPSR 26(4), 1985, equations 1-4 (the derivative of
//! the flow, which is what lips radiate); its shape by the one parameter Rd of G. Fant, "The LF-model revisited. Transformations and
//! frequency domain analysis", STL-QPSR 36(2-3), 1995, equations 2-4.
//! Departures: a period is built from its Fourier coefficients, so that no partial folds back; between a soft pulse and a pressed one the
//! voice mixes two periods, whose closures lie at the same moment.

use crate::wav::cycles::{BITS, Cycle};
use std::f64::consts::{PI, TAU};
use std::rc::Rc;

/// Partials of the deepest notes.
const PARTIALS: usize = 192;
/// Samples from which the coefficients are counted.
const FINE: usize = 4096;
/// Periods are made for numbers of partials this many steps an octave apart.
const STEPS: f32 = 4.0;
/// No partial above this many Hz is sung, whatever the sample rate: the resonances leave nothing of it.
const HIGHEST: f32 = 11_000.0;
/// Rd of the soft pulse and of the pressed one; speech lies between 0.5 and 2.5.
const SHAPES: [f64; 2] = [2.2, 0.8];

/// The pulses, and the periods made of them so far.
pub struct Glottis {
    /// Of each partial from the fundamental: soft and pressed, cosine and sine. The fundamental has the level 1.
    partials: Vec<[[f32; 2]; 2]>,
    known: Vec<Option<Rc<Cycle>>>,
    highest: f32,
}

impl Glottis {
    pub fn new(sample_rate: u32) -> Glottis {
        let [soft, pressed] = SHAPES.map(coefficients);
        let partials = soft.iter().zip(&pressed).map(|(soft, pressed)| [*soft, *pressed]).collect();
        Glottis { partials, known: vec![None; 64], highest: (0.43 * sample_rate as f32).min(HIGHEST) }
    }

    /// Which period has as many partials as a tone of so many Hz can hold, vibrato and all.
    pub fn step(&self, hertz: f32) -> usize {
        let partials = (self.highest / (1.03 * hertz)).clamp(1.0, PARTIALS as f32);
        (STEPS * partials.log2()) as usize
    }

    fn partials_of(step: usize) -> usize {
        (step as f32 / STEPS).exp2() as usize
    }

    /// The levels of the partials of a tone of so many Hz that is pressed this much, 0-1.
    pub fn levels(&self, hertz: f32, pressed: f32) -> impl Iterator<Item = f32> {
        let count = Glottis::partials_of(self.step(hertz));
        self.partials[..count].iter().map(move |[soft, hard]| {
            let mixed = |k: usize| soft[k] + (hard[k] - soft[k]) * pressed;
            mixed(0).hypot(mixed(1))
        })
    }

    /// A period, soft and pressed.
    pub fn period(&mut self, step: usize) -> Rc<Cycle> {
        if let Some(Some(cycle)) = self.known.get(step) {
            return Rc::clone(cycle);
        }
        let cycle = Rc::new(self.sum(Glottis::partials_of(step)));
        if let Some(known) = self.known.get_mut(step) {
            *known = Some(Rc::clone(&cycle));
        }
        cycle
    }

    fn sum(&self, count: usize) -> Cycle {
        const LENGTH: usize = 1 << BITS;
        let mut cycle = [[0.0; 2]; LENGTH + 1];
        for (n, [soft, pressed]) in self.partials[..count].iter().enumerate() {
            let (step_im, step_re) = (TAU as f32 * (n + 1) as f32 / LENGTH as f32).sin_cos();
            let (mut re, mut im) = (1.0_f32, 0.0_f32);
            for sample in &mut cycle[..LENGTH] {
                sample[0] += soft[0] * re + soft[1] * im;
                sample[1] += pressed[0] * re + pressed[1] * im;
                (re, im) = (re * step_re - im * step_im, re * step_im + im * step_re);
            }
        }
        cycle[LENGTH] = cycle[0];
        cycle
    }
}

/// The derivative of a pulse's flow over one period of length 1.
struct Pulse {
    /// When the flow is greatest, and when the folds close; how long the return takes.
    peak: f64,
    closure: f64,
    back: f64,
    /// The growth of the opening sine, and the rate of the return.
    alpha: f64,
    epsilon: f64,
}

impl Pulse {
    /// Of a shape Rd.
    fn new(shape: f64) -> Pulse {
        let ra = (-1.0 + 4.8 * shape) / 100.0;
        let rk = (22.4 + 11.8 * shape) / 100.0;
        let rg = rk / (4.0 * (0.11 * shape / (0.5 + 1.2 * rk) - ra));
        let peak = 0.5 / rg;
        let closure = peak * (1.0 + rk);
        let rest = 1.0 - closure;
        // epsilon Ta = 1 - exp(-epsilon (Tc - Te)): a few rounds of substitution.
        let mut epsilon = 1.0 / ra;
        for _ in 0..50 {
            epsilon = (1.0 - (-epsilon * rest).exp()) / ra;
        }
        let mut pulse = Pulse { peak, closure, back: ra, alpha: 0.0, epsilon };
        // The flow ends where it began: the area under the derivative is nothing. It falls with alpha.
        let (mut low, mut high) = (-60.0, 60.0);
        for _ in 0..80 {
            pulse.alpha = 0.5 * (low + high);
            if pulse.area() > 0.0 { low = pulse.alpha } else { high = pulse.alpha }
        }
        pulse
    }

    /// At the closure it is -1.
    fn at(&self, t: f64) -> f64 {
        let omega = PI / self.peak;
        if t <= self.closure {
            ((t - self.closure) * self.alpha).exp() * (omega * t).sin() / -(omega * self.closure).sin()
        } else {
            let end = (-self.epsilon * (1.0 - self.closure)).exp();
            -((-self.epsilon * (t - self.closure)).exp() - end) / (self.epsilon * self.back)
        }
    }

    fn area(&self) -> f64 {
        (0..FINE).map(|k| self.at((k as f64 + 0.5) / FINE as f64)).sum()
    }
}

/// Cosines and sines of a pulse's partials, the closure at the beginning of the period, the fundamental of level 1.
fn coefficients(shape: f64) -> Vec<[f32; 2]> {
    let pulse = Pulse::new(shape);
    let samples: Vec<f64> =
        (0..FINE).map(|k| pulse.at(((k as f64 + 0.5) / FINE as f64 + pulse.closure).fract())).collect();
    let of = |n: usize| {
        let (step_im, step_re) = (TAU * n as f64 / FINE as f64).sin_cos();
        let (mut im, mut re) = (0.5 * TAU * n as f64 / FINE as f64).sin_cos();
        let mut sum = [0.0; 2];
        for sample in &samples {
            sum[0] += sample * re;
            sum[1] += sample * im;
            (re, im) = (re * step_re - im * step_im, re * step_im + im * step_re);
        }
        sum
    };
    let first = of(1);
    let scale = 1.0 / first[0].hypot(first[1]);
    (1..=PARTIALS).map(|n| of(n).map(|part| (part * scale) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_opens_slowly_closes_fast_and_lets_nothing_stand() {
        for shape in SHAPES {
            let pulse = Pulse::new(shape);
            assert!(pulse.area().abs() < 1e-6 * FINE as f64, "{}", pulse.area());
            assert!((pulse.at(pulse.closure) + 1.0).abs() < 1e-9);
            assert!((pulse.at(pulse.closure + 1e-7) + 1.0).abs() < 1e-3, "the return begins where the opening ends");
            let lowest = (0..1000).map(|k| pulse.at(f64::from(k) / 1000.0)).fold(0.0, f64::min);
            assert!(lowest > -1.01 && pulse.closure > 0.5 && pulse.closure < 0.95);
        }
    }

    #[test]
    fn a_pressed_voice_is_brighter_and_both_fall_off() {
        let glottis = Glottis::new(44_100);
        let decibels = |pressed| -> Vec<f32> { glottis.levels(110.0, pressed).map(|x| 20.0 * x.log10()).collect() };
        let (soft, pressed) = (decibels(0.0), decibels(1.0));
        assert!(soft[0].abs() < 1e-3 && pressed[0].abs() < 1e-3);
        for octave in [4, 8, 16, 32] {
            assert!(pressed[octave - 1] > soft[octave - 1] + 3.0, "partial {octave}");
            // 6 to 18 dB an octave.
            let fall = pressed[octave - 1] - pressed[2 * octave - 1];
            assert!((4.0..20.0).contains(&fall), "{fall} dB from partial {octave}");
        }
    }

    #[test]
    fn no_partial_lies_where_the_sample_rate_cannot_hold_it() {
        for rate in [8_000, 44_100] {
            let glottis = Glottis::new(rate);
            for hertz in [30.0, 110.0, 440.0, 1500.0, 3000.0] {
                let count = glottis.levels(hertz, 0.5).count();
                assert!(count >= 1);
                assert!(count == 1 || 1.03 * hertz * count as f32 <= 0.45 * rate as f32, "{hertz} Hz: {count}");
            }
        }
    }

    #[test]
    fn a_period_is_the_sum_of_its_partials() {
        let mut glottis = Glottis::new(44_100);
        let step = glottis.step(440.0);
        let cycle = glottis.period(step);
        let power = cycle[..1 << BITS].iter().map(|sample| sample[1] * sample[1]).sum::<f32>() / (1 << BITS) as f32;
        let expected = glottis.levels(440.0, 1.0).map(|level| 0.5 * level * level).sum::<f32>();
        assert!((power / expected - 1.0).abs() < 1e-3, "{power} {expected}");
    }
}
