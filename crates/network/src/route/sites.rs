//! Routes of all sites.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use futures_util::TryStreamExt;
use netlink_packet_route::route::RouteMessage;
use rtnetlink::RouteMessageBuilder;

use super::{Route, RouteMark, read_any};
use crate::request::answer;
use crate::{Network, NetworkError};

impl Network {
    /// The routes of every site, by their mark: all that carry our routing protocol and a metric of ours.
    ///
    /// # Errors
    ///
    /// When the kernel refuses or does not answer.
    pub async fn list_all_routes(&self) -> Result<BTreeMap<RouteMark, Vec<Route>>, NetworkError> {
        let all = RouteMessageBuilder::<Ipv6Addr>::new().build();
        let found: Vec<RouteMessage> = answer(self.netlink.route().get(all).execute().try_collect())
            .await
            .map_err(|failure| failure.doing("listing the routes of all sites"))?;
        let mut sites: BTreeMap<RouteMark, Vec<Route>> = BTreeMap::new();
        for (mark, route) in found.iter().filter_map(read_any) {
            sites.entry(mark).or_default().push(route);
        }
        Ok(sites)
    }
}
