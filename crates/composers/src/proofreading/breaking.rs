//! What is learnt from: sound music with faults of which each is known, and sheets that are no music.
//!
//! After the detection of replaced tokens (K. Clark, M.-T. Luong, Q. Le and C. Manning, "ELECTRA", ICLR 2020, arXiv:2003.10555v1, section 2), with tones in the
//! place of tokens and faults made by chance. A tone that is moved takes its length along, so that it differs from others by its place alone.

use super::network::{Answers, QUESTIONS, Question};
use super::sheet::{COMMON_BAR, Sheet, TORN, Tone};
use cantus_nn::random::{Rng, below, shuffle, uniform, uniform_in};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What can be wrong with a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its pitch, by 1-7 semitones.
    Pitch,
    /// It has the pitch of another one of its length, and that has its own.
    Exchanged,
    /// Its time.
    Time,
    /// That it is there.
    Added,
    /// That it is not there.
    Dropped,
}

/// The faults that are learnt from, by how often they are made.
const LEARNT: [(Fault, f32); 5] =
    [(Fault::Pitch, 0.5), (Fault::Exchanged, 0.12), (Fault::Time, 0.12), (Fault::Added, 0.13), (Fault::Dropped, 0.13)];

/// A pitch is moved by so many semitones at most.
pub(super) const FURTHEST: usize = 7;
/// Tones are exchanged within so many steps.
const NEAR: i32 = 8;

/// A sheet of which all is known.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    pub sheet: Sheet,
    /// Of each tone.
    pub answers: Vec<Answers>,
    /// How much each answer counts, the same for all tones.
    pub weights: Answers,
}

impl Marked {
    pub(super) fn sound(sheet: Sheet) -> Marked {
        Marked { answers: vec![[0.0; QUESTIONS]; sheet.tones.len()], sheet, weights: [1.0; QUESTIONS] }
    }

    /// All of it is wrong.
    pub(super) fn fake(sheet: Sheet) -> Marked {
        let mut fake = Marked::sound(sheet);
        fake.answers.fill([1.0, 0.0, 1.0, 1.0]);
        // Whether something is missing nobody can say.
        fake.weights[Question::Missing as usize] = 0.0;
        fake
    }

    fn mark(&mut self, tone: usize, question: Question) {
        self.answers[tone][question as usize] = 1.0;
    }

    /// Of these tones those that are wrong.
    fn of(bars: &Sheet, tones: Vec<(Tone, Answers)>) -> Marked {
        let known: BTreeMap<(i32, u8), Answers> =
            tones.iter().map(|(tone, answers)| ((tone.at, tone.pitch), *answers)).collect();
        let sheet = bars.with(tones.into_iter().map(|(tone, _)| tone).collect());
        let answers =
            sheet.tones.iter().map(|tone| known.get(&(tone.at, tone.pitch)).copied().unwrap_or_default()).collect();
        Marked { sheet, answers, weights: [1.0; QUESTIONS] }
    }
}

/// A fault that was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Made {
    pub fault: Fault,
    pub was: Option<Tone>,
    pub is: Option<Tone>,
}

/// The finest steps that its tones need, of 4, 2 and 1.
pub(super) fn unit(sheet: &Sheet) -> i32 {
    let fits = |unit: i32| sheet.tones.iter().filter(|tone| tone.at % unit == 0).count() * 50 >= sheet.tones.len() * 49;
    [4, 2].into_iter().find(|unit| fits(*unit)).unwrap_or(1)
}

/// Breaks a share of the tones, each in one of these ways, by how often.
pub(super) fn break_tones(sheet: &Sheet, share: f32, faults: &[(Fault, f32)], rng: &mut Rng) -> (Marked, Vec<Made>) {
    let mut order: Vec<usize> = (0..sheet.tones.len()).collect();
    shuffle(rng, &mut order);
    let wanted = (share * sheet.tones.len() as f32).round() as usize;
    let mut tones: Vec<Option<Tone>> = sheet.tones.iter().copied().map(Some).collect();
    let mut added: Vec<Tone> = Vec::new();
    let mut made: Vec<Made> = Vec::new();
    let mut is_whole = vec![true; tones.len()];
    let unit = unit(sheet);
    let mut taken: BTreeSet<(i32, u8)> = sheet.tones.iter().map(|tone| (tone.at, tone.pitch)).collect();
    for k in order {
        if made.len() >= wanted {
            break;
        }
        let tone = sheet.tones[k];
        if !is_whole[k] {
            continue;
        }
        let fault = draw(faults, rng);
        let free = |tone: Tone, taken: &BTreeSet<(i32, u8)>| {
            !taken.contains(&(tone.at, tone.pitch)) && sheet.sounding(tone.at) & tone.bit() == 0
        };
        match fault {
            Fault::Pitch | Fault::Added => {
                let Some(pitch) = moved(tone.pitch, rng) else { continue };
                let other = Tone { pitch, ..tone };
                if !free(other, &taken) {
                    continue;
                }
                taken.insert((other.at, other.pitch));
                if fault == Fault::Added {
                    added.push(other);
                    made.push(Made { fault, was: None, is: Some(other) });
                    continue;
                }
                tones[k] = Some(other);
                made.push(Made { fault, was: Some(tone), is: Some(other) });
            }
            Fault::Time => {
                let by = unit * (1 + below(rng, 3) as i32) * if below(rng, 2) == 0 { -1 } else { 1 };
                let other = Tone { at: tone.at + by, ..tone };
                if other.at < 0 || other.end() > sheet.steps() || !free(other, &taken) {
                    continue;
                }
                taken.insert((other.at, other.pitch));
                tones[k] = Some(other);
                made.push(Made { fault, was: Some(tone), is: Some(other) });
            }
            Fault::Exchanged => {
                let from = sheet.tones.partition_point(|other| other.at < tone.at - NEAR);
                let near = sheet.between(tone.at - NEAR, tone.at + NEAR + 1);
                let suits = |(place, other): &(usize, &Tone)| {
                    is_whole[from + place]
                        && other.at != tone.at
                        && other.length == tone.length
                        && other.pitch != tone.pitch
                        && other.pitch.abs_diff(tone.pitch) <= 12
                };
                let candidates: Vec<(usize, Tone)> =
                    near.iter().enumerate().filter(suits).map(|(place, other)| (from + place, *other)).collect();
                if candidates.is_empty() {
                    continue;
                }
                let (place, other) = candidates[below(rng, candidates.len())];
                let (one, two) = (Tone { pitch: other.pitch, ..tone }, Tone { pitch: tone.pitch, ..other });
                if !free(one, &taken) || !free(two, &taken) {
                    continue;
                }
                taken.extend([(one.at, one.pitch), (two.at, two.pitch)]);
                (tones[k], tones[place]) = (Some(one), Some(two));
                is_whole[place] = false;
                made.push(Made { fault, was: Some(tone), is: Some(one) });
                made.push(Made { fault, was: Some(other), is: Some(two) });
            }
            Fault::Dropped => {
                tones[k] = None;
                made.push(Made { fault, was: Some(tone), is: None });
            }
        }
        is_whole[k] = false;
    }
    let wrong: BTreeSet<Tone> = made.iter().filter_map(|made| made.is).collect();
    let answer = |tone: Tone| (tone, [f32::from(u8::from(wrong.contains(&tone))), 0.0, 0.0, 0.0]);
    let mut marked = Marked::of(sheet, tones.into_iter().flatten().chain(added).map(answer).collect());
    for dropped in made.iter().filter(|made| made.fault == Fault::Dropped).filter_map(|made| made.was) {
        mark_hole(&mut marked, dropped);
    }
    (marked, made)
}

/// Those that were struck with a tone that is gone, and its neighbours in time, miss it.
fn mark_hole(marked: &mut Marked, gone: Tone) {
    let all = &marked.sheet.tones;
    let from = all.partition_point(|tone| tone.at < gone.at - 4 * NEAR);
    let near: Vec<usize> = (from..all.len()).take_while(|k| all[*k].at <= gone.end()).collect();
    let mut missed: Vec<usize> = near.iter().copied().filter(|k| all[*k].at == gone.at).collect();
    let distance = |k: &usize| all[*k].pitch.abs_diff(gone.pitch);
    let before = near.iter().copied().filter(|k| all[*k].end() == gone.at).min_by_key(distance);
    let after = near.iter().copied().filter(|k| all[*k].at == gone.end()).min_by_key(distance);
    missed.extend(before.into_iter().chain(after));
    missed.into_iter().for_each(|k| marked.mark(k, Question::Missing));
}

fn draw(faults: &[(Fault, f32)], rng: &mut Rng) -> Fault {
    let all: f32 = faults.iter().map(|(_, often)| often).sum();
    let mut left = uniform(rng) * all;
    let chosen = faults.iter().find(|(_, often)| {
        left -= often;
        left < 0.0
    });
    chosen.or(faults.last()).map_or(Fault::Pitch, |(fault, _)| *fault)
}

/// A pitch 1-7 semitones away; `None` where there is no such key on a piano.
pub(super) fn moved(pitch: u8, rng: &mut Rng) -> Option<u8> {
    let by = 1 + below(rng, FURTHEST) as i32;
    let pitch = i32::from(pitch) + if below(rng, 2) == 0 { by } else { -by };
    u8::try_from(pitch).ok().filter(|pitch| (21..=108).contains(pitch))
}

/// Music to learn from, as sound as `sheet` or broken by a share of at most `most`.
pub(super) fn lesson(sheet: &Sheet, most: f32, rng: &mut Rng) -> Marked {
    match uniform(rng) {
        chance if chance < 0.12 => Marked::sound(sheet.clone()),
        chance if chance < 0.17 => Marked::sound(cut_at_bars(sheet)),
        chance if chance < 0.42 => shuffled(sheet, rng),
        chance if chance < 0.46 => transposed(sheet, rng),
        chance if chance < 0.49 => late(sheet, rng),
        // Few faults as often as many.
        _ => {
            let share = most * uniform(rng).powi(2);
            let least = 1.0 / sheet.tones.len().max(1) as f32;
            break_tones(sheet, share.max(least), &LEARNT, rng).0
        }
    }
}

/// Music in which just this share of the tones is broken.
pub(super) fn lesson_at(sheet: &Sheet, share: f32, rng: &mut Rng) -> Marked {
    break_tones(sheet, share, &LEARNT, rng).0
}

/// The same tones, none sounding over a bar line.
pub(super) fn cut_at_bars(sheet: &Sheet) -> Sheet {
    let cut = |tone: &Tone| {
        let (start, width) = sheet.bar_at(sheet.bar(tone.at));
        Tone { length: tone.length.min((start + width - tone.at).max(1)), ..*tone }
    };
    sheet.with(sheet.tones.iter().map(cut).collect())
}

/// Its bars in another order; where lengths differ, those of one length among themselves.
pub(super) fn shuffled(sheet: &Sheet, rng: &mut Rng) -> Marked {
    let cut = cut_at_bars(sheet);
    let widths: Vec<i32> = (0..cut.bar_count()).map(|bar| cut.bar_at(bar).1).collect();
    let mut order: Vec<usize> = (0..widths.len()).collect();
    shuffle(rng, &mut order);
    // Each place takes the next bar of its length.
    let mut sources: Vec<usize> = Vec::with_capacity(widths.len());
    for place in 0..widths.len() {
        let at = order.iter().position(|bar| widths[*bar] == widths[place]).unwrap_or(0);
        sources.push(order.remove(at));
    }
    let mut tones = Vec::with_capacity(cut.tones.len());
    for (place, source) in sources.iter().enumerate() {
        let ((to, width), (from, _)) = (cut.bar_at(place), cut.bar_at(*source));
        tones.extend(cut.between(from, from + width).iter().map(|tone| Tone { at: tone.at - from + to, ..*tone }));
    }
    let mut marked = Marked::sound(cut.with(tones));
    let seams: Vec<i32> = (1..sources.len())
        .filter(|place| sources[*place] != sources[place - 1] + 1)
        .map(|place| cut.bars[place])
        .collect();
    mark_seams(&mut marked, &seams);
    // There is much to be heard on both sides of a seam, and less of it in any tone.
    marked.weights[Question::Torn as usize] = 2.0;
    marked
}

fn mark_seams(marked: &mut Marked, seams: &[i32]) {
    for k in 0..marked.sheet.tones.len() {
        let tone = marked.sheet.tones[k];
        if seams.iter().any(|seam| tone.at < seam + TORN && tone.end() > seam - TORN && tone.at >= seam - 2 * TORN) {
            marked.mark(k, Question::Torn);
        }
    }
}

/// A stretch of one or two bars.
fn stretch(sheet: &Sheet, rng: &mut Rng) -> Range<i32> {
    let bars = sheet.bar_count().max(1);
    let first = below(rng, bars);
    let last = (first + below(rng, 2)).min(bars - 1);
    let ((from, _), (start, width)) = (sheet.bar_at(first), sheet.bar_at(last));
    from..start + width
}

/// One or two bars in another key.
fn transposed(sheet: &Sheet, rng: &mut Rng) -> Marked {
    let sheet = &cut_at_bars(sheet);
    let stretch = stretch(sheet, rng);
    let by = (1 + below(rng, 6) as i32) * if below(rng, 2) == 0 { 1 } else { -1 };
    let tone = |tone: &Tone| match u8::try_from(i32::from(tone.pitch) + by) {
        Ok(pitch) if stretch.contains(&tone.at) && pitch < 128 => (Tone { pitch, ..*tone }, [1.0, 0.0, 0.0, 0.0]),
        _ => (*tone, [0.0; QUESTIONS]),
    };
    let mut marked = Marked::of(sheet, sheet.tones.iter().map(tone).collect());
    mark_seams(&mut marked, &[stretch.start, stretch.end]);
    // In the stretch all fits together: it is wrong only beside what is around it.
    marked.weights[Question::Wrong as usize] = 0.5;
    marked
}

/// The highest or the lowest voice of one or two bars comes late or early.
fn late(sheet: &Sheet, rng: &mut Rng) -> Marked {
    let stretch = stretch(sheet, rng);
    let by = unit(sheet) * if below(rng, 2) == 0 { 1 } else { -1 };
    let is_top = below(rng, 2) == 0;
    let tone = |tone: &Tone| {
        let others = sheet.sounding(tone.at);
        let is_outer = if is_top { others >> tone.pitch == 1 } else { others & (tone.bit() - 1) == 0 };
        if stretch.contains(&tone.at) && is_outer && tone.at + by >= 0 {
            (Tone { at: tone.at + by, ..*tone }, [1.0, 0.0, 0.0, 0.0])
        } else {
            (*tone, [0.0; QUESTIONS])
        }
    };
    Marked::of(sheet, sheet.tones.iter().map(tone).collect())
}

/// Keys of a noise.
const KEYS: Range<u8> = 36..96;

/// So many bars of 4/4 in which each key is struck at each of the steps with a chance.
pub(super) fn noise(bars: usize, unit: i32, chance: f32, keys: Range<u8>, rng: &mut Rng) -> Sheet {
    let mut tones = Vec::new();
    for at in (0..bars as i32 * COMMON_BAR).step_by(unit as usize) {
        tones.extend(keys.clone().filter(|_| uniform(rng) < chance).map(|pitch| Tone { at, pitch, length: unit }));
    }
    Sheet::new(tones, (0..=bars as i32).map(|bar| bar * COMMON_BAR).collect())
}

/// Noise as exams have it.
pub(super) fn plain_noise(bars: usize, chance: f32, rng: &mut Rng) -> Sheet {
    noise(bars, 4, chance, KEYS, rng)
}

/// What is no music: noise, clusters, tones drawn without regard to one another, and a few tones for ever.
pub(super) fn made_up(like: &Sheet, rng: &mut Rng) -> Sheet {
    let bars = 2 + below(rng, 7);
    let unit = [1, 2, 4, 4, 8][below(rng, 5)];
    let low = 24 + below(rng, 48) as u8;
    let keys = low..(low + 12 + below(rng, 48) as u8).min(108);
    match below(rng, 8) {
        0 | 1 => {
            // From a tone in five bars to half of all keys.
            let chance = (0.5f32).min(uniform_in(rng, -7.0, -0.7).exp());
            noise(bars, unit, chance, keys, rng)
        }
        2 => noise(2, unit.max(4), uniform_in(rng, 0.5, 1.0), keys, rng),
        3 => {
            // A chord or a cluster, again and again.
            let chord: Vec<u8> = (0..1 + below(rng, 6)).map(|_| low + below(rng, 30) as u8).collect();
            let often = uniform_in(rng, 0.05, 1.0);
            let mut tones = Vec::new();
            for at in (0..bars as i32 * COMMON_BAR).step_by(unit as usize) {
                if uniform(rng) < often {
                    tones.extend(chord.iter().map(|pitch| Tone { at, pitch: *pitch, length: unit }));
                }
            }
            like_bars(bars, tones)
        }
        4 | 5 => {
            // The rhythm of the music, its pitches anywhere.
            let (least, most) = (30 + below(rng, 30) as u8, 70 + below(rng, 30) as u8);
            let tone = |tone: &Tone| Tone { pitch: least + below(rng, usize::from(most - least)) as u8, ..*tone };
            like.with(like.tones.iter().map(tone).collect())
        }
        _ => {
            // Its rhythm and its pitches, each on its own.
            let mut pitches: Vec<u8> = like.tones.iter().map(|tone| tone.pitch).collect();
            shuffle(rng, &mut pitches);
            like.with(like.tones.iter().zip(pitches).map(|(tone, pitch)| Tone { pitch, ..*tone }).collect())
        }
    }
}

fn like_bars(bars: usize, tones: Vec<Tone>) -> Sheet {
    Sheet::new(tones, (0..=bars as i32).map(|bar| bar * COMMON_BAR).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;

    /// Eight bars of three voices in quarters, all pitches different from their neighbours'.
    fn sheet() -> Sheet {
        let tones = (0..32).flat_map(|quarter| {
            [48, 60, 72].map(|low| Tone { at: 4 * quarter, pitch: low + (quarter * 5 % 9) as u8, length: 4 })
        });
        Sheet::new(tones.collect(), (0..=8).map(|bar| 16 * bar).collect())
    }

    #[test]
    fn what_is_broken_is_marked_and_nothing_else() {
        let sound = sheet();
        for seed in 0..20 {
            let (marked, made) = break_tones(&sound, 0.2, &LEARNT, &mut seeded(seed));
            assert!((19..=20).contains(&made.len()), "{}", made.len());
            let before: BTreeSet<Tone> = sound.tones.iter().copied().collect();
            for (tone, answers) in marked.sheet.tones.iter().zip(&marked.answers) {
                assert_eq!(answers[Question::Wrong as usize] > 0.0, !before.contains(tone), "{tone:?}");
                assert_eq!(tone.at % 4, 0, "on the grid of the piece");
            }
            let after: BTreeSet<Tone> = marked.sheet.tones.iter().copied().collect();
            for made in made {
                assert!(
                    made.was.is_none_or(|was| !after.contains(&was)) && made.is.is_none_or(|is| after.contains(&is))
                );
            }
        }
    }

    #[test]
    fn a_hole_is_missed_by_its_neighbours() {
        let (marked, made) = break_tones(&sheet(), 0.01, &[(Fault::Dropped, 1.0)], &mut seeded(4));
        let gone = made[0].was.unwrap();
        for (tone, answers) in marked.sheet.tones.iter().zip(&marked.answers) {
            let misses = answers[Question::Missing as usize] > 0.0;
            assert!(!misses || (tone.at - gone.at).abs() <= 4, "{tone:?} does not miss {gone:?}");
            assert!(misses || tone.at != gone.at, "{tone:?} misses {gone:?}");
        }
    }

    #[test]
    fn shuffled_bars_keep_their_tones_and_are_torn_where_they_meet() {
        let sound = sheet();
        let marked = shuffled(&sound, &mut seeded(3));
        let of = |sheet: &Sheet| {
            let mut pitches: Vec<(i32, u8)> = sheet.tones.iter().map(|tone| (tone.at % 16, tone.pitch)).collect();
            pitches.sort_unstable();
            pitches
        };
        assert_eq!(of(&marked.sheet), of(&sound));
        assert_ne!(marked.sheet, sound);
        let torn = |place: i32| {
            let all = marked.sheet.tones.iter().zip(&marked.answers).filter(|(tone, _)| tone.at % 16 == place);
            all.filter(|(_, answers)| answers[Question::Torn as usize] > 0.0).count()
        };
        assert!(torn(0) > 0 && torn(12) > 0 && torn(4) + torn(8) == 0);
    }

    #[test]
    fn lessons_and_what_is_made_up_are_sheets_whatever_they_are_made_of() {
        let empty = Sheet::new(Vec::new(), vec![0, 16]);
        for seed in 0..200 {
            let rng = &mut seeded(seed);
            for sheet in [&sheet(), &empty, &sheet().excerpt(3, 1)] {
                for marked in [lesson(sheet, 0.5, rng), Marked::fake(made_up(sheet, rng))] {
                    assert_eq!(marked.answers.len(), marked.sheet.tones.len());
                    assert!(marked.sheet.tones.iter().all(|tone| tone.pitch < 128 && tone.at >= 0 && tone.length > 0));
                }
            }
        }
    }
}
