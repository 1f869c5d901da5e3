#!/bin/sh
# Tool: music21 10.5.1 (PyPI), MusicXML to MIDI.
# Behaviour: the MIDI file of a clarinet in B flat holds the written pitches, a tone too high. In a full score the winds then
#   clash with the strings. music21 read the transposition: after `toSoundingPitch()` the same score is right.
# Surprising: MusicXML 4.0, element transpose: it says what must be added to the written pitch to have the sounding one, and MIDI is sound.
#   verovio 6.4.1 writes the sounding pitch.
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
  <part-list><score-part id="P1"><part-name>Clarinet in Bb</part-name></score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>
      <clef><sign>G</sign><line>2</line></clef>
      <transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>
    <note><pitch><step>D</step><octave>5</octave></pitch><duration>4</duration><type>whole</type></note>
  </measure></part>
</score-partwise>"""
open("clarinet.musicxml", "w").write(XML)

def keys(midi):
    return [m.note for t in midi.tracks for m in t if m.type == "note_on" and m.velocity]

score = music21.converter.parse("clarinet.musicxml")
score.write("midi", "a.mid")
score.toSoundingPitch().write("midi", "b.mid")
verovio.enableLog(verovio.LOG_OFF)
kit = verovio.toolkit()
kit.loadData(XML)
seen = [keys(mido.MidiFile(f)) for f in ("a.mid", "b.mid")]
seen.append(keys(mido.MidiFile(file=io.BytesIO(base64.b64decode(kit.renderToMIDI())))))
print("music21", music21.VERSION_STR, "verovio", kit.getVersion())
print("seen, keys: music21 %s, after toSoundingPitch() %s, verovio %s" % tuple(seen))
print("text: MusicXML 4.0, transpose: written D5 (74) with chromatic -2 sounds as C5 (72)")
sys.exit(seen != [[74], [72], [72]])
P
echo 'as found: music21 writes the written pitch'
