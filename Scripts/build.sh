# Shared by ./run, ./test, Benchmarks/run and Fuzz/run: where the build goes, how it is made, what it needs.
# One configuration for everything, a release with testing enabled: simulations are too slow in debug builds, and a
# second configuration would build every dependency twice.

APUS_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
APUS_SCRATCH="${APUS_BUILD_DIR:-$APUS_ROOT/.build}"
APUS_BUILD_FLAGS=(-c release --scratch-path "$APUS_SCRATCH" --package-path "$APUS_ROOT" -Xswiftc -enable-testing)

# What the build needs beside a Swift toolchain.
APUS_BUILD_PACKAGES=(ca-certificates git libargon2-dev libc6-dev libsqlite3-dev libssl-dev pkg-config zlib1g-dev)

# What the interop tests need: real peers that nobody here wrote, and the private networks they run in.
APUS_TEST_PACKAGES=(
    dbus-daemon dhtnode gcc iproute2 jami-daemon nftables openssl procps python3-dbus python3-gi python3-opendht
)

say() {
    printf '==> %s\n' "$*" >&2
}

# Installs those of the named Debian packages that are missing.
install_packages() {
    local missing=() package as_root=()
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
    done
    if [ "${#missing[@]}" -eq 0 ]; then return 0; fi
    say "Installing ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends --quiet)
    if ! "${as_root[@]}" "${install[@]}" "${missing[@]}" >&2; then
        say "Once more with fresh package lists"
        "${as_root[@]}" apt-get update --quiet >&2
        "${as_root[@]}" "${install[@]}" "${missing[@]}" >&2
    fi
}

require_debian_packages() {
    if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
        install_packages "$@"
    else
        say "This is no Debian: make sure that you have what these packages hold: $*"
    fi
}

require_swift() {
    if ! command -v swift >/dev/null; then
        say "Swift 6.3 or later is needed: https://www.swift.org/install/linux/"
        exit 1
    fi
}
