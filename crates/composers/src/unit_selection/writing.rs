//! Composing: a beam over the units of the library, and under each bar where it is from.

use super::layout::{Chunk, Filling, layout};
use super::library::Unit;
use super::model::{Candidate, Model, State};
use super::player::Player;
use cantus_encoding::melody_steps::{HOLD, MelodySteps, SILENCE, steps_of};
use cantus_encoding::note_chord::BarKind;
use cantus_model::melodies::Beginning;
use cantus_model::{ComposeError, Composition, Intent, Progress, Request, Rng, Sampling};
use cantus_nn::inference::Scratch;
use cantus_nn::random::{below, uniform_f64};
use cantus_score::{Lyric, Score, Ticks};
use std::collections::HashMap;

/// Drafts that go on side by side.
const BEAM: usize = 8;
/// A unit is chosen so often at most, unless the library is too small for the piece.
const MOST_USES: usize = 2;
/// Units of one tune as they follow one another there, at most, where there is another choice: or one tune would be told from end to end.
const MOST_QUOTED: usize = 2;
/// Units so much alike are nearly the same.
const TWINS: f32 = 0.93;

/// An upbeat: the tune that it is of, and its steps.
type Upbeat = (usize, Vec<u8>);

/// What a chunk is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// What was given there.
    Given(usize),
    /// A unit of the library, from its bar `offset` on.
    Unit { id: u32, offset: usize },
}

/// A piece that is being written.
#[derive(Clone, Debug)]
struct Draft {
    choices: Vec<Choice>,
    /// The units that were chosen anew.
    used: Vec<u32>,
    state: State,
    /// The logarithm of how well it fits, chance included.
    score: f64,
}

/// All that a piece is written by.
struct Desk<'a> {
    model: &'a Model,
    /// All bars of the piece, an upbeat among them, and what is given of their steps.
    bars: Vec<BarKind>,
    given: &'a [u8],
    chunks: Vec<Chunk>,
    sampling: Sampling,
}

impl Player {
    /// A piece.
    ///
    /// # Errors
    /// [`ComposeError`].
    pub(super) fn write(
        &self,
        opening: &Beginning,
        request: &Request,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let model = &self.model;
        let intent = Intent::of(model.habits.as_ref(), request, rng)?;
        let (bars, upbeat) = opening.bars(&intent, request, model.grid);
        let given: &[u8] = opening.heard.as_ref().map_or(&[], |(heard, _)| &heard.steps);
        let known = opening.heard.as_ref().map_or(usize::from(upbeat), |(heard, _)| heard.bars.len());
        let form = request.controls.form.as_ref();
        let chunks = layout(bars.len(), (usize::from(upbeat), known), model.settings.bars, form)?;
        let mut desk = Desk { model, bars, given, chunks, sampling: request.sampling };
        desk.see_to_the_end();
        let (start, first) = desk.open(upbeat && given.is_empty(), rng)?;
        let draft = desk.beam(first, rng, progress)?;
        let (steps, sources) = desk.assemble(&draft, start);
        let melody = MelodySteps { grid: model.grid, bars: desk.bars, upbeat, steps };
        let mut composition = opening.finish(&melody, &intent, request, &model.melodies);
        tell(&mut composition.score, &sources);
        composition.remarks.extend(often(&draft.used));
        Ok(composition)
    }
}

/// How often each unit was chosen.
fn counts(used: &[u32]) -> HashMap<u32, usize> {
    let mut counts = HashMap::new();
    used.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
    counts
}

/// Says that units come more often than they should.
fn often(used: &[u32]) -> Option<String> {
    let most = counts(used).into_values().max().filter(|most| *most > MOST_USES)?;
    Some(format!("the model's music has too few bars for a piece so long: some come {most} times"))
}

/// Writes under the first note of each bar where the bar is from.
fn tell(score: &mut Score, sources: &[Option<String>]) {
    let bars: Vec<(Ticks, Ticks)> = score.bars().map(|bar| (bar.start, bar.end())).collect();
    let Some(part) = score.parts.iter_mut().find(|part| !part.drums) else { return };
    for ((start, end), source) in bars.into_iter().zip(sources) {
        let first = part.notes.iter().map(|note| note.onset).find(|onset| (start..end).contains(onset));
        if let (Some(at), Some(source)) = (first, source) {
            part.lyrics.push(Lyric { at, verse: 1, text: source.clone(), goes_on: false });
        }
    }
    part.lyrics.sort_unstable();
}

/// The steps of a bar in a bar of another length: cut, or what sounds goes on. Where nothing would begin, it begins with the bar's first note.
fn fitted(bar: &[u8], to: usize) -> Vec<u8> {
    let is_note = |outcome: &u8| *outcome > SILENCE;
    let from = match bar.iter().position(is_note) {
        Some(first) if first >= to => first,
        _ => 0,
    };
    bar[from..].iter().copied().chain(std::iter::repeat(HOLD)).take(to).collect()
}

impl Desk<'_> {
    fn kinds(&self, chunk: usize) -> &[BarKind] {
        &self.bars[self.chunks[chunk].bars.clone()]
    }

    /// The last bar of a piece has a note that begins: chunks that could not have one are divided or filled anew.
    fn see_to_the_end(&mut self) {
        loop {
            let Some(last) = self.chunks.len().checked_sub(1) else { return };
            if let Filling::Again(of) = self.chunks[last].filling {
                let is_fine = match self.chunks[of].filling {
                    Filling::Given => {
                        let steps = self.content(last, Choice::Given(of));
                        let bar = steps.len() - usize::from(self.kinds(last).last().map_or(0, |bar| bar.steps));
                        steps[bar..].iter().any(|outcome| *outcome > SILENCE)
                    }
                    _ => self.chunks[of].bars.len() == self.chunks[last].bars.len(),
                };
                let is_alike = self.kinds(of).starts_with(self.kinds(last));
                if is_fine && is_alike {
                    self.chunks[of].ends |= self.chunks[of].filling == Filling::New;
                } else {
                    self.chunks[last].filling = Filling::New;
                }
            }
            let is_open = |chunk: &Chunk| chunk.ends && chunk.filling == Filling::New;
            let ending = self.chunks.iter().position(|chunk| is_open(chunk) && self.candidates(chunk).is_empty());
            match ending {
                Some(at) if self.chunks[at].bars.len() > 1 && at == last => {
                    let chunk = self.chunks[at].clone();
                    let middle = chunk.bars.end - 1;
                    self.chunks[at] = Chunk { bars: chunk.bars.start..middle, ends: false, ..chunk.clone() };
                    self.chunks.push(Chunk { bars: middle..chunk.bars.end, ..chunk });
                }
                Some(at) if at != last => {
                    self.chunks[at].ends = false;
                    self.chunks[last].filling = Filling::New;
                }
                _ => return,
            }
        }
    }

    /// Units that may stand in a chunk, each from a bar on: those of the same bars, or, where there are none, all.
    fn candidates(&self, chunk: &Chunk) -> Vec<Candidate> {
        let (library, length) = (&self.model.library, chunk.bars.len());
        let kinds = &self.bars[chunk.bars.clone()];
        let offsets = |any: bool| 0..=if any { self.model.settings.bars - length } else { 0 };
        let ends = |id: u32, offset: usize| !chunk.ends || library.units[id as usize].begins_in(offset + length - 1);
        for is_any in [false, true] {
            let alike = library.of_shape.iter().flat_map(|(bars, ids)| {
                let fits = offsets(is_any).filter(|offset| bars[*offset..].starts_with(kinds)).collect::<Vec<usize>>();
                ids.iter().flat_map(move |id| fits.clone().into_iter().map(move |offset| (*id, offset)))
            });
            let found: Vec<Candidate> = alike.filter(|(id, offset)| ends(*id, *offset)).collect();
            if !found.is_empty() {
                return found;
            }
        }
        let all = (0..library.units.len() as u32).flat_map(|id| offsets(true).map(move |offset| (id, offset)));
        all.filter(|(id, offset)| ends(*id, *offset)).collect()
    }

    /// The steps that a choice is in a chunk.
    fn content(&self, chunk: usize, choice: Choice) -> Vec<u8> {
        let kinds = self.kinds(chunk);
        match choice {
            Choice::Given(of) => {
                let start = self.chunks[of].bars.start;
                let bar = |(k, kind): (usize, &BarKind)| {
                    let steps = steps_of(&self.bars, &(start + k..start + k + 1));
                    fitted(&self.given[steps], usize::from(kind.steps))
                };
                kinds.iter().enumerate().flat_map(bar).collect()
            }
            Choice::Unit { id, offset } => {
                let unit = &self.model.library.units[id as usize];
                let bar = |(k, kind): (usize, &BarKind)| {
                    let steps = steps_of(&unit.bars, &(offset + k..offset + k + 1));
                    fitted(&unit.steps[steps], usize::from(kind.steps))
                };
                kinds.iter().enumerate().flat_map(bar).collect()
            }
        }
    }

    /// A draft goes on by a choice for its next chunk.
    fn take(&self, draft: &mut Draft, choice: Choice, scratch: &mut Scratch) {
        let (model, chunk, all) = (self.model, draft.choices.len(), self.chunks.len());
        let length = self.chunks[chunk].bars.len();
        match choice {
            Choice::Unit { id, offset: 0 } if length == model.settings.bars => {
                let unit = &model.library.units[id as usize];
                model.go_on(&mut draft.state, unit, model.point(id), all, scratch);
            }
            _ => {
                let unit = Unit::new(self.kinds(chunk), &self.content(chunk, choice), false, model.grid);
                model.go_on(&mut draft.state, &unit, &model.point_of(&unit), all, scratch);
            }
        }
        draft.choices.push(choice);
        if let (Choice::Unit { id, .. }, Filling::New) = (choice, self.chunks[chunk].filling) {
            draft.used.push(id);
        }
    }

    /// How a piece begins: the upbeat, with where it is from, and the draft after its first chunk. A piece that begins with nothing begins as one of the corpus.
    fn open(&self, has_upbeat: bool, rng: &mut Rng) -> Result<(Option<Upbeat>, Draft), ComposeError> {
        let library = &self.model.library;
        let mut draft = Draft { choices: Vec::new(), used: Vec::new(), state: self.model.start(), score: 0.0 };
        let Some(first) = self.chunks.first().filter(|chunk| chunk.filling == Filling::New) else {
            return Ok((None, draft));
        };
        let candidates = self.candidates(first);
        let pickup = has_upbeat.then(|| self.bars[0]);
        let tunes = library.tunes.iter().zip(&library.of_tunes).enumerate();
        let openings: Vec<(usize, u32)> = tunes
            .filter_map(|(number, (tune, units))| {
                let own = tune.melody.upbeat.then(|| tune.melody.bars[0]);
                // Its first bars may be silent, and so no unit.
                units.first().filter(|id| own == pickup && candidates.contains(&(**id, 0))).map(|id| (number, *id))
            })
            .collect();
        let (tune, (id, offset)) = match openings.len() {
            0 if candidates.is_empty() => return Err(ComposeError::NoToken),
            0 => (None, candidates[below(rng, candidates.len())]),
            count => {
                let (tune, id) = openings[below(rng, count)];
                (Some(tune), (id, 0))
            }
        };
        let upbeat = tune
            .filter(|_| has_upbeat)
            .map(|tune| (tune, library.tunes[tune].melody.steps[library.tunes[tune].steps(&(0..1))].to_vec()));
        self.take(&mut draft, Choice::Unit { id, offset }, &mut Scratch::new());
        Ok((upbeat, draft))
    }

    /// The best draft.
    fn beam(&self, first: Draft, rng: &mut Rng, progress: Progress<'_>) -> Result<Draft, ComposeError> {
        let mut scratch = Scratch::new();
        let whole = self.chunks.last().map_or(1, |chunk| chunk.bars.end) as f64;
        let mut told = |chunk: &Chunk| {
            let mut bars = chunk.bars.clone().map(|bar| (bar + 1) as f64 / whole);
            bars.try_for_each(|share| if progress(share).is_break() { Err(ComposeError::Stopped) } else { Ok(()) })
        };
        let begun = first.choices.len();
        self.chunks[..begun].iter().try_for_each(&mut told)?;
        let anew = self.chunks.iter().filter(|chunk| chunk.filling == Filling::New).count();
        let mut drafts = vec![first];
        let mut lists: HashMap<(Vec<BarKind>, bool), Vec<Candidate>> = HashMap::new();
        for (at, chunk) in self.chunks.iter().enumerate().skip(begun) {
            match chunk.filling {
                Filling::Given => drafts.iter_mut().for_each(|draft| self.take(draft, Choice::Given(at), &mut scratch)),
                Filling::Again(of) => {
                    for draft in &mut drafts {
                        let choice = draft.choices[of];
                        self.take(draft, choice, &mut scratch);
                    }
                }
                Filling::New => {
                    let key = (self.kinds(at).to_vec(), chunk.ends);
                    let list = lists.entry(key).or_insert_with(|| self.candidates(chunk));
                    let most = MOST_USES.max(anew.div_ceil(list.len().max(1)));
                    drafts = self.grow(&drafts, list, most, rng, &mut scratch)?;
                }
            }
            told(chunk)?;
        }
        // Sorted when they were grown last.
        drafts.into_iter().next().ok_or(ComposeError::NoToken)
    }

    /// All drafts with all that may follow, the best of these. Gumbel's noise on each, so much as the temperature is, makes of the best one that was drawn.
    fn grow(
        &self,
        drafts: &[Draft],
        candidates: &[Candidate],
        most: usize,
        rng: &mut Rng,
        scratch: &mut Scratch,
    ) -> Result<Vec<Draft>, ComposeError> {
        let Sampling { temperature, .. } = self.sampling;
        let mut grown: Vec<(f64, usize, Candidate)> = Vec::new();
        for (number, draft) in drafts.iter().enumerate() {
            let counts = counts(&draft.used);
            let is_fresh = |(id, _): &&(u32, usize)| counts.get(id).is_none_or(|count| *count < most);
            let fresh: Vec<Candidate> = candidates.iter().filter(is_fresh).copied().collect();
            let open = if fresh.is_empty() { candidates } else { &fresh };
            let mut likeliest = self.model.likeliest(&draft.state, open, &self.sampling);
            let is_other = |(candidate, _): &(Candidate, f64)| self.twins(&draft.used, candidate.0) < most;
            if likeliest.iter().any(is_other) {
                likeliest.retain(is_other);
            }
            let is_away = |(candidate, _): &(Candidate, f64)| !self.quotes_on(draft, candidate.0);
            if likeliest.iter().any(is_away) {
                likeliest.retain(is_away);
            }
            for (candidate, nats) in likeliest {
                let noise = -(-(1.0 - uniform_f64(rng)).ln()).max(f64::MIN_POSITIVE).ln();
                grown.push((draft.score - nats + temperature * noise, number, candidate));
            }
        }
        grown.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        grown.truncate(BEAM);
        if grown.is_empty() {
            return Err(ComposeError::NoToken);
        }
        let take = |(score, number, (id, offset)): (f64, usize, Candidate)| {
            let mut draft = Draft { score, ..drafts[number].clone() };
            self.take(&mut draft, Choice::Unit { id, offset }, scratch);
            draft
        };
        Ok(grown.into_iter().map(take).collect())
    }

    /// Whether a tune would go on longer than it may.
    fn quotes_on(&self, draft: &Draft, id: u32) -> bool {
        let units = draft.choices.iter().rev().map_while(|choice| match choice {
            Choice::Unit { id, .. } => Some(*id),
            Choice::Given(_) => None,
        });
        let units: Vec<u32> = std::iter::once(id).chain(units).collect();
        let quoted = units.windows(2).take_while(|pair| self.model.library.follows.contains(&(pair[1], pair[0])));
        quoted.count() >= MOST_QUOTED
    }

    /// How many units that were chosen are nearly the same as this one: editions of a tune differ in a note.
    fn twins(&self, used: &[u32], id: u32) -> usize {
        let units = &self.model.library.units;
        let bag = &units[id as usize].bag;
        used.iter().filter(|used| units[**used as usize].bag.likeness(bag) > TWINS).count()
    }

    /// The steps of the whole piece, and where each bar of it is from.
    fn assemble(&self, draft: &Draft, upbeat: Option<Upbeat>) -> (Vec<u8>, Vec<Option<String>>) {
        let library = &self.model.library;
        let whole = steps_of(&self.bars, &(0..self.bars.len())).end;
        let mut steps = self.given.to_vec();
        steps.resize(whole, HOLD);
        let mut sources = vec![None; self.bars.len()];
        if let Some((tune, own)) = upbeat {
            steps[..own.len()].copy_from_slice(&own);
            sources[0] = Some(library.tunes[tune].source(0));
        }
        for (at, choice) in draft.choices.iter().enumerate() {
            let bars = self.chunks[at].bars.clone();
            steps[steps_of(&self.bars, &bars)].copy_from_slice(&self.content(at, *choice));
            if let Choice::Unit { id, offset } = choice {
                let (tune, first) = library.places[*id as usize];
                let source = |k: usize| library.tunes[tune].source(first + offset + k);
                bars.enumerate().for_each(|(k, bar)| sources[bar] = Some(source(k)));
            }
        }
        (steps, sources)
    }
}
