# Sourced by scripts/try-it and scripts/test: makes .venv with their requirements.
# Needs Debian or Ubuntu, python3 >= 3.11, and root or sudo if packages are missing.

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$*"; exit 1; }

# install_packages PACKAGE...: by apt; updates the package lists only if they are missing or outdated.
install_packages() {
    command -v apt-get >/dev/null || die "please install $*, there is no apt-get here"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "please install $* (needs root, and there is no sudo here)"
        as_root=sudo
    fi
    say "installing $*"
    apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0"
    install="$apt install -y --no-install-recommends"
    if apt-get -s install "$@" >/dev/null 2>&1 && $install "$@" >&2; then
        return
    fi
    $apt update >&2 || die "apt-get update failed"
    $install "$@" >&2 || die "could not install $*"
}

# find_python: prints the path of python3 if it is new enough, else of the newest python3.X that works.
find_python() {
    for candidate in python3 python3.19 python3.18 python3.17 python3.16 python3.15 python3.14 \
        python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "needs Python 3.11 or newer, and finds none on PATH"
}

# install_venv PYTHON: installs Python's venv module, which is a separate package in Debian.
install_venv() {
    if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        install_packages "$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    fi
}

# make_venv REQUIREMENT...: makes .venv with these. If it has them already, skips pip, which needs the network.
make_venv() {
    note=".venv/installed-by-$(basename "$0")"
    # Programs in .venv/bin name its folder, so a checkout that was moved needs a new one.
    wanted="$PWD $* $(cat setup.cfg)"
    if .venv/bin/python -c 'import pip' 2>/dev/null && [ "$(cat "$note" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    if ! .venv/bin/pip --version >/dev/null 2>&1; then
        python=$(find_python) || exit 1
        install_venv "$python"
        say "making .venv"
        "$python" -m venv --clear .venv || die "could not make .venv"
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" || die "pip failed"
    printf '%s\n' "$wanted" >"$note"
}
