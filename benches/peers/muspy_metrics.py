"""MusPy's metrics of MIDI files, one JSON object a line, for crates/evaluation/tests/muspy.rs.

    python -m venv venv && venv/bin/pip install muspy==0.5.0
    venv/bin/python benches/peers/muspy_metrics.py FOLDER [COUNT] > muspy.jsonl

FOLDER is searched for .mid files; COUNT of them (100 unless told otherwise), spread evenly over their sorted names, are
measured. Three settings, so that metrics are compared and not readers:

- Controllers and lyrics are dropped: MusPy counts them into a track's length.
- A bar is the file's first time signature, or 4/4: MusPy's metrics know one bar length a piece. It is written out.
- The notes as MusPy read them are written out as [onset, pitch, duration] a part, so that a difference between the two
  MIDI readers (a pitch struck again while it sounds) is not taken for one between metrics.
"""

import json
import math
import pathlib
import sys

import muspy

VERSION = "0.5.0"


def measure(path):
    music = muspy.read_midi(path)
    for track in music.tracks:
        track.annotations, track.lyrics = [], []
    music.tracks = [track for track in music.tracks if track.notes]
    bar = 4 * music.resolution
    if music.time_signatures:
        first = min(music.time_signatures, key=lambda signature: signature.time)
        bar = 4 * music.resolution * first.numerator // first.denominator
    metrics = {
        "n_pitches_used": muspy.n_pitches_used(music),
        "n_pitch_classes_used": muspy.n_pitch_classes_used(music),
        "pitch_range": muspy.pitch_range(music),
        "empty_beat_rate": muspy.empty_beat_rate(music),
        "empty_measure_rate": muspy.empty_measure_rate(music, bar),
        "polyphony": muspy.polyphony(music),
        "polyphony_rate": muspy.polyphony_rate(music),
        "pitch_in_scale_rate": muspy.pitch_in_scale_rate(music, 0, "major"),
        "scale_consistency": muspy.scale_consistency(music),
        "pitch_entropy": muspy.pitch_entropy(music),
        "pitch_class_entropy": muspy.pitch_class_entropy(music),
        "groove_consistency": muspy.groove_consistency(music, bar),
    }
    plain = {name: None if math.isnan(value) else float(value) for name, value in metrics.items()}
    parts = [
        {"drums": track.is_drum, "notes": [[note.time, note.pitch, note.duration] for note in track.notes]}
        for track in music.tracks
    ]
    return {"resolution": music.resolution, "bar": bar, "metrics": plain, "parts": parts}


def main():
    if muspy.__version__ != VERSION:
        sys.exit(f"muspy is {muspy.__version__}; the definitions were compared with {VERSION}")
    folder = pathlib.Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    files = sorted(path for path in folder.rglob("*.mid") if path.is_file())
    count = min(count, len(files))
    for k in range(count):
        path = files[k * len(files) // count]
        print(json.dumps({"file": path.relative_to(folder).as_posix(), **measure(path)}))


if __name__ == "__main__":
    main()
