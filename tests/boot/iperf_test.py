#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""iperf through cards: between two guests on one wire, and with --host against this machine's iperf.

iperf_test.py [--with iperf] [--nic KIND] [--size MIB] [--host]. TCP one way, the other, both; UDP one way and the
other. Both ends must have counted the same bytes, and nothing else may be said; it never judges how fast it was.
"""

import argparse
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
TCP_PORT, UDP_PORT = 5001, 5002
SECONDS = "300"
WRONG = re.compile(r"fail|error|warn|refused|timed out|unreachable|reset", re.IGNORECASE)
# iperf says this on Linux as well, when it sends an amount to the one who asked for it.
HARMLESS = re.compile(r"set_itimer value invalid")
BYTES = re.compile(r"^\[ *\*?\d+\] .* sec +(\d+) Bytes", re.MULTILINE)
LOST = re.compile(r" (\d+)/(\d+) \(")


def measurements(size):
    """Name, port, the client's options, whether it is UDP, how many transfers."""
    udp = "-u -b 20M -l 1000 -n 2000000"
    return (("tcp", TCP_PORT, f"-n {size}M", False, 1),
            ("tcp_reverse", TCP_PORT, f"-n {size}M -R", False, 1),
            ("tcp_duplex", TCP_PORT, f"-n {size}M --full-duplex", False, 2),
            ("udp", UDP_PORT, udp, True, 1),
            ("udp_reverse", UDP_PORT, udp + " -R", True, 1))


def serve(port, udp):
    return f"iperf -s -f b -p {port} {'-u' if udp else ''}"


def client_script(address, size):
    lines = [f"i=0; until ping -c 1 -W 1 {address} >/dev/null; do i=$((i+1)); [ $i -lt 60 ] || exit 1; done"]
    for name, port, options, _, _ in measurements(size):
        lines.append(f"echo @ {name}; timeout 100 iperf -c {address} -p {port} -f b {options} 2>&1; echo status $?")
    return "\n".join(lines)


def server_script():
    return (f"{serve(TCP_PORT, False)} >/tmp/tcp 2>&1 & {serve(UDP_PORT, True)} >/tmp/udp 2>&1 & echo serving; "
            "read line; sleep 1; echo @ tcp; cat /tmp/tcp; echo @ udp; cat /tmp/udp")


def guest(options, script, *more):
    return subprocess.Popen([RUN, "--no-build", "--boot", "direct", "--with", options.packages, "--timeout", SECONDS,
                             *more, "--exec", script],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def sections(text):
    """What is behind each line "@ NAME"."""
    words = re.split(r"^@ (\w+)$", text, flags=re.MULTILINE)
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

    with guest(options, server_script(), *place(0)) as server:
        server.stdout.readline()
        with guest(options, client_script("10.9.0.1", options.size), *place(1)) as client:
            said = client.communicate()[0]
        return said, server.communicate("\n")[0]


def this_machine(options, _):
    """The same with the iperf of this machine as the server."""
    servers, outputs = [], []
    for port, udp in ((TCP_PORT, False), (UDP_PORT, True)):
        outputs.append(tempfile.TemporaryFile("w+"))
        servers.append(subprocess.Popen([*serve(port, udp).split(), "-B", "127.0.0.1"], stdout=outputs[-1],
                                        stderr=subprocess.STDOUT))
    with guest(options, client_script("10.0.2.2", options.size), "--net", "user", "--nic", options.nic) as client:
        said = client.communicate()[0]
    for server in servers:
        server.terminate()
        server.wait()
    texts = []
    for output in outputs:
        output.seek(0)
        texts.append(output.read())
        output.close()
    return said, "@ tcp\n{}\n@ udp\n{}\n".format(*texts)


def judge(options, said, served):
    wrong = [line for line in (said + served).splitlines() if WRONG.search(line) and not HARMLESS.search(line)]
    client, server = sections(said), sections(served)
    expected = {"tcp": [], "udp": []}
    for name, _, _, udp, transfers in measurements(options.size):
        size = 2000000 if udp else options.size << 20
        text = client.get(name, "")
        got = [int(n) for n in BYTES.findall(text)]
        if "status 0" not in text:
            wrong.append(f"{name} did not end well")
        if udp:     # some may get lost, but every one is accounted for; the last one is an end
            lost = [tuple(map(int, pair)) for pair in LOST.findall(text)]
            if not lost or any(total != size // 1000 + 1 or 2 * gone > total for gone, total in lost):
                wrong.append(f"{name}: lost, of all: {lost}")
            if not got or min(got) < size / 2:
                wrong.append(f"{name}: bytes {got}")
        elif got != [size] * transfers:
            wrong.append(f"{name}: bytes {got}, not {transfers} times {size}")
        expected["udp" if udp else "tcp"] += [size] * transfers
    got = [int(n) for n in BYTES.findall(server.get("tcp", ""))]
    if got != expected["tcp"]:
        wrong.append(f"the server of tcp counted {got}, not {expected['tcp']}")
    if len(BYTES.findall(server.get("udp", ""))) != len(expected["udp"]):
        wrong.append("the server of udp counted fewer transfers")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="packages", default="iperf")
    parser.add_argument("--nic", default="virtio")
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
