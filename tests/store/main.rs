//! The store on both databases: every case runs on SQLite and on PostgreSQL.

mod apart;
mod backup;
mod clock;
mod durability;
mod events;
mod failures;
mod groups;
mod identity;
mod images;
mod instances;
mod leader;
mod leases;
mod limits;
mod lost;
mod names;
mod open;
mod place;
mod reservations;
mod routed;
mod rules;
mod secrets;
mod services;
mod templates;
mod times;
mod volumes;
mod writer;

/// Makes a test of every case on both databases. A case is an `async fn(Place)`.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case($crate::place::Place::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case($crate::place::Place::postgres()).await;
            })+
        }
    };
}
pub(crate) use on_both;
