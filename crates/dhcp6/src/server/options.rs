//! Configuration that any answer may carry: only what the client asked for (RFC 9915, section 21.7).

use std::time::Duration;

use dhcproto::v6::OptionCode;

use crate::lifetime::seconds;
use crate::message::Message;
use crate::reply::Reply;
use crate::{Link, MessageKind};

use super::register;

/// Bounds of SOL_MAX_RT and INF_MAX_RT in seconds (sections 21.24 and 21.25).
const MAX_RT: (u32, u32) = (60, 86_400);
/// Least information refresh time in seconds (section 21.23).
const LEAST_REFRESH: u32 = 600;

/// Puts in what the client asked for and the link has.
pub(super) fn put_asked(reply: &mut Reply, link: &Link, message: &Message<'_>) {
    if !link.dns_servers.is_empty() && message.asks_for(OptionCode::DomainNameServers) {
        reply.put_dns_servers(&link.dns_servers);
    }
    if !link.domain_search.is_empty() && message.asks_for(OptionCode::DomainSearchList) {
        reply.put_domain_search(&link.domain_search);
    }
    if link.registration.is_some() && message.asks_for(register::ENABLE) {
        reply.put_bytes(register::ENABLE, Vec::new());
    }
    let mut put_time = |code, span: Option<Duration>, (least, most)| {
        if let Some(span) = span.filter(|_| message.asks_for(code)) {
            reply.put_seconds(code, seconds(span).clamp(least, most));
        }
    };
    put_time(OptionCode::SolMaxRt, link.solicit_max_rt, MAX_RT);
    put_time(OptionCode::InfMaxRt, link.information_max_rt, MAX_RT);
    if message.kind == MessageKind::InformationRequest {
        put_time(
            OptionCode::InformationRefreshTime,
            link.information_refresh,
            (LEAST_REFRESH, u32::MAX),
        );
    }
}
