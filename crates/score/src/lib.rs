//! What music is: pitches, exact time, notes, parts, scores, metres and tempo.
