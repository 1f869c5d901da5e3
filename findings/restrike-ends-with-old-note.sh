#!/bin/sh
# Tool: pretty_midi 0.2.11.post0 (PyPI), reading MIDI.
# Behaviour: a note-off ends all open notes of its key, the one that was struck a tick before, too; the second note-off is passed over. A key
#   that is struck again a tick before its old note ends has two notes in the file, and the second lasts one tick. symusic 0.6.0 ends the oldest.
# Surprising: two note-ons need two note-offs; ending the oldest gives both notes their lengths. Transcriptions of recordings write so all the time,
#   because ends are estimated apart from beginnings: of the 137,895 notes of 44 pieces of GiantMIDI-Piano 14% are struck before the last
#   note of their key ends, by 1 to 5 ms. Read so, each seventh note is a click of that length.
# Date: 2026-12-01. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'pretty_midi==0.2.11.post0' 'mido==1.3.3' 'packaging==25.0' 'numpy==2.4.6' 'six==1.17.0' 'setuptools==65.5.0' 'importlib-resources==7.1.0' 'symusic==0.6.0' 'pySmartDL==1.3.4' 'platformdirs==4.14.8'
PYTHONPATH=lib HOME="$work" python3 -W ignore - <<'P'
import importlib.metadata, sys, mido, pretty_midi, symusic

track = mido.MidiTrack([
    mido.Message("note_on", note=60, velocity=64),
    mido.Message("note_on", note=60, velocity=70, time=480),
    mido.Message("note_off", note=60, time=1),
    mido.Message("note_off", note=60, time=479),
])
mido.MidiFile(type=1, ticks_per_beat=480, tracks=[mido.MidiTrack(), track]).save("a.mid")
midi = pretty_midi.PrettyMIDI("a.mid")
pretty = [(midi.time_to_tick(n.start), midi.time_to_tick(n.end), n.velocity) for n in midi.instruments[0].notes]
other = sorted((n.start, n.end, n.velocity) for n in symusic.Score("a.mid").tracks[0].notes)
for name in ("pretty_midi", "symusic"):
    print(name, importlib.metadata.version(name))
print("sent: key 60 at tick 0 and 480, ended at 481 and 960")
print("seen (start, end, velocity): pretty_midi", sorted(pretty), " symusic", other)
sys.exit(not (sorted(pretty) == [(0, 481, 64), (480, 481, 70)] and other == [(0, 481, 64), (480, 960, 70)]))
P
echo 'as found: the second note lasts one tick'
