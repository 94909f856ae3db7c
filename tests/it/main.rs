//! Integration tests against the built programs. They need no engine, no network and no model;
//! those that do are ignored with the reason, and run with `-- --include-ignored`.

mod ada;
mod broken_cache;
mod cache_cli;
mod cache_stopped;
mod docker;
mod dry_run;
mod fake_runs;
mod faults;
mod give_back;
mod group_cache;
mod guides;
mod harness;
mod hub_cache;
mod hub_peer;
mod hub_running;
mod hub_scan;
mod hub_written;
mod images;
mod processors;
mod repair_killed;
mod repair_outside;
mod rootless;
mod run_docker;
mod stacks;
