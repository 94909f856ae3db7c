//! A run whose settings were held against the disk: only such a run can be planned.

use contract::Backend;
use engine::EngineChoice;
use host::{
    exit::Usage,
    machine::Host,
    paths::host_path::HostPath,
    run_files::{container_id::CONTAINER_ID, run_file::file_of_run},
    users::groups,
};
use hub::boundary::{self, Boundary, Secret, Trust};

use super::settings::Settings;
use crate::server::Server;

/// Settings with what the disk holds for them: symlinks of the cache and of local inputs followed, and
/// no token where no file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// Files with tokens that the mounted folders hold.
    pub secrets: Vec<Secret>,
    /// Supplementary groups of the user's that own something of what is mounted.
    pub groups: Vec<u32>,
    /// What is known of the Hub cache, where a container could have replaced it.
    pub trust: Option<Trust>,
    /// The file that the engine's client writes the container's id to.
    pub cidfile: HostPath,
}

impl Settings {
    /// Holds the settings against the disk.
    ///
    /// # Errors
    /// When no engine can mount what a symlink leads to, a container may have made the symlink, or a
    /// local model, a dataset or the token does not serve.
    pub fn resolve(self, host: &Host) -> Result<Resolved, Usage> {
        let boundary = Boundary::of(&self.results, &self.cache, host);
        self.check_paths(&boundary, host)?;
        let needs_cache = self.backend.is_none_or(Backend::needs_hub_cache);
        if needs_cache {
            boundary.check_cache(&self.cache)?;
        }
        let cache = self.cache.resolve_hub()?;
        let mut inputs = self.inputs.resolve(&self.args, &cache.hub)?;
        let own = [&self.results, &cache.home, &cache.hub];
        let local = inputs.local.iter().map(|input| input.path.as_path());
        let mounts = inputs.local.iter().filter_map(|input| Some(&input.found.as_ref()?.mount));
        let secrets = boundary::secrets(own.into_iter().chain(mounts), &cache, host)?;
        let token = self.token.map(|token| token.resolve(host)).transpose()?;
        let token = token.unwrap_or_default();
        inputs.warnings.extend(token.warnings());
        let written: Vec<_> = own[..if needs_cache { 3 } else { 1 }]
            .iter()
            .filter_map(|folder| folder.as_path().canonicalize().ok())
            .filter(|_| self.engine != EngineChoice::Host)
            .collect();
        Ok(Resolved {
            cidfile: file_of_run(host, &self.run_id, CONTAINER_ID, &written)?,
            secrets,
            groups: groups::that_own(own.map(HostPath::as_path).into_iter().chain(local), host),
            trust: boundary.into_trusted(),
            settings: Self {
                inputs,
                cache,
                token: token.token,
                server: self.server.map(Server::resolve).transpose()?,
                ..self
            },
        })
    }

    /// The same without a look at the disk, for a run that is shown and never executed.
    ///
    /// # Errors
    /// When there is no place for the file with the container's id.
    pub fn assume(self, host: &Host) -> Result<Resolved, Usage> {
        Ok(Resolved {
            cidfile: file_of_run(host, &self.run_id, CONTAINER_ID, &[])?,
            secrets: vec![],
            groups: vec![],
            trust: None,
            settings: self,
        })
    }
}
