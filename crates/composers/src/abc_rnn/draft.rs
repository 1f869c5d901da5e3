//! A tune that is being written to a number of bars: which sections may begin, go on and end, so that what is played comes out even.

use super::place::Spot;
use cantus_encoding::TokenId;
use cantus_encoding::abc_tune::{Before, GRID, Kind, Now, Token, Vocabulary};
use cantus_model::tokens::{Draft, Place as _};
use cantus_score::{Key, Meter};

/// What is known of a tune before it is written.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// How many bars are to be played; a prompt's are none.
    pub bars: usize,
    pub meter: Meter,
    /// The key; `None` where the network chooses.
    pub key: Option<Key>,
    /// The upbeat of each section in steps, which its last bar completes.
    pub upbeat: u32,
    /// When what is to be written begins and ends, in steps.
    pub from: u32,
    pub end: u32,
}

/// A tune that is being written.
pub(super) struct Piece<'a> {
    vocabulary: &'a Vocabulary,
    pub spot: Spot<'a>,
    pub plan: Plan,
    /// Bars that are left to be played from the beginning of the section on.
    left: usize,
    /// Bars of the section, or of its ending, before the present one; of its body and of its first ending, where these are over.
    done: usize,
    body: usize,
    first: usize,
    /// Whether the present bar is an upbeat, or a prompt's: then it does not count.
    is_before: bool,
    /// Whether it is the last one of its section.
    is_last: bool,
    /// Whether a note has begun in it.
    has_onset: bool,
}

/// How many steps of a 32nd a bar must have for a note to be tied into it, and another to begin.
const ROOM: u32 = 6;

impl<'a> Piece<'a> {
    /// From a start or the end of a prompt on.
    pub(super) fn new(vocabulary: &'a Vocabulary, spot: Spot<'a>, plan: Plan) -> Piece<'a> {
        let (left, is_before) = (plan.bars, !spot.cursor.bars().is_empty() && !spot.cursor.now().is_between());
        let (spot, is_last, has_onset) = (spot, false, false);
        Piece { vocabulary, spot, plan, left, done: 0, body: 0, first: 0, is_before, is_last, has_onset }
    }

    fn now(&self) -> Now {
        self.spot.cursor.now().or_settled(self.vocabulary)
    }

    fn whole(&self) -> u32 {
        u32::try_from(self.plan.meter.bar(GRID).0).unwrap_or(u32::MAX)
    }

    /// What is left to be played where the section, or its ending, ends after so many bars; `None` where that is too much.
    fn rest(&self, bars: usize) -> Option<usize> {
        let played = match self.spot.cursor.now().section.kind {
            Kind::Plain => bars,
            Kind::Repeated => 2 * bars,
            Kind::First => 2 * self.body + bars,
            Kind::Second => 2 * self.body + self.first + bars,
        };
        self.left.checked_sub(played)
    }

    /// Whether what is left after a section can be filled by what may follow it.
    fn may_end_with(&self, rest: usize) -> bool {
        match self.spot.cursor.now().section.kind {
            // A repeat follows, which has two bars at the least, or nothing.
            Kind::Plain => rest != 1,
            Kind::First => rest > 0,
            Kind::Repeated | Kind::Second => true,
        }
    }

    /// Whether a further bar fits after so many.
    fn may_go_on(&self, bars: usize) -> bool {
        let least = if self.spot.cursor.now().section.kind == Kind::First { 1 } else { 0 };
        self.rest(bars + 1).is_some_and(|rest| rest >= least)
    }

    /// Bars of the section up to the present one.
    fn with_this(&self) -> usize {
        self.done + usize::from(!self.is_before)
    }

    /// Whether a section begins with the present bar, of which nothing but a sign is said.
    fn begins_section(&self, now: &Now) -> bool {
        let bars = self.spot.cursor.bars();
        let before = bars.last().map(|bar| bar.before);
        now.is_fresh() && (bars.len() == 1 || matches!(before, Some(Before::Open | Before::Plain)))
    }

    /// The length of a short bar that has to be said now.
    fn partial(&self) -> Option<u32> {
        let now = self.now();
        if self.plan.upbeat == 0 || !now.is_fresh() {
            return None;
        }
        if self.begins_section(&now) {
            // Where a repeat may begin, it is not yet said whether it does.
            let is_said = !now.is_between() || self.left < 2;
            return is_said.then_some(self.plan.upbeat);
        }
        (!self.may_go_on(self.done + 1)).then_some(self.whole() - self.plan.upbeat)
    }

    fn fits(&self, token: Token, now: &Now) -> bool {
        let upbeat = self.plan.upbeat;
        let ends = |bars: usize| self.rest(bars).is_some_and(|rest| self.may_end_with(rest));
        match token {
            Token::Meter(_) | Token::Key(_) => now.header().is_some(),
            Token::Partial(steps) if self.begins_section(now) => upbeat > 0 && steps == upbeat,
            Token::Partial(steps) => upbeat > 0 && steps == self.whole() - upbeat && ends(self.done + 1),
            Token::Open if now.is_between() => self.left >= 2,
            Token::End if now.is_between() => self.left == 0,
            _ if now.is_between() && (self.left == 0 || upbeat > 0) => now.header().is_some(),
            Token::Bar | Token::Open | Token::Close | Token::First | Token::Double | Token::End => {
                let bars = self.with_this();
                let rest = self.rest(bars).unwrap_or(0);
                let is_due = (upbeat == 0 || self.is_last) && !(self.is_before && token != Token::Bar && upbeat > 0);
                match token {
                    Token::Bar => !self.is_last && self.may_go_on(bars),
                    Token::Open => is_due && rest >= 2,
                    Token::Close => is_due && ends(bars) && bars > 0,
                    Token::First => !self.is_last && bars > 0 && rest >= 2,
                    Token::Double => is_due && rest >= 1,
                    _ => is_due && rest == 0,
                }
            }
            // What is held goes on only as far as a note of this bar's own can follow.
            Token::Tie if now.left() > 0 => self.has_onset || self.has_length_under(now.left()),
            Token::Tie => {
                let room = if upbeat > 0 { self.whole() - upbeat } else { self.whole() };
                let has_room = room >= ROOM && self.has_length_under(room);
                !self.is_last && self.may_go_on(self.with_this()) && has_room
            }
            // A bar has a note of its own.
            Token::Rest => self.has_onset,
            _ => true,
        }
    }

    /// Whether a note can last less than so many steps.
    fn has_length_under(&self, steps: u32) -> bool {
        let unit = self.spot.cursor.now().unit;
        let lengths = self.vocabulary.lengths().iter().map(|looks| looks.saturating_mul(unit) / 8);
        lengths.chain([unit]).any(|length| (1..steps).contains(&length))
    }

    /// What is held over the bar line must leave room for a note.
    fn is_held_too_long(&self, token: Token) -> bool {
        let now = self.spot.cursor.now();
        let is_held = now.said.is_some() && !self.has_onset;
        let settled = || now.or_settled(self.vocabulary).left();
        match token {
            Token::Length(looks) => {
                let steps = looks.saturating_mul(now.unit) / 8;
                is_held && now.tuplet.is_none() && steps >= now.left()
            }
            _ => is_held && settled() == 0,
        }
    }
}

impl<'a> Draft for Piece<'a> {
    type Place = Spot<'a>;

    fn place(&self) -> &Spot<'a> {
        &self.spot
    }

    fn intended(&self) -> Option<TokenId> {
        let now = self.spot.cursor.now();
        match now.header() {
            Some(0) => return Some(self.vocabulary.id(Token::Start)),
            Some(1) => return Some(self.vocabulary.id(Token::Meter(self.plan.meter))),
            Some(2) => return self.plan.key.map(|key| self.vocabulary.id(Token::Key(key))),
            Some(_) => return None,
            None => {}
        }
        if now.is_between() && self.left == 0 {
            return Some(self.vocabulary.id(Token::End));
        }
        self.partial().map(|steps| self.vocabulary.id(Token::Partial(steps)))
    }

    fn mask(&self, logits: &mut [f32]) {
        let now = self.now();
        for (number, logit) in (0..).zip(logits) {
            let token = self.vocabulary.token(TokenId(number));
            if !token.is_some_and(|token| self.fits(token, &now) && !self.is_held_too_long(token)) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn take(&mut self, token: TokenId) -> bool {
        let Some(said) = self.vocabulary.token(token) else { return false };
        let now = self.now();
        let (bars, is_tied) = (self.with_this(), self.spot.cursor.now().goes_on.is_some());
        let begins = self.begins_section(&now);
        match said {
            Token::Partial(_) if begins => self.is_before = true,
            Token::Partial(_) => self.is_last = true,
            Token::Note(_) if !is_tied => self.has_onset = true,
            Token::Open if now.is_between() => {}
            Token::Bar | Token::Open | Token::Close | Token::First | Token::Double | Token::End => {
                match said {
                    Token::Bar => self.done = bars,
                    Token::First => (self.body, self.done) = (bars, 0),
                    Token::Close if now.section.kind == Kind::First => (self.first, self.done) = (bars, 0),
                    _ => {
                        self.left = self.rest(bars).unwrap_or(0);
                        self.done = 0;
                    }
                }
                (self.is_before, self.is_last, self.has_onset) = (false, false, false);
            }
            _ => {}
        }
        self.spot.read(token);
        !self.spot.cursor.now().is_over()
    }

    fn written(&self) -> (usize, usize) {
        let now = self.spot.cursor.now();
        let section = &now.section;
        let so_far = section.steps + now.at;
        let played = match section.kind {
            _ if self.spot.cursor.bars().is_empty() => 0,
            _ if now.is_over() => u32::MAX,
            Kind::Plain => section.from + so_far,
            Kind::Repeated => section.from + 2 * so_far,
            Kind::First => section.from + 2 * section.body + so_far,
            Kind::Second => section.from + 2 * section.body + section.ending + so_far,
        };
        let Plan { from, end, .. } = self.plan;
        ((played.clamp(from, end) - from) as usize, (end - from) as usize)
    }
}
