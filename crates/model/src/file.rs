//! The model file: one safetensors file, all metadata under the one key `cantus` as canonical JSON.
//!
//! Canonical: object keys in alphabetical order, no blanks. (safetensors writes several metadata keys in random order, so there is
//! only one.) Nothing in a file is executed, sizes are checked before anything is allocated, and a newer format is refused by name.

use cantus_encoding::VocabularyError;
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

use crate::{Baseline, Habits, Likelihood, Sampling, Settings};

/// The newest format that this program reads and the one that it writes.
pub const FORMAT_VERSION: u32 = 1;

const METADATA_KEY: &str = "cantus";

/// A tensor of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorData {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, the last axis running fastest.
    pub values: Vec<f32>,
}

/// Where a model's music comes from, and what may be done with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorpusCard {
    /// Its name.
    pub name: String,
    /// Hash over the pieces' content hashes.
    pub fingerprint: String,
    /// Pieces learnt from.
    pub train_pieces: usize,
    /// Pieces judged by.
    pub valid_pieces: usize,
    /// Length of all pieces, in quarter notes.
    pub quarters: f64,
    /// How its pieces were read, by the name of a [`Reading`](cantus_score::Reading); nothing where they were merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<String>,
    /// Steps of the grid to a quarter note; nothing where they were merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<u32>,
    /// The styles that can be told apart: its folders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub styles: Vec<String>,
    /// The licence under which the music may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Whom to thank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<String>,
}

/// A model that a training went on from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// What it was called by.
    pub name: String,
    /// The SHA-256 of its file.
    pub sha256: String,
    /// What it was trained on.
    pub corpus: CorpusCard,
    /// What of that music a composition can be held against.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub originality: Option<serde_json::Value>,
}

impl Origin {
    /// What a model that goes on from `base` says of where it comes from, the nearest first.
    pub fn of(name: &str, sha256: &str, base: &Header) -> Vec<Origin> {
        let nearest = Origin {
            name: name.to_owned(),
            sha256: sha256.to_owned(),
            corpus: base.corpus.clone(),
            originality: base.originality.clone(),
        };
        std::iter::once(nearest).chain(base.origins.iter().cloned()).collect()
    }
}

/// How a model came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSummary {
    /// Epochs done when these parameters were best.
    pub epoch: u64,
    /// Optimiser steps done by then.
    pub steps: u64,
    /// The seed.
    pub seed: u64,
    /// On the validation pieces.
    pub validation: Likelihood,
    /// Counting models on the same tokens.
    pub baselines: Vec<Baseline>,
}

/// A model's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT_VERSION`] when it was written.
    pub format: u32,
    /// The composer's id.
    pub composer: String,
    /// The composer's version.
    pub composer_version: u32,
    /// The composer's settings.
    pub settings: Settings,
    /// The encoding's name and vocabulary.
    pub encoding: serde_json::Value,
    /// What it was trained on.
    pub corpus: CorpusCard,
    /// The models that it went on from, the nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub origins: Vec<Origin>,
    /// How it was trained.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub training: Option<TrainingSummary>,
    /// What of the training music a composition can be held against: a digest of its melodies, as JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub originality: Option<serde_json::Value>,
    /// What a listener keeps of the training music, so that compositions can be ordered by how like it they are, as JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub listener: Option<serde_json::Value>,
    /// What the training pieces have of tempos, metres and keys; models of older programs do not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub habits: Option<Habits>,
    /// Below this temperature it repeats itself: where nothing else is asked for, it composes at this one at least.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub temperature_floor: Option<f64>,
    /// The program that wrote it.
    pub created_by: String,
    /// In checkpoints: what a training needs to go on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<serde_json::Value>,
}

impl Header {
    /// Of a model of whoever has such an id and version, of which nothing more is known.
    pub fn new((id, version): (&str, u32), settings: Settings, encoding: serde_json::Value) -> Header {
        Header {
            format: FORMAT_VERSION,
            composer: id.to_owned(),
            composer_version: version,
            settings,
            encoding,
            corpus: CorpusCard::default(),
            origins: Vec::new(),
            training: None,
            originality: None,
            listener: None,
            habits: None,
            temperature_floor: None,
            created_by: concat!("cantus ", env!("CARGO_PKG_VERSION")).to_owned(),
            state: None,
        }
    }

    /// Whether it was written by this version of its composer.
    ///
    /// # Errors
    /// [`ModelError::ComposerVersion`].
    pub fn check_version(&self, expected: u32) -> Result<(), ModelError> {
        if self.composer_version == expected {
            return Ok(());
        }
        Err(ModelError::ComposerVersion {
            composer: self.composer.clone(),
            found: self.composer_version,
            expected,
            created_by: self.created_by.clone(),
        })
    }

    /// How the model draws where nothing else is asked for: as its `composer` would, but never colder than [`Header::temperature_floor`].
    pub fn usual_sampling(&self, composer: Sampling) -> Sampling {
        let floor = self.temperature_floor.filter(|floor| floor.is_finite()).unwrap_or(0.0);
        Sampling { temperature: composer.temperature.max(floor), ..composer }
    }
}

/// How a file stores its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    Full,
    /// Rounded to 16 bits: half the size.
    Half,
}

/// A model: metadata and parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// The metadata.
    pub header: Header,
    /// Parameters by name.
    pub tensors: BTreeMap<String, TensorData>,
}

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No safetensors file, or a damaged one.
    #[error("this is no model file, or it is damaged ({problem}); copy or train it again")]
    Damaged {
        /// What the reader says.
        problem: String,
    },
    /// A safetensors file of something else.
    #[error("this safetensors file was not written by cantus (it has no `{METADATA_KEY}` metadata)")]
    Foreign,
    /// Written by a newer program.
    #[error("this model has format {found} and this program reads up to {FORMAT_VERSION}: update cantus to use it")]
    NewerFormat {
        /// The file's format.
        found: u64,
    },
    /// The composer has changed since.
    #[error(
        "this model was made for version {found} of composer {composer}, and this program has version {expected}: train it again, or use the program that made it ({created_by})"
    )]
    ComposerVersion {
        /// The composer.
        composer: String,
        /// The file's.
        found: u32,
        /// The program's.
        expected: u32,
        /// Who wrote the file.
        created_by: String,
    },
    /// No such composer.
    #[error(
        "this model is for composer `{composer}`, which this program does not have (written by {created_by}); `cantus composers` lists those it has"
    )]
    UnknownComposer {
        /// The composer.
        composer: String,
        /// Who wrote the file.
        created_by: String,
    },
    /// A model that plays what is written.
    #[error("this model plays scores and composes nothing: `cantus perform -m MODEL SCORE` uses it")]
    Performer,
    /// A model that composes where one is needed that plays.
    #[error(
        "this model is for composer `{composer}`, which writes notes and plays none: name a model made by `cantus perform --train`"
    )]
    NoPerformer {
        /// The composer.
        composer: String,
    },
    /// A model that hears what is wrong with a piece.
    #[error("this model hears where music is broken and composes nothing: `cantus listen -m MODEL FILE` uses it")]
    Proofreader,
    /// A model that composes or plays where one is needed that hears.
    #[error(
        "this model is for `{composer}`, which does not hear where music is broken: name a model made by `cantus listen --train`"
    )]
    NoProofreader {
        /// What the model is for.
        composer: String,
    },
    /// A parameter is missing or has another shape.
    #[error(
        "parameter {name}: expected shape {expected:?}, found {found:?}; the file is damaged or was made by other settings"
    )]
    Shape {
        /// The parameter.
        name: String,
        /// What the settings ask for.
        expected: Vec<usize>,
        /// What the file holds; `None` where it is missing.
        found: Option<Vec<usize>>,
    },
    /// A parameter is not a number.
    #[error("parameter {name} holds numbers that are not finite: its training has failed; train it again")]
    NotFinite {
        /// The parameter.
        name: String,
    },
    /// The metadata does not say what it must.
    #[error("the model's metadata are damaged: {problem}")]
    Metadata {
        /// What is wrong.
        problem: String,
    },
    /// The vocabulary does not hold together.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// A model whose vocabulary is another one.
    #[error(
        "a model of the composer {composer} goes on only with music that has its vocabulary: the two differ in {what}; train on this music from the beginning, without --from"
    )]
    OtherVocabulary {
        /// The composer.
        composer: &'static str,
        /// In what.
        what: String,
    },
    /// A checkpoint of another training.
    #[error(
        "the checkpoint does not belong to this training: its {what} differs; start a new run, or give the corpus and settings that the run began with"
    )]
    OtherTraining {
        /// What differs.
        what: &'static str,
    },
}

/// Name, shape and bytes of a tensor.
type Stored<'a> = (&'a str, &'a [usize], Vec<u8>);

impl ModelFile {
    /// A parameter by name and shape.
    ///
    /// # Errors
    /// [`ModelError::Shape`], where it is missing or has another shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<&[f32], ModelError> {
        match self.tensors.get(name) {
            Some(tensor) if tensor.shape == shape => Ok(&tensor.values),
            found => Err(ModelError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: found.map(|tensor| tensor.shape.clone()),
            }),
        }
    }

    /// The file's bytes. The same model gives the same bytes.
    ///
    /// # Errors
    /// [`ModelError::Metadata`], where the metadata cannot be said in JSON (a figure that is no number).
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>, ModelError> {
        let metadata = |problem: &dyn std::fmt::Display| ModelError::Metadata { problem: problem.to_string() };
        // Through `Value`, whose objects keep their keys in order.
        let header = serde_json::to_value(&self.header).map_err(|e| metadata(&e))?.to_string();
        let (dtype, stored) = match precision {
            Precision::Full => (Dtype::F32, self.stored(|x| x.to_le_bytes())),
            Precision::Half => (Dtype::F16, self.stored(|x| f16::from_f32(x).to_le_bytes())),
        };
        let views = stored
            .iter()
            .map(|(name, shape, bytes)| Ok((*name, TensorView::new(dtype, shape.to_vec(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| metadata(&e))?;
        let tags = HashMap::from([(METADATA_KEY.to_owned(), header)]);
        safetensors::serialize(views, Some(tags)).map_err(|e| metadata(&e))
    }

    fn stored<const N: usize>(&self, bytes: impl Fn(f32) -> [u8; N]) -> Vec<Stored<'_>> {
        let stored = |tensor: &TensorData| tensor.values.iter().flat_map(|x| bytes(*x)).collect();
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice(), stored(tensor))).collect()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ModelError`]: damaged, foreign, newer, not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<ModelFile, ModelError> {
        let header = Header::from_bytes(bytes)?;
        let damaged = |e: &dyn std::fmt::Display| ModelError::Damaged { problem: e.to_string() };
        let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let values: Vec<f32> = match view.dtype() {
                Dtype::F32 => {
                    view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
                }
                Dtype::F16 => view.data().chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
                other => return Err(damaged(&format!("{name} has type {other:?}"))),
            };
            if values.iter().any(|x| !x.is_finite()) {
                return Err(ModelError::NotFinite { name });
            }
            tensors.insert(name, TensorData { shape: view.shape().to_vec(), values });
        }
        Ok(ModelFile { header, tensors })
    }
}

impl Header {
    /// The header of a file, without its tensors.
    ///
    /// # Errors
    /// [`ModelError`]: not a model of ours, a newer format, or metadata that cannot be read.
    pub fn from_bytes(bytes: &[u8]) -> Result<Header, ModelError> {
        let damaged = |e| ModelError::Damaged { problem: format!("{e}") };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let text = metadata.metadata().as_ref().and_then(|tags| tags.get(METADATA_KEY)).ok_or(ModelError::Foreign)?;
        let problem = |e: serde_json::Error| ModelError::Metadata { problem: e.to_string() };
        let value: serde_json::Value = serde_json::from_str(text).map_err(problem)?;
        // Before anything else is understood: a newer format may mean anything by its fields.
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(FORMAT_VERSION) => return Err(ModelError::NewerFormat { found }),
            Some(_) => {}
            None => return Err(ModelError::Metadata { problem: "no format is named".to_owned() }),
        }
        serde_json::from_value(value).map_err(problem)
    }
}

/// The SHA-256 of a file's bytes, in hexadecimal: a model's name that nobody can forge.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> ModelFile {
        let header = Header {
            format: FORMAT_VERSION,
            composer: "test".into(),
            composer_version: 1,
            settings: serde_json::json!({"b": 1, "a": 2}),
            encoding: serde_json::json!({}),
            corpus: CorpusCard::default(),
            origins: Vec::new(),
            training: None,
            originality: None,
            listener: None,
            habits: None,
            temperature_floor: None,
            created_by: "cantus test".into(),
            state: None,
        };
        let tensor = |values: &[f32]| TensorData { shape: vec![values.len()], values: values.to_vec() };
        let tensors = BTreeMap::from([("z".to_owned(), tensor(&[0.1, -3e5])), ("a".to_owned(), tensor(&[1.0]))]);
        ModelFile { header, tensors }
    }

    #[test]
    fn what_is_written_is_read_and_written_the_same_again() {
        let bytes = model().to_bytes(Precision::Full).unwrap();
        assert_eq!(ModelFile::from_bytes(&bytes).unwrap(), model());
        assert_eq!(model().to_bytes(Precision::Full).unwrap(), bytes);
        let half = model().to_bytes(Precision::Half).unwrap();
        assert!(half.len() < bytes.len());
    }

    #[test]
    fn rounding_to_half_keeps_small_numbers_and_refuses_what_overflows() {
        let mut small = model();
        small.tensors.get_mut("z").unwrap().values[1] = 0.5;
        let read = ModelFile::from_bytes(&small.to_bytes(Precision::Half).unwrap()).unwrap();
        assert!((read.tensors["z"].values[0] - 0.1).abs() < 1e-4);
        let overflown = model().to_bytes(Precision::Half).unwrap();
        assert!(matches!(ModelFile::from_bytes(&overflown), Err(ModelError::NotFinite { .. })));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = model().to_bytes(Precision::Full).unwrap();
        for length in 0..bytes.len() {
            assert!(ModelFile::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn newer_and_foreign_files_are_refused_by_name() {
        let mut newer = model();
        newer.header.format = 9;
        let bytes = newer.to_bytes(Precision::Full).unwrap();
        assert!(matches!(ModelFile::from_bytes(&bytes), Err(ModelError::NewerFormat { found: 9 })));
        let none: Vec<(&str, TensorView<'_>)> = Vec::new();
        let foreign = safetensors::serialize(none, None).unwrap();
        assert!(matches!(ModelFile::from_bytes(&foreign), Err(ModelError::Foreign)));
    }

    #[test]
    fn wrong_shapes_name_the_parameter() {
        let error = model().tensor("z", &[3]).unwrap_err().to_string();
        assert!(error.contains("parameter z") && error.contains("[3]") && error.contains("[2]"), "{error}");
    }
}
