# Other releases of Slurm, each in its own Debian, which debootstrap creates. The scripts of this folder run again inside of
# it. Nothing stays mounted, because each call has its own mount namespace.
# shellcheck shell=bash

RELEASES=${SLURM_SDK_TEST_RELEASES:-/var/lib/slurm-sdk-test-releases}

# release_of NAME: sets the Debian that has this release of Slurm, and the ports of its cluster.
release_of() {
    case $1 in
        # Its C library is too old for programs of Debian 12.
        20.11) SUITE=bullseye RELEASE_PORTS=27300 && export SLURM_SDK_TEST_LIBRARIES=/opt/libraries ;;
        24.11) SUITE=trixie RELEASE_PORTS=27400 ;;
        26.05) SUITE=sid RELEASE_PORTS=27500 ;;
        22.05) fail "22.05 is the release that this machine's own packages have: leave out --release" ;;
        *) fail "there is no Slurm $1 here: 20.11, 24.11 or 26.05" ;;
    esac
    ROOT_DIR=$RELEASES/$1
}

make_root() {
    [[ ! -e $ROOT_DIR/.complete ]] || return 0
    if ! command -v debootstrap >/dev/null; then
        say "installing debootstrap"
        { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends debootstrap; } \
            </dev/null >&2 9>&- || fail "debootstrap cannot be installed"
    fi
    say "making a Debian $SUITE in $ROOT_DIR; a minute or two"
    rm -rf "$ROOT_DIR"
    mkdir -p "$RELEASES"
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$ROOT_DIR" </dev/null >"$ROOT_DIR.log" 2>&1 9>&- ||
        { tail -n 20 "$ROOT_DIR.log" >&2; fail "debootstrap has failed; all it says is in $ROOT_DIR.log"; }
    # Mirrors of sid may be snapshots that are older than their Valid-Until. Signatures are still checked.
    echo 'Acquire::Check-Valid-Until "false";' >"$ROOT_DIR/etc/apt/apt.conf.d/50snapshot"
    : >"$ROOT_DIR/.complete"
}

# bring_libraries PROGRAM: copies the libraries that a program of this machine needs, and the loader.
bring_libraries() {
    local file
    mkdir -p "$ROOT_DIR$SLURM_SDK_TEST_LIBRARIES"
    { ldd "$1" 2>/dev/null || true; } | grep -oE '/[^ ]+' | while read -r file; do
        cp --update --dereference "$file" "$ROOT_DIR$SLURM_SDK_TEST_LIBRARIES/"
    done
}

# enter RELEASE COMMAND...: runs the command in the Debian of the release, which sees this checkout and the folder of the
# command under the same paths.
enter() {
    release_of "$1"
    shift
    [[ -e $ROOT_DIR/.complete ]] || fail "there is no such release yet: run tests/cluster/up --release first"
    cp -f /etc/resolv.conf "$ROOT_DIR/etc/resolv.conf" 2>/dev/null || true
    grep -qsw "$HOST" "$ROOT_DIR/etc/hosts" || printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$HOST" >>"$ROOT_DIR/etc/hosts"
    if [[ -n ${SLURM_SDK_TEST_LIBRARIES-} && -x ${2-} ]]; then bring_libraries "$2"; fi
    local checkout path seen
    checkout=$(realpath "$HERE/../..")
    seen=("$checkout" "$PWD")
    for path in "$@"; do
        if [[ $path == */* && -x $path ]]; then seen+=("$(dirname "$(realpath --no-symlinks -- "$path")")"); fi
    done
    export SLURM_SDK_TEST_INSIDE=yes SLURM_SDK_TEST_PORT_BASE=$RELEASE_PORTS
    # The directory has the name of the root directory, so that the clusters have no common file names.
    export SLURM_SDK_TEST_CLUSTER=/var/lib/slurm-sdk-test-${ROOT_DIR##*/}
    # shellcheck disable=SC2016
    exec unshare --mount bash -c '
        set -e
        root=$1; shift
        mount --make-rprivate /
        for dir in proc dev dev/pts dev/shm; do
            mkdir -p "$root/$dir"
            mount --bind "/$dir" "$root/$dir"
        done
        while [[ $1 != -- ]]; do
            # A path may be inside of another one that is mounted already.
            if [[ ! -e $root$1/. || -z $(ls -A "$root$1") ]]; then
                mkdir -p "$root$1"
                mount --bind -o ro "$1" "$root$1"
            fi
            shift
        done
        shift
        exec chroot "$root" sh -c '\''cd "$1" && shift && exec "$@"'\'' sh "$PWD" "$@"
    ' bash "$ROOT_DIR" "${seen[@]}" -- "$@"
}

# slurmdbd 24.11 and 26.05 fail with the libmariadb of their Debians ("Number of columns in result"). The libmariadb of
# Debian 12 works.
fetch_libmariadb() {
    local list=/etc/apt/sources.list.d/bookworm.list version
    [[ -n ${SLURM_SDK_TEST_INSIDE-} && $RELEASE != 20.11 && ! -e /opt/libmariadb/libmariadb.so.3 ]] || return 0
    say "fetching the libmariadb of Debian 12"
    printf 'Package: *\nPin: release n=bookworm\nPin-Priority: -1\n' >/etc/apt/preferences.d/bookworm
    sed -En 's/^(deb [^ ]+) [a-z]+ /\1 bookworm /p' /etc/apt/sources.list | head -n 1 >"$list"
    (
        apt-get -q update
        version=$(apt-cache madison libmariadb3 | awk '$0 ~ "bookworm" { print $3; exit }')
        cd "$(mktemp -d)"
        apt-get -q download "libmariadb3=$version"
        dpkg -x libmariadb3_*.deb .
        mkdir -p /opt/libmariadb
        cp -L usr/lib/*/libmariadb.so.3 /opt/libmariadb/
    ) </dev/null >"$LOGS/libmariadb.out" 2>&1 3>&- 9>&- || fail "the libmariadb of Debian 12 cannot be had" libmariadb
}
