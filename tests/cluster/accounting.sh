# The accounting database: one cluster, two accounts, the plain user, and QOS with limits for tests.
# shellcheck shell=bash

# account ARGUMENTS...: calls sacctmgr. An entry that already exists is no failure.
account() {
    local output
    output=$(sacctmgr --immediate "$@" 2>&1) || [[ $output == *[Aa]lready\ exist* || $output == *"othing new"* ]] ||
        fail "sacctmgr $*: $output" slurmdbd
}

fill_accounting() {
    account add cluster sdktest
    account add qos limited MaxSubmitJobsPerUser=2
    account add qos capped MaxTRESPerUser=cpu=1
    account add account research,teaching Cluster=sdktest
    account add user "$TEST_USER" Account=research,teaching DefaultAccount=research Cluster=sdktest
    account modify user "$TEST_USER" set QOS=normal,limited,capped
}

# Eight calls take a second, so they are repeated only if the text of the function above has changed.
set_up_accounting() {
    local marker=$CLUSTER/etc/accounting wanted
    wanted=$(declare -f fill_accounting)
    [[ $wanted != "$(cat "$marker" 2>/dev/null)" ]] || return 0
    say "filling the accounting database"
    fill_accounting
    echo "$wanted" >"$marker"
}
