#!/bin/sh
# Tool: music21 10.5.1 (PyPI), MusicXML to MIDI.
# Behaviour: a chord symbol (`harmony`) counts among the notes of its part, and goes into the MIDI file as notes that start
#   and are never ended: at one tick the note-offs stand before the note-ons.
# Surprising: MusicXML 4.0, element harmony: it is an analysis or a symbol over the staff, not a note. Note counts, histograms of
#   pitches and keys found by music21 take it in; a synthesizer holds the chord to the end.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'music21==10.5.1' 'chardet==7.7.0' 'joblib==1.6.0' 'jsonpickle==4.1.4' 'more-itertools==11.2.1' 'webcolors==25.10.0' 'mido==1.3.3' 'packaging==25.0'
PYTHONPATH=lib HOME="$work" python3 -W ignore - <<'P'
import sys, mido, music21

XML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0">
  <part-list><score-part id="P1"><part-name>Flute</part-name></score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>
      <clef><sign>G</sign><line>2</line></clef></attributes>
    <harmony><root><root-step>F</root-step><root-alter>1</root-alter></root><kind>major</kind></harmony>
    <note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration><type>whole</type></note>
  </measure></part>
</score-partwise>"""
score = music21.converter.parse(XML, format="musicxml")
notes = [type(n).__name__ for n in score.parts[0].flatten().notes]
score.write("midi", "out.mid")
sounding, ever = set(), []
for track in mido.MidiFile("out.mid").tracks:
    for m in track:
        if m.type == "note_on" and m.velocity:
            sounding.add(m.note)
            ever.append(m.note)
        elif m.type in ("note_on", "note_off"):
            sounding.discard(m.note)
print("music21", music21.VERSION_STR)
print("seen: parts[0].flatten().notes:", notes, " MIDI note-ons:", sorted(ever), " never ended:", sorted(sounding))
print("text: MusicXML 4.0, harmony: a symbol; the part has one note, key 72")
sys.exit(not (notes == ["ChordSymbol", "Note"] and sorted(sounding) == [54, 58, 61] and 72 in ever))
P
echo 'as found: three keys of the symbol are left sounding'
