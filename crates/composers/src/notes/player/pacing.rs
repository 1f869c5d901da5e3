//! Keeping a piece as busy as it is to be: what leads to the next note sooner is made likelier where too little happens, and less likely
//! where too much does. The same for what has a pitch beside the drums.
//!
//! A network that goes on by itself drifts to where little happens, more than real pieces do: after a rest rests are likelier.

use super::super::texture::Texture;
use crate::notes::past::Past;
use cantus_encoding::note_events::Clock;

/// Beats that are looked back on, and the fewest that say anything.
const BACK: f64 = 8.0;
const FEWEST: f64 = 2.0;
/// Nats a beat by which what comes later is less likely, for each e-fold by which too little happens; where somebody asked for it; and then
/// for each e-fold by which all of the piece so far has too few moments, too few notes at them.
const FORCE: f64 = 1.5;
const FIRM: f64 = 4.0;
const SO_FAR: [f64; 2] = [20.0, 40.0];
/// Further off than so many e-folds is no further off.
const FURTHEST: f64 = 1.0;

/// How the next note's time is weighed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pacing {
    /// Nats that a beat of waiting costs.
    later: f64,
    /// Nats that another note of the same moment gains.
    same: f64,
    /// Nats that whatever has a pitch gains, where drums play, too.
    pitched: f64,
}

impl Pacing {
    /// For what comes after the last note of a piece, which is to be of a texture, firmly where somebody asked for its moments, for the
    /// notes at them; what it has before `from` does not count.
    pub fn of(
        past: &Past,
        (texture, firm): (Texture, [bool; 2]),
        from: u32,
        clock: Clock,
        is_drums: impl Fn(u8) -> bool,
    ) -> Pacing {
        let Some(now) = past.notes().last().map(|note| note.onset) else { return Pacing::default() };
        let beat = f64::from(clock.beat());
        let since = f64::from(now.saturating_sub(from)) / beat;
        if since < FEWEST {
            return Pacing::default();
        }
        let span = since.min(BACK);
        let begin = now - (span * beat) as u32;
        let Heard { notes, moments, strokes } = Heard::since(past, begin, &is_drums);
        let off = |wanted: f64, found: f64| (wanted / found).ln().clamp(-FURTHEST, FURTHEST);
        let force = firm.map(|is_firm| if is_firm { FIRM } else { FORCE });
        let mut later = force[0] * off(texture.moments(), moments / span);
        let mut same = force[1] * off(texture.notes(), notes / moments);
        if firm != [false; 2] {
            let all = Heard::since(past, from, &is_drums);
            let [expected, at_them] = past.textures().expected(from, now, clock);
            if firm[0] {
                later += SO_FAR[0] * off(expected.max(1.0), all.moments);
            }
            if firm[1] {
                same += SO_FAR[1] * off(at_them / expected, all.notes / all.moments);
            }
        }
        // A note of the same moment neither hastens nor waits: it stands as the usual next moment does.
        let usual = (1.0 / texture.moments()).min(1.0);
        // Shares as odds; a note more of either kind, so that there are any.
        let odds = |pitched: f64| (pitched * notes + 1.0) / ((1.0 - pitched) * notes + 1.0);
        let pitched = texture.pitched().map_or(0.0, |wanted| FORCE * off(odds(wanted), odds(1.0 - strokes / notes)));
        Pacing { later, same: same - later * usual, pitched }
    }

    /// What the logarithm of the probability of an instrument becomes more by.
    pub fn weigh_instrument(&self, is_drums: bool) -> f32 {
        if is_drums { 0.0 } else { self.pitched as f32 }
    }

    /// What the logarithm of the probability of a moment so many beats later becomes more by; of the same moment where it is none.
    pub fn weigh(&self, beats: Option<f64>) -> f32 {
        beats.map_or(self.same, |beats| -self.later * beats.min(4.0)) as f32
    }
}

/// What begins after a time.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    notes: f64,
    moments: f64,
    strokes: f64,
}

impl Heard {
    fn since(past: &Past, time: u32, is_drums: impl Fn(u8) -> bool) -> Heard {
        let (mut heard, mut last) = (Heard::default(), u32::MAX);
        for note in past.notes().iter().rev().take_while(|note| note.onset > time) {
            heard.notes += 1.0;
            heard.strokes += f64::from(u8::from(is_drums(note.instrument)));
            if note.onset != last {
                (heard.moments, last) = (heard.moments + 1.0, note.onset);
            }
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::texture::Textures;
    use cantus_encoding::note_events::Event;
    use cantus_score::{Bar, Meter, Ticks};

    /// So many beats of eighths, of which every so many-th has a pitch and the others are strokes.
    fn eighths(beats: u32, pitched: u32) -> Vec<Event> {
        let note = |k: u32| Event {
            onset: 2 * k,
            instrument: u8::from(!k.is_multiple_of(pitched)),
            pitch: 60,
            length: 2,
            level: 0,
        };
        (0..2 * beats).map(note).collect()
    }

    #[test]
    fn what_happens_too_seldom_is_made_likelier() {
        let clock = Clock::Beats(4);
        let is_drums = |number: u8| number == 1;
        let wanted = |notes: &[Event]| Textures::of(notes, 64, clock, is_drums).at(0, clock).unwrap();
        let pacing = |notes: &[Event], texture: Texture| {
            let bars = vec![Bar { start: Ticks(0), length: Ticks(64), meter: Meter::COMMON }];
            Pacing::of(&Past::of(notes, bars, clock, is_drums), (texture, [false; 2]), 0, clock, is_drums)
        };
        let (half, seldom) = (eighths(16, 2), eighths(16, 8));
        let (as_wanted, more, fewer) =
            (pacing(&half, wanted(&half)), pacing(&seldom, wanted(&half)), pacing(&half, wanted(&seldom)));
        assert!(as_wanted.weigh_instrument(false).abs() < 0.2 && as_wanted.weigh(Some(1.0)).abs() < 0.2);
        assert!(more.weigh_instrument(false) > 1.0 && fewer.weigh_instrument(false) < -1.0);
        assert_eq!(more.weigh_instrument(true), 0.0);
        // Twice as much is wanted: what comes later is less likely.
        let slow: Vec<Event> = half.iter().filter(|note| note.onset % 4 == 0).copied().collect();
        assert!(pacing(&slow, wanted(&half)).weigh(Some(1.0)) < -0.8);
        // Too little was heard to say anything.
        assert_eq!(pacing(&half[..2], wanted(&half)).weigh(Some(1.0)), 0.0);
    }
}
