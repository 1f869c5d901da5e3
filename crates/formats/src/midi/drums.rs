//! When a channel is for drums, and when for pitches.

use super::sysex::Rules;
use cantus_score::{Note, Part, names_pitches};
use std::borrow::Cow;

/// Bank numbers (controller 0) that decide: General MIDI 2's rhythm and melody, Yamaha's effects and drums.
pub(super) const RHYTHM_BANKS: [u8; 3] = [120, 126, 127];
pub(super) const MELODY_BANK: u8 = 121;

/// What was said of drums, in one place of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saying {
    pub at: u64,
    /// Which port, by the reader's own count.
    pub port: u32,
    pub what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// All channels of the port begin anew.
    Reset(Rules),
    /// A message to a channel.
    Rhythm { channel: u8, drums: bool },
    /// A bank for a channel.
    Bank { channel: u8, bank: u8 },
}

/// Everything that was said of drums, in order.
#[derive(Default)]
pub(super) struct Sayings {
    sorted: Vec<Saying>,
}

/// Whether a channel is for drums from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub from: u64,
    pub drums: bool,
    /// Whether the file says so; otherwise it is the default.
    pub is_said: bool,
}

impl Sayings {
    /// Tracks are one stream: what is said in any of them holds from its tick on, for notes of that tick, too.
    pub fn new(mut sayings: Vec<Saying>) -> Sayings {
        sayings.sort_by_key(|saying| (saying.port, saying.at, !matches!(saying.what, What::Reset(_))));
        Sayings { sorted: sayings }
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// What was said to a port.
    fn to(&self, port: u32) -> &[Saying] {
        let start = self.sorted.partition_point(|saying| saying.port < port);
        let length = self.sorted[start..].partition_point(|saying| saying.port == port);
        &self.sorted[start..start + length]
    }

    /// When everything on a port begins anew, but for the beginning.
    pub fn resets(&self, port: u32) -> Vec<u64> {
        let resets = self.to(port).iter().filter(|saying| saying.at > 0 && matches!(saying.what, What::Reset(_)));
        let mut times: Vec<u64> = resets.map(|saying| saying.at).collect();
        times.dedup();
        times
    }

    /// What a channel is, from 0 on; no two entries of one time, nor neighbours that agree.
    pub fn kinds(&self, port: u32, channel: u8) -> Cow<'static, [Kind]> {
        const PITCHES: Kind = Kind { from: 0, drums: false, is_said: false };
        const DRUMS: Kind = Kind { drums: true, ..PITCHES };
        let default = if channel == Part::DRUM_CHANNEL { &DRUMS } else { &PITCHES };
        if self.to(port).is_empty() {
            return Cow::Borrowed(std::slice::from_ref(default));
        }
        let mut kinds = vec![*default];
        let mut rules = Rules::General;
        let mut message = None;
        for saying in self.to(port) {
            let said: Option<bool> = match saying.what {
                What::Reset(new) => {
                    (rules, message) = (new, None);
                    None
                }
                What::Rhythm { channel: to, drums } if to == channel => {
                    message = Some(drums);
                    message
                }
                What::Bank { channel: to, bank } if to == channel && rules != Rules::Gs => match bank {
                    _ if RHYTHM_BANKS.contains(&bank) => Some(true),
                    MELODY_BANK => Some(false),
                    _ if rules == Rules::Xg => Some(false),
                    // An ordinary bank takes back what a bank has said, and no message.
                    _ => message,
                },
                _ => continue,
            };
            let now = Kind { from: saying.at, drums: said.unwrap_or(default.drums), is_said: said.is_some() };
            kinds.pop_if(|last| last.from == now.from);
            if kinds.last().is_none_or(|last| (last.drums, last.is_said) != (now.drums, now.is_said)) {
                kinds.push(now);
            }
        }
        Cow::Owned(kinds)
    }
}

/// Whether a part that is drums by its channel alone looks like pitches: by its name; by keys that no kit has (General MIDI 2's end at 87,
/// Yamaha's begin at 13); or as one line over many keys, where drums would be struck together.
pub(super) fn looks_melodic(part: &Part) -> bool {
    /// So many keys, and notes, one line may be played on drums.
    const KEYS: u32 = 8;
    const NOTES: usize = 16;
    let notes = &part.notes;
    let strange = notes.iter().filter(|note| !(13..=87).contains(&note.pitch.get())).count();
    let keys = |notes: &[Note]| notes.iter().fold(0_u128, |keys, note| keys | 1 << note.pitch.get()).count_ones();
    // One after the other, and most of them held: players of drums strike some at almost the same time.
    let follow = |a: &Note, b: &Note| a.onset < b.onset && a.end() <= b.onset;
    let held = || notes.windows(2).filter(|pair| pair[0].duration.0 * 2 >= pair[1].onset.0 - pair[0].onset.0).count();
    let is_line =
        || notes.len() > NOTES && keys(notes) > KEYS && notes.is_sorted_by(follow) && held() * 4 > notes.len() * 3;
    part.name.as_deref().is_some_and(names_pitches) || strange * 4 > notes.len() || is_line()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Pitch, Ticks, Velocity};

    fn kinds(channel: u8, sayings: &[(u64, What)]) -> Vec<(u64, bool)> {
        let sayings = sayings.iter().map(|&(at, what)| Saying { at, port: 0, what }).collect();
        Sayings::new(sayings).kinds(0, channel).iter().map(|kind| (kind.from, kind.drums)).collect()
    }

    fn bank(channel: u8, bank: u8) -> What {
        What::Bank { channel, bank }
    }

    #[test]
    fn a_tune_or_a_strange_key_looks_melodic_and_a_beat_does_not() {
        let part = |name: Option<&str>, notes: &[(u64, u8)]| {
            let note = |&(onset, pitch): &(u64, u8)| Note {
                onset: Ticks(onset),
                pitch: Pitch::try_from(pitch).unwrap(),
                duration: Ticks(1),
                velocity: Velocity::DEFAULT,
            };
            let notes = notes.iter().map(note).collect();
            looks_melodic(&Part { name: name.map(str::to_owned), notes, ..Part::default() })
        };
        let tune: Vec<(u64, u8)> = (0..20).map(|k| (k, 60 + (k % 12) as u8)).collect();
        let beat: Vec<(u64, u8)> =
            (0..40).map(|k| (k / 2, [36, 42, 38, 46, 41, 43, 45, 47, 49, 51][k as usize % 10])).collect();
        assert!(part(None, &tune));
        assert!(!part(None, &tune[..12]), "a few strokes one after the other are no tune");
        assert!(!part(None, &beat));
        assert!(part(Some("Lead Vocal"), &beat));
        assert!(part(None, &[(0, 36), (1, 100)]));
        // The rims of electronic hi-hats.
        assert!(!part(None, &[(0, 22), (1, 26)]));
    }

    #[test]
    fn the_tenth_channel_is_a_default_only() {
        assert_eq!(kinds(9, &[]), [(0, true)]);
        assert_eq!(kinds(9, &[(0, What::Rhythm { channel: 9, drums: false })]), [(0, false)]);
        assert_eq!(kinds(9, &[(0, bank(9, 121))]), [(0, false)]);
        assert_eq!(kinds(9, &[(0, bank(9, 0))]), [(0, true)]);
        assert_eq!(kinds(9, &[(0, What::Reset(Rules::Xg)), (5, bank(9, 0))]), [(0, true), (5, false)]);
    }

    #[test]
    fn banks_mean_nothing_to_rolands_rules() {
        assert_eq!(kinds(3, &[(2, bank(3, 127))]), [(0, false), (2, true)]);
        assert_eq!(kinds(3, &[(2, bank(3, 127)), (9, bank(3, 0))]), [(0, false), (2, true), (9, false)]);
        assert_eq!(kinds(3, &[(0, What::Reset(Rules::Gs)), (2, bank(3, 127))]), [(0, false)]);
    }

    #[test]
    fn a_reset_takes_everything_back_and_comes_first_in_its_tick() {
        let rhythm = What::Rhythm { channel: 3, drums: true };
        assert_eq!(kinds(3, &[(0, rhythm), (8, What::Reset(Rules::Gs))]), [(0, true), (8, false)]);
        assert_eq!(kinds(3, &[(0, rhythm), (0, What::Reset(Rules::Gs))]), [(0, true)]);
        assert_eq!(kinds(4, &[(0, rhythm)]), [(0, false)]);
    }
}
