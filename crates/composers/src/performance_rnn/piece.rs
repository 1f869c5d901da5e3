//! A piece that is being written, to its length.

use super::grammar::Moment;
use super::{FINE, Opening};
use cantus_encoding::TokenId;
use cantus_encoding::performance::{Keys, LONGEST_WAIT, Token};
use cantus_model::tokens::{Draft, Place};
use cantus_score::{Meter, Ticks, TicksPerQuarter};

/// What is to be written.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub meter: Meter,
    /// Ticks to the quarter, and of all.
    pub fine: TicksPerQuarter,
    pub ticks: Ticks,
    /// Steps: where it begins, where its last bar does, where it ends.
    pub from: u32,
    pub last_bar: u32,
    pub end: u32,
}

impl Span {
    pub fn of(opening: &Opening<'_>, meter: Meter, bars: usize) -> Span {
        // A beat is a whole number of ticks, and a bar has a step at the least, however fast it is.
        let unit = u32::from(meter.denominator() / 4).max(1);
        let fine = ((opening.fine.get() + unit / 2) / unit * unit).max(unit);
        let finer = (1..=FINE * 64).filter_map(|times| TicksPerQuarter::new(fine.saturating_mul(times)));
        let fine = finer.into_iter().find(|fine| meter.bar(*fine).0 >= FINE.into()).unwrap_or(opening.fine);
        let ticks = |bars: usize| Ticks(meter.bar(fine).0.saturating_mul(bars as u64));
        let step = |ticks: Ticks| {
            opening.from.saturating_add(u32::try_from(ticks.0.div_ceil(FINE.into())).unwrap_or(u32::MAX))
        };
        let (last_bar, end) = (step(ticks(bars - 1)), step(ticks(bars)));
        Span { meter, fine, ticks: ticks(bars), from: opening.from, last_bar, end }
    }
}

/// A piece that is being written.
pub(super) struct Piece<'a> {
    pub place: Moment<'a>,
    pub span: Span,
    pub tokens: Vec<TokenId>,
}

impl Piece<'_> {
    /// Whether a word, which the grammar permits, fits what is to be written: nothing before it begins, a stroke in its last bar; pitches,
    /// lengths of notes and of the pedal as the corpus has them.
    fn fits(&self, token: Token) -> bool {
        let Piece { place: Moment { grammar, cursor, .. }, span, .. } = self;
        let vocabulary = &grammar.vocabulary;
        let (now, heard) = (cursor.now(), vocabulary.heard_range());
        let keys = Keys::between(heard.0, heard.1);
        let over = |since: u32, longest: u32| since.saturating_add(longest);
        let sounds = cursor.last_stroke().is_some_and(|at| at >= span.last_bar);
        // The last step in which the last bar may begin to sound; where nothing can be struck, a key has to come up.
        let is_last = !sounds && now + 1 >= span.end;
        let is_stuck = is_last && !cursor.can_strike(keys);
        let ends = |key: &u8| over(cursor.struck(*key).unwrap_or_default(), vocabulary.longest_note());
        let late_key = cursor.sounding().iter().find(|key| ends(key) <= now);
        let pedal_end = cursor.pedal_since().map(|down| over(down, vocabulary.longest_pedal()));
        match token {
            Token::Wait(steps) => {
                let to = now + u32::from(steps);
                if now < span.from {
                    return steps == LONGEST_WAIT || to >= span.from;
                }
                let due = cursor.sounding().iter().map(|key| ends(&key)).chain(pedal_end).min();
                !is_last && (to < span.end || sounds) && due.is_none_or(|due| to.min(span.end) <= due)
            }
            _ if now < span.from => false,
            Token::Release(key) => late_key.is_none_or(|late| key <= late),
            _ if late_key.is_some() || is_stuck => false,
            Token::Pedal(_) => true,
            _ if pedal_end.is_some_and(|end| end <= now) => false,
            Token::Level(_) => cursor.can_strike(keys),
            Token::Strike(key) => keys.has(key),
            Token::Start | Token::Told => false,
        }
    }
}

impl<'a> Draft for Piece<'a> {
    type Place = Moment<'a>;

    fn place(&self) -> &Moment<'a> {
        &self.place
    }

    fn intended(&self) -> Option<TokenId> {
        None
    }

    fn mask(&self, logits: &mut [f32]) {
        for (number, logit) in (0..).zip(logits) {
            if !self.place.grammar.vocabulary.token(TokenId(number)).is_some_and(|token| self.fits(token)) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn take(&mut self, token: TokenId) -> bool {
        self.tokens.push(token);
        self.place.read(token);
        self.place.cursor.now() < self.span.end
    }

    fn written(&self) -> (usize, usize) {
        let Span { from, end, .. } = self.span;
        ((self.place.cursor.now().clamp(from, end) - from) as usize, (end - from) as usize)
    }
}
