//! The strings of one key of a piano.

use super::loudness;
use super::noise::Noise;
use super::ringing::{Knock, Ringing, Stroke, decay};
use super::schedule::Strike;
use std::f32::consts::TAU;

/// Partials, at most.
const PARTIALS: usize = 24;
/// So many of the lowest partials sound on two strings slightly out of tune.
const DOUBLED: usize = 8;

/// The strings of a key being struck.
pub fn strike(strike: &Strike, sample_rate: u32) -> Ringing {
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
    let loudness = loudness(force) * (1.0 - 0.05 * height).clamp(0.6, 1.2);
    let scale = loudness / power.sqrt().max(1e-6);

    let mut waves = Vec::with_capacity(PARTIALS + DOUBLED);
    for (k, &(frequency, level, seconds)) in partials.iter().enumerate() {
        let (cents, share): (&[f32], f32) = if k < DOUBLED { (&[-0.3, 0.3], 0.5) } else { (&[0.0], 1.0) };
        for cent in cents {
            let step = TAU * frequency * (cent / 1200.0).exp2() / rate;
            waves.push((level * scale * share, step, decay(seconds, rate)));
        }
    }

    // Equal power from left (bass) to right, never quite to one side.
    let angle = TAU / 8.0 * (1.0 + ((pitch - 64.0) / 44.0).clamp(-1.0, 1.0) * 0.55);
    Ringing::new(Stroke {
        waves: &waves,
        prompt: (0.5, decay(1.6 * (-0.5 * height).exp2(), rate)),
        attack: (rate * (0.0035 - 0.002 * force)) as usize,
        knock: Knock {
            noise: Noise::new(u32::from(strike.pitch) << 8 | u32::from(strike.velocity)),
            level: 0.10 * loudness,
            decay: decay(0.06, rate),
            low_pass: 1.0 - (-TAU * (600.0 + 1500.0 * force) / rate).exp(),
            state: 0.0,
        },
        // The highest strings have no dampers.
        damping: if strike.pitch >= 90 { 1.0 } else { decay(0.22 * (-0.35 * height).exp2(), rate) },
        pan: [angle.cos(), angle.sin()],
    })
}
