"""policy.py CASE [private|system [LEGACY]]: one row of the policy, with a stock guest. Each asserts the exact events and what the guest
saw. With a second word the cards are QEMU's own, of the private QEMU or of the distribution's older one; a third names the driver of
the legacy card (8139cp)."""
import os
import shutil
import signal
import time

from cards import CARDS
from harness import (BACK_TO_LEGACY, LEGACY, LEGACY_UP, PERFORMANT, TO_PERFORMANT, main, story)

DELAY = 3000  # ms: of ports whose second driver must be there before the timer ends, on a busy machine too
PERFORMANT_FIRST = [f"{PERFORMANT} ready", f"{PERFORMANT} up", f"net0: None -> {PERFORMANT} (performant-ready)"]


def load(guest):
    """Both drivers there, no interface up: nothing is ready yet."""
    old = guest.legacy_driver
    legacy, performant = guest.sh(f"modprobe {old}; await 10 has_nic {old}; virtio; modprobe virtio_net; await 10 has_nic virtio_net; "
                                  f"nic {old}; nic virtio_net").split()
    return legacy, performant


def both_ready(lab, guest, since, text, first=None):
    """Of the link and the performant driver exactly this story, of the legacy one that it is ready, once. When that is told is chance: a
    link is up when the datapath has said so, and other drivers go on meanwhile; and one look at QEMU's own cards may see both. What
    `first` names came first, where we see each driver's every step."""
    guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", since=since, nic=LEGACY, status="ready")
    guest.qmp.wait("PORT_LINK_SWITCHED", since=since, to=PERFORMANT)
    time.sleep(guest.delay + 0.5)
    seen = story(guest.qmp.events[since:])
    lab.equal([word for word in seen if word != f"{LEGACY} ready"], PERFORMANT_FIRST, text)
    lab.equal(seen.count(f"{LEGACY} ready"), 1, "and the legacy driver is ready")
    if not guest.polled:
        lab.equal(seen[0], f"{first} ready", "the drivers are told in their order")


def both(lab, guest):
    legacy, performant = load(guest)
    lab.equal(story(guest.qmp.events), [], "drivers without an interface that is up are not ready")
    for nic in (LEGACY, PERFORMANT):
        guest.check_status(nic, "initializing")
    lab.say("ok: they are initializing")
    guest.sh(f"up {performant}; up {legacy}")
    both_ready(lab, guest, 0, "with both, only the performant link comes up", first=PERFORMANT)
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2 && no_carrier {legacy}")


def late(lab, guest):
    """The same with a control process that gets no processor while the drivers come up: it hears of both at once."""
    legacy, performant = load(guest)
    lab.equal(story(guest.qmp.events), [], "nothing is ready yet")
    guest.process.send_signal(signal.SIGSTOP)
    try:
        guest.sh(f"up {performant}; up {legacy}; sleep 1")
    finally:
        guest.process.send_signal(signal.SIGCONT)
    both_ready(lab, guest, 0, "of both only the performant link comes up", first=PERFORMANT)
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2 && no_carrier {legacy}")


def only_legacy(lab, guest):
    legacy = guest.sh(f"bring_up {guest.legacy_driver}")
    lab.story(guest, 0, LEGACY_UP, "the legacy link comes up, and stays", settle=3)
    guest.sh(f"await 5 carrier {legacy}; dhcp {legacy} && answers 10.0.2.2")
    guest.check_status(PERFORMANT, "none")
    lab.say("ok: nobody touched the performant NIC")


def only_virtio(lab, guest):
    performant = guest.sh("bring_up virtio_net")
    lab.story(guest, 0, PERFORMANT_FIRST, "the performant link comes up without waiting", settle=2)
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2")
    guest.sh("rmmod virtio_net")
    lab.story(guest, 0, PERFORMANT_FIRST + [f"{PERFORMANT} lost", f"{PERFORMANT} down",
                                            f"net0: {PERFORMANT} -> None (performant-lost)"],
              "without it no NIC remains")


def virtio_100ms(lab, guest):
    """The guest's own clock decides when the second interface comes up, and its processor may be taken away in between: the port
    waits DELAY ms."""
    legacy, performant = load(guest)
    flips = guest.sh(f"cat /sys/class/net/{legacy}/carrier_up_count")
    guest.sh(f"up {legacy}; usleep 100000; up {performant}")
    both_ready(lab, guest, 0, "the legacy link never comes up", first=LEGACY)
    times = [guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", nic=nic, status="ready")["time"] for nic in (LEGACY, PERFORMANT)]
    lab.say(f"virtio-net was ready {(times[1] - times[0]) * 1000:.0f} ms after {guest.legacy_driver}")
    lab.equal(guest.sh(f"cat /sys/class/net/{legacy}/carrier_up_count"), flips, "Linux never saw a carrier on it")
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2")


def virtio_2s(lab, guest):
    legacy, performant = load(guest)
    guest.sh(f"up {legacy}")
    lab.story(guest, 0, LEGACY_UP, "legacy first", settle=1)
    mark = guest.qmp.mark()
    guest.sh(f"up {performant}")
    lab.story(guest, mark, TO_PERFORMANT, "then one direct move")
    guest.sh(f"await 5 carrier {performant}; await 5 no_carrier {legacy}; dhcp {performant} && answers 10.0.2.2")


def there_and_back(lab, guest):
    """The whole of a port's life with one guest: legacy, performant, back, and a reboot."""
    virtio_2s(lab, guest)
    mark = guest.qmp.mark()
    guest.sh("rmmod virtio_net")
    lab.story(guest, mark, BACK_TO_LEGACY, "without the fast driver back to the legacy card, in one direct move", settle=2)
    legacy = guest.sh(f"nic {guest.legacy_driver}")
    guest.sh(f"await 5 carrier {legacy}; dhcp {legacy} && answers 10.0.2.2")
    mark = guest.qmp.mark()
    guest.send("reboot -f")
    guest.wait_boot(2)
    guest.qmp.wait("RESET", since=mark)
    guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=None)
    # which of the two is told first is QEMU's business; no link comes up on the way
    lines = story(guest.qmp.events[mark:])
    lab.equal(lines.count("RESET"), 1, "a reboot is one RESET")
    lab.equal([line for line in lines if line.endswith(" up")], [], "no link came up on the way")
    lab.equal((guest.port()["active"], guest.port()["state"]), (None, "down"), "the port starts from the beginning")
    mark = guest.qmp.mark()
    guest.sh(f"bring_up {guest.legacy_driver}")
    lab.story(guest, mark, LEGACY_UP, "and the new kernel gets its link")


def panic(lab, guest):
    legacy, performant = load(guest)
    guest.sh(f"up {performant}; up {legacy}; await 5 carrier {performant}")
    guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", nic=LEGACY, status="ready")
    guest.qmp.wait("PORT_LINK_SWITCHED", to=PERFORMANT)
    mark = guest.qmp.mark()
    guest.send("echo c >/proc/sysrq-trigger")
    guest.wait_boot(2)
    # QEMU resets the cards, then says RESET
    lab.story(guest, mark,
              [f"{PERFORMANT} lost", f"{LEGACY} lost", f"{PERFORMANT} down", f"net0: {PERFORMANT} -> None (reset)", "RESET"],
              "a panic with panic=-1 is one reset: drivers gone, both links down")
    lab.equal(guest.port()["state"], "down", "the port starts from the beginning")
    mark = guest.qmp.mark()
    performant = guest.sh("bring_up virtio_net")
    lab.story(guest, mark, PERFORMANT_FIRST, "and the new kernel gets its link")
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2")


def flapping(lab, guest):
    """More than 6 switches in 60 s hold the choice. The seventh is a move back to the legacy NIC, so the hold shows when
    virtio_net comes again: it is ready, and stays without a link until the 5 s are over."""
    guest.sh(f"bring_up {guest.legacy_driver}")
    guest.qmp.wait("PORT_LINK_SWITCHED", to=LEGACY)
    for _ in range(3):
        # each is waited for: QEMU's own cards are looked at from outside, now and then
        for command, to in (("bring_up", PERFORMANT), ("rmmod", LEGACY)):
            mark = guest.qmp.mark()
            guest.sh(f"{command} virtio_net")
            guest.qmp.wait("PORT_LINK_SWITCHED", to=to, since=mark)
    held = guest.qmp.wait("PORT_SWITCH_HELD")
    state, (why,) = guest.port()["state"], guest.qmp.command("query-why", port="net0")
    mark = guest.qmp.mark()
    guest.sh("bring_up virtio_net")
    lab.equal((state, why["verdict"]), ("held", "held"), "query-ports says held, so does query-why")
    lab.equal(held["data"]["switches"], 7, "the seventh switch in 60 s starts a hold")
    lab.equal(story(guest.qmp.events[:mark]), LEGACY_UP + (TO_PERFORMANT + BACK_TO_LEGACY) * 3 + ["net0 held"],
              "up to there every switch was made")
    switched = guest.qmp.wait("PORT_LINK_SWITCHED", since=mark)
    # it begins with the decision, which is told when the link has moved
    lasted = switched["time"] - [e for e in guest.qmp.events[:mark] if e.get("data", {}).get("previous") == "ready"][-1]["time"]
    lab.check(lasted >= 4.9, f"the hold lasted {lasted:.1f} s")
    lab.equal(story(guest.qmp.events[mark:])[0], f"{PERFORMANT} ready", "a driver that comes back meanwhile gets no link")
    lab.equal(guest.port()["active"], PERFORMANT, "then the best NIC gets the link")


def late_100ms(lab, guest):
    """A control process that is late for the legacy timer: the performant driver was in time, so the legacy link never comes up."""
    legacy, performant = load(guest)
    flips = guest.sh(f"cat /sys/class/net/{legacy}/carrier_up_count")
    guest.sh(f"up {legacy}")
    guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", nic=LEGACY, status="ready")
    over = time.monotonic() + guest.delay + 0.2
    guest.process.send_signal(signal.SIGSTOP)
    try:
        guest.sh(f"up {performant}")
        time.sleep(max(0.0, over - time.monotonic()))
    finally:
        guest.process.send_signal(signal.SIGCONT)
    lab.story(guest, 0, [f"{LEGACY} ready", *PERFORMANT_FIRST], "the legacy link never comes up", settle=1)
    lab.equal(guest.sh(f"cat /sys/class/net/{legacy}/carrier_up_count"), flips, "Linux never saw a carrier on it")
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2")


CASES = {"both": both, "late": late, "late-100ms": late_100ms, "only-legacy": only_legacy, "only-virtio": only_virtio, "virtio-100ms": virtio_100ms,
         "virtio-2s": virtio_2s, "there-and-back": there_and_back, "panic": panic, "flapping": flapping}


def scenario(lab, case, which=None, legacy="8139cp"):
    if which == "system":
        os.environ["ANYNIC_QEMU"] = shutil.which("qemu-system-x86_64")  # tools/setup installs it
    card = CARDS[legacy]
    delay = f",legacy-delay={DELAY}" if case.endswith("100ms") else ""  # else the usual one
    guest = lab.guest(nics=[f"auto,legacy={card.spec.split(',')[0]}{delay}" + (",place=qemu" if which else "")])
    guest.legacy_driver, guest.polled, guest.delay = card.driver, bool(which), (DELAY if delay else 500) / 1000
    CASES[case](lab, guest)


main(scenario)
