# SPDX-License-Identifier: MIT
# Over the loopback, a server for each measurement: what both ends say that they sent and received, never how fast.
cd /tmp
# Of UDP the last datagram or another may be missing.
bytes() { sed -nE 's/^\[ *\*?[0-9]+\] .* sec +([0-9]+) Bytes.*/\1/p' | sed 's/^10[345][0-9]\{4\}$/a MiB/' | sort -u; }

# measure NAME OPTIONS MORE-OF-THE-CLIENT
measure() {
    rm -f server
    iperf -s -f b $2 >server 2>&1 &
    # It says so before it does, by TCP.
    until grep -qs listening server && { [ "$2" ] || grep -q ':1389 .* 0A ' /proc/net/tcp; }; do sleep 0.05; done
    iperf -c 127.0.0.1 -f b $2 $3 >client 2>&1
    echo "$1: status $?, client $(bytes <client)"
    i=0; until grep -q ' sec ' server || [ $((i += 1)) = 200 ]; do sleep 0.05; done
    kill $! && wait
    echo "server $(bytes <server)"
    grep -iE 'fail|error|warn|timed out' client server | grep -v 'set_itimer value invalid' # which Linux says as well
    true
}

iperf --version 2>&1 | sed "s, (.*,,"
measure TCP '' '-n 32M'
measure 'TCP from the server' '' '-n 32M -R'
measure 'TCP both ways' '' '-n 32M --full-duplex'
measure 'TCP by three' '' '-n 8M -P 3'
measure UDP -u '-n 1M -b 20M -l 1024'
