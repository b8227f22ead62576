"""pool.py functions|race|killed|guest|team: virtual functions of a real card (QEMU's igb, seven of them) behind a real IOMMU.
functions  made, listed, given by hand and to guests that stand still; MAC, VLAN and driver set, and back as they were
race       two guests and one function that is left
killed     anynic is killed: whoever tidies up gives back MAC, VLAN and driver, and the next guest gets the function
guest      by the name of a libvirt network to a guest under KVM, which has its network through it
team       as the transient card of a team: it carries traffic while the guest has a driver for it"""
import json
import os
import pathlib
import signal
import subprocess
import time

import host  # pylint: disable=unused-import  # goes to the lab host
import lab as machine
from functions import MAC, Still, card, network, pool, settings, state, until
from harness import main


def refusals(lab, dev):
    lab.check("already" in pool("create", dev, "--vfs", "3", code=1), "another number of functions than there are: by way of 0")
    lab.check("at most" in pool("create", dev, "--vfs", "99", code=2), "more than the card can have")
    pool("show", "nosuch", code=3)
    pool("take", "lo", "--owner", "x", code=1)
    lab.check("cannot have" in pool("create", pool("show", dev)[0]["pci"], "--vfs", "1", code=4), "functions of a function")


def planned(lab, dev):
    done = subprocess.run([machine.anynic(), "plan", "-j", "--nic", f"hostdev,dev={dev}", "--nic", f"hostdev,dev={dev}", "--",
                           machine.qemu(), "-M", "q35"], capture_output=True, text=True, check=False)
    lab.equal(done.returncode, 0, f"plan: {done.stderr}")
    plan = json.loads(done.stdout)
    got = [d["host"] for d in plan["devices"] if d["driver"] == "vfio-pci"]
    lab.equal(got, [f["pci"] for f in pool("show", dev) if f["state"] == "free"][:2], "plan names the functions that run would take")
    lab.check(all(f["state"] != "taken" for f in pool("show", dev)), "and takes none")


def functions(lab):
    dev = card(lab)
    refusals(lab, dev)
    first = pool("show", dev)[0]
    machine.ip("link", "set", first["dev"], "up")
    lab.equal(pool("show", dev)[0]["state"], "busy", f"the host uses {first['dev']}: its function is not given")
    planned(lab, dev)
    before, drivers = settings(dev), state(dev)
    guest = Still(lab, "still", "--nic", f"hostdev,dev={dev},mac={MAC},vlan=12,spoofchk=off")
    told = guest.port()
    taken = pool("show", dev)[1]
    lab.equal((taken["driver"], taken["state"], taken["guest"]), ("vfio-pci", "taken", "still"), "the second function is the guest's")
    lab.check(taken["pci"] in json.dumps(told), "status says which")
    lab.equal(settings(dev)[1], (MAC, 12, False), "its MAC, VLAN and spoof check were set through the card")
    refused = pool("create", dev, "--vfs", "0", code=1)
    lab.check("in use" in refused, f"functions do not vanish under who has them: {refused.strip()}")
    lab.check("guest still" in pool("release", taken["pci"], code=1), "nor are they taken from a guest")
    guest.stop()
    lab.equal(settings(dev), before, "MACs, VLANs and spoof checks are as before")
    lab.equal(state(dev), drivers, "and drivers")
    by_hand(lab, dev)
    by_xml(lab, dev)
    machine.ip("link", "set", first["dev"], "down")
    pool("create", dev, "--vfs", "0")
    lab.equal(pool("list")[0]["vfs"], 0, "all functions are gone")


def by_xml(lab, dev):
    """libvirt's own words: two interfaces on a network that hands on functions."""
    interfaces, networks = (pathlib.Path(lab.folder) / name for name in ("interfaces.xml", "networks.xml"))
    networks.write_text(f"<network><name>lan</name><forward mode='hostdev' managed='yes'><pf dev='{dev}'/></forward>"
                        "<vlan><tag id='30'/></vlan></network>\n")
    interfaces.write_text("<devices>" + "".join(f"<interface type='network'><mac address='52:54:00:aa:cc:0{n}'/><source network='lan'/>"
                                                "</interface>" for n in (1, 2)) + "</devices>\n")
    ports = ["--interfaces", interfaces, "--networks", networks]
    done = subprocess.run([machine.anynic(), "plan", "-j", *ports, "--", machine.qemu(), "-M", "q35"], capture_output=True, text=True, check=False)
    lab.equal(done.returncode, 0, f"plan of XML: {done.stderr}")
    planned_for = [d["host"] for d in json.loads(done.stdout)["devices"] if d["driver"] == "vfio-pci"]
    guest = Still(lab, "words", *ports)
    guest.port()
    taken = [f for f in pool("show", dev) if f["state"] == "taken"]
    lab.equal([f["pci"] for f in taken], planned_for, "the functions that plan named are taken for a guest of XML")
    lab.equal([(f["mac"], f["vlan"]) for f in taken], [(f"52:54:00:aa:cc:0{n}", 30) for n in (1, 2)], "with MAC and the network's VLAN")
    guest.stop()
    lab.check(all(f["state"] != "taken" for f in pool("show", dev)), "and are given back")


def by_hand(lab, dev):
    kept = pool("take", dev, "--owner", "mine")["pci"]
    guest = Still(lab, "other", "--nic", f"hostdev,dev={dev}")
    guest.port()
    lab.check([f["guest"] for f in pool("show", dev) if f["pci"] == kept] == ["mine"], f"{kept} is kept by hand, others get others")
    guest.stop()
    guest = Still(lab, "mine", "--nic", f"hostdev,dev={dev}")
    guest.port()
    lab.check([f["pci"] for f in pool("show", dev) if f["state"] == "taken"] == [kept], "and its guest gets it")
    guest.stop()
    kept = pool("take", dev, "--owner", "mine")["pci"]
    pool("release", kept)
    lab.check(all(f["state"] != "taken" for f in pool("show", dev)), "given back by hand")


def race(lab):
    dev = card(lab, load=False)
    for n in range(6):
        pool("take", dev, "--owner", f"held{n}")
    lab.equal([s for _, s in state(dev)].count("free"), 1, "one function is left")
    guests = [Still(lab, f"racer{n}", "--nic", f"hostdev,dev={dev}") for n in range(2)]
    until(lab, lambda: any(g.process.poll() is not None for g in guests), "one of two guests does not start")
    lost = next(g for g in guests if g.process.poll() is not None)
    won = next(g for g in guests if g is not lost)
    lab.equal(lost.process.poll(), 1, f"with status 1: {lost.log().strip()}")
    lab.check("no function of" in lost.log() and "next:" in lost.log(), "and says why, and what to do")
    won.port()
    lab.check(won.process.poll() is None, "the other one has it")
    won.stop()
    again = Still(lab, lost.name, "--nic", f"hostdev,dev={dev}")
    again.port()
    again.stop()
    lab.check(True, "after it ended the first one gets it")
    for function in pool("show", dev):
        if function["state"] == "taken":
            pool("release", function["pci"])


def killed(lab):
    dev = card(lab)
    before, drivers = settings(dev), state(dev)
    for n in range(2):
        guest = Still(lab, f"killed{n}", "--nic", f"hostdev,dev={dev},mac={MAC},vlan=5,trust=on")
        guest.port()
        lab.equal(settings(dev)[0][:2], (MAC, 5), "set")
        guest.process.kill()
        guest.process.wait()
        until(lab, lambda: state(dev) == drivers, f"{n + 1}. kill: the function is its driver's again")
        until(lab, lambda: settings(dev) == before, "with MAC and VLAN as before")
    until(lab, lambda: not list(pathlib.Path(lab.folder).glob("anynic/*.undo")), "and no line of a journal is left")
    given_to_another(lab, dev)


def given_to_another(lab, dev):
    """Nobody was left to tidy up, and the function is somebody else's by the time that another guest starts."""
    guest = Still(lab, "gone", "--nic", f"hostdev,dev={dev},mac={MAC}")
    guest.port()
    tidies = subprocess.run(["pgrep", "-x", "anynic-tidy"], capture_output=True, text=True, check=True).stdout.split()
    for pid in [*map(int, tidies), guest.process.pid]:
        os.kill(pid, signal.SIGKILL)
    guest.process.wait()
    machine.ip("link", "set", dev, "vf", "0", "mac", "52:54:00:dd:dd:dd")
    other = Still(lab, "next", "--nic", "virtio-net,place=qemu,backend=null")
    until(lab, lambda: state(dev)[0] == ("igbvf", "free"), "the next guest gives the function back to its driver")
    lab.equal(settings(dev)[0][0], "52:54:00:dd:dd:dd", "and leaves it the MAC that another has given it")
    other.stop()


def guest_on_network(lab):
    dev = card(lab, load=False)
    before = state(dev)
    network(dev)
    guest = lab.guest(nics=[f"hostdev,dev=fast,mac={MAC}"], kernel="6.12")
    port = guest.port()
    lab.equal(port["backend"]["type"], "hostdev", f"a function by the name of a network: {port['backend']['reason']}")
    guest.check_status("net0", "none")
    name = guest.sh("bring_up igbvf")
    lab.equal(guest.sh(f"cat /sys/class/net/{name}/address"), MAC, "the guest's card has the port's MAC")
    guest.sh(f"await 20 carrier {name}")
    lab.check("address" in guest.sh(f"dhcp {name}"), "it gets an address through the function")
    guest.sh("answers 10.0.2.2")
    lab.check(True, "and answers")
    guest.check_status("net0", "ready")
    (status,) = guest.qmp.command("query-guest-driver-status", nic="net0")
    lab.equal(status["evidence"], "bus master is on; what it does beyond that cannot be seen", "status says what it knows")
    guest.sh("modprobe -r igbvf")
    guest.check_status("net0", "none")
    guest.stop()
    lab.equal(state(dev), before, "given back")


def team(lab):
    """The function is plugged when the guest's virtio driver asks for it; each path has a network of its own that looks the same."""
    dev = card(lab, load=False)
    before = state(dev)
    guest = lab.guest(nics=[f"team,transient=hostdev,dev={dev},mac={MAC}"], kernel="6.12")
    guest.sh("modprobe net_failover; virtio; modprobe virtio_net; await 10 has_nic virtio_net")
    master = guest.sh("for d in /sys/class/net/*; do readlink $d/master; done | head -1").split("/")[-1]
    guest.sh(f"up {master}; await 20 carrier {master}; dhcp {master}; await 10 answers 10.0.2.2")
    until(lab, lambda: "is plugged" in guest.qmp.command("query-why", port="net0")[0]["text"],
          "the guest pairs, and the function is plugged")
    lab.equal(guest.port()["active"], "net0-persistent", "without its driver the guest works on virtio")
    mark = guest.qmp.mark()
    guest.sh("modprobe igbvf; await 30 has_nic igbvf")
    guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to="net0-transient", reason="transient-ready")
    vf = guest.sh("nic igbvf")
    lab.check(guest.sh(f"basename $(readlink /sys/class/net/{vf}/master)") == master, "with it, over the function")
    guest.sh(f"await 20 carrier {vf}; await 10 answers 10.0.2.2")
    lab.check(int(guest.sh(f"cat /sys/class/net/{vf}/statistics/rx_packets")) > 0, "whose frames are counted")
    guest.sh("modprobe -r igbvf")
    guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to="net0-persistent", reason="transient-lost")
    guest.sh("await 10 answers 10.0.2.2")
    lab.say("ok: and on virtio again when its driver goes")
    guest.stop()
    lab.equal(state(dev), before, "the function is given back")


PARTS = {"functions": functions, "race": race, "killed": killed, "guest": guest_on_network, "team": team}


def scenario(lab, part="functions"):
    PARTS[part](lab)


main(scenario, namespace=False)
