//! Templates similar to real ones. `tests/it/datasets.rs` compares with transformers.

use minijinja::Value;
use serde_json::json;

use super::{Chat, Template, remove_generation_tags};

fn template(
    text: &str,
    system: Option<&str>,
    parameters: serde_json::Value,
) -> anyhow::Result<Template> {
    let parameters = parameters.as_object().unwrap().clone();
    let special = Value::from_iter([("bos_token", "<s>"), ("eos_token", "</s>")]);
    Template::new(text, special, Chat { system: system.map(str::to_owned), parameters })
}

fn rendered(text: &str, system: Option<&str>, parameters: serde_json::Value) -> String {
    template(text, system, parameters).unwrap().render("Hi <you>").unwrap()
}

const CHAT: &str = "\
{{- bos_token }}
{%- if messages[0]['role'] != 'system' %}
{{- '<|system|>Be brief.\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if loop.first and message.role == 'system' and message.content.strip() %}
        {{- '<|system|>' + message.content.strip() + '\\n' }}
        {%- continue %}
    {%- endif %}
    {{- '<|' ~ message['role'] ~ '|>' + message['content'] + eos_token }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think></think>' }}
    {%- endif %}
{%- endif %}
";

#[test]
fn prompt_is_not_escaped() {
    let plain = rendered(CHAT, None, json!({}));
    assert_eq!(plain, "<s><|system|>Be brief.\n<|user|>Hi <you></s><|assistant|>");
    let off = rendered(CHAT, Some(" /no_think "), json!({"enable_thinking": false}));
    assert_eq!(off, "<s><|system|>/no_think\n<|user|>Hi <you></s><|assistant|><think></think>");
}

#[test]
fn parameter_is_a_variable_of_the_template() {
    let text = "Reasoning: {{ reasoning_effort | default('medium') }}{{ messages[-1].content }}";
    assert_eq!(rendered(text, None, json!({})), "Reasoning: mediumHi <you>");
    assert_eq!(
        rendered(text, None, json!({"reasoning_effort": "high"})),
        "Reasoning: highHi <you>"
    );
}

#[test]
fn unused_parameter_is_refused() {
    let text =
        "{% set own = budget or 1 %}{% generation %}{{ messages[0].content }}{% endgeneration %}";
    assert_eq!(rendered(text, None, json!({"budget": 5})), "Hi <you>");
    for name in ["own", "reasoning_effort", "messages", "tools"] {
        let error = template(text, None, json!({name: 1})).unwrap_err().to_string();
        let said = format!("`scenario.reasoning_params.{name}`: its chat template does not use it");
        assert!(error.starts_with(&said), "{error}");
    }
}

#[test]
fn failing_template_says_why() {
    for (text, why) in [
        ("{% if %}", "cannot be read"),
        ("{{ raise_exception('no system message, please') }}", "no system message, please"),
        ("{{ messages[0].content.frobnicate() }}", "frobnicate"),
        ("{{ strftime_now('%j') }}", "%j"),
    ] {
        let error = format!("{:#}", template(text, None, json!({})).unwrap_err());
        assert!(
            error.starts_with("its chat template cannot be re") && error.contains(why),
            "{error}"
        );
    }
}

#[test]
fn python_methods_are_supported() {
    let text = "{% set parts = 'a</think>b'.split('</think>') %}{{ parts[-1].lstrip('\\n') }}\
                {{ 'x'.startswith('x') }}{{ messages[0].content.upper() }}{{ ['a'] | tojson }}";
    assert_eq!(rendered(text, None, json!({})), "bTrueHI <YOU>[\"a\"]");
}

#[test]
fn generation_tags_keep_their_whitespace_control() {
    let text = "a {%- generation -%} b {% endgeneration %} c {% if x %}{% endif %} {% no end";
    let expected = "a {%- if true -%} b {% endif %} c {% if x %}{% endif %} {% no end";
    assert_eq!(remove_generation_tags(text), expected);
}
