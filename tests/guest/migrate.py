"""migrate.py CASE: `anynic migrate` and `anynic run --incoming`, two stock QEMUs, shared nothing.

CARD, auto, auto-legacy, auto-bridge, vhost-user: the guest moves, a TCP stream goes on, the source ends with status 0
back-and-forth: twenty times (three without ANYNIC_LONG)
refused: what cannot move, before anything does
cancelled: nobody at the other end; one that takes nothing: deadline, cancel, and the source is as before"""
import pathlib
import socket
import subprocess
import time

import lab as machine
import moves
from cards import CARDS, HOST
from harness import LEGACY, LONG, PERFORMANT, Failed, main, story

KINDS = {
    "vhost-user": ("virtio-net,transport=vhost-user", ["virtio_net"]),
    "auto-legacy": ("auto,place=qemu", ["8139cp"]),
    "auto": ("auto,place=qemu", ["8139cp", "virtio_net"]),
    "auto-bridge": ("auto,place=qemu", ["8139cp", "virtio_net"]),
    "auto-vhost-user": ("auto,place=auto,transport=vhost-user", ["8139cp", "virtio_net"]),
    **{card: (f"{CARDS[card].spec.split(',')[0]},place=qemu", [CARDS[card].driver]) for card in ("e1000", "virtio_net")},
}


def migrate(guest, uri, *more, status=0):
    done = subprocess.run([machine.anynic(), "migrate", guest.name, uri, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120)
    if done.returncode != status:
        raise Failed(f"anynic migrate ended with status {done.returncode}, not {status}:\n{done.stdout}")
    return done.stdout


def wait_for(path):
    end = time.monotonic() + 20
    while not pathlib.Path(path).exists():
        if time.monotonic() > end:
            raise Failed(f"{path} is not there")
        time.sleep(0.05)


def bring_up(guest, drivers):
    for driver in drivers:
        nic = guest.sh(f"bring_up {driver}")
    guest.sh(f"await 10 carrier {nic}; static {nic} {moves.GUEST}/24; await 5 answers {HOST}")
    return nic


def active_of(spec, drivers):
    return PERFORMANT if len(drivers) == 2 else LEGACY if spec.startswith("auto") else "net0"


def check_there(lab, guest, nic, active, flips):
    guest.check_status(active, "ready")
    port = guest.port()
    lab.equal(port["active"], active, f"{guest.name}: the active card")
    lab.equal([card["link"] for card in port["nics"]], ["up" if card["nic"] == active else "down" for card in port["nics"]],
              "the links")
    lab.equal(guest.sh(f"cat /sys/class/net/{nic}/carrier_changes"), flips, "the guest's carrier did not move")


def once(lab, kind):
    spec, drivers = KINDS[kind]
    moves.make_bridge()
    source, target = moves.pair(lab, spec, bridge=kind == "auto-bridge", incoming=f"unix:{lab.folder}/there")
    nic = bring_up(source, drivers)
    active = active_of(spec, drivers)
    flips = source.sh(f"cat /sys/class/net/{nic}/carrier_changes")
    flow = moves.Flow(source)
    time.sleep(1)
    wait_for(f"{lab.folder}/there")
    said = migrate(source, f"unix:{lab.folder}/there")
    lab.check("migration: completed" in said, "anynic migrate tells how it went")
    print(said)
    lab.equal(source.wait_end(), 0, "the source ends with status 0")
    lab.check(not source.qmp_path.exists(), "and leaves no socket behind")
    time.sleep(1)
    flow.end(lab, target)
    check_there(lab, target, nic, active, flips)
    lab.equal([word for word in story(target.qmp.events) if "down" in word or "lost" in word], [], "nothing went down")
    target.qmp.wait("MIGRATION", status="arrived")
    if len(drivers) == 2:
        mark = target.qmp.mark()
        target.sh("rmmod virtio_net")
        target.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=LEGACY)
        lab.say("ok: and the policy goes on there")


def back_and_forth(lab, kind="auto-bridge"):
    spec, drivers = KINDS[kind]
    turns = 20 if LONG else 3
    moves.make_bridge()
    here = moves.one(lab, spec, 0, bridge=True)
    nic = bring_up(here, drivers)
    flips = here.sh(f"cat /sys/class/net/{nic}/carrier_changes")
    flow = moves.Flow(here)
    for turn in range(turns):
        path = f"{lab.folder}/there{turn}"
        there = moves.one(lab, spec, turn + 1, bridge=True, incoming=f"unix:{path}")
        wait_for(path)
        migrate(here, f"unix:{path}")
        lab.equal(here.wait_end(), 0, f"move {turn + 1}: the source ends")
        there.qmp.wait("MIGRATION", status="arrived")
        check_there(lab, there, nic, active_of(spec, drivers), flips)
        here = there
    flow.end(lab, here)
    left = subprocess.run(["ip", "-o", "link", "show", "master", "br0"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    lab.equal(len(left), 2, f"the last guest's taps alone are left")


def refused(lab):
    guest = lab.guest(nics=["auto", "e1000,place=qemu"])
    path = f"{lab.folder}/there"
    mark = guest.qmp.mark()
    said = migrate(guest, f"unix:{path}", status=1)
    print(said)
    lab.check("vfio-user" in said and "place=qemu" in said, "hosted cards: what, why, next step")
    migrate(guest, "nonsense", status=2)
    migrate(guest, f"unix:{path}", "--timeout", "0", status=2)
    lab.equal(guest.qmp.events[mark:], [], "nothing has happened")
    lab.check(guest.monitor().command("query-status")["running"], "the guest runs")
    done = subprocess.run([machine.anynic(), "run", "--nic", "auto", "--incoming", f"unix:{path}", "--", *guest.qemu_words],
                          stderr=subprocess.PIPE, text=True)
    lab.equal(done.returncode, 4, "and a destination with hosted cards does not start")
    lab.check("place=qemu" in done.stderr, "with the next step")


def cancelled(lab):
    spec, drivers = KINDS["auto-bridge"]
    moves.make_bridge()
    guest = moves.one(lab, spec, 0, bridge=True)
    nic = bring_up(guest, drivers)
    flips = guest.sh(f"cat /sys/class/net/{nic}/carrier_changes")
    flow = moves.Flow(guest)
    mark = guest.qmp.mark()
    said = migrate(guest, f"unix:{lab.folder}/nobody", status=1)
    lab.check("failed" in said and "No such file" in said, "nobody at the other end: QEMU's reason is told")
    print(said)
    silent = socket.socket(socket.AF_UNIX)  # takes what its buffer takes, and no more
    silent.bind(f"{lab.folder}/silent")
    silent.listen(1)
    begin = time.monotonic()
    said = migrate(guest, f"unix:{lab.folder}/silent", "--timeout", "3", status=5)
    lab.check(2.5 < time.monotonic() - begin < 15, f"it gave up after {time.monotonic() - begin:.1f} s")
    lab.check("took nothing for 3 s" in said, "one that takes nothing: the time limit")
    print(said)
    silent.close()
    lab.check(guest.monitor().command("query-status")["running"], "the guest runs")
    check_there(lab, guest, nic, PERFORMANT, flips)
    lab.equal([word for word in story(guest.qmp.events[mark:]) if word != "MIGRATION"], [], "nothing happened to its ports")
    target = moves.one(lab, spec, 1, bridge=True, incoming=f"unix:{lab.folder}/there")
    wait_for(f"{lab.folder}/there")
    migrate(guest, f"unix:{lab.folder}/there")
    lab.equal(guest.wait_end(), 0, "and then it moves")
    flow.end(lab, target)


def scenario(lab, case="auto"):
    if case == "back-and-forth":
        back_and_forth(lab)
    elif case == "refused":
        refused(lab)
    elif case == "cancelled":
        cancelled(lab)
    else:
        once(lab, case)


main(scenario)
