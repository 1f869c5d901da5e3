//! Chord symbols: as text, as pitch classes, and out of what sounds.

use std::fmt;
use std::str::FromStr;

/// The names of the pitch classes from C on, with sharps and with flats.
pub(crate) const SHARPS: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
const FLATS: [&str; 12] = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];

/// What a chord is over its root. What lead sheets add to these, ninths say, is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quality {
    /// C
    Major,
    /// Cm
    Minor,
    /// C7
    Seventh,
    /// Cmaj7
    MajorSeventh,
    /// Cm7
    MinorSeventh,
    /// Cdim
    Diminished,
    /// Cdim7
    DiminishedSeventh,
    /// Cm7b5
    HalfDiminished,
    /// Caug
    Augmented,
    /// Csus4
    Fourth,
    /// Csus2
    Second,
    /// C6
    Sixth,
    /// Cm6
    MinorSixth,
}

/// What stands after a root, and the pitch classes over it.
const QUALITIES: [(Quality, &str, &[u8]); 13] = [
    (Quality::Major, "", &[0, 4, 7]),
    (Quality::Minor, "m", &[0, 3, 7]),
    (Quality::Seventh, "7", &[0, 4, 7, 10]),
    (Quality::MajorSeventh, "maj7", &[0, 4, 7, 11]),
    (Quality::MinorSeventh, "m7", &[0, 3, 7, 10]),
    (Quality::Diminished, "dim", &[0, 3, 6]),
    (Quality::DiminishedSeventh, "dim7", &[0, 3, 6, 9]),
    (Quality::HalfDiminished, "m7b5", &[0, 3, 6, 10]),
    (Quality::Augmented, "aug", &[0, 4, 8]),
    (Quality::Fourth, "sus4", &[0, 5, 7]),
    (Quality::Second, "sus2", &[0, 2, 7]),
    (Quality::Sixth, "6", &[0, 4, 7, 9]),
    (Quality::MinorSixth, "m6", &[0, 3, 7, 9]),
];

impl Quality {
    /// All of them, the most usual first.
    pub fn all() -> impl Iterator<Item = Quality> {
        QUALITIES.iter().map(|(quality, ..)| *quality)
    }

    fn told(self) -> (&'static str, &'static [u8]) {
        let (_, suffix, classes) = QUALITIES[self as usize];
        (suffix, classes)
    }

    /// What stands after the root.
    pub fn suffix(self) -> &'static str {
        self.told().0
    }

    /// Semitones over the root, 0-11, in order.
    pub fn classes(self) -> &'static [u8] {
        self.told().1
    }

    /// Of what stands after a root; what is added to one of these is passed over.
    fn of(text: &str) -> Option<Quality> {
        let text: String = text.chars().filter(|sign| !sign.is_whitespace() && !"()".contains(*sign)).collect();
        let after = |starts: &[&str]| starts.iter().find_map(|start| text.strip_prefix(start));
        let is_seventh = |rest: &str| ["7", "9", "11", "13"].iter().any(|number| rest.starts_with(number));
        if let Some(rest) = after(&["maj", "Maj", "MAJ", "major", "ma", "Ma", "M", "j", "\u{394}"]) {
            return Some(match rest {
                _ if rest.starts_with('6') => Quality::Sixth,
                _ if is_seventh(rest) || text.starts_with(['j', '\u{394}']) => Quality::MajorSeventh,
                _ => Quality::Major,
            });
        }
        if let Some(rest) = after(&["dim", "Dim", "o", "\u{b0}"]) {
            return Some(if is_seventh(rest) { Quality::DiminishedSeventh } else { Quality::Diminished });
        }
        if after(&["\u{f8}"]).is_some() {
            return Some(Quality::HalfDiminished);
        }
        if after(&["aug", "Aug", "+"]).is_some() {
            return Some(Quality::Augmented);
        }
        if let Some(rest) = after(&["min", "Min", "mi", "m", "-"]) {
            let is_diminished = rest.contains("b5") || rest.contains("-5");
            return Some(match (is_seventh(rest), is_diminished) {
                (true, true) => Quality::HalfDiminished,
                (false, true) => Quality::Diminished,
                (true, false) => Quality::MinorSeventh,
                _ if rest.starts_with('6') => Quality::MinorSixth,
                _ => Quality::Minor,
            });
        }
        if text.contains("sus2") {
            return Some(Quality::Second);
        }
        if text.contains("sus") {
            return Some(Quality::Fourth);
        }
        if is_seventh(&text) {
            return Some(Quality::Seventh);
        }
        let plain = ["2", "4", "5", "add", "no", "b", "#"];
        match text.starts_with('6') {
            true => Some(Quality::Sixth),
            false => (text.is_empty() || plain.iter().any(|start| text.starts_with(start))).then_some(Quality::Major),
        }
    }
}

/// A chord as a lead sheet names it, without its bass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chord {
    root: u8,
    quality: Quality,
}

/// How much it tells for a root that it is the lowest note, and against a chord that one of its notes is absent, where all that sounds
/// counts 1.
const LOWEST: f64 = 0.1;
const ABSENT: f64 = 0.25;

impl Chord {
    /// What stands where no chord is played.
    pub const NONE: &'static str = "N.C.";

    /// Over a pitch class, 0-11 from C on.
    pub fn new(root: u8, quality: Quality) -> Chord {
        Chord { root: root % 12, quality }
    }

    /// The pitch class of its root, 0-11 from C on.
    pub fn root(self) -> u8 {
        self.root
    }

    /// What it is over its root.
    pub fn quality(self) -> Quality {
        self.quality
    }

    /// The chord of a symbol, whose bass and further notes are passed over; `None` where it names none.
    pub fn named(symbol: &str) -> Option<Chord> {
        let chord = match symbol.rsplit_once('/') {
            Some((chord, bass)) if root(bass).is_some() => chord,
            _ => symbol,
        };
        let (class, rest) = root(chord.trim())?;
        Some(Chord { root: class.rem_euclid(12) as u8, quality: Quality::of(rest)? })
    }

    /// Its symbol, the root with sharps or with flats.
    pub fn symbol(self, flats: bool) -> String {
        let names = if flats { &FLATS } else { &SHARPS };
        format!("{}{}", names[usize::from(self.root)], self.quality.suffix())
    }

    /// Moved by semitones.
    #[must_use]
    pub fn transposed(self, semitones: i32) -> Chord {
        Chord { root: (i32::from(self.root) + semitones).rem_euclid(12) as u8, ..self }
    }

    /// Whether a pitch class belongs to it.
    pub fn has(self, class: u8) -> bool {
        self.quality.classes().contains(&((class + 12 - self.root) % 12))
    }

    /// The chord that what sounds is nearest to: for how long each pitch class does, 0-11 from C on, and which is the lowest. `None`
    /// where nothing sounds.
    pub fn nearest(sounding: &[u64; 12], lowest: Option<u8>) -> Option<Chord> {
        let all = sounding.iter().sum::<u64>() as f64;
        if all == 0.0 {
            return None;
        }
        let fit = |chord: Chord| {
            let held: Vec<u64> =
                (0..12).filter(|class| chord.has(*class)).map(|class| sounding[usize::from(class)]).collect();
            let absent = held.iter().filter(|held| **held == 0).count();
            let root = if lowest == Some(chord.root) { LOWEST } else { 0.0 };
            held.iter().sum::<u64>() as f64 / all - ABSENT * absent as f64 + root
        };
        let chords = Quality::all().flat_map(|quality| (0..12).map(move |root| Chord { root, quality }));
        // The first of equals is the most usual one.
        chords
            .map(|chord| (fit(chord), chord))
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map(|(_, chord)| chord)
    }
}

/// Chords that follow one another, a bar each or several within a bar, and begin anew where they are over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progression {
    /// Of each bar at least one; `None` where no chord is played.
    bars: Vec<Vec<Option<Chord>>>,
}

/// Text that names no chords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgressionError {
    /// It holds none.
    Empty,
    /// This is none.
    Unknown(String),
}

impl fmt::Display for ProgressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgressionError::Empty => {
                f.write_str("name chords, one for each bar: Am F C G; several within a bar: Am F | C G7")
            }
            ProgressionError::Unknown(symbol) => {
                write!(
                    f,
                    "`{symbol}` is no chord that is known: write C, Cm, C7, Cmaj7, Cm7, Cdim, Cdim7, Cm7b5, Caug, Csus4, C6, or N.C. for none"
                )
            }
        }
    }
}

impl std::error::Error for ProgressionError {}

/// `Am F C G`, a bar each; with bar lines, the chords between two of them share a bar; `%` is the bar before once more.
impl FromStr for Progression {
    type Err = ProgressionError;

    fn from_str(text: &str) -> Result<Progression, ProgressionError> {
        let has_bars = text.contains('|');
        let texts: Vec<&str> = if has_bars { text.split('|').collect() } else { text.split_whitespace().collect() };
        let mut bars: Vec<Vec<Option<Chord>>> = Vec::new();
        for bar in texts {
            let symbols: Vec<&str> = bar.split_whitespace().collect();
            let known = |symbol: &&str| match *symbol {
                "N.C." | "NC" | "-" => Ok(None),
                symbol => Chord::named(symbol).map(Some).ok_or_else(|| ProgressionError::Unknown(symbol.to_owned())),
            };
            match (&symbols[..], bars.last()) {
                ([], _) => {}
                (["%"], Some(last)) => bars.push(last.clone()),
                _ => bars.push(symbols.iter().map(known).collect::<Result<_, _>>()?),
            }
        }
        if bars.is_empty() { Err(ProgressionError::Empty) } else { Ok(Progression { bars }) }
    }
}

/// As it is read: what stands between two bar lines shares a bar.
impl fmt::Display for Progression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, bar) in self.bars.iter().enumerate() {
            let symbols: Vec<String> =
                bar.iter().map(|chord| chord.map_or_else(|| "N.C.".to_owned(), |chord| chord.symbol(false))).collect();
            write!(f, "{}{}", if k == 0 { "" } else { " | " }, symbols.join(" "))?;
        }
        // One bar of several chords would be read as several bars.
        if self.bars.len() == 1 { f.write_str(" |") } else { Ok(()) }
    }
}

impl Progression {
    /// Bars of chords, at least one bar and at least one chord in each.
    pub(crate) fn new(bars: Vec<Vec<Option<Chord>>>) -> Option<Progression> {
        (!bars.is_empty() && bars.iter().all(|bar| !bar.is_empty())).then_some(Progression { bars })
    }

    /// The chord of a beat of a bar that has so many, all counted from 0.
    pub fn at(&self, bar: usize, beat: usize, beats: usize) -> Option<Chord> {
        let chords = &self.bars[bar % self.bars.len()];
        chords[(beat * chords.len() / beats.max(1)).min(chords.len() - 1)]
    }
}

/// The symbol of the same chord moved by `semitones`: root and bass move, the rest stays. What has no root (`N.C.`) stays whole.
pub(crate) fn transposed(symbol: &str, semitones: i32, flats: bool) -> String {
    let names = if flats { &FLATS } else { &SHARPS };
    let moved = |text: &str| {
        let (class, rest) = root(text)?;
        let class = (class + semitones).rem_euclid(12);
        Some(format!("{}{rest}", names[class as usize]))
    };
    match symbol.rsplit_once('/') {
        // `C6/9` has a slash, and no bass.
        Some((chord, bass)) if root(bass).is_some() => {
            let chord = moved(chord).unwrap_or_else(|| chord.to_owned());
            format!("{chord}/{}", moved(bass).unwrap_or_else(|| bass.to_owned()))
        }
        _ => moved(symbol).unwrap_or_else(|| symbol.to_owned()),
    }
}

/// The pitch class that `text` begins with, and what follows its name.
pub(crate) fn root(text: &str) -> Option<(i32, &str)> {
    let mut letters = text.chars();
    let natural = match letters.next()? {
        'C' => 0,
        'D' => 2,
        'E' => 4,
        'F' => 5,
        'G' => 7,
        'A' => 9,
        'B' => 11,
        _ => return None,
    };
    let rest = letters.as_str();
    let kind = rest.trim_start_matches(['#', 'b']);
    let accidentals = &rest[..rest.len() - kind.len()];
    let alter: i32 = accidentals.chars().map(|sign| if sign == '#' { 1 } else { -1 }).sum();
    Some((natural + alter, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_and_basses_move_and_the_rest_stays() {
        assert_eq!(transposed("Am7", 2, false), "Bm7");
        assert_eq!(transposed("F#/A#", -1, false), "F/A");
        assert_eq!(transposed("Bbmaj7/D", 1, false), "Bmaj7/D#");
        assert_eq!(transposed("Cmaj7", 3, true), "Ebmaj7");
        assert_eq!(transposed("C6/9", 2, false), "D6/9");
        assert_eq!(transposed("N.C.", 2, false), "N.C.");
    }

    #[test]
    fn symbols_name_chords_and_chords_have_symbols() {
        for quality in Quality::all() {
            for root in 0..12 {
                let chord = Chord::new(root, quality);
                assert_eq!([false, true].map(|flats| Chord::named(&chord.symbol(flats))), [Some(chord); 2]);
            }
        }
        let of = |symbol: &str| Chord::named(symbol).map(|chord| chord.symbol(true));
        let usual = [
            ("F#m7b5/A#", "Gbm7b5"),
            ("C6/9", "C6"),
            ("Bb-7", "Bbm7"),
            ("GM7", "Gmaj7"),
            ("G\u{394}", "Gmaj7"),
            ("Eb\u{f8}7", "Ebm7b5"),
            ("D7(b9)", "D7"),
            ("A13sus4", "Asus4"),
            ("Fmaj9", "Fmaj7"),
            ("Fmajor", "F"),
            ("Dm(maj7)", "Dm"),
            ("Cadd9", "C"),
            ("B\u{b0}7", "Bdim7"),
            ("G+", "Gaug"),
            ("E5", "E"),
        ];
        for (symbol, chord) in usual {
            assert_eq!(of(symbol).as_deref(), Some(chord), "{symbol}");
        }
        assert_eq!(["N.C.", "", "iv", "x/G", "Cxyz"].map(of), [None, None, None, None, None]);
    }

    #[test]
    fn what_sounds_is_the_nearest_chord() {
        let of = |classes: &[(u8, u64)], lowest: u8| {
            let mut sounding = [0; 12];
            classes.iter().for_each(|(class, time)| sounding[usize::from(*class)] += time);
            Chord::nearest(&sounding, Some(lowest)).map(|chord| chord.symbol(false))
        };
        for quality in Quality::all() {
            let classes: Vec<(u8, u64)> = quality.classes().iter().map(|class| (*class, 12)).collect();
            assert_eq!(of(&classes, 0), Some(format!("C{}", quality.suffix())));
        }
        // A bass under a chord is no root where the chord says another; passing notes are passed over; two notes are enough.
        assert_eq!(of(&[(4, 12), (7, 12), (0, 12)], 4).as_deref(), Some("C"));
        assert_eq!(of(&[(9, 12), (0, 12), (4, 12), (7, 12)], 9).as_deref(), Some("Am7"));
        assert_eq!(of(&[(0, 24), (4, 24), (7, 24), (2, 6)], 0).as_deref(), Some("C"));
        assert_eq!(of(&[(2, 12), (5, 12)], 2).as_deref(), Some("Dm"));
        assert_eq!(of(&[(7, 12)], 7).as_deref(), Some("G"));
        assert_eq!(of(&[], 0), None);
    }

    #[test]
    fn progressions_fill_bars_and_begin_anew() {
        let row = |text: &str, bars: usize, beats: usize| {
            let progression: Progression = text.parse().unwrap();
            let places = (0..bars).flat_map(|bar| (0..beats).map(move |beat| (bar, beat)));
            let name = |chord: Option<Chord>| chord.map_or("-".to_owned(), |chord| chord.symbol(false));
            places.map(|(bar, beat)| name(progression.at(bar, beat, beats))).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("Am F", 3, 2), "Am Am F F Am Am");
        assert_eq!(row("| Am F | C G7 |", 2, 4), "Am Am F F C C G7 G7");
        assert_eq!(row("Am N.C. D7 | % | G", 3, 3), "Am - D7 Am - D7 G G G");
        assert_eq!(row("A B C D", 1, 1), "A");
        assert_eq!("".parse::<Progression>(), Err(ProgressionError::Empty));
        assert_eq!("| |".parse::<Progression>(), Err(ProgressionError::Empty));
        assert_eq!("Am H".parse::<Progression>(), Err(ProgressionError::Unknown("H".to_owned())));
        assert_eq!("%".parse::<Progression>(), Err(ProgressionError::Unknown("%".to_owned())));
    }
}
