"""Links by hand: what `anynic link` does is what Linux sees, on single NICs of every model and on a switch port."""
import subprocess

import lab as machine
from cards import CARDS
from harness import main


def link(guest, place, state):
    subprocess.run([machine.anynic(), "link", guest.name, place, state], check=True)


def single(lab, guest, number, name):
    port = f"n{number}"
    nic = CARDS[name].up(guest, 1)
    for _ in range(3):
        mark = guest.qmp.mark()
        link(guest, port, "down")
        guest.sh(f"await 5 no_carrier {nic}")
        guest.qmp.wait("NIC_LINK_CHANGED", since=mark, nic=port, up=False)
        link(guest, port, "up")
        guest.sh(f"await 5 carrier {nic}")
        guest.qmp.wait("NIC_LINK_CHANGED", since=mark, nic=port, up=True)
    guest.sh(f"dhcp {nic} && answers 10.0.2.2")
    lab.say(f"ok: {name}: three times down and up, seen by Linux, then traffic")
    guest.sh(f"ip link set {nic} down; ip addr flush dev {nic}")


def switch_port(lab, guest):
    legacy = guest.sh("nic 8139cp 2")
    performant = guest.sh("nic virtio_net 2")
    guest.sh(f"up {legacy}; up {performant}; await 10 carrier {performant}")
    link(guest, "net9/net9-legacy", "up")
    link(guest, "net9/net9-performant", "down")
    guest.sh(f"await 5 carrier {legacy}; await 5 no_carrier {performant}")
    lab.equal(guest.port("net9")["state"], "manual", "a link set by hand makes the port manual")
    (why,) = guest.qmp.command("query-why", port="net9")
    lab.equal(why["verdict"], "manual", "and query-why says so")
    link(guest, "net9", "auto")
    guest.sh(f"await 5 carrier {performant}; await 5 no_carrier {legacy}")
    lab.equal(guest.port("net9")["active"], "net9-performant", "auto gives the choice back")


def scenario(lab):
    guest = lab.guest(nics=["rtl8139,id=n1", "rtl8139,rev=0x10,id=n2", "virtio-net,id=n3", "auto,id=net9"])
    single(lab, guest, 1, "8139cp")
    single(lab, guest, 2, "8139too")
    single(lab, guest, 3, "virtio_net")
    switch_port(lab, guest)


main(scenario)
