#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The installed toolchain, as README.md of sysroot/ tells to use it; and programs of other compilers."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DYNAMIC = """thread: local 6, library 112131
main: local 5, library 122232
opened: 101
again: 132
missing: not there
word: {}
"""
CXX = """from the depth, 10 frames
1 1
3 9
5 25
7 49
in another thread
"/etc/passwd"
terminated
"""


def call(*words, **options):
    result = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, check=False, **options)
    return result.returncode, result.stdout, result.stderr


class ToolchainTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.prefix = cls.folder / "toolchain"
        subprocess.run([ROOT / "scripts/toolchain", "--prefix", cls.prefix], check=True)
        cls.bin = cls.prefix / "bin"

    def setUp(self):
        self.work = self.folder / self.id().rsplit(".", 1)[1]
        self.work.mkdir()

    def good(self, *words, **options):
        status, out, err = call(*words, cwd=options.pop("cwd", self.work), **options)
        self.assertEqual(status, 0, f"{words}\n{out}{err}")
        return out

    def cc(self, *words):
        return self.good(self.bin / "x86_64-cathode-cc", "-O2", *words)

    def run_there(self, *words, **options):
        return call(self.bin / "cathode-run", "--timeout", "120", *words, cwd=self.work, **options)

    def test_hello(self):
        (self.work / "hello.c").write_text('#include <stdio.h>\nint main(int c, char **v) {\n'
                                           '    printf("hello %s\\n", v[1]);\n    return c;\n}\n')
        for link in ("-static", "-static-pie", "-pie", "-no-pie"):
            self.cc(link, "-o", "hello", "hello.c")
            self.assertEqual(self.run_there("./hello", "a b"), (2, "hello a b\n", ""), link)
        environment = dict(os.environ, CATHODE_RUN_ENV="A NOT_SET", A="x  y")
        (self.work / "script").write_text('#!/bin/sh\necho "$A|$B"\ncat hello.c | wc -l\nfalse\n')
        (self.work / "script").chmod(0o755)
        self.assertEqual(self.run_there("./script", env=environment), (1, "x  y|\n5\n", ""))
        self.assertEqual(self.run_there("./nothing")[0], 127)

    def build_dynamic(self, compiler):
        for name in ("linked", "opened", "preloaded"):
            self.good(*compiler, "-shared", "-fPIC", "-o", f"lib{name}.so", HERE / f"{name}.c")
        self.good(*compiler, "-o", "main", HERE / "main.c", "-L.", "-llinked", "-Wl,-rpath,$ORIGIN")

    def check_dynamic(self):
        self.assertEqual(self.run_there("./main", "./libopened.so"), (3, DYNAMIC.format("linked"), ""))
        (self.work / "preload").write_text("#!/bin/sh\nLD_PRELOAD=$PWD/libpreloaded.so exec ./main ./libopened.so\n")
        (self.work / "preload").chmod(0o755)
        self.assertEqual(self.run_there("./preload"), (3, DYNAMIC.format("preloaded"), ""))

    def test_shared_libraries(self):
        self.build_dynamic([self.bin / "x86_64-cathode-cc", "-O2"])
        self.check_dynamic()

    def test_musl_gcc(self):
        """Dynamically linked by the build host's own musl-gcc: nothing of ours is in them."""
        self.assertTrue(shutil.which("musl-gcc"), "package musl-tools")
        self.build_dynamic(["musl-gcc", "-O2"])
        self.check_dynamic()

    def test_cxx(self):
        for link in ("-static", "-pie"):
            self.good(self.bin / "x86_64-cathode-c++", "-O1", link, "-o", "program", HERE / "program.cpp")
            self.assertEqual(self.run_there("./program"), (9, CXX, ""), link)

    def test_cmake(self):
        for name in ("CMakeLists.txt", "main.c", "linked.c", "opened.c", "program.cpp"):
            shutil.copy(HERE / name, self.work)
        self.good("cmake", "-G", "Ninja", "-B", "build",
                  f"-DCMAKE_TOOLCHAIN_FILE={self.prefix}/share/cathode/toolchain.cmake")
        self.good("cmake", "--build", "build")
        self.assertIn("100% tests passed", self.good("ctest", cwd=self.work / "build"))

    def test_configure(self):
        """A package with a configure script: dash."""
        source = self.good("python3", ROOT / "scripts/lib/fetch.py", "dash").strip()
        self.good("tar", "-xf", source, "--strip-components=1")
        self.good("./configure", "--host=x86_64-linux-musl", f"CC={self.bin}/x86_64-cathode-cc", "CFLAGS=-O1 -w")
        self.good("make", "-s", "-j2")
        self.assertEqual(self.run_there("src/dash", "-c", "echo $((6 * 7))"), (0, "42\n", ""))

    def test_scheme_server(self):
        """servers/example, built outside of the tree and started from an overlay."""
        flags = self.good(self.bin / "x86_64-cathode-pkg-config", "--cflags", "--libs", "cathode-scheme").split()
        (self.work / "lib/servers").mkdir(parents=True)
        (self.work / "lib/services").mkdir()
        self.cc("-std=c23", "-static", "-o", "lib/servers/notes", ROOT / "servers/example/main.c", *flags)
        (self.work / "lib/services/notes").write_text("program /lib/servers/notes\nscheme notes 50\n")
        status, out, err = call(ROOT / "scripts/run", "--no-build", "--boot", "direct", "--overlay", self.work,
                                "--exec", "echo kept > /scheme/notes; head -n 1 /scheme/notes")
        self.assertEqual((status, out), (0, "kept\n"), err)


if __name__ == "__main__":
    unittest.main()
