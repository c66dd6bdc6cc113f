#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs modules of Python's tests, on Cathode and on Linux alike:  driver.sh MODULE...
#   @ MODULE    it begins; then what driver.py tells
#   @ end       all were run
# A test that hangs or kills Python costs only itself: the module goes on behind it.

seen=/tmp/suite-seen log=/tmp/suite-log
cd /tmp || exit
exec </dev/null
for module in "$@"; do
    echo "@ $module"
    : >$seen
    while [ "$(tail -n 1 $seen)" != done ]; do
        before=$(wc -l <$seen)
        timeout -s KILL 3600 python3 /suite/driver.py "$module" $seen 3>&1 >$log 2>&1
        [ "$(tail -n 1 $seen)" = done ] || tail -n 40 $log | sed 's/^/| /'
        [ "$(wc -l <$seen)" -gt "$before" ] || break
    done
done
echo "@ end"
