//! A line and its words become what a singer does from moment to moment.
//!
//! Vowels begin on the beat, and what is spoken before them before it. Notes that follow one another are bound: the pitch glides from one to
//! the next in 60 to 100 ms, longer for a leap. A vowel that is sung on the same pitch again is taken back for a moment. After a fermata,
//! and where the words have a comma or a stop, singers breathe.

use super::consonants::{Consonant, Manner};
use super::formants::{Formants, Register, Shape};
use super::glottis::Glottis;
use super::lines::Line;
use super::syllables::Syllable;
use super::tract::{Higher, power};
use crate::wav::loudness;
use cantus_score::Ticks;
use std::collections::HashMap;

/// Samples between two looks at what changes slowly.
pub const TICK: usize = 32;
/// Seconds of silence between notes that nobody takes a breath in.
const BOUND: f32 = 0.05;
/// Seconds that a breath takes from the note before it: a quarter of that at most.
const BREATH: f32 = 0.16;
/// Seconds that the shortest note is sung.
const SHORTEST: f32 = 0.06;
/// How loud a section is beside a piano.
const LEVEL: f32 = 0.75;
/// Time constants in seconds: of a voice that sets in and that ends, and at consonants.
const ATTACK: f32 = 0.030;
const RELEASE: f32 = 0.040;
const QUICK: f32 = 0.011;

/// From some sample on the voice goes to this level, and the mouth to this shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    pub from: u64,
    pub level: f32,
    /// How much of the way to the level is gone in a tick.
    pub speed: f32,
    /// Which of [`Sung::mouths`].
    pub mouth: u32,
}

/// From some sample on the pitch goes from one MIDI number to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slide {
    pub from: u64,
    pub lasts: u64,
    pub before: f32,
    pub after: f32,
}

/// A noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hiss {
    pub from: u64,
    pub to: u64,
    pub hertz: f32,
    pub quality: f32,
    pub level: f32,
    pub bursts: bool,
}

/// A mouth that is held in some way, for a pitch and a loudness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mouth {
    pub formants: Formants,
    /// What makes a tone of power 1/2 of the pulses.
    pub gain: f32,
    /// How pressed the voice is, 0-1.
    pub pressed: f32,
}

/// All that a line's singers do; everything in order of time.
#[derive(Debug, Default)]
pub struct Sung {
    pub moments: Vec<Moment>,
    pub slides: Vec<Slide>,
    pub hisses: Vec<Hiss>,
    pub mouths: Vec<Mouth>,
}

/// What voices are made of.
pub struct Body<'a> {
    pub glottis: &'a Glottis,
    pub higher: &'a Higher,
    pub rate: f32,
}

/// A note with its times in samples.
#[derive(Clone, Copy)]
struct Tone {
    start: u64,
    end: u64,
    pitch: u8,
    velocity: u8,
    /// Whether the note before is bound to it.
    bound: bool,
    /// Its syllable, and whether it begins here.
    syllable: Option<usize>,
    begins: bool,
}

impl Tone {
    fn length(&self) -> u64 {
        self.end - self.start
    }
}

/// What stands beside the notes of a line.
pub struct Beside<'a> {
    /// Syllables, each from its time on.
    pub words: &'a [(Ticks, Syllable)],
    /// Onsets of the notes after which one breathes.
    pub fermatas: &'a [Ticks],
}

/// What the singers of a line do.
pub fn of(line: &Line, beside: &Beside, sample: impl Fn(Ticks) -> u64, body: &Body) -> Sung {
    let (syllables, tones) = (beside.words, tones(line, beside, sample, body.rate));
    let ah = Syllable::ah();
    let syllable = |tone: &Tone| tone.syllable.map_or(&ah, |index| &syllables[index].1);
    let mut writer = Writer { register: line.register, body, known: HashMap::new(), sung: Sung::default() };
    let mut free_from = 0;
    for (k, tone) in tones.iter().enumerate() {
        let own = syllable(tone);
        let before = k.checked_sub(1).map(|k| tones[k]).filter(|_| tone.bound);
        let next = tones.get(k + 1).filter(|next| next.bound);
        // What is spoken before the vowel: the end of the syllable before, the beginning of this one.
        let mut spoken: Vec<(Consonant, &Tone, Shape)> = Vec::new();
        if let Some(before) = before.as_ref().filter(|_| tone.begins) {
            let last = syllable(before);
            spoken.extend(last.coda.iter().map(|consonant| (*consonant, before, closing(last))));
        }
        if tone.begins {
            spoken.extend(own.onset.iter().map(|consonant| (*consonant, tone, own.vowels[0])));
        }
        let room = before.map_or(tone.start.saturating_sub(free_from), |before| 45 * before.length() / 100);
        let begun = writer.speak(&spoken, tone.start, room, tone.length() * 3 / 10);
        writer.slide(tone, before.as_ref(), begun.0);
        let again = before.filter(|before| spoken.is_empty() && before.pitch == tone.pitch);
        if let Some(before) = again {
            let dip = writer.samples(0.03).min(before.length() / 4);
            writer.voice(tone.start - dip, &before, 0.25, QUICK, closing(syllable(&before)));
        }
        let swiftness = match (spoken.is_empty(), tone.bound) {
            (true, false) => ATTACK.min(0.2 * tone.length() as f32 / body.rate),
            _ => 1.5 * QUICK,
        };
        let vowel = if tone.bound && !tone.begins { held(own) } else { own.vowels[0] };
        writer.voice(begun.1, tone, 1.0, swiftness, vowel);
        // What comes at the end of the note, and where that begins.
        let goes_on = next.is_some_and(|next| !next.begins);
        let tail: &[Consonant] = if goes_on { &[] } else { &own.coda };
        let leads = next.filter(|next| next.begins).map_or(&[][..], |next| &syllable(next).onset);
        let needed = writer.samples(seconds(tail) + seconds(leads)).min(45 * tone.length() / 100);
        if let (false, Some(second)) = (goes_on, own.vowels.get(1)) {
            let lasts = writer.samples(0.14).min(35 * tone.length() / 100);
            writer.voice((tone.end - needed).saturating_sub(lasts).max(begun.1), tone, 1.0, 2.0 * QUICK, *second);
        }
        if next.is_none() {
            let spoken: Vec<_> = tail.iter().map(|consonant| (*consonant, tone, closing(own))).collect();
            writer.speak(&spoken, tone.end, needed, 0);
            writer.voice(tone.end, tone, 0.0, RELEASE, closing(own));
            free_from = tone.end;
        }
    }
    writer.sung
}

/// The vowel that a syllable ends with, and the one that it is held on.
fn closing(syllable: &Syllable) -> Shape {
    syllable.vowels[syllable.vowels.len() - 1]
}

fn held(syllable: &Syllable) -> Shape {
    syllable.vowels[0]
}

fn seconds(consonants: &[Consonant]) -> f32 {
    consonants.iter().map(|consonant| consonant.manner().seconds).sum()
}

fn tones(line: &Line, beside: &Beside, sample: impl Fn(Ticks) -> u64, rate: f32) -> Vec<Tone> {
    let Beside { words: syllables, fermatas } = beside;
    let [gap, shortest, breath] = [BOUND, SHORTEST, BREATH].map(|seconds| (seconds * rate) as u64);
    let mut tones: Vec<Tone> = Vec::with_capacity(line.notes.len());
    let mut sung = None;
    for (k, note) in line.notes.iter().enumerate() {
        let start = sample(note.onset);
        let next = line.notes.get(k + 1).map_or(u64::MAX, |next| sample(next.onset));
        let wanted = sample(note.end()).max(start + shortest);
        let end = if next <= wanted.saturating_add(gap) { next.max(start) } else { wanted };
        let syllable = syllables.partition_point(|(at, _)| *at <= note.onset).checked_sub(1);
        let begins = syllable.is_some() && syllable != sung;
        let is_stop = begins && sung.is_some_and(|sung: usize| syllables[sung].1.breathes);
        let holds = k > 0 && fermatas.binary_search(&line.notes[k - 1].onset).is_ok();
        if let Some(last) = tones.last_mut().filter(|last| (is_stop || holds) && last.end == start) {
            last.end -= breath.min(last.length() / 4).max(1).min(last.length());
        }
        sung = syllable;
        let bound = tones.last().is_some_and(|last| last.end == start);
        tones.push(Tone {
            start,
            end,
            pitch: note.pitch.get(),
            velocity: note.velocity.get(),
            bound,
            syllable,
            begins,
        });
    }
    tones
}

struct Writer<'a> {
    register: Register,
    body: &'a Body<'a>,
    known: HashMap<(Shape, u8, u8), u32>,
    sung: Sung,
}

impl Writer<'_> {
    fn samples(&self, seconds: f32) -> u64 {
        (seconds * self.body.rate) as u64
    }

    /// Consonants that end at `until`, where there is room for them before; otherwise they are hurried, and take some of `after`.
    /// Where they begin, and where the vowel does.
    fn speak(&mut self, spoken: &[(Consonant, &Tone, Shape)], until: u64, room: u64, after: u64) -> (u64, u64) {
        let manners: Vec<Manner> = spoken.iter().map(|(consonant, ..)| consonant.manner()).collect();
        let wanted = self.samples(manners.iter().map(|manner| manner.seconds).sum());
        let room = room.min(wanted);
        let begin = until - room;
        let end = if 2 * room < wanted { (until + after).min(begin + wanted) } else { until };
        let pace = (end - begin) as f32 / wanted.max(1) as f32;
        let mut at = begin as f32;
        for (manner, (_, tone, vowel)) in manners.iter().zip(spoken) {
            let lasts = manner.seconds * self.body.rate * pace;
            self.voice(at as u64, tone, manner.voice, QUICK, manner.shape.unwrap_or(*vowel));
            if let Some(noise) = manner.noise {
                let (from, to) = if noise.bursts { (at + 0.75 * lasts, at + lasts) } else { (at, at + lasts) };
                self.sung.hisses.push(Hiss {
                    from: from as u64,
                    to: to as u64,
                    hertz: noise.hertz,
                    quality: noise.quality,
                    level: noise.level * level(tone),
                    bursts: noise.bursts,
                });
            }
            at += lasts;
        }
        (begin, end)
    }

    fn voice(&mut self, from: u64, tone: &Tone, share: f32, swiftness: f32, shape: Shape) {
        let speed = 1.0 - (-(TICK as f32) / (swiftness * self.body.rate)).exp();
        let mouth = self.mouth(shape, tone.pitch, tone.velocity);
        let from = self.sung.moments.last().map_or(from, |last| last.from.max(from));
        self.sung.moments.push(Moment { from, level: share * level(tone), speed, mouth });
    }

    fn mouth(&mut self, shape: Shape, pitch: u8, velocity: u8) -> u32 {
        let Writer { register, body, known, sung } = self;
        *known.entry((shape, pitch, velocity)).or_insert_with(|| {
            let hertz = frequency(f32::from(pitch));
            let formants = Formants::of(*register, shape).tuned(hertz);
            let pressed = 0.2 + 0.8 * f32::from(velocity) / 127.0;
            let power = power(&formants, body.higher, hertz, body.glottis.levels(hertz, pressed), body.rate);
            sung.mouths.push(Mouth { formants, gain: (0.5 / power.max(1e-9)).sqrt(), pressed });
            sung.mouths.len() as u32 - 1
        })
    }

    fn slide(&mut self, tone: &Tone, before: Option<&Tone>, begun: u64) {
        let after = f32::from(tone.pitch);
        let slide = match before {
            Some(last) => {
                let before = f32::from(last.pitch);
                let lasts = self.samples(0.06 + 0.04 * ((after - before).abs() / 12.0).min(1.0));
                let lasts = lasts.min(last.length().min(tone.length()) / 2);
                Slide { from: tone.start - 2 * lasts / 5, lasts, before, after }
            }
            None => Slide { from: begun, lasts: 0, before: after, after },
        };
        self.sung.slides.push(slide);
    }
}

/// Hz of a MIDI number.
pub fn frequency(pitch: f32) -> f32 {
    440.0 * ((pitch - 69.0) / 12.0).exp2()
}

/// As the piano: high notes carry further.
fn level(tone: &Tone) -> f32 {
    let height = (f32::from(tone.pitch) - 60.0) / 12.0;
    LEVEL * loudness(f32::from(tone.velocity) / 127.0) * (1.0 - 0.05 * height).clamp(0.6, 1.2)
}

impl Slide {
    /// The pitch at a sample.
    pub fn at(&self, sample: u64) -> f32 {
        let way = if self.lasts == 0 { 1.0 } else { sample.saturating_sub(self.from) as f32 / self.lasts as f32 };
        let way = way.min(1.0);
        self.before + (self.after - self.before) * way * way * (3.0 - 2.0 * way)
    }
}
