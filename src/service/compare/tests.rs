//! Tables for the rule and its words.
