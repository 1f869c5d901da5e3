//! What counting gives to the same sites: how often each symbol stands somewhere, and what stands between two neighbours of its voice.

use cantus_encoding::voice_lines::{SYMBOLS, Sites, Symbol};
use cantus_encoding::voices::VOICES;
use cantus_model::Baseline;
use std::collections::HashMap;

/// The weight of the frequencies beside what was counted between two neighbours, in sites.
const PRIOR: f64 = 2.0;

/// A voice of a piece with what stands around each site; beyond the piece there are rests.
fn around(sites: &[Sites], voice: usize) -> impl Iterator<Item = ((Symbol, Symbol), Symbol)> {
    let symbol =
        move |step: Option<usize>| step.and_then(|step| sites.get(step)).map_or(Symbol::REST, |sites| sites[voice]);
    (0..sites.len()).map(move |step| ((symbol(step.checked_sub(1)), symbol(Some(step + 1))), sites[step][voice]))
}

/// How often each symbol stands at the sites of each voice, a little smoothed.
pub(super) fn frequencies<'a>(pieces: impl Iterator<Item = &'a Vec<Sites>>) -> [[f32; SYMBOLS]; VOICES] {
    let mut counts = [[0.1f32; SYMBOLS]; VOICES];
    for sites in pieces.flatten() {
        for (counts, symbol) in counts.iter_mut().zip(sites) {
            counts[symbol.index()] += 1.0;
        }
    }
    counts.map(|counts| {
        let all: f32 = counts.iter().sum();
        counts.map(|count| count / all)
    })
}

/// Nats a site of both, the weaker one first.
pub(super) fn baselines(train: &[Vec<Sites>], valid: &[Vec<Sites>]) -> Vec<Baseline> {
    let frequencies = frequencies(train.iter());
    let (mut by_frequency, mut by_neighbours, mut sites) = (0.0, 0.0, 0.0);
    for (voice, frequencies) in frequencies.iter().enumerate() {
        let mut counts: HashMap<(Symbol, Symbol), (f64, HashMap<Symbol, f64>)> = HashMap::new();
        for (neighbours, symbol) in train.iter().flat_map(|piece| around(piece, voice)) {
            let (all, of_each) = counts.entry(neighbours).or_default();
            *all += 1.0;
            *of_each.entry(symbol).or_default() += 1.0;
        }
        for (neighbours, symbol) in valid.iter().flat_map(|piece| around(piece, voice)) {
            let prior = f64::from(frequencies[symbol.index()]);
            let found = counts.get(&neighbours);
            let (all, own) =
                found.map_or((0.0, 0.0), |(all, of_each)| (*all, of_each.get(&symbol).copied().unwrap_or(0.0)));
            by_frequency -= prior.ln();
            by_neighbours -= ((own + PRIOR * prior) / (all + PRIOR)).ln();
            sites += 1.0;
        }
    }
    let baseline =
        |name: &str, nats: f64| Baseline { name: name.to_owned(), nats_per_token: nats / f64::max(sites, 1.0) };
    vec![baseline("frequency in each voice", by_frequency), baseline("both neighbours in each voice", by_neighbours)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_neighbours_stands_what_stood_there() {
        let symbol = |index| Symbol::new(index).unwrap();
        let piece: Vec<Sites> = (0..60).map(|step| [[1, 2, 5][step % 3], 7, 32, 33].map(symbol)).collect();
        let found = baselines(std::slice::from_ref(&piece), std::slice::from_ref(&piece));
        assert!(found[0].nats_per_token > 0.25 * 3f64.ln() && found[1].nats_per_token < 0.1, "{found:?}");
        // What was never seen has a price, and no more.
        let other: Vec<Sites> = vec![[9, 9, 9, 9].map(symbol); 4];
        assert!(baselines(&[piece], &[other]).iter().all(|baseline| baseline.nats_per_token.is_finite()));
    }
}
