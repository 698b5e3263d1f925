//! A full disk under an export, at any point of it: the export goes on when there is room, or fails and says why, and
//! there is never a manifest over files that are not whole. Needs root for a small disk of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use afterword::blob::Blob;
use afterword::domain::export::{ExportProblem, ExportStatus};
use afterword::domain::ids::ExportId;
use afterword::service::export_jobs::{self, MAX_ATTEMPTS};
use afterword::service::export_leftovers::collect;
use afterword::service::export_progress::Progress;
use afterword::service::{App, exports};
use rand::Rng as _;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use super::export_place::{audit, files};
use super::size::{chance, sized};
use crate::export::fixture::{Fixture, hashes, manifest};
use crate::support::disk::SmallDisk;

const DISK_MIB: usize = 64;
const N_PAIRS: usize = 1_500;
const LEASE: Duration = Duration::from_mins(1);

/// A service whose places for files are all on one small disk.
struct Campaign {
    fixture: Fixture,
    app: App,
    disk: SmallDisk,
}

impl Campaign {
    async fn start(disk: SmallDisk) -> Self {
        let fixture = Fixture::with_pairs(N_PAIRS).await;
        let (exports, scratch) = (disk.path().join("exports"), disk.path().join("scratch"));
        std::fs::create_dir(&scratch).unwrap();
        let mut app = fixture.app.clone().with_places(std::collections::BTreeMap::new(), Some(&scratch));
        app.blob = Blob::local(&exports).unwrap();
        Self { fixture: Fixture { app: app.clone(), ..fixture }, app, disk }
    }

    /// Makes one attempt at the oldest job, whenever it may be taken.
    async fn attempt(&self) {
        let mut owner = PgConnection::connect(self.fixture.database.owner_url()).await.unwrap();
        sqlx::query("update jobs set run_at = clock_timestamp()").execute(&mut owner).await.unwrap();
        owner.close().await.unwrap();
        let job = export_jobs::claim(&self.app, LEASE).await.unwrap().unwrap();
        let progress = Arc::new(Progress::default());
        export_jobs::carry_out(&self.app, &job, &progress, &CancellationToken::new()).await;
    }

    async fn status(&self, id: ExportId) -> ExportStatus {
        exports::show(&self.app, &self.fixture.principal, id).await.unwrap().status
    }

    /// Makes attempts until the export has ended.
    async fn to_the_end(&self, id: ExportId) -> ExportStatus {
        while self.status(id).await == ExportStatus::Running {
            self.attempt().await;
        }
        self.status(id).await
    }

    /// Asserts that nothing lies on the disk that is not whole.
    fn assert_clean(&self) {
        assert_eq!(audit(&self.disk.path().join("exports")), Vec::<PathBuf>::new());
        assert_eq!(files(&self.disk.path().join("scratch")), Vec::<PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_finds_no_room_goes_on_when_there_is_some_or_fails_and_leaves_nothing() {
    let n_wanted = sized(3, 20);
    let dir = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(&dir.path().join("disk"), DISK_MIB) {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("SKIPPED, NOT TESTED: an export on a full disk. Only root can mount a small one here: {reason}");
            return;
        }
    };
    let mut chance = chance("export_disk");
    let campaign = Campaign::start(disk).await;
    let whole = campaign.fixture.request(json!({"recipe": "dpo"})).await;
    campaign.attempt().await;
    assert_eq!(campaign.status(whole).await, ExportStatus::Completed);
    let n_bytes: u64 = files(campaign.disk.path()).iter().map(|file| file.metadata().unwrap().len()).sum();

    let (mut n_faults, mut n_met, mut n_failed, mut n_completed) = (0, 0, 0, 1);
    for round in 0.. {
        assert!(round < 20 * n_wanted, "the disk is never full: {n_faults} faults in {round} rounds");
        if n_faults >= n_wanted {
            break;
        }
        let id = campaign.fixture.request(json!({"recipe": "dpo"})).await;
        // The texts wait on the disk beside the parts, which lie there twice before they are published.
        campaign.disk.fill_but(chance.random_range(0..12 * n_bytes));
        campaign.attempt().await;
        campaign.assert_clean();
        if campaign.status(id).await == ExportStatus::Running {
            n_faults += 1;
            // Every fifth time nobody makes room.
            if n_faults % 5 == 0 {
                assert_eq!(campaign.to_the_end(id).await, ExportStatus::Failed);
                let export = exports::show(&campaign.app, &campaign.fixture.principal, id).await.unwrap();
                assert_eq!(export.problem.unwrap().code, ExportProblem::STORAGE_FAILED);
                n_met += MAX_ATTEMPTS;
            }
        }
        campaign.disk.empty();
        match campaign.to_the_end(id).await {
            ExportStatus::Completed => n_completed += 1,
            ExportStatus::Failed => n_failed += 1,
            status => panic!("{status:?}"),
        }
        campaign.assert_clean();
    }

    let mut n_files = 0;
    for export in exports::list(&campaign.app, &campaign.fixture.principal, None, 200).await.unwrap() {
        if export.status == ExportStatus::Completed {
            n_files += hashes(&manifest(&export)).len() + 1;
        }
    }
    println!(
        "export_disk: {n_faults} full disks and {n_met} attempts on one that stayed full, {n_completed} exports \
         completed, {n_failed} failed"
    );
    let collected = collect(&campaign.app, true).await.unwrap();
    assert_eq!(collected.n_failed, 0);
    assert_eq!(files(&campaign.disk.path().join("exports")).len(), n_files, "orphans: {collected:?}");
}
