# Guests, an outside port and a routed network as namespaces around one host; then TCP connections.
# A refused connection has passed both ways, as nobody listens; a dropped one times out.
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
ip link set lo up
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
ip link add vmbr0 type bridge
ip link add prod type bridge
ip addr add 10.0.1.1/24 dev vmbr0
ip addr add 2001:db8:1::1/64 dev vmbr0 nodad
ip addr add 10.9.0.1/24 dev prod
ip link set vmbr0 up
ip link set prod up
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

# station NAMESPACE PORT BRIDGE MAC IPV4 IPV6 GATEWAY
station() {
  ip netns add "$1"
  ip -n "$1" link set lo up
  ip link add "$2" type veth peer name eth0 netns "$1"
  ip -n "$1" link set eth0 address "$4"
  ip -n "$1" addr add "$5/24" dev eth0
  [ "$6" = - ] || ip -n "$1" addr add "$6/64" dev eth0 nodad
  ip -n "$1" link set eth0 up
  [ "$3" = - ] || ip link set "$2" master "$3"
  ip link set "$2" up
  [ "$7" = - ] || ip -n "$1" route add default via "$7"
}
station g100 tap100i0 vmbr0 bc:24:11:00:00:64 10.0.1.100 2001:db8:1::100 10.0.1.1
station g102 tap102i0 vmbr0 bc:24:11:00:00:66 10.0.1.102 2001:db8:1::102 10.0.1.1
station g101 tap101i0 prod bc:24:11:00:00:65 10.9.0.101 - 10.9.0.1
station g103 tap103i0 prod bc:24:11:00:00:67 10.9.0.103 - 10.9.0.1
station out up0 vmbr0 bc:24:11:00:00:99 10.0.1.200 2001:db8:1::200 -
station far eth9 - bc:24:11:00:00:98 10.77.0.2 - -
ip addr add 10.77.0.1/24 dev eth9
ip -n far route add default via 10.77.0.1
sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
for port in tap100i0 tap102i0 tap101i0 tap103i0 up0; do
  until bridge link show dev "$port" | grep -q 'state forwarding'; do sleep 0.05; done
done

# try FROM ADDRESS PORT pass|drop
try() {
  if [ "$1" = host ]; then enter=; else enter="ip netns exec $1"; fi
  if $enter timeout 0.9 bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null; then status=0; else status=$?; fi
  case $status in 124) got=drop ;; *) got=pass ;; esac
  [ "$got" = "$4" ] || echo "WRONG $* got $got"
}
# Every line of standard input, all at once.
tries() {
  while read -r from address port expect _; do
    [ -z "$from" ] || try "$from" "$address" "$port" "$expect" &
  done
  wait
}

load

tries <<'END'
g100 10.0.1.102 80 pass
g100 10.0.1.102 81 drop   the other guest's in
g100 10.0.1.102 99 drop   its own out
g100 2001:db8:1::102 80 pass
g100 2001:db8:1::102 81 drop
g100 2001:db8:1::102 99 drop
g102 10.0.1.100 99 pass
g102 10.0.1.100 2222 drop
out 10.0.1.102 80 pass
out 10.0.1.102 81 drop    for its other NIC
out 10.0.1.102 2224 drop  for this NIC
out 10.0.1.102 2225 pass
out 2001:db8:1::102 2224 drop
out 2001:db8:1::102 2225 pass
out 10.0.1.100 80 pass
out 10.0.1.100 81 drop
out 2001:db8:1::100 80 pass
out 2001:db8:1::100 81 drop
g100 10.0.1.200 81 pass
g100 10.0.1.200 82 drop
out 10.0.1.1 23 pass
out 10.0.1.1 80 drop
far 10.77.0.1 23 pass
far 10.77.0.1 24 drop
g100 10.0.1.1 23 pass
g100 10.0.1.1 25 drop     its own out
g100 10.0.1.1 80 drop     the host's in
g102 10.0.1.1 25 pass
g102 10.0.1.1 2222 drop
g100 2001:db8:1::1 23 pass
g100 2001:db8:1::1 25 drop
END
tries <<'END'
g101 10.9.0.1 23 pass
g101 10.9.0.1 25 drop     the vnet
host 10.9.0.101 80 pass
host 10.9.0.101 81 drop
host 10.9.0.101 25 drop   the vnet
g101 10.9.0.103 80 pass
g101 10.9.0.103 25 drop   the vnet
g101 10.9.0.103 81 drop
host 10.0.1.100 80 pass
host 10.0.1.100 81 drop
host 10.0.1.100 99 drop   the host's out
host 2001:db8:1::100 80 pass
host 2001:db8:1::100 81 drop
host 10.0.1.200 81 pass
far 10.0.1.100 80 pass
far 10.0.1.100 81 drop
far 10.0.1.100 99 drop    the host's forward
g100 10.77.0.2 80 pass
g100 10.77.0.2 82 drop
g102 10.77.0.2 23 pass
g102 10.77.0.2 24 drop
g100 10.9.0.101 80 pass
g100 10.9.0.101 81 drop
END
ip -n g100 addr del 10.0.1.100/24 dev eth0
ip -n g100 addr add 10.0.1.78/24 dev eth0
ip -n g102 link set eth0 address bc:24:11:00:00:77
tries <<'END'
g100 10.0.1.1 23 drop     another address
g100 10.0.1.102 80 drop
g102 10.0.1.1 23 drop     another MAC
g102 10.0.1.200 80 drop
END
