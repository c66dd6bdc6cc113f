#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""iperf through cards: between two guests on one wire, and with --host against this machine's iperf.

iperf_test.py [--with iperf] [--nic KIND] [--smp N] [--size MIB] [--host]. TCP one way, the other, both at once by two
connections and by one, several connections at once and in turn; UDP. Both ends must have counted the same bytes, and
nothing else may be said; it never judges how fast it was.
"""

import argparse
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
SECONDS = "600"
WRONG = re.compile(r"fail|error|warn|refused|timed out|unreachable|reset", re.IGNORECASE)
# What iperf says on Linux as well: when it sends an amount to the one who asked for it; and when a last datagram that
# was sent once more comes so late that it looks like another client.
HARMLESS = re.compile(r"set_itimer value invalid|ack of last datagram")
BYTES = re.compile(r"^\[ *\*?\d+\] .* sec +(\d+) Bytes", re.MULTILINE)
LOST = re.compile(r" (\d+)/(\d+) \(")
TCP, UDP = "", "-u"
DATAGRAMS = 1000    # of 1,000 bytes
# What runs at the same time, each with a server of its own: kind, how the client is called, how often in turn, and how
# many counts that gives at each end. Not UDP with -R: its last datagram is sent once, and who waits for it, waits for
# ever if it gets lost (on Linux as well).
MEASUREMENTS = [[(TCP, "", 1, 1)], [(TCP, "-R", 1, 1)], [(TCP, "", 1, 1), (TCP, "-R", 1, 1)],
                [(TCP, "--full-duplex", 3, 6)], [(TCP, "-P 3", 2, 6)],
                [(UDP, "", 2, 2)]]


def measurements(options):
    """The same, each with the port of its server in front. An iperf without our patches uses what it has freed when it
    has a second client, or both directions in one connection."""
    for i, together in enumerate(MEASUREMENTS):
        if options.host:
            together = [(kind, way, 1, 1) for kind, way, *_ in together if way in ("", "-R")]
        yield [(5001 + 10 * i + j, *transfer) for j, transfer in enumerate(together)]


def transfers(options):
    return sum(measurements(options), [])


def client_script(address, options):
    lines = [f"i=0; until ping -c 1 -W 1 {address} >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 60 ] || exit 1; done"]
    for together in measurements(options):
        for port, kind, way, times, _ in together:
            amount = f"-b 20M -l 1000 -n {DATAGRAMS}000" if kind == UDP else f"-n {options.size}M"
            call = f"timeout 200 iperf -c {address} -p {port} -f b {kind} {amount} {way}; echo status $?; "
            lines.append(f"{{ {call * times}}} >/tmp/{port} 2>&1 &")
        lines.append("wait")
    lines += [f"echo @ {port}; cat /tmp/{port}" for port, *_ in transfers(options)]
    return "\n".join(lines)


def serve(kind, port):
    return f"iperf -s -f b -p {port} {kind}"


def server_script(options):
    # They say that they listen before they do so.
    listening = sum(kind == TCP for _, kind, *_ in transfers(options))
    return "\n".join([*(f"{serve(kind, port)} >/tmp/{port} 2>&1 &" for port, kind, *_ in transfers(options)),
                      f"until [ $(grep -c ' 0A ' /proc/net/tcp) = {listening} ]; do sleep 0.05; done",
                      "echo serving; read line; sleep 1",
                      *(f"echo @ {port}; cat /tmp/{port}" for port, *_ in transfers(options))])


def guest(options, script, *more):
    return subprocess.Popen([RUN, "--no-build", "--boot", "direct", "--with", options.packages, "--timeout", SECONDS,
                             "--smp", options.smp, *more, "--exec", script],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def sections(text):
    """What is behind each line "@ NAME"."""
    words = re.split(r"^@ (\d+)$", text, flags=re.MULTILINE)
    return dict(zip(words[1::2], words[2::2]))


def two_guests(options, folder):
    """What client and server said."""
    frees = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for free in frees:
        free.bind(("127.0.0.1", 0))
    ports = [free.getsockname()[1] for free in frees]
    for free in frees:
        free.close()

    def place(n):
        overlay = pathlib.Path(folder, str(n))
        (overlay / "etc").mkdir(parents=True)
        (overlay / "etc/network.conf").write_text(f"default static 10.9.0.{n + 1}/24 ipv6 none\n", encoding="utf-8")
        inet = "{0}.type=inet,{0}.host=127.0.0.1,{0}.port={1}"
        return ["--net", f"dgram,{inet.format('local', ports[n])},{inet.format('remote', ports[1 - n])}",
                "--nic", f"{options.nic},mac=52:54:00:12:34:{n + 1:02x}", "--overlay", str(overlay)]

    with guest(options, server_script(options), *place(0)) as server:
        server.stdout.readline()
        with guest(options, client_script("10.9.0.1", options), *place(1)) as client:
            said = client.communicate()[0]
        return said, server.communicate("\n")[0]


def this_machine(options, folder):
    """The same with the iperf of this machine as the server."""
    servers, served = [], ""
    for port, kind, *_ in transfers(options):
        with open(f"{folder}/{port}", "wb") as output:
            servers.append(subprocess.Popen([*serve(kind, port).split(), "-B", "127.0.0.1"], stdout=output,
                                            stderr=subprocess.STDOUT))
    with guest(options, client_script("10.0.2.2", options), "--net", "user", "--nic", options.nic) as client:
        said = client.communicate()[0]
    for server in servers:
        server.kill()
        server.wait()
    for port, *_ in transfers(options):
        served += f"@ {port}\n" + pathlib.Path(folder, str(port)).read_text(encoding="utf-8") + "\n"
    return said, served


def judge(options, said, served):
    wrong = [line for line in (said + served).splitlines() if WRONG.search(line) and not HARMLESS.search(line)]
    client, server = sections(said), sections(served)
    for port, kind, way, times, lines in transfers(options):
        texts, name = (client.get(str(port), ""), server.get(str(port), "")), f"{kind or 'tcp'} {way}"
        counts = [[int(n) for n in BYTES.findall(text)] for text in texts]
        if texts[0].count("status 0\n") != times:
            wrong.append(f"{name}: the client did not end well")
        if kind == TCP:
            if counts != [[options.size << 20] * lines] * 2:
                wrong.append(f"{name}: bytes {counts}, not {options.size << 20} {lines} times at both ends")
            continue
        # Some may get lost, but every one is accounted for; the last is repeated until it is answered.
        lost = [tuple(map(int, pair)) for text in texts for pair in LOST.findall(text)]
        if len(lost) < lines or any(not 0 < total - DATAGRAMS <= 201 or 2 * gone > total for gone, total in lost):
            wrong.append(f"{name}: lost, of all: {lost}")
        if any(len(found) < lines or min(found) < 500 * DATAGRAMS for found in counts):
            wrong.append(f"{name}: bytes {counts}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="packages", default="iperf")
    parser.add_argument("--nic", default="virtio")
    parser.add_argument("--smp", default="2")
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--host", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        said, served = (this_machine if options.host else two_guests)(options, folder)
    print(said, served, sep="\n")
    wrong = judge(options, said, served)
    print(*[f"not ok: {line}" for line in wrong] or ["ok"], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
