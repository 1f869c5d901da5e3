//! A score as few bytes: about five a note, where a score in memory takes 24.
//!
//! Times are differences, numbers are as long as they have to be (LEB128). It holds what a corpus looks at, and nothing else of a score:
//! no lyrics, no controllers, no remarks.

use cantus_score::{
    Key, Meter, Mode, Note, Part, Pass, PedalSpan, Pitch, Program, Repeat, Score, Tempo, Ticks, TicksPerQuarter,
    Velocity,
};

/// The bytes of a score.
pub(crate) fn pack(score: &Score) -> Vec<u8> {
    let mut to = Writer(Vec::with_capacity(64 + 6 * score.note_count()));
    to.number(u64::from(score.ticks_per_quarter.get()));
    to.name(score.title.as_deref());
    to.changes(&score.tempos, |to, tempo| to.number(u64::from(tempo.micros_per_quarter())));
    to.changes(&score.meters, |to, meter| to.0.extend([meter.numerator(), meter.denominator_log2()]));
    to.changes(&score.keys, |to, key| to.0.extend([key.fifths() as u8, u8::from(key.mode() == Mode::Minor)]));
    to.changes(&score.chords, |to, chord| to.name(Some(chord)));
    to.number(score.repeats.len() as u64);
    let mut before = 0;
    for repeat in &score.repeats {
        to.number(repeat.passes.len() as u64);
        for at in repeat.times() {
            to.number(at.0.wrapping_sub(before));
            before = at.0;
        }
    }
    to.number(score.parts.len() as u64);
    for part in &score.parts {
        to.name(part.name.as_deref());
        to.0.extend([part.port, part.channel, u8::from(part.drums)]);
        to.changes(&part.programs, |to, program| to.0.push(program.get()));
        to.number(part.notes.len() as u64);
        let mut before = 0;
        for note in &part.notes {
            to.number(note.onset.0.wrapping_sub(before));
            to.number(note.duration.0);
            to.0.extend([note.pitch.get(), note.velocity.get()]);
            before = note.onset.0;
        }
        to.number(part.pedal.len() as u64);
        let mut before = 0;
        for span in &part.pedal {
            to.number(span.down.0.wrapping_sub(before));
            to.number(span.up.0.wrapping_sub(span.down.0));
            before = span.up.0;
        }
    }
    to.0
}

/// The score that [`pack`] made these bytes of; `None` for others.
pub(crate) fn unpack(bytes: &[u8]) -> Option<Score> {
    let mut from = Reader(bytes);
    let mut score = Score::new(TicksPerQuarter::new(from.number()?.try_into().ok()?)?);
    score.title = from.name()?;
    score.tempos = from.changes(|from| Tempo::from_micros_per_quarter(from.number()?.try_into().ok()?))?;
    score.meters = from.changes(|from| Meter::new(from.byte()?, from.byte()?))?;
    score.keys = from.changes(|from| {
        let (fifths, is_minor) = (from.byte()? as i8, from.byte()? == 1);
        Key::new(fifths, if is_minor { Mode::Minor } else { Mode::Major })
    })?;
    score.chords = from.changes(|from| from.name()?)?;
    let mut before = 0u64;
    for _ in 0..from.number()? {
        let mut next = |from: &mut Reader<'_>| {
            before = before.wrapping_add(from.number()?);
            Some(Ticks(before))
        };
        let mut passes = Vec::new();
        for _ in 0..from.number()? {
            passes.push(Pass { start: next(&mut from)?, ending: next(&mut from)? });
        }
        score.repeats.push(Repeat { passes, end: next(&mut from)? });
    }
    for _ in 0..from.number()? {
        let name = from.name()?;
        let (port, channel, drums) = (from.byte()?, from.byte()?, from.byte()? == 1);
        let programs = from.changes(|from| Program::new(from.byte()?))?;
        let mut before = 0u64;
        let count = from.number()?;
        let mut notes = Vec::with_capacity(count.min(from.0.len() as u64) as usize);
        for _ in 0..count {
            let (onset, duration) = (before.wrapping_add(from.number()?), from.number()?);
            let pitch = Pitch::try_from(from.byte()?).ok()?;
            let velocity = Velocity::try_from(from.byte()?).ok()?;
            notes.push(Note { onset: Ticks(onset), pitch, duration: Ticks(duration), velocity });
            before = onset;
        }
        let mut before = 0u64;
        let mut pedal = Vec::new();
        for _ in 0..from.number()? {
            let down = before.wrapping_add(from.number()?);
            before = down.wrapping_add(from.number()?);
            pedal.push(PedalSpan { down: Ticks(down), up: Ticks(before) });
        }
        score.parts.push(Part { name, port, channel, drums, programs, notes, pedal, ..Part::default() });
    }
    from.0.is_empty().then_some(score)
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A text with its length before it, from 1; 0 is none.
    fn name(&mut self, name: Option<&str>) {
        self.number(name.map_or(0, |name| name.len() as u64 + 1));
        self.0.extend(name.unwrap_or_default().as_bytes());
    }

    fn changes<T>(&mut self, changes: &[(Ticks, T)], write: impl Fn(&mut Writer, &T)) {
        self.number(changes.len() as u64);
        let mut before = 0;
        for (at, change) in changes {
            self.number(at.0.wrapping_sub(before));
            write(self, change);
            before = at.0;
        }
    }
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn name(&mut self) -> Option<Option<String>> {
        let Some(length) = self.number()?.checked_sub(1) else { return Some(None) };
        let (name, rest) = self.0.split_at_checked(length.try_into().ok()?)?;
        self.0 = rest;
        Some(Some(String::from_utf8(name.to_vec()).ok()?))
    }

    fn changes<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<(Ticks, T)>> {
        let mut changes = Vec::new();
        let mut before = 0u64;
        for _ in 0..self.number()? {
            before = before.wrapping_add(self.number()?);
            changes.push((Ticks(before), read(self)?));
        }
        Some(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(onset: u64, pitch: u8, duration: u64) -> Note {
        let pitch = Pitch::try_from(pitch).unwrap();
        Note { onset: Ticks(onset), pitch, duration: Ticks(duration), velocity: Velocity::DEFAULT }
    }

    #[test]
    fn what_was_packed_comes_out_again() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        assert_eq!(unpack(&pack(&score)), Some(score.clone()));
        score.title = Some("Ütt".to_owned());
        score.tempos = vec![(Ticks(0), Tempo::DEFAULT), (Ticks(960), Tempo::from_micros_per_quarter(1).unwrap())];
        score.meters = vec![(Ticks(5), "6/8".parse().unwrap())];
        score.keys =
            vec![(Ticks(0), Key::new(-3, Mode::Minor).unwrap()), (Ticks(9), Key::new(2, Mode::Major).unwrap())];
        score.chords = vec![(Ticks(7), String::new()), (Ticks(7), "Am7".to_owned())];
        let pass = |start, ending| Pass { start: Ticks(start), ending: Ticks(ending) };
        score.repeats = vec![
            Repeat { passes: vec![pass(0, 8), pass(9, 17)], end: Ticks(17) },
            Repeat { passes: vec![pass(17, 20), pass(20, 23), pass(23, 26)], end: Ticks(1 << 40) },
        ];
        let programs = vec![(Ticks(0), Program::PIANO), (Ticks(1 << 40), Program::new(40).unwrap())];
        let pedal = vec![PedalSpan { down: Ticks(2), up: Ticks(9) }, PedalSpan { down: Ticks(11), up: Ticks(12) }];
        let notes = vec![note(0, 0, 1), note(0, 127, u64::MAX), note(127, 60, 128), note(u64::MAX, 60, 0)];
        score.parts = vec![
            Part { name: Some(String::new()), port: 1, channel: 3, programs, notes, pedal, ..Part::default() },
            Part { notes: vec![note(480, 36, 1)], ..Part::of_drums() },
        ];
        let bytes = pack(&score);
        assert_eq!(unpack(&bytes), Some(score));
        // Bytes that are missing or too many are no score, and no panic.
        assert!((0..bytes.len()).all(|length| unpack(&bytes[..length]).is_none()));
        assert_eq!(unpack(&[&bytes[..], &[0]].concat()), None);
    }
}
