//! The best of several pieces: those that copy nothing, that a machine listener takes for the corpus's, and that the model's own critic likes.

use crate::Model;
use crate::models::is_copied;
use cantus_corpus::{Options, prepare};
use cantus_model::Composition;
use cantus_score::{Score, counted};
use serde::Serialize;

/// Why a piece stands where it does among others that were composed with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Which of the pieces it is, in the order in which they were composed, from 0.
    #[serde(skip)]
    pub number: usize,
    /// Of so many.
    pub of: usize,
    /// By the listener, which has heard the corpus and the other pieces: the log-odds that it is one of the corpus.
    pub listener: Option<Opinion>,
    /// By the critic of the model, where it has one: the log-odds that it is one of the corpus, all passages added up.
    pub critic: Option<Opinion>,
    /// Whether it shares more with the training music than real pieces do.
    pub is_copied: bool,
}

/// What somebody thinks of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Opinion {
    /// How well.
    pub log_odds: f64,
    /// Where it stands by this alone, from 1.
    pub place: usize,
}

/// `of 50 pieces: 2nd by the listener, 7th by the critic; no copy`.
impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "of {}: ", counted(self.of, "piece"))?;
        match (self.listener, self.critic) {
            (Some(listener), Some(critic)) => {
                write!(f, "{} by the listener, {} by the critic", ordinal(listener.place), ordinal(critic.place))?;
            }
            (Some(listener), None) => write!(f, "{} by the listener", ordinal(listener.place))?,
            (None, Some(critic)) => write!(f, "{} by the critic", ordinal(critic.place))?,
            (None, None) => f.write_str("nothing is known that would order them")?,
        }
        f.write_str(if self.is_copied { "; copies the training music" } else { "; no copy" })
    }
}

/// All pieces, the best first. Copies come last; the others stand by the sum of their places in either opinion.
pub fn order(model: &Model, pieces: &[Composition]) -> Vec<Standing> {
    let scores: Vec<&Score> = pieces.iter().map(|piece| &piece.score).collect();
    let heard = model.reference().map(|reference| {
        let options = Options { grid: Some(reference.steps()), ..Options::lenient() };
        // A piece without a note is as long as none.
        let on_grid = |score: &&Score| {
            prepare(score, &options).map_or_else(|_| Score::new(reference.steps()), |piece| piece.score)
        };
        let on_grid: Vec<Score> = scores.iter().map(on_grid).collect();
        reference.judge(&on_grid.iter().collect::<Vec<_>>())
    });
    let listener = opinions(&heard.unwrap_or_else(|| vec![None; pieces.len()]));
    let critic = opinions(&pieces.iter().map(|piece| piece.verdict).collect::<Vec<_>>());
    let learnt = model.learnt();
    let mut standings: Vec<Standing> = (0..pieces.len())
        .map(|number| Standing {
            number,
            of: pieces.len(),
            listener: listener[number],
            critic: critic[number],
            is_copied: is_copied(&learnt, scores[number]),
        })
        .collect();
    let place = |opinion: Option<Opinion>| opinion.map_or(pieces.len(), |opinion| opinion.place);
    standings.sort_by_key(|standing| (standing.is_copied, place(standing.listener) + place(standing.critic)));
    standings
}

/// The places of pieces by what is thought of them; of equals the earlier one comes first.
fn opinions(log_odds: &[Option<f64>]) -> Vec<Option<Opinion>> {
    let mut order: Vec<(usize, f64)> =
        log_odds.iter().enumerate().filter_map(|(k, odds)| Some((k, (*odds)?))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut opinions = vec![None; log_odds.len()];
    for (place, (number, log_odds)) in order.into_iter().enumerate() {
        opinions[number] = Some(Opinion { log_odds, place: place + 1 });
    }
    opinions
}

/// `1st`, `2nd`, `13th`.
fn ordinal(place: usize) -> String {
    let ending = match (place % 10, place % 100) {
        (1, hundred) if hundred != 11 => "st",
        (2, hundred) if hundred != 12 => "nd",
        (3, hundred) if hundred != 13 => "rd",
        _ => "th",
    };
    format!("{place}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_evaluation::listener::Reference;
    use cantus_evaluation::originality::{Digest, HeldOut, Index};
    use cantus_score::{Note, Part, Pitch, Ticks, TicksPerQuarter, Velocity};

    /// A tune of 64 quarters that moves by so many keys at most.
    fn tune(seed: u64, leap: u64) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let (mut pitch, mut state) = (70i64, seed * 2 + 1);
        let note = |k: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            pitch = (pitch + (state >> 40) as i64 % (2 * leap as i64 + 1) - leap as i64).clamp(58, 84);
            let pitch = Pitch::try_from(pitch).unwrap();
            Note { onset: Ticks(2 * k), pitch, duration: Ticks(2), velocity: Velocity::DEFAULT }
        };
        score.parts.push(Part { notes: (0..128).map(note).collect(), ..Part::default() });
        score
    }

    #[test]
    fn the_best_are_like_the_corpus_and_no_copies() {
        let corpus: Vec<Score> = (0..60).map(|seed| tune(seed, 2)).collect();
        let mut model = crate::load("hymns").unwrap();
        model.header.listener = Some(Reference::of(&corpus.iter().collect::<Vec<_>>()).unwrap().to_json());
        let index = Index::new(corpus.iter().map(|score| ("one", score)));
        let mut held_out = HeldOut::default();
        held_out.melody[1].pieces = 20;
        held_out.melody[1].high = 0.5;
        model.header.originality = Some(Digest::new(&index, held_out, Digest::MOST_BYTES).to_json());
        // Every third is of the corpus's kind; the first is a piece of it.
        let piece = |k: u64| match k {
            0 => tune(7, 2),
            k => tune(1000 + k, if k % 3 == 0 { 2 } else { 7 }),
        };
        let pieces: Vec<Composition> = (0..24).map(|k| Composition::new(piece(k), Vec::new())).collect();
        let order = order(&model, &pieces);
        assert_eq!((order.len(), order[23].number, order[23].is_copied), (24, 0, true));
        assert_eq!(order.iter().filter(|standing| standing.is_copied).count(), 1);
        let best = order[..7].iter().filter(|standing| standing.number % 3 == 0).count();
        assert!(best >= 6, "{order:?}");
        let said = order[0].to_string();
        assert!(said.starts_with("of 24 pieces: ") && said.ends_with("by the listener; no copy"), "{said}");
        // The critic counts as much.
        let verdict = |(k, piece): (usize, &Composition)| Composition { verdict: Some(-(k as f64)), ..piece.clone() };
        let with_critic: Vec<Composition> = pieces.iter().enumerate().map(verdict).collect();
        let critics = super::order(&model, &with_critic);
        assert!(critics.iter().all(|standing| standing.critic.unwrap().place == standing.number + 1));
        assert_ne!(
            critics.iter().map(|s| s.number).collect::<Vec<_>>(),
            order.iter().map(|s| s.number).collect::<Vec<_>>()
        );
    }

    #[test]
    fn places_are_told_as_people_do() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 112th"
        );
        let places = |odds: &[Option<f64>]| opinions(odds).iter().map(|o| o.map(|o| o.place)).collect::<Vec<_>>();
        assert_eq!(places(&[Some(0.5), None, Some(2.0), Some(0.5)]), [Some(2), None, Some(1), Some(3)]);
    }
}
