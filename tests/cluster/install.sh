# The requirements of the daemons: packages, the plain user, keys, configuration files.
# shellcheck shell=bash

PACKAGES=(
    slurm-wlm slurmdbd slurm-wlm-basic-plugins munge mariadb-server
    openssh-server openssh-client procps binutils
    # Login shells that are not POSIX shells.
    tcsh fish
)

install_packages() {
    local package missing=()
    [[ -z ${SLURM_SDK_TEST_LIBRARIES-} ]] || PACKAGES+=(patchelf)
    for package in "${PACKAGES[@]}" "${MODULE_PACKAGES[@]}"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"

    # Debian starts a service as soon as it is installed, unless this file says no.
    local policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get -q update &&
            apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "${missing[@]}"
    } </dev/null >"$LOGS/apt.out" 2>&1 3>&- 9>&- || fail "the packages cannot be installed" apt
}

# Sets RELEASE, and what depends on it in the configuration.
know_release() {
    # Newer ones do not even print their version without a configuration.
    RELEASE=$(dpkg-query -W -f='${Version}' slurmctld | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
    ACCOUNTING_SETTINGS='AccountingStorageType=accounting_storage/none'
    [[ $ACCOUNTING == yes ]] || return 0
    local flags=AccountingStoreFlags=job_comment,job_script
    [[ $RELEASE != 20.* ]] || flags=AccountingStoreJobComment=YES
    ACCOUNTING_SETTINGS=$(cat "$HERE/accounting.conf.in")$'\n'$flags
    ACCOUNTING_SETTINGS=${ACCOUNTING_SETTINGS//@DBD_PORT@/$DBD_PORT}
    ACCOUNTING_SETTINGS=${ACCOUNTING_SETTINGS//@MUNGE_SOCKET@/$MUNGE_SOCKET}
    fetch_libmariadb
}

create_user() {
    ! id "$TEST_USER" &>/dev/null || return 0
    say "creating user $TEST_USER"
    # '*' allows no password. The default '!' locks the account, and sshd refuses even the keys of a locked account.
    useradd --create-home --shell /bin/bash --password '*' "$TEST_USER"
}

create_ssh_keys() {
    local dir=$CLUSTER/ssh key
    [[ ! -e $dir/known_hosts ]] || return 0
    for key in host_ed25519 host_ecdsa id_ed25519; do
        rm -f "$dir/$key"
        ssh-keygen -q -t "${key#*_}" -N '' -C slurm-sdk-test -f "$dir/$key"
    done
    chown "$TEST_USER:" "$dir/id_ed25519"
    cp "$dir/id_ed25519.pub" "$dir/authorized_keys"
    sed "s/^/[127.0.0.1]:$SSH_PORT,[localhost]:$SSH_PORT /" "$dir"/host_*.pub >"$dir/known_hosts"
}

create_munge_key() {
    [[ -s $CLUSTER/munge/key ]] || (umask 077 && head -c 128 /dev/urandom >"$CLUSTER/munge/key")
}

create_gpus() {
    local gpu
    for gpu in "$CLUSTER"/gpu{0,1}; do
        [[ -e $gpu ]] || mknod "$gpu" c 1 3
    done
}

# Renders a template. Fails if that changed the file, because the daemons must then be restarted.
render() {
    local target=$CLUSTER/etc/$1 content name
    content=$(cat "$HERE/$1.in")
    for name in ACCOUNTING_SETTINGS CLUSTER HOST TEST_USER CTLD_PORT DBD_PORT SSH_PORT SLURMD_PORTS N4_PORT N4_FEATURES MUNGE_SOCKET; do
        content=${content//@$name@/"${!name}"}
    done
    [[ $content != "$(cat "$target" 2>/dev/null)" ]] || return 0
    # slurmdbd requires 600, and all users must be able to read slurm.conf.
    rm -f "$target"
    (umask 077 && printf '%s\n' "$content" >"$target")
    [[ $1 == slurmdbd.conf ]] || chmod 644 "$target"
    return 1
}

# A job that exceeds its memory ends as OUT_OF_MEMORY only with cgroups. The feature says whether n4 has them.
N4_FEATURES=ib,skylake
if [[ -w /sys/fs/cgroup/memory/tasks ]]; then N4_FEATURES+=,cgroup; fi

configure_n4() {
    local dir=$CLUSTER/etc/n4
    rm -rf "$dir"
    [[ $N4_FEATURES == *cgroup ]] || return 0
    mkdir "$dir"
    ln -s ../gres.conf "$dir/gres.conf"
    # slurmd refuses to enforce memory in two ways at once.
    sed '/^JobAcctGatherParams/d; s/^TaskPlugin=.*/TaskPlugin=task\/cgroup/' "$CONF" >"$dir/slurm.conf"
    printf '%s\n' CgroupPlugin=cgroup/v1 CgroupMountpoint=/sys/fs/cgroup ConstrainRAMSpace=yes >"$dir/cgroup.conf"
}
