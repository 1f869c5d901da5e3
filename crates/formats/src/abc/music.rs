//! A line of music, sign by sign.

use super::fields;
use super::tune::Tune;
use super::{AbcError, Oddity};
use crate::notation::Step;

/// A decoration's name has at most so many characters; what is longer was a line break.
const LONGEST_NAME: usize = 32;

/// Reads the signs of one line.
pub struct Line<'t, 'a> {
    tune: &'t mut Tune<'a>,
    signs: Vec<char>,
    at: usize,
}

/// A note as it is written: its step, octave and accidental, and its length in units.
struct Written {
    step: Step,
    octave: i32,
    accidental: Option<i32>,
    length: (u64, u64),
}

impl<'t, 'a> Line<'t, 'a> {
    pub fn new(tune: &'t mut Tune<'a>, text: &str) -> Line<'t, 'a> {
        Line { tune, signs: text.chars().collect(), at: 0 }
    }

    /// Reads to the end of the line. `field` is told of inline fields.
    pub fn read(mut self, field: &dyn Fn(&mut Tune<'a>, char, &str) -> Result<(), AbcError>) -> Result<(), AbcError> {
        while let Some(sign) = self.peek(0) {
            self.tune.place.1 = self.at + 1;
            match sign {
                'A'..='G' | 'a'..='g' | '^' | '_' | '=' => self.single()?,
                'z' | 'x' => self.rest()?,
                'Z' | 'X' => self.bars_of_rest()?,
                '[' if self.peek(2) == Some(':') && self.peek(1).is_some_and(|c| c.is_ascii_alphabetic()) => {
                    let end = self.find(']', self.at + 3);
                    let Some(end) = end else {
                        self.tune.warn(Oddity::Unclosed('['));
                        return Ok(());
                    };
                    let text: String = self.signs[self.at + 3..end].iter().collect();
                    field(self.tune, self.signs[self.at + 1], text.trim())?;
                    self.at = end + 1;
                }
                '[' if !self.begins_bar() => self.chord(']')?,
                '+' if self.is_old_chord() => self.chord('+')?,
                '+' => self.pass_name('+'),
                '!' => self.pass_name('!'),
                '|' | ':' | '[' | ']' => self.bar(),
                '"' => self.pass_closed('"'),
                '{' => self.pass_closed('}'),
                '(' if self.peek(1).is_some_and(|c| c.is_ascii_digit()) => self.tuplet(),
                '-' => {
                    self.tune.tie(|_| true);
                    self.at += 1;
                }
                '>' | '<' => {
                    let strokes = self.signs[self.at..].iter().take_while(|c| **c == sign).count();
                    self.at += strokes;
                    let strokes = strokes.min(6) as i32;
                    self.tune.break_rhythm(if sign == '>' { strokes } else { -strokes });
                }
                '&' => {
                    let voice = self.tune.voice();
                    voice.overlaid = voice.overlaid.max(voice.cursor);
                    voice.cursor = voice.bar_start();
                    voice.last = None;
                    self.at += 1;
                }
                '%' => return Ok(()),
                // Space to be left open.
                'y' => {
                    self.at += 1;
                    self.number();
                }
                // Slurs, decorations, line breaks and space are for the eye.
                '(' | ')' | '.' | '~' | 'H'..='W' | 'h'..='w' | '\\' | '`' | '$' | '*' | ';' => self.at += 1,
                sign if sign.is_whitespace() => self.at += 1,
                other => {
                    self.tune.warn(Oddity::Character(other));
                    self.at += 1;
                }
            }
        }
        Ok(())
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.signs.get(self.at + ahead).copied()
    }

    fn find(&self, sign: char, from: usize) -> Option<usize> {
        self.signs.iter().skip(from).position(|c| *c == sign).map(|at| from + at)
    }

    /// A number, if one stands here; one that is too large is the largest.
    fn number(&mut self) -> Option<u64> {
        let mut found = None;
        while let Some(digit) = self.peek(0).and_then(|c| c.to_digit(10)) {
            found = Some(found.unwrap_or(0u64).saturating_mul(10).saturating_add(u64::from(digit)));
            self.at += 1;
        }
        found
    }

    /// `3/2`, `/`, `//`, `/4`: a length in units.
    fn length(&mut self) -> (u64, u64) {
        const MOST: u64 = 1 << 20;
        let numerator = self.number().unwrap_or(1);
        let mut denominator: u64 = 1;
        while self.peek(0) == Some('/') {
            self.at += 1;
            denominator = denominator.saturating_mul(self.number().unwrap_or(2));
        }
        if numerator == 0 || denominator == 0 || numerator > MOST || denominator > MOST {
            self.tune.warn(Oddity::NoteLength);
            return (1, 1);
        }
        (numerator, denominator)
    }

    /// A note, where one stands here.
    fn note(&mut self) -> Option<Written> {
        let mut accidental = None;
        while let Some(sign @ ('^' | '_' | '=')) = self.peek(0) {
            let by = match sign {
                '^' => 1,
                '_' => -1,
                _ => 0,
            };
            accidental = Some((accidental.unwrap_or(0) + by).clamp(-2, 2));
            self.at += 1;
        }
        let letter = self.peek(0)?;
        let step = Step::from_letter(letter)?;
        self.at += 1;
        let mut octave = if letter.is_ascii_lowercase() { 5 } else { 4 };
        while let Some(mark @ ('\'' | ',')) = self.peek(0) {
            octave += if mark == '\'' { 1 } else { -1 };
            self.at += 1;
        }
        Some(Written { step, octave: octave.clamp(-20, 20), accidental, length: self.length() })
    }

    fn single(&mut self) -> Result<(), AbcError> {
        match self.note() {
            Some(Written { step, octave, accidental, length }) => {
                let length = self.tune.length(length.0, length.1, true);
                self.tune.sound(&[(step, octave, accidental, length)], length)
            }
            None => {
                // An accidental before something else.
                self.tune.warn(Oddity::Character(self.signs[self.at.saturating_sub(1)]));
                Ok(())
            }
        }
    }

    fn rest(&mut self) -> Result<(), AbcError> {
        self.at += 1;
        let length = self.length();
        let length = self.tune.length(length.0, length.1, true);
        self.tune.voice().last = Some(super::tune::Last { length, ..Default::default() });
        self.tune.advance(length)
    }

    /// `Z4`: four bars of rest.
    fn bars_of_rest(&mut self) -> Result<(), AbcError> {
        self.at += 1;
        let bars = self.number().unwrap_or(1);
        let meter = match self.tune.voice().metre {
            Some(fields::Metre::Bars(meter)) => meter,
            _ => cantus_score::Meter::COMMON,
        };
        let bar = 4 * super::TICKS * u64::from(meter.numerator()) / u64::from(meter.denominator());
        self.tune.voice().last = None;
        self.tune.advance(bar.saturating_mul(bars))
    }

    /// `[CEG]2`, or `+CEG+` as it was written once. The first note says how long the chord lasts.
    fn chord(&mut self, close: char) -> Result<(), AbcError> {
        self.at += 1;
        let mut notes: Vec<Written> = Vec::new();
        let mut tied = Vec::new();
        loop {
            match self.peek(0) {
                Some(sign) if sign == close => break,
                Some('A'..='G' | 'a'..='g' | '^' | '_' | '=') => match self.note() {
                    // There are no more pitches than these.
                    Some(note) if notes.len() < 128 => notes.push(note),
                    Some(_) => self.tune.warn(Oddity::Pitch),
                    None => self.tune.warn(Oddity::Character(self.signs[self.at.saturating_sub(1)])),
                },
                Some('-') => {
                    tied.push(notes.len().wrapping_sub(1));
                    self.at += 1;
                }
                Some('z' | 'x') => {
                    self.at += 1;
                    self.length();
                }
                Some('"') => self.pass_closed('"'),
                Some('!') => self.pass_name('!'),
                // A bar line within a chord: it was never closed.
                Some('|') | None => {
                    self.tune.warn(Oddity::Unclosed(if close == ']' { '[' } else { '+' }));
                    return Ok(());
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let outer = self.length();
        let Some(first) = notes.first() else { return Ok(()) };
        let times = |length: (u64, u64)| (length.0 * outer.0, length.1 * outer.1);
        let (numerator, denominator) = times(first.length);
        let whole = self.tune.length(numerator, denominator, true);
        let share = |note: &Written| {
            // In proportion to the first, whose length tuplets have already changed.
            let above = u128::from(whole) * u128::from(note.length.0) * u128::from(first.length.1);
            let below = u128::from(note.length.1) * u128::from(first.length.0);
            u64::try_from(above / below.max(1)).unwrap_or(u64::MAX)
        };
        let written: Vec<_> = notes.iter().map(|note| (note.step, note.octave, note.accidental, share(note))).collect();
        self.tune.sound(&written, whole)?;
        if !tied.is_empty() {
            self.tune.tie(|k| tied.contains(&k));
        }
        Ok(())
    }

    /// Whether what stands between plus signs is a chord, and not a decoration's name.
    fn is_old_chord(&self) -> bool {
        let Some(end) = self.find('+', self.at + 1) else { return false };
        let inside = &self.signs[self.at + 1..end];
        !inside.is_empty()
            && inside.iter().all(
                |c| matches!(c, 'A'..='G' | 'a'..='g' | '^' | '_' | '=' | '\'' | ',' | '/' | ' ' | '-' | '0'..='9'),
            )
    }

    /// `!trill!`: a name is passed over; a sign alone is an old line break.
    fn pass_name(&mut self, sign: char) {
        let end = self.find(sign, self.at + 1).filter(|end| end - self.at <= LONGEST_NAME);
        let is_name = |end: &usize| self.signs[self.at + 1..*end].iter().all(|c| !c.is_whitespace() && *c != '|');
        self.at = end.filter(is_name).map_or(self.at, |end| end) + 1;
    }

    /// `"Am"`, `{cde}`.
    fn pass_closed(&mut self, close: char) {
        match self.find(close, self.at + 1) {
            Some(end) => self.at = end + 1,
            None => {
                self.tune.warn(Oddity::Unclosed(self.signs[self.at]));
                self.at = self.signs.len();
            }
        }
    }

    /// `(3`, `(3:2`, `(3:2:4`.
    fn tuplet(&mut self) {
        self.at += 1;
        let actual = self.number().unwrap_or(0);
        let mut normal = None;
        let mut count = None;
        if self.peek(0) == Some(':') && self.peek(1).is_some_and(|c| c.is_ascii_digit() || c == ':') {
            self.at += 1;
            normal = self.number();
            if self.peek(0) == Some(':') {
                self.at += 1;
                count = self.number();
            }
        }
        let is_compound = match self.tune.voice().metre {
            Some(fields::Metre::Bars(meter)) => meter.denominator() == 8 && meter.numerator().is_multiple_of(3),
            _ => false,
        };
        let usual = match actual {
            3 | 6 => 2,
            2 | 4 | 8 => 3,
            _ if is_compound => 3,
            _ => 2,
        };
        let normal = normal.unwrap_or(usual);
        let count = count.unwrap_or(actual);
        if !(1..=64).contains(&actual) || !(1..=64).contains(&normal) || count > 1000 {
            self.tune.warn(Oddity::Tuplet);
            return;
        }
        self.tune.voice().tuplet = (count, normal, actual);
    }

    /// Whether the bracket here belongs to a bar line (`[|`) or begins an ending (`[1`).
    fn begins_bar(&self) -> bool {
        match self.peek(1) {
            Some('|' | '0'..='9') => true,
            // `["1"`: its passes stand in quotes.
            Some('"') => self.peek(2).is_some_and(|c| c.is_ascii_digit()) && self.is_quoted_passes(),
            _ => false,
        }
    }

    /// Whether the quotes after the next sign hold numbers only, and no chord follows them.
    fn is_quoted_passes(&self) -> bool {
        self.find('"', self.at + 2).is_some_and(|end| {
            self.signs[self.at + 2..end].iter().all(|c| matches!(c, '0'..='9' | ',' | '-'))
                && self.signs.get(end + 1).is_none_or(|c| c.is_whitespace())
        })
    }

    fn bar(&mut self) {
        let from = self.at;
        while let Some(sign) = self.peek(0) {
            let belongs = match sign {
                '|' | ':' => true,
                ']' => self.at > from && matches!(self.signs[self.at - 1], '|' | ':'),
                '[' => self.peek(1) == Some('|'),
                _ => false,
            };
            if !belongs {
                break;
            }
            self.at += 1;
        }
        let signs: String = self.signs[from..self.at].iter().collect();
        if signs.is_empty() {
            // A closing bracket without an opening one, or `[1`.
            if self.peek(0) == Some(']') {
                self.tune.warn(Oddity::Character(']'));
                self.at += 1;
            } else {
                self.at += if self.peek(1) == Some('"') { 2 } else { 1 };
                self.passes();
                if self.peek(0) == Some('"') {
                    self.at += 1;
                }
            }
            return;
        }
        let colons_before = signs.chars().take_while(|c| *c == ':').count();
        let colons_after = signs.chars().rev().take_while(|c| *c == ':').count();
        let (before, after) = match (colons_before == signs.len(), colons_before) {
            // `::` stands for `:||:`.
            (true, 1) => {
                self.tune.warn(Oddity::Character(':'));
                return;
            }
            (true, _) => (1, 1),
            (false, _) => (colons_before, colons_after),
        };
        let times = (before > 0).then(|| before.min(100) as u32 + 1);
        let ends = signs.contains("||") || signs.contains(']') || signs.contains('[');
        self.tune.bar_line(times, after > 0, ends);
        if self.peek(0) == Some('[') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        if self.peek(0).is_some_and(|c| c.is_ascii_digit()) {
            self.passes();
        }
    }

    /// `1`, `1,3`, `1-3`: the passes of an ending.
    fn passes(&mut self) {
        let mut passes = Vec::new();
        while let Some(first) = self.number() {
            let mut last = first;
            if self.peek(0) == Some('-') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
                self.at += 1;
                last = self.number().unwrap_or(first);
            }
            passes.extend(
                (first..=last.min(first.saturating_add(99))).filter(|pass| *pass < 100).map(|pass| pass as u32),
            );
            if self.peek(0) == Some(',') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) && passes.len() < 100 {
                self.at += 1;
            } else {
                break;
            }
        }
        self.tune.ending(passes);
    }
}
