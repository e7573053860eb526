#!/bin/sh
# What dhclient runs in place of its own script, which would rewrite the machine's resolv.conf.

add() {
    ip -6 address replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" \
        valid_lft "${new_max_life:-forever}" preferred_lft "${new_preferred_life:-forever}"
}

remove() {
    ip -6 address delete "$old_ip6_address/$old_ip6_prefixlen" dev "$interface"
}

case $reason in
    PREINIT6)
        ip link set "$interface" up
        # It cannot send before its own link-local address is settled.
        while ip -6 address show dev "$interface" tentative | grep -q . ||
            ! ip -6 address show dev "$interface" scope link | grep -q .; do
            sleep 0.05
        done
        ;;
    BOUND6 | RENEW6 | REBIND6)
        if [ -n "$old_ip6_address" ] && [ "$old_ip6_address" != "$new_ip6_address" ]; then
            remove
        fi
        [ -z "$new_ip6_address" ] || add
        ;;
    DEPREF6)
        ip -6 address change "$cur_ip6_address/$cur_ip6_prefixlen" dev "$interface" preferred_lft 0
        ;;
    EXPIRE6 | RELEASE6 | STOP6)
        [ -z "$old_ip6_address" ] || remove
        ;;
esac
exit 0
