//! Slurs and fermatas, put at the notes and rests that are written.

use super::{Event, SheetBar, SheetPart};
use cantus_score::{Pitch, Slur, Ticks};
use std::collections::{BTreeMap, HashMap};

/// So many slurs that are under way at once have numbers of their own (MusicXML 4.0, "number-level").
const NUMBERS: u8 = 16;
/// So many slurs begin and end at one note; further ones are not kept.
pub(crate) const MOST_SLURS: usize = 8;

/// A head, or a rest, of which it is the first head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spot {
    pub staff: usize,
    pub voice: usize,
    pub bar: usize,
    pub event: usize,
    pub head: usize,
}

/// What stands at a [`Spot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Fermata,
    /// A slur of this number begins.
    Slur(u8),
    /// The slur of this number ends.
    SlurEnd(u8),
}

/// The slurs and fermatas of a part that have a place on paper, and where. Times are in [`QUARTER`](super::QUARTER)ths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signs {
    pub slurs: Vec<Slur>,
    pub fermatas: Vec<Ticks>,
    at: HashMap<Spot, Vec<Sign>>,
}

/// An event of a voice, when it begins, and where it is written.
pub(super) type Placed<'s> = (u64, usize, usize, &'s Event);

/// The voices of a part, each in order of time.
pub(super) struct Voices<'s>(Vec<((usize, usize), Vec<Placed<'s>>)>);

impl<'s> Voices<'s> {
    pub(super) fn of(part: &'s SheetPart, bars: &[SheetBar]) -> Voices<'s> {
        let events = |voice: &'s Vec<Vec<Event>>| {
            let bars = voice.iter().zip(bars).enumerate();
            let of_bar = |(k, (events, bar)): (usize, (&'s Vec<Event>, &SheetBar))| {
                let start = bar.start;
                events.iter().enumerate().map(move |(e, event)| (start + event.onset, k, e, event))
            };
            bars.flat_map(of_bar).collect()
        };
        let staves = part.staves.iter().enumerate();
        let voices =
            staves.flat_map(|(s, staff)| staff.voices.iter().enumerate().map(move |(v, voice)| ((s, v), voice)));
        Voices(voices.map(|(place, voice)| (place, events(voice))).collect())
    }

    /// The heads that are struck: when, which pitch, its spot, and that of the last head that it is tied to, with the time of that.
    fn struck(&self) -> impl Iterator<Item = (u64, Pitch, Spot, (Spot, u64))> {
        self.0.iter().flat_map(|((staff, voice), events)| {
            let spot = |place: usize, head: usize| {
                let (_, bar, event, _) = events[place];
                Spot { staff: *staff, voice: *voice, bar, event, head }
            };
            let head_at = move |place: usize, pitch: Pitch| {
                events
                    .get(place)
                    .and_then(|(.., event)| event.heads.iter().position(|head| head.pitch == pitch && head.tied_from))
            };
            let last = move |mut place: usize, mut head: usize| {
                let pitch = events[place].3.heads[head].pitch;
                while events[place].3.heads[head].tied_to
                    && let Some(next) = head_at(place + 1, pitch)
                {
                    (place, head) = (place + 1, next);
                }
                (spot(place, head), events[place].0)
            };
            events.iter().enumerate().flat_map(move |(place, (at, .., event))| {
                let heads = event.heads.iter().enumerate().filter(|(_, head)| !head.tied_from);
                heads.map(move |(k, head)| (*at, head.pitch, spot(place, k), last(place, k)))
            })
        })
    }

    /// The rest of the first voice that sounds, or rather does not, at a time: when it begins, and its spot.
    pub(super) fn rest(&self, time: u64) -> Option<(u64, Spot)> {
        let ((staff, voice), events) = self.0.first()?;
        let (at, bar, event, found) = events.get(events.partition_point(|(at, ..)| *at <= time).checked_sub(1)?)?;
        let spot = Spot { staff: *staff, voice: *voice, bar: *bar, event: *event, head: 0 };
        (found.heads.is_empty() && time < at + found.duration).then_some((*at, spot))
    }
}

impl Signs {
    /// Those of a part that stand at its written notes, and fermatas at the beginnings of its rests. A fermata stands in every voice that
    /// strikes a note there, over the last of those that are tied; so a slur ends. Of slurs at one note those beyond
    /// the eighth are gone, of those under way at once those beyond the sixteenth.
    pub fn of(part: &SheetPart, bars: &[SheetBar], slurs: &[Slur], fermatas: &[Ticks]) -> Signs {
        let mut signs = Signs::default();
        if slurs.is_empty() && fermatas.is_empty() {
            return signs;
        }
        let voices = Voices::of(part, bars);
        let mut heads: HashMap<(u64, Pitch), (Spot, Spot, u64)> = HashMap::new();
        let mut events: BTreeMap<u64, Vec<(Spot, Spot)>> = BTreeMap::new();
        for (at, pitch, spot, (last, until)) in voices.struck() {
            heads.entry((at, pitch)).or_insert((spot, last, until));
            let together = events.entry(at).or_default();
            let is_of = |(known, _): &(Spot, Spot)| Spot { head: spot.head, ..*known } == spot;
            if !together.iter().any(is_of) {
                together.push((spot, last));
            }
        }
        for at in fermatas {
            let spots: Vec<Spot> = match events.get(&at.0) {
                Some(struck) => struck.iter().map(|(_, last)| *last).collect(),
                None => {
                    voices.rest(at.0).filter(|(begin, _)| *begin == at.0).map(|(_, spot)| spot).into_iter().collect()
                }
            };
            if !spots.is_empty() {
                signs.fermatas.push(*at);
            }
            spots.into_iter().for_each(|spot| signs.at.entry(spot).or_default().push(Sign::Fermata));
        }
        let mut open: Vec<Numbered> = Vec::new();
        for slur in slurs {
            let end = |(at, pitch): (Ticks, Pitch)| heads.get(&(at.0, pitch));
            let (Some((from, ..)), Some((_, to, until))) = (end(slur.from), end(slur.to)) else { continue };
            let mut next = Numbered { from: *from, to: *to, begins: slur.from.0.0, until: *until, number: 0 };
            open.retain(|known| known.to.bar >= next.from.bar);
            let free = |is_taken: &dyn Fn(&Numbered) -> bool| {
                (1..=NUMBERS).find(|number| open.iter().all(|known| known.number != *number || !is_taken(known)))
            };
            // In the order of the document voices follow one another, measure by measure.
            let is_full = |spot: &Spot| {
                let is_slur = |sign: &&Sign| !matches!(sign, Sign::Fermata);
                signs.at.get(spot).is_some_and(|signs| signs.iter().filter(is_slur).count() >= MOST_SLURS)
            };
            if is_full(from) || is_full(to) {
                continue;
            }
            let number = free(&|known| !known.ends_before(&next)).or_else(|| free(&|known| known.until > next.begins));
            let Some(number) = number else { continue };
            next.number = number;
            open.push(next);
            signs.slurs.push(*slur);
            signs.at.entry(*from).or_default().push(Sign::Slur(number));
            signs.at.entry(*to).or_default().push(Sign::SlurEnd(number));
        }
        signs
    }

    /// What stands at a spot.
    pub fn at(&self, spot: Spot) -> &[Sign] {
        self.at.get(&spot).map_or(&[], Vec::as_slice)
    }
}

/// A slur with its number.
struct Numbered {
    from: Spot,
    to: Spot,
    begins: u64,
    until: u64,
    number: u8,
}

impl Numbered {
    /// Whether its end comes before the beginning of the next one in a document, too.
    fn ends_before(&self, next: &Numbered) -> bool {
        let voices = [self.from, self.to, next.from, next.to].map(|spot| (spot.staff, spot.voice));
        self.to.bar < next.from.bar || self.until <= next.begins && voices.iter().all(|voice| *voice == voices[0])
    }
}
