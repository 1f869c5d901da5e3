#!/bin/sh
# Tools: pretty_midi 0.2.11.post0 and symusic 0.6.0 (PyPI), reading MIDI.
# Behaviour: in a file of format 1 each track is read as if it had channels of its own. A program change in one track does not reach
#   notes of the same channel in another; a note that starts in one track and ends in another is lost. Nothing is printed.
# Surprising: Standard MIDI Files 1.0, header chunk: the tracks of format 1 are simultaneous tracks of one sequence, and in MIDI 1.0
#   a channel has one program. A player merges the tracks and is right. Files that keep their set-up in a track of its own are not rare.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'pretty_midi==0.2.11.post0' 'mido==1.3.3' 'packaging==25.0' 'numpy==2.4.6' 'six==1.17.0' 'setuptools==65.5.0' 'importlib-resources==7.1.0' 'symusic==0.6.0' 'pySmartDL==1.3.4' 'platformdirs==4.14.8'
PYTHONPATH=lib HOME="$work" python3 -W ignore - <<'P'
import importlib.metadata, sys, mido, pretty_midi, symusic

def save(name, *tracks):
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=[mido.MidiTrack(t) for t in tracks]).save(name)

on, off = mido.Message("note_on", note=60, velocity=64), mido.Message("note_off", note=60, time=480)
save("program.mid", [mido.Message("program_change", program=40)], [on, off])
save("ends.mid", [], [on], [off])

def pretty(name):
    return [(int(i.program), [n.pitch for n in i.notes]) for i in pretty_midi.PrettyMIDI(name).instruments]

def sym(name):
    return [(t.program, [n.pitch for n in t.notes]) for t in symusic.Score(name).tracks if len(t.notes)]

for name in ("pretty_midi", "symusic"):
    print(name, importlib.metadata.version(name))
seen = [f(name) for name in ("program.mid", "ends.mid") for f in (pretty, sym)]
print("seen (program, keys), program 40 in the track before: pretty_midi", seen[0], " symusic", seen[1])
print("seen (program, keys), note-off in the track after:    pretty_midi", seen[2], " symusic", seen[3])
merged = [(m.type, m.time) for m in mido.merge_tracks(mido.MidiFile("ends.mid").tracks) if not m.is_meta]
print("what a player sends for the second:", merged)
print("text: Standard MIDI Files 1.0, format 1: simultaneous tracks of one sequence; so [(40, [60])] and [(0, [60])]")
sys.exit(seen != [[(0, [60])], [(0, [60])], [], []])
P
echo 'as found: the program and the note are lost'
