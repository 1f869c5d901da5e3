//! A user's SoundFont, played by rustysynth.
//!
//! rustysynth gets neither our MIDI file nor any other (its reader can panic): events go straight to its synthesizer. Its
//! SoundFont reader allocates what a chunk claims before it reads it, and may index out of bounds in a broken file: the claims
//! are checked first, and a panic that remains becomes an error.

use super::limiter::Limiter;
use super::{BLOCK, Sink, WavError};
use crate::channels::seats;
use cantus_score::{Control, Part, Score};
use rustysynth::{Synthesizer, SynthesizerSettings};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A SoundFont that has been read.
pub struct SoundFont(Arc<rustysynth::SoundFont>);

impl fmt::Debug for SoundFont {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SoundFont").field(&self.0.get_info().get_bank_name()).finish()
    }
}

/// A MIDI message at a sample. The order is that of a MIDI file: what ends, then what is set, then what begins.
#[derive(Clone, Copy)]
struct Message {
    at: u64,
    rank: u8,
    /// Which synthesizer: each has sixteen channels.
    port: u8,
    channel: u8,
    command: u8,
    data: [u8; 2],
}

impl SoundFont {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<SoundFont, WavError> {
        check_chunks(bytes)?;
        let font = guarded("reading it", || rustysynth::SoundFont::new(&mut bytes))?
            .map_err(|error| broken(error.to_string()))?;
        if font.get_presets().is_empty() {
            return Err(broken("it has no instruments"));
        }
        Ok(SoundFont(Arc::new(font)))
    }

    pub(super) fn play(
        &self,
        score: &Score,
        sample_rate: u32,
        limiter: &mut Limiter,
        sink: &mut Sink,
    ) -> Result<(), WavError> {
        // Once the last note has ended, this much sound may follow, and none where it is softer than a 16-bit step.
        let longest_tail = 10 * u64::from(sample_rate);
        let mut settings = SynthesizerSettings::new(sample_rate.cast_signed());
        settings.maximum_polyphony = 256;
        let messages = messages(score, sample_rate);
        let ports = messages.iter().map(|message| message.port).max().unwrap_or(0) + 1;
        let start = || guarded("starting it", || Synthesizer::new(&self.0, &settings));
        let synthesizers = (0..ports).map(|_| start()?.map_err(|error| broken(error.to_string())));
        let mut synthesizers: Vec<Synthesizer> = synthesizers.collect::<Result<_, _>>()?;
        let end = messages.last().map_or(0, |message| message.at);
        let mut messages = messages.into_iter().peekable();
        let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
        let (mut more_left, mut more_right) = ([0.0; 64], [0.0; 64]);
        let mut now = 0;
        loop {
            guarded("playing it", || {
                // rustysynth renders 64 samples at a time: 1.5 ms are fine enough.
                for (left, right) in left.chunks_mut(64).zip(right.chunks_mut(64)) {
                    while let Some(message) = messages.next_if(|message| message.at <= now) {
                        let [a, b] = message.data.map(i32::from);
                        let synthesizer = &mut synthesizers[usize::from(message.port)];
                        synthesizer.process_midi_message(message.channel.into(), message.command.into(), a, b);
                    }
                    synthesizers[0].render(left, right);
                    for synthesizer in &mut synthesizers[1..] {
                        synthesizer.render(&mut more_left, &mut more_right);
                        left.iter_mut().zip(&more_left).for_each(|(sum, sample)| *sum += sample);
                        right.iter_mut().zip(&more_right).for_each(|(sum, sample)| *sum += sample);
                    }
                    now += 64;
                }
            })?;
            let mut block = [[0.0; 2]; BLOCK];
            for (frame, (&left, &right)) in block.iter_mut().zip(left.iter().zip(&right)) {
                *frame = [left, right].map(|sample| if sample.is_finite() { sample } else { 0.0 });
            }
            let silent = block.as_flattened().iter().all(|sample| sample.abs() < 1.0 / 65536.0);
            limiter.push(block, sink)?;
            if now > end && (silent || now > end + longest_tail) {
                return Ok(());
            }
        }
    }
}

fn broken(reason: impl Into<String>) -> WavError {
    WavError::SoundFont { reason: reason.into() }
}

/// Turns a panic of rustysynth's into an error.
fn guarded<T>(doing: &str, work: impl FnOnce() -> T) -> Result<T, WavError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| broken(format!("{doing} failed; the file is probably damaged")))
}

/// Refuses a file in which a chunk claims more bytes than there are. Walks the chunks as rustysynth does: three lists.
fn check_chunks(bytes: &[u8]) -> Result<(), WavError> {
    let cut_off = |at: usize| broken(format!("it is cut off or damaged at byte {at}"));
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"sfbk") {
        return Err(broken("it is not a SoundFont (no RIFF header of type sfbk)"));
    }
    let length_at = |at: usize| {
        let length = bytes.get(at + 4..at + 8).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
        length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= bytes.len() - at - 8)
    };
    let mut at = 12;
    for _ in 0..3 {
        let end = at + 8 + length_at(at).ok_or_else(|| cut_off(at))?;
        at += 12;
        while at < end {
            // The first word is the version of the format; from 3 on, samples are compressed, which rustysynth does not read.
            let version = bytes.get(at + 8..at + 10).and_then(|word| word.try_into().ok()).map(u16::from_le_bytes);
            if bytes.get(at..at + 4) == Some(b"ifil") && version.is_some_and(|version| version >= 3) {
                return Err(broken("its samples are compressed (SF3); use one with plain samples (SF2)"));
            }
            at += 8 + length_at(at).ok_or_else(|| cut_off(at))?;
        }
    }
    Ok(())
}

/// So many synthesizers at most: parts beyond share their channels.
const MOST_PORTS: u8 = 16;

/// What the synthesizers are told. Parts with other programs, pedal, controllers or bends are on channels of their own, whatever
/// channel they have in a file.
fn messages(score: &Score, sample_rate: u32) -> Vec<Message> {
    let tempo = score.tempo_map();
    // One synthesizer as long as it has channels enough, whatever ports there are.
    let settings = |part: &Part| Part {
        channel: part.channel,
        drums: part.drums,
        programs: part.programs.clone(),
        pedal: part.pedal.clone(),
        controls: part.controls.clone(),
        ..Part::default()
    };
    let parts: Vec<Part> = score.parts.iter().map(settings).collect();
    let mut messages = Vec::with_capacity(score.note_count() * 2);
    for (part, seat) in score.parts.iter().zip(seats(&parts)) {
        let (port, channel) = seat.map_or((0, part.channel & 15), |seat| (seat.port % MOST_PORTS, seat.channel));
        let mut add = |at, rank, command, data| {
            let at = (tempo.seconds(at) * f64::from(sample_rate)).round() as u64;
            messages.push(Message { at, rank, port, channel, command, data });
        };
        for note in &part.notes {
            add(note.onset, 5, 0x90, [note.pitch.get(), note.velocity.get()]);
            let rank = if note.end() > note.onset { 0 } else { 6 };
            add(note.end(), rank, 0x80, [note.pitch.get(), 0]);
        }
        for span in &part.pedal {
            add(span.up, 1, 0xB0, [64, 0]);
            add(span.down, 4, 0xB0, [64, 127]);
        }
        for &(at, control) in &part.controls {
            match control {
                // Kits are chosen by program; the synthesizer would look for them in another bank.
                Control::Controller { number: 0, .. } if part.drums => {}
                Control::Controller { number, value } => add(at, 2, 0xB0, [number, value]),
                Control::Bend(bend) => {
                    let bend = bend.wrapping_add(0x2000).cast_unsigned();
                    add(at, 2, 0xE0, [(bend & 0x7F) as u8, (bend >> 7 & 0x7F) as u8]);
                }
                Control::Pressure(_) => {}
            }
        }
        for &(at, program) in &part.programs {
            add(at, 3, 0xC0, [program.get(), 0]);
        }
    }
    // Settings keep their order within a tick, which parameters depend on.
    let key = |data: [u8; 2], command| if command < 0xB0 { data } else { [0; 2] };
    messages.sort_by_key(|m| (m.at, m.rank, m.port, m.channel, key(m.data, m.command)));
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Pitch, Program, Ticks, TicksPerQuarter, Velocity};

    #[test]
    fn parts_have_their_own_programs_whatever_their_channels() {
        let part = |channel, program, drums| {
            let programs = vec![(Ticks::ZERO, Program::new(program).unwrap())];
            let notes =
                vec![Note { onset: Ticks(0), pitch: Pitch::C4, duration: Ticks(9), velocity: Velocity::DEFAULT }];
            Part { channel, programs, drums, notes, ..Part::default() }
        };
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        score.parts = (0..20).map(|program| part(9, program, false)).collect();
        score.parts.extend([part(3, 0, true), part(4, 25, true)]);
        let messages = messages(&score, 44_100);
        let on = |command: u8| {
            let on = messages.iter().filter(move |message| message.command == command);
            on.map(|message| (message.port, message.channel)).collect::<Vec<_>>()
        };
        let (mut programs, mut notes) = (on(0xC0), on(0x90));
        programs.sort_unstable();
        notes.sort_unstable();
        assert_eq!(programs, notes);
        programs.dedup();
        assert_eq!(programs.len(), 22, "each has a channel of its own");
        assert_eq!(programs.iter().filter(|(_, channel)| *channel == 9).count(), 2, "and drums have the tenth");
    }
}
