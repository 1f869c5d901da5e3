//! Which earlier places of a layer resemble the present: by what came before them in the layer, and by what the layers below have from there
//! on.

use super::cursor::{Cursor, Expected};
use super::words::{Layer, Token};
use cantus_model::likeness::{alike, likest};

/// What stood at an earlier place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub token: Token,
    /// How much alike it was before, and how much alike the layers below are from there on: classes.
    pub behind: u32,
    pub ahead: u32,
}

/// So many things back, and so many ahead, are compared.
const BACK: usize = 48;
const ON: usize = 16;
/// Earlier places that are looked at, the last ones.
const MOST: usize = 512;
/// Classes of likeness: none, 1, 2, 3, 4-7, 8-15, 16 and more.
pub(super) const CLASSES: usize = 7;

/// The class of so many things that are alike.
fn class(count: usize) -> u32 {
    match count {
        0..=3 => count as u32,
        _ => (2 + count.ilog2()).min(CLASSES as u32 - 1),
    }
}

/// Where the things of a piece stand in its bars, and what the layers below the present one have in each beat.
#[derive(Clone, Debug, Default)]
pub(super) struct Likeness {
    /// Of each event of the melody its step in the bar.
    places: Vec<u32>,
    /// Of each beat what the layers have that are told.
    below: Vec<u64>,
}

impl Likeness {
    /// Takes notice of an event that begins at such a step of its bar.
    pub(super) fn note(&mut self, place: u32) {
        self.places.push(place);
    }

    /// Takes notice of the layer that begins.
    pub(super) fn begin(&mut self, cursor: &Cursor<'_>) {
        let mut below = vec![0u64; cursor.beats.len()];
        let mut add = |beat: usize, what: u64| {
            if let Some(sum) = below.get_mut(beat) {
                *sum = (*sum ^ what).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            }
        };
        if cursor.hears(Layer::Melody) {
            let mut beat = 0;
            for (event, pitch) in cursor.notes.iter().map(|event| &cursor.events[*event]).zip(&cursor.pitches) {
                while cursor.beats.get(beat).is_some_and(|beat| beat.at + beat.length <= event.onset) {
                    beat += 1;
                }
                let within = cursor.beats.get(beat).map_or(0, |beat| event.onset - beat.at);
                add(beat, (u64::from(pitch.get()) + 1) << 16 | u64::from(within));
            }
        }
        if cursor.hears(Layer::Chords) {
            for (beat, chord) in cursor.chords.iter().enumerate() {
                let named = chord.map_or(0, |chord| 1 + u64::from(chord.root()) + 16 * chord.quality() as u64);
                add(beat, named << 32);
            }
        }
        self.below = below;
    }

    /// At most two places that resemble the present most and have different tokens; `beat` and `place`, the step in the bar, are where the
    /// next token stands.
    pub(super) fn candidates(&self, cursor: &Cursor<'_>, beat: usize, place: u32) -> Vec<Candidate> {
        match cursor.expected() {
            Expected::Rhythm => {
                let events = &cursor.events;
                let like = |k: usize| {
                    let same = |back: &usize| {
                        let (a, b) = (events[k - back], events[events.len() - back]);
                        (a.length, a.sounds) == (b.length, b.sounds)
                    };
                    (events[k].token(), (1..=BACK.min(k)).take_while(same).count(), 0)
                };
                best(last(events.len()).filter(|k| self.places[*k] == place).map(like))
            }
            Expected::Pitch => self.of_pitches(cursor, place),
            Expected::Chord => {
                let (chords, number) = (&cursor.chords, cursor.beats[beat].number);
                let like = |k: usize| {
                    let behind = (1..=BACK.min(k)).take_while(|back| chords[k - back] == chords[beat - back]).count();
                    (Token::Chord(chords[k]), behind, alike(&self.below, k, beat, ON))
                };
                best(last(beat.min(chords.len())).filter(|k| cursor.beats[*k].number == number).map(like))
            }
            Expected::Strokes => {
                let (drums, steps) = (&cursor.drums, &cursor.steps);
                let here = drums.len();
                let bar = |k: usize| cursor.beats.partition_point(|beat| beat.bar < steps[k].bar);
                let like = |k: usize| {
                    let behind = (1..=BACK.min(k)).take_while(|back| drums[k - back] == drums[here - back]).count();
                    let beat_there = bar(k) + (beat - bar(here).min(beat));
                    (Token::Strokes(drums[k]), behind, alike(&self.below, beat_there, beat, ON))
                };
                let is_like = |k: &usize| steps[*k].number == steps[here].number;
                best(before_in_bars(steps, here).filter(is_like).take(MOST / 8).map(like))
            }
            _ => Vec::new(),
        }
    }

    fn of_pitches(&self, cursor: &Cursor<'_>, place: u32) -> Vec<Candidate> {
        let Cursor { events, notes, pitches, .. } = cursor;
        let here = pitches.len();
        let Some(event) = notes.get(here) else { return Vec::new() };
        let like = |k: usize| {
            let same = |back: &usize| {
                let lengths = (events[notes[k - back]].length, events[notes[here - back]].length);
                pitches[k - back] == pitches[here - back] && lengths.0 == lengths.1
            };
            let behind = (1..=BACK.min(k)).take_while(same).count();
            let rhythms = events[notes[k]..].iter().zip(&events[*event..]).take(ON);
            let ahead = rhythms.take_while(|(a, b)| (a.length, a.sounds) == (b.length, b.sounds)).count();
            (Token::Pitch(pitches[k]), behind, ahead)
        };
        best(last(here).filter(|k| self.places[notes[*k]] == place).map(like))
    }

    /// What would go on as the melody once did at another height: the pitch, and for how many intervals it went the same way.
    pub(super) fn moved(cursor: &Cursor<'_>) -> Option<(Token, u32)> {
        let Cursor { events, notes, pitches, .. } = cursor;
        let here = pitches.len().checked_sub(1).filter(|_| cursor.expected() == Expected::Pitch)?;
        let interval = |k: usize| Some(i32::from(pitches[k].get()) - i32::from(pitches[k.checked_sub(1)?].get()));
        let length = |k: usize| events[notes[k]].length;
        let went = |k: &usize| {
            let same = |back: &usize| {
                let (a, b) = (interval(k - back), interval(here - back));
                a.is_some() && a == b && length(k - back) == length(here - back)
            };
            (0..BACK.min(*k)).take_while(same).count()
        };
        let ends = (1..here).rev().take(MOST).filter(|k| length(k + 1) == length(here + 1));
        let (count, k) =
            ends.map(|k| (went(&k), k)).fold((0, 0), |best, next| if next.0 > best.0 { next } else { best });
        let next = (count > 0).then(|| pitches[here].transposed(interval(k + 1)?)).flatten()?;
        Some((Token::Pitch(next), class(count)))
    }

    /// What begins at the same step of the bar so many bars before `bar`; `None` where nothing does.
    pub(super) fn ago(&self, cursor: &Cursor<'_>, lag: usize, bar: usize, place: u32) -> Option<Token> {
        let from = bar.checked_sub(lag)?;
        let start = |bar: usize| cursor.bars[..bar].iter().map(|kind| u32::from(kind.steps)).sum::<u32>();
        let event = || cursor.events.binary_search_by_key(&(start(from) + place), |event| event.onset).ok();
        match cursor.expected() {
            Expected::Rhythm => Some(cursor.events[event()?].token()),
            Expected::Pitch => {
                let note = cursor.notes.binary_search(&event()?).ok()?;
                cursor.pitches.get(note).copied().map(Token::Pitch)
            }
            Expected::Chord => {
                let number = cursor.beats.get(cursor.chords.len())?.number;
                let there = cursor.beats.partition_point(|beat| beat.bar < from) + number;
                let is_there = cursor.beats.get(there).is_some_and(|beat| beat.bar == from);
                is_there.then(|| Token::Chord(cursor.chords[there]))
            }
            Expected::Strokes => {
                let number = cursor.steps.get(cursor.drums.len())?.number;
                let there = cursor.steps.partition_point(|step| step.bar < from) + number;
                let is_there = cursor.steps.get(there).is_some_and(|step| step.bar == from);
                is_there.then(|| Token::Strokes(cursor.drums[there]))
            }
            _ => None,
        }
    }
}

/// The last numbers below `end`, the last first.
fn last(end: usize) -> impl Iterator<Item = usize> {
    (0..end).rev().take(MOST)
}

/// Steps before one that stand as far from the beginning of their bar as a bar is long or its multiples: a superset of those that are alike.
fn before_in_bars(steps: &[super::song::Step], here: usize) -> impl Iterator<Item = usize> {
    let (number, mut next) = (steps[here].number, here);
    std::iter::from_fn(move || {
        // To the beginning of the bar of `next`, and into the bar before it.
        let start = next - steps[next].number;
        let end = start.checked_sub(1)?;
        let before = end - steps[end].number;
        next = (before + number).min(end);
        Some(next)
    })
}

/// What is told of the likest of candidates, [`likest`].
fn best(candidates: impl Iterator<Item = (Token, usize, usize)>) -> Vec<Candidate> {
    let told = |(token, behind, ahead)| Candidate { token, behind: class(behind), ahead: class(ahead) };
    likest(candidates).into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::song_from_pi::song::Step;

    #[test]
    fn likeness_has_classes() {
        let found: Vec<u32> = [0, 1, 2, 3, 4, 7, 8, 15, 16, 48].map(class).to_vec();
        assert_eq!(found, [0, 1, 2, 3, 4, 4, 5, 5, 6, 6]);
    }

    #[test]
    fn the_same_step_of_earlier_bars_is_found_whatever_their_lengths() {
        let lengths = [4, 2, 4, 4];
        let steps: Vec<Step> = lengths
            .iter()
            .enumerate()
            .flat_map(|(bar, length)| (0..*length).map(move |number| Step { at: 0, number, bar }))
            .collect();
        // From the third step of the last bar: the third of the bar before, the last of the short one, the third of the first.
        assert_eq!(before_in_bars(&steps, 12).collect::<Vec<_>>(), [8, 5, 2]);
        assert_eq!(before_in_bars(&steps, 3).count(), 0);
    }
}
