//! A `begin` that is abandoned halfway hands an open transaction back to the pool, in which the next borrower's
//! statements succeed and are never committed. The check on release closes such a connection.

use std::task::Poll;
use std::time::Duration;

use afterword::store::connection::pool_options;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

use super::proxy::FaultProxy;
use crate::support::TestDatabase;

/// Beyond this many waits a `begin` is through.
const MAX_WAITS: usize = 6;

/// What became of a row that was inserted after a `begin` had been abandoned, by the number of waits before that.
#[derive(Debug, PartialEq, Eq)]
struct Loss {
    n_waits: usize,
}

async fn losses(options: impl Fn() -> PgPoolOptions) -> Vec<Loss> {
    let database = TestDatabase::new().await;
    let mut owner = PgConnection::connect(database.owner_url()).await.unwrap();
    for statement in ["create table probe (n int)", "grant select, insert on probe to afterword_app"] {
        sqlx::query(statement).execute(&mut owner).await.unwrap();
    }
    let proxy = FaultProxy::before_postgres(database.service_url(), Duration::from_millis(10)).await;
    let url = proxy.url(database.service_url());
    let mut losses = Vec::new();
    for n_waits in 1..=MAX_WAITS {
        let pool = options().connect(&url).await.unwrap();
        abandon_begin(&pool, n_waits).await;

        let inserted = sqlx::query("insert into probe values ($1)").bind(n_waits as i32).execute(&pool).await;

        assert_eq!(inserted.unwrap().rows_affected(), 1, "the insert was acknowledged");
        let found = sqlx::query("select count(*) from probe where n = $1").bind(n_waits as i32);
        let n_rows: i64 = found.fetch_one(&mut owner).await.unwrap().get(0);
        if n_rows == 0 {
            losses.push(Loss { n_waits });
        }
        pool.close().await;
    }
    owner.close().await.unwrap();
    losses
}

/// Polls a `begin` until it has had to wait a number of times, and drops it there.
async fn abandon_begin(pool: &PgPool, n_waits: usize) {
    let mut begin = Box::pin(pool.begin());
    let mut n_waited = 0;
    std::future::poll_fn(|cx| {
        let polled = begin.as_mut().poll(cx);
        n_waited += usize::from(polled.is_pending());
        if polled.is_ready() || n_waited == n_waits { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_written_after_an_abandoned_begin_is_there() {
    assert_eq!(losses(|| pool_options(1)).await, []);
}

/// Proves that the test above can fail, and that the check is still needed: once the driver no longer loses rows here,
/// both may go.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_check_on_release_an_acknowledged_row_is_lost() {
    let unguarded = || {
        PgPoolOptions::new().max_connections(1).after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query("set role afterword_app").execute(connection).await?;
                Ok(())
            })
        })
    };

    let losses = losses(unguarded).await;

    assert!(!losses.is_empty(), "the driver lost nothing");
}
