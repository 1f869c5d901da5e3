//! How loud notes are: marks by time and staff.
//!
//! A mark holds from its place on, for its staff (MusicXML 4.0, "The staff element": a direction's), whatever voice a note is in and in
//! whatever order the document says them. Marks that name no staff are for all. A staff with hardly a mark of its own goes by
//! those of the others: of a piano's two hands most scores mark one.

use super::document::Element;
// tidy: allow(circle): a part is read by one reader, whose kinds of elements have a file each
use super::part::RawMeasure;
use cantus_score::Velocity;

/// A mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// From the beginning of the measure, in ticks.
    pub at: u64,
    /// `None` for all staves.
    pub staff: Option<u8>,
    /// Of the notes that begin where it stands.
    pub attack: Velocity,
    /// Of those that follow; `None` where they are as loud as before.
    pub then: Option<Velocity>,
}

/// Hundredths of forte, which is a velocity of 90, as a velocity.
pub fn percent(text: &str) -> Option<Velocity> {
    let percent: f64 = text.trim().parse().ok().filter(|percent: &f64| percent.is_finite() && *percent >= 0.0)?;
    Velocity::try_from((percent * 0.9).round().clamp(1.0, 127.0) as u8).ok()
}

/// The velocities that notation programs play for a mark: of its notes, and of those after them.
pub fn of_sign(sign: &str) -> Option<(Velocity, Option<Velocity>)> {
    let (attack, then) = match sign {
        "n" | "pppp" | "ppppp" | "pppppp" => (10, Some(10)),
        "ppp" => (16, Some(16)),
        "pp" => (33, Some(33)),
        "p" => (49, Some(49)),
        "mp" => (64, Some(64)),
        "mf" => (80, Some(80)),
        "f" => (96, Some(96)),
        "ff" => (112, Some(112)),
        "fff" | "ffff" | "fffff" | "ffffff" => (126, Some(126)),
        // Loud, and soft at once; soft, and loud at once.
        "fp" => (96, Some(49)),
        "pf" => (49, Some(96)),
        "sfp" => (112, Some(49)),
        "sfpp" => (112, Some(33)),
        "sfzp" => (112, Some(49)),
        // Accents.
        "sf" | "sfz" | "fz" | "rf" | "rfz" => (112, None),
        "sffz" => (126, None),
        _ => return None,
    };
    let velocity = |number: u8| Velocity::try_from(number).ok();
    Some((velocity(attack)?, then.and_then(velocity)))
}

/// The last sign of a `dynamics`, and what it means.
pub fn of_signs(dynamics: &Element) -> Option<(Velocity, Option<Velocity>)> {
    dynamics.children.iter().filter_map(|sign| of_sign(&sign.name)).next_back()
}

/// Gives every note without a velocity of its own that of its staff at its time.
pub fn settle(measures: &mut [RawMeasure]) {
    let mut counts = [0usize; 256];
    for mark in measures.iter().flat_map(|measure| &measure.marks) {
        if let Some(staff) = mark.staff {
            counts[usize::from(staff)] += 1;
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let stands_alone = |staff: u8| counts[usize::from(staff)] * 2 >= most && counts[usize::from(staff)] > 0;
    let mut level = [Velocity::DEFAULT; 256];
    for measure in measures {
        let mut marks = std::mem::take(&mut measure.marks);
        if marks.is_empty() && level.iter().all(|level| *level == Velocity::DEFAULT) {
            continue;
        }
        marks.sort_by_key(|mark| mark.at);
        let concerns = |mark: &Mark, staff: u8| match mark.staff {
            None => true,
            Some(marked) => marked == staff || !stands_alone(staff),
        };
        let mut next = 0;
        for note in &mut measure.notes {
            while let Some(mark) = marks.get(next).filter(|mark| mark.at <= note.onset) {
                hear(mark, &mut level, concerns);
                next += 1;
            }
            if !note.has_velocity {
                // More marks than there are staves stand nowhere.
                let here = marks[..next].iter().rev().take(16).take_while(|mark| mark.at == note.onset);
                let attack = here.filter(|mark| concerns(mark, note.staff)).map(|mark| mark.attack).next();
                note.velocity = attack.unwrap_or(level[usize::from(note.staff)]);
            }
        }
        marks[next..].iter().for_each(|mark| hear(mark, &mut level, concerns));
    }
}

fn hear(mark: &Mark, level: &mut [Velocity; 256], concerns: impl Fn(&Mark, u8) -> bool) {
    let Some(then) = mark.then else { return };
    for staff in 0..=255u8 {
        if concerns(mark, staff) {
            level[usize::from(staff)] = then;
        }
    }
}
