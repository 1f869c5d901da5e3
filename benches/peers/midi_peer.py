#!/usr/bin/env python3
"""symusic and mido read a folder of MIDI files: midi_peer.py symusic|mido FOLDER. Needs `pip install symusic mido`.

Prints `ready`; for each line on standard input reads every file once and prints the milliseconds of one file.
"""
import glob
import sys
import time

files = sorted(glob.glob(sys.argv[2] + "/**/*.mid", recursive=True))
if sys.argv[1] == "symusic":
    import symusic

    def notes(path):
        return sum(len(track.notes) for track in symusic.Score(path).tracks)
else:
    import mido

    def notes(path):
        return sum(m.type == "note_on" and m.velocity > 0 for track in mido.MidiFile(path).tracks for m in track)

for path in files:
    open(path, "rb").read()
print("ready", flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    for path in files:
        notes(path)
    print((time.perf_counter() - begun) * 1e3 / len(files), flush=True)
