"""switch_basic.py [CARD]: the story of the README with each card as the legacy one: only its driver, then virtio_net, then back,
with the exact events and what Linux sees."""
import json
import subprocess

import lab as machine
from cards import CARDS
from harness import BACK_TO_LEGACY, LEGACY, LEGACY_UP, PERFORMANT, TO_PERFORMANT, main


def status_document(guest):
    done = subprocess.run([machine.anynic(), "status", guest.name, "-j"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def scenario(lab, card="8139cp"):
    guest = lab.guest(nics=[f"auto,legacy={CARDS[card].spec}"])
    port = guest.port()
    lab.equal((port["policy"], port["active"], port["state"]), ("switch", None, "down"), "no driver: no active NIC")
    lab.equal([(n["nic"], n["role"], n["link"]) for n in port["nics"]],
              [(LEGACY, "legacy", "down"), (PERFORMANT, "performant", "down")], "both links are down")
    lab.equal(guest.status(LEGACY), "none", "the legacy NIC has no driver")

    mark = guest.qmp.mark()
    legacy = guest.sh(f"bring_up {CARDS[card].driver}")
    lab.story(guest, mark, LEGACY_UP, "the legacy link comes up by the timer")
    ready = guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", since=mark, nic=LEGACY, status="ready")
    switched = guest.qmp.wait("PORT_LINK_SWITCHED", since=mark)
    delay = switched["time"] - ready["time"]
    lab.check(delay >= 0.49, f"it came up {delay * 1000:.0f} ms after the driver was ready")
    guest.sh(f"await 5 carrier {legacy} && dhcp {legacy} && answers 10.0.2.2")
    lab.say("ok: DHCP and ping over the legacy NIC")

    mark = guest.qmp.mark()
    performant = guest.sh("bring_up virtio_net")
    lab.story(guest, mark, TO_PERFORMANT, "virtio_net takes over in one step")
    guest.sh(f"await 5 carrier {performant} && await 5 no_carrier {legacy}")
    guest.sh(f"dhcp {performant} && answers 10.0.2.2")
    lab.say("ok: DHCP and ping over virtio-net; the legacy NIC has no carrier")
    document = status_document(guest)
    lab.check(PERFORMANT in json.dumps(document), "`anynic status -j` names the active NIC")
    lab.equal(guest.port()["active"], PERFORMANT, "query-ports says so too")

    mark = guest.qmp.mark()
    guest.sh("rmmod virtio_net")
    lab.story(guest, mark, BACK_TO_LEGACY, "without virtio_net the legacy NIC is back at once")
    guest.sh(f"await 5 carrier {legacy} && dhcp {legacy} && answers 10.0.2.2")
    lab.say("ok: DHCP and ping over the legacy NIC again")

    guest.send("poweroff -f")
    guest.qmp.wait("SHUTDOWN", timeout=30)
    lab.equal(guest.wait_end(), 0, "anynic run ends with QEMU's exit status")
    lab.check(not guest.qmp_path.exists(), "and leaves no socket behind")


main(scenario)
