//! What can be told of an export before anything is written for it: what the recipe may reach, and whether its selection
//! lets anything through.

use super::App;
use super::error::ServiceError;
use super::export_benchmarks::read_benchmarks;
use super::outside::{BenchmarkPlace, Outside};
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::ids::ProjectId;
use crate::domain::recipe::Recipe;
use crate::domain::selection::Selection;
use crate::store::Access;
use crate::store::connection::Pool;
use crate::store::groups;

/// Checks a recipe as far as that goes without a database: whether it may ask its hooks, and whether its benchmark files
/// are there and can be read.
pub fn check_recipe(recipe: &Recipe, outside: &Outside, place: &BenchmarkPlace) -> Vec<FieldError> {
    let faults = outside.check(&recipe.options, place);
    if !faults.is_empty() {
        return faults;
    }
    match read_benchmarks(&recipe.options.decontaminate, place) {
        Err(ServiceError::Benchmark(fault)) => vec![fault],
        _ => Vec::new(),
    }
}

/// Finds out whether a selection lets no completion of the project through; nothing where it may let some.
///
/// A selection without filters is not looked at: what an empty project gives, the export says.
pub(super) async fn check_selection(
    app: &App,
    project_id: ProjectId,
    selection: &Selection,
) -> Result<Option<FieldError>, ServiceError> {
    let filters = selection.filters();
    if filters.is_empty() {
        return Ok(None);
    }
    let mut tx = app.store.begin(Pool::Reading, "export.select", Access::Projects(&[project_id])).await?;
    if groups::has_selected(&mut tx, project_id, selection).await? != Some(false) {
        return Ok(None);
    }
    let filters: Vec<String> = filters.iter().map(|name| format!("`{name}`")).collect();
    let detail = format!("no completion of the project passes {}", filters.join(", "));
    Ok(Some(FieldError::new("/selection", FieldCode::NothingSelected, detail)))
}
