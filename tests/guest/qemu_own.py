"""qemu_own.py private|system CARD: a card of QEMU's own behind anynic's user backend: DHCP and ping over the stream netdev, the link that the
guest sees follows `anynic link`, also before its first instruction. `system` is the distribution's older QEMU."""
import os
import shutil
import subprocess

import lab as machine
from cards import CARDS
from harness import main


def link(guest, nic, state):
    subprocess.run([machine.anynic(), "link", guest.name, nic, state], check=True, stdout=subprocess.DEVNULL)


def scenario(lab, which="private", card="8139cp"):
    if which == "system":
        os.environ["ANYNIC_QEMU"] = shutil.which("qemu-system-x86_64")  # tools/setup installs it
    spec, driver = CARDS[card].spec.split(",")[0], CARDS[card].driver
    guest = lab.guest(nics=[f"{spec},place=qemu", f"{spec},place=qemu,link=down,id=down"])
    nics = [port["nics"][0] for port in guest.qmp.command("query-ports")]
    lab.equal([(nic["place"], nic["link"]) for nic in nics], [("qemu", "up"), ("qemu", "down")], "both cards are QEMU's")
    lab.check(guest.qmp.command("query-ports")[0]["backend"]["type"] == "user", "the backend is anynic's")
    names = [guest.sh(f"bring_up {driver} {number}") for number in (1, 2)]
    guest.sh(f"await 10 carrier {names[0]} && await 5 no_carrier {names[1]}")
    lab.say("ok: the guest saw one link up and one down from the start")
    guest.sh(f"dhcp {names[0]} && answers 10.0.2.2")
    lab.say("ok: DHCP and ping through the datapath")
    mark = guest.qmp.mark()
    link(guest, "net0", "down")
    guest.sh(f"await 5 no_carrier {names[0]}")
    guest.qmp.wait("NIC_LINK_CHANGED", since=mark, nic="net0", up=False)
    link(guest, "net0", "up")
    guest.sh(f"await 5 carrier {names[0]} && answers 10.0.2.2")
    lab.say("ok: the link goes down and up as it is told")
    counters = guest.qmp.command("query-ports", port="net0")[0]["counters"]
    lab.check(min(counters["tx-frames"], counters["rx-frames"]) >= 3, "frames were counted")
    lab.check("RESUME" not in [event["event"] for event in guest.qmp.events], "the start is no RESUME")


main(scenario)
