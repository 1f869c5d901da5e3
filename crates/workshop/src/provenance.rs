//! How a piece came to be, written into its file, so that it can be made again.

use crate::Model;
use cantus_model::{Cell, ComposeError, Given, Length, Prompt, Request, Sampling};
use cantus_score::Score;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What stands before the JSON in the text event.
const MARK: &str = "composed by cantus ";

/// A text event that says how a piece came to be: a mark, then JSON.
pub(crate) fn remark(mark: &str, origin: &impl Serialize) -> String {
    // Through `Value`, so that keys stand in order.
    let json = serde_json::to_value(origin).map(|value| value.to_string()).unwrap_or_default();
    format!("{mark}{json}")
}

/// What such a text event with this mark says; `None` where there is none.
pub(crate) fn told<T: DeserializeOwned>(mark: &str, remarks: &[String]) -> Option<T> {
    remarks.iter().find_map(|remark| serde_json::from_str(remark.strip_prefix(mark)?).ok())
}

/// All that the same bytes follow from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The program's version.
    pub version: String,
    /// What the model was called by.
    pub model: String,
    /// The SHA-256 of the model's file.
    pub model_sha256: String,
    /// The seed.
    pub seed: u64,
    /// Bars of the whole piece.
    pub bars: usize,
    /// How tokens were drawn.
    pub sampling: Sampling,
    /// Quarters a minute, where they were chosen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tempo: Option<f64>,
    /// The form asked for, as pieces of before have it; now it is one of the controls.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub form: Option<String>,
    /// What was asked for of each [`Control`](cantus_model::Control), by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub controls: BTreeMap<String, String>,
    /// The prompt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prompt: Option<PromptOrigin>,
    /// What was arranged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arrangement: Option<ArrangementOrigin>,
}

/// What was given of a piece whose rest was composed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArrangementOrigin {
    /// The SHA-256 of its file.
    pub sha256: String,
    /// The voices that were given, 0 the highest.
    pub voices: Vec<usize>,
    /// The bars that were kept, from 1.
    pub bars: Vec<(usize, usize)>,
    /// What was composed anew where all else was kept.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub again: Vec<AgainOrigin>,
    /// Whether all parts were given, and one more was written.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub joined: bool,
}

impl ArrangementOrigin {
    /// Whether the highest voice was given throughout.
    pub fn has_melody(&self) -> bool {
        let is_again = |of: &AgainOrigin| of.voice.is_none_or(|voice| voice == 0);
        match &self.again[..] {
            [] => self.voices.contains(&0),
            again => !again.iter().any(is_again),
        }
    }
}

/// What of a piece was composed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgainOrigin {
    /// The voice, 0 the highest; all of them where it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub voice: Option<usize>,
    /// The first and the last of its bars, from 1; all of them where they are left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bars: Option<(usize, usize)>,
}

/// Which prompt was continued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptOrigin {
    /// The SHA-256 of its file.
    pub sha256: String,
    /// Bars kept of it.
    pub bars: usize,
}

impl Provenance {
    /// Of a piece by `model` of which nothing else was asked for.
    pub fn new(model: &Model, seed: u64, bars: usize, sampling: Sampling) -> Provenance {
        Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: model.name.clone(),
            model_sha256: model.digest.clone(),
            seed,
            bars,
            sampling,
            tempo: None,
            form: None,
            controls: BTreeMap::new(),
            prompt: None,
            arrangement: None,
        }
    }

    /// What was asked for of controls: their names, and in which words.
    pub fn asked(&self) -> impl Iterator<Item = (&str, &str)> {
        let form = self.form.iter().map(|form| ("form", form.as_str()));
        form.chain(self.controls.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// The same as a request, of which `given` is the music that it names.
    ///
    /// # Errors
    /// [`ComposeError`], where a control cannot be read or what is kept of the music is not there.
    pub fn request(&self, given: Option<&Score>) -> Result<Request, ComposeError> {
        let mut request = Request::new(self.bars, self.sampling);
        for (name, text) in self.asked() {
            request.controls.set(name, text).map_err(|problem| ComposeError::Unreadable { problem })?;
        }
        if let (Some(PromptOrigin { bars, .. }), Some(score)) = (&self.prompt, given) {
            request.given = Some(Given::beginning(Prompt::new(&score.sounding(), *bars)?));
        } else if let (Some(ArrangementOrigin { joined: true, .. }), Some(score)) = (&self.arrangement, given) {
            request.given = Some(Given::parts(score.clone())?);
            request.length = Length::AsGiven;
        } else if let (Some(ArrangementOrigin { voices, bars, again, .. }), Some(score)) = (&self.arrangement, given)
            && !again.is_empty()
        {
            if !voices.is_empty() || !bars.is_empty() {
                let problem = "what is kept and what is composed anew are two ways to say one thing: name one of them";
                return Err(ComposeError::Unreadable { problem: problem.to_owned() });
            }
            let cell = |of: &AgainOrigin| Cell { voice: of.voice, bars: of.bars.map(|(first, last)| first..=last) };
            request.given = Some(Given::except(score.clone(), again.iter().map(cell).collect())?);
            request.length = Length::AsGiven;
        } else if let (Some(ArrangementOrigin { voices, bars, .. }), Some(score)) = (&self.arrangement, given) {
            let voices = voices.iter().map(|voice| Cell::voice(*voice));
            let bars = bars.iter().map(|(first, last)| Cell::bars(*first..=*last));
            request.given = Some(Given::new(score.clone(), voices.chain(bars).collect())?);
            request.length = Length::AsGiven;
        }
        Ok(request)
    }

    /// The text event.
    pub fn to_remark(&self) -> String {
        remark(MARK, self)
    }

    /// Whether a text event is one of these.
    pub fn is_remark(remark: &str) -> bool {
        remark.starts_with(MARK)
    }

    /// Read out of a piece's text events; `None` where it was not composed by this program.
    pub fn find(remarks: &[String]) -> Option<Provenance> {
        told(MARK, remarks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_again() {
        let origin = Provenance {
            version: "0.1.0".into(),
            model: "hymns".into(),
            model_sha256: "ab".into(),
            seed: 7,
            bars: 32,
            sampling: Sampling { temperature: 0.95, top_k: 3, top_p: 0.9 },
            tempo: Some(96.0),
            form: Some("AABA".into()),
            controls: [("key".to_owned(), "D minor".to_owned())].into(),
            prompt: Some(PromptOrigin { sha256: "cd".into(), bars: 4 }),
            arrangement: Some(ArrangementOrigin {
                sha256: "ef".into(),
                voices: vec![0],
                bars: vec![(1, 4)],
                again: vec![AgainOrigin { voice: Some(1), bars: Some((5, 8)) }],
                joined: false,
            }),
        };
        let remarks = ["something else".to_owned(), origin.to_remark()];
        assert_eq!(Provenance::find(&remarks), Some(origin));
        assert_eq!(Provenance::find(&["composed by cantus {".to_owned()]), None);
    }
}
