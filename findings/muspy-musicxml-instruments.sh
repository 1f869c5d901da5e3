#!/bin/sh
# Tool: muspy 0.5.0 (PyPI), reading MusicXML.
# Behaviour: a part's program is one too high (violin is read as viola), and a file whose notes name their instrument is refused:
#   "Element `id` is required for an 'instrument' element".
# Surprising: MusicXML 4.0, data type midi-128: programs are counted from 1, while a `Track` of muspy counts from 0.
#   Element instrument: `id` is an attribute, as in the file. Drum parts with more than one instrument cannot do without it.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --target lib 'muspy==0.5.0' 'music21==10.5.1' 'matplotlib==3.11.2' 'numpy==2.4.6' 'mido==1.3.3' 'pretty_midi==0.2.11.post0' 'miditoolkit==1.0.1' 'bidict==0.24.1' 'setuptools==65.5.0'
PYTHONPATH=lib HOME="$work" python3 -W ignore - <<'P'
import importlib.metadata, sys, muspy

XML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0">
  <part-list><score-part id="P1"><part-name>Violin</part-name>
    <score-instrument id="P1-I1"><instrument-name>Violin</instrument-name></score-instrument>
    <midi-instrument id="P1-I1"><midi-channel>1</midi-channel><midi-program>41</midi-program></midi-instrument>
  </score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>
      <clef><sign>G</sign><line>2</line></clef></attributes>
    <note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration>%s<type>whole</type></note>
  </measure></part>
</score-partwise>"""
open("a.musicxml", "w").write(XML % "")
open("b.musicxml", "w").write(XML % '<instrument id="P1-I1"/>')
program = muspy.read_musicxml("a.musicxml").tracks[0].program
try:
    muspy.read_musicxml("b.musicxml")
    refused = None
except Exception as error:
    refused = f"{type(error).__name__}: {error}"
print("muspy", importlib.metadata.version("muspy"))
print("seen: midi-program 41 gives program", program, " a note with its instrument:", refused)
print("text: MusicXML 4.0, midi-128 is 1 to 128, so 41 (violin) is 40 from 0; instrument has the attribute id")
sys.exit(not (program == 41 and refused and "`id` is required" in refused))
P
echo 'as found: the violin is a viola, and naming the instrument is an error'
