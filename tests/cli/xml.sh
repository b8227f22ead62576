#!/bin/sh
# xml.sh ANYNIC FOLDER: interfaces and networks on the real program.
set -eu
anynic=$1 folder=$2
out=$(mktemp)
trap 'rm -f "$out"' EXIT
plan() {
	"$anynic" plan --interfaces "$folder/ports.xml" --qemu-version 11.1 "$@" >"$out" 2>&1
}
has() {
	grep -qF -- "$1" "$out" || { echo "'$1' is missing in:"; cat "$out"; exit 1; }
}

plan --networks "$folder/networks.xml" --assume vhost,vfio -j
has '"name":"from-xml"'
has '"type":"tap"'
has '"br":"virbr7"'
has '"dev":"eth7"'
has '"driver":"e1000"'
has '"driver":"vfio-pci"'
has '"id":"hostdev0"'
has 'does not run on KVM'

if plan --assume vhost,vfio; then echo "a network that nobody described was found"; exit 1; fi
has "ports.xml:6: <source network='lan'>: there is no such network"

# a portgroup that is not there: libvirt says nothing, we warn, and strict refuses
sed 's/network=.lan./network="lan" portgroup="gone"/; s/vfs/fast/' "$folder/ports.xml" >"$out.xml"
"$anynic" plan --interfaces "$out.xml" --qemu-version 11.1 --networks "$folder/networks.xml" --assume vhost >"$out" 2>&1
has 'has no portgroup gone: it is ignored, as libvirt does'
sed -i "0,/<interface /s//<interface xmlns:anynic='https:\\/\\/anynic.org\\/xml\\/1' anynic:strict='yes' /" "$out.xml"
if "$anynic" plan --interfaces "$out.xml" --qemu-version 11.1 --networks "$folder/networks.xml" --assume vhost >"$out" 2>&1; then
	echo "a strict interface got no portgroup and went on"; exit 1
fi
has ":6: network lan has no portgroup gone"
rm -f "$out.xml"

# without the function that the network lists
if plan --networks "$folder/networks.xml" --assume vhost; then echo "a function that is not there was given"; exit 1; fi

# without QEMU's line: the machine of the <domain>, and the one that a team needs
"$anynic" plan --interfaces "$folder/../good/team-hostdev.xml" --qemu-version 11.1 --assume kvm,vhost,vfio >"$out"
has 'qemu-system-x86_64 -machine q35'
has '"failover_pair_id"'
cat >"$out.xml" <<'EOF'
<domain type='qemu'><os><type arch='aarch64' machine='virt'>hvm</type></os><devices><interface type='user'/></devices></domain>
EOF
"$anynic" plan --interfaces "$out.xml" --qemu-version 11.1 >"$out"
rm -f "$out.xml"
has 'qemu-system-aarch64 -machine virt'
has 'virtio-net-pci'

"$anynic" xml "$folder/../good/bridge.xml" --qemu-version 11.1 >"$out"
has '<anynic:actual type="bridge" bridge="br0" model="virtio-net" place="qemu"'
has '<alias name="net0"/>'
cat >"$out.xml" <<'EOF'
<interface type='bridge'><source bridge='br0'/><model type='virtio'/><driver name='vhost'/></interface>
EOF
"$anynic" xml "$out.xml" --qemu-version 11.1 --assume vhost >"$out"
rm -f "$out.xml"
has 'driver="vhost"'
# networks: libvirt's rules are checked, and they are written as they are
"$anynic" xml "$folder/networks.xml" >"$out"
has '<name>lan</name>'
printf "<network>\n<name>lan</name>\n<forward mode='vepa' dev='eth0'/>\n<mtu size='9000'/>\n</network>\n" >"$out.xml"
if "$anynic" xml "$out.xml" >"$out" 2>&1; then echo "an MTU of a device was written"; exit 1; fi
rm -f "$out.xml"
has 'xml:4: <mtu>'
# of a pipe, which is read once
echo "<interface type='user'><model type='virtio'/></interface>" | "$anynic" xml - >"$out"
has 'model="virtio-net"'
"$anynic" plan -j --interfaces - --networks "$folder/networks.xml" <"$folder/ports.xml" --qemu-version 11.1 --assume vhost,vfio >"$out" 2>&1
has '"name":"from-xml"'
# a rule of networks names the line of its element
printf "<network>\n<name>lan</name>\n<forward mode='vepa' dev='eth0'/>\n<mtu size='9000'/>\n</network>\n" >"$out.xml"
if plan --networks "$out.xml"; then echo "an MTU of a device was taken"; exit 1; fi
rm -f "$out.xml"
has "xml:4: <mtu> has no meaning with forward mode='vepa'"
# what is found late is said in XML's words, with its line
cat >"$out.xml" <<'EOF'
<interface type='user' xmlns:anynic='https://anynic.org/xml/1'><anynic:place>qemu</anynic:place><model type='virtio'/><driver name='vhost'/></interface>
EOF
if "$anynic" plan --interfaces "$out.xml" --qemu-version 11.1 >"$out" 2>&1; then echo "vhost without a tap"; exit 1; fi
rm -f "$out.xml"
has "xml:1: <driver name='vhost'/>"
ANYNIC_SCHEMA=$folder/../../../schema "$anynic" xml --validate "$folder/ports.xml" >"$out"
has valid
