-- A lease is of an address or of a delegated prefix; `address` holds the text of either, a prefix with its length.
-- The router towards a delegated prefix: the client's link-local address. Null for addresses, and where a relay routes.
alter table leases add column next_hop text;

-- The class that the client's last message put it in; null for none.
alter table clients add column class text;
