//! How to run the same again: what the summary keeps of the commands and the image.

use contract::{Backend, env, summary::Repeat};

use crate::{
    engine::{Detected, Engine},
    gpus::Devices,
    host::Host,
    meter,
    options::{EngineChoice, RunOptions},
    plan::{Image, Pull, RunPlan},
    relaxed::Relaxed,
    shell::CommandLine,
    terminal::warn,
};

/// How to run it again, as far as it is known before the run.
pub(super) fn repeat(
    options: &RunOptions,
    detected: &Detected,
    plan: &RunPlan,
    command: &CommandLine,
    host: &Host,
) -> Repeat {
    let Detected { engine, why: _, warning: _ } = detected;
    let variables = command.env.iter().map(|(name, value)| (name.as_str(), value.value()));
    let container = with_variables(variables, command.argv());
    let image = plan.image.as_ref().map(|image| image.value.reference.clone());
    Repeat {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        begun: humantime::format_rfc3339_seconds(host.now).to_string(),
        command: own_command(options, engine, plan).iter().map(|word| secretless(word)).collect(),
        container: container.iter().map(|word| secretless(word)).collect(),
        engine: engine.mode.to_string(),
        image_id: None,
        image_digest: None,
        image,
    }
}

/// Adds what is known of the image. One that the run itself has fetched is asked for now.
pub(super) fn with_image(repeat: Repeat, engine: &Engine, plan: &RunPlan) -> Repeat {
    let Some(planned) = &plan.image else { return repeat };
    let fetched = match &engine.image {
        Some(_) => None,
        // The run itself is whole.
        None => engine.ask_image(&planned.value.reference).unwrap_or_else(|error| {
            warn(Some(format!("{error:#}; the summary has no id of the image")));
            None
        }),
    };
    let Some(image) = engine.image.as_ref().or(fetched.as_ref()) else { return repeat };
    let Image { reference, pull } = &planned.value;
    let image_digest = match pull {
        Pull::Never => None,
        Pull::Missing => image.pulled_digest(reference, engine.mode, fetched.is_some()),
    };
    Repeat { image_id: image.id.clone(), image_digest, ..repeat }
}

/// Our own command with its defaults spelled out, and the variables that it heeds before it.
fn own_command(options: &RunOptions, engine: &Engine, plan: &RunPlan) -> Vec<String> {
    // In full: what is new decides over a run, too, or is named here as what does not.
    let RunOptions {
        cache,
        endpoint,
        server,
        threads,
        results,
        token,
        offline,
        memory,
        relaxed,
        meter: meter::Options { idle_seconds, watts_per_cpu },
        args,
        engine: _, // the plan's, which was found for it
        image: _,
        backend: _,
        gpus: _,
        run_id: _, // a run's own
        image_chosen: _,
        secrets: _, // found on the disk
        trust: _,
        addresses: _, // of the network at hand
        cidfile: _,
        inputs: _,
        groups: _,
    } = options;
    let backend = plan.backend.value;
    let mut variables = vec![];
    if backend.needs_hub_cache() {
        variables.push((env::HF_HOME, cache.home.as_str().to_owned()));
        variables.extend(cache.apart().map(|hub| (env::HF_HUB_CACHE, hub.as_str().to_owned())));
    }
    if let Some(endpoint) = endpoint.as_ref().filter(|_| backend == Backend::Vllm) {
        variables.push((env::VLLM_ENDPOINT, endpoint.clone()));
    }
    let certificates = server.as_ref().and_then(|server| server.certificates.as_ref());
    variables.extend(certificates.map(|file| (env::SSL_CERT_FILE, file.as_str().to_owned())));
    if let Some(threads) = threads.as_ref().filter(|_| backend.uses_gpus()) {
        variables.push((env::OMP_NUM_THREADS, threads.clone()));
    }
    let gpus = match &plan.gpus.value {
        Devices::None => "none".to_owned(),
        Devices::All => "all".to_owned(),
        Devices::Count(count) => count.to_string(),
        Devices::List(list) => format!("device={}", list.join(",")),
    };
    let engine = match EngineChoice::again(engine) {
        EngineChoice::Auto => "auto",
        EngineChoice::Docker => "docker",
        EngineChoice::Podman => "podman",
        EngineChoice::Host => "host",
    };
    let wait = server.as_ref().and_then(|server| server.wait).map(|seconds| seconds.to_string());
    let keyless = server.as_ref().is_some_and(|server| server.key.is_none());
    let idle = idle_seconds.map(|seconds| seconds.to_string());
    let watts = watts_per_cpu.map(|watts| watts.to_string());
    let mut words = vec!["aienergyscore", "run", "--engine", engine];
    if let Some(image) = &plan.image {
        words.extend(["--image", &image.value.reference]);
    }
    words.extend(["--backend", backend.name(), "--results", results.as_str(), "--gpus", &gpus]);
    words.extend(memory.iter().flat_map(|memory| ["--memory", memory]));
    words.extend(idle.iter().flat_map(|idle| ["--idle-seconds", idle]));
    words.extend(watts.iter().flat_map(|watts| ["--watts-per-cpu", watts]));
    words.extend(offline.then_some("--offline"));
    words.extend(token.is_none().then_some("--no-token"));
    words.extend(keyless.then_some("--no-api-key"));
    words.extend(wait.iter().flat_map(|wait| ["--wait-for-endpoint", wait]));
    for option in limits_off(relaxed) {
        words.push(option);
    }
    words.push("--");
    words.extend(args.iter().map(String::as_str));
    with_variables(variables, words.into_iter().map(str::to_owned).collect())
}

/// The options that take limits off the container.
fn limits_off(relaxed: &Relaxed) -> impl Iterator<Item = &'static str> {
    let Relaxed { writable_root, capabilities, new_privileges, processes, tokens, selinux } =
        *relaxed;
    let options = [
        (writable_root, "--writable-root"),
        (capabilities, "--keep-capabilities"),
        (new_privileges, "--allow-new-privileges"),
        (processes, "--no-pids-limit"),
        (tokens, "--expose-tokens"),
        (selinux, "--no-selinux-label"),
    ];
    options.into_iter().filter_map(|(is_set, option)| is_set.then_some(option))
}

/// The command `words` in an environment with `variables`, as one command.
fn with_variables<'a>(
    variables: impl IntoIterator<Item = (&'a str, String)>,
    words: Vec<String>,
) -> Vec<String> {
    let mut all: Vec<_> =
        variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !all.is_empty() {
        all.insert(0, "env".to_owned());
    }
    all.extend(words);
    all
}

/// A word without the secrets that users put into commands: a password in an address, a token of
/// the Hub's. Results are handed on.
fn secretless(word: &str) -> String {
    const TOKEN: &str = "hf_";
    const HIDDEN: &str = "HIDDEN";
    let mut text = word.to_owned();
    if let Some((scheme, rest)) = text.split_once("://")
        && let Some((user, _)) = rest.split(['/', '?', '#']).next().unwrap_or("").rsplit_once('@')
    {
        text = format!("{scheme}://{HIDDEN}{}", &rest[user.len()..]);
    }
    let mut from = 0;
    while let Some(at) = text[from..].find(TOKEN).map(|at| from + at + TOKEN.len()) {
        let rest = &text[at..];
        let length = rest.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(rest.len());
        // Facts of the Hub: 34 letters and digits follow. No repo's name has a run of so many.
        if length >= 30 {
            text.replace_range(at..at + length, HIDDEN);
        }
        from = at;
    }
    text
}

#[cfg(test)]
mod tests {
    use contract::Backend;
    use proptest::prelude::*;

    use super::{repeat, secretless};
    use crate::{
        engine::{Detected, Engine, Mode},
        options::{Request, RunOptions},
        plan::RunPlan,
        relaxed::Relaxed,
        render::command_line,
        testing::{engine, host},
    };

    fn of(request: Request, engine: Engine, variables: &[(&str, &str)]) -> super::Repeat {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        let options = RunOptions::new(request, &host).unwrap();
        let plan = RunPlan::new(&options, &host, &engine).unwrap();
        let command = command_line(&engine, &plan);
        let detected = Detected { engine, why: String::new(), warning: None };
        repeat(&options, &detected, &plan, &command, &host)
    }

    #[test]
    fn the_command_says_what_was_left_out() {
        let request = Request { args: vec!["backend.model=o/m".into()], ..Request::default() };
        let repeat = of(request, engine(Mode::DockerRootful), &[]);
        insta::assert_snapshot!(repeat.command.join(" "), @"env HF_HOME=/home/ada/.cache/huggingface aienergyscore run --engine docker --image ai_energy_score:latest --backend optimum --results /home/ada/bench/results --gpus none -- backend.model=o/m scenario.num_samples=20");
        assert_eq!(repeat.begun, "1970-01-01T00:00:00Z");
        assert_eq!(repeat.engine, "docker, rootful");
        assert_eq!(repeat.image.as_deref(), Some("ai_energy_score:latest"));
        assert_eq!(repeat.container[..2], ["docker", "run"]);
    }

    #[test]
    fn what_was_chosen_and_what_the_environment_says_is_in_it() {
        let request = Request {
            backend: Some(Backend::Vllm),
            image: Some("r.example/bench:1".into()),
            num_samples: Some(7),
            memory: Some("8g".into()),
            wait: Some(60),
            no_token: true,
            relaxed: Relaxed { writable_root: true, ..Relaxed::default() },
            ..Request::default()
        };
        let variables = [("VLLM_ENDPOINT", "http://h:1/v1")];
        let repeat = of(request, engine(Mode::PodmanRootless), &variables);
        insta::assert_snapshot!(repeat.command.join(" "), @"env VLLM_ENDPOINT=http://h:1/v1 aienergyscore run --engine podman --image r.example/bench:1 --backend vllm --results /home/ada/bench/results --gpus none --memory 8g --no-token --no-api-key --wait-for-endpoint 60 --writable-root -- scenario.num_samples=7");
    }

    #[test]
    fn the_host_engine_has_variables_and_no_image() {
        let repeat = of(Request::default(), engine(Mode::Host), &[]);
        assert_eq!((repeat.container[0].as_str(), repeat.image), ("env", None));
        assert!(repeat.command.contains(&"host".to_owned()), "{:?}", repeat.command);
    }

    #[test]
    fn secrets_are_hidden_and_all_else_stays() {
        let token = "b".repeat(34);
        for (word, shown) in [
            ("VLLM_ENDPOINT=http://ada:p@w@h:1/v1@2", "VLLM_ENDPOINT=http://HIDDEN@h:1/v1@2"),
            ("http://h:1/v1", "http://h:1/v1"),
            ("backend.model=hf_internal/tiny", "backend.model=hf_internal/tiny"),
            ("a@b", "a@b"),
            (&format!("x=hf_{token},hf_{token}"), "x=hf_HIDDEN,hf_HIDDEN"),
        ] {
            assert_eq!(secretless(word), shown);
        }
    }

    proptest! {
        #[test]
        fn any_word_is_without_its_token(before in any::<String>(), after in "([^a-zA-Z0-9].*)?") {
            let word = format!("{before}hf_{}{after}", "Z9".repeat(17));
            prop_assert!(!secretless(&word).contains("Z9Z9Z9Z9Z9"), "{}", secretless(&word));
        }
    }
}
