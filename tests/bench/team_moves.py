"""A team of virtio and e1000e: how long the guest's peer waits while traffic moves, against plain QEMU's own pair and the commands that
a user of plain QEMU would type. Two guests in one run, on one bridge; the moves in turns."""
import json
import os
import time

import lab as machine
import moves
from processes import cpu_seconds, children
from stream import Stream
from table import Row
from tcp import PEER

ROUNDS = int(os.environ.get("BENCH_MOVES", 5))
CARD = "e1000e"  # QEMU has it, too
PERSISTENT, TRANSIENT = "net0-persistent", "net0-transient"
SETTLE = 1.5  # after a move, what belongs to it has happened
MOVES = {
    "link": "fail-over, by command",
    "link-back": "fail-back, by command",
    "driver": "fail-over, driver unloaded",
    "driver-back": "fail-back, driver loaded",
    "migrate": "migration",
}


class Side:
    """One of the two guests, wherever it is now. `move(kind)` returns when it is done; times are those of its first command."""

    name = ""

    def __init__(self, lab, number):
        self.lab, self.number, self.ends = lab, number, 0
        self.mac, self.address = f"52:54:00:aa:00:{number + 1:02x}", f"10.7.0.{number + 2}"
        self.guest = self.start()
        self.master = self.pair()
        self.stream = Stream(moves.HOST)
        self.guest.sh(f"(peer echo {moves.HOST} {self.stream.port} 3600 >/tmp/echo 2>&1 </dev/null &) >/dev/null 2>&1")
        if not self.stream.ready.wait(20):
            raise RuntimeError(f"{self.name}: no stream: {self.guest.sh('cat /tmp/echo')}")

    def options(self, **more):
        self.ends += 1
        return {"name": f"{self.name}{self.ends}", "files": {"bin/peer": PEER.read_bytes()}, **more}

    def tap(self, letter=""):
        name = f"{self.name[:4]}{self.ends}{letter}"
        machine.make_tap(name, address=None)
        machine.ip("link", "set", name, "master", "br0")
        return name

    def pair(self):
        guest = self.guest
        guest.sh("modprobe net_failover; virtio; modprobe virtio_net; await 10 has_nic virtio_net")
        guest.sh("await 10 sh -c 'ls /sys/class/net/*/master >/dev/null 2>&1'")
        master = guest.sh("for d in /sys/class/net/*; do readlink $d/master; done | head -1").split("/")[-1]
        guest.sh(f"static {master} {self.address}/24; up {master}; await 10 carrier {master}; await 10 answers {moves.HOST}")
        self.load_driver()
        return master

    def load_driver(self):
        self.guest.sh(f"modprobe {CARD}; await 30 has_nic {CARD}", timeout=200)
        self.wait_back()

    def wait_back(self):
        """The transient card carries traffic."""
        self.guest.sh(f"await 30 has_nic {CARD}; await 20 carrier $(nic {CARD})", timeout=200)

    def move(self, kind):
        begin, cpu = time.monotonic(), self.cpu()
        getattr(self, kind.replace("-", "_"))()
        time.sleep(SETTLE)
        end = time.monotonic()
        stream = self.stream
        if stream.error:
            raise RuntimeError(f"{self.name}, {kind}: the stream ended: {stream.error}")
        time.sleep(0.3)  # the last of these datagrams are back
        return {"stall": stream.stall_ms(begin, end), "lost": stream.lost(begin, end), "doubled": stream.doubled(begin, end),
                "cpu": 100 * (self.cpu() - cpu) / (end - begin) if kind != "migrate" else None,
                "gaps": [(round(1000 * (at - begin)), round(1000 * length)) for at, length in stream.gaps(begin, end, 0.05)]}

    def cpu(self):
        """Seconds of its control, datapath and QEMU."""
        pid = self.guest.process.pid
        return sum(map(cpu_seconds, [pid, *children(pid)]))

    def driver(self):
        self.guest.sh(f"rmmod {CARD}", timeout=200)

    def driver_back(self):
        self.load_driver()


class Ours(Side):
    name = "anynic"

    def start(self, **more):
        options = self.options(**more)
        return self.lab.guest(nics=[f"team,transient={CARD},backend=tap,ifname={self.tap()},mac={self.mac}"], **options)

    def wait_back(self):
        end = time.monotonic() + 60
        while self.guest.port()["active"] != TRANSIENT:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.guest.port()}")
            time.sleep(0.02)
        super().wait_back()

    def link(self):
        self.guest.qmp.command("set_link", name=TRANSIENT, up=False)

    def link_back(self):
        self.guest.qmp.command("set-port-policy", port="net0", mode="auto")
        self.wait_back()

    def migrate(self):
        here = self.guest
        path = f"{self.lab.folder}/move{self.ends}"
        there = self.start(wait=False, options=["--incoming", f"unix:{path}"])
        await_path(path)
        time.sleep(0.5)
        here.qmp.command("migrate", uri=f"unix:{path}")
        here.qmp.wait("MIGRATION", status="completed")
        here.wait_end()
        self.guest = there
        self.wait_back()


class Theirs(Side):
    """Plain QEMU; a tap for each card, as VF and virtio have one each."""

    name = "plain"

    def start(self, **more):
        options = self.options(**more)
        words = []
        for n in (0, 1):
            words += ["-device", f"pcie-root-port,id=rp{n},bus=pcie.0,chassis={n + 1}",
                      "-netdev", f"tap,id=host{n},ifname={self.tap('ab'[n])},script=no,downscript=no"]
        words += ["-device", f"virtio-net-pci,id=net0,netdev=host0,mac={self.mac},failover=on,bus=rp0",
                  "-device", json.dumps(self.transient())]
        options["qemu"] = [*words, *options.get("qemu", ())]
        guest = self.lab.guest(nics=None, **options)
        self.monitor = guest.monitor()
        return guest

    def transient(self):
        return {"driver": CARD, "id": "net1", "netdev": "host1", "mac": self.mac, "failover_pair_id": "net0", "bus": "rp1", "romfile": ""}

    def link(self):
        mark = self.monitor.mark()
        self.monitor.command("device_del", id="net1")
        self.monitor.wait("DEVICE_DELETED", since=mark, device="net1")

    def link_back(self):
        self.monitor.execute("device_add", self.transient())
        self.wait_back()

    def migrate(self):
        here, monitor = self.guest, self.monitor
        there = self.start(wait=False, qemu=["-incoming", "defer"])
        uri = f"unix:{self.lab.folder}/plain{self.ends}"
        self.monitor.command("migrate-incoming", uri=uri)
        for one in (monitor, self.monitor):
            one.command("migrate-set-capabilities", capabilities=[{"capability": "return-path", "state": True},
                                                                  {"capability": "events", "state": True}])
        time.sleep(0.5)
        monitor.command("migrate", uri=uri)
        moves.wait_status(monitor, ("completed",))
        monitor.command("quit")
        monitor.close()
        here.wait_end()
        self.guest = there
        self.wait_back()


def await_path(path):
    end = time.monotonic() + 20
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise RuntimeError(f"{path} is not there")
        time.sleep(0.02)


def tell(lab, side, kind, seen):
    lab.say(f"{side.name} {kind}: {seen['stall']:.0f} ms, {seen['lost']} lost, {seen['doubled']} twice, gaps {seen['gaps']}")


def measure(lab):
    moves.make_bridge()
    sides = (Ours(lab, 0), Theirs(lab, 1))
    runs = {(kind, side.name): [] for kind in MOVES for side in sides}
    for number in range(ROUNDS):
        for kind in MOVES:
            for side in sides if number % 2 == 0 else sides[::-1]:
                seen = side.move(kind)
                tell(lab, side, kind, seen)
                runs[kind, side.name].append(seen)
    for side in sides:
        side.stream.stop()
        side.guest.stop()
    return rows(runs)


def values(runs, key):
    return [run[key] for run in runs]


def beside(runs, kind):
    """CPU and spread of one side."""
    cpu = "" if kind == "migrate" else f"{sum(values(runs, 'cpu')) / len(runs):.0f}%, "
    return f"{cpu}{min(values(runs, 'stall')):.0f}..{max(values(runs, 'stall')):.0f} ms"


def rows(runs):
    found = []
    for kind, text in MOVES.items():
        ours, theirs = runs[kind, "anynic"], runs[kind, "plain"]
        row = Row(f"team, {text}: TCP stall at the peer", "ms", values(ours, "stall"), values(theirs, "stall"), higher=False,
                  cpu=f"{beside(ours, kind)} | {beside(theirs, kind)}")
        found.append(row.aim(1.0, "<= 1.0, aim 0.5"))
    for kind, text in MOVES.items():
        ours, theirs = runs[kind, "anynic"], runs[kind, "plain"]
        over = kind in ("link", "driver")  # the transient card's driver throws away what its ring holds: one may be there
        count = sum(values(ours, "lost"))
        found.append(Row(f"team, {text}: datagrams lost, of 500 a second", f"in {len(ours)}", count, sum(values(theirs, "lost")),
                         wanted="0" if over else "", good=count == 0 if over else None))
    return found
