//! `patterns`: music by rules alone. It learns nothing, and composes at once, in any metre and mode.
//!
//! From the whole to the notes: a form of sections; in each, phrases of about four bars that end open or closed; a chord for each bar, drawn
//! among all ways to that ending; a motif of one bar for each section, which comes again as it is, as a sequence, upside down, ornamented,
//! thinned or augmented, and is put on the chords of the moment; under it an accompaniment, or three more voices that keep the rules of voice
//! leading. What every bar does is known: the configuration `lesson` writes it under its notes.
//!
//! It is the honest baseline of every listener: a network that is liked less than rules has a fault, and so has a listener that takes rules for
//! Bach.
//!
//! Source: A. Chubaryan, "Incremental generation of music by dynamic patterns", master's thesis, Rostov 2013 (the program MusicGenerator): patterns
//! of relative lengths without key or chord, realised on the chord of the moment. Departures: a form, cadences and endings, without
//! which it is wallpaper; chords by functions instead of any triads of a scale; voices by the best way through all chords; drawn as a
//! whole instead of while it plays.

mod melody;
mod motif;
mod plan;
mod pulse;
mod scale;
mod texture;
mod voices;

#[cfg(test)]
mod tests;

use cantus_encoding::voices::NAMES;
use cantus_model::{
    Around, ComposeError, Composer, ComposerSpec, Composition, Configuration, Control, ModelError, ModelFile, Progress,
    Request, Rng, Sampling, accentuate,
};
use cantus_nn::random::categorical;
use cantus_score::{
    Chord, Key, Lyric, Meter, Note, Part, Pitch, Program, Progression, Quality, Score, Tempo, Ticks, Velocity, key_of,
    melody_of, merge_parts,
};
use melody::{Melody, Motifs};
use motif::Motif;
use plan::{Bar, Cadence, Rule};
use pulse::{Pulse, grid};
use scale::{Mode, Scale};
use serde::{Deserialize, Serialize};
use texture::Texture;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "patterns",
    version: 1,
    writes: "melodies with chords, or four voices, by rules: periods, cadences, motifs that come again varied; in any metre and mode",
    suits: "no folder: it learns nothing and composes at once",
    is_made_for: None,
    title: "rules of form, harmony, motifs and voice leading",
    source: "Chubaryan 2013 (MusicGenerator)",
    departures: "a form with cadences and an ending; chords by their functions; four voices by the best way through all chords",
    reads: &[],
    encoding: "none",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Form, Control::Key, Control::Meter, Control::Density, Control::Style, Control::Chords],
    configurations: &[
        configuration("default", "major or minor, as the key is", "{}"),
        configuration("lesson", "the same, and says under each bar which rule made it", r#"{"lesson":true}"#),
        configuration("dorian", "in the dorian mode of a key's tonic", r#"{"mode":"dorian"}"#),
        configuration("phrygian", "in the phrygian mode of a key's tonic", r#"{"mode":"phrygian"}"#),
        configuration("lydian", "in the lydian mode of a key's tonic", r#"{"mode":"lydian"}"#),
        configuration("mixolydian", "in the mixolydian mode of a key's tonic", r#"{"mode":"mixolydian"}"#),
    ],
    create: None,
    load: |file| Ok(Box::new(Rules::load(file)?)),
};

const fn configuration(name: &'static str, summary: &'static str, settings: &'static str) -> Configuration {
    Configuration { name, summary, settings, sizes: None, tiny: "{}" }
}

/// Its settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    /// The mode; nothing where the key says it.
    mode: Option<Mode>,
    /// Whether words under the notes say which rule made a bar.
    lesson: bool,
}

/// What it writes, by name.
const STYLES: [&str; 2] = ["song", "voices"];
const VOICES: usize = 1;
/// The melody's lowest and highest MIDI pitch.
const MELODY: (i32, i32) = (60, 81);
/// Keys with so many sharps or flats are drawn, and of three keys two are in major.
const MOST_FIFTHS: i8 = 4;
const MAJOR: f32 = 0.65;
/// Metres that are drawn, and how often.
const METERS: [(&str, f32); 4] = [("4/4", 4.0), ("3/4", 2.0), ("6/8", 2.0), ("2/4", 1.0)];
/// So many bars of chords that are asked for say the key, so many of each.
const HEARD: usize = 64;
const BEATS: usize = 4;
/// How loud an accompaniment is, on strong places and between them.
const UNDER: (u8, u8) = (58, 52);

/// A note of the melody within a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tone {
    onset: u64,
    length: u64,
    /// The step of the scale from the tonic of the lowest octave, and the MIDI pitch that it has there.
    step: i32,
    pitch: i32,
}

/// Draws among what the rules leave open.
struct Dice<'r> {
    rng: &'r mut Rng,
    /// 1 as the rules weigh it, less the likelier things, more all things alike.
    temperature: f64,
}

impl Dice<'_> {
    /// One of so many weights; `None` where all are 0.
    fn weighted(&mut self, weights: &[f32]) -> Option<usize> {
        let most = weights.iter().copied().fold(0.0, f32::max);
        let power = 1.0 / self.temperature.max(0.01);
        let sharpened: Vec<f32> = weights
            .iter()
            .map(|weight| if *weight > 0.0 { f64::from(weight / most).powf(power) as f32 } else { 0.0 })
            .collect();
        categorical(self.rng, &sharpened)
    }

    /// Whether something of this probability happens.
    fn chance(&mut self, p: f32) -> bool {
        let p = p.clamp(0.0, 1.0);
        self.weighted(&[p, 1.0 - p]) == Some(0)
    }

    /// One of several, all alike.
    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        let k = self.weighted(&vec![1.0; items.len()]).unwrap_or(0);
        items[k].clone()
    }
}

/// The rules, ready to compose.
#[derive(Debug)]
struct Rules {
    own: Own,
    styles: Vec<String>,
}

/// What a piece has throughout.
struct Frame {
    scale: Scale,
    key: Key,
    meter: Meter,
    pulse: Pulse,
    tempo: Tempo,
    density: f32,
    has_voices: bool,
}

impl Rules {
    fn load(file: &ModelFile) -> Result<Rules, ModelError> {
        let own: Own = serde_json::from_value(file.header.settings.clone())
            .map_err(|error| ModelError::Metadata { problem: error.to_string() })?;
        Ok(Rules { own, styles: STYLES.map(str::to_owned).into() })
    }

    /// What is asked for, what a prompt has, and the rest drawn.
    fn frame(&self, request: &Request, dice: &mut Dice<'_>) -> Frame {
        let Request { controls, .. } = request;
        let prompt = request.prompt();
        let heard = prompt.and_then(|prompt| key_of(prompt.score()));
        let drawn = self.key(dice);
        let fitting = controls.chords.as_ref().and_then(|chords| self.key_for(chords, request.bars()));
        let key = controls.key.or(heard).or(fitting).unwrap_or(drawn);
        let kept = prompt.and_then(|prompt| prompt.score().meters.last()).map(|(_, meter)| *meter);
        let names: Vec<f32> = METERS.iter().map(|(_, weight)| *weight).collect();
        let drawn = dice.weighted(&names).and_then(|k| METERS[k].0.parse().ok());
        let meter = kept.filter(|_| prompt.is_some()).or(controls.meter);
        let meter = meter.or_else(|| drawn.filter(|_| prompt.is_none())).unwrap_or(Meter::COMMON);
        let pulse = Pulse::of(meter);
        // Beats a minute; dotted ones are slower.
        let slowest = if meter.is_compound() { 54.0 } else { 72.0 };
        let beats = slowest + 6.0 * dice.weighted(&[1.0; 8]).unwrap_or(3) as f64;
        let beat = meter.beat(grid()).0 as f64 / f64::from(grid().get());
        let tempo = Tempo::from_quarters_per_minute((beats * beat).clamp(20.0, 300.0)).unwrap_or(Tempo::DEFAULT);
        Frame {
            scale: Scale { tonic: key.tonic(), mode: self.mode(key) },
            key,
            meter,
            pulse,
            tempo,
            density: controls.density.map_or(0.5, |density| 0.05 + 0.9 * density as f32),
            has_voices: self.styles_of(controls).draw(dice.rng) == Some(VOICES),
        }
    }

    fn mode(&self, key: Key) -> Mode {
        let of_key = if key.mode() == cantus_score::Mode::Minor { Mode::Minor } else { Mode::Major };
        self.own.mode.unwrap_or(of_key)
    }

    /// A key, with the third that the mode has.
    fn key(&self, dice: &mut Dice<'_>) -> Key {
        let is_minor = !dice.chance(MAJOR);
        let near: Vec<Key> = keys(self.own.mode.map_or(is_minor, Mode::is_minor)).filter(is_usual).collect();
        dice.pick(&near)
    }

    /// The key that holds most of the chords that are asked for, the first and the last of which may be its own.
    fn key_for(&self, chords: &Progression, bars: usize) -> Option<Key> {
        let of_bar = |bar: usize| (0..BEATS).filter_map(move |beat| chords.at(bar, beat, BEATS));
        let asked: Vec<Chord> = (0..bars.min(HEARD)).flat_map(of_bar).collect();
        let fit = |key: Key| {
            let scale = Scale { tonic: key.tonic(), mode: self.mode(key) };
            let share = |chord: &Chord| {
                let (within, of) = scale.holds(*chord);
                within as f64 / of as f64
            };
            let home = Chord::new(key.tonic(), if scale.mode.is_minor() { Quality::Minor } else { Quality::Major });
            let is_home = |chord: Option<&Chord>| f64::from(u8::from(chord == Some(&home)));
            let held = asked.iter().map(share).sum::<f64>() / asked.len().max(1) as f64;
            held + 0.1 * is_home(asked.first()) + 0.05 * is_home(asked.last())
        };
        let all = keys(false).chain(keys(true)).map(|key| (key, fit(key)));
        all.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(key, _)| key)
    }

    fn write(
        &self,
        request: &Request,
        dice: &mut Dice<'_>,
        progress: Progress<'_>,
    ) -> Result<Composition, ComposeError> {
        let frame = self.frame(request, dice);
        let known = request.prompt().map_or(0, cantus_model::Prompt::bars);
        let heard = request.prompt().map(|prompt| Heard::of(&prompt.on_grid(grid()), known, &frame.pulse));
        let count = request.bars() - known;
        let usual = plan::usual_form(count, dice)?;
        // A form is the whole piece's, what is given included.
        let (form, recalls) = match &request.controls.form {
            Some(form) => {
                let sections = form.sections(request.bars())?;
                let after = sections.into_iter().filter(|section| section.bars.end > known).map(|mut section| {
                    section.bars = section.bars.start.max(known) - known..section.bars.end - known;
                    section
                });
                (after.collect(), form.recalls(request.bars())?)
            }
            None => (usual.sections(count)?, Vec::new()),
        };
        let flats = frame.key.fifths() < 0;
        let progression = request.controls.chords.as_ref().map(|chords| (chords, flats));
        let bars = plan::bars(&form, (frame.scale, &frame.pulse), frame.has_voices, progression, dice);
        let first = heard.as_ref().and_then(|heard| heard.motif.clone());
        let motifs = Motifs::draw(form.len(), first, &frame.pulse, frame.density, dice);
        let melody = Melody {
            scale: frame.scale,
            pulse: &frame.pulse,
            range: if frame.has_voices { voices::RANGES[0] } else { MELODY },
            density: frame.density,
            is_plain: frame.has_voices,
        };
        let mut tones: Vec<Vec<Tone>> = Vec::with_capacity(count);
        for number in 0..count {
            let next = melody.bar(number, &bars, &motifs, &tones, dice);
            tones.push(next);
            if progress((number + 1) as f64 / count as f64).is_break() {
                return Err(ComposeError::Stopped);
            }
        }
        let mut score = self.score(&frame, &bars, &tones, dice);
        let Some(prompt) = request.prompt() else { return Ok(Composition::new(score, Vec::new())) };
        let mut part = merge_parts(&score.parts);
        for (bar, recall) in recalls.iter().enumerate().skip(known) {
            if let (Some(recall), Some(heard)) = (recall.filter(|recall| recall.bar < known), &heard) {
                heard.put(&mut part, recall.bar, (bar - known) as u64 * frame.pulse.bar(), frame.pulse.bar());
            }
        }
        score.parts = vec![part];
        Ok(Composition::new(prompt.join(&score, Ticks::ZERO), Vec::new()))
    }

    fn score(&self, frame: &Frame, bars: &[Bar], tones: &[Vec<Tone>], dice: &mut Dice<'_>) -> Score {
        let whole = frame.pulse.bar();
        let mut score = Score::new(grid());
        score.meters.push((Ticks::ZERO, frame.meter));
        score.tempos.push((Ticks::ZERO, frame.tempo));
        score.keys.push((Ticks::ZERO, frame.key));
        let flats = frame.key.fifths() < 0;
        for (number, bar) in bars.iter().enumerate() {
            for (at, harmony) in &bar.harmonies {
                let symbol = harmony.chord.symbol(flats);
                if score.chords.last().is_none_or(|(_, last)| *last != symbol) {
                    score.chords.push((Ticks(number as u64 * whole + at), symbol));
                }
            }
        }
        if frame.has_voices {
            let events = voices::events(bars, tones, whole);
            let chords = voices::lead(&events, frame.scale);
            let lines = voices::lines(&events, &chords, frame.scale, frame.density, dice);
            score.parts = lines.into_iter().enumerate().map(|(voice, line)| sung(voice, &line)).collect();
        } else {
            let notes = tones.iter().enumerate().flat_map(|(number, tones)| {
                tones.iter().map(move |tone| (number as u64 * whole + tone.onset, tone.length, tone.pitch))
            });
            score.parts.push(part("Melody", 0, notes));
            let texture = Texture::draw(&frame.pulse, frame.density, dice);
            let mut voicing = Vec::new();
            let mut under = Vec::new();
            for (number, bar) in bars.iter().enumerate() {
                let sounds = texture.play(bar, &frame.pulse, number + 1 == bars.len(), &mut voicing);
                under.extend(sounds.into_iter().map(|(at, length, pitch)| (number as u64 * whole + at, length, pitch)));
            }
            let mut accompaniment = part("Accompaniment", 1, under.into_iter());
            for note in &mut accompaniment.notes {
                let loud = if frame.pulse.is_strong(note.onset.0 % whole) { UNDER.0 } else { UNDER.1 };
                note.velocity = Velocity::try_from(loud).unwrap_or(Velocity::DEFAULT);
            }
            score.parts.push(accompaniment);
        }
        if self.own.lesson {
            let words = bars.iter().enumerate().map(|(number, bar)| Lyric {
                at: Ticks(number as u64 * whole),
                verse: 1,
                text: told(bar),
                goes_on: false,
            });
            score.parts[0].lyrics = words.collect();
        }
        accentuate(&mut score, Ticks::ZERO);
        score
    }
}

/// A key for each tonic.
fn keys(is_minor: bool) -> impl Iterator<Item = Key> {
    let mode = if is_minor { cantus_score::Mode::Minor } else { cantus_score::Mode::Major };
    (-5..=6).filter_map(move |fifths| Key::new(fifths, mode))
}

fn is_usual(key: &Key) -> bool {
    key.fifths().abs() <= MOST_FIFTHS
}

/// Which rule made a bar, with its chords.
fn told(bar: &Bar) -> String {
    let rule = match bar.rule {
        Rule::Motif => "motif".to_owned(),
        Rule::Sequence(up) if up > 0 => "sequence up".to_owned(),
        Rule::Sequence(_) => "sequence down".to_owned(),
        Rule::Inverted => "inversion".to_owned(),
        Rule::Ornamented => "ornament".to_owned(),
        Rule::Thinned => "thinned".to_owned(),
        Rule::Augmented => "augmentation".to_owned(),
        Rule::Contrast => "contrast".to_owned(),
        Rule::Cadence(Cadence::Half) => "half cadence".to_owned(),
        Rule::Cadence(Cadence::Full) => "full cadence".to_owned(),
        Rule::Again(earlier, false) => format!("as bar {}", earlier + 1),
        Rule::Again(earlier, true) => format!("bar {} varied", earlier + 1),
    };
    let chords: Vec<&str> = bar.harmonies.iter().map(|(_, harmony)| harmony.name.as_str()).collect();
    format!("{rule}: {}", chords.join(" "))
}

/// A piano's part.
fn part(name: &str, channel: u8, notes: impl Iterator<Item = (u64, u64, i32)>) -> Part {
    let note = |(onset, length, pitch): (u64, u64, i32)| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch.clamp(0, 127) as u8).unwrap_or(Pitch::C4),
        duration: Ticks(length),
        velocity: Velocity::DEFAULT,
    };
    let mut notes: Vec<Note> = notes.map(note).collect();
    notes.sort_unstable();
    let programs = vec![(Ticks::ZERO, Program::PIANO)];
    Part { name: Some(name.to_owned()), channel, programs, notes, ..Part::default() }
}

/// A voice's part.
fn sung(voice: usize, line: &[(u64, u64, i32)]) -> Part {
    let programs = cantus_encoding::voices::CHOIR.map(|choir| (Ticks::ZERO, choir)).into_iter().collect();
    Part { programs, ..part(NAMES[voice], voice as u8, line.iter().copied()) }
}

/// The beginning that is gone on with.
struct Heard {
    /// The melody of its last whole bar with several notes.
    motif: Option<Motif>,
    /// The notes of its bars, in ticks of the bar.
    bars: Vec<Vec<(u64, Note)>>,
}

impl Heard {
    fn of(score: &Score, known: usize, pulse: &Pulse) -> Heard {
        let skipped = usize::from(score.upbeat().is_some());
        let bars: Vec<(Ticks, Ticks)> =
            score.bars().skip(skipped).take(known).map(|bar| (bar.start, bar.end())).collect();
        let within = |(from, to): &(Ticks, Ticks)| {
            let notes = score.notes().filter(|note| *from <= note.onset && note.onset < *to);
            notes.map(|note| ((note.onset - *from).0, *note)).collect::<Vec<_>>()
        };
        let melody: Vec<&Note> =
            melody_of(score.parts.iter().collect()).into_iter().flat_map(|part| &part.notes).collect();
        let line = |(from, to): &(Ticks, Ticks)| {
            let mut notes: Vec<(u64, i32)> = Vec::new();
            for note in melody.iter().filter(|note| *from <= note.onset && note.onset < *to) {
                let (onset, pitch) = ((note.onset - *from).0, i32::from(note.pitch.get()));
                match notes.last_mut().filter(|(last, _)| *last == onset) {
                    // The highest of a chord.
                    Some(last) => last.1 = last.1.max(pitch),
                    None => notes.push((onset, pitch)),
                }
            }
            notes
        };
        let mut motifs = bars.iter().filter(|(from, to)| (*to - *from).0 == pulse.bar()).map(line);
        let motif = motifs.rfind(|notes| notes.len() > 1).and_then(|notes| Motif::heard(&notes, pulse.bar()));
        Heard { motif, bars: bars.iter().map(within).collect() }
    }

    /// Puts one of its bars into a part in the place of what stands in `whole` ticks from `at` on.
    fn put(&self, part: &mut Part, bar: usize, at: u64, whole: u64) {
        let Some(notes) = self.bars.get(bar).filter(|notes| notes.iter().any(|(onset, _)| *onset < whole)) else {
            return;
        };
        part.notes.retain(|note| !(at..at + whole).contains(&note.onset.0));
        part.notes.extend(notes.iter().filter(|(onset, _)| *onset < whole).map(|(onset, note)| Note {
            onset: Ticks(at + onset),
            duration: Ticks(note.duration.0.min(whole - onset)),
            ..*note
        }));
        part.notes.sort_unstable();
    }
}

impl Composer for Rules {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        Sampling::default()
    }

    fn describe(&self) -> Vec<(String, String)> {
        let mode = match self.own.mode {
            None => "major or minor".to_owned(),
            Some(mode) => format!("{mode:?}").to_lowercase(),
        };
        [("rules", "form, harmony, motifs, voice leading; it has learnt nothing".to_owned()), ("mode", mode)]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn styles(&self) -> &[String] {
        &self.styles
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        let mut dice = Dice { rng, temperature: request.sampling.temperature };
        self.write(request, &mut dice, progress)
    }
}
