# shellcheck shell=bash
# Sourced by the other scripts: sets paths and versions, and chooses the Rust toolchain.
# It changes nothing on the machine.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The target folder is outside the checkout, so that a fresh clone on the same machine builds only what changed.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/isthmus/target}
# shellcheck disable=SC2034 # for the scripts that source this
NODE_BINARY=$CARGO_TARGET_DIR/release/isthmus-node
WASM_TARGET=wasm32v1-none
# The minimum versions of rustc and Node.js.
RUST_MINIMUM=1.95.0
NODEJS_MINIMUM=18.19.0

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# at_least A B: succeeds if version A is at least B.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# usable_rustc PATH_PREFIX: succeeds if the rustc found with this prefix in front of PATH is new enough and has
# the standard library for the runtime's Wasm target.
usable_rustc() {
	local path=${1:+$1:}$PATH version sysroot
	version=$(cd "$ROOT" && PATH=$path rustc --version 2>/dev/null | cut -d' ' -f2) || return 1
	[ -n "$version" ] && at_least "$version" "$RUST_MINIMUM" || return 1
	sysroot=$(cd "$ROOT" && PATH=$path rustc --print sysroot 2>/dev/null) || return 1
	compgen -G "$sysroot/lib/rustlib/$WASM_TARGET/lib/libcore-*.rlib" >/dev/null
}

# choose_rust: puts a usable toolchain first on PATH. It prefers rustup's toolchain to the system's. The system's
# directory must come before rustup's shims in PATH, or cargo would use rustup's compiler.
choose_rust() {
	if usable_rustc ""; then return 0; fi
	if usable_rustc /usr/bin; then export PATH=/usr/bin:$PATH; return 0; fi
	return 1
}

# make_venv FOLDER: makes a Python environment with pip there.
make_venv() {
	local why
	if why=$(python3 -m venv "$1" 2>&1) && [ -x "$1/bin/pip" ]; then return 0; fi
	rm -rf "$1"
	say "$why"
	die "python3 -m venv makes no environment in $1: it needs Python 3.10 or newer with venv and pip (on Debian, the package python3-venv)."
}

# install_once FOLDER FILE...: makes a Python environment with what the files name, once.
install_once() {
	local folder=$1
	shift
	cmp -s <(cat "$@") "$folder/.installed-from" && return
	say "installing what $(basename "$0") needs in Python"
	[ -x "$folder/bin/pip" ] || make_venv "$folder"
	"$folder/bin/pip" install --quiet --disable-pip-version-check "${@/#/--requirement=}"
	cat "$@" >"$folder/.installed-from"
}

# usable_nodejs: succeeds if Node.js is installed and new enough.
usable_nodejs() {
	local version
	version=$(node --version 2>/dev/null) && at_least "${version#v}" "$NODEJS_MINIMUM" && command -v npm >/dev/null
}
