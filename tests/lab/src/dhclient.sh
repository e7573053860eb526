#!/bin/sh
# What dhclient runs in place of its own script, which would rewrite the machine's resolv.conf.

add() {
    ip -6 address replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" \
        valid_lft "${new_max_life:-forever}" preferred_lft "${new_preferred_life:-forever}"
}

# Of a delegated prefix it takes the first address, on no network of its own.
add_prefix() {
    ip -6 address replace "${new_ip6_prefix%/*}1/128" dev lo
}

remove_prefix() {
    ip -6 address delete "${old_ip6_prefix%/*}1/128" dev lo
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
        if [ -n "$old_ip6_prefix" ] && [ "$old_ip6_prefix" != "$new_ip6_prefix" ]; then
            remove_prefix
        fi
        [ -z "$new_ip6_prefix" ] || add_prefix
        ;;
    DEPREF6)
        ip -6 address change "$cur_ip6_address/$cur_ip6_prefixlen" dev "$interface" preferred_lft 0
        ;;
    EXPIRE6 | RELEASE6 | STOP6)
        [ -z "$old_ip6_address" ] || remove
        [ -z "$old_ip6_prefix" ] || remove_prefix
        ;;
esac
exit 0
