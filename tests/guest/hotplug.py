"""hotplug.py [CARD]: cards come and go on root ports of a running guest. With a card: it is plugged into a guest that started
without any, and, where QEMU can, unplugged and plugged again. Without: the legacy card of a switch port is unplugged and plugged
in again, three times, while traffic runs on the other one; then both cards of a port of `anynic serve` are plugged into a guest
that started without any. This is also what the sandboxed process must still be able to do late: a new connection, new memory
maps, new interrupts.

virtio-net and other cards with MSI-X are not unplugged: QEMU 11.1 aborts when a vfio-user device with MSI-X goes
(vfio_user_msix_teardown runs after the memory region that it takes apart is gone), whoever serves it.
"""
import json
import os
import pathlib
import signal
import subprocess

import lab as machine
from cards import CARDS
from harness import LEGACY, PERFORMANT, main
from qmp import Qmp


def find_device(guest, nic):
    """What anynic told its QEMU to add for a NIC: QEMU does not give the socket back, so it is read from the line."""
    children = pathlib.Path(f"/proc/{guest.process.pid}/task/{guest.process.pid}/children").read_text().split()
    for child in children:
        for word in pathlib.Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0"):
            if word.startswith("{") and '"vfio-user-pci"' in word and json.loads(word)["id"] == nic:
                return json.loads(word)
    raise LookupError(f"QEMU has no device for {nic}")


def unplug_and_plug(lab):
    guest = lab.guest()
    monitor = guest.monitor()
    guest.sh("bring_up 8139cp")
    performant = guest.sh("bring_up virtio_net")
    guest.sh(f"await 5 carrier {performant}; dhcp {performant}; await 5 answers 10.0.2.2")
    options = find_device(guest, LEGACY)
    for turn in (1, 2, 3):
        mark, place = guest.qmp.mark(), monitor.mark()
        monitor.command("device_del", id=LEGACY)
        monitor.wait("DEVICE_DELETED", since=place, device=LEGACY, timeout=60)
        guest.sh("answers 10.0.2.2")
        guest.check_status(LEGACY, "none")
        lab.say(f"ok: {turn}. unplug: no driver; traffic on the other card goes on")
        monitor.command("device_add", **options)
        guest.sh("await 30 has_nic 8139cp; bring_up 8139cp")
        guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", since=mark, nic=LEGACY, status="ready")
        guest.sh("answers 10.0.2.2")
        lab.say(f"ok: {turn}. plug: its driver is ready again")
    mark = guest.qmp.mark()
    guest.sh("rmmod virtio_net")
    guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=LEGACY)
    legacy = guest.sh("nic 8139cp")
    guest.sh(f"await 5 carrier {legacy}; dhcp {legacy}; await 5 answers 10.0.2.2")
    lab.say("ok: and the card that was plugged in carries the port when it must")
    guest.stop()


def serve(lab, spec, socket):
    return subprocess.Popen([machine.anynic(), "serve", "--name", "late", "--nic", spec, "--socket", str(socket)])


def plain_guest(lab, slots):
    """A guest without cards; returns it, anynic's control socket and QEMU's."""
    ports = [word for i in range(slots) for word in ("-device", f"pcie-root-port,id=slot{i},chassis={i + 1},slot={i + 1}")]
    guest = lab.guest(nics=None, name="plain", machine="q35,memory-backend=ram", qemu=ports,
                      memory=("-m", "256M", "-object", "memory-backend-memfd,id=ram,size=256M,share=on"))
    return guest, Qmp(pathlib.Path(os.environ["XDG_RUNTIME_DIR"]) / "anynic" / "late.qmp"), guest.monitor()


def plug_into_running(lab):
    sockets = pathlib.Path(lab.folder) / "sockets"
    server = serve(lab, "auto", sockets)
    try:
        guest, qmp, monitor = plain_guest(lab, 2)
        for i, nic in enumerate((LEGACY, PERFORMANT)):
            monitor.command("device_add", driver="vfio-user-pci", id=nic, bus=f"slot{i}",
                            socket={"type": "unix", "path": str(sockets / f"{nic}.sock")})
        legacy = guest.sh("modprobe 8139cp; await 30 has_nic 8139cp; bring_up 8139cp")
        qmp.wait("PORT_LINK_SWITCHED", to=LEGACY)
        guest.sh(f"await 5 carrier {legacy}; dhcp {legacy} && answers 10.0.2.2")
        lab.say("ok: rtl8139, plugged into a running guest, has its link and answers")
        performant = guest.sh("virtio; modprobe virtio_net; await 30 has_nic virtio_net; bring_up virtio_net")
        qmp.wait("PORT_LINK_SWITCHED", to=PERFORMANT)
        guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2")
        lab.say("ok: virtio-net, plugged into a running guest, takes over")
        qmp.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def single(lab, card):
    socket = pathlib.Path(lab.folder) / "late.sock"
    server = serve(lab, f"{card.spec},id=card", socket)
    try:
        guest, qmp, monitor = plain_guest(lab, 1)
        guest.sh(f"modprobe {card.driver}")
        for turn in (1,) if card.msix else (1, 2, 3):
            mark = qmp.mark()
            monitor.command("device_add", driver="vfio-user-pci", id="card", bus="slot0",
                            socket={"type": "unix", "path": str(socket)})
            guest.sh(f"await 30 has_nic {card.driver}")
            nic = card.up(guest)
            qmp.wait("GUEST_DRIVER_STATUS_CHANGED", since=mark, nic="card", status="ready")
            guest.sh(f"dhcp {nic} && answers 10.0.2.2")
            lab.say(f"ok: {turn}. plug: {card.driver} has its link and answers")
            if not card.msix:
                place = monitor.mark()
                monitor.command("device_del", id="card")
                monitor.wait("DEVICE_DELETED", since=place, device="card", timeout=60)
                qmp.wait("GUEST_DRIVER_STATUS_CHANGED", since=mark, nic="card", status="none")
                lab.say(f"ok: {turn}. unplug: no driver")
        qmp.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def scenario(lab, name=None):
    if name:
        single(lab, CARDS[name])
        return
    unplug_and_plug(lab)
    plug_into_running(lab)


main(scenario)
