# Shared by ./run, ./test, Benchmarks/run and Fuzz/run: where the build goes, how it is made, what it needs.
# One configuration for everything, a release with testing enabled: simulations are too slow in debug builds, and a
# second configuration would build every dependency twice.

APUS_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
APUS_SCRATCH="${APUS_BUILD_DIR:-$APUS_ROOT/.build}"
APUS_BUILD_FLAGS=(-c release --scratch-path "$APUS_SCRATCH" --package-path "$APUS_ROOT" -Xswiftc -enable-testing)

# What the build needs beside a Swift toolchain.
APUS_BUILD_PACKAGES=(
    ca-certificates git libargon2-dev libc6-dev libpq-dev libsecp256k1-dev libsqlite3-dev libssl-dev pkg-config zlib1g-dev
)

# What the interop tests need: real peers that nobody here wrote, and the private networks they run in.
APUS_TEST_PACKAGES=(
    dbus-daemon dhtnode gcc iproute2 jami-daemon nftables openssl postgresql-15 procps python3-dbus python3-gi
    python3-opendht python3-venv
)

# The newest DHT library, which no Debian has; it goes into the build folder, where the tests look for it.
APUS_OPENDHT_VERSION=4.4.2

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

# Puts today's DHT library into a Python of its own in the build folder, unless it is there or another one is named.
install_newest_opendht() {
    local folder="$APUS_SCRATCH/opendht"
    if [ -n "${APUS_OPENDHT_PYTHON:-}" ]; then return 0; fi
    if ls -d "$folder"/lib/python*/site-packages/opendht-"$APUS_OPENDHT_VERSION".dist-info >/dev/null 2>&1; then return 0; fi
    say "Installing the Python package opendht $APUS_OPENDHT_VERSION in $folder"
    if ! { /usr/bin/python3 -m venv --clear "$folder" &&
        "$folder/bin/pip" install --quiet --only-binary :all: "opendht==$APUS_OPENDHT_VERSION"; } >&2; then
        rm -rf "$folder"
        say "That did not work; the tests against OpenDHT $APUS_OPENDHT_VERSION will be skipped"
    fi
}

# Puts the contracts' compiler, two virtual machines for them and the test node's libraries into a Python of their own.
install_contract_tools() {
    local folder="$APUS_SCRATCH/contracts" requirements="$APUS_ROOT/contracts/requirements.txt"
    if cmp --silent "$requirements" "$folder/requirements.txt"; then return 0; fi
    say "Installing the tools of the contracts in $folder"
    if ! { /usr/bin/python3 -m venv --clear "$folder" &&
        "$folder/bin/pip" install --quiet --only-binary :all: --no-deps --require-hashes --requirement "$requirements" &&
        cp "$requirements" "$folder/requirements.txt"; } >&2; then
        rm -rf "$folder"
        say "That did not work; the contracts and what runs on a chain cannot be tested"
        return 1
    fi
}

require_swift() {
    if ! command -v swift >/dev/null; then
        say "Swift 6.3 or later is needed: https://www.swift.org/install/linux/"
        exit 1
    fi
}
