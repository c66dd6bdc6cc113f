# SPDX-License-Identifier: MIT
"""This machine as the other end of a guest's network cable: Ethernet frames by a `dgram` netdev."""

import socket
import threading

GUEST_MAC = b"\x52\x54\x00\x12\x34\x56"     # of the first card, QEMU's


class Wire:
    """run() of a subclass is a thread, from start() to stop(): it asks `on`, and receive() waits for a moment only."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.guest = free.getsockname()
        self.on = True
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.on = False
        self.thread.join()
        self.socket.close()

    def net(self):
        """The guest's end, for --net."""
        inet = "type=inet,{0}.host=127.0.0.1,{0}.port={1}"
        return (f"dgram,local.{inet.format('local', self.guest[1])},"
                f"remote.{inet.format('remote', self.socket.getsockname()[1])}")

    def send(self, frame):
        self.socket.sendto(frame, self.guest)

    def receive(self):
        """The next frame, or None."""
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            return None
