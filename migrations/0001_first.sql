-- One text for SQLite and PostgreSQL: every column is TEXT or BIGINT. What stands behind "--sqlite:" or "--postgres:" is
-- read by that database alone.
-- Times are milliseconds since 1970-01-01T00:00:00Z; 9223372036854775807 is never. Truth is 1, falsehood 0.
-- DUIDs and link-layer addresses are hexadecimal bytes with colons; IPv6 addresses are written as RFC 5952 says.

-- What is made once with the database: the site's id, the server's DUID, the key of address allocation.
create table facts (
    key text primary key not null,
    value text not null
);

-- Which daemon writes. Each raises the epoch when it opens the database; one with a lower epoch writes nothing more.
create table leaders (
    name text primary key not null,
    epoch bigint not null,
    -- The machine of that daemon, for people.
    holder text not null,
    since bigint not null
);

create table clients (
    id text primary key not null,
    link text not null,
    duid text not null,
    link_layer text,
    hostname text,
    -- The class that the client's last message put it in; null for none.
    class text,
    wants_instance bigint not null,
    first_seen bigint not null,
    last_seen bigint not null,
    unique (link, duid)
);

create index clients_in_order on clients (first_seen, id);

-- An address or delegated prefix of a link has one lease: the one in force, or the last there was.
create table leases (
    link text not null,
    -- The address, or the prefix with its length.
    address text not null,
    -- Looked at when it is committed: SQLite keeps no copy of what a statement changes if that cannot fail half-way.
    client text not null references clients (id) deferrable initially deferred,
    iaid bigint not null,
    source text not null,
    state text not null,
    preferred_until bigint not null,
    valid_until bigint not null,
    granted bigint not null,
    changed bigint not null,
    -- When the clock is to be asked whether it has ended: not after it does; null once it has. A renewal leaves this as
    -- it is, and so writes no index; the sweep that comes too early moves it on.
    due bigint,
    -- The router towards a delegated prefix: the client's link-local address. Null for addresses, and where a relay routes.
    next_hop text,
    -- Where the client was that it was last granted to or extended for: the link-layer and link-local address that its
    -- message came from, and the bridge's port that it came in by. Null where the source does not see that. No index.
    link_layer text,
    link_local text,
    port text,
    -- The relay agent that sent the message; null for a client without. link_local is then that agent's peer address.
    relay text,
    primary key (link, address)
)
-- Room for renewals beside what they renew: no index has to learn of another place.
--postgres: with (fillfactor = 80)
;

create index leases_by_client on leases (client);
create index leases_by_due on leases (due) where due is not null;
-- Routes are kept for the few leases that have a router.
create index leases_routed on leases (link) where next_hop is not null;

-- Machines on which instances run. The row "local" is the daemon's own machine, made at the first start.
create table hosts (
    id text primary key not null,
    name text not null unique,
    -- Where the host's agent listens, and the fingerprint of its certificate; null for the daemon's own machine.
    address text,
    fingerprint text,
    -- JSON: a list of words.
    roles text not null,
    state text not null,
    first_seen bigint not null,
    last_seen bigint not null
);

create table instances (
    id text primary key not null,
    -- For whom it exists: the kind of owner, and its name among those of its kind. A client's name is its id.
    owner_kind text not null,
    owner text not null,
    -- Which of the owner's slots it fills: the name of a client's template, the number of a service's replica.
    slot text not null,
    -- Null until a scheduler of somebody else's has chosen one.
    host text,
    template text not null,
    -- The version that the template had.
    version bigint not null,
    -- JSON: what it is to be.
    spec text not null,
    phase text not null,
    reason text,
    attempts bigint not null,
    due bigint,
    created bigint not null,
    ready bigint,
    changed bigint not null,
    -- Where its client was when it was made, as in leases: the bridge's port and the link-layer address. Null where the
    -- source does not see that, or the owner is no client.
    port text,
    link_layer text,
    -- When its lifetime ends, and for how many milliseconds it may be idle; null for no limit.
    until bigint,
    idle bigint,
    -- When traffic was last observed, and the count of packets then; null while nothing was counted.
    active bigint,
    packets bigint,
    -- Since when no time ends it; null while time does.
    pinned bigint,
    -- When it is removed after it was stopped; null unless it was.
    kept_until bigint,
    -- The deadline that the last warning announced.
    warned bigint,
    -- Why its time ended before its client's lease; null while it has not.
    expired text,
    -- How often its client extended its time.
    extended bigint not null default 0,
    -- Since when it is switched off, and when a restart was asked for that is not done yet; null for neither.
    off bigint,
    reset bigint
);

-- No crash and no race may break this promise: a slot is filled once.
create unique index instances_one_per_slot on instances (owner_kind, owner, slot) where phase <> 'removed';

create index instances_by_owner on instances (owner_kind, owner, created);
create index instances_in_order on instances (created, id);
-- Packets are counted for the few instances that have an idle limit.
create index instances_idle on instances (id) where idle is not null and phase = 'ready';

-- Slots of clients whose last instance was ended by time, and when that was. Until the client's lease begins anew, or as its
-- template says, the slot stays empty.
create table spent_slots (
    owner_kind text not null,
    owner text not null,
    slot text not null,
    at bigint not null,
    primary key (owner_kind, owner, slot)
);

create table containers (
    instance text not null references instances (id) on delete cascade,
    -- Its name within the instance.
    name text not null,
    -- Its place among the containers of the instance. All share the network namespace of the first, which is 0.
    place bigint not null,
    engine text not null,
    image text not null,
    -- The engine's own name for it; null until it has one.
    reference text,
    primary key (instance, name)
);

-- The interfaces of instances, each as it was planned with its instance. Those of removed instances are kept as history,
-- so that a slot gets the address again that it had.
create table attachments (
    id text primary key not null,
    instance text not null references instances (id) on delete cascade,
    -- Its place among the attachments of the instance. The instance is reached by the first, which is 0.
    place bigint not null,
    container text not null,
    -- The name of a link or network, and its bridge. A network of the settings may call its bridge otherwise than itself.
    network text not null,
    bridge text not null,
    interface text not null,
    -- Null while DHCPv6 has not given one.
    address text,
    prefix_length bigint not null,
    gateway text,
    isolated bigint not null,
    mac text not null,
    -- JSON: a list of prefixes.
    routed text not null,
    -- 1 for as long as the instance is not removed.
    live bigint not null
);

-- The other promise: an address of a network has one live holder.
create unique index attachments_one_per_address on attachments (network, address) where live = 1;

create index attachments_by_instance on attachments (instance);

-- Directories that outlive the instances that hold them. Each is named after its id.
create table volumes (
    id text primary key not null,
    -- For whom it is kept, as in instances. No reference: it outlives them.
    owner_kind text not null,
    owner text not null,
    -- The slot whose instances hold it; empty for one that instances of any slot may hold.
    slot text not null,
    name text not null,
    host text not null,
    -- The most that it may hold, in bytes; null for no limit.
    size bigint,
    -- The rule by which it is removed, and the milliseconds that the rule counts; null where it counts none.
    keep text not null,
    keep_for bigint,
    -- 'kept', or 'removing' until its directory is gone. Then the row goes, too.
    state text not null,
    created bigint not null,
    -- When an instance last took it or let it go.
    used bigint not null,
    -- The one instance that holds it, until that is removed; null for none.
    holder text
);

-- An owner has one volume of a name for a slot. One that is being removed is none of them any more.
create unique index volumes_one_per_name on volumes (owner_kind, owner, slot, name) where state = 'kept';

create index volumes_by_holder on volumes (holder) where holder is not null;

-- The timeline outlives what it tells of: no references.
create table events (
    -- SQLite numbers its rows anyway: they lie in the order of this number, and need no index for it.
--sqlite: id integer primary key not null,
--postgres: id bigint primary key not null,
    at bigint not null,
    kind text not null,
    link text,
    client text,
    instance text,
    host text,
    service text,
    address text,
    detail text,
    -- Who asked for it; null where nobody did.
    by text
);

create index events_by_client on events (client, id);
-- There are few of these, and they are looked for among all others.
create index events_of_others on events (kind, id) where kind in ('other-server', 'other-router');
-- Most events are of leases, and name no instance.
create index events_by_instance on events (instance, id) where instance is not null;

-- What instances are made from. A version is a content: what was declared before under the same name gets its number
-- again. Versions are kept for as long as a place declares them or a live instance has them; the last one always, so that
-- no number is given twice.
create table templates (
    name text not null,
    version bigint not null,
    -- JSON: the keys of [template.NAME].
    spec text not null,
    -- When it was first declared, and by whom; null for the settings.
    made bigint not null,
    made_by text,
    primary key (name, version)
);

-- Which version of a template each place declares: the settings, or the API.
create table declared_templates (
    name text not null,
    origin text not null,
    version bigint not null,
    changed bigint not null,
    changed_by text,
    primary key (name, origin)
);

-- The image that each name in a version of a template means, by the engine's id of it. It is recorded when the version is
-- first used on the engine, and never changes: a version made anew has rows of its own.
create table template_images (
    template text not null,
    version bigint not null,
    host text not null,
    engine text not null,
    -- The name in the template.
    image text not null,
    -- The engine's id: the digest of the content.
    digest text not null,
    pinned bigint not null,
    primary key (template, version, host, engine, image),
    foreign key (template, version) references templates (name, version) on delete cascade
);

-- Images that were loaded or fetched through the daemon, and that the engine still has. Others are never removed by rule.
create table images (
    host text not null,
    engine text not null,
    -- The engine's id.
    id text not null,
    -- Its name when it was brought, or else its id.
    name text not null,
    -- 'loaded' or 'pulled'.
    source text not null,
    brought bigint not null,
    brought_by text,
    -- Since when nothing uses it; null while something does.
    unused bigint,
    -- 'kept', or 'removing' until the engine has removed it. No version takes one that is being removed.
    state text not null,
    primary key (host, engine, id)
);

-- What is kept for one client of a link, as it was asked for through the API. The holder is JSON: by what trait the
-- client is known, and what that is. Addresses and prefixes are written as in leases; both may be null only where there are
-- SSH keys.
create table reservations (
    id text primary key not null,
    link text not null,
    holder text not null,
    address text,
    prefix text,
    created bigint not null,
    -- SSH keys that may log in to the client's instances, one a line.
    authorized_keys text not null default '',
    unique (link, holder),
    unique (link, address),
    unique (prefix)
);

-- For what nothing new is made now: everything, a link or a template.
create table pauses (
    -- 'all', 'link' or 'template'.
    scope text not null,
    -- The name of the link or template; empty for everything.
    name text not null,
    since bigint not null,
    by text,
    primary key (scope, name)
);

-- The SSH keys that clients gave, or that somebody gave for them.
create table authorized_keys (
    client text not null references clients (id) on delete cascade,
    place bigint not null,
    key text not null,
    primary key (client, place)
);

-- Secrets, each sealed with the key in the key file. The row named "seal" is the witness of the key: whoever writes another
-- row first makes sure that this one is still as it was, so that all rows are sealed with one key.
create table secrets (
    name text primary key not null,
    sealed text not null,
    created bigint not null,
    -- When a new key sealed it last.
    rotated bigint
);

-- Certificate authorities. The private key of one that still issues is among the secrets, as "ca/" and its id.
create table authorities (
    id text primary key not null,
    certificate text not null,
    created bigint not null,
    until bigint not null,
    -- Since when it issues nothing; null while it does.
    retired bigint,
    -- Until when its certificates are accepted: its end, or after it retired the end of the last of them.
    trusted_until bigint not null
);

-- Every certificate that was issued, until it has ended.
create table certificates (
    serial text primary key not null,
    authority text not null references authorities (id),
    subject text not null,
    purpose text not null,
    created bigint not null,
    until bigint not null,
    revoked bigint
);

create index certificates_by_authority on certificates (authority, until);

-- Tokens, by which callers of the API prove who they are. A token itself is nowhere; the keys of those that sign requests are
-- among the secrets, as "token/" and the name.
create table tokens (
    name text primary key not null,
    -- The part of the token that says which one it is.
    id text not null,
    -- 'hook', 'viewer', 'operator' or 'admin'.
    role text not null,
    -- The paths that it is for, one a line, each perhaps with a method before it; empty for all.
    scope text not null,
    -- 1 for a key that signs requests and is never sent.
    signs bigint not null,
    -- The hash of its secret part, keyed with the secret "token/key".
    hash text not null,
    -- The hash before the last rotation, and until when that is accepted.
    earlier_hash text,
    earlier_until bigint,
    created bigint not null,
    created_by text,
    -- When it ends; null for never.
    until bigint,
    -- About when it was last used; null for never.
    used bigint
);

create unique index tokens_by_id on tokens (id);

-- Keys and values that services and operators keep here.
create table kv (
    -- The name of a service, "client:" and the id of a client, or a name that an operator chose.
    namespace text not null,
    key text not null,
    value text not null,
    -- 'text' for a value as it is, 'hex' for one that is no text.
    coding text not null,
    -- Of the value, in bytes.
    size bigint not null,
    -- The number of the event by which it got this value.
    version bigint not null,
    created bigint not null,
    changed bigint not null,
    -- The instance or the lease with whose end the key is removed. No references: it is removed after that, with its event.
    owner_instance text,
    owner_link text,
    owner_address text,
    primary key (namespace, key)
);

-- Services: owners with numbered slots.
create table services (
    name text primary key not null,
    -- It rises with every change that somebody asked for.
    generation bigint not null,
    -- The version that its instances are to have, and the last one of which all served; null while there was none.
    version bigint not null,
    good_version bigint,
    -- How many; null for one for each client.
    instances bigint,
    oldest_first bigint not null,
    -- 'active', or 'removing' until its last instance is gone. Then the row goes, too.
    state text not null,
    -- Since when nothing is rolled; null while it is not paused.
    paused bigint,
    -- Why the last change of its version failed.
    reason text,
    -- Failures of instances of the version in a row, and when the last one was.
    failures bigint not null,
    failed_at bigint,
    -- The version that was given up while there was no good one; null for none.
    given_up bigint,
    created bigint not null,
    changed bigint not null,
    changed_by text
);

-- What was deployed. The template that instances are made from is in templates, as "service:", the service, ":" and the
-- version.
create table service_versions (
    service text not null references services (name) on delete cascade,
    version bigint not null,
    -- JSON: the service file.
    spec text not null,
    template_version bigint not null,
    created bigint not null,
    made_by text,
    primary key (service, version)
);

-- The slots of services with a number of instances. There is no row of a check: only of what its results changed.
create table service_slots (
    service text not null references services (name) on delete cascade,
    slot bigint not null,
    version bigint not null,
    -- 'wanted', 'draining', or 'closed' until its instance is gone. Then the row goes, too.
    state text not null,
    -- 'unknown', 'passing' or 'failing', and the instance that it is of. One that is not ready passes nothing.
    health text not null,
    instance text,
    opened bigint not null,
    -- When it last began or ceased to serve, or began to drain.
    since bigint not null,
    -- What the last failed check found.
    detail text,
    primary key (service, slot)
);

-- What somebody started on a service, and can wait for. They outlive their service: no reference.
create table operations (
    id text primary key not null,
    kind text not null,
    service text not null,
    version bigint not null,
    -- The generation of the service that it made.
    generation bigint not null,
    -- 'running', 'done', 'failed' or 'replaced'.
    state text not null,
    detail text,
    created bigint not null,
    ended bigint,
    by text
);

create index operations_in_order on operations (created, id);
create index operations_by_service on operations (service, created);
