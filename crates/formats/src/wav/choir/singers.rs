//! The singers of a line.
//!
//! Each has a pitch of his own, a few cents beside the others, and comes a few milliseconds after the first; vibrato that begins once a note
//! has been held, with his own rate; a throat that is a little longer or shorter. Breath is noise that passes the throat as the pulses do.

use super::Choir;
use super::diction::{Hiss, Moment, Slide, Sung, TICK, frequency};
use super::formants::{FORMANTS, Formants, Register};
use super::glottis::Glottis;
use super::tract::{Bank, LANES};
use crate::wav::cycles::{BITS, Cycle};
use crate::wav::filter::Filter;
use crate::wav::noise::Noise;
use crate::wav::ringing::SILENCE;
use crate::wav::tone::pan;
use std::f32::consts::TAU;
use std::rc::Rc;

/// How far from the middle the outermost singers are, in cents, and how late the last one comes, in seconds.
const APART: f32 = 6.0;
const LATE: f32 = 0.022;
/// Seconds until vibrato begins, and until it has its width.
const STEADY: f32 = 0.2;
const WIDENS: f32 = 0.35;
/// The time constant of lips and tongue, in seconds.
const MOUTH: f32 = 0.016;
/// The level of breath beside that of the fundamental.
const BREATH: f32 = 0.05;
/// How far a pitch wanders by itself, in cents.
const WANDERS: f32 = 1.5;

struct Singer {
    noise: Noise,
    /// How many samples he comes after the first.
    late: u64,
    cents: f32,
    /// What his formants are multiplied by.
    size: f32,
    gains: [f32; 2],
    /// The next of the line's moments and slides.
    moment: usize,
    slide: usize,
    /// The level as it goes on to the moment's, in two steps.
    level: [f32; 2],
    /// Logarithms of the formants' frequencies, of their bandwidths and of the gain; how pressed the voice is.
    mouth: [f32; 2 * FORMANTS + 2],
    is_settled: bool,
    vibrato: f32,
    rate: f32,
    depth: f32,
    wander: f32,
    phase: u32,
    step: f32,
    amplitude: f32,
    pressed: f32,
    period: usize,
    cycle: Rc<Cycle>,
}

/// A line's singers.
pub struct Ensemble {
    sung: Sung,
    register: Register,
    sample_rate: f32,
    singers: Vec<Singer>,
    bank: Bank,
    hiss: Option<Hissing>,
    /// The next of the line's noises.
    next_hiss: usize,
    noise: Noise,
    gains: [f32; 2],
}

/// A noise that sounds, or fades.
struct Hissing {
    hiss: Hiss,
    filter: Filter,
    level: f32,
}

impl Ensemble {
    /// `seed` is a number that no other line has.
    pub fn new(sung: Sung, register: Register, choir: &Choir, seed: u32, rate: f32, glottis: &mut Glottis) -> Ensemble {
        let count = usize::from(choir.singers).clamp(1, LANES);
        let mut noise = Noise::new(seed);
        // The first numbers of seeds that follow one another are alike.
        skip(&mut noise, 8);
        // From -1 to 1, no two alike, the sum nothing.
        let from_left = |k: usize| if count == 1 { 0.0 } else { 2.0 * k as f32 / (count - 1) as f32 - 1.0 };
        let singer = |k: usize| {
            let mut noise = noise.clone();
            skip(&mut noise, 100 * k);
            let aside = from_left(k);
            let other = if count == 1 { 0.0 } else { 2.0 * ((2 * k + 1) % count) as f32 / count as f32 - 1.0 };
            Singer {
                late: if count == 1 { 0 } else { ((0.5 + 0.5 * noise.next()) * LATE * rate) as u64 },
                cents: APART * aside,
                size: 1.0 + 0.02 * other,
                gains: pan(register.place() + 0.18 * other).map(|gain| gain / (count as f32).sqrt()),
                moment: 0,
                slide: 0,
                level: [0.0; 2],
                mouth: [0.0; 2 * FORMANTS + 2],
                is_settled: false,
                vibrato: 0.5 + 0.5 * noise.next(),
                rate: 5.5 + 0.4 * noise.next(),
                depth: 0.0,
                wander: 0.0,
                phase: (noise.next() * 2_147_483_648.0) as i32 as u32,
                step: 0.0,
                amplitude: 0.0,
                pressed: 0.0,
                period: 0,
                cycle: glottis.period(0),
                noise,
            }
        };
        let singers = (0..count).map(singer).collect();
        Ensemble {
            sung,
            register,
            sample_rate: rate,
            singers,
            bank: Bank::new(),
            hiss: None,
            next_hiss: 0,
            noise,
            gains: pan(register.place()),
        }
    }

    /// Whether nothing is to be heard before sample `until`.
    pub fn is_quiet(&self, until: u64) -> bool {
        let rests = |singer: &Singer| {
            let next = self.sung.moments.get(singer.moment);
            next.is_none_or(|next| next.from + singer.late >= until)
                && singer.level.iter().all(|level| *level < SILENCE)
                && singer.target(&self.sung).is_none_or(|moment| moment.level == 0.0)
        };
        self.hiss.is_none()
            && self.sung.hisses.get(self.next_hiss).is_none_or(|hiss| hiss.from >= until)
            && self.singers.iter().all(rests)
            && self.bank.ringing() < SILENCE
    }

    /// Whether nothing will be heard any more.
    pub fn is_over(&self) -> bool {
        self.is_quiet(u64::MAX)
    }

    /// Stops what rings below all hearing.
    pub fn hush(&mut self) {
        self.bank.hush();
        self.singers.iter_mut().for_each(|singer| singer.level = [0.0; 2]);
    }

    /// Adds what is sung from sample `now` on to `voices`, which still have to pass what lies above the fifth formant, and what is spoken to
    /// `noises`. Frequencies are `bend` times what is written.
    pub fn play(
        &mut self,
        now: u64,
        bend: f32,
        glottis: &mut Glottis,
        voices: &mut [[f32; 2]],
        noises: &mut [[f32; 2]],
    ) {
        let mut at = now;
        for voices in voices.chunks_mut(TICK) {
            let mut frames = [[0.0; LANES]; TICK];
            let frames = &mut frames[..voices.len()];
            for (lane, singer) in self.singers.iter_mut().enumerate() {
                let sample_rate = self.sample_rate;
                if let Some(formants) = singer.go_on(at, &self.sung, sample_rate) {
                    self.bank.set(lane, &formants, sample_rate);
                }
                let hertz = bend * singer.hertz(at, &self.sung, self.register, sample_rate);
                singer.sing(lane, frames, hertz, glottis, sample_rate);
            }
            self.bank.play(frames);
            for (voice, frame) in voices.iter_mut().zip(frames.iter()) {
                for (singer, sample) in self.singers.iter().zip(frame) {
                    voice[0] += sample * singer.gains[0];
                    voice[1] += sample * singer.gains[1];
                }
            }
            at += voices.len() as u64;
        }
        self.speak(now, noises);
    }

    /// Consonants.
    fn speak(&mut self, now: u64, noises: &mut [[f32; 2]]) {
        let rate = self.sample_rate;
        let per_sample = |seconds: f32| 1.0 - (-1.0 / (seconds * rate)).exp();
        let (soft, hard, fade) = (per_sample(0.012), per_sample(0.0008), per_sample(0.007));
        for (frame, at) in noises.iter_mut().zip(now..) {
            if let Some(hiss) = self.sung.hisses.get(self.next_hiss).filter(|hiss| hiss.from <= at) {
                let level = self.hiss.as_ref().map_or(0.0, |last| last.level);
                let hertz = hiss.hertz.min(0.4 * rate);
                self.hiss = Some(Hissing { hiss: *hiss, filter: Filter::new(hertz, hiss.quality, rate), level });
                self.next_hiss += 1;
            }
            let Some(Hissing { hiss, filter, level }) = &mut self.hiss else { continue };
            let (goal, speed) = match (at < hiss.to, hiss.bursts) {
                (true, false) => (hiss.level, soft),
                (true, true) => (hiss.level, hard),
                (false, _) => (0.0, fade),
            };
            *level += speed * (goal - *level);
            // The same noise a Hz at every sample rate.
            let sample = filter.step(self.noise.next())[1] * *level * (rate / 44_100.0).sqrt();
            frame[0] += sample * self.gains[0];
            frame[1] += sample * self.gains[1];
            if at >= hiss.to && *level < SILENCE {
                self.hiss = None;
            }
        }
    }
}

impl Singer {
    /// The moment that he has come to.
    fn target<'s>(&self, sung: &'s Sung) -> Option<&'s Moment> {
        sung.moments.get(self.moment.checked_sub(1)?)
    }

    /// The next tick of what changes slowly; the formants where they have moved.
    fn go_on(&mut self, at: u64, sung: &Sung, rate: f32) -> Option<Formants> {
        while sung.moments.get(self.moment).is_some_and(|moment| moment.from + self.late <= at) {
            self.moment += 1;
            self.is_settled = false;
        }
        let moment = self.target(sung)?;
        let goal = &sung.mouths[moment.mouth as usize];
        // A mouth that is silent is not seen to move.
        let is_silent = self.level[1] < 10.0 * SILENCE;
        // Two steps one after the other: no corner is heard.
        self.level[0] += moment.speed * (moment.level - self.level[0]);
        self.level[1] += moment.speed * (self.level[0] - self.level[1]);
        if self.is_settled {
            return None;
        }
        let mut wanted = [0.0; 2 * FORMANTS + 2];
        for k in 0..FORMANTS {
            wanted[k] = (goal.formants.hertz[k] * self.size).ln();
            wanted[FORMANTS + k] = goal.formants.widths[k].ln();
        }
        wanted[2 * FORMANTS] = goal.gain.ln();
        wanted[2 * FORMANTS + 1] = goal.pressed;
        let speed = if is_silent { 1.0 } else { 1.0 - (-(TICK as f32) / (MOUTH * rate)).exp() };
        self.is_settled = true;
        for (value, wanted) in self.mouth.iter_mut().zip(wanted) {
            *value += speed * (wanted - *value);
            self.is_settled &= (wanted - *value).abs() < 1e-3;
        }
        Some(Formants {
            hertz: std::array::from_fn(|k| self.mouth[k].exp()),
            widths: std::array::from_fn(|k| self.mouth[FORMANTS + k].exp()),
        })
    }

    /// The pitch in Hz.
    fn hertz(&mut self, at: u64, sung: &Sung, register: Register, rate: f32) -> f32 {
        let now = at.saturating_sub(self.late);
        while sung.slides.get(self.slide).is_some_and(|slide| slide.from <= now) {
            self.slide += 1;
        }
        let slide = self.slide.checked_sub(1).and_then(|slide| sung.slides.get(slide)).or(sung.slides.first());
        let Some(slide): Option<&Slide> = slide else { return 0.0 };
        let tick = TICK as f32 / rate;
        let held = now.saturating_sub(slide.from) as f32 / rate;
        let depth = ((held - STEADY) / WIDENS).clamp(0.0, 1.0);
        // What a new note takes away goes within some hundredths of a second.
        self.depth += (tick / 0.04).min(1.0) * (depth - self.depth);
        self.vibrato = (self.vibrato + self.rate * tick).fract();
        let pull = TAU * 0.7 * tick;
        self.wander += pull * (WANDERS * 1.73 * self.noise.next() / (0.5 * pull).sqrt() - self.wander);
        let cents = self.cents + self.wander + self.depth * register.vibrato() * (TAU * self.vibrato).sin();
        frequency(slide.at(now) + 0.01 * cents)
    }

    /// Puts a tick of pulses and breath into a lane.
    fn sing(&mut self, lane: usize, frames: &mut [[f32; LANES]], hertz: f32, glottis: &mut Glottis, rate: f32) {
        let (step, amplitude, pressed) =
            ((hertz / rate).min(0.45), self.level[1] * self.mouth[2 * FORMANTS].exp(), self.mouth[2 * FORMANTS + 1]);
        let period = glottis.step(hertz.max(1.0));
        let mut last = None;
        if period != self.period {
            self.period = period;
            last = Some(std::mem::replace(&mut self.cycle, glottis.period(period)));
        }
        let before = (std::mem::replace(&mut self.step, step), std::mem::replace(&mut self.amplitude, amplitude));
        let pressed_before = std::mem::replace(&mut self.pressed, pressed);
        if amplitude == 0.0 && before.1 == 0.0 {
            return;
        }
        let breath = BREATH * (1.2 - pressed) * (rate / 44_100.0).sqrt();
        for (k, frame) in frames.iter_mut().enumerate() {
            let way = k as f32 / TICK as f32;
            let between = |from: f32, to: f32| from + (to - from) * way;
            let pressed = between(pressed_before, pressed);
            let mut sample = read(&self.cycle, self.phase, pressed);
            if let Some(last) = &last {
                let old = read(last, self.phase, pressed);
                sample = old + (sample - old) * way;
            }
            frame[lane] = between(before.1, amplitude) * (sample + breath * self.noise.next());
            self.phase = self.phase.wrapping_add((between(before.0, step) * 4_294_967_296.0) as u32);
        }
    }
}

fn skip(noise: &mut Noise, count: usize) {
    for _ in 0..count {
        noise.next();
    }
}

fn read(cycle: &Cycle, phase: u32, pressed: f32) -> f32 {
    let at = (phase >> (32 - BITS)) as usize;
    let between = (phase << BITS) as f32 * (1.0 / 4_294_967_296.0);
    let ([soft, hard], [next_soft, next_hard]) = (cycle[at], cycle[at + 1]);
    let soft = soft + (next_soft - soft) * between;
    let hard = hard + (next_hard - hard) * between;
    soft + (hard - soft) * pressed
}
