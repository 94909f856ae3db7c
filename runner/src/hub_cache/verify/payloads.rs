//! Payloads of the shared store that no repo links to: a commit's list may tell their digest.

use std::{io, sync::Arc, time::SystemTime};

use super::{Verification, Work};
use crate::hub_cache::{
    breakage::{Breakage, What},
    hash::Hashed,
    hashing::{self, Job},
    names::Digest,
    reached::is_gone,
    repo::{At, in_store},
    store::{Payload, STORE},
    verified::{self, Verified},
};

/// Checks them.
pub(super) fn unlinked(work: &Work<'_>, full: bool, verification: &mut Verification) {
    let Some(store) = &work.cache.store else { return };
    let hub = &work.cache.path;
    let memory = work.memory.map(|base| verified::file(base, hub, STORE));
    let mut verified = memory.as_deref().map(Verified::load).unwrap_or_default();
    let now = SystemTime::now();
    let mut pending: Vec<(&Payload, Digest)> = Vec::new();
    for payload in store.payloads.iter().filter(|payload| !work.linked.contains(&payload.name)) {
        let listed = payload.name.to_str().and_then(|name| work.listed.get(name));
        // A download of what a list names links it instead of fetching it.
        if !work.is_blind && listed.is_none() {
            add(verification, What::OrphanBlob, payload, "no repo links to it".to_owned());
        }
        let Some(name) = listed.and_then(|name| Digest::of_name(name.as_bytes())) else {
            verification.tally.unverifiable += 1;
            let evidence = "only a repo that links to it could tell".to_owned();
            add(verification, What::Unverifiable, payload, evidence);
            continue;
        };
        let known = if full { None } else { verified.recall(&payload.stamp, name) };
        match known {
            Some(digest) if digest == name => verification.tally.remembered += 1,
            _ => pending.push((payload, name)),
        }
    }
    let job = |(payload, name): &(&Payload, Digest)| Job {
        file: At { dir: Arc::clone(&work.cache.dir), below: in_store(&payload.name) },
        like: *name,
        size: payload.stamp.size,
    };
    let jobs: Vec<_> = pending.iter().map(job).collect();
    work.progress.expect(jobs.iter().map(|job| job.size).sum());
    let hashed = hashing::run(&jobs, &work.progress, work.stop);
    for ((payload, name), hashed) in pending.into_iter().zip(hashed) {
        match hashed {
            Hashed::Is(digest, stamp) => {
                verified.remember(&stamp, digest, now);
                verification.tally.hashed += 1;
                verification.tally.hashed_bytes += stamp.size;
                compare(verification, payload, name, digest);
                continue;
            }
            Hashed::Changing => {
                let evidence = "it changed while it was read".to_owned();
                add(verification, What::Changing, payload, evidence);
            }
            Hashed::Failed(error) if is_gone(&error) => {
                let evidence = "it went before it was read".to_owned();
                add(verification, What::Changing, payload, evidence);
            }
            // Who may not read it was found by its owner and mode.
            Hashed::Failed(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Hashed::Failed(error) => add(verification, What::DiskError, payload, error.to_string()),
            Hashed::Interrupted => {
                verified.recall(&payload.stamp, name);
            }
        }
        verification.tally.unchecked += 1;
    }
    if let Some(memory) = memory {
        // Without a memory the next check only takes longer.
        let _ = verified.save(&memory);
    }
}

fn compare(verification: &mut Verification, payload: &Payload, name: Digest, digest: Digest) {
    if digest != name {
        let evidence = format!("its bytes have the digest {digest}, a commit lists {name}");
        add(verification, What::CorruptBlob, payload, evidence);
    }
}

fn add(verification: &mut Verification, what: What, payload: &Payload, evidence: String) {
    verification.breakages.push(Breakage {
        what,
        path: in_store(&payload.name),
        repo: None,
        bytes: payload.stamp.size,
        evidence,
        fixes: vec![],
    });
}
