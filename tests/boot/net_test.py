#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The network through a card: QEMU's user network, programs of this machine as peers.

net_test.py [-k PATTERN] runs the cases whose names match, in the preset debug. They judge data, never speed.
"""

import contextlib
import hashlib
import http.server
import os
import pathlib
import re
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
HOST = "10.0.2.2"       # this machine, as the guest sees it: connections come to 127.0.0.1 here
CARDS = ("virtio", "e1000")
SIZE = 8 << 20


def command(script, *options, nic="virtio"):
    return [RUN, "--no-build", "--boot", "direct", "--timeout", "300", "--net", "user", "--nic", nic, *options,
            "--exec", script]


def run(script, *options, nic="virtio"):
    """(status, stdout) of a script in the guest, after its network has come up."""
    wait = "i=0; while [ ! -e /etc/resolv.conf ] && [ $i -lt 100 ]; do sleep 0.2; i=$((i+1)); done\n"
    result = subprocess.run(command(wait + script, *options, nic=nic), capture_output=True, check=False, text=True)
    return result.returncode, result.stdout + result.stderr


@contextlib.contextmanager
def serving(server):
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Files(http.server.SimpleHTTPRequestHandler):
    folder = None

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=self.folder)

    def log_message(self, *_):
        pass

    def do_PUT(self):   # pylint: disable=invalid-name
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came = hashlib.md5(data).hexdigest()
        self.send_response(200)
        self.end_headers()


class NameServer(socketserver.BaseRequestHandler):
    """Knows one name."""

    def handle(self):
        data, answer = self.request
        end = data.index(b"\0", 12) + 5
        question, kind = data[12:end], struct.unpack(">H", data[end - 4:end - 2])[0]
        known = question.startswith(b"\x04host\x04test\0") and kind == 1
        reply = data[:2] + struct.pack(">HHHHH", 0x8180 if question.startswith(b"\x04host") else 0x8183, 1, known, 0, 0)
        reply += question
        if known:
            reply += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(HOST)
        answer.sendto(reply, self.client_address)


class TimeServer(socketserver.BaseRequestHandler):
    """NTP, RFC 5905 §7.3: a clock a thousand seconds ahead."""

    def handle(self):
        data, answer = self.request
        now = struct.pack(">II", int(time.time()) + 1000 + 2208988800, 0)
        head = struct.pack(">BBbbII4s", 4 << 3 | 4, 1, 4, -20, 0, 0, b"LOCL")
        answer.sendto(head + now + data[40:48] + now + now, self.client_address)


class NetTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def http_server(self):
        handler = type("Handler", (Files,), {"folder": str(self.folder)})
        return serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))

    def test_address_and_tools(self):
        for nic in CARDS:
            with self.subTest(nic):
                status, out = run(f"cat /etc/resolv.conf; ip -4 addr show eth0; ifconfig eth0; route -n; ip route; "
                                  f"netstat -rn >/dev/null && ping -c 2 {HOST}", nic=nic)
                self.assertEqual(status, 0, out)
                self.assertIn("nameserver 10.0.2.3", out)
                self.assertIn("inet 10.0.2.15/24", out)
                self.assertIn("inet addr:10.0.2.15  Bcast:10.0.2.255  Mask:255.255.255.0", out)
                self.assertIn("default via 10.0.2.2 dev eth0", out)
                self.assertIn("2 packets received, 0% packet loss", out)

    def test_download(self):
        data = os.urandom(SIZE)
        (self.folder / "data").write_bytes(data)
        for nic in CARDS:
            with self.subTest(nic), self.http_server() as port:
                status, out = run(f"wget -q -O - http://{HOST}:{port}/data | md5sum", nic=nic)
                self.assertEqual((status, out.split()[0]), (0, hashlib.md5(data).hexdigest()))

    def test_upload_by_name_of_the_scheme(self):
        """No socket call: the file tcp:ADDRESS:PORT is a connection."""
        script = ("head -c 3000000 /dev/urandom >/tmp/f; exec 3<>/scheme/tcp/{0}:{1}; "
                  "printf 'PUT / HTTP/1.0\\r\\nContent-Length: 3000000\\r\\n\\r\\n' >&3; cat /tmp/f >&3; "
                  "head -n 1 <&3; md5sum </tmp/f")
        handler = type("Handler", (Files,), {"folder": str(self.folder)})
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, serving(server) as port:
            status, out = run(script.format(HOST, port))
            self.assertEqual(status, 0, out)
            self.assertIn("200 OK", out)
            self.assertIn(server.came, out)

    def test_refused(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        status, out = run(f"wget -q -O - http://{HOST}:{port}/")
        self.assertNotEqual(status, 0)
        self.assertIn("refused", out)

    def test_serving(self):
        """busybox's httpd, many connections at once."""
        script = "mkdir /tmp/w; head -c 300000 /dev/zero >/tmp/w/f; httpd -p 80 -h /tmp/w; read line"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with subprocess.Popen(command(script, "--forward", f"{port}:80"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as guest:
            got = self.fetch(port)
            self.assertEqual(got, bytes(300000))
            results = []
            threads = [threading.Thread(target=lambda: results.append(self.fetch(port) == got)) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(results, [True] * 20)
            guest.communicate(b"\n")

    def fetch(self, port):
        for _ in range(100):
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/f", timeout=60) as answer:
                    return answer.read()
            time.sleep(0.3)
        return None

    def test_names(self):
        try:
            server = socketserver.ThreadingUDPServer(("127.0.0.1", 53), NameServer)
        except OSError as error:
            self.skipTest(f"port 53: {error}")
        with serving(server), self.http_server() as port:
            (self.folder / "data").write_text("by name\n", encoding="utf-8")
            status, out = run(f"echo nameserver {HOST} >/etc/resolv.conf; wget -q -O - http://host.test:{port}/data; "
                              f"wget -q -O - http://nobody.test/ || echo none")
        self.assertEqual(status, 0, out)
        self.assertIn("by name", out)
        self.assertIn("none", out)

    def test_ways_and_pipes(self):
        """busybox's traceroute, by UDP and ICMP, and nc at both ends."""
        status, out = run(f"traceroute -n {HOST}; traceroute -n -I {HOST}; traceroute6 -n ::1; "
                          "(echo listener | nc -l -p 99) & sleep 1; echo caller | nc 127.0.0.1 99; "
                          "nc -lk -p 98 -e cat & sleep 1; for i in 1 2 3; do echo echo $i | nc -w 5 127.0.0.1 98; done",
                          nic="e1000")
        self.assertEqual(status, 0, out)
        self.assertEqual(len(re.findall(rf"^ *1 +{re.escape(HOST)} +[0-9.]+ ms", out, re.MULTILINE)), 2, out)
        self.assertRegex(out, re.compile(r"^ *1 +::1 +[0-9.]+ ms", re.MULTILINE))
        for word in "listener", "caller", "echo 1", "echo 2", "echo 3":
            self.assertIn(word, out)

    def test_time(self):
        """busybox's ntpd sets the clock."""
        try:
            server = socketserver.ThreadingUDPServer(("127.0.0.1", 123), TimeServer)
        except OSError as error:
            self.skipTest(f"port 123: {error}")
        with serving(server):
            status, out = run(f"date +before%s; timeout 60 ntpd -n -q -p {HOST}; date +after%s")
        self.assertEqual(status, 0, out)
        passed = int(re.search("after([0-9]+)", out)[1]) - int(re.search("before([0-9]+)", out)[1])
        self.assertIn(passed, range(995, 1200), out)

    def test_server_killed(self):
        """Connections are reset, new ones work at once, the address comes again."""
        (self.folder / "data").write_text("again\n", encoding="utf-8")
        with self.http_server() as port:
            status, out = run(f"exec 3<>/scheme/tcp/{HOST}:{port}; service restart net; cat <&3; echo connection $?; "
                              f"i=0; until wget -q -O - http://{HOST}:{port}/data; do sleep 0.5; i=$((i+1)); "
                              "[ $i -lt 40 ] || exit 1; done")
        self.assertEqual(status, 0, out)
        self.assertIn("connection 1", out)
        self.assertIn("again", out)

    def test_listener_outlives_server(self):
        """A server program that waits in accept(): this machine connects to it after the network server was killed."""
        script = ("mkdir /tmp/w; head -c 300000 /dev/zero >/tmp/w/f; httpd -f -p 80 -h /tmp/w & read line; "
                  "kill -9 $(pidof net); read line; kill $! && echo it lived")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with subprocess.Popen(command(script, "--forward", f"{port}:80"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as guest:
            self.assertEqual(self.fetch(port), bytes(300000))
            guest.stdin.write(b"kill\n")
            guest.stdin.flush()
            time.sleep(0.5)
            self.assertEqual(self.fetch(port), bytes(300000))
            self.assertIn(b"it lived", guest.communicate(b"\n")[0])

    def test_confined(self):
        """confine(1), by root and by somebody: one server is reached, another isn't."""
        data = os.urandom(1 << 20)
        (self.folder / "data").write_bytes(data)
        with self.http_server() as port, self.http_server() as other:
            there, elsewhere = f"http://{HOST}:{port}/data", f"http://{HOST}:{other}/data"
            script = (f"confine --tcp {HOST}/32:{port} -- sh -c 'wget -q -O - {there} | md5sum; "
                      f"wget -q -O - {elsewhere}; ping -c 1 {HOST}'; "
                      f"confine wget -q -O - {there}; wget -q -O - {elsewhere} | md5sum; "
                      f"su user -c 'confine --tcp {HOST}:{port} wget -q -O - {there} | md5sum; "
                      f"confine --tcp {HOST}:{port} wget -q -O - {elsewhere}'")
            _, out = run(script)
        self.assertEqual(out.count(hashlib.md5(data).hexdigest()), 3, out)
        self.assertEqual(out.count(f"can't connect to remote host ({HOST}): Permission denied"), 2, out)
        self.assertEqual(out.count("Address family not supported by protocol"), 2, out)

    def test_by_hand(self):
        overlay = self.folder / "overlay"
        (overlay / "etc").mkdir(parents=True)
        (overlay / "etc/network.conf").write_text("eth0 static 10.0.2.77/24 gateway 10.0.2.2 dns 10.0.2.3\n",
                                                  encoding="utf-8")
        status, out = run("ip -4 addr show eth0; ip route; ip addr del 10.0.2.77/24 dev eth0; "
                          "ifconfig eth0 10.0.2.99 netmask 255.255.255.0; route add -net 192.0.2.0/24 gw 10.0.2.2; "
                          f"route -n; ping -c 1 {HOST}; ip link set eth0 down; ifconfig; "
                          f"ping -c 1 -W 1 {HOST} || echo unreachable", "--overlay", str(overlay))
        self.assertEqual(status, 0, out)
        self.assertIn("inet 10.0.2.77/24", out)
        self.assertIn("default via 10.0.2.2", out)
        self.assertTrue(re.search(r"^192\.0\.2\.0 +10\.0\.2\.2 +255\.255\.255\.0", out, re.MULTILINE), out)
        self.assertIn("1 packets received", out)
        self.assertIn("unreachable", out)

    def test_ipv6(self):
        """The address comes by a router's advertisement."""
        data = os.urandom(1 << 20)
        (self.folder / "data").write_bytes(data)

        class Server6(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6

        handler = type("Handler", (Files,), {"folder": str(self.folder)})
        wait = ("i=0; until ip -6 addr show eth0 | grep 'fec0.*global'; do sleep 0.2; i=$((i+1)); "
                "[ $i -lt 100 ] || exit 1; done; ")
        with serving(Server6(("::1", 0), handler)) as port:
            status, out = run(wait + f"sleep 2; ping -c 1 fec0::2; wget -q -O - http://[fec0::2]:{port}/data | md5sum")
        self.assertEqual(status, 0, out)
        self.assertIn(hashlib.md5(data).hexdigest(), out)

    def test_two_cards(self):
        status, out = run("i=0; until ip -4 addr show eth1 | grep inet; do sleep 0.2; i=$((i+1)); "
                          "[ $i -lt 100 ] || exit 1; done; ping -c 1 10.0.3.2; ping -c 1 10.0.2.2",
                          "--net", "user,net=10.0.3.0/24")
        self.assertEqual(status, 0, out)
        self.assertIn("inet 10.0.3.15/24", out)
        self.assertEqual(out.count("1 packets received"), 2)


if __name__ == "__main__":
    unittest.main()
