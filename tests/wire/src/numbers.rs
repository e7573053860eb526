//! Numbers that IANA assigned: message types, option codes and status codes.

/// Defines constants of one type, each with its documentation.
macro_rules! numbers {
    ($type:ty: $($name:ident = $value:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: $type = $value;)*
    };
}

// Message types (RFC 9915, section 7.3).
numbers! { u8:
    SOLICIT = 1, "Message type: a client looks for servers.";
    ADVERTISE = 2, "Message type: a server offers.";
    REQUEST = 3, "Message type: a client asks one server for what it offered.";
    CONFIRM = 4, "Message type: a client asks whether its addresses fit its link.";
    RENEW = 5, "Message type: a client asks its server to extend its leases.";
    REBIND = 6, "Message type: a client asks any server to extend its leases.";
    REPLY = 7, "Message type: a server answers.";
    RELEASE = 8, "Message type: a client gives its leases back.";
    DECLINE = 9, "Message type: a client found that its address is another host's.";
    RECONFIGURE = 10, "Message type: a server has a client ask again.";
    INFORMATION_REQUEST = 11, "Message type: a client asks for options alone.";
    RELAY_FORW = 12, "Message type: a relay's layer on the way to the server.";
    RELAY_REPL = 13, "Message type: a relay's layer on the way to the client.";
    ADDR_REG_INFORM = 36, "Message type: a host registers an address that it gave itself (RFC 9686).";
    ADDR_REG_REPLY = 37, "Message type: a server acknowledges a registration (RFC 9686).";
}

// Option codes (RFC 9915, section 21, unless another is named).
numbers! { u16:
    CLIENT_ID = 1, "Option: the client's DUID.";
    SERVER_ID = 2, "Option: the server's DUID.";
    IA_NA = 3, "Option: an identity association for addresses.";
    IA_TA = 4, "Option: an identity association for temporary addresses.";
    IA_ADDRESS = 5, "Option: an address in an association.";
    OPTION_REQUEST = 6, "Option: the codes of the options that a client asks for.";
    PREFERENCE = 7, "Option: how much a server wants to be chosen.";
    ELAPSED_TIME = 8, "Option: how long a client has tried, in hundredths of a second.";
    RELAY_MESSAGE = 9, "Option: the message inside a relay's layer.";
    AUTHENTICATION = 11, "Option: a key, or a digest under it.";
    SERVER_UNICAST = 12, "Option: a server's address; RFC 9915 no longer has it.";
    STATUS = 13, "Option: a status code.";
    RAPID_COMMIT = 14, "Option: two messages are to do instead of four.";
    USER_CLASS = 15, "Option: classes that the client's user chose.";
    VENDOR_CLASS = 16, "Option: classes that the client's vendor chose.";
    VENDOR_OPTIONS = 17, "Option: options of a vendor.";
    INTERFACE_ID = 18, "Option: the port at which a relay received a message.";
    RECONFIGURE_MESSAGE = 19, "Option: the message that a Reconfigure asks for.";
    RECONFIGURE_ACCEPT = 20, "Option: the client takes a Reconfigure.";
    DNS_SERVERS = 23, "Option: recursive name servers (RFC 3646).";
    DOMAIN_SEARCH = 24, "Option: the search list (RFC 3646).";
    IA_PD = 25, "Option: an identity association for prefixes.";
    IA_PREFIX = 26, "Option: a prefix in an association.";
    SNTP_SERVERS = 31, "Option: SNTP servers (RFC 4075).";
    INFORMATION_REFRESH_TIME = 32, "Option: when a client is to ask again, in seconds.";
    REMOTE_ID = 37, "Option: a relay's name for the client's line (RFC 4649).";
    SUBSCRIBER_ID = 38, "Option: a relay's name for the subscriber (RFC 4580).";
    FQDN = 39, "Option: the client's name (RFC 4704).";
    POSIX_TIMEZONE = 41, "Option: the time zone as POSIX writes it (RFC 4833).";
    NTP_SERVER = 56, "Option: a time server (RFC 5908).";
    BOOT_FILE_URL = 59, "Option: where the boot file is (RFC 5970).";
    BOOT_FILE_PARAMETERS = 60, "Option: parameters of the boot file (RFC 5970).";
    CLIENT_ARCHITECTURE = 61, "Option: architecture types of a client that boots (RFC 5970).";
    AFTR_NAME = 64, "Option: the other end of a DS-Lite tunnel (RFC 6334).";
    ERP_LOCAL_DOMAIN_NAME = 65, "Option: the local domain of a re-authentication (RFC 6440).";
    RELAY_SUPPLIED = 66, "Option: options that a relay supplies for the client (RFC 6422).";
    PD_EXCLUDE = 67, "Option: the part of a prefix that is not delegated (RFC 6603).";
    LINK_LAYER_ADDRESS = 79, "Option: the client's link-layer address, from a relay (RFC 6939).";
    SOL_MAX_RT = 82, "Option: the longest pause between Solicits, in seconds.";
    INF_MAX_RT = 83, "Option: the longest pause between Information-requests, in seconds.";
    CAPTIVE_PORTAL = 103, "Option: the URI of the captive portal (RFC 8910).";
    RELAY_SOURCE_PORT = 135, "Option: the relay's own port (RFC 8357).";
    ADDR_REG_ENABLE = 148, "Option: the server takes registrations (RFC 9686).";
}

// Status codes (RFC 9915, section 21.13).
numbers! { u16:
    SUCCESS = 0, "Status: all is well.";
    NO_ADDRS_AVAIL = 2, "Status: no address is left.";
    NO_BINDING = 3, "Status: the client has no such binding.";
    NOT_ON_LINK = 4, "Status: an address does not fit the client's link.";
    USE_MULTICAST = 5, "Status: the client is to use multicast; RFC 9915 no longer has it.";
    NO_PREFIX_AVAIL = 6, "Status: no prefix is left.";
}
