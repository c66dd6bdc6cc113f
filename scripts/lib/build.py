# SPDX-License-Identifier: MIT
"""Configure and build a preset. All output goes to stderr, and none of it if nothing is to be said
and stderr isn't a terminal: behind `scripts/run --exec` stderr belongs to the guest's program."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def say(text):
    print(f"cathode: {text}", file=sys.stderr, flush=True)


def build_folder(preset):
    """CATHODE_BUILD moves all build folders elsewhere."""
    return pathlib.Path(os.environ.get("CATHODE_BUILD") or ROOT / "build").resolve() / preset


def run_logged(command, log, verbose):
    if verbose:
        return subprocess.call(command, stdin=subprocess.DEVNULL, stdout=2) == 0
    with open(log, "ab") as out:
        return subprocess.call(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out) == 0


def build(preset, targets=("kernel", "initfs"), verbose=None):
    """Build and return the folder; exits with a message if it can't be built."""
    folder = build_folder(preset)
    verbose = sys.stderr.isatty() if verbose is None else verbose
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    log.unlink(missing_ok=True)
    configure = ["cmake", "-S", ROOT, "-B", folder, "--preset", preset]
    if preset not in ("debug", "aarch64"):
        configure.append(f"-DCATHODE_USERLAND={build_folder('debug')}")
    if not (folder / "build.ninja").exists():
        say(f"building preset {preset} in {folder}; the first time takes a few minutes")
        if preset not in ("debug", "aarch64"):
            build("debug", ("initfs",), verbose)
        check(run_logged(configure, log, verbose), log, verbose)
    check(run_logged(["ninja", "-C", folder, *targets], log, verbose), log, verbose)
    return folder


def check(good, log, verbose):
    if good:
        return
    if not verbose:
        lines = log.read_text(errors="replace").splitlines()
        print("\n".join(lines[-60:]), file=sys.stderr)
        say(f"all of it is in {log}")
    say("the build failed")
    sys.exit(125)
