//! Bytes to scores and back: MIDI files, sound and pictures.
