"""igbvf.py KERNEL: what only a virtual function has: the PF in our process. Linux comes up with the port's MAC at once,
link notices reach it by the mailbox, the PF refuses what a real one would, and a driver whose card was reset behind its
back starts over."""
import subprocess

import lab as machine
from cards import CARDS
from harness import main

MAC = "52:54:00:5f:00:07"


def comes_up(lab, guest):
    guest.sh("modprobe igbvf")
    nic = CARDS["igbvf"].up(guest)
    lab.equal(guest.sh(f"cat /sys/class/net/{nic}/address"), MAC, "it has the port's MAC")
    said = guest.sh("dmesg | grep igbvf")
    lab.check("random" not in said, "and did not choose one")
    lab.check("in reset" not in said, "the PF answered it at once")
    return nic


def notices(guest, nic):
    """How often the mailbox's interrupt came: the one that has the interface's bare name."""
    return int(guest.sh(f"awk '$NF == \"{nic}\" {{ print $2 }}' /proc/interrupts"))


def link(lab, guest, nic):
    for up in (False, True) * 3:
        word, before = "up" if up else "down", notices(guest, nic)
        subprocess.run([machine.anynic(), "link", guest.name, "vf", word], check=True)
        guest.sh(f"await 5 {'carrier' if up else 'no_carrier'} {nic}")
        # Linux looks by itself, too, every two seconds
        lab.until(lambda: notices(guest, nic) > before, f"link {word}, with a notice")
    guest.sh(f"dhcp {nic} && answers 10.0.2.2")


def addresses(lab, guest, nic):
    guest.sh(f"ip link set {nic} address 02:00:00:00:00:77; dhcp {nic} && answers 10.0.2.2")
    lab.say("ok: the guest chose another MAC and still has network: the PF lets it, with trust=on")
    guest.sh(f"ip link set {nic} down; modprobe -r igbvf; modprobe igbvf; await 5 has_nic igbvf")
    lab.equal(guest.sh(f"cat /sys/class/net/{nic}/address"), MAC, "a new driver has the port's MAC again")
    guest.sh(f"up {nic}; await 5 carrier {nic}; dhcp {nic} && answers 10.0.2.2")


def vlans(lab, guest, nic):
    guest.sh("modprobe 8021q")
    guest.sh(f"for i in $(seq 1 31); do ip link add link {nic} name v$i type vlan id $i || exit 1; done")
    lab.say("ok: the PF's table takes 31 VLANs beside VLAN 0")
    status, _ = guest.sh(f"ip link add link {nic} name v500 type vlan id 500", check=False)
    lab.check(status != 0, "and refuses one more, which the driver notices")
    guest.sh(f"ip link del v7; ip link add link {nic} name v500 type vlan id 500")
    guest.sh(f"for i in $(seq 1 31); do [ $i = 7 ] || ip link del v$i; done; ip link del v500; answers 10.0.2.2")
    lab.say("ok: but takes it when there is room")


def counters(guest, nic):
    lines = guest.sh(f"ethtool -S {nic} | sed 1d").splitlines()
    return {name.strip(): int(value) for name, value in (line.split(":") for line in lines)}


def ring_and_self_test(lab, guest, nic):
    for size in (80, 4096, 256):
        guest.sh(f"ethtool -G {nic} rx {size} tx {size}; await 5 carrier {nic}; dhcp {nic} && answers 10.0.2.2")
    lab.say("ok: rings of 80, 4096 and 256 descriptors")
    lab.check("PASS" in guest.sh(f"ethtool -t {nic} online"), "ethtool -t says PASS")
    before = counters(guest, nic)
    guest.sh("ping -c 20 -i 0.01 -s 1000 10.0.2.2")
    lab.until(lambda: counters(guest, nic)["rx_bytes"] - before["rx_bytes"] >= 20 * 1046, "its counters are read every two seconds")
    after = counters(guest, nic)
    sent = after["tx_packets"] - before["tx_packets"]
    heard = after["rx_bytes"] - before["rx_bytes"]
    lab.check(20 <= sent < 40 and 20 * 1046 <= heard < 40 * 1100,
              f"ethtool -S counted {sent} frames out and {heard} bytes in")


def reset_behind_the_driver(lab, guest, nic):
    since = guest.qmp.mark()
    guest.sh(f"echo 1 >$(readlink -f /sys/class/net/{nic}/device)/reset")
    guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", since=since, nic="vf", status="ready", timeout=60)
    guest.sh(f"await 40 carrier {nic}; dhcp {nic} && answers 10.0.2.2", timeout=150)
    lab.say("ok: a function reset under the running driver: it starts over by itself")


def scenario(lab, version="6.1"):
    guest = lab.guest(nics=[f"igbvf,id=vf,mac={MAC},trust=on,backend=user"], kernel=version, tools=True)
    nic = comes_up(lab, guest)
    guest.sh(f"dhcp {nic} && answers 10.0.2.2")
    link(lab, guest, nic)
    addresses(lab, guest, nic)
    vlans(lab, guest, nic)
    ring_and_self_test(lab, guest, nic)
    reset_behind_the_driver(lab, guest, nic)
    drops = guest.port("vf")["counters"]["drops"]
    bad = ("spoofed", "bad_descriptor", "bad_address", "bad_offload")
    lab.equal([drops[name] for name in bad], [0] * len(bad), "no frame was taken for a bad one")


main(scenario)
