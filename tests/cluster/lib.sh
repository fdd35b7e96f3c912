# Shared by up, down and as-user: names, ports, and functions that start, watch and stop daemons.
# shellcheck shell=bash disable=SC2034

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLUSTER=${SLURM_SDK_TEST_CLUSTER:-/var/lib/slurm-sdk-test-cluster}
TEST_USER=${SLURM_SDK_TEST_USER:-slurmtest}
NODES=(n1 n2 n3 n4)
HOST=$(hostname -s)

# Below the ephemeral range, and different from the default ports of a Slurm or sshd on this machine.
PORT_BASE=${SLURM_SDK_TEST_PORT_BASE:-27100}
CTLD_PORT=$PORT_BASE
DBD_PORT=$((PORT_BASE + 1))
SSH_PORT=$((PORT_BASE + 2))
SLURMD_PORTS="$((PORT_BASE + 11))-$((PORT_BASE + 13))"
N4_PORT=$((PORT_BASE + 14))

CONF=$CLUSTER/etc/slurm.conf
LOGS=$CLUSTER/log
PIDS=$CLUSTER/pid
MUNGE_SOCKET=$CLUSTER/munge/socket
DB_SOCKET=$CLUSTER/mysql.sock

# In the order of their start. They are stopped in the reverse order.
DAEMONS=(munged mariadbd slurmdbd slurmctld "${NODES[@]/#/slurmd-}" sshd)

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH

say() { echo "cluster: $*" >&2; }

# fail MESSAGE [DAEMON]: exits with the message and the last lines of the daemon's log.
fail() {
    say "error: $1"
    if [[ -n ${2-} && -s $LOGS/$2.out ]]; then
        echo "--- last lines of $LOGS/$2.out" >&2
        tail -n 20 "$LOGS/$2.out" >&2
    fi
    exit 1
}

require_root() {
    ((EUID == 0)) || fail "$(basename "$0") must run as root: it starts daemons and switches users"
}

# Only one up or down runs at a time. The daemons must not inherit descriptor 9, because they would keep the lock.
lock() {
    exec 9>/run/lock/slurm-sdk-test-cluster.lock
    flock --wait 120 9 || fail "another up or down has been busy for two minutes"
}

# Variables of the calling shell must not change the output of the Slurm commands here.
slurm_environment() {
    unset "${!SINFO_@}" "${!SQUEUE_@}" "${!SCANCEL_@}" SLURM_CLUSTERS SLURM_TIME_FORMAT
    export SLURM_CONF=$CONF LC_ALL=C.UTF-8
}

# True while one of the pids is running. `kill -0` is not enough, because it succeeds for zombies. Neither is the command
# line, which is empty for a moment while a process calls exec.
running() {
    local pid state
    for pid; do
        { state=$(<"/proc/$pid/stat"); } 2>/dev/null || continue
        [[ ${state##*) } == [ZX]* ]] || return 0
    done
    return 1
}

# Prints a daemon's pid if it is alive and belongs to this cluster: pids are reused, especially after a reboot.
pid_of() {
    local pid
    pid=$(cat "$PIDS/$1" 2>/dev/null) || return 1
    grep -qsF "$CLUSTER" "/proc/$pid/cmdline" "/proc/$pid/environ" && echo "$pid"
}

alive() { pid_of "$1" >/dev/null; }

# launch DAEMON COMMAND...: starts the daemon in its foreground mode, in the background of its own session, so that its pid
# is known at once and an early end is noticed. The daemon does not get the descriptors 3 (up's stdout) and 9 (lock).
launch() {
    local name=$1
    shift
    say "starting $name"
    setsid env -i PATH="$PATH" LC_ALL=C.UTF-8 SLURM_CONF="$CONF" MYSQL_UNIX_PORT="$DB_SOCKET" "$@" \
        </dev/null >"$LOGS/$name.out" 2>&1 3>&- 9>&- &
    echo $! >"$PIDS/$name"
}

# wait_for SECONDS DAEMON COMMAND...: waits until the command succeeds. Fails at once if the daemon has ended.
wait_for() {
    local deadline=$((SECONDS + $1)) name=$2 output
    shift 2
    until output=$("$@" 2>&1); do
        running "$(cat "$PIDS/$name")" || fail "$name has ended" "$name"
        ((SECONDS < deadline)) || fail "$name is not ready in time: $* ${output:+says: $output}" "$name"
        sleep 0.05
    done
}

# Waits until none of the pids is running, or the seconds are over.
wait_gone() {
    local deadline=$((SECONDS + $1))
    shift
    while running "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

stop() {
    local pid
    pid=$(pid_of "$1") || return 0
    say "stopping $1"
    kill "$pid" 2>/dev/null || true
    if ! wait_gone 15 "$pid"; then
        kill -KILL "$pid" 2>/dev/null || true
        wait_gone 5 "$pid" || fail "$1 (pid $pid) cannot be killed" "$1"
    fi
    rm -f "$PIDS/$1"
}

no_running_jobs() { [[ -z $(squeue --noheader --states=running,completing,suspended --format=%A) ]]; }

# Jobs are cancelled first, because the next start would treat them as lost.
cancel_jobs() {
    alive slurmctld && alive munged || return 0
    timeout 5 scancel --user="$TEST_USER" --quiet &>/dev/null || true
    timeout 5 scancel --user=root --quiet &>/dev/null || true
    local deadline=$((SECONDS + 10))
    until no_running_jobs 2>/dev/null || ((SECONDS >= deadline)); do sleep 0.05; done
}

# Prints the pids of processes that outlive the daemons: step managers, and the processes of jobs and of SSH sessions.
leftovers() {
    local file
    grep -lsPaz "^SLURM_CONF=\Q$CLUSTER/etc/\E" /proc/[0-9]*/environ | while read -r file; do
        if grep -qsPaz "^SLURMD_NODENAME=|^SSH_CONNECTION=.* $SSH_PORT$" "$file" ||
            grep -qsx slurmstepd "${file%environ}comm"; then
            file=${file#/proc/}
            echo "${file%/environ}"
        fi
    done
}

stop_all() {
    local index pids listener
    cancel_jobs
    # The monitors of SSH sessions are children of the listener and survive it.
    pids=()
    if listener=$(pid_of sshd); then mapfile -t pids < <(pgrep -P "$listener"); fi
    for ((index = ${#DAEMONS[@]} - 1; index >= 0; index--)); do
        stop "${DAEMONS[index]}"
    done
    mapfile -t -O "${#pids[@]}" pids < <(leftovers)
    if ((${#pids[@]})); then
        kill -KILL "${pids[@]}" 2>/dev/null || true
        wait_gone 5 "${pids[@]}" || fail "some processes cannot be killed: ${pids[*]}"
    fi
}
