//! How to repeat a run: its commands and image, for the summary.

use contract::{Backend, env, summary::Repeat};
use engine::{Engine, EngineChoice};
use host::{gpus::Gpus, machine::Host, output::terminal::warn, shell::CommandLine};
use plan::{
    options::{Request, Runtime, Settings, Target},
    run_plan::{Image, Pull, RunPlan},
};

/// How to repeat the run, without the image's id and digest.
pub(super) fn repeat(
    settings: &Settings,
    engine: &Engine,
    plan: &RunPlan,
    command: &CommandLine,
    host: &Host,
) -> Repeat {
    let variables = command.env.iter().map(|(name, value)| (name.as_str(), value.value()));
    let container = with_variables(variables, command.argv());
    let image = plan.image.as_ref().map(|image| image.value.reference.clone());
    Repeat {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        begun: humantime::format_rfc3339_seconds(host.now).to_string(),
        command: runner_command(settings, engine, plan).iter().map(|word| redact(word)).collect(),
        container: container.iter().map(|word| redact(word)).collect(),
        engine: engine.mode.to_string(),
        image_id: None,
        image_digest: None,
        image,
    }
}

/// Adds the image's id and digest. The engine is asked for an image that the run itself pulled.
pub(super) fn with_image(repeat: Repeat, engine: &Engine, plan: &RunPlan) -> Repeat {
    let Some(planned) = &plan.image else { return repeat };
    let pulled = match &engine.image {
        Some(_) => None,
        // The run is complete without them.
        None => engine.ask_image(&planned.value.reference).unwrap_or_else(|error| {
            warn(Some(format!("{error:#}; the summary has no id of the image")));
            None
        }),
    };
    let Some(image) = engine.image.as_ref().or(pulled.as_ref()) else { return repeat };
    let Image { reference, pull } = &planned.value;
    let image_digest = match pull {
        Pull::Never => None,
        Pull::Missing => image.pulled_digest(reference, engine.mode, pulled.is_some()),
    };
    Repeat { image_id: image.id.clone(), image_digest, ..repeat }
}

/// The `aienergyscore` command with all defaults spelled out, after the variables that it reads.
fn runner_command(settings: &Settings, engine: &Engine, plan: &RunPlan) -> Vec<String> {
    // Without `..`, so that a new setting is repeated too, or named here.
    let Settings {
        cache,
        endpoint,
        server,
        threads,
        results,
        token,
        offline,
        memory,
        security,
        meter,
        args,
        engine: _, // the detected engine is used
        image: _,
        backend: _,
        gpus: _,
        run_id: _, // differs for each run
        image_chosen: _,
        addresses: _, // depend on the network
        inputs: _,
    } = settings;
    let backend = plan.backend.value;
    let request = Request {
        num_samples: None, // among the arguments
        wait: server.as_ref().and_then(|server| server.wait),
        offline: *offline,
        target: Target {
            backend: Some(backend),
            runtime: Runtime {
                engine: EngineChoice::of(engine),
                image: plan.image.as_ref().map(|image| image.value.reference.clone()),
                flavour: None,
            },
            results: Some(results.as_path().to_owned()),
            gpus: Gpus::Exactly(plan.gpus.value.clone()),
            memory: memory.clone(),
            no_token: token.is_none(),
            no_api_key: server.as_ref().is_some_and(|server| server.key.is_none()),
            security: *security,
            meter: *meter,
        },
        args: args.clone(),
    };
    let mut variables = vec![];
    if backend.needs_hub_cache() {
        variables.push((env::HF_HOME, cache.home.as_str().to_owned()));
        variables.extend(
            cache.hub_outside_home().map(|hub| (env::HF_HUB_CACHE, hub.as_str().to_owned())),
        );
    }
    if let Some(endpoint) = endpoint.as_ref().filter(|_| backend == Backend::Vllm) {
        variables.push((env::VLLM_ENDPOINT, endpoint.clone()));
    }
    let certificates = server.as_ref().and_then(|server| server.certificates.as_ref());
    variables.extend(certificates.map(|file| (env::SSL_CERT_FILE, file.as_str().to_owned())));
    if let Some(threads) = threads.as_ref().filter(|_| backend.uses_gpus()) {
        variables.push((env::OMP_NUM_THREADS, threads.clone()));
    }
    let words = ["aienergyscore", "run"].map(str::to_owned).into_iter().chain(request.words());
    with_variables(variables, words.collect())
}

/// The command `words` with `variables` set by `env`.
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

/// The word without passwords in URLs and without tokens of the Hub, because summaries are published.
fn redact(word: &str) -> String {
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
        // A token of the Hub has 34 letters and digits after the prefix. Repo names have no such runs.
        if length >= 30 {
            text.replace_range(at..at + length, HIDDEN);
        }
        from = at;
    }
    text
}

#[cfg(test)]
mod tests {
    use engine::{Engine, Mode, testing::engine};
    use host::testing::host;
    use plan::{
        options::{Request, Settings},
        render::command_line,
        run_plan::RunPlan,
        testing::request,
    };
    use proptest::prelude::*;

    use super::{redact, repeat};

    fn of(request: Request, engine: Engine, variables: &[(&str, &str)]) -> super::Repeat {
        let mut host = host();
        host.env = variables.iter().copied().collect();
        let settings = Settings::new(request, &host).unwrap();
        let plan = RunPlan::new(&settings.clone().assume(&host).unwrap(), &host, &engine).unwrap();
        let command = command_line(&engine, &plan);
        repeat(&settings, &engine, &plan, &command, &host)
    }

    #[test]
    fn command_spells_out_defaults() {
        let repeat = of(request("-- backend.model=o/m"), engine(Mode::DockerRootful), &[]);
        insta::assert_snapshot!(repeat.command.join(" "), @"env HF_HOME=/home/ada/.cache/huggingface aienergyscore run --engine docker --image ai_energy_score:latest --backend optimum --results /home/ada/bench/results --gpus none -- backend.model=o/m scenario.num_samples=20");
        assert_eq!(repeat.begun, "1970-01-01T00:00:00Z");
        assert_eq!(repeat.engine, "docker, rootful");
        assert_eq!(repeat.image.as_deref(), Some("ai_energy_score:latest"));
        assert_eq!(repeat.container[..2], ["docker", "run"]);
    }

    #[test]
    fn command_has_options_and_variables() {
        let request = request(
            "--backend vllm --image r.example/bench:1 -n 7 --memory 8g --wait-for-endpoint 60 --no-token \
             --writable-root",
        );
        let variables = [("VLLM_ENDPOINT", "http://h:1/v1")];
        let repeat = of(request, engine(Mode::PodmanRootless), &variables);
        insta::assert_snapshot!(repeat.command.join(" "), @"env VLLM_ENDPOINT=http://h:1/v1 aienergyscore run --engine podman --image r.example/bench:1 --backend vllm --results /home/ada/bench/results --gpus none --memory 8g --no-token --no-api-key --writable-root --wait-for-endpoint 60 -- scenario.num_samples=7");
    }

    #[test]
    fn host_engine_has_variables_and_no_image() {
        let repeat = of(Request::default(), engine(Mode::Host), &[]);
        assert_eq!((repeat.container[0].as_str(), repeat.image), ("env", None));
        assert!(repeat.command.contains(&"host".to_owned()), "{:?}", repeat.command);
    }

    #[test]
    fn secrets_are_hidden_and_other_text_stays() {
        let token = "b".repeat(34);
        for (word, shown) in [
            ("VLLM_ENDPOINT=http://ada:p@w@h:1/v1@2", "VLLM_ENDPOINT=http://HIDDEN@h:1/v1@2"),
            ("http://h:1/v1", "http://h:1/v1"),
            ("backend.model=hf_internal/tiny", "backend.model=hf_internal/tiny"),
            ("a@b", "a@b"),
            (&format!("x=hf_{token},hf_{token}"), "x=hf_HIDDEN,hf_HIDDEN"),
        ] {
            assert_eq!(redact(word), shown);
        }
    }

    proptest! {
        #[test]
        fn token_is_hidden_in_any_word_and_redacting_twice_changes_nothing(before in any::<String>(), after in "([^a-zA-Z0-9].*)?") {
            let word = format!("{before}hf_{}{after}", "Z9".repeat(17));
            let redacted = redact(&word);
            prop_assert!(!redacted.contains("Z9Z9Z9Z9Z9"), "{redacted}");
            prop_assert!(redacted.contains("HIDDEN"), "{redacted}");
            prop_assert_eq!(redact(&redacted), redacted);
        }
    }
}
