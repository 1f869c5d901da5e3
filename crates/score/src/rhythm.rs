//! The rhythm of a piece, without its pitches: when notes begin and end, in which metre and at which tempo.

use crate::{Meter, Score, Tempo, Ticks, TicksPerQuarter, merge_parts};
use std::fmt;
use std::str::FromStr;

/// The most quarter notes that a rhythm may last.
const MOST_QUARTERS: u64 = 100_000;

/// When notes begin and end.
///
/// As text it is `4; 4/4; 500000; 0:4.4.8 4:2.2 2:2`: ticks to the quarter note; metres; tempos in microseconds a quarter note; and for each moment at
/// which notes begin how many ticks it comes after the one before, and how long its notes last, the highest one's length first. A change of metre or
/// tempo has its time before it: `4/4 96@3/4`. Metres and tempos may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rhythm {
    ticks_per_quarter: TicksPerQuarter,
    meters: Vec<(Ticks, Meter)>,
    tempos: Vec<(Ticks, Tempo)>,
    /// In order of time; of each moment the lengths of its notes, at least one.
    moments: Vec<(Ticks, Vec<Ticks>)>,
}

/// Text that is no rhythm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RhythmError {
    /// It has not the four parts.
    Form,
    /// This word is none.
    Word(String),
    /// It lasts longer than any piece.
    TooLong,
}

impl fmt::Display for RhythmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RhythmError::Form => f.write_str(
                "write ticks to the quarter; metres; tempos; and moments with the lengths of their notes, as in `4; 4/4; 500000; 0:4.4 4:2 2:2`",
            ),
            RhythmError::Word(word) => write!(f, "`{word}` is not understood; write as in `4; 4/4; 500000; 0:4.4 4:2 2:2`"),
            RhythmError::TooLong => write!(f, "a rhythm may last {MOST_QUARTERS} quarter notes at most"),
        }
    }
}

impl std::error::Error for RhythmError {}

impl Rhythm {
    /// That of the pitched notes of a piece, all parts together; `None` where it has none. Notes of one pitch that overlap are as they sound.
    pub fn of(score: &Score) -> Option<Rhythm> {
        let mut notes = merge_parts(score.parts.iter().filter(|part| !part.drums)).notes;
        notes.sort_by_key(|note| (note.onset, std::cmp::Reverse(note.pitch)));
        let moments: Vec<(Ticks, Vec<Ticks>)> = notes
            .chunk_by(|a, b| a.onset == b.onset)
            .map(|chord| (chord[0].onset, chord.iter().map(|note| note.duration.max(Ticks(1))).collect()))
            .collect();
        let end = notes.iter().map(|note| note.end()).max()?;
        let rhythm = Rhythm {
            ticks_per_quarter: score.ticks_per_quarter,
            meters: changes(&score.meters, end),
            tempos: changes(&score.tempos, end),
            moments,
        };
        rhythm.is_within_bounds().then(|| rhythm.reduced())
    }

    /// In the fewest ticks that are exact.
    fn reduced(mut self) -> Rhythm {
        let times = self.meters.iter().map(|(at, _)| at.0).chain(self.tempos.iter().map(|(at, _)| at.0));
        let notes = self.moments.iter().flat_map(|(at, lengths)| lengths.iter().map(|length| length.0).chain([at.0]));
        // A bar stays a whole number of ticks.
        let bars = self.meters.iter().map(|(_, meter)| meter.bar(self.ticks_per_quarter).0);
        let by = times.chain(notes).chain(bars).fold(u64::from(self.ticks_per_quarter.get()), gcd).max(1);
        let Some(fewer) = TicksPerQuarter::new((u64::from(self.ticks_per_quarter.get()) / by) as u32) else {
            return self;
        };
        let reduce = |ticks: &mut Ticks| ticks.0 /= by;
        self.ticks_per_quarter = fewer;
        self.meters.iter_mut().for_each(|(at, _)| reduce(at));
        self.tempos.iter_mut().for_each(|(at, _)| reduce(at));
        for (at, lengths) in &mut self.moments {
            reduce(at);
            lengths.iter_mut().for_each(reduce);
        }
        self
    }

    fn is_within_bounds(&self) -> bool {
        self.end().0 <= MOST_QUARTERS * u64::from(self.ticks_per_quarter.get())
    }

    /// How many ticks make a quarter note.
    pub fn ticks_per_quarter(&self) -> TicksPerQuarter {
        self.ticks_per_quarter
    }

    /// When notes begin, and how long those of each moment last, the highest one's length first.
    pub fn moments(&self) -> impl Iterator<Item = (Ticks, &[Ticks])> {
        self.moments.iter().map(|(at, lengths)| (*at, lengths.as_slice()))
    }

    /// How many notes it has.
    pub fn notes(&self) -> usize {
        self.moments.iter().map(|(_, lengths)| lengths.len()).sum()
    }

    /// When its last note ends.
    pub fn end(&self) -> Ticks {
        let ends = self
            .moments
            .iter()
            .flat_map(|(at, lengths)| lengths.iter().map(|length| Ticks(at.0.saturating_add(length.0))));
        ends.max().unwrap_or_default()
    }

    /// A piece in its metre and tempo, without a note.
    pub fn open(&self) -> Score {
        let (meters, tempos) = (self.meters.clone(), self.tempos.clone());
        Score { meters, tempos, ..Score::new(self.ticks_per_quarter) }
    }

    /// How many bars it fills, an upbeat not counted.
    pub fn bars(&self) -> usize {
        let upbeat = crate::upbeat(&self.meters, self.ticks_per_quarter, self.end());
        let all = crate::Bars::new(&self.meters, self.ticks_per_quarter, self.end()).count();
        all - usize::from(upbeat.is_some())
    }
}

/// Changes before a time, the last one of each moment.
fn changes<T: Copy>(all: &[(Ticks, T)], end: Ticks) -> Vec<(Ticks, T)> {
    let mut kept: Vec<(Ticks, T)> = Vec::new();
    for change in all.iter().filter(|(at, _)| *at < end) {
        match kept.last_mut() {
            Some(last) if last.0 >= change.0 => *last = (last.0, change.1),
            _ => kept.push(*change),
        }
    }
    kept
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl fmt::Display for Rhythm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timed = |(at, what): (Ticks, String)| if at == Ticks::ZERO { what } else { format!("{}@{what}", at.0) };
        let meters: Vec<String> = self.meters.iter().map(|(at, meter)| timed((*at, meter.to_string()))).collect();
        let micros = |tempo: &Tempo| tempo.micros_per_quarter().to_string();
        let tempos: Vec<String> = self.tempos.iter().map(|(at, tempo)| timed((*at, micros(tempo)))).collect();
        let mut last = 0;
        let moments: Vec<String> = self
            .moments
            .iter()
            .map(|(at, lengths)| {
                let lengths: Vec<String> = lengths.iter().map(|length| length.0.to_string()).collect();
                format!("{}:{}", at.0 - std::mem::replace(&mut last, at.0), lengths.join("."))
            })
            .collect();
        write!(f, "{}; {}; {}; {}", self.ticks_per_quarter.get(), meters.join(" "), tempos.join(" "), moments.join(" "))
    }
}

impl FromStr for Rhythm {
    type Err = RhythmError;

    fn from_str(text: &str) -> Result<Rhythm, RhythmError> {
        let [ticks, meters, tempos, moments] = text.split(';').collect::<Vec<_>>()[..] else {
            return Err(RhythmError::Form);
        };
        let bad = |word: &str| RhythmError::Word(word.to_owned());
        let number = |word: &str| word.trim().parse::<u64>().map_err(|_| bad(word));
        let timed = |word: &'_ str| -> Result<(Ticks, String), RhythmError> {
            match word.split_once('@') {
                Some((at, what)) => Ok((Ticks(number(at)?), what.to_owned())),
                None => Ok((Ticks::ZERO, word.to_owned())),
            }
        };
        let ticks_per_quarter =
            u32::try_from(number(ticks)?).ok().and_then(TicksPerQuarter::new).ok_or_else(|| bad(ticks))?;
        let mut rhythm = Rhythm { ticks_per_quarter, meters: Vec::new(), tempos: Vec::new(), moments: Vec::new() };
        for word in meters.split_whitespace() {
            let (at, meter) = timed(word)?;
            rhythm.meters.push((at, meter.parse().map_err(|_| bad(word))?));
        }
        for word in tempos.split_whitespace() {
            let (at, micros) = timed(word)?;
            let tempo = u32::try_from(number(&micros)?).ok().and_then(Tempo::from_micros_per_quarter);
            rhythm.tempos.push((at, tempo.ok_or_else(|| bad(word))?));
        }
        let is_rising =
            |times: &mut dyn Iterator<Item = Ticks>| times.collect::<Vec<_>>().windows(2).all(|pair| pair[0] < pair[1]);
        if !is_rising(&mut rhythm.meters.iter().map(|(at, _)| *at))
            || !is_rising(&mut rhythm.tempos.iter().map(|(at, _)| *at))
        {
            return Err(RhythmError::Form);
        }
        let mut last = 0u64;
        for word in moments.split_whitespace() {
            let (gap, lengths) = word.split_once(':').ok_or_else(|| bad(word))?;
            let gap = number(gap)?;
            last = last.checked_add(gap).ok_or(RhythmError::TooLong)?;
            let lengths: Vec<Ticks> =
                lengths.split('.').map(|length| Ok(Ticks(number(length)?))).collect::<Result<_, RhythmError>>()?;
            let is_new = gap > 0 || rhythm.moments.is_empty();
            if !is_new || lengths.contains(&Ticks::ZERO) {
                return Err(bad(word));
            }
            rhythm.moments.push((Ticks(last), lengths));
        }
        if rhythm.moments.is_empty() {
            return Err(RhythmError::Form);
        }
        if rhythm.is_within_bounds() { Ok(rhythm) } else { Err(RhythmError::TooLong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Note, Part, Pitch, Velocity};

    fn piece() -> Score {
        let note = |onset, pitch: u8, duration| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        let mut score = Score::new(TicksPerQuarter::new(480).unwrap());
        score.meters = vec![(Ticks::ZERO, "3/4".parse().unwrap()), (Ticks(2880), "2/4".parse().unwrap())];
        score.tempos = vec![(Ticks(240), Tempo::from_micros_per_quarter(600_000).unwrap())];
        let right = vec![note(0, 72, 480), note(480, 74, 240), note(720, 76, 240)];
        let left = vec![note(0, 48, 1440), note(0, 55, 960), note(2880, 50, 480)];
        score.parts = [right, left].map(|notes| Part { notes, ..Part::default() }).into();
        score
    }

    #[test]
    fn a_rhythm_is_when_notes_begin_and_end_and_its_text_says_it_all() {
        let rhythm = Rhythm::of(&piece()).unwrap();
        assert_eq!(rhythm.to_string(), "2; 3/4 12@2/4; 1@600000; 0:2.4.6 2:1 1:1 9:2");
        assert_eq!(rhythm.to_string().parse(), Ok(rhythm.clone()));
        assert_eq!((rhythm.notes(), rhythm.end(), rhythm.bars()), (6, Ticks(14), 3));
        let open = rhythm.open();
        assert_eq!((open.note_count(), open.meters.len(), open.tempos.len()), (0, 2, 1));
        assert_eq!(Rhythm::of(&Score::new(TicksPerQuarter::DEFAULT)), None);
    }

    #[test]
    fn what_is_no_rhythm_is_named() {
        let of = |text: &str| text.parse::<Rhythm>();
        assert!(of("4; ; ; 0:4 4:2.2").is_ok() && of("4;4/4;;16:1").is_ok());
        for text in ["", "4; 4/4; 0:4", "4; ; ;", "4; 3/4 0@4/4; ; 0:1", "4; 12@4/4 8@3/4; ; 0:1"] {
            assert_eq!(of(text), Err(RhythmError::Form), "{text}");
        }
        for (text, word) in [
            ("0; ; ; 0:1", "0"),
            ("4; 4/5; ; 0:1", "4/5"),
            ("4; ; 0; 0:1", "0"),
            ("4; ; ; 0:1 0:1", "0:1"),
            ("4; ; ; 0:0", "0:0"),
            ("4; ; ; 4", "4"),
            ("4; ; ; 0:x", "x"),
        ] {
            assert_eq!(of(text), Err(RhythmError::Word(word.to_owned())), "{text}");
        }
        for text in ["1; ; ; 0:100001", "1; ; ; 18446744073709551615:1 2:1", "1; ; ; 5:18446744073709551615"] {
            assert_eq!(of(text), Err(RhythmError::TooLong), "{text}");
        }
        // A change of metre or tempo beyond all time is as good as none.
        assert!(of("1; 4/4 99999999999@3/4; ; 0:1").unwrap().bars() == 1);
    }
}
