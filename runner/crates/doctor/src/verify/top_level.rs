//! Checks the other entries at the top of a cache, the Hugging Face home and the token.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path};

use hub::{
    RepoName,
    cache::Cache,
    layout::{Kind, STORE, is_link_probe},
    token::{Fault, fault},
};
use rustix::fs::{Access, access};

use super::access::User;
use crate::finding::{Details, Finding, HOUR, Problem};

/// Name of a file that transformers 4 writes into the cache.
const TRANSFORMERS_VERSION: &str = "version.txt";

/// Checks entries at the top of a cache.
pub(super) fn entries(cache: &Cache) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, kind) in &cache.others {
        let evidence = match kind {
            _ if name == TRANSFORMERS_VERSION => continue,
            Kind::Folder if is_link_probe(name) => {
                let evidence = "a client tested here whether it can make symlinks";
                let details = Details::Unused { lock: None, idle: HOUR };
                found.push(Finding { details, ..Finding::new(Problem::Leftover, name, evidence) });
                continue;
            }
            Kind::Folder if name == STORE => "a folder that is not marked as the store",
            Kind::Link if name.to_str().and_then(RepoName::of_folder).is_some() => {
                "a link that leads to no folder"
            }
            _ => "no repo of the Hub is called so",
        };
        let stamp = cache.dir.look(name).ok().filter(|stamp| stamp.kind == Kind::File);
        let bytes = stamp.map_or(0, |stamp| stamp.size);
        found.push(Finding { bytes, ..Finding::new(Problem::ForeignFile, name, evidence) });
    }
    let others = cache.store.iter().flat_map(|store| &store.others);
    found.extend(others.map(|(path, stamp)| {
        let bytes = if stamp.kind == Kind::File { stamp.size } else { 0 };
        let evidence = "it is no payload of the store";
        Finding {
            bytes,
            ..Finding::new(Problem::ForeignFile, Path::new(STORE).join(path), evidence)
        }
    }));
    found.extend(two_spellings(cache));
    found
}

/// Finds repos that differ only in case. Ids on the Hub ignore case.
fn two_spellings(cache: &Cache) -> impl Iterator<Item = Finding> {
    let mut spellings: BTreeMap<String, Vec<&RepoName>> = BTreeMap::new();
    for repo in &cache.repos {
        spellings.entry(repo.folder().to_lowercase()).or_default().push(repo);
    }
    spellings.into_values().filter(|repos| repos.len() > 1).map(|repos| {
        let names: Vec<_> = repos.iter().map(|repo| format!("`{}`", repo.folder())).collect();
        let evidence = format!("{} are one repo on the Hub", names.join(" and "));
        let repo = Some(repos[0].clone());
        Finding { repo, ..Finding::new(Problem::Copies, repos[0].folder(), evidence) }
    })
}

/// Checks the Hugging Face home, the token and the working directory.
pub(super) fn home_and_token(
    home: &Path,
    token: Option<&Path>,
    cwd: &Path,
    user: User<'_>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Ok(data) = fs::metadata(home)
        && access(home, Access::READ_OK | Access::EXEC_OK).is_err()
    {
        let evidence = format!(
            "your HuggingFace home has the mode {:04o} and belongs to uid {}; a login as somebody \
             else closes it so",
            data.mode() & 0o7777,
            data.uid()
        );
        found.push(Finding::new(Problem::Unreadable, home, evidence));
    }
    if let Some((token, fault)) = token.and_then(|token| Some((token, fault(token, user.uid)?))) {
        let evidence = match fault {
            Fault::Unreadable(why) | Fault::NotAToken(why) => why,
            Fault::Mode(mode) => format!("its mode {mode:04o} opens it to others"),
            Fault::Owner(uid) => format!("it belongs to uid {uid}"),
        };
        found.push(Finding::new(Problem::TokenFile, token, evidence));
    }
    let tilde = cwd.join("~");
    if tilde.join(".cache/huggingface").is_dir() {
        let evidence = "a program without a home folder kept a cache here; move it to HF_HOME";
        found.push(Finding::new(Problem::ForeignFile, tilde, evidence));
    }
    found
}
