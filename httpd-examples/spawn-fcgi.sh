#!/bin/sh
# Runs the responder by spawn-fcgi and multiwatch, for machines without systemd
# or who have their FastCGI programs under these already. (goproxy.service does
# the same without either.)
#
# spawn-fcgi opens the socket and hands it on as descriptor 0; multiwatch starts
# the processes on it and replaces those that die. SIGTERM ends all gracefully.
# Stays in the foreground: for runit, a @reboot line of cron, or an init script.
set -eu

program=/usr/lib/goproxy/goproxy.fcgi
socket=/run/goproxy/goproxy.sock

# Who may connect: the web server's user. Started as root, the responder runs
# as the user goproxy and the socket belongs to the group www-data.
mode=0660
if [ "$(id -u)" -eq 0 ]; then
	set -- -u goproxy -g goproxy -U goproxy -G www-data
else
	set --
fi

# Settings; each one can also be given as GOPROXY_SECTION_KEY in the environment.
export GOPROXY_CONFIG="${GOPROXY_CONFIG-/etc/goproxy/goproxy.ini}"

# -n: stay in the foreground; -b: connections that may queue; -f: processes (two,
# so that one is there while the other is replaced: more don't make it faster).
rm -f "$socket"
exec spawn-fcgi -n -s "$socket" -M "$mode" -b 1024 "$@" -- \
	/usr/bin/multiwatch -f 2 -s TERM -- "$program"
