"""traffic.py CARD: UDP of several sizes, multicast both ways, a change of the MAC filter, MTU 1500, and 9000 where the
card has it."""
import socket
import time

import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from harness import main

GROUP = "239.1.2.3"


def udp(lab, guest, echo):
    for size in (8, 64, 1000, 1472, 4000, 16000):  # beyond 1472 the datagram is several fragments
        result = guest.probe("udp-echo", HOST, echo.port, 200, size)
        lab.equal((result["lost"], result["wrong"]), ("0", "0"), f"200 datagrams of {size} bytes came back whole")


def multicast(lab, guest, name):
    machine.ip("route", "add", "224.0.0.0/4", "dev", "tap0")
    guest.sh(f"probe multicast-receive {GROUP} 5000 20 {name} 20 >/tmp/multicast 2>&1 & "
             "await 5 grep -q joined /tmp/multicast")
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(20):
        sender.sendto(bytes([i]) * 32, (GROUP, 5000))
        time.sleep(0.01)
    guest.sh("await 10 grep -q received=20 /tmp/multicast")
    lab.say("ok: the guest joined a group and got its 20 datagrams")

    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((GROUP, 5001))
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(HOST))
    receiver.settimeout(10)
    guest.sh(f"probe multicast-send {GROUP} 5001 20 {name}")
    lab.equal(len([receiver.recv(64) for _ in range(20)]), 20, "20 multicast datagrams from the guest")


def filters(lab, guest, name, promiscuous):
    """A frame for another MAC reaches Linux only in promiscuous mode: the card filters, not the kernel. A VF of the 82576
    may not see other machines' frames at all."""
    def frames_seen():
        return int(guest.sh(f"cat /sys/class/net/{name}/statistics/rx_packets"))

    def send_foreign():
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("tap0", 0))
        for _ in range(50):
            raw.send(bytes.fromhex("020000000099" "020000000001" "88b5") + bytes(60))

    before = frames_seen()
    send_foreign()
    time.sleep(1)
    lab.check(frames_seen() - before < 10, "50 frames for another MAC are not for this guest")
    guest.sh(f"ip link set {name} promisc on")
    before = frames_seen()
    send_foreign()
    if promiscuous:
        lab.until(lambda: frames_seen() - before >= 50, "in promiscuous mode it gets them")
    else:
        time.sleep(1)
        lab.check(frames_seen() - before < 10, "nor in promiscuous mode")
    guest.sh(f"ip link set {name} promisc off")


def mtu(lab, guest, name, jumbo):
    guest.sh(f"ping -c 2 -W 3 -s 1472 {HOST}")
    lab.say("ok: MTU 1500: a ping of 1472 bytes")
    if not jumbo:
        return
    if jumbo == "-":
        machine.ip("link", "set", "tap0", "mtu", 9000)
        guest.sh(f"ip link set {name} mtu 9000; await 10 carrier {name}; await 5 answers {HOST}")
    lab.equal(guest.sh(f"cat /sys/class/net/{name}/mtu"), "9000",
              "Linux gave the card MTU 9000" if jumbo == "-" else "the card told Linux MTU 9000")
    before = reassembled()
    guest.sh(f"ping -c 2 -W 3 -s 8972 {HOST}")
    lab.equal(reassembled(), before, "MTU 9000: a ping of 8972 bytes in one frame")


def reassembled():
    """How many fragments this host has seen: none may be added by a frame that fits."""
    names, values = (line.split() for line in open("/proc/net/snmp", encoding="ascii") if line.startswith("Ip:"))
    return int(values[names.index("ReasmReqds")])


def scenario(lab, name):
    card = CARDS[name]
    told = card.jumbo not in ("", "-")
    machine.make_tap(mtu=9000 if told else 1500)
    echo = servers.UdpEcho(HOST)
    spec = f"{card.spec},backend=tap,ifname=tap0" + (f",{card.jumbo}" if told else "")
    guest = lab.guest(nics=[spec])
    nic = card.up(guest)
    guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
    udp(lab, guest, echo)
    multicast(lab, guest, nic)
    filters(lab, guest, nic, card.promiscuous)
    mtu(lab, guest, nic, card.jumbo)


main(scenario)
