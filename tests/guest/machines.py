"""machines.py MACHINE KERNEL: an auto port on each of QEMU's PC machines and each kernel: pci.0 on pc, root ports on q35."""
from harness import BACK_TO_LEGACY, LEGACY, LEGACY_UP, PERFORMANT, TO_PERFORMANT, main


def scenario(lab, machine, kernel):
    guest = lab.guest(machine=machine, kernel=kernel)
    lab.say(guest.sh("cat /proc/version; for d in /sys/bus/pci/devices/*; do echo ${d##*/} $(cat $d/vendor $d/device); done"))
    legacy = guest.sh("bring_up 8139cp")
    lab.story(guest, 0, LEGACY_UP, "the legacy link comes up")
    guest.sh(f"await 5 carrier {legacy}; dhcp {legacy} && answers 10.0.2.2")
    mark = guest.qmp.mark()
    performant = guest.sh("bring_up virtio_net")
    lab.story(guest, mark, TO_PERFORMANT, "virtio_net takes over")
    guest.sh(f"await 5 carrier {performant}; dhcp {performant} && answers 10.0.2.2")
    mark = guest.qmp.mark()
    guest.sh("rmmod virtio_net")
    lab.story(guest, mark, BACK_TO_LEGACY, "and gives back")
    guest.check_status(LEGACY, "ready")
    guest.check_status(PERFORMANT, "none")
    lab.say("ok: the statuses agree")


main(scenario)
