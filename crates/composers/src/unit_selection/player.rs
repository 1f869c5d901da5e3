//! Judging, and what a trained network says of itself. Composing is in `writing.rs`.

use super::library::Tune;
use super::model::{CANDIDATES, Model, figures};
use super::settings::Settings;
use super::{SAMPLING, SPEC};
use cantus_model::melodies::Beginning;
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Judge, Judgement, Kind, ModelError, ModelFile, Moment, Progress,
    Rank, Request, Rng, Sampling,
};
use cantus_score::{Pitch, Score, Ticks};

/// What is judged, in words.
pub(super) fn protocol(settings: &Settings) -> String {
    format!(
        "the next unit of {} bars among {CANDIDATES}: itself, and others of the library in the same key and metre, drawn by the piece's own notes; key, bars \
         and length are given; mean over units. No likelihood of notes",
        settings.bars
    )
}

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) model: Model,
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { model: Model::load(file)? })
    }
}

impl Judge for Player {
    fn kind(&self) -> Kind {
        Kind::Ranking
    }

    fn protocol(&self) -> String {
        protocol(&self.model.settings)
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let model = &self.model;
        let tune = Tune::of("", piece, model.grid);
        let ranked = model.rank(&tune);
        let at = |step: usize| Ticks(step as u64).rescale(model.grid, piece.ticks_per_quarter);
        Judgement {
            figures: figures(tune.quarters, &ranked),
            moments: ranked.iter().map(|found| Moment { at: at(found.step), nats: found.nats }).collect(),
            is_adjusted: !model.melodies.knows(&cantus_encoding::melody_steps::MelodySteps::of(piece, model.grid)),
        }
    }

    fn ranks(&self, piece: &Score) -> Vec<Rank> {
        let ranked = self.model.rank(&Tune::of("", piece, self.model.grid));
        ranked.into_iter().map(|found| Rank { rank: found.rank, is_new: found.is_new }).collect()
    }
}

impl Composer for Player {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        SAMPLING
    }

    fn describe(&self) -> Vec<(String, String)> {
        let Model { settings, melodies, library, parameters, .. } = &self.model;
        let Settings { bars, coder, embedding, hidden, .. } = settings;
        let (low, high) = melodies.range;
        let pitch = |key: u8| Pitch::try_from(key).map_or_else(|_| String::new(), |key| key.to_string());
        let (units, tunes) = (library.units.len(), library.tunes.len());
        [
            (
                "network",
                format!(
                    "an autoencoder {coder}-{embedding}-{coder}, an LSTM layer of {hidden}, {parameters} parameters"
                ),
            ),
            (
                "library",
                format!("{units} different units of {bars} bars, out of {tunes} pieces; its music is made of these, and this file holds their melodies"),
            ),
            ("grid", format!("{} steps to a quarter note", self.model.grid.get())),
            ("pitches", format!("{} to {}", pitch(low), pitch(high))),
            ("metres", melodies.meters.iter().map(String::as_str).collect::<Vec<_>>().join(" ")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn quotes(&self) -> bool {
        true
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        let opening = Beginning::of(request, &self.model.melodies, self.model.grid);
        self.write(&opening, request, rng, progress)
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }
}
