"""plug_team.py: teams come into a guest that runs and go out of it again, all in one guest: QEMU's own cards, with traffic over both, twice;
not taken out while QEMU still hides the transient card; too few root ports; a guest that is stopped; and cards that anynic serves, which QEMU
lets go when they have no MSI-X."""
import time

from harness import main
from host_net import HOST, make_bridge
from plug import NEAR, Plugging

PERSISTENT, TRANSIENT = "net1-persistent", "net1-transient"
OWN = "team,transient=e1000e,place=qemu,backend=bridge,br=br0"


def why(guest):
    return guest.qmp.command("query-why", port="net1")[0]["text"]


def await_why(p, words):
    end = time.monotonic() + 60
    while words not in (text := why(p.guest)) and time.monotonic() < end:
        time.sleep(0.2)
    p.lab.check(words in text, f"why: {text}")


def pair(p):
    """The guest's virtio driver makes an interface of both cards, with an address; returns it."""
    p.guest.sh("modprobe net_failover; virtio; modprobe virtio_net; await 20 has_nic virtio_net")
    master = p.guest.sh("await 20 sh -c 'ls -d /sys/class/net/*/master'; for d in /sys/class/net/*; do readlink $d/master; done | head -1").split("/")[-1]
    p.guest.sh(f"ip addr add {NEAR}/24 dev {master}; up {master}; await 20 answers {HOST}")
    return master


def plugged_with_traffic(p, transient, driver):
    p.plug("--nic", transient, port="net1")
    pair(p)
    p.lab.equal(p.guest.port("net1")["active"], PERSISTENT, "without a driver for the transient card it works on virtio")
    await_why(p, "is plugged, driver none")
    mark = p.guest.qmp.mark()
    p.guest.sh(f"modprobe {driver}; await 60 has_nic {driver}", timeout=200)
    p.guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=TRANSIENT, timeout=90)
    p.guest.sh(f"await 20 carrier $(nic {driver}); await 20 answers {HOST}")
    p.lab.say(f"ok: {transient}: works on both cards")


def own_cards(p):
    for turn in (1, 2):
        plugged_with_traffic(p, OWN, "e1000e")
        p.unplug("net1")
        p.guest.sh("rmmod e1000e; rmmod virtio_net")
        p.nothing_left(f"{turn}. time")


def paired_goes(p):
    pair(p)
    await_why(p, "is plugged, driver none")
    p.unplug("net1")
    p.guest.sh("rmmod virtio_net")


def hidden(p):
    """No driver asks for the transient card: QEMU knows no such device yet."""
    p.plug("--nic", OWN, port="net1")
    p.lab.equal(p.guest.port("net1")["active"], PERSISTENT, "the persistent card carries the port")
    p.refused(4, "QEMU hides net1-transient", "unplug", p.guest.name, "net1")
    paired_goes(p)
    p.nothing_left("a team that nobody had paired")


def no_room(p):
    p.plug("--nic", "virtio-net,place=qemu,backend=bridge,br=br0,id=one", port="one")
    p.refused(1, "2 free PCI Express root ports.*has 1.*--spare-ports 2", "plug", p.guest.name, "--nic", OWN)
    p.unplug("one")
    p.plug("--nic", OWN, port="net1")
    p.refused(1, "1 free PCI Express root port,.*has 0", "plug", p.guest.name, "--nic", "virtio-net,place=qemu,backend=bridge,br=br0")
    p.lab.say("ok: the place of a hidden card is kept for it")
    paired_goes(p)
    p.nothing_left("too little room")


def deaf_guest(p):
    p.plug("--nic", OWN, port="net1")
    pair(p)
    await_why(p, "is plugged, driver none")
    monitor = p.guest.monitor()
    monitor.command("stop")
    p.refused(5, "did not give the card up.*stopped.*nothing is changed", "unplug", p.guest.name, "net1", "--timeout", 1)
    monitor.command("cont")
    monitor.close()
    p.guest.sh(f"await 20 answers {HOST}")
    p.unplug("net1")
    p.guest.sh("rmmod virtio_net")
    p.nothing_left("a guest that stood still")


def served(p):
    """QEMU ends with a fault when a served card with MSI-X goes; one without goes as others do."""
    for rings in ("", ",transport=vhost-user"):
        plugged_with_traffic(p, f"team,transient=e1000e,msix=off{rings},backend=bridge,br=br0", "e1000e")
        p.unplug("net1")
        p.guest.sh("rmmod e1000e; rmmod virtio_net")
        p.nothing_left(f"a served card without MSI-X{rings}")
    for model, driver in (("virtio-net", "virtio_net"), ("igb", "igb"), ("igc", "igc")):
        p.plug("--nic", f"{model},msix=off,backend=bridge,br=br0", port="net1")
        name = p.guest.sh(f"bring_up {driver}", timeout=200)
        p.guest.sh(f"ip addr add {NEAR}/24 dev {name}; await 20 answers {HOST}")
        p.unplug("net1")
        p.guest.sh(f"rmmod {driver}")
        p.nothing_left(model)
    plugged_with_traffic(p, "team,transient=e1000e,backend=bridge,br=br0", "e1000e")
    p.refused(4, "net1-transient: .*MSI-X", "unplug", p.guest.name, "net1")
    p.guest.sh(f"await 20 answers {HOST}")


def scenario(lab):
    make_bridge()
    guest = lab.guest(nics=["rtl8139,place=qemu"], options=["--spare-ports", "2"])
    p = Plugging(lab, guest)
    no_room(p)
    hidden(p)
    own_cards(p)
    deaf_guest(p)
    served(p)


if __name__ == "__main__":
    main(scenario)
