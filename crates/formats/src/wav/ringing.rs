//! What is struck or plucked and then left alone: a sum of decaying sine waves.
//!
//! Every wave is a rotating, shrinking complex number, `z <- z * r e^(iw)`, eight of them at a time so that the compiler uses
//! vector registers. Nothing is computed by `sin` or `exp` while the note sounds.

use super::noise::Noise;
use super::{BLOCK, Voice};
use std::f32::consts::PI;

const LANES: usize = 8;
/// A wave softer than this is over: -110 dB, well below a 16-bit step.
pub const SILENCE: f32 = 3e-6;

/// Eight waves.
#[derive(Clone, Copy, Default)]
struct Waves {
    re: [f32; LANES],
    im: [f32; LANES],
    /// The step of each wave, `r cos w` and `r sin w`.
    step_re: [f32; LANES],
    step_im: [f32; LANES],
}

/// A struck note.
pub struct Ringing {
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

/// What a note begins as.
pub struct Stroke<'a> {
    /// Level, radians per sample and decay per sample of each wave, the longest first.
    pub waves: &'a [(f32, f32, f32)],
    /// How much louder the beginning is: level and decay per sample.
    pub prompt: (f32, f32),
    /// Samples until the sound is there.
    pub attack: usize,
    pub knock: Knock,
    /// What a sample loses once the damper lies on the string.
    pub damping: f32,
    /// Factors for left and right.
    pub pan: [f32; 2],
}

/// The noise of the hammer or the finger.
pub struct Knock {
    pub noise: Noise,
    pub level: f32,
    pub decay: f32,
    pub low_pass: f32,
    pub state: f32,
}

/// The factor per sample that takes `seconds` to fall by 60 dB.
pub fn decay(seconds: f32, sample_rate: f32) -> f32 {
    (-6.907_755 / (seconds * sample_rate)).exp()
}

impl Ringing {
    pub fn new(stroke: Stroke) -> Ringing {
        Ringing {
            waves: stroke.waves.chunks(LANES).map(Waves::new).collect(),
            prompt: stroke.prompt.0,
            prompt_decay: stroke.prompt.1,
            age: 0,
            attack: stroke.attack.max(1),
            knock: stroke.knock,
            damping: stroke.damping,
            bend: 1.0,
            pan: stroke.pan,
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

impl Voice for Ringing {
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
