#!/bin/sh
# Tool: mido 1.3.3 (PyPI), reading MIDI.
# Behaviour: a file whose time is in SMPTE frames is read without a word; `ticks_per_beat` is negative, and so is `length`.
# Surprising: Standard MIDI Files 1.0, header chunk: where bit 15 of the division is set, its high byte is minus the frames a second and
#   its low byte the ticks a frame. 25 frames of 40 ticks make a tick of a millisecond, whatever the tempo.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'mido==1.3.3' 'packaging==25.0'
PYTHONPATH=lib HOME="$work" python3 -W ignore - <<'P'
import importlib.metadata, io, struct, sys, mido

events = bytes([0, 0x90, 60, 64, 0x87, 0x68, 0x80, 60, 64, 0, 0xFF, 0x2F, 0])  # 1000 ticks apart
data = b"MThd" + struct.pack(">IHHBB", 6, 0, 1, 256 - 25, 40) + b"MTrk" + struct.pack(">I", len(events)) + events
midi = mido.MidiFile(file=io.BytesIO(data))
print("mido", importlib.metadata.version("mido"))
print("seen: ticks_per_beat", midi.ticks_per_beat, " length", midi.length, "seconds")
print("text: Standard MIDI Files 1.0, division 0xE728: 25 frames a second, 40 ticks a frame; 1000 ticks are 1 second")
sys.exit(not (midi.ticks_per_beat == 0xE728 - 0x10000 and midi.length < 0))
P
echo 'as found: a second of music is less than none'
