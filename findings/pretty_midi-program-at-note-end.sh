#!/bin/sh
# Tool: pretty_midi 0.2.11.post0 (PyPI), reading MIDI.
# Behaviour: a note belongs to the program that is set when it ends. A program change while it sounds moves the whole note, its start too,
#   to the new instrument. symusic 0.6.0 leaves it where it started.
# Surprising: in MIDI 1.0 a program change selects the sound of the channel from there on; what was struck before was struck on the old one.
#   Sequencers send the change for the next phrase a little early, under a held note; that note then changes hands.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'pretty_midi==0.2.11.post0' 'mido==1.3.3' 'packaging==25.0' 'numpy==2.4.6' 'six==1.17.0' 'setuptools==65.5.0' 'importlib-resources==7.1.0' 'symusic==0.6.0' 'pySmartDL==1.3.4' 'platformdirs==4.14.8'
PYTHONPATH=lib HOME="$work" python3 -W ignore - <<'P'
import importlib.metadata, sys, mido, pretty_midi, symusic

track = mido.MidiTrack([
    mido.Message("program_change", program=40),
    mido.Message("note_on", note=60, velocity=64),
    mido.Message("program_change", program=56, time=470),
    mido.Message("note_off", note=60, time=10),
    mido.Message("note_on", note=62, velocity=64),
    mido.Message("note_off", note=62, time=480),
])
mido.MidiFile(type=1, ticks_per_beat=480, tracks=[mido.MidiTrack(), track]).save("a.mid")
pretty = [(int(i.program), [n.pitch for n in i.notes]) for i in pretty_midi.PrettyMIDI("a.mid").instruments]
other = [(t.program, [n.pitch for n in t.notes]) for t in symusic.Score("a.mid").tracks]
for name in ("pretty_midi", "symusic"):
    print(name, importlib.metadata.version(name))
print("sent: program 40, key 60 for 480 ticks, at tick 470 program 56, then key 62")
print("seen (program, keys): pretty_midi", pretty, " symusic", other)
print("text: MIDI 1.0, channel voice messages, program change: it selects what is played next; so 40 has key 60, 56 has key 62")
sys.exit(not (pretty == [(56, [60, 62])] and other == [(40, [60]), (56, [62])]))
P
echo 'as found: the violin has no note, the trumpet has both'
