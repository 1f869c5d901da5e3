//! What a model keeps of its corpus: registers, instruments, metre, tempo, and some loops to begin with.

use super::piece::Piece;
use super::plan::{Around, Bars, bars};
use super::step::sounds;
use cantus_encoding::rhythm_section::KINDS;
use cantus_model::band::Registers;
use cantus_model::frames::check_time;
use cantus_model::{Joined, TrainingSet};
use cantus_score::{Meter, Tempo, TicksPerQuarter};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// Loops that are kept.
const LOOPS: usize = 32;
/// Bars of a loop.
pub(super) const LOOP_BARS: usize = 2;

/// What a model keeps of its corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    /// Steps to a quarter note.
    pub steps_per_quarter: u32,
    /// The lowest notes of its basses, MIDI pitches, and how many have each.
    pub lowest: BTreeMap<u8, u32>,
    /// How far above its tonic, within the octave, the lowest note of a bass is, where the tonic is known.
    degrees: BTreeMap<u8, u32>,
    /// The programs that play what is written.
    pub programs: BTreeMap<u8, u32>,
    /// The most frequent metre.
    meter: String,
    /// The middle one of the pieces' first tempos, microseconds a quarter note.
    pub tempo: Option<u32>,
    /// Two bars of drums, each of another piece: what a bass is written to where nothing is given. A bit for each kind of drum.
    pub loops: Vec<Vec<u16>>,
    /// What its bars are like.
    pub bars: Bars,
    /// The same of each style that is told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    styles: Vec<Section>,
}

impl Section {
    /// What the pieces that are learnt from have in common, all of them and those of each style.
    pub(super) fn of(
        set: &TrainingSet,
        pieces: impl Iterator<Item = Piece>,
        writes: Joined,
        grid: TicksPerQuarter,
        styles: &[String],
    ) -> Section {
        let mut section = Section::empty(set, grid);
        section.styles = styles.iter().map(|style| Section::empty(&set.of_style(style), grid)).collect();
        for piece in pieces {
            let of_style = piece.known.style.and_then(|style| section.styles.get_mut(style));
            of_style.into_iter().for_each(|section| section.add(&piece, writes));
            section.add(&piece, writes);
        }
        section.thin_out();
        section
    }

    /// Metre and tempo of a set, and nothing counted yet.
    fn empty(set: &TrainingSet, grid: TicksPerQuarter) -> Section {
        Section {
            steps_per_quarter: grid.get(),
            bars: Bars::new(),
            lowest: BTreeMap::new(),
            degrees: BTreeMap::new(),
            programs: BTreeMap::new(),
            meter: set.usual_meter().to_string(),
            tempo: set.usual_tempo().map(Tempo::micros_per_quarter),
            loops: Vec::new(),
            styles: Vec::new(),
        }
    }

    fn add(&mut self, piece: &Piece, writes: Joined) {
        // A bass of the corpus would be a melody of the corpus.
        if writes == Joined::Bass {
            self.loops.extend(first_loop(piece));
        }
        let Piece { given, spots, .. } = piece;
        self.bars.add(&piece.plan, Around { writes, given, spots, per_quarter: self.steps_per_quarter });
        *self.lowest.entry(piece.lowest.get()).or_default() += 1;
        if let Some(tonic) = piece.known.tonic {
            *self.degrees.entry((piece.lowest.class() + 12 - tonic) % 12).or_default() += 1;
        }
        if let Some(program) = piece.program {
            *self.programs.entry(program).or_default() += 1;
        }
    }

    /// Leaves as many loops as are kept, from all over the corpus.
    fn thin_out(&mut self) {
        let every = self.loops.len().div_ceil(LOOPS).max(1);
        self.loops = std::mem::take(&mut self.loops).into_iter().step_by(every).collect();
        self.styles.iter_mut().for_each(Section::thin_out);
    }

    /// What is counted of a style; of all, where it is unknown.
    pub(super) fn of_style(&self, style: Option<usize>) -> &Section {
        style.and_then(|style| self.styles.get(style)).unwrap_or(self)
    }

    /// Whether a file's can be used.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut pitches = self.lowest.keys().chain(self.programs.keys());
        if pitches.any(|number| *number > 127) || self.degrees.keys().any(|degree| *degree > 11) {
            return Err("registers or programs are damaged".to_owned());
        }
        self.bars.check()?;
        if self.loops.iter().flatten().any(|row| row >> KINDS.len() != 0) {
            return Err("loops are damaged".to_owned());
        }
        if self.styles.iter().any(|style| style.steps_per_quarter != self.steps_per_quarter || !style.styles.is_empty())
        {
            return Err("what is counted of styles is damaged".to_owned());
        }
        self.styles.iter().try_for_each(Section::check)?;
        check_time(self.steps_per_quarter, &self.meter, self.tempo)
    }

    /// Its registers.
    pub(super) fn registers(&self) -> Registers<'_> {
        Registers { lowest: &self.lowest, degrees: &self.degrees }
    }

    pub(super) fn grid(&self) -> TicksPerQuarter {
        TicksPerQuarter::new(self.steps_per_quarter).unwrap_or(TicksPerQuarter::DEFAULT)
    }

    pub(super) fn meter(&self) -> Meter {
        self.meter.parse().unwrap_or(Meter::COMMON)
    }
}

/// The first two bars of drums in which drums and bass sound.
fn first_loop(piece: &Piece) -> Option<Vec<u16>> {
    let sounds = |bar: &Range<usize>| {
        piece.given[bar.clone()].iter().any(|given| given.drums != 0)
            && piece.frames[bar.clone()].iter().any(|frame| sounds(*frame))
    };
    let bars: Vec<Range<usize>> = bars(&piece.spots).collect();
    let fits = |bars: &&[Range<usize>]| bars.iter().all(|bar| bar.len() == bars[0].len() && sounds(bar));
    let bars = bars.windows(LOOP_BARS).find(fits)?;
    Some(piece.given[bars[0].start..bars[LOOP_BARS - 1].end].iter().map(|given| given.drums).collect())
}
