#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lighttpd in the guest under load from this machine: wrk with 200 connections, then 2,000 connections that are
open at once and each get their answer. Asserts data and the absence of errors, never speed.

http_load_test.py [--with lighttpd] [--nic KIND] [--seconds S]
"""

import argparse
import os
import pathlib
import re
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import time

from ssh_test import free_port

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
LIMIT = 600     # seconds: bounds hangs
CONNECTIONS = 2000
CONFIGURATION = """
server.document-root = "/www"
server.port = 80
server.max-fds = 8192
server.max-connections = 4096
server.max-keep-alive-idle = 600
server.max-keep-alive-requests = 1000000
server.max-read-idle = 600
"""


def start(options, overlay, port):
    return subprocess.Popen(
        [RUN, "--no-build", "--boot", "direct", "--memory", "1G", "--with", options.packages, "--nic", options.nic,
         "--overlay", overlay, "--forward", f"{port}:80", "--timeout", str(LIMIT), "--exec",
         f"lighttpd -f /etc/lighttpd.conf && sleep {LIMIT}"], stdin=subprocess.DEVNULL, start_new_session=True)


def answer(connection):
    """The body of an answer with a length."""
    stream = connection.makefile("rb")
    status, length = stream.readline(), None
    while (line := stream.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return stream.read(length) if status.startswith(b"HTTP/1.1 200 ") and length is not None else None


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def ask(connection):
    connection.sendall(b"GET /data HTTP/1.1\r\nHost: guest\r\n\r\n")


def wait_until_served(port, data):
    for _ in range(LIMIT):
        try:
            with connect(port) as connection:
                ask(connection)
                if answer(connection) == data:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit("not ok: no answer from the guest")


def load(port, seconds):
    """What wrk found wrong."""
    out = subprocess.run(["wrk", "-t2", "-c200", f"-d{seconds}s", "--timeout", "60s", f"http://127.0.0.1:{port}/data"],
                         capture_output=True, text=True, check=True).stdout
    print(out)
    requests = re.search(r"(\d+) requests in", out)
    wrong = [line for line in out.splitlines() if "Socket errors" in line or "Non-2xx" in line]
    return wrong if requests and int(requests.group(1)) >= 2000 else [*wrong, "fewer than 2,000 requests"]


def many(port, data):
    """How many connections, all open at once, got the right answer. Each has asked before the next is made: the
    emulator's own listener holds but one that it has not accepted."""
    connections, good = [], 0
    for _ in range(CONNECTIONS):
        connections.append(connect(port))
        ask(connections[-1])
        good += answer(connections[-1]) == data
    print(f"{good} of {CONNECTIONS} connections are open", flush=True)
    with selectors.DefaultSelector() as wait:
        for connection in connections:
            ask(connection)
            wait.register(connection, selectors.EVENT_READ)
        good = 0
        while wait.get_map() and (ready := wait.select(60)):
            for key, _ in ready:
                wait.unregister(key.fileobj)
                good += answer(key.fileobj) == data
    for connection in connections:
        connection.close()
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--with", dest="packages", default="lighttpd")
    parser.add_argument("--nic", default="virtio")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as temporary:
        overlay, port, data = pathlib.Path(temporary), free_port(), os.urandom(5000)
        (overlay / "etc").mkdir()
        (overlay / "etc/lighttpd.conf").write_text(CONFIGURATION, encoding="utf-8")
        (overlay / "www").mkdir()
        (overlay / "www/data").write_bytes(data)
        guest = start(options, overlay, port)
        try:
            wait_until_served(port, data)
            wrong = load(port, options.seconds)
            answered = many(port, data)
        finally:
            os.killpg(guest.pid, 9)
            guest.wait()
    good = not wrong and answered == CONNECTIONS
    print("ok" if good else "not ok:", *wrong, f"{answered} of {CONNECTIONS} connections answered")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
