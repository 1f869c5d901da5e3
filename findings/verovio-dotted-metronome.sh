#!/bin/sh
# Tool: verovio 6.4.1 (PyPI), MusicXML to MIDI.
# Behaviour: the metronome mark "dotted quarter = 60" gives 80 quarters a minute. A mark with no dot, and a `sound tempo`, are right.
# Surprising: a dotted quarter is one and a half quarters, so 60 of them are 90 quarters (MusicXML 4.0, beat-unit-dot and sound).
#   All of 6/8, 9/8 and 12/8 is marked so; files that hold no `sound tempo` come out a ninth too slow.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'verovio==6.4.1' 'mido==1.3.3' 'packaging==25.0'
PYTHONPATH=lib python3 - <<'P'
import base64, io, sys, mido, verovio

XML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0">
  <part-list><score-part id="P1"><part-name>Flute</part-name></score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>2</divisions><time><beats>6</beats><beat-type>8</beat-type></time>
      <clef><sign>G</sign><line>2</line></clef></attributes>
    <direction><direction-type><metronome>%s<per-minute>60</per-minute></metronome></direction-type>%s</direction>
    <note><pitch><step>C</step><octave>5</octave></pitch><duration>6</duration><type>half</type><dot/></note>
  </measure></part>
</score-partwise>"""

def tempo(unit, sound=""):
    kit = verovio.toolkit()
    kit.loadData(XML % (unit, sound))
    midi = mido.MidiFile(file=io.BytesIO(base64.b64decode(kit.renderToMIDI())))
    return [round(60e6 / m.tempo, 2) for t in midi.tracks for m in t if m.type == "set_tempo"]

verovio.enableLog(verovio.LOG_OFF)
print("verovio", verovio.toolkit().getVersion())
quarter = tempo("<beat-unit>quarter</beat-unit>")
dotted = tempo("<beat-unit>quarter</beat-unit><beat-unit-dot/>")
both = tempo("<beat-unit>quarter</beat-unit><beat-unit-dot/>", '<sound tempo="90"/>')
print("seen, quarters a minute: quarter = 60:", quarter, " dotted quarter = 60:", dotted, " the same with sound tempo 90:", both)
print("text: MusicXML 4.0, metronome: beat-unit with beat-unit-dot is the unit that per-minute counts, so 60, 90, 90")
sys.exit(not (quarter == [60.0] and dotted == [80.0] and both == [90.0]))
P
echo 'as found: the dot multiplies by 4/3 where it should by 3/2'
