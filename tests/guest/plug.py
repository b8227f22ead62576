"""plug.py [machine]: ports come into a guest that runs and go out of it again: `anynic plug` and `anynic unplug`. A card of QEMU's on a bridge
five times with traffic, both cards of a switch port, cards that anynic serves in a process that is locked down already, libvirt's XML; a guest
that is stopped and does not answer, a QEMU that does not, what QEMU refuses, what this machine has not, and a kill in the middle: nothing stays behind."""
import os
import pathlib
import re
import signal
import subprocess
import time

import lab as machine
from cards import CARDS
from harness import main
from host_net import HOST, links, make_bridge

NEAR = "10.7.0.9"
XML = """<interface type='bridge'>
  <mac address='52:54:00:00:77:01'/>
  <source bridge='br0'/>
  <model type='{model}'/>
</interface>
"""


def anynic(*words):
    done = subprocess.run([machine.anynic(), *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


class Plugging:
    def __init__(self, lab, guest):
        self.lab, self.guest = lab, guest
        self.before = links()

    def plug(self, *words, port):
        mark = self.guest.qmp.mark()
        self.lab.equal(anynic("plug", self.guest.name, *words), (0, f"{port} is plugged"), f"{port} is plugged: {' '.join(words)}")
        self.guest.qmp.wait("PORT_ADDED", since=mark, port=port)

    def unplug(self, port):
        mark = self.guest.qmp.mark()
        self.lab.equal(anynic("unplug", self.guest.name, port), (0, f"{port} is unplugged"), f"{port} is unplugged")
        self.guest.qmp.wait("PORT_REMOVED", since=mark, port=port)

    def ports(self):
        return [port["port"] for port in self.guest.qmp.command("query-ports")]

    def refused(self, code, pattern, *words):
        """Exit code and text; nothing has changed."""
        before, ports = links(), self.ports()
        status, text = anynic(*words)
        self.lab.check(status in (code if isinstance(code, tuple) else (code,)) and re.search(pattern, text), f"{' '.join(map(str, words))}: exit code {status}: {text}")
        self.lab.equal((links(), self.ports()), (before, ports), "nothing is changed")

    def nothing_left(self, text):
        self.lab.equal(links(), self.before, f"{text}: the host has the links that it had")
        self.lab.equal(self.ports(), ["net0"], f"{text}: the guest has the port that it had")
        status = anynic("status", self.guest.name)
        self.lab.check(status[0] == 0 and "net0" in status[1] and "net1" not in status[1], "status shows no other")


def up_on_bridge(guest, driver):
    name = guest.sh(f"bring_up {driver}")
    guest.sh(f"ip addr add {NEAR}/24 dev {name}; await 10 answers {HOST}")


def own_card(p):
    for turn in range(1, 6):
        p.plug("--nic", "virtio-net,place=qemu,backend=bridge,br=br0", port="net1")
        up_on_bridge(p.guest, "virtio_net")
        p.guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", nic="net1", status="ready")
        p.lab.equal(p.ports(), ["net0", "net1"], f"{turn}. time: it has traffic, and query-ports shows it")
        p.unplug("net1")
        p.nothing_left(f"{turn}. time")


def one_goes(p):
    """The guest lets one of two cards go by itself: QEMU closes its tap, and the other one works as before."""
    before = links()
    p.guest.sh("a=$(basename $(readlink -f /sys/class/net/$(nic 8139cp)/device)); "
               "for s in /sys/bus/pci/slots/*; do case $a in $(cat $s/address)*) echo 0 >$s/power;; esac; done")
    await_that(lambda: len(links()) == len(before) - 1, "its tap is gone")
    for way in ("down", "up"):  # so that the bridge's ports are looked at
        subprocess.run(["ip", "link", "set", "br0", way], check=True)
    p.guest.sh(f"ip addr add {NEAR}/24 dev $(nic virtio_net); await 10 answers {HOST}")
    p.lab.equal(p.guest.port("both")["backend"]["up"], True, "one card of two is out, and the backend of the other is up")


def both_cards(p):
    p.plug("--nic", "auto,place=qemu,backend=bridge,br=br0,id=both", port="both")
    mark = p.guest.qmp.mark()
    up_on_bridge(p.guest, "8139cp")
    p.guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to="both-legacy")
    p.guest.sh("bring_up virtio_net")
    p.guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to="both-performant")
    p.lab.say("ok: a switch port that was plugged moves the link as others do")
    one_goes(p)
    p.unplug("both")
    p.nothing_left("both cards")


def hosted(p):
    for turn in (1, 2):
        p.plug("--nic", "e1000,backend=user,id=served", port="served")
        name = p.guest.sh("bring_up e1000")
        p.guest.sh(f"await 10 carrier {name}; dhcp {name} && answers 10.0.2.2")
        p.lab.say(f"ok: {turn}. time: a card that anynic serves has DHCP and answers")
        p.unplug("served")
        p.nothing_left(f"served, {turn}. time")


def by_xml(p, folder):
    file = pathlib.Path(folder) / "interface.xml"
    file.write_text(XML.format(model="virtio"))
    p.plug("--interfaces", str(file), port="net1")
    up_on_bridge(p.guest, "virtio_net")
    p.lab.equal(p.guest.qmp.command("query-ports", port="net1")[0]["mac"], "52:54:00:00:77:01", "it has the MAC of the XML")
    p.unplug("net1")
    p.nothing_left("XML")
    file.write_text(XML.format(model="carrier-pigeon"))
    p.refused(1, "device_add: .*carrier-pigeon.*is undone", "plug", p.guest.name, "--interfaces", file)
    file.write_text(XML.format(model="virtio").replace("br0", "nobr"))
    p.refused(3, "interface:1: .*no bridge nobr", "plug", p.guest.name, "--interfaces", file)
    file.write_text(XML.format(model="virtio").replace("type='bridge'", "type='carrier-pigeon'"))
    p.refused(2, r"interface:1: .*carrier-pigeon", "plug", p.guest.name, "--interfaces", file)


def refusals(p):
    name = p.guest.name
    p.refused(3, "no port nothing", "unplug", name, "nothing")
    p.refused(2, "id=net0 is used by two ports", "plug", name, "--nic", "virtio-net,id=net0")
    p.refused(2, "fd= is a descriptor", "plug", name, "--nic", "virtio-net,place=qemu,backend=tap,fd=5")
    p.refused(3, "no bridge nobr", "plug", name, "--nic", "virtio-net,place=qemu,backend=bridge,br=nobr")
    p.refused(3, "br0 is no network device.*pool list", "plug", name, "--nic", "hostdev,dev=br0")
    if not os.path.exists("/sys/kernel/iommu_groups/0"):  # else it would be taken
        for path in pathlib.Path("/sys/bus/pci/devices").glob("*/class"):
            if path.read_text(encoding="ascii").startswith("0x02"):
                p.refused((1, 4), "IOMMU|cannot be had", "plug", name, "--nic", f"hostdev,dev={path.parent.name}")
    p.refused(3, "0000:ff:1f.7", "plug", name, "--nic", "hostdev,dev=0000:ff:1f.7")
    # QEMU takes the netdev, not the device: the tap is gone again
    p.refused(1, "device_add: .*romfile|device_add: .*rom", "plug", name, "--nic",
              "rtl8139,place=qemu,backend=bridge,br=br0,romfile=/nonexistent/rom")


def no_room(p):
    p.plug("--nic", "virtio-net,place=qemu,backend=bridge,br=br0", port="net1")
    p.plug("--nic", "virtio-net,place=qemu,backend=bridge,br=br0", port="net2")
    p.refused(1, "root port.*--spare-ports", "plug", p.guest.name, "--nic", "virtio-net,place=qemu,backend=bridge,br=br0")
    p.unplug("net2")
    p.unplug("net1")
    p.nothing_left("both root ports")


def deaf_guest(p):
    p.plug("--nic", "virtio-net,place=qemu,backend=bridge,br=br0", port="net1")
    up_on_bridge(p.guest, "virtio_net")
    monitor = p.guest.monitor()
    monitor.command("stop")
    mark = p.guest.qmp.mark()
    p.refused(5, "did not give the card up.*stopped.*nothing is changed", "unplug", p.guest.name, "net1", "--timeout", 1)
    monitor.command("cont")
    p.guest.qmp.wait("PORT_REMOVED", since=mark, port="net1")
    monitor.close()
    p.nothing_left("a guest that answers late")


def silent_qemu(p):
    """A QEMU that stands still: who asked is told, and what it takes late is undone when it goes on."""
    words = ("--nic", "virtio-net,place=qemu,backend=bridge,br=br0")
    qemu = qemu_of(p.guest)
    os.kill(qemu, signal.SIGSTOP)
    p.refused(5, "QEMU does not answer qom-list.*is undone", "plug", p.guest.name, *words, "--timeout", 1)
    os.kill(qemu, signal.SIGCONT)
    p.nothing_left("a QEMU that does not show its root ports")
    p.plug(*words, port="net1")
    up_on_bridge(p.guest, "virtio_net")
    mark = p.guest.qmp.mark()
    os.kill(qemu, signal.SIGSTOP)
    p.refused(5, "device_del: QEMU did not answer in time; nothing is changed", "unplug", p.guest.name, "net1", "--timeout", 1)
    os.kill(qemu, signal.SIGCONT)
    p.guest.qmp.wait("PORT_REMOVED", since=mark, port="net1")
    p.nothing_left("a QEMU that answers late")


def served_virtio(p):
    p.plug("--nic", "auto,backend=bridge,br=br0,id=stays", port="stays")
    mark = p.guest.qmp.mark()
    up_on_bridge(p.guest, "virtio_net")
    p.guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to="stays-performant")
    p.refused(4, "MSI-X", "unplug", p.guest.name, "stays")


def qemu_of(guest):
    children = pathlib.Path(f"/proc/{guest.process.pid}/task/{guest.process.pid}/children").read_text(encoding="ascii").split()
    lines = {int(child): pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0") for child in children}
    return next(child for child, line in lines.items() if b"-nodefaults" in line and b"run" not in line)  # ours has them all


def killed(p, folder):
    """QEMU stands still, so that the plug is under way for sure."""
    guest = p.guest
    qemu = qemu_of(guest)
    before = links()
    os.kill(qemu, signal.SIGSTOP)
    waiting = subprocess.Popen([machine.anynic(), "plug", guest.name, "--nic", "virtio-net,place=qemu,backend=bridge,br=br0"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await_that(lambda: len(links()) > len(before), "the tap is there")
    guest.process.send_signal(signal.SIGKILL)
    waiting.wait(60)
    os.kill(qemu, signal.SIGCONT)  # it ends by itself when it can
    await_that(lambda: links() == ["br0", "lo"], "the links are gone")
    p.lab.say("ok: killed in the middle of a plug: nothing of it is left on the host")
    await_that(lambda: not list(pathlib.Path(folder).glob("anynic/guest.*")), "its files are gone")


def await_that(holds, text, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds} s not so: {text}")
        time.sleep(0.05)


def scenario(lab):
    make_bridge()
    guest = lab.guest(nics=["e1000e,place=qemu"], options=["--spare-ports", "2"])
    p = Plugging(lab, guest)
    own_card(p)
    both_cards(p)
    hosted(p)
    by_xml(p, lab.folder)
    refusals(p)
    no_room(p)
    deaf_guest(p)
    silent_qemu(p)
    served_virtio(p)
    killed(p, lab.folder)


if __name__ == "__main__":
    main(scenario)
