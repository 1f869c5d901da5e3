//! The beginning that a person gives: kept note for note, continued by a composer.

use crate::ComposeError;
use cantus_score::{Bars, Part, PedalSpan, Score, Ticks, TicksPerQuarter, Unpitched, merge_parts, quantize};

/// The first bars of a score.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What is kept, as it was.
    kept: Score,
    /// Where the continuation begins.
    end: Ticks,
    bars: usize,
    has_upbeat: bool,
}

impl Prompt {
    /// What is said of a prompt that was heard otherwise.
    pub const HEARD_NEAREST: &str = "the model does not know all that the prompt holds, and heard what is nearest to it; the prompt itself is kept as it is";

    /// The first `bars` bars of `score`, after its upbeat if it has one, or all of them where it has fewer.
    ///
    /// # Errors
    /// [`ComposeError::EmptyPrompt`] where they hold no note but drum strokes, [`ComposeError::Unpitched`] where the whole score does.
    pub fn new(score: &Score, bars: usize) -> Result<Prompt, ComposeError> {
        let has_upbeat = bars > 0 && score.upbeat().is_some();
        let kept_bars: Vec<_> = score.bars().take(bars.saturating_add(usize::from(has_upbeat))).collect();
        let end = kept_bars.last().map_or(Ticks::ZERO, |bar| bar.end());
        let kept = score.before(end);
        if Unpitched::of(&kept).is_some() {
            return Err(match Unpitched::of(score) {
                Some(unpitched) => ComposeError::Unpitched(unpitched),
                None => ComposeError::EmptyPrompt { bars, first: first_bar(score) },
            });
        }
        Ok(Prompt { kept, end, bars: kept_bars.len() - usize::from(has_upbeat), has_upbeat })
    }

    /// How many bars are kept, an upbeat not counted.
    pub fn bars(&self) -> usize {
        self.bars
    }

    /// Where the kept bars begin, the upbeat's beginning first where there is one.
    pub fn bar_starts(&self) -> impl Iterator<Item = Ticks> {
        self.kept.bars().take(self.bars + usize::from(self.has_upbeat)).map(|bar| bar.start)
    }

    /// Whether what is kept begins with an upbeat.
    pub fn has_upbeat(&self) -> bool {
        self.has_upbeat
    }

    /// The names of the parts that have notes in the kept bars and none after them, in a score that [`Prompt::join`] made. Empty where none
    /// goes on.
    pub fn stopped(&self, joined: &Score) -> Vec<String> {
        let end = self.end_in(joined);
        let played = |(part, now): &(&Part, &Part)| {
            (!part.notes.is_empty()).then(|| now.notes.last().is_some_and(|note| note.onset >= end))
        };
        let pairs: Vec<_> = self.kept.parts.iter().zip(&joined.parts).collect();
        if !pairs.iter().any(|pair| played(pair) == Some(true)) {
            return Vec::new();
        }
        let stopped = pairs.iter().enumerate().filter(|(_, pair)| played(pair) == Some(false));
        let name = |(k, (part, _)): (usize, &(&Part, &Part))| match &part.name {
            Some(name) if !name.trim().is_empty() => name.trim().to_owned(),
            _ if part.drums => "drums".to_owned(),
            _ => format!("part {}", k + 1),
        };
        stopped.map(name).collect()
    }

    /// What is kept.
    pub fn score(&self) -> &Score {
        &self.kept
    }

    /// Where the prompt ends in a score that [`Prompt::join`] made.
    pub fn end_in(&self, joined: &Score) -> Ticks {
        self.end.rescale(self.kept.ticks_per_quarter, joined.ticks_per_quarter)
    }

    /// What a composer on a grid of `steps` reads: all pitched parts as one, quantised.
    pub fn on_grid(&self, steps: TicksPerQuarter) -> Score {
        merged_on_grid(&self.kept, steps)
    }

    /// The kept bars, and after them `continuation` from its time `from` on. The continuation's parts go into the pitched parts one by
    /// one where there are as many; a single one goes into the first, and a band's each into that of its instrument.
    pub fn join(&self, continuation: &Score, from: Ticks) -> Score {
        let fine = self.kept.ticks_per_quarter.common(continuation.ticks_per_quarter);
        let mut joined = self.kept.rescaled(fine);
        let added = continuation.rescaled(fine);
        let end = self.end.rescale(self.kept.ticks_per_quarter, fine);
        let from = from.rescale(continuation.ticks_per_quarter, fine);
        let moved = |at: Ticks| end + (at - from);
        let last = joined.meters.last().map_or_else(Default::default, |(_, meter)| *meter);
        let later: Vec<_> =
            added.meters.iter().filter(|(at, _)| *at > from).map(|(at, meter)| (moved(*at), *meter)).collect();
        let first = added.meters.iter().rev().find(|(at, _)| *at <= from).map(|(_, meter)| *meter);
        // Where a change of metre cut the prompt's last bar short, the metre is said again: or that bar would go on.
        let cut = bar_end(&joined, end) != end;
        joined
            .meters
            .extend(first.or(cut.then_some(last)).filter(|meter| cut || *meter != last).map(|meter| (end, meter)));
        joined.meters.extend(later);
        let repeats = added.repeats.iter().filter(|repeat| repeat.start() >= from);
        joined.repeats.extend(repeats.map(|repeat| repeat.map(moved)));
        let symbols = added.chords.iter().filter(|(at, _)| *at >= from);
        joined.chords.extend(symbols.map(|(at, symbol)| (moved(*at), symbol.clone())));
        let moved_note = |note: &cantus_score::Note| cantus_score::Note { onset: moved(note.onset), ..*note };
        let mut pitched: Vec<_> = joined.parts.iter_mut().filter(|part| !part.drums).collect();
        let is_one_by_one = pitched.len() == added.parts.len();
        let differ = added.parts.windows(2).any(|pair| pair[0].program() != pair[1].program());
        if added.parts.iter().any(|part| part.drums) || differ && !is_one_by_one {
            // A band's go on in the part of their instrument, or come in.
            for from_part in &added.parts {
                let is_same = |part: &&mut Part| {
                    part.drums == from_part.drums && (part.drums || part.program() == from_part.program())
                };
                let notes = from_part.notes.iter().filter(|note| note.onset >= from).map(moved_note);
                match joined.parts.iter_mut().find(is_same) {
                    Some(part) => part.notes.extend(notes),
                    None => joined.parts.push(Part { notes: notes.collect(), ..from_part.clone() }),
                }
            }
            joined.parts.iter_mut().for_each(|part| part.notes.sort_unstable());
            return joined;
        }
        for (k, from_part) in added.parts.iter().enumerate() {
            if let Some(part) = pitched.get_mut(if is_one_by_one { k } else { 0 }) {
                part.notes.extend(from_part.notes.iter().filter(|note| note.onset >= from).map(moved_note));
                part.notes.sort_unstable();
                let pedal = from_part.pedal.iter().filter(|span| span.down >= from);
                part.pedal.extend(pedal.map(|span| PedalSpan { down: moved(span.down), up: moved(span.up) }));
            }
        }
        joined
    }
}

/// All pitched parts of a score as one, quantised to a grid of `steps`.
pub fn merged_on_grid(score: &Score, steps: TicksPerQuarter) -> Score {
    let mut merged = score.clone();
    merged.parts = vec![merge_parts(score.parts.iter().filter(|part| !part.drums))];
    let (mut merged, _) = quantize(&merged, steps, 0.5);
    merged.parts = vec![merge_parts(&merged.parts)];
    merged
}

/// The number of the bar of the first pitched note.
fn first_bar(score: &Score) -> usize {
    let pitched = score.parts.iter().filter(|part| !part.drums);
    let onset = pitched.filter_map(|part| part.notes.first()).map(|note| note.onset).min().unwrap_or_default();
    (score.bars().take_while(|bar| bar.start <= onset).count() + score.first_bar()).saturating_sub(1).max(1)
}

/// Where the bar ends that `at` falls into or ends with.
fn bar_end(score: &Score, at: Ticks) -> Ticks {
    Bars::new(&score.meters, score.ticks_per_quarter, at).last().map_or(at, |bar| bar.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Pitch, Velocity};

    fn score(per_quarter: u32, notes: &[(u64, u64)]) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(per_quarter).unwrap());
        let note = |&(onset, duration): &(u64, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::C4,
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: notes.iter().map(note).collect(), ..Part::default() });
        score
    }

    #[test]
    fn the_kept_bars_stay_and_the_rest_follows() {
        let prompt = Prompt::new(&score(10, &[(0, 10), (33, 20), (45, 10)]), 1).unwrap();
        assert_eq!(prompt.bars(), 1);
        let joined = prompt.join(&score(4, &[(0, 4), (16, 4), (21, 2)]), Ticks(16));
        assert_eq!(joined.ticks_per_quarter.get(), 20);
        let spans: Vec<_> = joined.notes().map(|note| (note.onset.0, note.duration.0)).collect();
        assert_eq!(spans, [(0, 20), (66, 14), (80, 20), (105, 10)]);
    }

    #[test]
    fn a_last_bar_that_was_cut_short_stays_so() {
        let mut cut = score(4, &[(0, 4), (16, 4), (40, 4)]);
        cut.meters = vec![(Ticks(0), "4/4".parse().unwrap()), (Ticks(24), "4/4".parse().unwrap())];
        let joined = Prompt::new(&cut, 2).unwrap().join(&score(4, &[(0, 4), (16, 4)]), Ticks(0));
        let spans: Vec<_> = joined.bars().map(|bar| (bar.start.0, bar.length.0)).collect();
        assert_eq!(spans, [(0, 16), (16, 8), (24, 16), (40, 16)]);
    }

    #[test]
    fn parts_that_stop_are_named() {
        let mut band = score(4, &[(0, 4)]);
        band.parts[0].name = Some("Flute".to_owned());
        band.parts.extend([
            Part { name: None, ..band.parts[0].clone() },
            Part { drums: true, name: None, ..band.parts[0].clone() },
        ]);
        band.parts.push(Part { name: Some("Silent".to_owned()), ..Part::default() });
        let prompt = Prompt::new(&band, 1).unwrap();
        let joined = prompt.join(&score(4, &[(0, 4)]), Ticks::ZERO);
        assert_eq!(prompt.stopped(&joined), ["part 2", "drums"]);
        assert!(prompt.stopped(prompt.score()).is_empty());
    }

    #[test]
    fn a_prompt_without_notes_is_refused() {
        let refused = |score: &Score, bars| Prompt::new(score, bars).unwrap_err().to_string();
        let mut late = score(10, &[(0, 10), (100, 10)]);
        let stroke = late.parts[0].notes.remove(0);
        late.parts.push(Part { notes: vec![stroke], drums: true, ..Part::default() });
        let late = refused(&late, 1);
        assert!(
            late.contains("the first 1 bar of") && late.contains("stands in bar 3; keep at least 3 bars"),
            "{late}"
        );
        let none = refused(&score(10, &[(0, 10)]), 0);
        assert!(none.contains("the first 0 bars of") && none.contains("keep at least 1 bar"), "{none}");
        // More bars do not help where the whole piece has nothing.
        let mut drums = score(10, &[(0, 10)]);
        drums.parts[0].drums = true;
        let drums = refused(&drums, 1);
        assert!(drums.contains("only drums (1 stroke)") && !drums.contains("keep"), "{drums}");
        assert!(refused(&score(10, &[]), 4).contains("the piece holds no note"));
    }
}
