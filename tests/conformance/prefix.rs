//! Prefix delegation where there is no prefix to delegate (section 18.3.9): row 56.

use crate::site::plain;
use crate::wire::{NO_BINDING, NO_PREFIX_AVAIL, REBIND, RELEASE, RENEW, REQUEST, SOLICIT, SUCCESS, ia_na, ia_pd};

#[test]
fn row_56_without_prefixes_ia_pd_is_told_so_and_ia_na_is_served() {
    let site = plain();
    let client = site.client();
    let ias = [ia_pd(1, Some(56)), ia_na(1, &[]), ia_pd(2, None)];
    let none = |status| [(1, Some(status)), (2, Some(status))];
    let offer = client.ask(SOLICIT, &ias);
    assert_eq!(offer.refused_prefixes(), none(NO_PREFIX_AVAIL));
    offer.ia(1).leased();
    let reply = client.ask_server(REQUEST, &ias);
    assert_eq!(reply.refused_prefixes(), none(NO_PREFIX_AVAIL));
    reply.ia(1).leased();
    assert_eq!(client.ask_server(RENEW, &ias).refused_prefixes(), none(NO_PREFIX_AVAIL));
    assert_eq!(client.ask(REBIND, &ias).refused_prefixes(), none(NO_BINDING));
    let reply = client.ask_server(RELEASE, &ias);
    assert_eq!(
        (reply.options.status(), reply.refused_prefixes()),
        (Some(SUCCESS), none(NO_BINDING).to_vec())
    );
}
