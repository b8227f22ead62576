"""vf_migrate.py moves|holds|killed|often: a team of virtio and a virtual function moves to another QEMU, which has a pool of its own. Both pools
are functions of one card, and the bridge of the virtio cards is on that card, too: it gets the guest's frames only as long as no function has
the guest's MAC. The card is QEMU's, whose echo is taken away (echo.py).
moves   over the function, there over another one, with one stream; then to a pool that has none free, and one becomes free
holds   the guest does not let go: deadline; ^C; nobody at the other end: each time it is as before
killed  anynic is killed before the unplug, while the guest is waited for, while it moves, and after it moved, at either end
often   twenty times back and forth"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import host  # pylint: disable=unused-import  # goes to the lab host
import echo
import lab as machine
import moves
from functions import card, pool, settings, state, until
from harness import Failed, main, story

PERSISTENT, TRANSIENT = "net0-persistent", "net0-transient"
NETWORKS = pathlib.Path("/etc/libvirt/qemu/networks")
WIRE = "10.0.2.2"  # who answers on the other side of the card
POOLS = {"here": slice(0, 3), "there": slice(3, 7)}
PATIENCE = "120"
# A function in a guest pins its memory. Of pages that a move left untouched each one is a fault, for which the vCPU of a nested guest stops: half a
# minute and more on a busy machine, in which QEMU does nothing else. So all of it is there from the start.
MEMORY = ("-m", "256M", "-object", "memory-backend-ram,id=ram,size=256M,prealloc=on", "-machine", "memory-backend=ram")


class Place:
    """The card, both pools, and the bridge on the card."""

    def __init__(self, lab, load=False):
        self.lab = lab
        subprocess.run(["ip", "link", "del", "br0"], stderr=subprocess.DEVNULL, check=False)
        self.dev = card(lab, load)
        NETWORKS.mkdir(parents=True, exist_ok=True)
        self.functions = [f["pci"] for f in pool("show", self.dev)]
        for name, part in POOLS.items():
            words = "".join("<address type='pci' domain='0x{}' bus='0x{}' slot='0x{}' function='0x{}'/>".format(
                *pci.replace(".", ":").split(":")) for pci in self.functions[part])
            (NETWORKS / f"{name}.xml").write_text(f"<network><name>{name}</name><forward mode='hostdev' managed='yes'>{words}</forward></network>\n")
        moves.make_bridge()
        machine.ip("link", "set", self.dev, "master", "br0")
        self.quiet = echo.Dropped(self.dev)
        self.before, self.drivers = settings(self.dev), state(self.dev)
        self.number = 0

    def end(self, name, incoming=False, **options):
        """A guest that runs on a pool, or one that waits for it."""
        self.number += 1
        path = f"{self.lab.folder}/way{self.number}" if incoming else None
        words = {**options, "kernel": "6.12", "memory": MEMORY}
        guest = moves.one(self.lab, f"team,transient=hostdev,dev={name},vlan=0", self.number, bridge=True,
                          incoming=f"unix:{path}" if path else None, **words)
        guest.way = path
        if path:
            until(self.lab, pathlib.Path(path).exists, f"{guest.name} waits on pool {name}")
        return guest

    def having(self):
        """The functions that have the guest's MAC."""
        return [pci for pci, (mac, _, _) in zip(self.functions, settings(self.dev)) if mac == moves.MAC]

    @staticmethod
    def behind():
        """The ports of the bridge behind which it has the guest."""
        told = subprocess.run(["bridge", "-j", "fdb", "show", "br", "br0"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return [entry["ifname"] for entry in json.loads(told) if entry["mac"] == moves.MAC]

    def taken(self):
        return [(f["pci"], f["guest"]) for f in pool("show", self.dev) if f["state"] == "taken"]

    def all_back(self, text):
        until(self.lab, lambda: state(self.dev) == self.drivers, f"{text}: each function is its driver's, and free")
        self.lab.equal(settings(self.dev), self.before, "with MAC and VLAN as before")

    def close(self):
        self.quiet.close()
        machine.ip("link", "set", self.dev, "nomaster")
        machine.ip("link", "del", "br0")


def bring_up(lab, place, guest, name):
    """The guest makes one interface of both cards; returns it. Traffic goes over the function."""
    lab.equal(place.having(), [], "a function is kept for the guest, without its MAC")
    mark = guest.qmp.mark()
    guest.sh("modprobe net_failover; virtio; modprobe virtio_net; await 10 has_nic virtio_net")
    master = guest.sh("for d in /sys/class/net/*; do readlink $d/master; done | head -1").split("/")[-1]
    guest.sh(f"static {master} {moves.GUEST}/24; ip addr add 10.0.2.15/24 dev {master}; up {master}; await 20 carrier {master}")
    guest.sh("modprobe igbvf; await 60 has_nic igbvf", timeout=200)
    on_function(lab, place, guest, name, mark)
    return master


def stream(guest, seconds=1200):
    """Until the bridge has learned that the guest is on virtio it sends its frames out of the card; QEMU's user network, the wire of the lab host,
    answers them with a reset."""
    return moves.Flow(guest, seconds, resets=False)


def on_function(lab, place, guest, name, mark=0):
    """Traffic goes over a function of this pool, in both directions."""
    guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, timeout=120, to=TRANSIENT)
    (has,) = place.having()
    lab.check(has in place.functions[POOLS[name]], f"{has} of pool {name} has the guest's MAC")
    guest.sh("await 60 carrier $(nic igbvf)", timeout=120)
    before = int(guest.sh("cat /sys/class/net/$(nic igbvf)/statistics/rx_packets"))
    guest.sh(f"await 20 answers {moves.HOST}; await 20 answers {WIRE}", timeout=120)
    lab.check(int(guest.sh("cat /sys/class/net/$(nic igbvf)/statistics/rx_packets")) > before, f"{guest.name}: host and wire answer through it")
    lab.equal(place.behind(), [place.dev], "the bridge has it behind the card")
    lab.equal(guest.port()["active"], TRANSIENT, "status says so")


def on_virtio(lab, place, guest):
    lab.equal(place.having(), [], f"{guest.name}: no function has the guest's MAC")
    (port,) = place.behind()
    lab.check(port != place.dev, f"the bridge has learned that it is behind {port}")
    guest.sh(f"await 20 answers {moves.HOST}; await 20 answers {WIRE}", timeout=120)
    lab.equal(guest.port()["active"], PERSISTENT, "host and wire answer on virtio, whose bridge is on the same card")


def begin(guest, uri, *more):
    return subprocess.Popen([machine.anynic(), "migrate", guest.name, uri, "--timeout", PATIENCE, *more], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def migrate(guest, uri, *more, status=0):
    process = begin(guest, uri, *more)
    said = process.communicate(timeout=300)[0]
    print(said)
    if process.returncode != status:
        raise Failed(f"anynic migrate ended with status {process.returncode}, not {status}")
    return said


def move(lab, source, target):
    mark = source.qmp.mark()
    said = migrate(source, f"unix:{target.way}")
    lab.check("unplugging" in said and "completed" in said, f"{source.name} moved: its function was taken out first")
    lab.equal([word.split(" (")[0] for word in story(source.qmp.events[mark:]) if word.startswith("net0:")],
              [f"net0: {TRANSIENT} -> {PERSISTENT}"], "and virtio took over before")
    lab.equal(source.wait_end(60), 0, "it ends with status 0")
    return target.qmp.wait("MIGRATION", status="arrived", timeout=120)


def why(guest):
    return guest.qmp.command("query-why", port="net0")[0]["text"]


def moves_twice(lab):
    place = Place(lab, load=True)
    source = place.end("here")
    bring_up(lab, place, source, "here")
    target = place.end("there", incoming=True)
    lab.equal(len(place.taken()), 2, "each end has a function of its own pool")
    (has,) = place.having()
    lab.check(has in place.functions[POOLS["here"]], "the one that waits for the guest does not have its MAC yet")
    flow = stream(source)
    arrived = move(lab, source, target)
    lab.check("reason" not in arrived["data"], "it arrived")
    on_function(lab, place, target, "there")
    flow.lives(lab)
    lab.equal([pci for pci, _ in place.taken()], place.having(), "the source's function is nobody's again")
    stays_on_virtio(lab, place, target, flow)
    flow.end(lab, place.last)
    place.last.stop()
    place.all_back("the guest ended")
    place.close()


def stays_on_virtio(lab, place, source, flow):
    """To the other pool, whose functions are all kept for others."""
    kept = [pool("take", pci, "--owner", "others")["pci"] for pci in place.functions[POOLS["here"]]]
    target = place.last = place.end("here", incoming=True)
    arrived = move(lab, source, target)
    lab.check("no function of here is free" in arrived["data"].get("reason", ""), f"the event says why: {arrived['data']}")
    flow.lives(lab)
    on_virtio(lab, place, target)
    lab.check("no function of here is free" in why(target), f"so does why: {why(target)}")
    lab.check("no function of here is free" in json.dumps(target.port()), "and status")
    pool("release", kept[1])
    on_function(lab, place, target, "here")
    lab.check(place.having() == [kept[1]], "one became free: the guest has it, and traffic goes over it")
    for pci in (kept[0], kept[2]):
        pool("release", pci)


DEAF = "cd /sys/bus/pci_express/drivers/pciehp; for port in *:*; do echo $port >unbind; done"
LISTENS = "cd /sys/bus/pci_express/drivers/pciehp; for port in /sys/bus/pci_express/devices/*:pcie004; do echo ${port##*/} >bind; done"
NO_ACPI = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]


def as_before(lab, place, guest, flow, text):
    lab.equal(guest.port()["active"], TRANSIENT, f"{text}: the function carries traffic")
    monitor = guest.monitor()
    lab.check(monitor.command("query-status")["running"], "the guest runs")
    monitor.close()
    lab.equal(len(place.having()), 1, "one function has its MAC")
    guest.sh(f"await 20 answers {moves.HOST}; await 20 answers {WIRE}", timeout=120)
    flow.lives(lab)
    lab.equal(place.behind(), [place.dev], "and the bridge has it there")


def silent_end(lab, name):
    """Takes what its buffer takes, and no more."""
    there = socket.socket(socket.AF_UNIX)
    there.bind(f"{lab.folder}/{name}")
    there.listen(1)
    return there


def holds(lab):
    place = Place(lab)
    guest = place.end("here", qemu=NO_ACPI)
    bring_up(lab, place, guest, "here")
    flow = stream(guest)
    guest.sh(DEAF)
    monitor = guest.monitor()
    monitor.command("stop")
    guest.qmp.wait("STOP")
    lab.check("continue the guest first" in migrate(guest, "unix:/nowhere", status=1), "a stopped guest is refused")
    monitor.command("cont")
    guest.qmp.wait("RESUME")
    monitor.close()
    mark = guest.qmp.mark()
    said = migrate(guest, "unix:/nowhere", "--timeout", "3", status=5)
    lab.check("did not let go of its transient card for 3 s" in said, "a guest without hot plug: the deadline")
    lab.equal([word for word in story(guest.qmp.events[mark:]) if word != "MIGRATION"], [], "and its cards noticed nothing")
    as_before(lab, place, guest, flow, "after the deadline")
    mark = guest.qmp.mark()
    process = begin(guest, "unix:/nowhere")
    guest.qmp.wait("MIGRATION", since=mark, status="unplugging")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[0]
    lab.check(process.returncode == 1 and "it was cancelled" in said, f"^C while the guest is waited for: {said}")
    as_before(lab, place, guest, flow, "after ^C")
    mark = guest.qmp.mark()
    guest.sh(LISTENS, check=False)
    back_in_hand(lab, place, guest, mark)
    said = migrate(guest, "unix:/nowhere", status=1)
    lab.check("No such file" in said, "nobody at the other end: it was unplugged, and plugged again")
    as_before(lab, place, guest, flow, "after that")
    there = silent_end(lab, "silent")
    said = migrate(guest, f"unix:{lab.folder}/silent", "--timeout", "15", status=5)
    lab.check("took nothing for 15 s" in said, "one that takes nothing: the deadline")
    as_before(lab, place, guest, flow, "after that")
    there.close()
    target = place.end("there", incoming=True, qemu=NO_ACPI)
    move(lab, guest, target)
    on_function(lab, place, target, "there")
    flow.end(lab, target)
    target.stop()
    place.all_back("it moved after all, and ended")
    place.close()


def back_in_hand(lab, place, guest, mark):
    """A guest that listens again finds the old request, and lets go: nobody wants that any more, and it gets the function once more."""
    until(lab, lambda: "net0-transient" not in str([word for word in story(guest.qmp.events[mark:])]) or guest.port()["active"] == TRANSIENT,
          "the guest hears again")
    guest.sh("await 60 has_nic igbvf", timeout=120)
    on_function(lab, place, guest, "here")


def kill(guest):
    guest.process.kill()
    guest.process.wait()


def killed(lab):
    place = Place(lab, load=True)
    for when, step in {"while the guest is waited for": killed_waiting, "while it moves": killed_moving, "after it moved": killed_after}.items():
        guest = place.end("here", qemu=NO_ACPI)
        bring_up(lab, place, guest, "here")
        for end in step(lab, place, guest):
            kill(end)
        place.all_back(f"killed {when}")
    lab.equal(list(pathlib.Path(lab.folder).glob("anynic/*.undo")), [], "and no line of a journal is left")
    place.close()


def killed_waiting(lab, place, guest):
    guest.sh(DEAF)
    begin(guest, "unix:/nowhere")
    guest.qmp.wait("MIGRATION", status="unplugging")
    lab.equal(len(place.having()), 1, "the guest holds its function")
    return [guest]


def killed_moving(lab, place, guest):
    place.silent = silent_end(lab, "stands")  # until the end
    begin(guest, f"unix:{lab.folder}/stands")
    guest.qmp.wait("MIGRATION", status="moving")
    lab.equal((place.having(), len(place.taken())), ([], 1), "the function is out of the guest, and still kept for it")
    return [guest]


def killed_after(lab, place, guest):
    """The source as soon as it says that it is done, and the other end with its function in the guest. One that waits for a guest dies as well."""
    idle = place.end("there", incoming=True, qemu=NO_ACPI)
    lab.equal(len(place.taken()), 2, "one end waits")
    kill(idle)
    until(lab, lambda: len(place.taken()) == 1, "killed before its guest came: its function is free")
    target = place.end("there", incoming=True, qemu=NO_ACPI)
    begin(guest, f"unix:{target.way}")
    guest.qmp.wait("MIGRATION", status="completed", timeout=200)
    kill(guest)
    on_function(lab, place, target, "there")
    return [target]


def often(lab):
    place = Place(lab)
    guest = place.end("here")
    bring_up(lab, place, guest, "here")
    flow = stream(guest, 3000)
    for turn in range(int(os.environ.get("ANYNIC_TURNS", "20"))):
        name = ("there", "here")[turn % 2]
        target = place.end(name, incoming=True)
        begin_ns = time.monotonic()
        move(lab, guest, target)
        on_function(lab, place, target, name)
        flow.lives(lab)
        lab.equal(len(place.taken()), 1, f"move {turn + 1}: {time.monotonic() - begin_ns:.1f} s; one function is taken, the guest's")
        guest = target
    flow.end(lab, guest)
    left = subprocess.run(["ip", "-o", "link", "show", "master", "br0"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    lab.equal(len(left), 2, "the card and the last guest's tap alone are on the bridge")
    guest.stop()
    place.all_back("the guest ended")
    place.close()


PARTS = {"moves": moves_twice, "holds": holds, "killed": killed, "often": often}


def scenario(lab, part="moves"):
    PARTS[part](lab)


main(scenario, namespace=False)
