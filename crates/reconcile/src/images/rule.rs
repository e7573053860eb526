//! Which images are removed. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator_model::{BroughtImage, HostId, Timestamp};

/// The rule by which images are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How long nothing must have used an image; `None` removes none.
    pub unused: Option<Duration>,
    /// Of the unused images of one repository, so many of the newest stay.
    pub keep: usize,
}

/// An image that the rule is applied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The image as it was brought. `unused` is since when nothing uses it.
    pub image: BroughtImage,
    /// Whether something uses it now.
    pub used: bool,
}

/// What the rule says of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays: something uses it.
    Used,
    /// It stays: it is among the newest of its repository.
    Newest,
    /// It stays: its time is not over.
    Recent,
    /// It goes.
    Goes,
}

/// A repository on one engine: its host, the engine, the name.
type Repository<'c> = (&'c HostId, &'c str, &'c str);

/// Applies the rule to all candidates, in their order.
pub fn judge(candidates: &[Candidate], rule: Rule, now: Timestamp) -> Vec<Verdict> {
    let mut unused: BTreeMap<Repository<'_>, Vec<(Timestamp, usize)>> = BTreeMap::new();
    for (place, candidate) in candidates.iter().enumerate().filter(|(_, candidate)| !candidate.used) {
        let key = &candidate.image.key;
        let of = (&key.host, key.engine.as_str(), repository(&candidate.image.name));
        unused.entry(of).or_default().push((candidate.image.brought, place));
    }
    let mut newest = Vec::new();
    for mut of_repository in unused.into_values() {
        of_repository.sort_by(|one, other| other.cmp(one));
        newest.extend(of_repository.into_iter().take(rule.keep).map(|(_, place)| place));
    }
    let verdict = |(place, candidate): (usize, &Candidate)| match (rule.unused, candidate.image.unused) {
        _ if candidate.used => Verdict::Used,
        _ if newest.contains(&place) => Verdict::Newest,
        (Some(span), Some(since)) if since.plus(span) <= now => Verdict::Goes,
        _ => Verdict::Recent,
    };
    candidates.iter().enumerate().map(verdict).collect()
}

/// The name without its tag.
fn repository(name: &str) -> &str {
    let end = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[end..].find([':', '@']) {
        Some(tag) => &name[..end + tag],
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_model::{ImageKey, ImageSource, ImageState};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn candidate(name: &str, brought: i64, unused: Option<i64>) -> Candidate {
        Candidate {
            image: BroughtImage {
                key: ImageKey {
                    host: HostId::local(),
                    engine: "docker".to_owned(),
                    id: format!("sha256:{name}"),
                },
                name: name.to_owned(),
                source: ImageSource::Loaded,
                brought: Timestamp(brought),
                by: None,
                unused: unused.map(Timestamp),
                state: ImageState::Kept,
            },
            used: unused.is_none(),
        }
    }

    fn rule(keep: usize) -> Rule {
        Rule {
            unused: Some(HOUR),
            keep,
        }
    }

    #[test]
    fn an_image_goes_when_its_time_is_over_and_not_before() {
        let images = [candidate("a:1", 0, Some(0)), candidate("b:1", 0, None)];
        let at = |now| judge(&images, rule(0), Timestamp(now));
        assert_eq!(at(3_599_999), [Verdict::Recent, Verdict::Used]);
        assert_eq!(at(3_600_000), [Verdict::Goes, Verdict::Used]);
        let never = Rule { unused: None, keep: 0 };
        assert_eq!(judge(&images, never, Timestamp(i64::MAX))[0], Verdict::Recent);
    }

    #[test]
    fn the_newest_unused_images_of_each_repository_stay() {
        let images = [
            candidate("host:5000/web:1", 1, Some(0)),
            candidate("host:5000/web:2", 2, Some(0)),
            candidate("host:5000/web:3", 3, None),
            candidate("host:5000/db:1", 1, Some(0)),
        ];
        let now = Timestamp(i64::MAX);
        assert_eq!(
            judge(&images, rule(1), now),
            [Verdict::Goes, Verdict::Newest, Verdict::Used, Verdict::Newest]
        );
        assert_eq!(judge(&images, rule(2), now)[0], Verdict::Newest);
    }

    #[test]
    fn a_repository_is_the_name_without_its_tag() {
        for (name, of) in [
            ("web", "web"),
            ("web:1", "web"),
            ("host:5000/web", "host:5000/web"),
            ("host:5000/a/web:1", "host:5000/a/web"),
            ("a/web@sha256:0a", "a/web"),
        ] {
            assert_eq!(repository(name), of);
        }
    }
}
