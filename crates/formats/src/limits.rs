//! How much a reader accepts before it refuses a file.

/// What a file may cost. Every bound has an error that names it; none is needed to keep the reader from panicking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The file's size in bytes; of a compressed one also what it unpacks to.
    pub max_bytes: usize,
    /// Notes in the whole file.
    pub max_notes: usize,
    /// Controllers, bends, pedal and program changes, syllables and markers in the whole file, and in all parts together; those
    /// beyond are dropped with a warning, never an error.
    pub max_controls: usize,
    /// Tracks of a MIDI file, parts of a MusicXML file, voices of a tune.
    pub max_tracks: usize,
    /// The length of the piece in quarter notes: whoever lays out a roll allocates in proportion to it.
    pub max_quarters: u64,
    /// Bytes of remarks kept; those beyond are dropped with a warning, never an error.
    pub max_remark_bytes: usize,
    /// Warnings kept; those beyond are only counted.
    pub max_warnings: usize,
}

impl Default for Limits {
    /// Generous for music (the longest piano recordings have some 50,000 notes), harmless for a laptop.
    fn default() -> Limits {
        Limits {
            max_bytes: 64 << 20,
            max_notes: 1_000_000,
            max_controls: 1_000_000,
            max_tracks: 4096,
            max_quarters: 1_000_000,
            max_remark_bytes: 64 << 10,
            max_warnings: 100,
        }
    }
}
