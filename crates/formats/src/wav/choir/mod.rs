//! A choir: voices that sing what a score says, with its words.
//!
//! Parts are taken apart into lines ([`lines`]), each of which some singers sing: pulses of the vocal folds ([`glottis`]) pass five
//! resonances ([`formants`], [`tract`]). Words become vowels, and consonants as short noises ([`spelling`], [`syllables`], [`consonants`],
//! [`words`]); [`diction`] says what happens when, [`singers`] does it. Without words they sing "ah".
//!
//! A singer of this kind that had learnt from recordings (M. Blaauw, J. Bonada, "A Neural Parametric Singing Synthesizer", Applied Sciences
//! 7(12), 2017) would need some hours of one voice with every sound of it marked; this one needs nothing.

mod consonants;
mod diction;
mod formants;
mod glottis;
mod lines;
mod singers;
mod spelling;
mod syllables;
mod tract;
mod words;

use super::BLOCK;
use super::curves::{Curves, Shape};
use super::ringing::SILENCE;
use cantus_score::{Score, Ticks};
use diction::{Beside, Body};
use glottis::Glottis;
use singers::Ensemble;
use tract::Higher;
use words::Words;

/// So many lines are sung at most.
const LINES: usize = 64;
/// Of a part that has more than one line, each has so many singers at most.
const DIVIDED: u8 = 3;

/// A choir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choir {
    /// How many sing a part, 1-8; where it has several lines, at most three sing each.
    pub singers: u8,
    /// Other numbers give other singers: their pitches, their vibrato, their breath.
    pub seed: u32,
}

impl Default for Choir {
    /// Six to a part.
    fn default() -> Choir {
        Choir { singers: 6, seed: 0 }
    }
}

/// A line with what its part's controllers and bends do to it, and how they did last.
struct Voice {
    ensemble: Ensemble,
    curves: Option<Curves>,
    last: Shape,
}

/// A choir that sings a score.
pub(super) struct Singing {
    glottis: Glottis,
    higher: Higher,
    voices: Vec<Voice>,
}

impl Singing {
    /// All parts but drums.
    pub fn new(choir: &Choir, score: &Score, sample_rate: u32) -> Singing {
        let tempo = score.tempo_map();
        let sample = |at: Ticks| (tempo.seconds(at) * f64::from(sample_rate)).round() as u64;
        let rate = sample_rate as f32;
        let words = Words::of(score);
        let (mut glottis, higher) = (Glottis::new(sample_rate), Higher::new(rate));
        let mut voices = Vec::new();
        for (number, part) in score.parts.iter().enumerate().filter(|(_, part)| !part.drums) {
            let lines = lines::of(part, score.ticks_per_quarter);
            let singers = if lines.len() > 1 { choir.singers.min(DIVIDED) } else { choir.singers };
            for (k, line) in lines.iter().enumerate().take(LINES - voices.len()) {
                let body = Body { glottis: &glottis, higher: &higher, rate };
                let beside = Beside { words: words.of_part(number), fermatas: &part.fermatas };
                let sung = diction::of(line, &beside, sample, &body);
                let seed = choir.seed.wrapping_mul(0x9E37_79B9) ^ ((number as u32) << 8 | k as u32);
                let choir = Choir { singers, ..*choir };
                let ensemble = Ensemble::new(sung, line.register, &choir, seed, rate, &mut glottis);
                let curves = Curves::of(part, sample);
                let last = curves.as_ref().map_or(Shape::PLAIN, |curves| curves.at(0));
                voices.push(Voice { ensemble, curves, last });
            }
        }
        Singing { glottis, higher, voices }
    }

    /// Adds a block that begins at sample `now`.
    pub fn play(&mut self, now: u64, out: &mut [[f32; 2]; BLOCK]) {
        let (mut voices, mut noises) = ([[0.0; 2]; BLOCK], [[0.0; 2]; BLOCK]);
        let mut is_quiet = true;
        for voice in &mut self.voices {
            if voice.ensemble.is_quiet(now + BLOCK as u64) {
                voice.ensemble.hush();
                voice.last = voice.curves.as_ref().map_or(Shape::PLAIN, |curves| curves.at(now + BLOCK as u64));
                continue;
            }
            is_quiet = false;
            let Voice { ensemble, curves, last } = voice;
            let Some(curves) = curves else {
                ensemble.play(now, 1.0, &mut self.glottis, &mut voices, &mut noises);
                continue;
            };
            let shape = curves.at(now);
            let (mut own, mut spoken) = ([[0.0; 2]; BLOCK], [[0.0; 2]; BLOCK]);
            ensemble.play(now, shape.bend, &mut self.glottis, &mut own, &mut spoken);
            for (sum, own) in [(&mut voices, &own), (&mut noises, &spoken)] {
                last.ramp(&shape, own, sum);
            }
            *last = shape;
        }
        if is_quiet && self.higher.ringing() < SILENCE {
            self.higher.hush();
            return;
        }
        self.higher.play(&mut voices);
        for ((frame, voice), noise) in out.iter_mut().zip(&voices).zip(&noises) {
            for side in 0..2 {
                frame[side] += voice[side] + noise[side];
            }
        }
    }

    /// Whether nothing will be heard any more.
    pub fn is_over(&self) -> bool {
        self.higher.ringing() < SILENCE && self.voices.iter().all(|voice| voice.ensemble.is_over())
    }
}
