#!/bin/sh
# Tool: burn-core 0.22.1 and burn-flex 0.22.1 (crates.io), cargo 1.85 or newer.
# Behaviour: whoever asks burn for the CPU backend `flex` and for `simd` gets a second backend, burn-ndarray with ndarray and matrixmultiply,
#   into the lock file, and cargo downloads it, although nothing of it is compiled. Asked of burn-flex by name, the same feature brings
#   none of that; burn-flex is compiled with the same features.
# Surprising: burn's feature reads `burn-ndarray?/simd`, which is documented as "only where something else turns burn-ndarray on". The same
#   goes for `std`, by which the lock has CUDA, ROCm and wgpu.
# Date: 2026-11-30. Needs: cargo, a network.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
project() {
    mkdir -p "$1/src"
    printf 'fn main() {}\n' > "$1/src/main.rs"
    printf '[package]\nname = "asks"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n' > "$1/Cargo.toml"
    printf '%s\n' "$2" >> "$1/Cargo.toml"
    (cd "$1" && cargo generate-lockfile -q)
}
core='burn-core = { version = "=0.22.1", default-features = false, features = '
project burn "$core"'["flex", "simd"] }'
project flex "$core"'["flex"] }
burn-flex = { version = "=0.22.1", default-features = false, features = ["simd"] }'
project std "$core"'["flex", "std"] }'
packages() { grep -c '^name = ' "$1/Cargo.lock"; }
locked() { if grep -q "^name = \"$2\"" "$1/Cargo.lock"; then echo yes; else echo no; fi; }
compiled() { (cd "$1" && cargo tree -q -e normal,build --prefix none -f '{p} [{f}]') | grep "^$2 " | sort -u | head -n 1; }
echo "seen, packages in the lock: simd of burn $(packages burn), simd of burn-flex $(packages flex), std of burn $(packages std)"
echo "seen, burn-ndarray in the lock: $(locked burn burn-ndarray), $(locked flex burn-ndarray); burn-cuda by std: $(locked std burn-cuda)"
echo "seen, compiled: $(compiled burn burn-flex) | $(compiled flex burn-flex)"
[ "$(locked burn burn-ndarray) $(locked flex burn-ndarray) $(locked std burn-cuda)" = "yes no yes" ] || { echo 'another backend is no longer locked, or is by either way'; exit 1; }
[ -z "$(compiled burn burn-ndarray)" ] || { echo 'it is compiled, too'; exit 1; }
[ "$(compiled burn burn-flex)" = "$(compiled flex burn-flex)" ] || { echo 'burn-flex has other features by the other way'; exit 1; }
echo 'as found: a backend is fetched that nothing compiles'
