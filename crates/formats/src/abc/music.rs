//! A line of music, sign by sign.

use super::tune::{Grace, Tune};
use super::{AbcError, Oddity, fields, symbols};
use crate::notation::Step;
use cantus_score::Pitch;

/// A decoration's name has at most so many characters; what is longer was a line break.
const LONGEST_NAME: usize = 32;

/// The lengths of grace notes, which are only compared with one another, are counted in so many parts.
const GRACE_UNIT: u64 = 5040;

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
        // A number at the beginning of a line or of a bar, where no length can stand, is that of an ending (standard 2.1, section 4.9):
        // the bar line stands before it, perhaps in the line before.
        let mut after_bar = self.tune.voice().begins_bar();
        while let Some(sign) = self.peek(0) {
            self.tune.place.1 = self.at + 1;
            match sign {
                '1'..='9' if after_bar => self.passes(),
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
                '"' => self.quoted(),
                '{' => self.grace()?,
                '(' if self.peek(1).is_some_and(|c| c.is_ascii_digit()) => self.tuplet(),
                '-' => {
                    self.tune.tie(|_| true);
                    self.at += 1;
                }
                '<' if self.is_markup() => self.pass_markup(),
                '>' | '<' => {
                    let strokes = self.signs[self.at..].iter().take_while(|c| **c == sign).count();
                    self.at += strokes;
                    let strokes = strokes.min(6) as i32;
                    self.tune.stroke(if sign == '>' { strokes } else { -strokes });
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
                    self.tune.place_symbols();
                }
                'H'..='W' | 'h'..='w' => {
                    self.at += 1;
                    symbols::letter(self.tune, sign);
                }
                '(' => {
                    self.tune.open_slur();
                    self.at += 1;
                }
                ')' => {
                    self.tune.close_slur();
                    self.at += 1;
                }
                // Staccato, rolls, line breaks and space are for the eye.
                '.' | '~' | '\\' | '`' | '$' | '*' | ';' => self.at += 1,
                sign if sign.is_whitespace() => self.at += 1,
                other => {
                    self.tune.warn(Oddity::Character(other));
                    self.at += 1;
                }
            }
            after_bar = matches!(sign, '|' | ':') || after_bar && sign.is_whitespace();
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
                let (length, tied) = self.length_after_tie(length);
                let length = self.tune.length(length.0, length.1, true);
                self.tune.sound(&[((step, octave, accidental), length)], length)?;
                if tied {
                    self.tune.tie(|_| true);
                }
                Ok(())
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
        self.tune.rest(length)
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
        self.tune.rest(bar.saturating_mul(bars))?;
        self.tune.voice().last = None;
        Ok(())
    }

    /// `[CEG]2`, or `+CEG+` as it was written once. The first note says how long the chord lasts.
    fn chord(&mut self, close: char) -> Result<(), AbcError> {
        self.at += 1;
        let mut notes: Vec<Written> = Vec::new();
        let mut tied = Vec::new();
        let mut closed = 0;
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
                Some('"') => self.quoted(),
                Some('!') => self.pass_name('!'),
                Some('(') => {
                    self.tune.open_slur();
                    self.at += 1;
                }
                Some(')') => {
                    closed += 1;
                    self.at += 1;
                }
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
        let (outer, all_tied) = self.length_after_tie(outer);
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
        let written: Vec<_> =
            notes.iter().map(|note| ((note.step, note.octave, note.accidental), share(note))).collect();
        self.tune.sound(&written, whole)?;
        if all_tied || !tied.is_empty() {
            self.tune.tie(|k| all_tied || tied.contains(&k));
        }
        (0..closed).for_each(|_| self.tune.close_slur());
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

    /// `!trill!`; a sign alone is an old line break.
    fn pass_name(&mut self, sign: char) {
        let end = self.find(sign, self.at + 1).filter(|end| end - self.at <= LONGEST_NAME);
        let is_name = |end: &usize| self.signs[self.at + 1..*end].iter().all(|c| !c.is_whitespace() && *c != '|');
        let Some(end) = end.filter(is_name) else {
            self.at += 1;
            return;
        };
        let name: String = self.signs[self.at + 1..end].iter().collect();
        self.at = end + 1;
        if !name.is_empty() {
            symbols::decoration(self.tune, &name);
        }
    }

    /// `"Am"`, `"^D.C."`.
    fn quoted(&mut self) {
        match self.find('"', self.at + 1) {
            Some(end) => {
                let text: String = self.signs[self.at + 1..end].iter().collect();
                self.at = end + 1;
                symbols::quoted(self.tune, &text);
            }
            None => {
                self.tune.warn(Oddity::Unclosed('"'));
                self.at = self.signs.len();
            }
        }
    }

    /// `{cde}`, `{/g}`, `{c2[eg]}`: notes without time of their own, for the chord that comes next. Those with a stroke are crushed in
    /// (standard 2.1, section 4.12).
    fn grace(&mut self) -> Result<(), AbcError> {
        let Some(end) = self.find('}', self.at + 1) else {
            self.tune.warn(Oddity::Unclosed('{'));
            self.at = self.signs.len();
            return Ok(());
        };
        self.at += 1;
        let slashed = self.peek(0) == Some('/');
        let mut heads: Vec<(Vec<Pitch>, u64)> = Vec::new();
        let mut chord = false;
        while self.at < end {
            match self.signs[self.at] {
                'A'..='G' | 'a'..='g' | '^' | '_' | '=' => {
                    let Some(Written { step, octave, accidental, length }) = self.note() else { continue };
                    let Some(pitch) = self.tune.pitch((step, octave, accidental)) else { continue };
                    self.tune.count_note()?;
                    let length = (length.0 * GRACE_UNIT / length.1).max(1);
                    match heads.last_mut().filter(|_| chord) {
                        Some((pitches, of_chord)) => {
                            pitches.push(pitch);
                            *of_chord = length;
                        }
                        None => heads.push((vec![pitch], length)),
                    }
                }
                sign @ ('[' | ']') => {
                    chord = sign == '[';
                    if chord {
                        // An empty place for the chord that begins.
                        heads.push((Vec::new(), GRACE_UNIT));
                    }
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        heads.retain(|(pitches, _)| !pitches.is_empty());
        self.at = self.at.max(end) + 1;
        if !heads.is_empty() {
            let voice = self.tune.voice();
            let grace = voice.grace.get_or_insert_with(Grace::default);
            grace.slashed = slashed;
            grace.heads.extend(heads);
        }
        Ok(())
    }

    /// Marks of a web page: `</html>`, `<br>`. A broken rhythm before a user's sign and a stroke back is no music.
    fn is_markup(&self) -> bool {
        const TAGS: [&str; 18] = [
            "html", "head", "body", "pre", "br", "br/", "hr", "code", "div", "span", "font", "center", "table", "tr",
            "td", "li", "ul", "img",
        ];
        let ahead = self.signs[self.at + 1..].iter().take(LONGEST_NAME);
        let name: String = ahead.take_while(|c| c.is_ascii_alphanumeric() || **c == '/').collect();
        let has_end = self.signs[self.at..].iter().take(8 * LONGEST_NAME).any(|c| *c == '>');
        has_end && (name.len() > 1 && name.starts_with('/') || TAGS.contains(&name.to_ascii_lowercase().as_str()))
    }

    fn pass_markup(&mut self) {
        self.tune.warn(Oddity::Markup);
        self.at = self.find('>', self.at).map_or(self.signs.len(), |end| end + 1);
    }

    /// A length that stands behind a tie (`A-3`), in place of `length`; whether there was one.
    fn length_after_tie(&mut self, length: (u64, u64)) -> ((u64, u64), bool) {
        let is_length = length == (1, 1)
            && self.peek(0) == Some('-')
            && self.peek(1).is_some_and(|c| c.is_ascii_digit() || c == '/');
        if !is_length {
            return (length, false);
        }
        self.tune.warn(Oddity::TieBeforeLength);
        self.at += 1;
        (self.length(), true)
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
        // 105 in the time of 64, as our writer says what no simpler tuplet can.
        if !(1..=1000).contains(&actual) || !(1..=1000).contains(&normal) || count > 1000 {
            self.tune.warn(Oddity::Tuplet);
            return;
        }
        self.tune.voice().tuplet = (count, normal, actual);
    }

    /// Whether the bracket here belongs to a bar line (`[|`) or begins an ending (`[1`).
    fn begins_bar(&self) -> bool {
        match self.peek(1) {
            Some('|' | '0'..='9') => true,
            Some(':') => self.peek(2) == Some('|'),
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

    /// A bar line, with its repeats and the ending that begins with it.
    fn bar(&mut self) {
        let from = self.at;
        while let Some(sign) = self.peek(0) {
            let belongs = match sign {
                '|' | ':' => true,
                ']' => self.at > from || matches!(self.peek(1), Some('|' | ':')),
                '[' => matches!((self.peek(1), self.peek(2)), (Some('|'), _) | (Some(':'), Some('|'))),
                _ => false,
            };
            if !belongs {
                break;
            }
            self.at += 1;
        }
        let line = BarLine::of(&self.signs[from..self.at]);
        match line {
            None if self.at == from => {
                // A closing bracket without an opening one, or `[1`.
                if self.peek(0) == Some(']') {
                    self.tune.warn(Oddity::Character(']'));
                    self.at += 1;
                } else {
                    let is_quoted = self.peek(1) == Some('"');
                    self.at += 1 + usize::from(is_quoted);
                    self.passes();
                    self.at += usize::from(is_quoted && self.peek(0) == Some('"'));
                }
                return;
            }
            None => {
                self.tune.warn(Oddity::Character(':'));
                return;
            }
            Some(BarLine { before, after, ends }) => {
                let times = (before > 0).then(|| before.min(100) as u32 + 1);
                self.tune.bar_line(times, after, ends);
                // `[|]` is not seen at all (section 4.8).
                if ends && self.signs[from..self.at] != ['[', '|', ']'] {
                    self.tune.voice().begin_section();
                }
            }
        }
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

/// What a bar line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct BarLine {
    /// Colons that end a repeat.
    before: usize,
    /// Whether a repeat begins.
    after: bool,
    /// Whether it closes an ending.
    ends: bool,
}

impl BarLine {
    /// Any sequence of `|`, `[`, `]` and `:` (standard 2.1, section 4.8: "bar lines may have any shape"); `None` for none, or for a
    /// colon alone.
    ///
    /// Colons before all strokes end a repeat, those behind them begin one, `::` alone is both. Between strokes they begin one where a
    /// single stroke stands before them (`|:|`), and end one behind a closed shape (`[|]:|`, `||:|`).
    fn of(signs: &[char]) -> Option<BarLine> {
        let is_colon = |c: &char| *c == ':';
        if signs.iter().all(is_colon) {
            return (signs.len() > 1).then_some(BarLine { before: 1, after: true, ends: false });
        }
        let mut line = BarLine::default();
        let mut after_one = false;
        let mut rest = signs;
        while let Some(first) = rest.first() {
            let run = rest.iter().take_while(|c| is_colon(c) == is_colon(first)).count();
            let is_last = run == rest.len();
            if !is_colon(first) {
                after_one = run == 1 && *first == '|';
                line.ends |= run > 1 || *first != '|';
            } else if is_last || after_one {
                line.after = true;
            } else {
                line.before = line.before.max(run);
            }
            rest = &rest[run..];
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_lines_of_any_shape() {
        let shown = |text: &str| {
            BarLine::of(&text.chars().collect::<Vec<_>>()).map(|line| (line.before, line.after, line.ends))
        };
        for (text, expected) in [
            ("|", (0, false, false)),
            ("||", (0, false, true)),
            ("|]", (0, false, true)),
            ("[|", (0, false, true)),
            ("|:", (0, true, false)),
            ("[|:", (0, true, true)),
            ("|||:", (0, true, true)),
            (":|", (1, false, false)),
            (":|]", (1, false, true)),
            ("::|", (2, false, false)),
            ("::", (1, true, false)),
            (":|:", (1, true, false)),
            (":||:", (1, true, true)),
            (":][:", (1, true, true)),
            // Repeats inside: behind a closed shape they end, behind a single stroke they begin.
            ("[|]:|", (1, false, true)),
            ("|]:|", (1, false, true)),
            ("]:|", (1, false, true)),
            ("||:|", (1, false, true)),
            ("[|]::|", (2, false, true)),
            ("|:|", (0, true, false)),
            ("|:|||:", (0, true, true)),
        ] {
            assert_eq!(shown(text), Some(expected), "{text}");
        }
        assert_eq!((shown(""), shown(":")), (None, None));
    }
}
