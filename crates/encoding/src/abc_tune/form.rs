//! The form of a tune: which strains it has, how long they are, and which of them are repeated.

use super::tune::whole;
use super::{Bar, Before, Tune};
use serde::{Deserialize, Serialize};

/// A strain of a tune. Its bars are those on paper, an upbeat not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Strain {
    /// Played once.
    Once(u16),
    /// Played twice.
    Twice(u16),
    /// Played twice, with two endings: the bars before them, and theirs.
    Endings(u16, u16, u16),
}

impl Strain {
    /// How many bars are played.
    pub fn played(self) -> usize {
        match self {
            Strain::Once(bars) => bars.into(),
            Strain::Twice(bars) => 2 * usize::from(bars),
            Strain::Endings(body, first, second) => 2 * usize::from(body) + usize::from(first) + usize::from(second),
        }
    }

    /// Whether it can be: it and its endings have bars, and none that is played once is followed by another one.
    fn may_follow(self, before: Option<Strain>) -> bool {
        match self {
            Strain::Once(bars) => bars > 0 && !matches!(before, Some(Strain::Once(_))),
            Strain::Twice(bars) => bars > 0,
            Strain::Endings(body, first, second) => body > 0 && first > 0 && second > 0,
        }
    }
}

/// The strains of a tune in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Strain>", into = "Vec<Strain>")]
pub struct Form(Vec<Strain>);

impl Form {
    /// That of a tune; `None` where it has no bar, or a strain is an upbeat alone.
    pub fn of(tune: &Tune) -> Option<Form> {
        let mut strains: Vec<Strain> = Vec::new();
        let mut rest = &tune.bars[..];
        while let Some(first) = rest.first() {
            let body = take(&mut rest);
            strains.push(match (first.before, rest.first().map(|bar| bar.before)) {
                (Before::Open, Some(Before::First)) => {
                    let one = take(&mut rest);
                    let is_second = rest.first().is_some_and(|bar| bar.before == Before::Second);
                    Strain::Endings(body, one, if is_second { take(&mut rest) } else { 0 })
                }
                (Before::Open, _) => Strain::Twice(body),
                _ => Strain::Once(body),
            });
        }
        Form::try_from(strains).ok()
    }

    /// Its strains.
    pub fn strains(&self) -> &[Strain] {
        &self.0
    }

    /// Whether a strain is repeated.
    pub fn repeats(&self) -> bool {
        self.0.iter().any(|strain| !matches!(strain, Strain::Once(_)))
    }

    /// How many bars are played.
    pub fn played(&self) -> usize {
        self.0.iter().map(|strain| strain.played()).sum()
    }
}

/// Takes the bars up to the next sign away, and counts them.
fn take(rest: &mut &[Bar]) -> u16 {
    let end = rest.iter().skip(1).position(|bar| bar.before != Before::Line).map_or(rest.len(), |at| at + 1);
    let (taken, left) = rest.split_at(end);
    *rest = left;
    let is_upbeat = |bar: &Bar| !matches!(bar.before, Before::First | Before::Second) && bar.steps < whole(bar.meter);
    let upbeats = usize::from(taken.first().is_some_and(is_upbeat));
    u16::try_from(taken.len() - upbeats).unwrap_or(u16::MAX)
}

impl TryFrom<Vec<Strain>> for Form {
    type Error = String;

    fn try_from(strains: Vec<Strain>) -> Result<Form, String> {
        let mut before = None;
        for strain in &strains {
            if !strain.may_follow(before.replace(*strain)) {
                return Err(format!("the strain {strain:?} cannot be"));
            }
        }
        if strains.is_empty() { Err("a form has no strain".to_owned()) } else { Ok(Form(strains)) }
    }
}

impl From<Form> for Vec<Strain> {
    fn from(form: Form) -> Vec<Strain> {
        form.0
    }
}
