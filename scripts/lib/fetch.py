#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""[--unpack] NAME...: fetch a pinned source tarball or binary package (sources.tsv) into the cache and print its path;
--unpack: that of a folder with the package's files.

Each file is judged by its SHA-256 alone: apt's exit status says nothing about it, since a package's
other files may be gone from the archive while the tarball that we want is there.

A row with a seventh column wants a part of a tarball inside of a binary package: what matches the patterns is
packed anew, always to the same bytes, so that the hash is good for every revision that has the same files.
"""

import fnmatch
import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import urllib.request

TABLE = pathlib.Path(__file__).with_name("sources.tsv")
SETUP = pathlib.Path(__file__).with_name("setup.sh")


def cache_folder():
    default = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return pathlib.Path(os.environ.get("CATHODE_CACHE") or default / "cathode")


def read_table():
    rows = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, package, revisions, file, sha256, url, *part = line.split("\t")
            rows[name] = (package, revisions.split(","), file, sha256, url, part[0] if part else "")
    return rows


def is_good(path, sha256):
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() in sha256.split(",")


def say(text):
    print(f"cathode: {text}", file=sys.stderr, flush=True)


def prepare_apt():
    """The private apt state that setup.sh defines; its lists may be missing or without deb-src."""
    conf = cache_folder() / "apt" / "apt.conf"
    lists = conf.parent / "lists"
    if not conf.exists() or not any(lists.glob("*Sources*")):
        subprocess.run(["bash", "-c", f". {SETUP}; apt_update"], check=True, stdout=sys.stderr)
    return conf


def try_apt(package, revisions, file, folder):
    conf = prepare_apt()
    for revision in revisions:
        command = ["download"] if file.endswith(".deb") else ["source", "--download-only"]
        subprocess.run(["apt-get", "-c", conf, "-qq", *command, f"{package}={revision}"],
                       cwd=folder, stdout=sys.stderr, check=False)
        if (folder / file).exists():
            return


def try_upstream(url, file, folder):
    if url == "-": # Debian's own archive: the file is nobody else's
        return
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            (folder / file).write_bytes(answer.read())
    except OSError as error:
        say(f"{url}: {error}")


def pack_anew(tarball, patterns, target):
    with tarfile.open(fileobj=tarball, mode="r|") as whole:
        files = {m.name: whole.extractfile(m).read() for m in whole
                 if m.isfile() and any(fnmatch.fnmatchcase(m.name, p) for p in patterns)}
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as out:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            out.addfile(member, io.BytesIO(files[name]))


def try_part(package, revisions, file, part, sha256, folder):
    """part: the tarball's path in the package, then the patterns."""
    inside, *patterns = part.split()
    for revision in revisions:
        subprocess.run(["apt-get", "-c", prepare_apt(), "-qq", "download", f"{package}={revision}"],
                       cwd=folder, stdout=sys.stderr, check=False)
        for deb in folder.glob("*.deb"):
            command = f"dpkg-deb --fsys-tarfile '{deb}' | tar -xO '{inside}' | xz -dcT0"
            with subprocess.Popen(command, shell=True, stdout=subprocess.PIPE) as unpacked:
                pack_anew(unpacked.stdout, patterns, folder / file)
            deb.unlink()
        if is_good(folder / file, sha256):
            return


def fetch(name):
    package, revisions, file, sha256, url, part = read_table()[name]
    target = cache_folder() / "sources" / file
    if is_good(target, sha256):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    say(f"fetching the source of {name}: {file}")
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        folder = pathlib.Path(temporary)
        for attempt in (lambda: try_part(package, revisions, file, part, sha256, folder) if part else
                        try_apt(package, revisions, file, folder),
                        lambda: try_upstream(url, file, folder)):
            try:
                attempt()
            except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
                say(f"{name}: {error}")
            if is_good(folder / file, sha256):
                (folder / file).replace(target)
                return target
    raise SystemExit(f"cathode: could not fetch {file} with SHA-256 {sha256}; "
                     f"put it into {target.parent} and start again")


def unpack(name):
    """A folder with the files of a binary package, those of its pinned hash."""
    deb = fetch(name)
    target = cache_folder() / "unpacked" / f"{deb.stem}-{hashlib.sha256(deb.read_bytes()).hexdigest()[:16]}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
            folder = pathlib.Path(temporary) / "files"
            subprocess.run(["dpkg-deb", "-x", deb, folder], check=True, stdout=sys.stderr)
            try:
                folder.rename(target)
            except OSError:     # another was first
                pass
    return target


def main():
    get = unpack if sys.argv[1:2] == ["--unpack"] else fetch
    names = sys.argv[1 + (get is unpack):] or list(read_table())
    for name in names:
        if name not in read_table():
            raise SystemExit(f"cathode: no source called {name} in {TABLE}")
        print(get(name))


if __name__ == "__main__":
    main()
