#!/bin/sh
# Carries out commands from the second serial port. A command comes as one line, `ID BASE64`; its output goes back between
# the lines `@begin ID` and `@end ID STATUS`.
. /lib/guest.sh

tty=/dev/ttyS1
[ "$(uname -m)" != aarch64 ] || tty=/dev/ttyAMA1
exec 3<>$tty
stty -F $tty raw -echo
printf '\n@hello %s\n' "$(uname -r)" >&3
while read -r id code <&3; do
	[ "$id" ] || continue # a nudge, see guest.py
	printf '\n@begin %s\n' "$id" >&3
	printf '%s' "$code" | base64 -d >/tmp/.command
	(
		exec 3<&-
		. /tmp/.command
	) </dev/null >/tmp/.output 2>&1
	status=$?
	cat /tmp/.output >&3
	printf '\n@end %s %s\n' "$id" "$status" >&3
done
