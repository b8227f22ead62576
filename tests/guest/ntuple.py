"""ntuple.py igc: frames go to the queue that Linux' rules name: EtherType, source address, VLAN priority, bytes of the frame; flows without a
rule spread over the queues."""
import re
import socket
import time

import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from harness import main

FRAMES = 20
RULES = [
    # what it looks at, words for ethtool -N, the frame behind the destination address
    ("an EtherType", "proto 0x88f7", "020000000001" "88f7"),
    ("a source address", "src 02:00:00:00:00:77", "020000000077" "88b5"),
    ("a VLAN priority", "vlan 0xa000 vlan-mask 0x1fff", "020000000001" "8100a005" "88b5"),
    ("bytes of the frame", "proto 0x88b6 user-def 0x1122334455667788", "020000000001" "88b6" "1122334455667788"),
]


def received(guest, nic):
    """Frames of each queue."""
    counts = guest.sh(f"ethtool -S {nic}")
    return [int(n) for n in re.findall(r"rx_queue_\d_packets: (\d+)", counts)]


def spread(lab, guest, nic):
    server = servers.Source(4 << 20, host=HOST)
    for turn in range(60):  # the port of each is chance
        guest.probe("tcp-get", HOST, server.port)
        counts = received(guest, nic)
        if turn >= 8 and min(counts) > 100:
            break
    lab.equal(len(counts), 2, "two CPUs, two queues")
    lab.check(min(counts) > 100, f"flows use both: {counts}")


def rule(lab, guest, nic, raw, what, words, body):
    guest.sh(f"ethtool -N {nic} flow-type ether {words} action 1")
    before = received(guest, nic)
    for _ in range(FRAMES):
        raw.send(bytes.fromhex("01005e000001" + body) + bytes(60))
    end = time.monotonic() + 30
    while sum(after := received(guest, nic)) < sum(before) + FRAMES and time.monotonic() < end:
        time.sleep(0.1)
    lab.equal([after[0] - before[0], after[1] - before[1]], [0, FRAMES], f"{what} sends frames to queue 1")


def scenario(lab, name):
    machine.make_tap()
    guest = lab.guest(nics=[f"{CARDS[name].spec},backend=tap,ifname=tap0"], kernel="6.12", tools=True, cpus=2)
    nic = CARDS[name].up(guest)
    guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
    spread(lab, guest, nic)
    guest.sh(f"ip addr flush dev {nic}")  # nobody else talks to it now
    time.sleep(1)
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("tap0", 0))
    for what, words, body in RULES:
        rule(lab, guest, nic, raw, what, words, body)


main(scenario)
