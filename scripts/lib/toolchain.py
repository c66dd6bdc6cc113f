#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/toolchain: install a cross toolchain for Cathode into a folder, which needs no build folder then.

  bin/        x86_64-cathode-cc, -c++, -ar and so on; x86_64-cathode-pkg-config; cathode-run
  sysroot/    headers and libraries: the C and C++ libraries, libcathode-scheme for servers
  share/cathode/toolchain.cmake    for cmake -DCMAKE_TOOLCHAIN_FILE=
  libexec/cathode/                 the system that cathode-run boots
It uses clang, lld and LLVM's tools where they are installed. sysroot/README.md tells how to use it.
"""

import argparse
import pathlib
import shutil
import sys

import build

TOOLS = ("ar", "ranlib", "strip", "nm", "objcopy", "objdump", "readelf", "size", "strings")
RUNTIME = ("cathode_run", "run", "build", "machine", "qmp", "exec_channel", "cpio", "grub", "media", "root_image")
SCHEME = build.ROOT / "servers/lib/scheme"

PKG_CONFIG = """#!/bin/sh
# pkg-config that sees the sysroot's packages only.
here=$(dirname "$(readlink -f "$0")")
export PKG_CONFIG_PATH= PKG_CONFIG_LIBDIR="$here/../sysroot/lib/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$here/../sysroot"
exec pkg-config "$@"
"""

RUN = """#!/bin/sh
# Runs a program in a Cathode system of its own: cathode-run --help.
exec python3 "$(dirname "$(readlink -f "$0")")/../libexec/cathode/cathode_run.py" "$@"
"""

SCHEME_PC = """Name: cathode-scheme
Description: the loop, object ids and readiness that scheme servers are made with
Version: 0.1
Cflags: -I${pc_sysrootdir}/include/cathode
Libs: -L${pc_sysrootdir}/lib -lcathode-scheme
"""

CMAKE = """# CMake toolchain file: cmake -DCMAKE_TOOLCHAIN_FILE=<this file>
set(CMAKE_SYSTEM_NAME Linux) # its ABI; CMAKE_SYSTEM_NAME Cathode is unknown to other projects
set(CMAKE_SYSTEM_PROCESSOR x86_64)
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH root)
cmake_path(GET root PARENT_PATH root)
set(CMAKE_C_COMPILER ${root}/bin/x86_64-cathode-cc)
set(CMAKE_CXX_COMPILER ${root}/bin/x86_64-cathode-c++)
set(CMAKE_AR ${root}/bin/x86_64-cathode-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${root}/bin/x86_64-cathode-ranlib CACHE FILEPATH "")
set(CMAKE_STRIP ${root}/bin/x86_64-cathode-strip CACHE FILEPATH "")
set(CMAKE_SYSROOT ${root}/sysroot)
set(CMAKE_FIND_ROOT_PATH ${root}/sysroot)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR ${root}/bin/cathode-run)
set(PKG_CONFIG_EXECUTABLE ${root}/bin/x86_64-cathode-pkg-config CACHE FILEPATH "")
"""


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def copy_tree(source, target):
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, symlinks=True)


def install_tools(prefix, folder):
    bin_ = prefix / "bin"
    bin_.mkdir(parents=True, exist_ok=True)
    for name in ("cc", "c++"):
        shutil.copy2(folder / "bin" / f"x86_64-cathode-{name}", bin_)
    for name in TOOLS:
        tool = shutil.which(f"llvm-{name}-19") or shutil.which(f"llvm-{name}")
        if not tool:
            sys.exit(f"cathode: no llvm-{name} (package llvm-19)")
        write(bin_ / f"x86_64-cathode-{name}", f'#!/bin/sh\nexec {tool} "$@"\n', 0o755)
    write(bin_ / "x86_64-cathode-pkg-config", PKG_CONFIG, 0o755)
    write(prefix / "share/cathode/toolchain.cmake", CMAKE)


def install_sysroot(prefix, folder):
    sysroot = prefix / "sysroot"
    copy_tree(folder / "sysroot", sysroot)
    copy_tree(build.ROOT / "kernel/include/abi", sysroot / "include/abi")
    copy_tree(SCHEME / "include", sysroot / "include/cathode")
    shutil.copy2(folder / "servers/lib/scheme/libscheme.a", sysroot / "lib/libcathode-scheme.a")
    write(sysroot / "lib/pkgconfig/cathode-scheme.pc", SCHEME_PC)


def install_system(prefix, folder, kernel):
    libexec = prefix / "libexec/cathode"
    libexec.mkdir(parents=True, exist_ok=True)
    shutil.copy2(kernel / "kernel.elf", libexec)
    shutil.copy2(folder / "initfs.cpio", libexec)
    for name in RUNTIME:
        shutil.copy2(pathlib.Path(__file__).with_name(f"{name}.py"), libexec)
    write(prefix / "bin/cathode-run", RUN, 0o755)


def main():
    parser = argparse.ArgumentParser(prog="scripts/toolchain", description=__doc__.split(": ", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", required=True, type=pathlib.Path, metavar="DIR")
    prefix = parser.parse_args().prefix.resolve()
    folder = build.build("debug", ("libposix", "libcxx", "scheme", "initfs"))
    kernel = build.build("release", ("kernel",))
    install_tools(prefix, folder)
    install_sysroot(prefix, folder)
    install_system(prefix, folder, kernel)
    build.say(f"installed; put {prefix}/bin into your PATH")


if __name__ == "__main__":
    main()
