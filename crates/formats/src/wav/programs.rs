//! Which instrument plays a program of General MIDI: sixteen families of eight.
//!
//! Every family has a voice of its own; within one, programs differ where a few numbers make the difference. The figures are by ear and
//! by the spectra that are found in the literature: ratios of bars and bells in T. D. Rossing, "Science of Percussion Instruments", 2000;
//! formants of voices and reeds in J. Meyer, "Acoustics and the Performance of Music", 2009.

use super::struck::{Instrument, Modes};
use super::tone::{Breath, Spectrum, Timbre};

/// What plays.
#[derive(Clone, Copy, Debug)]
pub enum Player {
    /// The piano has a file of its own.
    Piano,
    /// What rings by itself.
    Struck(&'static Instrument),
    /// What sounds while it is held.
    Held(&'static Timbre),
}

use Player::{Held, Piano, Struck};

const fn string(slope: f32, stiffness: f32, plucked: f32) -> Modes {
    Modes::String { slope, stiffness, plucked }
}

const fn slope(slope: f32, even: f32) -> Spectrum {
    Spectrum::Slope { slope, even }
}

const fn breath(level: f32, chiff: f32, hertz: f32, follows: f32, quality: f32) -> Breath {
    Breath { level, chiff, hertz, follows, quality }
}

const PLUCKED: Instrument = Instrument {
    modes: string(0.9, 6e-5, 0.19),
    cutoff: [350.0, 4500.0],
    ring: 5.0,
    shorter: 1.5,
    faster: 0.3,
    attack: 0.001,
    knock: (0.25, 0.03, 2500.0),
    damp: 0.15,
    prompt: 0.5,
    level: 1.5,
    place: 0.2,
};
const BAR: Instrument = Instrument {
    modes: Modes::Body(&[(1.0, 1.0, 1.0), (2.76, 0.5, 0.5), (5.4, 0.35, 0.3), (8.93, 0.2, 0.2)]),
    cutoff: [500.0, 9000.0],
    ring: 4.0,
    shorter: 1.4,
    faster: 0.0,
    attack: 0.001,
    knock: (0.2, 0.02, 4000.0),
    damp: 0.0,
    prompt: 0.0,
    level: 1.3,
    place: 0.25,
};
/// Neither breath nor bow.
const STILL: Breath = breath(0.0, 0.0, 1000.0, 0.0, 1.0);
const HELD: Timbre = Timbre {
    spectrum: slope(1.0, 1.0),
    formants: &[],
    cutoff: [1200.0, 4000.0],
    swell: 0.3,
    closes: 0.0,
    attack: 0.05,
    release: 0.1,
    decay: 1.0,
    sustain: 1.0,
    vibrato: (0.0, 5.5, 0.3),
    tremolo: (0.0, 6.0),
    players: (1, 0.0),
    breath: STILL,
    tone: 1.0,
    level: 0.5,
    place: 0.0,
};

const ORGAN: Timbre = Timbre {
    spectrum: Spectrum::Partials(&[1.0, 0.8, 0.35, 0.55, 0.1, 0.25, 0.0, 0.35]),
    cutoff: [5000.0, 12_000.0],
    swell: 0.0,
    attack: 0.012,
    release: 0.05,
    breath: breath(0.0, 0.5, 3000.0, 0.0, 1.0),
    level: 0.42,
    ..HELD
};
const BOWED: Timbre = Timbre {
    formants: &[(480.0, 1.5), (2700.0, 5.0)],
    cutoff: [900.0, 5500.0],
    attack: 0.09,
    release: 0.14,
    vibrato: (12.0, 5.6, 0.25),
    breath: breath(0.02, 0.15, 3200.0, 0.0, 0.7),
    place: -0.25,
    ..HELD
};
const ENSEMBLE: Timbre = Timbre {
    formants: &[(500.0, 0.8), (1200.0, 0.6)],
    cutoff: [600.0, 4200.0],
    attack: 0.16,
    release: 0.3,
    players: (3, 9.0),
    vibrato: (4.0, 5.0, 0.2),
    place: -0.1,
    ..HELD
};
const CHOIR: Timbre = Timbre {
    spectrum: slope(1.1, 1.0),
    formants: &[(650.0, 7.0), (1080.0, 4.0), (2650.0, 2.0)],
    cutoff: [400.0, 2200.0],
    breath: breath(0.03, 0.05, 2500.0, 0.0, 0.7),
    vibrato: (9.0, 5.2, 0.3),
    ..ENSEMBLE
};
const BRASS: Timbre = Timbre {
    spectrum: slope(0.25, 1.0),
    formants: &[(1200.0, 1.2)],
    cutoff: [350.0, 2800.0],
    swell: 0.85,
    attack: 0.06,
    release: 0.08,
    vibrato: (5.0, 5.2, 0.5),
    breath: breath(0.0, 0.08, 1500.0, 0.0, 1.0),
    level: 0.5,
    place: 0.3,
    ..HELD
};
const REED: Timbre = Timbre {
    spectrum: slope(0.75, 0.9),
    formants: &[(600.0, 1.2), (1500.0, 1.5)],
    cutoff: [500.0, 3200.0],
    swell: 0.4,
    attack: 0.04,
    release: 0.08,
    vibrato: (9.0, 5.0, 0.35),
    breath: breath(0.035, 0.1, 2200.0, 0.0, 0.8),
    level: 0.48,
    place: 0.15,
    ..HELD
};
const PIPE: Timbre = Timbre {
    spectrum: Spectrum::Partials(&[1.0, 0.5, 0.2, 0.08, 0.04, 0.02]),
    cutoff: [250.0, 3000.0],
    swell: 0.3,
    attack: 0.06,
    release: 0.09,
    vibrato: (6.0, 5.0, 0.35),
    tremolo: (0.12, 5.0),
    breath: breath(0.09, 0.35, 0.0, 2.0, 1.5),
    level: 0.65,
    place: -0.15,
    ..HELD
};
const LEAD: Timbre = Timbre {
    spectrum: slope(1.0, 1.0),
    cutoff: [1000.0, 9000.0],
    swell: 0.0,
    closes: 0.35,
    attack: 0.006,
    release: 0.06,
    decay: 1.2,
    sustain: 0.75,
    vibrato: (7.0, 6.0, 0.4),
    players: (2, 4.0),
    level: 0.65,
    ..HELD
};
const PAD: Timbre = Timbre {
    cutoff: [500.0, 2000.0],
    swell: 0.7,
    attack: 0.55,
    release: 0.9,
    players: (3, 12.0),
    tremolo: (0.15, 0.4),
    level: 0.7,
    ..HELD
};
/// Sounds of no instrument: a hollow tone that turns slowly, with wind in it.
const COSMIC: Timbre = Timbre {
    spectrum: Spectrum::Partials(&[1.0, 0.1, 0.5, 0.05, 0.45, 0.0, 0.3, 0.0, 0.3, 0.0, 0.2, 0.0, 0.2]),
    cutoff: [2000.0, 6000.0],
    attack: 0.3,
    tremolo: (0.7, 3.2),
    vibrato: (12.0, 0.7, 0.0),
    breath: breath(0.25, 0.0, 0.0, 4.0, 6.0),
    release: 1.2,
    ..PAD
};
/// Nothing but noise around the note's pitch.
const NOISE: Timbre =
    Timbre { tone: 0.0, attack: 0.08, release: 0.3, breath: breath(1.0, 0.0, 0.0, 1.0, 3.0), level: 0.5, ..HELD };

const SAW_BASS: Timbre = Timbre {
    cutoff: [300.0, 2200.0],
    swell: 0.0,
    closes: 0.8,
    decay: 1.6,
    sustain: 0.35,
    players: (1, 0.0),
    vibrato: (0.0, 1.0, 0.0),
    level: 0.9,
    ..LEAD
};
const DISTORTED: Timbre = Timbre {
    spectrum: slope(0.55, 0.75),
    formants: &[(750.0, 1.5), (2200.0, 1.2)],
    cutoff: [1500.0, 2600.0],
    swell: 0.0,
    closes: 0.3,
    attack: 0.004,
    release: 0.06,
    // It dies away, but the amplifier holds it long.
    decay: 14.0,
    sustain: 0.0,
    vibrato: (5.0, 5.5, 0.6),
    players: (2, 1.5),
    breath: breath(0.0, 0.5, 2500.0, 0.0, 1.0),
    level: 0.4,
    place: 0.25,
    ..HELD
};
const BASS: Instrument = Instrument {
    modes: string(0.9, 1e-4, 0.22),
    cutoff: [100.0, 1500.0],
    ring: 4.0,
    shorter: 1.4,
    knock: (0.2, 0.025, 1200.0),
    damp: 0.1,
    prompt: 0.8,
    level: 1.8,
    place: 0.0,
    ..PLUCKED
};

/// What plays a program.
#[rustfmt::skip]
#[expect(clippy::match_overlapping_arm, reason = "a family stands after the programs that differ from it")]
pub fn player(program: u8) -> Player {
    match program {
        // Pianos: the tines of an electric one, the quills of a harpsichord, the tangents of a clavinet.
        0..=3 => Piano,
        4 | 5 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (2.0, 0.25, 0.7), (3.0, 0.1, 0.5), (14.1, 0.5, 0.15)]),
            cutoff: [300.0, 7000.0], ring: 7.0, shorter: 1.4, knock: (0.1, 0.02, 1500.0), damp: 0.15, prompt: 1.5, level: 1.4, place: 0.0, ..PLUCKED }) },
        6 => const { Struck(&Instrument { modes: string(0.45, 4e-5, 0.12), cutoff: [3500.0, 9000.0], ring: 4.0, knock: (0.25, 0.015, 5000.0),
            damp: 0.08, level: 1.1, place: 0.0, ..PLUCKED }) },
        7 => const { Struck(&Instrument { modes: string(0.5, 3e-5, 0.08), cutoff: [700.0, 6000.0], ring: 3.0, damp: 0.04, level: 1.2, place: 0.0, ..PLUCKED }) },

        // Chromatic percussion: steel bars, aluminium bars, wooden bars, bells.
        8 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (4.0, 0.3, 0.4), (10.0, 0.12, 0.2)]), ring: 2.5, damp: 0.6, ..BAR }) },
        10 => const { Struck(&Instrument { ring: 2.2, modes: Modes::Body(&[(1.0, 1.0, 1.0), (6.27, 0.35, 0.35), (17.5, 0.15, 0.15)]), ..BAR }) },
        11 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (4.0, 0.25, 0.3), (10.0, 0.06, 0.12)]), ring: 8.0, damp: 0.25, cutoff: [300.0, 6000.0], level: 1.1, ..BAR }) },
        12 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (3.93, 0.3, 0.3), (9.2, 0.1, 0.15)]), ring: 1.1, cutoff: [300.0, 4000.0], level: 1.6, knock: (0.35, 0.02, 1500.0), ..BAR }) },
        13 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (3.0, 0.5, 0.5), (6.1, 0.3, 0.3), (10.2, 0.15, 0.2)]), ring: 0.6, knock: (0.6, 0.015, 4000.0), level: 1.6, ..BAR }) },
        14 => const { Struck(&Instrument { modes: Modes::Body(&[(0.5, 0.25, 1.2), (1.0, 1.0, 1.0), (1.5, 0.5, 0.8), (2.0, 0.55, 0.8), (2.56, 0.35, 0.5), (3.3, 0.25, 0.4), (4.1, 0.18, 0.3)]),
            ring: 6.0, shorter: 1.2, damp: 1.0, ..BAR }) },
        15 => const { Struck(&Instrument { modes: string(0.6, 1e-4, 0.13), cutoff: [700.0, 5000.0], ring: 3.0, damp: 1.0, place: 0.25, ..PLUCKED }) },
        8..=15 => const { Struck(&BAR) },

        // Organs: drawbars, the church's pipes, free reeds.
        17 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.5, 0.7, 0.15, 0.0, 0.1]), decay: 0.8, sustain: 0.6, breath: breath(0.0, 1.0, 2000.0, 0.0, 1.0), ..ORGAN }) },
        18 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.9, 0.8, 0.7, 0.3, 0.5, 0.1, 0.6, 0.0, 0.2, 0.0, 0.2]), vibrato: (8.0, 6.6, 0.0), tremolo: (0.25, 6.6), ..ORGAN }) },
        19 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.9, 0.4, 0.7, 0.2, 0.35, 0.05, 0.5, 0.0, 0.1, 0.0, 0.2, 0.0, 0.0, 0.0, 0.25]), attack: 0.05, release: 0.35,
            players: (2, 1.2), breath: breath(0.015, 0.3, 2500.0, 0.0, 1.0), ..ORGAN }) },
        22 => const { Held(&Timbre { spectrum: slope(0.8, 0.8), cutoff: [1500.0, 4000.0], attack: 0.04, vibrato: (6.0, 5.0, 0.3), tremolo: (0.2, 5.0), breath: breath(0.03, 0.1, 2500.0, 0.0, 1.0), ..ORGAN }) },
        20 | 21 | 23 => const { Held(&Timbre { spectrum: slope(0.75, 0.9), cutoff: [1500.0, 3500.0], players: (2, 5.0), attack: 0.05, breath: breath(0.0, 0.15, 2500.0, 0.0, 1.0), ..ORGAN }) },
        16..=23 => const { Held(&ORGAN) },

        // Guitars: nylon, steel, jazz, clean, muted, two distorted ones, harmonics.
        24 => const { Struck(&Instrument { modes: string(1.1, 3e-5, 0.24), cutoff: [220.0, 2200.0], ring: 3.5, knock: (0.3, 0.03, 1200.0), ..PLUCKED }) },
        26 => const { Struck(&Instrument { modes: string(1.0, 4e-5, 0.3), cutoff: [180.0, 1300.0], ring: 6.0, level: 1.3, ..PLUCKED }) },
        27 => const { Struck(&Instrument { cutoff: [500.0, 4000.0], ring: 7.0, prompt: 0.0, level: 0.95, ..PLUCKED }) },
        28 => const { Struck(&Instrument { cutoff: [500.0, 2000.0], ring: 0.35, knock: (0.5, 0.02, 1500.0), ..PLUCKED }) },
        29 => const { Held(&Timbre { spectrum: slope(0.8, 0.6), cutoff: [900.0, 2000.0], decay: 9.0, ..DISTORTED }) },
        30 => const { Held(&DISTORTED) },
        31 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (2.0, 0.15, 0.6), (3.0, 0.05, 0.4)]), ..PLUCKED }) },
        24..=31 => const { Struck(&PLUCKED) },

        // Basses: upright, fingers, plectrum, fretless, two slapped, two synthetic.
        32 => const { Struck(&Instrument { cutoff: [80.0, 800.0], ring: 1.8, attack: 0.004, knock: (0.3, 0.04, 800.0), ..BASS }) },
        34 => const { Struck(&Instrument { modes: string(0.8, 1e-4, 0.12), cutoff: [250.0, 3000.0], knock: (0.3, 0.015, 3500.0), ..BASS }) },
        35 => const { Struck(&Instrument { cutoff: [250.0, 900.0], attack: 0.02, ring: 5.0, prompt: 0.0, ..BASS }) },
        36 | 37 => const { Struck(&Instrument { modes: string(0.6, 1.5e-4, 0.1), cutoff: [600.0, 4000.0], knock: (0.6, 0.02, 5000.0), prompt: 0.3, ..BASS }) },
        38 => const { Held(&SAW_BASS) },
        39 => const { Held(&Timbre { spectrum: slope(1.0, 0.05), cutoff: [250.0, 1200.0], ..SAW_BASS }) },
        32..=39 => const { Struck(&BASS) },

        // Strings: from the violin to the double bass, trembling, plucked, the harp, the timpani.
        41 => const { Held(&Timbre { formants: &[(350.0, 1.2), (900.0, 1.2), (2200.0, 1.2)], cutoff: [1200.0, 3500.0], place: -0.1, ..BOWED }) },
        42 => const { Held(&Timbre { formants: &[(220.0, 1.2), (600.0, 1.5), (1800.0, 1.2)], cutoff: [900.0, 2800.0], attack: 0.11, place: 0.2, ..BOWED }) },
        43 => const { Held(&Timbre { formants: &[(120.0, 1.0), (450.0, 1.0)], cutoff: [500.0, 1600.0], attack: 0.13, vibrato: (5.0, 4.8, 0.3), place: 0.3, level: 0.65, ..BOWED }) },
        44 => const { Held(&Timbre { tremolo: (0.6, 11.0), players: (2, 5.0), attack: 0.05, ..BOWED }) },
        45 => const { Struck(&Instrument { modes: string(0.9, 1e-4, 0.2), cutoff: [300.0, 2600.0], ring: 0.7, knock: (0.35, 0.02, 1500.0), damp: 0.4, prompt: 0.0, place: -0.2, ..PLUCKED }) },
        46 => const { Struck(&Instrument { modes: string(1.1, 3e-5, 0.4), cutoff: [250.0, 3000.0], ring: 4.5, level: 1.3, damp: 0.8, place: -0.3, ..PLUCKED }) },
        47 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (1.5, 0.6, 0.9), (1.99, 0.45, 0.7), (2.44, 0.3, 0.5), (2.89, 0.2, 0.4), (0.85, 0.2, 0.15)]),
            cutoff: [300.0, 1200.0], ring: 1.6, shorter: 1.4, knock: (0.9, 0.06, 500.0), damp: 0.5, level: 1.8, place: 0.1, ..BAR }) },
        40..=47 => const { Held(&BOWED) },

        // Ensembles: strings fast, slow and synthetic, choirs, the hit of a whole orchestra.
        49 => const { Held(&Timbre { attack: 0.35, release: 0.5, cutoff: [900.0, 3000.0], ..ENSEMBLE }) },
        50 | 51 => const { Held(&Timbre { formants: &[], cutoff: [1500.0, 4000.0], players: (3, 13.0), vibrato: (0.0, 1.0, 0.0), ..ENSEMBLE }) },
        53 | 54 => const { Held(&Timbre { formants: &[(350.0, 6.0), (800.0, 2.5), (2500.0, 0.6)], cutoff: [500.0, 1200.0], ..CHOIR }) },
        55 => const { Held(&Timbre { spectrum: slope(0.6, 1.0), attack: 0.005, decay: 1.2, sustain: 0.0, release: 0.2, closes: 0.5, cutoff: [2000.0, 6000.0], players: (3, 14.0), level: 0.8,
            breath: breath(0.0, 1.5, 800.0, 0.0, 0.7), ..ENSEMBLE }) },
        52 => const { Held(&CHOIR) },
        48..=55 => const { Held(&ENSEMBLE) },

        // Brass: trumpet, trombone, tuba, muted trumpet, horn, a section, synthetic ones.
        57 => const { Held(&Timbre { spectrum: slope(0.4, 1.0), formants: &[(550.0, 1.2)], cutoff: [250.0, 1800.0], attack: 0.075, ..BRASS }) },
        58 => const { Held(&Timbre { spectrum: slope(0.7, 1.0), formants: &[(250.0, 0.8)], cutoff: [180.0, 700.0], attack: 0.09, level: 0.65, ..BRASS }) },
        59 => const { Held(&Timbre { spectrum: slope(0.3, 1.0), formants: &[(1700.0, 3.0), (3000.0, 2.0)], cutoff: [1400.0, 3000.0], level: 0.4, ..BRASS }) },
        60 => const { Held(&Timbre { spectrum: slope(0.7, 1.0), formants: &[(400.0, 1.0)], cutoff: [250.0, 1100.0], attack: 0.09, release: 0.14, place: -0.3, ..BRASS }) },
        61 => const { Held(&Timbre { players: (3, 7.0), place: 0.1, ..BRASS }) },
        62 | 63 => const { Held(&Timbre { spectrum: slope(0.9, 1.0), formants: &[], cutoff: [900.0, 4000.0], players: (3, 9.0), attack: 0.04, decay: 1.5, sustain: 0.8, place: 0.0, ..BRASS }) },
        56..=63 => const { Held(&BRASS) },

        // Reeds: four saxophones, oboe, English horn, bassoon, clarinet.
        64 => const { Held(&Timbre { cutoff: [1000.0, 3000.0], formants: &[(900.0, 1.4), (2000.0, 1.5)], ..REED }) },
        66 => const { Held(&Timbre { cutoff: [700.0, 2300.0], formants: &[(450.0, 1.2), (1200.0, 1.3)], ..REED }) },
        67 => const { Held(&Timbre { cutoff: [500.0, 1800.0], formants: &[(300.0, 1.2), (900.0, 1.3)], ..REED }) },
        68 => const { Held(&Timbre { spectrum: slope(0.5, 1.0), formants: &[(1100.0, 4.0), (2900.0, 2.5)], cutoff: [700.0, 3000.0], breath: breath(0.01, 0.05, 3000.0, 0.0, 0.8), level: 0.36, ..REED }) },
        69 => const { Held(&Timbre { spectrum: slope(0.6, 1.0), formants: &[(900.0, 3.5), (2300.0, 1.5)], cutoff: [900.0, 2200.0], breath: breath(0.01, 0.05, 2500.0, 0.0, 0.8), level: 0.44, ..REED }) },
        70 => const { Held(&Timbre { spectrum: slope(0.6, 1.0), formants: &[(480.0, 3.5), (1150.0, 1.5)], cutoff: [500.0, 1500.0], breath: breath(0.01, 0.05, 1500.0, 0.0, 0.8), vibrato: (4.0, 5.0, 0.4), ..REED }) },
        71 => const { Held(&Timbre { spectrum: slope(0.7, 0.08), formants: &[(1500.0, 0.8)], cutoff: [700.0, 2200.0], vibrato: (0.0, 5.0, 0.0), breath: breath(0.015, 0.08, 2000.0, 0.0, 0.8), ..REED }) },
        64..=71 => const { Held(&REED) },

        // Pipes: piccolo, flute, recorder, panpipes, bottle, shakuhachi, whistle, ocarina.
        72 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.25, 0.05, 0.02]), attack: 0.04, level: 0.5, ..PIPE }) },
        74 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.06, 0.25, 0.03, 0.07]), attack: 0.03, vibrato: (2.0, 5.0, 0.5), tremolo: (0.0, 5.0), ..PIPE }) },
        75 | 77 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.08, 0.2, 0.02, 0.04]), breath: breath(0.22, 0.9, 0.0, 2.0, 1.2), vibrato: (10.0, 4.8, 0.4), ..PIPE }) },
        76 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.03, 0.06]), breath: breath(0.3, 0.6, 0.0, 1.0, 2.0), ..PIPE }) },
        78 | 79 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.04, 0.03]), breath: breath(0.03, 0.1, 0.0, 1.0, 4.0), vibrato: (10.0, 5.5, 0.25), level: 0.6, ..PIPE }) },
        72..=79 => const { Held(&PIPE) },

        // Leads: hollow, sharp, soft, chirping, distorted, sung, and with a bass.
        80 => const { Held(&Timbre { spectrum: slope(1.0, 0.0), ..LEAD }) },
        82 | 83 => const { Held(&Timbre { spectrum: slope(1.6, 0.3), breath: breath(0.05, 1.0, 0.0, 3.0, 2.0), ..LEAD }) },
        84 => const { Held(&Timbre { spectrum: slope(0.5, 0.8), formants: &[(900.0, 1.5)], cutoff: [2000.0, 4000.0], ..LEAD }) },
        85 => const { Held(&Timbre { formants: &[(600.0, 6.0), (1100.0, 3.0)], cutoff: [800.0, 2000.0], attack: 0.04, ..LEAD }) },
        87 => const { Held(&Timbre { spectrum: slope(0.8, 1.0), cutoff: [1500.0, 5000.0], ..LEAD }) },
        80..=87 => const { Held(&LEAD) },

        // Pads: with a bell, warm, many voices, a choir, bowed glass, metal, a halo, a sweep.
        88 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.3, 0.1, 0.4, 0.0, 0.1, 0.0, 0.3]), attack: 0.15, cutoff: [1500.0, 4000.0], ..PAD }) },
        90 => const { Held(&Timbre { attack: 0.05, cutoff: [1200.0, 4000.0], ..PAD }) },
        91 | 94 => const { Held(&Timbre { formants: &[(600.0, 6.0), (1050.0, 3.0), (2600.0, 1.5)], ..PAD }) },
        92 | 93 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.1, 0.5, 0.1, 0.35, 0.05, 0.25, 0.0, 0.3]), cutoff: [1500.0, 4000.0], ..PAD }) },
        95 => const { Held(&Timbre { tremolo: (0.6, 0.25), cutoff: [800.0, 3500.0], ..PAD }) },
        88..=95 => const { Held(&PAD) },

        // Effects: crystal and atmosphere ring, the others drift.
        98 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (2.0, 0.3, 0.9), (3.01, 0.4, 0.8), (5.43, 0.35, 0.6), (8.6, 0.2, 0.5)]), ring: 5.0, damp: 1.5, place: 0.0, ..BAR }) },
        99 => const { Struck(&Instrument { modes: string(0.8, 2e-5, 0.3), cutoff: [800.0, 3000.0], ring: 7.0, damp: 1.5, prompt: 0.4, place: 0.0, ..PLUCKED }) },
        100 => const { Held(&Timbre { cutoff: [5000.0, 9000.0], attack: 0.05, tremolo: (0.3, 3.0), ..COSMIC }) },
        96..=103 => const { Held(&COSMIC) },

        // From elsewhere: sitar, banjo, shamisen, koto, kalimba, bagpipe, fiddle, shanai.
        105 => const { Struck(&Instrument { modes: string(0.5, 3e-5, 0.1), cutoff: [1800.0, 4500.0], ring: 1.0, knock: (0.5, 0.02, 4000.0), ..PLUCKED }) },
        106 => const { Struck(&Instrument { modes: string(0.5, 5e-5, 0.12), cutoff: [1500.0, 4000.0], ring: 0.9, knock: (1.0, 0.03, 2500.0), ..PLUCKED }) },
        107 => const { Struck(&Instrument { modes: string(0.7, 5e-5, 0.11), cutoff: [1200.0, 4500.0], ring: 3.0, damp: 0.8, ..PLUCKED }) },
        108 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (6.3, 0.3, 0.25), (2.0, 0.1, 0.8)]), ring: 1.6, cutoff: [1200.0, 5000.0], knock: (0.5, 0.02, 2000.0), damp: 0.4, ..BAR }) },
        109 => const { Held(&Timbre { spectrum: slope(0.3, 1.0), formants: &[(1000.0, 2.0)], cutoff: [2200.0, 3500.0], vibrato: (0.0, 5.0, 0.0), swell: 0.0, level: 0.38, ..REED }) },
        110 => const { Held(&Timbre { cutoff: [2000.0, 6000.0], attack: 0.05, vibrato: (8.0, 5.8, 0.2), ..BOWED }) },
        111 => const { Held(&Timbre { spectrum: slope(0.35, 1.0), formants: &[(1300.0, 4.0), (2800.0, 3.0)], cutoff: [1500.0, 3000.0], vibrato: (20.0, 5.5, 0.2), level: 0.4, ..REED }) },
        // The sitar's flat bridge lets high partials ring as long as the low ones.
        104..=111 => const { Struck(&Instrument { modes: string(0.35, 1e-5, 0.07), cutoff: [1500.0, 6000.0], ring: 4.5, faster: 0.05, damp: 0.5, prompt: 0.0, level: 0.75, ..PLUCKED }) },

        // Percussion of a pitch: bell, agogo, steel drum, woodblock, taiko, tom, synthetic drum, a cymbal backwards.
        113 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (1.52, 0.5, 0.8), (2.8, 0.4, 0.6), (4.4, 0.25, 0.4)]), ring: 0.6, ..BAR }) },
        114 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (2.0, 0.7, 0.8), (3.0, 0.35, 0.6), (4.08, 0.2, 0.4), (5.1, 0.1, 0.3)]), ring: 1.6, attack: 0.006, damp: 0.4, ..BAR }) },
        115 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (2.57, 0.5, 0.6), (4.6, 0.25, 0.4)]), ring: 0.14, knock: (1.2, 0.01, 4000.0), level: 1.1, ..BAR }) },
        116 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (1.59, 0.5, 0.5), (2.14, 0.35, 0.35), (2.65, 0.2, 0.25)]), ring: 0.5, cutoff: [300.0, 1200.0], knock: (2.0, 0.06, 400.0), level: 1.4, ..BAR }) },
        117 | 118 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (1.59, 0.35, 0.4), (2.3, 0.2, 0.25)]), ring: 0.45, cutoff: [400.0, 1800.0], knock: (1.0, 0.03, 1500.0), level: 1.3, ..BAR }) },
        119 => const { Held(&Timbre { attack: 1.2, release: 0.08, breath: breath(1.0, 0.0, 7000.0, 0.0, 0.7), ..NOISE }) },
        112..=119 => const { Struck(&Instrument { modes: Modes::Body(&[(1.0, 1.0, 1.0), (2.32, 0.5, 0.7), (4.25, 0.4, 0.5), (6.63, 0.3, 0.35)]), ring: 2.2, ..BAR }) },

        // Noises: frets, breath, the sea, a bird, a telephone, a helicopter, applause, a shot.
        120 => const { Held(&Timbre { attack: 0.01, decay: 0.2, sustain: 0.0, breath: breath(1.0, 0.0, 0.0, 4.0, 2.0), ..NOISE }) },
        122 => const { Held(&Timbre { attack: 0.8, release: 1.0, tremolo: (0.7, 0.2), breath: breath(1.0, 0.0, 900.0, 0.0, 0.5), ..NOISE }) },
        123 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.05]), tone: 1.0, attack: 0.02, vibrato: (250.0, 9.0, 0.0), tremolo: (0.9, 4.5), breath: STILL, level: 0.35, ..NOISE }) },
        124 => const { Held(&Timbre { spectrum: Spectrum::Partials(&[1.0, 0.1, 0.7, 0.0, 0.5]), tone: 1.0, attack: 0.01, tremolo: (0.95, 20.0), cutoff: [3000.0, 6000.0], breath: STILL, level: 0.35, ..NOISE }) },
        125 => const { Held(&Timbre { attack: 0.3, tremolo: (0.95, 12.0), breath: breath(1.0, 0.0, 250.0, 0.0, 0.6), level: 0.6, ..NOISE }) },
        126 => const { Held(&Timbre { attack: 0.4, release: 0.6, tremolo: (0.5, 23.0), breath: breath(1.0, 0.0, 1600.0, 0.0, 0.7), ..NOISE }) },
        127 => const { Held(&Timbre { attack: 0.002, decay: 0.7, sustain: 0.0, breath: breath(1.5, 3.0, 500.0, 0.0, 0.4), level: 0.8, ..NOISE }) },
        // Breath, and what General MIDI does not know.
        _ => const { Held(&NOISE) },
    }
}
