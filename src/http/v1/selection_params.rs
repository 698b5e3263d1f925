//! The parameters that pages of completions and pages of feedback share, for the document of the API. `domain::listing`
//! parses them.

use utoipa::IntoParams;

use super::super::openapi::names as doc;

/// How many items, and of which completions.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; no value of it is ever made")]
pub(super) struct SelectionParams {
    /// 50 where it is absent
    limit: Option<doc::ListLimit>,
    /// Models that answered
    model: Option<Vec<doc::ShortText>>,
    /// The key of an experiment
    experiment: Option<doc::ShortText>,
    /// Variants of it
    variant: Option<Vec<doc::ShortText>>,
    /// Kinds of work
    task: Option<Vec<doc::ShortText>>,
    /// Language tags
    language: Option<Vec<doc::ShortText>>,
    /// Completions received from then on
    from: Option<doc::Moment>,
    /// Completions received before then
    to: Option<doc::Moment>,
}
