"""dpdk.py CARD: DPDK's testpmd in a guest forwards between two of our cards; both wires are in this test's hands.

Frames of all sizes come out as they went in; then the checksum engine, whose checksums the card has to make (the wire takes no
offloads, so what comes out is what the card and port/ made)."""
import concurrent.futures
import os
import socket
import struct
import time

import lab as machine
from cards import CARDS
from harness import main

HUGE = 64  # pages of 2 MiB
MACS = "52:54:00:00:0a:01", "52:54:00:00:0a:02"
VFIO = {"igbvf"}  # no INTx, so uio_pci_generic refuses it


class Wire:
    """The far end of a port's stream: QEMU's protocol, 4 bytes of length in front of each frame."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._data = b""

    def close(self):
        self._socket.close()

    def send(self, frame):
        self._socket.sendall(struct.pack(">I", len(frame)) + frame)

    def receive(self, seconds=30):
        """The next frame, or None."""
        end = time.monotonic() + seconds
        while True:
            if len(self._data) >= 4:
                (length,) = struct.unpack_from(">I", self._data)
                if len(self._data) >= 4 + length:
                    frame, self._data = self._data[4:4 + length], self._data[4 + length:]
                    return frame
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return None
            if not data:
                raise EOFError("the port closed its wire")
            self._data += data


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ethernet(kind, payload, to="52:54:00:00:00:ff"):
    return bytes.fromhex(to.replace(":", "") + "5254000000fe") + struct.pack(">H", kind) + payload


def packet(protocol, payload, mac):
    """IPv4 with UDP or TCP, all checksums wrong."""
    source, to = bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2])
    if protocol == socket.IPPROTO_UDP:
        l4 = struct.pack(">HHHH", 1000, 2000, 8 + len(payload), 0x1234) + payload
    else:
        l4 = struct.pack(">HHIIBBHHH", 1000, 2000, 1, 1, 0x50, 0x10, 1000, 0x1234, 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(l4), 7, 0, 64, protocol, 0x4321) + source + to
    return ethernet(0x0800, ip + l4, mac)


def sums_right(frame):
    ip, l4 = frame[14:34], frame[34:14 + struct.unpack_from(">H", frame, 16)[0]]
    pseudo = ip[12:20] + struct.pack(">BBH", 0, ip[9], len(l4))
    return checksum(ip) == 0 and checksum(pseudo + l4) == 0


def bind(guest, card):
    """Hands both cards to DPDK; returns their addresses."""
    found = guest.sh("for d in /sys/bus/pci/devices/*; do [ $(cat $d/class) = 0x020000 ] && basename $d; done; true").split()
    driver = "vfio-pci" if card.driver in VFIO else "uio_pci_generic"
    guest.sh(f"modprobe {driver}" + ("; modprobe vfio_iommu_type1 allow_unsafe_interrupts=1" if card.driver in VFIO else ""))
    for address in found:
        device = f"/sys/bus/pci/devices/{address}"
        guest.sh(f"echo {driver} >{device}/driver_override; echo {address} >/sys/bus/pci/drivers_probe; "
                 f"[ $(basename $(readlink {device}/driver)) = {driver} ]")
    return found


def start_testpmd(guest, addresses, mode, commands):
    """Without --no-flush-rx it throws away what came before it forwards, and "start" is said, and seen, before that; without "retry" it
    throws away what a full ring of 256 has no room for, when the card's thread has to wait for a processor."""
    commands = [*commands, f"set fwd {mode} retry", "set burst tx delay 100 retry 1000000", "start"]
    guest.sh("chmod 755 / /lib; mkdir -p /dev/hugepages /var/run; mountpoint -q /dev/hugepages || mount -t hugetlbfs none /dev/hugepages; "
             f"echo {HUGE} >/proc/sys/vm/nr_hugepages; cat >/tmp/commands <<E\n" + "\n".join(commands) + "\nE")
    allow = " ".join(f"-a {address}" for address in addresses)
    loads = " ".join(f"-d $(echo /lib/librte_{name}.so.*)" for name in ("bus_pci", "mempool_ring", "net_e1000", "net_igc"))
    guest.sh("[ -p /tmp/keyboard ] || mkfifo /tmp/keyboard; sleep 100000 >/tmp/keyboard & echo $! >/tmp/typist; "
             f"LD_LIBRARY_PATH=/lib dpdk-testpmd --no-telemetry -l 0-1 {loads} {allow} -- -i --total-num-mbufs=4096 "
             "--nb-cores=1 --no-flush-rx --cmdline-file=/tmp/commands </tmp/keyboard >/tmp/testpmd 2>&1 & echo $! >/tmp/testpmd.pid")
    guest.sh("await 60 grep -q '> start' /tmp/testpmd || { cat /tmp/testpmd; false; }; sleep 1", timeout=300)


def stop_testpmd(guest):
    guest.sh("echo quit >/tmp/keyboard; await 20 grep -q Bye /tmp/testpmd || { cat /tmp/testpmd; false; }; "
             "kill $(cat /tmp/typist); sleep 1")


def plain(lab, wires, macs):
    """A virtual function may neither see nor send frames with others' addresses: there the engine sets new ones."""
    sizes = [60, 61, 64, 127, 128, 500, 1023, 1500, 1514] * 4
    first = 12 if macs[0] else 0
    for way in (0, 1):
        for number, size in enumerate(sizes):
            frame = ethernet(0x88B5, bytes([number]) + os.urandom(size - 15), macs[way] or "52:54:00:00:00:ff")
            wires[way].send(frame)
            seen = wires[1 - way].receive()
            if not seen or seen[first:] != frame[first:]:
                lab.check(False, f"a frame of {size} bytes comes out as it went in")
    lab.say(f"ok: {len(sizes)} frames of 60 to 1514 bytes each way, as they went in")


def numbers(wire, count):
    seen = []
    while len(seen) < count and (frame := wire.receive()):
        seen.append(struct.unpack_from(">I", frame, 14)[0])
    return seen


def burst(lab, wires, macs):
    """More frames than a ring holds, both ways at once, and both read at once: one thread of testpmd's waits for the slower of the two."""
    with concurrent.futures.ThreadPoolExecutor(len(wires)) as readers:
        reading = [readers.submit(numbers, wire, 400) for wire in wires]
        for number in range(400):
            for wire, mac in zip(wires, macs):
                wire.send(ethernet(0x88B5, struct.pack(">I", number) + bytes(200), mac or "52:54:00:00:00:ff"))
    for seen in reading:
        lab.equal(seen.result(), list(range(400)), "400 frames in a row, none lost, in order")


def checksums(lab, wires):
    for protocol, name in ((socket.IPPROTO_UDP, "UDP"), (socket.IPPROTO_TCP, "TCP")):
        for size in (1, 2, 100, 1459):
            wires[0].send(packet(protocol, os.urandom(size), MACS[0]))
            frame = wires[1].receive()
            lab.check(frame and sums_right(frame), f"{name}, {size} bytes: IP and {name} checksums made by the card")


def scenario(lab, name):
    card = CARDS[name]
    paths = [f"{lab.folder}/wire{i}" for i in range(2)]
    iommu = ["-device", "intel-iommu,caching-mode=on,intremap=off"] if card.driver in VFIO else []
    guest = lab.guest(nics=[f"{card.spec},id=port{i},backend=stream,path={paths[i]},mode=server,mac={MACS[i]}" for i in range(2)],
                      kernel="6.12", memory=("-m", "1G"), cpus=2, qemu=["-cpu", "max", *iommu],  # DPDK wants SSE 4.2
                      append="intel_iommu=on" if iommu else "",
                      extra=[machine.kernel("dpdk") / "dpdk.cpio"])
    wires = tuple(Wire(path) for path in paths)
    addresses = bind(guest, card)
    lab.equal(len(addresses), 2, "both cards are bound")
    macs = MACS if card.driver in VFIO else (None, None)
    start_testpmd(guest, addresses, "mac" if macs[0] else "io", [])
    for port in range(2):
        guest.check_status(f"port{port}", "ready")
    plain(lab, wires, macs)
    burst(lab, wires, macs)
    stop_testpmd(guest)
    start_testpmd(guest, addresses, "csum", ["port stop all", *(f"csum set {what} hw {port}" for what in ("ip", "udp", "tcp") for port in (0, 1)),
                                             "port start all"])
    checksums(lab, wires)
    stop_testpmd(guest)


if __name__ == "__main__":
    main(scenario)
