//! Python scripts in a container of the `cpu` image, which has the adapter.

use std::path::Path;

use crate::ada::docker;

/// What a script says, as `user` and without a network. `mounts` are paths here and paths there,
/// behind which options of a mount may stand.
pub(crate) fn in_cpu_image(user: &str, mounts: &[(&Path, &str)], script: &[&str]) -> String {
    let mounts: Vec<_> = mounts
        .iter()
        .map(|(source, target)| {
            format!("type=bind,\"source={}\",target={target}", source.display())
        })
        .collect();
    let mut args = vec!["run", "--rm", "--pull", "never", "--network", "none", "--user", user];
    args.extend(["--env", "PYTHONPATH=/usr/local/share/aienergyscore", "--entrypoint", "python"]);
    mounts.iter().for_each(|mount| args.extend(["--mount", mount]));
    args.extend(["ai_energy_score:cpu", "-B"]);
    args.extend(script);
    docker(&args)
}
