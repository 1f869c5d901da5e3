//! Keeping a piece as busy as it is to be: what leads to the next note sooner is made likelier where too little happens, and less likely
//! where too much does.
//!
//! A network that goes on by itself drifts to where little happens, more than real pieces do: after a rest rests are likelier.

use super::super::texture::Texture;
use crate::notes::past::Past;
use cantus_encoding::note_events::Clock;

/// Beats that are looked back on, and the fewest that say anything.
const BACK: f64 = 8.0;
const FEWEST: f64 = 2.0;
/// Nats a beat by which what comes later is less likely, for each e-fold by which too little happens.
const FORCE: f64 = 1.5;
/// Further off than so many e-folds is no further off.
const FURTHEST: f64 = 1.0;

/// How the next note's time is weighed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pacing {
    /// Nats that a beat of waiting costs.
    later: f64,
    /// Nats that another note of the same moment gains.
    same: f64,
}

impl Pacing {
    /// For what comes after the last note of a piece, which is to be of a texture; what it has before `from` does not count.
    pub fn of(past: &Past, texture: Texture, from: u32, clock: Clock) -> Pacing {
        let Some(now) = past.notes().last().map(|note| note.onset) else { return Pacing::default() };
        let beat = f64::from(clock.beat());
        let since = f64::from(now.saturating_sub(from)) / beat;
        if since < FEWEST {
            return Pacing::default();
        }
        let span = since.min(BACK);
        let begin = now - (span * beat) as u32;
        let inside = past.notes().iter().rev().take_while(|note| note.onset > begin);
        let (mut notes, mut moments, mut last) = (0.0, 0.0, u32::MAX);
        for note in inside {
            notes += 1.0;
            if note.onset != last {
                (moments, last) = (moments + 1.0, note.onset);
            }
        }
        let off = |wanted: f64, found: f64| (wanted / found).ln().clamp(-FURTHEST, FURTHEST);
        let later = FORCE * off(texture.moments(), moments / span);
        // A note of the same moment neither hastens nor waits: it stands as the usual next moment does.
        let usual = (1.0 / texture.moments()).min(1.0);
        Pacing { later, same: FORCE * off(texture.notes(), notes / moments) - later * usual }
    }

    /// What the logarithm of the probability of a moment so many beats later becomes more by; of the same moment where it is none.
    pub fn weigh(&self, beats: Option<f64>) -> f32 {
        beats.map_or(self.same, |beats| -self.later * beats.min(4.0)) as f32
    }
}
