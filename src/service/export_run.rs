//! export_run
