"""ports.py two|seven|sixteen: several ports in one guest, each with its own link, address and traffic at the same time."""
import lab as machine
import servers
from cards import CARDS
from harness import main

SIZE = 16 << 20


def at_once(guest, jobs):
    """Runs the commands together in the guest; returns what each printed."""
    text = "".join(f"( {job} ) >/tmp/job{i} 2>&1 & " for i, job in enumerate(jobs))
    guest.sh(text + "wait", timeout=240)
    return [guest.sh(f"cat /tmp/job{i}") for i in range(len(jobs))]


def two(lab):
    """Two switch ports, each on a tap of its own; one moves while the other one carries traffic."""
    sources = []
    for i in (1, 2):
        machine.make_tap(f"tap{i}", f"10.{i}.0.1/24")
        sources.append(servers.Source(SIZE, host=f"10.{i}.0.1"))
    guest = lab.guest(nics=["auto,backend=tap,ifname=tap1", "auto,backend=tap,ifname=tap2"])
    one, other = guest.sh("modprobe 8139cp; virtio; await 10 has_nic 8139cp 2; nic 8139cp; nic 8139cp 2").split()
    for i, name in ((1, one), (2, other)):
        guest.sh(f"up {name}; await 5 carrier {name}; ip addr add 10.{i}.0.2/24 dev {name}; await 5 answers 10.{i}.0.1")
    for port in ("net0", "net1"):
        guest.qmp.wait("PORT_LINK_SWITCHED", port=port, to=f"{port}-legacy")
    performant = guest.sh("bring_up virtio_net")
    guest.qmp.wait("PORT_LINK_SWITCHED", port="net0", to="net0-performant")
    lab.equal((guest.port("net0")["active"], guest.port("net1")["active"]), ("net0-performant", "net1-legacy"),
              "only the first port has moved")
    guest.sh(f"await 5 carrier {performant}; ip addr flush dev {one}; ip addr add 10.1.0.2/24 dev {performant}; "
             "await 5 answers 10.1.0.1")
    outputs = at_once(guest, [f"probe tcp-get 10.{i}.0.1 {sources[i - 1].port}" for i in (1, 2)])
    for i, output in enumerate(outputs):
        lab.check(f"crc={sources[i].crc:08x}" in output, f"port net{i}: 16 MiB while the other one is busy")
    lab.equal(guest.port("net0")["mac"] != guest.port("net1")["mac"], True, "each port has its own MAC")


def seven(lab):
    """Seven NICs at once, all models, all served by one process."""
    kinds = ["8139cp", "8139too", "virtio_net", "8139cp", "8139too", "virtio_net", "virtio_net"]
    sources, nics = [], []
    for i, kind in enumerate(kinds):
        machine.make_tap(f"tap{i}", f"10.{i + 1}.0.1/24")
        sources.append(servers.Source(SIZE, host=f"10.{i + 1}.0.1"))
        nics.append(f"{CARDS[kind].spec},backend=tap,ifname=tap{i}")
    guest = lab.guest(nics=nics)
    seen = {}
    for i, kind in enumerate(kinds):
        seen[kind] = seen.get(kind, 0) + 1
        name = CARDS[kind].up(guest, seen[kind])
        guest.sh(f"ip addr add 10.{i + 1}.0.2/24 dev {name}; await 5 answers 10.{i + 1}.0.1")
    lab.say("ok: seven NICs, seven links")
    outputs = at_once(guest, [f"probe tcp-get 10.{i + 1}.0.1 {source.port}" for i, source in enumerate(sources)])
    for i, output in enumerate(outputs):
        lab.check(f"crc={sources[i].crc:08x}" in output, f"{kinds[i]} ({i + 1}.): 16 MiB while all are busy")


def sixteen(lab):
    """As many ports as a guest can have, each behind a root port: with I/O ports, which are there for 14, it would not start."""
    guest = lab.guest(nics=["virtio-net,backend=null"] * 16)
    names = [CARDS["virtio_net"].up(guest, i) for i in range(1, 17)]
    lab.equal(len(set(names)), 16, "sixteen cards have a driver and a link")
    for i in range(16):
        guest.check_status(f"net{i}", "ready")
    lab.say("ok: all are ready")


def scenario(lab, which):
    {"two": two, "seven": seven, "sixteen": sixteen}[which](lab)


main(scenario)
