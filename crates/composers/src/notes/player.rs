//! Composing and judging: a note at a time, the state carried.

mod aims;
mod drafts;
mod drawing;
mod filling;
mod opening;
mod pacing;

use super::critic::KINDS;
use super::form::Form;
use super::layout::{Layout, Told, choice};
use super::network::NoteSettings;
use super::past::Past;
use super::texture::Textures;
use super::usual::{Customs, Usual};
use super::view::View;
use super::{PROTOCOL, SAMPLING, SPEC};
use aims::Aims;
use cantus_encoding::note_events::{Clock, Event, Instrument, Vocabulary, decode, encode};
use cantus_model::critic::Critic;
use cantus_model::frames::BarSteps;
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Control, Controls, Evaluation, Given, Habits, Intent, Judge,
    Judgement, Kind, ModelError, ModelFile, Moment, Progress, Prompt, Recall, Request, Rng, Sampling, Styles,
    checkpoint, derive, fold, layers,
};
use cantus_nn::cascade::{CascadeScorer, NONE};
use cantus_nn::inference::{LstmCell, Scratch};
use cantus_nn::random::{below, uniform};
use cantus_score::{Bar, Meter, Pitch, Player, Score, Ticks, TicksPerQuarter, find_key, merge_parts};
pub(super) use drafts::Task;
use filling::Filling;
use opening::Opening;
use rand_chacha::rand_core::Rng as _;

/// Stretches of a bar that are varied each for itself where a section comes again so, and the share of them that is composed anew.
const FORM_STRETCHES: usize = 8;
const ANEW: f32 = 0.4;
/// So often is something written anew where a part that played there fell silent.
const FILLINGS: usize = 4;

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct NoteComposer {
    settings: NoteSettings,
    vocabulary: Vocabulary,
    usual: Usual,
    /// Of each style.
    customs: Vec<Customs>,
    layout: Layout,
    cells: Vec<LstmCell>,
    head: CascadeScorer,
    pub(super) critic: Option<Critic>,
    habits: Option<Habits>,
    parameters: usize,
}

/// A composer out of a model file.
pub(super) fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
    Ok(Box::new(NoteComposer::load(file)?))
}

impl NoteComposer {
    pub fn load(file: &ModelFile) -> Result<NoteComposer, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let encoding = &file.header.encoding;
        let settings: NoteSettings =
            serde_json::from_value(file.header.settings.clone()).map_err(|e| metadata(e.to_string()))?;
        settings.check().map_err(metadata)?;
        let vocabulary: Vocabulary =
            serde_json::from_value(encoding["note_events"].clone()).map_err(|e| metadata(e.to_string()))?;
        let usual: Usual = serde_json::from_value(encoding["usual"].clone()).map_err(|e| metadata(e.to_string()))?;
        usual.check(&vocabulary).map_err(metadata)?;
        // A corpus without folders has none.
        let customs: Vec<Customs> = match encoding.get("styles") {
            Some(styles) => serde_json::from_value(styles.clone()).map_err(|e| metadata(e.to_string()))?,
            None => Vec::new(),
        };
        customs.iter().try_for_each(|custom| custom.usual.check(&vocabulary)).map_err(metadata)?;
        if customs.len() != settings.styles.len() {
            return Err(metadata(format!("{} styles and what is usual in {}", settings.styles.len(), customs.len())));
        }
        let layout = Layout::new(&vocabulary, settings.styles.len());
        let critic = Critic::read(file, KINDS)?;
        let hidden = settings.hidden;
        let cell = |layer: usize| {
            let input = if layer == 0 { layout.inputs() } else { hidden };
            // What the first layer reads of a note is nearly all zeros.
            let make = if layer == 0 { LstmCell::sparse } else { LstmCell::new };
            layers::cell(file, &format!("lstms.{layer}"), (input, hidden), make)
        };
        let lookup = |name: &str, shape: &[usize]| file.tensor(&format!("head.{name}"), shape);
        Ok(NoteComposer {
            cells: (0..settings.layers).map(cell).collect::<Result<_, _>>()?,
            head: CascadeScorer::new(settings.shape(&layout), lookup)?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file) - critic.as_ref().map_or(0, |critic| critic.weights().len()),
            critic,
            settings,
            vocabulary,
            usual,
            customs,
            layout,
        })
    }

    /// What it says, and where it stands.
    pub fn into_layout(self) -> (Vocabulary, Layout) {
        (self.vocabulary, self.layout)
    }

    /// The lowest and the highest MIDI pitch that the corpus has.
    fn pitches(&self) -> (u8, u8) {
        let ranges = self.usual.ranges.iter().zip(0u8..).filter(|(_, instrument)| !self.is_drums(*instrument));
        ranges.fold((127, 0), |(low, high), ((l, h, _), _)| (low.min(*l), high.max(*h)))
    }

    pub(super) fn clock(&self) -> Clock {
        self.vocabulary.clock()
    }

    /// Bars that have so many beats, at least one.
    pub(super) fn bars_of(&self, beats: u32) -> usize {
        (beats * self.clock().beat() / self.usual.bar.max(1)).max(1) as usize
    }

    pub(super) fn is_drums(&self, instrument: u8) -> bool {
        self.vocabulary.is_drums(instrument)
    }

    /// Whether it writes for several instruments, or for drums.
    fn is_band(&self) -> bool {
        self.vocabulary.instruments().len() > 1 || self.is_drums(0)
    }

    /// What a request asks for, and what is drawn for it.
    pub(super) fn begin(&self, request: &Request, rng: &mut Rng) -> Result<Begun<'_>, ComposeError> {
        let Opening { notes, starts, heard, grid, meter, remarks } = self.open(request);
        let (styles, usual, intent) = self.manner(request, rng)?;
        let meter = intent.meter().unwrap_or(meter);
        let first = starts.len();
        let bars = request.bars() - request.prompt().map_or(0, Prompt::bars);
        let steps = BarSteps::new(grid, meter);
        let mut starts = starts;
        starts.extend((0..=bars).map(|bar| (u64::from(heard) + steps.first_step(bar) as u64, meter)));
        let bars: Vec<Bar> = starts
            .windows(2)
            .map(|pair| Bar { start: Ticks(pair[0].0), length: Ticks(pair[1].0 - pair[0].0), meter: pair[0].1 })
            .collect();
        // Who is asked for plays; else the prompt's instruments go on, and a new piece has those of one of the corpus.
        let playing: Vec<u8> = match &request.controls.instruments {
            Some(players) => players.iter().map(|player| self.instrument(player)).collect::<Result<_, _>>()?,
            None if notes.is_empty() => {
                let able = self.ensembles_with(usual, request.controls.register.as_ref());
                able[below(rng, able.len())].clone()
            }
            None => notes.iter().map(|note| note.instrument).collect(),
        };
        let playing = playing.into_iter().fold(0u128, |playing, instrument| playing | 1 << instrument);
        let clock = self.clock();
        let form = self.form_of(usual, request, (&bars, first), rng)?;
        let upbeat = first - request.prompt().map_or(0, Prompt::bars);
        let aims = Aims::of(self, usual, request, (&bars, first, upbeat), intent.key)?;
        let form = form.where_alike(|from, to, source| aims.are_alike(from, source, to - from));
        // A piece is as busy as some piece of the corpus, stretch by stretch; what goes on from a prompt, as that is.
        let textures = if notes.is_empty() {
            usual.forms.draw_textures(&bars, clock, &request.controls, rng)
        } else {
            Textures::of(&notes, heard, clock, |number| self.is_drums(number))
        };
        let closes = uniform(rng) < usual.closing;
        let past = Past::of(&notes, bars, clock, |k| self.is_drums(k)).with_textures(textures).in_styles(styles);
        let past = past.going_on(usual.bars.saturating_sub(request.bars()));
        let (given, surprise) = (notes.len(), request.controls.surprise);
        Ok(Begun {
            past,
            given,
            heard,
            first,
            playing,
            form,
            closes,
            aims,
            surprise,
            strength: request.controls.strength,
            usual,
            grid,
            meter,
            intent,
            remarks,
        })
    }

    /// The styles that are asked for, what is usual in one of them, and what is drawn of its habits: a piece has one metre and one
    /// ensemble, though its notes may be of several styles.
    fn manner(&self, request: &Request, rng: &mut Rng) -> Result<(Styles, &Usual, Intent<'_>), ComposeError> {
        let styles = self.styles_of(&request.controls);
        let custom = styles.draw(rng).and_then(|style| self.customs.get(style));
        let habits = custom.map(|custom| &custom.habits).or(self.habits.as_ref());
        Ok((styles, custom.map_or(&self.usual, |custom| &custom.usual), Intent::of(habits, request, rng)?))
    }

    /// A piece of which some is to be written, as far as it is given before that.
    fn begin_around(&self, filling: &Filling, request: &Request, rng: &mut Rng) -> Result<Begun<'_>, ComposeError> {
        let (styles, usual, intent) = self.manner(request, rng)?;
        let (clock, first) = (self.clock(), filling.first());
        let heard = filling.bars.get(first).map_or(0, |bar| bar.start.0 as u32);
        let playing = filling.all.iter().fold(0u128, |playing, note| playing | 1 << note.instrument);
        let playing = playing | filling.written;
        // What is written is as busy as what was there; where nothing was, as some piece of the corpus.
        let textures = if filling.is_new() {
            usual.forms.draw_textures(&filling.bars, clock, &Controls::default(), rng)
        } else {
            Textures::of(&filling.all, filling.end, clock, |number| self.is_drums(number))
        };
        let before: Vec<Event> = filling.given.iter().take_while(|note| note.onset < heard).copied().collect();
        let past = Past::of(&before, filling.bars.clone(), clock, |k| self.is_drums(k)).with_textures(textures);
        let past = past.in_styles(styles).going_on(usual.bars.saturating_sub(filling.bars.len()));
        let closes = filling.has_last() && uniform(rng) < usual.closing;
        let (grid, meter) = (clock.ticks_per_quarter(), Meter::COMMON);
        let (form, remarks) = (Form::default(), filling.remarks.clone());
        let aims = Aims::of(self, usual, request, (&filling.bars, 0, 0), None)?;
        Ok(Begun {
            past,
            given: before.len(),
            heard,
            first,
            playing,
            form,
            closes,
            aims,
            surprise: request.controls.surprise,
            strength: request.controls.strength,
            usual,
            grid,
            meter,
            intent,
            remarks,
        })
    }

    /// The rest of a piece of which something is given.
    fn filled(
        &self,
        given: &Given,
        request: &Request,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let filling = Filling::of(self, given)?;
        let mut tries = FILLINGS;
        loop {
            tries -= 1;
            let begun = self.begin_around(&filling, request, rng)?;
            let task = Task::of(&begun, &request.sampling).around(&filling);
            let (written, verdict) = self.write(&task, rng, progress)?;
            let mut given = filling.given.iter().map(Event::order).peekable();
            // What is given comes in its own order among what is new.
            let is_new = |note: &&Event| given.next_if_eq(&note.order()).is_none();
            let new: Vec<Event> = written.notes().iter().filter(is_new).copied().collect();
            let score = filling.joined(&new, self);
            // A part that played there is not to fall silent by chance.
            let silent = filling.silenced(&score);
            if silent.is_empty() || tries == 0 {
                let mut remarks = begun.remarks;
                let of = |name: &str| format!("the model wrote nothing for {name} there: try another seed");
                remarks.extend(silent.into_iter().map(of));
                return Ok(Composition { score, remarks, verdict });
            }
        }
    }

    /// The instrument that somebody asks for: of several that will do the one that plays in most pieces.
    fn instrument(&self, player: &Player) -> Result<u8, ComposeError> {
        let pieces = |number: &u8| self.usual.ensembles.iter().filter(|playing| playing.contains(number)).count();
        // Of equals the first.
        let able = self.instruments_of(player).into_iter().rev();
        able.max_by_key(pieces)
            .ok_or_else(|| ComposeError::Instrument { asked: player.to_string(), known: self.instruments() })
    }

    /// The instruments that will do for whom somebody asks for.
    fn instruments_of(&self, player: &Player) -> Vec<u8> {
        let will_do = |instrument: &Instrument| match instrument {
            Instrument::Drums => player.drums,
            Instrument::Program(number) => player.programs.iter().any(|program| program.get() == *number),
        };
        let there = (0u8..128).zip(self.vocabulary.instruments());
        there.filter(|(_, instrument)| will_do(instrument)).map(|(number, _)| number).collect()
    }

    /// The instruments that have pitches.
    fn pitched(&self) -> Vec<u8> {
        (0..self.vocabulary.instruments().len() as u8).filter(|number| !self.is_drums(*number)).collect()
    }

    /// What it writes for, as a person calls it.
    fn instruments(&self) -> String {
        self.vocabulary.instruments().iter().map(named).collect::<Vec<_>>().join(", ")
    }

    /// What comes again: what is asked for, or, in a piece of its own, what does in some piece of the corpus.
    fn form_of(
        &self,
        usual: &Usual,
        request: &Request,
        (bars, kept): (&[Bar], usize),
        rng: &mut Rng,
    ) -> Result<Form, ComposeError> {
        let beat = self.vocabulary.clock().beat();
        match &request.controls.form {
            Some(form) => {
                let upbeat = kept - request.prompt().map_or(0, Prompt::bars);
                let rng = &mut derive(rng.next_u64(), "variation", &[]);
                let recalls = form.recalls(request.bars())?;
                // What is varied is composed anew by stretches of two quarters.
                let mut recall = |number: usize| -> Option<(usize, Vec<bool>)> {
                    let Recall { bar, is_varied } = (*recalls.get(number.checked_sub(upbeat)?)?)?;
                    let anew = (0..FORM_STRETCHES).map(|_| is_varied && uniform(rng) < ANEW).collect();
                    (number >= kept).then_some((bar + upbeat, anew))
                };
                let recalls: Vec<_> = (0..bars.len()).map(&mut recall).collect();
                Ok(Form::new(bars, beat, |bar, quarter| {
                    let (from, anew) = recalls[bar].as_ref()?;
                    (!anew.get(quarter / 2).copied().unwrap_or(false)).then_some(*from)
                }))
            }
            None if request.prompt().is_none() => Ok(usual.forms.draw(bars, beat, rng)),
            None => Ok(Form::default()),
        }
    }

    /// Reads the note before note `j`, and what is around it.
    fn advance(&self, past: &Past, j: usize, told: Told, memory: &mut Memory) {
        let Memory { input, layers, scratch } = memory;
        self.layout.read(past, j, (0, told), |number| self.is_drums(number), input);
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = layers.split_at_mut(k);
            let x = below.last().map_or(&*input, |(h, _)| h);
            let (h, c) = &mut here[0];
            cell.step(x, h, c, scratch);
        }
    }

    fn memory(&self) -> Memory {
        let zeros = |cell: &LstmCell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()]);
        Memory {
            input: vec![0.0; self.layout.inputs()],
            layers: self.cells.iter().map(zeros).collect(),
            scratch: Scratch::new(),
        }
    }
}

/// What a person calls an instrument.
fn named(instrument: &Instrument) -> &'static str {
    match instrument {
        Instrument::Program(_) => instrument.program().name(),
        Instrument::Drums => "drums",
    }
}

/// A piece of which the beginning is known, and what it is to be.
pub(super) struct Begun<'h> {
    /// What is given, and all bars.
    pub past: Past,
    /// Notes that are given.
    given: usize,
    /// When what is composed begins, and its first bar.
    pub heard: u32,
    pub first: usize,
    /// Bit k: whether instrument k plays.
    pub playing: u128,
    pub form: Form,
    /// Whether it ends on the tonic.
    pub closes: bool,
    aims: Aims,
    /// Nats a note.
    surprise: Option<f64>,
    /// How far its style is overdone.
    strength: Option<f64>,
    /// What is usual in its style.
    pub usual: &'h Usual,
    grid: TicksPerQuarter,
    meter: Meter,
    intent: Intent<'h>,
    remarks: Vec<String>,
}

/// What the network holds of a piece.
#[derive(Clone, Debug)]
struct Memory {
    input: Vec<f32>,
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    scratch: Scratch,
}

impl Memory {
    fn features(&self) -> &[f32] {
        self.layers.last().map_or(&self.input, |(h, _)| h)
    }
}

impl Judge for NoteComposer {
    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        PROTOCOL.to_owned()
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let (events, adjustments) = encode(piece, &self.vocabulary);
        let past = Past::of(&events.notes, events.bars, self.vocabulary.clock(), |k| self.is_drums(k));
        let quarters = piece.end().quarters(piece.ticks_per_quarter);
        let mut figures = Evaluation { quarters, ..Evaluation::default() };
        let mut moments = Vec::with_capacity(events.notes.len());
        let (mut memory, mut deciding) = (self.memory(), self.head.deciding());
        let mut view = View::new(&self.vocabulary, &self.layout, &past, 0);
        for j in 0..events.notes.len() {
            self.advance(&past, j, Told::ALL, &mut memory);
            let (sight, open) = view.of_note(j);
            let before = figures.nats;
            figures.nats += open;
            let mut beside = 0.0;
            deciding.open(memory.features());
            let mut hit = true;
            for v in (0..choice::COUNT).filter(|v| sight.targets[*v] != NONE) {
                let target = sight.targets[v];
                let probabilities = deciding.probabilities(v, &sight, None);
                let own = probabilities[usize::from(target)];
                hit &= probabilities.iter().all(|p| *p <= own);
                let nats = -f64::from(own.max(f32::MIN_POSITIVE)).ln();
                figures.nats += nats;
                beside += if matches!(v, choice::INSTRUMENT | choice::LEVEL) { nats } else { 0.0 };
                deciding.choose(v, &sight, target);
            }
            figures.beside = figures.beside.map(|sum| sum + beside);
            figures.tokens += 1.0;
            figures.correct += if hit { 1.0 } else { 0.0 };
            let at = Ticks(events.notes[j].onset.into());
            let at = at.rescale(self.vocabulary.clock().ticks_per_quarter(), piece.ticks_per_quarter);
            moments.push(Moment { at, nats: figures.nats - before });
        }
        Judgement { figures, moments, is_adjusted: !adjustments.is_empty() }
    }
}

impl Composer for NoteComposer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        SAMPLING
    }

    fn describe(&self) -> Vec<(String, String)> {
        let NoteSettings { hidden, layers, channels, copying, .. } = self.settings;
        let shared = if channels > 0 { format!(", {channels} channels shared over pitches") } else { String::new() };
        let copying = if copying { ", a memory of the piece" } else { "" };
        [
            ("network", format!("{layers} LSTM layers of {hidden}{shared}{copying}, {} parameters", self.parameters)),
            ("instruments", self.instruments()),
            (
                "time",
                match self.vocabulary.clock() {
                    Clock::Beats(steps) => format!("{steps} steps a quarter"),
                    Clock::Seconds => "as played, in hundredths of a second".to_owned(),
                },
            ),
            ("loudness", format!("{} levels", self.vocabulary.velocities().len())),
            (
                "critic",
                match &self.critic {
                    Some(_) => "of several drafts those go on that it takes for the corpus's".to_owned(),
                    None => "none".to_owned(),
                },
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn lacks(&self, control: Control) -> bool {
        match control {
            // Music on beats is counted in bars.
            Control::Seconds => self.clock() != Clock::Seconds,
            Control::Instruments => !self.is_band(),
            Control::Register => self.pitched().is_empty(),
            Control::Chords => self.pitched().is_empty() || self.clock() == Clock::Seconds,
            Control::Velocity => !self.usual.has_levels(),
            _ => false,
        }
    }

    fn styles(&self) -> &[String] {
        &self.settings.styles
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        if let Some(given) = request.given.as_ref().filter(|_| request.prompt().is_none()) {
            return self.filled(given, request, rng, progress);
        }
        let begun = self.begin(request, rng)?;
        let (written, verdict) = self.write(&Task::of(&begun, &request.sampling), rng, progress)?;
        let Begun { past, given, heard, first, grid, meter, mut intent, aims, mut remarks, .. } = begun;
        let mut written = written.notes()[given..].to_vec();
        written.iter_mut().for_each(|note| note.onset -= heard);
        let (bars, steps) = (past.bars().len() - first, BarSteps::new(grid, meter));
        let mut composed = decode(&written, &self.vocabulary);
        // What comes again strikes keys that may still be held.
        composed.parts.iter_mut().for_each(|part| part.notes = merge_parts([&*part]).notes);
        composed.ticks_per_quarter = grid;
        if aims.has_chords() {
            // They say the key.
            intent.key = None;
            let flats = find_key(composed.pitched_notes()).is_some_and(|key| key.fifths() < 0);
            composed.chords = aims.symbols(flats).map(|(at, symbol)| (Ticks(u64::from(at - heard)), symbol)).collect();
        }
        let mut composed = composed.rescaled(steps.fine);
        composed.meters.push((Ticks::ZERO, meter));
        let mut composed = composed.before(Ticks(bars as u64 * steps.ticks));
        intent.finish(&mut composed, aims.range(|number| self.is_drums(number)).unwrap_or(self.pitches()));
        for part in composed.parts.iter_mut().filter(|part| !part.drums) {
            let range = aims.register().zip(self.instrument_of(part)).map(|(all, number)| all[usize::from(number)]);
            let keys = range.map(|(low, high, _)| [low, high].map(Pitch::try_from));
            if let Some([Ok(low), Ok(high)]) = keys {
                fold(part, low, high);
            }
        }
        remarks.extend(self.absent(&composed, request.controls.register.as_ref()));
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, Ticks::ZERO),
            None => composed,
        };
        Ok(Composition { score, remarks, verdict })
    }
}
