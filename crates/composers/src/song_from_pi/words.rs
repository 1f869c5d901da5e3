//! The tokens of the stack: what begins a layer, and what each layer says.

use cantus_encoding::TokenId;
use cantus_encoding::lead_sheet::Vocabulary;
use cantus_encoding::note_chord::BarKind;
use cantus_score::{Chord, Pitch};
use serde::{Deserialize, Serialize};

/// Kinds of drums that are told apart: kick, snare, closed hi-hat, low and middle tom, open hi-hat, high tom, crash, ride, the first of
/// [`cantus_encoding::rhythm_section::KINDS`].
pub(super) const KINDS: usize = 9;

/// A layer of the stack, from the bottom up. The melody's rhythm and its pitches are two layers that come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    Melody,
    Chords,
    Drums,
}

impl Layer {
    pub(super) const ALL: [Layer; 3] = [Layer::Melody, Layer::Chords, Layer::Drums];

    /// In a word.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Layer::Melody => "melody",
            Layer::Chords => "chords",
            Layer::Drums => "drums",
        }
    }
}

/// What a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// The piece begins; whether what the layers below say is told to those above.
    Start(bool),
    /// It has such a bar.
    Bar(BarKind),
    /// Such a layer begins.
    Layer(Layer),
    /// There is no layer more.
    End,
    /// A note of the melody lasts so many steps.
    Sound(u16),
    /// The melody rests for so many steps.
    Rest(u16),
    /// The pitch of the next note.
    Pitch(Pitch),
    /// The chord of the next beat; `None` where none is played.
    Chord(Option<Chord>),
    /// What is struck at the next sixteenth: a bit for each kind of drum.
    Strokes(u16),
}

/// The tokens that a corpus needs, numbered without gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    /// Bars, lengths, pitches and chords.
    pub sheet: Vocabulary,
    /// Whether a piece of the corpus has a melody, and drums.
    pub melody: bool,
    pub drums: bool,
}

/// How many ways to begin there are.
const STARTS: u32 = 2;
const END: u32 = STARTS + Layer::ALL.len() as u32;
const BARS: u32 = END + 1;
/// Sets of drums.
const SETS: u32 = 1 << KINDS;

impl Words {
    /// Whether the corpus has such a layer.
    pub(super) fn has(&self, layer: Layer) -> bool {
        match layer {
            Layer::Melody => self.melody,
            Layer::Chords => !self.sheet.qualities().is_empty(),
            Layer::Drums => self.drums,
        }
    }

    fn sounds(&self) -> u32 {
        BARS + self.sheet.bars().len() as u32
    }

    fn rests(&self) -> u32 {
        self.sounds() + self.sheet.known_lengths().len() as u32
    }

    fn pitches(&self) -> u32 {
        self.rests() + self.sheet.known_lengths().len() as u32
    }

    fn chords(&self) -> u32 {
        let (low, high) = self.sheet.pitch_range();
        self.pitches() + 1 + u32::from(high.get() - low.get())
    }

    fn strokes(&self) -> u32 {
        self.chords() + 1 + 12 * self.sheet.qualities().len() as u32
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        (self.strokes() + if self.drums { SETS } else { 0 }) as usize
    }

    /// The number of a token: of what is unknown that of the nearest known.
    pub(super) fn id(&self, token: Token) -> TokenId {
        let length = |steps: u16| {
            let lengths = self.sheet.known_lengths();
            lengths.partition_point(|length| *length <= steps).saturating_sub(1) as u32
        };
        TokenId(match token {
            Token::Start(told) => u32::from(!told),
            Token::Layer(layer) => STARTS + layer as u32,
            Token::End => END,
            Token::Bar(kind) => BARS + self.sheet.bar_index(kind) as u32,
            Token::Sound(steps) => self.sounds() + length(steps),
            Token::Rest(steps) => self.rests() + length(steps),
            Token::Pitch(pitch) => {
                let (low, high) = self.sheet.pitch_range();
                self.pitches() + u32::from(pitch.clamp(low, high).get() - low.get())
            }
            Token::Chord(chord) => {
                let known = chord.and_then(|chord| self.sheet.nearest_chord(chord));
                let quality = |chord: Chord| self.sheet.qualities().iter().position(|known| *known == chord.quality());
                let place = known.and_then(|chord| Some(1 + 12 * quality(chord)? as u32 + u32::from(chord.root())));
                self.chords() + place.unwrap_or(0)
            }
            Token::Strokes(set) if self.drums => self.strokes() + u32::from(set) % SETS,
            // No model without drums says any.
            Token::Strokes(_) => END,
        })
    }

    /// What a number means.
    pub(super) fn token(&self, id: TokenId) -> Option<Token> {
        let within = |base: u32| id.0.checked_sub(base);
        let length = |place: u32| self.sheet.known_lengths().get(place as usize).copied();
        Some(if let Some(set) = within(self.strokes()) {
            Token::Strokes(u16::try_from(set).ok().filter(|_| self.drums && set < SETS)?)
        } else if let Some(place) = within(self.chords()) {
            let of = |place: u32| {
                let quality = self.sheet.qualities().get(place as usize / 12)?;
                Some(Chord::new((place % 12) as u8, *quality))
            };
            Token::Chord(place.checked_sub(1).and_then(of))
        } else if let Some(place) = within(self.pitches()) {
            Token::Pitch(self.sheet.pitch_range().0.transposed(place as i32)?)
        } else if let Some(place) = within(self.rests()) {
            Token::Rest(length(place)?)
        } else if let Some(place) = within(self.sounds()) {
            Token::Sound(length(place)?)
        } else if let Some(place) = within(BARS) {
            Token::Bar(*self.sheet.bars().get(place as usize)?)
        } else if id.0 == END {
            Token::End
        } else if let Some(place) = within(STARTS) {
            Token::Layer(*Layer::ALL.get(place as usize)?)
        } else {
            Token::Start(id.0 == 0)
        })
    }

    /// All tokens with their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, Token)> {
        (0..self.len()).filter_map(|number| Some((number, self.token(TokenId(number as u32))?)))
    }

    /// The token of `other` that says what `token` says; `None` where there is none.
    pub(super) fn in_words_of(&self, other: &Words, token: TokenId) -> Option<TokenId> {
        let said = self.token(token)?;
        let there = other.id(said);
        (other.token(there) == Some(said)).then_some(there)
    }
}
