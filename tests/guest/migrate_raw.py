"""migrate_raw.py vhost-user|vhost-user-packed|CARD|auto-legacy|auto|auto-bridge: a guest moves from one stock QEMU to another, shared
nothing, by QEMU's own commands on the test's monitor: anynic is told nothing but `-incoming`. A TCP stream to the guest goes on and is
unbroken, and the destination knows drivers, links and the active card without a flap. With vhost-user-packed the control process of
the destination gets no processor while the guest arrives."""
import signal
import subprocess
import time

import lab as machine
import moves
from cards import CARDS, HOST
from harness import LEGACY, PERFORMANT, main, story

KINDS = {
    "vhost-user": ("virtio-net,transport=vhost-user", ["virtio_net"]),
    "vhost-user-packed": ("virtio-net,transport=vhost-user,packed=on", ["virtio_net"]),
    "auto-legacy": ("auto,place=qemu", ["8139cp"]),
    "auto": ("auto,place=qemu", ["8139cp", "virtio_net"]),
    "auto-bridge": ("auto,place=qemu", ["8139cp", "virtio_net"]),
        **{card: (f"{CARDS[card].spec.split(',')[0]},place=qemu", [CARDS[card].driver]) for card in ("8139cp", "e1000", "e1000e", "igb",
                                                                                            "virtio_net")},
}


def scenario(lab, kind="auto"):
    spec, drivers = KINDS[kind]
    moves.make_bridge()
    source, target = moves.pair(lab, spec, bridge=kind == "auto-bridge")
    for driver in drivers:
        nic = source.sh(f"bring_up {driver}")
    source.sh(f"await 10 carrier {nic}; static {nic} {moves.GUEST}/24; await 5 answers {HOST}")
    active = PERFORMANT if len(drivers) == 2 else LEGACY if spec.startswith("auto") else "net0"
    source.check_status(active, "ready")
    lab.until(lambda: source.port()["active"] == active, "on the source")
    flow = moves.Flow(source)
    mark, taken = source.qmp.mark(), target.qmp.mark()
    flips = source.sh(f"cat /sys/class/net/{nic}/carrier_changes")
    time.sleep(1)
    late = kind == "vhost-user-packed"
    if late:
        target.process.send_signal(signal.SIGSTOP)
    moves.move(lab, source, target)
    if late:
        time.sleep(1)  # its rings run, and nobody could tell that the guest does
        target.process.send_signal(signal.SIGCONT)
    target.qmp.wait("RESUME", since=taken)
    lab.story(source, mark, ["STOP"], "the source tells STOP", settle=2)
    told = [word for word in story(target.qmp.events) if not word.startswith(f"{LEGACY} ready")]
    lab.equal([word for word in told if "down" in word or "lost" in word], [], "nothing goes down on the destination")
    flow.end(lab, target)
    lab.until(lambda: target.port()["active"] == active, "the destination's active card")
    port = target.port()
    for card in port["nics"]:
        lab.equal((card["nic"], card["link"]), (card["nic"], "up" if card["nic"] == active else "down"), "its link")
    target.check_status(active, "ready")
    target.sh(f"carrier {nic} && await 5 answers {HOST}")
    lab.equal(target.sh(f"cat /sys/class/net/{nic}/carrier_changes"), flips, "the guest's carrier did not move")
    subprocess.run([machine.anynic(), "why", target.name], check=True)
    if len(drivers) == 2:
        mark = target.qmp.mark()
        target.sh("rmmod virtio_net")
        target.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=LEGACY)
        lab.say("ok: and the policy goes on there")


main(scenario)
