#!/bin/sh
# Installs cidx from this checkout for the user who runs it. `./install.sh --help` says what goes where.
#
# What the rest relies on: an environment that works is never given up before its successor works too. The
# package is built before the environment is touched, pip fetches everything before it replaces anything, and an
# environment that has to be made anew waits beside its successor until that one answers `cidx --version`.
#
# Plain sh, and no python before one was found: this has to run, and to explain, where nothing else does.
# `local` is missing on purpose (not POSIX): names are global, so functions set only what their first line says.
set -u
unset CDPATH PYTHONHOME PYTHONPATH PYTHONPLATLIBDIR PYTHONSTARTUP __PYVENV_LAUNCHER__

usage() {
    cat <<'END'
Usage: ./install.sh                  install cidx, or bring it up to date, for the current user
       ./install.sh --demo           install, index this checkout and ask it one question
       ./install.sh --test [ARG...]  make a development environment in .venv and run all tests (ARGs go to pytest;
                                     without any, the tests share all cores)
       ./install.sh --uninstall      remove the services, the environment, the link and the caches
       ./install.sh --help           this text

Where things go
  environment  ${XDG_DATA_HOME:-~/.local/share}/cidx/venv
  command      ${XDG_BIN_HOME:-~/.local/bin}/cidx, a link into the environment

Environment variables
  CIDX_PYTHON  the Python to use, 3.11 or newer (default: python3.14 ... python3.11, python3 on PATH)
  CIDX_EXTRAS  which compiled extras to try: all (default), none, or names out of: hnsw systemd
  PIP_...      pip's own settings (index, proxy, certificates) are respected

The extras need a compiler. Where one is missing they are left out, and cidx works without them; only when run
as root, and where apt-get exists, the compiler and headers are installed first, which is announced. --test does the
same with systemd and its parts for users, which the tests of the service boot in namespaces of their own.

Exit status: 0 done, 1 a step failed (it says which, and what to do next), 2 usage, 130 interrupted.
END
}

stamp_name=cidx-installed # in an environment: a digest of what it was installed from, written last

work='' log='' ticker='' line_open='' unfinished='' # what `finish` has to clean up

finish() { # sets status
    status=$?
    trap - EXIT INT TERM HUP
    [ -z "$ticker" ] || kill "$ticker" 2>/dev/null
    [ -z "$line_open" ] || echo
    if [ -n "$unfinished" ]; then
        rm -rf -- "$unfinished"
        [ ! -d "$unfinished.previous" ] || mv -- "$unfinished.previous" "$unfinished"
        rmdir -- "${unfinished%/*}" 2>/dev/null # only when empty
    fi
    [ -z "$work" ] || rm -rf -- "$work"
    [ "$status" -lt 128 ] || echo "install.sh: interrupted; running it again takes up where it stopped" >&2
    exit "$status"
}

say() { # LABEL TEXT
    printf '%-12s %s\n' "$1" "$2"
}

fail() { # STEP WHAT NEXT
    {
        printf '\ninstall.sh: %s failed: %s\n' "$1" "$2"
        printf '  next: %s\n' "$3"
    } >&2
    exit 1
}

fail_with_log() { # STEP WHAT NEXT; shows how the step's own output ended
    if [ -s "$log" ]; then
        printf '\nThe last lines of %s:\n' "$1" >&2
        tail -n 15 "$log" | sed 's/^/    /' >&2
    fi
    fail "$@"
}

run() { # LABEL DOING COMMAND...: one quiet step, its output in the log; sets label, doing, began, status, took
    label=$1 doing=$2
    shift 2
    : >"$log"
    began=$(date +%s)
    printf '%-12s %s ... ' "$label" "$doing"
    line_open=yes
    if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
        tick &
        ticker=$!
    fi
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    if [ -n "$ticker" ]; then
        kill "$ticker" 2>/dev/null
        wait "$ticker" 2>/dev/null
        ticker=''
        printf '\r\033[K%-12s %s ... ' "$label" "$doing"
    fi
    took=$(($(date +%s) - began))
    line_open=''
    if [ "$status" -eq 0 ]; then echo "done ($took s)"; else echo "failed ($took s)"; fi
    return "$status"
}

tick() { # what a terminal shows while a step runs: the seconds, and pip's latest word
    while sleep 1; do
        printf '\r\033[K%-12s %s ... %s s' "$label" "$doing" "$(($(date +%s) - began))"
        sed -n -e 's/^ *Collecting \([^ (]*\).*/\1/p' -e 's/^ *\(Building wheel[^(]*\).*/\1/p' \
            -e 's/^\(Installing collected packages\).*/\1/p' "$log" | tail -n 1 | cut -c 1-40 | tr -d '\n' | sed 's/^/  /'
    done
}

quote() { # TEXT, as one would have to type it
    case $1 in
    '' | *[!A-Za-z0-9_./:=@%+,-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

find_checkout() { # sets here, target
    here=$0
    while [ -L "$here" ]; do
        target=$(readlink "$here")
        case $target in
        /*) here=$target ;;
        *) here=$(dirname -- "$here")/$target ;;
        esac
    done
    here=$(cd -P -- "$(dirname -- "$here")" && pwd -P) || here=''
    if [ ! -f "$here/pyproject.toml" ] || [ ! -f "$here/packaging/bin/cidx" ]; then
        fail start "this script stands alone, without the sources beside it" "run the install.sh inside a cidx checkout"
    fi
}

find_folders() { # sets system, home_env, link, cache_folders, settings
    case ${HOME-} in
    /*) ;;
    *) fail start "HOME is not set to a folder, so there is no place to install to" \
        "set it to your home folder, e.g. HOME=/home/you ./install.sh" ;;
    esac
    system=$(uname -s)
    # As the XDG specification asks, values that are no absolute path don't count.
    case ${XDG_DATA_HOME-} in /*) home_env=$XDG_DATA_HOME/cidx/venv ;; *) home_env=$HOME/.local/share/cidx/venv ;; esac
    case ${XDG_BIN_HOME-} in /*) link=$XDG_BIN_HOME/cidx ;; *) link=$HOME/.local/bin/cidx ;; esac
    case ${XDG_CACHE_HOME-} in /*) cache=$XDG_CACHE_HOME/cidx ;; *) cache=$HOME/.cache/cidx ;; esac
    case ${XDG_CONFIG_HOME-} in /*) settings=$XDG_CONFIG_HOME/cidx ;; *) settings=$HOME/.config/cidx ;; esac
    mac_cache=''
    if [ "$system" = Darwin ]; then
        mac_cache=$HOME/Library/Caches/cidx
        [ -e "$settings" ] || settings="$HOME/Library/Application Support/cidx"
    fi
}

check_user() {
    if [ -n "${SUDO_USER-}" ] && [ "$SUDO_USER" != root ] && [ "$(id -u)" -eq 0 ] && [ -d "$HOME" ] &&
        [ -z "$(find "$HOME" -prune -user 0)" ]; then
        fail start "under sudo, but HOME is still $SUDO_USER's: root's files would end up in there" \
            "run ./install.sh without sudo"
    fi
}

read_extras() { # sets extras
    extras=''
    case ${CIDX_EXTRAS-all} in
    '' | all) extras='hnsw systemd' ;;
    none) ;;
    *)
        for extra in $(printf '%s' "$CIDX_EXTRAS" | tr ',' ' '); do
            case $extra in
            hnsw | systemd) extras="$extras $extra" ;;
            *)
                echo "install.sh: CIDX_EXTRAS knows no '$extra'; it is all, none, or names out of: hnsw systemd" >&2
                exit 2
                ;;
            esac
        done
        ;;
    esac
}

make_work_folder() { # sets work, log
    work=$(mktemp -d "${TMPDIR:-/tmp}/cidx-install.XXXXXX") ||
        fail start "no temporary folder could be made in ${TMPDIR:-/tmp}" "make room there, or set TMPDIR to a folder that you can write to"
    log=$work/log
}

# Runs under any Python that may be lying around, the second one included.
describe_python='
import sys
print("%d.%d.%d" % tuple(sys.version_info[:3]))
print(sys.executable)
print("%d.%d of %s" % (sys.version_info[0], sys.version_info[1], getattr(sys, "base_prefix", sys.prefix)))
try:
    import venv
    from ensurepip import bootstrap
    print("venv")
except ImportError:
    print("no venv")
'

find_python() { # sets python, version, identity; and candidate, described, has_venv, number, split, seen
    split='' seen=''
    if [ -n "${CIDX_PYTHON-}" ]; then
        command -v "$CIDX_PYTHON" >/dev/null 2>&1 ||
            fail python "CIDX_PYTHON=$CIDX_PYTHON is no program" "set it to a Python 3.11 or newer, or leave it unset"
        set -- "$CIDX_PYTHON"
    else
        set -- python3.14 python3.13 python3.12 python3.11 python3
    fi
    for candidate in "$@"; do
        candidate=$(command -v "$candidate") || continue
        # Without the developer tools this one is a stub that opens a dialog.
        [ "$system" != Darwin ] || [ "$candidate" != /usr/bin/python3 ] || xcode-select -p >/dev/null 2>&1 || continue
        described=$("$candidate" -c "$describe_python" 2>/dev/null </dev/null) || described=''
        {
            read -r version
            read -r python
            read -r identity
            read -r has_venv
        } <<END
$described
END
        number=${version#Python }
        case $number in
        [0-9]*.[0-9]*) ;;
        *)
            seen="$seen; $candidate does not run"
            continue
            ;;
        esac
        if ! recent "$number"; then
            seen="$seen; $candidate is $number"
        elif [ "$has_venv" != venv ]; then
            seen="$seen; $candidate ($number) lacks venv and ensurepip"
            [ -n "$split" ] || split=$(printf '%s' "$number" | cut -d . -f 1,2)
        else
            return
        fi
    done
    seen=${seen#; }
    if [ -n "$split" ]; then
        fail python "$seen" "$(advise_venv "$split"), or set CIDX_PYTHON to another Python 3.11 or newer"
    elif [ -n "${CIDX_PYTHON-}" ]; then
        fail python "cidx needs Python 3.11 or newer, and CIDX_PYTHON: $seen" \
            "set CIDX_PYTHON to a Python 3.11 or newer, or leave it unset"
    fi
    fail python "cidx needs Python 3.11 or newer; ${seen:-no python3 is on PATH}" \
        "$(advise_python), or set CIDX_PYTHON=/path/to/python3.11"
}

recent() { # VERSION; whether it is 3.11 or newer
    [ "${1%%.*}" -eq 3 ] 2>/dev/null && [ "$(printf '%s' "$1" | cut -d . -f 2 | tr -cd 0-9)" -ge 11 ]
}

advise_venv() { # MAJOR.MINOR
    if command -v apt-get >/dev/null 2>&1; then
        echo "apt install python$1-venv (or python3-venv, for the system's own python3)"
    else
        echo "install the package of your system that brings venv and ensurepip for Python $1"
    fi
}

advise_python() {
    if [ "$system" = Darwin ]; then
        echo "brew install python"
    elif command -v apt-get >/dev/null 2>&1; then
        echo "apt install python3 python3-venv (Debian 12, Ubuntu 24.04 and later bring 3.11 or newer)"
    elif command -v dnf >/dev/null 2>&1; then
        echo "dnf install python3.12"
    else
        echo "install Python 3.11 or newer with your system's packages"
    fi
}

pip() {
    "$env/bin/python" -I -m pip --disable-pip-version-check --no-input "$@"
}

# An environment that works keeps its Python, whatever newer one turns up, unless CIDX_PYTHON asks for another.
prepare_environment() { # PATH; sets env, fresh, current, and what find_python sets
    env=$1 fresh='' identity=''
    if [ -d "$env.previous" ]; then # a run before this one was killed
        if [ -f "$env/$stamp_name" ]; then
            rm -rf -- "$env.previous"
        else
            rm -rf -- "$env" && mv -- "$env.previous" "$env"
        fi
    fi
    [ -z "${CIDX_PYTHON-}" ] || find_python
    current=$("$env/bin/python" -I -c "$describe_python
import pip" 2>/dev/null) || current=''
    if [ -n "$current" ] && recent "$(printf '%s\n' "$current" | sed -n 1p)" &&
        { [ -z "$identity" ] || [ "$identity" = "$(printf '%s\n' "$current" | sed -n 3p)" ]; }; then
        say environment "$env (Python $(printf '%s\n' "$current" | sed -n 1p))"
        return
    fi
    [ -n "$identity" ] || find_python
    say python "$number, $python"
    if [ -e "$env" ] || [ -L "$env" ]; then
        mv -- "$env" "$env.previous" || fail environment "$env is in the way and can't be moved" "move it away and run install.sh again"
    fi
    fresh=yes unfinished=$env
    mkdir -p -- "${env%/*}" || fail environment "the folder ${env%/*} can't be made" "see the line above; XDG_DATA_HOME moves it elsewhere"
    run environment "making $env" "$python" -I -m venv "$env" ||
        fail_with_log environment "$python could not make $env" "see the lines above, or set CIDX_PYTHON to another Python 3.11 or newer"
}

accept_environment() { # STAMP: from here on the environment counts
    printf '%s\n' "$1" >"$env/$stamp_name" || fail environment "$env/$stamp_name can't be written" "make room there and run install.sh again"
    unfinished=''
    rm -rf -- "$env.previous"
}

fingerprint() { # PATH... below the checkout: a digest of their names, modes and contents
    "$env/bin/python" -I -c '
import hashlib, os, sys
digest = hashlib.sha256()
def add(path):
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            if name != "__pycache__" and not name.endswith(".pyc"):
                add(os.path.join(path, name))
    elif os.path.exists(path):
        with open(path, "rb") as file:
            content = file.read()
        digest.update(b"%s\0%d\0%d\0" % (os.fsencode(os.path.relpath(path, root)), os.access(path, os.X_OK), len(content)))
        digest.update(content)
root = sys.argv[1]
for name in sys.argv[2:]:
    add(os.path.join(root, name))
print(digest.hexdigest())
' "$here" "$@"
}

up_to_date() { # STAMP
    [ "$(cat "$env/$stamp_name" 2>/dev/null)" = "$1" ] && "$env/bin/cidx" --version >/dev/null 2>&1 && pip check >/dev/null 2>&1
}

keeps() { # what a failure says of the environment from before
    if [ -z "$fresh" ] || [ -d "$env.previous" ]; then echo " (what was installed before is unchanged)"; fi
}

advise_network="if the lines above speak of a connection or of no matching distribution, check the network and pip's settings (PIP_INDEX_URL, PIP_PROXY); then run install.sh again"

install_package() { # into $env, as a user has it; sets stamp, wheel
    stamp=$(fingerprint cidx packaging/bin packaging/systemd packaging/launchd pyproject.toml README.md LICENSE) ||
        fail package "the sources in $here can't be read" "see the lines above"
    if up_to_date "$stamp"; then
        say package "$("$env/bin/cidx" --version) is up to date"
        return
    fi
    run package "building from $here" pip wheel --no-deps -w "$work/wheel" "$here" ||
        fail_with_log build "the package could not be built$(keeps)" "$advise_network"
    for wheel in "$work"/wheel/*.whl; do :; done
    # Two calls: the first brings dependencies as well but leaves a cidx of the same version as it is.
    run package "installing, with its dependencies" pip install "$wheel" ||
        fail_with_log install "the package could not be installed$(keeps)" "$advise_network"
    if [ -z "$fresh" ]; then
        run package "replacing the older build" pip install --force-reinstall --no-deps "$wheel" ||
            fail_with_log install "the package could not be replaced$(keeps)" "see the lines above and run install.sh again"
    fi
    "$env/bin/cidx" --version >"$log" 2>&1 ||
        fail_with_log check "the new cidx does not run" "this is a bug of cidx: please report it with the lines above"
    accept_environment "$stamp"
    say package "$(cat "$log")"
}

install_for_development() { # into $env, editable; sets stamp
    stamp=$(fingerprint pyproject.toml packaging/bin cidx/api/versions.py) ||
        fail package "the sources in $here can't be read" "see the lines above"
    if up_to_date "$stamp"; then
        say package "development environment is up to date"
        return
    fi
    run package "installing in place, with test tools" pip install -e "${here}[dev]" ||
        fail_with_log install "the development environment could not be filled$(keeps)" "$advise_network"
    accept_environment "$stamp"
}

has_extra() { # EXTRA; whether it works here (a build for another processor dies when used, not when imported)
    case $1 in
    hnsw) try='import hnswlib, numpy
index = hnswlib.Index("cosine", 32)
index.init_index(8)
index.add_items(numpy.eye(8, 32, dtype="float32"))
index.knn_query(numpy.eye(1, 32, dtype="float32"))' ;;
    systemd) try='import systemd.daemon, systemd.journal' ;;
    esac
    ("$env/bin/python" -I -c "$try") >/dev/null 2>&1
}

missing_for() { # EXTRA; prints the Debian packages whose parts are absent
    if [ "$system" = Darwin ]; then
        xcode-select -p >/dev/null 2>&1 || echo "the command line tools (xcode-select --install)"
        return
    fi
    case $1 in
    hnsw) command -v c++ >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 || echo g++ ;;
    systemd)
        command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || echo gcc
        if ! command -v pkg-config >/dev/null 2>&1; then
            echo pkg-config libsystemd-dev
        elif ! pkg-config --exists libsystemd 2>/dev/null; then
            echo libsystemd-dev
        fi
        ;;
    esac
    # Debian splits the headers off its own Python; other ones bring theirs.
    "$env/bin/python" -I -c '
import os, sys, sysconfig
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    print("python%d.%d-dev" % sys.version_info[:2])'
}

without() { # EXTRA; what is lost
    case $1 in
    hnsw) echo "very large repositories are searched by an exact scan instead of the graph" ;;
    systemd) echo "records reach the journal through prefixed stderr" ;;
    esac
}

add_extra() { # EXTRA PIP-OPTION...; sets name, requirement
    name=$1
    shift
    requirement=$("$env/bin/python" -I -c '
import importlib.metadata, sys
for line in importlib.metadata.requires("cidx-code-search") or ():
    requirement, _, marker = line.partition(";")
    if "extra ==" in marker and marker.split("extra ==")[1].strip(" \"()'\''") == sys.argv[1]:
        print(requirement.strip())' "$name")
    [ -n "$requirement" ] || return 1
    # Never -march=native: home folders move between machines. A cached build may have been made without that care.
    export HNSWLIB_NO_NATIVE=1
    pip install "$@" "$requirement" || return 1
    has_extra "$name" && return
    pip install "$@" --no-cache-dir --force-reinstall --no-deps "$requirement" && has_extra "$name" && return
    pip uninstall -y "${requirement%%[<>=!~ ]*}"
    return 1
}

install_extras() { # into $env; sets extra, wanted, packages, lacking, doing
    wanted='' packages=''
    for extra in $extras; do
        if [ "$extra" = systemd ] && [ "$system" != Linux ]; then
            continue
        elif has_extra "$extra"; then
            say "extra" "$extra is there"
        else
            wanted="$wanted $extra"
            packages="$packages $(missing_for "$extra")"
        fi
    done
    if [ "$system" = Linux ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        packages=$(printf '%s\n' "$packages" | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/^ *//; s/ *$//')
        if [ -n "$packages" ]; then
            say system "the extras are built from source and need: $packages (as root, with apt-get)"
            run system "installing $packages" install_packages || say system "going on without (apt-get: $(tail -n 1 "$log"))"
        fi
    fi
    for extra in $wanted; do
        lacking=$(missing_for "$extra" | tr '\n' ' ' | sed 's/ $//')
        if [ -n "$lacking" ]; then # then a build would take its time to fail
            set -- "looking for a ready-made $extra" --only-binary :all:
        else
            set -- "building $extra (can take a minute)"
        fi
        doing=$1
        shift
        if ! run "extra" "$doing" add_extra "$extra" "$@"; then
            say "extra" "without $extra, $(without "$extra")${lacking:+ (it needs $lacking)}"
        fi
    done
}

install_systemd() { # for the tests that boot one, which are skipped without; sets package, packages
    if [ "$system" != Linux ] || [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        return
    fi
    packages=''
    for package in systemd dbus-user-session libpam-systemd; do
        dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            packages="$packages $package"
    done
    packages=${packages# }
    [ -n "$packages" ] || return 0
    say system "the tests of the service need: $packages (as root, with apt-get)"
    run system "installing $packages" install_packages || say system "going on without (apt-get: $(tail -n 1 "$log"))"
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -o DPkg::Lock::Timeout=60 update
    # shellcheck disable=SC2086  # a list of package names
    apt-get -o DPkg::Lock::Timeout=60 install -y --no-install-recommends $packages
}

ours() { # whether what stands at the link's place is our link; sets target
    [ -L "$link" ] || return 1
    target=$(readlink "$link")
    case $target in
    "$home_env/bin/cidx") ;;
    */cidx/venv/bin/cidx) [ ! -e "$link" ] ;; # to an environment of ours that is gone: XDG_DATA_HOME was another
    *) return 1 ;;
    esac
}

make_link() { # sets link_trouble, command (as one would have to call it here)
    link_trouble='' command=cidx
    if ours && [ "$target" != "$home_env/bin/cidx" ]; then rm -f -- "$link"; fi
    if ours; then
        say command "$link"
    elif [ -e "$link" ] || [ -L "$link" ]; then
        link_trouble=yes
    elif mkdir -p -- "${link%/*}" && ln -s -- "$home_env/bin/cidx" "$link"; then
        say command "$link"
    else
        fail link "$link can't be made" "see the line above; XDG_BIN_HOME moves it elsewhere, and $home_env/bin/cidx works already"
    fi
    if [ -n "$link_trouble" ] || [ "$(command -v cidx)" != "$link" ]; then
        command=$(quote "$home_env/bin/cidx")
    fi
}

explain_path() {
    case :${PATH-}: in
    *:"${link%/*}":*)
        found=$(command -v cidx)
        [ "$found" = "$link" ] || say note "$found comes first on PATH and is another program"
        return
        ;;
    esac
    case ${SHELL##*/} in
    fish) say note "${link%/*} is not on PATH; run: fish_add_path $(quote "${link%/*}")" ;;
    zsh) say note "${link%/*} is not on PATH; add to ~/.zshrc:  export PATH=$(quote "${link%/*}"):\"\$PATH\"" ;;
    bash) say note "${link%/*} is not on PATH; add to ~/.bashrc:  export PATH=$(quote "${link%/*}"):\"\$PATH\"" ;;
    *) say note "${link%/*} is not on PATH; add to your shell's profile:  export PATH=$(quote "${link%/*}"):\"\$PATH\"" ;;
    esac
}

report_link() {
    if [ -n "$link_trouble" ]; then
        fail link "$link is another program's file and was left alone; cidx itself is installed and works" \
            "move that file away and run install.sh again, or call $(quote "$home_env/bin/cidx")"
    fi
}

install() {
    check_user
    prepare_environment "$home_env"
    install_package
    install_extras
    make_link
    [ -n "$link_trouble" ] || explain_path
}

show() { # SHOWN COMMAND...: a command as one would type it, then its real output
    printf '\n$ %s\n' "$1"
    shift
    "$@" </dev/null || fail demo "the command above ended with exit status $?" "see its message above; $command doctor looks at the whole installation"
}

demo() { # sets at, why, served
    at=$(quote "$here")
    if [ ! -d "$here/.code-indexer" ] && ! git -C "$here" rev-parse --git-dir >/dev/null 2>&1; then
        show "$command -C $at init" "$home_env/bin/cidx" -C "$here" init
    fi
    show "$command -C $at index" "$home_env/bin/cidx" -C "$here" index
    "$home_env/bin/cidx" -C "$here" service status >"$work/service" 2>&1 </dev/null
    case $? in
    4) served=new ;; # not installed, or no supervisor
    *) served=before ;;
    esac
    if grep -q '\[no-supervisor\]' "$work/service"; then
        why=$(sed -n 's/^ *why:  *//p' "$work/service")
        printf '\nNo service here: %s. The answer comes from a process of its own:\n' "$why"
        served=no
    else
        show "$command -C $at service install --now" "$home_env/bin/cidx" -C "$here" service install --now
    fi
    show "$command -C $at query --limit 3 \"publish a generation atomically\"" \
        "$home_env/bin/cidx" -C "$here" query --limit 3 "publish a generation atomically"
    if [ "$served" = new ]; then # as it was before
        show "$command -C $at service uninstall" "$home_env/bin/cidx" -C "$here" service uninstall
    fi
    printf '\nIn a repository of yours: %s index, then %s query "what you are looking for"\n' "$command" "$command"
    [ "$served" = no ] || printf 'To have it answer in a blink from then on: %s service install\n' "$command"
    printf 'What that gains there, measured: %s bench\n' "$command"
}

run_tests() { # ARG...: ends with pytest's own closing line and exit status
    command -v git >/dev/null 2>&1 || fail test "the tests need git, and it is not on PATH" "install git and run ./install.sh --test again"
    [ -w "$here" ] || fail environment "$here can't be written, and the development environment lives in there" "work in a checkout of your own"
    prepare_environment "$here/.venv"
    install_for_development
    install_extras
    install_systemd
    rm -rf -- "$work"
    trap - EXIT INT TERM HUP
    cd -- "$here" || exit 1
    [ $# -gt 0 ] || set -- -n auto --dist loadgroup
    exec "$env/bin/python" -m pytest "$@"
}

remove() { # PATH...; sets removed
    for path in "$@"; do
        if [ -n "$path" ] && { [ -e "$path" ] || [ -L "$path" ]; }; then
            rm -rf -- "$path" || fail uninstall "$path could not be removed" "see the line above; then run ./install.sh --uninstall again"
            say removed "$path"
            removed=yes
        fi
    done
}

uninstall_services() { # else their sockets would go on starting a Python that is gone; sets found, removed
    [ -x "$home_env/bin/cidx" ] || return 0
    found=$("$home_env/bin/cidx" service uninstall --all 2>&1 </dev/null)
    case $? in
    0)
        case $found in *removed:*) removed=yes && printf '%s\n' "$found" | sed 's/^removed: /removed      the service of /' ;; esac
        ;;
    4) # no supervisor can be reached
        for found in "$HOME"/.config/systemd/user/cidx-*.socket "$HOME"/Library/LaunchAgents/dev.cidx.*.plist; do
            [ ! -e "$found" ] || fail uninstall "services are installed, but their supervisor can't be reached from here" \
                "log in as this user and run ./install.sh --uninstall again"
        done
        ;;
    *)
        printf '%s\n' "$found" >&2
        fail uninstall "the services could not be removed" "see the message above; then run ./install.sh --uninstall again"
        ;;
    esac
}

uninstall() {
    removed=''
    uninstall_services
    if ours; then
        remove "$link"
    elif [ -e "$link" ] || [ -L "$link" ]; then
        say kept "$link, which is another program's"
    fi
    remove "$home_env" "$home_env.previous" "$cache" "$mac_cache"
    rmdir -- "${home_env%/*}" 2>/dev/null # only when empty
    [ -n "$removed" ] || say nothing "cidx was not installed here"
    say kept "the .code-indexer folder of each repository, with its index and settings: yours to delete"
    [ ! -e "$settings" ] || say kept "$settings, your own settings"
}

mode=${1-install}
case $mode in
-h | --help)
    usage
    exit 0
    ;;
install) [ $# -eq 0 ] || mode=unknown ;;
--demo | --uninstall) [ $# -eq 1 ] || { shift && mode=unknown; } ;;
--test) shift ;;
*) mode=unknown ;;
esac
if [ "$mode" = unknown ]; then
    printf 'install.sh: unknown argument: %s\n  next: ./install.sh --help\n' "$1" >&2
    exit 2
fi

trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
find_folders
if [ "$mode" = --uninstall ]; then
    uninstall
    exit 0
fi
find_checkout
read_extras
make_work_folder
case $mode in
install)
    install
    report_link
    ;;
--demo)
    install
    demo
    report_link
    ;;
--test) run_tests "$@" ;;
esac
