"""TCP of one guest through our card and through QEMU's own card of the same kind: the same guest, the same kind of tap, one
after the other in turns. Only the card that is measured is up, so that the other one shares neither interrupt nor CPU."""
import os
import subprocess

import lab as machine
from processes import Meter, datapath_of, qemu_of
from table import Row

PORT = 5001
SECONDS = float(os.environ.get("BENCH_SECONDS", 2))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 5))
MODELS = {"virtio-net": ("virtio-net-pci", "virtio_net"), "rtl8139": ("rtl8139", "8139cp")}
PEER = machine.BUILD / "tests/bench/peer"


class Card:
    def __init__(self, number, name):
        self.number, self.name = number, name
        self.mac = f"52:54:00:00:00:{number + 1:02x}"
        self.tap = machine.make_tap(f"tap{number}", f"10.7.{number}.1/24")
        self.host, self.address = f"10.7.{number}.1", f"10.7.{number}.2"
        self.interface = None


def start(lab, models):
    """A guest with both cards of each model; returns it, our cards, QEMU's cards."""
    ours, theirs, nics, words = {}, {}, [], []
    for number, model in enumerate(models):
        card = ours[model] = Card(number, "ours")
        nics.append(f"{model},id=ours{number},backend=tap,ifname={card.tap},mac={card.mac}")
    for number, model in enumerate(models, len(models)):
        card = theirs[model] = Card(number, "theirs")
        bus = ""
        if model == "virtio-net":
            words += ["-device", "pcie-root-port,id=bench,chassis=99"]
            bus = ",bus=bench"
        words += ["-netdev", f"tap,id=theirs{number},ifname={card.tap},script=no,downscript=no",
                  "-device", f"{MODELS[model][0]},netdev=theirs{number},mac={card.mac}{bus}"]
    guest = lab.guest(nics=nics, qemu=words, files={"bin/peer": PEER.read_bytes()},
                      kernel=os.environ.get("BENCH_KERNEL", "6.1"))
    for model in models:
        guest.sh(f"modprobe virtio_pci; modprobe {MODELS[model][1]}")
    for card in [*ours.values(), *theirs.values()]:
        card.interface = guest.sh(f"await 10 grep -l {card.mac} /sys/class/net/*/address").split("/")[4]
    return guest, ours, theirs


def select(guest, card, cards):
    others = "; ".join(f"ip link set {other.interface} down" for other in cards if other is not card)
    guest.sh(f"{others}; up {card.interface}; await 10 carrier {card.interface}; "
             f"ip addr replace {card.address}/24 dev {card.interface}; await 10 answers {card.host}")


def run(guest, pids, card, kind):
    """(what was measured, CPU of each process)"""
    pids = {name: pid for name, pid in pids.items() if card.name == "ours" or name != "datapath"}
    with Meter(**pids) as meter:
        text = guest.sh(f"peer {kind} {card.host} {PORT} {SECONDS}", timeout=60 + 3 * SECONDS)
    seen = dict(word.split("=", 1) for word in text.split())
    value = float(seen["median_us"]) if kind == "turn" else float(seen["bytes"]) * 8e-6 / float(seen["seconds"])
    return value, meter.percent


def mean_cpu(runs):
    names = runs[0]
    return " ".join(f"{name} {sum(run[name] for run in runs) / len(runs):.0f}%" for name in names)


KINDS = {"put": "guest -> host", "get": "host -> guest", "turn": "1-byte round trip"}
AIMS = {  # kind, model -> limit of the ratio, text
    ("put", "virtio-net"): (1.0, ">= 1.0, aim 1.4"), ("get", "virtio-net"): (1.0, ">= 1.0, aim 1.4"),
    ("turn", "virtio-net"): (1.3, "<= 1.3, aim 1.0"),
    ("put", "rtl8139"): (0.8, "aim 0.8"), ("get", "rtl8139"): (0.8, "aim 0.8"), ("turn", "rtl8139"): (2.0, "aim 2.0"),
}


def measure(lab, models=tuple(MODELS)):
    guest, ours, theirs = start(lab, models)
    pids = {"qemu": qemu_of(guest.process.pid), "datapath": datapath_of(guest.process.pid)}
    server = subprocess.Popen([PEER, "serve", str(PORT)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    pids["server"] = server.pid
    rows = []
    try:
        for model in models:
            rows += measure_model(lab, guest, pids, model, (ours[model], theirs[model]), [*ours.values(), *theirs.values()])
    finally:
        server.kill()
        server.wait()
        guest.stop()
    return rows


def measure_model(lab, guest, pids, model, pair, cards):
    values = {(kind, card.name): [] for kind in KINDS for card in pair}
    cpus = {key: [] for key in values}
    for number in range(ROUNDS):
        for card in pair:
            select(guest, card, cards)
            for kind in KINDS:
                value, cpu = run(guest, pids, card, kind)
                values[kind, card.name].append(value)
                cpus[kind, card.name].append(cpu)
        lab.say(f"{model} {number + 1}/{ROUNDS}: " + ", ".join(
            f"{kind} {values[kind, 'ours'][-1]:.0f} against {values[kind, 'theirs'][-1]:.0f}" for kind in KINDS))
    rows = []
    for kind, text in KINDS.items():
        cpu = f"{mean_cpu(cpus[kind, 'ours'])} | {mean_cpu(cpus[kind, 'theirs'])}"
        row = Row(f"{model}, {text}", "us" if kind == "turn" else "Mbit/s", values[kind, "ours"], values[kind, "theirs"],
                  higher=kind != "turn", cpu=cpu)
        rows.append(row.aim(*AIMS[kind, model]))
    return rows
