"""Network boot from our rtl8139: iPXE's own ROM asks DHCP, takes its script by TFTP and the kernel by HTTP; the driver is
firmware first, then the operating system that it booted."""
import pathlib

import lab as machine
import servers
from cards import GUEST, HOST
from guest import initramfs
from harness import main

ROMS = ["usr/share/qemu/pxe-rtl8139.rom", "usr/lib/ipxe/qemu/pxe-rtl8139.rom"]


def find_rom():
    base = pathlib.Path(machine.qemu()).resolve().parent
    for root in (base / "root", pathlib.Path("/")):
        for name in ROMS:
            if (root / name).exists():
                return root / name
    raise machine.Skip("no iPXE ROM for rtl8139 on this machine (Debian's package ipxe-qemu has it)")


def scenario(lab):
    machine.make_tap()
    guest = lab.guest(start=False, kernel=None, machine="pc", memory=("-m", "512M"),
                      nics=[f"rtl8139,id=lan,backend=tap,ifname=tap0,romfile={find_rom()},bootindex=0"])
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
    lab.equal(tftp.log, ["boot.ipxe"], "the script came by TFTP")
    lab.equal([path for path in web.log if path in ("/kernel", "/initrd")], ["/kernel", "/initrd"], "the kernel by HTTP")
    mark = guest.qmp.mark()
    nic = guest.sh("bring_up 8139cp")
    system = guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", since=mark, nic="lan", status="ready")
    lab.equal(system["data"]["phase"], "os", f"the kernel's driver is another one: {system['data']['evidence']}")
    guest.sh(f"await 5 carrier {nic}; static {nic} {GUEST}/24; await 5 answers {HOST}")
    lab.say("ok: and it answers")


main(scenario)
