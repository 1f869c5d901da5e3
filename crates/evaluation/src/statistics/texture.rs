//! Texture: how much sounds at once, and where nothing does.

use cantus_score::{Note, Ticks};

/// How many steps have how many pitches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texture {
    /// Pitches summed over steps: the black cells of the piano roll.
    pub cells: u64,
    /// Steps at which something sounds.
    pub sounding: u64,
    /// Steps at which more than [`Texture::THRESHOLD`] pitches sound.
    pub thick: u64,
}

impl Texture {
    /// MusPy's and MuseGAN's threshold of polyphony: *more than* so many pitches.
    pub const THRESHOLD: usize = 2;

    /// The texture of a piano roll: a pitch that two parts hold at once counts once.
    pub fn of(notes: &[Note]) -> Texture {
        // Per pitch the union of its notes, then a sweep over where they begin and end.
        let mut spans: Vec<(u8, Ticks, Ticks)> =
            notes.iter().map(|note| (note.pitch.get(), note.onset, note.end())).collect();
        spans.sort_unstable();
        let mut edges: Vec<(Ticks, bool)> = Vec::with_capacity(2 * spans.len());
        for pitch in spans.chunk_by(|a, b| a.0 == b.0) {
            let mut until = Ticks::ZERO;
            for &(_, from, to) in pitch {
                let from = from.max(until);
                if to > from {
                    edges.extend([(from, true), (to, false)]);
                    until = to;
                }
            }
        }
        // Ends before beginnings: where one note follows another there is no moment with both.
        edges.sort_unstable();
        let mut texture = Texture::default();
        let (mut now, mut pitches) = (Ticks::ZERO, 0usize);
        for (at, begins) in edges {
            let steps = (at - now).0;
            texture.cells += steps * pitches as u64;
            texture.sounding += if pitches > 0 { steps } else { 0 };
            texture.thick += if pitches > Texture::THRESHOLD { steps } else { 0 };
            now = at;
            pitches = if begins { pitches + 1 } else { pitches.saturating_sub(1) };
        }
        texture
    }
}

/// Share of spans in which nothing sounds. A note sounds from its onset until before its end; one of no length sounds at its onset.
/// `None` without a span. `notes` sorted by onset, `spans` in order and without gaps.
pub(crate) fn empty_rate(spans: impl Iterator<Item = (Ticks, Ticks)>, notes: &[Note]) -> Option<f64> {
    let (mut next, mut until) = (0, Ticks::ZERO);
    let (mut all, mut empty) = (0usize, 0usize);
    for (start, end) in spans {
        let held = until > start;
        let before = next;
        while let Some(note) = notes.get(next).filter(|note| note.onset < end) {
            until = until.max(note.end());
            next += 1;
        }
        all += 1;
        empty += usize::from(!held && next == before);
    }
    (all > 0).then(|| empty as f64 / all as f64)
}
