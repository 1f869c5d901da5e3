//! Which format a file's name asks for.

use std::fmt;
use std::path::Path;
use thiserror::Error;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A standard MIDI file: read and written.
    Midi,
    /// A MusicXML document: read and written.
    MusicXml,
    /// A compressed MusicXML document: read and written.
    Mxl,
    /// Tunes in ABC notation: read and written.
    Abc,
    /// Sound: written.
    Wav,
    /// Sound without loss, smaller: written.
    Flac,
    /// A picture of a piano roll: written.
    Svg,
    /// A piano roll as arrays for NumPy: written.
    Npz,
}

/// Extensions with their formats, those that are read first.
const EXTENSIONS: [(&str, Format); 12] = [
    ("mid", Format::Midi),
    ("midi", Format::Midi),
    ("kar", Format::Midi),
    ("rmi", Format::Midi),
    ("musicxml", Format::MusicXml),
    ("xml", Format::MusicXml),
    ("mxl", Format::Mxl),
    ("abc", Format::Abc),
    ("wav", Format::Wav),
    ("flac", Format::Flac),
    ("svg", Format::Svg),
    ("npz", Format::Npz),
];

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

const READ: &str = ".mid, .midi, .kar, .rmi, .musicxml, .xml, .mxl and .abc";
const WRITTEN: &str = ".mid, .musicxml, .mxl, .abc, .wav, .flac, .svg and .npz";

impl Format {
    /// The format of a file that is to be written, by its extension, whatever its case.
    ///
    /// # Errors
    /// [`FormatError::Unknown`], which lists the extensions.
    pub fn from_path(path: &Path) -> Result<Format, FormatError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        let found = EXTENSIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
        found.map(|(_, format)| *format).ok_or_else(|| FormatError::Unknown { name: printable(path) })
    }

    /// Whether its files are heard.
    pub fn is_sound(self) -> bool {
        matches!(self, Format::Wav | Format::Flac)
    }

    /// The format of a file that is to be read.
    ///
    /// # Errors
    /// Where the extension is unknown, or one that can only be written.
    pub fn to_read(path: &Path) -> Result<Format, FormatError> {
        let format = Format::from_path(path)?;
        if format.is_readable() { Ok(format) } else { Err(FormatError::NotReadable { name: printable(path) }) }
    }

    /// The usual extension of its files, in lower case.
    pub fn extension(self) -> &'static str {
        EXTENSIONS.iter().find(|(_, format)| *format == self).map_or("", |(extension, _)| extension)
    }

    /// Whether files of this format can be read.
    pub fn is_readable(self) -> bool {
        matches!(self, Format::Midi | Format::MusicXml | Format::Mxl | Format::Abc)
    }

    /// The extensions of files that can be read, in lower case.
    pub fn extensions_read() -> impl Iterator<Item = &'static str> {
        EXTENSIONS.iter().filter(|(_, format)| format.is_readable()).map(|(extension, _)| *extension)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Format::Midi => "MIDI",
            Format::MusicXml => "MusicXML",
            Format::Mxl => "compressed MusicXML",
            Format::Abc => "ABC",
            Format::Wav => "WAV",
            Format::Flac => "FLAC",
            Format::Svg => "SVG",
            Format::Npz => "NumPy",
        })
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
            ("x.musicxml", Format::MusicXml),
            ("x.XML", Format::MusicXml),
            ("x.mxl", Format::Mxl),
            ("x.abc", Format::Abc),
            ("x.wav", Format::Wav),
            ("x.flac", Format::Flac),
            ("x.y.SVG", Format::Svg),
        ] {
            assert_eq!(Format::from_path(Path::new(name)), Ok(format), "{name}");
        }
    }

    #[test]
    fn the_usual_extension_asks_for_its_format() {
        for (_, format) in EXTENSIONS {
            assert_eq!(Format::from_path(Path::new(&format!("a.{}", format.extension()))), Ok(format));
        }
    }

    #[test]
    fn other_names_are_refused_with_the_list() {
        for name in ["", "mid", ".mid", "x.mp3", "x.", "x\u{1b}.m"] {
            let message = Format::from_path(Path::new(name)).expect_err(name).to_string();
            assert!(message.contains(".kar") && message.contains(".wav"), "{message}");
            assert!(!message.contains(char::is_control), "{message:?}");
        }
        for name in ["x.wav", "x.flac", "x.svg"] {
            let error = Format::to_read(Path::new(name)).expect_err("only written");
            assert_eq!(error, FormatError::NotReadable { name: name.to_owned() });
        }
    }

    #[test]
    fn the_messages_name_every_extension_that_is_read() {
        let named: Vec<&str> = READ.split([' ', ',']).filter_map(|word| word.strip_prefix('.')).collect();
        assert_eq!(named, Format::extensions_read().collect::<Vec<_>>());
    }
}
