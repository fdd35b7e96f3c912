# Shared by up and down: names and ports. Everything else comes from the cluster's lib.sh.
# shellcheck shell=bash disable=SC2034

STATE=${SLURM_SDK_TEST_SSHD:-/var/lib/slurm-sdk-test-sshd}
# shellcheck source=SCRIPTDIR/../cluster/lib.sh
SLURM_SDK_TEST_CLUSTER=$STATE . "$(dirname "${BASH_SOURCE[0]}")/../cluster/lib.sh"
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

PORT_BASE=${SLURM_SDK_TEST_SSHD_PORT_BASE:-27200}
# A server's port is the base plus its position in this list.
SERVERS=(keys password keyboard onesession jump inner changed noisy rsa twofactor pam slow)
# The servers with their own PAM services, whose names are the names of their sshd programs.
SERVICES=(password keyboard slow)

# The jump host and the server behind it are in a separate network, if this machine allows one.
NETWORK=slurm-sdk-jump
JUMP_HOST=10.199.27.2
OUR_HOST=10.199.27.1
# Packets to this address go to the jump host, which does not forward them.
SINK=10.199.28.1

# The answers to the questions of PAM.
PASSWORD='correct horse'
CODE=246810

say() { echo "sshd: $*" >&2; }

lock() {
    exec 9>/run/lock/slurm-sdk-test-sshd.lock
    flock --wait 120 9 || fail "another up or down has been busy for two minutes"
}

port_of() {
    local index
    for index in "${!SERVERS[@]}"; do
        [[ ${SERVERS[index]} != "$1" ]] || echo $((PORT_BASE + index))
    done
}

has_network() { ip netns list 2>/dev/null | grep -qE "^$NETWORK( |$)"; }

# Sessions are children of the listener and survive it.
stop_server() {
    local listener sessions=()
    if listener=$(pid_of "$1"); then mapfile -t sessions < <(pgrep -P "$listener"); fi
    stop "$1"
    ((${#sessions[@]} == 0)) || kill "${sessions[@]}" 2>/dev/null || true
}
