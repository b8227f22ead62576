"""vlan.py CARD: VLAN 42 between two cards of one guest, joined by the stream backend (the two ends are the client and the
server of QEMU's protocol). The far end lives in a network namespace inside the guest. No host kernel takes part."""
from cards import CARDS
from harness import main


def scenario(lab, name):
    card = CARDS[name]
    path = lab.folder + "/wire"
    guest = lab.guest(nics=[f"{card.spec},id=near,backend=stream,path={path},mode=server",
                            f"virtio-net,id=far,backend=stream,path={path},mode=client"])
    far = guest.sh(f"bring_up virtio_net {2 if name == 'virtio_net' else 1}")
    near = guest.sh(f"bring_up {card.driver}")
    guest.sh(f"await 10 carrier {near}; await 10 carrier {far}; modprobe 8021q")
    # a process in a namespace of its own keeps it alive
    guest.sh(f"unshare -n sleep 100000 & echo $! >/tmp/far; await 10 elsewhere $(cat /tmp/far); ip link set {far} netns $(cat /tmp/far)")
    guest.sh(f"ip addr add 10.1.0.1/24 dev {near}; ip link add link {near} name {near}.42 type vlan id 42; "
             f"ip link set {near}.42 up; ip addr add 10.42.0.1/24 dev {near}.42")
    guest.sh("cat >/tmp/far.sh <<E\n"
             f"ip link set {far} up\nip addr add 10.1.0.2/24 dev {far}\n"
             f"ip link add link {far} name far42 type vlan id 42\nip link set far42 up\n"
             "ip addr add 10.42.0.2/24 dev far42\nE\n"
             "nsenter -t $(cat /tmp/far) -n sh /tmp/far.sh")
    guest.sh("await 5 answers 10.1.0.2")
    lab.say("ok: untagged frames pass")
    guest.sh("await 5 answers 10.42.0.2; ping -c 5 -s 1472 10.42.0.2")
    lab.say("ok: tagged frames pass, up to the full MTU")
    guest.sh("nsenter -t $(cat /tmp/far) -n probe tcp-serve 7000 >/tmp/serve & await 10 listens_in $(cat /tmp/far) 7000; "
             f"probe tcp-put 10.42.0.2 7000 {8 << 20} && wait")
    lab.say("ok: 8 MiB of TCP in VLAN 42, sum checked")
    guest.sh(f"ip link set {near}.42 down; ip link del {near}.42; ! ping -c 2 -W 1 10.42.0.2")
    lab.say("ok: without the VLAN nobody answers there")


main(scenario)
