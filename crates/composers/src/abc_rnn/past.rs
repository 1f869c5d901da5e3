//! What stood at earlier places of a tune: those before which the same was said as here, and those so many bars ago.

use cantus_encoding::TokenId;

/// Earlier places that are looked at, the last ones.
const MOST: usize = 1024;

/// The tokens so far, and where they stood.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    tokens: Vec<TokenId>,
    /// For each token its place in the bar.
    places: Vec<u32>,
    /// For each token how many before it are the same as the last ones of all.
    runs: Vec<u16>,
    /// For each bar its first token.
    bars: Vec<usize>,
}

impl Past {
    /// Classes of likeness: none, 1, 2, 3-4, 5-7, 8-12, 13-20, more.
    pub(super) const CLASSES: usize = 8;

    fn class(run: u16) -> u32 {
        match run {
            0..=2 => run.into(),
            3..=4 => 3,
            5..=7 => 4,
            8..=12 => 5,
            13..=20 => 6,
            _ => 7,
        }
    }

    /// Takes notice of a token that stands at a place.
    pub(super) fn note(&mut self, token: TokenId, place: u32) {
        self.tokens.push(token);
        self.places.push(place);
        self.runs.push(0);
        let from = self.tokens.len().saturating_sub(MOST).max(1);
        for k in (from..self.tokens.len()).rev() {
            self.runs[k] = if self.tokens[k - 1] == token { self.runs[k - 1].saturating_add(1) } else { 0 };
        }
    }

    /// A bar begins.
    pub(super) fn begin_bar(&mut self) {
        self.bars.push(self.tokens.len());
    }

    /// The likest places with different tokens, two at most: the token that stood there, and how alike it was before.
    pub(super) fn likest(&self, place: u32) -> [Option<(TokenId, u32)>; 2] {
        let mut found: [Option<(TokenId, u16)>; 2] = [None; 2];
        let from = self.tokens.len().saturating_sub(MOST).max(1);
        for k in (from..self.tokens.len()).rev().filter(|k| self.places[*k] == place) {
            let (token, run) = (self.tokens[k], self.runs[k]);
            let better = |known: Option<(TokenId, u16)>| known.is_none_or(|(_, other)| run > other);
            let is = |known: Option<(TokenId, u16)>| known.is_some_and(|(other, _)| other == token);
            if is(found[0]) {
                if better(found[0]) {
                    found[0] = Some((token, run));
                }
            } else if better(found[0]) {
                found = [Some((token, run)), found[0]];
            } else if better(found[1]) {
                found[1] = Some((token, run));
            }
        }
        found.map(|known| known.map(|(token, run)| (token, Past::class(run))))
    }

    /// What stood at a place of a bar, by its number.
    pub(super) fn in_bar(&self, bar: Option<usize>, place: u32) -> Option<TokenId> {
        let bar = bar?;
        let from = *self.bars.get(bar)?;
        let to = self.bars.get(bar + 1).copied().unwrap_or(self.tokens.len());
        (from..to).find(|k| self.places[*k] == place).map(|k| self.tokens[k])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_likeness_comes_first() {
        let mut past = Past::default();
        for (k, token) in [1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3].into_iter().enumerate() {
            if k % 4 == 0 {
                past.begin_bar();
            }
            past.note(TokenId(token), 7);
        }
        assert_eq!(past.likest(7), [Some((TokenId(4), 3)), Some((TokenId(5), 2))]);
        assert_eq!(past.likest(8), [None; 2]);
        assert_eq!((past.in_bar(Some(1), 7), past.in_bar(Some(3), 7)), (Some(TokenId(9)), None));
    }
}
