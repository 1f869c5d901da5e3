//! `accompany`: writes a bass to drums, or drums to a bass, knowing the whole of what is given.
//!
//! Source: the task and its coding are those of M. Karpenko and A. Kryshtapovich, drum_and_bass, 2019-20
//! (github.com/mkarpenkospb/drum_and_bass): drums of 14 kinds, a bass of 36 columns counted from its lowest note. The network is our own. One
//! LSTM reads what is given forwards, one backwards; a third reads what is written, step by step; a joint head ([`cantus_nn::joint`]) chooses
//! the notes of each step, and its pointer offers what stood at earlier places of the same part.
//! Departures: theirs write all cells at once, each by itself, as a function of the drums; such networks hardly beat counting, because what
//! decides is the bass's own past. The register is predicted, too: the lowest note is a decision of its own, at first. Rests are written.
//! Other instruments may be given beside the drums: they say the harmony.
//!
//! Its likelihood is exact. What a user may leave out (other instruments, tempo, program, key) is unknown half of the time while learning.
//!
//! Cost: the default, 0.6 million parameters; memory and time of a step do not grow with the piece.

mod conditions;
mod piece;
mod plan;
mod player;
mod section;
mod step;
#[cfg(test)]
mod tests;
mod trainer;

use burn::module::Module;
use burn::tensor::Device;
use cantus_encoding::rhythm_section;
use cantus_model::checks::{share, within};
use cantus_model::frames::{FrameSettings, Reading as Frames};
use cantus_model::learner::Recurrent;
use cantus_model::{Around, ComposerSpec, Configuration, Control, Joined, Rng, Sizes};
use cantus_nn::joint::{JointHead, JointShape};
use cantus_nn::lstm::Lstm;
use cantus_score::Reading;
use serde::{Deserialize, Serialize};

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "accompany",
    version: 1,
    writes: "a bass to given drums, or drums to a given bass; other instruments may be given, too",
    suits: "songs with drums and a bass",
    is_made_for: None,
    title: "LSTMs over what is given, forwards and backwards, and over what is written; a joint head, a pointer into its own past",
    source: "own; the task of Karpenko and Kryshtapovich 2019 (drum_and_bass)",
    departures: "step by step and joint in the place of all cells by themselves; register and rests are predicted",
    reads: &[Reading::Parts, Reading::Merged],
    encoding: "rhythm_section",
    around: &[Around::Beginning, Around::Parts],
    abilities: &[],
    controls: &[Control::Key, Control::Meter, Control::Program, Control::Style],
    configurations: &[Configuration {
        name: "default",
        summary: "writes a bass to drums; drums to a bass with the setting writes=drums",
        settings: r#"{"hidden":160,"clock":96,"batch":32,"transposition":0,"dropout":0.5,"input_dropout":0.2,"averaging":0.998,
                      "units_dropout":0.3,"past_dropout":0.2,"learning_rate":0.002,"patience":4,"epochs":60}"#,
        sizes: Some(Sizes {
            small: r#"{"hidden":80,"heard":32,"units":64}"#,
            large: r#"{"hidden":320,"heard":128,"units":256,"channels":64,"batch":48,"learning_rate":0.0015}"#,
        }),
        tiny: r#"{"hidden":24,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"clock":32,"learning_rate":0.01,"averaging":0.5,
                  "heard":8,"ahead":12,"units":16,"channels":16,"reach":6,"lags":4,"candidates":12,"units_dropout":0.0,"past_dropout":0.0}"#,
    }],
    create: Some(trainer::AccompanyTrainer::create),
    load: player::Accompanist::load,
};

/// Items of a frame of what is written.
const fn items(writes: Joined) -> usize {
    match writes {
        Joined::Bass => rhythm_section::ITEMS,
        Joined::Drums => rhythm_section::KINDS.len(),
    }
}

/// Settings beside those that all composers of frames share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// Which part is written.
    writes: Joined,
    /// Steps to a quarter note.
    steps: u32,
    /// Cells of each of the two layers that read what is given.
    heard: usize,
    /// Steps beyond its window that the one which reads backwards begins at.
    ahead: usize,
    /// Silence of so many steps is a rest.
    rest: usize,
    /// Hidden units of the part of the head that knows the columns by name.
    units: usize,
    /// Channels of the part that is shared over columns, a multiple of 16; 0 leaves it out.
    channels: usize,
    /// Semitones that it looks up and down.
    reach: usize,
    /// Last sounding frames that it sees each for itself.
    lags: usize,
    /// Places of the past that the pointer attends to; 0 leaves it out.
    candidates: usize,
    /// Dropout of the head's units and channels.
    units_dropout: f32,
    /// Dropout of the notes of the past that the shared part sees.
    past_dropout: f32,
    /// In which share of the pieces each of what a user may leave out is not told while learning; the given part itself a tenth as often.
    untold: f32,
    /// In which share of the pieces the network is told, while learning, what the bars are like; it is judged without.
    planned: f32,
    /// The styles that are told apart: those of the corpus, whatever is set here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    styles: Vec<String>,
}

impl Default for Own {
    fn default() -> Own {
        Own {
            writes: Joined::Bass,
            steps: 8,
            heard: 64,
            ahead: 32,
            rest: 4,
            units: 128,
            channels: 32,
            reach: 24,
            lags: 8,
            candidates: 64,
            units_dropout: 0.2,
            past_dropout: 0.1,
            untold: 0.5,
            planned: 0.5,
            styles: Vec::new(),
        }
    }
}

impl Own {
    fn check(&self) -> Result<(), String> {
        within("steps", self.steps as usize, 1, 96)?;
        within("heard", self.heard, 1, 4096)?;
        within("ahead", self.ahead, 0, 65_536)?;
        within("rest", self.rest, 1, 4096)?;
        within("units", self.units, 1, 4096)?;
        within("channels", self.channels, 0, 256)?;
        within("reach", self.reach, 0, rhythm_section::ITEMS)?;
        within("lags", self.lags, 0, 64)?;
        within("candidates", self.candidates, 0, 4096)?;
        if !self.channels.is_multiple_of(16) {
            return Err(format!("channels = {} is no multiple of 16", self.channels));
        }
        share("units_dropout", self.units_dropout)?;
        share("past_dropout", self.past_dropout)?;
        share("untold", self.untold)?;
        share("planned", self.planned)
    }

    fn shape(&self, features: usize) -> JointShape {
        let Own { units, channels, reach, lags, candidates, .. } = *self;
        JointShape {
            keys: items(self.writes),
            features,
            hidden: units,
            channels,
            reach,
            lags,
            candidates,
            span: 0,
            tonal: channels > 0,
            openings: true,
            sounding: true,
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
        // A bass is counted from its lowest note: moving it changes nothing.
        if shared.transposition != 0 {
            return Err("transposition: a bass is counted from its lowest note; leave it at 0".to_owned());
        }
        let shared = FrameSettings { reading: Some(Frames::Onsets), ..shared };
        within("clock", shared.clock, 1, 4096)?;
        Ok(Settings { shared, own })
    }

    fn write(&self) -> cantus_model::Settings {
        self.shared.write(&self.own)
    }

    /// Width of what the layers that read what is given see of a step.
    fn heard(&self) -> usize {
        conditions::HEARD + self.shared.clock
    }

    /// Width of what the first layer reads beside what is known of the given parts.
    fn own_input(&self) -> usize {
        conditions::width(items(self.own.writes), self.shared.clock, self.own.styles.len())
    }

    /// Width of all that the first layer reads.
    fn input(&self) -> usize {
        self.own_input() + conditions::HEARD + 2 * self.own.heard
    }

    /// Width of what the head sees.
    fn features(&self) -> usize {
        self.shared.hidden + if self.shared.skip { self.input() } else { 0 }
    }
}

/// The layers: those that read what is written, then the one that reads what is given forwards.
#[derive(Module, Debug)]
struct Network {
    lstms: Vec<Lstm>,
    ahead: Lstm,
    head: JointHead,
}

impl Recurrent for Network {
    fn lstms(&self) -> &[Lstm] {
        &self.lstms
    }
}

impl Network {
    /// A network that has learnt nothing but how often each item is struck, 0-1.
    fn new(settings: &Settings, frequencies: &[f32], rng: &mut Rng, device: &Device) -> Network {
        let mut lstms = settings.shared.lstms(settings.input(), rng, device);
        lstms.push(Lstm::new(settings.heard(), settings.own.heard, rng, device));
        let ahead = Lstm::new(settings.heard(), settings.own.heard, rng, device);
        let head = JointHead::new(settings.own.shape(settings.features()), frequencies, rng, device);
        Network { lstms, ahead, head }
    }
}
