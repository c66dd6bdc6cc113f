#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tests that a port brings along, on Cathode and on Linux alike, in the folder /own that suite.py lays out:
#   driver.sh PORT [NAME...]      all its tests, or some; with SUITE_VERBOSE what failing ones print
#   @ PORT                        the tests begin
#   PASS: NAME, FAIL: NAME
#   @ end                         all were run

# check NAME COMMAND...: the test passes if the command succeeds, in a time that bounds hangs only.
check() {
    name=$1
    shift
    case $wanted in "  " | *" $name "*) ;; *) return ;; esac
    if timeout -s KILL "${limit:-300}" "$@" <"${input:-/dev/null}" >/tmp/log 2>&1; then
        echo "PASS: $name" >&3
    else
        echo "FAIL: $name" >&3
        [ -z "$SUITE_VERBOSE" ] || sed 's/^/| /' /tmp/log >&3
    fi
}

# As in "make check".
zlib() {
    check minigzip sh -c '[ "$(echo hello world | ./minigzip | ./minigzip -d)" = "hello world" ]'
    check example ./example /tmp/example.gz
    check infcover ./infcover
}

# Two of threadtest3 say how much is written within 10 s.
sqlite3() {
    limit=1200
    check speedtest1 ./speedtest1 --size 5 --verify --stats /tmp/speed.db
    check speedtest1_wal ./speedtest1 --size 5 --verify --journal wal --multithread --threads 2 /tmp/speed-wal.db
    for name in crash01 config01 config02 multiwrite01; do
        check "mptest_$name" sh -c "cd mptest && ../mptester /tmp/mptest.db $name.test"
    done
    check threadtest2 sh -c 'cd /tmp && /own/threadtest2'
    for name in $(sed -n 's/^    { [a-z0-9_]*, *"\([a-z0-9_]*\)", *[0-9]* },$/\1/p' threadtest3.c |
        grep -v checkpoint_starvation); do
        check "threadtest3_$name" sh -c "cd /tmp && /own/threadtest3 $name"
    done
    check threadtest5 ./threadtest5
    check threadtest5_file ./threadtest5 /tmp/threadtest5.db
}

# A test of check.t is a folder; what it must print is a file or an awk program, see suite.py.
mksh_prints() {
    if [ -e "$1.awk" ]; then awk -f "$1.awk" "$2"; else cmp "$1" "$2"; fi
}

mksh_test() {
    rm -rf /tmp/work && cp -a "$1/files" /tmp/work && cd /tmp/work || return
    sh "$1/run" >/tmp/out 2>/tmp/err
    e=$? s=0
    w=$((e << 8))
    [ $(($(cat "$1/exit"))) -ne 0 ] && mksh_prints "$1/out" /tmp/out && mksh_prints "$1/err" /tmp/err && return
    echo "status $e"
    cat /tmp/out /tmp/err
    return 1
}

# Many of the tests want a controlling terminal.
mksh() {
    script -qc "sh $0 mksh-inside $*" /dev/null >/dev/null </dev/null
}

mksh_inside() {
    limit=60
    for test in tests/*; do
        check "${test#tests/}" sh "$0" mksh-test "/own/$test"
    done
}

# Any output of diff is a failure; it may not be the last command of the script. They want an ordinary user whose folder
# it is, and a terminal on which nobody types, not even an end of file.
bash() {
    chown -R user /own/tests && rm -f /tmp/log && mkfifo /tmp/silence
    su -s /bin/sh user -c "script -qc 'sh $0 bash-inside $*' /dev/null" >/dev/null <>/tmp/silence
}

bash_inside() {
    limit=1200 input=/dev/tty
    export THIS_SH=/usr/local/bin/bash BUILD_DIR=/own HOME=/own TMPDIR=/tmp BASH_TSTOUT=/tmp/bash-output
    export PATH=/own/tests:$PATH
    for test in run-*; do
        case $test in
        run-all | run-minimal | run-gprof) ;;
        *) check "$test" sh -c "sh ./$test >/tmp/printed 2>&1; cat /tmp/printed; ! grep -q '^@@' /tmp/printed" ;;
        esac
    done
}

port=$1
shift
case $port in
mksh-test) mksh_test "$1" && exit || exit 1 ;;
mksh-inside) wanted=" $* " && cd /own && mksh_inside && exit ;;
bash-inside) wanted=" $* " && cd /own/tests && bash_inside && exit ;;
esac
wanted=" $* "
cd /own || exit
exec 3>&1
echo "@ $port"
"$port" "$@"
echo "@ end"
