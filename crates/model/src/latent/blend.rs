//! Between two melodies: one that lies between, or one that turns into the other.

use super::{Coded, Latent, SECTION, Sketch, melody_only};
use crate::{ComposeError, Composition, Progress, Rng, Sampling, accentuate};
use cantus_encoding::melody_steps::{MelodySteps, OUTCOMES, sections, steps_of};
use cantus_encoding::note_chord::BarKind;
use cantus_score::{Key, Score, Tempo, Ticks, key_of, melody_of};

/// How notes of a blend are drawn unless told otherwise: what lies between is seldom sure of itself.
pub const SAMPLING: Sampling = Sampling { temperature: 0.5, top_k: 0, top_p: 0.95 };

/// The way between two pieces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// A piece that lies so far from the first one: 0 is that, 1 the other.
    At(f64),
    /// A piece of so many bars that begins as the first one and ends as the other.
    Along(usize),
}

/// Two pieces' melodies with as many sections each.
struct Pair {
    coded: [Coded; 2],
    melodies: [MelodySteps; 2],
    codes: [Vec<Vec<f32>>; 2],
}

/// A piece between two.
///
/// Codes are taken on the great circle between those of both, so that they are as long as these. What both pieces have at a step is likelier the nearer they are: by
/// `ln((1 - t) / t)` nats, which at their ends is all.
///
/// # Errors
/// [`ComposeError`]: a place that is none, a piece without a melody, no bars; what [`Latent::decode`] may say.
pub fn blend(
    latent: &dyn Latent,
    pieces: [&Score; 2],
    way: Way,
    sampling: &Sampling,
    rng: &mut Rng,
    progress: Progress<'_>,
) -> Result<Composition, ComposeError> {
    sampling.check()?;
    match way {
        Way::At(at) if !(0.0..=1.0).contains(&at) => return Err(ComposeError::Between { at }),
        Way::Along(0) => return Err(ComposeError::Bars { bars: 0, most: super::MOST_BARS }),
        Way::Along(bars) if bars > super::MOST_BARS => {
            return Err(ComposeError::Bars { bars, most: super::MOST_BARS });
        }
        _ => {}
    }
    let coded = [super::coded(latent, pieces[0])?, super::coded(latent, pieces[1])?];
    // An end is the piece itself, with all that is in it.
    if let Way::At(at) = way
        && (at == 0.0 || at == 1.0)
    {
        return Ok(Composition::new(pieces[usize::from(at == 1.0)].clone(), Vec::new()));
    }
    let pair = match way {
        Way::At(at) => Pair::beside(coded, usize::from(at >= 0.5), latent),
        Way::Along(bars) => Pair::in_turn(coded, bars, latent),
    };
    let count = pair.codes[0].len();
    let share = |section: usize| match way {
        Way::At(at) => at,
        Way::Along(_) if count < 2 => 0.5,
        Way::Along(_) => section as f64 / (count - 1) as f64,
    };
    let (sketch, hosts) = pair.sketch(&share);
    let steps = latent.decode(std::slice::from_ref(&sketch), sampling, std::slice::from_mut(rng), progress)?;
    let steps = steps.into_iter().next().unwrap_or_default();
    let melody = MelodySteps { grid: latent.grid(), bars: sketch.bars, upbeat: sketch.upbeat, steps };
    let mut remarks: Vec<String> = pieces.iter().filter_map(|piece| melody_only(piece)).collect();
    remarks.dedup();
    let score = pair.score(&melody, &hosts, pieces, &mut remarks);
    Ok(Composition::new(score, remarks))
}

/// A melody of so many bars, which comes again where it is shorter and is cut where it is longer: from its first bar on, or up to its last.
fn fitted(melody: &MelodySteps, bars: usize, is_end: bool) -> MelodySteps {
    let before = usize::from(melody.upbeat);
    let all = melody.bars.len() - before;
    let keeps_upbeat = melody.upbeat && !is_end;
    let place =
        |k: usize| if is_end { before + (all * bars + k - bars % all.max(1)) % all.max(1) } else { before + k % all };
    let first = keeps_upbeat.then_some(0);
    let places: Vec<usize> = first.into_iter().chain((0..bars).map(place)).collect();
    let of = |place: usize| &melody.steps[steps_of(&melody.bars, &(place..place + 1))];
    MelodySteps {
        grid: melody.grid,
        bars: places.iter().map(|place| melody.bars[*place]).collect(),
        upbeat: keeps_upbeat,
        steps: places.iter().flat_map(|place| of(*place).iter().copied()).collect(),
    }
}

/// A code between two: on the great circle between their directions, as long as lies between.
fn between(a: &[f32], b: &[f32], at: f64) -> Vec<f32> {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    let angle = if lengths > 0.0 { (dot(a, b) / lengths).clamp(-1.0, 1.0).acos() } else { 0.0 };
    let (of_a, of_b) = if angle.sin() > 1e-4 {
        (((1.0 - at) * angle).sin() / angle.sin(), (at * angle).sin() / angle.sin())
    } else {
        (1.0 - at, at)
    };
    a.iter().zip(b).map(|(a, b)| (of_a * f64::from(*a) + of_b * f64::from(*b)) as f32).collect()
}

impl Pair {
    /// The bars are those of the nearer piece, the `host`.
    fn beside(coded: [Coded; 2], host: usize, latent: &dyn Latent) -> Pair {
        let bars = coded[host].melody.bars.len() - usize::from(coded[host].melody.upbeat);
        let melodies = [0, 1].map(|of| match of == host {
            true => coded[of].melody.clone(),
            false => fitted(&coded[of].melody, bars, false),
        });
        Pair::new(coded, melodies, latent)
    }

    /// The first piece from its beginning on, the other up to its end.
    fn in_turn(coded: [Coded; 2], bars: usize, latent: &dyn Latent) -> Pair {
        let melodies = [fitted(&coded[0].melody, bars, false), fitted(&coded[1].melody, bars, true)];
        Pair::new(coded, melodies, latent)
    }

    fn new(coded: [Coded; 2], melodies: [MelodySteps; 2], latent: &dyn Latent) -> Pair {
        let codes = melodies
            .each_ref()
            .map(|melody| latent.codes(melody).into_iter().map(|code| code.mean).collect::<Vec<Vec<f32>>>());
        Pair { coded, melodies, codes }
    }

    /// The whole way, and whose bars each section has.
    fn sketch(&self, share: &dyn Fn(usize) -> f64) -> (Sketch, Vec<usize>) {
        let mut sketch = Sketch { upbeat: self.melodies[0].upbeat, ..Sketch::default() };
        let each = self.melodies.each_ref().map(|melody| sections(&melody.bars, melody.upbeat, SECTION));
        let count = each[0].len().min(each[1].len());
        let mut hosts = Vec::with_capacity(count);
        for section in 0..count {
            let at = share(section);
            let host = usize::from(at >= 0.5);
            hosts.push(host);
            if section == 0 {
                sketch.upbeat = self.melodies[host].upbeat;
            }
            sketch.bars.extend_from_slice(&self.melodies[host].bars[each[host][section].clone()]);
            sketch.codes.push(between(&self.codes[0][section], &self.codes[1][section], at));
            let steps = [0, 1].map(|of| {
                let range = steps_of(&self.melodies[of].bars, &each[of][section]);
                &self.melodies[of].steps[range]
            });
            // An upbeat comes before what both have.
            let length = steps[host].len();
            let outcome = |of: usize, step: usize| {
                let before = steps[of].len().checked_sub(length);
                match before {
                    Some(before) => steps[of].get(before + step).copied(),
                    None => step.checked_sub(length - steps[of].len()).and_then(|step| steps[of].get(step)).copied(),
                }
            };
            let is_alike = self.bars_of(0, &each, section) == self.bars_of(1, &each, section);
            for (step, own) in steps[host].iter().enumerate() {
                let pulls = [(1.0 - at) / at, at / (1.0 - at)].map(|odds| odds.ln().clamp(0.0, MOST) as f32);
                sketch.given.push((at == 0.0 || at == 1.0).then_some(*own));
                sketch.leaning.push([0, 1].map(|of| match outcome(of, step) {
                    Some(outcome) if is_alike || of == host => (outcome.min(OUTCOMES as u8 - 1), pulls[of]),
                    _ => (0, 0.0),
                }));
            }
        }
        (sketch, hosts)
    }

    /// The last bars of a section: without an upbeat.
    fn bars_of(&self, of: usize, each: &[Vec<std::ops::Range<usize>>; 2], section: usize) -> &[BarKind] {
        let range = each[of][section].clone();
        &self.melodies[of].bars[range.end.saturating_sub(SECTION).max(range.start)..range.end]
    }

    /// As music: each section in the key of its host, at its tempo.
    fn score(&self, melody: &MelodySteps, hosts: &[usize], pieces: [&Score; 2], remarks: &mut Vec<String>) -> Score {
        let starts: Vec<Ticks> = melody.sections(SECTION).iter().map(|of| Ticks(of.start as u64)).collect();
        let mut score = melody.score();
        let section_of = |at: Ticks| starts.partition_point(|start| *start <= at).saturating_sub(1);
        let host_of = |section: usize| hosts.get(section).copied().unwrap_or(0);
        for note in score.parts.iter_mut().flat_map(|part| &mut part.notes) {
            let over = self.coded[host_of(section_of(note.onset))].over;
            note.pitch = note.pitch.transposed(over).unwrap_or(note.pitch);
        }
        let mut last = None;
        for (section, host) in hosts.iter().enumerate() {
            if last.replace(*host) == Some(*host) {
                continue;
            }
            let key: Option<Key> = key_of(pieces[*host]);
            let tempo: Tempo = pieces[*host].prevailing_tempo();
            score.keys.extend(key.map(|key| (starts[section], key)));
            score.tempos.push((starts[section], tempo));
        }
        let keys = pieces.map(|piece| key_of(piece).map(|key| key.to_string()));
        if let [Some(one), Some(other)] = &keys
            && one != other
        {
            let whose = match hosts {
                [first, .., last] if first != last => {
                    "each section is in the key of the piece that it is nearer to".to_owned()
                }
                hosts => format!("it is in {}", if hosts.first() == Some(&0) { one } else { other }),
            };
            remarks.push(format!("the pieces are in {one} and in {other}: {whose}"));
        }
        let host = pieces[hosts.first().copied().unwrap_or(0)];
        let pitched = host.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
        if let Some(part) = score.parts.first_mut() {
            let program = melody_of(pitched).first().map(|part| part.program());
            part.programs = program.map(|program| (Ticks::ZERO, program)).into_iter().collect();
            part.name = Some("Melody".to_owned());
        }
        accentuate(&mut score, Ticks::ZERO);
        let title = |piece: &Score| piece.title.clone().unwrap_or_else(|| "?".to_owned());
        score.title = Some(format!("{} / {}", title(pieces[0]), title(pieces[1])));
        score
    }
}

/// More nats than any outcome is unlikely by.
const MOST: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Meter, TicksPerQuarter};

    fn melody(bars: usize, upbeat: bool) -> MelodySteps {
        let grid = TicksPerQuarter::new(4).unwrap();
        let whole = BarKind { steps: 16, meter: Meter::COMMON };
        let first = upbeat.then_some(BarKind { steps: 4, meter: "1/4".parse().unwrap() });
        let bars: Vec<BarKind> = first.into_iter().chain(std::iter::repeat_n(whole, bars)).collect();
        // Each bar has its number.
        let steps = bars.iter().enumerate().flat_map(|(k, bar)| vec![k as u8; usize::from(bar.steps)]).collect();
        MelodySteps { grid, bars, upbeat, steps }
    }

    fn numbers(melody: &MelodySteps) -> Vec<u8> {
        let mut at = 0;
        let number = |bar: &BarKind| {
            at += usize::from(bar.steps);
            melody.steps[at - 1]
        };
        melody.bars.iter().map(number).collect()
    }

    #[test]
    fn a_melody_is_fitted_from_its_beginning_or_up_to_its_end() {
        assert_eq!(numbers(&fitted(&melody(3, false), 5, false)), [0, 1, 2, 0, 1]);
        assert_eq!(numbers(&fitted(&melody(3, false), 5, true)), [1, 2, 0, 1, 2]);
        assert_eq!(numbers(&fitted(&melody(3, false), 2, true)), [1, 2]);
        assert_eq!(numbers(&fitted(&melody(3, true), 4, false)), [0, 1, 2, 3, 1]);
        assert_eq!(numbers(&fitted(&melody(3, true), 4, true)), [3, 1, 2, 3]);
    }

    #[test]
    fn between_codes_the_length_stays() {
        let (a, b) = ([2.0f32, 0.0], [0.0f32, 2.0]);
        let half = between(&a, &b, 0.5);
        assert!((half[0] - 2f32.sqrt()).abs() < 1e-5 && (half[1] - 2f32.sqrt()).abs() < 1e-5, "{half:?}");
        assert_eq!((between(&a, &b, 0.0), between(&a, &b, 1.0)[1]), (a.to_vec(), 2.0));
        assert_eq!(between(&a, &[0.0, 0.0], 0.5), [1.0, 0.0]);
        assert_eq!(between(&a, &a, 0.3), a);
    }
}
