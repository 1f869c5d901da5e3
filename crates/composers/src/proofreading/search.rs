//! Sheets that please a proofreader, found by chance and choice: what it likes that nobody has written. They become examples of what is no music.

use super::breaking::plain_noise;
use super::sheet::{COMMON_BAR, Sheet, Tone};
use super::verdict::Ear;
use cantus_nn::random::{Rng, below, uniform, uniform_in};

/// Bars of what is looked for.
pub(super) const BARS: usize = 8;
/// Steps of a tone of it.
const UNIT: i32 = 4;
/// Sheets of a generation.
const MANY: usize = 24;
/// Those that go on.
const BEST: usize = 4;

/// What searches look for: the logarithm of its soundness.
pub(super) fn liking(ear: &Ear, sheet: &Sheet) -> f32 {
    ear.log_soundness(sheet, &ear.raw(sheet))
}

/// Generations of a genetic search that begins with noise: the best go on, others take over stretches of two of them, with tones that are new, gone
/// or moved. The best of the last generation.
pub(super) fn breed(ear: &Ear, generations: usize, rng: &mut Rng) -> Vec<Sheet> {
    let chance = uniform_in(rng, -5.5, -2.0).exp();
    let mut many: Vec<(f32, Sheet)> =
        (0..MANY).map(|_| plain_noise(BARS, chance, rng)).map(|sheet| (liking(ear, &sheet), sheet)).collect();
    for _ in 0..generations {
        many.sort_by(|a, b| b.0.total_cmp(&a.0));
        many.truncate(BEST);
        while many.len() < MANY {
            let parents = [0, 1].map(|_| below(rng, BEST));
            let child = edit(&crossed(&many[parents[0]].1, &many[parents[1]].1, rng), 1 + below(rng, 3), rng);
            many.push((liking(ear, &child), child));
        }
    }
    many.sort_by(|a, b| b.0.total_cmp(&a.0));
    many.into_iter().take(3).map(|(_, sheet)| sheet).collect()
}

/// The first of two sheets up to a step, then the other.
pub(super) fn crossed(one: &Sheet, other: &Sheet, rng: &mut Rng) -> Sheet {
    let at = UNIT * below(rng, (one.steps() / UNIT).max(1) as usize) as i32;
    let tones = one.between(0, at).iter().chain(other.between(at, i32::MAX));
    one.with(tones.copied().collect())
}

/// So many tones are added, taken away, or moved.
pub(super) fn edit(sheet: &Sheet, edits: usize, rng: &mut Rng) -> Sheet {
    let mut tones = sheet.tones.clone();
    for _ in 0..edits {
        let chance = uniform(rng);
        if tones.is_empty() || chance < 0.34 {
            let at = UNIT * below(rng, BARS * (COMMON_BAR / UNIT) as usize) as i32;
            tones.push(Tone { at, pitch: 36 + below(rng, 60) as u8, length: UNIT });
        } else if chance < 0.67 {
            let k = below(rng, tones.len());
            tones.swap_remove(k);
        } else {
            let k = below(rng, tones.len());
            let by = below(rng, 25) as i32 - 12;
            tones[k].pitch = (i32::from(tones[k].pitch) + by).clamp(21, 108) as u8;
        }
    }
    sheet.with(tones)
}
