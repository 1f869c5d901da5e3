//! Slurs and fermatas (standard 2.1, sections 4.11 and 4.14).
//!
//! A bracket opens before the note at which a slur begins, and closes behind the one at which it ends. Slurs may lie within one another,
//! and one may end where another begins: `(c (d e) f)`, `(c d (e) f g)`. So a bracket closes the last one that was opened before another
//! note.

use crate::notation::{Event, MOST_SLURS, SheetBar};
use crate::repeats::Stretch;
use cantus_score::{Pitch, Slur, Ticks};
use std::collections::{BTreeMap, HashMap};

/// No slur reaches over more jumps than this.
const MOST_JUMPS: usize = 8;
/// So many slurs wait for their ends at a time; of more the oldest are not kept.
const MOST_OPEN: usize = 64;

/// A note, or the highest of a chord: its onset and its pitch.
pub type Anchor = (Ticks, Pitch);

/// The slurs of a voice, chord by chord.
#[derive(Clone, Default)]
pub struct Slurs {
    /// In the order of their ends.
    pub found: Vec<Slur>,
    /// Brackets before a chord that is yet to come.
    waiting: usize,
    /// Where slurs begin that go on.
    open: Vec<Anchor>,
    last: Option<Anchor>,
}

impl Slurs {
    /// A bracket opens. `false` where there are too many.
    pub fn open(&mut self) -> bool {
        let has_room = self.waiting < MOST_SLURS;
        self.waiting += usize::from(has_room);
        has_room
    }

    /// A chord is heard: of its notes that are struck, or else of those that are held, the highest.
    pub fn chord(&mut self, anchor: Anchor) {
        self.last = Some(anchor);
        for _ in 0..std::mem::take(&mut self.waiting) {
            if self.open.len() == MOST_OPEN {
                self.open.remove(0);
            }
            self.open.push(anchor);
        }
    }

    /// A bracket closes behind the last chord. `false` where none was opened before an earlier one.
    pub fn close(&mut self) -> bool {
        let Some(last) = self.last else { return false };
        // A note that is tied is one note.
        let Some(place) = self.open.iter().rposition(|from| from.0 < last.0) else { return false };
        self.found.push(Slur { from: self.open.remove(place), to: last });
        true
    }

    /// How many brackets have never been closed.
    pub fn left_open(&self) -> usize {
        self.open.len() + self.waiting
    }

    /// The chord that was heard last.
    pub fn last(&self) -> Option<Anchor> {
        self.last
    }
}

/// The slurs where they are heard: each in every stretch in which it begins, as long as playing goes forward to its end.
pub fn heard(mut slurs: Vec<Slur>, stretches: &[Stretch], moved: &HashMap<Anchor, Ticks>) -> Vec<Slur> {
    slurs.sort_unstable();
    let mut heard = Vec::with_capacity(slurs.len());
    let starts: Vec<u64> = stretches
        .iter()
        .scan(0, |now, (from, to)| {
            let start = *now;
            *now += to - from;
            Some(start)
        })
        .collect();
    for (k, &(from, to)) in stretches.iter().enumerate() {
        let first = slurs.partition_point(|slur| slur.from.0.0 < from);
        for slur in slurs[first..].iter().take_while(|slur| slur.from.0.0 < to) {
            let mut ahead = k;
            while ahead - k < MOST_JUMPS
                && slur.to.0.0 >= stretches[ahead].1
                && stretches.get(ahead + 1).is_some_and(|next| next.0 >= stretches[ahead].1 && next.0 <= slur.to.0.0)
            {
                ahead += 1;
            }
            let (begin, end) = stretches[ahead];
            if (begin..end).contains(&slur.to.0.0) {
                let at = |(at, pitch): Anchor, place: usize| {
                    let at = Ticks(starts[place] + at.0 - stretches[place].0);
                    (moved.get(&(at, pitch)).copied().unwrap_or(at), pitch)
                };
                heard.push(Slur { from: at(slur.from, k), to: at(slur.to, ahead) });
            }
        }
    }
    heard.sort_unstable();
    heard.dedup();
    heard
}

/// What is written beside the events of a voice: brackets and fermatas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// Slurs that open before it, and close behind it.
    pub opens: usize,
    pub closes: usize,
    pub fermata: bool,
}

/// See [`written`].
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// By bar and event.
    pub marked: HashMap<(usize, usize), Marked>,
    pub slurs: Vec<Slur>,
    pub fermatas: Vec<Ticks>,
}

/// What is written of the slurs and fermatas of a part in one of its voices, by event, and what is read again. All times are in
/// [`QUARTER`](crate::notation::QUARTER)ths. `rests` are fermatas over a rest of this voice,
/// where no other has a note.
pub fn written(
    voice: &[Vec<Event>],
    bars: &[SheetBar],
    (slurs, fermatas): (&[Slur], &[Ticks]),
    rests: &[Ticks],
) -> Written {
    if slurs.is_empty() && fermatas.is_empty() {
        return Written::default();
    }
    let mut events: Vec<((usize, usize), Option<Anchor>, u64)> = Vec::new();
    // The heads that are struck, and their last events.
    let mut struck: BTreeMap<Anchor, (usize, usize)> = BTreeMap::new();
    let mut held: HashMap<Pitch, Ticks> = HashMap::new();
    for (b, (of_bar, bar)) in voice.iter().zip(bars).enumerate() {
        for (e, event) in of_bar.iter().enumerate() {
            let now = Ticks(bar.start + event.onset);
            let mut goes_on = HashMap::with_capacity(event.heads.len());
            for head in &event.heads {
                let onset = held.get(&head.pitch).copied().filter(|_| head.tied_from).unwrap_or(now);
                let of = (onset, head.pitch);
                struck.entry(of).or_insert((events.len(), events.len())).1 = events.len();
                goes_on.insert(head.pitch, onset);
            }
            held = goes_on;
            let anchor =
                held.iter().map(|(pitch, onset)| (*onset, *pitch)).max_by_key(|(onset, pitch)| (*onset == now, *pitch));
            events.push(((b, e), anchor, now.0));
        }
    }
    // The last of tied events, where each of them is read as the same note.
    let last = |(first, last): (usize, usize), at: Ticks| {
        let is_same =
            |(_, anchor, _): &((usize, usize), Option<Anchor>, u64)| anchor.is_some_and(|(onset, _)| onset == at);
        if events[first..=last].iter().all(is_same) { last } else { first }
    };
    let mut marked: HashMap<(usize, usize), Marked> = HashMap::new();
    for slur in slurs {
        let (Some(&(from, _)), Some(&to)) = (struck.get(&slur.from), struck.get(&slur.to)) else { continue };
        let to = last(to, slur.to.0);
        let (opens, closes) = (events[from].0, events[to].0);
        if marked.get(&opens).is_none_or(|known| known.opens < MOST_SLURS) {
            marked.entry(opens).or_default().opens += 1;
            marked.entry(closes).or_default().closes += 1;
        }
    }
    let onsets: HashMap<Ticks, (usize, usize)> = struck.iter().map(|((onset, _), places)| (*onset, *places)).collect();
    for at in fermatas {
        let rest = || {
            let place = events.binary_search_by_key(&at.0, |(.., start)| *start).ok()?;
            (rests.contains(at) && events[place].1.is_none()).then_some(place)
        };
        let place = onsets.get(at).map(|places| last(*places, *at)).or_else(rest);
        if let Some(place) = place {
            marked.entry(events[place].0).or_default().fermata = true;
        }
    }
    let mut read = Slurs::default();
    let mut held_at = Vec::new();
    for (place, anchor, start) in &events {
        let Marked { opens, closes, fermata } = marked.get(place).copied().unwrap_or_default();
        for _ in 0..opens {
            read.open();
        }
        anchor.iter().for_each(|anchor| read.chord(*anchor));
        for _ in 0..closes {
            read.close();
        }
        held_at.extend(fermata.then(|| anchor.map_or(Ticks(*start), |(onset, _)| onset)));
    }
    read.found.sort_unstable();
    read.found.dedup();
    held_at.sort_unstable();
    held_at.dedup();
    Written { marked, slurs: read.found, fermatas: held_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A letter is a chord, a letter of the alphabet later than the one before.
    fn slurs(text: &str) -> Vec<String> {
        let mut slurs = Slurs::default();
        for sign in text.chars() {
            match sign {
                '(' => assert!(slurs.open()),
                ')' => {
                    slurs.close();
                }
                letter => slurs.chord((Ticks(u64::from(letter as u32)), Pitch::C4)),
            }
        }
        let letter = |(at, _): Anchor| char::from(at.0 as u8);
        slurs.found.iter().map(|slur| [letter(slur.from), letter(slur.to)].iter().collect()).collect()
    }

    #[test]
    fn brackets_lie_within_one_another_or_meet_at_a_note() {
        assert_eq!(slurs("(abc)d"), ["ac"]);
        assert_eq!(slurs("(c(de)fg)"), ["de", "cg"]);
        assert_eq!(slurs("(cd(e)fg)"), ["ce", "eg"]);
        assert_eq!(slurs("((ab)c)"), ["ab", "ac"]);
        // Brackets around one note, or without a partner.
        assert!(slurs("(a)b").is_empty() && slurs("ab)").is_empty() && slurs("(ab").is_empty());
    }

    #[test]
    fn slurs_are_heard_as_often_as_they_are_played_and_not_over_a_jump_back() {
        let slur = |from, to| Slur { from: (Ticks(from), Pitch::C4), to: (Ticks(to), Pitch::C4) };
        // A, first ending, A, second ending.
        let stretches = [(0, 8), (8, 12), (0, 8), (12, 16)];
        let found = heard(vec![slur(0, 4), slur(6, 8), slur(6, 13), slur(10, 13)], &stretches, &HashMap::new());
        assert_eq!(found, [slur(0, 4), slur(6, 8), slur(12, 16), slur(18, 21)]);
        // A note that comes later, because a grace note has its place.
        let moved = HashMap::from([((Ticks(4), Pitch::C4), Ticks(5))]);
        assert_eq!(heard(vec![slur(0, 4)], &[(0, 8)], &moved), [slur(0, 5)]);
    }
}
