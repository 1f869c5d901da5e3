//! What counting models give to frames: each key by itself.

use super::repertoire::Repertoire;
use super::strokes::{self, Since, Stroke};
use super::{FrameSettings, Past};
use crate::Baseline;
use cantus_encoding::piano_roll::{Frame, Keys};

/// How many observations a prior counts for.
const STRENGTH: f64 = 2.0;

/// Independent keys: each by its frequency, and each after its own last two steps; strokes, where they are read, by how often any is,
/// and by how long the key has been sounding. All frames but a piece's first count.
pub(super) fn baselines<P: Past>(
    train: &Repertoire<P>,
    valid: &Repertoire<P>,
    settings: &FrameSettings,
) -> Vec<Baseline> {
    // Which of the last two steps a key was on in: 0-3.
    let context = |keys: &[Keys], at: usize, k: usize| -> usize {
        let on = |back: usize| at >= back && keys[at - back].bits() >> k & 1 == 1;
        usize::from(on(1)) + 2 * usize::from(on(2))
    };
    let mut counts = vec![[[0.0f64; 2]; 4]; Keys::COUNT];
    for piece in train.iter() {
        let keys: Vec<Keys> = piece.into_iter().map(Frame::sounding).collect();
        for at in 1..keys.len() {
            for (k, counts) in counts.iter_mut().enumerate() {
                let now = (keys[at].bits() >> k & 1) as usize;
                counts[context(&keys, at, k)][now] += 1.0;
            }
        }
    }
    let sum = |counts: &[[f64; 2]; 4]| counts.iter().fold([0.0, 0.0], |sum, c| [sum[0] + c[0], sum[1] + c[1]]);
    // What all keys do in a context, for keys that were seldom in it.
    let pooled: Vec<[f64; 2]> = (0..4)
        .map(|c| counts.iter().fold([0.5, 0.5], |sum, counts| [sum[0] + counts[c][0], sum[1] + counts[c][1]]))
        .collect();
    let probability = |counts: [f64; 2], prior: [f64; 2], now: usize| {
        let prior = prior[now] / (prior[0] + prior[1]);
        (counts[now] + STRENGTH * prior) / (counts[0] + counts[1] + STRENGTH)
    };
    let (mut unigram, mut trigram, mut frames) = (0.0, 0.0, 0.0);
    for piece in valid.iter() {
        let keys: Vec<Keys> = piece.into_iter().map(Frame::sounding).collect();
        for at in 1..keys.len() {
            frames += 1.0;
            for (k, counts) in counts.iter().enumerate() {
                let now = (keys[at].bits() >> k & 1) as usize;
                let c = context(&keys, at, k);
                unigram -= probability(sum(counts), [0.98, 0.02], now).ln();
                trigram -= probability(counts[c], pooled[c], now).ln();
            }
        }
    }
    let [alone, since] = if settings.reads_strokes() { strokes(train, valid) } else { [0.0; 2] };
    let named = |name: &str, nats: f64| Baseline { name: name.to_owned(), nats_per_token: nats / frames };
    vec![
        named("unigram: each key by its frequency", unigram + alone),
        named("trigram: each key after its own last two steps", trigram + since),
    ]
}

/// Nats of what is struck again, by how often anything is, and by how long the key has been sounding.
fn strokes<P: Past>(train: &Repertoire<P>, valid: &Repertoire<P>) -> [f64; 2] {
    let of = |piece: Vec<Frame>| -> Vec<Stroke> {
        let (mut found, mut since) = (Vec::new(), Since::default());
        for frame in piece {
            strokes::decisions(&since, frame, (0, 1), &mut found);
            since.push(frame);
        }
        found
    };
    let mut counts = vec![[0.0f64; 2]; strokes::ages()];
    let mut all = [1.0f64; 2];
    for stroke in train.iter().flat_map(of) {
        counts[strokes::age(&stroke.classes)][usize::from(stroke.is_yes)] += 1.0;
        all[usize::from(stroke.is_yes)] += 1.0;
    }
    let mut nats = [0.0; 2];
    for stroke in valid.iter().flat_map(of) {
        let (counts, now) = (counts[strokes::age(&stroke.classes)], usize::from(stroke.is_yes));
        let alone = all[now] / (all[0] + all[1]);
        nats[0] -= alone.ln();
        nats[1] -= ((counts[now] + STRENGTH * alone) / (counts[0] + counts[1] + STRENGTH)).ln();
    }
    nats
}
