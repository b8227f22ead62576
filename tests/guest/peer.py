"""The same guest with QEMU's own cards in place of ours: what a --nic text means to QEMU. With ANYNIC_PEER=1 a scenario that
asks nothing of anynic (`lab.peer` is true then) runs like this, so that a test can be judged by a card that is not ours.

QEMU makes VFs of its igb only: `igbvf` is an igb whose first VF the guest enables; it shares the PF's MAC switch, not its MAC.
QEMU has no igc.
"""
import lab

DEVICES = {"rtl8139": "rtl8139", "virtio-net": "virtio-net-pci", "e1000": "e1000", "e1000-82545em": "e1000-82545em",
           "e1000-82544gc": "e1000-82544gc", "e1000e": "e1000e", "igb": "igb", "igbvf": "igb"}
EXPRESS = {"virtio-net", "e1000e", "igb", "igbvf"}


def backend_words(netdev, options):
    kind = options.get("backend", "user")
    if kind == "user":
        return ["-netdev", f"user,id={netdev}"]
    if kind == "tap":
        return ["-netdev", f"tap,id={netdev},ifname={options['ifname']},script=no,downscript=no"]
    if kind == "stream":
        role = "server=on" if options.get("mode") == "server" else "server=off,reconnect-ms=100"
        return ["-netdev", f"stream,id={netdev},{role},addr.type=unix,addr.path={options['path']}"]
    raise lab.Skip(f"QEMU's own card has no backend {kind}")


def qemu_words(specs, machine):
    """QEMU's words for these --nic texts."""
    words = []
    for number, spec in enumerate(specs):
        model, *rest = spec.split(",")
        options = dict(word.split("=", 1) for word in rest)
        if model not in DEVICES:
            raise lab.Skip(f"QEMU has no card {model}")
        nic = options.get("id", f"net{number}")
        words += backend_words(f"wire-{nic}", options)
        device = f"{DEVICES[model]},id={nic},netdev=wire-{nic},mac={options.get('mac', f'52:54:00:00:01:{number:02x}')}"
        if model in EXPRESS and machine.startswith("q35"):
            words += ["-device", f"pcie-root-port,id=slot-{nic},chassis={number + 1},slot={number + 1}"]
            device += f",bus=slot-{nic}"
        if "romfile" in options:
            device += f",romfile={options['romfile']},bootindex={options.get('bootindex', 0)}"
        words += ["-device", device]
    return words
