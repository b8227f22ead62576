"""migrate.py CASE: `anynic migrate` and `anynic run --incoming`, two stock QEMUs, shared nothing.

CARD, auto, auto-legacy, auto-bridge, vhost-user: the guest moves, a TCP stream goes on, the source ends with status 0
back-and-forth: twenty times (three without ANYNIC_LONG)
refused: what cannot move, before anything does
differs: another MAC at the other end, a link that was set by hand
team CARD [qemu]: the transient card, hosted or QEMU's own, leaves the guest first and is there again at the other end
team-deaf: a guest that does not let go of it: time limit, cancel, and it goes on with it
attach: a guest that somebody else started and moves: `anynic attach` at both ends, the one at the destination goes on
cancelled: nobody at the other end; one that takes nothing: deadline, cancel, and the source is as before"""
import pathlib
import socket
import subprocess
import time

import lab as machine
import moves
from cards import CARDS, HOST
from harness import LEGACY, LONG, PERFORMANT, Failed, main, story
from qmp import Qmp

KINDS = {
    "vhost-user": ("virtio-net,transport=vhost-user", ["virtio_net"]),
    "auto-legacy": ("auto,place=qemu", ["8139cp"]),
    "auto": ("auto,place=qemu", ["8139cp", "virtio_net"]),
    "auto-bridge": ("auto,place=qemu", ["8139cp", "virtio_net"]),
    "auto-vhost-user": ("auto,place=auto,transport=vhost-user", ["8139cp", "virtio_net"]),
    **{card: (f"{CARDS[card].spec.split(',')[0]},place=qemu", [CARDS[card].driver]) for card in ("e1000", "virtio_net")},
}


PERSISTENT, TRANSIENT = "net0-persistent", "net0-transient"


def migrate(guest, uri, *more, status=0):
    done = subprocess.run([machine.anynic(), "migrate", guest.name, uri, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120)
    if done.returncode != status:
        raise Failed(f"anynic migrate ended with status {done.returncode}, not {status}:\n{done.stdout}")
    return done.stdout


def wait_for(path, guest=None):
    """Somebody listens there, in the guest's network namespace: a socket has its name before that."""
    table = pathlib.Path(f"/proc/{guest.process.pid if guest else 'self'}/net/unix")

    def listening():
        rows = (line.split() for line in table.read_text(encoding="ascii").splitlines())
        return any(row[-1] == str(path) and row[3] == "00010000" for row in rows)

    end = time.monotonic() + 60
    while not listening():
        if time.monotonic() > end:
            raise Failed(f"nobody listens at {path}")
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
    lab.until(lambda: guest.port()["active"] == active, f"{guest.name}: it is active")
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


def differs(lab):
    """Ends that do not fit: the destination says what MAC it took, and later what the guest brought; the source says what it leaves behind."""
    moves.make_bridge()
    source = moves.one(lab, "virtio-net,place=qemu", 0)
    bring_up(source, ["virtio_net"])
    target = moves.one(lab, "virtio-net,place=qemu", 1, incoming=f"unix:{lab.folder}/there", mac=None)
    wait_for(f"{lab.folder}/there")
    lab.check("must be the source's; next: mac= on both ends" in target.log(), "a MAC that was made up is told of")
    source.qmp.command("set_link", name="net0", up=False)
    said = migrate(source, f"unix:{lab.folder}/there")
    lab.check(f"next, on the other host: anynic link {source.name} net0 down" in said, "what was set by hand is told with its words")
    target.qmp.wait("MIGRATION", status="arrived")
    end = time.monotonic() + 20
    while "the guest came with the MAC" not in target.log() and time.monotonic() < end:
        time.sleep(0.1)
    lab.check(f"start both ends with mac={moves.MAC}" in target.log(), "and a MAC that differs, with the next step")


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
    lab.check(time.monotonic() - begin > 2.5, f"it gave up after {time.monotonic() - begin:.1f} s")
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


def bring_up_team(guest, driver):
    """Returns the interface that the guest made of both."""
    mark = guest.qmp.mark()
    guest.sh("modprobe net_failover; virtio; modprobe virtio_net; await 10 has_nic virtio_net")
    master = guest.sh("for d in /sys/class/net/*; do readlink $d/master; done | head -1").split("/")[-1]
    guest.sh(f"static {master} {moves.GUEST}/24; up {master}; await 10 carrier {master}; await 10 answers {HOST}")
    guest.sh(f"modprobe {driver}; await 30 has_nic {driver}", timeout=200)
    guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=TRANSIENT)
    guest.sh(f"await 20 carrier $(nic {driver}); sleep 1; answers {HOST}")
    return master


def team(lab, card, place="hosted"):
    spec = f"team,transient={card}{',place=qemu' if place == 'qemu' else ''}"
    moves.make_bridge()
    source, target = moves.pair(lab, spec, incoming=f"unix:{lab.folder}/there")
    master = bring_up_team(source, card)
    flow = moves.Flow(source)
    time.sleep(1)
    wait_for(f"{lab.folder}/there")
    mark = source.qmp.mark()
    said = migrate(source, f"unix:{lab.folder}/there")
    print(said)
    lab.check("unplugging" in said, "the guest was asked to let go of the transient card")
    lab.equal([word.split(" (")[0] for word in story(source.qmp.events[mark:]) if word.startswith("net0:")],
              [f"net0: {TRANSIENT} -> {PERSISTENT}"], "the persistent card took over before")
    lab.equal(source.wait_end(), 0, "the source ends with status 0")
    target.qmp.wait("MIGRATION", status="arrived")
    target.qmp.wait("PORT_LINK_SWITCHED", to=TRANSIENT, timeout=30)
    lab.say("ok: the transient card of the other end carries traffic there")
    time.sleep(1)
    flow.end(lab, target)
    target.sh(f"carrier {master} && await 5 answers {HOST} && has_nic {card}")
    for nic in (PERSISTENT, TRANSIENT):
        target.check_status(nic, "ready")


def team_deaf(lab):
    """With nobody at its ports the guest never hears of the unplug."""
    moves.make_bridge()
    guest = moves.one(lab, "team,transient=e1000e,place=qemu", 0, qemu=["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"])
    bring_up_team(guest, "e1000e")
    guest.sh("cd /sys/bus/pci_express/drivers/pciehp; for port in *:*; do echo $port >unbind; done")
    monitor = guest.monitor()
    monitor.command("stop")
    guest.qmp.wait("STOP")
    said = migrate(guest, f"unix:{lab.folder}/there", status=1)
    lab.check("continue the guest first" in said, "a stopped guest is refused")
    monitor.command("cont")
    guest.qmp.wait("RESUME")
    flow = moves.Flow(guest)
    there = socket.socket(socket.AF_UNIX)
    there.bind(f"{lab.folder}/there")
    there.listen(1)
    mark, begin = guest.qmp.mark(), time.monotonic()
    said = migrate(guest, f"unix:{lab.folder}/there", "--timeout", "3", status=5)
    print(said)
    lab.check("did not let go of its transient card for 3 s" in said, f"it gave up after {time.monotonic() - begin:.1f} s")
    lab.equal([word for word in story(guest.qmp.events[mark:]) if word != "MIGRATION"], [], "and its cards noticed nothing")
    lab.equal(guest.port()["active"], TRANSIENT, "the transient card carries traffic")
    lab.check(monitor.command("query-status")["running"], "the guest runs")
    flow.end(lab, guest)


def foreign(lab, number, **options):
    """A QEMU of somebody else's: two cards with one MAC, a tap on the bridge for each."""
    words = ["-qmp", f"unix:{lab.folder}/foreign{number},server=on,wait=off"]
    for n, card in enumerate(("rtl8139", "virtio-net-pci")):
        machine.make_tap(f"t{number}{n}", address=None)
        machine.ip("link", "set", f"t{number}{n}", "master", "br0")
        words += ["-device", f"pcie-root-port,id=rp{n},bus=pcie.0,chassis={n + 1}", "-device",
                  f"{card},id=card{n},netdev=host{n},mac={moves.MAC},bus=rp{n}", "-netdev",
                  f"tap,id=host{n},ifname=t{number}{n},script=no,downscript=no"]
    return lab.guest(nics=None, name=f"foreign{number}", qemu=[*words, *options.pop("qemu", ())], **options)


def attached(lab, number):
    """Returns its process, and its events."""
    name = f"there{number}"
    process = subprocess.Popen([machine.anynic(), "attach", "--qmp", f"{lab.folder}/foreign{number}", "--name", name],
                               stderr=subprocess.DEVNULL)
    wait_for(f"{lab.folder}/anynic/{name}.qmp")
    return process, Qmp(f"{lab.folder}/anynic/{name}.qmp")


def attach(lab):
    moves.make_bridge()
    source, target = foreign(lab, 0), foreign(lab, 1, wait=False, qemu=["-incoming", "defer"])
    ends = [attached(lab, number) for number in (0, 1)]
    try:
        nic = bring_up(source, ["8139cp", "virtio_net"])
        ends[0][1].wait("PORT_LINK_SWITCHED", to="card1")
        flow = moves.Flow(source)
        time.sleep(1)
        done = subprocess.run([machine.anynic(), "migrate", "there0", "unix:/x"], stderr=subprocess.PIPE, text=True)
        lab.check(done.returncode == 1 and "virsh migrate" in done.stderr, "who started it moves it")
        flips = source.sh(f"cat /sys/class/net/{nic}/carrier_changes")
        moves.move(lab, source, target)
        ends[1][1].wait("PORT_LINK_SWITCHED", to="card1")
        time.sleep(1)
        flow.end(lab, target)
        (port,) = ends[1][1].command("query-ports")
        lab.equal((port["active"], [card["link"] for card in port["nics"]]), ("card1", ["down", "up"]), "at the other end")
        lab.equal(target.sh(f"cat /sys/class/net/{nic}/carrier_changes"), flips, "the guest's carrier did not move")
    finally:
        for process, qmp in ends:
            qmp.close()
            process.terminate()
            process.wait(60)


def scenario(lab, case="auto", *more):
    if case == "team":
        team(lab, *more)
    elif case == "attach":
        attach(lab)
    elif case == "team-deaf":
        team_deaf(lab)
    elif case == "back-and-forth":
        back_and_forth(lab)
    elif case == "differs":
        differs(lab)
    elif case == "refused":
        refused(lab)
    elif case == "cancelled":
        cancelled(lab)
    else:
        once(lab, case)


if __name__ == "__main__":
    main(scenario)
