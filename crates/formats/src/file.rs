//! Files of every format, read and written through one door.

use crate::wav::{Settings, Sound};
use crate::{Format, Limits, abc, flac, midi, musicxml, npz, svg, wav};
use cantus_score::Score;
use std::io::Cursor;
use thiserror::Error;

/// A piece out of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its number in a book of several tunes; `None` where the file is one piece.
    pub number: Option<u32>,
    /// Its music, or why there is none.
    pub reading: Result<Reading, ReadError>,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The music.
    pub score: Score,
    /// What was odd, and where; at most [`Limits::max_warnings`]. Can be printed as it is.
    pub warnings: Vec<String>,
    /// How many more warnings there were.
    pub warnings_dropped: usize,
}

/// Why a file, or a piece in it, was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It is no MIDI file that can be used.
    #[error(transparent)]
    Midi(#[from] midi::MidiError),
    /// It is no MusicXML file that can be used.
    #[error(transparent)]
    MusicXml(#[from] musicxml::MusicXmlError),
    /// It is no ABC file, or no tune, that can be used.
    #[error(transparent)]
    Abc(#[from] abc::AbcError),
    /// It is sound or a picture.
    #[error("{0} files can be written, not read")]
    NotReadable(Format),
}

/// Why a score cannot become a file.
#[derive(Debug, Error)]
pub enum WriteError {
    /// MIDI cannot hold it.
    #[error(transparent)]
    Midi(#[from] midi::WriteError),
    /// MusicXML cannot hold it.
    #[error(transparent)]
    MusicXml(#[from] musicxml::WriteError),
    /// ABC cannot hold it.
    #[error(transparent)]
    Abc(#[from] abc::WriteError),
    /// It cannot be heard.
    #[error(transparent)]
    Wav(#[from] wav::WavError),
    /// It cannot be heard in a FLAC file.
    #[error(transparent)]
    Flac(#[from] flac::FlacError),
    /// It cannot be drawn.
    #[error(transparent)]
    Svg(#[from] svg::SvgError),
    /// It is too large for arrays.
    #[error(transparent)]
    Npz(#[from] npz::NpzError),
}

/// How sound and pictures are made.
#[derive(Debug)]
pub struct Rendering<'a> {
    /// What plays.
    pub sound: &'a Sound,
    /// How it is recorded.
    pub settings: Settings,
    /// What the piano roll shows.
    pub roll: svg::Roll,
}

/// The pieces in a file of this format: one, or as many as a book of tunes has.
///
/// # Errors
/// Where the file as a whole is refused; a tune that is refused says so itself ([`Piece::reading`]).
pub fn read(format: Format, bytes: &[u8], limits: &Limits) -> Result<Vec<Piece>, ReadError> {
    let one = |reading: Reading| vec![Piece { number: None, reading: Ok(reading) }];
    match format {
        Format::Midi => {
            let midi::Reading { score, warnings, warnings_dropped } = midi::read(bytes, limits)?;
            Ok(one(Reading { score, warnings: shown(&warnings), warnings_dropped }))
        }
        Format::MusicXml | Format::Mxl => {
            let musicxml::Reading { score, warnings, warnings_dropped } = musicxml::read(bytes, limits)?;
            Ok(one(Reading { score, warnings: shown(&warnings), warnings_dropped }))
        }
        Format::Abc => {
            let book = abc::read(bytes, limits)?;
            let is_one = book.tunes.len() == 1;
            let piece = |tune: abc::Tune| Piece {
                number: (!is_one).then_some(tune.number),
                reading: tune.reading.map_err(ReadError::Abc).map(|reading| {
                    let abc::Reading { score, warnings, warnings_dropped } = reading;
                    Reading { score, warnings: shown(&warnings), warnings_dropped }
                }),
            };
            Ok(book.tunes.into_iter().map(piece).collect())
        }
        Format::Wav | Format::Flac | Format::Svg | Format::Npz => Err(ReadError::NotReadable(format)),
    }
}

fn shown(warnings: &[impl ToString]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).collect()
}

/// The bytes of a file of this format.
///
/// # Errors
/// Where the format cannot hold the score; see each format's own.
pub fn write(format: Format, score: &Score, rendering: &Rendering) -> Result<Vec<u8>, WriteError> {
    let mut sound = Cursor::new(Vec::new());
    Ok(match format {
        Format::Midi => midi::write(score)?,
        Format::MusicXml => musicxml::write(score)?,
        Format::Mxl => musicxml::write_compressed(score)?,
        Format::Abc => abc::write(score)?,
        Format::Npz => npz::write(score)?,
        Format::Svg => svg::piano_roll(score, &rendering.roll)?.into_bytes(),
        Format::Wav => {
            wav::write(score, rendering.sound, &rendering.settings, &mut sound)?;
            sound.into_inner()
        }
        Format::Flac => {
            flac::write(score, rendering.sound, &rendering.settings, &mut sound)?;
            sound.into_inner()
        }
    })
}
