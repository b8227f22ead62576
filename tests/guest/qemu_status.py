"""qemu_status.py private|system CARD [MACHINE]: the driver status of QEMU's own card at each stage of a driver, from outside: no driver,
loaded, up, down, removed, the guest reset under a working driver and rebooted, stopped. `system` is the distribution's older QEMU."""
import os
import shutil
import time

from cards import CARDS
from harness import main, short

# After `ip link set down` Linux' virtio_net leaves its rings as they are: the card still receives.
STAYS_UP = {"virtio_net"}


def watch(lab, guest, mark, wanted, text):
    """Exactly these steps of the status, in this order, since the mark."""
    end = time.monotonic() + 30
    while len(seen := steps(guest, mark)) < len(wanted) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.6)
    lab.equal(steps(guest, mark), wanted, text)


def steps(guest, mark):
    """A look that comes between receiver and interrupts finds a driver that is ready and tells nothing of whose it is; that the next one
    does is news, but no step."""
    events = [e for e in guest.qmp.events[mark:] if e["event"] in ("GUEST_DRIVER_STATUS_CHANGED", "RESET")]
    phases = [None, *(e.get("data", {}).get("phase") for e in events)]
    return [step for e, phase in zip(events, phases)
            if (step := short(e).removeprefix("net0 ")) != "ready->ready" or phase != "unknown"]


def seen(guest):
    (one,) = guest.qmp.command("query-guest-driver-status", nic="net0")
    return one


def last(guest):
    return [e["data"] for e in guest.qmp.events if e["event"] == "GUEST_DRIVER_STATUS_CHANGED"][-1]


def scenario(lab, which, card, machine="q35"):
    if which == "system":
        os.environ["ANYNIC_QEMU"] = shutil.which("qemu-system-x86_64")  # tools/setup installs it
    spec, driver = CARDS[card].spec.split(",")[0], CARDS[card].driver
    guest = lab.guest(nics=[f"{spec},place=qemu"], machine=machine)
    lab.equal((seen(guest)["status"], seen(guest)["place"]), ("none", "qemu"), "without a driver: none")
    lab.equal(steps(guest, 0), [], "the start was no news")

    guest.sh(f"virtio; modprobe {driver}; await 10 has_nic {driver}")
    watch(lab, guest, 0, ["none->initializing"], "loaded: initializing, once")
    mark = guest.qmp.mark()
    guest.sh(f"up $(nic {driver})")
    watch(lab, guest, mark, ["initializing->ready"], "up: ready, once")
    lab.equal((last(guest)["phase"], last(guest)["model"]), ("os", spec), "a system's driver")
    lab.say(f"    evidence: {seen(guest)['evidence']}")
    guest.sh(f"e=$(nic {driver}); await 10 carrier $e && dhcp $e && answers 10.0.2.2")

    mark = guest.qmp.mark()
    guest.sh(f"ip link set $(nic {driver}) down")
    watch(lab, guest, mark, [] if driver in STAYS_UP else ["ready->initializing"], "down")
    mark = guest.qmp.mark()
    guest.sh(f"up $(nic {driver})")
    watch(lab, guest, mark, [] if driver in STAYS_UP else ["initializing->ready"], "up again")

    mark = guest.qmp.mark()
    guest.sh(f"rmmod {driver}")
    guest.check_status("net0", "none")
    lab.check(steps(guest, mark)[-1].endswith("->none"), "removed: none")
    guest.sh(f"bring_up {driver}")
    guest.check_status("net0", "ready")

    mark = guest.qmp.mark()
    guest.send("echo c >/proc/sysrq-trigger")
    guest.wait_boot(2)
    guest.qmp.wait("RESET", since=mark)
    lab.equal(steps(guest, mark), ["ready->none", "RESET"], "reset under a working driver: none, told once")
    lab.equal(guest.port()["nics"][0]["status"], "none", "the new kernel has no driver yet")
    guest.sh(f"bring_up {driver}")
    guest.check_status("net0", "ready")

    monitor = guest.monitor()
    mark = guest.qmp.mark()
    monitor.command("stop")
    guest.qmp.wait("STOP", since=mark)
    time.sleep(1)
    monitor.command("cont")
    guest.qmp.wait("RESUME", since=mark)
    time.sleep(0.6)
    lab.equal(steps(guest, mark), [], "stop and continue change nothing")
    monitor.close()


main(scenario)
