#!/bin/sh
# Tool: verovio 6.4.1 (PyPI), MusicXML to MIDI.
# Behaviour: two notes joined by `tie` alone are struck twice; joined by `tied` alone they sound as one.
# Surprising: MusicXML 4.0, elements note and tied: `tie` is the sound, `tied` is the notation. MIDI is sound. Here it is the other way about.
#   music21 10.5.1 is by the text: it joins on `tie` and strikes twice on `tied` alone.
# Date: 2026-11-28. Needs: python3 with pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'verovio==6.4.1' 'music21==10.5.1' 'chardet==7.7.0' 'joblib==1.6.0' 'jsonpickle==4.1.4' 'more-itertools==11.2.1' 'webcolors==25.10.0' 'mido==1.3.3' 'packaging==25.0'
PYTHONPATH=lib HOME="$work" python3 - <<'P'
import base64, io, sys, mido, music21, verovio

XML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0">
  <part-list><score-part id="P1"><part-name>Flute</part-name></score-part></part-list>
  <part id="P1">
    <measure number="1">
      <attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>
        <clef><sign>G</sign><line>2</line></clef></attributes>
      <note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration>%s<type>whole</type>%s</note>
    </measure>
    <measure number="2">
      <note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration>%s<type>whole</type>%s</note>
    </measure>
  </part>
</score-partwise>"""
SOUND = ('<tie type="start"/>', "", '<tie type="stop"/>', "")
NOTATION = ("", '<notations><tied type="start"/></notations>', "", '<notations><tied type="stop"/></notations>')

def attacks(midi):
    return sum(m.type == "note_on" and m.velocity > 0 for t in midi.tracks for m in t)

def by_verovio(xml):
    kit = verovio.toolkit()
    kit.loadData(xml)
    return attacks(mido.MidiFile(file=io.BytesIO(base64.b64decode(kit.renderToMIDI()))))

def by_music21(xml):
    music21.converter.parse(xml, format="musicxml").write("midi", "out.mid")
    return attacks(mido.MidiFile("out.mid"))

verovio.enableLog(verovio.LOG_OFF)
print("verovio", verovio.toolkit().getVersion(), "music21", music21.VERSION_STR)
seen = [f(XML % ties) for f in (by_verovio, by_music21) for ties in (SOUND, NOTATION)]
print("seen, attacks: verovio, tie alone %d, tied alone %d; music21, tie alone %d, tied alone %d" % tuple(seen))
print("text: MusicXML 4.0, tied: tie is the sound of it, tied its notation; so one attack where `tie` stands")
sys.exit(seen != [2, 1, 1, 2])
P
echo 'as found: verovio plays by the notation'
