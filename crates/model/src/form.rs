//! The form of a piece: which bars come again, and how literally.

use std::ops::Range;
use std::str::FromStr;

/// The most sections that a form may have.
const MOST_SECTIONS: usize = 1000;

/// A form, such as `AABA`, `AA'BA''`, or with bars `A8 A'8 B8 A8`. Where a letter comes again, its first section is remembered:
/// literally, or, with a prime, varied. Without numbers the piece is divided evenly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form(Vec<Named>);

/// A section as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    letter: char,
    is_varied: bool,
    bars: Option<usize>,
}

/// A section of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its letter: sections of one letter are the first of them once more.
    pub letter: char,
    /// Whether it is that varied, and not literally.
    pub is_varied: bool,
    /// Its bars, from 0.
    pub bars: Range<usize>,
}

/// Where a bar comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recall {
    /// The bar that it repeats, from 0.
    pub bar: usize,
    /// Whether it comes again varied, and not literally.
    pub is_varied: bool,
}

/// Why a text is no form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A sign that is no letter, prime or number.
    #[error("`{sign}` stands in the form where a letter is expected; write AABA, AA'BA, or A8 A'8 B8 A8 (with bars)")]
    Sign {
        /// The sign.
        sign: char,
    },
    /// Nothing, or too much.
    #[error("a form has 1 to {MOST_SECTIONS} sections, and this one {sections}")]
    Sections {
        /// How many.
        sections: usize,
    },
    /// Some sections say how long they are, and others do not.
    #[error("give the bars of all sections (A8 A'8 B8), or of none")]
    SomeBars,
    /// The bars do not fill the piece.
    #[error("the form has {form} bars and the piece {piece}: give --bars {form}")]
    Bars {
        /// Of the form.
        form: usize,
        /// Of the piece.
        piece: usize,
    },
    /// Sections that would have no bar.
    #[error("{sections} sections do not fit into {}", cantus_score::counted(*piece, "bar"))]
    TooShort {
        /// Of the form.
        sections: usize,
        /// Of the piece.
        piece: usize,
    },
}

impl FromStr for Form {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Form, FormError> {
        let mut sections: Vec<Named> = Vec::new();
        let mut signs = text.chars().peekable();
        while let Some(sign) = signs.next() {
            if sign.is_whitespace() {
                continue;
            }
            if !sign.is_ascii_alphabetic() {
                return Err(FormError::Sign { sign });
            }
            let mut section = Named { letter: sign.to_ascii_uppercase(), is_varied: false, bars: None };
            while signs.next_if(|sign| matches!(sign, '\'' | '\u{2019}')).is_some() {
                section.is_varied = true;
            }
            while let Some(digit) = signs.next_if(char::is_ascii_digit).and_then(|digit| digit.to_digit(10)) {
                let bars = section.bars.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize);
                section.bars = Some(bars);
            }
            sections.push(section);
            if sections.len() > MOST_SECTIONS {
                break;
            }
        }
        if sections.is_empty() || sections.len() > MOST_SECTIONS {
            return Err(FormError::Sections { sections: sections.len() });
        }
        let said = sections.iter().filter(|section| section.bars.is_some()).count();
        if said != 0 && said != sections.len() {
            return Err(FormError::SomeBars);
        }
        Ok(Form(sections))
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (k, Named { letter, is_varied, bars }) in self.0.iter().enumerate() {
            let space = if k > 0 && bars.is_some() { " " } else { "" };
            let prime = if *is_varied { "'" } else { "" };
            write!(f, "{space}{letter}{prime}{}", bars.map(|bars| bars.to_string()).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Form {
    /// How many bars it has, where it says so.
    pub fn bars(&self) -> Option<usize> {
        self.0.iter().map(|section| section.bars).try_fold(0usize, |sum, bars| Some(sum.saturating_add(bars?)))
    }

    /// Its sections in a piece of `bars` bars.
    ///
    /// # Errors
    /// [`FormError`], where the form does not fit.
    pub fn sections(&self, bars: usize) -> Result<Vec<Section>, FormError> {
        let sections = self.0.len();
        if let Some(form) = self.bars().filter(|form| *form != bars) {
            return Err(FormError::Bars { form, piece: bars });
        }
        if self.0.iter().any(|section| section.bars == Some(0)) || sections > bars {
            return Err(FormError::TooShort { sections, piece: bars });
        }
        let start = |k: usize| match self.bars() {
            Some(_) => self.0[..k].iter().filter_map(|section| section.bars).sum(),
            None => k * bars / sections,
        };
        let section = |(k, named): (usize, &Named)| Section {
            letter: named.letter,
            is_varied: named.is_varied,
            bars: start(k)..start(k + 1),
        };
        Ok(self.0.iter().enumerate().map(section).collect())
    }

    /// For each bar of a piece of `bars` bars the bar that it repeats.
    ///
    /// # Errors
    /// As [`sections`](Form::sections).
    pub fn recalls(&self, bars: usize) -> Result<Vec<Option<Recall>>, FormError> {
        let sections = self.sections(bars)?;
        let mut recalls = Vec::with_capacity(bars);
        for (k, section) in sections.iter().enumerate() {
            let first = sections.iter().position(|other| other.letter == section.letter).unwrap_or(k);
            let earlier = &sections[first].bars;
            for bar in 0..section.bars.len() {
                let recall = Recall { bar: earlier.start + bar, is_varied: section.is_varied };
                recalls.push((first < k && bar < earlier.len()).then_some(recall));
            }
        }
        Ok(recalls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        text.parse().unwrap()
    }

    fn bars(text: &str, bars: usize) -> Vec<i32> {
        let recalls = form(text).recalls(bars).unwrap();
        recalls.iter().map(|recall| recall.map_or(-1, |recall| recall.bar as i32)).collect()
    }

    #[test]
    fn letters_that_come_again_recall_their_first_section() {
        assert_eq!(bars("AABA", 8), [-1, -1, 0, 1, -1, -1, 0, 1]);
        assert_eq!(bars("a b a", 5), [-1, -1, -1, 0, -1], "sections of 1, 2 and 2 bars");
        assert_eq!(bars("A2 B1 A'3", 6), [-1, -1, -1, 0, 1, -1]);
        let recalls = form("AA'A").recalls(3).unwrap();
        assert_eq!(recalls.iter().flatten().map(|recall| recall.is_varied).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_form_is_written_as_it_is_read() {
        for text in ["AABA", "AA'BA", "A8 A'8 B4 A8"] {
            assert_eq!(form(text).to_string(), text);
        }
        assert_eq!((form("A8 B4").bars(), form("AB").bars()), (Some(12), None));
        assert_eq!(form("a\u{2019}b"), form("A'B"));
    }

    #[test]
    fn what_is_no_form_is_told() {
        let error = |text: &str| text.parse::<Form>().unwrap_err();
        assert_eq!(error("A-B"), FormError::Sign { sign: '-' });
        assert_eq!(error("8A"), FormError::Sign { sign: '8' });
        assert_eq!(error("  "), FormError::Sections { sections: 0 });
        assert_eq!(error("A8 B"), FormError::SomeBars);
        assert_eq!(error(&"A".repeat(2000)), FormError::Sections { sections: 1001 });
        let misfit = |text: &str, bars| form(text).recalls(bars).unwrap_err();
        assert_eq!(misfit("A8 B8", 12), FormError::Bars { form: 16, piece: 12 });
        assert_eq!(misfit("AABA", 3), FormError::TooShort { sections: 4, piece: 3 });
        assert!(matches!(misfit("A99999999999999999999 B99999999999999999999", 4), FormError::Bars { .. }));
    }
}
