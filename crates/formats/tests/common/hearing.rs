//! Listening by numbers.

use cantus_formats::wav::{Audio, Settings, Sound, render};
use cantus_score::{Note, Part, Score, TicksPerQuarter};
use std::f64::consts::TAU;

/// A score in which a tick is a millisecond.
pub fn milliseconds(notes: Vec<Note>) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(500).expect("not zero"));
    score.parts.push(Part { notes, ..Part::default() });
    score
}

/// What the built-in instruments make of it.
pub fn audio(score: &Score) -> Audio {
    render(score, &Sound::BuiltIn, &Settings::default()).expect("short enough")
}

/// The mean of both channels from one millisecond to another.
pub fn mono(audio: &Audio, from: usize, to: usize) -> Vec<f64> {
    let at = |ms: usize| (ms * audio.sample_rate as usize / 1000).min(audio.samples.len());
    audio.samples[at(from)..at(to)].iter().map(|[left, right]| f64::from(left + right) / 2.0).collect()
}

/// The root of the mean square.
pub fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|x| x * x).sum::<f64>() / samples.len().max(1) as f64).sqrt()
}

/// The largest magnitude.
pub fn peak(audio: &Audio) -> f32 {
    audio.samples.as_flattened().iter().fold(0.0, |peak, x| peak.max(x.abs()))
}

/// How much of a frequency there is (Goertzel's sum, written plainly, under a Hann window).
pub fn strength(samples: &[f64], frequency: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (k, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * k as f64 / samples.len() as f64).cos();
        let phase = TAU * frequency * k as f64 / 44_100.0;
        re += sample * window * phase.cos();
        im += sample * window * phase.sin();
    }
    re.hypot(im)
}
