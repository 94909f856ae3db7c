//! What lies in a cache besides repos, and around it: the store, strangers, the HuggingFace home.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statfs};

use super::access::Who;
use crate::hub_cache::{
    breakage::{AN_HOUR, Breakage, Fix, What},
    cache::Cache,
    dir::Kind,
    names::{RepoName, is_link_probe},
    store::STORE,
};
use crate::token::{Fault, fault};

/// File systems that are another machine's, by the magic numbers of statfs(2).
const OF_OTHER_MACHINES: [(i64, &str); 5] = [
    (0x6969, "NFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
];

/// `version.txt`, which transformers 4 leaves.
const OF_TRANSFORMERS: &str = "version.txt";

/// Judges what lies at the top of a cache.
pub(crate) fn top(cache: &Cache) -> Vec<Breakage> {
    let mut found = Vec::new();
    let mut add = |what, path: PathBuf, bytes, evidence: &str, fixes| {
        let evidence = evidence.to_owned();
        found.push(Breakage { what, path, repo: None, bytes, evidence, fixes });
    };
    for (name, kind) in &cache.others {
        let bytes = cache.dir.look(name).map_or(0, |stamp| stamp.size);
        let path = PathBuf::from(name);
        if *kind == Kind::Folder && is_link_probe(name) {
            let fix = Fix::Remove { path: path.clone(), lock: None, idle: AN_HOUR };
            add(
                What::Leftover,
                path,
                0,
                "a client tried here whether links can be made",
                vec![fix],
            );
        } else if *kind == Kind::Folder && name == STORE {
            add(What::ForeignFile, path, 0, "a folder that is not marked as the store", vec![]);
        } else if *kind == Kind::Link && name.to_str().and_then(RepoName::of_folder).is_some() {
            add(What::ForeignFile, path, 0, "a link that leads to no folder", vec![]);
        } else if name != OF_TRANSFORMERS {
            let bytes = if *kind == Kind::File { bytes } else { 0 };
            add(What::ForeignFile, path, bytes, "no repo of the Hub is called so", vec![]);
        }
    }
    if let Some(store) = &cache.store {
        for (path, stamp) in &store.others {
            let path = Path::new(STORE).join(path);
            let bytes = if stamp.kind == Kind::File { stamp.size } else { 0 };
            add(What::ForeignFile, path, bytes, "it is no payload of the store", vec![]);
        }
    }
    found.extend(two_spellings(cache));
    found.extend(network(&cache.path));
    found
}

/// The Hub does not tell upper from lower case in ids; a cache does.
fn two_spellings(cache: &Cache) -> Vec<Breakage> {
    let mut spellings: BTreeMap<String, Vec<&RepoName>> = BTreeMap::new();
    for repo in &cache.repos {
        spellings.entry(repo.folder().to_lowercase()).or_default().push(repo);
    }
    let several = spellings.into_values().filter(|repos| repos.len() > 1);
    several
        .map(|repos| {
            let names: Vec<_> = repos.iter().map(|repo| format!("`{}`", repo.folder())).collect();
            Breakage {
                what: What::TwoSpellings,
                path: repos[0].folder().into(),
                repo: Some(repos[0].clone()),
                bytes: 0,
                evidence: format!("{} are one repo on the Hub", names.join(" and ")),
                fixes: vec![],
            }
        })
        .collect()
}

fn network(hub: &Path) -> Option<Breakage> {
    let magic = statfs(hub).ok()?.f_type as i64;
    let (_, name) = OF_OTHER_MACHINES.iter().find(|(known, _)| *known == magic)?;
    Some(Breakage {
        what: What::NetworkFileSystem,
        path: PathBuf::new(),
        repo: None,
        bytes: 0,
        evidence: format!("the cache lies on {name}"),
        fixes: vec![],
    })
}

/// Judges the HuggingFace home, the token and the folder that the user works in.
pub(crate) fn home(home: &Path, token: Option<&Path>, cwd: &Path, who: Who<'_>) -> Vec<Breakage> {
    let mut found = Vec::new();
    let mut add = |what, path: &Path, evidence: String| {
        let path = path.to_owned();
        found.push(Breakage { what, path, repo: None, bytes: 0, evidence, fixes: vec![] });
    };
    if let Ok(data) = fs::metadata(home)
        && access(home, Access::READ_OK | Access::EXEC_OK).is_err()
    {
        let evidence = format!(
            "your HuggingFace home has the mode {:04o} and belongs to uid {}; a login as somebody \
             else closes it so",
            data.mode() & 0o7777,
            data.uid()
        );
        add(What::ClosedFolder, home, evidence);
    }
    if let Some((token, fault)) = token.and_then(|token| Some((token, fault(token, who.uid)?))) {
        let (what, evidence) = match fault {
            Fault::Unreadable(why) | Fault::NotAToken(why) => (What::UnreadableToken, why),
            Fault::Mode(mode) => {
                (What::OpenToken, format!("its mode {mode:04o} opens it to others"))
            }
            Fault::Owner(uid) => (What::OpenToken, format!("it belongs to uid {uid}")),
        };
        add(what, token, evidence);
    }
    let tilde = cwd.join("~");
    if tilde.join(".cache/huggingface").is_dir() {
        add(What::TildeFolder, &tilde, "it holds a HuggingFace cache".to_owned());
    }
    found
}
