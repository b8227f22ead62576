"""vhost_rings.py card|switch|queues|legacy|user|direct: our own virtio card (over vfio-user) with its rings in the kernel's vhost-net
(form a): a nested guest's TCP, every byte summed; the driver reloaded, the link down and up, the guest stopped and rebooted on the
way; in a switch port the kernel has the rings only while the card is active. `user`: the same with the rings in user space."""
import subprocess
import time

import host
import lab as machine
import servers
from harness import LEGACY, PERFORMANT, main

SIZE = 16 << 20
HOST, GUEST = "10.7.0.1", "10.7.0.2"


def traffic(lab, guest, name, over):
    source, sink = servers.Source(SIZE), servers.Sink()
    guest.sh(f"static {name} {GUEST}/24 && await 5 answers {HOST}")
    got = guest.probe("tcp-get", HOST, source.port)
    lab.equal((int(got["bytes"]), got["crc"]), (SIZE, f"{source.crc:08x}"),
              f"16 MiB to the guest, {over}: {SIZE * 8e-6 / float(got['seconds']):.0f} Mbit/s")
    sent = guest.probe("tcp-put", HOST, sink.port, SIZE)
    lab.equal(sent["seen"], sent["crc"], f"16 MiB from the guest, {over}: {SIZE * 8e-6 / float(sent['seconds']):.0f} Mbit/s")


def moved(lab, guest, name, wanted, text):
    """Who moves the frames of some pings?"""
    threads = host.vhost_threads(guest.process.pid)
    before = host.work_of(threads)
    guest.sh(f"static {name} {GUEST}/24 && await 5 answers {HOST} && ping -c 20 -i 0.05 -q {HOST}")
    lab.equal(host.work_of(threads) - before > 300_000, wanted, text)


def one_card(lab):
    guest = lab.guest(nics=["virtio-net,backend=bridge,br=br0,driver=vhost"], name="vhost")
    name = guest.sh("bring_up virtio_net")
    guest.sh(f"await 5 carrier {name}")
    port = guest.port()
    lab.equal(port["backend"]["driver"], "vhost", f"because: {port['backend']['reason']}")
    lab.equal([port["counters"][n] for n in ("tx-frames", "rx-bytes")], [None, None], "its frames are counted by nobody")
    moved(lab, guest, name, True, "the kernel's thread moves the frames")
    traffic(lab, guest, name, "form (a)")
    guest.sh(f"ip link set {name} down && rmmod virtio_net")
    name = guest.sh("bring_up virtio_net")
    moved(lab, guest, name, True, "the driver was reloaded: the kernel again")
    for state in ("down", "up"):
        subprocess.run([machine.anynic(), "link", "vhost", "net0", state], check=True, stdout=subprocess.DEVNULL)
        guest.sh(f"await 5 {'carrier' if state == 'up' else 'no_carrier'} {name}")
    moved(lab, guest, name, True, "the link went down and up: the kernel again")
    monitor = guest.monitor()
    mark = guest.qmp.mark()
    monitor.command("stop")
    guest.qmp.wait("STOP", since=mark)
    guest.port()  # who answers has heard of it
    time.sleep(0.3)
    threads = host.vhost_threads(guest.process.pid)
    before = host.work_of(threads)
    subprocess.run(["ping", "-c", "3", "-i", "0.2", "-W", "1", GUEST], check=False, stdout=subprocess.DEVNULL)
    lab.equal(host.work_of(threads), before, "the guest is stopped: its rings rest")
    monitor.command("cont")
    moved(lab, guest, name, True, "the guest goes on, and so does the kernel")
    guest.send("reboot -f")
    guest.wait_boot(2)
    name = guest.sh("bring_up virtio_net")
    traffic(lab, guest, name, "after a reboot")
    guest.stop()


def queues(lab):
    """Four pairs, then two of them: the others' part of the tap gets no frames meanwhile."""
    guest = lab.guest(nics=["virtio-net,backend=bridge,br=br0,driver=vhost,queues=4"], name="queues", cpus=4, tools=True)
    name = guest.sh("bring_up virtio_net")
    lab.equal(len(host.vhost_threads(guest.process.pid)), 4, "a thread for each pair")
    moved(lab, guest, name, True, "the kernel's threads move the frames")
    traffic(lab, guest, name, "four pairs")
    for pairs in (2, 4, 1):
        guest.sh(f"ethtool -L {name} combined {pairs}")
        traffic(lab, guest, name, f"{pairs} of them in use")
    moved(lab, guest, name, True, "the kernel's threads still")
    guest.stop()


def legacy(lab):
    """The interface before 1.0 with one interrupt line for all: the kernel tells us, and we raise it."""
    guest = lab.guest(nics=["virtio-net,rev=0,backend=bridge,br=br0,driver=vhost"], name="legacy", append="pci=nomsi")
    guest.sh("modprobe virtio_pci force_legacy=1")
    name = guest.sh("bring_up virtio_net")
    moved(lab, guest, name, True, "the kernel's thread moves the frames")
    traffic(lab, guest, name, "legacy, INTx")
    guest.stop()


def direct(lab):
    machine.ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1")
    machine.ip("addr", "flush", "dev", "br0")
    for end in ("wire0", "wire1"):
        machine.ip("link", "set", end, "up")
    machine.ip("addr", "add", f"{HOST}/24", "dev", "wire1")
    guest = lab.guest(nics=["virtio-net,backend=direct,dev=wire0,mode=bridge,driver=vhost"], name="direct")
    name = guest.sh("bring_up virtio_net")
    moved(lab, guest, name, True, "the kernel's thread moves the frames")
    traffic(lab, guest, name, "a macvtap")
    guest.stop()


def user_space(lab):
    """Our own card without the kernel, and QEMU's card before our vhost-user server (form b)."""
    for name, spec in (("user", "virtio-net,driver=qemu"), ("b", "virtio-net,transport=vhost-user")):
        guest = lab.guest(nics=[f"{spec},backend=bridge,br=br0"], name=name)
        nic = guest.sh("bring_up virtio_net")
        guest.sh(f"await 10 carrier {nic}")
        traffic(lab, guest, nic, f"{spec}: rings in user space")
        lab.equal(host.vhost_threads(guest.process.pid), [], "and no thread of the kernel's")
        lab.equal(guest.port()["backend"]["driver"], "qemu", f"because: {guest.port()['backend']['reason']}")
        lab.check(guest.port()["counters"]["rx-bytes"] > SIZE, "its frames are counted")
        guest.stop()


def switch(lab):
    guest = lab.guest(nics=["auto,backend=bridge,br=br0,driver=vhost"], name="switch")
    legacy = guest.sh("bring_up 8139cp && await 10 carrier $(nic 8139cp)").split()[0]
    moved(lab, guest, legacy, False, "the legacy card's frames go through us")
    name = guest.sh("bring_up virtio_net && await 10 carrier $(nic virtio_net)").split()[0]
    moved(lab, guest, name, True, "the virtio card is active: the kernel")
    lab.equal([guest.port()["counters"]["nics"][nic]["tx-frames"] is None for nic in (LEGACY, PERFORMANT)], [False, True],
              "counters of one card are known, of the other not")
    guest.sh("rmmod virtio_net && await 10 carrier $(nic 8139cp)")
    moved(lab, guest, legacy, False, "its driver went: the legacy card again, through us")
    guest.stop()


def scenario(lab, which="card"):
    host.load_vhost()
    machine.ip("link", "add", "br0", "type", "bridge")
    machine.ip("link", "set", "br0", "up")
    machine.ip("addr", "add", f"{HOST}/24", "dev", "br0")
    {"card": one_card, "switch": switch, "queues": queues, "legacy": legacy, "user": user_space, "direct": direct}[which](lab)


main(scenario)
