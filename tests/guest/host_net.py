"""host_net.py bridge|direct|passthrough: guests whose ports are links of the host. Two guests on one bridge and on one device reach each
other and the host's side with unbroken data; a bridge that goes and comes back is joined again; a tap that is deleted is made again, a
macvtap when its device is there again; a device that was taken is given back."""
import os
import subprocess

import lab as machine
import servers
from cards import CARDS
from harness import main

SIZE = 8 << 20
HOST, ONE, TWO = "10.7.0.1", "10.7.0.2", "10.7.0.3"
NEAR, FAR = "52:54:00:00:00:02", "52:54:00:00:00:01"  # the same when the wire is made again


def quiet(name):
    """The scenario's frames only."""
    with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w", encoding="ascii") as file:
        file.write("1")


def make_bridge():
    machine.ip("link", "add", "br0", "type", "bridge")
    quiet("br0")
    machine.ip("link", "set", "br0", "up")
    machine.ip("addr", "add", f"{HOST}/24", "dev", "br0")


def make_wire():
    """wire0 is the host's device; at the other end of its cable somebody has the address."""
    machine.ip("link", "add", "wire0", "address", NEAR, "type", "veth", "peer", "name", "wire1", "address", FAR)
    for name in ("wire0", "wire1"):
        quiet(name)
        machine.ip("link", "set", name, "up")
    machine.ip("addr", "add", f"{HOST}/24", "dev", "wire1")


def mac_of(name):
    words = subprocess.run(["ip", "link", "show", name], check=True, capture_output=True, text=True).stdout.split()
    return words[words.index("link/ether") + 1]


def links():
    words = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout.split("\n")
    return sorted(line.split(":")[1].strip().split("@")[0] for line in words if line)


def bring_up(guest, kind, address):
    name = CARDS[kind].up(guest)
    guest.sh(f"ip addr add {address}/24 dev {name}; await 5 answers {HOST}")
    return name


def fetch(lab, guest, source, text):
    got = guest.probe("tcp-get", HOST, source.port)
    lab.equal((got["bytes"], got["crc"]), (str(source.size), f"{source.crc:08x}"), text)


def exchange(lab, one, two):
    """A file from guest to guest, each way."""
    for a, b, address in ((one, two, ONE), (two, one, TWO)):
        a.sh("dd if=/dev/urandom of=/tmp/sent bs=64k count=64 2>/dev/null; nc -l -p 5000 </tmp/sent >/dev/null 2>&1 & "
             "await 10 listens 5000")
        # its input stays open: busybox's nc ends with the first side that has no more to say
        b.sh(f"await 5 answers {address}; mkfifo /tmp/hold$$; exec 9<>/tmp/hold$$; nc {address} 5000 <&9 >/tmp/got")
        lab.equal(b.sh("md5sum </tmp/got"), a.sh("md5sum </tmp/sent"), f"{a.name} -> {b.name}: 4 MiB unbroken")


def pair(lab, backend):
    source = servers.Source(SIZE, host=HOST)
    before = links()
    one = lab.guest(nics=[f"auto,{backend}"])
    two = lab.guest(nics=[f"rtl8139,{backend}"])
    bring_up(one, "virtio_net", ONE)
    bring_up(two, "8139cp", TWO)
    fetch(lab, one, source, "virtio-net: 8 MiB from the host's side")
    fetch(lab, two, source, "rtl8139: 8 MiB from the host's side")
    exchange(lab, one, two)
    return one, two, before, source


def lost(guest, link):
    guest.mark = guest.qmp.mark()
    machine.ip("link", "del", link)
    guest.qmp.wait("BACKEND_STATUS_CHANGED", 60, guest.mark, port="net0", up=False)


def check_end(lab, before, *guests):
    for guest in guests:
        guest.stop()
    lab.equal(links(), before, "nothing of theirs is left on the host")


def bridge(lab):
    make_bridge()
    one, two, before, source = pair(lab, "backend=bridge,br=br0")
    since = one.qmp.mark()
    machine.ip("link", "del", "br0")
    gone = one.qmp.wait("BACKEND_STATUS_CHANGED", 60, since, port="net0", up=False)
    lab.check("bridge br0 is gone" in gone["data"]["reason"], gone["data"]["reason"])
    status, _ = one.sh(f"ping -c 1 -W 1 {TWO}", check=False)
    lab.check(status != 0, "without a bridge the guests do not reach each other")
    since = one.qmp.mark()
    make_bridge()
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, since, port="net0", up=True)
    one.sh(f"await 10 answers {TWO}")
    one.sh(f"await 10 answers {HOST}")
    lab.say("ok: the bridge is back, and so is the network")
    lab.until(lambda: two.port()["backend"]["up"], "in the other guest, too")
    for guest in (one, two):
        lost(guest, guest.port()["backend"]["ifname"])
        guest.qmp.wait("BACKEND_STATUS_CHANGED", 60, guest.mark, port="net0", up=True)
        guest.sh(f"await 10 answers {HOST}")
        fetch(lab, guest, source, "its tap was deleted: 8 MiB through the new one")
    check_end(lab, before, one, two)


def direct(lab):
    make_wire()
    one, two, before, _ = pair(lab, "backend=direct,dev=wire0,mode=bridge")
    check_end(lab, before, one, two)


def passthrough(lab):
    make_wire()
    before = links()
    source = servers.Source(SIZE, host=HOST)
    guest = lab.guest(nics=["virtio-net,queues=4,mac=52:54:00:0a:0b:0c,backend=direct,dev=wire0,mode=passthrough"], cpus=1)
    lab.equal(mac_of("wire0"), "52:54:00:0a:0b:0c", "the device has the guest's MAC")
    bring_up(guest, "virtio_net", ONE)
    fetch(lab, guest, source, "8 MiB from the other end")
    lost(guest, "wire0")
    make_wire()
    guest.qmp.wait("BACKEND_STATUS_CHANGED", 60, guest.mark, port="net0", up=True)
    guest.sh(f"await 10 answers {HOST}")
    fetch(lab, guest, source, "the device was unplugged and plugged in again: 8 MiB more")
    check_end(lab, before, guest)
    lab.equal(mac_of("wire0"), NEAR, "the device has its own MAC again")


def scenario(lab, which):
    if os.geteuid() != 0:
        raise machine.Skip("bridges and macvtaps are made by root only")
    machine.own_sysfs()
    {"bridge": bridge, "direct": direct, "passthrough": passthrough}[which](lab)


if __name__ == "__main__":
    main(scenario)
