#!/bin/sh
# Tools: verovio 6.4.1 and music21 10.5.1 (PyPI), MusicXML to MIDI.
# Behaviour: where a part has two instruments and its notes say which (`instrument`), all notes go to one program and one channel.
#   The second program is never sent.
# Surprising: MusicXML 4.0, elements score-instrument and instrument: a note's `instrument` names the one that plays it, and
#   `midi-instrument` gives that one's channel and program. The player who takes up the piccolo is a flute to the end.
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
  <part-list><score-part id="P1"><part-name>Flute and Piccolo</part-name>
    <score-instrument id="P1-I1"><instrument-name>Flute</instrument-name></score-instrument>
    <score-instrument id="P1-I2"><instrument-name>Piccolo</instrument-name></score-instrument>
    <midi-instrument id="P1-I1"><midi-channel>1</midi-channel><midi-program>74</midi-program></midi-instrument>
    <midi-instrument id="P1-I2"><midi-channel>2</midi-channel><midi-program>73</midi-program></midi-instrument>
  </score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>
      <clef><sign>G</sign><line>2</line></clef></attributes>
    <note><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration><instrument id="P1-I1"/><type>half</type></note>
    <note><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration><instrument id="P1-I2"/><type>half</type></note>
  </measure></part>
</score-partwise>"""

def sound(midi):
    programs, heard = {}, []
    for m in mido.merge_tracks(midi.tracks):
        if m.type == "program_change":
            programs[m.channel] = m.program + 1
        elif m.type == "note_on" and m.velocity:
            heard.append((m.note, programs.get(m.channel)))
    return heard

verovio.enableLog(verovio.LOG_OFF)
kit = verovio.toolkit()
kit.loadData(XML)
first = sound(mido.MidiFile(file=io.BytesIO(base64.b64decode(kit.renderToMIDI()))))
music21.converter.parse(XML, format="musicxml").write("midi", "out.mid")
second = sound(mido.MidiFile("out.mid"))
print("seen (key, program from 1): verovio", kit.getVersion(), first, " music21", music21.VERSION_STR, second)
print("text: MusicXML 4.0, instrument: (72, 74) and (74, 73)")
sys.exit(not all([k for k, _ in s] == [72, 74] and s[0][1] == s[1][1] for s in (first, second)))
P
echo 'as found: both notes have one program'
