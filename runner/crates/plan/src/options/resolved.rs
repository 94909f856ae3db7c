//! A run whose settings were checked on the disk. Only such a run can be planned.

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

/// Settings with what the disk adds to them: resolved symlinks of the cache and of local inputs, and a
/// token only if its file exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// Token files in the mounted folders.
    pub secrets: Vec<Secret>,
    /// Supplementary groups of the user that own a mounted path.
    pub groups: Vec<u32>,
    /// The record of a Hub cache that a container could have replaced.
    pub trust: Option<Trust>,
    /// File that the engine's client writes the container's id to.
    pub cidfile: HostPath,
}

impl Settings {
    /// Checks the settings on the disk.
    ///
    /// # Errors
    /// When no engine can mount the target of a symlink, a container may have created the symlink, or a
    /// local model, a dataset or the token is unusable.
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

    /// Resolves the settings without the disk, for a run that is only shown.
    ///
    /// # Errors
    /// When no folder is suitable for the file with the container's id.
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
