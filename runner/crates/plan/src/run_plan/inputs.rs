//! Where the benchmark finds the user's own models and datasets, and its arguments after that.

use contract::{Backend, path};
use host::exit::Usage;
use hub::HubCache;

use super::parts::{Input, InputBy};
use crate::{
    local_input::{Found, Kind, LocalInput, plain_name},
    options::Settings,
};

/// The inputs of a run, placed.
pub(super) struct Placed {
    pub(super) places: Vec<Input>,
    /// The benchmark's arguments, each path replaced by the one that the benchmark sees.
    pub(super) args: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Gives every local input a place.
///
/// # Errors
/// When the backend cannot load what it is given.
pub(super) fn place(
    options: &Settings,
    backend: Backend,
    container: bool,
) -> Result<Placed, Usage> {
    let mut placed = Placed {
        places: vec![],
        args: options.args.clone(),
        warnings: options.inputs.warnings.clone(),
    };
    for input in &options.inputs.local {
        let arg = &options.args[input.argument];
        check(input, backend).map_err(|why| Usage(format!("`{arg}`: {why}")))?;
        let (place, seen) = if container {
            let cache = backend.needs_hub_cache().then_some(&options.cache);
            placed.warnings.extend(warning(input));
            in_container(input, cache)
        } else {
            itself(input)
        };
        let key = arg.split_once('=').map_or(arg.as_str(), |(key, _)| key);
        placed.args[input.argument] = format!("{key}={seen}");
        placed.places.push(place);
    }
    Ok(placed)
}

/// The place of an input in a container, and the way that the benchmark is told.
fn in_container(input: &LocalInput, cache: Option<&HubCache>) -> (Input, String) {
    let LocalInput { kind, argument: _, path: named, found } = input;
    let (folder, word) = (kind.folder(), kind.word());
    let place = |source, target, by, reason| Input { source, target, by, reason };
    let way = found.as_ref().and_then(|found| found.in_hub.as_ref());
    if let (Some(cache), Some(way)) = (cache, way) {
        let hub = match cache.hub_outside_home() {
            Some(_) => path::HUB_CACHE.to_owned(),
            None => format!("{}/hub", path::HF_HOME),
        };
        let target = format!("{hub}/{way}");
        let reason = format!("your {word} lies in the Hub cache, which is mounted anyway");
        return (place(named.clone(), target.clone(), InputBy::HubCache, reason), target);
    }
    match found {
        Some(Found { mount, below, .. }) if !below.is_empty() => {
            let target = format!("{folder}/{}", plain_name(mount.as_path(), *kind));
            let seen = format!("{target}/{below}");
            let reason =
                format!("the whole repo of your {word}: the files of a snapshot are links into it");
            (place(mount.clone(), target, InputBy::OwnMount, reason), seen)
        }
        _ => {
            let source = found.as_ref().map_or(named, |found| &found.mount).clone();
            let target = format!("{folder}/{}", input.name());
            let reason = format!("your {word}, named by its path");
            (place(source, target.clone(), InputBy::OwnMount, reason), target)
        }
    }
}

/// The place of an input without a container.
fn itself(input: &LocalInput) -> (Input, String) {
    let path = input.path.to_string();
    let place = Input {
        source: input.path.clone(),
        target: path.clone(),
        by: InputBy::Itself,
        reason: format!("your {}, named by its path", input.kind.word()),
    };
    (place, path)
}

/// Whether `backend` can load a model of this shape.
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

/// A warning when a container does not see all that the input's folder shows here.
fn warning(input: &LocalInput) -> Option<String> {
    let (link, leads_to) = input.found.as_ref()?.leads_out.as_ref()?;
    Some(format!(
        "`{}` leads to `{}`, which the container does not see; if your {} needs it, name a copy \
         without links, made with `cp -rL`",
        link.display(),
        leads_to.display(),
        input.kind.word()
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use contract::Backend;

    use super::place;
    use host::{paths::host_path::HostPath, testing::host};

    use crate::{
        local_input::Found,
        options::{Request, Settings},
    };

    fn options(args: &[&str], variables: &[(&str, &str)]) -> Settings {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut host = host();
        host.env = variables.iter().copied().collect();
        Settings::new(Request { args, ..Request::default() }, &host).unwrap()
    }

    /// The same, with this found on the disk for its only input.
    fn found(mut options: Settings, change: impl Fn(&mut Found)) -> Settings {
        let input = &mut options.inputs.local[0];
        let mut found = Found {
            is_folder: true,
            mount: input.path.clone(),
            below: String::new(),
            in_hub: None,
            leads_out: None,
        };
        change(&mut found);
        input.found = Some(found);
        options
    }

    /// What a container is told, and what it is given for that.
    fn told(options: &Settings, backend: Backend) -> String {
        let placed = place(options, backend, true).unwrap();
        let input = &placed.places[0];
        format!("{}\n{:?}: {} -> {}", placed.args[0], input.by, input.source, input.target)
    }

    #[test]
    fn a_path_of_its_own_is_mounted_under_its_name() {
        let model = options(&["+backend.model='./my model'"], &[]);
        insta::assert_snapshot!(told(&model, Backend::Pytorch), @r"
        +backend.model=/models/my_model
        OwnMount: /home/ada/bench/my model -> /models/my_model
        ");
        let data = options(&["scenario.dataset_name=~/p.csv"], &[]);
        let elsewhere = HostPath::new("", Path::new("/far/blob"), Path::new("/")).unwrap();
        let linked = found(data, |found| {
            found.mount = elsewhere.clone();
            found.is_folder = false;
        });
        let mounted = told(&linked, Backend::Vllm);
        insta::assert_snapshot!(mounted, @r"
        scenario.dataset_name=/data/p.csv
        OwnMount: /far/blob -> /data/p.csv
        ");
        for backend in Backend::ALL {
            assert_eq!(told(&linked, backend), mounted, "every backend reads datasets");
        }
    }

    #[test]
    fn what_the_mounted_cache_holds_is_not_mounted_again() {
        let cached = |variables: &[(&str, &str)]| {
            found(
                options(&["scenario.dataset_name=/c/datasets--o--d/snapshots/ab"], variables),
                |found| {
                    found.in_hub = Some("datasets--o--d/snapshots/ab".to_owned());
                    found.mount =
                        HostPath::new("", "/c/datasets--o--d".as_ref(), "/".as_ref()).unwrap();
                    found.below = "snapshots/ab".to_owned();
                },
            )
        };
        insta::assert_snapshot!(told(&cached(&[]), Backend::Optimum), @r"
        scenario.dataset_name=/home/user/.cache/huggingface/hub/datasets--o--d/snapshots/ab
        HubCache: /c/datasets--o--d/snapshots/ab -> /home/user/.cache/huggingface/hub/datasets--o--d/snapshots/ab
        ");
        let apart = cached(&[("HF_HUB_CACHE", "/c")]);
        insta::assert_snapshot!(told(&apart, Backend::Optimum), @r"
        scenario.dataset_name=/hub_cache/datasets--o--d/snapshots/ab
        HubCache: /c/datasets--o--d/snapshots/ab -> /hub_cache/datasets--o--d/snapshots/ab
        ");
        // A client of a server is given no cache.
        insta::assert_snapshot!(told(&apart, Backend::Vllm), @r"
        scenario.dataset_name=/data/datasets--o--d/snapshots/ab
        OwnMount: /c/datasets--o--d -> /data/datasets--o--d
        ");
    }

    #[test]
    fn without_a_container_the_path_is_the_whole_path() {
        let model = found(options(&["backend.model=\"./my model\""], &[]), |_| ());
        let placed = place(&model, Backend::Pytorch, false).unwrap();
        assert_eq!(placed.args[0], "backend.model=/home/ada/bench/my model");
    }

    #[test]
    fn what_a_container_does_not_see_is_told() {
        let model = found(options(&["backend.model=./m"], &[]), |found| {
            found.leads_out = Some(("/m/weights".into(), "/far/weights".into()));
        });
        let warnings = |container| place(&model, Backend::Pytorch, container).unwrap().warnings;
        insta::assert_snapshot!(warnings(true).join("\n"), @"`/m/weights` leads to `/far/weights`, which the container does not see; if your model needs it, name a copy without links, made with `cp -rL`");
        assert_eq!(warnings(false), [""; 0]);
    }

    #[test]
    fn a_backend_that_cannot_load_the_model_is_named() {
        let shaped = |is_folder: bool, backend| {
            let model = options(&["backend.model=./m.gguf"], &[]);
            let model = found(model, |found| found.is_folder = is_folder);
            place(&model, backend, true).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(shaped(false, Backend::Native), Ok(()));
        insta::assert_snapshot!(shaped(true, Backend::Native).unwrap_err(), @"`backend.model=./m.gguf`: the `native` backend loads one .gguf file, and `/home/ada/bench/m.gguf` is a folder; name a file in it");
        insta::assert_snapshot!(shaped(false, Backend::Optimum).unwrap_err(), @"`backend.model=./m.gguf`: the `optimum` backend loads a folder of weights, and `/home/ada/bench/m.gguf` is one file; name a folder, or use `--backend native`");
    }
}
