-- What is kept for one client of a link, as it was asked for through the API. The holder is JSON: by what trait the
-- client is known, and what that is. Addresses and prefixes are written as in leases; either may be null, not both.
create table reservations (
    id text primary key not null,
    link text not null,
    holder text not null,
    address text,
    prefix text,
    created bigint not null,
    unique (link, holder),
    unique (link, address),
    unique (prefix)
);
