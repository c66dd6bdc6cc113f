#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""curl and git in the guest, over http and https, from servers on this machine.

web_test.py [--with curl,git,cacert] [--nic KIND]
"""

import argparse
import contextlib
import hashlib
import http.server
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile

import net_test

NAME = "host.test"


def certificate(folder):
    """An authority of the test's own that vouches for the name: (certificate, key)."""
    paths = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
                    "-addext", f"subjectAltName=DNS:{NAME}", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    return paths


def repository(folder):
    """A bare one that plain files serve: (its name, the id of its head)."""
    work, bare = folder / "work", folder / "www" / "project.git"
    who = {"GIT_AUTHOR_NAME": "T", "GIT_COMMITTER_NAME": "T", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_EMAIL": "t@t"}

    def git(*words):
        return subprocess.run(["git", *map(str, words)], check=True, capture_output=True, text=True,
                              env={**os.environ, **who, "HOME": str(folder)}).stdout.strip()
    git("init", "-q", work)
    for number in range(20):
        (work / f"file{number}").write_bytes(os.urandom(5000))
        git("-C", work, "add", ".")
        git("-C", work, "commit", "-qm", f"Number {number}")
    git("clone", "-q", "--bare", work, bare)
    git("-C", bare, "update-server-info")
    return bare.name, git("-C", work, "rev-parse", "HEAD")


@contextlib.contextmanager
def servers(www, files):
    """Their ports: http's and https's."""
    handler = type("Handler", (net_test.Files,), {"folder": str(www)})
    plain, safe = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    safe.socket = context.wrap_socket(safe.socket, server_side=True)
    with net_test.serving(plain) as first, net_test.serving(safe) as second:
        yield first, second


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--with", dest="packages", default="curl,git,cacert")
    parser.add_argument("--nic", default="virtio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        www, overlay = folder / "www", folder / "overlay"
        (overlay / "etc").mkdir(parents=True)
        www.mkdir()
        data = os.urandom(net_test.SIZE)
        (www / "data").write_bytes(data)
        name, head = repository(folder)
        files = certificate(folder)
        (overlay / "authority.pem").write_bytes(files[0].read_bytes())
        (overlay / "etc/hosts").write_text(f"127.0.0.1 localhost\n{net_test.HOST} {NAME}\n", encoding="utf-8")
        with servers(www, files) as (plain, safe):
            status, out = net_test.run(f"""
                set -e
                curl -sS http://{NAME}:{plain}/data | md5sum
                curl -sS --cacert /authority.pem https://{NAME}:{safe}/data | md5sum
                curl -sS https://{NAME}:{safe}/data -o /dev/null || echo nobody vouches
                curl -sS --cacert /authority.pem --resolve wrong.test:{safe}:{net_test.HOST} -o /dev/null \
                    https://wrong.test:{safe}/data || echo another name
                git clone -q http://{NAME}:{plain}/{name} /tmp/one
                git -c http.sslCAInfo=/authority.pem clone -q https://{NAME}:{safe}/{name} /tmp/two
                git clone -q https://{NAME}:{safe}/{name} /tmp/three 2>/dev/null || echo git neither
                for i in one two; do git -C /tmp/$i rev-parse HEAD; git -C /tmp/$i fsck --full; done
            """, "--memory", "1G", "--with", options.packages, "--overlay", str(overlay), nic=options.nic)
    sums, words = out.count(hashlib.md5(data).hexdigest()), ("nobody vouches", "another name", "git neither")
    good = status == 0 and sums == 2 and out.count(head) == 2 and all(word in out for word in words)
    print(out, "ok" if good else f"not ok: status {status}, {sums} of 2 sums", sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
