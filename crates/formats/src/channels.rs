//! Which parts share a MIDI channel, and where the others go.
//!
//! A channel has one instrument at a time, one volume, one bend and one pedal; a port has sixteen channels, of which the tenth
//! is for drums. Every writer that names channels asks here, so that no two parts meet on one channel and change each other.

use cantus_score::{Control, Note, Part, PedalSpan, Pitch, Program, Ticks};
use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;

/// A channel of a port: channels of different ports are different channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seat {
    /// MIDI port, 0 where there is one only.
    pub port: u8,
    /// MIDI channel, 0-15.
    pub channel: u8,
}

/// All that is a channel's and not a note's: parts that agree in it can share a channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Settings<'a> {
    drums: bool,
    programs: &'a [(Ticks, Program)],
    pedal: &'a [PedalSpan],
    controls: &'a [(Ticks, Control)],
}

impl Settings<'_> {
    fn of(part: &Part) -> Settings<'_> {
        Settings { drums: part.drums, programs: &part.programs, pedal: &part.pedal, controls: &part.controls }
    }
}

/// A place for each part, or `None` for a part that finds none: 256 ports have 256 channels for drums and 3840 for others.
///
/// Drums are on channel 9 of a port, which every reader and player takes for drums, and pitches never are. A part stays on its own
/// port and channel where it can: where nobody sits, or somebody with the same programs, pedal, controllers and bends from
/// beginning to end, who never sounds a pitch while it does, which on one channel would be a note that ends too soon. Parts that cannot stay take the free channels of the first port, then share with one of the same settings,
/// then open the next port. Parts keep their places if asked again.
pub(crate) fn seats(parts: &[Part]) -> Vec<Option<Seat>> {
    let mut taken: HashMap<Seat, (Settings, Sounding)> = HashMap::new();
    let mut of_settings: HashMap<Settings, Seat> = HashMap::new();
    let mut seats: Vec<Option<Seat>> = parts
        .iter()
        .map(|part| {
            let settings = Settings::of(part);
            let seat = wanted(part)?;
            let (theirs, sounding) = taken.entry(seat).or_insert_with(|| (settings, Sounding::default()));
            let mine = *theirs == settings && !sounding.meets(part);
            if mine {
                sounding.add(part);
                of_settings.entry(settings).or_insert(seat);
            }
            mine.then_some(seat)
        })
        .collect();
    let mut pitched = free(|channel| channel != Part::DRUM_CHANNEL);
    let mut drums = free(|channel| channel == Part::DRUM_CHANNEL);
    for (part, seat) in parts.iter().zip(&mut seats).filter(|(_, seat)| seat.is_none()) {
        let settings = Settings::of(part);
        let places = if part.drums { &mut drums } else { &mut pitched };
        while places.next_if(|seat| taken.contains_key(seat)).is_some() {}
        let alike = of_settings.get(&settings).copied();
        *seat = match places.peek() {
            Some(free) if free.port == 0 => Some(*free),
            Some(free) => alike.or(Some(*free)),
            None => alike,
        };
        if let Some(seat) = *seat {
            taken.entry(seat).or_insert_with(|| (settings, Sounding::default())).1.add(part);
            of_settings.entry(settings).or_insert(seat);
        }
    }
    seats
}

/// What sounds on a channel: when notes of a pitch begin, and when each ends.
#[derive(Default)]
struct Sounding(BTreeMap<(Pitch, Ticks), Ticks>);

impl Sounding {
    /// Whether a part sounds a pitch while it sounds here.
    fn meets(&self, part: &Part) -> bool {
        let is_met = |note: &Note| {
            let begun = self.0.range((note.pitch, Ticks::ZERO)..=(note.pitch, note.onset)).next_back();
            let mut begins = self.0.range((note.pitch, note.onset)..(note.pitch, note.end().max(note.onset)));
            begun.is_some_and(|(_, end)| *end > note.onset) || begins.next().is_some()
        };
        !part.drums && part.notes.iter().any(is_met)
    }

    fn add(&mut self, part: &Part) {
        for note in &part.notes {
            let end = self.0.entry((note.pitch, note.onset)).or_default();
            *end = note.end().max(*end);
        }
    }
}

/// Where a part would like to be, or `None` where it cannot be.
fn wanted(part: &Part) -> Option<Seat> {
    match part {
        Part { drums: true, port, .. } => Some(Seat { port: *port, channel: Part::DRUM_CHANNEL }),
        Part { port, channel, .. } if *channel < 16 && *channel != Part::DRUM_CHANNEL => {
            Some(Seat { port: *port, channel: *channel })
        }
        _ => None,
    }
}

/// All places with such channels, port by port.
fn free(is_for_it: fn(u8) -> bool) -> Peekable<impl Iterator<Item = Seat>> {
    let channels =
        move |port| (0..16).filter(move |channel| is_for_it(*channel)).map(move |channel| Seat { port, channel });
    (0..=u8::MAX).flat_map(channels).peekable()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::Velocity;

    fn part(port: u8, channel: u8, program: u8) -> Part {
        let programs = vec![(Ticks::ZERO, Program::new(program).unwrap())];
        Part { port, channel, programs, ..Part::default() }
    }

    fn drums(channel: u8, kit: u8) -> Part {
        Part { drums: true, ..part(0, channel, kit) }
    }

    fn places(parts: &[Part]) -> Vec<(u8, u8)> {
        seats(parts).into_iter().map(|seat| seat.map(|seat| (seat.port, seat.channel)).unwrap()).collect()
    }

    #[test]
    fn parts_stay_where_they_can() {
        let parts = [part(0, 0, 73), part(1, 0, 58), part(0, 1, 68), part(0, 0, 73), drums(9, 0), drums(9, 0)];
        assert_eq!(places(&parts), [(0, 0), (1, 0), (0, 1), (0, 0), (0, 9), (0, 9)]);
    }

    #[test]
    fn who_sounds_the_same_pitch_at_once_sits_apart() {
        let singing = |notes: &[(u64, u64, u8)]| {
            let note = |&(onset, duration, pitch): &(u64, u64, u8)| Note {
                onset: Ticks(onset),
                duration: Ticks(duration),
                pitch: Pitch::try_from(pitch).unwrap(),
                velocity: Velocity::DEFAULT,
            };
            Part { notes: notes.iter().map(note).collect(), ..part(0, 0, 40) }
        };
        let parts = [
            singing(&[(0, 8, 60), (8, 8, 62)]),
            // One after the other, and other pitches.
            singing(&[(8, 8, 60), (0, 8, 64)]),
            // Together with the first one's last.
            singing(&[(12, 8, 62)]),
            singing(&[(16, 8, 62)]),
        ];
        assert_eq!(places(&parts), [(0, 0), (0, 0), (0, 1), (0, 0)]);
    }

    #[test]
    fn channels_come_first_and_ports_then() {
        let parts: Vec<Part> = (0..40).map(|program| part(0, 0, program)).collect();
        let found = places(&parts);
        assert_eq!(found[..3], [(0, 0), (0, 1), (0, 2)]);
        assert_eq!(found[14..17], [(0, 15), (1, 0), (1, 1)]);
        assert!(found.iter().all(|(_, channel)| *channel != 9));
        // With the first port full, a part joins one that has its program.
        let alike = [parts[..20].to_vec(), vec![part(0, 0, 7)]].concat();
        assert_eq!(places(&alike)[20], places(&alike)[7]);
    }

    #[test]
    fn pitches_leave_the_channel_of_drums_and_drums_go_there() {
        assert_eq!(places(&[part(0, 9, 3), drums(10, 0), drums(11, 25)]), [(0, 0), (0, 9), (1, 9)]);
    }

    #[test]
    fn whoever_bends_or_pedals_alone_sits_alone() {
        let mut bent = part(0, 0, 0);
        bent.controls.push((Ticks(4), Control::Bend(100)));
        let mut pedalled = part(0, 0, 0);
        pedalled.pedal.push(PedalSpan { down: Ticks(0), up: Ticks(9) });
        assert_eq!(places(&[part(0, 0, 0), bent, pedalled, part(0, 0, 0)]), [(0, 0), (0, 1), (0, 2), (0, 0)]);
    }

    #[test]
    fn asked_again_nobody_moves_and_none_is_left_is_said() {
        let mut parts: Vec<Part> = (0..300).map(|k| part((k % 3) as u8, (k % 16) as u8, (k % 120) as u8)).collect();
        let first = seats(&parts);
        for (part, seat) in parts.iter_mut().zip(&first) {
            (part.port, part.channel) = seat.map(|seat| (seat.port, seat.channel)).unwrap();
        }
        assert_eq!(seats(&parts), first);
        let kits: Vec<Part> =
            (0..300).map(|k| Part { controls: vec![(Ticks(k), Control::Pressure(1))], ..drums(9, 0) }).collect();
        assert_eq!(seats(&kits).iter().filter(|seat| seat.is_none()).count(), 300 - 256);
    }
}
