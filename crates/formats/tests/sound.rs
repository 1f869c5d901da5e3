//! What is heard: pitch, loudness, pedal, silence; no clicks, no clipping.

mod common;

use cantus_formats::wav::{Audio, PEAK, Settings, Sound, WavError, render, write};
use cantus_score::{Control, PedalSpan, Score, Ticks};
use common::hearing::{audio, milliseconds, mono, peak, rms, strength};
use common::note;
use std::f64::consts::TAU;
use std::io::Cursor;

#[test]
fn the_pitch_is_right() {
    for pitch in [33u8, 48, 60, 69, 81, 93] {
        let audio = audio(&milliseconds(vec![note(0, pitch, 1500, 90)]));
        let samples = mono(&audio, 50, 1050);
        let fundamental = 440.0 * 2f64.powf((f64::from(pitch) - 69.0) / 12.0);
        // The strongest frequency within a tone of it, in steps of 2 cents.
        let best = (-100..=100)
            .map(|step| f64::from(step) * 2.0)
            .max_by(|a, b| {
                let at = |cents: f64| strength(&samples, fundamental * 2f64.powf(cents / 1200.0));
                at(*a).total_cmp(&at(*b))
            })
            .expect("201 candidates");
        // Stiffness makes the highest strings a little sharp.
        assert!((-4.0..=12.0).contains(&best), "pitch {pitch} sounds {best} cents off");
    }
}

#[test]
fn velocity_makes_it_louder() {
    let loudness: Vec<_> =
        [20, 60, 100, 127].map(|v| rms(&mono(&audio(&milliseconds(vec![note(0, 60, 500, v)])), 0, 400))).to_vec();
    assert!(loudness.windows(2).all(|pair| pair[1] > 1.3 * pair[0]), "{loudness:?}");
}

#[test]
fn the_pedal_prolongs_and_the_damper_ends() {
    let dry = milliseconds(vec![note(0, 60, 300, 80), note(2000, 72, 100, 1)]);
    let mut wet = dry.clone();
    wet.parts[0].pedal.push(PedalSpan { down: Ticks(100), up: Ticks(1800) });
    let (dry, wet) = (audio(&dry), audio(&wet));
    assert!(rms(&mono(&wet, 900, 1200)) > 100.0 * rms(&mono(&dry, 900, 1200)));
    assert!(rms(&mono(&dry, 900, 1200)) < 1e-4);
    assert_eq!(mono(&dry, 0, 90), mono(&wet, 0, 90));
}

#[test]
fn sound_ends_in_silence_and_bass_is_on_the_left() {
    let audio = audio(&milliseconds(vec![note(0, 30, 400, 100)]));
    let tail = &audio.samples[audio.samples.len() - 64..];
    assert!(tail.as_flattened().iter().all(|x| x.abs() < 1e-4));
    let seconds = audio.samples.len() as f64 / 44_100.0;
    assert!((0.5..3.0).contains(&seconds), "{seconds} s");
    let side = |k: usize| rms(&audio.samples.iter().map(|frame| f64::from(frame[k])).collect::<Vec<_>>());
    assert!(side(0) > 1.2 * side(1));
}

#[test]
fn starts_and_ends_do_not_click() {
    // A legato line with releases and re-struck keys: a click would be a jump much larger than the waveform's own slope.
    let notes = vec![
        note(0, 48, 300, 100),
        note(250, 55, 300, 100),
        note(500, 55, 20, 110),
        note(520, 55, 300, 60),
        note(900, 48, 100, 127),
    ];
    let audio = audio(&milliseconds(notes));
    let jump = |pair: &[[f32; 2]]| (pair[1][0] - pair[0][0]).abs();
    let largest = audio.samples.windows(2).map(jump).fold(0.0, f32::max);
    assert!(largest < 0.08, "a jump of {largest}");
    assert_eq!(audio.samples[0], [0.0, 0.0]);
    // At the moments of release the curve is as smooth as just before.
    for ms in [300, 820, 1000] {
        let at = ms * 441 / 10;
        let around = |range: std::ops::Range<usize>| audio.samples[range].windows(2).map(jump).fold(0.0, f32::max);
        assert!(around(at - 4..at + 4) <= 1.5 * around(at - 400..at - 4) + 1e-4, "a click at {ms} ms");
    }
}

#[test]
fn nothing_clips_however_loud() {
    let cluster: Vec<_> = (21..109).map(|pitch| note(0, pitch, 800, 127)).collect();
    let audio = audio(&milliseconds(cluster));
    assert!(peak(&audio) <= PEAK);
    assert!(peak(&audio) > 0.5);
}

#[test]
fn far_too_many_notes_neither_clip_nor_click_nor_last() {
    let notes = (0..6000u64).map(|k| note(k / 8, (k * 37 % 128) as u8, 5000, 60)).collect();
    let mut score = milliseconds(notes);
    score.parts[0].pedal.push(PedalSpan { down: Ticks(0), up: Ticks(900) });
    let audio = audio(&score);
    assert!(peak(&audio) <= PEAK);
    assert!(audio.samples.as_flattened().iter().all(|x| x.is_finite()));
}

#[test]
fn drums_are_heard_and_end() {
    let mut score =
        milliseconds([35, 38, 42, 49, 47, 75].iter().zip(0..).map(|(&key, k)| note(k * 300, key, 1, 100)).collect());
    score.parts[0].drums = true;
    let audio = audio(&score);
    for k in 0..6 {
        assert!(rms(&mono(&audio, k * 300, k * 300 + 40)) > 0.002, "stroke {k}");
    }
    assert!(peak(&audio) <= PEAK);
    assert!(audio.samples.len() < 5 * 44_100);
}

#[test]
fn the_file_is_the_sound_in_16_bits_and_the_same_every_time() {
    let score = milliseconds(vec![note(0, 60, 200, 80), note(100, 64, 200, 80)]);
    let write = || {
        let mut out = Cursor::new(Vec::new());
        let written = write(&score, &Sound::BuiltIn, &Settings::default(), &mut out).expect("written");
        (written, out.into_inner())
    };
    let (written, bytes) = write();
    assert_eq!(bytes, write().1);
    let mut reader = hound::WavReader::new(Cursor::new(&bytes)).expect("a WAV file");
    assert_eq!((reader.spec().channels, reader.spec().sample_rate, reader.spec().bits_per_sample), (2, 44_100, 16));
    let samples: Vec<i16> = reader.samples().map(|sample| sample.expect("a sample")).collect();
    let audio = audio(&score);
    assert_eq!(samples.len(), audio.samples.len() * 2);
    for (written, made) in samples.iter().zip(audio.samples.as_flattened()) {
        assert_eq!(*written, (made * 32767.0).round() as i16);
    }
    assert_eq!(written.peak, peak(&audio));
    assert!((written.seconds - audio.samples.len() as f64 / 44_100.0).abs() < 1e-9);
}

#[test]
fn what_cannot_be_heard_is_an_error_by_name() {
    let long = milliseconds(vec![note(0, 60, 1, 80), note(4_000_000, 60, 1, 80)]);
    let result = render(&long, &Sound::BuiltIn, &Settings::default());
    assert!(matches!(result, Err(WavError::TooLong { limit: 3600.0, .. })), "{result:?}");
    let short = milliseconds(vec![note(0, 60, 1, 80)]);
    for sample_rate in [0, 7_999, 192_001, u32::MAX] {
        let result = render(&short, &Sound::BuiltIn, &Settings { sample_rate, ..Settings::default() });
        assert!(matches!(result, Err(WavError::SampleRate { found, .. }) if found == sample_rate));
    }
}

#[test]
fn a_score_without_notes_is_a_short_file() {
    let audio = audio(&milliseconds(vec![]));
    assert!(audio.samples.len() < 44_100);
}

/// The smallest SoundFont: one looped sine wave for every key.
fn tiny_soundfont() -> Vec<u8> {
    fn chunk(id: &[u8; 4], data: &[u8]) -> Vec<u8> {
        [id.as_slice(), &(data.len() as u32).to_le_bytes(), data].concat()
    }
    fn name(text: &str) -> Vec<u8> {
        let mut name = text.as_bytes().to_vec();
        name.resize(20, 0);
        name
    }
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let longs = |longs: &[u32]| longs.iter().flat_map(|long| long.to_le_bytes()).collect::<Vec<u8>>();
    // 100 samples a period at 44100 Hz: 441 Hz; ten periods, then the silence that the format wants.
    let wave: Vec<u8> = (0..1100u32)
        .flat_map(|k| {
            let value = if k < 1000 { (TAU * f64::from(k) / 100.0).sin() * 20_000.0 } else { 0.0 };
            (value as i16).to_le_bytes()
        })
        .collect();
    let info =
        [b"INFO".to_vec(), chunk(b"ifil", &words(&[2, 1])), chunk(b"isng", b"EMU8000\0"), chunk(b"INAM", b"Tiny\0\0")];
    let sdta = [b"sdta".to_vec(), chunk(b"smpl", &wave)];
    let preset = |label: &str, bag: u16| [name(label), words(&[0, 0, bag]), longs(&[0, 0, 0])].concat();
    let instrument = |label: &str, bag: u16| [name(label), words(&[bag])].concat();
    let sample = [name("sine"), longs(&[0, 1000, 100, 900, 44_100]), vec![69, 0], words(&[0, 1])].concat();
    let last_sample = [name("EOS"), vec![0; 26]].concat();
    let pdta = [
        b"pdta".to_vec(),
        chunk(b"phdr", &[preset("one", 0), preset("EOP", 1)].concat()),
        chunk(b"pbag", &words(&[0, 0, 1, 0])),
        chunk(b"pmod", &[0; 10]),
        chunk(b"pgen", &words(&[41, 0, 0, 0])),
        chunk(b"inst", &[instrument("one", 0), instrument("EOI", 1)].concat()),
        chunk(b"ibag", &words(&[0, 0, 2, 0])),
        chunk(b"imod", &[0; 10]),
        // Loop, then the sample.
        chunk(b"igen", &words(&[54, 1, 53, 0, 0, 0])),
        chunk(b"shdr", &[sample, last_sample].concat()),
    ];
    let lists =
        [chunk(b"LIST", &info.concat()), chunk(b"LIST", &sdta.concat()), chunk(b"LIST", &pdta.concat())].concat();
    chunk(b"RIFF", &[b"sfbk".to_vec(), lists].concat())
}

#[test]
fn a_soundfont_plays_the_right_pitch() {
    let sound = Sound::soundfont(&tiny_soundfont()).expect("a SoundFont");
    let score = milliseconds(vec![note(0, 81, 1200, 100)]);
    let audio = render(&score, &sound, &Settings::default()).expect("short enough");
    let samples = mono(&audio, 100, 1100);
    assert!(strength(&samples, 882.0) > 50.0 * strength(&samples, 441.0));
    assert!(peak(&audio) <= PEAK);
    assert!(audio.samples.len() < 13 * 44_100);
    assert_eq!(audio, render(&score, &sound, &Settings::default()).expect("again"));
}

/// One long note of middle A, with controls.
fn shaped(controls: &[(u64, Control)]) -> Score {
    let mut score = milliseconds(vec![note(0, 69, 1200, 100)]);
    score.parts[0].controls = controls.iter().map(|(at, control)| (Ticks(*at), *control)).collect();
    score
}

fn controller(number: u8, value: u8) -> Control {
    Control::Controller { number, value }
}

/// What the built-in instruments and a SoundFont make of a score.
fn both(score: &Score) -> [Audio; 2] {
    let font = Sound::soundfont(&tiny_soundfont()).expect("a SoundFont");
    [audio(score), render(score, &font, &Settings::default()).expect("short enough")]
}

#[test]
fn volume_and_expression_are_heard() {
    let plain = both(&shaped(&[]));
    for number in [Control::VOLUME, Control::EXPRESSION] {
        let silent = both(&shaped(&[(0, controller(number, 0))]));
        let fading = both(&shaped(&[(600, controller(number, 20))]));
        for k in 0..2 {
            assert!(peak(&silent[k]) < 1e-4, "controller {number}: {}", peak(&silent[k]));
            assert_eq!(mono(&fading[k], 0, 590), mono(&plain[k], 0, 590));
            let (before, after) = (rms(&mono(&plain[k], 700, 1100)), rms(&mono(&fading[k], 700, 1100)));
            assert!(after < 0.2 * before && after > 0.001 * before, "controller {number}: {before} {after}");
        }
    }
}

#[test]
fn a_silent_part_leaves_the_others_as_they_are() {
    let alone = milliseconds(vec![note(0, 69, 900, 60)]);
    let mut both = alone.clone();
    both.parts.extend(shaped(&[(0, controller(Control::VOLUME, 0))]).parts);
    let (alone, both) = (audio(&alone), audio(&both));
    assert_eq!(mono(&alone, 0, 1000), mono(&both, 0, 1000));
}

#[test]
fn places_are_heard() {
    for (place, side) in [(0, 0), (127, 1)] {
        for audio in both(&shaped(&[(0, controller(Control::PAN, place))])) {
            let side_of =
                |k: usize| rms(&audio.samples[4410..44_100].iter().map(|f| f64::from(f[k])).collect::<Vec<_>>());
            assert!(side_of(side) > 3.0 * side_of(1 - side), "{place}");
        }
    }
}

#[test]
fn bends_are_heard_as_far_as_their_range_says() {
    let range = [(0, controller(101, 0)), (0, controller(100, 0)), (0, controller(6, 12))];
    let whole_tone = shaped(&[(500, Control::Bend(8191))]);
    let octave = shaped(&[range.as_slice(), &[(500, Control::Bend(8191))]].concat());
    for (score, factor) in [(whole_tone, 2f64.powf(1.0 / 6.0)), (octave, 2.0)] {
        for (audio, pitch) in both(&score).iter().zip([440.0, 441.0]) {
            let (before, after) = (mono(audio, 100, 500), mono(audio, 600, 1100));
            // An octave above is a partial of the piano's: before, the note itself is there, and after, no more.
            assert!(strength(&before, pitch) > 10.0 * strength(&after, pitch));
            assert!(strength(&after, pitch * factor) > 10.0 * strength(&after, pitch), "{factor}");
        }
    }
}

#[test]
fn a_broken_soundfont_is_an_error() {
    let whole = tiny_soundfont();
    for length in (0..whole.len()).step_by(7) {
        assert!(matches!(Sound::soundfont(&whole[..length]), Err(WavError::SoundFont { .. })), "{length} bytes");
    }
    let score = milliseconds(vec![note(0, 60, 20, 100)]);
    // Bytes outside the wave, changed: an error or a sound, never a panic, never a balloon.
    for at in (0..80).chain(whole.len() - 420..whole.len()).step_by(3) {
        for byte in [0, 0xFF] {
            let mut changed = whole.clone();
            changed[at] = byte;
            if let Ok(sound) = Sound::soundfont(&changed) {
                let _ = render(&score, &sound, &Settings::default());
            }
        }
    }
}

#[test]
fn a_compressed_soundfont_is_refused_by_name() {
    let mut bytes = tiny_soundfont();
    let at = bytes.windows(4).position(|name| name == b"ifil").expect("a version") + 8;
    bytes[at] = 3;
    let message = Sound::soundfont(&bytes).expect_err("compressed").to_string();
    assert!(message.contains("SF3") && message.contains("SF2"), "{message}");
}

#[test]
fn flac_holds_the_same_samples_as_wav() {
    use cantus_formats::flac;
    // Lengths that end in the first frame, just after one, and within a later one.
    for (k, duration) in [1u64, 40, 90, 700, 3000].into_iter().enumerate() {
        let score = milliseconds(vec![note(0, 60, duration, 90), note(duration / 2, 40 + k as u8, duration, 110)]);
        let settings = Settings { sample_rate: 44_100, ..Settings::default() };
        let (mut wav, mut packed) = (Cursor::new(Vec::new()), Cursor::new(Vec::new()));
        let written = write(&score, &Sound::BuiltIn, &settings, &mut wav).expect("sound");
        let again = flac::write(&score, &Sound::BuiltIn, &settings, &mut packed).expect("sound");
        assert_eq!(again, written);
        let plain: Vec<i32> = hound::WavReader::new(Cursor::new(wav.get_ref()))
            .expect("WAV")
            .into_samples()
            .map(|s: Result<i16, _>| i32::from(s.expect("a sample")))
            .collect();
        // The decoder checks each frame's sums.
        let mut reader = claxon::FlacReader::new(Cursor::new(packed.get_ref())).expect("FLAC");
        let info = reader.streaminfo();
        assert_eq!((info.sample_rate, info.channels, info.bits_per_sample), (44_100, 2, 16));
        let samples: Vec<i32> = reader.samples().map(|sample| sample.expect("a sample")).collect();
        assert_eq!(info.samples, Some(samples.len() as u64 / 2));
        assert_eq!(samples[..plain.len()], plain);
        // At most a short frame's silence more.
        assert!(samples.len() - plain.len() < 2 * 64 && samples[plain.len()..].iter().all(|s| *s == 0));
        assert!(packed.get_ref().len() < wav.get_ref().len());
    }
}

#[test]
fn flac_names_what_it_cannot_do() {
    use cantus_formats::flac::{self, FlacError};
    let score = milliseconds(vec![note(0, 60, 100, 90)]);
    let fast = Settings { sample_rate: 192_000, ..Settings::default() };
    let error = flac::write(&score, &Sound::BuiltIn, &fast, Cursor::new(Vec::new()));
    assert!(matches!(error, Err(FlacError::SampleRate { found: 192_000 })));
    let short = Settings { max_seconds: 0.01, ..Settings::default() };
    let error = flac::write(&score, &Sound::BuiltIn, &short, Cursor::new(Vec::new()));
    assert!(matches!(error, Err(FlacError::Sound(WavError::TooLong { .. }))));
}
