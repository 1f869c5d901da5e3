//! What is blown, bowed, sung or switched on, and sounds as long as it is held.
//!
//! A period of sound is read again and again ([`super::cycles`]); how bright it is, how loud, and how it trembles moves on every
//! [`CONTROL`] samples, in straight lines between. Breath is noise around the note's own pitch or around a fixed one.

use super::cycles::{BITS, Cycle, Cycles};
use super::filter::Filter;
use super::noise::Noise;
use super::ringing::{SILENCE, decay};
use super::schedule::Strike;
use super::{Voice, loudness};
use std::f32::consts::{FRAC_PI_4, TAU};
use std::rc::Rc;

/// Samples between two looks at what changes slowly.
const CONTROL: usize = 32;
/// A cascade of two smoothers takes so many of their time constants from 10 to 90 per cent.
const RISE: f32 = 3.36;

/// How loud players are beside the first.
const BESIDE: f32 = 0.45;

/// The partials of a tone.
#[derive(Clone, Copy, Debug)]
pub enum Spectrum {
    /// Partial n has the level `n^-slope`; every second one so many times that.
    Slope { slope: f32, even: f32 },
    /// The level of each, from the fundamental.
    Partials(&'static [f32]),
}

/// Noise beside the tone.
#[derive(Clone, Copy, Debug)]
pub struct Breath {
    /// Its level beside the tone's, and how much more there is at the onset.
    pub level: f32,
    pub chiff: f32,
    /// Where it lies: in Hz, or above 0 in `follows` as so many times the note's own frequency.
    pub hertz: f32,
    pub follows: f32,
    /// The frequency over the width of its band.
    pub quality: f32,
}

/// What an instrument sounds like.
#[derive(Clone, Copy, Debug)]
pub struct Timbre {
    pub spectrum: Spectrum,
    /// Regions that are stronger whatever the pitch: Hz, and how much.
    pub formants: &'static [(f32, f32)],
    /// Above the fundamental, partials fall by a factor of e every so many Hz: in the soft form and in the bright one.
    pub cutoff: [f32; 2],
    /// How much of the brightness follows the loudness of the moment, 0-1: that of brass.
    pub swell: f32,
    /// How much of the brightness goes as the sound decays, 0-1: a filter that closes.
    pub closes: f32,
    /// Seconds until the sound is there, and until it is gone after the key is let go.
    pub attack: f32,
    pub release: f32,
    /// Seconds that it takes to fall by 60 dB to its steady level, and that level.
    pub decay: f32,
    pub sustain: f32,
    /// Cents to either side, how often a second, and after how many seconds.
    pub vibrato: (f32, f32, f32),
    /// How much softer it becomes, 0-1, and how often a second.
    pub tremolo: (f32, f32),
    /// How many players, at most 3, and how many cents they are apart.
    pub players: (usize, f32),
    pub breath: Breath,
    /// How much of the tone there is beside the breath.
    pub tone: f32,
    /// Its level beside other instruments.
    pub level: f32,
    /// Its place, -1 (left) to 1.
    pub place: f32,
}

/// One of the players.
struct Player {
    /// Where in the period, and how far a sample goes, in 2^32nds of it.
    phase: u32,
    step: f32,
    gains: [f32; 2],
}

/// A sounding tone.
pub struct Tone {
    timbre: &'static Timbre,
    cycle: Rc<Cycle>,
    players: Vec<Player>,
    rate: f32,
    /// Samples so far.
    age: u64,
    /// Where vibrato and tremolo begin.
    turn: f32,
    bend: f32,
    /// The brightness of this velocity, and of the moment.
    force: f32,
    mix: f32,
    /// What the loudness goes to, the two smoothers on the way there, and how fast they go.
    target: f32,
    fading: f32,
    fading_decay: f32,
    first: f32,
    envelope: f32,
    speed: f32,
    tremolo: f32,
    is_released: bool,
    /// What it is multiplied by, and what that loses a sample.
    left: f32,
    loss: f32,
    breath: Option<(Noise, Filter, f32)>,
    chiff_decay: f32,
    pan: [f32; 2],
}

/// Equal power to the left and to the right of -1 (left) to 1.
pub fn pan(place: f32) -> [f32; 2] {
    let angle = FRAC_PI_4 * (1.0 + place.clamp(-1.0, 1.0));
    [angle.cos(), angle.sin()]
}

impl Tone {
    pub fn new(timbre: &'static Timbre, strike: &Strike, sample_rate: u32, cycles: &mut Cycles) -> Tone {
        let rate = sample_rate as f32;
        let force = f32::from(strike.velocity) / 127.0;
        let fundamental = 440.0 * ((f32::from(strike.pitch) - 69.0) / 12.0).exp2();
        // Not the velocity: a melody's players would stand elsewhere at every note.
        let mut noise = Noise::new(u32::from(strike.program) << 16 | u32::from(strike.pitch) << 8);
        let mut turn = || 0.5 + 0.5 * noise.next();
        let (count, cents) = (timbre.players.0.clamp(1, 3), timbre.players.1);
        // A bass fills the room, a treble pierces it: high notes are taken back as they are on the piano.
        let height = (f32::from(strike.pitch) - 60.0) / 12.0;
        let level = timbre.level * loudness(force) * (1.0 - 0.08 * height).clamp(0.5, 1.2);
        // The first is in tune and the loudest: equals that drift apart would take each other out now and then.
        let share = 1.0 / (1.0 + BESIDE * BESIDE * (count - 1) as f32).sqrt();
        let players = (0..count).map(|k| {
            let (aside, share) = [(0.0, share), (1.0, BESIDE * share), (-1.0, BESIDE * share)][k];
            let gains = pan(timbre.place + 0.5 * aside);
            Player {
                phase: if k == 0 { 0 } else { (turn() * u32::MAX as f32) as u32 },
                step: (fundamental * (aside * cents / 1200.0).exp2() / rate).min(0.5) * 4_294_967_296.0,
                gains: gains.map(|gain| gain * level * timbre.tone * share),
            }
        });
        let players = players.collect();
        let turn = turn();
        let breath = timbre.breath;
        let centre = if breath.follows > 0.0 { breath.follows * fundamental } else { breath.hertz };
        // The narrower the band, the less of the noise it lets through; the same noise a Hz at any sample rate.
        let width = (centre / breath.quality / rate).clamp(1e-4, 0.5);
        let breath_level = level * 0.7 / (width * std::f32::consts::PI).sqrt();
        Tone {
            timbre,
            cycle: cycles.of(strike.program, strike.pitch, timbre, sample_rate),
            players,
            rate,
            age: 0,
            turn,
            bend: 1.0,
            force,
            mix: force * (1.0 - timbre.swell),
            target: 1.0,
            fading: 1.0 - timbre.sustain,
            fading_decay: decay(timbre.decay, rate),
            first: 0.0,
            envelope: 0.0,
            // A firm stroke speaks sooner.
            speed: speed(timbre.attack * (1.4 - 0.6 * force), rate),
            tremolo: 1.0,
            is_released: false,
            left: 1.0,
            loss: 1.0,
            breath: (breath.level + breath.chiff > 0.0)
                .then(|| (noise, Filter::new(centre, breath.quality, rate), breath_level)),
            chiff_decay: 1.0,
            pan: pan(timbre.place),
        }
    }

    /// At most [`CONTROL`] samples.
    fn go_on(&mut self, out: &mut [[f32; 2]]) {
        let timbre = self.timbre;
        let length = out.len() as f32;
        let seconds = self.age as f32 / self.rate;
        self.age += out.len() as u64;

        let (cents, often, after) = timbre.vibrato;
        let mut factor = self.bend;
        if cents > 0.0 {
            let depth = ((seconds - after) / 0.4).clamp(0.0, 1.0);
            factor *= (depth * cents / 1200.0 * (TAU * (often * seconds + self.turn)).sin()).exp2();
        }
        let (depth, often) = timbre.tremolo;
        let tremolo =
            if depth > 0.0 { 1.0 - depth * (0.5 - 0.5 * (TAU * (often * seconds + self.turn)).cos()) } else { 1.0 };

        let mut levels = [0.0; CONTROL];
        for (k, level) in levels[..out.len()].iter_mut().enumerate() {
            if !self.is_released {
                self.target = timbre.sustain + self.fading;
                self.fading *= self.fading_decay;
            }
            self.first += self.speed * (self.target - self.first);
            self.envelope += self.speed * (self.first - self.envelope);
            self.left *= self.loss;
            *level = self.envelope * self.left * (self.tremolo + (tremolo - self.tremolo) * k as f32 / length);
        }
        self.tremolo = tremolo;

        let mix = self.force
            * (1.0 - timbre.swell + timbre.swell * self.envelope)
            * (1.0 - timbre.closes + timbre.closes * self.fading);
        let slope = (mix - self.mix) / length;
        for player in &mut self.players {
            let step = (player.step * factor).min(2_147_483_648.0) as u32;
            let mut mix = self.mix;
            for (frame, level) in out.iter_mut().zip(&levels) {
                let at = (player.phase >> (32 - BITS)) as usize;
                let between = (player.phase << BITS) as f32 * (1.0 / 4_294_967_296.0);
                let ([soft, bright], [next_soft, next_bright]) = (self.cycle[at], self.cycle[at + 1]);
                let soft = soft + (next_soft - soft) * between;
                let bright = bright + (next_bright - bright) * between;
                let sample = level * (soft + (bright - soft) * mix);
                frame[0] += sample * player.gains[0];
                frame[1] += sample * player.gains[1];
                mix += slope;
                player.phase = player.phase.wrapping_add(step);
            }
        }
        self.mix = mix;

        if let Some((noise, filter, scale)) = &mut self.breath {
            let breath = timbre.breath;
            let level = *scale * (breath.level + breath.chiff * self.chiff_decay);
            self.chiff_decay *= (-length / (0.03 * self.rate)).exp();
            for (frame, envelope) in out.iter_mut().zip(&levels) {
                let sample = filter.step(noise.next())[1] * level * envelope;
                frame[0] += sample * self.pan[0];
                frame[1] += sample * self.pan[1];
            }
        }
    }
}

/// How much of the way a smoother goes in a sample, so that two of them rise in so many seconds.
fn speed(seconds: f32, rate: f32) -> f32 {
    1.0 - (-RISE / (seconds * rate).max(1.0)).exp()
}

impl Voice for Tone {
    fn play(&mut self, out: &mut [[f32; 2]]) {
        for out in out.chunks_mut(CONTROL) {
            self.go_on(out);
        }
    }

    fn release(&mut self) {
        self.is_released = true;
        self.target = 0.0;
        self.speed = speed(self.timbre.release, self.rate);
    }

    fn bend(&mut self, factor: f32) {
        self.bend = factor;
    }

    fn choke(&mut self, factor: f32) {
        self.loss *= factor;
    }

    fn is_silent(&self) -> bool {
        let faint = |level: f32| level * self.left < SILENCE;
        // At its onset it is silent too, but not over.
        faint(self.target) && faint(self.first) && faint(self.envelope)
    }
}
