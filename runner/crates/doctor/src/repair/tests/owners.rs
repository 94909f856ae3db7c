//! Repairs of entries of another user. The tests work for anyone, as they pretend to be another user.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    Context, FILES, Failure, Fixture, HostPath, Ownership, Repair, everything, git_id, me, repair,
};

/// Keeps the owner of `left`, fails for `root`, and makes `hidden` readable when first asked.
struct Container<'a> {
    fixture: &'a Fixture,
    /// Whether the user interrupts while it changes owners.
    interrupts: bool,
    stop: AtomicBool,
    asked: RefCell<Vec<Vec<PathBuf>>>,
}

const REPO: &str = "models--a--m/blobs";

impl<'a> Container<'a> {
    fn new(fixture: &'a Fixture, interrupts: bool) -> Self {
        Self { fixture, interrupts, stop: AtomicBool::new(false), asked: RefCell::default() }
    }
}

impl Ownership for Container<'_> {
    fn why_protected(&self, _: &HostPath, path: &Path) -> Option<String> {
        let why = "it has 2 names";
        (path.parent() != Some(Path::new(REPO)) || path.ends_with("left")).then(|| why.to_owned())
    }

    fn reclaim(&self, _: &HostPath, paths: &[PathBuf]) -> anyhow::Result<Vec<Failure>> {
        self.fixture.write(Path::new(REPO).join("hidden"), "");
        self.asked.borrow_mut().push(paths.to_vec());
        self.stop.store(self.interrupts, Ordering::Relaxed);
        let root = paths.iter().filter(|path| path.ends_with("root"));
        let error = "not permitted".to_owned();
        Ok(root.map(|path| Failure { path: path.clone(), error: error.clone() }).collect())
    }

    fn sudo_line(&self, _: &HostPath, paths: &[PathBuf]) -> String {
        format!("sudo {paths:?}")
    }
}

fn repaired(fixture: &Fixture, container: &Container<'_>, really: bool) -> Repair {
    let (mut host, places) = me(fixture);
    host.uid += 1;
    let context = Context { host: &host, token: None, digest_cache: None, stop: &container.stop };
    repair(&places, &everything(), &context, container, really).unwrap()
}

#[test]
fn entry_that_cannot_be_reclaimed_does_not_stop_the_others() {
    let fixture = Fixture::empty();
    fixture.model("a/m", &FILES[..1], true);
    for name in ["left", "root"] {
        fixture.write(Path::new(REPO).join(name), "");
    }
    let container = Container::new(&fixture, false);
    let planned = repaired(&fixture, &container, false);
    let at =
        |names: &[&str]| names.iter().map(|name| Path::new(REPO).join(name)).collect::<Vec<_>>();
    let config = git_id(b"{}");
    let asked = [at(&[&config, "root"]), at(&["hidden"])];
    assert_eq!(planned.sudo.unwrap(), format!("sudo {:?}", asked[0]));
    assert!(container.asked.borrow().is_empty());

    let done = repaired(&fixture, &container, true);
    assert_eq!(*container.asked.borrow(), asked);
    assert_eq!(done.sudo.as_deref().unwrap(), format!("sudo {:?}", at(&["root"])));
    let text = done.lines();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("yours")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("left") && lines[0].contains("it has 2 names"), "{text}");
    assert!(
        lines[1].contains("1 of 2 are not yours yet, first `models--a--m/blobs/root`"),
        "{text}"
    );
    assert!(lines[2].starts_with("done"), "{text}");
}

#[test]
fn interrupt_while_owners_change_ends_the_repair() {
    let fixture = Fixture::empty();
    fixture.model("a/m", &FILES[..1], true);
    let config = fixture.at(format!("models--a--m/blobs/{}", git_id(b"{}")));
    std::fs::write(&config, "[]").unwrap();
    let container = Container::new(&fixture, true);
    let done = repaired(&fixture, &container, true);
    assert_eq!(container.asked.borrow().len(), 1, "without a stop it asks twice");
    assert!(done.interrupted, "{}", done.lines());
    assert_eq!(std::fs::read(config).unwrap(), b"[]", "nothing else was begun");
    let again = Container::new(&fixture, true);
    again.stop.store(true, Ordering::Relaxed);
    assert!(repaired(&fixture, &again, true).interrupted && again.asked.borrow().is_empty());
}
