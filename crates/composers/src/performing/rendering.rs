//! From what a player decides to the score that sounds so.
//!
//! Ticks stay what they are: bars, keys, words and all parts keep their places, and the player's time is the tempo map. So all parts share
//! one clock, drums follow it, and a note program shows the piece as it was written. A note leaves its place by what it is apart from its
//! chord alone.

use super::Performance;
use super::pedalling::Moves;
use super::written::{AROUND, Written};
use cantus_score::{Note, Part, PedalSpan, Program, Score, Tempo, Ticks, TicksPerQuarter, Velocity};
use std::collections::BTreeMap;

/// Ticks to a quarter at least: a millisecond at 60 quarters a minute.
const FINE: u32 = 960;
/// The most that MIDI can say.
const FINEST: u32 = 0x7fff;
/// A chord's notes stay so near to its middle, in seconds, and within this share of the way to the next chord.
const SPREAD: f64 = 0.15;
const SHARE: f64 = 0.4;
/// A gap is played so many times slower or faster at most.
const MOST: f64 = 3.0;
/// A key stays down so many seconds longer than written at most, where it is played as by a player, and so many seconds at least: learnt
/// lengths are ratios, which of long notes make a drone and of short ones nothing that can be heard.
const LINGERING: f64 = 1.0;
const SHORTEST: f64 = 0.05;
/// From this strength on the pedal is played.
const PEDALLED: f64 = 0.25;
/// Seconds on each side in which written loudness is a matter of the phrase, not of the note.
const PHRASE: f64 = 4.0;

/// What a player decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Played {
    /// For each chord, the logarithm of how much slower than written the gap before it is.
    pub slower: Vec<f64>,
    /// For each chord, what the pedal does after it.
    pub pedal: Vec<Moves>,
    /// For each note a MIDI velocity, seconds from its chord, and the logarithm of how much longer than written it is held.
    pub velocity: Vec<f64>,
    pub spread: Vec<f64>,
    pub length: Vec<f64>,
}

impl Played {
    /// As it is written.
    pub(super) fn of(written: &Written) -> Played {
        let (chords, notes) = (written.chords.len(), written.len());
        Played {
            slower: vec![0.0; chords],
            pedal: vec![Moves::default(); chords],
            velocity: vec![0.0; notes],
            spread: vec![0.0; notes],
            length: vec![0.0; notes],
        }
    }
}

/// The score as it is played. `reads_loudness` says whether the player has seen how loud notes are written; else what the score says of
/// phrases is added to what is played.
pub(super) fn render(
    score: &Score,
    written: &Written,
    played: &Played,
    strength: f64,
    reads_loudness: bool,
) -> Performance {
    let by = FINE.div_ceil(score.ticks_per_quarter.get());
    let fine = score.ticks_per_quarter.get().checked_mul(by).filter(|ticks| *ticks <= FINEST);
    let by = if fine.is_some() { by } else { 1 };
    let fine = fine.and_then(TicksPerQuarter::new).unwrap_or(score.ticks_per_quarter);
    let mut score = if by > 1 { score.rescaled(fine) } else { score.clone() };
    let ticks: Vec<Ticks> = written.chords.iter().map(|chord| Ticks(chord.tick.0.saturating_mul(by.into()))).collect();
    score.tempos = tempos(&score, &ticks, &factors(written, &played.slower, strength));
    let clock = Clock::of(&score);
    let seconds: Vec<f64> = ticks.iter().map(|tick| clock.seconds(tick.0 as f64)).collect();
    let velocities = velocities(&score, written, &played.velocity, strength, reads_loudness);
    let mut remarks = Vec::new();
    let mut moved: Vec<BTreeMap<(Ticks, u8), Ticks>> = vec![BTreeMap::new(); score.parts.len()];
    for (c, chord) in written.chords.iter().enumerate() {
        let spread = spread(&played.spread[chord.notes.clone()], &seconds, c, strength);
        for (n, spread) in chord.notes.clone().zip(spread) {
            let (part, k) = written.notes[n].origin;
            let is_keyboard = is_keyboard(&score.parts[part]);
            let note = &mut score.parts[part].notes[k];
            let (onset, end) = (clock.seconds(note.onset.0 as f64), clock.seconds(note.end().0 as f64));
            let begins = if spread == 0.0 { note.onset } else { clock.ticks((onset + spread).max(0.0)) };
            let held = if is_keyboard { held(end - onset, played.length[n], strength) } else { end - onset };
            let ends = clock.ticks(clock.seconds(begins.0 as f64) + held).max(begins + Ticks(1));
            moved[part].insert((note.onset, note.pitch.get()), begins);
            *note = Note { onset: begins, duration: ends - begins, velocity: velocities[n], ..*note };
        }
    }
    let mut pedalled = false;
    for (part, moved) in score.parts.iter_mut().zip(&moved) {
        part.notes.sort_unstable();
        keep_apart(&mut part.notes);
        follow(part, moved);
        let has_pedal = part.program().get() < HARPSICHORD && !part.drums && !part.notes.is_empty();
        if strength >= PEDALLED && has_pedal && part.pedal.is_empty() {
            part.pedal = pedal(&played.pedal, &seconds, &clock, part.end());
            pedalled |= !part.pedal.is_empty();
        } else if has_pedal && !part.pedal.is_empty() {
            remarks.push("the pedal is the file's own".to_owned());
        }
    }
    if !pedalled && strength < PEDALLED {
        remarks.push(format!("the pedal is played from a strength of {PEDALLED} on"));
    }
    remarks.dedup();
    Performance { score, remarks }
}

/// Programs of General MIDI from this one to 7 have keys and no dampers to lift: harpsichord and clavinet.
const HARPSICHORD: u8 = 6;

/// Whether it is played with keys: pianos, harpsichords and organs. Other instruments keep the lengths that are written.
fn is_keyboard(part: &Part) -> bool {
    let program: Program = part.program();
    program.is_piano() || (16..=20).contains(&program.get())
}

/// Seconds that a note is held which is written so many seconds long.
fn held(written: f64, longer: f64, strength: f64) -> f64 {
    let most = written + strength * LINGERING;
    (written * (strength * longer).exp()).min(most).max(written.min(SHORTEST))
}

/// For each chord how many times slower than written the gap before it is, so that the piece lasts as long as it is written, on the whole
/// and over every few bars.
fn factors(written: &Written, slower: &[f64], strength: f64) -> Vec<f64> {
    let at: Vec<f64> = written.chords.iter().map(|chord| chord.at).collect();
    let gap = |c: usize| at[c] - at[c - 1];
    let mut clock = vec![0.0; at.len()];
    for c in 1..at.len() {
        clock[c] = clock[c - 1] + gap(c) * slower[c].clamp(-MOST, MOST).exp();
    }
    let (mut low, mut high) = (0, 0);
    let mut factors = vec![1.0; at.len()];
    let (mut is, mut due) = (0.0, 0.0);
    for c in 1..at.len() {
        while at[c] - at[low] > AROUND && low + 1 < c {
            low += 1;
        }
        while high + 1 < at.len() && (high < c || at[high] - at[c] < AROUND) {
            high += 1;
        }
        let level = (clock[high] - clock[low]) / (at[high] - at[low]);
        let level = if level.is_finite() && level > 0.0 { level.ln() } else { 0.0 };
        factors[c] = (strength * (slower[c] - level)).exp().clamp(1.0 / MOST, MOST);
        is += gap(c) * factors[c];
        due += gap(c);
    }
    let whole = if is > 0.0 && due > 0.0 { due / is } else { 1.0 };
    factors.iter_mut().for_each(|factor| *factor *= whole);
    factors
}

/// The tempos of a score, slower by each chord's factor before it. Before the first chord and after the last one they stay.
fn tempos(score: &Score, ticks: &[Ticks], factors: &[f64]) -> Vec<(Ticks, Tempo)> {
    // (from when on, the written tempo there or nothing, the factor there or nothing)
    let mut changes: Vec<(Ticks, Option<Tempo>, Option<f64>)> =
        score.tempos.iter().map(|(at, tempo)| (*at, Some(*tempo), None)).collect();
    let pairs = ticks.windows(2).zip(factors.iter().skip(1));
    changes.extend(pairs.map(|(pair, factor)| (pair[0], None, Some(*factor))));
    changes.extend(ticks.last().map(|last| (*last, None, Some(1.0))));
    changes.sort_by_key(|(at, ..)| *at);
    let (mut written, mut factor) = (Tempo::DEFAULT, 1.0);
    let mut found: Vec<(Ticks, Tempo)> = Vec::new();
    for (at, tempo, slower) in changes {
        written = tempo.unwrap_or(written);
        factor = slower.unwrap_or(factor);
        let micros = (f64::from(written.micros_per_quarter()) * factor).round().clamp(1.0, 16_777_215.0);
        let now = Tempo::from_micros_per_quarter(micros as u32).unwrap_or(written);
        found.pop_if(|(before, _)| *before == at);
        if found.last().is_none_or(|(_, before)| *before != now) {
            found.push((at, now));
        }
    }
    found
}

/// From ticks to seconds and back.
struct Clock {
    /// (tick, seconds at that tick, seconds to a tick from there on), the first at 0.
    stretches: Vec<(f64, f64, f64)>,
}

impl Clock {
    fn of(score: &Score) -> Clock {
        let quarter = f64::from(score.ticks_per_quarter.get());
        let rate = |tempo: Tempo| f64::from(tempo.micros_per_quarter()) / 1e6 / quarter;
        let mut stretches = vec![(0.0, 0.0, rate(Tempo::DEFAULT))];
        for (at, tempo) in &score.tempos {
            let (from, seconds, before) = stretches[stretches.len() - 1];
            let at = at.0 as f64;
            let now = seconds + (at - from) * before;
            stretches.pop_if(|stretch| stretch.0 == at);
            stretches.push((at, now, rate(*tempo)));
        }
        Clock { stretches }
    }

    fn seconds(&self, tick: f64) -> f64 {
        let k = self.stretches.partition_point(|(from, ..)| *from <= tick).max(1) - 1;
        let (from, seconds, rate) = self.stretches[k];
        seconds + (tick - from) * rate
    }

    fn ticks(&self, second: f64) -> Ticks {
        let k = self.stretches.partition_point(|(_, seconds, _)| *seconds <= second).max(1) - 1;
        let (from, seconds, rate) = self.stretches[k];
        Ticks((from + (second - seconds) / rate).max(0.0).round() as u64)
    }
}

/// Seconds by which each note of a chord is late.
fn spread(drawn: &[f64], seconds: &[f64], chord: usize, strength: f64) -> Vec<f64> {
    if drawn.len() < 2 {
        return vec![0.0; drawn.len()];
    }
    let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
    let before = chord.checked_sub(1).map_or(f64::INFINITY, |before| seconds[chord] - seconds[before]);
    let after = seconds.get(chord + 1).map_or(f64::INFINITY, |next| next - seconds[chord]);
    let (early, late) = ((before * SHARE).min(SPREAD), (after * SHARE).min(SPREAD));
    let mut found: Vec<f64> = drawn.iter().map(|x| (strength * (x - mean)).clamp(-early, late)).collect();
    // Nothing sounds before the beginning.
    let first = found.iter().copied().fold(0.0, f64::min) + seconds[chord];
    if first < 0.0 {
        found.iter_mut().for_each(|x| *x = (*x - first).min(late));
    }
    found
}

/// The velocity of each note: on the whole as loud as its instruments are written.
fn velocities(score: &Score, written: &Written, drawn: &[f64], strength: f64, reads_loudness: bool) -> Vec<Velocity> {
    // Keyboards are one instrument, whichever hands their parts are; each of the others is one of its own.
    let group = |part: usize| if is_keyboard(&score.parts[part]) { usize::MAX } else { part };
    let mut sums: BTreeMap<usize, (f64, f64, f64)> = BTreeMap::new();
    let was = |n: usize| f64::from(written.notes[n].loudness.unwrap_or(Velocity::DEFAULT.get()));
    for (n, drawn) in drawn.iter().enumerate() {
        let (count, loud, played) = sums.entry(group(written.notes[n].origin.0)).or_default();
        (*count, *loud, *played) = (*count + 1.0, *loud + was(n), *played + drawn);
    }
    // (time, sum of loudness up to it) of all notes, to see what phrases are written louder.
    let mut sum = 0.0;
    let mut running = vec![0.0];
    for (n, note) in written.notes.iter().enumerate() {
        let (count, loud, _) = sums[&group(note.origin.0)];
        sum += was(n) - loud / count;
        running.push(sum);
    }
    let (mut low, mut high) = (0, 0);
    let mut found = vec![Velocity::DEFAULT; written.len()];
    for chord in &written.chords {
        while chord.at - written.chords[low].at > PHRASE {
            low += 1;
        }
        while written.chords.get(high).is_some_and(|later| later.at - chord.at <= PHRASE) {
            high += 1;
        }
        let (from, to) = (written.chords[low].notes.start, written.chords[high - 1].notes.end);
        let phrase = if reads_loudness { 0.0 } else { (running[to] - running[from]) / (to - from) as f64 };
        for n in chord.notes.clone() {
            let (count, loud, played) = sums[&group(written.notes[n].origin.0)];
            let as_played = loud / count + phrase + drawn[n] - played / count;
            let velocity = (1.0 - strength) * was(n) + strength * as_played;
            found[n] = Velocity::try_from(velocity.round().clamp(1.0, 127.0) as u8).unwrap_or(Velocity::DEFAULT);
        }
    }
    found
}

/// A key goes up before it goes down again.
fn keep_apart(notes: &mut [Note]) {
    let mut last: [Option<usize>; 128] = [None; 128];
    for k in 0..notes.len() {
        let Note { onset, pitch, .. } = notes[k];
        if let Some(before) = last[usize::from(pitch.get() & 127)].replace(k)
            && notes[before].end() > onset
        {
            let before = &mut notes[before];
            before.duration = (onset - before.onset).max(Ticks(1));
        }
    }
}

/// What stands at a note goes with it.
fn follow(part: &mut Part, moved: &BTreeMap<(Ticks, u8), Ticks>) {
    let any = |at: Ticks| moved.range((at, 0)..=(at, u8::MAX)).next_back().map_or(at, |(_, to)| *to);
    part.lyrics.iter_mut().for_each(|lyric| lyric.at = any(lyric.at));
    part.lyrics.sort();
    part.fermatas.iter_mut().for_each(|at| *at = any(*at));
    part.fermatas.sort_unstable();
    part.fermatas.dedup();
    for slur in &mut part.slurs {
        for end in [&mut slur.from, &mut slur.to] {
            end.0 = moved.get(&(end.0, end.1.get())).copied().unwrap_or(end.0);
        }
    }
    part.slurs.retain(|slur| slur.from.0 < slur.to.0);
    part.slurs.sort_unstable();
}

/// The pedal of a part that ends at `end`.
fn pedal(moves: &[Moves], seconds: &[f64], clock: &Clock, end: Ticks) -> Vec<PedalSpan> {
    let mut times: Vec<f64> = Vec::new();
    for (c, Moves { first, again }) in moves.iter().enumerate() {
        let next = seconds.get(c + 1).copied().unwrap_or(f64::INFINITY);
        let last = times.last().copied().unwrap_or(0.0);
        let Some(first) = first.map(|first| (seconds[c] + first).min(next).max(last)) else { continue };
        times.push(first);
        times.extend(again.map(|again| (first + again).min(next).max(first)));
    }
    let mut spans: Vec<PedalSpan> = Vec::new();
    for pair in times.chunks(2) {
        let down = clock.ticks(pair[0]).min(end);
        let up = pair.get(1).map_or(end, |up| clock.ticks(*up).min(end));
        let after = spans.last().map_or(Ticks::ZERO, |last| last.up);
        let down = down.max(after);
        if up > down {
            spans.push(PedalSpan { down, up });
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::held;

    #[test]
    fn long_notes_do_not_become_drones_and_short_ones_stay_audible() {
        assert!((held(0.5, 0.4, 1.0) - 0.5 * 0.4f64.exp()).abs() < 1e-12);
        for strength in [0.7, 1.0, 2.0] {
            assert_eq!(held(2.4, 3.0, strength), 2.4 + strength);
            assert_eq!(held(0.5, -6.0, strength), 0.05);
            assert_eq!(held(0.02, -6.0, strength), 0.02);
        }
        assert_eq!(held(2.4, 3.0, 0.0), 2.4);
    }
}
