#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/image: make a GPT disk image (for a USB stick) and an ISO that boot under UEFI."""

import argparse
import pathlib
import subprocess
import sys

import build
import machine
import media


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/image", description=__doc__.split(": ", 1)[1],
        allow_abbrev=False)
    parser.add_argument("--preset", default="release")
    parser.add_argument("--output", metavar="DIR", help="where to (the preset's build folder)")
    parser.add_argument("--overlay", metavar="DIR", help="add a folder's files to the root")
    parser.add_argument("--append", default="", metavar="ARGS", help="kernel command line")
    parser.add_argument("--menu", type=int, default=3, metavar="S", help="show GRUB's menu, S seconds (3)")
    parser.add_argument("--no-build", action="store_true", help="use what is built")
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    folder = build.build_folder(options.preset)
    if not options.no_build:
        build.build(options.preset)
    output = pathlib.Path(options.output or folder)
    output.mkdir(parents=True, exist_ok=True)
    with machine.Machine(folder, overlay=options.overlay) as source:
        media.make_system(folder, options.append, output / "cathode.img", overlay=options.overlay, menu=options.menu)
        media.make("iso", folder, source.modules(), options.append, output / "cathode.iso", options.menu)
        print(output / "cathode.img", output / "cathode.iso", sep="\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (machine.HostError, subprocess.CalledProcessError) as error:
        build.say(error)
        sys.exit(125)
