"""virtio.py VARIANT: one kind of virtio-net after the other as Linux negotiates it: TCP both ways, then the driver unloaded and
loaded again. What was negotiated is read from the guest, so that a variant that is none fails."""
import lab as machine
import servers
from cards import GUEST, HOST
from harness import main

SIZE = 16 << 20
VERSION_1, PACKED, MQ = 32, 34, 22
LEGACY = "modprobe virtio_pci force_legacy=1"
VARIANTS = {
    # name: --nic, how virtio_pci is loaded, kernel's command line, CPUs, features that must (not) be there
    "modern": ("virtio-net", "modprobe virtio_pci", "", 1, [VERSION_1], [PACKED, MQ]),
    "packed": ("virtio-net,packed=on,queues=2", "modprobe virtio_pci", "", 2, [VERSION_1, PACKED, MQ], []),
    "legacy": ("virtio-net,rev=0", LEGACY, "", 1, [], [VERSION_1]),
    "legacy-intx": ("virtio-net,rev=0", LEGACY, "pci=nomsi", 1, [], [VERSION_1]),
    "vhost-user": ("virtio-net,transport=vhost-user", "modprobe virtio_pci", "", 1, [VERSION_1], [PACKED, MQ]),
    "vhost-user-packed": ("virtio-net,transport=vhost-user,packed=on,queues=4", "modprobe virtio_pci", "", 4,
                          [VERSION_1, PACKED, MQ], []),
    "intx": ("virtio-net", "modprobe virtio_pci", "pci=nomsi", 1, [VERSION_1], []),
}


def up(guest):
    guest.sh("modprobe virtio_net; await 10 has_nic virtio_net")
    nic = guest.sh("nic virtio_net")
    guest.sh(f"up {nic}; await 10 carrier {nic}; static {nic} {GUEST}/24; await 5 answers {HOST}")
    return nic


def scenario(lab, name):
    spec, load, append, cpus, there, absent = VARIANTS[name]
    queues = cpus
    machine.make_tap(queues=queues)
    source, sink = servers.Source(SIZE), servers.Sink()
    guest = lab.guest(nics=[f"{spec},backend=tap,ifname=tap0"], append=append, cpus=cpus)
    guest.sh(load)
    nic = up(guest)
    bits = guest.sh("cat /sys/bus/virtio/devices/virtio0/features")
    lab.check(all(bits[bit] == "1" for bit in there) and not any(bits[bit] == "1" for bit in absent),
              f"features {bits}")
    lab.equal(guest.sh(f"ls -d /sys/class/net/{nic}/queues/rx-* | wc -l"), str(queues), "receive queues")
    got = guest.probe("tcp-get", HOST, source.port)
    lab.equal((int(got["bytes"]), got["crc"]), (SIZE, f"{source.crc:08x}"),
              f"16 MiB to the guest: {SIZE * 8e-6 / float(got['seconds']):.0f} Mbit/s")
    sent = guest.probe("tcp-put", HOST, sink.port, SIZE)
    lab.equal(sent["seen"], sent["crc"], f"16 MiB from the guest: {SIZE * 8e-6 / float(sent['seconds']):.0f} Mbit/s")
    guest.sh("modprobe -r virtio_net")
    guest.check_status("net0", "none")
    up(guest)
    guest.check_status("net0", "ready")
    lab.say("ok: the driver went and came back")


main(scenario)
