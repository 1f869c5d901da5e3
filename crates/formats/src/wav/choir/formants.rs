//! Where the throat and the mouth of a voice resonate.
//!
//! Source: frequencies and bandwidths of five formants for five vowels of four voices, from "Formant Values" in the appendix of The Canonical
//! Csound Reference Manual, which has them from IRCAM's program CHANT (X. Rodet, Y. Potard, J.-B. Barrière, "The CHANT Project", Computer
//! Music Journal 8(3), 1984). The levels of that table are not used: in a row of resonances they follow from frequencies and bandwidths
//! (G. Fant, "On the predictability of formant levels and spectrum envelopes from formant frequencies", 1956).
//!
//! Sounds between the five vowels are mixtures of them: means of the logarithms of frequencies and bandwidths.

/// Formants of a vowel.
pub const FORMANTS: usize = 5;
/// Vowels of the table: a, e, i, o, u.
const VOWELS: usize = 5;

/// Who sings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Register {
    Soprano,
    Alto,
    Tenor,
    Bass,
}

/// Words in names of parts that say who sings, each as the beginning of a word.
const NAMES: [(&str, Register); 17] = [
    ("sopran", Register::Soprano),
    ("treble", Register::Soprano),
    ("descant", Register::Soprano),
    ("discant", Register::Soprano),
    ("diskant", Register::Soprano),
    ("cantus", Register::Soprano),
    ("canto", Register::Soprano),
    ("superius", Register::Soprano),
    ("mezzo", Register::Alto),
    ("alto", Register::Alto),
    ("altus", Register::Alto),
    ("contralto", Register::Alto),
    ("countertenor", Register::Alto),
    ("tenor", Register::Tenor),
    ("barit", Register::Bass),
    ("bari", Register::Bass),
    ("bass", Register::Bass),
];

impl Register {
    /// The registers that a part's name speaks of, in its order: one for `Tenor`, two for `Soprano, Alto` or `S.A.`.
    pub fn named(name: &str) -> Vec<Register> {
        let name = name.to_lowercase();
        let words = name.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        let words: Vec<&str> = words.collect();
        let spoken = |word: &&str| {
            let known = NAMES.iter().find(|(begins, _)| word.starts_with(begins));
            known.map(|(_, register)| *register).or((*word == "alt").then_some(Register::Alto))
        };
        let found: Vec<Register> = words.iter().filter_map(spoken).collect();
        if !found.is_empty() {
            return found;
        }
        // Letters alone: `S`, `S 1`, `S. A.`, `SATB`; nothing else may stand beside them.
        let letter = |c: char| match c {
            's' => Some(Register::Soprano),
            'a' => Some(Register::Alto),
            't' => Some(Register::Tenor),
            'b' => Some(Register::Bass),
            _ => None,
        };
        let letters = || words.iter().flat_map(|word| word.chars());
        if letters().count() > 4 {
            return Vec::new();
        }
        letters().map(letter).collect::<Option<_>>().unwrap_or_default()
    }

    /// Who sings notes whose mean is this pitch: half-way between the middles of the four ranges.
    pub fn of_pitch(mean: f64) -> Register {
        match mean {
            mean if mean >= 67.0 => Register::Soprano,
            mean if mean >= 61.5 => Register::Alto,
            mean if mean >= 55.0 => Register::Tenor,
            _ => Register::Bass,
        }
    }

    /// Where the section stands, -1 (left) to 1.
    pub fn place(self) -> f32 {
        [-0.5, -0.15, 0.2, 0.5][self as usize]
    }

    /// How far a singer's vibrato goes to either side, in cents: less than a soloist's, as choirs have it (T. D. Rossing, J. Sundberg, S.
    /// Ternström, "Acoustic comparison of voice use in solo and choir singing", JASA 79, 1986).
    pub fn vibrato(self) -> f32 {
        [26.0, 24.0, 22.0, 20.0][self as usize]
    }
}

/// How the mouth is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// The vowels of the table: those of Latin "a e i o u".
    Ah,
    Eh,
    Ee,
    Oh,
    Oo,
    /// As in "man".
    Ae,
    /// As in "let".
    OpenE,
    /// As in "his".
    ShortI,
    /// As in "God".
    Aw,
    /// As in "love".
    Uh,
    /// As at the end of "Ave", sung in German, or in "the".
    Schwa,
    /// As in "Hände" without lips, "Höhe", "für".
    Oe,
    Ue,
    /// Closed by the lips, or by the tongue behind the teeth: m, n.
    Lips,
    Teeth,
    /// Open beside the tongue, and around its tip: l, r.
    Side,
    Rolled,
}

impl Shape {
    /// How much of a, e, i, o and u there is in it.
    fn mixture(self) -> [f32; VOWELS] {
        match self {
            Shape::Ah => [1.0, 0.0, 0.0, 0.0, 0.0],
            Shape::Eh => [0.0, 1.0, 0.0, 0.0, 0.0],
            Shape::Ee => [0.0, 0.0, 1.0, 0.0, 0.0],
            Shape::Oh => [0.0, 0.0, 0.0, 1.0, 0.0],
            Shape::Oo => [0.0, 0.0, 0.0, 0.0, 1.0],
            Shape::Ae => [0.6, 0.4, 0.0, 0.0, 0.0],
            Shape::OpenE => [0.35, 0.65, 0.0, 0.0, 0.0],
            Shape::ShortI => [0.0, 0.5, 0.5, 0.0, 0.0],
            Shape::Aw => [0.45, 0.0, 0.0, 0.55, 0.0],
            Shape::Uh => [0.65, 0.15, 0.0, 0.2, 0.0],
            Shape::Schwa => [0.25, 0.4, 0.0, 0.35, 0.0],
            Shape::Oe => [0.0, 0.6, 0.0, 0.4, 0.0],
            Shape::Ue => [0.0, 0.0, 0.65, 0.0, 0.35],
            Shape::Lips => [0.0, 0.0, 0.1, 0.0, 0.9],
            Shape::Teeth => [0.0, 0.0, 0.5, 0.0, 0.5],
            Shape::Side => [0.0, 0.2, 0.3, 0.5, 0.0],
            Shape::Rolled => [0.2, 0.3, 0.0, 0.5, 0.0],
        }
    }
}

/// Five resonances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Formants {
    /// Their frequencies in Hz.
    pub hertz: [f32; FORMANTS],
    /// Their bandwidths in Hz.
    pub widths: [f32; FORMANTS],
}

type Row = ([f32; FORMANTS], [f32; FORMANTS]);

/// Of each register, of each vowel: frequencies and bandwidths in Hz.
#[rustfmt::skip]
const TABLE: [[Row; VOWELS]; 4] = [
    [
        ([800.0, 1150.0, 2900.0, 3900.0, 4950.0], [80.0, 90.0, 120.0, 130.0, 140.0]),
        ([350.0, 2000.0, 2800.0, 3600.0, 4950.0], [60.0, 100.0, 120.0, 150.0, 200.0]),
        ([270.0, 2140.0, 2950.0, 3900.0, 4950.0], [60.0, 90.0, 100.0, 120.0, 120.0]),
        ([450.0, 800.0, 2830.0, 3800.0, 4950.0], [70.0, 80.0, 100.0, 130.0, 135.0]),
        ([325.0, 700.0, 2700.0, 3800.0, 4950.0], [50.0, 60.0, 170.0, 180.0, 200.0]),
    ],
    [
        ([800.0, 1150.0, 2800.0, 3500.0, 4950.0], [80.0, 90.0, 120.0, 130.0, 140.0]),
        ([400.0, 1600.0, 2700.0, 3300.0, 4950.0], [60.0, 80.0, 120.0, 150.0, 200.0]),
        ([350.0, 1700.0, 2700.0, 3700.0, 4950.0], [50.0, 100.0, 120.0, 150.0, 200.0]),
        ([450.0, 800.0, 2830.0, 3500.0, 4950.0], [70.0, 80.0, 100.0, 130.0, 135.0]),
        ([325.0, 700.0, 2530.0, 3500.0, 4950.0], [50.0, 60.0, 170.0, 180.0, 200.0]),
    ],
    [
        ([650.0, 1080.0, 2650.0, 2900.0, 3250.0], [80.0, 90.0, 120.0, 130.0, 140.0]),
        ([400.0, 1700.0, 2600.0, 3200.0, 3580.0], [70.0, 80.0, 100.0, 120.0, 120.0]),
        ([290.0, 1870.0, 2800.0, 3250.0, 3540.0], [40.0, 90.0, 100.0, 120.0, 120.0]),
        ([400.0, 800.0, 2600.0, 2800.0, 3000.0], [40.0, 80.0, 100.0, 120.0, 120.0]),
        ([350.0, 600.0, 2700.0, 2900.0, 3300.0], [40.0, 60.0, 100.0, 120.0, 120.0]),
    ],
    [
        ([600.0, 1040.0, 2250.0, 2450.0, 2750.0], [60.0, 70.0, 110.0, 120.0, 130.0]),
        ([400.0, 1620.0, 2400.0, 2800.0, 3100.0], [40.0, 80.0, 100.0, 120.0, 120.0]),
        ([250.0, 1750.0, 2600.0, 3050.0, 3340.0], [60.0, 90.0, 100.0, 120.0, 120.0]),
        ([400.0, 750.0, 2400.0, 2600.0, 2900.0], [40.0, 80.0, 100.0, 120.0, 120.0]),
        ([350.0, 600.0, 2400.0, 2675.0, 2950.0], [40.0, 80.0, 100.0, 120.0, 120.0]),
    ],
];

impl Formants {
    /// Those of a shape in a voice.
    pub fn of(register: Register, shape: Shape) -> Formants {
        let rows = &TABLE[register as usize];
        let mixture = shape.mixture();
        let mean = |of: &dyn Fn(&Row) -> f32| {
            let logarithms = rows.iter().zip(mixture).map(|(row, share)| share * of(row).ln());
            logarithms.sum::<f32>().exp()
        };
        Formants {
            hertz: std::array::from_fn(|k| mean(&|row| row.0[k])),
            widths: std::array::from_fn(|k| mean(&|row| row.1[k])),
        }
    }

    /// As a singer has them who sings `fundamental` Hz: where it lies above the first formant, the jaw drops until that is as high again,
    /// and the second makes room (J. Sundberg, "Formant technique in a professional female singer", Acustica 32, 1975; E. Joliveau, J.
    /// Smith, J. Wolfe, "Tuning of vocal tract resonance by sopranos", Nature 427, 2004).
    pub fn tuned(mut self, fundamental: f32) -> Formants {
        // Few sopranos go on with it above C6.
        let mut room = fundamental.min(1200.0);
        for k in 0..FORMANTS {
            if self.hertz[k] >= room {
                break;
            }
            self.hertz[k] = room;
            // On the tone and wide: on a narrow slope the sharper of two singers would be the louder.
            self.widths[k] = self.widths[k].max(0.12 * room);
            room *= 1.35;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Register::{Alto, Bass, Soprano, Tenor};

    #[test]
    fn names_say_who_sings() {
        let named = |name: &str| Register::named(name);
        assert_eq!(named("Soprano"), [Soprano]);
        assert_eq!(named("2nd Alto"), [Alto]);
        assert_eq!(named("TENOR I"), [Tenor]);
        assert_eq!(named("Basso continuo"), [Bass]);
        assert_eq!(named("Sopran / Alt"), [Soprano, Alto]);
        assert_eq!(named("S.A."), [Soprano, Alto]);
        assert_eq!(named("T1"), [Tenor]);
        for nobody in ["", "Organ", "Piano", "S1V1", "Altitude", "Star"] {
            assert_eq!(named(nobody), [], "{nobody}");
        }
    }

    #[test]
    fn the_middles_of_the_ranges_are_told_apart() {
        let found = [70.0, 64.5, 59.0, 51.0].map(Register::of_pitch);
        assert_eq!(found, [Soprano, Alto, Tenor, Bass]);
    }

    #[test]
    fn mixtures_lie_between_what_they_are_made_of() {
        use Shape::*;
        let all = [Ah, Eh, Ee, Oh, Oo, Ae, OpenE, ShortI, Aw, Uh, Schwa, Oe, Ue, Lips, Teeth, Side, Rolled];
        for shape in all {
            let sum: f32 = shape.mixture().iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "{shape:?}");
            for register in [Soprano, Alto, Tenor, Bass] {
                let formants = Formants::of(register, shape);
                assert!(formants.hertz.is_sorted_by(|a, b| 1.03 * a < *b), "{register:?} {shape:?} {formants:?}");
            }
        }
        let [first, second] = [Eh, Ee].map(|shape| Formants::of(Tenor, shape).hertz[0]);
        let between = Formants::of(Tenor, ShortI).hertz[0];
        assert!((between - (first * second).sqrt()).abs() < 0.01);
    }

    #[test]
    fn high_notes_take_the_first_formant_with_them() {
        let ee = Formants::of(Soprano, Shape::Ee);
        assert_eq!(ee.tuned(200.0), ee);
        let high = ee.tuned(880.0);
        assert_eq!(high.hertz[0], 880.0);
        assert_eq!(high.hertz[1..], ee.hertz[1..]);
        assert!(Formants::of(Bass, Shape::Oo).tuned(1000.0).hertz.is_sorted_by(|a, b| 1.02 * a < *b));
    }
}
