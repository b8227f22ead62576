"""ethtool.py CARD [KERNEL]: what `ethtool` can ask of a card and tell it: the driver's own self-tests, ring sizes, channels, the
RSS table, offloads on and off with TCP in each, flow control, moderation, link modes, counters that are exact, registers and
the EEPROM."""
import re
import socket
import time
from dataclasses import dataclass

import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from harness import main

ALL_TESTS = ["Register", "Eeprom", "Interrupt", "Loopback", "Link"]
SIZE = 4 << 20
FOREIGN = "02000000aa01"  # who sends the frames that are counted


@dataclass(frozen=True)
class Facts:
    tests: tuple = tuple(ALL_TESTS)
    mode: str = "offline"
    firmware: str = r".+"
    rings: int = 256         # descriptors of each ring at first
    channels: int = 0        # the most that Linux may ask for; 0: the driver has no choice
    magic: int = 0           # what `ethtool -E` wants to hear; 0: the card has no EEPROM
    speeds: tuple = ()       # (bit of --advertise, speed) to walk through
    forced: bool = False     # may a speed be forced without autonegotiation
    pause: bool = True
    moderation: bool = True
    offloads: tuple = ("tso", "gso", "tx", "rx", "rxvlan")  # a driver that has rxvlan moves txvlan with it
    broadcast: bool = True   # counts broadcast and multicast apart


COPPER = ((0x8, 100), (0x2, 10), (0x20, 1000))
FACTS = {
    "e1000": Facts(firmware=r"", magic=0x100E8086, speeds=COPPER, forced=True, moderation=False),
    "82545em": Facts(firmware=r"", magic=0x100F8086, speeds=COPPER, forced=True, moderation=False),
    "82544gc": Facts(firmware=r"", magic=0x100C8086, speeds=COPPER, forced=True, moderation=False),
    "e1000e": Facts(firmware=r"\d+\.\d+-\d+", magic=0x10D38086, speeds=COPPER, forced=True),
    "igb": Facts(firmware=r"\d+\.\d+.*", channels=8, magic=0x10C98086, speeds=COPPER, forced=True),
    "igbvf": Facts(tests=("Link",), mode="online", firmware=r"", rings=1024, pause=False,
                   offloads=("tso", "gso", "tx", "rx"), broadcast=False),
    "igc": Facts(channels=4, magic=0x125C8086,
                 speeds=((0x8, 100), (0x20, 1000), (0x800000000000, 2500))),
}


class Bench:
    """One card in one guest, with what each check needs."""

    def __init__(self, lab, guest, nic, source, sink):
        self.lab, self.guest, self.nic = lab, guest, nic
        self.source, self.sink = source, sink

    def tool(self, option, *words):
        return self.guest.sh(f"ethtool {option} {self.nic} " + " ".join(map(str, words)))

    def field(self, text, name):
        """The first `name: value`."""
        match = re.search(rf"^\s*{re.escape(name)}:[ \t]*(.*)$", text, re.MULTILINE)
        return match.group(1).strip() if match else None

    def settle(self):
        """After a change that may have taken the interface down and up: an address and an answer."""
        self.guest.sh(f"await 10 carrier {self.nic}; static {self.nic} {GUEST}/24; await 5 answers {HOST}")

    def transfer(self, what):
        got = self.guest.probe("tcp-get", HOST, self.source.port)
        sent = self.guest.probe("tcp-put", HOST, self.sink.port, SIZE)
        self.lab.check(got["crc"] == f"{self.source.crc:08x}" and sent["seen"] == sent["crc"],
                       f"{what}: 4 MiB of TCP each way")

    def counters(self):
        return {name: int(value) for name, value in re.findall(r"^\s*(\S+): (\d+)$", self.tool("-S"), re.MULTILINE)}

    def grown(self, before, by, seconds=30):
        """The counters when all these have grown by so much, or when that lasts too long."""
        end = time.monotonic() + seconds
        while any((now := self.counters())[name] - before[name] < by[name] for name in by) and time.monotonic() < end:
            time.sleep(0.1)
        return now


def who(bench, facts):
    text = bench.tool("-i")
    bench.lab.check(re.fullmatch(facts.firmware, bench.field(text, "firmware-version")) is not None,
                    f"-i: firmware version {bench.field(text, 'firmware-version')!r}")


def rings(bench, facts):
    def now():
        return re.findall(r"^(?:RX|TX):\s*(\d+)$", bench.tool("-g"), re.MULTILINE)

    bench.lab.equal(now(), ["4096", "4096", str(facts.rings), str(facts.rings)], "-g: ring sizes")
    for size in (80, 4096, facts.rings):
        bench.tool("-G", "rx", size, "tx", size)
        bench.settle()
        bench.lab.equal(now()[2:], [str(size)] * 2, f"-G: rings of {size}, and they work")


def channels(bench, facts):
    if not facts.channels:
        return
    text = bench.tool("-l")
    bench.lab.equal(re.findall(r"^Combined:\s*(\d+)$", text, re.MULTILINE)[0], str(facts.channels), "-l: channels at most")
    for count in (facts.channels, 2, 1):
        if count < facts.channels:  # the driver wants no entry for a queue that goes
            bench.tool("-X", "equal", count)
        bench.tool("-L", "combined", count)
        bench.settle()
        bench.tool("-X", "equal", count)
        table = [entry for row in re.findall(r"^\s+\d+:((?: +\d+)+)$", bench.tool("-x"), re.MULTILINE) for entry in row.split()]
        bench.lab.equal((len(table), sorted(set(table))), (128, [str(i) for i in range(count)]),
                        f"-L, -X: {count} channels, and an RSS table of 128 entries over them")
    bench.transfer("-L")


def offloads(bench, facts):
    bench.transfer("as it came")
    for name in facts.offloads:
        bench.tool("-K", name, "off")
    bench.settle()
    bench.transfer(f"-K: without {' '.join(facts.offloads)}")
    for name in reversed(facts.offloads):  # segmentation wants checksums
        bench.tool("-K", name, "on")
    bench.settle()
    features = bench.tool("-k")
    wanted = ["tcp-segmentation-offload", "tx-checksumming", "rx-checksumming"]
    bench.lab.equal([bench.field(features, name) for name in wanted], ["on"] * 3, "-k: and on again")
    bench.transfer("-K: with all")


def moderation(bench, facts):
    if not facts.moderation:
        return
    usecs = "rx-usecs"
    first = bench.field(bench.tool("-c"), usecs)
    for value in (100, first):
        bench.tool("-C", usecs, value)
        bench.lab.equal(bench.field(bench.tool("-c"), usecs), str(value), f"-C: {usecs} {value}")
        bench.guest.sh(f"await 5 answers {HOST}")


def answer_ms(raw, seconds):
    """How long the guest takes to answer an ARP request; with `seconds`, while the wire keeps asking it to pause."""
    own = bytes.fromhex(FOREIGN)
    pause_frame = bytes.fromhex("0180c2000001" + FOREIGN + "88080001ffff") + bytes(42)
    request = (b"\xff" * 6 + own + bytes.fromhex("0806" "0001080006040001") + own + socket.inet_aton(HOST) + bytes(6) +
               socket.inet_aton(GUEST) + bytes(18))
    start = time.monotonic()
    sent, asked = 0, False
    raw.settimeout(0.003)
    while time.monotonic() < start + 5:
        if time.monotonic() < start + seconds:
            raw.send(pause_frame)
            sent += 1
        if not asked:
            raw.send(request)
            asked = True
        try:
            frame = raw.recv(2048)
        except TimeoutError:
            continue
        if frame[:6] == own and frame[12:14] == b"\x08\x06" and frame[21] == 2:
            return 1000 * (time.monotonic() - start), sent
    return 5000.0, sent


def pause(bench, facts):
    if not facts.pause:
        return
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    raw.bind(("tap0", 0x0806))
    for state in ("off", "on"):
        bench.tool("-A", "autoneg", "off", "rx", state, "tx", state)
        bench.settle()
        text = bench.tool("-a")
        bench.lab.equal((bench.field(text, "RX"), bench.field(text, "TX")), (state, state), f"-A: flow control {state}")
        if bench.guest.peer:
            continue  # QEMU's cards obey nobody
        start = bench.counters()
        before = start["rx_flow_control_xoff"]
        tries = [answer_ms(raw, 0.3) for _ in range(3)]
        took = (max if state == "on" else min)(tries)[0]
        sent = sum(n for _, n in tries)
        bench.lab.check((took > 100) == (state == "on"),
                        f"-A {state}: asked to pause for 300 ms, the guest answered after {took:.0f} ms")
        time.sleep(2.5)  # e1000's driver looks at its counters every two seconds
        bench.lab.equal(bench.grown(start, {"rx_flow_control_xoff": sent})["rx_flow_control_xoff"] - before, sent, f"-A {state}: and counted {sent} pause frames")
    bench.tool("-A", "autoneg", "on")
    bench.settle()


def speed_is(bench, speed, text):
    bench.settle()
    bench.lab.equal(bench.field(bench.guest.sh(f"ethtool {bench.nic}"), "Speed"), f"{speed}Mb/s", text)


def speeds(bench, facts):
    for bit, speed in facts.speeds:
        bench.tool("-s", "autoneg", "on", "advertise", hex(bit))
        speed_is(bench, speed, f"-s: only {speed} Mbit/s advertised, and it carries")
    if facts.forced:
        bench.tool("-s", "speed", 100, "duplex", "full", "autoneg", "off")
        speed_is(bench, 100, "-s: 100 Mbit/s without negotiation")
    if facts.speeds:
        bench.tool("-s", "autoneg", "on", "advertise", "0xffff" if len(facts.speeds) < 4 else "0xff")
        bench.settle()


def statistics(bench, facts):
    """100 frames of 60 bytes of each kind; a card counts the four bytes of the frame's sum too."""
    mac = bench.guest.sh(f"cat /sys/class/net/{bench.nic}/address").replace(":", "")
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("tap0", 0))

    def receive(target, count, text, *kinds):
        wanted = {"rx_packets": count, "rx_bytes": count * 64} | {kind: count for kind in kinds}
        before = bench.counters()
        for _ in range(count):
            raw.send(bytes.fromhex(target + FOREIGN + "88b5") + bytes(46))
        after = bench.grown(before, wanted)
        delta = {name: after[name] - before[name] for name in wanted}
        bench.lab.equal(delta, wanted, f"-S: {text}")

    receive(mac, 100, "100 frames for it", )
    if facts.broadcast:
        receive("ffffffffffff", 50, "50 broadcasts", "rx_broadcast")
        receive("01005e000001", 30, "30 multicast frames", "rx_multicast")
    before = bench.counters()
    bench.guest.sh(f"ip route replace 239.0.0.0/8 dev {bench.nic}; probe multicast-send 239.1.1.1 5001 40 {bench.nic}")
    after = bench.grown(before, {"tx_packets": 40})
    sent = {name: after[name] - before[name] for name in ("tx_packets", "tx_multicast") if name in after}
    bench.lab.equal(set(sent.values()), {40}, f"-S: 40 multicast frames sent: {sent}")
    bad = {name: value for name, value in after.items() if value and re.search(r"error|drop|fail|timeout|missed", name)}
    if not bench.guest.peer:  # QEMU's igb calls each ARP answer of a tap a short frame
        bench.lab.equal(bad, {}, "-S: no errors")


def registers(bench, facts):
    length = int(bench.guest.sh(f"ethtool -d {bench.nic} raw on | wc -c"))
    bench.lab.check(length >= 32, f"-d: {length} bytes of registers")
    text = bench.tool("-d")
    if "Link speed" in text:
        bench.lab.equal((bench.field(text, "Link speed"), bench.field(text, "Receiver")), ("1000Mb/s", "enabled"),
                        "-d: the link and the receiver as they are")


def read_eeprom(bench):
    return bytes.fromhex(bench.guest.sh(f"ethtool -e {bench.nic} raw on | od -An -v -tx1 | tr -d ' \\n'"))


def eeprom(bench, facts):
    if not facts.magic:
        return
    data = read_eeprom(bench)
    mac = bytes.fromhex(bench.guest.sh(f"cat /sys/class/net/{bench.nic}/address").replace(":", ""))
    bench.lab.equal(data[:6].hex(), mac.hex(), f"-e: {len(data)} bytes, and the MAC is in front")
    words = [int.from_bytes(data[i:i + 2], "little") for i in range(0, 128, 2)]
    bench.lab.equal(f"{sum(words) & 0xFFFF:04x}", "baba", "-e: the sum is right")
    if not bench.guest.peer:
        bench.tool("-E", "magic", hex(facts.magic), "offset", 0x5C, "value", hex(data[0x5C] ^ 0x5A))
        changed = read_eeprom(bench)
        words = [int.from_bytes(changed[i:i + 2], "little") for i in range(0, 128, 2)]
        bench.lab.equal((changed[0x5C], f"{sum(words) & 0xFFFF:04x}"), (data[0x5C] ^ 0x5A, "baba"),
                        "-E: a byte is another one, the sum is right again")


def self_test(bench, facts):
    status, text = bench.guest.sh(f"ethtool -t {bench.nic} {facts.mode}", check=False)
    seen = dict(re.findall(r"^(\w+)\s+test\s+\(\S+\)\s+(\d+)$", text, re.MULTILINE))
    bench.lab.equal((status, seen), (0, {name: "0" for name in facts.tests}), f"-t {facts.mode}: every test passes")
    bench.settle()


CHECKS = [who, statistics, registers, eeprom, rings, channels, offloads, moderation, pause, speeds, self_test]


def scenario(lab, name, kernel="6.1", *only):
    card, facts = CARDS[name], FACTS[name]
    machine.make_tap()
    source, sink = servers.Source(SIZE), servers.Sink()
    guest = lab.guest(nics=[f"{card.spec},backend=tap,ifname=tap0"], tools=True, kernel=kernel)
    guest.sh("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")  # frames are counted: none that nobody asked for
    bench = Bench(lab, guest, card.up(guest), source, sink)
    bench.settle()
    for check in CHECKS:
        if not only or check.__name__ in only:
            check(bench, facts)
    if not guest.peer:
        guest.check_status("net0", "ready")
        lab.say("ok: after all this the driver is ready")


main(scenario)
