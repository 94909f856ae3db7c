//! Integration tests against the built programs. They need no engine, no network and no model;
//! those that do are ignored with the reason, and run with `-- --include-ignored`.

mod ada;
mod broken_cache;
mod cache_cli;
mod docker;
mod dry_run;
mod fake_runs;
mod give_back;
mod group_cache;
mod guides;
mod harness;
mod hub_peer;
mod images;
mod processors;
mod repair_killed;
mod repair_outside;
mod rootless;
mod run_docker;
mod stacks;
