//! What is counted of music, and how far that is from what it should be.

/// The widest interval of a pair of notes, in semitones.
const WIDEST: usize = 12;
/// Intervals of a pair: from an octave down to one up.
const INTERVALS: usize = 2 * WIDEST + 1;
/// Keys.
pub(super) const KEYS: usize = 128;

/// Numbers that are counted, each with what it should be.
#[derive(Clone, Debug)]
struct Table {
    counts: Vec<i32>,
    wanted: Vec<f64>,
}

impl Table {
    /// Adds to a count, of which `scale` makes a mean: by how much the sum of squares changes.
    fn add(&mut self, at: usize, by: i32, scale: f64) -> f64 {
        let before = f64::from(self.counts[at]) * scale - self.wanted[at];
        self.counts[at] += by;
        let after = f64::from(self.counts[at]) * scale - self.wanted[at];
        after * after - before * before
    }
}

/// How often, in the mean over steps, a key sounds so many steps after another and so many semitones above it.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    /// The keys of each step, a bit each.
    steps: Vec<u128>,
    lags: usize,
    /// `[lags + 1, INTERVALS]`
    table: Table,
}

impl Pairs {
    /// Silence of so many steps, with pairs up to so many steps apart.
    pub fn silence(steps: usize, lags: usize) -> Pairs {
        let size = (lags + 1) * INTERVALS;
        Pairs { steps: vec![0; steps], lags, table: Table { counts: vec![0; size], wanted: vec![0.0; size] } }
    }

    /// Silence that should become as other music is: what its counts are in the mean.
    pub fn like(means: Vec<f64>, steps: usize, lags: usize) -> Pairs {
        let mut pairs = Pairs::silence(steps, lags);
        pairs.table.wanted = means;
        pairs
    }

    /// A lag's count becomes a mean by this.
    fn scale(&self, lag: usize) -> f64 {
        1.0 / self.steps.len().saturating_sub(lag).max(1) as f64
    }

    /// The counts, and by lag in how many steps they were made.
    pub fn counted(&self) -> (&[i32], Vec<usize>) {
        let of = |lag: usize| self.steps.len().saturating_sub(lag);
        (&self.table.counts, (0..self.table.counts.len()).map(|at| of(at / INTERVALS)).collect())
    }

    /// The sum of squares of what means differ by.
    pub fn error(&self) -> f64 {
        let of = |at: usize| f64::from(self.table.counts[at]) * self.scale(at / INTERVALS) - self.table.wanted[at];
        (0..self.table.counts.len()).map(|at| of(at).powi(2)).sum()
    }

    /// Whether a key sounds at a step.
    pub fn has(&self, step: usize, key: u8) -> bool {
        self.steps[step] >> key & 1 == 1
    }

    /// A key begins to sound at a step, or falls silent: by how much the error changes.
    pub fn set(&mut self, step: usize, key: u8, sounds: bool) -> f64 {
        debug_assert_ne!(self.has(step, key), sounds, "a key sounds once");
        let by = if sounds { 1 } else { -1 };
        self.steps[step] &= !(1 << key);
        let mut change = self.table.add(WIDEST, by, self.scale(0));
        for lag in 0..=self.lags {
            let scale = self.scale(lag);
            let ahead = self.steps.get(step + lag).copied().unwrap_or_default();
            for interval in near(ahead, key) {
                change += self.table.add(lag * INTERVALS + interval, by, scale);
            }
            let behind = step.checked_sub(lag).map_or(0, |step| self.steps[step]);
            for interval in near(behind, key) {
                change += self.table.add(lag * INTERVALS + INTERVALS - 1 - interval, by, scale);
            }
        }
        if sounds {
            self.steps[step] |= 1 << key;
        }
        change
    }
}

/// The intervals from a key to those of a step that lie no further than [`WIDEST`], counted from the lowest.
fn near(keys: u128, key: u8) -> impl Iterator<Item = usize> {
    let key = usize::from(key);
    // The lowest bit is the interval of an octave down.
    let moved = if key >= WIDEST { keys >> (key - WIDEST) } else { keys << (WIDEST - key) };
    let mut left = (moved & ((1 << INTERVALS) - 1)) as u32;
    std::iter::from_fn(move || {
        let next = (left != 0).then(|| left.trailing_zeros() as usize);
        left &= left.wrapping_sub(1);
        next
    })
}

/// How often, in the mean over bars, each key sounds at each place of the bar, and how often it is struck there.
#[derive(Clone, Debug)]
pub(super) struct Places {
    to_a_bar: usize,
    bars: f64,
    /// `[to_a_bar, KEYS, 2]`
    table: Table,
}

impl Places {
    pub fn silence(to_a_bar: usize, bars: usize) -> Places {
        let size = to_a_bar * KEYS * 2;
        let table = Table { counts: vec![0; size], wanted: vec![0.0; size] };
        Places { to_a_bar, bars: bars.max(1) as f64, table }
    }

    /// Silence that should become as other bars are.
    pub fn like(other: &Places, bars: usize) -> Places {
        let mut places = Places::silence(other.to_a_bar, bars);
        places.table.wanted = other.table.counts.iter().map(|count| f64::from(*count) / other.bars).collect();
        places
    }

    fn add(&mut self, step: usize, key: u8, struck: bool, by: i32) -> f64 {
        let at = (step % self.to_a_bar * KEYS + usize::from(key)) * 2 + usize::from(struck);
        self.table.add(at, by, 1.0 / self.bars)
    }

    /// A key sounds at a step (or does no longer): by how much the error changes.
    pub fn sound(&mut self, step: usize, key: u8, by: i32) -> f64 {
        self.add(step, key, false, by)
    }

    /// A key is struck at a step.
    pub fn strike(&mut self, step: usize, key: u8, by: i32) -> f64 {
        self.add(step, key, true, by)
    }
}

/// How many notes of each length a bar has, in the mean.
#[derive(Clone, Debug)]
pub(super) struct Lengths {
    bars: f64,
    /// `[LONGEST]`
    table: Table,
}

/// Longer notes are all alike.
const LONGEST: usize = 64;

impl Lengths {
    pub fn silence(bars: usize) -> Lengths {
        Lengths { bars: bars.max(1) as f64, table: Table { counts: vec![0; LONGEST], wanted: vec![0.0; LONGEST] } }
    }

    /// Silence that should become as other bars are.
    pub fn like(other: &Lengths, bars: usize) -> Lengths {
        let mut lengths = Lengths::silence(bars);
        lengths.table.wanted = other.table.counts.iter().map(|count| f64::from(*count) / other.bars).collect();
        lengths
    }

    /// There is a note of such a length (or there is no longer): by how much the error changes.
    pub fn last(&mut self, length: u32, by: i32) -> f64 {
        self.table.add((length as usize).clamp(1, LONGEST) - 1, by, 1.0 / self.bars)
    }
}
