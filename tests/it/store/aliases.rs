//! LATE-3: the table by which aliases are found stays in step with the completions, and what one means ends at the project.

use afterword::domain::ids::ProjectId;
use afterword::service::ingest;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{app_on, caller_in, completions, owner_of, small_completion};
use crate::support::TestDatabase;

fn aliased(id: &str, aliases: &[&str]) -> Value {
    let mut item = small_completion(id);
    item["aliases"] = json!(aliases);
    item
}

/// Reads what the service is told of the aliases of a project: alias, completion, whether several carry it.
async fn resolved(database: &TestDatabase, project: ProjectId) -> Vec<(String, String, bool)> {
    let mut service = PgConnection::connect(database.service_url()).await.unwrap();
    let mut tx = service.begin().await.unwrap();
    sqlx::query("set local role afterword_app").execute(&mut *tx).await.unwrap();
    sqlx::query("select set_config('app.project_ids', $1, true)")
        .bind(project.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
    let found = sqlx::query_as("select alias, completion_id, is_shared from resolved_aliases order by 1, 2")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    found
}

fn row(alias: &str, completion: &str, is_shared: bool) -> (String, String, bool) {
    (alias.to_owned(), completion.to_owned(), is_shared)
}

#[tokio::test]
async fn an_alias_is_shared_within_its_project_only_and_an_id_outranks_it() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let (ours, theirs) = (caller_in(&app, "ours").await, caller_in(&app, "theirs").await);
    let of_ours = [aliased("a", &["x", "x", "y", "b"]), aliased("b", &["y", "b", "c"])];
    ingest::record_completions(&app, &ours, completions(&of_ours)).await.unwrap();
    ingest::record_completions(&app, &theirs, completions(&[aliased("c", &["x"])])).await.unwrap();

    let (of_ours, of_theirs) =
        (resolved(&database, ours.project_id).await, resolved(&database, theirs.project_id).await);

    assert_eq!(of_ours, [row("c", "b", false), row("x", "a", false), row("y", "a", true), row("y", "b", true)]);
    assert_eq!(of_theirs, [row("x", "c", false)]);
}

#[tokio::test]
async fn a_deleted_completion_takes_its_aliases_with_it_and_the_service_may_only_add_some() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    ingest::record_completions(&app, &caller, completions(&[aliased("a", &["x", "x"]), aliased("b", &["x"])]))
        .await
        .unwrap();
    let mut owner = owner_of(&database).await;

    sqlx::query("delete from completions where completion_id = 'b'").execute(&mut owner).await.unwrap();

    assert_eq!(resolved(&database, caller.project_id).await, [row("x", "a", false)]);
    let granted: Vec<String> = sqlx::query_scalar(
        "select privilege_type::text
           from information_schema.role_table_grants
          where grantee = 'afterword_app'
            and table_name = 'completion_aliases'
          order by 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(granted, ["INSERT", "SELECT"]);
}

async fn apply(owner: &mut PgConnection, migration: &std::path::Path) {
    let text = std::fs::read_to_string(migration).unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(owner).await.unwrap();
}

#[tokio::test]
async fn completions_of_before_the_table_have_their_aliases_in_it() {
    let database = TestDatabase::empty().await;
    let mut owner = PgConnection::connect(database.owner_url()).await.unwrap();
    let mut files: Vec<_> = std::fs::read_dir("migrations").unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let is_it = |path: &std::path::PathBuf| path.ends_with("0009_aliases.sql");
    let nth = files.iter().position(is_it).unwrap();
    for path in &files[..nth] {
        apply(&mut owner, path).await;
    }
    let project = ProjectId(uuid::Uuid::from_u128(7));
    sqlx::query("insert into projects (project_id, name, created_at) values ($1, 'p', now())")
        .bind(project.0)
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::query(
        "insert into completions
                (project_id, completion_id, content_hash, prompt_hash, model, prompt, response, aliases, received_at)
         select $1, id, decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), 'm', '[]', '{}', aliases, now()
           from (values ('a', array['x', 'x', 'y']), ('b', array['y']), ('c', null)) as v (id, aliases)",
    )
    .bind(project.0)
    .execute(&mut owner)
    .await
    .unwrap();

    apply(&mut owner, &files[nth]).await;

    let found = sqlx::query_as::<_, (String, String, bool)>(
        "select alias, completion_id, is_shared from resolved_aliases order by 1, 2",
    );
    let found = found.fetch_all(&mut owner).await.unwrap();
    assert_eq!(found, [row("x", "a", false), row("y", "a", true), row("y", "b", true)]);
}
