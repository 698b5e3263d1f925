//! Who calls. A handler says in its arguments which roles it admits, and the project comes from here only (TEN-1).

use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::LocalBoxFuture;

use super::error::Problem;
use super::services::Services;
use super::visit::Visit;
use super::{problem, query};
use crate::domain::batch;
use crate::domain::json::Json;
use crate::domain::origin::Origin;
use crate::domain::principal::{Principal, Role};
use crate::service::authenticate::{Presented, authenticate, report_secret_in_browser};

/// Which roles a handler admits.
pub(crate) trait Admission: 'static {
    /// Whether the key may come as the password of `Basic` as well, as some tools' clients send it.
    const TAKES_BASIC: bool = false;

    /// What the roles may do, and which they are.
    const NEEDS: &'static str;

    /// Tells whether a role is admitted.
    fn admits(role: Role) -> bool;

    /// Refuses a role that is not admitted.
    fn check(role: Role) -> Result<(), Problem> {
        if Self::admits(role) { Ok(()) } else { Err(Problem::new(problem::ROLE_INSUFFICIENT).detail(Self::NEEDS)) }
    }
}

/// Admits those who write feedback.
pub(crate) struct MaySendFeedback;

impl Admission for MaySendFeedback {
    const NEEDS: &'static str =
        "writing feedback needs a feedback token, a publishable key, or a key of role ingest or admin";

    fn admits(role: Role) -> bool {
        role.may_send_feedback()
    }
}

/// Admits those who write completions and mint feedback tokens.
pub(crate) struct MayIngest;

impl Admission for MayIngest {
    const NEEDS: &'static str = "writing completions and minting tokens needs a key of role ingest or admin";

    fn admits(role: Role) -> bool {
        role.may_ingest()
    }
}

/// Admits the same by the clients of a tool that knows no other way than `Basic`.
pub(crate) struct MayIngestByBasic;

impl Admission for MayIngestByBasic {
    const TAKES_BASIC: bool = true;
    const NEEDS: &'static str = MayIngest::NEEDS;

    fn admits(role: Role) -> bool {
        role.may_ingest()
    }
}

/// Admits those who show a variant to somebody, or look how units are divided.
pub(crate) struct MayAssign;

impl Admission for MayAssign {
    const NEEDS: &'static str = "asking for a variant needs a key of role ingest, analyst or admin";

    fn admits(role: Role) -> bool {
        role.may_ingest() || role.may_analyse()
    }
}

/// Admits those who read numbers.
pub(crate) struct MayView;

impl Admission for MayView {
    const NEEDS: &'static str = "reading numbers needs a key of role viewer, analyst or admin";

    fn admits(role: Role) -> bool {
        role.may_view()
    }
}

/// Admits those who read text, export and declare experiments.
pub(crate) struct MayAnalyse;

impl Admission for MayAnalyse {
    const NEEDS: &'static str = "exports and declarations need a key of role analyst or admin";

    fn admits(role: Role) -> bool {
        role.may_analyse()
    }
}

/// Admits those who see to projects and keys.
pub(crate) struct MayAdminister;

impl Admission for MayAdminister {
    const NEEDS: &'static str = "projects, keys and the audit need a key of role admin";

    fn admits(role: Role) -> bool {
        role.may_administer()
    }
}

/// An authenticated caller whose role was admitted.
pub(crate) struct Caller<A> {
    /// Who it is.
    pub(crate) principal: Arc<Principal>,
    admission: PhantomData<A>,
}

impl<A: Admission> FromRequest for Caller<A> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (shown, query) = (Shown::by(request, A::TAKES_BASIC), query::check(request));
        Box::pin(async move {
            let shown = shown?;
            let presented = shown.in_head.as_ref().ok_or_else(|| Problem::new(problem::CREDENTIAL_MISSING))?;
            let principal = shown.identify::<A>(presented).await?;
            query?;
            Ok(Self { principal, admission: PhantomData })
        })
    }
}

/// Whoever sends feedback: known from the head of the request, or else from the token in its body.
pub(crate) struct Sender {
    shown: Shown,
    known: Option<Arc<Principal>>,
}

impl FromRequest for Sender {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (shown, request) = (Shown::by(request, false), request.clone());
        Box::pin(async move {
            match Self::known_by(shown).await {
                Err(problem) => {
                    // Looking a credential up costs as much as an item, whoever guesses it.
                    if let Some(services) = request.app_data::<web::Data<Services>>() {
                        Visit::of(&request).charge_address(services, &request, 1)?;
                    }
                    Err(problem)
                }
                known => known,
            }
        })
    }
}

impl Sender {
    async fn known_by(shown: Result<Shown, Problem>) -> Result<Self, Problem> {
        let shown = shown?;
        let known = match &shown.in_head {
            Some(presented) => Some(shown.identify::<MaySendFeedback>(presented).await?),
            None => None,
        };
        Ok(Self { shown, known })
    }

    /// Tells whether the sender may be a browser; one that the head does not name is, since backends have the header.
    pub(crate) fn may_be_browser(&self) -> bool {
        self.known.as_ref().is_none_or(|principal| principal.may_be_browser())
    }

    /// Returns who it is, reading the token in the body where the head has no credential.
    pub(crate) async fn principal(self, body: &Json) -> Result<Arc<Principal>, Problem> {
        if let Some(principal) = self.known {
            return Ok(principal);
        }
        let token = batch::token(body).ok_or_else(|| Problem::new(problem::CREDENTIAL_MISSING))?;
        let presented = token.as_str().and_then(Presented::parse);
        let presented = presented.ok_or_else(|| Problem::new(problem::CREDENTIAL_INVALID))?;
        if let Presented::Secret(_) = presented {
            // What stands in a body is written by a page, and a backend has the header.
            return Err(self.shown.refuse_secret(&presented));
        }
        Box::pin(self.shown.identify::<MaySendFeedback>(&presented)).await
    }
}

/// What the head of a request shows of its sender.
struct Shown {
    services: web::Data<Services>,
    in_head: Option<Presented>,
    origin: SentOrigin,
    visit: Visit,
}

/// The `Origin` header.
enum SentOrigin {
    /// No page sent the request, or one of before 2020.
    Absent,
    /// A page of this origin did.
    Page(Origin),
    /// `null`, or nothing that a browser sends.
    Nameless,
}

impl Shown {
    fn by(request: &HttpRequest, takes_basic: bool) -> Result<Self, Problem> {
        let services = request.app_data::<web::Data<Services>>().cloned();
        Ok(Self {
            services: services.ok_or_else(|| Problem::new(problem::INTERNAL_ERROR))?,
            in_head: in_head(request, takes_basic)?,
            origin: sent_origin(request),
            visit: Visit::of(request),
        })
    }

    /// Finds out who presents a credential, and holds whoever may be a browser to its origins.
    async fn identify<A: Admission>(&self, presented: &Presented) -> Result<Arc<Principal>, Problem> {
        if matches!(presented, Presented::Secret(_)) && !matches!(self.origin, SentOrigin::Absent) {
            return Err(self.refuse_secret(presented));
        }
        let principal = authenticate(self.services.app(), presented).await?;
        let origin_ok = match &self.origin {
            SentOrigin::Absent => true,
            SentOrigin::Page(origin) => principal.admits(origin),
            SentOrigin::Nameless => false,
        };
        self.visit.settle(origin_ok);
        if !origin_ok {
            return Err(Problem::new(problem::ORIGIN_NOT_ALLOWED));
        }
        A::check(principal.role).map(|()| principal)
    }

    /// Refuses a secret key that came out of a browser; whether it is a real one is not said.
    fn refuse_secret(&self, presented: &Presented) -> Problem {
        if let Presented::Secret(key) = presented {
            tracing::warn!(key.id = key.id(), "a secret key came out of a browser");
            let origin = if let SentOrigin::Page(origin) = &self.origin { Some(origin.clone()) } else { None };
            report_secret_in_browser(self.services.app(), key, origin);
        }
        Problem::new(problem::SECRET_KEY_IN_BROWSER)
    }
}

/// Reads the credential out of the one `Authorization` header, where there is one.
fn in_head(request: &HttpRequest, takes_basic: bool) -> Result<Option<Presented>, Problem> {
    let mut given = request.headers().get_all(header::AUTHORIZATION);
    let Some(value) = given.next() else { return Ok(None) };
    let invalid = || Problem::new(problem::CREDENTIAL_INVALID);
    if given.next().is_some() {
        return Err(invalid());
    }
    let (scheme, credential) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
    if takes_basic && scheme.eq_ignore_ascii_case("basic") {
        return password(credential.trim()).map(Some).ok_or_else(invalid);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid());
    }
    Presented::parse(credential.trim()).map(Some).ok_or_else(invalid)
}

/// Reads the secret key out of the password of `Basic`; the name before it is the tool's own and says nothing to us.
fn password(encoded: &str) -> Option<Presented> {
    let decoded = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Presented::parse(password).filter(|presented| matches!(presented, Presented::Secret(_)))
}

fn sent_origin(request: &HttpRequest) -> SentOrigin {
    let mut given = request.headers().get_all(header::ORIGIN);
    match (given.next(), given.next()) {
        (None, _) => SentOrigin::Absent,
        (Some(value), None) => {
            let parsed = value.to_str().ok().and_then(|text| Origin::parse(text).ok());
            parsed.map_or(SentOrigin::Nameless, SentOrigin::Page)
        }
        (Some(_), Some(_)) => SentOrigin::Nameless,
    }
}
