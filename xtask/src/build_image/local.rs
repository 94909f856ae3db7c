//! What an engine says of an image that it has.

use std::collections::BTreeMap;

use contract::{hex, label};
use serde::{Deserialize, de::IgnoredAny};
use sha2::{Digest as _, Sha256};

use super::labels::{self, Base};
use crate::size::Size;

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Local {
    /// What it is, by whatever engine: a digest of its files and variables.
    pub(super) content: String,
    /// Digest of what it was built from; none on an image of others.
    pub(super) inputs: Option<String>,
    /// What it was built on, if it says so.
    pub(super) base: Option<Base>,
    /// Its size.
    pub(super) size: Size,
}

/// Reads the answer of `image inspect`.
pub(super) fn parse(json: &str) -> anyhow::Result<Vec<Local>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Image {
        id: String,
        size: u64,
        config: Option<Config>,
        #[serde(rename = "RootFS", default)]
        files: Files,
        graph_driver: Option<Driver>,
        descriptor: Option<IgnoredAny>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Files {
        layers: Option<Vec<String>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Driver {
        name: String,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        labels: Option<BTreeMap<String, String>>,
        env: Option<Vec<String>>,
    }
    let images = serde_json::from_str::<Vec<Image>>(json)?;
    let local = |Image { id, size, config, files, graph_driver, descriptor }: Image| {
        let Config { labels, env } = config.unwrap_or_default();
        let mut labels = labels.unwrap_or_default();
        let driver = graph_driver.map(|driver| driver.name);
        let base_id = labels.remove(labels::BASE_ID);
        Local {
            content: content(id, &files.layers.unwrap_or_default(), &env.unwrap_or_default()),
            inputs: labels.remove(label::INPUTS),
            base: labels.remove(labels::BASE_NAME).map(|name| Base { name, id: base_id }),
            size: Size {
                bytes: size,
                // Docker tells of a descriptor since version 28.
                compressed: descriptor.is_some() || driver.as_deref() == Some("overlayfs"),
            },
        }
    };
    Ok(images.into_iter().map(local).collect())
}

/// What an image is. Every image store gives it another id, and the same layers once they are unpacked.
fn content(id: String, layers: &[String], env: &[String]) -> String {
    if layers.is_empty() {
        return id;
    }
    let parts = [layers.join("\n"), env.join("\n")].join("\n\n");
    format!("sha256:{}", hex::encode(Sha256::digest(parts)))
}

#[cfg(test)]
mod tests {
    use super::{Base, Local, Size, parse};

    #[test]
    fn labels_and_sizes_are_read_from_inspect() {
        let json = r#"[
            {"Id": "sha256:1", "Size": 12, "Config": {"Labels": {
                "org.aienergyscore.inputs": "ab",
                "org.opencontainers.image.base.name": "debian",
                "org.aienergyscore.base-id": "sha256:0"
            }}},
            {"Id": "sha256:2", "Size": 3, "Config": {"Labels": null}},
            {"Id": "sha256:3", "Size": 4}
        ]"#;
        let local = |id: &str, inputs: Option<&str>, base, bytes| Local {
            content: format!("sha256:{id}"),
            inputs: inputs.map(str::to_owned),
            base,
            size: Size { bytes, compressed: false },
        };
        let base = Base { name: "debian".to_owned(), id: Some("sha256:0".to_owned()) };
        let images = parse(json).unwrap();
        let expected = [
            local("1", Some("ab"), Some(base), 12),
            local("2", None, None, 3),
            local("3", None, None, 4),
        ];
        assert_eq!(images, expected);
        assert_eq!(parse("[]\n").unwrap(), []);
        assert!(parse("").is_err());
    }

    #[test]
    fn image_has_the_same_content_in_every_store() {
        let image = |more: &str, layer: &str| {
            let json = format!(
                r#"[{{"Size":1,"Config":{{"Env":["PATH=/bin"]}},"RootFS":{{"Type":"layers","Layers":["sha256:3c","{layer}"]}},{more}}}]"#
            );
            parse(&json).unwrap().pop().unwrap()
        };
        // Docker 28.5.2 with each of its stores, and Podman 5.8.6.
        let classic =
            image(r#""Id":"sha256:fe","GraphDriver":{"Data":{},"Name":"overlay2"}"#, "sha256:6b");
        let containerd = image(
            r#""Id":"sha256:07","GraphDriver":{"Data":null,"Name":"overlayfs"},"Descriptor":{"size":579}"#,
            "sha256:6b",
        );
        let podman = image(r#""Id":"fe","GraphDriver":{"Name":"overlay","Data":{}}"#, "sha256:6b");
        assert_eq!(classic.content, containerd.content);
        assert_eq!(classic.content, podman.content);
        assert_ne!(classic.content, image(r#""Id":"sha256:fe""#, "sha256:6c").content);
        let compressed = [&classic, &containerd, &podman].map(|image| image.size.compressed);
        assert_eq!(compressed, [false, true, false]);
    }
}
