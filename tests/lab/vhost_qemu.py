"""vhost_qemu.py bridge|direct|switch: QEMU's virtio card with tap and vhost-net (form c): a nested guest's TCP, every byte summed, through the
kernel's thread; the same without vhost. In a switch port the card that is not active has its backend taken away."""
import subprocess
import time

import host
import lab as machine
import servers
from harness import main

SIZE = 16 << 20
HOST, GUEST = "10.7.0.1", "10.7.0.2"


def network(kind):
    """Where the host's end of the wire is, with its address."""
    if kind != "direct":
        machine.ip("link", "add", "br0", "type", "bridge")
        end = "br0"
    else:
        machine.ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1")
        machine.ip("link", "set", "wire0", "up")
        end = "wire1"
    machine.ip("link", "set", end, "up")
    machine.ip("addr", "add", f"{HOST}/24", "dev", end)
    return end


def traffic(lab, guest, name, over):
    source, sink = servers.Source(SIZE), servers.Sink()
    guest.sh(f"static {name} {GUEST}/24 && await 5 answers {HOST}")
    got = guest.probe("tcp-get", HOST, source.port)
    lab.equal((int(got["bytes"]), got["crc"]), (SIZE, f"{source.crc:08x}"),
              f"16 MiB to the guest, {over}: {SIZE * 8e-6 / float(got['seconds']):.0f} Mbit/s")
    sent = guest.probe("tcp-put", HOST, sink.port, SIZE)
    lab.equal(sent["seen"], sent["crc"], f"16 MiB from the guest, {over}: {SIZE * 8e-6 / float(sent['seconds']):.0f} Mbit/s")


def one_card(lab, backend, driver):
    guest = lab.guest(nics=[f"virtio-net,place=qemu,{backend},driver={driver}"], name=driver)
    name = guest.sh("bring_up virtio_net")
    threads = host.vhost_threads(guest.process.pid)
    before = host.work_of(threads)
    traffic(lab, guest, name, f"driver={driver}")
    if driver == "vhost":
        lab.check(host.work_of(threads) - before > 10_000_000, "the kernel's thread did the work")
    else:
        lab.equal(threads, [], "no thread of the kernel's has part in it")
    guest.check_status("net0", "ready")
    guest.stop()


def flood(end):
    """A thousand frames for everybody."""
    subprocess.run(["python3", "-c", "import socket,sys\ns=socket.socket(socket.AF_PACKET,socket.SOCK_RAW)\n"
                    f"s.bind(('{end}',0))\nfor i in range(1000): s.send(b'\\xff'*6+b'\\x02'*6+b'\\x88\\xb5'+bytes(100))"], check=True)


def rested(lab, threads):
    """They have done what came before."""
    def still():
        before = host.work_of(threads)
        time.sleep(0.5)
        return host.work_of(threads) == before
    lab.until(still, "the kernel's thread has done what came before")


def switch(lab, end):
    guest = lab.guest(nics=["auto,place=qemu,backend=bridge,br=br0,driver=vhost"], name="switch")
    guest.sh("bring_up virtio_net && await 10 carrier $(nic virtio_net)")
    threads = host.vhost_threads(guest.process.pid)
    lab.check(threads, "the virtio card of the port has vhost")

    def link(state):
        subprocess.run([machine.anynic(), "link", "switch", "net0/performant", state], check=True, stdout=subprocess.DEVNULL)
    before = host.work_of(threads)
    flood(end)
    lab.until(lambda: host.work_of(threads) - before > 1_000_000, "active: a thousand frames are work for the kernel's thread")
    link("down")
    guest.sh("await 5 no_carrier $(nic virtio_net)")
    rested(lab, threads)
    before = host.work_of(threads)
    flood(end)
    time.sleep(0.3)
    inactive = host.work_of(threads) - before
    lab.equal(inactive, 0, "its link down: the kernel's thread has no tap any more")
    link("up")
    guest.sh("await 5 carrier $(nic virtio_net)")
    before = host.work_of(threads)
    flood(end)
    lab.until(lambda: host.work_of(threads) > before, "and again after its link came back")


def scenario(lab, kind="bridge"):
    host.load_vhost()
    end = network(kind)
    if kind == "switch":
        switch(lab, end)
        return
    backend = "backend=bridge,br=br0" if kind == "bridge" else "backend=direct,dev=wire0,mode=bridge"
    one_card(lab, backend, "vhost")
    one_card(lab, backend, "qemu")


main(scenario)
