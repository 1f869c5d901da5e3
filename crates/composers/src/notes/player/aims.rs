//! What is asked for note by note: between which keys what is written stays, how hard they are struck, to which chords it is written.
//!
//! The network is told nothing of these. Keys outside of a register are not there. Loudness and harmony are tilted: the logarithm of a
//! choice's probability becomes more by how well it suits, as little as leads there. Of several drafts those go on whose chords are
//! heard as the ones asked for.

use super::NoteComposer;
use crate::notes::past::Past;
use crate::notes::texture::LOOK;
use crate::notes::usual::Usual;
use cantus_encoding::note_events::Clock;
use cantus_model::{ComposeError, Request};
use cantus_score::{Bar, Chord, Key, Mode, Pitch, Player, Progression, Registers, Score, find_key};

/// By how much a key is less likely that is not of the chord: where the chord begins, on a beat, between beats; nats.
const STRANGE: [f32; 3] = [8.0, 5.0, 2.5];
/// By how much the chord's root is likelier below the others.
const ROOT: f32 = 2.0;
/// A key below the lowest one of late by fewer semitones than this, or above it, is thought to be in the bass.
const NEAR_BASS: u8 = 5;
/// By how much a key is likelier, by the semitones that it lies over the tonic of the key that is asked for: little is out of its scale (of a
/// minor one the rising scale is part of it), the tonic's chord says which key it is, and what other keys of nearly the same scale have
/// theirs on says it less.
const MAJOR: [f32; 12] = [0.8, OUT, 0.1, OUT, 0.4, 0.0, OUT, 0.5, OUT, -0.4, OUT, 0.5];
const MINOR: [f32; 12] = [0.8, OUT, 0.7, 0.4, OUT, -0.4, OUT, 0.5, -1.2, -0.5, -0.2, 0.4];
const OUT: f32 = -4.0;
/// What a chord weighs that is heard as another one; a logarithm.
const MISHEARD: f64 = -12.0;
/// What it weighs at the end of a bar that the piece is heard in another key than it is to be, after so many beats.
const OTHER_KEY: f64 = -6.0;
const KEY_BEATS: u32 = 12;
/// Notes whose loudness is looked back on, and the fewest that say anything.
const LATELY: usize = 24;
const FEWEST: usize = 4;
/// How hard the mean loudness is drawn to where it is to be: nats, from the softest level to the loudest, for each such way that it is off.
const FORCE: f64 = 60.0;
/// A register has so many keys at least, or all that the instrument has.
const KEYS: u8 = 7;

/// What is asked for of a piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Aims {
    /// Chords and when they begin, one after another; nothing where none are asked for.
    chords: Vec<(u32, Option<Chord>)>,
    /// When the last one ends.
    end: u32,
    /// The key.
    key: Option<Key>,
    /// Whether it is asked for how busy it is, and how full.
    firm: [bool; 2],
    /// The mean level of loudness, and how many levels there are.
    level: Option<(f64, f64)>,
    /// For each instrument its lowest and its highest key, and how many keys it strikes at once at most.
    ranges: Vec<(u8, u8, u8)>,
    /// Whether a register is asked for.
    is_register: bool,
}

impl Aims {
    /// What a request asks for, of a piece of these bars, of which an upbeat is none.
    ///
    /// # Errors
    /// [`ComposeError`]: instruments that are not there, registers that they do not have.
    pub fn of(
        composer: &NoteComposer,
        usual: &Usual,
        request: &Request,
        (bars, kept, upbeat): (&[Bar], usize, usize),
        drawn: Option<Key>,
    ) -> Result<Aims, ComposeError> {
        let controls = &request.controls;
        let chords = controls.chords.as_ref();
        let chords = chords.map_or_else(Vec::new, |asked| named(asked, (bars, kept, upbeat), composer.clock()));
        let register = controls.register.as_ref();
        let levels = composer.vocabulary.velocities().len() as f64;
        let level = controls.velocity.and_then(|place| usual.level(place)).map(|level| (level, levels));
        Ok(Aims {
            chords,
            end: bars.last().map_or(0, |bar| bar.end().0.min(u64::from(u32::MAX / 2)) as u32),
            // A piece that is to lie between two keys cannot be moved to its key once it is written. Chords have their own.
            key: controls.key.or(register.and(drawn)).filter(|_| controls.chords.is_none() && request.given.is_none()),
            firm: [controls.density.is_some(), controls.polyphony.is_some()],
            level,
            ranges: match register {
                Some(asked) => registers(composer, usual, asked)?,
                None => audible(composer, usual),
            },
            is_register: register.is_some(),
        })
    }

    /// Whether it is asked for how busy it is, and how full.
    pub fn firm(&self) -> [bool; 2] {
        self.firm
    }

    /// Whether it is written to chords.
    pub fn has_chords(&self) -> bool {
        !self.chords.is_empty()
    }

    /// Whether drafts differ in how well what is asked for is heard in them.
    pub fn is_heard(&self) -> bool {
        self.has_chords() || self.key.is_some()
    }

    /// The chords' symbols, and when they begin.
    pub fn symbols(&self, flats: bool) -> impl Iterator<Item = (u32, String)> {
        let symbol =
            move |chord: Option<Chord>| chord.map_or_else(|| Chord::NONE.to_owned(), |chord| chord.symbol(flats));
        self.chords.iter().map(move |(from, chord)| (*from, symbol(*chord)))
    }

    /// For each instrument its lowest and its highest key, and how many keys it strikes at once at most.
    pub fn ranges(&self) -> &[(u8, u8, u8)] {
        &self.ranges
    }

    /// The same, where a register is asked for.
    pub fn register(&self) -> Option<&[(u8, u8, u8)]> {
        self.is_register.then_some(&self.ranges[..])
    }

    /// The lowest and the highest key of all, where a register is asked for.
    pub fn range(&self, is_drums: impl Fn(u8) -> bool) -> Option<(u8, u8)> {
        let pitched = (0u8..).zip(self.register()?).filter(|(number, _)| !is_drums(*number));
        Some(pitched.fold((127, 0), |(low, high), (_, range)| (low.min(range.0), high.max(range.1))))
    }

    /// Whether the same chords are asked for from two times on, for so long.
    pub fn are_alike(&self, one: u32, other: u32, length: u32) -> bool {
        let during = |from: u32| -> Vec<(u32, Option<Chord>)> {
            let later = self.chords.iter().filter(|(at, _)| (from + 1..from + length).contains(at));
            std::iter::once((0, self.chord(from))).chain(later.map(|(at, chord)| (at - from, *chord))).collect()
        };
        self.chords.is_empty() || during(one) == during(other)
    }

    /// The chord at a time.
    fn chord(&self, time: u32) -> Option<Chord> {
        let next = self.chords.partition_point(|(from, _)| *from <= time);
        self.chords.get(next.checked_sub(1)?)?.1
    }

    /// The tilt of the keys at a time. `past` is what was written.
    pub fn harmony(&self, past: &Past, onset: u32, clock: Clock, is_drums: impl Fn(u8) -> bool) -> Harmony {
        let chord = self.chord(onset);
        let begins = self.chords.binary_search_by_key(&onset, |(from, _)| *from).is_ok();
        let strange = if begins { STRANGE[0] } else { STRANGE[1 + usize::from(!onset.is_multiple_of(clock.beat()))] };
        // Only a chord has a bass.
        let lowest = chord.and_then(|_| {
            let lately = past.notes().iter().rev().take(LATELY);
            lately.filter(|note| !is_drums(note.instrument)).map(|note| note.pitch).min()
        });
        Harmony { chord, strange, bass: lowest.map(|lowest| lowest.saturating_add(NEAR_BASS)), key: self.key }
    }

    /// When a note ends at the latest that begins at `onset`: it does not last into a chord that it is no part of.
    pub fn until(&self, pitch: u8, onset: u32, end: u32) -> u32 {
        let next = self.chords.partition_point(|(from, _)| *from <= onset);
        let mut changes = self.chords[next..].iter().take_while(|(from, _)| *from < end);
        changes.find(|(_, chord)| chord.is_some_and(|chord| !chord.has(pitch % 12))).map_or(end, |(from, _)| *from)
    }

    /// What it weighs that chords that are over from one time to another are heard as others, or the key is; a logarithm.
    pub fn misheard(&self, past: &Past, (from, to): (u32, u32), clock: Clock, is_drums: impl Fn(u8) -> bool) -> f64 {
        let ends = self.chords.iter().skip(1).map(|(at, _)| *at).chain([self.end]);
        let over = self.chords.iter().zip(ends).filter(|(_, end)| (from + 1..=to).contains(end));
        over.filter_map(|((begin, chord), end)| {
            let asked = (*chord)?;
            (heard(past, *begin, end, &is_drums) != Some(asked)).then_some(MISHEARD)
        })
        .sum::<f64>()
            + self.other_key(past, (from, to), clock, &is_drums)
    }

    /// What it weighs at the end of a bar that the piece is heard in another key.
    fn other_key(&self, past: &Past, (from, to): (u32, u32), clock: Clock, is_drums: &impl Fn(u8) -> bool) -> f64 {
        let Some(key) = self.key.filter(|_| to >= KEY_BEATS * clock.beat()) else { return 0.0 };
        if to < self.end && past.bar_at(from) == past.bar_at(to) {
            return 0.0;
        }
        if find_key(&past.pitched(is_drums)) == Some(key) { 0.0 } else { OTHER_KEY }
    }

    /// By how much a level of loudness is likelier than the one below it, after what was written since a time.
    pub fn louder(&self, past: &Past, since: u32, is_drums: impl Fn(u8) -> bool) -> f32 {
        let Some((wanted, levels)) = self.level else { return 0.0 };
        let written = past.notes().iter().rev().take_while(|note| note.onset >= since);
        let found: Vec<f64> =
            written.filter(|note| !is_drums(note.instrument)).take(LATELY).map(|note| f64::from(note.level)).collect();
        if found.len() < FEWEST {
            return 0.0;
        }
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        (FORCE * (wanted - mean) / levels / levels) as f32
    }
}

/// How well keys suit a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Harmony {
    chord: Option<Chord>,
    strange: f32,
    /// Keys up to this one are thought to be in the bass.
    bass: Option<u8>,
    key: Option<Key>,
}

impl Harmony {
    /// What the logarithm of the probability of a key becomes more by.
    pub fn weigh(&self, key: usize) -> f32 {
        let class = (key % 12) as u8;
        let own = self.key.map_or(0.0, |key| {
            let degrees = if key.mode() == Mode::Major { &MAJOR } else { &MINOR };
            degrees[usize::from((class + 12 - key.tonic()) % 12)]
        });
        let Some(chord) = self.chord else { return own };
        let is_low = self.bass.is_none_or(|bass| key <= usize::from(bass));
        match chord.has(class) {
            false => own - self.strange,
            true if is_low && class == chord.root() => own + ROOT,
            true => own,
        }
    }
}

/// The chords of the bars of a piece, a beat at a time, each where it differs from the one before; from the first bar that is written on.
fn named(asked: &Progression, (bars, kept, upbeat): (&[Bar], usize, usize), clock: Clock) -> Vec<(u32, Option<Chord>)> {
    let mut chords: Vec<(u32, Option<Chord>)> = Vec::new();
    let beat = u64::from(clock.beat().max(1));
    for (number, bar) in bars.iter().enumerate().skip(kept) {
        let beats = bar.length.0.div_ceil(beat).max(1);
        for k in 0..beats {
            let chord = asked.at(number.saturating_sub(upbeat), k as usize, beats as usize);
            if chords.last().is_none_or(|(_, last)| *last != chord) {
                chords.push(((bar.start.0 + k * beat).min(u64::from(u32::MAX / 2)) as u32, chord));
            }
        }
    }
    chords
}

/// The chord that is heard from one time to another.
fn heard(past: &Past, from: u32, to: u32, is_drums: &impl Fn(u8) -> bool) -> Option<Chord> {
    let notes = past.notes();
    let first = notes.partition_point(|note| note.onset < from).saturating_sub(LOOK);
    let near = notes[first..].iter().take_while(|note| note.onset < to);
    let sounding = near.filter(|note| !is_drums(note.instrument) && note.end() > from);
    let (mut classes, mut lowest) = ([0u64; 12], u8::MAX);
    for note in sounding {
        let lasts = note.end().min(to).saturating_sub(note.onset.max(from)).max(1);
        classes[usize::from(note.pitch % 12)] += u64::from(lasts);
        lowest = lowest.min(note.pitch);
    }
    Chord::nearest(&classes, (lowest < u8::MAX).then_some(lowest % 12))
}

/// For each instrument the keys that it has in the corpus, but for those that nobody hears as pitches: files have some such, as noises.
fn audible(composer: &NoteComposer, usual: &Usual) -> Vec<(u8, u8, u8)> {
    let (lowest, _) = Pitch::PIANO;
    let range = |(number, (low, high, most)): (u8, &(u8, u8, u8))| {
        let has_pitch = !composer.is_drums(number) && *high >= lowest.get().saturating_add(KEYS);
        (if has_pitch { (*low).max(lowest.get()) } else { *low }, *high, *most)
    };
    (0..).zip(&usual.ranges).map(range).collect()
}

/// For each instrument its lowest and its highest key, of those that are asked for.
fn registers(composer: &NoteComposer, usual: &Usual, asked: &Registers) -> Result<Vec<(u8, u8, u8)>, ComposeError> {
    let mut ranges = audible(composer, usual);
    // What is said of one instrument goes before what is said of all.
    let (all, own): (Vec<_>, Vec<_>) = asked.iter().partition(|(player, _)| player.is_none());
    for (player, range) in all.into_iter().chain(own) {
        let plays = match player {
            Some(player) => {
                composer.instrument(player)?;
                composer.instruments_of(player)
            }
            None => composer.pitched(),
        };
        for number in plays {
            let (low, high, most) = usual.ranges[usize::from(number)];
            let (lowest, highest) = (low.max(range.start().get()), high.min(range.end().get()));
            let keys = (high - low + 1).min(KEYS);
            if highest < lowest || highest - lowest + 1 < keys {
                let name = |key: u8| Pitch::try_from(key).map_or_else(|_| String::new(), |pitch| pitch.to_string());
                return Err(ComposeError::Register {
                    asked: format!("{}-{}", range.start(), range.end()),
                    instrument: super::named(&composer.vocabulary.instruments()[usize::from(number)]),
                    known: format!("{}-{}", name(low), name(high)),
                    keys: keys.into(),
                });
            }
            ranges[usize::from(number)] = (lowest, highest, most);
        }
    }
    Ok(ranges)
}

impl NoteComposer {
    /// Who may play together: of the corpus's ensembles those that have most of the players whose register is asked for.
    pub(super) fn ensembles_with<'u>(&self, usual: &'u Usual, register: Option<&Registers>) -> Vec<&'u Vec<u8>> {
        let players = register.into_iter().flat_map(Registers::iter).filter_map(|(player, _)| player);
        let named: Vec<Vec<u8>> = players.map(|player| self.instruments_of(player)).collect();
        let has = |playing: &Vec<u8>| named.iter().filter(|able| able.iter().any(|one| playing.contains(one))).count();
        let most = usual.ensembles.iter().map(has).max().unwrap_or(0);
        usual.ensembles.iter().filter(|playing| has(playing) == most).collect()
    }

    /// Says whose register was asked for in vain.
    pub(super) fn absent(&self, written: &Score, register: Option<&Registers>) -> Vec<String> {
        let playing: Vec<u8> = written.parts.iter().filter_map(|part| self.instrument_of(part)).collect();
        let plays = |player: &&Player| self.instruments_of(player).iter().any(|number| playing.contains(number));
        let players = register.into_iter().flat_map(Registers::iter).filter_map(|(player, _)| player);
        let absent = players.filter(|player| !plays(player));
        absent.map(|player| format!("no {player} plays in this piece: `--instruments` says who does")).collect()
    }
}
