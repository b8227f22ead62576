"""The cards of a single-NIC port: what to write after --nic, which driver takes it."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    spec: str
    driver: str
    intx: bool = False  # the card knows no other interrupt

    def up(self, guest, number=1):
        """Loads the driver, brings the interface up and waits for its carrier; returns its name."""
        name = guest.sh(f"bring_up {self.driver} {number}")
        guest.sh(f"await 10 carrier {name}")
        return name


CARDS = {
    "8139cp": Card("rtl8139", "8139cp", intx=True),
    "8139too": Card("rtl8139,rev=0x10", "8139too", intx=True),
    "virtio_net": Card("virtio-net", "virtio_net"),
}
HOST, GUEST = "10.7.0.1", "10.7.0.2"
