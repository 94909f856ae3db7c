//! The paths of local models and datasets for the benchmark, and its arguments with these paths.

use contract::{Backend, path};
use host::exit::Usage;
use hub::HubCache;

use super::parts::{Input, InputBy};
use crate::{
    local_input::{Found, Kind, LocalInput, plain_name},
    options::Settings,
};

/// The local inputs of a run, with their paths for the benchmark.
pub(super) struct Placed {
    pub(super) places: Vec<Input>,
    /// The benchmark's arguments, with the paths that the benchmark sees.
    pub(super) args: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Gives every local input a path for the benchmark.
///
/// # Errors
/// When the backend cannot load an input.
pub(super) fn place(
    settings: &Settings,
    backend: Backend,
    container: bool,
) -> Result<Placed, Usage> {
    let mut placed = Placed {
        places: vec![],
        args: settings.args.clone(),
        warnings: settings.inputs.warnings.clone(),
    };
    for input in &settings.inputs.local {
        let arg = &settings.args[input.argument];
        check(input, backend).map_err(|why| Usage(format!("`{arg}`: {why}")))?;
        let (place, seen) = if container {
            let cache = backend.needs_hub_cache().then_some(&settings.cache);
            placed.warnings.extend(warning(input));
            in_container(input, cache)
        } else {
            in_place(input)
        };
        let key = arg.split_once('=').map_or(arg.as_str(), |(key, _)| key);
        placed.args[input.argument] = format!("{key}={seen}");
        placed.places.push(place);
    }
    Ok(placed)
}

/// An input in a container, and the path for its argument.
fn in_container(input: &LocalInput, cache: Option<&HubCache>) -> (Input, String) {
    let LocalInput { kind, argument: _, path: named, found } = input;
    let (folder, word) = (kind.folder(), kind.word());
    let place = |source, target, by, reason| Input { source, target, by, reason };
    let hub_path = found.as_ref().and_then(|found| found.hub_path.as_ref());
    if let (Some(cache), Some(hub_path)) = (cache, hub_path) {
        let hub = match cache.hub_outside_home() {
            Some(_) => path::HUB_CACHE.to_owned(),
            None => format!("{}/hub", path::HF_HOME),
        };
        let target = format!("{hub}/{hub_path}");
        let reason = format!("your {word} lies in the Hub cache, which is mounted anyway");
        return (place(named.clone(), target.clone(), InputBy::HubCache, reason), target);
    }
    let (source, subpath) = match found {
        Some(Found { mount, subpath, .. }) => (mount, subpath.as_str()),
        None => (named, ""),
    };
    if subpath.is_empty() {
        let target = format!("{folder}/{}", plain_name(named.as_path(), *kind));
        let reason = format!("your {word}, named by its path");
        return (place(source.clone(), target.clone(), InputBy::OwnMount, reason), target);
    }
    let target = format!("{folder}/{}", plain_name(source.as_path(), *kind));
    let seen = format!("{target}/{subpath}");
    let reason =
        format!("the whole repo of your {word}: the files of a snapshot are links into it");
    (place(source.clone(), target, InputBy::OwnMount, reason), seen)
}

/// An input on the host engine, and the path for its argument.
fn in_place(input: &LocalInput) -> (Input, String) {
    let path = input.path.to_string();
    let place = Input {
        source: input.path.clone(),
        target: path.clone(),
        by: InputBy::InPlace,
        reason: format!("your {}, named by its path", input.kind.word()),
    };
    (place, path)
}

/// Refuses a model that `backend` cannot load: a folder or a file.
fn check(input: &LocalInput, backend: Backend) -> Result<(), String> {
    let LocalInput { kind, argument: _, path, found } = input;
    let is_folder = found.as_ref().map(|found| found.is_folder);
    match (kind, backend, is_folder) {
        (Kind::Model, Backend::Native, Some(true)) => Err(format!(
            "the `native` backend loads one .gguf file, and `{path}` is a folder; name a file in it"
        )),
        (Kind::Model, Backend::Optimum | Backend::Pytorch, Some(false)) => Err(format!(
            "the `{backend}` backend loads a folder of weights, and `{path}` is one file; name a \
             folder, or use `--backend native`"
        )),
        _ => Ok(()),
    }
}

/// A warning if a symlink in the input's folder points to a path outside of the container's mounts.
fn warning(input: &LocalInput) -> Option<String> {
    let (link, target) = input.found.as_ref()?.outside_link.as_ref()?;
    Some(format!(
        "`{}` leads to `{}`, which the container does not see; if your {} needs it, name a copy \
         without links, made with `cp -rL`",
        link.display(),
        target.display(),
        input.kind.word()
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use contract::Backend;

    use host::{paths::host_path::HostPath, testing::host};

    use super::place;
    use crate::{
        local_input::Found,
        options::{Request, Settings},
    };

    fn settings(args: &[&str], variables: &[(&str, &str)]) -> Settings {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut host = host();
        host.env = variables.iter().copied().collect();
        Settings::new(Request { args, ..Request::default() }, &host).unwrap()
    }

    /// These settings, with this result for their only input on the disk.
    fn found(mut settings: Settings, change: impl Fn(&mut Found)) -> Settings {
        let input = &mut settings.inputs.local[0];
        let mut found = Found {
            is_folder: true,
            mount: input.path.clone(),
            subpath: String::new(),
            hub_path: None,
            outside_link: None,
        };
        change(&mut found);
        input.found = Some(found);
        settings
    }

    /// The argument and the mount of the only input in a container.
    fn placed(settings: &Settings, backend: Backend) -> String {
        let placed = place(settings, backend, true).unwrap();
        let input = &placed.places[0];
        format!("{}\n{:?}: {} -> {}", placed.args[0], input.by, input.source, input.target)
    }

    #[test]
    fn local_path_is_mounted_under_its_name() {
        let model = settings(&["+backend.model='./my model'"], &[]);
        insta::assert_snapshot!(placed(&model, Backend::Pytorch), @r"
        +backend.model=/models/my_model
        OwnMount: /home/ada/bench/my model -> /models/my_model
        ");
        let data = settings(&["scenario.dataset_name=~/p.csv"], &[]);
        let elsewhere = HostPath::new("", Path::new("/far/blob"), Path::new("/")).unwrap();
        let linked = found(data, |found| {
            found.mount = elsewhere.clone();
            found.is_folder = false;
        });
        let mounted = placed(&linked, Backend::Vllm);
        insta::assert_snapshot!(mounted, @r"
        scenario.dataset_name=/data/p.csv
        OwnMount: /far/blob -> /data/p.csv
        ");
        for backend in Backend::ALL {
            assert_eq!(placed(&linked, backend), mounted, "every backend reads datasets");
        }
    }

    #[test]
    fn input_in_the_mounted_cache_is_not_mounted_again() {
        let cached = |variables: &[(&str, &str)]| {
            found(
                settings(&["scenario.dataset_name=/c/datasets--o--d/snapshots/ab"], variables),
                |found| {
                    found.hub_path = Some("datasets--o--d/snapshots/ab".to_owned());
                    found.mount =
                        HostPath::new("", "/c/datasets--o--d".as_ref(), "/".as_ref()).unwrap();
                    found.subpath = "snapshots/ab".to_owned();
                },
            )
        };
        insta::assert_snapshot!(placed(&cached(&[]), Backend::Optimum), @r"
        scenario.dataset_name=/home/user/.cache/huggingface/hub/datasets--o--d/snapshots/ab
        HubCache: /c/datasets--o--d/snapshots/ab -> /home/user/.cache/huggingface/hub/datasets--o--d/snapshots/ab
        ");
        let apart = cached(&[("HF_HUB_CACHE", "/c")]);
        insta::assert_snapshot!(placed(&apart, Backend::Optimum), @r"
        scenario.dataset_name=/hub_cache/datasets--o--d/snapshots/ab
        HubCache: /c/datasets--o--d/snapshots/ab -> /hub_cache/datasets--o--d/snapshots/ab
        ");
        // The `vllm` backend mounts no cache.
        insta::assert_snapshot!(placed(&apart, Backend::Vllm), @r"
        scenario.dataset_name=/data/datasets--o--d/snapshots/ab
        OwnMount: /c/datasets--o--d -> /data/datasets--o--d
        ");
    }

    #[test]
    fn host_engine_gets_the_absolute_path() {
        let model = found(settings(&["backend.model=\"./my model\""], &[]), |_| ());
        let placed = place(&model, Backend::Pytorch, false).unwrap();
        assert_eq!(placed.args[0], "backend.model=/home/ada/bench/my model");
    }

    #[test]
    fn symlink_out_of_a_folder_is_warned_of_in_a_container() {
        let model = found(settings(&["backend.model=./m"], &[]), |found| {
            found.outside_link = Some(("/m/weights".into(), "/far/weights".into()));
        });
        let warnings = |container| place(&model, Backend::Pytorch, container).unwrap().warnings;
        insta::assert_snapshot!(warnings(true).join("\n"), @"`/m/weights` leads to `/far/weights`, which the container does not see; if your model needs it, name a copy without links, made with `cp -rL`");
        assert_eq!(warnings(false), [""; 0]);
    }

    #[test]
    fn model_that_the_backend_cannot_load_is_refused() {
        let shaped = |is_folder: bool, backend| {
            let model = settings(&["backend.model=./m.gguf"], &[]);
            let model = found(model, |found| found.is_folder = is_folder);
            place(&model, backend, true).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(shaped(false, Backend::Native), Ok(()));
        insta::assert_snapshot!(shaped(true, Backend::Native).unwrap_err(), @"`backend.model=./m.gguf`: the `native` backend loads one .gguf file, and `/home/ada/bench/m.gguf` is a folder; name a file in it");
        insta::assert_snapshot!(shaped(false, Backend::Optimum).unwrap_err(), @"`backend.model=./m.gguf`: the `optimum` backend loads a folder of weights, and `/home/ada/bench/m.gguf` is one file; name a folder, or use `--backend native`");
    }
}
