#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ids.py DEB OUT: the names of Debian's package pci.ids that lspci shows (classes, vendors, devices), compressed.

Without subsystems, programming interfaces and comments it is 180 KiB of 1.3 MiB.
"""

import gzip
import io
import subprocess
import sys
import tarfile

MEMBER = "./usr/share/misc/pci.ids"


def main():
    deb, out = sys.argv[1:]
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as files:
        lines = files.extractfile(MEMBER).read().splitlines(keepends=True)
    kept = b"".join(line for line in lines if line.strip() and not line.startswith((b"#", b"\t\t")))
    with open(out, "wb") as file:
        file.write(gzip.compress(kept, 9, mtime=0))


if __name__ == "__main__":
    main()
