//! A bucket of an S3-compatible storage server. Requests go to the endpoint that the operator has configured and
//! nowhere else: redirects are not followed, proxies of the environment are not used, and the credentials are the two
//! that were given, so that nothing asks a metadata service for others.

use std::fmt;
use std::path::Path as FilePath;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, HttpResponse};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::signer::Method;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::error::BlobError;
use crate::domain::destination::{Bucket, Endpoint};

/// How long a connection may take, and how long an answer or the next piece of one.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How often, and for how long, a request is repeated that failed for a reason that may pass.
const N_RETRIES: usize = 8;
const RETRY_FOR: Duration = Duration::from_mins(1);
/// How long a look may take that somebody waits for.
const LOOK_WITHIN: Duration = Duration::from_secs(8);
/// Name of the upload that a look begins and gives up.
const PROBE: &str = ".afterword-probe";
/// The largest list of unfinished uploads that is read, in bytes: a thousand of them take less.
const MAX_LIST_BYTES: usize = 4 << 20;

/// The two halves of an access key.
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(not shown)")
    }
}

/// A bucket that can be spoken to.
pub(super) struct OpenBucket {
    /// For the work, with patience.
    pub(super) store: AmazonS3,
    /// For looks that somebody waits for.
    impatient: AmazonS3,
    /// For what the crate has no words for: questions about the bucket itself.
    client: HttpClient,
    /// Address of the bucket.
    address: String,
    region: String,
    /// Folder that everything goes below.
    pub(super) prefix: Path,
}

impl OpenBucket {
    /// Makes ready what speaks to a bucket; connects to nothing yet. `ca` is the PEM of an authority of the operator's.
    pub(super) fn open(bucket: &Bucket, key: &AccessKey, ca: Option<&[u8]>) -> Result<Self, BlobError> {
        let client = client(bucket, ca)?;
        let host = match &bucket.endpoint {
            Some(endpoint) => endpoint.as_str().to_owned(),
            None => format!("https://s3.{}.amazonaws.com", bucket.region),
        };
        let builder = |retry: RetryConfig| {
            AmazonS3Builder::new()
                .with_endpoint(&host)
                .with_region(&bucket.region)
                .with_bucket_name(&bucket.name)
                .with_access_key_id(&key.id)
                .with_secret_access_key(&key.secret)
                .with_allow_http(bucket.endpoint.as_ref().is_some_and(Endpoint::is_plain_http))
                .with_http_connector(Connector(client.clone()))
                .with_retry(retry)
        };
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(10),
            ..BackoffConfig::default()
        };
        let patient = RetryConfig { backoff, max_retries: N_RETRIES, retry_timeout: RETRY_FOR };
        let impatient = RetryConfig { max_retries: 1, retry_timeout: LOOK_WITHIN, ..RetryConfig::default() };
        Ok(Self {
            store: builder(patient).build()?,
            impatient: builder(impatient).build()?,
            client: HttpClient::new(client.clone()),
            address: format!("{host}/{}", bucket.name),
            region: bucket.region.clone(),
            prefix: Path::from(bucket.prefix.as_str()),
        })
    }

    /// Looks whether the bucket is there and can be written into: begins an upload and gives it up. Nothing is left.
    pub(super) async fn check(&self) -> Result<(), BlobError> {
        match tokio::time::timeout(LOOK_WITHIN, self.probe()).await {
            Ok(found) => found,
            Err(_) => Err(BlobError::Unreachable),
        }
    }

    async fn probe(&self) -> Result<(), BlobError> {
        self.ask(Method::HEAD, "").await?;
        let path = self.prefix.clone().join(PROBE);
        let upload = self.impatient.create_multipart(&path).await.map_err(of_bucket)?;
        self.impatient.abort_multipart(&path, &upload).await.map_err(of_bucket)
    }

    /// Gives up every upload below a folder that was begun and never ended, and counts them: nobody sees them, and they
    /// are paid for. A server that cannot list them has to be told to forget them by itself.
    pub(super) async fn abort_uploads(&self, folder: &Path) -> Result<u64, BlobError> {
        let mut n_aborted = 0;
        loop {
            // The parts of a folder are plain; what joins them is not, in a query.
            let prefix = format!("{folder}/").replace('/', "%2F").replace('=', "%3D");
            let listed = match self.ask(Method::GET, &format!("?prefix={prefix}&uploads=")).await {
                Ok(answer) => read_bounded(answer).await?,
                Err(BlobError::ServerFailed { status: Some(405 | 501) }) => return Ok(n_aborted),
                Err(error) => return Err(error),
            };
            let uploads = parse_uploads(&listed);
            if uploads.is_empty() {
                return Ok(n_aborted);
            }
            for (key, id) in uploads {
                let path = Path::parse(&key).map_err(|_| BlobError::ServerFailed { status: None })?;
                match self.store.abort_multipart(&path, &id).await {
                    // Somebody else was faster.
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => n_aborted += 1,
                    Err(error) => return Err(of_bucket(error)),
                }
            }
        }
    }

    /// Sends a request about the bucket itself; an answer that is no success is an error.
    async fn ask(&self, method: Method, query: &str) -> Result<HttpResponse, BlobError> {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        let address = format!("{}{query}", self.address);
        *request.uri_mut() = address.parse().map_err(|_| BlobError::Misconfigured("its endpoint is no address"))?;
        *request.method_mut() = method;
        let credential = self.store.credentials().get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None)?;
        let answer = self.client.execute(request).await.map_err(|_| BlobError::Unreachable)?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(BlobError::of_status(Some(answer.status().as_u16())))
        }
    }
}

/// Tells an error of a request that can only fail to find the bucket, not a file in it.
pub(super) fn of_bucket(error: object_store::Error) -> BlobError {
    match BlobError::from(error) {
        BlobError::NotFound => BlobError::NoBucket,
        other => other,
    }
}

/// Reads the PEM file of a certificate authority.
pub(super) fn read_authority(path: &FilePath) -> Result<Vec<u8>, BlobError> {
    std::fs::read(path).map_err(|_| BlobError::Misconfigured("the file of the certificate authority cannot be read"))
}

fn client(bucket: &Bucket, ca: Option<&[u8]>) -> Result<reqwest::Client, BlobError> {
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .https_only(!bucket.endpoint.as_ref().is_some_and(Endpoint::is_plain_http))
        .http1_only()
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(ANSWER_WITHIN);
    if let Some(pem) = ca {
        let unreadable = |_| BlobError::Misconfigured("the file of the certificate authority holds no certificate");
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem).map_err(unreadable)?);
    }
    builder.build().map_err(|_| BlobError::Misconfigured("the system has no certificates to check a server with"))
}

/// Hands out the one client, whatever the crate would have made.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

async fn read_bounded(answer: HttpResponse) -> Result<String, BlobError> {
    let (mut bytes, mut pieces) = (BytesMut::new(), answer.into_body().bytes_stream());
    while let Some(piece) = pieces.next().await {
        let piece: Bytes = piece.map_err(|_| BlobError::Unreachable)?;
        if bytes.len() + piece.len() > MAX_LIST_BYTES {
            return Err(BlobError::ServerFailed { status: None });
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| BlobError::ServerFailed { status: None })
}

/// Reads key and id of every upload in the answer to ListMultipartUploads. Our keys and every server's ids are plain
/// text, so that elements are found as they are written.
fn parse_uploads(xml: &str) -> Vec<(String, String)> {
    let uploads = xml.split("<Upload>").skip(1);
    uploads
        .filter_map(|upload| {
            let upload = upload.split_once("</Upload>")?.0;
            Some((element(upload, "Key")?, element(upload, "UploadId")?))
        })
        .collect()
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = text.trim().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(plain.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_uploads_are_read_out_of_a_list() {
        let xml = "<?xml version=\"1.0\"?><ListMultipartUploadsResult><Bucket>b</Bucket><KeyMarker></KeyMarker>\
                   <Upload>\n <Key>p/e/attempt-1/a.parquet</Key><UploadId>a+/=&amp;1</UploadId><Initiator><ID>x</ID>\
                   </Initiator></Upload><Upload><Key>p/b</Key><UploadId>2</UploadId></Upload>\
                   <Upload><Key>broken</Key></Upload></ListMultipartUploadsResult>";

        let uploads = parse_uploads(xml);

        let expected = [("p/e/attempt-1/a.parquet", "a+/=&1"), ("p/b", "2")];
        assert_eq!(uploads, expected.map(|(key, id)| (key.to_owned(), id.to_owned())));
        assert_eq!(parse_uploads("<ListMultipartUploadsResult/>"), []);
    }

    #[test]
    fn an_access_key_is_never_shown() {
        let key = AccessKey { id: "canary".to_owned(), secret: "canary".to_owned() };

        assert!(!format!("{key:?}").contains("canary"));
    }
}
