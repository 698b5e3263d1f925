//! Where exports go: a local directory, a bucket of an S3-compatible storage server, or memory in tests, through
//! `object_store`.
//!
//! Keys are an enum: no path comes from a client, and every part of one that does has been parsed.

mod bucket;
mod error;
mod folder;
mod key;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, WriteMultipart,
};

use crate::domain::destination::Bucket;
use bucket::OpenBucket;

pub use bucket::AccessKey;
pub use error::BlobError;
pub use folder::Swept;
pub use key::{Folder, ObjectKey};

/// Size of the pieces that a large file is sent in, in bytes; S3 takes ten thousand of at least 5 MiB.
const PIECE_BYTES: usize = 8 << 20;
/// How many pieces are under way at once.
const N_PIECES_AT_ONCE: usize = 3;
/// How long giving up an upload may take; what then remains is collected later.
const ABORT_WITHIN: Duration = Duration::from_secs(10);

/// A place for files.
#[derive(Clone)]
pub struct Blob {
    store: Arc<dyn ObjectStore>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Memory,
    Local(Arc<FilePath>),
    Bucket(Arc<OpenBucket>),
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({})", self.store)
    }
}

impl Blob {
    /// Opens a directory, creating it where it is absent; files are on the disk before a write returns.
    pub fn local(root: &FilePath) -> Result<Self, BlobError> {
        std::fs::create_dir_all(root)?;
        let store = LocalFileSystem::new_with_prefix(root)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), kind: Kind::Local(root.into()) })
    }

    /// Opens a place that forgets everything when it is dropped.
    pub fn memory() -> Self {
        Self { store: Arc::new(InMemory::new()), kind: Kind::Memory }
    }

    /// Makes ready what speaks to a bucket; connects to nothing yet.
    pub fn bucket(bucket: &Bucket, key: &AccessKey) -> Result<Self, BlobError> {
        let ca = bucket.ca_file.as_deref().map(bucket::read_authority).transpose()?;
        let open = OpenBucket::open(bucket, key, ca.as_deref())?;
        Ok(Self { store: Arc::new(open.store.clone()), kind: Kind::Bucket(Arc::new(open)) })
    }

    /// Looks whether files can be written here, within seconds, and leaves nothing behind.
    pub async fn check(&self) -> Result<(), BlobError> {
        match &self.kind {
            Kind::Memory => Ok(()),
            Kind::Local(root) => folder::check(root).await,
            Kind::Bucket(bucket) => bucket.check().await,
        }
    }

    /// Writes a small file whole.
    pub async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<(), BlobError> {
        let payload = PutPayload::from_bytes(content);
        self.store.put(&self.path(key), payload).await.map_err(bucket::of_bucket)?;
        Ok(())
    }

    /// Writes a small file whole where there is none of its name: never over what another writer has put there. The
    /// same content is no conflict, since an answer may be lost and the request repeated.
    pub async fn create(&self, key: &ObjectKey, content: Bytes) -> Result<(), BlobError> {
        let (path, payload) = (self.path(key), PutPayload::from_bytes(content.clone()));
        let mode = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, payload, mode).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let found = self.store.get(&path).await?.bytes().await?;
                if found == content { Ok(()) } else { Err(BlobError::Taken) }
            }
            Err(error) => match bucket::of_bucket(error) {
                // A server that has no conditional writes. The folder is the attempt's own all the same.
                BlobError::ServerFailed { status: Some(400 | 405 | 501) } => self.put(key, content).await,
                error => Err(error),
            },
        }
    }

    /// Publishes a local file that does not change any more; it is seen under its key only when it is whole. `stopped` ends it early; then, and after a
    /// failure, the upload is given up. `copied` hears how many bytes went on their way.
    pub async fn put_file(
        &self,
        key: &ObjectKey,
        source: &FilePath,
        stopped: impl Future<Output = ()>,
        copied: impl Fn(u64),
    ) -> Result<(), BlobError> {
        if let Kind::Local(root) = &self.kind
            && let Some(n_bytes) = folder::link(
                source,
                key.to_path().parts().fold(root.to_path_buf(), |path, part| path.join(part.as_ref())),
            )
            .await
        {
            copied(n_bytes);
            return Ok(());
        }
        self.copy_file(key, source, stopped, copied).await
    }

    async fn copy_file(
        &self,
        key: &ObjectKey,
        source: &FilePath,
        stopped: impl Future<Output = ()>,
        copied: impl Fn(u64),
    ) -> Result<(), BlobError> {
        let mut file = tokio::fs::File::open(source).await?;
        let n_bytes = file.metadata().await?.len();
        if n_bytes <= PIECE_BYTES as u64 && matches!(self.kind, Kind::Bucket(_)) {
            let content = read_piece(&mut file).await?;
            self.put(key, content).await?;
            copied(n_bytes);
            return Ok(());
        }
        let upload = self.store.put_multipart(&self.path(key)).await.map_err(bucket::of_bucket)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PIECE_BYTES);
        let outcome = {
            let sending = send(&mut writer, &mut file, &copied);
            tokio::select! {
                biased;
                () = stopped => Err(BlobError::Stopped),
                outcome = sending => outcome,
            }
        };
        match outcome {
            Ok(()) => {
                // Gives the upload up by itself where it fails.
                writer.finish().await.map_err(bucket::of_bucket)?;
                Ok(())
            }
            Err(error) => {
                // What cannot be given up now is collected later.
                let _given_up = tokio::time::timeout(ABORT_WITHIN, writer.abort()).await;
                Err(error)
            }
        }
    }

    /// Tells whether there is a file.
    pub async fn holds(&self, key: &ObjectKey) -> Result<bool, BlobError> {
        match self.store.head(&self.path(key)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a file in pieces, with its size in bytes.
    pub async fn read(
        &self,
        key: &ObjectKey,
    ) -> Result<(u64, BoxStream<'static, Result<Bytes, BlobError>>), BlobError> {
        let found = self.store.get(&self.path(key)).await?;
        let size_bytes = found.meta.size;
        Ok((size_bytes, Box::pin(found.into_stream().map_err(BlobError::from))))
    }

    /// Reads some bytes of a file in pieces; there must be so many.
    pub async fn read_range(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.store.get_opts(&self.path(key), options).await?;
        Ok(Box::pin(found.into_stream().map_err(BlobError::from)))
    }

    /// Deletes a file; one that is absent is no error.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), BlobError> {
        self.delete_path(&self.path(key)).await
    }

    async fn delete_path(&self, path: &Path) -> Result<(), BlobError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn path(&self, key: &ObjectKey) -> Path {
        self.below_prefix(&key.to_path())
    }

    fn below_prefix(&self, path: &Path) -> Path {
        match &self.kind {
            Kind::Bucket(bucket) => bucket.prefix.parts().chain(path.parts()).collect(),
            Kind::Memory | Kind::Local(_) => path.clone(),
        }
    }
}

/// Sends a file piece by piece, and waits until all but the last few have arrived.
async fn send(writer: &mut WriteMultipart, file: &mut tokio::fs::File, copied: &impl Fn(u64)) -> Result<(), BlobError> {
    loop {
        let piece = read_piece(file).await?;
        if piece.is_empty() {
            writer.wait_for_capacity(1).await.map_err(bucket::of_bucket)?;
            return Ok(());
        }
        writer.wait_for_capacity(N_PIECES_AT_ONCE).await.map_err(bucket::of_bucket)?;
        let n_bytes = piece.len() as u64;
        writer.put(piece);
        copied(n_bytes);
    }
}

/// Reads the next piece of a file; an empty one is its end.
async fn read_piece(file: &mut tokio::fs::File) -> Result<Bytes, BlobError> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let mut limited = tokio::io::AsyncReadExt::take(file, PIECE_BYTES as u64);
    tokio::io::AsyncReadExt::read_to_end(&mut limited, &mut piece).await?;
    Ok(Bytes::from(piece))
}
