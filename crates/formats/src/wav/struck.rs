//! What is plucked or hit: strings, bars, bells, blocks and skins of a pitch.

use super::loudness;
use super::noise::Noise;
use super::ringing::{Knock, Ringing, Stroke, decay};
use super::schedule::Strike;
use super::tone::pan;
use std::f32::consts::{PI, TAU};

/// Partials of a string, at most.
const PARTIALS: usize = 24;

/// How something vibrates.
#[derive(Clone, Copy, Debug)]
pub enum Modes {
    /// A string: partial n has the level `n^-slope` and lies a little above n times the fundamental, by the stiffness; what has a knot
    /// where it is plucked (as a share of its length) is missing.
    String { slope: f32, stiffness: f32, plucked: f32 },
    /// A body: its frequencies in units of the lowest, their levels, and how long they ring in units of its time.
    Body(&'static [(f32, f32, f32)]),
}

/// What an instrument sounds like.
#[derive(Clone, Copy, Debug)]
pub struct Instrument {
    pub modes: Modes,
    /// Above the fundamental, partials fall by a factor of e every so many Hz: at the softest stroke and at the hardest.
    pub cutoff: [f32; 2],
    /// Seconds in which middle C falls by 60 dB, and how many times shorter that is an octave higher.
    pub ring: f32,
    pub shorter: f32,
    /// How much shorter each further partial of a string rings.
    pub faster: f32,
    /// Seconds until the sound is there.
    pub attack: f32,
    /// Noise of the stroke: level, seconds and highest frequency.
    pub knock: (f32, f32, f32),
    /// Seconds in which it is silent once the key is let go; 0 lets it ring.
    pub damp: f32,
    /// Seconds in which the first half of its sound goes; 0 where it has no such half.
    pub prompt: f32,
    /// Its level beside other instruments.
    pub level: f32,
    /// Its place, -1 (left) to 1.
    pub place: f32,
}

impl Instrument {
    /// Frequency in Hz, level and seconds of each wave, the longest first.
    fn waves(&self, fundamental: f32, force: f32, height: f32, rate: f32) -> Vec<(f32, f32, f32)> {
        let cutoff = self.cutoff[0] + (self.cutoff[1] - self.cutoff[0]) * force.powf(1.4);
        let cutoff = cutoff * (0.4 * height).exp2();
        let ring = (self.ring * self.shorter.powf(-height)).clamp(0.03, 20.0);
        let bright = |frequency: f32| (-(frequency - fundamental).max(0.0) / cutoff).exp();
        let mut waves: Vec<_> = match self.modes {
            Modes::Body(modes) => modes
                .iter()
                .map(|&(ratio, level, share)| {
                    let frequency = ratio * fundamental;
                    (frequency, level * bright(frequency), ring * share)
                })
                .collect(),
            Modes::String { slope, stiffness, plucked } => (1..=PARTIALS)
                .map(|n| {
                    let n = n as f32;
                    // The lowest partial is the note's own pitch.
                    let sharp = ((1.0 + stiffness * n * n) / (1.0 + stiffness)).sqrt();
                    let frequency = n * fundamental * sharp;
                    let knot = (PI * n * plucked).sin().abs() + 0.03;
                    let seconds = ring / (1.0 + self.faster * (n - 1.0) + (frequency / 4000.0).powi(2));
                    (frequency, knot * n.powf(-slope) * bright(frequency), seconds)
                })
                .collect(),
        };
        waves.retain(|(frequency, level, _)| {
            *level > 1e-4 && *frequency <= 0.45 * rate && (*frequency <= 11_000.0 || *frequency == fundamental)
        });
        waves.sort_by(|a, b| b.2.total_cmp(&a.2));
        waves
    }

    /// A note of it.
    pub fn strike(&self, strike: &Strike, sample_rate: u32) -> Ringing {
        let rate = sample_rate as f32;
        let force = f32::from(strike.velocity) / 127.0;
        let fundamental = 440.0 * ((f32::from(strike.pitch) - 69.0) / 12.0).exp2();
        // Octaves above middle C.
        let height = (f32::from(strike.pitch) - 60.0) / 12.0;
        let mut waves = self.waves(fundamental, force, height, rate);
        let power: f32 = waves.iter().map(|(_, level, _)| level * level).sum();
        let level = self.level * loudness(force) * (1.0 - 0.05 * height).clamp(0.6, 1.2);
        let scale = level / power.sqrt().max(1e-6);
        for (frequency, level, seconds) in &mut waves {
            (*frequency, *level, *seconds) = (*level * scale, TAU * *frequency / rate, decay(*seconds, rate));
        }
        let (knock, knock_seconds, knock_hertz) = self.knock;
        let seed = u32::from(strike.program) << 16 | u32::from(strike.pitch) << 8 | u32::from(strike.velocity);
        Ringing::new(Stroke {
            waves: &waves,
            prompt: (0.5, if self.prompt > 0.0 { decay(self.prompt, rate) } else { 1.0 }),
            attack: (rate * self.attack) as usize,
            knock: Knock {
                noise: Noise::new(seed),
                level: knock * level,
                decay: decay(knock_seconds, rate),
                low_pass: 1.0 - (-TAU * knock_hertz * (0.5 + 0.5 * force) / rate).exp(),
                state: 0.0,
            },
            damping: if self.damp > 0.0 { decay(self.damp, rate) } else { 1.0 },
            pan: pan(self.place),
        })
    }
}
