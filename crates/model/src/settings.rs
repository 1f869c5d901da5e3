//! Settings that all composers of a family share, and those of one composer, in one list.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A composer's settings, as JSON: a named configuration with a person's changes on top.
pub type Settings = serde_json::Value;

/// Settings of a composer that shares them with no family.
pub trait CheckedSettings: Serialize + DeserializeOwned {
    /// Whether they make sense.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self) -> Result<(), String>;

    /// Out of a list.
    ///
    /// # Errors
    /// What is wrong.
    fn read(settings: &Settings) -> Result<Self, String> {
        let read: Self = serde_json::from_value(settings.clone()).map_err(|error| error.to_string())?;
        read.check()?;
        Ok(read)
    }

    /// As a list again.
    fn write(&self) -> Settings {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The shared settings and a composer's own; each key belongs to one of the two.
pub(crate) fn divide<Shared, Own>(settings: &Settings) -> Result<(Shared, Own), String>
where
    Shared: Default + Serialize + DeserializeOwned,
    Own: DeserializeOwned,
{
    let list = settings.as_object().ok_or_else(|| format!("invalid settings: {settings} is no list of settings"))?;
    let known = serde_json::to_value(Shared::default()).unwrap_or_default();
    let (shared, own): (serde_json::Map<_, _>, _) =
        list.clone().into_iter().partition(|(key, _)| known.get(key).is_some());
    let shared = serde_json::from_value(shared.into()).map_err(|e| e.to_string())?;
    let own = serde_json::from_value(own.into()).map_err(|e| e.to_string())?;
    Ok((shared, own))
}

/// Both as one list again.
pub(crate) fn joined(shared: &impl Serialize, own: &impl Serialize) -> Settings {
    let (mut all, own) =
        (serde_json::to_value(shared).unwrap_or_default(), serde_json::to_value(own).unwrap_or_default());
    if let (Some(all), serde_json::Value::Object(mut own)) = (all.as_object_mut(), own) {
        all.append(&mut own);
    }
    all
}
