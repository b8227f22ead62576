"""migrate_ovn.py KIND: a guest moves between two chassis of OVN while another machine of its logical switch pings it, by the very lines that
docs/ovn.md has. Before: both chassis have the port, and the one to come is deaf until it sends RARP. After: it is there alone."""
import pathlib
import re
import shlex
import signal
import socket
import struct
import subprocess
import threading
import time

import lab as machine
import ovn
from harness import Failed, main
from migrate import bring_up, migrate, wait_for
from cards import GUEST, HOST

KINDS = {
    "virtio_net": ("virtio-net,place=qemu", ["virtio_net"]),
    "auto": ("auto,place=qemu", ["8139cp", "virtio_net"]),
    "vhost-user": ("virtio-net,transport=vhost-user", ["virtio_net"]),
}
MAC, PEER_MAC = "52:54:00:aa:00:01", "52:54:00:aa:00:02"
ETH_P_RARP = 0x8035


def documented(heading):
    """The lines of ovn-nbctl below a heading of docs/ovn.md, as words."""
    text = (machine.TOP / "docs/ovn.md").read_text()
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line)[1:] for line in found.group(1).splitlines() if line.startswith("ovn-nbctl ")]
    if not lines:
        raise Failed(f"docs/ovn.md has no lines below {heading}")
    return lines


class Rarps:
    """Those that reach a port of this host, by their sender."""

    def __init__(self, port):
        self.seen = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_RARP))
        self._socket.bind((port, ETH_P_RARP))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            frame = self._socket.recv(2000)
            what, = struct.unpack("!H", frame[20:22])
            self.seen.append((frame[6:12].hex(":"), what))


class Ping:
    def __init__(self, folder):
        self._path = pathlib.Path(folder) / "ping.out"
        with self._path.open("w") as out:
            self._process = subprocess.Popen(["ping", "-n", "-i", "0.1", GUEST], stdout=out, stderr=subprocess.STDOUT)

    def answers(self):
        return [int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", self._path.read_text())]

    def wait_more(self, count, what):
        have = len(self.answers())
        machine.wait_until(lambda: len(self.answers()) >= have + count, what, 30)

    def end(self):
        """The longest row of lost ones."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        got = self.answers()
        return max((b - a - 1 for a, b in zip(got, got[1:])), default=0)


def one(lab, spec, name, chassis, *options):
    """The guest on a chassis."""
    before = []
    if chassis.place:
        before = [*chassis.place.words, "env", *(f"{k}={v}" for k, v in chassis.switch.environment.items())]
    return lab.guest(nics=[f"{spec},mac={MAC},backend=bridge,br={ovn.BRIDGE},iface-id=web"], name=name, before=before,
                     options=["-v", *options], wait=not options)


def bring_controller(chassis, path, listened):
    """Once the port is there. `listened`: whether QEMU was there, too."""
    machine.wait_until(chassis.taps, "the destination's tap", 60)
    early = path.exists()
    chassis.start_controller()
    listened.append(early)


def move(lab, net, kind):
    spec, drivers = KINDS[kind]
    src, dst = net.chassis["src"], net.chassis["dst"]
    source = one(lab, spec, "end0", src)
    bring_up(source, drivers)
    lab.equal(net.binding("web"), {"chassis": "src", "additional": [], "activated": []}, "the source has the port")
    for words in documented("Before the move") + documented("When the move failed"):
        net.nbctl(*words)
    lab.equal(net.binding("web"), {"chassis": "src", "additional": [], "activated": []}, "and after a move that did not happen")
    rarps, ping = Rarps("peer0"), Ping(lab.folder)
    ping.wait_more(5, "answers before the move")

    for words in documented("Before the move"):
        net.nbctl(*words)
    path = pathlib.Path(lab.folder) / "there"
    dst.stop_controller()
    listened = []
    late = threading.Thread(target=bring_controller, args=(dst, path, listened), daemon=True)
    late.start()
    target = one(lab, spec, "end1", dst, "--incoming", f"unix:{path}")
    late.join(60)
    lab.equal(listened, [False], "while OVN's controller is away QEMU does not listen")
    wait_for(path, target)
    lab.equal(net.binding("web"), {"chassis": "src", "additional": ["dst"], "activated": []}, "both have it, the destination is not active")
    (tap,) = dst.taps()
    lab.equal(dst.switch.ids(tap).get("ovn-installed"), "true", "its flows are there")
    lab.check(f"OVN's flows of web ({tap}) are in place" in target.log(), "QEMU listens after they came")
    lab.equal(rarps.seen, [], "nobody announced the guest")
    ping.wait_more(5, "answers while both have it")

    print(migrate(source, f"unix:{path}"))
    lab.equal(source.wait_end(), 0, "the source ends with status 0")
    target.qmp.wait("MIGRATION", status="arrived")
    machine.wait_until(lambda: rarps.seen, "RARP")
    machine.wait_until(lambda: net.binding("web")["activated"] == ["dst"], "the destination was activated")
    lab.equal(set(rarps.seen), {(MAC, 3)}, f"it was by RARP: {len(rarps.seen)} of them")
    lab.equal(src.taps(), [], "the source's port is gone")
    ping.wait_more(5, "answers after the move")

    for words in documented("After the move"):
        net.nbctl(*words)
    machine.wait_until(lambda: net.binding("web") == {"chassis": "dst", "additional": [], "activated": []}, "the destination alone has it")
    ping.wait_more(5, "answers at the end")
    lab.say(f"at most {ping.end()} answers in a row were lost, of 10 a second")
    target.sh(f"await 5 answers {HOST}")


def scenario(lab, kind="auto"):
    net = ovn.Ovn(lab.folder)
    try:
        src, dst = net.add_chassis("src"), net.add_chassis("dst")
        net.connect(src, dst)
        for words in documented("The port"):
            net.nbctl(*words)
        net.nbctl("lsp-add", "lan", "peer0", "--", "lsp-set-addresses", "peer0", PEER_MAC)
        src.add_host("peer0", PEER_MAC, HOST)
        net.nbctl("--wait=hv", "sync")
        move(lab, net, kind)
    except Exception:
        for path, text in net.logs():
            print(f"--- {path.parent.name}: {path.name}\n{text[-1500:]}")
        raise
    finally:
        for guest in lab.guests:
            guest.stop()
        net.stop()


if __name__ == "__main__":
    main(scenario)
