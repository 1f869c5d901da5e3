//! What is asked of a corpus.

use cantus_formats::Limits;
use cantus_score::{Meter, MeterError, Reading, TicksPerQuarter};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// How a folder is turned into a corpus. Stored with every run, so that a resumed run reads the same music.
///
/// Drums are no pitches: in the reading `merged` percussion parts are left out whatever the options say. What is `None` follows from the folder:
/// [`Preflight::options`](crate::Preflight::options) says how it was read in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How a piece is read: as one keyboard, part by part, or as it was played. `None` is one of the latter two, as suits the folder; in a
    /// file that does not say it, it is merged.
    #[serde(with = "reading")]
    pub reading: Option<Reading>,
    /// Steps to the quarter note; 4 are sixteenths. By default, merged, [`Options::GRID`], or a grid of triplets where the folder is in them;
    /// part by part, the coarsest that holds what is there.
    #[serde(with = "steps")]
    pub grid: Option<TicksPerQuarter>,
    /// Which parts of a file are kept.
    pub parts: Parts,
    /// Which metres are allowed.
    pub meters: MeterFilter,
    /// How far from its step, in steps, an onset may lie and still count as on the grid.
    pub tolerance: f64,
    /// The share of onsets that may miss the grid, 0-1; above it the file is refused. See [`crate::Quantization::off_grid`] for what
    /// counts as a miss (triplets do not).
    ///
    /// The default, 0.2, stands in a gap of the figures that we measured: of 2,257 written scores 99% have less (Chopin's worst 0.06,
    /// the hymns' 0.05), and of 843 performances and transcribed solos none has less than 0.25.
    pub max_off_grid: f64,
    /// Fewer bars than these are too short. By default [`Options::MIN_BARS`], or [`Options::CLIP_BARS`] where the folder is one of clips.
    pub min_bars: Option<u64>,
    /// Fewer notes than these are too short. By default [`Options::MIN_NOTES`], or [`Options::CLIP_NOTES`] where the folder is one of
    /// clips.
    pub min_notes: Option<usize>,
    /// More pitched parts with notes than these are too many; by default no number is.
    pub max_note_tracks: Option<usize>,
    /// Whether a file is refused that has notes beyond a piano's 88 keys (MIDI 21-108).
    pub piano_only: bool,
    /// The share of pieces kept for validation, 0-1.
    pub valid_share: f64,
    /// What one file may cost.
    #[serde(with = "limits")]
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            reading: Some(Reading::Merged),
            grid: None,
            parts: Parts::All,
            meters: MeterFilter::Any,
            tolerance: 0.2,
            max_off_grid: 0.2,
            min_bars: None,
            min_notes: None,
            max_note_tracks: None,
            piano_only: false,
            valid_share: 0.1,
            limits: Limits::default(),
        }
    }
}

/// An option outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} is {found}, but it has to lie between {low} and {high}")]
pub struct OptionsError {
    /// Which option.
    pub name: &'static str,
    /// What was asked.
    pub found: f64,
    /// The least that makes sense.
    pub low: f64,
    /// The most that makes sense.
    pub high: f64,
}

impl Options {
    /// Steps to the quarter note where nothing speaks against it: sixteenths.
    pub const GRID: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();
    /// The fewest bars of a piece.
    pub const MIN_BARS: u64 = 4;
    /// The fewest notes of a piece.
    pub const MIN_NOTES: usize = 16;
    /// The fewest bars of a clip: a loop, a lick.
    pub const CLIP_BARS: u64 = 1;
    /// The fewest notes of a clip.
    pub const CLIP_NOTES: usize = 4;

    /// The usual options for whoever reads music in several ways: as suits the folder.
    pub fn open() -> Options {
        Options { reading: None, ..Options::default() }
    }

    /// How a piece is read: as asked for, or part by part.
    pub fn way(&self) -> Reading {
        self.reading.unwrap_or(Reading::Parts)
    }

    /// Steps to the quarter note: those asked for, or the usual ones.
    pub fn steps(&self) -> TicksPerQuarter {
        self.grid.unwrap_or(Options::GRID)
    }

    /// The fewest bars: those asked for, or the usual ones.
    pub fn least_bars(&self) -> u64 {
        self.min_bars.unwrap_or(Options::MIN_BARS)
    }

    /// The fewest notes: those asked for, or the usual ones.
    pub fn least_notes(&self) -> usize {
        self.min_notes.unwrap_or(Options::MIN_NOTES)
    }

    /// The same with nothing left open: what was not asked for is as usual.
    pub fn settled(&self) -> Options {
        Options {
            reading: Some(self.way()),
            grid: Some(self.steps()),
            min_bars: Some(self.least_bars()),
            min_notes: Some(self.least_notes()),
            ..self.clone()
        }
    }

    /// Whatever has notes is a piece, however short or far off the grid: for looking at music, not for learning from it.
    pub fn lenient() -> Options {
        Options { max_off_grid: 1.0, min_bars: Some(1), min_notes: Some(1), ..Options::default() }
    }

    /// Whether every number lies in its range.
    ///
    /// # Errors
    /// The first option that does not.
    pub fn check(&self) -> Result<(), OptionsError> {
        let ranges = [
            // More than 96 steps a quarter are a performance's resolution, not a grid.
            ("the grid (steps per quarter)", f64::from(self.steps().get()), 1.0, 96.0),
            ("the tolerance (of a step)", self.tolerance, 0.0, 0.5),
            ("the share of onsets off the grid", self.max_off_grid, 0.0, 1.0),
            ("the validation share", self.valid_share, 0.0, 1.0),
        ];
        for (name, found, low, high) in ranges {
            if !(low..=high).contains(&found) {
                return Err(OptionsError { name, found, low, high });
            }
        }
        Ok(())
    }
}

/// Which parts of a file are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parts {
    /// All of them, merged.
    #[default]
    All,
    /// All of them, of pieces that have both drums and a bass ([`cantus_score::bass_of`]); others are refused.
    Band,
    /// The first one with notes.
    First,
    /// Those that a piano plays; all where the file names no instrument.
    Piano,
    /// The one that is most likely the melody, as a single line. The rule:
    ///
    /// 1. Parts whose name says so ("melody", "vocal", "lead", "soprano", ...), where there are any.
    /// 2. Of these, parts with at least a quarter as many notes as the richest (a short descant is no melody) that play one note
    ///    at a time in at least 9 of 10 onsets; of several the one with the highest mean pitch.
    /// 3. Where none plays one note at a time: all parts of step 1 together.
    /// 4. Of what is chosen, the skyline: of the notes that begin together the highest, unless a higher one is still held; each
    ///    ends where the next begins.
    ///
    /// Source: A. Uitdenbogerd and J. Zobel, "Melodic matching techniques for large music databases", ACM Multimedia 1999, which
    /// found the skyline ("all-mono") the best of four; holding back notes under a sounding higher one follows W. Chai,
    /// "Melody Retrieval on the Web", MIT 2001. Steps 1 and 2 are ours: where a file keeps the melody apart, it is not guessed.
    Melody,
}

/// A word that names no choice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no choice of parts: write all, band, first, piano or melody")]
pub struct ChoiceError {
    /// What was found.
    pub found: String,
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Parts::All => "all",
            Parts::Band => "band",
            Parts::First => "first",
            Parts::Piano => "piano",
            Parts::Melody => "melody",
        })
    }
}

impl FromStr for Parts {
    type Err = ChoiceError;
    fn from_str(text: &str) -> Result<Parts, ChoiceError> {
        [Parts::All, Parts::Band, Parts::First, Parts::Piano, Parts::Melody]
            .into_iter()
            .find(|parts| parts.to_string() == text.trim().to_lowercase())
            .ok_or_else(|| ChoiceError { found: text.to_owned() })
    }
}

/// Which metres are allowed: `any`, `duple`, or a list like `4/4,3/4`. A file that changes to a metre outside of them is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MeterFilter {
    /// All metres.
    #[default]
    Any,
    /// Those derived from 4/4: of 2, 4, 8 or 16 halves, quarters, eighths or sixteenths. (I. Ivanov, diploma thesis, Moscow State
    /// University 2018, section 7.1: in these, what repeats does so after powers of two.)
    Duple,
    /// These alone.
    Only(BTreeSet<Meter>),
}

impl MeterFilter {
    /// Whether `meter` may occur.
    pub fn allows(&self, meter: Meter) -> bool {
        match self {
            MeterFilter::Any => true,
            MeterFilter::Duple => [meter.numerator(), meter.denominator()].iter().all(|n| [2, 4, 8, 16].contains(n)),
            MeterFilter::Only(allowed) => allowed.contains(&meter),
        }
    }
}

impl fmt::Display for MeterFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MeterFilter::Any => f.write_str("any"),
            MeterFilter::Duple => f.write_str("duple"),
            MeterFilter::Only(allowed) => {
                let names: Vec<String> = allowed.iter().map(Meter::to_string).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

impl FromStr for MeterFilter {
    type Err = MeterError;
    fn from_str(text: &str) -> Result<MeterFilter, MeterError> {
        for named in [MeterFilter::Any, MeterFilter::Duple] {
            if text.trim().eq_ignore_ascii_case(&named.to_string()) {
                return Ok(named);
            }
        }
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(MeterFilter::Only)
    }
}

impl TryFrom<String> for MeterFilter {
    type Error = MeterError;
    fn try_from(text: String) -> Result<MeterFilter, MeterError> {
        text.parse()
    }
}

impl From<MeterFilter> for String {
    fn from(filter: MeterFilter) -> String {
        filter.to_string()
    }
}

/// A reading by its name.
mod reading {
    use super::{Deserialize, Reading};
    use serde::{Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(reading: &Option<Reading>, to: S) -> Result<S::Ok, S::Error> {
        reading.map(Reading::name).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Reading>, D::Error> {
        let name: Option<String> = Option::deserialize(from)?;
        name.map(|name| name.parse().map_err(D::Error::custom)).transpose()
    }
}

/// The grid as a plain number.
mod steps {
    use super::{Deserialize, TicksPerQuarter};
    use serde::{Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(steps: &Option<TicksPerQuarter>, to: S) -> Result<S::Ok, S::Error> {
        steps.map(TicksPerQuarter::get).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TicksPerQuarter>, D::Error> {
        let some = |steps| TicksPerQuarter::new(steps).ok_or_else(|| D::Error::custom("the grid has no steps"));
        Option::<u32>::deserialize(from)?.map(some).transpose()
    }
}

/// The reader's limits, field by field: the reader itself knows nothing of serde.
mod limits {
    use super::{Deserialize, Limits, Serialize};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Limits")]
    struct Mirror {
        max_bytes: usize,
        max_notes: usize,
        /// Runs of before it was counted have none.
        #[serde(default = "max_controls")]
        max_controls: usize,
        max_tracks: usize,
        max_quarters: u64,
        max_remark_bytes: usize,
        max_warnings: usize,
    }

    fn max_controls() -> usize {
        Limits::default().max_controls
    }

    pub fn serialize<S: Serializer>(limits: &Limits, to: S) -> Result<S::Ok, S::Error> {
        Mirror::serialize(limits, to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Limits, D::Error> {
        Mirror::deserialize(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_storing() {
        let options = Options {
            reading: Some(Reading::Performed),
            grid: TicksPerQuarter::new(12),
            parts: Parts::Melody,
            meters: "3/4, 6/8".parse().unwrap(),
            max_note_tracks: Some(5),
            ..Options::default()
        };
        let text = serde_json::to_string(&options).unwrap();
        assert!(text.contains(r#""reading":"performed","grid":12,"parts":"melody","meters":"3/4,6/8""#), "{text}");
        assert_eq!(serde_json::from_str::<Options>(&text).unwrap(), options);
        // What a run does not name keeps its default; what nobody knows is an error.
        assert_eq!(serde_json::from_str::<Options>("{}").unwrap(), Options::default());
        // Runs of older versions name what nobody asked for, too.
        let older: Options = serde_json::from_str(r#"{"grid":4,"min_bars":4,"min_notes":16}"#).unwrap();
        assert_eq!(older, Options::default().settled());
        assert!(serde_json::from_str::<Options>(r#"{"gird":4}"#).is_err());
        assert!(serde_json::from_str::<Options>(r#"{"grid":0}"#).is_err());
    }

    #[test]
    fn choices_are_words_and_numbers_have_ranges() {
        assert_eq!("Melody ".parse(), Ok(Parts::Melody));
        assert!("tune".parse::<Parts>().unwrap_err().to_string().contains("all, band, first, piano or melody"));
        assert_eq!(("any".parse(), "Duple".parse()), (Ok(MeterFilter::Any), Ok(MeterFilter::Duple)));
        let allowed = |meter: &str| MeterFilter::Duple.allows(meter.parse().unwrap());
        assert!(["4/4", "2/2", "8/16", "16/2"].into_iter().all(allowed));
        assert!(!["3/4", "6/8", "12/8", "1/4", "4/1", "4/32", "5/4"].into_iter().any(allowed));
        assert!("4/4,5".parse::<MeterFilter>().is_err());
        assert!(Options::default().check().is_ok());
        for bad in [f64::NAN, -0.1, 1.5] {
            assert_eq!(
                Options { valid_share: bad, ..Options::default() }.check().unwrap_err().name,
                "the validation share"
            );
        }
    }
}
