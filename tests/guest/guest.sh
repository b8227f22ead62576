# What every command in the guest may use. Sourced once by init.

# The interface that a driver made: `nic virtio_net`, or the second one: `nic virtio_net 2`. Order is that of the PCI bus.
nic() {
	want=${2:-1}
	for device in $(ls /sys/bus/pci/devices); do
		for net in /sys/bus/pci/devices/$device/net/* /sys/bus/pci/devices/$device/virtio*/net/*; do
			[ -d "$net" ] || continue
			driver=$(basename "$(readlink -f "$net/device/driver")")
			[ "$driver" = "$1" ] || continue
			want=$((want - 1))
			[ $want -gt 0 ] || { basename "$net"; return 0; }
		done
	done
	return 1
}

# Waits until a condition holds: `await 10 carrier eth0` (tested ten times a second; seconds of a machine that does nothing else: one
# that is busy with other tests gets four times as many).
await() {
	tries=$(($1 * 40))
	shift
	while ! patience=2 "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		usleep 100000
	done
}

carrier() { [ "$(cat /sys/class/net/$1/carrier 2>/dev/null)" = 1 ]; }
no_carrier() { ! carrier "$1"; }
has_nic() { nic "$@" >/dev/null; }

up() { ip link set "$1" up; }

# A process has a network of its own by now; somebody listens on a TCP port.
elsewhere() { [ "$(readlink /proc/$1/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
listens() { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ":$(printf %04X "$1") [0-9A-F:]* 0A "; }
listens_in() { nsenter -t "$1" -n sh -c ". /lib/guest.sh; listens $2"; }

# DHCP on one interface; address and default route are on no other one afterwards.
dhcp() {
	leave_others "$1"
	udhcpc -i "$1" -n -q -t 30 -T 1 -s /lib/udhcpc.sh
}

# Both cards of a port carry one MAC, and Linux keeps the routes of a link that is down: so address and routes move by hand.
static() {
	leave_others "$1"
	ip addr replace "$2" dev "$1"
	[ -z "$3" ] || ip route replace default via "$3" dev "$1"
}

leave_others() {
	for path in /sys/class/net/*; do
		other=${path##*/}
		[ "$other" = lo ] || [ "$other" = "$1" ] || ip addr flush dev "$other" >/dev/null 2>&1
	done
	ip neigh flush all >/dev/null 2>&1
}


# What virtio_net needs before it sees a card: a module in some kernels, built into others.
virtio() { modprobe virtio_pci 2>/dev/null || true; }

# QEMU's own igb makes a VF when it is told to: a card for igbvf that is not ours (peer.py). The PF must be up for its link.
enable_vfs() {
	modprobe igb
	await 10 has_nic igb || return 1
	for path in /sys/class/net/*; do
		[ "$(basename "$(readlink -f "$path/device/driver")")" = igb ] || continue
		up "${path##*/}"
		[ "$(cat "$path/device/sriov_numvfs")" != 0 ] || echo 1 >"$path/device/sriov_numvfs"
	done
}

# Loads a driver and brings up the interface that it makes; prints the interface's name.
bring_up() {
	[ "$1" != virtio_net ] || virtio
	modprobe "$1" || return 1
	await 10 has_nic "$1" "$2" || return 1
	up "$(nic "$1" "$2")" && nic "$1" "$2"
}


# An answer that is late is one; where `await` asks again it need not be waited for so long.
answers() { ping -c 1 -W "${patience:-20}" "$1" >/dev/null; }
