//! Rows out: a DPO set through the REST interface, from the request to the manifest, beside `COPY … TO STDOUT` of the
//! same rows.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use super::service::Service;
use super::{Rates, Result};

/// What is measured.
pub(super) const NAME: &str = "pairs out, DPO set | COPY (…) TO STDOUT (FORMAT binary)";

/// The pairs that the recipe finds in what `seed` sent.
const COPY: &str = "copy (
    select w.prompt, w.response, l.response, w.completion_id, l.completion_id, w.model, l.model, w.user_id, f.feedback_id
      from feedback f
      join completions w on w.project_id = f.project_id and w.completion_id = f.completion_id
      join completions l on l.project_id = f.project_id and l.completion_id = f.against
     where f.signal = 'preference' and f.outcome = 'better'
) to stdout (format binary)";
const POLL_EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_mins(2);

/// Measures one export and one copy; returns rows per second of each.
pub(super) async fn measure(service: &Service, owner_url: &str) -> Result<Rates> {
    let mut connection = PgConnection::connect(owner_url).await?;
    let began = Instant::now();
    let mut stream = connection.copy_out_raw(COPY).await?;
    let mut n_bytes = 0;
    while let Some(piece) = stream.try_next().await? {
        n_bytes += piece.len();
    }
    let copying = began.elapsed();
    drop(stream);
    connection.close().await?;

    let began = Instant::now();
    let manifest = export(service).await?;
    let exporting = began.elapsed();
    let n_rows = manifest["n_examples"].as_u64().ok_or("the manifest has no rows")? as f64;
    if n_bytes < n_rows as usize * 1_000 {
        return Err("the copy is smaller than the rows of the export".into());
    }
    Ok((n_rows / exporting.as_secs_f64(), n_rows / copying.as_secs_f64()))
}

async fn export(service: &Service) -> Result<Value> {
    let asked = service.post("/v1/exports", "{\"recipe\":\"dpo\"}".to_owned()).await?;
    let path = format!("/v1/exports/{}", asked["id"].as_str().ok_or("the export has no id")?);
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let mut item = service.get(&path).await?;
        match item["status"].as_str() {
            Some("completed") => return Ok(item["manifest"].take()),
            Some("queued" | "running") => tokio::time::sleep(POLL_EVERY).await,
            _ => return Err(format!("the export failed: {}", item["problem"]).into()),
        }
    }
    Err("the export does not end".into())
}
