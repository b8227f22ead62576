"""vf_policy.py: what an administrator says about a virtual function, with Linux' igbvf in the guest: a VLAN that the guest does not
see, its MAC, and foreign source addresses. The first card is joined by the stream backend to a virtio card of the same guest, which
lives in a namespace of its own; macvlan is what makes frames with another source."""
import json
import subprocess

import lab as machine
from cards import CARDS
from harness import main

NEAR, FREE = "52:54:00:5f:00:11", "52:54:00:5f:00:12"
OTHER = "02:00:00:00:00:77"


def spoofed(guest, port):
    """As a person asks for it."""
    done = subprocess.run([machine.anynic(), "status", guest.name, "-s", "--json"], stdout=subprocess.PIPE, check=True, text=True)
    (found,) = [p for p in json.loads(done.stdout)["ports"] if p["port"] == port]
    return found["counters"]["drops"]["spoofed"]


def join_far_end(guest):
    far = guest.sh("bring_up virtio_net")
    guest.sh(f"await 10 carrier {far}; modprobe 8021q; modprobe macvlan")
    # a process in a namespace of its own keeps it alive
    guest.sh(f"unshare -n sleep 100000 & echo $! >/tmp/far; await 10 elsewhere $(cat /tmp/far); ip link set {far} netns $(cat /tmp/far)")
    guest.sh("cat >/tmp/far.sh <<E\n"
             f"ip link set {far} up\nip addr add 10.1.0.2/24 dev {far}\n"
             f"ip link add link {far} name far42 type vlan id 42\nip link set far42 up\n"
             "ip addr add 10.42.0.2/24 dev far42\nE\n"
             "nsenter -t $(cat /tmp/far) -n sh /tmp/far.sh")


def hidden_vlan(lab, guest, near):
    guest.sh(f"ip addr add 10.42.0.1/24 dev {near}; ip addr add 10.1.0.1/24 dev {near}; await 5 answers 10.42.0.2")
    lab.say("ok: the guest's frames get a tag that it does not know, and the answers lose theirs")
    guest.sh("ping -c 5 -s 1472 10.42.0.2")
    lab.say("ok: up to the full MTU, both ways")
    guest.sh("nsenter -t $(cat /tmp/far) -n probe tcp-serve 7000 >/tmp/serve & await 10 listens_in $(cat /tmp/far) 7000; "
             f"probe tcp-put 10.42.0.2 7000 {8 << 20} && wait")
    lab.say("ok: 8 MiB of TCP, sum checked")
    guest.sh("! ping -c 2 -W 1 10.1.0.2")
    lab.say("ok: outside the VLAN nobody hears it")
    status, _ = guest.sh(f"ip link add link {near} name own type vlan id 7", check=False)
    lab.check(status != 0, "a VLAN of the guest's own is refused")


def fixed_mac(lab, guest, near):
    status, text = guest.sh(f"ip link set {near} address {OTHER}", check=False)
    lab.check(status != 0, f"another MAC is refused: {text}")
    lab.equal(guest.sh(f"cat /sys/class/net/{near}/address"), NEAR, "it has the port's MAC")
    guest.sh("ping -c 2 10.42.0.2")
    before = spoofed(guest, "near")
    guest.sh(f"ip link add link {near} name foreign type macvlan; ip link set foreign up; "
             "ip addr add 10.42.0.9/24 dev foreign; ! ping -c 3 -W 1 -I foreign 10.42.0.2")
    lab.until(lambda: spoofed(guest, "near") >= before + 3, "frames of another MAC went nowhere, as spoofed")
    guest.sh("ip link del foreign; ping -c 2 10.42.0.2")


def trusted(lab, guest, free):
    guest.sh(f"ip link set {free} address {OTHER}; dhcp {free} && answers 10.0.2.2")
    lab.equal(guest.sh(f"cat /sys/class/net/{free}/address"), OTHER, "with trust=on the guest may choose its MAC, and has network")
    guest.sh(f"ip addr flush dev {free}; ip link add link {free} name more type macvlan; "
             "ip link set more up; ip addr add 10.0.2.50/24 dev more; await 5 answers 10.0.2.2")
    lab.say("ok: and another one beside it")
    lab.equal(spoofed(guest, "free"), 0, "nothing of that was taken for spoofed")


def scenario(lab):
    path = lab.folder + "/wire"
    guest = lab.guest(nics=[f"igbvf,id=near,mac={NEAR},vlan=42,qos=3,backend=stream,path={path},mode=server",
                            f"virtio-net,id=far,backend=stream,path={path},mode=client",
                            f"igbvf,id=free,mac={FREE},trust=on"])
    (shown,) = guest.port("near")["nics"]
    lab.equal((shown["vlan"], shown["qos"]), (42, 3), "the status tells the policy")
    (shown,) = guest.port("free")["nics"]
    lab.equal(shown["trust"], True, "of the other card, too")
    join_far_end(guest)
    near, free = (CARDS["igbvf"].up(guest, number) for number in (1, 2))
    hidden_vlan(lab, guest, near)
    fixed_mac(lab, guest, near)
    trusted(lab, guest, free)


main(scenario)
