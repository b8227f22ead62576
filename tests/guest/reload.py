"""reload.py [CARD]: a driver loaded and unloaded 20 times (100 in a long run), with traffic each time. Without a card: both
drivers of a switch port and 8139too in turn, and the port follows each."""
import lab as machine
from cards import CARDS, GUEST, HOST
from harness import LEGACY, LONG, PERFORMANT, main
from qmp import story

TIMES = 100 if LONG else 20


def switch_port(lab):
    guest = lab.guest(nics=["auto,hold=off,legacy-delay=50", "rtl8139,rev=0x10,id=old"])
    legacy = guest.sh("bring_up 8139cp")
    guest.qmp.wait("PORT_LINK_SWITCHED", to=LEGACY)
    guest.sh(f"await 5 carrier {legacy}; dhcp {legacy}")
    mark = guest.qmp.mark()

    def follow(command, *to):
        """The port is at rest before the next word."""
        at = guest.qmp.mark()
        output = guest.sh(command)
        for nic in to:
            guest.qmp.wait("PORT_LINK_SWITCHED", since=at, to=nic)
        return output

    for _ in range(TIMES):
        nic = follow("bring_up virtio_net", PERFORMANT)
        guest.sh(f"await 5 carrier {nic}; static {nic} 10.0.2.15/24; await 5 answers 10.0.2.2")
        follow("rmmod virtio_net", LEGACY)
        guest.sh(f"await 5 carrier {legacy}; static {legacy} 10.0.2.15/24; await 5 answers 10.0.2.2")
    moves = [line for line in story(guest.qmp.events[mark:]) if "->" in line]
    lab.equal(moves, [f"net0: {LEGACY} -> {PERFORMANT} (performant-ready)",
                      f"net0: {PERFORMANT} -> {LEGACY} (performant-lost)"] * TIMES, f"virtio_net {TIMES} times")

    mark = guest.qmp.mark()
    for _ in range(TIMES):
        follow("rmmod 8139cp", None)
        nic = follow("bring_up 8139cp", LEGACY)
        guest.sh(f"await 5 carrier {nic}; static {nic} 10.0.2.15/24; await 5 answers 10.0.2.2")
    moves = [line for line in story(guest.qmp.events[mark:]) if "->" in line]
    lab.equal(moves, [f"net0: {LEGACY} -> None (legacy-lost)", f"net0: None -> {LEGACY} (legacy-timer)"] * TIMES,
              f"8139cp {TIMES} times")
    guest.sh("rmmod 8139cp")

    for _ in range(TIMES):
        guest.sh("nic=$(bring_up 8139too); await 5 carrier $nic; static $nic 10.0.2.15/24; await 5 answers 10.0.2.2; "
                 "rmmod 8139too")
    lab.say(f"ok: 8139too {TIMES} times")
    lab.until(lambda: "ready" not in [guest.status(nic) for nic in (LEGACY, PERFORMANT, "old")], "in the end nobody is ready")


def single(lab, card):
    machine.make_tap()
    guest = lab.guest(nics=[f"{card.spec},id=card,backend=tap,ifname=tap0"])
    for turn in range(TIMES):
        nic = card.up(guest)
        guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
        if turn == 0:
            if not guest.peer:
                guest.check_status("card", "ready")
            guest.sh(f"ip link set {nic} down; up {nic}; await 10 carrier {nic}; static {nic} {GUEST}/24; await 5 answers {HOST}")
            lab.say("ok: and answers after its interface was down and up")
        guest.sh(f"rmmod {card.driver}")
        if not guest.peer:
            guest.check_status("card", "none")
    lab.say(f"ok: {card.driver} {TIMES} times")


def scenario(lab, name=None):
    if name:
        single(lab, CARDS[name])
    else:
        switch_port(lab)


main(scenario)
