//! Which earlier places of a row resemble the present: by what came before them, and by what the other row, where it is known already, has
//! from there on.

use cantus_encoding::lead_sheet::{Cursor, Expected, Order, Token};
use cantus_model::likeness::{alike, likest};

/// What stood at an earlier place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub token: Option<Token>,
    /// How much alike it was before, and how much alike the other row is from there on: classes.
    pub behind: u32,
    pub ahead: u32,
}

/// Where the events and the beats of a piece stand in their bars, and what the given row has.
#[derive(Clone, Debug, Default)]
pub(super) struct Likeness {
    /// Of each event of the melody: its step in the bar, its beat.
    events: Vec<(u32, usize)>,
    /// The beat that the last of them stands in.
    beat: usize,
    /// What the melody has in each beat, where it is given: notes and rests that begin in it.
    melody: Vec<u64>,
}

/// So many notes or chords back, and so many beats ahead, are compared.
const BACK: usize = 12;
const ON: usize = 16;
/// Earlier places that are looked at, the last ones.
const MOST: usize = 1024;

impl Likeness {
    /// Classes of likeness: none, 1, 2, 3, 4, 5-7, 8 or more; of beats ahead none, 1, 2, 3, 4-7, 8-15, 16.
    pub(super) const BEHIND: usize = 7;
    pub(super) const AHEAD: usize = 7;

    fn behind(count: usize) -> u32 {
        match count {
            0..=4 => count as u32,
            5..=7 => 5,
            _ => 6,
        }
    }

    fn ahead(count: usize) -> u32 {
        match count {
            0..=3 => count as u32,
            4..=7 => 4,
            8..=15 => 5,
            _ => 6,
        }
    }

    /// Takes notice of a token that the cursor has read; the last bar began at `bar_start`.
    pub(super) fn note(&mut self, cursor: &Cursor<'_>, token: Token, bar_start: u32) {
        match token {
            Token::Length(_) => {
                let Some((onset, pitch, _)) = cursor.events().last() else { return };
                while cursor.beats().get(self.beat).is_some_and(|beat| beat.at + beat.length <= *onset) {
                    self.beat += 1;
                }
                if cursor.order() == Some(Order::MelodyFirst) {
                    self.melody.resize(cursor.beats().len(), 0);
                    let within = cursor.beats().get(self.beat).map_or(0, |beat| onset - beat.at);
                    let sound = pitch.map_or(0, |pitch| u64::from(pitch.get()) + 1);
                    if let Some(told) = self.melody.get_mut(self.beat) {
                        *told = (*told ^ (sound << 16) ^ u64::from(within)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    }
                }
            }
            // Where the event begins that is being said.
            Token::Rest | Token::Pitch(_) => {
                let place = cursor.now() - bar_start;
                let mut beat = self.beat;
                while cursor.beats().get(beat).is_some_and(|known| known.at + known.length <= cursor.now()) {
                    beat += 1;
                }
                self.events.push((place, beat));
            }
            _ => {}
        }
    }

    /// At most two places that resemble the present most and have different tokens; `beat` and `place`, the step in the bar, are where the
    /// next token stands.
    pub(super) fn candidates(&self, cursor: &Cursor<'_>, beat: usize, place: u32) -> Vec<Candidate> {
        match cursor.expected() {
            Expected::Chord => self.of_chords(cursor, beat),
            Expected::Pitch => self.of_pitches(cursor, beat, place),
            Expected::Length(pitch) => self.of_lengths(cursor, beat, place, pitch),
            _ => Vec::new(),
        }
    }

    fn of_chords(&self, cursor: &Cursor<'_>, beat: usize) -> Vec<Candidate> {
        let (chords, beats) = (cursor.chords(), cursor.beats());
        let number = beats.get(beat).map_or(0, |beat| beat.number);
        let like = |k: usize| {
            let behind = (1..=BACK.min(k)).take_while(|back| chords[k - back] == chords[beat - back]).count();
            let ahead = alike(&self.melody, k, beat, ON);
            (Token::Chord(chords[k]), behind, ahead)
        };
        best((0..beat.min(chords.len())).rev().take(MOST).filter(|k| beats[*k].number == number).map(like))
    }

    fn of_pitches(&self, cursor: &Cursor<'_>, beat: usize, place: u32) -> Vec<Candidate> {
        let events = cursor.events();
        let token = |k: usize| events[k].1.map_or(Token::Rest, Token::Pitch);
        let here = events.len();
        let places = (0..here).rev().take(MOST).filter(|k| self.events[*k].0 == place);
        best(places.map(|k| (token(k), self.before(cursor, k, here), self.with_chords(cursor, k, beat))))
    }

    fn of_lengths(
        &self,
        cursor: &Cursor<'_>,
        beat: usize,
        place: u32,
        pitch: Option<cantus_score::Pitch>,
    ) -> Vec<Candidate> {
        let events = cursor.events();
        let here = events.len();
        let token = |k: usize| Token::Length(events[k].2.try_into().unwrap_or(u16::MAX));
        let places = (0..here).rev().take(MOST).filter(|k| self.events[*k].0 == place && events[*k].1 == pitch);
        best(places.map(|k| (token(k), self.before(cursor, k, here) + 1, self.with_chords(cursor, k, beat))))
    }

    /// How many events before two places are the same.
    fn before(&self, cursor: &Cursor<'_>, k: usize, here: usize) -> usize {
        let events = cursor.events();
        let same = |back: &usize| {
            let (a, b) = (events[k - back], events[here - back]);
            a.1 == b.1 && a.2 == b.2
        };
        (1..=BACK.min(k)).take_while(same).count()
    }

    /// For how many beats the chords are the same from two places on.
    fn with_chords(&self, cursor: &Cursor<'_>, k: usize, beat: usize) -> usize {
        if cursor.order() == Some(Order::ChordsFirst) { alike(cursor.chords(), self.events[k].1, beat, ON) } else { 0 }
    }

    /// What would go on as the melody once did at another height: the note, and for how many intervals it went the same way.
    pub(super) fn moved(&self, cursor: &Cursor<'_>) -> (Option<Token>, u32) {
        let events = cursor.events();
        let (Expected::Pitch, Some((_, Some(last), last_length))) = (cursor.expected(), events.last()) else {
            return (None, 0);
        };
        let here = events.len() - 1;
        let interval =
            |k: usize| Some(i32::from(events.get(k)?.1?.get()) - i32::from(events.get(k.checked_sub(1)?)?.1?.get()));
        let went = |k: &usize| {
            let same = |back: &usize| {
                let (a, b) = (interval(k - back), interval(here - back));
                a.is_some() && a == b && events[k - back - 1].2 == events[here - back - 1].2
            };
            (0..BACK.min(*k)).take_while(same).count()
        };
        let ends = (1..here).rev().take(MOST).filter(|k| events[*k].2 == *last_length && events[*k].1.is_some());
        let found = ends.map(|k| (went(&k), k)).fold((0, 0), |best, next| if next.0 > best.0 { next } else { best });
        let (count, k) = found;
        let next = (count > 0).then(|| last.transposed(interval(k + 1)?)).flatten();
        (next.map(Token::Pitch), next.map_or(0, |_| Likeness::behind(count)))
    }

    /// What begins at the same step of the bar so many bars ago; `None` where nothing does.
    pub(super) fn ago(&self, cursor: &Cursor<'_>, lag: usize, bar: usize, place: u32) -> Option<Token> {
        let from = bar.checked_sub(lag)?;
        match cursor.expected() {
            Expected::Chord => {
                let beats = cursor.beats();
                let number = beats.get(cursor.chords().len())?.number;
                let first = beats.partition_point(|beat| beat.bar < from);
                let is_there = beats.get(first + number).is_some_and(|beat| beat.bar == from);
                is_there.then(|| Token::Chord(cursor.chords()[first + number]))
            }
            Expected::Pitch | Expected::Length(_) => {
                let start: u32 = cursor.bars()[..from].iter().map(|kind| u32::from(kind.steps)).sum();
                let events = cursor.events();
                let k = events.binary_search_by_key(&(start + place), |(onset, ..)| *onset).ok()?;
                Some(match cursor.expected() {
                    Expected::Pitch => events[k].1.map_or(Token::Rest, Token::Pitch),
                    _ => Token::Length(events[k].2.try_into().unwrap_or(u16::MAX)),
                })
            }
            _ => None,
        }
    }
}

/// What is told of the likest of candidates, [`likest`].
fn best(candidates: impl Iterator<Item = (Token, usize, usize)>) -> Vec<Candidate> {
    let told = |(token, behind, ahead)| Candidate {
        token: Some(token),
        behind: Likeness::behind(behind),
        ahead: Likeness::ahead(ahead),
    };
    likest(candidates).into_iter().map(told).collect()
}
