//! A proofreader learns from planted music and hears what was done to it.

use cantus_composers::proofreading::{ID, Proofreader, Schooling, Settings};
use cantus_composers::registry;
use cantus_model::{CorpusCard, ModelError, ModelFile, Precision};
use cantus_nn::random::{below, seeded, shuffle};
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};
use std::ops::ControlFlow;
use std::sync::OnceLock;

const QUARTER: u64 = 480;
const BARS: u64 = 12;

fn note(onset: u64, pitch: u8, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// A scale in quarters up and down, sixths under it, in a key and from a degree; under each bar its bass.
fn scale(seed: u64) -> Score {
    let rng = &mut seeded(seed);
    const MAJOR: [u8; 7] = [0, 2, 4, 5, 7, 9, 11];
    let (tonic, first) = (48 + below(rng, 12) as u8, below(rng, 7) as u64);
    let pitch = |degree: u64| tonic + 12 * (degree / 7) as u8 + MAJOR[degree as usize % 7];
    let mut score = Score::new(TicksPerQuarter::new(QUARTER as u32).unwrap());
    let mut parts = [Part::default(), Part::default(), Part::default()];
    for quarter in 0..4 * BARS {
        let place = (quarter + first) % 12;
        let degree = 7 + if place < 6 { place } else { 12 - place };
        parts[0].notes.push(note(quarter * QUARTER, pitch(degree), QUARTER));
        parts[1].notes.push(note(quarter * QUARTER, pitch(degree - 5), QUARTER));
        if quarter % 4 == 0 {
            parts[2].notes.push(note(quarter * QUARTER, pitch(degree % 7) - 12, 4 * QUARTER));
        }
    }
    score.parts = parts.to_vec();
    score
}

/// A share of the notes of all parts moved by a semitone or two.
fn broken(score: &Score, share: f64, seed: u64) -> Score {
    let rng = &mut seeded(seed);
    let mut score = score.clone();
    let mut places: Vec<(usize, usize)> =
        score.parts.iter().enumerate().flat_map(|(p, part)| (0..part.notes.len()).map(move |n| (p, n))).collect();
    shuffle(rng, &mut places);
    let count = (share * places.len() as f64).round() as usize;
    for (p, n) in places.into_iter().take(count) {
        let by = [-2, -1, 1, 2][below(rng, 4)];
        let moved = &mut score.parts[p].notes[n];
        moved.pitch = moved.pitch.transposed(by).unwrap();
    }
    score.parts.iter_mut().for_each(|part| part.notes.sort_unstable());
    score
}

fn settings() -> Settings {
    Settings { steps: 260, batch: 128, rounds: 1, search: 2, ..Settings::default() }
}

fn teach(seed: u64, steps: usize) -> ModelFile {
    let pieces: Vec<Score> = (0..24).map(scale).collect();
    let mut schooling = Schooling::new(Settings { steps, ..settings() }, &pieces, &pieces[..6], seed).unwrap();
    while !schooling.is_done() {
        assert!(schooling.step().is_finite());
    }
    schooling.save(CorpusCard { name: "scales".to_owned(), train_pieces: 24, ..CorpusCard::default() })
}

/// One for all tests: it has learnt from scales.
fn file() -> &'static ModelFile {
    static FILE: OnceLock<ModelFile> = OnceLock::new();
    FILE.get_or_init(|| teach(1, settings().steps))
}

fn proofreader() -> Proofreader {
    Proofreader::load(file()).unwrap()
}

#[test]
fn the_more_is_broken_the_more_is_heard_to_be() {
    let ear = proofreader();
    for seed in 100..104 {
        let sound = scale(seed);
        let heard = [0.0, 0.1, 0.5].map(|share| ear.read(&broken(&sound, share, seed)).unwrap());
        let shares = heard.clone().map(|proof| proof.broken);
        assert!(shares[0] < 0.05 && shares[0] < shares[1] && shares[1] < shares[2], "{shares:?}");
        assert!(
            heard[0].sound > heard[1].sound && heard[1].sound > heard[2].sound,
            "{:?}",
            heard.map(|proof| proof.sound)
        );
        assert!(ear.read(&sound).unwrap().is_music());
    }
}

#[test]
fn a_planted_wrong_note_is_the_most_suspect_and_its_bar_the_worst() {
    let ear = proofreader();
    for (k, seed) in (200..206).enumerate() {
        let mut score = scale(seed);
        let place = 8 + 5 * k;
        let planted = &mut score.parts[0].notes[place];
        planted.pitch = planted.pitch.transposed(if k % 2 == 0 { 1 } else { -1 }).unwrap();
        let planted = *planted;
        let proof = ear.read(&score).unwrap();
        let worst = proof.notes.iter().max_by(|a, b| a.wrong.total_cmp(&b.wrong)).unwrap();
        assert_eq!((worst.part, worst.note), (0, place), "{:?} of {seed}", planted.pitch);
        let bar = proof.bars.iter().max_by(|a, b| a.wrong.total_cmp(&b.wrong)).unwrap();
        assert_eq!(bar.number, place / 4 + 1);
        assert_eq!(proof.bars.len() as u64, BARS);
        assert_eq!(proof.notes.len(), score.note_count());
    }
}

#[test]
fn what_is_mended_is_as_it_was_and_all_else_stays() {
    let ear = proofreader();
    let (mut back, mut all) = (0, 0);
    for seed in 300..304 {
        let sound = scale(seed);
        let score = broken(&sound, 0.05, seed);
        let mend = || ear.mend(&score, &mut |_| ControlFlow::Continue(())).unwrap();
        let mended = mend();
        assert_eq!(mend(), mended, "the same piece is mended in the same way");
        let notes = |score: &Score| score.parts.iter().map(|part| part.notes.clone()).collect::<Vec<Vec<Note>>>();
        let (was, is, now) = (notes(&sound), notes(&score), notes(&mended.score));
        for part in 0..3 {
            all += was[part].iter().filter(|note| !is[part].contains(note)).count();
            back += was[part].iter().filter(|note| !is[part].contains(note) && now[part].contains(note)).count();
        }
        // What is said to have changed is what has.
        let changed =
            is.iter().zip(&now).map(|(is, now)| is.iter().filter(|note| !now.contains(note)).count()).sum::<usize>();
        assert_eq!(mended.changes.iter().filter(|change| change.was.is_some()).count(), changed);
        assert!(mended.changes.len() <= 10, "{:?}", mended.changes);
        assert_eq!(
            ear.mend(&score, &mut |_| ControlFlow::Break(())).unwrap_err().to_string(),
            "stopped before the piece was mended"
        );
    }
    assert!(2 * back >= all, "{back} of {all}");
}

#[test]
fn silence_and_noise_are_no_music() {
    let ear = proofreader();
    let empty = Score::new(TicksPerQuarter::DEFAULT);
    assert!(ear.read(&empty).unwrap_err().to_string().starts_with("no music"));
    let mut drums = scale(1);
    drums.parts.iter_mut().for_each(|part| part.drums = true);
    assert!(ear.read(&drums).unwrap_err().to_string().contains("stroke"), "{}", ear.read(&drums).unwrap_err());
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    for chance in [1, 10, 50, 100] {
        let rng = &mut seeded(chance as u64);
        let mut part = Part::default();
        for step in (0..128).step_by(4) {
            part.notes.extend((36..96).filter(|_| below(rng, 100) < chance).map(|pitch| note(step, pitch, 4)));
        }
        score.parts = vec![part];
        let proof = ear.read(&score).unwrap();
        assert!(!proof.is_music() && proof.sound < 0.3, "{chance}%: {}", proof.sound);
        let refused = ear.mend(&score, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(refused.to_string().contains("no music"), "{refused}");
    }
    // As long as a file can say.
    score.parts[0].notes.push(note(u64::MAX - 5, 60, 4));
    assert!(ear.read(&score).unwrap_err().to_string().contains("longer"));
}

#[test]
fn it_hears_the_same_in_every_key() {
    let ear = proofreader();
    let score = broken(&scale(400), 0.1, 1);
    let higher = ear.read(&score.transposed(5).unwrap()).unwrap();
    for (a, b) in ear.read(&score).unwrap().notes.iter().zip(&higher.notes) {
        assert!((a.wrong - b.wrong).abs() < 1e-4, "{a:?} and {b:?}");
    }
}

#[test]
fn a_file_is_read_as_it_was_written_and_one_that_lies_is_refused() {
    let bytes = file().to_bytes(Precision::Full).unwrap();
    let again = Proofreader::load(&ModelFile::from_bytes(&bytes).unwrap()).unwrap();
    let score = broken(&scale(500), 0.1, 1);
    assert_eq!(again.read(&score).unwrap(), proofreader().read(&score).unwrap());
    assert!(matches!(registry::load(file()), Err(ModelError::Proofreader)));
    let refused = |change: &dyn Fn(&mut ModelFile)| {
        let mut file = file().clone();
        change(&mut file);
        Proofreader::load(&file).unwrap_err().to_string()
    };
    let said = refused(&|file| file.header.composer = "lstm".to_owned());
    assert!(said.contains("`lstm`") && said.contains("cantus listen --train"), "{said}");
    let said = refused(&|file| file.header.composer_version += 1);
    assert!(said.contains("version"), "{said}");
    let said = refused(&|file| file.header.encoding["clues"] = 3.into());
    assert!(said.contains("3 clues"), "{said}");
    let said = refused(&|file| file.header.encoding["leaning"][0][0] = (-1.0).into());
    assert!(said.contains("no meaning"), "{said}");
    let said = refused(&|file| file.header.settings["steps"] = 0.into());
    assert!(said.contains("steps"), "{said}");
    let said = refused(&|file| drop(file.tensors.remove("second.bias")));
    assert!(said.contains("second.bias"), "{said}");
    let said = refused(&|file| file.tensors.get_mut("clues").unwrap().shape[1] = 3);
    assert!(said.contains("clues"), "{said}");
    assert_eq!(file().header.composer, ID);
}

#[test]
fn the_same_seed_teaches_the_same() {
    assert_eq!(teach(7, 6), teach(7, 6));
    assert_ne!(teach(8, 6).tensors, teach(7, 6).tensors);
    assert!(Schooling::new(settings(), &[Score::new(TicksPerQuarter::DEFAULT)], &[], 1).is_none());
}
