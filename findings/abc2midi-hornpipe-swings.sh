#!/bin/sh
# Tool: abc2midi 4.84 (Debian 12, abcmidi 20230208+ds1-1).
# Behaviour: where the header holds `R:hornpipe`, even eighths are played long and short, 2:1. Nothing is printed.
# Surprising: ABC 2.1, section 3.1.15, has R: for the musician and for finding tunes; it names no rhythm that lengthens notes.
#   Written note lengths (section 4.3) say eighths. A corpus read through abc2midi has triplets where the files have none.
# Date: 2026-11-28. Needs: apt-get and dpkg (Debian 12), python3.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'abcmidi=20230208+ds1-1'
dpkg -x abcmidi_*.deb root
tool=root/usr/bin/abc2midi
printf 'X:1\nT:even\nM:4/4\nL:1/8\nK:C\nCDEF GABc|\n' > even.abc
printf 'X:1\nT:even\nR:hornpipe\nM:4/4\nL:1/8\nK:C\nCDEF GABc|\n' > hornpipe.abc
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --no-deps --target lib 'mido==1.3.3' 'packaging==25.0'
$tool even.abc -o even.mid > even.log
$tool hornpipe.abc -o hornpipe.mid > hornpipe.log
head -n 1 hornpipe.log
PYTHONPATH=lib python3 - <<'P'
import sys, mido

def steps(name):
    onsets, now = [], 0
    for message in mido.merge_tracks(mido.MidiFile(name).tracks):
        now += message.time
        if message.type == "note_on" and message.velocity:
            onsets.append(now)
    return [b - a for a, b in zip(onsets, onsets[1:])]

even, hornpipe = steps("even.mid"), steps("hornpipe.mid")
print("seen, ticks from note to note, without R::     ", even)
print("seen, ticks from note to note, with R:hornpipe:", hornpipe)
print("text: ABC 2.1, 3.1.15 R: is a hint to the player; 4.3: the letters alone are all of length L:, here 1/8")
sys.exit(not (even == [240] * 7 and hornpipe == [320, 160] * 3 + [320]))
P
if grep -qi warning hornpipe.log; then echo 'a warning is printed now'; exit 1; fi
echo 'as found: the rhythm of the file is altered, without a word'
