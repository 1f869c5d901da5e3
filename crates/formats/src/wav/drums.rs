//! A drum stroke: falling tones, and noise through a filter. What each drum is made of says [`super::kit`].

use super::Voice;
use super::filter::Filter;
use super::kit::{self, Band};
use super::noise::Noise;
use super::ringing::{SILENCE, decay};
use super::schedule::Strike;
use super::tone::pan;
use std::f32::consts::TAU;

/// Samples between two looks at what changes slowly.
const CONTROL: usize = 32;
/// Hz of the square waves that make metal: those of the Roland TR-808's cymbals (service notes, 1980).
const METAL: [f32; 6] = [205.3, 304.4, 369.6, 522.7, 540.0, 800.0];

/// One tone, as a rotating and shrinking complex number.
struct Mode {
    re: f32,
    im: f32,
    /// Radians per sample once it has fallen.
    step: f32,
    decay: f32,
}

/// A drum being struck. It rings out by itself, unless another stroke of its player ends it.
pub struct Drum {
    modes: Vec<Mode>,
    /// By how much its tones are too high, and what is left of that after a sample.
    sharp: f32,
    sharp_decay: f32,
    noise: Noise,
    filter: Filter,
    band: Band,
    metal: f32,
    /// Where the square waves are in their periods, and how far a sample goes.
    squares: [(u32, u32); METAL.len()],
    burst: f32,
    burst_decay: f32,
    /// Bursts to come, samples between two, and until the next; and the level of each.
    bursts: u32,
    apart: usize,
    wait: usize,
    again: f32,
    age: f32,
    attack: f32,
    pan: [f32; 2],
    /// What ends it early: what is left, and what that loses a sample.
    left: f32,
    loss: f32,
    damping: f32,
}

impl Drum {
    pub fn new(strike: &Strike, sample_rate: u32) -> Drum {
        let rate = sample_rate as f32;
        let drum = kit::drum(strike.pitch);
        let force = f32::from(strike.velocity) / 127.0;
        let level = 0.03 + 0.97 * force.powf(1.5);
        let is_heard = |tone: &(f32, f32, f32)| tone.1 > 0.0 && drum.falls.0.max(1.0) * tone.0 < 0.45 * rate;
        let modes =
            drum.tones.iter().enumerate().filter(|(_, tone)| is_heard(tone)).map(|(k, (hertz, part, seconds))| {
                // A soft stroke excites the lowest tone alone.
                let part = if k == 0 { *part } else { part * (0.4 + 0.6 * force) };
                Mode { re: part * level, im: 0.0, step: TAU * hertz / rate, decay: decay(*seconds, rate) }
            });
        let (band, hertz, quality) = drum.filter;
        // And a hard one brings out the highest of the noise.
        let hertz = hertz * (0.75 + 0.25 * force);
        // The same noise a Hz at any sample rate.
        let noise = drum.noise.0 * level * (0.6 + 0.4 * force) * (rate / 44_100.0).sqrt();
        let mut seed = Noise::new(u32::from(strike.pitch) << 8 | u32::from(strike.velocity));
        let squares = METAL.map(|hertz| {
            // Four times as high as in that machine, whose filters took what lies far above.
            let step = (4.0 * hertz / rate * 4_294_967_296.0) as u32;
            (((0.5 + 0.5 * seed.next()) * u32::MAX as f32) as u32, step)
        });
        let (bursts, apart) = drum.bursts;
        Drum {
            modes: modes.collect(),
            sharp: drum.falls.0 - 1.0,
            sharp_decay: decay(2.0 * drum.falls.1, rate),
            noise: seed,
            filter: Filter::new(hertz, quality, rate),
            band,
            metal: drum.metal,
            squares,
            burst: noise,
            burst_decay: decay(drum.noise.1, rate),
            bursts: bursts - 1,
            apart: (apart * rate) as usize,
            wait: (apart * rate) as usize,
            again: noise,
            age: 0.0,
            attack: (rate * drum.attack).max(1.0),
            pan: pan(drum.place),
            left: 1.0,
            loss: 1.0,
            damping: decay(0.05, rate),
        }
    }

    /// Adds the noise to `out`, which holds the tones.
    fn hiss(&mut self, out: &mut [f32]) {
        for out in out {
            if self.bursts > 0 {
                if self.wait == 0 {
                    self.bursts -= 1;
                    self.wait = self.apart;
                    // The last burst is the loudest, as hands and ridges have it.
                    self.burst = if self.bursts == 0 { self.again } else { 0.7 * self.again };
                }
                self.wait -= 1;
                if self.bursts > 0 {
                    // Before the last, every burst is over before the next.
                    self.burst *= 1.0 - 3.0 / self.apart as f32;
                }
            }
            let mut sample = self.noise.next();
            if self.metal > 0.0 {
                let mut sum = 0_i32;
                for (phase, step) in &mut self.squares {
                    *phase = phase.wrapping_add(*step);
                    sum += 1 - 2 * (*phase >> 31).cast_signed();
                }
                sample += self.metal * (sum as f32 / 4.0 - sample);
            }
            let [low, band, high] = self.filter.step(sample);
            let noise = match self.band {
                Band::Below => low,
                Band::Around => band,
                Band::Above => high,
            };
            *out += self.burst * noise;
            self.burst *= self.burst_decay;
        }
    }
}

impl Voice for Drum {
    fn play(&mut self, out: &mut [[f32; 2]]) {
        for out in out.chunks_mut(CONTROL) {
            let mut samples = [0.0; CONTROL];
            let samples = &mut samples[..out.len()];
            // The skin is tighter while it is far out.
            let factor = 1.0 + self.sharp;
            self.sharp *= self.sharp_decay.powi(out.len() as i32);
            for mode in &mut self.modes {
                let (sin, cos) = (mode.step * factor).sin_cos();
                let (cos, sin) = (mode.decay * cos, mode.decay * sin);
                for sample in &mut *samples {
                    (mode.re, mode.im) = (mode.re * cos - mode.im * sin, mode.re * sin + mode.im * cos);
                    *sample += mode.im;
                }
            }
            self.modes.retain(|mode| mode.re.hypot(mode.im) > SILENCE);
            if self.burst > SILENCE || self.bursts > 0 {
                self.hiss(samples);
            }
            for (frame, sample) in out.iter_mut().zip(samples) {
                let attack = (self.age / self.attack).min(1.0);
                self.age += 1.0;
                let sample = *sample * attack * self.left;
                self.left *= self.loss;
                frame[0] += sample * self.pan[0];
                frame[1] += sample * self.pan[1];
            }
        }
    }

    fn release(&mut self) {
        self.choke(self.damping);
    }

    fn choke(&mut self, factor: f32) {
        self.loss *= factor;
    }

    fn is_silent(&self) -> bool {
        (self.modes.is_empty() && self.burst <= SILENCE && self.bursts == 0) || self.left < SILENCE
    }
}
