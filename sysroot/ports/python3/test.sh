# SPDX-License-Identifier: MIT
python3 --version
python3 - <<'END'
import bz2, ctypes, curses, decimal, hashlib, json, lzma, multiprocessing, os, pty, select, socket, sqlite3, subprocess
import sys, threading, unicodedata, zlib

print(sys.platform, sys.version_info[:2], json.dumps({"a": [1, 2.5, None]}))
text = b"Cathode " * 1000
for module in zlib, bz2, lzma:
    print(module.__name__, len(module.compress(text)) < 200, module.decompress(module.compress(text)) == text)
print(hashlib.sha3_256(text).hexdigest()[:16], decimal.Decimal(2).sqrt(), unicodedata.name("é"))

# ctypes: the C library's qsort calls back
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 5)(33, 7, 99, 1, 5)
ctypes.CDLL(None).qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), Compare(lambda a, b: a[0] - b[0]))
print("qsort", list(numbers))

database = sqlite3.connect("/tmp/test.db")
database.execute("create table t (n integer)")
database.executemany("insert into t values (?)", [(n,) for n in range(100)])
database.commit()
print("sqlite", database.execute("select sum(n) from t").fetchone())

print("subprocess", subprocess.run(["tr", "a-z", "A-Z"], input=b"pipes", capture_output=True, check=True).stdout)
print("sh", subprocess.run("exit 3", shell=True).returncode)

results = []
threads = [threading.Thread(target=lambda n=n: results.append(n * n)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("threads", sorted(results))

with multiprocessing.get_context("fork").Pool(2) as pool:
    print("pool", pool.map(abs, [-1, -2, 3]))

a, b = socket.socketpair()
poll = select.epoll()
poll.register(b, select.EPOLLIN)
a.send(b"x")
print("epoll", poll.poll(10) == [(b.fileno(), select.EPOLLIN)])

pid, terminal = pty.fork()
if not pid:
    os.execlp("tty", "tty")
print("pty", os.read(terminal, 100).startswith(b"/dev/pts/"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
python3 -c 'import sys; sys.exit(7)'
echo "status $?"
echo 'raise ValueError("no")' | python3 2>&1 | tail -n 1
echo 'print(len(__import__("sys").stdin.read()))' >/tmp/count.py
seq 1 1000 | python3 /tmp/count.py
TERM=xterm python3 -c 'import curses; curses.setupterm(); print(curses.tigetnum("colors"))'
