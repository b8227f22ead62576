"""TCP of one guest through our card and through QEMU's own card of the same kind: the same guest, the same kind of tap, one
after the other in turns. Only the card that is measured is up, so that the other one shares neither interrupt nor CPU."""
import functools
import os
import subprocess

import lab as machine
from processes import Meter, datapath_of, qemu_of
from table import Row

PORT = 5001
SECONDS = float(os.environ.get("BENCH_SECONDS", 1.5))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 5))
PEER = machine.BUILD / "tests/bench/peer"


class Model:
    """`theirs` is QEMU's device with its driver, when that is another one than ours; `spec` is what follows --nic."""

    def __init__(self, name, device, driver, express=False, against=None, aims=None, spec=None):
        self.name, self.device, self.driver, self.express, self.against = name, device, driver, express, against
        self.spec = spec or name
        self.aims = aims  # kind -> limit of the ratio, text

    @property
    def title(self):
        return f"{self.name} (against {self.against})" if self.against else self.name


MSIX = {"put": (0.95, ">= 0.95, aim 1.15"), "get": (0.95, ">= 0.95, aim 1.15"), "turn": (1.3, "<= 1.3")}
INTX = {"put": (0.8, "aim 0.8"), "get": (0.8, "aim 0.8"), "turn": (2.0, "aim 2.0")}
VIRTIO = {"put": (1.0, ">= 1.0, aim 1.4"), "get": (1.0, ">= 1.0, aim 1.4"), "turn": (1.3, "<= 1.3, aim 1.0")}
VHOST_USER = {"put": (1.0, ">= 1.0"), "get": (1.0, ">= 1.0"), "turn": (1.3, "<= 1.3")}
MODELS = {model.name: model for model in (
    Model("virtio-net", "virtio-net-pci", "virtio_net", express=True, aims=VIRTIO),
    Model("vhost-user", "virtio-net-pci", "virtio_net", express=True, aims=VHOST_USER, spec="virtio-net,transport=vhost-user"),
    Model("rtl8139", "rtl8139", "8139cp", aims=INTX),
    Model("e1000", "e1000", "e1000", aims=INTX),
    Model("e1000e", "e1000e", "e1000e", express=True, aims=MSIX),
    Model("igb", "igb", "igb", express=True, aims=MSIX),
    # what QEMU does not have stands against the nearest that it has
    Model("igbvf", "igb", "igbvf", express=True, against="igb", aims=MSIX),
    Model("igc", "igb", "igc", express=True, against="igb", aims=MSIX),
)}


def served():
    """The models that this anynic has."""
    listing = subprocess.run([machine.anynic(), "models"], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = {line.split()[0] for line in listing.splitlines() if line.split()}
    return [model for model in MODELS.values() if model.spec.split(",")[0] in names]


class Card:
    def __init__(self, number, name):
        self.number, self.name = number, name
        self.mac = f"52:54:00:00:00:{number + 1:02x}"
        self.tap = machine.make_tap(f"tap{number}", f"10.7.{number}.1/24")
        self.host, self.address = f"10.7.{number}.1", f"10.7.{number}.2"
        self.interface = None


@functools.lru_cache(maxsize=None)
def both_cards():
    """The taps stay for the next guest."""
    return Card(0, "ours"), Card(1, "theirs")


def start(lab, model, ours, theirs):
    """A guest with both cards of a model."""
    bus, words = "", []
    if model.express:
        bus, words = ",bus=bench", ["-device", "pcie-root-port,id=bench,chassis=99"]
    words += ["-netdev", f"tap,id=theirs,ifname={theirs.tap},script=no,downscript=no",
              "-device", f"{model.device},netdev=theirs,mac={theirs.mac}{bus}"]
    guest = lab.guest(nics=[f"{model.spec},id=net0,backend=tap,ifname={ours.tap},mac={ours.mac}"], qemu=words,
                      name=f"tcp-{model.name}", files={"bin/peer": PEER.read_bytes()},
                      kernel=os.environ.get("BENCH_KERNEL", "6.1"))
    guest.sh(f"modprobe virtio_pci; modprobe {model.driver}; modprobe {model.against or model.driver}")
    for card in (ours, theirs):
        card.interface = guest.sh(f"await 10 grep -l {card.mac} /sys/class/net/*/address").split("/")[4]
    return guest


def select(guest, card, other):
    guest.sh(f"ip link set {other.interface} down; up {card.interface}; await 10 carrier {card.interface}; "
             f"ip addr replace {card.address}/24 dev {card.interface}; await 10 answers {card.host}")


def counted(guest):
    (nic,) = guest.port()["counters"]["nics"].values()
    return {"frames": nic["tx-frames"] + nic["rx-frames"], "reads": nic["reads"], "interrupts": nic["interrupts"]}


def run(guest, pids, card, kind):
    """(what was measured, CPU of each process, what our card counted)"""
    pids = {name: pid for name, pid in pids.items() if card.name == "ours" or name != "datapath"}
    before = counted(guest)
    with Meter(**pids) as meter:
        text = guest.sh(f"peer {kind} {card.host} {PORT} {SECONDS}", timeout=60 + 3 * SECONDS)
    after = counted(guest)
    seen = dict(word.split("=", 1) for word in text.split())
    value = float(seen["median_us"]) if kind == "turn" else float(seen["bytes"]) * 8e-6 / float(seen["seconds"])
    return value, meter.percent, {key: after[key] - before[key] for key in after}


def mean_cpu(runs):
    names = runs[0]
    return " ".join(f"{name} {sum(run[name] for run in runs) / len(runs):.0f}%" for name in names)


KINDS = {"put": "guest -> host", "get": "host -> guest", "turn": "1-byte round trip"}


def measure(lab, names=tuple(MODELS)):
    cards, rows = both_cards(), []
    server = subprocess.Popen([PEER, "serve", str(PORT)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for model in served():
            if model.name not in names:
                continue
            guest = start(lab, model, *cards)
            pids = {"qemu": qemu_of(guest.process.pid), "datapath": datapath_of(guest.process.pid), "server": server.pid}
            rows += measure_model(lab, guest, pids, model, cards)
            guest.stop()
    finally:
        server.kill()
        server.wait()
    return rows


def measure_model(lab, guest, pids, model, pair):
    values = {(kind, card.name): [] for kind in KINDS for card in pair}
    cpus = {key: [] for key in values}
    counts = {kind: {"frames": 0, "reads": 0, "interrupts": 0} for kind in KINDS}
    for number in range(ROUNDS):
        for card, other in (pair, pair[::-1]):
            select(guest, card, other)
            for kind in KINDS:
                value, cpu, count = run(guest, pids, card, kind)
                values[kind, card.name].append(value)
                cpus[kind, card.name].append(cpu)
                if card.name == "ours":
                    counts[kind] = {key: counts[kind][key] + count[key] for key in count}
        lab.say(f"{model.name} {number + 1}/{ROUNDS}: " + ", ".join(
            f"{kind} {values[kind, 'ours'][-1]:.0f} against {values[kind, 'theirs'][-1]:.0f}" for kind in KINDS))
    rows = []
    for kind, text in KINDS.items():
        cpu = f"{mean_cpu(cpus[kind, 'ours'])} | {mean_cpu(cpus[kind, 'theirs'])}"
        row = Row(f"{model.title}, {text}", "us" if kind == "turn" else "Mbit/s", values[kind, "ours"], values[kind, "theirs"],
                  higher=kind != "turn", cpu=cpu)
        rows.append(row.aim(*model.aims[kind]))
    for key in ("reads", "interrupts"):
        each = {kind: counts[kind][key] / max(counts[kind]["frames"], 1) for kind in KINDS}
        rows.append(Row(f"{model.name}, {'register reads' if key == 'reads' else key} a frame, guest -> host", "", each["put"],
                        digits=3, cpu=f"host -> guest {each['get']:.3f}, round trip {each['turn']:.3f}"))
    return rows
