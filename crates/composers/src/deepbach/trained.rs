//! A trained network, its weights packed for use.

use super::Settings;
use super::features::READ;
use cantus_encoding::voice_lines::{SYMBOLS, Symbol};
use cantus_encoding::voices::{SPAN, VOICES};
use cantus_model::choir::Choir;
use cantus_model::{ModelError, ModelFile, layers};
use cantus_nn::inference::{Dense, LstmCell};

/// A trained network.
pub(super) struct Trained {
    settings: Settings,
    trunks: Vec<Trunk>,
    heads: Vec<Head>,
    /// The symbols that each voice may have, a bit each.
    allowed: [u64; VOICES],
}

/// Reads a piece in both directions.
pub(super) struct Trunk {
    pub before: Vec<LstmCell>,
    pub after: Vec<LstmCell>,
}

/// Says what may stand at a site of a voice.
pub(super) struct Head {
    pub here: Dense,
    pub joined: Dense,
    pub symbol: Dense,
    pub straight: Option<Dense>,
}

impl Trained {
    /// Out of a model file with these settings, whose corpus has such a choir.
    ///
    /// # Errors
    /// [`ModelError`], where the file does not fit.
    pub(super) fn open(file: &ModelFile, settings: Settings, choir: &Choir) -> Result<Trained, ModelError> {
        let Settings { hidden, layers, units, separate, motions, .. } = settings;
        let cell = |name: String, layer: usize| {
            let input = if layer == 0 { READ } else { hidden };
            let make = if layer == 0 { LstmCell::sparse } else { LstmCell::new };
            layers::cell(file, &format!("{name}.{layer}"), (input, hidden), make)
        };
        let cells = |name: String| (0..layers).map(|layer| cell(name.clone(), layer)).collect::<Result<Vec<_>, _>>();
        let trunk = |trunk: usize| {
            let [before, after] = ["before", "after"].map(|way| cells(format!("trunks.{trunk}.{way}")));
            Ok::<_, ModelError>(Trunk { before: before?, after: after? })
        };
        let here = settings.features().here();
        let head = |voice: usize| {
            let name = |layer: &str| format!("heads.{voice}.{layer}");
            Ok::<_, ModelError>(Head {
                here: layers::dense(file, &name("here"), (here, units), Dense::sparse)?.with_relu(),
                joined: layers::dense(file, &name("joined"), (2 * hidden + units, units), Dense::new)?.with_relu(),
                symbol: layers::dense(file, &name("symbol"), (units, SYMBOLS), Dense::new)?,
                straight: motions
                    .then(|| layers::dense(file, &name("straight"), (here, SYMBOLS), Dense::sparse))
                    .transpose()?,
            })
        };
        let sung = choir.allowed();
        let allowed = |voice: usize| {
            let own = (sung >> (SPAN * (VOICES - 1 - voice))) as u32;
            u64::from(own) | 1 << Symbol::HOLD.index() | 1 << Symbol::REST.index()
        };
        Ok(Trained {
            trunks: (0..if separate { VOICES } else { 1 }).map(trunk).collect::<Result<_, _>>()?,
            heads: (0..VOICES).map(head).collect::<Result<_, _>>()?,
            allowed: std::array::from_fn(allowed),
            settings,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn trunks(&self) -> &[Trunk] {
        &self.trunks
    }

    pub(super) fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The symbols that a voice may have, a bit each.
    pub(super) fn allowed(&self, voice: usize) -> u64 {
        self.allowed[voice]
    }
}
