"""Every driver loaded and unloaded 20 times (100 in a long run), with DHCP and a ping each time; the port follows each."""
from harness import LEGACY, LONG, PERFORMANT, main
from qmp import story

TIMES = 100 if LONG else 20


def scenario(lab):
    guest = lab.guest(nics=["auto,hold=off,legacy-delay=50", "rtl8139,rev=0x10,id=old"])
    legacy = guest.sh("bring_up 8139cp")
    guest.qmp.wait("PORT_LINK_SWITCHED", to=LEGACY)
    guest.sh(f"await 5 carrier {legacy}; dhcp {legacy}")
    mark = guest.qmp.mark()
    for _ in range(TIMES):
        nic = guest.sh("bring_up virtio_net")
        guest.sh(f"await 5 carrier {nic}; static {nic} 10.0.2.15/24; await 5 answers 10.0.2.2")
        guest.sh("rmmod virtio_net")
        guest.sh(f"await 5 carrier {legacy}; static {legacy} 10.0.2.15/24; await 5 answers 10.0.2.2")
    moves = [line for line in story(guest.qmp.events[mark:]) if "->" in line]
    lab.equal(moves, [f"net0: {LEGACY} -> {PERFORMANT} (performant-ready)",
                      f"net0: {PERFORMANT} -> {LEGACY} (performant-lost)"] * TIMES, f"virtio_net {TIMES} times")

    mark = guest.qmp.mark()
    for _ in range(TIMES):
        guest.sh("rmmod 8139cp")
        guest.sh("nic=$(bring_up 8139cp); await 5 carrier $nic; static $nic 10.0.2.15/24; await 5 answers 10.0.2.2")
    moves = [line for line in story(guest.qmp.events[mark:]) if "->" in line]
    lab.equal(moves, [f"net0: {LEGACY} -> None (legacy-lost)", f"net0: None -> {LEGACY} (legacy-timer)"] * TIMES,
              f"8139cp {TIMES} times")
    guest.sh("rmmod 8139cp")

    for _ in range(TIMES):
        guest.sh("nic=$(bring_up 8139too); await 5 carrier $nic; static $nic 10.0.2.15/24; await 5 answers 10.0.2.2; "
                 "rmmod 8139too")
    lab.say(f"ok: 8139too {TIMES} times")
    lab.equal([guest.status(nic) for nic in (LEGACY, PERFORMANT, "old")].count("ready"), 0, "in the end nobody is ready")


main(scenario)
