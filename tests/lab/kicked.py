"""kicked.py [PROCESSOR]: by hand. How long a nested guest lives while the lab host's memory map changes a hundred times a second, which calls the
host's processors away without an interrupt: see tests/guest/standstill.py. `kicked.py qemu64` is without what scenarios do against it. Passes
when the guest stood still, and says when; it tests QEMU, not anynic."""
import os
import pathlib
import threading
import time

import host  # pylint: disable=unused-import  # goes to the lab host
import standstill
from guest import GuestError
from harness import main

SECONDS = 200
COMMAND_MEMORY = 2  # PCI command register, memory space


def disk_controller():
    """Nobody uses it; it has a BAR in memory."""
    return next(path for path in pathlib.Path("/sys/bus/pci/devices").glob("*") if (path / "class").read_text().startswith("0x0106"))


def toggle(ended):
    config = os.open(disk_controller() / "config", os.O_RDWR)
    command = int.from_bytes(os.pread(config, 2, 4), "little")
    while not ended.wait(0.01):
        for value in (command & ~COMMAND_MEMORY, command | COMMAND_MEMORY):
            os.pwrite(config, value.to_bytes(2, "little"), 4)


def scenario(lab, processor=standstill.CPU[1]):
    guest = lab.guest(nics=None, kernel="6.12", qemu=["-cpu", processor, "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n"])
    guest.sh("bring_up virtio_net; dhcp $(nic virtio_net)")
    ended = threading.Event()
    thread = threading.Thread(target=toggle, args=(ended,))
    thread.start()
    start = lived = time.monotonic()
    try:
        while lived - start < SECONDS:
            guest.sh("ping -c 3 -i 0.01 10.0.2.2; cat /proc/interrupts", timeout=40)
            lived = time.monotonic()
        stood = False
    except GuestError:
        stood = True
    finally:
        ended.set()
        thread.join()
    lab.check(stood, f"with {processor} it stood still after {lived - start:.1f} s")


main(scenario, namespace=False)
