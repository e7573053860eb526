-- A lease is of an address or of a delegated prefix; `address` holds the text of either, a prefix with its length.
-- The router towards a delegated prefix: the client's link-local address. Null for addresses, and where a relay routes.
alter table leases add column next_hop text;

-- The class that the client's last message put it in; null for none.
alter table clients add column class text;

-- Routes are kept for the few leases that have a router.
create index leases_routed on leases (link) where next_hop is not null;
