//! The resources of version 1, one file each.

pub(crate) mod audit;
pub(crate) mod comparisons;
pub(crate) mod completion_pages;
pub(crate) mod completions;
pub(crate) mod experiments;
pub(crate) mod export_files;
pub(crate) mod exports;
pub(crate) mod feedback;
mod feedback_item;
pub(crate) mod feedback_links;
pub(crate) mod feedback_pages;
pub(crate) mod feedback_tokens;
pub(crate) mod keys;
pub(crate) mod plans;
pub(crate) mod projects;
pub(crate) mod receipt;
mod selection_params;
pub(crate) mod serving;
pub(crate) mod serving_report;
pub(crate) mod users;
