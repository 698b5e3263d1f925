//! Who calls. A handler says in its arguments which roles it admits, and the project comes from here only (TEN-1).

use std::marker::PhantomData;

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use futures_util::future::LocalBoxFuture;

use super::error::Problem;
use super::problem;
use super::services::Services;
use crate::domain::principal::{Principal, Role, SecretKey};
use crate::service::authenticate::authenticate;

/// Which roles a handler admits.
pub(crate) trait Admission: 'static {
    /// What the roles may do, and which they are.
    const NEEDS: &'static str;

    /// Tells whether a role is admitted.
    fn admits(role: Role) -> bool;
}

/// Admits those who write completions and feedback.
pub(crate) struct MayIngest;

impl Admission for MayIngest {
    const NEEDS: &'static str = "writing completions and feedback needs a key of role ingest or admin";

    fn admits(role: Role) -> bool {
        role.may_ingest()
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

/// An authenticated caller whose role was admitted.
pub(crate) struct Caller<A> {
    /// Who it is.
    pub(crate) principal: Principal,
    admission: PhantomData<A>,
}

impl<A: Admission> FromRequest for Caller<A> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = presented_key(request);
        let services = request.app_data::<web::Data<Services>>().cloned();
        Box::pin(async move {
            let (key, services) = (key?, services.ok_or_else(|| Problem::new(problem::INTERNAL_ERROR))?);
            let principal = services.run(|app| async move { authenticate(&app, &key).await }).await?;
            if A::admits(principal.role) {
                Ok(Self { principal, admission: PhantomData })
            } else {
                Err(Problem::new(problem::ROLE_INSUFFICIENT).detail(A::NEEDS))
            }
        })
    }
}

/// Reads the secret key out of the one `Authorization` header.
fn presented_key(request: &HttpRequest) -> Result<SecretKey, Problem> {
    let mut given = request.headers().get_all(header::AUTHORIZATION);
    let Some(value) = given.next() else { return Err(Problem::new(problem::CREDENTIAL_MISSING)) };
    let invalid = || Problem::new(problem::CREDENTIAL_INVALID);
    if given.next().is_some() {
        return Err(invalid());
    }
    let (scheme, credential) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid());
    }
    let key = SecretKey::parse(credential.trim()).ok_or_else(invalid)?;
    if request.headers().contains_key(header::ORIGIN) {
        // The form is public; whether the key is a real one is not said.
        tracing::warn!(key.id = key.id(), "a secret key came with an Origin header, so from a browser");
        return Err(Problem::new(problem::SECRET_KEY_IN_BROWSER));
    }
    Ok(key)
}
