#!/bin/sh
# Tool: abc2midi 4.84 (Debian 12, abcmidi 20230208+ds1-1).
# Behaviour: `:|` with no `|:` of its own goes back past the double bar `||` before it, to the beginning of the tune.
# Surprising: ABC 2.1, section 4.8, advises programs to go back to the latest double bar or end of a repeat, if there is one.
#   `A || B :|` is A B B there, and A B A B here. After an earlier `|:` in the same tune the same bars are played as advised.
# Date: 2026-11-28. Needs: apt-get and dpkg (Debian 12), python3.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'abcmidi=20230208+ds1-1'
dpkg -x abcmidi_*.deb root
tool=root/usr/bin/abc2midi
printf 'X:1\nT:first\nM:4/4\nL:1/4\nK:C\nCCCC||DDDD:|EEEE|]\n' > plain.abc
printf 'X:1\nT:later\nM:4/4\nL:1/4\nK:C\n|:CCCC:|DDDD||EEEE:|FFFF|]\n' > later.abc
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'mido==1.3.3' 'packaging==25.0'
$tool plain.abc -o plain.mid > plain.log
$tool later.abc -o later.mid > later.log
head -n 1 plain.log
PYTHONPATH=lib python3 - <<'P'
import sys, mido

def bars(name):
    notes = [m.note for m in mido.merge_tracks(mido.MidiFile(name).tracks) if m.type == "note_on" and m.velocity]
    return "".join({60: "C", 62: "D", 64: "E", 65: "F"}[n] for n in notes[::4])

plain, later = bars("plain.mid"), bars("later.mid")
print("seen, C||D:|E|]        is played as", plain)
print("seen, |:C:|D||E:|F|]   is played as", later)
print("text: ABC 2.1, 4.8: back to the latest double bar or end of repeat, so CDDE and CCDEEF")
sys.exit(not (plain == "CDCDE" and later == "CCDEEF"))
P
echo 'as found: the double bar counts only after an earlier |:'
