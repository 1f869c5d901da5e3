//! The beginning that a composition goes on from.

use super::NoteComposer;
use cantus_encoding::note_events::{Clock, Event, encode};
use cantus_model::Request;
use cantus_score::{Bars, Meter, STEPS_PER_SECOND, Tempo, Ticks, TicksPerQuarter, performed, quantize};

/// The beginning of a piece, read.
pub(super) struct Opening {
    pub notes: Vec<Event>,
    /// Where the prompt's bars begin, its upbeat among them, and their metres.
    pub starts: Vec<(u64, Meter)>,
    /// Steps of the prompt.
    pub heard: u32,
    /// Steps to the quarter of what follows.
    pub grid: TicksPerQuarter,
    /// The metre of what follows.
    pub meter: Meter,
    pub remarks: Vec<String>,
}

impl NoteComposer {
    /// The notes of the prompt, and where the bars of the whole piece begin.
    pub(super) fn open(&self, request: &Request) -> Opening {
        let clock = self.vocabulary.clock();
        let grid = clock.ticks_per_quarter();
        let mut opening = Opening {
            notes: Vec::new(),
            starts: Vec::new(),
            heard: 0,
            grid,
            meter: Meter::COMMON,
            remarks: Vec::new(),
        };
        if let Some(prompt) = request.prompt() {
            let (kept, from) = (prompt.score(), prompt.score().ticks_per_quarter);
            let (end, tempo) = (prompt.end_in(kept), kept.tempo_map());
            let seconds = |ticks: Ticks| (tempo.seconds(ticks) * f64::from(STEPS_PER_SECOND)).round() as u64;
            let steps =
                |ticks: Ticks| if clock == Clock::Seconds { seconds(ticks) } else { ticks.rescale(from, grid).0 };
            let read = match clock {
                Clock::Seconds => performed(kept),
                Clock::Beats(_) if self.is_band() => quantize(kept, grid, 0.5).0,
                Clock::Beats(_) => prompt.on_grid(grid),
            };
            let (events, adjustments) = encode(&read, &self.vocabulary);
            if clock == Clock::Seconds {
                // What follows keeps the prompt's last tempo: so long is its quarter.
                let last = kept.tempos.last().map_or(Tempo::DEFAULT, |(_, tempo)| *tempo);
                let quarter = 60.0 * f64::from(STEPS_PER_SECOND) / last.quarters_per_minute();
                opening.grid = TicksPerQuarter::new(quarter.round().clamp(1.0, 6000.0) as u32).unwrap_or(grid);
            }
            opening.heard = steps(end).min(u64::from(u32::MAX / 4)) as u32;
            // Silent bars at its end are its own, too.
            let bars = Bars::new(&kept.meters, from, end).take(prompt.bars() + usize::from(prompt.has_upbeat()));
            opening.starts = bars.map(|bar| (steps(bar.start), bar.meter)).collect();
            opening.meter = opening.starts.last().map_or(opening.meter, |(_, meter)| *meter);
            opening.notes = events.notes.into_iter().filter(|note| note.onset < opening.heard).collect();
            let range = |note: &Event| self.usual.ranges[usize::from(note.instrument)];
            let strange = opening.notes.iter().filter(|note| {
                let (low, high, _) = range(note);
                note.pitch < low || note.pitch > high
            });
            let strange = strange.count();
            let mut said = Vec::new();
            if !adjustments.is_empty() {
                said.push(format!("it heard {adjustments}"));
            }
            if strange > 0 {
                said.push(format!("it has never heard the pitches of {strange} notes"));
            }
            if !said.is_empty() {
                let said = said.join(", and ");
                opening.remarks.push(format!(
                    "the model does not know all that the prompt holds: {said}; the prompt itself is kept as it is"
                ));
            }
        }
        opening
    }
}
