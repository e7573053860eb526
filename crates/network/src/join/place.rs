//! Which bridge of a link an attachment gets its port on.

use std::sync::Arc;

use super::Joins;
use super::mark::JoinMark;
use super::rooms::{Room, RoomKey};
use super::seen::{Joined, mark_of};
use crate::attachment::is_this;
use crate::bridge::find_bridge;
use crate::link::{Link, find_link, find_link_by_index, list_links};
use crate::{AttachmentPlan, Bridge, Network, NetworkError};

/// A place for one attachment.
#[derive(Debug)]
pub(crate) struct Place {
    /// The bridge that its host end shall be a port of: that of the link, or one that is joined with it.
    pub(crate) bridge: String,
    /// Keeps the bridge from being removed while the attachment is made.
    seat: Option<Seat>,
}

#[derive(Debug)]
struct Seat {
    joins: Arc<Joins>,
    index: u32,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.joins.rooms().settle(self.index);
    }
}

impl Place {
    fn on(bridge: &str) -> Self {
        Self {
            bridge: bridge.to_owned(),
            seat: None,
        }
    }

    /// Whether a failure may only mean that what was counted is no longer so. Then the ports are counted again.
    pub(crate) fn is_outdated(&self, fault: &NetworkError) -> bool {
        let Some(seat) = &self.seat else { return false };
        let outdated = match fault {
            NetworkError::BridgeFull { bridge } | NetworkError::BridgeMissing { bridge } => *bridge == self.bridge,
            _ => false,
        };
        if outdated {
            seat.joins.rooms().forget_all();
        }
        outdated
    }
}

impl Joins {
    fn take(self: &Arc<Self>, key: RoomKey) -> Option<Place> {
        let Room { index, name } = self.rooms().take(key, self.most)?;
        let joins = self.clone();
        Some(Place {
            bridge: name,
            seat: Some(Seat { joins, index }),
        })
    }
}

impl Network {
    /// The place of an attachment: where it is already, or else where there is room. The next joined bridge is made when
    /// all others are nearly full.
    pub(crate) async fn place(&self, plan: &AttachmentPlan) -> Result<Place, NetworkError> {
        let Some(joins) = &self.joins else {
            return Ok(Place::on(&plan.bridge));
        };
        let found = find_bridge(&self.netlink, &plan.bridge).await?;
        let bridge = found.ok_or_else(|| NetworkError::BridgeMissing {
            bridge: plan.bridge.clone(),
        })?;
        let mark = JoinMark::new(&plan.alias, plan.isolated, &plan.bridge);
        if let Some(place) = self.present_place(joins, plan, &bridge, &mark).await? {
            return Ok(place);
        }
        let key = (bridge.index, plan.isolated);
        if let Some(place) = joins.take(key) {
            return Ok(place);
        }
        let _making = joins.making.lock().await;
        if let Some(place) = joins.take(key) {
            // Somebody else counted meanwhile.
            return Ok(place);
        }
        let next = self.count_rooms(joins, &bridge, &mark).await?;
        if let Some(place) = joins.take(key) {
            return Ok(place);
        }
        let Bridge { index, name, .. } = self.ensure_joined(&bridge, &mark, &next).await?;
        tracing::info!(
            bridge = bridge.name,
            joined = name,
            "bridge is nearly full, joined another one with it"
        );
        joins.rooms().add(key, Room { index, name }, 0);
        let place = joins.take(key);
        place.ok_or_else(|| NetworkError::BridgeFull {
            bridge: plan.bridge.clone(),
        })
    }

    /// Where the attachment is already, if that is a bridge of its link. A join that is broken is mended.
    async fn present_place(
        &self,
        joins: &Joins,
        plan: &AttachmentPlan,
        bridge: &Bridge,
        mark: &JoinMark,
    ) -> Result<Option<Place>, NetworkError> {
        let host = find_link(&self.netlink, &plan.host_interface).await?;
        let Some(index) = host.filter(|host| is_this(host, plan)).and_then(|host| host.controller) else {
            return Ok(None);
        };
        if index == bridge.index {
            return Ok(Some(Place::on(&bridge.name)));
        }
        let on = find_link_by_index(&self.netlink, index).await?;
        let Some(on) = on.filter(|on| mark_of(on).as_ref() == Some(mark)) else {
            return Ok(None);
        };
        let joined = self.joined_with(&bridge.name, &mark.prefix).await?;
        if joined.iter().any(|joined| joined.name == on.name && !joined.connected) {
            let _making = joins.making.lock().await;
            self.ensure_joined(bridge, mark, &on.name).await?;
        }
        Ok(Some(Place::on(&on.name)))
    }

    /// Counts the ports of the bridges that take such instances. Returns the name of the next joined bridge.
    async fn count_rooms(&self, joins: &Joins, bridge: &Bridge, mark: &JoinMark) -> Result<String, NetworkError> {
        let links = list_links(&self.netlink).await?;
        let ports = links.iter().filter(|link| link.controller == Some(bridge.index));
        let room = |index, name| Room { index, name };
        let mut rooms = vec![(room(bridge.index, bridge.name.clone()), ports.count())];
        for joined in Joined::among(&links).into_iter().filter(|joined| joined.mark == *mark) {
            if !joined.connected {
                self.ensure_joined(bridge, mark, &joined.name).await?;
            }
            rooms.push((room(joined.index, joined.name), joined.ports.saturating_sub(1)));
        }
        joins.rooms().set((bridge.index, mark.isolated), rooms);
        // One without a mark was left when it was being made.
        let unfinished = |link: &Link| link.is_ours() && link.alias.is_empty();
        let taken = |name: &String| links.iter().any(|link| link.name == *name && !unfinished(link));
        let next = (1..).map(|number| mark.name(number)).find(|name| !taken(name));
        Ok(next.unwrap_or_default())
    }
}
