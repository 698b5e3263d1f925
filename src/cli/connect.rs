//! What every subcommand that touches the database does first and last: find the database or start the private one,
//! open the instance, and leave both again.

use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::UsageError;
use crate::config::{Config, environment};
use crate::domain::clock::SystemClock;
use crate::domain::ids::ProjectId;
use crate::domain::principal::{CredentialId, Principal, Role};
use crate::postgres::{Cluster, SERVICE, Settings};
use crate::service::instance::{self, Migrated, Places, PoolSizes};
use crate::service::outside::Outside;
use crate::service::serving::Serving;
use crate::service::{App, ServiceError, bootstrap, destinations};

/// Name of the project of an instance that nobody gave another one.
pub const DEFAULT_PROJECT: &str = "default";

/// A database that can be reached, and the roles to reach it as.
#[derive(Debug)]
pub struct Database {
    cluster: Option<Cluster>,
    service_url: String,
    owner_url: String,
}

/// Returns what the configuration lets recipes reach.
pub(super) fn outside(config: &Config) -> Outside {
    Outside { hook_urls: config.exports.hook_urls.clone(), benchmarks_dir: config.exports.benchmarks_directory.clone() }
}

impl Database {
    /// Takes the database of the configuration, or else starts or joins the private one, and waits while it starts.
    pub async fn reach(config: &Config) -> anyhow::Result<Self> {
        let database = Self::find(config).await?;
        instance::wait_until_started(&database.service_url).await;
        Ok(database)
    }

    async fn find(config: &Config) -> anyhow::Result<Self> {
        if let Some(url) = &config.database.url {
            let owner_url = config.database.owner_url.as_ref().unwrap_or(url);
            return Ok(Self {
                cluster: None,
                service_url: url.expose_secret().to_owned(),
                owner_url: owner_url.expose_secret().to_owned(),
            });
        }
        let cluster = Cluster::start_with(&config.data_dir, postgres_settings(config)).await?;
        Ok(Self {
            service_url: cluster.service_url().to_owned(),
            owner_url: cluster.owner_url().to_owned(),
            cluster: Some(cluster),
        })
    }

    /// Tells whether it is the private one.
    pub fn is_private(&self) -> bool {
        self.cluster.is_some()
    }

    /// Returns the URL that the service connects with.
    pub fn service_url(&self) -> &str {
        &self.service_url
    }

    /// Applies every missing migration as the owner.
    pub async fn migrate(&self) -> anyhow::Result<Migrated> {
        self.explain(instance::migrate(&self.owner_url, self.login()).await)
    }

    /// Applies missing migrations if this may be done without being asked to: to the private database always, to
    /// another one where the role may.
    pub async fn migrate_if_allowed(&self) -> anyhow::Result<Migrated> {
        self.explain(instance::migrate_if_allowed(&self.owner_url, self.login()).await)
    }

    /// Opens the instance; its schema must be up to date.
    pub async fn open(&self, config: &Config) -> anyhow::Result<App> {
        let sizes = PoolSizes {
            ingest: config.database.n_ingest_connections,
            reading: config.database.n_reading_connections,
            jobs: config.database.n_job_connections,
            lanes: config.database.n_export_connections,
        };
        let places = Places {
            exports: &config.exports.directory,
            scratch: config.exports.scratch_directory.as_deref(),
            destinations: destinations::open(&config.exports.destinations, &environment)?,
        };
        let clock = Arc::new(SystemClock);
        let outside = outside(config);
        let app = self.explain(instance::open(&self.service_url, sizes, places, clock).await)?;
        Ok(app.reaching(outside).watching(Serving::watching(config.serving_targets.clone())?))
    }

    /// Starts the private database again if it ended, such as by being killed; requests fail until it is back.
    pub async fn revive_if_ended(&mut self) {
        if let Some(cluster) = &mut self.cluster
            && !cluster.is_running()
        {
            tracing::error!("the private Postgres ended; starting it again");
            if let Err(error) = cluster.revive().await {
                tracing::error!(error = %error, "the private Postgres cannot be started");
            }
        }
    }

    /// Leaves the private database; the last process to leave stops it.
    pub async fn leave(self) -> anyhow::Result<()> {
        match self.cluster {
            Some(cluster) => Ok(cluster.stop().await?),
            None => Ok(()),
        }
    }

    /// The login role that the migrations must let work as the service's.
    fn login(&self) -> Option<&'static str> {
        self.is_private().then_some(SERVICE)
    }

    fn explain<T>(&self, result: Result<T, ServiceError>) -> anyhow::Result<T> {
        let place = if self.is_private() { "the private database" } else { "the database of DATABASE_URL" };
        result.map_err(|error| match error {
            ServiceError::Store(error) => anyhow::anyhow!("{place}: {}", instance::explain(&error)),
            error => error.into(),
        })
    }
}

/// Returns how the private Postgres is found, as configured.
pub fn postgres_settings(config: &Config) -> Settings {
    Settings::usual(config.postgres_bin_dir.clone(), &environment)
}

/// A database that was reached, and the instance on it.
#[derive(Debug)]
pub struct Connected {
    /// The instance.
    pub app: App,
    database: Database,
}

impl Connected {
    /// Reaches the database, brings its schema up to date where that may be done, and opens the instance.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let database = Database::reach(config).await?;
        database.migrate_if_allowed().await?;
        let app = database.open(config).await?;
        Ok(Self { app, database })
    }

    /// Starts the private database again if it ended.
    pub async fn revive_if_ended(&mut self) {
        self.database.revive_if_ended().await;
    }

    /// Finds the project that a command is about: the one named, or the only one that there is.
    pub async fn project(&self, name: Option<&str>) -> anyhow::Result<Project> {
        let projects = bootstrap::list_projects(&self.app).await.context("cannot list the projects")?;
        let names = || projects.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let found = match name {
            Some(name) => projects.iter().find(|(known, _)| known == name),
            None if projects.len() > 1 => {
                return Err(UsageError(format!("say which project with --project: there are {}", names())).into());
            }
            None => projects.first(),
        };
        let found = found.map(|(name, id)| Project { id: *id, name: name.clone() });
        found.ok_or_else(|| {
            match name {
                _ if projects.is_empty() => {
                    UsageError("there is no project yet: `afterword serve` makes one".to_owned())
                }
                Some(name) => UsageError(format!("there is no project `{name}`; there are {}", names())),
                None => UsageError("there is no project".to_owned()),
            }
            .into()
        })
    }

    /// Closes the instance and leaves the database.
    pub async fn close(self) -> anyhow::Result<()> {
        instance::close(self.app).await;
        self.database.leave().await
    }
}

/// A project that a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
}

impl Project {
    /// Returns the person at the command line, who may do everything in the project.
    pub fn operator(&self) -> Principal {
        Principal::of_backend(self.id, CredentialId::operator(), Role::Admin)
    }
}

/// Opens the instance, runs a command on it and leaves, whether or not the command succeeds.
pub async fn with<T>(config: &Config, command: impl AsyncFnOnce(&Connected) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let connected = Connected::open(config).await?;
    let result = command(&connected).await;
    let closed = connected.close().await;
    let value = result?;
    closed?;
    Ok(value)
}
