//! The schema, read from the catalogue.

use afterword::postgres::SERVICE;
use afterword::service::instance;
use afterword::store::migrations;
use futures_util::future::join_all;

use super::owner_of;
use crate::support::TestDatabase;

#[tokio::test]
async fn databases_that_several_migrate_at_the_same_moment_are_open_to_each_when_it_is_done() {
    for round in 0..3 {
        let databases = [TestDatabase::empty().await, TestDatabase::empty().await];
        let start = |database: &TestDatabase| {
            let (owner_url, service_url) = (database.owner_url().to_owned(), database.service_url().to_owned());
            async move {
                instance::migrate_if_allowed(&owner_url, Some(SERVICE)).await.unwrap();
                migrations::version(&service_url).await.unwrap().check()
            }
        };

        let outcomes = join_all(databases.iter().cycle().take(6).map(start)).await;

        assert!(outcomes.iter().all(Result::is_ok), "round {round}: {outcomes:?}");
    }
}

#[tokio::test]
async fn every_table_with_a_project_has_row_level_security_enabled_and_forced() {
    let database = TestDatabase::new().await;
    let mut owner = owner_of(&database).await;

    let tables: Vec<(String, bool, bool)> = sqlx::query_as(
        "select c.relname::text, c.relrowsecurity, c.relforcerowsecurity
           from pg_class c
           join pg_attribute a on a.attrelid = c.oid and a.attname = 'project_id' and not a.attisdropped
          where c.relkind in ('r', 'p')
            and c.relnamespace = 'public'::regnamespace
          order by 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();

    let names: Vec<&str> = tables.iter().map(|(name, ..)| name.as_str()).collect();
    for expected in [
        "audit",
        "completions",
        "erasure_keys",
        "erasures",
        "experiments",
        "export_holders",
        "exports",
        "exposures",
        "feedback",
        "jobs",
        "keys",
        "tombstones",
    ] {
        assert!(names.contains(&expected), "{expected} is not among {names:?}");
    }
    for (name, enabled, forced) in &tables {
        assert!(*enabled && *forced, "row-level security of {name}: enabled {enabled}, forced {forced}");
    }
}

#[tokio::test]
async fn every_table_and_every_column_carries_a_comment() {
    let database = TestDatabase::new().await;
    let mut owner = owner_of(&database).await;

    let bare: Vec<String> = sqlx::query_scalar(
        "select c.relname || coalesce('.' || a.attname, '')
           from pg_class c
           left join pg_attribute a on a.attrelid = c.oid and a.attnum >= 0 and not a.attisdropped
          where c.relkind in ('r', 'p')
            and c.relnamespace = 'public'::regnamespace
            and c.relname <> '_sqlx_migrations'
            and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();

    assert_eq!(bare, Vec::<String>::new());
}

#[tokio::test]
async fn every_unique_key_of_the_big_tables_holds_project_and_completion() {
    let database = TestDatabase::new().await;
    let mut owner = owner_of(&database).await;

    let keys: Vec<(String, Vec<String>)> = sqlx::query_as(
        "select i.indexrelid::regclass::text,
                array(select a.attname::text
                        from unnest(i.indkey) with ordinality as k (attnum, place)
                        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                       order by k.place)
           from pg_index i
          where i.indisunique
            and i.indrelid in ('completions'::regclass, 'feedback'::regclass)",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();

    assert!(keys.len() >= 2, "{keys:?}");
    for (name, columns) in &keys {
        assert_eq!(columns[0], "project_id", "{name} begins with {columns:?}");
        assert!(columns.iter().any(|column| column == "completion_id"), "{name} holds {columns:?}");
    }
}

#[tokio::test]
async fn long_texts_are_compressed_with_lz4() {
    let database = TestDatabase::new().await;
    let mut owner = owner_of(&database).await;

    let columns: Vec<String> = sqlx::query_scalar(
        "select a.attrelid::regclass::text || '.' || a.attname
           from pg_attribute a
          where a.attcompression = 'l'
          order by 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();

    for expected in ["completions.prompt", "completions.response", "feedback.edited_text", "feedback.comment"] {
        assert!(columns.iter().any(|column| column == expected), "{expected} is not among {columns:?}");
    }
}

#[tokio::test]
async fn no_foreign_key_leads_from_feedback_to_completions() {
    let database = TestDatabase::new().await;
    let mut owner = owner_of(&database).await;

    let n_keys: i64 = sqlx::query_scalar(
        "select count(*) from pg_constraint where contype = 'f' and conrelid = 'feedback'::regclass",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();

    assert_eq!(n_keys, 0);
}

#[tokio::test]
async fn the_services_role_owns_nothing_and_cannot_change_what_is_written_once() {
    let database = TestDatabase::new().await;
    let report = database.store().check_server().await.unwrap();
    assert_eq!(report.role, "afterword_app");
    let mut owner = owner_of(&database).await;

    let granted: Vec<String> = sqlx::query_scalar(
        "select table_name || ' ' || privilege_type
           from information_schema.role_table_grants
          where grantee = 'afterword_app'
            and table_name in ('completions', 'feedback', 'audit', 'tombstones', 'export_holders', 'erasure_keys')
            and privilege_type not in ('SELECT', 'INSERT')
          order by 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();

    // A policy holds deletes to erasures.
    assert_eq!(granted, ["completions DELETE", "feedback DELETE"]);
}
