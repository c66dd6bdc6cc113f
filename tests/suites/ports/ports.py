#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a smoke test in the guest: FOLDER/test.sh must print what FOLDER/test.out says.

ports.py [--with NAME,...] [--source NAME] [--timeout S] [--root ram|disk] FOLDER
--with adds packages, which are built already; --source puts a pinned source to /usr/src/NAME.
"""

import argparse
import difflib
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import fetch  # pylint: disable=wrong-import-position


def make_overlay(overlay, options):
    shutil.copy(options.folder / "test.sh", overlay)
    if options.source:
        target = pathlib.Path(overlay, "usr/src")
        with tarfile.open(fetch.fetch(options.source)) as tar:
            top = tar.getnames()[0].split("/")[0]
            tar.extractall(target)
        (target / top).rename(target / options.source)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--with", dest="packages", default="")
    parser.add_argument("--source")
    parser.add_argument("--timeout", default="600")
    parser.add_argument("--root", default="ram", choices=("ram", "disk"))
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as overlay:
        make_overlay(overlay, options)
        result = subprocess.run(
            [ROOT / "scripts/run", "--no-build", "--boot", "direct", "--memory", "1G", "--root", options.root, "--with",
             options.packages, "--overlay", overlay, "--timeout", options.timeout, "--exec", "sh /test.sh 2>&1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    expected = (options.folder / "test.out").read_text(encoding="utf-8").splitlines()
    printed = result.stdout.decode(errors="replace").splitlines()
    for line in difflib.unified_diff(expected, printed, "expected", "printed", lineterm=""):
        print(line)
    print(f"{options.folder.name}: exit status {result.returncode}")
    return 0 if result.returncode == 0 and expected == printed else 1


if __name__ == "__main__":
    sys.exit(main())
