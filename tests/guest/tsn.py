"""tsn.py etf|taprio [KERNEL]: frames of igc that wait in the card for their time. With sch_etf each leaves at its launch time,
by the card's clock and in the host's eyes; with sch_taprio in full offload each leaves while the gate of its queue is open."""
import re
import socket
import statistics
import time

import lab as machine
from cards import CARDS
from harness import main

PROTOCOL = 0x88B5
MAGIC = b"time"
# The guest's processor is emulated, and other tests run beside this one: no frame is ever early, but a few may be late by as much as the
# processor was away.
EARLY, LATE, MOST = 200e-6, 0.06, 0.75
CYCLE, WINDOW = 0.2, 0.1
DELTA = 300_000_000  # ns: what etf has not handed to the card by then it throws away; so long may the guest's processor be away


class Wire:
    """What comes out of tap0: when each numbered frame did, in the order of arrival."""

    def __init__(self):
        self._raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(PROTOCOL))
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._raw.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS: the kernel's time, not ours
        self._raw.bind(("tap0", PROTOCOL))
        self._raw.setblocking(False)

    def take(self, count=0, seconds=20):
        """All that is there; `count` frames if they come."""
        seen, end = [], time.monotonic() + seconds
        while True:
            try:
                frame, extra, _, _ = self._raw.recvmsg(2048, 64)
            except BlockingIOError:
                if len(seen) >= count or time.monotonic() > end:
                    return dict(seen)
                time.sleep(0.05)
                continue
            seconds, ns = (int.from_bytes(extra[0][2][at:at + 8], "little") for at in (0, 8))
            if frame[14:18] == MAGIC:
                seen.append((int.from_bytes(frame[18:22], "big"), seconds + ns / 1e9))


def timed(guest, *words):
    """number -> (launch time, stamp) in seconds of the card's clock; a stamp may be None."""
    seen = guest.probe_card(*words, timeout=90)
    lists = {int(k): [int(x) for x in v.split(",")] for k, v in seen.items() if k.isdigit()}
    return {k: (launch / 1e9, stamp / 1e9 if stamp else None) for k, (launch, stamp) in lists.items()}


def share(values, bound):
    return sum(value < bound for value in values) / len(values)


def changes(guest, nic):
    return int(guest.sh(f"cat /sys/class/net/{nic}/carrier_changes"))


def configure(guest, nic, qdisc, kernel):
    """Newer drivers reset the card, some time later, when the mode of its transmitter changes: the link goes and comes back."""
    before = changes(guest, nic)
    guest.sh(f"/bin/tc qdisc replace dev {nic} {qdisc}")  # busybox has a tc of its own
    end = time.monotonic() + 20
    while kernel != "6.1" and changes(guest, nic) < before + 2:
        if time.monotonic() > end:
            raise RuntimeError(f"the driver did not reset its card for {qdisc}")
        time.sleep(0.1)
    guest.sh(f"await 10 carrier {nic}")


def thrown_away(guest, nic):
    """Frames that etf did not hand to the card, since their time had passed: the guest's processor was away for longer than DELTA."""
    return int(re.search(r"qdisc etf.*?dropped (\d+)", guest.sh(f"/bin/tc -s qdisc show dev {nic}"), re.S)[1])


def launch_times(lab, guest, nic, wire, kernel):
    guest.sh("modprobe sch_mqprio; modprobe sch_etf")
    guest.sh(f"/bin/tc qdisc replace dev {nic} parent root handle 100: mqprio num_tc 2 map 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
             "queues 1@0 1@1 hw 0")
    configure(guest, nic, f"parent 100:2 etf clockid CLOCK_TAI delta {DELTA} offload", kernel)
    lab.check("offload on" in guest.sh(f"/bin/tc qdisc show dev {nic}"), "etf is offloaded to the card")
    for text, first, gap, count in (("within one cycle", 400, 40, 8), ("over the end of a cycle", 930, 20, 8)):
        wire.take()
        before = thrown_away(guest, nic)
        sent = timed(guest, "launch", nic, 1, first, gap * 1000, count)
        seen = wire.take(count)
        expired = thrown_away(guest, nic) - before
        lab.equal((len(seen) + expired, list(seen)), (count, sorted(seen)),
                  f"{count} launch times {text}: every frame left that the card was given, in order ({expired} expired in the guest)")
        lab.check(len(seen) >= 2, f"it was given {len(seen)}")
        late = [stamp - launch for launch, stamp in sent.values() if stamp]
        lab.check(late and -EARLY < min(late) and share(late, LATE) >= MOST,
                  f"{len(late)} stamps are {min(late) * 1e6:.0f} to {max(late) * 1e6:.0f} us behind the launch times")
        steps = [at - i * gap / 1e3 for i, at in seen.items()]
        steps = [step - min(steps) for step in steps]
        lab.check(share(steps, LATE) >= MOST, f"the host saw them {gap} ms apart, within {max(steps) * 1e3:.1f} ms")


def gates(lab, guest, nic, wire, kernel):
    guest.sh("modprobe sch_taprio")
    configure(guest, nic, "parent root handle 100: taprio num_tc 2 map 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 queues 1@0 1@1 "
              f"base-time 1000000000 sched-entry S 01 {WINDOW * 1e9:.0f} sched-entry S 02 {(CYCLE - WINDOW) * 1e9:.0f} flags 0x2",
              kernel)
    lab.check("flags 0x2" in guest.sh(f"/bin/tc qdisc show dev {nic}"), "taprio's schedule is the card's")
    wire.take()
    count = 240
    sent = timed(guest, "paced", nic, 2, 5000, count)
    seen = wire.take(count)
    lab.equal(sorted(seen), list(range(count)), f"{count} frames of two queues, 5 ms apart: none is lost")
    for queue in range(2):
        mine = [n for n in seen if n % 2 == queue]
        lab.equal(mine, sorted(mine), f"those of queue {queue} left in order")
    stamped = {n: stamp for n, (_, stamp) in sent.items() if stamp}
    behind = statistics.median(seen[n] - stamp for n, stamp in stamped.items())  # from the card's clock to the host's
    for queue in range(2):
        opens = queue * WINDOW
        by_card = [(stamp - opens) % CYCLE for n, stamp in stamped.items() if n % 2 == queue]
        by_host = [(at - behind - opens + LATE / 4) % CYCLE - LATE / 4 for n, at in seen.items() if n % 2 == queue]
        lab.check(by_card and share(by_card, WINDOW) >= MOST,
                  f"gate {queue}: {len(by_card)} stamps lie {min(by_card) * 1e3:.1f} to {max(by_card) * 1e3:.1f} ms behind its opening")
        lab.check(share(by_host, WINDOW + LATE / 4) >= MOST,
                  f"gate {queue}: the host saw {len(by_host)} frames {min(by_host) * 1e3:.1f} to {max(by_host) * 1e3:.1f} ms behind it")
        held = sum(at < 0.02 for at in by_host)
        lab.check(held > len(by_host) / 4, f"gate {queue}: {held} of them came when it opened: they had waited")


def scenario(lab, what, kernel="6.12"):
    card = CARDS["igc"]
    machine.make_tap()
    # two processors for two queues: a driver that is told to have more by `ethtool -L` writes behind its own vectors
    # (igc_alloc_q_vector clears room for two rings where it allocated room for one)
    guest = lab.guest(nics=[f"{card.spec},backend=tap,ifname=tap0"], kernel=kernel, tools=True, cpus=2,
                      files={"bin/card_probe": (machine.BUILD / "tests/guest/card_probe").read_bytes()})
    nic = card.up(guest)
    {"etf": launch_times, "taprio": gates}[what](lab, guest, nic, Wire(), kernel)
    guest.check_status("net0", "ready")


main(scenario)
