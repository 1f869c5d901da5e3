//! Consonants: short noises, and what the voice does meanwhile.
//!
//! Where noises lie: after K. N. Stevens, "Acoustic Phonetics", 1998, chapters 7-9 (bursts at the lips are low, at the teeth high, at the
//! palate between; hisses begin at 4 kHz, "sh" at 2 kHz). Choirs sing consonants short and before the beat.

use super::formants::Shape;

/// A consonant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consonant {
    P,
    T,
    K,
    B,
    D,
    G,
    F,
    S,
    Sh,
    Th,
    H,
    /// As in German "ach" and "ich".
    Ch,
    V,
    Z,
    Dh,
    M,
    N,
    L,
    R,
    W,
    Y,
}

/// A noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Where it lies, in Hz, and the frequency over the width of its band.
    pub hertz: f32,
    pub quality: f32,
    /// Its level beside the vowel's.
    pub level: f32,
    /// Whether it bursts out at the end of a closure, and does not last.
    pub bursts: bool,
}

/// How a consonant sounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    /// How long it takes.
    pub seconds: f32,
    /// What is left of the voice meanwhile.
    pub voice: f32,
    /// How the mouth is held; as for the vowel where nothing is said.
    pub shape: Option<Shape>,
    pub noise: Option<Noise>,
}

const fn stop(seconds: f32, voice: f32, hertz: f32, level: f32) -> Manner {
    Manner { seconds, voice, shape: None, noise: Some(Noise { hertz, quality: 1.2, level, bursts: true }) }
}

const fn hiss(seconds: f32, voice: f32, hertz: f32, quality: f32, level: f32) -> Manner {
    Manner { seconds, voice, shape: None, noise: Some(Noise { hertz, quality, level, bursts: false }) }
}

const fn hum(seconds: f32, voice: f32, shape: Shape) -> Manner {
    Manner { seconds, voice, shape: Some(shape), noise: None }
}

impl Consonant {
    pub fn manner(self) -> Manner {
        match self {
            Consonant::P => stop(0.075, 0.0, 900.0, 0.30),
            Consonant::T => stop(0.075, 0.0, 4200.0, 0.35),
            Consonant::K => stop(0.080, 0.0, 1900.0, 0.35),
            Consonant::B => stop(0.055, 0.15, 700.0, 0.14),
            Consonant::D => stop(0.055, 0.15, 3600.0, 0.14),
            Consonant::G => stop(0.060, 0.15, 1700.0, 0.14),
            Consonant::F => hiss(0.080, 0.0, 6000.0, 0.5, 0.08),
            Consonant::S => hiss(0.095, 0.0, 6800.0, 1.6, 0.22),
            Consonant::Sh => hiss(0.095, 0.0, 3000.0, 1.4, 0.22),
            Consonant::Th => hiss(0.075, 0.0, 5500.0, 0.6, 0.07),
            Consonant::H => hiss(0.060, 0.05, 1400.0, 0.6, 0.10),
            Consonant::Ch => hiss(0.080, 0.0, 2400.0, 1.2, 0.16),
            Consonant::V => hiss(0.055, 0.35, 5000.0, 0.5, 0.03),
            Consonant::Z => hiss(0.070, 0.3, 6800.0, 1.6, 0.10),
            Consonant::Dh => hiss(0.050, 0.35, 5000.0, 0.6, 0.03),
            Consonant::M => hum(0.075, 0.40, Shape::Lips),
            Consonant::N => hum(0.070, 0.40, Shape::Teeth),
            Consonant::L => hum(0.060, 0.60, Shape::Side),
            Consonant::R => hum(0.050, 0.50, Shape::Rolled),
            Consonant::W => hum(0.060, 0.70, Shape::Oo),
            Consonant::Y => hum(0.050, 0.75, Shape::Ee),
        }
    }
}
