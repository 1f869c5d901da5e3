//! All composers. Everything outside of this crate reaches them through here.

use crate::{chorale, lstm, lstm_frames, memory, notes, octave, rnn_rbm};
use cantus_model::{Composer, ComposerSpec, ModelError, ModelFile};

/// The composers; the first is the default.
pub static COMPOSERS: &[&ComposerSpec] =
    &[&lstm::SPEC, &octave::SPEC, &lstm_frames::SPEC, &rnn_rbm::SPEC, &memory::SPEC, &chorale::SPEC, &notes::SPEC];

/// The composer that is used where none is named.
pub fn default() -> &'static ComposerSpec {
    COMPOSERS[0]
}

/// The composer of a name.
pub fn find(id: &str) -> Option<&'static ComposerSpec> {
    COMPOSERS.iter().copied().find(|spec| spec.id == id)
}

/// The composer that a model file is for.
///
/// # Errors
/// [`ModelError`]: unknown composer, another version of it, or a file that does not fit.
pub fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
    let header = &file.header;
    let spec = find(&header.composer).ok_or_else(|| ModelError::UnknownComposer {
        composer: header.composer.clone(),
        created_by: header.created_by.clone(),
    })?;
    if header.composer_version != spec.version {
        return Err(ModelError::ComposerVersion {
            composer: header.composer.clone(),
            found: header.composer_version,
            expected: spec.version,
            created_by: header.created_by.clone(),
        });
    }
    (spec.load)(file)
}
