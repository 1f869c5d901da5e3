#!/bin/sh
# Tool: MuseScore 3.2.3 (Debian 12, musescore3 3.2.3+dfsg2-16), MusicXML to MIDI without a window.
# Behaviour: `<pedal type="change">` is lost: controller 64 goes down at the start and up at the stop, and nothing in between.
# Surprising: MusicXML 4.0, data type pedal-type: `change` is a lift and a retake of the damper pedal. Harmonies that the
#   pianist parts run into one another. verovio 6.4.1 sends the lift and the retake.
# Date: 2026-11-28. Needs: apt-get and dpkg (Debian 12), python3 with pip; fetches 150 MB.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p archives/partial home root
: > status
apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
    -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/archives" install 'musescore3=3.2.3+dfsg2-16'
for package in archives/*.deb; do
    case $package in */libc6_* | */libc-bin_*) ;; *) dpkg -x "$package" root ;; esac
done
rm -rf archives
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'verovio==6.4.1' 'mido==1.3.3' 'packaging==25.0'
cat > pedal.musicxml <<'X'
<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0">
  <part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>
      <clef><sign>G</sign><line>2</line></clef></attributes>
    <direction><direction-type><pedal type="start" line="yes"/></direction-type></direction>
    <note><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration><type>half</type></note>
    <direction><direction-type><pedal type="change" line="yes"/></direction-type></direction>
    <note><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration><type>half</type></note>
    <direction><direction-type><pedal type="stop" line="yes"/></direction-type></direction>
  </measure></part>
</score-partwise>
X
libraries=$work/root/usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
mscore() {
    HOME=$work/home QT_QPA_PLATFORM=offscreen QT_PLUGIN_PATH=$libraries/qt5/plugins \
        LD_LIBRARY_PATH="$libraries:$libraries/pulseaudio:$libraries/blas:$libraries/lapack:$work/root/lib/${libraries##*/}" \
        root/usr/bin/mscore3 "$@" 2> mscore.log
}
mscore --version || { cat mscore.log; exit 1; }
mscore -o pedal.mid pedal.musicxml > /dev/null || { cat mscore.log; exit 1; }
PYTHONPATH=lib python3 - <<'P'
import base64, io, sys, mido, verovio

def pedals(midi):
    found, now = [], 0
    for m in mido.merge_tracks(midi.tracks):
        now += m.time
        if m.type == "control_change" and m.control == 64:
            found.append((round(now / midi.ticks_per_beat, 1), m.value))
    return found

verovio.enableLog(verovio.LOG_OFF)
kit = verovio.toolkit()
kit.loadData(open("pedal.musicxml").read())
seen = pedals(mido.MidiFile("pedal.mid"))
other = pedals(mido.MidiFile(file=io.BytesIO(base64.b64decode(kit.renderToMIDI()))))
print("seen, controller 64 (quarter, value): MuseScore", seen, " verovio", kit.getVersion(), other)
print("text: MusicXML 4.0, pedal-type: change is a lift and a retake; so up and down at quarter 2")
sys.exit(not ([v for _, v in seen] == [127, 0] and [v for _, v in other] == [127, 0, 127, 0]))
P
echo 'as found: MuseScore holds the pedal through the change'
