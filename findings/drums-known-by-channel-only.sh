#!/bin/sh
# Tools: pretty_midi 0.2.11.post0 and symusic 0.6.0 (PyPI), reading MIDI.
# Behaviour: `is_drum` is channel 10 and nothing else. A second drum kit, set up as General MIDI 2 or Roland GS say, is read as a piano;
#   a melody on channel 10, made melodic as General MIDI 2 says, is read as drums.
# Surprising: General MIDI 2, bank select: MSB 120 makes a rhythm channel, 121 a melody channel, channel 10 included.
#   Roland GS: the message "use for rhythm part" (address 40 1x 15). Models trained by `is_drum` learn such a kit as piano keys.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'pretty_midi==0.2.11.post0' 'mido==1.3.3' 'packaging==25.0' 'numpy==2.4.6' 'six==1.17.0' 'setuptools==65.5.0' 'importlib-resources==7.1.0' 'symusic==0.6.0' 'pySmartDL==1.3.4' 'platformdirs==4.14.8'
PYTHONPATH=lib HOME="$work" python3 -W ignore - <<'P'
import importlib.metadata, sys, mido, pretty_midi, symusic

GM2 = mido.Message("sysex", data=[0x7E, 0x7F, 0x09, 0x03])
GS = mido.Message("sysex", data=[0x41, 0x10, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, 0x41])
PART_11_RHYTHM = mido.Message("sysex", data=[0x41, 0x10, 0x42, 0x12, 0x40, 0x1A, 0x15, 0x02, 0x0F])

def bank(channel, msb):
    return [mido.Message("control_change", channel=channel, control=0, value=msb),
            mido.Message("control_change", channel=channel, control=32, value=0)]

def seen(channel, setup):
    track = mido.MidiTrack(setup + [
        mido.Message("program_change", channel=channel, program=0),
        mido.Message("note_on", channel=channel, note=36, velocity=64, time=480),
        mido.Message("note_off", channel=channel, note=36, time=480)])
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=[mido.MidiTrack(), track]).save("a.mid")
    return [i.is_drum for i in pretty_midi.PrettyMIDI("a.mid").instruments], [t.is_drum for t in symusic.Score("a.mid").tracks if len(t.notes)]

for name in ("pretty_midi", "symusic"):
    print(name, importlib.metadata.version(name))
cases = [("channel 11, GM2 bank 120", 10, [GM2] + bank(10, 120), True),
         ("channel 11, GS rhythm part", 10, [GS, PART_11_RHYTHM], True),
         ("channel 10, GM2 bank 121", 9, [GM2] + bank(9, 121), False)]
as_found = True
for name, channel, setup, drums in cases:
    pretty, other = seen(channel, setup)
    print("seen,", name + ": is_drum in pretty_midi", pretty, " symusic", other, " by the text:", drums)
    as_found &= pretty == other == [not drums]
sys.exit(not as_found)
P
echo 'as found: the channel decides, whatever the file says'
