//! A place in a tune, token by token: what is there already, and what may follow.

use super::rhythm::{SPANS, within};
use super::tune::whole;
use super::{ATOM, Bar, Before, Event, Token, Tune, Vocabulary, home};
use cantus_score::{Chord, Key, Meter, Mode, Pitch};

/// What kind of section a bar is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Played once.
    #[default]
    Plain,
    /// Played twice.
    Repeated,
    /// A first ending.
    First,
    /// A second ending.
    Second,
}

/// The section that a place is in. Lengths are in steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// What kind it is.
    pub kind: Kind,
    /// Which of the tune it is, from 0; endings belong to what they end.
    pub number: usize,
    /// When it begins, as it is played.
    pub from: u32,
    /// Bars on paper since it, or its ending, began, before the present one.
    pub bars: usize,
    /// The first bar of it on paper.
    pub first: usize,
    /// What is played before its first ending; before its second one, without the second time.
    pub body: u32,
    /// How long its first ending is.
    pub ending: u32,
    /// How long it is up to the present bar, its present ending alone.
    pub steps: u32,
}

/// What is to come at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Meter,
    Key,
    Unit,
    Music,
    Over,
}

/// What may still be said of a bar before its music.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fresh {
    /// A repeat, or the end.
    Sign,
    Meter,
    Key,
    Partial,
    /// Nothing.
    Not,
}

/// A place, without what was before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    stage: Stage,
    fresh: Fresh,
    /// The metre that is in force.
    pub meter: Meter,
    /// The key.
    pub key: Key,
    /// The unit in steps.
    pub unit: u32,
    /// How many steps the bar has.
    pub steps: u32,
    /// Where in the bar the last event begins, or ends once its length is known.
    pub at: u32,
    /// A tuplet: how long it is, and what is left of it.
    pub tuplet: Option<(u32, u32)>,
    /// A note or a rest whose length was not said.
    pub said: Option<Option<Pitch>>,
    /// The note that was said last, where it may be tied.
    last: Option<Pitch>,
    /// The note that goes on.
    pub goes_on: Option<Pitch>,
    /// The chord in force since the section or its ending began.
    pub chord: Option<Option<Chord>>,
    is_named: bool,
    /// The section.
    pub section: Section,
}

impl Now {
    fn length(&self, looks: u32) -> Option<u32> {
        let steps = looks.checked_mul(self.unit).filter(|steps| steps.is_multiple_of(8))? / 8;
        match self.tuplet {
            Some(_) => (steps * 2).is_multiple_of(3).then_some(steps * 2 / 3),
            None => Some(steps),
        }
    }

    /// The length of what is said without one, in steps.
    fn usual(&self) -> u32 {
        self.tuplet.map_or(self.unit, |(span, _)| span / 3)
    }

    fn fits(&self, steps: u32, vocabulary: &Vocabulary) -> bool {
        match self.tuplet {
            Some((span, left)) => {
                let after = left.checked_sub(steps);
                let may_end = |left: u32| {
                    left.is_multiple_of(span / 3) || vocabulary.says_in_tuplet(within(span), span, self.unit)
                };
                steps > 0 && steps.is_multiple_of(within(span)) && 3 * steps <= 2 * span && after.is_some_and(may_end)
            }
            None => steps > 0 && steps.is_multiple_of(ATOM) && self.at + steps <= self.steps,
        }
    }

    /// The same once what was said has its usual length; `None` where that does not fit.
    fn settled(mut self, vocabulary: &Vocabulary) -> Option<Now> {
        if self.said.is_some() {
            let steps = self.usual();
            if !self.fits(steps, vocabulary) {
                return None;
            }
            self.lasts(steps);
        }
        Some(self)
    }

    /// What was said lasts so long.
    fn lasts(&mut self, steps: u32) {
        self.last = self.said.take().flatten();
        self.at += steps;
        if let Some((span, left)) = self.tuplet {
            self.tuplet = Some((span, left.saturating_sub(steps))).filter(|(_, left)| *left > 0);
        }
        self.is_named = false;
    }

    /// Whether a token may come next.
    pub fn permits(&self, token: Token, vocabulary: &Vocabulary) -> bool {
        match (self.stage, token) {
            (Stage::Start, Token::Start) | (Stage::Meter, Token::Meter(_)) | (Stage::Key, Token::Key(_)) => true,
            (Stage::Unit, Token::Unit(_)) => true,
            (Stage::Music, Token::Length(looks)) => {
                let length = self.length(looks).filter(|_| self.said.is_some());
                length.is_some_and(|steps| steps != self.usual() && self.fits(steps, vocabulary))
            }
            (Stage::Music, _) => self.settled(vocabulary).is_some_and(|now| now.permits_music(token)),
            _ => false,
        }
    }

    /// The same, where all lengths are known.
    fn permits_music(&self, token: Token) -> bool {
        let kind = self.section.kind;
        let left = self.steps - self.at;
        match token {
            Token::Tie => self.last.is_some(),
            _ if self.goes_on.is_some() && left == 0 => token == Token::Bar,
            Token::Bar => left == 0,
            Token::Open if left > 0 => self.fresh == Fresh::Sign,
            Token::End if left > 0 => self.fresh == Fresh::Sign && self.section.number > 0,
            Token::Open => matches!(kind, Kind::Plain | Kind::Second),
            Token::End => matches!(kind, Kind::Plain | Kind::Second),
            Token::Close => left == 0 && matches!(kind, Kind::Repeated | Kind::First),
            Token::First => left == 0 && kind == Kind::Repeated,
            Token::Double => left == 0 && kind == Kind::Second,
            Token::Meter(meter) => self.fresh <= Fresh::Meter && meter != self.meter,
            // In another key, what goes on might not be sayable.
            Token::Key(key) => self.fresh <= Fresh::Key && key != self.key && self.goes_on.is_none(),
            Token::Partial(steps) => self.fresh <= Fresh::Partial && steps < self.steps,
            Token::Chord(chord) => {
                let chord = chord.map(|chord| chord.transposed(home(self.key)));
                let begins_tuplet = self.tuplet.is_some_and(|(span, left)| span == left);
                left > 0 && !self.is_named && !begins_tuplet && self.chord != Some(chord)
            }
            Token::Tuplet(span) => {
                let steps = (span * self.unit).is_multiple_of(8).then_some(span * self.unit / 8);
                self.tuplet.is_none() && steps.is_some_and(|steps| SPANS.contains(&steps) && steps <= left)
            }
            Token::Rest => left > 0 && self.goes_on.is_none(),
            Token::Note(over) => {
                let pitch = pitch(self.key, over);
                left > 0 && pitch.is_some() && (self.goes_on.is_none() || self.goes_on == pitch)
            }
            _ => false,
        }
    }

    /// Whether a bar is to begin, or its first words are still to be said.
    pub fn is_fresh(&self) -> bool {
        self.fresh != Fresh::Not
    }

    /// Whether what comes next stands between sections: after a repeat's end, or at the beginning.
    pub fn is_between(&self) -> bool {
        self.fresh == Fresh::Sign
    }

    /// Whether all is said.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Whether the header is still to be said: then how far it is.
    pub fn header(&self) -> Option<usize> {
        [Stage::Start, Stage::Meter, Stage::Key, Stage::Unit].iter().position(|stage| *stage == self.stage)
    }

    /// The same as it is once what was said has its usual length, or as it is where that does not fit.
    #[must_use]
    pub fn or_settled(self, vocabulary: &Vocabulary) -> Now {
        self.settled(vocabulary).unwrap_or(self)
    }

    /// What is left of the bar, in steps, the note without a length not counted.
    pub fn left(&self) -> u32 {
        self.steps - self.at.min(self.steps)
    }
}

/// The pitch that lies so far over a key's home.
fn pitch(key: Key, over: i8) -> Option<Pitch> {
    u8::try_from(home(key) + i32::from(over)).ok().and_then(|pitch| Pitch::try_from(pitch).ok())
}

/// The bars of a beginning as they are, whatever its tokens call them.
#[derive(Clone, Debug)]
struct Heard {
    /// Metre, key, steps.
    bars: Vec<(Meter, Key, u32)>,
}

/// A place in a tune that is being read or written.
#[derive(Clone, Debug)]
pub struct Cursor<'v> {
    vocabulary: &'v Vocabulary,
    now: Now,
    heard: Option<Heard>,
    bars: Vec<Bar>,
}

impl<'v> Cursor<'v> {
    /// Before the first token.
    pub fn new(vocabulary: &'v Vocabulary) -> Cursor<'v> {
        let now = Now {
            stage: Stage::Start,
            fresh: Fresh::Not,
            meter: Meter::COMMON,
            key: const { Key::new(0, Mode::Major).unwrap() },
            unit: 12,
            steps: 0,
            at: 0,
            tuplet: None,
            said: None,
            last: None,
            goes_on: None,
            chord: None,
            is_named: false,
            section: Section::default(),
        };
        Cursor { vocabulary, now, heard: None, bars: Vec::new() }
    }

    /// The same of a tune that begins with these bars, whatever its tokens call their metres, keys and lengths; the last metre and key stay.
    pub fn hearing(vocabulary: &'v Vocabulary, beginning: &Tune) -> Cursor<'v> {
        let bars = beginning.bars.iter().map(|bar| (bar.meter, bar.key, bar.steps)).collect();
        Cursor { heard: Some(Heard { bars }), ..Cursor::new(vocabulary) }
    }

    /// The place.
    pub fn now(&self) -> &Now {
        &self.now
    }

    /// The bars so far, the present one among them.
    pub fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// Whether a token may come next.
    pub fn permits(&self, token: Token) -> bool {
        self.now.permits(token, self.vocabulary)
    }

    /// When the present bar begins, as it is played first.
    pub fn bar_start(&self) -> u32 {
        let section = &self.now.section;
        let before = match section.kind {
            Kind::Plain | Kind::Repeated => 0,
            Kind::First => section.body,
            Kind::Second => 2 * section.body + section.ending,
        };
        section.from + before + section.steps
    }

    /// How long all is that is complete, as it is played, where all sections are closed that were opened.
    fn section_end(&self) -> u32 {
        let section = &self.now.section;
        let steps = section.steps + self.now.steps;
        section.from
            + match section.kind {
                Kind::Plain => steps,
                Kind::Repeated => 2 * steps,
                Kind::First => 2 * section.body + steps,
                Kind::Second => 2 * section.body + section.ending + steps,
            }
    }

    /// How long it is as it is played up to the present bar's end, sections that are open closed there.
    pub fn end(&self) -> u32 {
        if self.bars.is_empty() || self.now.is_between() { self.now.section.from } else { self.section_end() }
    }

    /// What was said has its usual length.
    fn settle(&mut self) {
        if self.now.said.is_some() {
            self.last(self.now.usual());
        }
    }

    fn last(&mut self, steps: u32) {
        self.now.lasts(steps);
        if let Some(event) = self.bars.last_mut().and_then(|bar| bar.events.last_mut()) {
            event.steps = steps;
        }
    }

    /// A bar begins after a line.
    fn begin(&mut self, before: Before, fresh: Fresh) {
        let (meter, key, steps) = self.heard_bar().unwrap_or((self.now.meter, self.now.key, whole(self.now.meter)));
        (self.now.meter, self.now.key) = (meter, key);
        (self.now.steps, self.now.at, self.now.last) = (steps, 0, None);
        self.now.fresh = fresh;
        self.bars.push(Bar { before, meter, key, steps, events: Vec::new(), closes: false });
    }

    /// What the bar that is to come is heard as.
    fn heard_bar(&self) -> Option<(Meter, Key, u32)> {
        self.heard.as_ref()?.bars.get(self.bars.len()).copied()
    }

    fn is_heard(&self) -> bool {
        self.heard.as_ref().is_some_and(|heard| self.bars.len() <= heard.bars.len())
    }

    /// A section is complete, and another begins.
    fn next_section(&mut self, kind: Kind) {
        let from = self.section_end();
        self.enter(kind, from);
    }

    fn enter(&mut self, kind: Kind, from: u32) {
        let number = self.now.section.number + usize::from(!self.bars.is_empty());
        self.now.section = Section { kind, number, from, first: self.bars.len(), ..Section::default() };
        self.now.chord = None;
    }

    /// An ending begins.
    fn enter_ending(&mut self, kind: Kind) {
        self.now.section = Section { kind, bars: 0, steps: 0, ..self.now.section };
        self.now.chord = None;
    }

    /// Takes the next token, one that is permitted.
    pub fn advance(&mut self, token: Token) {
        if let Token::Length(looks) = token {
            if let Some(steps) = self.now.length(looks) {
                self.last(steps);
            }
            return;
        }
        self.settle();
        let now = &mut self.now;
        match token {
            Token::Start => now.stage = Stage::Meter,
            Token::Unit(unit) => {
                (now.unit, now.stage) = (unit, Stage::Music);
                self.begin(Before::Line, Fresh::Sign);
            }
            Token::Meter(meter) if now.stage == Stage::Meter => (now.meter, now.stage) = (meter, Stage::Key),
            Token::Key(key) if now.stage == Stage::Key => (now.key, now.stage) = (key, Stage::Unit),
            Token::Meter(meter) => {
                now.fresh = Fresh::Key;
                if !self.is_heard() {
                    self.now.meter = meter;
                    self.now.steps = whole(meter);
                    self.bars.last_mut().into_iter().for_each(|bar| (bar.meter, bar.steps) = (meter, whole(meter)));
                }
            }
            Token::Key(key) => {
                now.fresh = Fresh::Partial;
                if !self.is_heard() {
                    self.now.key = key;
                    self.bars.last_mut().into_iter().for_each(|bar| bar.key = key);
                }
            }
            Token::Partial(steps) => {
                now.fresh = Fresh::Not;
                if !self.is_heard() {
                    self.now.steps = steps;
                    self.bars.last_mut().into_iter().for_each(|bar| bar.steps = steps);
                }
            }
            Token::Bar => {
                now.section.bars += 1;
                now.section.steps += now.steps;
                self.begin(Before::Line, Fresh::Meter);
            }
            Token::Open => {
                if now.is_between() {
                    let (from, between) = (now.section.from, self.bars.len() - 1);
                    self.now.section = Section {
                        kind: Kind::Repeated,
                        number: self.now.section.number,
                        from,
                        first: between,
                        ..Section::default()
                    };
                    self.now.chord = None;
                    self.now.fresh = Fresh::Meter;
                    self.bars.last_mut().into_iter().for_each(|bar| bar.before = Before::Open);
                } else {
                    self.next_section(Kind::Repeated);
                    self.begin(Before::Open, Fresh::Meter);
                }
            }
            Token::Close => {
                self.bars.last_mut().into_iter().for_each(|bar| bar.closes = true);
                if self.now.section.kind == Kind::First {
                    self.now.section.ending = self.now.section.steps + self.now.steps;
                    self.enter_ending(Kind::Second);
                    self.begin(Before::Second, Fresh::Meter);
                } else {
                    self.next_section(Kind::Plain);
                    self.begin(Before::Plain, Fresh::Sign);
                }
            }
            Token::First => {
                self.now.section.body = self.now.section.steps + self.now.steps;
                self.enter_ending(Kind::First);
                self.begin(Before::First, Fresh::Meter);
            }
            Token::Double => {
                self.next_section(Kind::Plain);
                self.begin(Before::Plain, Fresh::Meter);
            }
            Token::End => {
                if now.is_between() {
                    self.bars.pop();
                }
                self.now.stage = Stage::Over;
            }
            Token::Tie => {
                now.goes_on = now.last.take();
                if let Some(event) = self.bars.last_mut().and_then(|bar| bar.events.last_mut()) {
                    event.goes_on = true;
                }
            }
            Token::Chord(chord) => {
                let chord = chord.map(|chord| chord.transposed(home(now.key)));
                (now.chord, now.is_named, now.fresh, now.last) = (Some(chord), true, Fresh::Not, None);
            }
            Token::Tuplet(span) => {
                let steps = span * now.unit / 8;
                (now.tuplet, now.fresh, now.last) = (Some((steps, steps)), Fresh::Not, None);
            }
            Token::Rest => self.sound(None),
            Token::Note(over) => {
                // Heard in a key that it does not know, a beginning may leave the keyboard.
                let sounding = pitch(self.now.key, over).unwrap_or(Pitch::C4);
                self.sound(Some(sounding));
            }
            Token::Length(_) => {}
        }
    }

    fn sound(&mut self, pitch: Option<Pitch>) {
        let now = &mut self.now;
        now.fresh = Fresh::Not;
        now.last = None;
        now.goes_on = None;
        now.said = Some(pitch);
        let tuplet = now.tuplet.filter(|(span, left)| span == left).map(|(span, _)| span);
        let chord = now.chord.filter(|_| now.is_named);
        let event = Event { chord, tuplet, pitch, steps: 0, goes_on: false };
        self.bars.last_mut().into_iter().for_each(|bar| bar.events.push(event));
    }

    /// What is said so far as a tune: a last bar that is not complete rests.
    pub fn tune(&self) -> Tune {
        let mut whole = self.clone();
        if whole.now.said.is_some() {
            whole.last(whole.now.usual().min(whole.now.left()));
        }
        let left = whole.now.left();
        let mut bars = whole.bars;
        if let Some(bar) = bars.last_mut().filter(|_| !self.now.is_over() && left > 0) {
            if bar.events.is_empty() && self.now.is_between() {
                bars.pop();
            } else {
                bar.events.push(Event { chord: None, tuplet: None, pitch: None, steps: left, goes_on: false });
            }
        }
        Tune { bars }
    }
}
