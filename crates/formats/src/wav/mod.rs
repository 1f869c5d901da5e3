//! Sound: scores as WAV files.
//!
//! Built in is a band ([`Sound::BuiltIn`]): the piano, made of decaying sine waves (`piano`); what is plucked or hit, made of the same waves
//! (`struck`); what sounds while it is held, read from a period of sound (`tone`); a drum kit (`kit`, `drums`). `programs` says
//! which plays what: each family of General MIDI has a voice of its own. Or a SoundFont plays ([`Sound::soundfont`]). Both follow each part's
//! programs, volume, expression, place, bends and pedal; a drum rings out, unless a stroke of the same player ends it. Or a choir sings
//! (`choir`, [`Sound::Choir`]), with the words of the score; the drum kit plays what drums there are.
//!
//! Sound is made in blocks and leaves through a look-ahead limiter, so that memory does not grow with the piece, and no
//! sample exceeds [`PEAK`]. The same score gives the same bytes on machines with the same mathematical library.

mod choir;
mod curves;
mod cycles;
mod drums;
mod filter;
mod kit;
mod limiter;
mod noise;
mod piano;
mod programs;
mod ringing;
mod schedule;
mod soundfont;
mod struck;
mod tone;

use cantus_score::Score;
use choir::Singing;
use curves::{Curves, Shape};
use cycles::Cycles;
use programs::Player;
use schedule::{Schedule, Strike};
use std::io::{self, Seek, Write};
use std::rc::Rc;
use thiserror::Error;

pub use choir::Choir;
pub use soundfont::SoundFont;

/// The largest magnitude that a sample can have.
pub const PEAK: f32 = 0.98;

/// So many notes sound freely at a time; beyond them the oldest fade.
const MAX_VOICES: usize = 256;

/// Samples made at a time.
const BLOCK: usize = 256;

/// What plays.
#[derive(Debug, Default)]
pub enum Sound {
    /// The built-in instruments: a piano where the music does not say otherwise.
    #[default]
    BuiltIn,
    /// A choir that sings all parts but drums.
    Choir(Choir),
    /// A SoundFont of the user's.
    SoundFont(Box<SoundFont>),
}

impl Sound {
    /// The sound of a name: `built-in` (also `piano`, which it is where the music names no instruments) or `choir`.
    pub fn named(name: &str) -> Option<Sound> {
        match name {
            "built-in" | "piano" => Some(Sound::BuiltIn),
            "choir" => Some(Sound::Choir(Choir::default())),
            _ => None,
        }
    }

    /// A SoundFont from the bytes of an `.sf2` file.
    ///
    /// # Errors
    /// [`WavError::SoundFont`] where the bytes are none.
    pub fn soundfont(bytes: &[u8]) -> Result<Sound, WavError> {
        Ok(Sound::SoundFont(Box::new(SoundFont::parse(bytes)?)))
    }
}

/// How sound is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Samples per second, 8000-192000 (a SoundFont needs 16000).
    pub sample_rate: u32,
    /// Longer pieces are an error.
    pub max_seconds: f64,
}

impl Default for Settings {
    /// CD quality, at most an hour.
    fn default() -> Settings {
        Settings { sample_rate: 44_100, max_seconds: 3600.0 }
    }
}

/// Why there is no sound.
#[derive(Debug, Error)]
pub enum WavError {
    /// Longer than [`Settings::max_seconds`].
    #[error("the music lasts {seconds:.0} seconds, more than the limit of {limit} (raise it with `max-seconds`)")]
    TooLong {
        /// Its length.
        seconds: f64,
        /// The limit.
        limit: f64,
    },
    /// A sample rate that no one plays.
    #[error("a sample rate of {found} Hz: use {lowest}-192000")]
    SampleRate {
        /// The rate asked for.
        found: u32,
        /// The lowest rate possible.
        lowest: u32,
    },
    /// A SoundFont that cannot be used.
    #[error("the SoundFont cannot be used: {reason}")]
    SoundFont {
        /// Why not.
        reason: String,
    },
    /// The file could not be written.
    #[error("the WAV file could not be written: {0}")]
    Write(#[source] io::Error),
}

/// Sound in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Samples per second.
    pub sample_rate: u32,
    /// Left and right, -1 to 1.
    pub samples: Vec<[f32; 2]>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written {
    /// The sound's length, with the last note's end.
    pub seconds: f64,
    /// The largest magnitude of a sample.
    pub peak: f32,
}

/// The sound of a score, in memory (some 20 MB a minute).
///
/// # Errors
/// See [`WavError`].
pub fn render(score: &Score, sound: &Sound, settings: &Settings) -> Result<Audio, WavError> {
    let mut samples = Vec::new();
    stream(score, sound, settings, &mut |block| {
        samples.extend_from_slice(block);
        Ok(())
    })?;
    Ok(Audio { sample_rate: settings.sample_rate, samples })
}

/// Writes the sound of a score as a 16-bit stereo WAV file.
///
/// # Errors
/// See [`WavError`].
pub fn write(score: &Score, sound: &Sound, settings: &Settings, out: impl Write + Seek) -> Result<Written, WavError> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: settings.sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(out, spec).map_err(write_error)?;
    let written = samples(score, sound, settings, &mut |block| {
        block.iter().try_for_each(|sample| writer.write_sample(*sample).map_err(write_error))
    })?;
    writer.finalize().map_err(write_error)?;
    Ok(written)
}

/// Hands over the sound of a score block by block as 16-bit samples, left and right in turn.
pub(crate) fn samples(
    score: &Score,
    sound: &Sound,
    settings: &Settings,
    sink: &mut dyn FnMut(&[i16]) -> Result<(), WavError>,
) -> Result<Written, WavError> {
    let (mut count, mut peak) = (0_u64, 0.0_f32);
    let mut whole = Vec::with_capacity(2 * BLOCK);
    stream(score, sound, settings, &mut |block| {
        count += block.len() as u64;
        whole.clear();
        for sample in block.as_flattened() {
            peak = peak.max(sample.abs());
            whole.push((sample * 32767.0).round() as i16);
        }
        sink(&whole)
    })?;
    Ok(Written { seconds: count as f64 / f64::from(settings.sample_rate), peak })
}

fn write_error(error: hound::Error) -> WavError {
    WavError::Write(match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    })
}

/// The level of a stroke of `force` 0-1, the same law for all that has a pitch: a band stays balanced from soft to loud.
fn loudness(force: f32) -> f32 {
    0.24 * (0.03 + 0.97 * force.powf(1.7))
}

/// Where finished blocks go.
type Sink<'a> = dyn FnMut(&[[f32; 2]]) -> Result<(), WavError> + 'a;

fn stream(score: &Score, sound: &Sound, settings: &Settings, sink: &mut Sink) -> Result<(), WavError> {
    let lowest = match sound {
        Sound::BuiltIn | Sound::Choir(_) => 8_000,
        Sound::SoundFont(_) => 16_000,
    };
    if !(lowest..=192_000).contains(&settings.sample_rate) {
        return Err(WavError::SampleRate { found: settings.sample_rate, lowest });
    }
    let seconds = score.tempo_map().seconds(score.end());
    if seconds > settings.max_seconds {
        return Err(WavError::TooLong { seconds, limit: settings.max_seconds });
    }
    let mut limiter = limiter::Limiter::new(settings.sample_rate);
    match sound {
        Sound::BuiltIn => {
            let schedule = Schedule::new(score, settings.sample_rate, |_| true);
            play(&schedule, None, settings.sample_rate, &mut limiter, sink)?;
        }
        Sound::Choir(choir) => {
            let schedule = Schedule::new(score, settings.sample_rate, |part| part.drums);
            let singing = Singing::new(choir, score, settings.sample_rate);
            play(&schedule, Some(singing), settings.sample_rate, &mut limiter, sink)?;
        }
        Sound::SoundFont(font) => font.play(score, settings.sample_rate, &mut limiter, sink)?,
    }
    limiter.finish(sink)
}

/// A sounding note of the built-in instruments.
trait Voice {
    /// Adds to `out`, which begins where the voice's last block ended.
    fn play(&mut self, out: &mut [[f32; 2]]);
    /// Lets the damper fall.
    fn release(&mut self);
    /// From here on all frequencies are so many times those that it was struck with; drums do not bend.
    fn bend(&mut self, _factor: f32) {}
    /// Multiplies what every sample loses by `factor`, for good: the sound fades out quickly, without a click.
    fn choke(&mut self, factor: f32);
    /// Whether nothing more will be heard.
    fn is_silent(&self) -> bool;
}

/// A voice with the sample at which its damper falls.
struct Sounding {
    voice: Box<dyn Voice>,
    release: u64,
    is_choked: bool,
    /// What shapes it, and how it was shaped last.
    curves: Option<(Rc<Curves>, Shape)>,
}

impl Sounding {
    fn new(strike: &Strike, curves: &[Rc<Curves>], sample_rate: u32, cycles: &mut Cycles) -> Sounding {
        let voice: Box<dyn Voice> = if strike.is_drum {
            Box::new(drums::Drum::new(strike, sample_rate))
        } else {
            match programs::player(strike.program) {
                Player::Piano => Box::new(piano::strike(strike, sample_rate)),
                Player::Struck(instrument) => Box::new(instrument.strike(strike, sample_rate)),
                Player::Held(timbre) => Box::new(tone::Tone::new(timbre, strike, sample_rate, cycles)),
            }
        };
        let curves = strike.curves.map(|index| &curves[index as usize]);
        let curves = curves.map(|curves| (Rc::clone(curves), curves.at(strike.start)));
        let mut sounding = Sounding { voice, release: strike.release, is_choked: false, curves };
        if let Some((_, shape)) = &sounding.curves {
            sounding.voice.bend(shape.bend);
        }
        sounding
    }

    /// Plays a block that begins at sample `now`.
    fn play(&mut self, now: u64, out: &mut [[f32; 2]]) {
        let Some((curves, last)) = self.curves.take() else { return self.play_plainly(now, out) };
        let shape = curves.at(now);
        if shape.bend != last.bend {
            self.voice.bend(shape.bend);
        }
        let mut plain = [[0.0; 2]; BLOCK];
        let plain = &mut plain[..out.len()];
        self.play_plainly(now, plain);
        last.ramp(&shape, plain, out);
        self.curves = Some((curves, shape));
    }

    fn play_plainly(&mut self, now: u64, out: &mut [[f32; 2]]) {
        let before = self.release.saturating_sub(now).min(out.len() as u64) as usize;
        self.voice.play(&mut out[..before]);
        if before < out.len() {
            if self.release >= now {
                self.voice.release();
            }
            self.voice.play(&mut out[before..]);
        }
    }
}

fn play(
    schedule: &Schedule,
    mut singing: Option<Singing>,
    sample_rate: u32,
    limiter: &mut limiter::Limiter,
    sink: &mut Sink,
) -> Result<(), WavError> {
    let mut waiting = schedule.strikes.iter().peekable();
    let mut sounding: Vec<Sounding> = Vec::new();
    let mut cycles = Cycles::default();
    let mut now = 0;
    let goes_on = |singing: &Option<Singing>| singing.as_ref().is_some_and(|singing| !singing.is_over());
    while now < schedule.end || !sounding.is_empty() || waiting.peek().is_some() || goes_on(&singing) {
        let mut block = [[0.0; 2]; BLOCK];
        if let Some(singing) = &mut singing {
            singing.play(now, &mut block);
        }
        let next = now + BLOCK as u64;
        for voice in &mut sounding {
            voice.play(now, &mut block);
        }
        while let Some(strike) = waiting.next_if(|strike| strike.start < next) {
            let mut voice = Sounding::new(strike, &schedule.curves, sample_rate, &mut cycles);
            voice.play(strike.start, &mut block[(strike.start - now) as usize..]);
            sounding.push(voice);
        }
        // Some 10 ms to nothing for the oldest, where more sound than any pianist has: a million notes must not take hours.
        let choke = (-300.0 / sample_rate as f32).exp();
        let excess = sounding.iter().filter(|voice| !voice.is_choked).count().saturating_sub(MAX_VOICES);
        for voice in sounding.iter_mut().filter(|voice| !voice.is_choked).take(excess) {
            voice.voice.choke(choke);
            voice.is_choked = true;
        }
        sounding.retain(|voice| !voice.voice.is_silent());
        limiter.push(block, sink)?;
        now = next;
    }
    Ok(())
}
