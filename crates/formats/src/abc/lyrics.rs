//! Words under the notes (standard 2.1, section 5).

use cantus_score::{Lyric, Ticks};

/// What is sung in a voice.
#[derive(Debug, Default)]
pub struct Sung {
    /// In the time of the notes as they are written, verse by verse within a line.
    pub lyrics: Vec<Lyric>,
    /// Where syllables may stand: each chord and note that is not a grace, also one that a tie holds, with its bar.
    slots: Vec<(u64, usize)>,
    /// The line of music that was read last, and its first slot.
    line: usize,
    line_start: usize,
    /// The first slot that no line of words has reached.
    next: usize,
    /// Where the line of words before began, and its verse; lines that follow one another are verses.
    begun: Option<(usize, u8)>,
}

/// A sign in a line of words.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Syllable {
        text: String,
        goes_on: bool,
    },
    /// A note without a syllable of its own: `_`, `*`, or a hyphen alone.
    Held,
    /// `|`: on to the next bar.
    Bar,
}

impl Sung {
    /// A chord or a note at this time, in this bar and line. Voices laid over another have no words.
    pub fn slot(&mut self, at: u64, bar: usize, line: usize, is_over: bool) {
        self.begun = None;
        if line != self.line {
            (self.line, self.line_start) = (line, self.slots.len());
        }
        if !is_over {
            self.slots.push((at, bar));
        }
    }

    /// A `w:` field.
    ///
    /// Fields that follow one another are verses. Another one begins with the line of music before it (2.0), or, where its syllables
    /// are more than that line has notes, with the first note that has no words yet (2.1, section 5.1).
    pub fn words(&mut self, text: &str) {
        let tokens = tokens(text);
        let (from, verse) = match self.begun {
            Some((from, verse)) => (from, verse.saturating_add(1)),
            None => {
                let syllables = tokens.iter().filter(|token| **token != Token::Bar).count();
                let line_start = self.line_start.max(self.next);
                let fits = syllables <= self.slots.len().saturating_sub(line_start);
                (if fits { line_start } else { self.next }, 1)
            }
        };
        self.begun = Some((from, verse));
        self.lay(&tokens, from, verse);
        self.next = self.slots.len();
    }

    /// A `+:` field after a `w:` field goes on with it.
    pub fn more_words(&mut self, text: &str) {
        let Some((_, verse)) = self.begun else { return self.words(text) };
        let last = self.lyrics.iter().rev().find(|lyric| lyric.verse == verse).map(|lyric| lyric.at.0);
        let from = last.map_or(0, |at| self.slots.partition_point(|(slot, _)| *slot <= at));
        self.lay(&tokens(text), from, verse);
    }

    fn lay(&mut self, tokens: &[Token], from: usize, verse: u8) {
        let mut at = from;
        let mut bar = self.slots.get(from).map_or(0, |(_, bar)| *bar);
        for token in tokens {
            match token {
                Token::Bar => {
                    // The bar of the last syllable is over.
                    let last = at.checked_sub(1).filter(|last| *last >= from).map_or(0, |last| self.slots[last].1);
                    bar = bar.max(last) + 1;
                    at = at.max(self.slots.partition_point(|(_, of)| *of < bar));
                }
                Token::Held => at += 1,
                Token::Syllable { text, goes_on } => {
                    // What is more than there are notes is ignored.
                    let Some((slot, _)) = self.slots.get(at) else { return };
                    self.lyrics.push(Lyric { at: Ticks(*slot), verse, text: text.clone(), goes_on: *goes_on });
                    at += 1;
                }
            }
            if at >= self.slots.len() {
                return;
            }
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut syllable = String::new();
    let mut signs = text.chars().peekable();
    let flush = |syllable: &mut String, goes_on: bool, tokens: &mut Vec<Token>| {
        let text = std::mem::take(syllable);
        let is_one = !text.trim().is_empty();
        if is_one {
            tokens.push(Token::Syllable { text: text.trim().to_owned(), goes_on });
        }
        is_one
    };
    while let Some(sign) = signs.next() {
        match sign {
            '\\' if signs.next_if_eq(&'-').is_some() => syllable.push('-'),
            '~' => syllable.push(' '),
            '-' => {
                // After a blank or another hyphen, one more note for the syllable before.
                if !flush(&mut syllable, true, &mut tokens) {
                    tokens.push(Token::Held);
                }
            }
            '_' | '*' | '|' => {
                flush(&mut syllable, false, &mut tokens);
                tokens.push(if sign == '|' { Token::Bar } else { Token::Held });
            }
            sign if sign.is_whitespace() => {
                flush(&mut syllable, false, &mut tokens);
            }
            sign => syllable.push(sign),
        }
    }
    flush(&mut syllable, false, &mut tokens);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes a tick apart, in bars as long as `bars` says, line by line; and what is sung on them.
    fn sung(lines: &[(&[usize], &[&str])]) -> Vec<String> {
        let mut sung = Sung::default();
        let (mut at, mut bar) = (0, 0);
        for (k, (bars, words)) in lines.iter().enumerate() {
            for notes in *bars {
                (0..*notes).for_each(|_| {
                    sung.slot(at, bar, k + 1, false);
                    at += 1;
                });
                bar += 1;
            }
            words.iter().for_each(|words| sung.words(words));
        }
        let shown = |lyric: &Lyric| {
            format!("{}:{}{}{}", lyric.at.0, lyric.verse, lyric.text, if lyric.goes_on { "-" } else { "" })
        };
        sung.lyrics.iter().map(shown).collect()
    }

    #[test]
    fn syllables_stand_under_their_notes() {
        assert_eq!(sung(&[(&[4], &["Al-le-lu-ia"])]), ["0:1Al-", "1:1le-", "2:1lu-", "3:1ia"]);
        // Held, left out, spaces and hyphens within a syllable, and more than there are notes.
        assert_eq!(sung(&[(&[6], &["o_ver * of~the x\\-y z too"])]), ["0:1o", "2:1ver", "4:1of the", "5:1x-y"]);
        assert_eq!(sung(&[(&[4], &["time- - less--"])]), ["0:1time-", "2:1less-"]);
        assert_eq!(sung(&[(&[4], &["hoar- y head"])]), ["0:1hoar-", "1:1y", "2:1head"]);
        // A bar line goes on to the next bar, and means nothing where the bar is full.
        assert_eq!(sung(&[(&[3, 2, 1], &["a | b c | d"])]), ["0:1a", "3:1b", "4:1c", "5:1d"]);
    }

    #[test]
    fn verses_follow_one_another_and_lines_their_music() {
        assert_eq!(
            sung(&[(&[2], &["a b", "c d"]), (&[2], &["e f"])]),
            ["0:1a", "1:1b", "0:2c", "1:2d", "2:1e", "3:1f"]
        );
        // A line of music without words; and words that come later than their lines.
        assert_eq!(sung(&[(&[2], &[]), (&[2], &["e f"])]), ["2:1e", "3:1f"]);
        assert_eq!(sung(&[(&[2], &[]), (&[2], &["a b c d"])]), ["0:1a", "1:1b", "2:1c", "3:1d"]);
        assert_eq!(sung(&[(&[2], &["", "c"]), (&[2], &["e"])]), ["0:2c", "2:1e"]);
    }
}
