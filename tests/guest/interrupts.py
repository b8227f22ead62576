"""interrupts.py CARD: traffic, and the driver's own interrupt test where ethtool.py has not run it, with MSI-X, MSI and the line (INTx), as far as the driver lets its
user choose: e1000e has a module option; igb and igc take MSI-X, or the line when the kernel has no MSI at all."""
import re

import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from harness import main

SIZE = 8 << 20
MODES = {  # name: driver's options, kernel's command line, what /proc/interrupts says, lines there
    "e1000e": [("MSI-X", "IntMode=2", "", "MSI", 3), ("MSI", "IntMode=1", "", "MSI", 1), ("INTx", "IntMode=0", "", "IO-APIC", 1)],
    "igb": [("MSI-X", "", "", "MSI", 3), ("INTx", "", "pci=nomsi", "IO-APIC", 1)],
    "igc": [("MSI-X", "", "", "MSI", 3), ("INTx", "", "pci=nomsi", "IO-APIC", 1)],
}


def lines(guest, nic):
    """(kind, how often) of each interrupt of this interface."""
    found = re.findall(rf"^\s*\d+:\s+(\d+)\s+(\S+).*\b{nic}\b", guest.sh("cat /proc/interrupts"), re.MULTILINE)
    return [(kind.removeprefix("PCI-").split("-0000")[0].replace("MSIX", "MSI"), int(count)) for count, kind in found]


def mode(lab, guest, card, source, sink, name, options, kind, count):
    guest.sh(f"modprobe -r {card.driver}; modprobe {card.driver} {options}")
    nic = card.up(guest)
    guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
    seen = lines(guest, nic)
    lab.equal([entry[0] for entry in seen], [kind] * count, f"{name}: its interrupts")
    before = sum(entry[1] for entry in seen)
    got = guest.probe("tcp-get", HOST, source.port)
    sent = guest.probe("tcp-put", HOST, sink.port, SIZE)
    lab.check(got["crc"] == f"{source.crc:08x}" and sent["seen"] == sent["crc"], f"{name}: 8 MiB of TCP each way")
    lab.check(sum(entry[1] for entry in lines(guest, nic)) > before + 50, f"{name}: by interrupts")
    if name == "MSI-X":
        return  # what the driver chooses by itself: ethtool.py runs its tests
    text = guest.sh(f"ethtool -t {nic} offline")
    lab.equal(re.findall(r"^Interrupt test.*\s(\d+)$", text, re.MULTILINE), ["0"], f"{name}: the driver's own interrupt test")


def scenario(lab, name):
    card = CARDS[name]
    machine.make_tap()
    source, sink = servers.Source(SIZE), servers.Sink()
    guests = {}
    for mode_name, options, append, kind, count in MODES[name]:
        if append not in guests:
            for other in guests.values():
                other.stop()
            guests[append] = lab.guest(nics=[f"{card.spec},backend=tap,ifname=tap0"], tools=True, append=append)
        mode(lab, guests[append], card, source, sink, mode_name, options, kind, count)


main(scenario)
