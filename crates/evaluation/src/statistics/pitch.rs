//! Pitches: which, how many, how evenly.

use cantus_score::{Bar, Key, Mode, Note, Ticks};

/// Semitones above the tonic, and the natural minor scale of MusPy.
const MAJOR: [usize; 7] = [0, 2, 4, 5, 7, 9, 11];
const MINOR: [usize; 7] = [0, 2, 3, 5, 7, 8, 10];

/// How often each pitch occurs.
pub(crate) fn pitches(notes: &[Note]) -> [usize; 128] {
    let mut counts = [0; 128];
    notes.iter().for_each(|note| counts[usize::from(note.pitch.get())] += 1);
    counts
}

/// How often each pitch class occurs.
pub(crate) fn pitch_classes(notes: &[Note]) -> [usize; 12] {
    let mut counts = [0; 12];
    notes.iter().for_each(|note| counts[usize::from(note.pitch.class())] += 1);
    counts
}

/// `-sum p log2 p` over the shares p of `counts`, in bits; `None` where nothing was counted.
pub(crate) fn entropy(counts: &[usize]) -> Option<f64> {
    let sum: usize = counts.iter().sum();
    let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / sum as f64);
    // `0.0 -` and not a sign: a single class has entropy 0, not -0.
    (sum > 0).then(|| 0.0 - shares.map(|share| share * share.log2()).sum::<f64>())
}

/// `-sum p(k) log2 p(k)` over the pitches k of the notes, in bits (MusPy `pitch_entropy`): 0 for one note over and over.
///
/// `None` without a note. Drums are for the caller to leave out.
pub fn pitch_entropy(notes: &[Note]) -> Option<f64> {
    entropy(&pitches(notes))
}

/// Share of notes whose pitch class lies in the major or natural minor scale on `tonic` (0 = C); `None` without a note (MusPy
/// `pitch_in_scale_rate`).
pub fn pitch_in_scale_rate(notes: &[Note], tonic: u8, mode: Mode) -> Option<f64> {
    in_scale(&pitch_classes(notes), usize::from(tonic), mode)
}

fn in_scale(classes: &[usize; 12], tonic: usize, mode: Mode) -> Option<f64> {
    let scale = match mode {
        Mode::Major => MAJOR,
        Mode::Minor => MINOR,
    };
    let sum: usize = classes.iter().sum();
    let inside: usize = scale.iter().map(|step| classes[(tonic + step) % 12]).sum();
    (sum > 0).then(|| inside as f64 / sum as f64)
}

/// [`pitch_in_scale_rate`] in the scale of a key signature.
pub(crate) fn in_key(classes: &[usize; 12], key: Key) -> Option<f64> {
    let major = (7 * i32::from(key.fifths())).rem_euclid(12) as usize;
    match key.mode() {
        Mode::Major => in_scale(classes, major, Mode::Major),
        Mode::Minor => in_scale(classes, (major + 9) % 12, Mode::Minor),
    }
}

/// The best of the 24 scales. A natural minor scale has the notes of its relative major: twelve are enough.
pub(crate) fn scale_consistency(classes: &[usize; 12]) -> Option<f64> {
    (0..12).filter_map(|tonic| in_scale(classes, tonic, Mode::Major)).max_by(f64::total_cmp)
}

/// The mean entropy of the pitch classes of all stretches of `window` bars, hopping bar by bar; of the whole piece where it has
/// fewer bars. Stretches without an onset are left out. `notes` sorted by onset.
pub(crate) fn windowed_entropy(bars: &[Bar], notes: &[Note], window: usize) -> Option<f64> {
    let window = window.min(bars.len()).max(1);
    let at = |ticks: Ticks| notes.partition_point(|note| note.onset < ticks);
    let entropies = bars.windows(window).filter_map(|span| {
        let inside = &notes[at(span[0].start)..at(span[window - 1].end())];
        entropy(&pitch_classes(inside))
    });
    super::mean(entropies)
}

/// Shares of the transitions from one pitch class to another: row-major, `[from * 12 + to]`; empty where there is none.
///
/// A note leads to every note that begins when it ends, give or take a tenth of a quarter: pretty_midi's 50 ms at 120 quarters a
/// minute, and exactly on a grid of up to 9 steps a quarter. `notes` sorted by onset.
pub(crate) fn transitions(notes: &[Note], tenth: Ticks) -> Vec<f64> {
    let mut counts = vec![0usize; 144];
    for from in notes {
        let first = notes.partition_point(|note| note.onset < from.end() - tenth);
        let next = notes[first..].iter().take_while(|note| note.onset <= from.end() + tenth);
        for to in next.filter(|to| !std::ptr::eq(*to, from)) {
            counts[12 * usize::from(from.pitch.class()) + usize::from(to.pitch.class())] += 1;
        }
    }
    super::shares(&counts)
}

/// The mean distance in semitones from one note of the melody to the next, the melody being the highest note at each onset.
pub(crate) fn mean_interval(notes: &[Note]) -> Option<f64> {
    let tops = notes.chunk_by(|a, b| a.onset == b.onset).filter_map(|chord| chord.last());
    let tops: Vec<f64> = tops.map(|note| f64::from(note.pitch.get())).collect();
    super::mean(tops.windows(2).map(|pair| (pair[1] - pair[0]).abs()))
}
