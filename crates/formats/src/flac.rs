//! Sound without loss in half the bytes: scores as FLAC files.
//!
//! Source: M. van Beurden and A. Weaver, "Free Lossless Audio Codec", RFC 9639, 2024. The samples are those of the WAV file
//! ([`crate::wav`]), bit for bit. Frames leave as they are made: memory does not grow with the piece.

use crate::wav::{self, Settings, Sound, WavError, Written};
use cantus_score::Score;
use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, Stream, StreamInfo};
use flacenc::config;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};
use std::io::{self, Seek, SeekFrom, Write};
use thiserror::Error;

/// Samples of each channel in a frame.
const BLOCK: usize = 4096;
/// The shortest last frame; silence makes it as long.
const SHORTEST: usize = 64;
const CHANNELS: usize = 2;
const BITS: usize = 16;

/// Why there is no FLAC file.
#[derive(Debug, Error)]
pub enum FlacError {
    /// There is no sound.
    #[error(transparent)]
    Sound(#[from] WavError),
    /// A sample rate that the encoder does not have.
    #[error("a sample rate of {found} Hz: FLAC files are written with at most 96000")]
    SampleRate {
        /// The rate asked for.
        found: u32,
    },
    /// The encoder refuses the samples.
    #[error("the sound cannot be encoded as FLAC: {reason}")]
    Encode {
        /// What it says.
        reason: String,
    },
    /// The file could not be written.
    #[error("the FLAC file could not be written: {0}")]
    Write(#[source] io::Error),
}

/// Writes the sound of a score as a 16-bit stereo FLAC file.
///
/// # Errors
/// See [`FlacError`].
pub fn write(score: &Score, sound: &Sound, settings: &Settings, out: impl Write + Seek) -> Result<Written, FlacError> {
    if settings.sample_rate > 96_000 {
        return Err(FlacError::SampleRate { found: settings.sample_rate });
    }
    let mut encoder = Encoder::new(settings.sample_rate, out)?;
    let mut failed = None;
    let written = wav::samples(score, sound, settings, &mut |block| {
        encoder.push(block).map_err(|error| {
            failed = Some(error);
            // Stops the sound; the reason is kept beside it.
            WavError::Write(io::Error::other("FLAC"))
        })
    });
    match (failed, written) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(written)) => {
            encoder.finish()?;
            Ok(written)
        }
    }
}

struct Encoder<W> {
    config: Verified<config::Encoder>,
    info: StreamInfo,
    /// Counts samples and sums them up for the signature in the header.
    context: Context,
    frame: FrameBuf,
    waiting: Vec<i32>,
    frames: usize,
    out: W,
}

impl<W: Write + Seek> Encoder<W> {
    fn new(sample_rate: u32, out: W) -> Result<Encoder<W>, FlacError> {
        let mut config = config::Encoder::default();
        config.block_size = BLOCK;
        let mut encoder = Encoder {
            config: config.into_verified().map_err(|(_, error)| refused(&error))?,
            info: StreamInfo::new(sample_rate as usize, CHANNELS, BITS).map_err(|error| refused(&error))?,
            context: Context::new(BITS, CHANNELS),
            frame: FrameBuf::with_size(CHANNELS, BLOCK).map_err(|error| refused(&error))?,
            waiting: Vec::with_capacity(2 * BLOCK * CHANNELS),
            frames: 0,
            out,
        };
        encoder.header()?;
        Ok(encoder)
    }

    fn push(&mut self, samples: &[i16]) -> Result<(), FlacError> {
        self.waiting.extend(samples.iter().map(|sample| i32::from(*sample)));
        while self.waiting.len() >= (BLOCK + SHORTEST) * CHANNELS {
            self.encode(BLOCK)?;
        }
        Ok(())
    }

    /// Encodes so many samples of each channel.
    fn encode(&mut self, count: usize) -> Result<(), FlacError> {
        let samples = &self.waiting[..count * CHANNELS];
        self.frame.fill_interleaved(samples).map_err(|error| refused(&error))?;
        self.context.fill_interleaved(samples).map_err(|error| refused(&error))?;
        self.waiting.drain(..count * CHANNELS);
        let frame = flacenc::encode_fixed_size_frame(&self.config, &self.frame, self.frames, &self.info)
            .map_err(|error| refused(&error))?;
        self.frames += 1;
        self.info.update_frame_info(&frame);
        let mut bits = ByteSink::new();
        frame.write(&mut bits).map_err(|error| refused(&error))?;
        self.out.write_all(bits.as_slice()).map_err(FlacError::Write)
    }

    fn finish(mut self) -> Result<(), FlacError> {
        let left = self.waiting.len() / CHANNELS;
        if left > 0 {
            let count = left.max(SHORTEST);
            self.waiting.resize(count * CHANNELS, 0);
            // What waits may be a little more than a frame holds: both of its halves are long enough.
            if count > BLOCK {
                self.encode(count / 2)?;
            }
            let rest = self.waiting.len() / CHANNELS;
            self.encode(rest)?;
        }
        self.info.set_md5_digest(&self.context.md5_digest());
        self.out.seek(SeekFrom::Start(0)).map_err(FlacError::Write)?;
        self.header()?;
        self.out.flush().map_err(FlacError::Write)
    }

    /// The head of the file, with what is known so far; it always has the same length.
    fn header(&mut self) -> Result<(), FlacError> {
        let mut info = self.info.clone();
        // The last frame may be shorter than the blocks that a header promises.
        info.set_block_sizes(BLOCK, BLOCK).map_err(|error| refused(&error))?;
        let mut bits = ByteSink::new();
        Stream::with_stream_info(info).write(&mut bits).map_err(|error| refused(&error))?;
        self.out.write_all(bits.as_slice()).map_err(FlacError::Write)
    }
}

fn refused(error: &dyn std::fmt::Display) -> FlacError {
    FlacError::Encode { reason: error.to_string() }
}
