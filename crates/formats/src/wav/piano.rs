//! The strings of one key: a sum of decaying sine waves.
//!
//! Every wave is a rotating, shrinking complex number, `z <- z * r e^(iw)`, eight of them at a time so that the compiler uses
//! vector registers. Nothing is computed by `sin` or `exp` while the note sounds.

use super::noise::Noise;
use super::schedule::Strike;
use super::{BLOCK, Voice};
use std::f32::consts::{PI, TAU};

const LANES: usize = 8;
/// Partials, at most.
const PARTIALS: usize = 24;
/// So many of the lowest partials sound on two strings slightly out of tune.
const DOUBLED: usize = 8;
/// A wave softer than this is over: -110 dB, well below a 16-bit step.
const SILENCE: f32 = 3e-6;

/// Eight waves.
#[derive(Clone, Copy, Default)]
struct Waves {
    re: [f32; LANES],
    im: [f32; LANES],
    /// The step of each wave, `r cos w` and `r sin w`.
    step_re: [f32; LANES],
    step_im: [f32; LANES],
}

/// A struck key.
pub struct Strings {
    /// In order of decay, the longest first; shrinks as waves end.
    waves: Vec<Waves>,
    /// The part of the sound that dies quickly after the stroke, and its decay per sample.
    prompt: f32,
    prompt_decay: f32,
    /// Samples since the stroke, until the attack is over.
    age: usize,
    attack: usize,
    knock: Knock,
    /// What a sample loses once the damper lies on the string.
    damping: f32,
    /// How many times the frequencies are those of the stroke.
    bend: f32,
    pan: [f32; 2],
}

/// The noise of the hammer.
struct Knock {
    noise: Noise,
    level: f32,
    decay: f32,
    low_pass: f32,
    state: f32,
}

/// The factor per sample that takes `seconds` to fall by 60 dB.
fn decay(seconds: f32, sample_rate: f32) -> f32 {
    (-6.907_755 / (seconds * sample_rate)).exp()
}

impl Strings {
    pub fn new(strike: &Strike, sample_rate: u32) -> Strings {
        let rate = sample_rate as f32;
        let pitch = f32::from(strike.pitch);
        let force = f32::from(strike.velocity) / 127.0;
        let fundamental = 440.0 * ((pitch - 69.0) / 12.0).exp2();
        // Octaves above middle C.
        let height = (pitch - 60.0) / 12.0;

        // Stiff strings: partial n lies at n f sqrt(1 + B n^2) (Fletcher 1964); B grows towards the treble.
        let stiffness = (4e-4 * (1.1 * height).exp()).clamp(8e-5, 0.03);
        let ring = (11.0 * (-0.75 * height).exp2()).clamp(0.5, 26.0);
        // A harder stroke excites higher partials.
        let brightness = (500.0 + 3500.0 * force.powf(1.6)) * (0.45 * height).exp2();
        let mut partials = Vec::with_capacity(PARTIALS);
        for n in 1..=PARTIALS {
            let n = n as f32;
            let frequency = n * fundamental * (1.0 + stiffness * n * n).sqrt();
            if frequency > 0.45 * rate || (n > 1.0 && frequency > 11_000.0) {
                break;
            }
            // The hammer hits an eighth of the way along the string; the soundboard hardly radiates the deepest bass.
            let place = (0.5 * TAU * n / 8.3).sin().abs() + 0.03;
            let board = frequency * frequency / (frequency * frequency + 70.0 * 70.0);
            let level = place * board * n.powf(-0.7) * (-(frequency - fundamental) / brightness).exp();
            let seconds = ring / (1.0 + 0.22 * (n - 1.0) + (frequency / 3500.0).powi(2));
            partials.push((frequency, level, seconds));
        }
        let power: f32 = partials.iter().map(|(_, level, _)| level * level).sum();
        let loudness = 0.24 * (0.03 + 0.97 * force.powf(1.7)) * (1.0 - 0.05 * height).clamp(0.6, 1.2);
        let scale = loudness / power.sqrt().max(1e-6);

        let mut waves = Vec::with_capacity(PARTIALS + DOUBLED);
        for (k, &(frequency, level, seconds)) in partials.iter().enumerate() {
            let (cents, share): (&[f32], f32) = if k < DOUBLED { (&[-0.3, 0.3], 0.5) } else { (&[0.0], 1.0) };
            for cent in cents {
                let step = TAU * frequency * (cent / 1200.0).exp2() / rate;
                waves.push((level * scale * share, step, decay(seconds, rate)));
            }
        }
        let waves = waves.chunks(LANES).map(Waves::new).collect();

        // Equal power from left (bass) to right, never quite to one side.
        let angle = TAU / 8.0 * (1.0 + ((pitch - 64.0) / 44.0).clamp(-1.0, 1.0) * 0.55);
        Strings {
            waves,
            prompt: 0.5,
            prompt_decay: decay(1.6 * (-0.5 * height).exp2(), rate),
            age: 0,
            attack: (rate * (0.0035 - 0.002 * force)).max(1.0) as usize,
            knock: Knock {
                noise: Noise::new(u32::from(strike.pitch) << 8 | u32::from(strike.velocity)),
                level: 0.10 * loudness,
                decay: decay(0.06, rate),
                low_pass: 1.0 - (-TAU * (600.0 + 1500.0 * force) / rate).exp(),
                state: 0.0,
            },
            // The highest strings have no dampers.
            damping: if strike.pitch >= 90 { 1.0 } else { decay(0.22 * (-0.35 * height).exp2(), rate) },
            bend: 1.0,
            pan: [angle.cos(), angle.sin()],
        }
    }

    /// Drops the waves that are over: left alone they would become denormal numbers, which are slow.
    fn prune(&mut self) {
        for waves in &mut self.waves {
            for lane in 0..LANES {
                if waves.re[lane].hypot(waves.im[lane]) < SILENCE {
                    (waves.re[lane], waves.im[lane]) = (0.0, 0.0);
                }
            }
        }
        while self.waves.last().is_some_and(Waves::is_silent) {
            self.waves.pop();
        }
        if self.prompt < SILENCE {
            self.prompt = 0.0;
        }
        if self.knock.level < SILENCE {
            self.knock.level = 0.0;
        }
    }
}

impl Waves {
    /// From (level, radians per sample, decay per sample), all starting at phase zero.
    fn new(parameters: &[(f32, f32, f32)]) -> Waves {
        let mut waves = Waves::default();
        for (lane, &(level, step, decay)) in parameters.iter().enumerate() {
            waves.re[lane] = level;
            waves.step_re[lane] = decay * step.cos();
            waves.step_im[lane] = decay * step.sin();
        }
        waves
    }

    fn is_silent(&self) -> bool {
        self.re == [0.0; LANES] && self.im == [0.0; LANES]
    }

    /// Adds so many samples of each wave to its lane.
    fn play(&mut self, out: &mut [[f32; LANES]]) {
        let Waves { mut re, mut im, step_re, step_im } = *self;
        for frame in out {
            for lane in 0..LANES {
                let (a, b) = (re[lane], im[lane]);
                re[lane] = a * step_re[lane] - b * step_im[lane];
                im[lane] = a * step_im[lane] + b * step_re[lane];
                frame[lane] += im[lane];
            }
        }
        (self.re, self.im) = (re, im);
    }
}

impl Voice for Strings {
    fn play(&mut self, out: &mut [[f32; 2]]) {
        debug_assert!(out.len() <= BLOCK);
        let mut lanes = [[0.0; LANES]; BLOCK];
        let lanes = &mut lanes[..out.len()];
        for waves in &mut self.waves {
            waves.play(lanes);
        }
        for (frame, lanes) in out.iter_mut().zip(lanes.iter()) {
            let [a, b, c, d, e, f, g, h] = lanes;
            let tone = (a + e) + (b + f) + ((c + g) + (d + h));
            let mut sample = tone * (0.5 + self.prompt);
            self.prompt *= self.prompt_decay;
            if self.knock.level > 0.0 {
                let knock = &mut self.knock;
                knock.state += knock.low_pass * (knock.noise.next() - knock.state);
                sample += knock.state * knock.level;
                knock.level *= knock.decay;
            }
            if self.age < self.attack {
                // A raised cosine would be finer; at 1-3 ms nobody hears the corner of s^2 (3 - 2s).
                let s = self.age as f32 / self.attack as f32;
                sample *= s * s * (3.0 - 2.0 * s);
                self.age += 1;
            }
            frame[0] += sample * self.pan[0];
            frame[1] += sample * self.pan[1];
        }
        self.prune();
    }

    fn release(&mut self) {
        self.choke(self.damping);
    }

    fn bend(&mut self, factor: f32) {
        let change = factor / std::mem::replace(&mut self.bend, factor);
        if change == 1.0 {
            return;
        }
        for waves in &mut self.waves {
            for lane in 0..LANES {
                let (re, im) = (waves.step_re[lane], waves.step_im[lane]);
                let (length, step) = (re.hypot(im), im.atan2(re) * change);
                if step >= 0.9 * PI {
                    // Too high for the sample rate: it would come back as another tone.
                    (waves.re[lane], waves.im[lane]) = (0.0, 0.0);
                }
                (waves.step_re[lane], waves.step_im[lane]) = (length * step.cos(), length * step.sin());
            }
        }
    }

    fn choke(&mut self, factor: f32) {
        for waves in &mut self.waves {
            for lane in 0..LANES {
                waves.step_re[lane] *= factor;
                waves.step_im[lane] *= factor;
            }
        }
    }

    fn is_silent(&self) -> bool {
        self.waves.is_empty() && self.knock.level == 0.0
    }
}
