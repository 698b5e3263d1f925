//! Names of files and folders. Keys are an enum: no path comes from a client, and every part of one that does has been
//! parsed.

use object_store::path::Path;

use crate::domain::ids::{ExportId, ProjectId};

/// A file that the product keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectKey {
    /// A file of an export that belongs to a project.
    ExportFile {
        /// The project.
        project_id: ProjectId,
        /// Folder that was asked for.
        directory: Option<String>,
        /// The export.
        export_id: ExportId,
        /// Which attempt at the export wrote it, from 1. Every attempt has a folder of its own, so that a worker
        /// that was overtaken cannot write over what its successor published.
        attempt: i32,
        /// Path inside the export's folder, as the manifest names it.
        file: String,
    },
    /// A file of an export that was asked for at the command line, right below the place's root.
    OwnFile {
        /// Path inside the folder, as the manifest names it.
        file: String,
    },
}

impl ObjectKey {
    pub(super) fn to_path(&self) -> Path {
        match self {
            Self::ExportFile { project_id, directory, export_id, attempt, file } => {
                let folder = Folder::Attempt {
                    project_id: *project_id,
                    directory: directory.clone(),
                    export_id: *export_id,
                    attempt: *attempt,
                };
                file.split('/').fold(folder.to_path(), Path::join)
            }
            Self::OwnFile { file } => file.split('/').collect(),
        }
    }

    /// Returns the media type that the file is served with.
    pub fn content_type(&self) -> &'static str {
        let (Self::ExportFile { file, .. } | Self::OwnFile { file }) = self;
        match file.rsplit_once('.').map(|(_, extension)| extension) {
            Some("parquet") => "application/vnd.apache.parquet",
            Some("json") => "application/json",
            Some("jsonl") => "application/jsonl",
            Some("md") => "text/markdown; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

/// Files that are deleted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// Everything that any attempt at an export wrote.
    Export {
        /// The project.
        project_id: ProjectId,
        /// Folder that was asked for.
        directory: Option<String>,
        /// The export.
        export_id: ExportId,
    },
    /// What one attempt wrote.
    Attempt {
        /// The project.
        project_id: ProjectId,
        /// Folder that was asked for.
        directory: Option<String>,
        /// The export.
        export_id: ExportId,
        /// The attempt, from 1.
        attempt: i32,
    },
}

impl Folder {
    pub(super) fn to_path(&self) -> Path {
        let (Self::Export { project_id, directory, export_id }
        | Self::Attempt { project_id, directory, export_id, .. }) = self;
        let project = project_id.to_string();
        let export = export_id.to_string();
        let folder = directory.as_deref().unwrap_or_default();
        let parts = std::iter::once(project.as_str())
            .chain(folder.split('/').filter(|part| !part.is_empty()))
            .chain(std::iter::once(export.as_str()));
        let export: Path = parts.collect();
        match self {
            Self::Export { .. } => export,
            Self::Attempt { attempt, .. } => export.join(attempt_folder(*attempt)),
        }
    }
}

/// Returns the name of an attempt's folder.
pub(super) fn attempt_folder(attempt: i32) -> String {
    format!("attempt-{attempt}")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_file_lies_below_its_project_its_export_and_its_attempt() {
        let key = ObjectKey::ExportFile {
            project_id: ProjectId(Uuid::from_u128(1)),
            directory: Some("team/dpo".to_owned()),
            export_id: ExportId(Uuid::from_u128(2)),
            attempt: 3,
            file: "data/train.parquet".to_owned(),
        };

        assert_eq!(
            key.to_path().as_ref(),
            "00000000-0000-0000-0000-000000000001/team/dpo/00000000-0000-0000-0000-000000000002/attempt-3/data/train.parquet"
        );
        assert_eq!(ObjectKey::OwnFile { file: "data/a".to_owned() }.to_path().as_ref(), "data/a");
    }
}
