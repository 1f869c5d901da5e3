#!/bin/sh
# Tools: verovio 6.4.1 and music21 10.5.1 (PyPI), MusicXML to MIDI.
# Behaviour: a note with `cue` sounds, as loud and as long as any other.
# Surprising: MusicXML 4.0, element cue: it is a silent note, whatever its size. What another player plays is heard twice,
#   and counts as this part's notes in a corpus.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'verovio==6.4.1' 'music21==10.5.1' 'chardet==7.7.0' 'joblib==1.6.0' 'jsonpickle==4.1.4' 'more-itertools==11.2.1' 'webcolors==25.10.0' 'mido==1.3.3' 'packaging==25.0'
PYTHONPATH=lib HOME="$work" python3 -W ignore - <<'P'
import base64, io, sys, mido, music21, verovio

XML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0">
  <part-list><score-part id="P1"><part-name>Flute</part-name></score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>
      <clef><sign>G</sign><line>2</line></clef></attributes>
    <note><cue/><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration><type>half</type></note>
    <note><pitch><step>E</step><octave>5</octave></pitch><duration>2</duration><type>half</type></note>
  </measure></part>
</score-partwise>"""
open("cue.musicxml", "w").write(XML)

def notes(midi):
    return [(m.note, m.velocity) for t in midi.tracks for m in t if m.type == "note_on" and m.velocity]

verovio.enableLog(verovio.LOG_OFF)
kit = verovio.toolkit()
kit.loadData(XML)
seen = {"verovio " + kit.getVersion(): notes(mido.MidiFile(file=io.BytesIO(base64.b64decode(kit.renderToMIDI()))))}
music21.converter.parse("cue.musicxml").write("midi", "out.mid")
seen["music21 " + music21.VERSION_STR] = notes(mido.MidiFile("out.mid"))
for tool, found in seen.items():
    print("seen,", tool, "(key, velocity):", found)
print("text: MusicXML 4.0, cue: a silent note, no playback; so key 76 alone")
sys.exit(any([key for key, _ in found] != [72, 76] or found[0][1] != found[1][1] for found in seen.values()))
P
echo 'as found: the cue note sounds in both'
