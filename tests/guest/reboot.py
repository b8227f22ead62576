"""reboot.py [CARD]: the guest reboots, and is reset from outside: one RESET each, the port starts from the beginning, and works
again. Without a card: a switch port."""
from cards import CARDS
from harness import LEGACY, PERFORMANT, main, story


def drivers(guest):
    legacy = guest.sh("bring_up 8139cp")
    performant = guest.sh("bring_up virtio_net")
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2")
    return legacy, performant


def restart(guest, monitor, turn):
    """By the guest the first time, from outside then; returns what happened."""
    mark = guest.qmp.mark() if guest.qmp else 0
    if turn == 1:
        guest.send("reboot -f")
    else:
        monitor.command("system_reset")
    guest.wait_boot(turn + 1)
    if guest.qmp:
        guest.qmp.wait("RESET", since=mark)
    return story(guest.qmp.events[mark:]) if guest.qmp else []


def switch_port(lab):
    guest = lab.guest()
    monitor = guest.monitor()
    for turn in (1, 2, 3):
        drivers(guest)
        lab.until(lambda: guest.port()["active"] == PERFORMANT, "the fast card is active")
        lab.equal(guest.port()["active"], PERFORMANT, f"start {turn}: virtio-net is active and answers")
        lines = restart(guest, monitor, turn)
        lab.equal(lines.count("RESET"), 1, f"start {turn}: exactly one RESET")
        lab.equal([line for line in lines if line.endswith(" up")], [], "no link came up on the way")
        lab.until(lambda: guest.port()["active"] is None, "the port starts from the beginning")
        port = guest.port()
        lab.equal((port["active"], port["state"]), (None, "down"), "after it no NIC is active")
        lab.equal([nic["link"] for nic in port["nics"]], ["down", "down"], "both links are down")
        for nic in (LEGACY, PERFORMANT):
            guest.check_status(nic, "none")
        lab.say("ok: both drivers are gone")
    drivers(guest)
    guest.send("poweroff -f")
    guest.qmp.wait("SHUTDOWN")
    lab.equal(guest.wait_end(), 0, "a guest that switches itself off ends anynic run with status 0")


def single(lab, card):
    guest = lab.guest(nics=[f"{card.spec},id=card"])
    monitor = guest.monitor()
    for turn in (1, 2, 3):
        nic = card.up(guest)
        guest.sh(f"dhcp {nic} && answers 10.0.2.2")
        lines = restart(guest, monitor, turn)
        lab.say(f"ok: start {turn}: {card.driver} was up")
        if not guest.peer:
            lab.equal(lines.count("RESET"), 1, "exactly one RESET")
            guest.check_status("card", "none")
            lab.say("ok: its driver is gone")
    nic = card.up(guest)
    guest.sh(f"dhcp {nic} && answers 10.0.2.2")
    lab.say("ok: and works after the last one")


def scenario(lab, name=None):
    if name:
        single(lab, CARDS[name])
    else:
        switch_port(lab)


main(scenario)
