#!/bin/sh
# what busybox's DHCP client calls
case $1 in
bound|renew)
	ip addr replace "$ip/$mask" dev "$interface"
	[ -z "$router" ] || ip route replace default via "$router" dev "$interface"
	[ -z "$dns" ] || echo "nameserver $dns" >/etc/resolv.conf
	echo "address $ip"
	;;
deconfig) ip addr flush dev "$interface" ;;
esac
