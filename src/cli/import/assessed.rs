//! Traces with what people said of them: Phoenix and MLflow.

use std::process::ExitCode;

use super::closing::{Brought, Note};
use super::{Target, meanings_of, read, send};
use crate::domain::json::Json;
use crate::foreign::mapping::Said;
use crate::foreign::mlflow;
use crate::foreign::phoenix::{self, Row};

/// Arguments of an import of traces.
#[derive(Debug, clap::Args)]
pub(super) struct Traces {
    #[command(flatten)]
    target: Target,
    /// What annotations of a name mean: NAME=thumb, NAME=thumb:UP:DOWN, NAME=rating:MIN:MAX, NAME=comment or NAME=edit; may be
    /// repeated.
    #[arg(long = "score", value_name = "MEANING")]
    scores: Vec<String>,
    /// Say of every answer that it may be used for training; you vouch for it.
    #[arg(long, value_name = "FOR", value_parser = ["training"])]
    consent: Option<String>,
}

/// Imports spans and annotations of Phoenix, in one file or in several.
pub(super) async fn from_phoenix(args: &Traces) -> anyhow::Result<ExitCode> {
    let meanings = meanings_of(&args.scores)?;
    let sender = args.target.destination.sender("phoenix")?;
    let (mut completions, mut feedback, mut brought, mut n_others) =
        (Vec::new(), Vec::new(), Brought::default(), 0_usize);
    read(&args.target.file, &mut brought, |row| {
        match phoenix::row(row, &meanings) {
            Row::Span(Said::Nothing) => n_others += 1,
            Row::Span(Said::Item(item)) => completions.push(args.with_consent(item)),
            Row::Span(Said::Fault(fault)) => return Err(fault.code.as_str()),
            Row::Annotation(items) => feedback.extend(items.map_err(|fault| fault.code.as_str())?),
        }
        Ok(())
    })?;
    brought.notes = vec![Note::new(n_others, "that is no call of a model", "span")];
    send(&sender, completions, feedback, brought).await
}

/// Imports traces of MLflow.
pub(super) async fn from_mlflow(args: &Traces) -> anyhow::Result<ExitCode> {
    let meanings = meanings_of(&args.scores)?;
    let sender = args.target.destination.sender("mlflow")?;
    let (mut completions, mut feedback, mut brought, mut faults) =
        (Vec::new(), Vec::new(), Brought::default(), Vec::new());
    let mut n_without_call = 0_usize;
    read(&args.target.file, &mut brought, |row| {
        let trace = mlflow::trace(row, &meanings).map_err(|fault| fault.code.as_str())?;
        n_without_call += usize::from(trace.completions.is_empty());
        completions.extend(trace.completions.into_iter().map(|item| args.with_consent(item)));
        feedback.extend(trace.feedback);
        faults.extend(trace.faults);
        Ok(())
    })?;
    for fault in faults {
        brought.refuse(&format!("assessment: {}", fault.code.as_str()));
    }
    brought.notes = vec![Note::new(n_without_call, "without a call of a model", "trace")];
    send(&sender, completions, feedback, brought).await
}

impl Traces {
    fn with_consent(&self, item: Json) -> Json {
        match item {
            Json::Object(mut members) if self.consent.is_some() => {
                let consent = Json::Object(vec![("training".to_owned(), Json::Bool(true))]);
                members.push(("consent".to_owned(), consent));
                Json::Object(members)
            }
            other => other,
        }
    }
}
