//! What is known while one note is chosen: built up choice after choice, in training as in composing.

use super::layout::{InBar, KEYS, Known, Layout, choice, class_of_left, class_of_match, key_of, kind};
use super::lines::{Place, Question};
use super::past::{Earlier, Past, WAYS};
use super::texture::{self, LOOK};
use cantus_encoding::note_events::{Event, NUMBERS, Vocabulary, join, number_of, split, spread_of};
use cantus_nn::cascade::{CLASSES, Candidate, Heard, KINDS, MARKS, MOST_CHOICES, NONE, Sight};

/// Semitones by which candidates found by intervals may be moved.
const FURTHEST: i32 = 36;

/// A note that is being chosen or judged.
pub(super) struct View<'a> {
    vocabulary: &'a Vocabulary,
    layout: &'a Layout,
    past: &'a Past,
    j: usize,
    /// Everything is moved by so many semitones.
    shift: i32,
    /// Bit k: whether instrument k plays in this piece.
    pub playing: u128,
    /// For each instrument its lowest and its highest key, where it is to stay between them.
    pub ranges: Option<&'a [(u8, u8, u8)]>,
    /// Whether the network is told how busy the piece is.
    pub told: bool,
    earlier: Vec<Earlier>,
    /// Found once the moment is known, and once the instrument is.
    of_that_moment: Vec<Earlier>,
    of_line: Vec<Place>,
    /// Whether what came before is left out.
    forgets: bool,
    pub sight: Sight,
    /// The onset of the note before.
    now: u32,
    /// The note as far as it is chosen.
    note: Event,
    quarters: u8,
    end_quarters: u8,
}

impl<'a> View<'a> {
    pub fn new(vocabulary: &'a Vocabulary, layout: &'a Layout, past: &'a Past, shift: i32) -> View<'a> {
        View {
            vocabulary,
            layout,
            past,
            j: 0,
            shift,
            playing: u128::MAX,
            ranges: None,
            told: true,
            earlier: Vec::new(),
            of_that_moment: Vec::new(),
            of_line: Vec::new(),
            forgets: false,
            sight: Sight::default(),
            now: 0,
            note: Event { onset: 0, instrument: 0, pitch: 0, length: 0, level: 0 },
            quarters: 0,
            end_quarters: 0,
        }
    }

    fn places(&self) -> u32 {
        self.vocabulary.clock().places()
    }

    /// Steps to a beat.
    fn beat(&self) -> u32 {
        self.vocabulary.clock().beat()
    }

    /// The notes before.
    fn before(&self) -> &'a [Event] {
        &self.past.notes()[..self.j]
    }

    /// The latest of them, one by one.
    fn latest(&self) -> impl Iterator<Item = &'a Event> {
        self.before().iter().rev().take(LOOK)
    }

    /// The notes of this moment so far, the last one first.
    fn of_moment(&self) -> impl Iterator<Item = &'a Event> {
        let onset = self.note.onset;
        self.latest().take_while(move |note| note.onset == onset)
    }

    fn know(&mut self, v: usize, known: &[(Known, usize)]) {
        let found = known.iter().filter_map(|(known, value)| self.layout.known(v, *known, *value));
        self.sight.known.extend(found);
        let end = self.sight.known.len() as u16;
        self.sight.known_ends[v..].fill(end);
    }

    fn know_texture(&mut self, v: usize, time: u32) {
        let [pace, chords] = texture::known(self.past.texture(time).filter(|_| self.told));
        self.know(v, &[(Known::Pace, pace), (Known::Chords, chords)]);
    }

    /// Begins note `j`: its first choice can be made.
    pub fn open(&mut self, j: usize) {
        self.j = j;
        self.forgets = false;
        self.sight.known.clear();
        self.sight.known_ends = [0; MOST_CHOICES];
        self.sight.targets = [NONE; MOST_CHOICES];
        self.sight.heard.clear();
        self.now = self.before().last().map_or(0, |note| note.onset);
        self.past.candidates(j, &mut self.earlier);
        self.earlier.retain(|earlier| earlier.shift.abs() <= FURTHEST);
        self.sight.candidates.clear();
        let here = InBar::of(self.past, self.now, self.beat());
        let best =
            |view: usize| self.earlier.iter().map(|earlier| class_of_match(earlier.matches[view])).max().unwrap_or(0);
        self.sight.marks = std::array::from_fn(|view| (view * kind::MATCHES + best(view)) as u16);
        for k in 0..self.earlier.len() {
            let candidate = self.offer(&self.earlier[k], here);
            self.sight.candidates.push(candidate);
        }
        self.offer_ends();
        // The first note's onset is counted from the beginning of the piece.
        let notes = self.before();
        let of_moment = notes.iter().rev().take_while(|note| note.onset == self.now).count();
        let left = self.past.left(here.bar);
        let known = [
            (Known::PlaceBefore, (self.now % self.places()) as usize),
            (Known::Quarter, here.quarter),
            (Known::Bar, here.bar_quarters),
            (Known::Left, class_of_left(left)),
            (Known::Moment, of_moment),
        ];
        self.know(choice::QUARTERS, &known);
        self.know_texture(choice::QUARTERS, self.now);
        let (later, same) = (self.now % self.places() + 1 < self.places(), self.may_go_on());
        self.sight.allowed[choice::QUARTERS] = if later || same { all(NUMBERS) } else { all(NUMBERS) & !1 };
    }

    /// Leaves out what came before: nothing is offered but the ends of what sounds.
    pub fn forget(&mut self) {
        self.sight.candidates.drain(..self.earlier.len());
        self.earlier.clear();
        self.forgets = true;
    }

    /// Whether another note may come at the moment of the one before.
    fn may_go_on(&self) -> bool {
        let Some(last) = self.before().last() else { return true };
        (last.instrument..self.vocabulary.instruments().len() as u8)
            .any(|instrument| self.keys(instrument, self.now) != 0)
    }

    /// Keys, not moved, that an instrument may strike at a moment that is not before the last note's.
    fn keys(&self, instrument: u8, onset: u32) -> u128 {
        if self.playing >> instrument & 1 == 0 {
            return 0;
        }
        let mut keys = u128::MAX;
        if let Some(last) = self.before().last().filter(|last| last.onset == onset) {
            if instrument < last.instrument {
                return 0;
            }
            if instrument == last.instrument {
                keys = (1u128 << last.pitch) - 1;
            }
        }
        if let Some((low, high, _)) = self.ranges.map(|ranges| ranges[usize::from(instrument)]) {
            keys &= all(usize::from(high) + 1) & !all(usize::from(low));
        }
        if self.vocabulary.is_drums(instrument) {
            return keys;
        }
        let there = keys;
        for note in self.latest().filter(|note| note.instrument == instrument && note.end() > onset) {
            keys &= !(1 << note.pitch);
        }
        // Between two keys that are asked for all may be held: one is struck again.
        let is_new = self.before().last().is_none_or(|last| last.onset < onset);
        if keys == 0 && is_new && self.ranges.is_some() { there } else { keys }
    }

    /// The kinds of a place: how it was found and resembles the present, and what any place has.
    fn kinds(&self, own: [usize; 3], note: usize, (base, here): (u32, InBar), rank: usize) -> [u16; KINDS] {
        let [way, whole, interval] = own;
        let lag = (self.j - note).ilog2() as usize;
        let there = InBar::of(self.past, base, self.beat());
        let bar = usize::from((there.within, there.bar_quarters) == (here.within, here.bar_quarters));
        let rank = rank.min(kind::RANKS - 1);
        [way, whole, interval, kind::LAG + lag.min(kind::LAGS - 1), kind::BAR + bar, kind::RANK + rank]
            .map(|kind| kind as u16)
    }

    fn kinds_of_earlier(&self, earlier: &Earlier, here: InBar) -> [u16; KINDS] {
        let Earlier { note, base, way, rank, matches, .. } = *earlier;
        let [whole, interval] = matches.map(class_of_match);
        self.kinds([kind::WAY + way, kind::WHOLE + whole, kind::INTERVAL + interval], note, (base, here), rank)
    }

    /// What an earlier place offers before anything is chosen.
    fn offer(&self, earlier: &Earlier, here: InBar) -> Candidate {
        let note = self.past.notes()[earlier.note];
        let mut offers = [NONE; MOST_CHOICES];
        let onset = self.now + (note.onset - earlier.base);
        let (quarters, place) = split(self.now, onset, self.places());
        offers[choice::QUARTERS] = number_of(quarters);
        offers[choice::PLACE] = place as u8;
        offers[choice::INSTRUMENT] = note.instrument;
        self.offer_sound(&mut offers, note, earlier.shift);
        Candidate { kinds: self.kinds_of_earlier(earlier, here), offers }
    }

    /// Pitch, moved by `shift` as well, and loudness of a note.
    fn offer_sound(&self, offers: &mut [u8; MOST_CHOICES], note: Event, shift: i32) {
        let shift = if self.vocabulary.is_drums(note.instrument) { 0 } else { shift + self.shift };
        let key = i32::from(note.pitch) + shift;
        offers[choice::PITCH] = if (0..KEYS as i32).contains(&key) { key as u8 } else { NONE };
        offers[choice::LEVEL] = note.level;
    }

    /// The length of a note, for one that begins at `onset`.
    fn offer_length(&self, offers: &mut [u8; MOST_CHOICES], note: Event, onset: u32) {
        if note.length > 0 {
            let (quarters, place) = split(onset, onset + note.length, self.places());
            (offers[choice::LENGTH], offers[choice::END]) = (number_of(quarters), place as u8);
        }
    }

    /// What came at such a moment some beats and bars ago, and has not come yet at this one.
    fn offer_moments(&mut self, onset: u32) {
        if self.forgets {
            return;
        }
        self.of_that_moment.clear();
        self.past.at_moment(self.j, onset, &mut self.of_that_moment);
        let here = InBar::of(self.past, onset, self.beat());
        for earlier in &self.of_that_moment {
            let note = self.past.notes()[earlier.note];
            let mut offers = [NONE; MOST_CHOICES];
            offers[choice::INSTRUMENT] = note.instrument;
            self.offer_sound(&mut offers, note, 0);
            self.offer_length(&mut offers, note, onset);
            self.sight.candidates.push(Candidate { kinds: self.kinds_of_earlier(earlier, here), offers });
        }
    }

    /// What the instrument played where its own line was as it is now.
    fn offer_line(&mut self, instrument: u8) {
        if self.forgets {
            return;
        }
        let onset = self.note.onset;
        let is_drum = self.vocabulary.is_drums(instrument);
        let question = Question { note: self.j, instrument, is_drum, onset };
        self.past.of_line(question, &mut self.of_line);
        self.of_line.retain(|place| place.shift.abs() <= FURTHEST);
        let here = InBar::of(self.past, onset, self.beat());
        for Place { note, shift, way, rank, matches } in &self.of_line {
            let there = self.past.notes()[*note];
            let mut offers = [NONE; MOST_CHOICES];
            self.offer_sound(&mut offers, there, *shift);
            self.offer_length(&mut offers, there, onset);
            let [whole, interval] = matches.map(class_of_match);
            let own = [kind::OWN + way, kind::OWN_WHOLE + whole, kind::OWN_INTERVAL + interval];
            let kinds = self.kinds(own, *note, (there.onset, here), *rank);
            self.sight.candidates.push(Candidate { kinds, offers });
        }
    }

    /// The ends of what sounds, as moments for the next note.
    fn offer_ends(&mut self) {
        let ends = self.ends(self.now, None);
        for (rank, (end, sharing)) in ends.into_iter().take(kind::NEXT).enumerate() {
            let (quarters, place) = split(self.now, end, self.places());
            let mut offers = [NONE; MOST_CHOICES];
            (offers[choice::QUARTERS], offers[choice::PLACE]) = (number_of(quarters), place as u8);
            self.sight.candidates.push(of_end(WAYS + kind::ENDS + rank, sharing, offers));
        }
    }

    /// The moments after `from` at which something ends, the next one first, and how many notes end there; with the notes of an
    /// instrument alone, where one is named.
    fn ends(&self, from: u32, instrument: Option<u8>) -> Vec<(u32, usize)> {
        let mut ends: Vec<(u32, usize)> = Vec::new();
        for note in
            self.latest().filter(|note| note.end() > from && instrument.is_none_or(|own| own == note.instrument))
        {
            match ends.iter_mut().find(|(end, _)| *end == note.end()) {
                Some((_, sharing)) => *sharing += 1,
                None => ends.push((note.end(), 1)),
            }
        }
        ends.sort_unstable();
        ends
    }

    /// The class of quarters entered was chosen.
    pub fn quarters(&mut self, class: u8) {
        self.quarters = class;
        self.sight.targets[choice::QUARTERS] = class;
        let quarters = spread_of(class).0;
        let time = join(self.now, quarters, if quarters == 0 { self.now % self.places() } else { 0 }, self.places());
        let here = InBar::of(self.past, time, self.beat());
        let of_moment = if quarters == 0 {
            self.before().iter().rev().take_while(|note| note.onset == self.now).count()
        } else {
            0
        };
        let known = [
            (Known::Advance, usize::from(class)),
            (Known::PlaceBefore, (self.now % self.places()) as usize),
            (Known::Quarter, here.quarter),
            (Known::Bar, here.bar_quarters),
            (Known::Moment, of_moment),
        ];
        self.know(choice::PLACE, &known);
        self.know_texture(choice::PLACE, time);
        let mut allowed = all(self.places() as usize);
        if class == 0 {
            let place = self.now % self.places();
            allowed &= !((1u128 << place) - 1);
            if !self.may_go_on() {
                allowed &= !(1 << place);
            }
        }
        self.sight.allowed[choice::PLACE] = allowed;
    }

    /// The onset is known.
    pub fn onset(&mut self, onset: u32) {
        self.note.onset = onset;
        let place = onset % self.places();
        if self.layout.is_made(choice::PLACE) {
            self.sight.targets[choice::PLACE] = place as u8;
        }
        self.offer_moments(onset);
        let here = InBar::of(self.past, onset, self.beat());
        let before = self.of_moment().next().map(|note| usize::from(note.instrument));
        let known = [
            (Known::Advance, usize::from(self.quarters)),
            (Known::Place, place as usize),
            (Known::Quarter, here.quarter),
            (Known::Moment, self.of_moment().count()),
            (Known::InstrumentBefore, before.unwrap_or(usize::MAX)),
        ];
        self.know(choice::INSTRUMENT, &known);
        self.know_texture(choice::INSTRUMENT, onset);
        let instruments = 0..self.vocabulary.instruments().len() as u8;
        let playing = instruments.filter(|instrument| self.keys(*instrument, onset) != 0);
        self.sight.allowed[choice::INSTRUMENT] = playing.fold(0, |allowed, instrument| allowed | 1 << instrument);
    }

    /// The instrument was chosen.
    pub fn instrument(&mut self, instrument: u8) {
        self.note.instrument = instrument;
        if self.layout.is_made(choice::INSTRUMENT) {
            self.sight.targets[choice::INSTRUMENT] = instrument;
        }
        self.offer_line(instrument);
        let onset = self.note.onset;
        let drums = self.vocabulary.is_drums(instrument);
        let moved = |pitch: u8| key_of(pitch, if drums { 0 } else { self.shift });
        let of_own = |note: &&Event| note.instrument == instrument;
        let upper = self.of_moment().find(of_own).map_or(usize::MAX, |note| moved(note.pitch));
        let before = self.latest().filter(|note| note.onset < onset).find(of_own);
        let held = self.latest().filter(of_own).filter(|note| note.end() > onset).count();
        let here = InBar::of(self.past, onset, self.beat());
        let known = [
            (Known::Instrument, usize::from(instrument)),
            (Known::Advance, usize::from(self.quarters)),
            (Known::Place, (onset % self.places()) as usize),
            (Known::Quarter, here.quarter),
            (Known::Moment, self.of_moment().count()),
            (Known::Upper, upper),
            (Known::PitchBefore, before.map_or(usize::MAX, |note| moved(note.pitch))),
            (Known::Held, held),
        ];
        self.know(choice::PITCH, &known);
        let keys = self.keys(instrument, onset);
        let shift = if drums { 0 } else { self.shift };
        self.sight.allowed[choice::PITCH] = if shift >= 0 { keys << shift } else { keys >> -shift };
        if !drums {
            self.hear(instrument);
        }
    }

    /// What the shared part hears before the pitch is chosen.
    fn hear(&mut self, instrument: u8) {
        let onset = self.note.onset;
        let mut heard = std::mem::take(&mut self.sight.heard);
        let (mut sums, mut seen) = ([[0.0f32; KEYS]; 2], [false; KEYS]);
        let (mut moments, mut moment) = (0, u32::MAX);
        let mut chord = true;
        for note in self.latest().filter(|note| !self.vocabulary.is_drums(note.instrument)) {
            let (own, key) = (note.instrument == instrument, key_of(note.pitch, self.shift));
            let mut hear = |source: usize| heard.push(Heard { source, key, value: 1.0 });
            if note.onset == onset {
                hear(usize::from(!own));
                if std::mem::take(&mut chord) {
                    hear(10);
                }
                continue;
            }
            if note.end() > onset {
                hear(2 + usize::from(!own));
            }
            if own && note.onset != moment {
                (moments, moment) = (moments + 1, note.onset);
            }
            if own && moments <= 4 {
                hear(3 + moments);
            }
            let ago = (onset - note.onset) as f32 / self.beat() as f32;
            sums[0][key] += (-ago).exp();
            sums[1][key] += (-ago / 8.0).exp();
            seen[key] = true;
        }
        for (which, sum) in sums.iter().enumerate() {
            let loud = sum.iter().enumerate().filter(|(key, value)| seen[*key] && **value > 0.02);
            heard.extend(loud.map(|(key, value)| Heard { source: 8 + which, key, value: value * [1.0, 0.3][which] }));
        }
        self.sight.heard = heard;
        let by = self.shift.rem_euclid(CLASSES as i32) as usize;
        let classes = self.past.classes(self.j);
        self.sight.classes = std::array::from_fn(|class| 3.0 * classes[(class + CLASSES - by) % CLASSES]);
    }

    /// The key was chosen, moved as everything is.
    pub fn pitch(&mut self, key: u8) {
        let drums = self.vocabulary.is_drums(self.note.instrument);
        let shift = if drums { 0 } else { self.shift };
        self.sight.targets[choice::PITCH] = key;
        self.note.pitch = (i32::from(key) - shift).clamp(0, KEYS as i32 - 1) as u8;
        self.note.length = 0;
        if drums {
            self.end_quarters = 0;
            self.know(choice::END, &[]);
            return self.know_level();
        }
        self.offer_lengths();
        let (onset, places) = (self.note.onset, self.places());
        let own = |note: &&Event| note.instrument == self.note.instrument;
        let chord = self.of_moment().find(own);
        let before = self.latest().find(own);
        let here = InBar::of(self.past, onset, self.beat());
        let left = self.past.left(here.bar);
        let known = [
            (Known::Instrument, usize::from(self.note.instrument)),
            (Known::Pitch, usize::from(key)),
            (Known::Place, (onset % places) as usize),
            (Known::Quarter, here.quarter),
            (Known::Moment, self.of_moment().count()),
            (Known::LengthOfChord, length_of(chord, places)),
            (Known::LengthBefore, before.map_or(usize::MAX, |note| usize::from(number_of(note.length)))),
            (Known::Left, class_of_left(left)),
        ];
        self.know(choice::LENGTH, &known);
        // The end comes after the onset.
        self.sight.allowed[choice::LENGTH] = if onset % places + 1 < places { all(NUMBERS) } else { all(NUMBERS) & !1 };
    }

    /// Lengths that earlier places, and what sounds, offer to a note at this moment.
    fn offer_lengths(&mut self) {
        let (onset, places) = (self.note.onset, self.places());
        for k in 0..self.earlier.len() {
            let mut offers = self.sight.candidates[k].offers;
            self.offer_length(&mut offers, self.past.notes()[self.earlier[k].note], onset);
            self.sight.candidates[k].offers = offers;
        }
        for (rank, (end, sharing)) in self.ends(onset, None).into_iter().take(kind::ENDS).enumerate() {
            let (quarters, place) = split(onset, end, places);
            let mut offers = [NONE; MOST_CHOICES];
            (offers[choice::LENGTH], offers[choice::END]) = (number_of(quarters), place as u8);
            self.sight.candidates.push(of_end(WAYS + rank, sharing, offers));
        }
    }

    /// The class of quarters until the end was chosen.
    pub fn end_quarters(&mut self, class: u8) {
        self.end_quarters = class;
        self.sight.targets[choice::LENGTH] = class;
        let (onset, places) = (self.note.onset, self.places());
        let own = |note: &&Event| note.instrument == self.note.instrument;
        let chord = self.of_moment().find(own);
        let before = self.latest().find(own);
        let known = [
            (Known::Instrument, usize::from(self.note.instrument)),
            (Known::Length, usize::from(class)),
            (Known::Place, (onset % places) as usize),
            (Known::LengthOfChord, length_of(chord, places)),
            (Known::EndOfChord, chord.map_or(usize::MAX, |note| (note.end() % places) as usize)),
            (Known::LengthBefore, before.map_or(usize::MAX, |note| usize::from(number_of(note.length)))),
        ];
        self.know(choice::END, &known);
        let after = all(places as usize) & !((2u128 << (onset % places)) - 1);
        self.sight.allowed[choice::END] = if class == 0 { after } else { all(places as usize) };
    }

    /// The length is known, in steps.
    pub fn length(&mut self, length: u32) {
        self.note.length = length;
        if self.layout.is_made(choice::END) {
            self.sight.targets[choice::END] = (self.note.end() % self.places()) as u8;
        }
        self.know_level();
    }

    fn know_level(&mut self) {
        let (onset, places) = (self.note.onset, self.places());
        let before = self.latest().find(|note| note.instrument == self.note.instrument);
        let here = InBar::of(self.past, onset, self.beat());
        let drums = self.vocabulary.is_drums(self.note.instrument);
        let known = [
            (Known::Instrument, usize::from(self.note.instrument)),
            (Known::Pitch, key_of(self.note.pitch, if drums { 0 } else { self.shift })),
            (Known::Place, (onset % places) as usize),
            (Known::Quarter, here.quarter),
            (Known::Moment, self.of_moment().count()),
            (Known::Length, usize::from(self.end_quarters)),
            (Known::LevelBefore, before.map_or(usize::MAX, |note| usize::from(note.level))),
        ];
        self.know(choice::LEVEL, &known);
        self.sight.allowed[choice::LEVEL] = all(self.vocabulary.velocities().len());
    }

    /// The loudness was chosen: the note is whole.
    pub fn level(&mut self, level: u8) -> Event {
        self.note.level = level;
        if self.layout.is_made(choice::LEVEL) {
            self.sight.targets[choice::LEVEL] = level;
        }
        self.note
    }

    /// The sight of a note that is there, with all choices made; beside it the nats of what its classes leave open.
    pub fn of_note(&mut self, j: usize) -> (Sight, f64) {
        let (note, places) = (self.past.notes()[j], self.places());
        self.open(j);
        let (quarters, _) = split(self.now, note.onset, places);
        self.quarters(number_of(quarters));
        self.onset(note.onset);
        self.instrument(note.instrument);
        let drums = self.vocabulary.is_drums(note.instrument);
        self.pitch(key_of(note.pitch, if drums { 0 } else { self.shift }) as u8);
        let mut open = f64::from(spread_of(number_of(quarters)).1).ln();
        if !drums {
            let (quarters, _) = split(note.onset, note.end(), places);
            self.end_quarters(number_of(quarters));
            self.length(note.length);
            open += f64::from(spread_of(number_of(quarters)).1).ln();
        }
        self.level(note.level);
        (self.sight.clone(), open)
    }

    /// The onset of the note before.
    pub fn now(&self) -> u32 {
        self.now
    }
}

/// Quarters entered until a note's end.
fn length_of(note: Option<&Event>, places: u32) -> usize {
    note.map_or(usize::MAX, |note| usize::from(number_of(split(note.onset, note.end(), places).0)))
}

/// The first `n` classes.
pub(super) fn all(n: usize) -> u128 {
    if n >= 128 { u128::MAX } else { (1 << n) - 1 }
}

fn of_end(way: usize, sharing: usize, offers: [u8; MOST_CHOICES]) -> Candidate {
    // An end resembles nothing: it has its way, and how many notes end there.
    let mut kinds = [kind::NEUTRAL as u16; KINDS];
    kinds[0] = (kind::WAY + way) as u16;
    kinds[KINDS - 1] = (kind::RANK + sharing.min(kind::RANKS - 1)) as u16;
    Candidate { kinds, offers }
}

const _: () = assert!(MARKS == 2);
