# Debian's two module systems, environment-modules and Lmod, below the cluster's directory.
#
# The packages cannot be installed: they conflict with each other, and each changes every login shell of the machine. So
# they are unpacked, and the paths in their files are adapted. A job has `module` once its shell has read
# etc/profile.d/modules.sh of the first or etc/profile.d/lmod.sh of the second package. Every login shell would read the files
# of an installed package.
# shellcheck shell=bash

MODULES=$CLUSTER/modules
MODULE_SYSTEMS=(environment-modules lmod)

# The packages that the two need. These can be installed together.
MODULE_PACKAGES=(tcl lua5.3 lua-filesystem lua-json lua-posix lua-term less)

# Unpacks the missing module systems, and writes the modules that the tests load.
unpack_module_systems() {
    local system
    for system in "${MODULE_SYSTEMS[@]}"; do
        [[ -e $MODULES/$system ]] || unpack_module_system "$system"
    done
    write_modules
}

unpack_module_system() {
    local system=$1 dir
    say "unpacking $system"
    mkdir -p "$MODULES"
    rm -rf "$MODULES"/new.*
    dir=$(mktemp -d "$MODULES/new.XXXXXX")
    chmod 755 "$dir"
    download "$system" "$dir" || { apt-get -q update && download "$system" "$dir"; } >"$LOGS/apt.out" 2>&1 ||
        fail "the package $system cannot be downloaded" apt
    dpkg -x "$dir"/*.deb "$dir"
    rm "$dir"/*.deb
    move_paths "$dir" "$MODULES/$system"
    # Only a complete module system gets the name.
    mv "$dir" "$MODULES/$system"
}

# This runs as root, because apt's own user cannot write to the directory.
download() {
    (cd "$2" && apt-get -q -o APT::Sandbox::User=root download "$1") </dev/null >"$LOGS/apt.out" 2>&1 3>&- 9>&-
}

# move_paths FOLDER PLACE: in all text files of the folder, changes the paths of the package's own files to their paths in
# PLACE. The paths of the libraries of Lua stay unchanged.
move_paths() {
    local file own='/usr/share/(modules|lmod)\b|/etc/(environment-modules|lmod)\b|/usr/lib/[a-z0-9_-]+-linux-gnu(/modulecmd|\})'
    grep -rlIE "$own" "$1/etc" "$1/usr" | while read -r file; do
        sed -Ei "s#$own#$2&#g" "$file"
    done
    # The modules of the tests are the only ones.
    echo "$MODULES/modulefiles" | tee "$1"/etc/*/modulespath >/dev/null
    rm -f "$1/etc/environment-modules/initrc"
}

# `probe/1.0` sets two variables and a shell function. Both systems read files in Tcl, and Lmod also reads files in Lua.
write_modules() {
    mkdir -p "$MODULES/modulefiles/probe" "$MODULES/modulefiles/probe-lua"
    cat >"$MODULES/modulefiles/probe/1.0" <<'END'
#%Module
setenv PROBE_VERSION 1.0
prepend-path PROBE_PATH /opt/probe/bin
set-alias probe {echo probe}
END
    cat >"$MODULES/modulefiles/probe-lua/2.0.lua" <<'END'
setenv("PROBE_VERSION", "2.0")
END
}
