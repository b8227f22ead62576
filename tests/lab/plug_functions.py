"""plug_functions.py: functions of a real card (QEMU's igb) go into a running guest under KVM and out of it again, all in one guest: by the name of
a libvirt network, by PCI address, by XML, and as the transient card of a team; MAC and driver are as before each time. What is not to be had
leaves nothing; a guest that ends, and an anynic that is killed, give everything back."""
import pathlib
import time

import host  # pylint: disable=unused-import  # goes to the lab host
from functions import MAC, Still, card, network, pool, settings, state, until
from harness import main
from plug import Plugging, anynic

TEAM = """<devices>
<interface type='user'><mac address='{mac}'/><model type='virtio'/><teaming type='persistent'/><alias name='ua-stays'/></interface>
<interface type='network'><mac address='{mac}'/><source network='fast'/><teaming type='transient' persistent='ua-stays'/><alias name='ua-goes'/>
</interface></devices>
"""


class Functions(Plugging):
    def __init__(self, lab, guest, dev):
        super().__init__(lab, guest)
        self.dev, self.functions, self.told = dev, state(dev), settings(dev)

    def taken(self):
        return [f for f in pool("show", self.dev) if f["state"] == "taken"]

    def given_back(self, text):
        self.nothing_left(text)
        self.lab.equal(state(self.dev), self.functions, f"{text}: its driver has the function again")
        self.lab.equal(settings(self.dev), self.told, f"{text}: which has its old MAC")

    def is_guests(self):
        (found,) = self.taken()
        self.lab.equal((found["driver"], found["guest"]), ("vfio-pci", self.guest.name), f"{found['pci']} is the guest's")
        self.lab.check(MAC in [mac for mac, _, _ in settings(self.dev)], "and has the port's MAC")
        return found["pci"]

    def traffic(self):
        name = self.guest.sh("bring_up igbvf")
        self.lab.equal(self.guest.sh(f"cat /sys/class/net/{name}/address"), MAC, "the guest's driver finds it")
        self.guest.sh(f"await 20 carrier {name}; dhcp {name}; await 20 answers 10.0.2.2")
        self.lab.say("ok: the guest has its network through it")


def one_by_one(p):
    p.plug("--nic", f"hostdev,dev=fast,mac={MAC}", port="net1")
    pci = p.is_guests()
    p.traffic()
    p.refused(1, "cannot be had: guest guest, port net1", "plug", p.guest.name, "--nic", f"hostdev,dev={pci},id=again")
    p.unplug("net1")
    p.given_back("by the name of a network")
    p.plug("--nic", f"hostdev,dev={pci},mac={MAC}", port="net1")
    p.lab.equal(p.is_guests(), pci, "the one that was named")
    p.traffic()
    p.unplug("net1")
    p.given_back("by PCI address")


def nothing_to_be_had(p):
    held = [pool("take", p.dev, "--owner", f"held{n}")["pci"] for n in range(len(p.functions))]
    p.refused(1, "no function of", "plug", p.guest.name, "--nic", "hostdev,dev=fast")
    p.refused(1, "no function of", "plug", p.guest.name, "--nic", "team,transient=hostdev,dev=fast")
    for pci in held:
        pool("release", pci)
    p.given_back("none is free")


def team(p, *words, port, persistent, transient):
    p.plug(*words, port=port)
    p.lab.equal(p.guest.port(port)["active"], persistent, "without a pair the guest works on virtio")
    (found,) = p.taken()
    p.lab.check(MAC not in [mac for mac, _, _ in settings(p.dev)], f"{found['pci']} waits, and has its own MAC still")
    p.guest.sh("modprobe net_failover; virtio; modprobe virtio_net; modprobe igbvf")
    p.guest.sh("await 60 has_nic igbvf", timeout=100)
    p.is_guests()
    until(p.lab, lambda: p.guest.port(port)["active"] == transient, "the guest's driver asked for the function, and it carries traffic")
    p.guest.sh("for d in /sys/class/net/*; do readlink $d/master; done | head -1 >/tmp/master; "
               "m=$(basename $(cat /tmp/master)); up $m; await 20 carrier $m; dhcp $m; await 20 answers 10.0.2.2", timeout=200)
    p.unplug(port)
    p.guest.sh("rmmod igbvf; rmmod virtio_net")
    p.given_back(f"team {port}")


def teams(p, folder):
    team(p, "--nic", f"team,transient=hostdev,dev=fast,mac={MAC}", port="net1", persistent="net1-persistent", transient="net1-transient")
    file = pathlib.Path(folder) / "team.xml"
    file.write_text(TEAM.format(mac=MAC))
    team(p, "--interfaces", str(file), port="ua-stays", persistent="ua-stays", transient="ua-goes")


def unasked(p):
    """Nobody in the guest asks for the function: it goes back all the same."""
    p.plug("--nic", f"team,transient=hostdev,dev=fast,mac={MAC}", port="net1")
    p.lab.equal(len(p.taken()), 1, "a function is kept for the team")
    p.unplug("net1")
    p.given_back("a team that nobody paired")


def the_end(p, text, end):
    p.plug("--nic", f"hostdev,dev=fast,mac={MAC}", port="net1")
    p.is_guests()
    end()
    until(p.lab, lambda: (state(p.dev), settings(p.dev)) == (p.functions, p.told), f"{text}: driver and MAC are as before")


def killed(lab, dev):
    """Of a guest that never ran; the function is the guest's from the plug on."""
    before = state(dev), settings(dev)
    for turn in (1, 2):
        guest = Still(lab, f"doomed{turn}", "--nic", "virtio-net,place=qemu", "--spare-ports", "1")
        end = time.monotonic() + 60
        while (done := anynic("plug", guest.name, "--nic", f"hostdev,dev=fast,mac={MAC}"))[0] == 3 and time.monotonic() < end:
            time.sleep(0.2)  # it is not there yet
        lab.equal(done[0], 0, f"plugged: {done[1]}")
        lab.check([f["guest"] for f in pool("show", dev) if f["state"] == "taken"] == [guest.name], "it has a function")
        guest.process.kill()
        guest.process.wait()
        until(lab, lambda: (state(dev), settings(dev)) == before, f"{turn}. kill: driver and MAC are as before")
        until(lab, lambda: not list(pathlib.Path(lab.folder).glob("anynic/*.undo")), "and no line of a journal is left")


def scenario(lab):
    dev = card(lab)
    network(dev)
    guest = lab.guest(nics=["rtl8139,place=qemu"], options=["--spare-ports", "2"], kernel="6.12")
    p = Functions(lab, guest, dev)
    one_by_one(p)
    nothing_to_be_had(p)
    unasked(p)
    teams(p, lab.folder)
    the_end(p, "the guest ended", guest.stop)
    killed(lab, dev)


main(scenario, namespace=False)
