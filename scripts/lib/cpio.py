#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write initfs archives: cpio "newc", laid out so that the kernel can use file data in place.

  - The data of a file of a page or more begins at a multiple of 4,096: its name field is padded
    with NULs. It is followed by zeros up to the next multiple. Smaller files are only aligned to 4.
  - A name field has at most 4,096 bytes: Linux passes over longer ones. What is missing to the boundary stands
    before the entry: zero bytes may stand between entries, and the archive's size is a multiple of 4,096, so that
    archives can be put one after the other.
  - Of hard links to one file (same inode number, link count above 1) the first carries the data.
  - Paths have no leading slash; parents come before children; user and group are those asked for.

A list (--list FILE) has lines, split like shell words, applied in order, later ones replacing:
    file PATH MODE UID GID SOURCE    dir PATH MODE UID GID    link PATH TARGET    tree PATH FOLDER
    mode PATH MODE UID GID (changes an entry made before)
"""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import stat
import sys

PAGE = 4096
NAME_MAX = 4096


class Entry:
    def __init__(self, mode, uid=0, gid=0, source=None, target=b"", mtime=0, link=None):
        self.mode, self.uid, self.gid = mode, uid, gid
        self.source, self.target, self.mtime, self.link = source, target, mtime, link
        self.size = os.path.getsize(source) if source else len(target)


def normal(path):
    return os.path.normpath("/" + path).strip("/")


class Archive:
    def __init__(self):
        self.entries = {}

    def add(self, path, entry):
        path = normal(path)
        if path:
            self.entries[path] = entry

    def add_file(self, path, source, mode, uid=0, gid=0, link=None):
        self.add(path, Entry(stat.S_IFREG | mode, uid, gid, source,
                             mtime=int(os.path.getmtime(source)), link=link))

    def add_tree(self, prefix, folder):
        """All below a folder, symbolic links as such; owned by root; sockets are left out."""
        root = os.fsencode(folder)
        for base, folders, files in os.walk(root):
            for name in sorted(folders + files):
                source = os.path.join(base, name)
                path = prefix + "/" + os.fsdecode(os.path.relpath(source, root))
                info = os.lstat(source)
                mode = stat.S_IMODE(info.st_mode)
                mtime = int(info.st_mtime)
                if stat.S_ISLNK(info.st_mode):
                    self.add(path, Entry(stat.S_IFLNK | 0o777, target=os.readlink(source),
                                         mtime=mtime))
                elif stat.S_ISREG(info.st_mode):
                    link = (info.st_dev, info.st_ino) if info.st_nlink > 1 else None
                    self.add_file(path, os.fsdecode(source), mode, link=link)
                elif stat.S_ISDIR(info.st_mode) or stat.S_ISFIFO(info.st_mode):
                    self.add(path, Entry(stat.S_IFMT(info.st_mode) | mode, mtime=mtime))

    def add_list(self, path):
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                words = shlex.split(line, comments=True)
                if words:
                    try:
                        self.add_line(*words)
                    except (TypeError, ValueError, KeyError, OSError) as error:
                        sys.exit(f"{path}:{number}: {error!r}")

    def add_line(self, kind, path, *words):
        if kind == "file":
            mode, uid, gid, source = words
            self.add_file(path, source, int(mode, 8), int(uid), int(gid))
        elif kind == "dir":
            mode, uid, gid = words
            self.add(path, Entry(stat.S_IFDIR | int(mode, 8), int(uid), int(gid)))
        elif kind == "link":
            (target,) = words
            self.add(path, Entry(stat.S_IFLNK | 0o777, target=os.fsencode(target)))
        elif kind == "tree":
            (folder,) = words
            self.add_tree(path, folder)
        elif kind == "mode":
            mode, uid, gid = words
            entry = self.entries[normal(path)]
            entry.mode = stat.S_IFMT(entry.mode) | int(mode, 8)
            entry.uid, entry.gid = int(uid), int(gid)
        else:
            raise ValueError(f"unknown word {kind}")

    def keep(self, paths):
        self.entries = {path: entry for path, entry in self.entries.items() if path in paths}

    def below(self, folder):
        """The same entries with paths below a folder."""
        archive = Archive()
        archive.entries = {f"{folder}/{path}": entry for path, entry in self.entries.items()}
        return archive

    def add_parents(self):
        for path in list(self.entries):
            parent = os.path.dirname(path)
            while parent and parent not in self.entries:
                self.entries[parent] = Entry(stat.S_IFDIR | 0o755)
                parent = os.path.dirname(parent)

        # What has no time of its own gets that of the newest file.
        newest = max((entry.mtime for entry in self.entries.values()), default=0)
        for entry in self.entries.values():
            entry.mtime = entry.mtime or newest

    def inputs(self):
        """What the archive's contents depend on, to tell whether it is up to date."""
        return [[path, e.mode, e.uid, e.gid, e.source, os.fsdecode(e.target), e.size,
                 os.stat(e.source).st_mtime_ns if e.source else e.mtime]
                for path, e in self.entries.items()]

    def write(self, out):
        self.add_parents()
        links = {}
        for entry in self.entries.values():
            if entry.link:
                links.setdefault(entry.link, []).append(entry)
        number = 0
        for path in sorted(self.entries, key=lambda p: p.split("/")):
            entry = self.entries[path]
            group = links.get(entry.link, [entry])
            first = not hasattr(group[0], "inode")
            if first:
                number += 1
                group[0].inode = number
            write_entry(out, path, entry, group[0].inode, len(group), first)
        write_header(out, 0, 0, 0, 0, 1, 0, 0, b"TRAILER!!!\0")
        pad(out, PAGE)


def pad(out, alignment):
    out.write(bytes(-out.tell() % alignment))


def write_header(out, inode, mode, uid, gid, nlink, mtime, size, name):
    fields = (inode, mode, uid, gid, nlink, mtime, size, 0, 0, 0, 0, len(name), 0)
    out.write(b"070701" + b"".join(b"%08X" % (f & 0xFFFFFFFF) for f in fields) + name)
    pad(out, 4)


def write_entry(out, path, entry, inode, nlink, has_data):
    size = entry.size if has_data else 0
    nlink = 2 if stat.S_ISDIR(entry.mode) else nlink
    name = os.fsencode(path) + b"\0"
    if entry.source and size >= PAGE:
        missing = -(out.tell() + 110 + len(name)) % PAGE
        if len(name) + missing > NAME_MAX:
            out.write(bytes(missing // 4 * 4))
            missing %= 4
        name += bytes(missing)
    write_header(out, inode, entry.mode, entry.uid, entry.gid, nlink, entry.mtime, size, name)
    if entry.source and size:
        start = out.tell()
        with open(entry.source, "rb") as source:
            shutil.copyfileobj(source, out, 1 << 20)
        if out.tell() - start != size:
            sys.exit(f"{entry.source}: its size changed while it was read")
        pad(out, PAGE if size >= PAGE else 4)
    else:
        out.write(entry.target)
        pad(out, 4)


def write_archive(archive, output):
    """Write a root file system, unless the inputs are those of the last time."""
    archive.entries.setdefault(".", Entry(stat.S_IFDIR | 0o755))
    archive.add_parents()
    stamp = pathlib.Path(output + ".inputs")
    inputs = json.dumps(archive.inputs())
    if os.path.exists(output) and stamp.exists() and stamp.read_text() == inputs:
        return
    with open(output + ".part", "wb") as out:
        archive.write(out)
    os.replace(output + ".part", output)
    stamp.write_text(inputs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--list", help="lines as described in this file's head")
    parser.add_argument("--only", metavar="FILE", help="keep only these paths of the list, one per line")
    parser.add_argument("--tree", help="a folder to become the root")
    args = parser.parse_args()
    archive = Archive()
    if args.tree:
        archive.add_tree("", args.tree)
    if args.list:
        archive.add_list(args.list)
    if args.only:
        lines = pathlib.Path(args.only).read_text(encoding="utf-8").split("\n")
        archive.keep({normal(line) for line in lines if not line.startswith("#")})
    write_archive(archive, args.output)


if __name__ == "__main__":
    main()
