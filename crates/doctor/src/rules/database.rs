//! The database: without commits nobody gets a lease.

use super::bytes;
use crate::{Area, Code, DatabaseFacts, Examined, Facts, Finding};

const AREA: Area = Area::Database;
/// The daemon copies the log at 128 MiB at the latest. A log of twice that is not copied any more.
const LONG_LOG: u64 = 256 << 20;

pub(super) fn examine(facts: &Facts) -> Examined {
    let database = match &facts.database {
        Ok(database) => database,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let examined = Examined::new(AREA, seen(database))
        .with(away(database))
        .with(damaged(database))
        .with(long_log(database));
    let examined = match (&database.commits, &database.intact) {
        (Ok(()), Ok(None)) => examined.lacking("damage (the search took too long; the daemon makes it once a day)"),
        _ => examined,
    };
    match &database.schema {
        Ok((found, newest)) => examined.with(schema(*found, *newest)),
        Err(reason) if database.commits.is_ok() => examined.lacking(reason),
        Err(_) => examined,
    }
}

fn seen(database: &DatabaseFacts) -> String {
    let mut seen = database.url.clone();
    if let Some(size) = database.size {
        seen.push_str(&format!(", {}", bytes(size)));
    }
    if let Some(log) = database.log {
        seen.push_str(&format!(", log {}", bytes(log)));
    }
    if let Ok((found, _)) = database.schema {
        seen.push_str(&format!(", schema {found}"));
    }
    seen
}

fn away(database: &DatabaseFacts) -> Option<Finding> {
    let reason = database.commits.as_ref().err()?;
    Some(
        Finding::error(AREA, Code::DatabaseAway)
            .what(format!("{} takes no commits: {reason}", database.url))
            .means("no lease is given or renewed, because each is recorded before it is confirmed")
            .mend("make room or mount it for writing, start the server, or correct store.url; the daemon goes on by itself"),
    )
}

fn damaged(database: &DatabaseFacts) -> Option<Finding> {
    let reason = database.intact.as_ref().err()?;
    Some(
        Finding::error(AREA, Code::DatabaseDamaged)
            .what(format!("{} is damaged: {reason}", database.url))
            .means("nothing more is written to it, so that no lease is given or renewed")
            .mend("stop the daemon, and orchestrator restore the last backup; docs/backup.md"),
    )
}

fn long_log(database: &DatabaseFacts) -> Option<Finding> {
    let log = database.log.filter(|log| *log > LONG_LOG)?;
    Some(
        Finding::warning(AREA, Code::DatabaseLogLong)
            .what(format!("the log beside the database has {}", bytes(log)))
            .means(
                "it is not copied into the file: another program reads the database without end, or the disk is full",
            )
            .mend("end the other program (fuser -v FILE shows it), or make room; the daemon copies the log by itself"),
    )
}

fn schema(found: i64, newest: i64) -> Option<Finding> {
    let (what, mend) = match found {
        _ if found == newest => return None,
        _ if found > newest => (
            format!("the database has schema {found}, and this program knows {newest}"),
            "run the program that made it, or a newer one",
        ),
        _ => (
            format!("the database has schema {found}, and this program has {newest}"),
            "start the daemon: it brings the database up to date",
        ),
    };
    Some(
        Finding::error(AREA, Code::DatabaseSchema)
            .what(what)
            .means("this program cannot use it as it is")
            .mend(mend),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(change: impl FnOnce(&mut DatabaseFacts)) -> Vec<Code> {
        let mut facts = Facts::healthy();
        change(facts.database_mut());
        examine(&facts).findings.iter().map(|one| one.code).collect()
    }

    #[test]
    fn each_fault_has_its_code() {
        assert_eq!(
            codes(|one| one.commits = Err("it is full".to_owned())),
            [Code::DatabaseAway]
        );
        assert_eq!(
            codes(|one| one.intact = Err("page 7".to_owned())),
            [Code::DatabaseDamaged]
        );
        assert_eq!(codes(|one| one.log = Some(LONG_LOG + 1)), [Code::DatabaseLogLong]);
        assert_eq!(codes(|one| one.schema = Ok((2, 1))), [Code::DatabaseSchema]);
        assert_eq!(codes(|one| one.schema = Ok((0, 1))), [Code::DatabaseSchema]);
    }

    #[test]
    fn a_database_that_is_away_is_one_finding() {
        let away = |one: &mut DatabaseFacts| {
            one.commits = Err("connection refused".to_owned());
            one.intact = Ok(None);
            one.schema = Err("connection refused".to_owned());
        };
        assert_eq!(codes(away), [Code::DatabaseAway]);
    }

    #[test]
    fn a_search_that_takes_long_is_no_fault() {
        let mut facts = Facts::healthy();
        facts.database_mut().intact = Ok(None);
        let examined = examine(&facts);
        assert!(examined.findings.is_empty() && !examined.is_complete);
    }
}
