//! The digest of an image in its registry.

use super::LocalImage;
use crate::Mode;

impl LocalImage {
    /// The image's digest in the registry of `reference`, `sha256:` and 64 digits. `None` unless the
    /// image is known to come from there: it was `fetched` just now, or the engine recorded the pull.
    pub fn pulled_digest(&self, reference: &str, mode: Mode, fetched: bool) -> Option<String> {
        let repository = repository(reference);
        let matches =
            |known: &str| known == repository || known.ends_with(&format!("/{repository}"));
        let digests = self.digests.iter().filter_map(|digest| digest.split_once('@'));
        let mut digests = digests.filter(|(known, _)| matches(known)).map(|(_, digest)| digest);
        let digest = digests.next()?;
        let was_pulled = if mode.is_podman() {
            // Podman gives a built or loaded image one digest, too. A pulled multi-platform image has a
            // second one, that of its index.
            digests.any(|other| other != digest)
        } else if self.id.as_deref() == Some(digest) {
            // In containerd's image store every image id is a digest. Docker 29 records the pull.
            self.pulled_from.iter().any(|known| matches(known))
        } else {
            true
        };
        (fetched || was_pulled).then(|| digest.to_owned())
    }
}

/// A reference without tag and digest.
fn repository(reference: &str) -> &str {
    let reference = reference.split('@').next().unwrap_or(reference);
    // A colon before the last slash separates a port.
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => reference,
    }
}

#[cfg(test)]
mod tests {
    use super::{LocalImage, Mode};

    fn image(id: &str, digests: &[&str]) -> LocalImage {
        LocalImage {
            id: Some(id.to_owned()),
            digests: digests.iter().map(|digest| (*digest).to_owned()).collect(),
            ..LocalImage::default()
        }
    }

    #[test]
    fn digest_is_found_by_the_repository() {
        let image = image("sha256:0", &["docker.io/library/bench@sha256:1", "h:5/b/c@sha256:2"]);
        let of = |reference| image.pulled_digest(reference, Mode::DockerRootful, false);
        assert_eq!(of("bench:1").as_deref(), Some("sha256:1"));
        assert_eq!(of("bench@sha256:1").as_deref(), Some("sha256:1"));
        assert_eq!(of("h:5/b/c:latest").as_deref(), Some("sha256:2"));
        assert_eq!(of("h:5/b/c").as_deref(), Some("sha256:2"));
        assert_eq!(of("ench:1"), None);
    }

    #[test]
    fn built_or_loaded_image_is_in_no_registry() {
        // Docker 28.5.2 with containerd's image store, of `docker load`.
        let built = image("sha256:07", &["bench@sha256:07"]);
        let of = |image: &LocalImage, mode, fetched| {
            image.pulled_digest("bench:1", mode, fetched).is_some()
        };
        assert!(!of(&built, Mode::DockerRootful, false));
        assert!(of(&built, Mode::DockerRootful, true), "the run itself has pulled it");
        let pulled =
            LocalImage { pulled_from: vec!["docker.io/library/bench".to_owned()], ..built };
        assert!(of(&pulled, Mode::DockerRootful, false), "Docker 29 says so");
        // Podman 5.8.6.
        let loaded = image("sha256:fe", &["localhost/bench@sha256:80"]);
        assert!(!of(&loaded, Mode::PodmanRootless, false));
        let list = image("sha256:fe", &["r.io/bench@sha256:80", "r.io/bench@sha256:81"]);
        assert!(of(&list, Mode::PodmanRootless, false));
    }
}
