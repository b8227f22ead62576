"""arm.py CARD|auto-CARD [KERNEL]: Arm guests on QEMU's virt machine. A card: Linux finds it behind its root port, TCP both ways,
every byte summed, the driver out and in again. auto-CARD: that card as the
legacy one, virtio-net, and back."""
import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from harness import BACK_TO_LEGACY, LEGACY_UP, TO_PERFORMANT, main

SIZE = 8 << 20


def interrupts(guest, nic):
    """The kinds and the sum of the interrupts that Linux counts for an interface."""
    lines = guest.sh(f"grep -E '{nic}$|{nic}[-:]|virtio0' /proc/interrupts").splitlines()
    kinds = {"msi" if "MSI" in line else "intx" for line in lines}
    return kinds, sum(int(word) for line in lines for word in line.split()[1:2])


def check_interrupts(lab, guest, nic, wanted):
    kinds, before = interrupts(guest, nic)
    lab.equal(kinds, {wanted}, "the interrupts are of the kind that this card has")
    guest.sh(f"ping -c 3 -i 0.2 -W 2 {HOST}")
    lab.check(interrupts(guest, nic)[1] > before, "they arrive")


def both_ways(lab, guest, source, sink):
    got = guest.probe("tcp-get", HOST, source.port)
    lab.equal((int(got["bytes"]), got["crc"]), (SIZE, f"{source.crc:08x}"),
              f"8 MiB to the guest: {SIZE * 8e-6 / float(got['seconds']):.0f} Mbit/s")
    sent = guest.probe("tcp-put", HOST, sink.port, SIZE)
    lab.equal(sent["seen"], sent["crc"], f"8 MiB from the guest: {SIZE * 8e-6 / float(sent['seconds']):.0f} Mbit/s")


def one_card(lab, name, kernel):
    card = CARDS[name]
    machine.make_tap()
    source, sink = servers.Source(SIZE), servers.Sink()
    guest = lab.guest(target="aarch64", kernel=kernel, nics=[f"{card.spec},backend=tap,ifname=tap0"])
    lab.equal(guest.sh("uname -m"), "aarch64", "an Arm guest")
    # 8139too reads and writes its registers through the window of I/O ports, all other drivers through memory
    guest.sh("modprobe 8139too use_io=1" if name == "8139too" else "true")
    nic = card.up(guest)
    bus = guest.sh(f"readlink -f /sys/class/net/{nic}/device")
    lab.check(bus.count("/0000:") >= 2, f"the card is behind a root port: {bus}")
    if name == "8139too":
        lab.check(guest.sh("grep -c 8139too /proc/ioports") != "0", "8139too works through I/O ports")
    guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
    check_interrupts(lab, guest, nic, "intx" if card.intx else "msi")
    both_ways(lab, guest, source, sink)
    guest.sh(f"rmmod {card.driver}")
    guest.check_status("net0", "none")
    nic = card.up(guest)
    guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
    guest.check_status("net0", "ready")
    lab.say("ok: its driver went and came back")


def auto(lab, card, kernel):
    guest = lab.guest(target="aarch64", kernel=kernel, nics=[f"auto,legacy={card.spec}"])
    legacy = guest.sh(f"bring_up {card.driver}")
    lab.story(guest, 0, LEGACY_UP, "the legacy link comes up by the timer")
    guest.sh(f"await 5 carrier {legacy}; dhcp {legacy} && answers 10.0.2.2")
    mark = guest.qmp.mark()
    performant = guest.sh("bring_up virtio_net")
    lab.story(guest, mark, TO_PERFORMANT, "virtio_net takes over in one step")
    guest.sh(f"await 5 carrier {performant}; await 5 no_carrier {legacy}; dhcp {performant} && answers 10.0.2.2")
    mark = guest.qmp.mark()
    guest.sh("rmmod virtio_net")
    lab.story(guest, mark, BACK_TO_LEGACY, "without virtio_net the legacy NIC is back")
    guest.sh(f"await 5 carrier {legacy}; dhcp {legacy} && answers 10.0.2.2")
    guest.send("reboot -f")
    guest.wait_boot(2)
    guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=None)
    guest.qmp.wait("RESET", since=mark)
    lab.equal((guest.port()["active"], guest.port()["state"]), (None, "down"), "after a reboot no NIC is active")
    mark = guest.qmp.mark()
    legacy = guest.sh(f"bring_up {card.driver}")
    lab.story(guest, mark, LEGACY_UP, "and it starts anew")


def scenario(lab, name, kernel="6.1"):
    if not (machine.BUILD / "tests/guest/probe-aarch64").exists():
        raise machine.Skip("no aarch64-linux-gnu-gcc when the build was set up")
    if name.startswith("auto-"):
        auto(lab, CARDS[name.removeprefix("auto-")], kernel)
    else:
        one_card(lab, name, kernel)


main(scenario)
