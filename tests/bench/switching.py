"""The switch: our own time from the driver's last register write to link up, and frames lost inside anynic meanwhile."""
import os
import socket
import statistics
import threading
import time

import lab as machine
from harness import LEGACY, PERFORMANT
from table import Row

SWITCHES = int(os.environ.get("BENCH_SWITCHES", 20))
TAP, HOST, GUEST, PORT = "switch0", "10.8.0.1", "10.8.0.2", 9
RATE = 2000  # datagrams a second
MAC = "52:54:00:00:00:77"


class Load(threading.Thread):
    """Datagrams to the guest, as long as the `with` block lasts."""

    def __init__(self):
        super().__init__(daemon=True)
        self._end = False
        self.sent = 0

    def run(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        start = time.monotonic()
        while not self._end:
            while self.sent < (time.monotonic() - start) * RATE:
                s.sendto(b"x" * 200, (GUEST, PORT))
                self.sent += 1
            time.sleep(0.002)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self._end = True
        self.join()


def dropped(guest):
    """Of the load, which goes to the guest. What the guest itself sends on a card whose link is down is no loss of ours."""
    return {name: count for name, count in guest.port()["counters"]["drops"].items()
            if name not in ("filtered", "link_down", "inactive")}


def turn(guest, command, reason):
    """One switch; its duration in us."""
    mark = guest.qmp.mark()
    guest.sh(command)
    return guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, reason=reason)["data"]["duration-us"]


def measure(lab):
    machine.make_tap(TAP, f"{HOST}/24")
    machine.ip("neigh", "replace", GUEST, "lladdr", MAC, "dev", TAP, "nud", "permanent")
    guest = lab.guest(nics=[f"auto,backend=tap,ifname={TAP},hold=off,legacy-delay=0,mac={MAC}"], name="switching")
    guest.sh("bring_up 8139cp; modprobe virtio_pci; modprobe virtio_net")
    guest.qmp.wait("PORT_LINK_SWITCHED")
    interface = guest.sh("await 10 has_nic virtio_net; nic virtio_net")
    device = guest.sh(f"basename $(readlink -f /sys/class/net/{interface}/device)")
    times = {"performant-ready": [], "performant-lost": []}
    lost = {"performant-ready": {}, "performant-lost": {}}
    folder = "/sys/bus/virtio/drivers/virtio_net"
    if guest.port()["active"] == PERFORMANT:
        turn(guest, f"echo {device} >{folder}/unbind", "performant-lost")
    with Load() as load:
        for _ in range(SWITCHES):
            for reason, command in (("performant-ready", f"echo {device} >{folder}/bind; up $(nic virtio_net)"),
                                    ("performant-lost", f"echo {device} >{folder}/unbind")):
                before = dropped(guest)
                times[reason].append(turn(guest, command, reason))
                for name, count in dropped(guest).items():
                    lost[reason][name] = lost[reason].get(name, 0) + count - before.get(name, 0)
    lab.say(f"{load.sent} datagrams sent; drops: {lost}; times in us: {times}; {LEGACY} {guest.status(LEGACY)}")
    guest.stop()
    rows = []
    for reason, text in (("performant-ready", "rtl8139 -> virtio-net"), ("performant-lost", "virtio-net -> rtl8139")):
        median = statistics.median(times[reason])
        rows.append(Row(f"switch, {text}: last register write to link up", "us", times[reason], wanted="< 1000",
                        good=median < 1000))
    for reason, text in (("performant-ready", "rtl8139 -> virtio-net"), ("performant-lost", "virtio-net -> rtl8139")):
        count = sum(lost[reason].values())
        rows.append(Row(f"frames to the guest lost in {SWITCHES} switches, {text}", "frames", count,
                        wanted="0" if reason == "performant-ready" else "", good=count == 0 if reason == "performant-ready"
                        else None))
    return rows
