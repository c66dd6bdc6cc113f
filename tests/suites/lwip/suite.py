#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lwIP's own unit tests, of the pinned source with the network server's patches (whose hooks are left out), on this
machine under ASan and UBSan. They have options of their own.

Not checked, as lwIP counts on it: alignment beyond what the machine needs, functions called by another type.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
NET = HERE.parents[2] / "servers" / "net"
sys.path.insert(0, str(HERE.parents[2] / "scripts" / "lib"))
import build    # noqa: E402
import fetch    # noqa: E402

LEAST = 100     # so many there are, and more
FLAGS = "-g -O1 -w -fsanitize=address,undefined -fno-sanitize=alignment,function -fno-sanitize-recover=all".split()
PARTS = ("test/unit/*.c", "test/unit/*/*.c", "src/core/*.c", "src/core/ipv[46]/*.c", "src/api/*.c",
         "src/netif/ethernet.c", "src/apps/mqtt/*.c", "src/apps/mdns/*.c")


def unpack(folder):
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(fetch.fetch("lwip")) as tar:
        tar.extractall(folder)
    source = next(path for path in folder.iterdir() if path.is_dir())
    words = re.search(r"cathode_unpack\(lwip lwip (.*?)\)", (NET / "CMakeLists.txt").read_text(encoding="utf-8"))
    for patch in words.group(1).split():
        subprocess.run(["patch", "-s", "-p1", "-d", source, "-i", NET / patch], check=True)
    return source


def main():
    work = build.build_folder("debug") / "suites" / "lwip"
    source = unpack(work / "source")
    (work / "config.h").touch()     # one of lwIP's headers wants it
    files = [path for part in PARTS for path in sorted(source.glob(part))]
    subprocess.run(["clang-19", *FLAGS, "-o", work / "lwip_unit", f"-I{HERE}", f"-I{work}", f"-I{source}/test/unit",
                    f"-I{source}/src/include", *files, "-lcheck", "-lsubunit", "-lm", "-lrt", "-lpthread"], check=True)
    out = subprocess.run([work / "lwip_unit"], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         check=False)
    print(out.stdout)
    result = re.search(r"^100%: Checks: (\d+), Failures: 0, Errors: 0$", out.stdout, re.MULTILINE)
    return 0 if out.returncode == 0 and result and int(result.group(1)) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
