#!/usr/bin/env bash
# Installs the Debian packages that the interop tests drive; those already
# there are left alone, and with none missing nothing is asked of a mirror.
# No daemon is started on the host: the lab starts its own, in namespaces.
set -euo pipefail

missing=()
for package in frr bird2 openbgpd bgpdump iproute2 jq iputils-ping prometheus stayrtr; do
  [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true) == 'ii '* ]] || missing+=("$package")
done
# The SDK walk takes any Node.js that is there.
command -v npm >/dev/null || missing+=(nodejs npm)
((${#missing[@]})) || exit 0
[[ $(id -u) == 0 ]] || { echo "install.sh: needs root to install: ${missing[*]}" >&2; exit 1; }

# invoke-rc.d asks policy-rc.d; 101 means "do not start". One that exists is kept.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends "${missing[@]}" </dev/null
