"""The guest reboots, and is reset from outside: one RESET each, the port starts from the beginning, and works again."""
from harness import LEGACY, PERFORMANT, main, story


def drivers(guest):
    legacy = guest.sh("bring_up 8139cp")
    performant = guest.sh("bring_up virtio_net")
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2")
    return legacy, performant


def scenario(lab):
    guest = lab.guest()
    monitor = guest.monitor()
    for turn in (1, 2, 3):
        drivers(guest)
        lab.equal(guest.port()["active"], PERFORMANT, f"start {turn}: virtio-net is active and answers")
        mark = guest.qmp.mark()
        if turn == 1:
            guest.send("reboot -f")
        else:
            monitor.command("system_reset")
        guest.wait_boot(turn + 1)
        lines = story(guest.qmp.events[mark:])
        lab.equal(lines.count("RESET"), 1, f"start {turn}: exactly one RESET")
        lab.equal([line for line in lines if line.endswith(" up")], [], "no link came up on the way")
        port = guest.port()
        lab.equal((port["active"], port["state"]), (None, "down"), "after it no NIC is active")
        lab.equal([nic["link"] for nic in port["nics"]], ["down", "down"], "both links are down")
        lab.equal([guest.status(nic) for nic in (LEGACY, PERFORMANT)], ["none", "none"], "both drivers are gone")
    drivers(guest)
    guest.send("poweroff -f")
    guest.qmp.wait("SHUTDOWN")
    lab.equal(guest.wait_end(), 0, "a guest that switches itself off ends anynic run with status 0")


main(scenario)
