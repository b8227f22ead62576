"""passt: a guest behind passt has the host's own address; TCP to a machine beyond, to the host, and from the host into the guest; over
the legacy card, then over virtio-net, then after passt was killed."""
import os
import shutil
import signal
import socket
import subprocess
import zlib

import lab as machine
import servers
from harness import LEGACY_UP, TO_PERFORMANT, main

OURS, BEYOND, GATEWAY = "10.77.0.2", "10.77.0.9", "10.77.0.1"
SIZE = 8 << 20
INTO = 2207  # of the host, leads to the guest's port 7

BEYOND_SERVER = f"""
import time, servers
source = servers.Source({SIZE})
print(source.port, f"{{source.crc:08x}}", flush=True)
time.sleep(100000)
"""


class Beyond:
    """A machine at the other end of the host's cable: a network namespace of its own with one server."""

    def __init__(self):
        machine.ip("link", "add", "out0", "type", "veth", "peer", "name", "out1")
        self._process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 100000"], stdout=subprocess.PIPE)
        self._process.stdout.readline()
        machine.ip("link", "set", "out1", "netns", self._process.pid)
        inside = ["nsenter", "--target", str(self._process.pid), "--net"]
        for words in ("link set out1 up", f"addr add {BEYOND}/24 dev out1", f"addr add {GATEWAY}/24 dev out1"):
            subprocess.run([*inside, "ip", *words.split()], check=True)
        machine.ip("link", "set", "out0", "up")
        machine.ip("addr", "add", f"{OURS}/24", "dev", "out0")
        machine.ip("route", "add", "default", "via", GATEWAY)
        here = os.path.dirname(os.path.abspath(__file__))
        self._server = subprocess.Popen([*inside, "python3", "-c", BEYOND_SERVER], stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "PYTHONPATH": here})
        self.port, self.crc = self._server.stdout.readline().split()

    def leave(self):
        for process in (self._server, self._process):
            process.kill()
            process.wait()


def traffic(lab, guest, beyond, sink, text):
    # to the end by length, both ways: when a passt sent something twice it may keep the FIN that follows for itself
    got = guest.probe("tcp-fetch", BEYOND, beyond.port, SIZE)
    lab.equal((int(got["bytes"]), got["crc"]), (SIZE, beyond.crc),
              f"{text}: 8 MiB from beyond at {SIZE * 8e-6 / float(got['seconds']):.0f} Mbit/s")
    sent = guest.probe("tcp-put", GATEWAY, sink.port, SIZE)
    lab.equal(sent["seen"], sent["crc"], f"{text}: 8 MiB to the host at {SIZE * 8e-6 / float(sent['seconds']):.0f} Mbit/s")
    guest.sh(f"probe tcp-take 7 {1 << 20} >/tmp/serve & await 10 listens 7")
    with socket.create_connection(("127.0.0.1", INTO), timeout=20) as s:
        block = os.urandom(1 << 20)
        s.settimeout(60)
        s.sendall(block)
        lab.equal(s.recv(8, socket.MSG_WAITALL).decode(), f"{zlib.crc32(block):08x}", f"{text}: 1 MiB into the guest through hostfwd=")


def passt_of(guest):
    """The child of anynic that is passt."""
    children = f"/proc/{guest.process.pid}/task/{guest.process.pid}/children"
    for pid in open(children, encoding="ascii").read().split():
        if open(f"/proc/{pid}/comm", encoding="ascii").read().startswith("passt"):
            return int(pid)
    raise RuntimeError("no passt")


def scenario(lab):
    if not shutil.which("passt"):
        raise machine.Skip("no passt here; tools/setup check installs it")
    beyond, sink = Beyond(), servers.Sink()
    try:
        guest = lab.guest(nics=[f"auto,backend=passt,hostfwd=tcp:127.0.0.1:{INTO}-:7"])
        mark = guest.qmp.mark()
        legacy = guest.sh("bring_up 8139cp")
        lab.story(guest, mark, LEGACY_UP, "the legacy link comes up")
        lease = guest.sh(f"await 5 carrier {legacy} && dhcp {legacy}")
        lab.check(f"address {OURS}" in lease, "DHCP gives the guest the host's address")
        traffic(lab, guest, beyond, sink, "8139cp")

        mark = guest.qmp.mark()
        performant = guest.sh("bring_up virtio_net")
        lab.story(guest, mark, TO_PERFORMANT, "virtio_net takes over")
        guest.sh(f"await 5 carrier {performant} && dhcp {performant}")
        traffic(lab, guest, beyond, sink, "virtio_net")

        mark = guest.qmp.mark()
        os.kill(passt_of(guest), signal.SIGKILL)
        guest.qmp.wait("BACKEND_STATUS_CHANGED", since=mark, up=False)
        guest.qmp.wait("BACKEND_STATUS_CHANGED", since=mark, up=True)
        guest.sh(f"carrier {performant}")
        lab.say("ok: passt was killed, another one is there, the link stayed")
        traffic(lab, guest, beyond, sink, "after that")
        lab.say(f"{guest.port()['counters']}")
    finally:
        beyond.leave()


main(scenario)
