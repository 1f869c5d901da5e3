//! What a choir sounds like: in tune, with the formants of its vowels, vibrato, glides, words and rests.

mod common;

use cantus_formats::wav::{Audio, Choir, PEAK, Settings, Sound, render, write};
use cantus_score::{Control, Lyric, Note, Score, Ticks};
use common::hearing::{audio, milliseconds, mono, peak, rms, strength};
use common::note;

const RATE: f64 = 44_100.0;

/// What a choir with so many singers to a part makes of a score.
fn sung_by(singers: u8, score: &Score) -> Audio {
    let sound = Sound::Choir(Choir { singers, ..Choir::default() });
    render(score, &sound, &Settings::default()).expect("short enough")
}

fn sung(score: &Score) -> Audio {
    sung_by(Choir::default().singers, score)
}

/// A part of that name, which sings these syllables, one a note.
fn part(name: &str, notes: Vec<Note>, words: &[&str]) -> Score {
    let mut score = milliseconds(notes);
    let syllable =
        |(note, text): (&Note, &&str)| Lyric { at: note.onset, verse: 1, text: (*text).to_owned(), goes_on: false };
    score.parts[0].lyrics = score.parts[0].notes.iter().zip(words).map(syllable).collect();
    score.parts[0].name = Some(name.to_owned());
    score
}

fn frequency(pitch: u8) -> f64 {
    440.0 * 2f64.powf((f64::from(pitch) - 69.0) / 12.0)
}

/// The pitch in Hz by autocorrelation: the lag near `expected` at which the samples are most like themselves.
fn pitch(samples: &[f64], expected: f64) -> f64 {
    let period = RATE / expected;
    let lags = (period * 0.9) as usize..=(period * 1.1) as usize + 1;
    let like = |lag: usize| {
        let (now, later) = (&samples[..samples.len() - lag], &samples[lag..]);
        let sum: f64 = now.iter().zip(later).map(|(a, b)| a * b).sum();
        let power = |samples: &[f64]| samples.iter().map(|x| x * x).sum::<f64>();
        sum / (power(now) * power(later)).sqrt().max(1e-12)
    };
    let best = lags.max_by(|a, b| like(*a).total_cmp(&like(*b))).expect("lags");
    let [before, at, after] = [best - 1, best, best + 1].map(like);
    RATE / (best as f64 + 0.5 * (before - after) / (before - 2.0 * at + after))
}

fn cents(hertz: f64, of: f64) -> f64 {
    1200.0 * (hertz / of).log2()
}

#[test]
fn every_voice_is_in_tune_in_mid_note() {
    for (name, pitches) in
        [("Soprano", [62, 72, 81]), ("Alto", [57, 65, 74]), ("Tenor", [50, 57, 67]), ("Bass", [40, 48, 60])]
    {
        for (key, word) in pitches.into_iter().zip(["a", "i", "o"]) {
            let audio = sung(&part(name, vec![note(0, key, 2600, 80)], &[word]));
            let found = pitch(&mono(&audio, 500, 2500), frequency(key));
            let off = cents(found, frequency(key));
            assert!(off.abs() < 5.0, "{name} sings {key} {off:.1} cents off");
        }
    }
}

/// The power of each frequency of samples, as many as a power of two (J. W. Cooley, J. W. Tukey, 1965).
fn spectrum(samples: &[f64]) -> Vec<f64> {
    let count = samples.len();
    assert!(count.is_power_of_two());
    let window = |k: usize| 0.5 - 0.5 * (std::f64::consts::TAU * k as f64 / count as f64).cos();
    let bits = count.trailing_zeros();
    let mut values: Vec<(f64, f64)> =
        (0..count).map(|k| k.reverse_bits() >> (usize::BITS - bits)).map(|k| (samples[k] * window(k), 0.0)).collect();
    let mut half = 1;
    while half < count {
        for start in (0..count).step_by(2 * half) {
            for k in 0..half {
                let (sin, cos) = (-std::f64::consts::PI * k as f64 / half as f64).sin_cos();
                let (a, b) = (values[start + k], values[start + k + half]);
                let turned = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                values[start + k] = (a.0 + turned.0, a.1 + turned.1);
                values[start + k + half] = (a.0 - turned.0, a.1 - turned.1);
            }
        }
        half *= 2;
    }
    values[..count / 2].iter().map(|(re, im)| re * re + im * im).collect()
}

/// The envelope of a spectrum in dB: the powers of the partials of a very deep note.
fn envelope(powers: &[f64], fundamental: f64) -> Vec<f64> {
    let bin = RATE / (2 * powers.len()) as f64;
    let partial = |n: usize| {
        let [from, to] = [-0.5, 0.5].map(|half| ((n as f64 + half) * fundamental / bin).round() as usize);
        10.0 * powers[from..to].iter().sum::<f64>().log10()
    };
    (1..=(5400.0 / fundamental) as usize).map(partial).collect()
}

/// Where an envelope in dB is bent most, in Hz: a resonance on the slope of a stronger one has no peak of its own, but bends that slope (R.
/// Christensen, W. Strong, E. Palmer, "A comparison of three methods of extracting resonance information", IEEE Trans. ASSP 24, 1976).
fn peaks(envelope: &[f64], fundamental: f64) -> Vec<f64> {
    let bend = |k: usize| 2.0 * envelope[k] - envelope[k - 2] - envelope[k + 2];
    let most = (3..envelope.len() - 3).filter(|k| bend(*k) > 2.0 && bend(*k) > bend(k - 1) && bend(*k) >= bend(k + 1));
    let place = |k: usize| {
        let [a, b, c] = [k - 1, k, k + 1].map(bend);
        fundamental * (k as f64 + 1.0 + 0.5 * (a - c) / (a - 2.0 * b + c))
    };
    most.map(place).collect()
}

/// The formants of "a", "e", "i", "o", "u" in Hz, from "Formant Values" in the appendix of the Csound manual.
const TABLE: [(&str, [[f64; 5]; 5]); 4] = [
    (
        "Soprano",
        [
            [800.0, 1150.0, 2900.0, 3900.0, 4950.0],
            [350.0, 2000.0, 2800.0, 3600.0, 4950.0],
            [270.0, 2140.0, 2950.0, 3900.0, 4950.0],
            [450.0, 800.0, 2830.0, 3800.0, 4950.0],
            [325.0, 700.0, 2700.0, 3800.0, 4950.0],
        ],
    ),
    (
        "Alto",
        [
            [800.0, 1150.0, 2800.0, 3500.0, 4950.0],
            [400.0, 1600.0, 2700.0, 3300.0, 4950.0],
            [350.0, 1700.0, 2700.0, 3700.0, 4950.0],
            [450.0, 800.0, 2830.0, 3500.0, 4950.0],
            [325.0, 700.0, 2530.0, 3500.0, 4950.0],
        ],
    ),
    (
        "Tenor",
        [
            [650.0, 1080.0, 2650.0, 2900.0, 3250.0],
            [400.0, 1700.0, 2600.0, 3200.0, 3580.0],
            [290.0, 1870.0, 2800.0, 3250.0, 3540.0],
            [400.0, 800.0, 2600.0, 2800.0, 3000.0],
            [350.0, 600.0, 2700.0, 2900.0, 3300.0],
        ],
    ),
    (
        "Bass",
        [
            [600.0, 1040.0, 2250.0, 2450.0, 2750.0],
            [400.0, 1620.0, 2400.0, 2800.0, 3100.0],
            [250.0, 1750.0, 2600.0, 3050.0, 3340.0],
            [400.0, 750.0, 2400.0, 2600.0, 2900.0],
            [350.0, 600.0, 2400.0, 2675.0, 2950.0],
        ],
    ),
];

#[test]
fn vowels_have_the_formants_of_the_table() {
    for (name, vowels) in TABLE {
        for (word, formants) in ["a", "e", "i", "o", "u"].iter().zip(vowels) {
            // So deep that partials lie close; nobody sings it, but formants do not depend on that. Before vibrato begins, and several
            // singers one after the other, so that their breath averages out.
            let mut powers = vec![0.0; 1 << 12];
            for seed in 0..6 {
                let sound = Sound::Choir(Choir { singers: 1, seed });
                let score = part(name, vec![note(0, 24, 300, 127)], &[word]);
                let audio = render(&score, &sound, &Settings::default()).expect("short enough");
                let heard = spectrum(&mono(&audio, 60, 260)[..1 << 13]);
                powers.iter_mut().zip(heard).for_each(|(sum, power)| *sum += power);
            }
            let found = peaks(&envelope(&powers, frequency(24)), frequency(24));
            // Below 3.4 kHz there is nothing but these; above, breath has bends of its own.
            for peak in found.iter().filter(|peak| **peak < 3400.0) {
                assert!(formants.iter().any(|formant| (peak / formant - 1.0).abs() < 0.08), "{name} {word}: {peak} Hz");
            }
            for formant in formants {
                assert!(
                    found.iter().any(|peak| (peak / formant - 1.0).abs() < 0.08),
                    "{name} {word}: no peak near {formant} Hz in {found:?}"
                );
            }
        }
    }
}

/// The pitch every 5 ms in cents beside `expected`, in windows of `window` ms.
fn track(audio: &Audio, from: usize, to: usize, window: usize, expected: f64) -> Vec<f64> {
    (from..to).step_by(5).map(|at| cents(pitch(&mono(audio, at, at + window), expected), expected)).collect()
}

#[test]
fn vibrato_begins_late_and_has_its_rate() {
    for (name, key) in [("Soprano", 72), ("Tenor", 57)] {
        for seed in 0..3 {
            let score = part(name, vec![note(0, key, 3200, 80)], &["a"]);
            let sound = Sound::Choir(Choir { singers: 1, seed });
            let audio = render(&score, &sound, &Settings::default()).expect("short enough");
            let steady = track(&audio, 60, 180, 30, frequency(key));
            let most = steady.iter().fold(0.0_f64, |most, cents| most.max(cents.abs()));
            let held = track(&audio, 800, 2800, 30, frequency(key));
            let mean = held.iter().sum::<f64>() / held.len() as f64;
            let at = |hertz: f64| {
                let turn = |k: usize| std::f64::consts::TAU * hertz * 0.005 * k as f64;
                let (re, im) = held.iter().enumerate().fold((0.0, 0.0), |(re, im), (k, cents)| {
                    (re + (cents - mean) * turn(k).cos(), im + (cents - mean) * turn(k).sin())
                });
                2.0 * (re * re + im * im).sqrt() / held.len() as f64
            };
            let rate = (20..120).map(|k| 0.1 * f64::from(k)).max_by(|a, b| at(*a).total_cmp(&at(*b))).expect("rates");
            assert!((4.5..=6.5).contains(&rate), "{name}: {rate} Hz");
            assert!(at(rate) > 10.0 && at(rate) < 60.0, "{name}: {} cents", at(rate));
            assert!(most < 8.0, "{name} trembles by {most} cents at once");
        }
    }
}

#[test]
fn bound_notes_glide_and_others_do_not() {
    let glide = |audio: &Audio| {
        let samples: Vec<f64> =
            (850..1150).step_by(2).map(|at| pitch_between(&mono(audio, at, at + 14), 262.0, 440.0)).collect();
        let rising = |share: f64| samples.iter().position(|hertz| cents(*hertz, frequency(60)) > share * 700.0);
        (rising(0.1), rising(0.9))
    };
    let bound = sung_by(1, &part("Alto", vec![note(0, 60, 1000, 80), note(1000, 67, 1000, 80)], &[]));
    let (Some(low), Some(high)) = glide(&bound) else { panic!("it stays below") };
    let lasts = 2 * (high - low);
    assert!((25..=110).contains(&lasts), "{lasts} ms");
    // Between two notes with a rest no pitch lies between.
    let apart = sung_by(1, &part("Alto", vec![note(0, 60, 800, 80), note(1000, 67, 1000, 80)], &[]));
    for at in (0..780).step_by(20).chain((1020..1700).step_by(20)) {
        let samples = mono(&apart, at, at + 14);
        if rms(&samples) > 1e-3 {
            let found = cents(pitch_between(&samples, 262.0, 440.0), frequency(60));
            assert!(found.abs() < 60.0 || (found - 700.0).abs() < 60.0, "{found} cents at {at} ms");
        }
    }
}

/// As [`pitch`], anywhere between two frequencies.
fn pitch_between(samples: &[f64], low: f64, high: f64) -> f64 {
    let tries = (0..=12).map(|k| low * (high / low).powf(f64::from(k) / 12.0));
    let like = |hertz: f64| {
        let lag = (RATE / hertz).round() as usize;
        let (now, later) = (&samples[..samples.len() - lag], &samples[lag..]);
        let sum: f64 = now.iter().zip(later).map(|(a, b)| a * b).sum();
        let power = |samples: &[f64]| samples.iter().map(|x| x * x).sum::<f64>();
        sum / (power(now) * power(later)).sqrt().max(1e-12)
    };
    let near = tries.max_by(|a, b| like(*a).total_cmp(&like(*b))).expect("frequencies");
    pitch(samples, near)
}

#[test]
fn the_same_choir_sings_the_same_and_another_does_not() {
    let score = part("Alto", vec![note(0, 60, 400, 80), note(400, 64, 400, 80)], &["Sanc", "tus"]);
    let with = |seed| {
        let sound = Sound::Choir(Choir { seed, ..Choir::default() });
        let mut out = std::io::Cursor::new(Vec::new());
        write(&score, &sound, &Settings::default(), &mut out).expect("written");
        out.into_inner()
    };
    assert_eq!(with(1), with(1));
    assert!(with(1) != with(2));
}

#[test]
fn nothing_exceeds_the_peak_however_loud() {
    let mut score = Score::new(milliseconds(vec![]).ticks_per_quarter);
    for k in 0..24 {
        let notes = (0..3).map(|j| note(500 * j, 36 + 2 * k + j as u8, 500, 127)).collect();
        score.parts.extend(part("", notes, &["ta", "ke", "so"]).parts);
    }
    let audio = sung(&score);
    assert!(peak(&audio) <= PEAK);
    assert!(peak(&audio) > 0.9, "{}", peak(&audio));
    assert!(audio.samples.as_flattened().iter().all(|x| x.is_finite()));
}

#[test]
fn a_rest_is_silent_once_released() {
    let score = part("Tenor", vec![note(0, 57, 500, 110), note(3000, 60, 500, 110)], &["deus", "sos"]);
    let audio = sung(&score);
    assert!(rms(&mono(&audio, 200, 450)) > 0.01);
    // After a third of a second it is 60 dB softer, then there is nothing.
    assert!(rms(&mono(&audio, 830, 900)) < 1e-3 * rms(&mono(&audio, 200, 450)));
    assert!(mono(&audio, 1500, 2700).iter().all(|x| *x == 0.0));
    assert!(rms(&mono(&audio, 3150, 3450)) > 0.01);
    let seconds = audio.samples.len() as f64 / RATE;
    assert!((3.6..4.6).contains(&seconds), "{seconds} s");
}

#[test]
fn silence_in_is_silence_out() {
    let silent = |score: &Score| {
        let audio = sung(score);
        assert!(audio.samples.as_flattened().iter().all(|x| *x == 0.0));
        audio.samples.len()
    };
    assert!(silent(&Score::new(milliseconds(vec![]).ticks_per_quarter)) < 44_100);
    assert!(silent(&milliseconds(vec![])) < 44_100);
    // Words without notes are not spoken.
    let mut words = part("Alto", vec![note(0, 60, 500, 80)], &["ssss"]);
    words.parts[0].notes.clear();
    assert!(silent(&words) < 44_100);
    // A part whose volume is nothing.
    let mut mute = part("Alto", vec![note(0, 60, 500, 80)], &["sa"]);
    mute.parts[0].controls.push((Ticks(0), Control::Controller { number: Control::VOLUME, value: 0 }));
    assert!(silent(&mute) > 20_000);
}

#[test]
fn vowels_are_what_is_written() {
    let heard = |text: &str| {
        let audio = sung(&part("Tenor", vec![note(0, 48, 1500, 80)], &[text]));
        mono(&audio, 500, 1400)
    };
    // The second formant: of "i" near 1870 Hz, of "u" near 600 Hz.
    let band = |samples: &[f64], from: usize, to: usize| -> f64 {
        (from..=to).map(|n| strength(samples, frequency(48) * n as f64).powi(2)).sum()
    };
    let bright = |text: &str| {
        let samples = heard(text);
        band(&samples, 12, 16) / band(&samples, 4, 6)
    };
    assert!(bright("mi") > 100.0 * bright("mu"), "{} {}", bright("mi"), bright("mu"));
    assert!(bright("me") > 10.0 * bright("mo"), "{} {}", bright("me"), bright("mo"));
}

#[test]
fn what_cannot_be_read_is_sung_as_without_words() {
    let notes = || vec![note(0, 60, 500, 80), note(500, 64, 500, 80), note(1000, 62, 500, 80)];
    let without = sung(&part("Alto", notes(), &[]));
    assert_eq!(sung(&part("Alto", notes(), &["♪♪", "123", "神"])), without);
    assert_eq!(sung(&part("Alto", notes(), &["ah", "a", "A!"])), without);
    assert_ne!(sung(&part("Alto", notes(), &["o", "a", "u"])), without);
}

#[test]
fn consonants_hiss_before_the_beat() {
    let high = |audio: &Audio, from: usize, to: usize| {
        let samples = mono(audio, from, to);
        (0..40).map(|k| strength(&samples, 5500.0 + 75.0 * f64::from(k)).powi(2)).sum::<f64>().sqrt()
    };
    let notes = || vec![note(500, 57, 700, 80)];
    let [with, without] = ["sa", "a"].map(|text| sung(&part("Tenor", notes(), &[text])));
    assert!(mono(&without, 0, 490).iter().all(|x| *x == 0.0));
    assert!(high(&with, 420, 495) > 30.0 * high(&with, 800, 875), "s");
    // The vowel is there when it is due, and what is far from the consonant sounds as it would without.
    assert!(rms(&mono(&with, 600, 700)) > 0.7 * rms(&mono(&without, 600, 700)));
    // Words that stand with the soprano are sung by a bass that has none.
    let mut both = part("Soprano", vec![note(500, 69, 700, 1)], &["sa"]);
    both.parts.extend(part("Bass", vec![note(500, 45, 700, 120)], &[]).parts);
    let alone = sung(&part("Soprano", vec![note(500, 69, 700, 1)], &["sa"]));
    assert!(high(&sung(&both), 420, 495) > 5.0 * high(&alone, 420, 495));
}

#[test]
fn a_chord_of_one_part_is_sung_by_several() {
    let audio = sung(&milliseconds([48u8, 55, 64, 72].map(|pitch| note(0, pitch, 1500, 80)).to_vec()));
    let samples = mono(&audio, 300, 1400);
    for pitch in [48u8, 55, 64, 72] {
        // A tone lower none of them has a partial.
        let beside = strength(&samples, frequency(pitch - 2));
        assert!(strength(&samples, frequency(pitch)) > 10.0 * beside, "{pitch}");
    }
}

#[test]
fn drums_are_struck_and_not_sung() {
    let mut score = milliseconds(vec![note(0, 38, 100, 100), note(500, 42, 100, 100)]);
    score.parts[0].drums = true;
    assert_eq!(sung(&score), audio(&score));
}

#[test]
fn vowels_begin_go_on_and_end_without_clicks() {
    let notes = vec![note(0, 60, 500, 100), note(500, 67, 500, 100), note(1000, 67, 500, 60), note(1600, 55, 400, 127)];
    let audio = sung(&part("Alto", notes, &[]));
    let jump = |pair: &[[f32; 2]]| (pair[1][0] - pair[0][0]).abs();
    let largest = audio.samples.windows(2).map(jump).fold(0.0, f32::max);
    assert!(largest < 0.06, "a jump of {largest}");
    assert_eq!(audio.samples[0], [0.0, 0.0]);
    // Where notes meet and end there is nothing that the vowels themselves have not.
    for ms in [500, 1000, 1500, 1600, 2000] {
        let at = ms * 441 / 10;
        let around = |range: std::ops::Range<usize>| audio.samples[range].windows(2).map(jump).fold(0.0, f32::max);
        assert!(around(at - 900..at + 2200) <= 1.3 * around(4410..80_000), "a click at {ms} ms");
    }
}

#[test]
fn high_sopranos_are_in_tune_and_no_vowel_shouts() {
    let level = |text: &str| {
        let audio = sung(&part("Soprano", vec![note(0, 84, 1500, 80)], &[text]));
        let samples = mono(&audio, 400, 1400);
        assert!(cents(pitch(&samples, frequency(84)), frequency(84)).abs() < 5.0, "{text}");
        rms(&samples)
    };
    let levels = ["a", "e", "i", "o", "u"].map(level);
    assert!(levels.iter().all(|level| *level < 2.0 * levels[0] && *level > 0.5 * levels[0]), "{levels:?}");
}

#[test]
fn every_sample_rate_sings_the_same_pitch() {
    for sample_rate in [8_000, 22_050, 96_000, 192_000] {
        let score = part("Bass", vec![note(0, 45, 1200, 80)], &["so"]);
        let settings = Settings { sample_rate, ..Settings::default() };
        let audio = render(&score, &Sound::Choir(Choir::default()), &settings).expect("short enough");
        assert!(audio.samples.as_flattened().iter().all(|x| x.is_finite()));
        let samples = mono(&audio, 300, 1100);
        let at = |hertz: f64| strength(&samples, hertz * RATE / f64::from(sample_rate));
        assert!(at(110.0) > 4.0 * at(104.0) && at(110.0) > 4.0 * at(116.0), "{sample_rate}");
        let plain = mono(&sung(&score), 300, 1100);
        // Others breathe and tremble otherwise.
        assert!((0.6..1.6).contains(&(rms(&samples) / rms(&plain))), "{sample_rate}");
    }
}

#[test]
fn singers_breathe_at_stops_and_fermatas() {
    let notes = || vec![note(0, 60, 800, 80), note(800, 62, 800, 80)];
    let bound = part("Alto", notes(), &["a", "o"]);
    let stop = part("Alto", notes(), &["a,", "o"]);
    let mut fermata = bound.clone();
    fermata.parts[0].fermatas.push(Ticks(0));
    let [bound, stop, fermata] = [bound, stop, fermata].map(|score| rms(&mono(&sung(&score), 780, 798)));
    assert!(stop < 0.3 * bound && fermata < 0.3 * bound, "{bound} {stop} {fermata}");
}
