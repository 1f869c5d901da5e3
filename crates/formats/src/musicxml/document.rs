//! A document, element by element: no more of it is in memory than the element that was asked for.

use super::MusicXmlError;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// How deep elements may stand: MusicXML needs 9.
const DEPTH: usize = 64;
/// How many elements one measure may have.
const ELEMENTS: usize = 500_000;

/// An element with all that is in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// The text directly in it, trimmed.
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// A number in the first child of this name.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text_of(name)?.parse().ok()
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// A start tag that was met, to be read ([`Document::element`]), entered ([`Document::next_child`]) or passed over
/// ([`Document::skip`]).
#[derive(Debug)]
pub struct Start {
    /// Without its children.
    pub element: Element,
    is_empty: bool,
}

impl Start {
    /// Whether there is nothing inside: there is no end tag to be met.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }
}

/// A document that is being read.
pub struct Document<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    /// Elements that were entered and not left.
    depth: usize,
    /// Entities that were met and not expanded.
    pub entities: usize,
}

impl<'a> Document<'a> {
    pub fn new(text: &'a str) -> Document<'a> {
        Document { text, reader: Reader::from_str(text), depth: 0, entities: 0 }
    }

    /// The next start tag; `None` where the enclosing element, or the document, ends.
    pub fn next_child(&mut self) -> Result<Option<Start>, MusicXmlError> {
        loop {
            match self.event()? {
                Event::Start(tag) => return Ok(Some(self.start(&tag, false)?)),
                Event::Empty(tag) => return Ok(Some(self.start(&tag, true)?)),
                Event::End(_) | Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    /// The whole element of a start tag.
    pub fn element(&mut self, start: Start) -> Result<Element, MusicXmlError> {
        let mut open = vec![start.element];
        if start.is_empty {
            return Ok(open.remove(0));
        }
        let mut count = 1;
        loop {
            let closed = match self.event()? {
                Event::Start(tag) => {
                    open.push(self.start(&tag, false)?.element);
                    None
                }
                Event::Empty(tag) => Some(self.start(&tag, true)?.element),
                Event::End(_) => open.pop(),
                Event::Text(text) => {
                    push(&mut open, &text.xml10_content());
                    continue;
                }
                Event::CData(text) => {
                    push(&mut open, &text.xml10_content());
                    continue;
                }
                Event::GeneralRef(name) => {
                    let character = match name.resolve_char_ref() {
                        Ok(Some(character)) => Some(character),
                        _ => predefined(&name.xml10_content()),
                    };
                    match character {
                        Some(character) => push(&mut open, character.encode_utf8(&mut [0; 4])),
                        None => self.entities += 1,
                    }
                    continue;
                }
                _ => continue,
            };
            count += 1;
            if open.len() > DEPTH {
                let (line, column) = self.place();
                return Err(MusicXmlError::TooDeep { line, column, limit: DEPTH });
            }
            if count > 2 * ELEMENTS {
                let (line, column) = self.place();
                return Err(MusicXmlError::TooManyElements { line, column, limit: ELEMENTS });
            }
            let Some(mut element) = closed else { continue };
            element.text = element.text.trim().to_owned();
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None => return Ok(element),
            }
        }
    }

    /// Passes over what is inside a start tag.
    pub fn skip(&mut self, start: &Start) -> Result<(), MusicXmlError> {
        let outside = self.depth.saturating_sub(usize::from(!start.is_empty));
        while self.depth > outside {
            self.event()?;
        }
        Ok(())
    }

    /// Hands over the name of every element, and what the document goes on with after its start tag.
    pub fn survey(&mut self, found: &mut dyn FnMut(&str, &str)) -> Result<(), MusicXmlError> {
        loop {
            match self.event()? {
                Event::Start(tag) | Event::Empty(tag) => {
                    let at = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
                    found(tag.local_name().as_ref(), self.text.get(at..).unwrap_or_default());
                }
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }

    fn event(&mut self) -> Result<Event<'a>, MusicXmlError> {
        let event = self.reader.read_event().map_err(|error| self.malformed(&error.to_string()))?;
        match event {
            Event::Start(_) => self.depth += 1,
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::Eof if self.depth > 0 => return Err(self.malformed("the document ends within an element")),
            _ => {}
        }
        Ok(event)
    }

    fn start(&mut self, tag: &BytesStart<'_>, is_empty: bool) -> Result<Start, MusicXmlError> {
        let mut element = Element { name: tag.local_name().as_ref().to_owned(), ..Element::default() };
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| self.malformed(&error.to_string()))?;
            let value = match attribute.normalized_value(XmlVersion::Implicit1_0) {
                Ok(value) => value.into_owned(),
                Err(_) => {
                    self.entities += 1;
                    String::new()
                }
            };
            element.attributes.push((attribute.key.as_ref().to_owned(), value));
        }
        Ok(Start { element, is_empty })
    }

    fn malformed(&self, reason: &str) -> MusicXmlError {
        let (line, column) = self.place();
        MusicXmlError::Malformed { line, column, reason: reason.escape_debug().to_string() }
    }

    /// Where the reader stands: line and column, from 1.
    fn place(&self) -> (usize, usize) {
        let at = usize::try_from(self.reader.error_position().max(self.reader.buffer_position())).unwrap_or(usize::MAX);
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        (line, before.len() - start + 1)
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn predefined(name: &str) -> Option<char> {
    [("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"'), ("apos", '\'')]
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, character)| character)
}
