//! The joined bridges among all links.

use std::collections::HashMap;

use super::mark::{JoinMark, ends_of};
use crate::link::{Link, find_link, list_bridges, list_links};
use crate::{Network, NetworkError};

/// A joined bridge, for those who list what was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedBridge {
    /// Its name.
    pub name: String,
    /// Its alias.
    pub mark: String,
    /// The bridge of the link that it is joined with.
    pub of: String,
    /// Whether it takes isolated instances.
    pub isolated: bool,
    /// How many ports of instances it has.
    pub instances: usize,
    /// Whether the join is as it was made.
    pub connected: bool,
}

/// A joined bridge as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    /// Its name.
    pub(crate) name: String,
    /// Its index.
    pub(crate) index: u32,
    /// What it is for.
    pub(crate) mark: JoinMark,
    /// All its ports, also the far end of its join.
    pub(crate) ports: usize,
    /// Whether instances on it reach the bridge of the link, and what isolates them is as it was made.
    pub(crate) connected: bool,
    /// The number in its name.
    pub(crate) number: u32,
}

impl Joined {
    /// All joined bridges among these links, in the order of their numbers. The ends of their joins must be among them.
    pub(crate) fn among(links: &[Link]) -> Vec<Self> {
        let by_name: HashMap<&str, &Link> = links.iter().map(|link| (link.name.as_str(), link)).collect();
        let mut ports: HashMap<u32, usize> = HashMap::new();
        for bridge in links.iter().filter_map(|link| link.controller) {
            *ports.entry(bridge).or_default() += 1;
        }
        let mut all: Vec<Self> = links
            .iter()
            .filter_map(|link| {
                let mark = mark_of(link)?;
                Some(Self {
                    name: link.name.clone(),
                    index: link.index,
                    ports: ports.get(&link.index).copied().unwrap_or_default(),
                    connected: is_connected(link, &mark, &by_name),
                    number: JoinMark::number(&mark.prefix, &link.name)?,
                    mark,
                })
            })
            .collect();
        all.sort_by_key(|joined| joined.number);
        all
    }
}

/// What a joined bridge of ours is for.
pub(crate) fn mark_of(link: &Link) -> Option<JoinMark> {
    let ours = link.is_kind("bridge") && link.is_ours();
    ours.then(|| JoinMark::parse(&link.alias)).flatten()
}

/// Whether a link is an end of a join of ours.
pub(crate) fn is_end(link: &Link) -> bool {
    link.is_kind("veth") && link.is_ours() && JoinMark::parse(&link.alias).is_some()
}

fn is_connected(joined: &Link, mark: &JoinMark, by_name: &HashMap<&str, &Link>) -> bool {
    let [near, far] = ends_of(&joined.name);
    let find = |name: &str| by_name.get(name).copied();
    let (Some(bridge), Some(near), Some(far)) = (find(&mark.bridge), find(&near), find(&far)) else {
        return false;
    };
    let is_end = |end: &Link, other: &Link, bridge: &Link| {
        end.up && end.is_kind("veth") && end.peer == Some(other.index) && end.controller == Some(bridge.index)
    };
    joined.up
        && is_end(near, far, bridge)
        && is_end(far, near, joined)
        && near.mtu == far.mtu
        && near.port.isolated == mark.isolated
        && !far.port.isolated
}

impl Network {
    /// The joined bridges whose marks begin with `prefix`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) if the kernel does not answer.
    pub async fn joined_bridges(&self, prefix: &str) -> Result<Vec<JoinedBridge>, NetworkError> {
        let all = Joined::among(&list_links(&self.netlink).await?).into_iter();
        let ours = all.filter(|joined| joined.mark.prefix == prefix);
        Ok(ours
            .map(|joined| JoinedBridge {
                instances: joined.ports.saturating_sub(1),
                mark: joined.mark.alias(),
                of: joined.mark.bridge,
                isolated: joined.mark.isolated,
                name: joined.name,
                connected: joined.connected,
            })
            .collect())
    }

    /// The bridges that are joined with this one and have the prefix of this mark. It asks for no list of all ports, and
    /// their `ports` are not counted.
    pub(crate) async fn joined_with(&self, bridge: &str, prefix: &str) -> Result<Vec<Joined>, NetworkError> {
        let bridges = list_bridges(&self.netlink).await?;
        let is_wanted = |link: &Link| mark_of(link).is_some_and(|mark| mark.bridge == bridge && mark.prefix == prefix);
        let joined: Vec<Link> = bridges.iter().filter(|link| is_wanted(link)).cloned().collect();
        let mut links: Vec<Link> = bridges.into_iter().filter(|link| link.name == bridge).collect();
        for one in joined {
            for end in ends_of(&one.name) {
                links.extend(find_link(&self.netlink, &end).await?);
            }
            links.push(one);
        }
        Ok(Joined::among(&links))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LINK_GROUP;
    use crate::port::PortSettings;

    fn links() -> Vec<Link> {
        let mark = JoinMark::new("ours:", true, "br0");
        let ours = |index, name: &str, kind: &str| Link {
            index,
            name: name.to_owned(),
            kind: Some(kind.to_owned()),
            alias: mark.alias(),
            group: LINK_GROUP,
            up: true,
            ..Link::default()
        };
        let name = mark.name(3);
        let [near, far] = ends_of(&name);
        let isolated = PortSettings {
            isolated: true,
            ..PortSettings::default()
        };
        vec![
            Link {
                alias: String::new(),
                group: 0,
                ..ours(1, "br0", "bridge")
            },
            ours(2, &name, "bridge"),
            Link {
                controller: Some(1),
                peer: Some(4),
                port: isolated,
                ..ours(3, &near, "veth")
            },
            Link {
                controller: Some(2),
                peer: Some(3),
                ..ours(4, &far, "veth")
            },
            Link {
                controller: Some(2),
                alias: "ours:0123".to_owned(),
                ..ours(5, "or0123", "veth")
            },
        ]
    }

    #[test]
    fn a_joined_bridge_is_found_with_its_ports() {
        let [found] = &Joined::among(&links())[..] else {
            panic!("not one")
        };
        assert_eq!(
            (found.index, found.ports, found.number, found.connected),
            (2, 2, 3, true)
        );
        assert_eq!((found.mark.bridge.as_str(), found.mark.isolated), ("br0", true));
    }

    #[test]
    fn a_join_that_somebody_changed_is_not_connected() {
        let spoils: [fn(&mut Vec<Link>); 8] = [
            |links| links[1].up = false,
            |links| links[2].up = false,
            |links| links[2].controller = None,
            |links| links[2].port.isolated = false,
            |links| links[3].controller = Some(1),
            |links| links[3].port.isolated = true,
            |links| drop(links.remove(3)),
            |links| drop(links.remove(0)),
        ];
        for (number, spoil) in spoils.iter().enumerate() {
            let mut links = links();
            spoil(&mut links);
            let found = Joined::among(&links);
            assert!(found.len() == 1 && !found[0].connected, "spoil {number}");
        }
    }
}
