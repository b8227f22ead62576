"""A NIC of a switch port is unplugged from its root port and plugged in again, under a running guest: the port falls back
and returns. This is also what the sandboxed process must still be able to do late: a new connection, new memory maps."""
import json
import pathlib

from harness import LEGACY, PERFORMANT, main


def find_device(guest, monitor, nic):
    """QEMU's id, bus and socket of the vfio-user device that stands for a NIC. QEMU does not tell the socket: it is on its line."""
    children = pathlib.Path(f"/proc/{guest.process.pid}/task/{guest.process.pid}/children").read_text().split()
    for child in children:
        for word in pathlib.Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0"):
            if word.startswith("{") and '"vfio-user-pci"' in word and json.loads(word)["id"] == nic:
                bus = monitor.command("qom-get", path="/machine/peripheral/" + nic, property="parent_bus")
                return nic, bus.rsplit("/", 1)[-1], json.loads(word)["socket"]
    raise LookupError(f"QEMU has no device for {nic}")


def scenario(lab):
    guest = lab.guest()
    monitor = guest.monitor()
    legacy = guest.sh("bring_up 8139cp")
    performant = guest.sh("modprobe virtio_pci; bring_up virtio_net")
    guest.sh(f"await 5 carrier {performant}; dhcp {performant}; await 5 answers 10.0.2.2")
    device, bus, socket = find_device(guest, monitor, PERFORMANT)
    lab.say(f"{PERFORMANT} is {device} on {bus}")
    for turn in (1, 2, 3):
        mark, place = guest.qmp.mark(), monitor.mark()
        monitor.command("device_del", id=device)
        monitor.wait("DEVICE_DELETED", since=place, device=device, timeout=60)
        guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=LEGACY)
        guest.sh(f"await 5 carrier {legacy}; static {legacy} 10.0.2.15/24; await 5 answers 10.0.2.2")
        lab.say(f"ok: {turn}. unplug: the legacy NIC carries on")
        lab.equal(guest.status(PERFORMANT), "none", "an unplugged NIC has no driver")

        mark = guest.qmp.mark()
        monitor.command("device_add", driver="vfio-user-pci", id=device, bus=bus, socket=socket)
        performant = guest.sh("await 30 has_nic virtio_net; bring_up virtio_net")
        guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=PERFORMANT)
        guest.sh(f"await 5 carrier {performant}; static {performant} 10.0.2.15/24; await 5 answers 10.0.2.2")
        lab.say(f"ok: {turn}. plug: virtio-net has the link again")


main(scenario)
