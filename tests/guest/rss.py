"""rss.py CARD: flows of each kind, sent from the host as bare frames. The card's hash of each is the kernel's Toeplitz sum, computed
here from the kernel's own key, and each queue got exactly the flows that the table sends there. (Linux' e1000e writes key and hash
types but never enables RSS: its 82574 hashes nothing.)"""
import ipaddress
import random
import re
import socket
import struct

import lab as machine
from cards import CARDS, GUEST, HOST
from harness import main

FLOWS = 48
PAYLOAD = 300  # the hash is read as bytes beyond 64: frames must be longer than 64 + 255
QUEUES = {"igb": 8, "igc": 4}
TAP_QUEUES = {"igb": 16, "igc": 4}  # as many as the card has
TCP, UDP, OTHER = 6, 17, 253


def toeplitz(key, data):
    """For each bit of the data that is set, the 32 bits of the key that start there."""
    bits = int.from_bytes(key, "big")
    width = len(key) * 8
    result = 0
    for i in range(len(data) * 8):
        if data[i // 8] >> (7 - i % 8) & 1:
            result ^= bits >> (width - 32 - i) & 0xFFFFFFFF
    return result


class Flow:
    """One frame; its source port (or, without ports, the same 16 bits behind the addresses) is its name."""

    def __init__(self, version, protocol, name, mac):
        self.version, self.protocol, self.name = version, protocol, name
        if version == 4:
            self.source = socket.inet_aton(f"10.7.{random.randrange(1, 255)}.{random.randrange(1, 255)}")
            self.target = socket.inet_aton(GUEST)
        else:
            self.source = ipaddress.ip_address("fd00::").packed[:8] + random.randbytes(8)
            self.target = ipaddress.ip_address("fd00::2").packed
        self.ports = struct.pack("!HH", name, random.randrange(1024, 65536))
        self.frame = mac + bytes.fromhex("02000000aa01") + self.packet()

    def packet(self):
        if self.protocol == TCP:
            inner = self.ports + struct.pack("!IIBBHHH", 1, 1, 0x50, 0x10, 1024, 0, 0) + bytes(PAYLOAD)
        elif self.protocol == UDP:
            inner = self.ports + struct.pack("!HH", 8 + PAYLOAD, 0) + bytes(PAYLOAD)
        else:
            inner = self.ports + bytes(PAYLOAD)
        if self.version == 6:
            return struct.pack("!HIHBB", 0x86DD, 6 << 28, len(inner), self.protocol, 64) + self.source + self.target + inner
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inner), 1, 0, 64, self.protocol, 0) + self.source + self.target
        total = sum(struct.unpack("!10H", head))
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        return struct.pack("!H", 0x0800) + head[:10] + struct.pack("!H", total) + head[12:] + inner

    def hash(self, key, with_ports):
        return toeplitz(key, self.source + self.target + (self.ports if with_ports else b""))


class Spread:
    def __init__(self, lab, guest, nic, queues):
        self.lab, self.guest, self.nic, self.queues = lab, guest, nic, queues
        self.mac = bytes.fromhex(guest.sh(f"cat /sys/class/net/{nic}/address").replace(":", ""))
        self.key = bytes.fromhex(guest.sh("cat /proc/sys/net/core/netdev_rss_key").replace(":", ""))[:40]
        self.table = self.read_table()
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.wire.bind(("tap0", 0))

    def read_table(self):
        text = self.guest.sh(f"ethtool -x {self.nic}")
        return [int(entry) for row in re.findall(r"^\s+\d+:((?: +\d+)+)$", text, re.MULTILINE) for entry in row.split()]

    def packets(self):
        text = self.guest.sh(f"ethtool -S {self.nic}")
        return [int(n) for n in re.findall(r"rx_queue_\d+_packets: (\d+)", text)]

    def run(self, version, protocol, with_ports, text):
        flows = [Flow(version, protocol, 10000 + i, self.mac) for i in range(FLOWS)]
        self.guest.sh(f"card_probe rx-hash {self.nic} {'0x0800' if version == 4 else '0x86dd'} {34 if version == 4 else 54} "
                      f"{FLOWS} >/tmp/hash 2>&1 & await 5 grep -q ready /tmp/hash")
        before = self.packets()
        for flow in flows:
            self.wire.send(flow.frame)
        self.guest.sh("await 10 grep -q = /tmp/hash; wait; await 10 grep -q ^10000= /tmp/hash")
        after = self.packets()
        seen = {int(name): value for name, value in re.findall(r"^(\d+)=([0-9a-f]{8})$", self.guest.sh("cat /tmp/hash"), re.MULTILINE)}
        wanted = {flow.name: f"{flow.hash(self.key, with_ports):08x}" for flow in flows}
        self.lab.equal(seen, wanted, f"{text}: the hash of {FLOWS} flows")
        queues = [0] * self.queues
        for flow in flows:
            queues[self.table[flow.hash(self.key, with_ports) & 127]] += 1
        self.lab.equal([b - a for a, b in zip(before, after)], queues, f"{text}: flows of each queue: {queues}")


def scenario(lab, name):
    card, queues = CARDS[name], QUEUES[name]
    machine.make_tap(queues=TAP_QUEUES[name])
    guest = lab.guest(nics=[f"{card.spec},queues={TAP_QUEUES[name]},backend=tap,ifname=tap0"], tools=True,
                      files={"bin/card_probe": (machine.BUILD / "tests/guest/card_probe").read_bytes()})
    guest.sh("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
    nic = card.up(guest)
    guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
    guest.sh(f"ethtool -L {nic} combined {queues}; await 10 carrier {nic}; ethtool -X {nic} equal {queues}")
    spread = Spread(lab, guest, nic, queues)
    # frames are counted: the two hosts do not ask for each other
    machine.ip("neigh", "replace", GUEST, "lladdr", spread.mac.hex(":"), "dev", "tap0", "nud", "permanent")
    guest.sh(f"await 5 answers {HOST}; arp -s {HOST} $(awk '$1 == \"{HOST}\" {{print $4}}' /proc/net/arp)")
    spread.run(4, TCP, True, "TCP over IPv4")
    spread.run(6, TCP, True, "TCP over IPv6")
    spread.run(4, UDP, False, "UDP over IPv4, by address")
    spread.run(6, UDP, False, "UDP over IPv6, by address")
    spread.run(4, OTHER, False, "another protocol over IPv4")
    guest.sh(f"ethtool -N {nic} rx-flow-hash udp4 sdfn; ethtool -N {nic} rx-flow-hash udp6 sdfn; await 10 carrier {nic}")
    spread.run(4, UDP, True, "UDP over IPv4, by address and port")
    spread.run(6, UDP, True, "UDP over IPv6, by address and port")
    guest.sh(f"ethtool -X {nic} weight 1 3 " + " ".join(["0"] * (queues - 2)))
    spread.table = spread.read_table()
    lab.equal(sorted(set(spread.table)), [0, 1], "a table with two queues")
    spread.run(4, TCP, True, "TCP over IPv4 with another table")


main(scenario)
