"""The cards of a single-NIC port: what to write after --nic, which driver takes it, what the card can do."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    spec: str
    driver: str
    intx: bool = False   # the card knows no other interrupt
    jumbo: str = ""      # words for --nic that give it MTU 9000; "-": the driver sets any MTU by itself
    msix: bool = False   # QEMU 11.1 cannot unplug a vfio-user card with MSI-X
    promiscuous: bool = True

    def up(self, guest, number=1):
        """Loads the driver, brings the interface up and waits for its carrier; returns its name."""
        if guest.peer and self.driver == "igbvf":
            guest.sh("enable_vfs")
        name = guest.sh(f"bring_up {self.driver} {number}")
        guest.sh(f"await 10 carrier {name}")
        return name


CARDS = {
    "8139cp": Card("rtl8139", "8139cp", intx=True),
    "8139too": Card("rtl8139,rev=0x10", "8139too", intx=True),
    "virtio_net": Card("virtio-net", "virtio_net", jumbo="mtu=9000", msix=True),
    "e1000": Card("e1000", "e1000", intx=True, jumbo="-"),
    "82545em": Card("e1000-82545em", "e1000", intx=True, jumbo="-"),
    "82544gc": Card("e1000-82544gc", "e1000", intx=True, jumbo="-"),
    "e1000e": Card("e1000e", "e1000e", jumbo="-", msix=True),
    "igb": Card("igb", "igb", jumbo="-", msix=True),
    "igbvf": Card("igbvf", "igbvf", jumbo="-", msix=True, promiscuous=False),
    "igc": Card("igc", "igc", jumbo="-", msix=True),
}
INTEL = ["e1000", "e1000e", "igb", "igbvf", "igc"]
HOST, GUEST = "10.7.0.1", "10.7.0.2"
