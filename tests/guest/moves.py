"""A guest that moves from one QEMU to another on this machine: both ends on one bridge, and a stream that must live through it."""
import ctypes
import pathlib
import socket
import struct
import subprocess
import threading
import time
import zlib

import lab as machine
from cards import GUEST, HOST

MAC = "52:54:00:aa:00:01"
TICK, PIECE = 0.02, 4096  # the stream: so much every so often


def make_bridge():
    machine.ip("link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0")
    for name in ("br0",):
        pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    machine.ip("link", "set", "br0", "up")
    machine.ip("addr", "add", f"{HOST}/24", "dev", "br0")


def backend(name, bridge):
    if bridge:
        return "backend=bridge,br=br0"
    machine.make_tap(name, address=None)
    machine.ip("link", "set", name, "master", "br0")
    return f"backend=tap,ifname={name}"


def one(lab, spec, number, bridge=False, incoming=None, mac=MAC, **options):
    """One end: the first one runs its guest, others wait for it at a URI."""
    if incoming:
        options = {**options, "wait": False, "options": ["--incoming", incoming]}
    return lab.guest(nics=[f"{spec}{f',mac={mac}' if mac else ''},{backend(f'tap{number}', bridge)}"], name=f"end{number}", **options)


def pair(lab, spec, bridge=False, incoming=None):
    """A guest that runs, and one that waits for it: at a URI, or for QEMU's own command."""
    source = one(lab, spec, 0, bridge)
    if incoming:
        return source, one(lab, spec, 1, bridge, incoming)
    return source, one(lab, spec, 1, bridge, wait=False, qemu=["-incoming", "defer"])


def wait_status(monitor, wanted, seconds=60):
    end = time.monotonic() + seconds
    while (seen := monitor.command("query-migrate").get("status")) not in wanted:
        if seen == "failed" or time.monotonic() > end:
            raise RuntimeError(f"migration: {monitor.command('query-migrate')}")
        time.sleep(0.02)
    return seen


def move(lab, source, target):
    """By QEMU's own commands."""
    uri = f"unix:{lab.folder}/migrate.sock"
    there, here = target.monitor(), source.monitor()
    there.command("migrate-incoming", uri=uri)
    here.command("migrate", uri=uri)
    wait_status(here, ("completed",))
    wait_status(there, ("completed",))
    info = here.command("query-migrate")
    lab.say(f"moved in {info['total-time']} ms, down for {info['downtime']} ms")
    here.close()
    there.close()


def ignore_resets(sock):
    """A filter of the socket's, on the header of TCP: flags & RST -> drop. Connections that it accepts have it, too."""
    program = b"".join(struct.pack("HBBI", *step) for step in ((0x30, 0, 0, 13), (0x45, 0, 1, 4), (0x06, 0, 0, 0), (0x06, 0, 0, 0xffffffff)))
    text = ctypes.create_string_buffer(program)
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", len(program) // 8, ctypes.addressof(text)))  # SO_ATTACH_FILTER


class Flow:
    """The guest reads a stream that the host paces; the host keeps the largest gap between two bytes that the guest asked for."""

    def __init__(self, guest, seconds=600, resets=True):
        """resets=False: a reset says nothing, since somebody else on the wire sends it for what went the wrong way."""
        self._listener = socket.create_server((HOST, 0))
        if not resets:
            ignore_resets(self._listener)
        self._stop = threading.Event()
        self.crc = self.bytes = 0
        self.gap = 0.0
        self._seconds = seconds
        self._error = self._connection = None
        port = self._listener.getsockname()[1]
        guest.sh(f"(probe tcp-get {HOST} {port} >/tmp/flow 2>&1; echo done >>/tmp/flow) >/dev/null 2>&1 </dev/null &")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        """A full window blocks sendall: the time that it takes is the time that the guest did not answer."""
        try:
            connection, _ = self._listener.accept()
            self._connection = connection
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number, end = 0, time.monotonic() + self._seconds
            while not self._stop.is_set() and time.monotonic() < end:
                piece = number.to_bytes(4, "little") * (PIECE // 4)
                begin = time.monotonic()
                connection.sendall(piece)
                self.gap = max(self.gap, time.monotonic() - begin)
                self.crc = zlib.crc32(piece, self.crc)
                self.bytes += len(piece)
                number += 1
                time.sleep(TICK)
            connection.close()
        except OSError as error:
            self._error = error

    def _next_try(self):
        """Seconds until TCP sends again what was lost, at most: each try doubles it, so that after a minute of silence it is a minute more."""
        try:
            return struct.unpack_from("I", self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 12), 8)[0] / 1e6
        except (AttributeError, OSError):
            return 0.0  # it has not begun, or is over

    def lives(self, lab):
        seen = self.bytes
        end = time.monotonic() + self._next_try() + 60
        while self.bytes == seen and not self._error and time.monotonic() < end:
            time.sleep(0.05)
        lab.check(not self._error and self.bytes > seen, f"the stream goes on ({self._error or 'no error'}); longest pause {self.gap:.1f} s")

    def end(self, lab, guest):
        self._stop.set()
        self._thread.join(60)
        if self._error:
            lab.say(f"the guest's end of the stream: {guest.sh('cat /tmp/flow; grep Tcp: /proc/net/snmp; ip addr', check=False)}")
        lab.check(not self._error and not self._thread.is_alive(), f"the stream lived ({self._error or 'no error'})")
        guest.sh("await 20 grep -q done /tmp/flow")
        got = dict(word.split("=", 1) for word in guest.sh("cat /tmp/flow").split() if "=" in word)
        lab.check(self.bytes > 0, "it flowed")
        lab.equal((got["bytes"], got["crc"]), (str(self.bytes), f"{self.crc:08x}"), f"{self.bytes >> 10} KiB unbroken")
        # no bound: TCP doubles its patience, so that a second without a processor becomes three
        lab.say(f"the longest pause of the stream was {self.gap * 1000:.0f} ms")


__all__ = ["GUEST", "HOST", "Flow", "backend", "make_bridge", "move", "pair", "subprocess", "wait_status"]
