#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs groups of busybox's tests, on Cathode and on Linux alike, in the folder /busybox that
# suite.py lays out:  driver.sh GROUP...   A group is the name of an applet (its testsuite/NAME.tests
# and testsuite/NAME/*) or of a folder of shell/ash_test. Reports one line per test:
#   @ GROUP          the group begins
#   PASS: NAME, FAIL: NAME, SKIPPED: NAME, UNTESTED: NAME
#   @ end            all groups were run
# busybox's own runtest makes 300 links for each call and its run-all has no time limits; the tests
# themselves are started as these two do.

top=/busybox
tsdir=$top/testsuite
bindir=$top
ECHO=$tsdir/echo-ne
VERBOSE=$SUITE_VERBOSE
OPTIONFLAGS=:$(sed -n 's/^CONFIG_\([A-Z0-9_]*\)=.*/\1/p' $top/.config | tr '\n' ':')
links=$top/runtest-tempdir-links
SKIP_KNOWN_BUGS=1
export tsdir bindir ECHO VERBOSE OPTIONFLAGS SKIP_KNOWN_BUGS
unset LANG LC_ALL

# Seconds for a test of ash or an old-style one, and for the many of one NAME.tests: hangs only.
limit=240
group_limit=600

# Is one of the options that a test names as its features off?
lacks_feature() {
    for option in $(sed -n 's/^# FEATURE: //p' "$1"); do
        grep -q "^# $option is not set\$" $top/.config && return 0
    done
    return 1
}

# An old-style test is a script that fails at its first failing command.
old_style() {
    name=${1##*/}
    if lacks_feature "$1"; then
        echo "UNTESTED: $name"
        return
    fi
    rm -rf "$work" && mkdir "$work" && cd "$work" || return
    if d=$tsdir PATH=$top:$PATH timeout "$limit" sh -x -e "$1" >"$name.stdout.txt" 2>&1; then
        echo "PASS: $name"
    else
        echo "FAIL: $name"
        [ -z "$VERBOSE" ] || cat "$name.stdout.txt"
    fi
    cd $tsdir && rm -rf "$work"
}

applet() {
    cd $tsdir || return
    work=$tsdir/.tmpdir.$1
    for test in "$tsdir/$1"/*; do
        [ -f "$test" ] && old_style "$test"
    done
    if [ -f "$1.tests" ]; then
        PATH=$links:$tsdir:$top:$PATH timeout "$group_limit" "$tsdir/$1.tests"
    fi
}

ash_folder() {
    cd "$top/shell/ash_test/$1" || return
    for test in *.tests; do
        name=${test%.tests}
        [ -x "$test" ] && [ -f "$name.right" ] || continue
        timeout "$limit" "$THIS_SH" "./$test" >"$name.out" 2>&1
        grep -va '^ash: using fallback suid method$' "$name.out" >"$name.xx"
        if cmp -s "$name.xx" "$name.right"; then
            echo "PASS: $test"
        else
            echo "FAIL: $test"
            [ -z "$VERBOSE" ] || diff -u "$name.right" "$name.xx"
        fi
    done
}

# run-all exports the whole configuration; some tests of ash look at it.
ash_group() {
    (
        eval "$(sed -n 's/^CONFIG/export CONFIG/p' $top/.config)"
        PATH=$top/shell/ash_test:$PATH
        THIS_SH=$top/shell/ash_test/ash
        export PATH THIS_SH
        ash_folder "$1"
    )
}

exec </dev/null
for group in "$@"; do
    echo "@ $group"
    case $group in
    ash-*) ash_group "$group" ;;
    *) (applet "$group") ;;
    esac
done 2>&1
echo "@ end"
