//! Repairs of what is somebody else's. To test that as anybody, the user is another than the tester.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    Context, FILES, Failure, Fixture, HostPath, Repair, TakeBack, everything, git_id, me, repair,
};

/// Leaves `left` alone, cannot give `root` back, and opens a folder with `hidden` the first time.
struct Container<'a> {
    fixture: &'a Fixture,
    /// Whether the user wants to stop once it was asked.
    is_enough: bool,
    stop: AtomicBool,
    asked: RefCell<Vec<Vec<PathBuf>>>,
}

const REPO: &str = "models--a--m/blobs";

impl<'a> Container<'a> {
    fn new(fixture: &'a Fixture, is_enough: bool) -> Self {
        Self { fixture, is_enough, stop: AtomicBool::new(false), asked: RefCell::default() }
    }
}

impl TakeBack for Container<'_> {
    fn leave(&self, _: &HostPath, path: &Path) -> Option<String> {
        let why = "it has 2 names";
        (path.parent() != Some(Path::new(REPO)) || path.ends_with("left")).then(|| why.to_owned())
    }

    fn take_back(&self, _: &HostPath, paths: &[PathBuf]) -> anyhow::Result<Vec<Failure>> {
        self.fixture.write(Path::new(REPO).join("hidden"), "");
        self.asked.borrow_mut().push(paths.to_vec());
        self.stop.store(self.is_enough, Ordering::Relaxed);
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
    let context = Context { host: &host, token: None, memory: None, stop: &container.stop };
    repair(&places, &everything(), &context, container, really).unwrap()
}

#[test]
fn what_cannot_be_given_back_holds_nothing_else_up() {
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
    let told: Vec<_> = text.lines().filter(|line| line.contains("yours")).collect();
    assert_eq!(told.len(), 3, "{text}");
    assert!(told[0].starts_with("left") && told[0].contains("it has 2 names"), "{text}");
    assert!(
        told[1].contains("1 of 2 are not yours yet, first `models--a--m/blobs/root`"),
        "{text}"
    );
    assert!(told[2].starts_with("done"), "{text}");
}

#[test]
fn a_stop_while_owners_are_changed_ends_the_repair() {
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
