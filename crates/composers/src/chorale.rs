//! `chorale`: writes for four voices, each knowing what the voices above it sing; harmonises a melody, and fills what is missing of a
//! setting.
//!
//! Source: our own. The network of `memory`, on voices instead of keys: an LSTM reads the chords; a joint head ([`cantus_nn::joint`])
//! chooses soprano, alto, tenor and bass in turn; a pointer offers what stood after earlier places of the piece whose past resembles
//! the present. That any part of a setting may be given is after G. Hadjeres, F. Pachet, F. Nielsen, DeepBach, ICML 2017,
//! arXiv:1612.01010v2, and C.-Z. A. Huang et al., Counterpoint by Convolution, ISMIR 2017, arXiv:1903.07227v1 (training with random
//! parts given).
//! Departures: theirs resample until the music settles; here the head sees what is given of the steps ahead, so that one pass from the
//! first step to the last draws from the distribution itself, and the likelihood stays exact. The network is told how many beats are
//! left, so that pieces end; and what the piece has been like so far ([`profile`]), because what goes from step to step forgets it.
//!
//! Two things are added to the network's own choices where it composes freely. A piece of which nothing is given draws where its beginning
//! comes again from the pieces of the corpus; that is then given in advance, so that the network leads up to it. And several drafts
//! are written at once, of which a critic ([`critic`]) lets those go on that are like the corpus.
//!
//! Its likelihood is exact: of all voices, nothing given but the piece's length. Of a piece's past it uses what the piece itself gives.
//!
//! Cost: the default, 1.3 million parameters; memory and time of a step do not grow with the piece.

mod critic;
mod given;
mod player;
mod profile;
mod trainer;

#[cfg(test)]
mod tests;

use burn::module::Module;
use burn::tensor::Device;
use cantus_encoding::voices::{self, Chord, ITEMS, SPAN};
use cantus_model::checks::{share, within};
use cantus_model::choir::Choir;
use cantus_model::frames::{BarSteps, FrameSettings, Limits, Reading};
use cantus_model::learner::Recurrent;
use cantus_model::{Around, ComposerSpec, Configuration, Control, Rng, Sizes, TrainingSet};
use cantus_nn::joint::{CLASSES, JointHead, JointShape};
use cantus_nn::lstm::Lstm;
use cantus_score::{Meter, TicksPerQuarter};
use given::AHEAD;
use profile::{HABITS, Profile};
use serde::{Deserialize, Serialize};

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "chorale",
    version: 1,
    writes: "four voices; harmonises a melody or a bass of yours, fills bars that are missing, follows a form",
    suits: "four-part music: chorales, hymns, part songs, string quartets",
    is_made_for: Some(trainer::is_four_part),
    title: "four voices in turn, with a memory of the piece, any of them given or composed",
    source: "own; after Hadjeres, Pachet and Nielsen 2017 and Huang et al. 2017",
    departures: "the steps ahead are seen as far as they are given, in the place of resampling",
    reads: &[cantus_score::Reading::Merged],
    encoding: "voices",
    around: &[Around::Beginning, Around::Cells],
    abilities: &[],
    controls: &Control::OF_BARS,
    configurations: &[Configuration {
        name: "default",
        summary: "one LSTM layer of 256, all parts of the head, a critic",
        settings: r#"{"profile":true,"habits":true,"motions":true,"tonal":true,"openings":true,"channels":64,"reach":96,"lags":4,
                      "averaging":0.998,"dropout":0.4,"input_dropout":0.1,"units_dropout":0.3,"patience":6,"epochs":30,"critic":36}"#,
        sizes: Some(Sizes {
            small: r#"{"hidden":128,"units":96,"channels":32,"learning_rate":0.003}"#,
            large: r#"{"hidden":512,"units":320,"channels":96,"batch":32,"learning_rate":0.0015}"#,
        }),
        tiny: r#"{"hidden":24,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,"clock":8,"learning_rate":0.01,
                  "averaging":0.5,"units":24,"channels":16,"reach":48,"lags":2,"candidates":12,"units_dropout":0.0,"past_dropout":0.0,
                  "profile":true,"habits":true,"motions":true,"tonal":true,"openings":true,"critic":0}"#,
    }],
    create: Some(trainer::ChoraleTrainer::create),
    load: player::ChoraleComposer::load,
};

/// Beats before the end that the network tells apart; all further ones are one.
const LEFT: usize = 16;

/// Settings beside those that all composers of frames share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// Hidden units of the part that knows the voices' pitches by name.
    units: usize,
    /// Channels of the part that is shared over pitches, a multiple of 16; 0 leaves it out.
    channels: usize,
    /// Semitones that it looks up and down.
    reach: usize,
    /// Last chords that it sees each for itself.
    lags: usize,
    /// Places of the past that the pointer attends to; 0 leaves it out: no memory of the piece.
    candidates: usize,
    /// Dropout of the head's units and channels.
    units_dropout: f32,
    /// Dropout of the notes of the past that the shared part sees.
    past_dropout: f32,
    /// The share of what is learnt from in which some voices, or the bars ahead, are given.
    given: f32,
    /// Whether the network is told how often each pitch class has been sung so far: what key it is in.
    profile: bool,
    /// Whether it is told how often each voice has begun a note at each place of the beat so far: how lively the piece is.
    habits: bool,
    /// Whether the shared part is told how each voice would move with those above.
    motions: bool,
    /// Whether the shared part is told how often each pitch class has been sung so far.
    tonal: bool,
    /// Whether the pointer offers the piece's beginning.
    openings: bool,
    /// Rounds in which a critic learns, once the network has, to tell its pieces from the corpus's; 0 for none.
    critic: usize,
}

impl Default for Own {
    fn default() -> Own {
        Own {
            units: 192,
            channels: 32,
            reach: 12,
            lags: 8,
            candidates: 64,
            units_dropout: 0.2,
            past_dropout: 0.1,
            given: 0.5,
            profile: false,
            habits: false,
            motions: false,
            tonal: false,
            openings: false,
            critic: 0,
        }
    }
}

impl Own {
    fn check(&self) -> Result<(), String> {
        within("units", self.units, 1, 4096)?;
        within("channels", self.channels, 0, 256)?;
        within("reach", self.reach, 0, ITEMS)?;
        within("lags", self.lags, 0, 64)?;
        within("candidates", self.candidates, 0, 4096)?;
        within("critic", self.critic, 0, 1000)?;
        if !self.channels.is_multiple_of(16) {
            return Err(format!("channels = {} is no multiple of 16", self.channels));
        }
        share("units_dropout", self.units_dropout)?;
        share("past_dropout", self.past_dropout)?;
        share("given", self.given)
    }

    fn shape(&self, features: usize) -> JointShape {
        let Own { units, channels, reach, lags, candidates, motions, tonal, openings, .. } = *self;
        let span = if motions { SPAN } else { 0 };
        JointShape {
            keys: ITEMS,
            features,
            hidden: units,
            channels,
            reach,
            lags,
            candidates,
            span,
            tonal,
            openings,
            sounding: false,
        }
    }
}

/// All settings.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    shared: FrameSettings,
    own: Own,
}

impl Settings {
    fn read(settings: &cantus_model::Settings) -> Result<Settings, String> {
        let (shared, own) = FrameSettings::read::<Own>(settings)?;
        own.check()?;
        let shared = FrameSettings { reading: Some(shared.reading()), ..shared };
        if shared.reading() != Reading::Sounding {
            return Err("reading: voices are read as they sound".to_owned());
        }
        Ok(Settings { shared, own })
    }

    fn write(&self) -> cantus_model::Settings {
        self.shared.write(&self.own)
    }

    /// Width of what the first layer reads: the chord before, whether the piece begins, the clock, the beats left, the profile.
    fn input(&self) -> usize {
        let [classes, habits] = self.profile();
        ITEMS + 1 + self.shared.clock + LEFT + 1 + classes + habits
    }

    /// Widths of the parts of the profile.
    fn profile(&self) -> [usize; 2] {
        let Own { profile, habits, .. } = self.own;
        [(profile, CLASSES), (habits, HABITS)].map(|(is_told, width)| if is_told { width } else { 0 })
    }

    /// Width of what the head sees.
    fn features(&self) -> usize {
        self.shared.hidden + if self.shared.skip { self.input() } else { 0 } + AHEAD
    }

    /// Writes what is read before step `at` of a piece, given how many beats are left, and the profile of all before that step, which is
    /// moved up to the key in which `before` stands.
    ///
    /// # Shapes
    /// `row`: `[I]`, zeros
    fn write_input(
        &self,
        before: Option<u128>,
        at: usize,
        beats_left: usize,
        (profile, shift): (&Profile, i32),
        row: &mut [f32],
    ) {
        match before {
            Some(bits) => voices::items(bits).for_each(|item| row[item] = 1.0),
            None => row[ITEMS] = 1.0,
        }
        let clock = self.shared.clock;
        if clock > 0 {
            row[ITEMS + 1 + at % clock] = 1.0;
        }
        row[ITEMS + 1 + clock + beats_left.min(LEFT)] = 1.0;
        let [classes, _] = self.profile();
        let (of_classes, of_habits) = row[ITEMS + 1 + clock + LEFT + 1..].split_at_mut(classes);
        if self.own.profile {
            profile.write_classes(shift, of_classes);
        }
        if self.own.habits {
            profile.write_habits(of_habits);
        }
    }
}

#[derive(Module, Debug)]
struct Network {
    lstms: Vec<Lstm>,
    head: JointHead,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

impl Network {
    /// A network that has learnt nothing but how often each item is sung, 0-1.
    fn new(settings: &Settings, frequencies: &[f32; ITEMS], rng: &mut Rng, device: &Device) -> Network {
        let lstms = settings.shared.lstms(settings.input(), rng, device);
        Network { lstms, head: JointHead::new(settings.own.shape(settings.features()), frequencies, rng, device) }
    }
}

/// Steps of two bars; one at least.
fn two_bars(grid: TicksPerQuarter, meter: Meter) -> usize {
    BarSteps::new(grid, meter).first_step(2).max(1)
}

/// What a model keeps of its corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Corpus {
    #[serde(flatten)]
    choir: Choir,
    /// How long literal repetition may last.
    repetition: Limits,
    /// The step at which each piece's first two bars come again, if they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    returns: Vec<Option<usize>>,
}

impl Corpus {
    /// What the pieces of a corpus have in common; `None` where nothing is sung.
    fn of(set: &TrainingSet) -> Option<Corpus> {
        let (grid, meter) = (set.all().next()?.ticks_per_quarter, set.usual_meter());
        let two_bars = two_bars(grid, meter);
        let mut sung = 0;
        let all = set.all().map(|piece| {
            let frames: Vec<u128> = voices::read(&piece).iter().map(|chord| chord.bits()).collect();
            sung |= frames.iter().fold(0, |all, frame| all | frame);
            frames
        });
        // A quarter less: where two bars end within a held chord, it would be too late to turn aside.
        let repetition = Limits::of(all, two_bars.saturating_sub(grid.get() as usize).max(1));
        let choir = Choir::of(set, sung)?;
        let returns = |chords: Vec<Chord>| {
            let opening = chords.get(..two_bars)?;
            let again = chords[two_bars..].windows(two_bars).position(|later| later == opening);
            again.map(|at| two_bars + at)
        };
        let returns = set.train.iter().map(|piece| returns(voices::read(&piece))).collect();
        Some(Corpus { choir, repetition, returns })
    }
}

/// Beats from a step to the end.
fn beats_left(choir: &Choir, at: usize, end: usize) -> usize {
    end.saturating_sub(at) / choir.steps_per_quarter as usize
}
