#!/usr/bin/env bash
# Prepare this clone: system packages that are missing, then the virtual environment .venv.
#   tools/setup.sh          what the demo and every command need
#   tools/setup.sh test     and what only the tests need: a database server, a browser, a player, linters
# Settings from the environment:
#   PYTHON                  the interpreter to use (default: the first Python >= 3.11 found)
#   BCAST_UICC_NO_SYSTEM=1  do not touch system packages; PC/SC support is left out where it cannot be built
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 3; }

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        is_recent "$PYTHON" || die "PYTHON=$PYTHON does not run, or is older than Python 3.11"
        command -v "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11; do
        if is_recent "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    die "no Python >= 3.11 found (Debian 12 and 13 and Ubuntu 24.04 have it as python3)"
}

# Each check asks whether the thing works, not which package brought it: a machine prepared by other means passes.
has_program() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }
has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
has_headers() {
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))'
}
has_pcsclite() { [ -e /usr/include/PCSC/winscard.h ] || [ -e /usr/local/include/PCSC/winscard.h ]; }
# sslpsk3, for TLS with pre-shared keys before Python 3.13, is built against OpenSSL.
has_openssl() {
    is_without_psk || return 0
    [ -e /usr/include/openssl/ssl.h ]
}
is_without_psk() { "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; }
has_vpcd() { compgen -G '/usr/lib/pcsc/drivers/serial/libifdvpcd.so*' >/dev/null; }
has_srtp() {
    case "$(uname -m)" in
        x86_64 | aarch64) true ;;  # pylibsrtp comes as a wheel
        *) [ -e /usr/include/srtp2/srtp.h ] ;;
    esac
}

# The server's programs are not on the path; those of every version lie here.
has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || has_program initdb; }
has_gstreamer_srtp() { has_program gst-inspect-1.0 && gst-inspect-1.0 srtpdec >/dev/null 2>&1; }
# Ubuntu's package of this name only fetches a snap, which needs a daemon: there, tests say that a browser is missing.
has_chromium() { has_program chromium || grep -qs '^ID=ubuntu' /etc/os-release; }

missing_packages() {
    has_venv || echo python3-venv
    has_headers || echo python3-dev
    has_program gcc || echo gcc
    has_program swig || echo swig
    has_program pkg-config || echo pkg-config
    has_pcsclite || echo libpcsclite-dev
    has_srtp || echo libsrtp2-dev
    has_program pcscd || echo pcscd
    has_vpcd || echo vsmartcard-vpcd
    has_program vicc || echo vsmartcard-vpicc
    has_openssl || echo libssl-dev
    [ "$purpose" = test ] || return 0
    has_program tshark || echo tshark
    has_program curl || echo curl
    has_program openssl || echo openssl
    has_program ffmpeg || echo ffmpeg
    has_program ip || [ -x /sbin/ip ] || echo iproute2
    has_program opensc-tool || echo opensc
    has_program pcsc_scan || echo pcsc-tools
    has_postgresql || echo postgresql
    has_chromium || echo chromium
    has_gstreamer_srtp || printf '%s\n' gstreamer1.0-tools gstreamer1.0-plugins-{base,good,bad}
}

install_packages() {
    local sudo=""
    say "missing system packages: $*"
    command -v apt-get >/dev/null ||
        die "apt-get not found. Install the equivalents of these Debian packages yourself: $*"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "not root and sudo not found. As root run: apt-get install $*"
        sudo=sudo
    fi
    say "running: ${sudo:+$sudo }apt-get install --no-install-recommends $*"
    # A stale or partly unreachable package list is no reason to stop: the install decides.
    $sudo apt-get update -q </dev/null || say "apt-get update failed; trying with the lists at hand"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" </dev/null ||
        die "apt-get could not install: $*. BCAST_UICC_NO_SYSTEM=1 make setup goes on without them."
}

prepare_system() {
    local missing
    mapfile -t missing < <(missing_packages)
    if [ "${#missing[@]}" -eq 0 ]; then
        say "system packages: all present"
    elif [ -n "${BCAST_UICC_NO_SYSTEM:-}" ]; then
        say "going on without: ${missing[*]}"
    else
        install_packages "${missing[@]}"
        mapfile -t missing < <(missing_packages)
        [ "${#missing[@]}" -eq 0 ] || die "installed, but still missing for $python: ${missing[*]}"
    fi
}

prepare_venv() {
    local extras="media,vpicc,tls,net"
    has_venv || die "$python cannot create virtual environments (package python3-venv)"
    [ "$purpose" != test ] || extras+=",postgresql,dev"
    if has_program swig && has_program gcc && has_headers && has_pcsclite; then
        extras+=",pcsc"
    else
        say "PC/SC support left out: pyscard needs gcc, swig, Python headers and libpcsclite-dev"
    fi
    [ -x .venv/bin/python ] || { say "creating .venv with $python"; "$python" -m venv .venv; }
    say "installing bcast-uicc[$extras] into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        -c constraints.txt -e ".[$extras]" </dev/null || die "pip could not install the Python packages"
}

purpose="${1:-use}"
case "$purpose" in use | test) ;; *) die "$1: tools/setup.sh takes nothing, or the word test" ;; esac
python="$(find_python)"
say "using $python ($("$python" --version))"
prepare_system
prepare_venv
touch .venv/.ready
[ "$purpose" != test ] || touch .venv/.ready-for-tests
say "done"
