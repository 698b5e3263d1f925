//! An export into a folder of the operator's own. The folder appears whole or not at all: everything is written into
//! a hidden folder beside it, which is renamed at the end and gone if anything goes wrong.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use super::export_checks::check_selection;
use super::export_files::MANIFEST;
use super::export_holders;
use super::export_lineage::{LineageError, lineage};
use super::export_manifest::Manifest;
use super::export_progress::Progress;
use super::export_reading::ReadManifest;
use super::export_run::{Destination, Production, RunError, run};
use super::export_scratch::{Scratch, leftovers};
use super::ids::{new_id, new_token};
use super::outside::BenchmarkPlace;
use crate::blob::Blob;
use crate::domain::fields::FieldError;
use crate::domain::ids::{ExportId, ProjectId};
use crate::domain::recipe::Recipe;
use crate::store::Access;
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::Pool;
use crate::store::exports::{self, WrittenExport};

/// Where an earlier export waits until the new one is in its place.
const EARLIER: &str = "earlier";

/// An export into a folder that did not come about. The folder is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The path names no folder that could be made.
    #[error("the path has no last part that could be the name of a folder")]
    Nameless,
    /// Something else is there.
    #[error("there is something at the path that is not a folder")]
    NotAFolder,
    /// The folder holds something.
    #[error("the folder is not empty; --force replaces an earlier export")]
    NotEmpty,
    /// The folder holds something that is not an export.
    #[error(
        "the folder holds something other than an export, or something beside it, which --force does not replace; remove it yourself"
    )]
    NotAnExport,
    /// The folder lies inside an export, which then would no longer hold what its manifest says and nothing else.
    #[error("the folder lies inside another export's folder; name one beside it")]
    InsideAnExport,
    /// The folder cannot be made or looked into.
    #[error("the folder cannot be written: {}", reason(.0))]
    Unwritable(#[source] io::Error),
    /// The recipe asks for what there is not, or what it may not have.
    #[error("the recipe cannot be run: {}", words(.0))]
    Recipe(Vec<FieldError>),
    /// The earlier export cannot be compared with.
    #[error("the parent export: {0}")]
    Parent(#[from] LineageError),
    /// The export itself failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn words(faults: &[FieldError]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Where an export goes, and what it follows.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// The folder; absent, empty or, with `force`, an earlier export.
    pub out: &'a Path,
    /// Whether an earlier export is replaced.
    pub force: bool,
    /// The folder of an earlier export: the manifest then tells what became of its rows.
    pub parent: Option<&'a Path>,
}

/// Says why the operating system refused, in words that name no path.
fn reason(error: &io::Error) -> String {
    error.kind().to_string()
}

/// Runs a recipe and puts the export at `out`, which must be absent, empty or, with `force`, an earlier export.
///
/// The caller must let it end by itself (`stop` asks for that): it holds a transaction.
pub async fn export_to_folder(
    app: &App,
    project_id: ProjectId,
    recipe: &Recipe,
    out: &Path,
    force: bool,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Manifest, FolderError> {
    export_to(app, project_id, recipe, &Target { out, force, parent: None }, progress, stop).await
}

/// Does the same for a target with a parent.
pub async fn export_to(
    app: &App,
    project_id: ProjectId,
    recipe: &Recipe,
    target: &Target<'_>,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Manifest, FolderError> {
    let faults = app.outside.check(&recipe.options, &BenchmarkPlace::Anywhere);
    if !faults.is_empty() {
        return Err(FolderError::Recipe(faults));
    }
    let unselected = check_selection(app, project_id, &recipe.selection).await.map_err(RunError::from)?;
    if let Some(fault) = unselected {
        return Err(FolderError::Recipe(vec![fault]));
    }
    let place = Place::open(target.out, target.force)?;
    if let Some(parent) = target.parent {
        // A parent that is none is told before anything is read.
        ReadManifest::open(parent).map_err(LineageError::from)?;
    }
    // The folder that is published must be readable as usual; what holds it meanwhile must not.
    let (work, made) = (place.staging.path().join("work"), place.staging.path().join("export"));
    fs::create_dir(&work).map_err(FolderError::Unwritable)?;
    let blob = Blob::local(&made).map_err(RunError::from)?;
    let production = Production {
        project_id,
        export_id: ExportId(new_id()),
        attempt: 1,
        recipe: recipe.clone(),
        destination: Destination::Own(blob),
        benchmarks: BenchmarkPlace::Anywhere,
        // Compared where both folders lie already.
        parent: None,
    };
    let mut manifest = run(app, &production, &work, progress, stop).await?;
    if let Some(parent) = target.parent {
        manifest.parent = Some(lineage(app, project_id, parent.to_owned(), made.clone()).await?);
        // Nobody has seen the folder yet: its manifest still is what is written last.
        write_manifest(&made, &manifest).map_err(FolderError::Unwritable)?;
    }
    // First the audit: rows may be recorded that then do not leave, but none leave unrecorded.
    record(app, project_id, &manifest).await.map_err(RunError::from)?;
    place.publish(&made)?;
    Ok(manifest)
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> io::Result<()> {
    let mut file = fs::File::create(folder.join(MANIFEST))?;
    file.write_all(manifest.to_json().as_bytes())?;
    file.sync_all()
}

/// Where an export is to appear, and the hidden folder beside it.
struct Place {
    out: PathBuf,
    parent: PathBuf,
    staging: Scratch,
}

impl Place {
    fn open(out: &Path, force: bool) -> Result<Self, FolderError> {
        let out = std::path::absolute(out).map_err(FolderError::Unwritable)?;
        let (Some(parent), Some(name)) = (out.parent(), out.file_name()) else { return Err(FolderError::Nameless) };
        if parent.ancestors().any(has_manifest) {
            return Err(FolderError::InsideAnExport);
        }
        let prefix = format!(".{}.", name.to_string_lossy());
        recover(parent, &prefix, &out).map_err(FolderError::Unwritable)?;
        check(&out, force)?;
        fs::create_dir_all(parent).map_err(FolderError::Unwritable)?;
        let hidden = format!("{prefix}{}", new_token());
        let staging = Scratch::create(&parent.join(hidden)).map_err(FolderError::Unwritable)?;
        Ok(Self { parent: parent.to_owned(), out, staging })
    }

    /// Puts what was made in its place; an earlier export goes only when the new one stands.
    fn publish(&self, made: &Path) -> Result<(), FolderError> {
        let earlier = self.staging.path().join(EARLIER);
        let had_earlier = match fs::rename(&self.out, &earlier) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(FolderError::Unwritable(error)),
        };
        if let Err(error) = fs::rename(made, &self.out) {
            if had_earlier {
                // If this fails too, the staging folder is gone with what it holds; the first failure is the one to tell.
                let _back = fs::rename(&earlier, &self.out);
            }
            return Err(FolderError::Unwritable(error));
        }
        // The names must survive a crash as the files do.
        fs::File::open(&self.parent).and_then(|parent| parent.sync_all()).map_err(FolderError::Unwritable)
    }
}

/// Clears away what runs into the same folder left that were killed. One that was killed between taking the earlier
/// export away and putting the new one there has the earlier one still; that goes back first.
fn recover(parent: &Path, prefix: &str, out: &Path) -> io::Result<()> {
    if !parent.is_dir() {
        return Ok(());
    }
    for (left, _lock) in leftovers(parent, prefix)? {
        // Only what is named as we name it: the rest of the name is a token.
        let token = left.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if uuid::Uuid::try_parse(token.trim_start_matches(prefix)).is_err() {
            continue;
        }
        let earlier = left.join(EARLIER);
        if earlier.is_dir() && !out.exists() {
            fs::rename(earlier, out)?;
        }
        fs::remove_dir_all(left)?;
    }
    Ok(())
}

/// Checks that nothing is lost when an export is put into a folder.
pub fn check(out: &Path, force: bool) -> Result<(), FolderError> {
    match fs::metadata(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FolderError::Unwritable(error)),
        Ok(found) if !found.is_dir() => return Err(FolderError::NotAFolder),
        Ok(_) => (),
    }
    let is_empty = fs::read_dir(out).map_err(FolderError::Unwritable)?.next().is_none();
    match (is_empty, force) {
        (true, _) => Ok(()),
        (false, false) => Err(FolderError::NotEmpty),
        (false, true) if is_export(out) => Ok(()),
        (false, true) => Err(FolderError::NotAnExport),
    }
}

/// Tells whether a folder holds an export and nothing beside it: whoever trains inside it leaves a model there.
fn is_export(folder: &Path) -> bool {
    let Some(manifest) = manifest_of(folder) else { return false };
    let files = manifest.get("files").and_then(serde_json::Value::as_array);
    let mut named: HashSet<PathBuf> =
        files.into_iter().flatten().filter_map(|file| Some(folder.join(file.get("path")?.as_str()?))).collect();
    named.insert(folder.join(MANIFEST));
    holds_only(folder, &named).unwrap_or(false)
}

/// Tells whether a folder has the manifest of an export.
fn has_manifest(folder: &Path) -> bool {
    manifest_of(folder).is_some()
}

fn manifest_of(folder: &Path) -> Option<serde_json::Value> {
    let manifest = fs::read_to_string(folder.join(MANIFEST)).ok()?;
    let manifest: serde_json::Value = serde_json::from_str(&manifest).ok()?;
    (manifest.get("afterword_version").is_some() && manifest.get("export_id").is_some()).then_some(manifest)
}

fn holds_only(folder: &Path, named: &HashSet<PathBuf>) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_known = if entry.file_type()?.is_dir() {
            // A folder that no file of the export lies in is not the export's, even where it is empty.
            named.iter().any(|file| file.starts_with(&path)) && holds_only(&path, named)?
        } else {
            named.contains(&path)
        };
        if !is_known {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes down that rows have left the service, and whose: into the audit and among the exports. The path stays out of
/// it.
async fn record(app: &App, project_id: ProjectId, manifest: &Manifest) -> Result<(), ServiceError> {
    let (app, id, export_id) = (app.clone(), manifest.export_id, manifest.export_id.to_string());
    let recipe = serde_json::to_string(&manifest.recipe);
    let recipe = recipe.map_err(|_| ServiceError::Internal("a recipe does not serialise"))?;
    let (text, holders, n_prompts) = (manifest.to_json(), manifest.holders.clone(), manifest.funnel.n_prompts);
    let details = format!("{{\"formats\":\"{}\",\"n_examples\":{}}}", manifest.formats.words(), manifest.n_examples);
    detached(async move {
        let entry = AuditEntry {
            project_id,
            audit_id: new_id(),
            at: app.clock.now(),
            actor: "operator",
            action: "export.written",
            subject: &export_id,
            details,
        };
        let mut tx = app.store.begin(Pool::Jobs, "export.written", Access::Projects(&[project_id])).await?;
        audit::insert(&mut tx, &entry).await?;
        let written = WrittenExport { project_id, id, recipe: &recipe, manifest: &text, n_prompts, now: entry.at };
        exports::insert_written(&mut tx, &written).await?;
        export_holders::record(&mut tx, project_id, id, &holders).await?;
        Ok(tx.commit().await?)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absent_empty_or_earlier_exports_are_written_over() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str, file: Option<(&str, &str)>| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            if let Some((file, text)) = file {
                fs::write(folder.join(file), text).unwrap();
            }
            folder
        };
        let absent = root.path().join("absent");
        let empty = folder("empty", None);
        let export = folder("export", Some((MANIFEST, r#"{"afterword_version":"0.1.0","export_id":"x"}"#)));
        let others = folder("others", Some((MANIFEST, "{}")));
        let trained = folder("trained", Some((MANIFEST, r#"{"afterword_version":"0.1.0","export_id":"x"}"#)));
        fs::create_dir(trained.join("OUTPUT")).unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();

        for force in [false, true] {
            assert!(check(&absent, force).is_ok());
            assert!(check(&empty, force).is_ok());
            assert!(matches!(check(&file, force), Err(FolderError::NotAFolder)));
        }
        assert!(matches!(check(&export, false), Err(FolderError::NotEmpty)));
        assert!(check(&export, true).is_ok());
        assert!(matches!(check(&others, false), Err(FolderError::NotEmpty)));
        assert!(matches!(check(&others, true), Err(FolderError::NotAnExport)));
        assert!(matches!(check(&trained, true), Err(FolderError::NotAnExport)), "what was trained there stays");
        assert!(matches!(Place::open(Path::new("/"), true), Err(FolderError::Nameless)));
        for inside in ["data", "a/b"] {
            assert!(matches!(Place::open(&export.join(inside), true), Err(FolderError::InsideAnExport)), "{inside}");
        }
        assert!(!export.join("a").exists() && Place::open(&others.join("below"), false).is_ok());
    }

    #[test]
    fn what_a_killed_run_left_is_cleared_away_and_an_earlier_export_goes_back_to_its_place() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("out");
        let hidden = |token: &str| root.path().join(format!(".out.{token}"));
        fs::create_dir_all(hidden("01900000-0000-7000-8000-000000000001").join("work")).unwrap();
        let killed_between = hidden("01900000-0000-7000-8000-000000000002").join(EARLIER);
        fs::create_dir_all(&killed_between).unwrap();
        let manifest = r#"{"afterword_version":"0.1.0","export_id":"x"}"#;
        fs::write(killed_between.join(MANIFEST), manifest).unwrap();
        fs::create_dir(hidden("theirs")).unwrap();

        let refused = Place::open(&out, false);
        let place = Place::open(&out, true).unwrap();

        assert!(matches!(refused, Err(FolderError::NotEmpty)), "the earlier export is back");
        assert_eq!(fs::read_to_string(out.join(MANIFEST)).unwrap(), manifest);
        assert!(hidden("theirs").exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3);
        drop(place);
    }

    #[test]
    fn the_new_folder_takes_the_place_of_the_old_one_and_nothing_else_is_left() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("deep/out");
        for text in ["first", "second"] {
            let place = Place::open(&out, true).unwrap();
            let made = place.staging.path().join("export");
            fs::create_dir(&made).unwrap();
            fs::write(made.join("text"), text).unwrap();
            let manifest = r#"{"afterword_version":"0.1.0","export_id":"x","files":[{"path":"text"}]}"#;
            fs::write(made.join(MANIFEST), manifest).unwrap();

            place.publish(&made).unwrap();
            drop(place);

            assert_eq!(fs::read_to_string(out.join("text")).unwrap(), text);
            assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 1, "no hidden folder is left");
        }
    }
}
