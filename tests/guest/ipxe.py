"""ipxe.py [CARD [own]]: network boot from a card of ours (rtl8139 without a word), or from QEMU's own: iPXE asks DHCP, takes its
script by TFTP and the kernel by HTTP; the driver is firmware first, then the operating system that it booted. Cards for which
QEMU's package has a ROM boot from that ROM; for the others a guest is started with iPXE in place of a kernel, with all of iPXE's
drivers inside. (Debian's iPXE, of May 2025, has no driver for igc.)"""
import pathlib

import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from guest import initramfs
from harness import main

ROMS = {"8139cp": "pxe-rtl8139.rom", "e1000": "pxe-e1000.rom", "e1000e": "pxe-e1000e.rom"}

def find_rom(name):
    base = pathlib.Path(machine.qemu()).resolve().parent
    for root in (base / "root", pathlib.Path("/")):
        for folder in ("usr/share/qemu", "usr/lib/ipxe/qemu"):
            if (root / folder / name).exists():
                return root / folder / name
    raise machine.Skip(f"no iPXE ROM {name} on this machine (Debian's package ipxe-qemu has it)")


def start(lab, card, name, place):
    """A guest, not started yet, that boots from its card; returns what it is."""
    spec = f"{card.spec},id=lan,backend=tap,ifname=tap0,place={place}"
    if name in ROMS:
        return lab.guest(start=False, kernel=None, machine="pc" if card.intx else "q35", memory=("-m", "512M"),
                         nics=[f"{spec},romfile={find_rom(ROMS[name])},bootindex=0"])
    script = pathlib.Path(lab.folder) / "script.ipxe"
    script.write_text("#!ipxe\nautoboot\n")
    return lab.guest(start=False, kernel=None, memory=("-m", "512M"), nics=[spec],
                     qemu=["-kernel", machine.kernel("ipxe") / "ipxe.lkrn", "-initrd", script])


def scenario(lab, name="8139cp", own=None):
    card = CARDS[name]
    machine.make_tap()
    guest = start(lab, card, name, "qemu" if own else "hosted")
    web = servers.Http({"/kernel": (machine.kernel("6.1") / "vmlinuz").read_bytes(), "/initrd": initramfs("6.1")}, host=HOST)
    script = (f"#!ipxe\nkernel http://{HOST}:{web.port}/kernel initrd=initrd {guest.append}\n"
              f"initrd --name initrd http://{HOST}:{web.port}/initrd\nboot\n")
    tftp = servers.Tftp({"/boot.ipxe": script.encode()}, host=HOST)
    dhcp = servers.Dhcp("tap0", HOST, GUEST, boot="boot.ipxe")
    guest.start(wait=False)
    firmware = guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", timeout=120, nic="lan", status="ready")
    lab.equal(firmware["data"]["phase"], "firmware", f"iPXE's driver is ready: {firmware['data']['evidence']}")
    guest.wait_boot(1, seconds=300)
    lab.check(3 in dhcp.log, f"iPXE asked for its address: {dhcp.log}")
    lab.equal(set(tftp.log), {"boot.ipxe"}, "the script came by TFTP")  # iPXE asks again when the answer is late
    lab.equal([path for path in web.log if path in ("/kernel", "/initrd")], ["/kernel", "/initrd"], "the kernel by HTTP")
    mark = guest.qmp.mark()
    nic = guest.sh(f"bring_up {card.driver}")
    system = guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", since=mark, nic="lan", status="ready")
    lab.equal(system["data"]["phase"], "os", f"the kernel's driver is another one: {system['data']['evidence']}")
    guest.sh(f"await 10 carrier {nic}; static {nic} {GUEST}/24; await 5 answers {HOST}")
    lab.say("ok: and it answers")


main(scenario)
