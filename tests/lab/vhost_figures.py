"""vhost_figures.py: TCP of a nested guest by each way that a virtio card has to the same bridge: our card with its rings in the kernel
(a) and in user space, QEMU's card before our vhost-user server (b), QEMU's card with tap and vhost (c) and with QEMU's own rings. Ratios
to the last one; every byte is summed. Prints, and judges nothing: the machine below is an emulated one."""
import host
import lab as machine
import servers
from harness import main

SIZE = 32 << 20
HOST, GUEST = "10.7.0.1", "10.7.0.2"
TAP = "backend=bridge,br=br0"
WAYS = {
    "QEMU, user space": f"virtio-net,place=qemu,{TAP},driver=qemu",
    "(a) ours, vhost": f"virtio-net,{TAP},driver=vhost",
    "ours, user space": f"virtio-net,{TAP},driver=qemu",
    "(b) vhost-user": f"virtio-net,transport=vhost-user,{TAP}",
    "(c) QEMU, vhost": f"virtio-net,place=qemu,{TAP},driver=vhost",
}


def rates(lab, number, spec):
    """Mbit/s to the guest and from it: the better of two runs each."""
    guest = lab.guest(nics=[spec], name=f"way{number}")
    name = guest.sh("bring_up virtio_net")
    source, sink = servers.Source(SIZE), servers.Sink()
    guest.sh(f"await 10 carrier {name} && static {name} {GUEST}/24 && await 5 answers {HOST}")
    best = [0.0, 0.0]
    for _ in range(2):
        got = guest.probe("tcp-get", HOST, source.port)
        sent = guest.probe("tcp-put", HOST, sink.port, SIZE)
        lab.equal((got["crc"], sent["seen"]), (f"{source.crc:08x}", sent["crc"]), "every byte is right")
        best = [max(rate, SIZE * 8e-6 / float(run["seconds"])) for rate, run in zip(best, (got, sent))]
    guest.stop()
    return best


def scenario(lab):
    host.load_vhost()
    machine.ip("link", "add", "br0", "type", "bridge")
    machine.ip("link", "set", "br0", "up")
    machine.ip("addr", "add", f"{HOST}/24", "dev", "br0")
    found = {way: rates(lab, number, spec) for number, (way, spec) in enumerate(WAYS.items())}
    base = found["QEMU, user space"]
    for way, (get, put) in found.items():
        lab.say(f"{way:18} to the guest {get:5.0f} Mbit/s ({get / base[0]:.2f}x)  from it {put:5.0f} Mbit/s ({put / base[1]:.2f}x)")


main(scenario)
