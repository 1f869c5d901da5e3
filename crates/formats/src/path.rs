//! Which format a file's name asks for.

use std::path::Path;
use thiserror::Error;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A standard MIDI file: read and written.
    Midi,
    /// Sound: written.
    Wav,
    /// A picture of a piano roll: written.
    Svg,
}

/// A name without an extension that says what to do with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The extension is unknown, or missing.
    #[error("`{name}` has no known extension: Cantus reads {READ} and writes {WRITTEN}")]
    Unknown {
        /// The file's name, control characters escaped.
        name: String,
    },
    /// The format can be written, not read.
    #[error("`{name}` cannot be read, only written: Cantus reads {READ}")]
    NotReadable {
        /// The file's name, control characters escaped.
        name: String,
    },
}

const READ: &str = ".mid, .midi, .kar and .rmi";
const WRITTEN: &str = ".mid (or .midi), .wav and .svg";

impl Format {
    /// The format of a file that is to be written, by its extension, whatever its case.
    ///
    /// # Errors
    /// [`FormatError::Unknown`], which lists the extensions.
    pub fn from_path(path: &Path) -> Result<Format, FormatError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("").to_ascii_lowercase();
        match extension.as_str() {
            "mid" | "midi" | "kar" | "rmi" => Ok(Format::Midi),
            "wav" => Ok(Format::Wav),
            "svg" => Ok(Format::Svg),
            _ => Err(FormatError::Unknown { name: printable(path) }),
        }
    }

    /// The format of a file that is to be read.
    ///
    /// # Errors
    /// Where the extension is unknown, or one that can only be written.
    pub fn to_read(path: &Path) -> Result<Format, FormatError> {
        match Format::from_path(path)? {
            Format::Midi => Ok(Format::Midi),
            Format::Wav | Format::Svg => Err(FormatError::NotReadable { name: printable(path) }),
        }
    }
}

fn printable(path: &Path) -> String {
    path.to_string_lossy()
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_in_any_case_are_known() {
        for (name, format) in [
            ("a.mid", Format::Midi),
            ("A.MID", Format::Midi),
            ("b/c.MiDi", Format::Midi),
            ("song.kar", Format::Midi),
            ("x.rmi", Format::Midi),
            ("x.wav", Format::Wav),
            ("x.y.SVG", Format::Svg),
        ] {
            assert_eq!(Format::from_path(Path::new(name)), Ok(format), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused_with_the_list() {
        for name in ["", "mid", ".mid", "x.mp3", "x.", "x\u{1b}.m"] {
            let message = Format::from_path(Path::new(name)).expect_err(name).to_string();
            assert!(message.contains(".kar") && message.contains(".wav"), "{message}");
            assert!(!message.contains(char::is_control), "{message:?}");
        }
        let error = Format::to_read(Path::new("x.wav")).expect_err("only written");
        assert_eq!(error, FormatError::NotReadable { name: "x.wav".to_owned() });
    }
}
