//! Subordinate user ids: who owns the files that containers write.

use std::{fs, ops::Range};

use nix::unistd::{Uid, User};

use crate::machine::Host;

/// The user whose subordinate ids Docker's `userns-remap: default` uses.
const DOCKER: &str = "dockremap";

/// Ids of the user and of the user's containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// User id.
    pub user: u32,
    /// Subordinate ids of the user and of Docker.
    pub container: Vec<Range<u32>>,
}

impl Ids {
    /// Reads `/etc/subuid` for the user of `host`.
    pub fn of_this_machine(host: &Host) -> Self {
        let user = User::from_uid(Uid::from_raw(host.uid)).ok().flatten();
        let name = user.as_ref().map(|user| user.name.as_str());
        let text = fs::read_to_string("/etc/subuid").unwrap_or_default();
        let container = parse_subids(&text, host.uid, name);
        Self { user: host.uid, container }
    }

    /// Whether `owner` is root or a subordinate id.
    pub fn is_container(&self, owner: u32) -> bool {
        owner == 0 || self.container.iter().any(|range| range.contains(&owner))
    }
}

/// Ranges in the text of `/etc/subuid` that belong to the user or to Docker.
fn parse_subids(text: &str, user: u32, name: Option<&str>) -> Vec<Range<u32>> {
    let is_ours = |whose: &str| {
        Some(whose) == name || whose == DOCKER || whose.parse::<u32>().is_ok_and(|uid| uid == user)
    };
    let range = |line: &str| {
        let mut fields = line.trim().rsplitn(3, ':');
        let count: u32 = fields.next()?.parse().ok()?;
        let first: u32 = fields.next()?.parse().ok()?;
        // Lower ids belong to regular users, even if the file lists them.
        (is_ours(fields.next()?) && first >= 65_536).then(|| first..first.saturating_add(count))
    };
    text.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::parse_subids;

    #[test]
    fn only_subordinate_ids_of_the_user_and_of_docker_are_containers() {
        let text = "ada:100000:65536\n# a comment\n\ndockremap:165536:65536\nodd:1000:5\nx:1\n\
                    eve:300000:65536\n1000:400000:65536\n1001:500000:65536\nada:1000:5\n";
        let docker = 165_536..231_072;
        assert_eq!(
            parse_subids(text, 1000, Some("ada")),
            [100_000..165_536, docker.clone(), 400_000..465_536]
        );
        assert_eq!(parse_subids(text, 7, None), [docker]);
    }
}
