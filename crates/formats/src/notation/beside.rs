//! What stands beside the notes on paper: chord symbols, names of places, words, slurs, pedals, changes of instrument.

use super::signs::{Signs, Voices};
use super::{Sheet, SheetBar, SheetPart, grid};
use cantus_score::{Lyric, Note, Part, PedalSpan, Pitch, Program, Score, Slur, Ticks, TicksPerQuarter};
use std::collections::HashMap;

/// What stands beside the notes of a [`Sheet`], with its times in [`QUARTER`](super::QUARTER)ths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// On 32nd notes, before the end of the last note.
    pub chords: Vec<(Ticks, String)>,
    pub markers: Vec<(Ticks, String)>,
    /// For each written part.
    pub parts: Vec<PartBeside>,
}

/// What stands beside the notes of one part.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartBeside {
    /// On 32nd notes, before the end of the last bar.
    pub pedal: Vec<PedalSpan>,
    /// At onsets of notes, one for each verse.
    pub lyrics: Vec<Lyric>,
    /// The first at the beginning, others at onsets of notes.
    pub programs: Vec<(Ticks, Program)>,
    /// From note to note.
    pub slurs: Vec<Slur>,
    /// At onsets of notes, or where rests of the first voice begin.
    pub fermatas: Vec<Ticks>,
}

impl Beside {
    /// `text` is what remains of a text on paper.
    pub fn of(score: &Score, sheet: &Sheet, text: impl Fn(&str) -> Option<String>) -> Beside {
        let per_quarter = score.ticks_per_quarter;
        let end = sheet.notes.iter().flatten().map(Note::end).max().unwrap_or_default();
        let texts = |texts: &[(Ticks, String)]| -> Vec<(Ticks, String)> {
            let near = |(at, found): &(Ticks, String)| Some((nearest(*at, per_quarter), text(found)?));
            let mut kept: Vec<_> = texts.iter().filter_map(near).filter(|(at, _)| *at < end).collect();
            kept.sort_by_key(|(at, _)| *at);
            // The last of one place.
            kept.reverse();
            kept.dedup_by_key(|(at, _)| *at);
            kept.reverse();
            kept
        };
        let last = Ticks(sheet.bars.last().map_or(0, |bar| bar.end()));
        let of_part = |(written, notes): (&super::SheetPart, &Vec<Note>)| {
            let part = &score.parts[written.index];
            let onsets = Onsets::of(&part.notes, notes, per_quarter);
            let (slurs, fermatas) = slurs_and_fermatas(part, written, notes, &sheet.bars, per_quarter);
            let Signs { slurs, fermatas, .. } = Signs::of(written, &sheet.bars, &slurs, &fermatas);
            PartBeside {
                pedal: pedal(part, per_quarter, last),
                lyrics: lyrics(part, &onsets, &text),
                programs: programs(part, &onsets),
                slurs,
                fermatas,
            }
        };
        Beside {
            chords: texts(&score.chords),
            markers: texts(&score.markers),
            parts: sheet.parts.iter().zip(&sheet.notes).map(of_part).collect(),
        }
    }

    /// Whether in every time through what is folded the same stands beside the notes.
    pub fn folds_well(&self, sheet: &Sheet) -> bool {
        let folding = &sheet.folding;
        let texts = |texts: &[(Ticks, String)]| folding.agrees(texts.iter().map(|(at, text)| (at.0, text)));
        // A pedal that is changed where playing goes on elsewhere is no change on paper.
        let is_changed = |spans: &[PedalSpan]| {
            spans.windows(2).any(|pair| pair[0].up == pair[1].down && folding.breaks_before(pair[1].down.0))
        };
        folding.is_plain()
            || texts(&self.chords)
                && texts(&self.markers)
                && self.parts.iter().all(|part| {
                    let pedal = part.pedal.iter().map(|span| (span.down.0, span.up.0 - 1, ()));
                    part.programs.len() < 2
                        && folding.agrees(
                            part.lyrics.iter().map(|lyric| (lyric.at.0, (lyric.verse, &lyric.text, lyric.goes_on))),
                        )
                        && folding.agrees(part.fermatas.iter().map(|at| (at.0, ())))
                        && folding.agrees_in_spans(slur_spans(&part.slurs))
                        && folding.agrees_in_spans(pedal)
                        && !is_changed(&part.pedal)
                })
    }

    /// The times that lie on no note.
    pub fn times(&self) -> impl Iterator<Item = u64> {
        let texts = self.chords.iter().chain(&self.markers).map(|(at, _)| at.0);
        texts.chain(self.parts.iter().flat_map(|part| &part.pedal).flat_map(|span| [span.down.0, span.up.0]))
    }
}

/// Slurs as spans of time, with the pitches of their ends.
pub(crate) fn slur_spans(slurs: &[Slur]) -> impl Iterator<Item = (u64, u64, (Pitch, Pitch))> {
    slurs.iter().map(|Slur { from, to }| (from.0.0, to.0.0, (from.1, to.1)))
}

/// The nearest 32nd note.
fn nearest(at: Ticks, per_quarter: TicksPerQuarter) -> Ticks {
    Ticks(grid::nearest(at, per_quarter, 8))
}

/// Where the notes of a part begin, and where they do on paper: both in order, which writing down does not change.
struct Onsets {
    source: Vec<Ticks>,
    written: Vec<Ticks>,
    quarter: u64,
}

impl Onsets {
    fn of(source: &[Note], notes: &[Note], per_quarter: TicksPerQuarter) -> Onsets {
        let sorted = |notes: &[Note]| {
            let mut onsets: Vec<Ticks> = notes.iter().map(|note| note.onset).collect();
            onsets.sort_unstable();
            onsets
        };
        let (source, written) = (sorted(source), sorted(notes));
        Onsets { source, written, quarter: u64::from(per_quarter.get()) }
    }

    /// Where the first note is written that begins at `at` or later.
    fn from(&self, at: Ticks) -> Option<Ticks> {
        self.written.get(self.source.partition_point(|onset| *onset < at)).copied()
    }

    /// Where the note is written that begins nearest to `at`; `None` where it is more than an eighth away.
    fn near(&self, at: Ticks) -> Option<Ticks> {
        let after = self.source.partition_point(|onset| *onset < at);
        let around = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let near = around.filter_map(|k| Some((self.source.get(k)?.0.abs_diff(at.0), self.written.get(k)?)));
        near.min().filter(|(distance, _)| distance * 2 <= self.quarter).map(|(_, onset)| *onset)
    }
}

fn pedal(part: &Part, per_quarter: TicksPerQuarter, end: Ticks) -> Vec<PedalSpan> {
    let near = |at: Ticks| nearest(at, per_quarter).min(end);
    let mut found: Vec<PedalSpan> =
        part.pedal.iter().map(|span| PedalSpan { down: near(span.down), up: near(span.up) }).collect();
    found.retain(|span| span.down < span.up);
    found.sort_unstable();
    let mut spans: Vec<PedalSpan> = Vec::with_capacity(found.len());
    for span in found {
        match spans.last_mut() {
            Some(last) if span.down < last.up => last.up = last.up.max(span.up),
            _ => spans.push(span),
        }
    }
    spans
}

fn lyrics(part: &Part, onsets: &Onsets, text: impl Fn(&str) -> Option<String>) -> Vec<Lyric> {
    let place = |lyric: &Lyric| {
        let at = onsets.near(lyric.at)?;
        Some(Lyric { at, verse: lyric.verse.max(1), text: text(&lyric.text)?, goes_on: lyric.goes_on })
    };
    let mut placed: Vec<Lyric> = part.lyrics.iter().filter_map(place).collect();
    placed.sort_by_key(|lyric| (lyric.at, lyric.verse));
    let mut lyrics: Vec<Lyric> = Vec::with_capacity(placed.len());
    for lyric in placed {
        match lyrics.last_mut().filter(|last| (last.at, last.verse) == (lyric.at, lyric.verse)) {
            // Two syllables on one note.
            Some(last) => {
                last.text = format!("{} {}", last.text, lyric.text);
                last.goes_on = lyric.goes_on;
            }
            None => lyrics.push(lyric),
        }
    }
    lyrics
}

/// The slurs and fermatas of a part that is written.
pub(crate) fn slurs_and_fermatas(
    part: &Part,
    written: &SheetPart,
    notes: &[Note],
    bars: &[SheetBar],
    per_quarter: TicksPerQuarter,
) -> (Vec<Slur>, Vec<Ticks>) {
    (slurs(part, notes, per_quarter), fermatas(part, written, notes, bars, per_quarter))
}

/// The slurs of a part, from written note to written note.
fn slurs(part: &Part, notes: &[Note], per_quarter: TicksPerQuarter) -> Vec<Slur> {
    let mut of_pitch: HashMap<Pitch, Onsets> = HashMap::new();
    let mut near = |(at, pitch): (Ticks, Pitch)| {
        let onsets = of_pitch.entry(pitch).or_insert_with(|| {
            let of = |notes: &[Note]| notes.iter().filter(|note| note.pitch == pitch).copied().collect::<Vec<_>>();
            Onsets::of(&of(&part.notes), &of(notes), per_quarter)
        });
        Some((onsets.near(at)?, pitch))
    };
    let mut slurs: Vec<Slur> =
        part.slurs.iter().filter_map(|slur| Some(Slur { from: near(slur.from)?, to: near(slur.to)? })).collect();
    slurs.retain(|slur| slur.from.0 < slur.to.0);
    slurs.sort_unstable();
    slurs.dedup();
    slurs
}

/// The fermatas of a part: over the note that begins there, over the rest that does, over the note that begins nearest, over the rest
/// that lasts there, or else over the last note before.
fn fermatas(
    part: &Part,
    written: &SheetPart,
    notes: &[Note],
    bars: &[SheetBar],
    per_quarter: TicksPerQuarter,
) -> Vec<Ticks> {
    if part.fermatas.is_empty() {
        return Vec::new();
    }
    let (onsets, voices) = (Onsets::of(&part.notes, notes, per_quarter), Voices::of(written, bars));
    let place = |at: &Ticks| {
        if onsets.source.binary_search(at).is_ok() {
            return onsets.near(*at);
        }
        let fine = grid::fine(*at, per_quarter);
        let rest = voices.rest(fine).map(|(at, _)| Ticks(at));
        let last = || onsets.written[..onsets.written.partition_point(|onset| onset.0 <= fine)].last().copied();
        rest.filter(|rest| rest.0 == fine).or_else(|| onsets.near(*at)).or(rest).or_else(last)
    };
    let mut placed: Vec<Ticks> = part.fermatas.iter().filter_map(place).collect();
    placed.sort_unstable();
    placed.dedup();
    placed
}

/// The programs of a part that a note has: the first from the beginning, the others from the first note on that has them.
pub(crate) fn heard_programs(part: &Part, per_quarter: TicksPerQuarter) -> Vec<(Ticks, Program)> {
    programs(part, &Onsets::of(&part.notes, &part.notes, per_quarter))
}

fn programs(part: &Part, onsets: &Onsets) -> Vec<(Ticks, Program)> {
    let mut sorted = part.programs.clone();
    sorted.sort_by_key(|(at, _)| *at);
    let mut programs: Vec<(Ticks, Program)> = Vec::new();
    for (k, (at, program)) in sorted.iter().enumerate() {
        // What it begins with holds from the beginning; drums have one kit.
        let Some(at) = (if k == 0 { Some(Ticks::ZERO) } else { onsets.from(*at) }) else { break };
        let is_first = onsets.written.first() == Some(&at);
        let at = if is_first { Ticks::ZERO } else { at };
        match programs.last_mut() {
            Some((known, last)) if *known == at => *last = *program,
            _ if k > 0 && part.drums => break,
            _ => programs.push((at, *program)),
        }
    }
    programs.dedup_by_key(|(_, program)| *program);
    programs
}

/// Whether an instrument changes while notes of the one before sound.
pub(crate) fn changes_under_notes(programs: &[(Ticks, Program)], notes: &[Note]) -> bool {
    let Some(((_, _), changes)) = programs.split_first() else { return false };
    let mut end = Ticks::ZERO;
    let mut changes = changes.iter().map(|(at, _)| *at).peekable();
    for note in notes {
        while let Some(at) = changes.next_if(|at| *at <= note.onset) {
            if end > at {
                return true;
            }
        }
        end = end.max(note.end());
    }
    false
}
