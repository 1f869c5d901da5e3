//! A tune in the words of a vocabulary: what is unknown becomes the nearest known, times that no note value can name are moved, and
//! lengths are divided into those that there are.

use super::rhythm::{triplet, unit};
use super::tune::whole;
use super::{ATOM, Bar, Before, Event, Token, Tune, Vocabulary, home};
use cantus_score::Pitch;

/// The tune as the vocabulary says it, and whether that is another. Where it is heard exactly, bars keep their lengths.
pub(super) fn fitted(tune: &Tune, vocabulary: &Vocabulary, is_exact: bool) -> (Tune, bool) {
    let unit = vocabulary.nearest_unit(unit(tune));
    let mut is_adjusted = false;
    let mut fitted = Tune { bars: Vec::with_capacity(tune.bars.len()) };
    // The last note before the bar goes on in it.
    let mut is_tied = false;
    for bar in &tune.bars {
        let mut kept = bar.clone();
        let is_whole = bar.steps >= whole(bar.meter);
        if is_exact {
            kept.steps = bar.steps.div_ceil(ATOM).max(1) * ATOM;
        } else {
            kept.meter = vocabulary.nearest_meter(bar.meter);
            kept.key = vocabulary.nearest_key(bar.key);
            let full = whole(kept.meter);
            kept.steps = if is_whole { full } else { vocabulary.nearest_partial(bar.steps).min(full) };
        }
        is_adjusted |= (kept.meter, kept.key, kept.steps) != (bar.meter, bar.key, bar.steps);
        let (mut events, is_moved) = placed(&bar.events, kept.steps, vocabulary, unit);
        is_adjusted |= is_moved;
        for event in &mut events {
            let over = home(kept.key) - home(bar.key);
            let known = event.pitch.map(|pitch| vocabulary.nearest_pitch(pitch, home(kept.key), over));
            is_adjusted |= known != event.pitch || event.chord.is_some_and(|chord| !vocabulary.knows(chord));
            event.pitch = known;
            event.chord = event.chord.map(|chord| vocabulary.nearest_chord(chord));
        }
        // Moved pitches, dropped events and another key part what was one note.
        if let Some(before) = fitted.bars.last_mut().filter(|_| is_tied)
            && let Some(last) = before.events.last_mut()
        {
            let first = events.first().and_then(|event| event.pitch);
            last.goes_on = first == last.pitch && before.key == kept.key;
        }
        is_tied = events.last().is_some_and(|event| event.goes_on);
        kept.events = events;
        fitted.bars.push(kept);
    }
    if let Some(last) = fitted.bars.last_mut().and_then(|bar| bar.events.last_mut()) {
        last.goes_on = false;
    }
    forget_known_chords(&mut fitted);
    (fitted, is_adjusted)
}

/// A chord that is in force since the section began need not be named again.
fn forget_known_chords(tune: &mut Tune) {
    let mut known = None;
    let mut is_over = true;
    for bar in &mut tune.bars {
        if is_over || bar.before != Before::Line {
            known = None;
        }
        for event in &mut bar.events {
            if event.chord.is_some() && event.chord == known {
                event.chord = None;
            }
            known = event.chord.or(known);
        }
        is_over = bar.closes;
    }
}

/// Events moved to places that note values and triplets can name, as long as the bar together, with the lengths that there are; and
/// whether any was moved.
fn placed(events: &[Event], steps: u32, vocabulary: &Vocabulary, unit: u32) -> (Vec<Event>, bool) {
    let mut events = events.to_vec();
    let mut ends: Vec<u32> = events
        .iter()
        .scan(0, |at, event| {
            *at += event.steps;
            Some(*at)
        })
        .collect();
    let mut placed: Vec<Event> = Vec::with_capacity(events.len() + 2);
    let mut is_moved = ends.last() != Some(&steps);
    if let Some(last) = ends.last_mut() {
        *last = (*last).max(steps);
    }
    let is_said = |span: u32, lengths: &[u32]| {
        vocabulary.has_tuplet(span, unit) && lengths.iter().all(|length| vocabulary.says_in_tuplet(*length, span, unit))
    };
    let (mut k, mut at) = (0, 0);
    while k < events.len() && at < steps {
        let (event, end) = (events[k], ends[k].min(steps));
        if end <= at {
            // No time is left for it.
            is_moved = true;
            if let Some(next) = events.get_mut(k + 1) {
                next.chord = next.chord.or(event.chord);
            }
            k += 1;
        } else if end.is_multiple_of(ATOM) {
            let cut = end < ends[k];
            plain(Event { steps: end - at, goes_on: event.goes_on && !cut, ..event }, vocabulary, unit, &mut placed);
            (at, k) = (end, k + 1);
        } else if let Some((span, notes)) = triplet(&ends[k..], at, steps, &is_said) {
            for (number, length) in notes.iter().enumerate() {
                let event = events[k];
                let ends_here = ends[k] == at + length;
                events[k].chord = None;
                placed.push(Event {
                    tuplet: (number == 0).then_some(span),
                    steps: *length,
                    goes_on: if ends_here { event.goes_on } else { event.pitch.is_some() },
                    ..event
                });
                at += length;
                k += usize::from(ends_here);
            }
        } else {
            is_moved = true;
            let near = ((end + ATOM / 2) / ATOM * ATOM).clamp(at + ATOM, steps);
            ends[k] = near;
        }
    }
    (placed, is_moved)
}

/// A note or a rest in the lengths that there are, the longest first.
fn plain(event: Event, vocabulary: &Vocabulary, unit: u32, placed: &mut Vec<Event>) {
    let (mut left, mut chord) = (event.steps, event.chord);
    while left > 0 {
        let steps = vocabulary.longest_within(left, unit);
        left -= steps;
        let goes_on = if left > 0 { event.pitch.is_some() } else { event.goes_on };
        placed.push(Event { chord: chord.take(), tuplet: None, steps, goes_on, ..event });
    }
}

/// The tokens of a fitted tune with this unit.
pub(super) fn tokens(tune: &Tune, unit: u32, vocabulary: &Vocabulary) -> Vec<Token> {
    let mut tokens = vec![Token::Start];
    let Some(first) = tune.bars.first() else { return tokens };
    let (mut meter, mut key) = (first.meter, first.key);
    tokens.extend([Token::Meter(meter), Token::Key(key), Token::Unit(unit)]);
    let mut closed = true;
    for (k, bar) in tune.bars.iter().enumerate() {
        match bar.before {
            Before::Open => tokens.push(Token::Open),
            Before::First => tokens.push(Token::First),
            // It follows from the end of the first.
            Before::Second => {}
            Before::Plain if !closed => tokens.push(Token::Double),
            Before::Line if k > 0 => tokens.push(Token::Bar),
            _ => {}
        }
        if std::mem::replace(&mut meter, bar.meter) != bar.meter {
            tokens.push(Token::Meter(meter));
        }
        if std::mem::replace(&mut key, bar.key) != bar.key {
            tokens.push(Token::Key(key));
        }
        if bar.steps != whole(bar.meter) && !vocabulary.partials().is_empty() {
            tokens.push(Token::Partial(bar.steps));
        }
        let mut usual = unit;
        let mut left = 0;
        for event in &bar.events {
            tokens.extend(event.chord.map(|chord| Token::Chord(relative(chord, bar))));
            if let Some(span) = event.tuplet {
                tokens.push(Token::Tuplet(8 * span / unit));
                (usual, left) = (span / 3, span);
            }
            tokens.push(event.pitch.map_or(Token::Rest, |pitch| Token::Note(above(pitch, bar))));
            if event.steps != usual {
                // Within a tuplet three look like two.
                let looks = if left > 0 { event.steps * 3 / 2 } else { event.steps };
                tokens.push(Token::Length(8 * looks / unit));
            }
            if event.goes_on {
                tokens.push(Token::Tie);
            }
            if left > 0 {
                left -= event.steps.min(left);
                usual = if left > 0 { usual } else { unit };
            }
        }
        if bar.closes {
            tokens.push(Token::Close);
        }
        closed = bar.closes;
    }
    tokens.push(Token::End);
    tokens
}

/// Semitones over the home of the bar's key.
fn above(pitch: Pitch, bar: &Bar) -> i8 {
    i8::try_from(i32::from(pitch.get()) - home(bar.key)).unwrap_or(0)
}

/// A chord, its root counted from the home of the bar's key.
fn relative(chord: Option<cantus_score::Chord>, bar: &Bar) -> Option<cantus_score::Chord> {
    chord.map(|chord| chord.transposed(-home(bar.key)))
}
