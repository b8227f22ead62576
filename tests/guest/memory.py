"""Guest memory of every kind that QEMU has: what can be mapped works, what cannot is refused with the option to add."""
import json
import os
import pathlib
import subprocess

import lab as machine
from harness import main
from qmp import Qmp

HUGE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
MEMFD = "memory-backend-memfd,id=m,size=256M,share=on"


def works(lab, text, kind, memory, qemu=()):
    guest = lab.guest(nics=["virtio-net"], machine=kind, memory=memory, qemu=qemu)
    nic = guest.sh("bring_up virtio_net")
    guest.sh(f"await 5 carrier {nic}; dhcp {nic} && answers 10.0.2.2")
    lab.say(f"ok: {text}")
    guest.stop()


def refused(lab, text, kind, memory, wanted):
    guest = lab.guest(start=False, nics=["virtio-net"], machine=kind, memory=memory)
    done = subprocess.run(guest.command_line(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, check=False)
    lab.check(done.returncode in (1, 2, 4), f"{text}: refused with status {done.returncode}")
    for word in wanted:
        lab.check(word in done.stdout, f"{text}: the message names {word}: {done.stdout.strip()[-300:]}")


def huge_pages(lab):
    """2 MiB pages are made for the test where this user may, and given back."""
    try:
        before = int(HUGE.read_text())
        HUGE.write_text(str(before + 140))
    except OSError:
        lab.say("note: only root can reserve huge pages: that kind was left out")
        return
    try:
        if int(HUGE.read_text()) < 128:
            lab.say("note: this machine has no 256 MiB left for huge pages: that kind was left out")
            return
        works(lab, "memfd of huge pages, shared", "q35,memory-backend=m",
              ["-m", "256M", "-object", MEMFD + ",hugetlb=on,hugetlbsize=2M"])
    finally:
        HUGE.write_text(str(before))


def found_out(lab):
    """Under `anynic serve` nobody sees QEMU's line: a private mapping comes with a descriptor all the same, and is found by
    one look at its content."""
    path = f"{lab.folder}/card.sock"
    server = subprocess.Popen([machine.anynic(), "serve", "--name", "blind", "--nic", "rtl8139", "--socket", path])
    try:
        qmp = Qmp(pathlib.Path(lab.folder) / "anynic" / "blind.qmp")
        device = json.dumps({"driver": "vfio-user-pci", "socket": {"type": "unix", "path": path}})
        guest = lab.guest(nics=None, name="private", machine="q35,memory-backend=m", qemu=["-device", device],
                          memory=["-m", "256M", "-object", "memory-backend-memfd,id=m,size=256M,share=off"])
        guest.sh("bring_up 8139cp")  # memory is looked at when the driver lets the card reach it
        lab.until(lambda: qmp.command("query-why")[0]["verdict"] == "driver-failed", "the card cannot use it")
        (why,) = qmp.command("query-why")
        lab.check(why["verdict"] == "driver-failed" and "share=on" in why["text"], f"private memory is found: {why['text']}")
        guest.stop()
        qmp.close()
    finally:
        server.terminate()
        server.wait(60)


def scenario(lab):
    works(lab, "-m alone", "q35", ["-m", "256M"])
    works(lab, "-m with slots", "q35", ["-m", "size=256M,slots=2,maxmem=1G"])
    works(lab, "memfd, shared", "q35,memory-backend=m", ["-m", "256M", "-object", MEMFD])
    file = f"memory-backend-file,id=m,size=256M,share=on,mem-path={lab.folder}/ram"
    works(lab, "a file, shared", "q35,memory-backend=m", ["-m", "256M", "-object", file])
    os.unlink(f"{lab.folder}/ram")
    works(lab, "-numa with two nodes", "q35",
          ["-m", "256M", "-object", "memory-backend-memfd,id=m0,size=128M,share=on", "-numa", "node,memdev=m0",
           "-object", "memory-backend-memfd,id=m1,size=128M,share=on", "-numa", "node,memdev=m1"])
    works(lab, "memory-backend-ram, shared", "q35,memory-backend=m",
          ["-m", "256M", "-object", "memory-backend-ram,id=m,size=256M,share=on"])
    huge_pages(lab)
    found_out(lab)

    refused(lab, "private memfd", "q35,memory-backend=m",
            ["-m", "256M", "-object", "memory-backend-memfd,id=m,size=256M,share=off"], ["share=on"])
    refused(lab, "a private file", "q35,memory-backend=m",
            ["-m", "256M", "-object", f"memory-backend-file,id=m,size=256M,mem-path={lab.folder}/ram"], ["share=on"])
    refused(lab, "memory without a descriptor", "q35,memory-backend=m",
            ["-m", "256M", "-object", "memory-backend-ram,id=m,size=256M"], ["share=on"])
    refused(lab, "a private node of two", "q35",
            ["-m", "256M", "-object", "memory-backend-memfd,id=m0,size=128M,share=on", "-numa", "node,memdev=m0",
             "-object", "memory-backend-memfd,id=m1,size=128M,share=off", "-numa", "node,memdev=m1"], ["share=on"])


main(scenario)
