//! The built-in band: every family of General MIDI has a voice of its own, and every drum is one.

mod common;

use cantus_formats::wav::{Audio, PEAK, Settings, Sound, render};
use cantus_score::{Control, Note, Part, PedalSpan, Program, Score, Ticks};
use common::hearing::{audio, milliseconds, mono, peak, rms, strength};
use common::note;

/// The first of each family of eight programs, or one that stands for it.
const FAMILIES: [u8; 16] = [0, 11, 16, 25, 33, 40, 48, 56, 65, 73, 81, 89, 96, 104, 114, 121];

fn played(program: u8, notes: Vec<Note>) -> Score {
    let mut score = milliseconds(notes);
    score.parts[0].programs.push((Ticks::ZERO, Program::new(program).expect("a program")));
    score
}

fn drums(notes: Vec<Note>) -> Score {
    let mut score = milliseconds(notes);
    score.parts[0].drums = true;
    score
}

fn frequency(pitch: u8) -> f64 {
    440.0 * 2f64.powf((f64::from(pitch) - 69.0) / 12.0)
}

/// How bright a sound is: the middle of its spectrum in thirds of octaves from 55 Hz, by power.
fn brightness(samples: &[f64]) -> f64 {
    let bands = (0..25).map(|third| 55.0 * 2f64.powf(f64::from(third) / 3.0));
    // A third's power, from samples of its spectrum a semitone apart.
    let power = |hertz: f64| (0..4).map(|k| strength(samples, hertz * 2f64.powf(f64::from(k) / 12.0)).powi(2)).sum();
    let powers: Vec<(f64, f64)> = bands.map(|hertz| (hertz, power(hertz))).collect();
    powers.iter().map(|(hertz, power)| hertz * power).sum::<f64>() / powers.iter().map(|(_, power)| power).sum::<f64>()
}

/// By how many cents the fundamental is off, as the middle of what lies within 40 cents of it.
fn cents_off(samples: &[f64], pitch: u8) -> f64 {
    let (mut sum, mut all) = (0.0, 0.0);
    for cents in (-40..=40).step_by(4).map(f64::from) {
        let power = strength(samples, frequency(pitch) * 2f64.powf(cents / 1200.0)).powi(2);
        (sum, all) = (sum + cents * power, all + power);
    }
    sum / all
}

#[test]
fn every_program_is_in_tune_and_heard() {
    // Noises have no pitch, and a woodblock is over before one is heard to 3 cents; effects wander.
    let wanders = |program: &u8| matches!(program, 96..=103 | 115 | 119..);
    for program in (0..128).step_by(3).chain(FAMILIES).filter(|program| !wanders(program)) {
        // Several players are a few cents apart, and the sum of them is in tune where it is heard long enough.
        let several = matches!(program, 19..=23 | 48..=55 | 61..=63 | 80..=95);
        let (pitches, length) = if several { ([72, 79], 2000) } else { ([48, 72], 800) };
        for pitch in pitches {
            let sound = audio(&played(program, vec![note(0, pitch, length, 90)]));
            let off = cents_off(&mono(&sound, 50, length as usize), pitch);
            assert!(off.abs() < 3.0, "program {program}, pitch {pitch}: {off:.1} cents off");
        }
    }
    for program in 0..128 {
        let sound = audio(&played(program, vec![note(0, 60, 400, 90)]));
        assert!(rms(&mono(&sound, 0, 400)) > 0.002, "program {program}: {}", rms(&mono(&sound, 0, 400)));
        assert!(peak(&sound) < 0.5, "program {program}: {}", peak(&sound));
    }
}

#[test]
fn what_is_blown_or_bowed_lasts_and_what_is_struck_decays() {
    let left = |program| {
        let sound = audio(&played(program, vec![note(0, 60, 2500, 90)]));
        rms(&mono(&sound, 2200, 2400)) / rms(&mono(&sound, 300, 500))
    };
    for program in [16, 19, 40, 42, 48, 52, 56, 60, 65, 71, 73, 80, 89, 109] {
        assert!(left(program) > 0.5, "program {program}: {}", left(program));
    }
    for program in [0, 4, 6, 11, 12, 24, 25, 33, 45, 46, 47, 104, 108, 114] {
        assert!(left(program) < 0.4, "program {program}: {}", left(program));
    }
}

#[test]
fn a_harder_stroke_is_louder_and_brighter() {
    for program in FAMILIES {
        let heard = |velocity| mono(&audio(&played(program, vec![note(0, 60, 500, velocity)])), 0, 450);
        let (soft, hard) = (heard(35), heard(120));
        assert!(rms(&hard) > 3.0 * rms(&soft), "program {program}");
        // Noise is as bright as it is.
        let (dull, bright) = (brightness(&soft), brightness(&hard));
        assert!(bright > 1.002 * dull || program == 121, "program {program}: {dull:.0} and {bright:.0} Hz");
    }
}

/// What tells voices apart, in steps of 6 dB: the levels of ten partials, how much sounds at the very beginning, and how much is left
/// after a second and a half.
fn character(program: u8) -> Vec<f64> {
    let sound = audio(&played(program, vec![note(0, 60, 1600, 90)]));
    let steps = |level: f64| level.max(0.003).log2();
    let samples = mono(&sound, 100, 600);
    let partials: Vec<f64> = (1..=10).map(|n| strength(&samples, f64::from(n) * frequency(60))).collect();
    let all = partials.iter().map(|level| level * level).sum::<f64>().sqrt();
    let loudness = |from, to| rms(&mono(&sound, from, to));
    let beside = loudness(200, 300);
    let shape = [loudness(0, 30) / beside, loudness(1450, 1550) / beside];
    partials.into_iter().map(|level| level / all).chain(shape).map(steps).collect()
}

#[test]
fn families_differ() {
    let characters = FAMILIES.map(character);
    for (k, a) in characters.iter().enumerate() {
        for (l, b) in characters.iter().enumerate().take(k) {
            let distance = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            assert!(distance > 2.0, "programs {} and {}: {distance:.2}: {a:.1?} {b:.1?}", FAMILIES[k], FAMILIES[l]);
        }
    }
}

#[test]
fn no_release_clicks() {
    let jump = |sound: &Audio, from: usize, to: usize| {
        sound.samples[from * 441 / 10..to * 441 / 10]
            .windows(2)
            .map(|pair| (pair[1][0] - pair[0][0]).abs())
            .fold(0.0, f32::max)
    };
    for program in FAMILIES {
        let sound = audio(&played(program, vec![note(0, 60, 703, 100)]));
        let (before, at) = (jump(&sound, 600, 700), jump(&sound, 701, 712));
        assert!(at <= 1.3 * before + 1e-4, "program {program}: {before} and {at}");
        let last = sound.samples[sound.samples.len() - 1];
        assert!(last[0].abs() + last[1].abs() < 1e-3, "program {program} is cut off at {last:?}");
    }
}

#[test]
fn all_follow_volume_place_bend_and_pedal() {
    let controller = |number, value| (Ticks::ZERO, Control::Controller { number, value });
    for program in [16, 25, 40, 56, 73, 81] {
        let plain = played(program, vec![note(0, 69, 600, 100)]);
        let whole = rms(&mono(&audio(&plain), 100, 600));
        let mut quiet = plain.clone();
        quiet.parts[0].controls.push(controller(Control::VOLUME, 50));
        let ratio = rms(&mono(&audio(&quiet), 100, 600)) / whole;
        assert!((ratio - 0.25).abs() < 0.01, "program {program}: {ratio}");
        let mut left = plain.clone();
        left.parts[0].controls.push(controller(Control::PAN, 0));
        let left = audio(&left);
        assert!(left.samples.iter().all(|frame| frame[1].abs() < 1e-3), "program {program}");
        let mut bent = plain.clone();
        bent.parts[0].controls.push((Ticks(300), Control::Bend(8191)));
        let bent = mono(&audio(&bent), 350, 600);
        assert!(strength(&bent, frequency(71)) > 10.0 * strength(&bent, frequency(69)), "program {program}");
        let mut held = plain.clone();
        held.parts[0].pedal.push(PedalSpan { down: Ticks(10), up: Ticks(1500) });
        let (held, dry) = (audio(&held), audio(&plain));
        let (held, dry) = (rms(&mono(&held, 900, 1100)), rms(&mono(&dry, 900, 1100)));
        assert!(held > 20.0 * dry, "program {program}: {held} {dry}");
    }
}

#[test]
fn programs_may_change_on_the_way_and_parts_do_not_steal_each_others_notes() {
    let mut score = played(25, vec![note(0, 60, 400, 90), note(1000, 60, 400, 90)]);
    score.parts[0].programs.push((Ticks(1000), Program::new(16).expect("an organ")));
    let sound = audio(&score);
    let organ = audio(&played(16, vec![note(1000, 60, 400, 90)]));
    assert_eq!(mono(&sound, 1000, 1400), mono(&organ, 1000, 1400));
    // The same pitch on two instruments is two notes.
    let alone = rms(&mono(&audio(&played(16, vec![note(0, 60, 400, 90)])), 100, 400));
    let mut both = played(16, vec![note(0, 60, 400, 90)]);
    both.parts.extend(played(56, vec![note(0, 60, 400, 90)]).parts);
    assert!(rms(&mono(&audio(&both), 100, 400)) > 1.15 * alone);
}

#[test]
fn every_drum_sounds_and_ends() {
    for key in 27..=87 {
        let loudness = |velocity| rms(&mono(&audio(&drums(vec![note(0, key, 1, velocity)])), 0, 60));
        assert!(loudness(100) > 0.003, "key {key}: {}", loudness(100));
        assert!(loudness(120) > 1.3 * loudness(60), "key {key}");
        let sound = audio(&drums(vec![note(0, key, 1, 110)]));
        assert!(sound.samples.len() < 5 * 44_100 && peak(&sound) <= PEAK, "key {key}");
    }
}

#[test]
fn drums_are_what_they_are() {
    let heard = |key| mono(&audio(&drums(vec![note(0, key, 1, 100)])), 0, 200);
    // The power below 150 Hz as a share of that and of all above 3000 Hz.
    let share = |key| {
        let samples = heard(key);
        let power = |low: f64, high: f64| -> f64 {
            let count = ((high / low).log2() * 12.0) as i32;
            (0..count).map(|k| strength(&samples, low * 2f64.powf(f64::from(k) / 12.0)).powi(2)).sum()
        };
        let (low, high) = (power(40.0, 150.0), power(3000.0, 12_000.0));
        low / (low + high)
    };
    assert!(share(35) > 0.95 && share(36) > 0.95, "bass drums are low");
    assert!(share(42) < 0.05 && share(49) < 0.05 && share(51) < 0.05, "cymbals are high");
    assert!(share(38) < 0.9, "a snare rattles");
    let toms: Vec<f64> = [41, 43, 45, 47, 48, 50].map(|key| brightness(&heard(key))).to_vec();
    assert!(toms.windows(2).all(|pair| pair[1] > 1.05 * pair[0]), "toms rise: {toms:.0?}");
    let lasts = |key| audio(&drums(vec![note(0, key, 1, 100)])).samples.len();
    assert!(lasts(42) * 2 < lasts(46) && lasts(46) < lasts(49), "closed, open, crash");
}

#[test]
fn a_closed_hi_hat_ends_an_open_one_of_the_same_player() {
    let open = rms(&mono(&audio(&drums(vec![note(0, 46, 1, 110), note(600, 36, 1, 1)])), 300, 400));
    for key in [42, 44] {
        let choked = rms(&mono(&audio(&drums(vec![note(0, 46, 1, 110), note(150, key, 1, 1)])), 300, 400));
        assert!(choked < 0.05 * open, "key {key}: {choked} of {open}");
    }
    // A crash rings on, whatever is struck, and whatever length is written.
    let crash = |other| rms(&mono(&audio(&drums(vec![note(0, 49, 1, 110), note(150, other, 1, 1)])), 300, 400));
    assert!(crash(42) > 0.01 && (crash(42) / crash(36) - 1.0).abs() < 0.05);
}

#[test]
fn a_dense_band_does_not_clip_and_is_the_same_every_time() {
    let mut score = Score::new(milliseconds(vec![]).ticks_per_quarter);
    for (program, lowest) in [(0, 60), (33, 36), (30, 52), (48, 55), (61, 62), (81, 72)] {
        let notes = (0..16u64).map(|k| note(k * 125, lowest + (k * 7 % 12) as u8, 400, 120)).collect();
        score.parts.extend(played(program, notes).parts);
    }
    let beat = [36, 42, 38, 42, 36, 46, 38, 49];
    score.parts.extend(drums((0..16u64).map(|k| note(k * 125, beat[k as usize % 8], 60, 120)).collect()).parts);
    score.parts.iter_mut().for_each(|part: &mut Part| {
        part.controls.push((Ticks::ZERO, Control::Controller { number: Control::VOLUME, value: 127 }));
    });
    let sound = audio(&score);
    assert!(peak(&sound) <= PEAK && peak(&sound) > 0.6, "{}", peak(&sound));
    assert!(sound.samples.as_flattened().iter().all(|sample| sample.is_finite()));
    assert_eq!(sound, audio(&score));
}

#[test]
fn the_lowest_and_highest_notes_are_sound_at_any_sample_rate() {
    for sample_rate in [8_000, 96_000] {
        let settings = Settings { sample_rate, ..Settings::default() };
        for k in 0..128u8 {
            let notes = vec![note(0, 0, 20, 127), note(5, 127, 20, 1), note(10, k, 20, 127)];
            let mut score = drums(notes.clone());
            // At the high rate, some.
            if sample_rate == 8_000 || k % 16 == 3 {
                score.parts.extend(played(k, notes).parts);
            }
            score.parts.iter_mut().for_each(|part| part.controls.push((Ticks(15), Control::Bend(8191))));
            let sound = render(&score, &Sound::BuiltIn, &settings).expect("a sound");
            let is_fine = |sample: &f32| sample.is_finite() && sample.abs() <= PEAK;
            assert!(sound.samples.as_flattened().iter().all(is_fine), "{k} at {sample_rate} Hz");
        }
    }
}

#[test]
fn a_band_is_balanced() {
    // The mean loudness of a family's middle C over its first second, beside the piano's: none drowns another.
    let loudness = |program| rms(&mono(&audio(&played(program, vec![note(0, 60, 1000, 90)])), 0, 1000));
    let piano = loudness(0);
    for program in FAMILIES {
        let ratio = loudness(program) / piano;
        assert!((0.4..2.5).contains(&ratio), "program {program}: {ratio:.2}");
    }
}
