//! Composing: pieces that say how they came to be.

use crate::models::is_copied;
use crate::{Model, Provenance};
use cantus_composers::registry;
use cantus_model::{ComposeError, Composition, Progress, Prompt, Request, Rng, seeded};
use cantus_score::{Key, Program, Score, Tempo, Ticks, TicksPerQuarter, counted, find_key};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bars composed unless told otherwise.
pub const BARS: usize = 16;
/// Bars kept of a prompt unless told otherwise.
pub const PROMPT_BARS: usize = 4;
/// The ticks in which sequencers count; pieces have them where theirs divide them.
const USUAL_TICKS: Option<TicksPerQuarter> = TicksPerQuarter::new(480);
/// Of the parts that stop so many are named.
const MOST_NAMED: usize = 6;
/// A piece that copies, or is heard in another key than was asked for, is written anew until it is not, so many times in all.
const TRIES: usize = 6;

/// A seed short enough to be read aloud.
pub fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_nanos() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44
}

/// A tempo that a person may choose, in quarters a minute; `None` for what no one plays.
pub fn tempo(quarters_per_minute: f64) -> Option<Tempo> {
    if (10.0..=400.0).contains(&quarters_per_minute) {
        Tempo::from_quarters_per_minute(quarters_per_minute)
    } else {
        None
    }
}

/// What `settings` ask for, where `model` can compose it; `given` is the music that they name.
///
/// # Errors
/// [`ComposeError`], the same that [`compose`] would end with.
pub fn request(model: &Model, settings: &Provenance, given: Option<&Score>) -> Result<Request, ComposeError> {
    let request = settings.request(given)?;
    registry::check(model.composer.as_ref(), &request)?;
    Ok(request)
}

/// The pieces of these seeds, as `settings` (but for the seed) ask for them, which stand among their remarks; `given` is the music that the
/// settings name.
///
/// # Errors
/// [`ComposeError`]; [`ComposeError::Stopped`] where `progress` broke it off.
pub fn compose(
    model: &Model,
    settings: &Provenance,
    seeds: &[u64],
    given: Option<&Score>,
    progress: Progress<'_>,
) -> Result<Vec<Composition>, ComposeError> {
    let request = settings.request(given)?;
    // Both have bars of their own.
    let is_settled = request.controls.seconds.is_some() || request.controls.rhythm.is_some();
    let settings = &Provenance { bars: if is_settled { request.bars() } else { settings.bars }, ..settings.clone() };
    let mut rngs: Vec<Rng> = seeds.iter().map(|seed| seeded(*seed)).collect();
    let mut compositions = write(model, &request, &mut rngs, progress)?;
    for (composition, seed) in compositions.iter_mut().zip(seeds) {
        composition.score.title = Some(title(&request));
        if let Some(prompt) = request.prompt() {
            composition.remarks.extend(given.and_then(left_out));
            composition.remarks.extend(stopped(prompt, &composition.score));
        }
        finish(&mut composition.score, settings, *seed);
    }
    Ok(compositions)
}

/// The pieces of these generators. One that shares more with the music that `model` learnt from than real pieces do, or is heard in another key
/// than is asked for (a minor one's relative, say), is written anew, by the same generator going on; the last of some tries stands. Where
/// something is given, that may be known music, and where a composer quotes its corpus, that is what it is for: nothing is written anew.
///
/// # Errors
/// [`ComposeError`]; [`ComposeError::Stopped`] where `progress` broke it off.
pub fn write(
    model: &Model,
    request: &Request,
    rngs: &mut [Rng],
    progress: Progress<'_>,
) -> Result<Vec<Composition>, ComposeError> {
    let composer = model.composer.as_ref();
    let mut pieces = registry::compose(composer, request, rngs, progress)?;
    let is_original = request.given.is_none() && !composer.quotes();
    let learnt = if is_original { model.learnt() } else { Vec::new() };
    // Chords have a key of their own.
    let key = request.controls.key.filter(|_| request.given.is_none() && request.controls.chords.is_none());
    let is_unwanted = |score: &Score| key.is_some_and(|key| !is_heard_in(score, key)) || is_copied(&learnt, score);
    for _ in 1..TRIES {
        let unwanted: Vec<usize> = (0..pieces.len()).filter(|k| is_unwanted(&pieces[*k].score)).collect();
        if unwanted.is_empty() {
            break;
        }
        let mut going_on: Vec<Rng> = unwanted.iter().map(|k| rngs[*k].clone()).collect();
        let others = registry::compose(composer, request, &mut going_on, &mut |_| progress(1.0))?;
        for ((k, piece), rng) in unwanted.into_iter().zip(others).zip(going_on) {
            (pieces[k], rngs[k]) = (piece, rng);
        }
    }
    Ok(pieces)
}

/// Whether what sounds is heard in a key, however that is written.
fn is_heard_in(score: &Score, key: Key) -> bool {
    find_key(score.pitched_notes()).is_none_or(|found| (found.tonic(), found.mode()) == (key.tonic(), key.mode()))
}

/// What a piece is called: the piece that was given keeps its name.
fn title(request: &Request) -> String {
    let given = request.given.as_ref().and_then(|given| given.score().title.as_deref());
    match (given, request.prompt()) {
        (Some(title), Some(_)) => format!("{}, continued", title.strip_suffix(", continued").unwrap_or(title)),
        (Some(title), None) => title.to_owned(),
        (None, _) if request.given.is_some() && request.prompt().is_none() => "Arrangement".to_owned(),
        (None, _) => "Composition".to_owned(),
    }
}

/// Says that a prompt began with silence.
fn left_out(given: &Score) -> Option<String> {
    let (bars, _) = given.silent_bars();
    let bars = (bars > 0).then(|| counted(usize::try_from(bars).unwrap_or(usize::MAX), "bar"))?;
    Some(format!("{bars} of silence before the prompt's first note were left out"))
}

/// Says that a piece begins late. A bar to count in is nothing strange; several are.
pub fn silence(score: &Score) -> Option<String> {
    let (bars, _) = score.silent_bars();
    (bars > 1).then(|| format!("{bars} bars of silence come before the first note"))
}

/// Says which parts of a prompt stop where it ends.
fn stopped(prompt: &Prompt, joined: &Score) -> Option<String> {
    let stopped = prompt.stopped(joined);
    let named = stopped.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = stopped.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!stopped.is_empty()).then(|| {
        format!("the model does not write for all parts of the prompt; these stop where it ends: {named}{more}")
    })
}

/// The ticks in which sequencers count, where nothing is rounded by them.
pub(crate) fn usual_ticks(score: &mut Score) {
    if let Some(ticks) = USUAL_TICKS.filter(|usual| usual.get() % score.ticks_per_quarter.get() == 0) {
        *score = score.rescaled(ticks);
    }
}

/// The tempo asked for, what other programs need to know, and how the piece came to be.
fn finish(score: &mut Score, settings: &Provenance, seed: u64) {
    usual_ticks(score);
    if score.keys.is_empty() {
        score.keys = find_key(score.pitched_notes()).map(|key| (Ticks::ZERO, key)).into_iter().collect();
    }
    for part in score.parts.iter_mut().filter(|part| part.name.is_none()) {
        let name = match (part.drums, part.program()) {
            (true, _) => "Drums",
            (_, Program::PIANO) => "Piano",
            (_, program) => program.name(),
        };
        part.name = Some(name.to_owned());
    }
    if let Some(tempo) = settings.tempo.and_then(tempo) {
        score.tempos = vec![(Ticks::ZERO, tempo)];
    }
    // What was itself composed here must not speak for the new piece.
    score.remarks.retain(|remark| !Provenance::is_remark(remark));
    score.remarks.insert(0, Provenance { seed, ..settings.clone() }.to_remark());
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_evaluation::originality::{Digest, HeldOut, Index};
    use cantus_model::{Composer, Sampling};
    use cantus_score::{Key, Mode, Note, Part, Pitch, Velocity};

    fn scale(per_quarter: u32) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(per_quarter).unwrap());
        let note = |(k, pitch): (u64, u8)| Note {
            onset: Ticks(k),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(1),
            velocity: Velocity::DEFAULT,
        };
        let notes = (0..).zip([62, 64, 66, 67, 69, 67, 66, 64, 62]).map(note).collect();
        score.parts.push(Part { notes, ..Part::default() });
        score
    }

    fn finished(mut score: Score) -> Score {
        let settings = Provenance {
            version: "1".into(),
            model: "m".into(),
            model_sha256: "00".into(),
            seed: 1,
            bars: 4,
            sampling: Sampling::default(),
            tempo: None,
            form: None,
            controls: Default::default(),
            prompt: None,
            arrangement: None,
        };
        finish(&mut score, &settings, 2);
        score
    }

    #[test]
    fn a_piece_has_the_ticks_the_name_and_the_key_that_other_programs_show() {
        let piece = finished(scale(4));
        assert_eq!((piece.ticks_per_quarter.get(), piece.parts[0].notes[1].onset), (480, Ticks(120)));
        assert_eq!(piece.parts[0].name.as_deref(), Some("Piano"));
        assert_eq!(
            piece.keys.iter().map(|(at, key)| (at.0, key.to_string())).collect::<Vec<_>>(),
            [(0, "D major".into())]
        );
        let mut band = scale(4);
        band.parts.push(Part { drums: true, ..band.parts[0].clone() });
        band.parts[0].programs = vec![(Ticks::ZERO, Program::new(33).unwrap())];
        let names: Vec<Option<String>> = finished(band).parts.into_iter().map(|part| part.name).collect();
        assert_eq!(names, [Some("Fingered Bass".to_owned()), Some("Drums".to_owned())]);
        // What was named stays, and time is never rounded.
        let mut named = scale(7);
        named.parts[0].name = Some("Flute".into());
        named.keys = vec![(Ticks(0), Key::new(1, Mode::Major).unwrap())];
        let piece = finished(named.clone());
        assert_eq!((piece.ticks_per_quarter.get(), &piece.keys), (7, &named.keys));
        assert_eq!(piece.parts, named.parts);
    }

    #[test]
    fn what_becomes_of_a_prompt_is_said() {
        let mut band = scale(4);
        band.parts.extend(
            (1..10).map(|k| Part { name: Some(format!("horn {k}")), ..band.parts[0].clone() }).collect::<Vec<_>>(),
        );
        let prompt = Prompt::new(&band, 1).unwrap();
        let joined = prompt.join(&scale(4), Ticks::ZERO);
        let said = stopped(&prompt, &joined).unwrap();
        assert!(said.contains("horn 1, horn 2") && said.contains("horn 6 and 3 more"), "{said}");
        let alone = Prompt::new(&scale(4), 1).unwrap();
        assert!(stopped(&alone, &alone.join(&scale(4), Ticks::ZERO)).is_none());
    }

    /// Writes a piece so many times, then another.
    #[derive(Debug)]
    struct Copyist(usize, [Score; 2], std::sync::atomic::AtomicUsize);

    impl Composer for Copyist {
        fn spec(&self) -> &'static cantus_model::ComposerSpec {
            registry::default()
        }

        fn default_sampling(&self) -> Sampling {
            Sampling::default()
        }

        fn describe(&self) -> Vec<(String, String)> {
            Vec::new()
        }

        fn compose(&self, _: &Request, _: &mut Rng, _: Progress<'_>) -> Result<Composition, ComposeError> {
            let tried = self.2.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(Composition::new(self.1[usize::from(tried >= self.0)].clone(), Vec::new()))
        }
    }

    /// Forty quarters that wander.
    fn melody(seed: u64) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let note = |k: u64| Note {
            onset: Ticks(4 * k),
            pitch: Pitch::try_from(60 + (k * k * (seed + 4) + 7 * k) as i64 % 23).unwrap(),
            duration: Ticks(4),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: (0..40).map(note).collect(), ..Part::default() });
        score
    }

    #[test]
    fn what_is_copied_is_written_anew() {
        let learnt = melody(1);
        let index = Index::new([("one", &learnt)]);
        let mut held_out = HeldOut::default();
        held_out.melody[1].pieces = 20;
        let mut model = crate::load("hymns").unwrap();
        model.header.originality = Some(Digest::new(&index, held_out, Digest::MOST_BYTES).to_json());
        let mut written = |copies: usize| {
            model.composer = Box::new(Copyist(copies, [1, 2].map(melody), Default::default()));
            let request = Request::new(4, Sampling::default());
            write(&model, &request, &mut [seeded(1)], &mut |_| std::ops::ControlFlow::Continue(()))
                .unwrap()
                .remove(0)
                .score
        };
        assert_eq!([0, 1, TRIES - 1].map(&mut written), [2, 2, 2].map(melody));
        assert_eq!(written(TRIES), melody(1), "the last one stands");
    }

    #[test]
    fn what_is_heard_in_another_key_is_written_anew() {
        let pieces = [scale(4), scale(4).transposed(2).unwrap()];
        let mut model = crate::load("hymns").unwrap();
        // A scale stands in many hymns.
        model.header.originality = None;
        let mut written = |key: &str, others: usize| {
            model.composer = Box::new(Copyist(others, pieces.clone(), Default::default()));
            let mut request = Request::new(4, Sampling::default());
            request.controls.set("key", key).unwrap();
            let mut rngs = [seeded(1)];
            let go_on = &mut |_| std::ops::ControlFlow::Continue(());
            write(&model, &request, &mut rngs, go_on).unwrap().remove(0).score
        };
        assert_eq!([0, 1, TRIES - 1].map(|others| written("E", others)), [1, 1, 1].map(|k| pieces[k].clone()));
        assert_eq!(written("D", 1), pieces[0]);
        assert_eq!(written("E", TRIES), pieces[0], "the last one stands");
    }
}
