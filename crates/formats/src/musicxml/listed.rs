//! What the list of parts says about each.

use super::document::Element;
use super::drum_names::drum_named;
use cantus_score::{Pitch, Program};

/// A part's entry.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    pub name: Option<String>,
    /// Never empty: the first is meant where a note names none.
    pub instruments: Vec<Instrument>,
}

/// One of its instruments: a `score-instrument` with its `midi-device` and `midi-instrument`.
#[derive(Clone, Debug, Default)]
pub struct Instrument {
    pub id: String,
    pub name: Option<String>,
    pub port: Option<u8>,
    pub channel: Option<u8>,
    pub program: Option<Program>,
    /// The key that it is on a drum kit.
    pub drum: Option<Pitch>,
    /// The key that its name speaks of: for what is unpitched and has no other.
    pub named_drum: Option<Pitch>,
}

impl Listed {
    /// An entry that says nothing.
    pub fn unknown() -> Listed {
        Listed { name: None, instruments: vec![Instrument::default()] }
    }

    pub fn read(element: &Element) -> Listed {
        let mut listed = Listed { name: element.text_of("part-name").and_then(one_line), instruments: Vec::new() };
        for child in &element.children {
            match child.name.as_str() {
                "score-instrument" => {
                    let name = child.text_of("instrument-name").and_then(one_line);
                    listed.instrument(child).name = name;
                }
                "midi-device" => {
                    let port = child.attribute("port").and_then(|port| port.parse::<u16>().ok());
                    let port = port.and_then(|port| u8::try_from(port.checked_sub(1)?).ok());
                    // Without an id it is the device of the whole part.
                    match child.attribute("id") {
                        Some(_) => listed.instrument(child).port = port,
                        None => listed.instruments.iter_mut().for_each(|instrument| instrument.port = port),
                    }
                }
                "midi-instrument" => {
                    let instrument = listed.instrument(child);
                    instrument.channel = from_one(child.text_of("midi-channel"), 16).or(instrument.channel);
                    let program = from_one(child.text_of("midi-program"), 128).and_then(Program::new);
                    instrument.program = program.or(instrument.program);
                    let drum = from_one(child.text_of("midi-unpitched"), 128);
                    instrument.drum = drum.and_then(|key| Pitch::try_from(key).ok()).or(instrument.drum);
                }
                _ => {}
            }
        }
        if listed.instruments.is_empty() {
            listed.instruments.push(Instrument::default());
        }
        for instrument in &mut listed.instruments {
            instrument.named_drum = instrument.name.as_deref().and_then(drum_named);
        }
        if let [only] = listed.instruments.as_mut_slice() {
            // The only instrument of a part is called as the part is.
            only.named_drum = only.named_drum.or_else(|| listed.name.as_deref().and_then(drum_named));
        }
        listed
    }

    /// The instrument that an element names by its `id`.
    fn instrument(&mut self, element: &Element) -> &mut Instrument {
        let id = element.attribute("id").unwrap_or_default();
        let place = self.instruments.iter().position(|known| known.id == id).unwrap_or_else(|| {
            // A whole drum kit has some eighty.
            self.instruments.truncate(255);
            self.instruments.push(Instrument { id: id.to_owned(), ..Instrument::default() });
            self.instruments.len() - 1
        });
        &mut self.instruments[place]
    }
}

/// A number that files count from 1, counted from 0.
pub fn from_one(text: Option<&str>, most: u8) -> Option<u8> {
    let number: u8 = text?.trim().parse().ok()?;
    (1..=most).contains(&number).then(|| number - 1)
}

/// Text on one line; `None` where there is none.
pub fn one_line(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { None } else { Some(words.join(" ")) }
}
