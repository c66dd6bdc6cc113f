#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""screen_test.py HOST GROUP...: what a person sees and does at screen, keyboard and mouse.

Each picture is compared, pixel by pixel, with what libvterm (HOST: screen_host.c) and the packaged font make on this
machine of the bytes that the programs write (harness/text_screen.py). With CATHODE_PICTURES=DIR the last picture of
each test is kept there.
"""

import os
import pathlib
import re
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))
import boot  # noqa: E402  (found through the path above)
import build  # noqa: E402
import machine  # noqa: E402
import qmp  # noqa: E402
import text_screen  # noqa: E402
import vnc  # noqa: E402

ETC = HERE.parents[1] / "sysroot" / "rootfs" / "etc"
LIMIT = 120     # seconds for a picture to come; only hangs take so long

# All that a terminal draws: colours of three kinds, attributes, lines, wide letters' neighbours, combining marks.
GALLERY = ("".join(f"\x1b[{n}mA{n} " for n in (*range(30, 38), *range(40, 48), *range(90, 98), 1, 4, 7, 9, 21)) +
           "\x1b[0m\r\n" + "".join(f"\x1b[38;5;{n}m#\x1b[48;5;{255 - n}m." for n in range(256)) + "\x1b[0m\r\n" +
           "".join(f"\x1b[38;2;{n};{255 - n};{n * 7 % 256}m*" for n in range(0, 256, 2)) + "\x1b[0m\r\n" +
           "┌─┬─┐ ╔═╦═╗ ░▒▓█ äöüß éèê ñ ¿¡ Ωλπ ЖДФ €\r\n│ │ │\r\n└─┴─┘\r\n" +
           "\x1b[10;5Habsolute\x1b[3@\x1b[2P\x1b[1;31;44mred on blue\x1b[0m\x1b[12;20r\x1b[20;1H\n\nscrolled\x1b[r"
           "\x1b[22;1H")

# Letters that the console's own fonts lack: wide ones, accents, scripts, of other planes, at the edge, cut in half.
LETTERS = ("漢字かなカナ ｆｕｌｌ 中文 한국어 \x1b[31;44m漢\x1b[7m字\x1b[4m漢\x1b[9m字\x1b[0m「。」\r\n"
           "e\u0301a\u0308o\u0327x\u0323\u0301y\u0301\u0302\u0303\u0304 J\u0301 か\u3099漢\u0301 q\u0338 "
           "A\u030a\u0323|\r\n"
           "नमस्ते ไทย עב\u05b8רית العربية ქართული አማርኛ ☃☂⌚♥ ⠿⡇ ꙮ\r\n"
           "😀🜁\U0001d15e \ue000 a\u200bb\u200dc\ufe0f \ufffd\ufffe \U0002f800\r\n"
           "漢字漢\b\b\bx 漢字漢\b\b\b\b\by \u302a漢\b\bz|\x1b[99999C\b漢\x1b[99999C字\r\n")


class Person(boot.Session):
    """At the machine, with a shell on the serial line beside."""

    def __init__(self, host, extra=(), how="direct", append="", size=(1280, 800), font="12x24", files=None, kind=None,
                 packages="", memory="256M", icount=False, window=False):
        self.folder = tempfile.TemporaryDirectory(prefix="cathode-")    # the overlay
        for name, data in (files or {}).items():
            pathlib.Path(self.folder.name, name).write_bytes(data)
        self.host, self.window = host, f"{self.folder.name}/window" if window else None
        overlay = machine.make_overlay(packages, self.folder.name if files else None)
        guest = (kind or machine.Machine)(
            build.build_folder("debug"), boot=how, smp=2, memory="512M" if how == "uefi" else memory, display="none",
            extra=[*extra, *(["-vnc", f"unix:{self.window}"] if window else [])], append=append, icount=icount,
            overlay=overlay,
            root="disk" if how == "uefi" else "ram", snapshot=True)
        super().__init__(guest, 600, boot.ALWAYS_FORBIDDEN if kind is None else ())
        self.text_screen = text_screen.TextScreen(host, *size, font)
        self.written, self.viewer = {}, None

    def __enter__(self):
        super().__enter__()
        self.expect("cathode login: ")
        self.qmp = self.wires.qmp
        self.viewer = vnc.Viewer(self.window) if self.window else None
        self.send("root\n")
        self.expect("# $")
        return self

    def __exit__(self, *details):
        if self.viewer:
            self.viewer.close()
        super().__exit__(*details)
        self.folder.cleanup()

    def run(self, command):
        """On the serial line; what it printed."""
        self.send(f"{command}; echo end-$((40 + 2))\n")
        self.expect(r"echo end-\$\(\(40 \+ 2\)\)")
        start = self.position
        self.expect("^end-42")
        found = self.text[start:self.position]
        self.expect("# $")
        return found

    def greeting(self, number):
        issue = (ETC / "issue.screen").read_text()
        for word, what in ("\\s", "Cathode"), ("\\r", "0.1"), ("\\l", f"tty{number}"):
            issue = issue.replace(word, what)
        return "\x1b[H\x1b[J" + (issue + "cathode login: ").replace("\n", "\r\n")

    def logged_in(self, number):
        return self.greeting(number) + ("root\n" + (ETC / "motd").read_text() + "# ").replace("\n", "\r\n")

    def log_in(self, number=1):
        self.see("the login", self.greeting(number))
        self.qmp.type("root\n")
        self.see("the prompt", self.logged_in(number))
        return self.logged_in(number)

    def see(self, what, text, adjust=None, **options):
        """Waits until the screen shows just what these bytes give."""
        wanted = self.text_screen.picture(text.encode(), **options)
        if adjust:
            wanted = adjust(wanted)
        end, found = time.monotonic() + LIMIT, None
        while found != wanted and time.monotonic() < end:
            time.sleep(0.3)
            found = self.qmp.picture()
        self.keep(found, f"{what.replace(' ', '_')}")
        if found != wanted:
            self.keep(found, "found")
            self.keep(wanted, "wanted")
            log = self.run("dmesg | tail -n 40; service list; ps")   # who is there, and what it has said
            raise boot.Failure(f"{what}: {difference(found, wanted, self.text_screen)}\n{log}")
        return found

    def see_log(self, shown):
        """What the system has said up to the console's start, above all else."""
        log = re.findall(r"<\d>(.*)", self.run("cat /proc/kmsg").replace("\r", ""))
        for _ in range(4):
            self.qmp.press("shift", "pgup")
        texts = ["\x1b[38;2;120;130;120m" + "".join(f"{line}\r\n" for line in log[:n]) + "\n" * 33 +
                 "\x1b[0m\x1b[H" + shown for n in range(5, len(log) + 1)]
        wanted = [self.text_screen.picture(text.encode(), back=1000) for text in texts]
        end = time.monotonic() + LIMIT
        while self.qmp.picture() not in wanted:
            if time.monotonic() > end:
                self.keep(self.qmp.picture(), "found")
                raise boot.Failure("the log is not above")
            time.sleep(0.3)

    def keep(self, picture, name):
        folder = os.environ.get("CATHODE_PICTURES")
        if folder:
            pathlib.Path(folder, f"{name}.png").write_bytes(picture.png())


def difference(found, wanted, screen):
    if (found.width, found.height) != (wanted.width, wanted.height):
        return f"{found.width}x{found.height} pixels, not {wanted.width}x{wanted.height}"
    cells = set()
    for at in range(0, len(found.pixels), 3):
        if found.pixels[at:at + 3] != wanted.pixels[at:at + 3]:
            y, x = divmod(at // 3, found.width)
            cells.add((y // screen.font_height, x // screen.font_width))
    return f"{len(cells)} cells differ, such as (row, column) {sorted(cells)[:8]}"


def test_login(host):
    """The prompt, a login by typed keys, editing a line, colours, another terminal and back, scroll-back."""
    with Person(host, files={"gallery": GALLERY.encode()}) as p:
        shown = p.log_in()
        p.see_log(shown)
        p.qmp.type("echo 'Hello, World!' x\x7f| tr a-z A-Z\n")
        shown += "echo 'Hello, World!' x\b \b| tr a-z A-Z\r\nHELLO, WORLD! \r\n# "
        p.see("echo", shown)
        p.qmp.press("alt", "f3")
        p.see("the third terminal", p.greeting(3))
        p.run("cat /gallery > /dev/tty3")
        p.see("gallery", p.greeting(3) + GALLERY.replace("\n", "\r\n"))
        p.qmp.press("alt", "f1")
        p.see("the first again", shown)
        p.qmp.type("seq 1 120\n")
        shown += "seq 1 120\r\n" + "".join(f"{n}\r\n" for n in range(1, 121)) + "# "
        p.see("seq", shown)
        p.qmp.press("shift", "pgup")
        p.see("half a screen back", shown, back=16)
        p.qmp.press("shift", "pgup")
        p.qmp.press("shift", "pgdn")
        p.qmp.press("shift", "pgup")
        p.see("a screen back", shown, back=32)
        p.run("echo more > /dev/tty1")
        shown += "more\r\n"
        p.see("still there", shown, back=33)
        p.qmp.type("tty; stty size; echo $TERM; reset\n")
        shown += "tty; stty size; echo $TERM; reset\r\n/dev/tty1\r\n33 106\r\nxterm-256color\r\n"
        time.sleep(2)
        p.qmp.type("clear\n")
        p.see("cleared", "# ")


def test_jobs(host):
    """Control characters, job control and a full-screen program on the screen."""
    with Person(host) as p:
        shown = p.log_in()
        p.qmp.type("wrong")
        p.see("a line", shown + "wrong")
        p.qmp.press("ctrl", "u")
        p.see("the line erased, and the cursor that was behind it", shown)
        p.qmp.type("cat\n")
        p.see("cat", shown := shown + "cat\r\n")
        p.qmp.press("ctrl", "z")
        p.see("stopped", shown := shown + "^Z[1] + Stopped                    cat\r\n# ")
        p.qmp.type("kill %1; fg\n")
        time.sleep(2)
        p.qmp.type("clear; sleep 1000\n")
        p.see("asleep", "")
        p.qmp.press("ctrl", "c")
        p.see("interrupted", "^C\r\n# ")
        p.qmp.type("clear; vi /tmp/note\n")
        time.sleep(4)
        p.qmp.type("iOne line,\nand another\x1b:wq\n")
        time.sleep(4)
        p.qmp.type("clear; cat /tmp/note\n")
        p.see("the note", "One line,\r\nand another\r\n# ")


def see_flash(p, shown, write):
    """All is inverted for a moment."""
    wanted = p.text_screen.picture(shown.encode())
    wanted.pixels = bytes(255 - value for value in wanted.pixels)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        p.send(f"{write} > /dev/tty1\n")
        if any(p.qmp.picture() == wanted for _ in range(20)):
            p.expect("# $")
            return
        p.expect("# $")
    raise boot.Failure(f"{write} is not seen to ring")


def test_terminals(host):
    """The bell, also with text; a terminal that nobody has seen drains; a login after a program that left a mess."""
    with Person(host) as p:
        shown = p.log_in()
        see_flash(p, shown, "printf '\\a'")
        see_flash(p, shown, "printf 'x\\a\\b \\b'")
        p.see("and that is over", shown)
        if "done-0" not in p.run(f"timeout {LIMIT} stty -F /dev/tty6 -echo; echo done-$?"):
            raise boot.Failure("what is written to a terminal that nobody looks at is never drained")
        p.run("printf '\\033[?1049h\\033[31;44mmess\\033[?25;7l\\033[4h\\033[2;5r\\033[?1000h' > /dev/tty1")
        p.qmp.type("exit\n")
        p.see("the next login", p.greeting(1))
        p.log_in()


def test_layouts(host):
    """Layouts, dead keys, AltGr, Caps Lock, a Compose key."""
    with Person(host, append="keymap=de") as p:
        shown = p.log_in()
        p.qmp.type("echo zy")                              # the keys Z and Y change places
        for key in ("semicolon", "apostrophe", "bracket_left", "minus"):
            p.qmp.press(key)
        p.qmp.press("shift", "semicolon")
        p.qmp.press("alt_r", "e")
        p.qmp.press("alt_r", "q")
        p.qmp.press("equal")                                # a dead acute accent
        p.qmp.press("e")
        p.qmp.press("caps_lock")
        p.qmp.press("x")
        p.qmp.press("caps_lock")
        p.see("German", shown := shown + "echo yzöäüßÖ€@éX")
        p.qmp.type("\n")
        p.see("its echo", shown := shown + "\r\nyzöäüßÖ€@éX\r\n# ")
        if "de" not in p.run("cat /scheme/console/keymap; echo nowhere > /scheme/console/keymap"):
            raise boot.Failure("the layout's name")
        p.run("echo dvorak > /scheme/console/keymap")
        p.qmp.type("sdfg")
        p.see("Dvorak", shown := shown + "oeui")
        p.run("echo us,compose:rctrl > /scheme/console/keymap")
        for keys in ("ctrl_r", "o", "e"), ("ctrl_r", "equal", "c"), ("ctrl_r", "apostrophe", "j"), ("ctrl_r", "q", "q"):
            for key in keys:
                p.qmp.press(key)
        p.see("composed", shown + "œ€j\u0301q")


def test_selection(host):
    """The mouse selects, pastes and scrolls; its pointer is where it was moved to."""
    with Person(host) as p:
        shown = p.log_in()
        row = shown.count("\n")
        p.qmp.type("echo one two three")
        shown += "echo one two three"
        p.see("typed", shown)
        for _ in range(row):
            p.qmp.move_mouse(0, 12)
        p.qmp.move_mouse(6 * 7, 0)
        p.see("pointer", shown, pointer=(row, 7))
        p.qmp.button("left", True)
        p.qmp.move_mouse(6 * 7, 0)
        p.see("dragged", shown, pointer=(row, 14), selected=[(row, column) for column in range(7, 15)])
        p.qmp.button("left", False)
        p.qmp.button("middle", True)
        p.qmp.button("middle", False)
        p.qmp.type("!")
        p.see("pasted", shown := shown + "one two !")
        p.qmp.type("\nseq 1 100\n")
        shown += "\r\none two threeone two !\r\n# seq 1 100\r\n" + "".join(f"{n}\r\n" for n in range(1, 101)) + "# "
        p.see("seq", shown)
        for back in 3, 6, 9:    # each by itself: QEMU keeps what its queue has no room for until something else happens
            p.qmp.button("wheel-up", True)
            p.qmp.button("wheel-up", False)
            p.see("wheel", shown, back=back)
        p.qmp.events(*({"type": "btn", "data": {"down": down, "button": "wheel-up"}} for down in 4 * (True, False)))
        p.see("four steps in one packet", shown, back=21)
        p.qmp.button("left", True)
        p.qmp.press("alt", "f2")
        p.see("another terminal while the button is held", p.greeting(2))
        p.qmp.move_mouse(-6 * 7, -12)
        p.see("nothing of it is selected", p.greeting(2), pointer=(row - 1, 7))
        p.qmp.button("left", False)


def test_letters(host):
    """Letters of Unifont with each of our fonts; on the screen, scrolled out, selected by any of their halves."""
    for size, font in ((800, 600), "8x16"), ((1280, 800), "12x24"), ((1600, 1200), "16x32"):
        with Person(host, append=f"display={size[0]}x{size[1]}", size=size, font=font,
                    files={"letters": LETTERS.encode()}) as p:
            p.see(f"{font}, the login", shown := p.greeting(1))
            p.run("cat /letters > /dev/tty1")
            p.see(f"letters, {font}", shown := shown + LETTERS.replace("\n", "\r\n"))
            p.run("for i in $(seq 30); do cat /letters; done > /dev/tty1")
            p.qmp.press("shift", "pgup")
            p.see(f"scrolled out, {font}", shown + LETTERS.replace("\n", "\r\n") * 30, back=p.text_screen.rows // 2)


def test_wide_selection(host):
    """Pointer, selection and paste where letters are of two columns."""
    with Person(host) as p:
        shown = p.log_in()
        write = "printf '\\033[H\\033[J漢字かな e\\314\\201漢\\n' > /dev/tty1"
        p.run(write)
        shown = "漢字かな e\u0301漢\r\n"
        p.qmp.move_mouse(3 * 6, 0)
        p.see("pointer on a right half", shown, pointer=(0, 3))
        p.qmp.button("left", True)
        p.qmp.move_mouse(3 * 6, 0)
        p.see("dragged", shown, pointer=(0, 6), selected=[(0, column) for column in range(3, 7)])
        p.qmp.button("left", False)
        p.qmp.button("middle", True)
        p.qmp.button("middle", False)
        p.qmp.type("!")
        p.see("pasted", shown := shown + "字かな!")
        p.qmp.move_mouse(-6 * 6, 0)
        p.qmp.button("left", True)
        p.qmp.move_mouse(11 * 6, 0)
        p.qmp.button("left", False)
        p.qmp.press("ctrl", "u")
        p.run(write)
        p.qmp.button("middle", True)
        p.qmp.button("middle", False)
        p.qmp.type("!")
        p.see("all pasted", "漢字かな e\u0301漢\r\n漢字かな e\u0301漢!")


def test_faults(host):
    """Drivers and server killed while typing and drawing, a key held meanwhile, floods of keys and of output."""
    with Person(host) as p:
        shown = p.log_in()
        p.qmp.type("echo a")
        p.run("kill -9 $(pidof framebuffer)")
        p.qmp.type("b\n")
        p.see("the display's driver again", shown := shown + "echo ab\r\nab\r\n# ")
        p.qmp.key("shift", True)
        p.qmp.press("x")
        p.see("Shift", shown + "X")
        p.run("kill -9 $(pidof ps2)")
        time.sleep(3)
        p.qmp.press("y")
        p.qmp.key("shift", False)
        p.see("no key stuck", shown + "Xy")
        p.qmp.type("\x7f\x7fsleep 20; clear\n")
        for _ in range(400):
            p.qmp.events(*({"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": "q"}}}
                           for down in (True, False, True, False)))
        p.qmp.still_picture()   # QEMU's keyboard drops what it has no room for
        p.qmp.press("alt", "f2")
        p.see("another terminal meanwhile", p.greeting(2))
        p.run("head -c 300000 /dev/urandom > /dev/tty5 & head -c 300000 /dev/urandom > /dev/tty6; wait")
        p.qmp.type("root\n")
        p.see("login after floods", p.logged_in(2))
        p.run("kill -9 $(pidof console)")
        p.see("the server again", p.greeting(1))
        p.log_in()


VIRTIO_INPUT = ["-machine", "q35,i8042=off", "-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci"]


def test_virtio_input(host):
    """A virtio keyboard, alone; its lights; a tablet's pointer; a key held repeats; drivers killed with a key held."""
    with Person(host, extra=VIRTIO_INPUT, window=True) as p:
        shown = p.log_in()
        row, columns, rows = shown.count("\n"), p.text_screen.columns, p.text_screen.rows

        def place(row, column):
            p.qmp.place((2 * column + 1) * 0x8000 // (2 * columns), (2 * row + 1) * 0x8000 // (2 * rows))
        p.qmp.type("echo one two")
        p.see("typed", shown := shown + "echo one two")
        place(row, 7)
        p.see("pointer", shown, pointer=(row, 7))
        place(rows - 1, columns - 1)
        p.see("corner", shown, pointer=(rows - 1, columns - 1))
        place(row, 7)
        p.qmp.button("left", True)
        place(row, 9)
        p.see("dragged", shown, pointer=(row, 9), selected=[(row, column) for column in range(7, 10)])
        p.qmp.button("left", False)
        p.qmp.button("middle", True)
        p.qmp.button("middle", False)
        p.see("pasted", shown + "one", pointer=(row, 9))   # the keyboard's driver may be faster than the tablet's
        p.qmp.type("\n")
        p.see("run", shown := shown + "one\r\none twoone\r\n# ")
        p.send("head -c 160 /dev/input0 | od -A n -t x2; echo end-$((40 + 2))\n")
        time.sleep(0.5)
        start = p.position
        p.qmp.key("z", True)
        p.expect("^end-42")
        p.qmp.key("z", False)
        told = [" ".join(line.split()[4:7]) for line in p.text[start:p.position].splitlines()
                if re.match("( [0-9a-f]{4}){8}$", line)]
        if told != [f"{type_} {code} {value}" for at in range(5) for type_, code, value in (
                ("0001", "002c", "0002" if at else "0001"), ("0000", "0000", "0000"))]:
            raise boot.Failure(f"a key held tells {told}")
        p.qmp.press("ctrl", "u")
        p.qmp.press("caps_lock")
        p.viewer.read_until(lambda: p.viewer.lights == 4)
        p.qmp.press("num_lock")
        p.viewer.read_until(lambda: p.viewer.lights == 6)
        p.qmp.press("caps_lock")
        p.viewer.read_until(lambda: p.viewer.lights == 2)
        p.qmp.key("shift", True)
        p.qmp.press("x")
        p.see("Shift", shown + "X")
        p.run("kill -9 $(pidof virtio-input)")
        time.sleep(1)
        p.qmp.press("y")
        p.see("no key stuck", shown + "Xy")


def test_two_keyboards(host):
    """Each has its say: a key that is held on one outlives the other's driver; one is pulled out with a key held."""
    with Person(host, extra=["-vga", "none", "-device", "VGA,id=screen", "-device", "pcie-root-port,id=hole", "-device",
                             "virtio-keyboard-pci,bus=hole,id=second,display=screen"]) as p:
        shown = p.log_in()

        def shift(down, screen=None):
            p.qmp.key("shift", down, screen)
            time.sleep(0.5)     # what two devices say comes in any order

        shift(True, "screen")
        p.qmp.press("x")
        p.see("Shift on the other one", shown := shown + "X")
        p.run("kill -9 $(pidof ps2)")
        time.sleep(1)
        p.qmp.press("y")
        p.see("still held", shown := shown + "Y")
        shift(True)
        shift(False, "screen")
        p.qmp.press("z")
        p.see("held on the first one", shown := shown + "Z")
        shift(False)
        p.qmp.press("a")
        p.see("let go", shown := shown + "a")
        shift(True, "screen")
        p.qmp.ask("device_del", id="second")
        while len(re.findall(r"/dev/input\d", p.run("ls /dev/input*"))) != 1:
            time.sleep(0.5)
        p.qmp.press("b")
        p.see("not stuck", shown + "b")


def test_virtio_gpu(host):
    """A virtio GPU: the login, its driver killed while it draws, the host's window resized, a cursor in hardware."""
    with Person(host, extra=["-vga", "none", "-device", "virtio-gpu-pci"], packages="tests", window=True,
                files={"gallery": GALLERY.encode()}) as p:
        p.log_in()
        p.run("for i in 1 2 3 4 5 6; do cat /gallery > /dev/tty1; [ $i = 3 ] && kill -9 $(pidof virtio-gpu); done")
        p.qmp.type("clear\n")
        p.run("cat /gallery > /dev/tty1")
        p.see("the driver again", "# " + GALLERY.replace("\n", "\r\n"))
        p.viewer.resize(1000, 700)
        p.viewer.read_until(lambda: p.viewer.size == [1000, 700])
        p.text_screen = text_screen.TextScreen(p.host, 1000, 700, "8x16")
        p.qmp.type("\nclear; stty size\n")
        p.see("another size", shown := "43 125\r\n# ")
        p.send("/tests/boot/cursor\n")
        p.expect("^shown: all$")
        p.viewer.read_until(lambda: p.viewer.cursor)
        pixels = tuple(0xff000000 | i * 4099 % 0x1000000 for i in range(64 * 64))
        if p.viewer.cursor != ((3, 5), (64, 64), pixels):
            raise boot.Failure(f"another cursor: {p.viewer.cursor[:2]}")
        if p.qmp.still_picture() != qmp.Picture(1000, 700, bytes((0x20, 0x40, 0x60)) * (1000 * 700)):
            raise boot.Failure("not the colour that was drawn")
        p.send("\n")
        p.expect("# $")
        p.see("the text again", shown)


def test_virtio_vga(host):
    """-vga virtio: the same driver, not the one for its class."""
    with Person(host, extra=["-vga", "virtio"], append="display=1366x768", size=(1366, 768)) as p:
        p.log_in()


def test_absent(host):
    """No keyboard at all: the screen shows the login all the same. A screen that comes late shows what was written
    until then. No screen: none of this is there."""
    with Person(host, extra=["-machine", "q35,i8042=off"]) as p:
        p.see("no controller", p.greeting(1))
        p.run("echo -n still > /dev/tty1")
        p.see("no controller, written", p.greeting(1) + "still")
    with Person(host) as p:
        p.run("service stop framebuffer.0; kill -9 $(pidof console)")
        end = time.monotonic() + LIMIT
        while "there is no display" not in p.run("service log console"):
            if time.monotonic() > end:
                raise boot.Failure("the console waits for its display for ever")
            time.sleep(1)
        p.run("echo -n late > /dev/tty1; echo unseen > /dev/tty2")
        p.run("service start framebuffer.0")
        p.see("a late screen", p.greeting(1) + "late")
        p.qmp.press("alt", "f2")
        p.see("its second terminal", p.greeting(2) + "unseen\r\n")
    with Person(host, extra=["-vga", "none"]) as p:
        services = p.run("service list")
        for name in ("framebuffer", "ps2", "console", "getty-tty1"):
            if name in services:
                raise boot.Failure(f"{name} runs without a screen")
        if "No such" not in p.run("cat < /dev/tty1"):
            raise boot.Failure("/dev/tty1 is there without a screen")


def rgb565(picture):
    """As 16-bit pixels show it: the upper bits, spread."""
    five = bytes((v >> 3) << 3 | v >> 5 for v in range(256))
    six = bytes((v >> 2) << 2 | v >> 6 for v in range(256))
    pixels = bytearray(picture.pixels)
    for channel, table in enumerate((five, six, five)):
        pixels[channel::3] = pixels[channel::3].translate(table)
    picture.pixels = bytes(pixels)
    return picture


def test_modes(host):
    """Odd modes: 16 bits, 24 bits, a pitch that isn't the width; large ones have larger letters."""
    for mode, size, font, adjust, extra in (
            ("800x600x16", (800, 600), "8x16", rgb565, ()),
            ("800x600x24", (800, 600), "8x16", None, ()),
            ("1366x768", (1366, 768), "12x24", None, ("-vga", "none", "-device", "bochs-display")),
            ("1600x1200", (1600, 1200), "16x32", None, ())):
        with Person(host, extra=extra, append=f"display={mode}", size=size, font=font,
                    files={"gallery": GALLERY.encode()}) as p:
            p.see(f"{mode}, the login", p.greeting(1), adjust)
            p.run("cat /gallery > /dev/tty1")
            p.see(mode, p.greeting(1) + GALLERY.replace("\n", "\r\n"), adjust)


class Halting(machine.Machine):
    """It doesn't end when the kernel panics: someone has to read it."""

    def command(self):
        words = super().command()
        at = words.index("isa-debug-exit,iobase=0xf4,iosize=0x04")
        return words[:at - 1] + words[at + 1:]


def see_panic(p):
    """The kernel's last words, in its own letters, and nothing else where they are."""
    p.qmp.ask("human-monitor-command", **{"command-line": "mce 0 1 0xb200000000000000 5 0 0"})  # a machine check
    p.expect("^panic: CPU 0: ")
    picture = p.qmp.still_picture(3)
    p.keep(picture, "panic")
    first = picture.crop(0, 0, picture.width, 16 * 12)
    colours = {first.pixels[at:at + 3] for at in range(0, len(first.pixels), 3)}
    if colours != {b"\0\0\0", b"\xc0\xc0\xc0"}:
        raise boot.Failure(f"no panic on the screen: {len(colours)} colours")


def test_uefi(host):
    """The mode that the firmware left; a panic takes the screen back."""
    with Person(host, how="uefi", kind=Halting) as p:
        p.see("the firmware's mode", p.greeting(1))
        p.log_in()
        see_panic(p)


def test_uefi_virtio(host):
    """A virtio GPU with VGA, its driver started again: a panic resets it and is seen in the firmware's mode."""
    with Person(host, how="uefi", kind=Halting, extra=["-vga", "virtio"]) as p:
        p.log_in()
        p.run("kill -9 $(pidof virtio-gpu)")
        p.see("the driver again", p.logged_in(1))
        see_panic(p)


def main(tests, words):
    host, *groups = words
    for name, test in list(tests.items()):
        if not name.startswith("test_") or (groups and name[5:] not in groups):
            continue
        start = time.monotonic()
        test(host)
        print(f"ok {name[5:]} ({time.monotonic() - start:.1f} s)", flush=True)


if __name__ == "__main__":
    main(globals(), sys.argv[1:])
