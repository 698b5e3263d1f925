//! Comparisons, plans and serving reports as plain data, and their renderings: HTML with SVG figures, JSON, text, and a
//! Vega-Lite specification.
//!
//! This module computes no number that decides anything and does no I/O: what it is given is what it draws (ST-1).

pub mod comparison;
pub mod count;
pub mod html;
pub mod json;
mod markup;
pub mod plan;
pub mod serving;
mod svg;
pub mod text;
pub mod vega_lite;
