//! Styles that are asked for, and how much of each.

use cantus_nn::random::{Rng, uniform};

/// Styles by their numbers among those that a composer tells apart, and the share of each; the shares sum to 1. Of none nobody said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Styles(Vec<(usize, f32)>);

impl Styles {
    /// One style alone, or none.
    pub fn one(style: Option<usize>) -> Styles {
        Styles(style.map(|style| (style, 1.0)).into_iter().collect())
    }

    /// What `text` names of the styles that are `known`: `haydn`, `haydn, chopin` in equal parts, `haydn=0.7, chopin=0.3`. A name may
    /// itself hold commas and equals signs, as folders do (`Bach, J. S.`).
    ///
    /// # Errors
    /// The name that is not known, or where the amount is wrong.
    pub fn read(text: &str, known: &[String]) -> Result<Styles, String> {
        let mut shares: Vec<(usize, f32)> = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (style, amount, after) = next(rest, known).ok_or_else(|| rest.to_owned())?;
            match shares.iter_mut().find(|(other, _)| *other == style) {
                Some((_, share)) => *share += amount,
                None => shares.push((style, amount)),
            }
            rest = after;
        }
        let all: f32 = shares.iter().map(|(_, amount)| amount).sum();
        shares.retain(|(_, amount)| *amount > 0.0);
        shares.iter_mut().for_each(|(_, amount)| *amount /= all);
        if shares.is_empty() || !all.is_finite() { Err(text.trim().to_owned()) } else { Ok(Styles(shares)) }
    }

    /// Each style and its share, in the order in which they were said.
    pub fn shares(&self) -> &[(usize, f32)] {
        &self.0
    }

    /// One of them, each as likely as its share.
    pub fn draw(&self, rng: &mut Rng) -> Option<usize> {
        let (last, others) = self.0.split_last()?;
        if others.is_empty() {
            return Some(last.0);
        }
        let mut left = uniform(rng);
        let drawn = others.iter().find(|(_, share)| {
            left -= share;
            left < 0.0
        });
        Some(drawn.unwrap_or(last).0)
    }
}

/// The first style of a text, how much of it is asked for, and what of the text comes after it.
fn next<'t>(text: &'t str, known: &[String]) -> Option<(usize, f32, &'t str)> {
    let mut longest: Option<(usize, f32, &str, usize)> = None;
    for (style, name) in known.iter().enumerate() {
        let Some(after) = text.strip_prefix(name.as_str()) else { continue };
        let (said, rest) = after.split_once(',').unwrap_or((after, ""));
        let amount = match said.trim().strip_prefix('=') {
            None if said.trim().is_empty() => 1.0,
            None => continue,
            Some(amount) => match amount.trim().parse::<f32>() {
                Ok(amount) if amount >= 0.0 && amount.is_finite() => amount,
                _ => continue,
            },
        };
        if longest.is_none_or(|(.., length)| name.len() > length) {
            longest = Some((style, amount, rest.trim_start(), name.len()));
        }
    }
    longest.map(|(style, amount, rest, _)| (style, amount, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;

    fn known() -> Vec<String> {
        ["bach", "bach, j. s.", "chopin", "x=1"].map(str::to_owned).into()
    }

    fn read(text: &str) -> Vec<(usize, f32)> {
        Styles::read(text, &known()).unwrap().shares().to_vec()
    }

    #[test]
    fn shares_sum_to_one_whatever_names_hold() {
        assert_eq!(read("chopin"), [(2, 1.0)]);
        assert_eq!(read(" bach , chopin"), [(0, 0.5), (2, 0.5)]);
        assert_eq!(read("bach=3,chopin = 1"), [(0, 0.75), (2, 0.25)]);
        assert_eq!(read("bach, j. s.,chopin"), [(1, 0.5), (2, 0.5)]);
        assert_eq!(read("x=1=1, bach=0, chopin=1"), [(3, 0.5), (2, 0.5)]);
        assert_eq!(read("chopin, chopin"), [(2, 1.0)]);
        for (text, unknown) in [
            ("haydn", "haydn"),
            ("bach, haydn=2", "haydn=2"),
            ("bach=-1", "bach=-1"),
            ("bach=much", "bach=much"),
            ("bachs", "bachs"),
            ("bach=0", "bach=0"),
            ("", ""),
            ("bach=1e38, chopin=3e38", "bach=1e38, chopin=3e38"),
        ] {
            assert_eq!(Styles::read(text, &known()), Err(unknown.to_owned()), "{text}");
        }
    }

    #[test]
    fn styles_are_drawn_by_their_shares() {
        let styles = Styles::read("bach=3, chopin=1", &known()).unwrap();
        let rng = &mut seeded(1);
        let bach = (0..4000).filter(|_| styles.draw(rng) == Some(0)).count();
        assert!((2880..3120).contains(&bach), "{bach}");
        // Of one, nothing is drawn: what follows is as if the generator had not been asked.
        let (mut asked, mut other) = (seeded(2), seeded(2));
        assert_eq!(Styles::one(Some(3)).draw(&mut asked), Some(3));
        assert_eq!(Styles::default().draw(&mut asked), None);
        assert_eq!(uniform(&mut asked), uniform(&mut other));
    }
}
