//! A drum stroke: a falling tone and a burst of noise.

use super::Voice;
use super::noise::Noise;
use super::schedule::Strike;
use std::f32::consts::TAU;

/// What a stroke is made of.
struct Kind {
    /// The tone's frequency in Hz, its level, and how long it takes to vanish.
    tone: (f32, f32, f32),
    /// The noise's level, and how long it takes to vanish.
    noise: (f32, f32),
    /// Whether the noise hisses (cymbals) instead of rattling.
    hisses: bool,
    pan: f32,
}

/// General MIDI's percussion keys, roughly.
fn kind(key: u8) -> Kind {
    let tom = |frequency, pan| Kind { tone: (frequency, 0.6, 0.35), noise: (0.1, 0.06), hisses: false, pan };
    let cymbal = |seconds, pan| Kind { tone: (0.0, 0.0, 0.1), noise: (0.22, seconds), hisses: true, pan };
    match key {
        35 | 36 => Kind { tone: (55.0, 0.9, 0.3), noise: (0.1, 0.03), hisses: false, pan: 0.0 },
        38 | 40 => Kind { tone: (185.0, 0.3, 0.15), noise: (0.5, 0.2), hisses: false, pan: 0.0 },
        41 | 43 => tom(85.0, 0.4),
        45 | 47 => tom(120.0, 0.0),
        48 | 50 => tom(165.0, -0.4),
        42 | 44 => cymbal(0.08, 0.3),
        46 => cymbal(0.5, 0.3),
        49 | 52 | 55 | 57 => cymbal(1.6, -0.3),
        51 | 53 | 59 => cymbal(0.8, 0.3),
        _ => Kind { tone: (400.0, 0.15, 0.06), noise: (0.25, 0.1), hisses: false, pan: 0.2 },
    }
}

/// A drum being struck. It rings out by itself: nobody releases a drum.
pub struct Drum {
    phase: f32,
    step: f32,
    tone: f32,
    tone_decay: f32,
    noise: Noise,
    burst: f32,
    burst_decay: f32,
    /// The last noise, for the hiss, and the smoothed one, for the rattle.
    last: f32,
    smooth: f32,
    hisses: bool,
    age: f32,
    attack: f32,
    pan: [f32; 2],
}

impl Drum {
    pub fn new(strike: &Strike, sample_rate: u32) -> Drum {
        let rate = sample_rate as f32;
        let Kind { tone: (frequency, tone, tone_seconds), noise: (burst, burst_seconds), hisses, pan } =
            kind(strike.pitch);
        let force = 0.7 * (f32::from(strike.velocity) / 127.0).powf(1.5);
        let decay = |seconds: f32| (-6.907_755 / (seconds * rate)).exp();
        let angle = TAU / 8.0 * (1.0 + pan);
        Drum {
            phase: 0.0,
            step: TAU * frequency / rate,
            tone: tone * force,
            tone_decay: decay(tone_seconds),
            noise: Noise::new(u32::from(strike.pitch) << 8 | u32::from(strike.velocity)),
            burst: burst * force,
            burst_decay: decay(burst_seconds),
            last: 0.0,
            smooth: 0.0,
            hisses,
            age: 0.0,
            attack: rate * 0.001,
            pan: [angle.cos(), angle.sin()],
        }
    }
}

impl Voice for Drum {
    fn play(&mut self, out: &mut [[f32; 2]]) {
        for frame in out {
            let white = self.noise.next();
            self.smooth += 0.35 * (white - self.smooth);
            let noise = if self.hisses { 0.5 * (white - self.last) } else { self.smooth };
            self.last = white;
            // The skin is tighter while it is far out: the tone begins a fifth higher.
            self.phase = (self.phase + self.step * (1.0 + 0.5 * self.tone)) % TAU;
            let attack = (self.age / self.attack).min(1.0);
            self.age += 1.0;
            let sample = attack * (self.tone * self.phase.sin() + self.burst * noise);
            self.tone *= self.tone_decay;
            self.burst *= self.burst_decay;
            frame[0] += sample * self.pan[0];
            frame[1] += sample * self.pan[1];
        }
    }

    fn release(&mut self) {}

    fn choke(&mut self, factor: f32) {
        self.tone_decay *= factor;
        self.burst_decay *= factor;
    }

    fn is_silent(&self) -> bool {
        self.tone.max(self.burst) < 3e-6
    }
}
