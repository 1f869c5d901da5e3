//! What each key of General MIDI's drum kit is made of.
//!
//! Keys: MIDI Manufacturers Association, "General MIDI 2", percussion key map (27-87; those of General MIDI 1 are 35-81). Skins are the
//! modes of a membrane, metal is six square waves that do not fit together, and the rest is noise through a filter.

/// What part of filtered noise is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    Below,
    Around,
    Above,
}

/// A drum.
#[derive(Clone, Copy, Debug)]
pub struct Drum {
    /// Tones: Hz, level, and seconds in which it falls by 60 dB.
    pub tones: [(f32, f32, f32); 3],
    /// How many times higher the tones begin, and in how many seconds they have fallen.
    pub falls: (f32, f32),
    /// The noise's level and seconds.
    pub noise: (f32, f32),
    /// Which part of it, around how many Hz, and the frequency over the band's width.
    pub filter: (Band, f32, f32),
    /// How much of the noise is metal, 0-1.
    pub metal: f32,
    /// How many bursts the noise has, and how many seconds apart.
    pub bursts: (u32, f32),
    /// Seconds until the sound is there.
    pub attack: f32,
    /// -1 (left) to 1, as the player sits.
    pub place: f32,
}

use Band::{Above, Around, Below};

const NONE: (f32, f32, f32) = (0.0, 0.0, 0.1);
const PLAIN: Drum = Drum {
    tones: [NONE; 3],
    falls: (1.0, 0.03),
    noise: (0.0, 0.1),
    filter: (Around, 1000.0, 1.0),
    metal: 0.0,
    bursts: (1, 0.0),
    attack: 0.0005,
    place: 0.0,
};

/// A membrane: its lowest frequency, level and seconds. The ratios of its modes are those of a circle (Rossing, chapter 2).
const fn skin(hertz: f32, level: f32, seconds: f32, place: f32) -> Drum {
    Drum {
        tones: [
            (hertz, level, seconds),
            (1.59 * hertz, 0.35 * level, 0.5 * seconds),
            (2.14 * hertz, 0.2 * level, 0.3 * seconds),
        ],
        falls: (1.25, 0.06),
        noise: (0.25 * level, 0.04),
        filter: (Below, 1500.0, 0.7),
        place,
        ..PLAIN
    }
}

/// A tom, tighter and longer than a hand drum.
const fn tom(hertz: f32, place: f32) -> Drum {
    let mut tom = skin(hertz, 0.42, 0.7, place);
    tom.falls = (1.5, 0.09);
    tom.noise = (0.25, 0.09);
    tom
}

/// A pair of cymbals or one: seconds, where it hisses, its level.
const fn cymbal(seconds: f32, hertz: f32, level: f32, place: f32) -> Drum {
    Drum { noise: (level, seconds), filter: (Above, hertz, 0.8), metal: 0.55, place, ..PLAIN }
}

/// Wood or metal without a skin: frequency and a higher one, level, seconds.
const fn bar(hertz: f32, ratio: f32, level: f32, seconds: f32, place: f32) -> Drum {
    Drum {
        tones: [(hertz, level, seconds), (ratio * hertz, 0.6 * level, 0.7 * seconds), NONE],
        noise: (0.4 * level, 0.012),
        filter: (Around, 2.0 * hertz, 1.0),
        place,
        ..PLAIN
    }
}

/// Grains in a rattle.
const fn shaken(seconds: f32, hertz: f32, level: f32, place: f32) -> Drum {
    Drum { noise: (level, seconds), filter: (Above, hertz, 0.9), attack: 0.012, place, ..PLAIN }
}

/// Scraped: so many ridges, so many seconds apart.
const fn scraped(ridges: u32, apart: f32, hertz: f32, level: f32, place: f32) -> Drum {
    Drum { noise: (level, 0.05), filter: (Around, hertz, 1.5), bursts: (ridges, apart), place, ..PLAIN }
}

/// The drum of a key; keys beyond the map are played by its nearest.
#[rustfmt::skip]
pub fn drum(key: u8) -> Drum {
    match key.clamp(27, 87) {
        // What General MIDI 2 puts below the kit: electronic and studio sounds.
        27 => Drum { tones: [(900.0, 0.3, 0.15), NONE, NONE], falls: (3.0, 0.05), ..PLAIN },
        28 => Drum { noise: (0.5, 0.1), filter: (Above, 3000.0, 0.8), place: 0.2, ..PLAIN },
        29 => Drum { noise: (1.6, 0.25), filter: (Around, 1800.0, 3.0), attack: 0.03, place: 0.1, ..PLAIN },
        30 => Drum { noise: (1.9, 0.25), filter: (Around, 1100.0, 3.0), attack: 0.03, place: 0.1, ..PLAIN },
        31 => bar(1800.0, 1.7, 0.25, 0.05, 0.1),
        32 => bar(1500.0, 2.3, 0.22, 0.03, 0.0),
        33 => bar(1000.0, 2.0, 0.3, 0.05, 0.0),
        34 => Drum { tones: [(2100.0, 0.12, 0.9), (4200.0, 0.06, 0.5), (6300.0, 0.06, 0.3)], ..PLAIN },

        // The kit: bass drums, snares, hi-hats, toms from low to high, cymbals.
        35 => Drum { tones: [(48.0, 0.75, 0.4), (76.0, 0.2, 0.2), NONE], falls: (2.6, 0.04), noise: (0.7, 0.025), filter: (Below, 2500.0, 0.7), ..PLAIN },
        36 => Drum { tones: [(55.0, 0.75, 0.32), (110.0, 0.25, 0.15), NONE], falls: (3.0, 0.035), noise: (0.8, 0.022), filter: (Below, 3500.0, 0.7), ..PLAIN },
        37 => Drum { tones: [(500.0, 0.2, 0.06), (1650.0, 0.25, 0.045), NONE], noise: (0.35, 0.015), filter: (Around, 2500.0, 1.0), place: -0.1, ..PLAIN },
        38 => Drum { tones: [(185.0, 0.35, 0.16), (330.0, 0.2, 0.1), NONE], falls: (1.3, 0.03), noise: (0.9, 0.26), filter: (Around, 4000.0, 0.5), place: -0.1, ..PLAIN },
        39 => Drum { noise: (0.9, 0.16), filter: (Around, 1300.0, 1.3), bursts: (4, 0.011), place: 0.1, ..PLAIN },
        40 => Drum { tones: [(220.0, 0.35, 0.14), (410.0, 0.18, 0.09), NONE], falls: (1.5, 0.03), noise: (0.95, 0.2), filter: (Around, 5000.0, 0.5), place: -0.1, ..PLAIN },
        42 => cymbal(0.1, 5500.0, 0.6, 0.3),
        44 => Drum { attack: 0.004, ..cymbal(0.08, 5000.0, 0.45, 0.3) },
        46 => cymbal(0.8, 5200.0, 0.5, 0.3),
        41 => tom(78.0, 0.45),
        43 => tom(94.0, 0.3),
        45 => tom(112.0, 0.15),
        47 => tom(134.0, -0.05),
        48 => tom(160.0, -0.2),
        50 => tom(192.0, -0.35),
        49 => Drum { attack: 0.002, ..cymbal(2.4, 4200.0, 0.42, -0.35) },
        57 => Drum { attack: 0.002, ..cymbal(2.0, 5000.0, 0.4, 0.4) },
        52 => Drum { filter: (Around, 3600.0, 0.6), metal: 0.8, ..cymbal(1.4, 3600.0, 0.26, 0.5) },
        55 => cymbal(0.8, 5600.0, 0.38, -0.2),
        51 => Drum { tones: [(3150.0, 0.04, 0.5), (4470.0, 0.05, 0.4), NONE], ..cymbal(1.5, 6500.0, 0.2, 0.4) },
        59 => Drum { tones: [(2750.0, 0.04, 0.5), (4900.0, 0.05, 0.4), NONE], ..cymbal(1.2, 6000.0, 0.2, -0.4) },
        53 => Drum { tones: [(1150.0, 0.07, 0.9), (2860.0, 0.09, 0.8), (4330.0, 0.06, 0.6)], ..cymbal(0.9, 8000.0, 0.08, 0.4) },

        // What is held in the hands.
        54 => Drum { tones: [(5300.0, 0.05, 0.2), (7900.0, 0.05, 0.15), NONE], bursts: (3, 0.022), attack: 0.003, ..cymbal(0.25, 6000.0, 0.42, 0.2) },
        56 => Drum { tones: [(562.0, 0.2, 0.3), (845.0, 0.22, 0.3), (2600.0, 0.06, 0.1)], noise: (0.1, 0.02), filter: (Around, 2000.0, 1.0), place: 0.2, ..PLAIN },
        58 => Drum { tones: [(2400.0, 0.06, 0.5), NONE, NONE], ..scraped(22, 0.024, 2600.0, 0.6, 0.1) },
        60 => Drum { falls: (1.1, 0.03), ..skin(390.0, 0.32, 0.18, -0.3) },
        61 => Drum { falls: (1.1, 0.03), ..skin(290.0, 0.34, 0.22, -0.3) },
        62 => Drum { noise: (0.35, 0.03), ..skin(330.0, 0.3, 0.08, 0.3) },
        63 => skin(310.0, 0.34, 0.35, 0.3),
        64 => skin(205.0, 0.38, 0.4, 0.3),
        65 => Drum { tones: [(420.0, 0.28, 0.35), (720.0, 0.18, 0.25), (1130.0, 0.1, 0.2)], ..skin(420.0, 0.3, 0.35, -0.4) },
        66 => Drum { tones: [(300.0, 0.3, 0.4), (520.0, 0.18, 0.3), (810.0, 0.1, 0.2)], ..skin(300.0, 0.3, 0.4, -0.4) },
        67 => bar(940.0, 1.51, 0.2, 0.4, -0.4),
        68 => bar(660.0, 1.51, 0.22, 0.45, -0.4),
        69 => Drum { bursts: (3, 0.018), ..shaken(0.09, 5200.0, 0.3, 0.35) },
        70 => shaken(0.08, 5000.0, 0.6, 0.35),
        71 => Drum { tones: [(2300.0, 0.13, 0.5), (2362.0, 0.13, 0.5), NONE], noise: (0.08, 0.3), filter: (Around, 2300.0, 2.0), attack: 0.01, place: 0.3, ..PLAIN },
        72 => Drum { tones: [(2100.0, 0.13, 1.4), (2157.0, 0.13, 1.4), NONE], noise: (0.08, 1.0), filter: (Around, 2100.0, 2.0), attack: 0.01, place: 0.3, ..PLAIN },
        73 => scraped(5, 0.014, 3400.0, 0.8, 0.3),
        74 => scraped(22, 0.016, 3000.0, 0.8, 0.3),
        75 => bar(2480.0, 1.5, 0.25, 0.09, 0.1),
        76 => bar(1060.0, 2.4, 0.3, 0.1, -0.2),
        77 => bar(780.0, 2.4, 0.32, 0.12, -0.2),
        78 => Drum { tones: [(560.0, 0.3, 0.2), NONE, NONE], falls: (0.7, 0.12), attack: 0.012, place: 0.2, ..PLAIN },
        79 => Drum { tones: [(380.0, 0.3, 0.45), NONE, NONE], falls: (1.5, 0.2), attack: 0.012, place: 0.2, ..PLAIN },
        80 => bar(4200.0, 1.58, 0.14, 0.12, 0.4),
        81 => Drum { tones: [(4200.0, 0.08, 2.2), (6640.0, 0.06, 1.8), (8900.0, 0.04, 1.2)], ..bar(4200.0, 1.58, 0.12, 2.2, 0.4) },
        82 => shaken(0.12, 6000.0, 0.55, -0.3),
        83 => Drum { bursts: (6, 0.045), metal: 0.6, ..shaken(0.2, 6500.0, 0.45, 0.1) },
        84 => Drum { tones: [(3100.0, 0.07, 1.5), (4030.0, 0.07, 1.3), (5230.0, 0.06, 1.1)], noise: (0.1, 1.0), filter: (Above, 8000.0, 0.8), metal: 1.0, bursts: (9, 0.05), attack: 0.002, place: -0.3, ..PLAIN },
        85 => bar(2200.0, 1.33, 0.25, 0.05, -0.1),
        86 => Drum { noise: (0.3, 0.05), ..skin(88.0, 0.45, 0.16, 0.1) },
        // The clamp leaves only 87, the open surdo.
        _ => skin(80.0, 0.5, 0.75, 0.1),
    }
}

/// Which keys one player cannot let sound together: a closed hi-hat ends an open one. Source: "General MIDI 2", exclusive classes.
pub fn exclusive(key: u8) -> Option<u8> {
    match key {
        29 | 30 => Some(1),
        42 | 44 | 46 => Some(2),
        71 | 72 => Some(3),
        73 | 74 => Some(4),
        78 | 79 => Some(5),
        80 | 81 => Some(6),
        86 | 87 => Some(7),
        _ => None,
    }
}
