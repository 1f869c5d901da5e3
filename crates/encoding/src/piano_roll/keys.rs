//! Sets of keys.

use cantus_score::Pitch;
use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, BitXor, Not, Sub};

/// A key of a piano, 0-87: key 0 is MIDI pitch 21 (A0), key 87 pitch 108 (C8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u8);

/// A pitch without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pitch {} ({pitch}) is not on a piano's keyboard, which has 21 (A0) to 108 (C8)", pitch.get())]
pub struct OutsideKeyboard {
    /// The pitch.
    pub pitch: Pitch,
}

impl Key {
    /// The MIDI pitch of key 0.
    pub const LOWEST_PITCH: u8 = Pitch::PIANO.0.get();

    /// The key of a column, or `None` from 88 on.
    pub const fn new(index: usize) -> Option<Key> {
        if index < Keys::COUNT { Some(Key(index as u8)) } else { None }
    }

    /// Its column, 0-87.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Its pitch.
    pub fn pitch(self) -> Pitch {
        let Ok(pitch) = Pitch::try_from(self.0 + Key::LOWEST_PITCH) else { unreachable!("88 keys from 21 on") };
        pitch
    }

    /// The key of the same pitch class that is nearest to `pitch`.
    pub fn nearest(pitch: Pitch) -> Key {
        let (mut number, last) = (pitch.get(), Key::LOWEST_PITCH + Keys::COUNT as u8 - 1);
        while number < Key::LOWEST_PITCH {
            number += 12;
        }
        while number > last {
            number -= 12;
        }
        Key(number - Key::LOWEST_PITCH)
    }
}

impl TryFrom<Pitch> for Key {
    type Error = OutsideKeyboard;

    fn try_from(pitch: Pitch) -> Result<Key, OutsideKeyboard> {
        let column = pitch.get().checked_sub(Key::LOWEST_PITCH);
        column.and_then(|column| Key::new(usize::from(column))).ok_or(OutsideKeyboard { pitch })
    }
}

/// A set of the 88 keys of a piano.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keys(u128);

impl Keys {
    /// How many keys a piano has.
    pub const COUNT: usize = 88;
    /// No key.
    pub const NONE: Keys = Keys(0);
    /// All keys.
    pub const ALL: Keys = Keys((1 << Keys::COUNT) - 1);

    /// The set whose bit k is key k, or `None` where a bit beyond the keyboard is set.
    pub const fn from_bits(bits: u128) -> Option<Keys> {
        if bits & !Keys::ALL.0 == 0 { Some(Keys(bits)) } else { None }
    }

    /// Bit k is key k.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// How many keys are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether no key is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a key is in it.
    pub const fn contains(self, key: Key) -> bool {
        self.0 >> key.0 & 1 == 1
    }

    /// Adds a key.
    pub fn insert(&mut self, key: Key) {
        self.0 |= 1 << key.0;
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: Key) {
        self.0 &= !(1 << key.0);
    }

    /// The keys, from the lowest to the highest.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Key> + ExactSizeIterator {
        self.into_iter()
    }

    /// All keys moved by `semitones`, or `None` where one would leave the keyboard.
    pub fn transposed(self, semitones: i32) -> Option<Keys> {
        let by = semitones.unsigned_abs();
        if by as usize >= Keys::COUNT {
            return self.is_empty().then_some(Keys::NONE);
        }
        let moved = if semitones >= 0 { Keys::from_bits(self.0 << by)? } else { Keys(self.0 >> by) };
        (moved.len() == self.len()).then_some(moved)
    }

    /// The pitch classes of its keys: bit 0 is C, bit 11 is B.
    pub fn pitch_classes(self) -> u16 {
        self.iter().fold(0, |classes, key| classes | 1 << key.pitch().class())
    }

    /// 1 at the columns of its keys, 0 elsewhere.
    ///
    /// # Shapes
    /// `row`: `[88]`
    ///
    /// # Panics
    /// If `row` is shorter than 88.
    pub fn write(self, row: &mut [f32]) {
        row[..Keys::COUNT].iter_mut().enumerate().for_each(|(k, x)| *x = (self.0 >> k & 1) as f32);
    }
}

impl FromIterator<Key> for Keys {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Keys {
        let mut set = Keys::NONE;
        keys.into_iter().for_each(|key| set.insert(key));
        set
    }
}

/// The keys of a set in order.
#[derive(Clone, Debug)]
pub struct Iter(u128);

impl Iterator for Iter {
    type Item = Key;

    fn next(&mut self) -> Option<Key> {
        let key = (self.0 != 0).then_some(Key(self.0.trailing_zeros() as u8))?;
        self.0 &= self.0 - 1;
        Some(key)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.count_ones() as usize;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for Iter {
    fn next_back(&mut self) -> Option<Key> {
        let key = (self.0 != 0).then(|| Key(127 - self.0.leading_zeros() as u8))?;
        self.0 &= !(1 << key.0);
        Some(key)
    }
}

impl ExactSizeIterator for Iter {}

impl IntoIterator for Keys {
    type Item = Key;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        Iter(self.0)
    }
}

impl BitOr for Keys {
    type Output = Keys;
    fn bitor(self, other: Keys) -> Keys {
        Keys(self.0 | other.0)
    }
}

impl BitOrAssign for Keys {
    fn bitor_assign(&mut self, other: Keys) {
        self.0 |= other.0;
    }
}

impl BitAnd for Keys {
    type Output = Keys;
    fn bitand(self, other: Keys) -> Keys {
        Keys(self.0 & other.0)
    }
}

impl BitXor for Keys {
    type Output = Keys;
    fn bitxor(self, other: Keys) -> Keys {
        Keys(self.0 ^ other.0)
    }
}

/// The keys of one set that are not in the other.
impl Sub for Keys {
    type Output = Keys;
    fn sub(self, other: Keys) -> Keys {
        Keys(self.0 & !other.0)
    }
}

/// All keys that are not in it.
impl Not for Keys {
    type Output = Keys;
    fn not(self) -> Keys {
        Keys::ALL - self
    }
}

/// The names of its pitches: `{C4 E4 G4}`.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.iter().map(|key| key.pitch().to_string()).collect();
        write!(f, "{{{}}}", names.join(" "))
    }
}
