//! All composers. Everything outside of this crate reaches them through here.

use crate::{
    abc_rnn, accompany, bachprop, balstm, chorale, deepbach, drum_and_bass, gan, hrnn, lead_sheet, lstm, lstm_frames,
    memory, muse_gan, music_vae, note_or_step, notes, octave, patterns, performance_rnn, performing, proofreading,
    rnn_dbn, rnn_rbm, song_from_pi, unit_selection,
};
use cantus_model::latent::{Ability, Latent};
use cantus_model::{ComposeError, Composer, ComposerSpec, Composition, ModelError, ModelFile, Progress, Request, Rng};

/// The composers; the first is the default.
pub static COMPOSERS: &[&ComposerSpec] = &[
    &notes::SPEC,
    &lstm::SPEC,
    &octave::SPEC,
    &lstm_frames::SPEC,
    &rnn_rbm::SPEC,
    &rnn_dbn::SPEC,
    &balstm::SPEC,
    &memory::SPEC,
    &chorale::SPEC,
    &deepbach::SPEC,
    &performance_rnn::SPEC,
    &accompany::SPEC,
    &drum_and_bass::SPEC,
    &lead_sheet::SPEC,
    &song_from_pi::SPEC,
    &abc_rnn::SPEC,
    &note_or_step::SPEC,
    &music_vae::SPEC,
    &bachprop::SPEC,
    &hrnn::SPEC,
    &unit_selection::SPEC,
    &muse_gan::SPEC,
    &gan::SPEC,
    &patterns::SPEC,
];

/// A composer in one of its configurations, by its name.
pub type Choice = (&'static ComposerSpec, &'static str);

/// The composer that is used where none is named.
pub fn default() -> &'static ComposerSpec {
    COMPOSERS[0]
}

/// The composer of a name.
pub fn find(id: &str) -> Option<&'static ComposerSpec> {
    COMPOSERS.iter().copied().find(|spec| spec.id == id)
}

/// A composer and one of its configurations, by `NAME` or `NAME:CONFIGURATION`; without one, its first.
///
/// # Errors
/// [`NoComposer`], with the names that there are.
pub fn choose(name: &str) -> Result<Choice, NoComposer> {
    let (id, configuration) = name.split_once(':').unwrap_or((name, ""));
    let spec = find(id).ok_or_else(|| NoComposer::Id { id: id.to_owned() })?;
    let found = spec.configurations.iter().find(|known| configuration.is_empty() || known.name == configuration);
    let unknown = || NoComposer::Configuration { spec, configuration: configuration.to_owned() };
    Ok((spec, found.ok_or_else(unknown)?.name))
}

/// A name that is no composer's.
#[derive(Debug, thiserror::Error)]
pub enum NoComposer {
    /// There is no such composer.
    #[error("there is no composer `{id}`; there are: {}", list(COMPOSERS.iter().map(|spec| spec.id)))]
    Id {
        /// What was asked for.
        id: String,
    },
    /// It has no such configuration.
    #[error(
        "composer `{}` has no configuration `{configuration}`; it has: {}",
        spec.id, list(spec.configurations.iter().map(|known| known.name))
    )]
    Configuration {
        /// The composer.
        spec: &'static ComposerSpec,
        /// What was asked for.
        configuration: String,
    },
}

impl NoComposer {
    /// Whether it was to be a configuration of a composer that needs no model.
    pub fn is_of_rules(&self) -> bool {
        matches!(self, NoComposer::Configuration { spec, .. } if spec.create.is_none())
    }
}

fn list(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// Whether a composer can do what is asked for.
///
/// # Errors
/// [`ComposeError`]; where it cannot, those that can are named.
pub fn check(composer: &dyn Composer, request: &Request) -> Result<(), ComposeError> {
    request.check(composer, COMPOSERS)
}

/// The pieces of these generators, as they are asked for: the one door to all composers.
///
/// # Errors
/// [`ComposeError`]; where this composer cannot do what is asked for, those that can are named.
pub fn compose(
    composer: &dyn Composer,
    request: &Request,
    rngs: &mut [Rng],
    progress: Progress<'_>,
) -> Result<Vec<Composition>, ComposeError> {
    check(composer, request)?;
    let composed = composer.compose_all(request, rngs, progress)?;
    let cut = |composition: Composition| Composition { score: request.cut(composition.score), ..composition };
    Ok(composed.into_iter().map(cut).collect())
}

/// The codes of a composer, for what is to be done with them: the one door to all blending and varying.
///
/// # Errors
/// [`ComposeError::NoCode`], naming the composers that can.
pub fn latent(composer: &dyn Composer, ability: Ability) -> Result<&dyn Latent, ComposeError> {
    let spec = composer.spec();
    let found = composer.latent().filter(|_| spec.abilities.contains(&ability));
    found.ok_or_else(|| ComposeError::NoCode {
        composer: spec.id,
        what: ability.verb(),
        able: list(COMPOSERS.iter().filter(|spec| spec.abilities.contains(&ability)).map(|spec| spec.id)),
    })
}

/// The composer that a model file is for.
///
/// # Errors
/// [`ModelError`]: unknown composer, another version of it, or a file that does not fit.
pub fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
    let header = &file.header;
    if header.composer == performing::ID {
        return Err(ModelError::Performer);
    }
    if header.composer == proofreading::ID {
        return Err(ModelError::Proofreader);
    }
    let spec = find(&header.composer).ok_or_else(|| ModelError::UnknownComposer {
        composer: header.composer.clone(),
        created_by: header.created_by.clone(),
    })?;
    header.check_version(spec.version)?;
    (spec.load)(file)
}
