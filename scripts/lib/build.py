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
    """Show the command's output, or keep it in a file and show that if the command fails."""
    if sys.stderr.isatty() if verbose is None else verbose:
        if subprocess.call(command, stdin=subprocess.DEVNULL, stdout=2):
            say("the build failed")
            sys.exit(125)
        return
    with open(log, "wb") as out:
        status = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    if status:
        lines = log.read_text(errors="replace").splitlines()[-60:]
        print(*(line[:300] for line in lines), sep="\n", file=sys.stderr)
        say(f"the build failed; all of its output is in {log}")
        sys.exit(125)


def configure(preset, verbose=None):
    """Make the build folder, if it isn't there yet."""
    folder = build_folder(preset)
    if (folder / "build.ninja").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    say(f"building preset {preset} in {folder}; the first time takes a few minutes")
    command = ["cmake", "-S", ROOT, "-B", folder, "--preset", preset]
    if preset not in ("debug", "aarch64"):
        configure("debug", verbose)
        command.append(f"-DCATHODE_USERLAND={build_folder('debug')}")
    run_logged(command, folder / "configure.log", verbose)
    return folder


def build(preset, targets=("kernel", "initfs"), verbose=None):
    """Build and return the folder; exits with a message if it can't be built."""
    folder = configure(preset, verbose)
    run_logged(["ninja", "-C", folder, *targets], folder / "build.log", verbose)
    return folder
