//! Composing: noise for each phrase of a form, and the notes of what is drawn out of it.

use super::player::Player;
use cantus_encoding::phrases::{BARS, KEYS, LENGTH, Phrase, STEPS, Tone};
use cantus_model::adversarial::Duel;
use cantus_model::{ComposeError, Form, Progress, Request, Rng};
use cantus_nn::random::derive;
use cantus_score::{Meter, Note, Part, Score, Ticks, TicksPerQuarter, Velocity};
use rand_chacha::rand_core::Rng as _;
use std::collections::BTreeMap;

/// Ticks to a quarter note of a composition, and to a step.
const FINE: TicksPerQuarter = TicksPerQuarter::new(96).unwrap();
const STEP: u64 = FINE.get() as u64 / 4;
/// Phrases that are drawn at once.
const TOGETHER: usize = 32;
/// Beginnings among which a prompt chooses.
const BEGINNINGS: usize = 8;
/// How much of the noise that stays the sections of a piece share, as a share of its variance; phrases of one section share more.
const KIN: (f32, f32) = (0.5, 0.75);
/// How much of the noise of its bars a section keeps that comes again varied.
const VARIED: f32 = 0.6;

/// Which phrase of a form it is: its section, its number in there, whether it comes varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    letter: char,
    number: usize,
    is_varied: bool,
}

/// Some bars of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chunk {
    name: Name,
    bars: usize,
}

/// The phrases of a piece of so many bars: those of a form, or four bars after four bars as AA'BA CC'DC, and so on.
fn chunks(bars: usize, form: Option<&Form>) -> Result<Vec<Chunk>, ComposeError> {
    let sections: Vec<(char, bool, usize)> = match form {
        Some(form) => form.sections(bars)?.into_iter().map(|s| (s.letter, s.is_varied, s.bars.len())).collect(),
        None => (0..bars.div_ceil(BARS))
            .map(|k| {
                // After 52 phrases it begins again.
                let (group, place) = (k / 4 % 13, k % 4);
                let letter = char::from(b'A' + 2 * group as u8 + u8::from(place == 2));
                (letter, place == 1, BARS.min(bars - k * BARS))
            })
            .collect(),
    };
    let mut chunks = Vec::new();
    for (letter, is_varied, length) in sections {
        for number in 0..length.div_ceil(BARS) {
            let bars = BARS.min(length - number * BARS);
            chunks.push(Chunk { name: Name { letter, number, is_varied }, bars });
        }
    }
    Ok(chunks)
}

/// A share of one noise, the rest of another one, with the variance that each has.
fn mixed(one: &[f32], other: &[f32], share: f32) -> Vec<f32> {
    one.iter().zip(other).map(|(a, b)| share.sqrt() * a + (1.0 - share).sqrt() * b).collect()
}

/// A piece that is drawn: a row of cells for each step, with when it begins.
struct Drawn {
    rows: Vec<Vec<bool>>,
    times: Vec<u64>,
    /// The first step of the last bar, and its logits.
    last: usize,
    logits: Vec<f32>,
}

impl Player {
    /// A piece of so many bars, in the key without accidentals. `last` is the phrase that it follows.
    pub(super) fn write(
        &self,
        (bars, meter): (usize, Meter),
        request: &Request,
        last: Option<Phrase>,
        parts: Vec<Part>,
        rng: &mut Rng,
        progress: Progress<'_>,
    ) -> Result<Score, ComposeError> {
        let chunks = chunks(bars, request.controls.form.as_ref())?;
        let temperature = request.sampling.temperature as f32;
        let seed = match &last {
            Some(last) => self.beginning(chunks[0].name, last, temperature, rng)?,
            None => rng.next_u64(),
        };
        let mut drawn = Drawn { rows: Vec::new(), times: Vec::new(), last: 0, logits: Vec::new() };
        let mut done = 0;
        let names: Vec<Name> = chunks.iter().map(|chunk| chunk.name).collect();
        for (chunks, names) in chunks.chunks(TOGETHER).zip(names.chunks(TOGETHER)) {
            let logits = self.phrases(names, seed, temperature)?;
            for chunk in chunks {
                self.lay(&mut drawn, chunk.bars, meter, &logits[&chunk.name]);
                for _ in 0..chunk.bars {
                    done += 1;
                    if progress(done as f64 / bars as f64).is_break() {
                        return Err(ComposeError::Stopped);
                    }
                }
            }
        }
        Ok(self.score(drawn, meter, parts))
    }

    /// The logits of phrases of a piece.
    fn phrases(&self, names: &[Name], seed: u64, temperature: f32) -> Result<BTreeMap<Name, Vec<f32>>, ComposeError> {
        let mut wanted = names.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let noise: Vec<f32> = wanted.iter().flat_map(|name| self.noise(*name, seed)).map(|z| z * temperature).collect();
        let logits = self.drawing.logits(noise).ok_or(ComposeError::NoToken)?;
        Ok(wanted.into_iter().zip(logits.chunks_exact(self.band().cells()).map(<[f32]>::to_vec)).collect())
    }

    /// The noise of a phrase: a piece's own, its section's and the phrase's, what stays of them being alike.
    fn noise(&self, Name { letter, number, is_varied }: Name, seed: u64) -> Vec<f32> {
        let width = self.band().noise(&self.drawing.own);
        let half = self.drawing.own.noise;
        let drawn = |label: &str, counters: &[u64]| -> Vec<f32> {
            let rng = &mut derive(seed, label, counters);
            (0..width).map(|_| <super::Band as Duel>::draw(rng)).collect()
        };
        let section = mixed(&drawn("piece", &[]), &drawn("section", &[letter.into()]), KIN.0);
        let mut phrase = if number == 0 {
            section
        } else {
            mixed(&section, &drawn("phrase", &[letter.into(), number as u64]), KIN.1)
        };
        let bars = drawn("bars", &[letter.into(), number as u64]);
        let bars =
            if is_varied { mixed(&bars, &drawn("varied", &[letter.into(), number as u64]), VARIED) } else { bars };
        // Of each noise the first half stays, the other is for the bars.
        for (k, z) in phrase.iter_mut().enumerate().filter(|(k, _)| k % (2 * half) >= half) {
            *z = bars[k];
        }
        phrase
    }

    /// The seed of the beginning that is most like a phrase.
    fn beginning(&self, name: Name, last: &Phrase, temperature: f32, rng: &mut Rng) -> Result<u64, ComposeError> {
        let band = self.band();
        let wanted = band.statistics(&last.sounding(band.cells()));
        let mut best: Option<(f32, u64)> = None;
        for seed in (0..BEGINNINGS).map(|_| rng.next_u64()).collect::<Vec<u64>>() {
            let logits = self.phrases(&[name], seed, temperature)?;
            let cells: Vec<bool> = logits[&name].iter().map(|z| *z > super::Band::THRESHOLD).collect();
            let apart = band.statistics(&cells).iter().zip(&wanted).map(|(a, b)| (a - b) * (a - b)).sum();
            if best.is_none_or(|(least, _)| apart < least) {
                best = Some((apart, seed));
            }
        }
        best.map(|(_, seed)| seed).ok_or(ComposeError::NoToken)
    }

    /// Lays a phrase into so many bars; of longer bars what is over sounds as the bar's beginning.
    fn lay(&self, drawn: &mut Drawn, bars: usize, meter: Meter, logits: &[f32]) {
        let width = self.band().layout.width();
        let length = meter.bar(FINE).0.max(1);
        for bar in 0..bars {
            let start = drawn.times.last().map_or(0, |time| time / length * length + length);
            drawn.last = drawn.rows.len();
            drawn.logits = logits[bar * STEPS * width..][..width].to_vec();
            for step in 0..length.div_ceil(STEP) {
                let row = bar * STEPS + step as usize % STEPS;
                debug_assert!(row < LENGTH);
                let cells = logits[row * width..][..width].iter().map(|z| *z > super::Band::THRESHOLD);
                drawn.rows.push(cells.collect());
                drawn.times.push(start + step * STEP);
            }
        }
    }

    /// The notes of what was drawn. Something begins in the last bar.
    fn score(&self, mut drawn: Drawn, meter: Meter, mut parts: Vec<Part>) -> Score {
        let layout = &self.band().layout;
        let length = meter.bar(FINE).0.max(1);
        let end = drawn.times.last().map_or(0, |time| time / length * length + length);
        let all = |drawn: &Drawn| -> Vec<Vec<Tone>> {
            let rows: Vec<&[bool]> = drawn.rows.iter().map(Vec::as_slice).collect();
            (0..layout.tracks().len()).map(|track| layout.tones(track, &rows)).collect()
        };
        let mut tones = all(&drawn);
        let pitched = layout.tracks().iter().position(|track| !track.is_drums());
        let is_of_voice = |track: &usize| pitched.is_none() || !layout.tracks()[*track].is_drums();
        let voices: Vec<usize> = (0..tones.len()).filter(is_of_voice).collect();
        if !voices.iter().any(|track| tones[*track].iter().any(|tone| tone.step >= drawn.last)) {
            let track = pitched.unwrap_or(0);
            let (start, keys) = (layout.starts()[track], if pitched.is_some() { KEYS } else { layout.width() });
            let likeliest = (0..keys).max_by(|a, b| drawn.logits[start + a].total_cmp(&drawn.logits[start + b]));
            let row = &mut drawn.rows[drawn.last];
            row[start + likeliest.unwrap_or(0)] = true;
            if pitched.is_some() {
                row[start + KEYS] = true;
            }
            tones = all(&drawn);
        }
        let time = |step: usize| drawn.times.get(step).copied().unwrap_or(end);
        for (part, tones) in parts.iter_mut().zip(tones) {
            let note = |tone: Tone| {
                let (onset, until) = (time(tone.step), time(tone.step + tone.length));
                Note {
                    onset: Ticks(onset),
                    pitch: tone.pitch,
                    duration: Ticks(until - onset),
                    velocity: Velocity::DEFAULT,
                }
            };
            part.notes = tones.into_iter().map(note).collect();
            part.notes.sort_unstable();
        }
        parts.retain(|part| !part.notes.is_empty());
        let mut score = Score { parts, ..Score::new(FINE) };
        score.meters.push((Ticks::ZERO, meter));
        score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(bars: usize, form: Option<&str>) -> Vec<(String, usize)> {
        let form: Option<Form> = form.map(|form| form.parse().unwrap());
        let name =
            |Name { letter, number, is_varied }: Name| format!("{letter}{number}{}", if is_varied { "'" } else { "" });
        chunks(bars, form.as_ref()).unwrap().into_iter().map(|chunk| (name(chunk.name), chunk.bars)).collect()
    }

    #[test]
    fn a_piece_is_phrases_that_come_again() {
        let of =
            |list: &[(&str, usize)]| list.iter().map(|(name, bars)| ((*name).to_owned(), *bars)).collect::<Vec<_>>();
        assert_eq!(named(16, None), of(&[("A0", 4), ("A0'", 4), ("B0", 4), ("A0", 4)]));
        assert_eq!(named(18, None)[4], ("C0".to_owned(), 2));
        assert_eq!(named(20, Some("A8 B4 A8")), of(&[("A0", 4), ("A1", 4), ("B0", 4), ("A0", 4), ("A1", 4)]));
        assert_eq!(named(6, Some("AA'")), of(&[("A0", 3), ("A0'", 3)]));
        assert_eq!(named(4 * 60, None).iter().map(|(_, bars)| bars).sum::<usize>(), 240);
    }

    #[test]
    fn mixed_noise_has_the_variance_that_each_has() {
        let (one, other) = (vec![1.0, 0.0], vec![0.0, 1.0]);
        let squares: f32 = mixed(&one, &other, 0.3).iter().map(|z| z * z).sum();
        assert!((squares - 1.0).abs() < 1e-6);
        assert_eq!((mixed(&one, &other, 1.0), mixed(&one, &other, 0.0)), (one, other));
    }
}
