//! Reads the output of `image inspect`.

use std::collections::BTreeMap;

use contract::label;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    build_image::labels::{self, Base},
    sha256,
    size::Size,
};

/// An image in the engine's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalImage {
    /// Digest of its files and variables, the same in every engine and image store.
    pub(crate) content: String,
    /// Digest of its inputs. None if another project built it.
    pub(crate) inputs: Option<String>,
    /// The base that its labels name.
    pub(crate) base: Option<Base>,
    pub(crate) size: Size,
}

/// Parses the JSON output of `image inspect`.
///
/// # Errors
/// When it is not the JSON of an engine.
pub(crate) fn parse(json: &str) -> anyhow::Result<Vec<LocalImage>> {
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
    let image = |Image { id, size, config, files, graph_driver, descriptor }: Image| {
        let Config { labels, env } = config.unwrap_or_default();
        let mut labels = labels.unwrap_or_default();
        let driver = graph_driver.map(|driver| driver.name);
        let base_id = labels.remove(labels::BASE_ID);
        LocalImage {
            content: content(id, &files.layers.unwrap_or_default(), &env.unwrap_or_default()),
            inputs: labels.remove(label::INPUTS),
            base: labels.remove(labels::BASE_NAME).map(|name| Base { name, id: base_id }),
            size: Size {
                bytes: size,
                // Docker 28 and later report a descriptor for images of containerd's store.
                compressed: descriptor.is_some() || driver.as_deref() == Some("overlayfs"),
            },
        }
    };
    Ok(images.into_iter().map(image).collect())
}

/// A digest of layers and variables. The id differs between image stores, the unpacked layers do not.
fn content(id: String, layers: &[String], env: &[String]) -> String {
    if layers.is_empty() {
        return id;
    }
    let parts = [layers.join("\n"), env.join("\n")].join("\n\n");
    format!("sha256:{}", sha256::of_bytes(parts))
}

#[cfg(test)]
mod tests {
    use super::{Base, LocalImage, Size, parse};

    #[test]
    fn inspect_output_has_labels_and_sizes() {
        let json = r#"[
            {"Id": "sha256:1", "Size": 12, "Config": {"Labels": {
                "org.aienergyscore.inputs": "ab",
                "org.opencontainers.image.base.name": "debian",
                "org.aienergyscore.base-id": "sha256:0"
            }}},
            {"Id": "sha256:2", "Size": 3, "Config": {"Labels": null}},
            {"Id": "sha256:3", "Size": 4}
        ]"#;
        let local = |id: &str, inputs: Option<&str>, base, bytes| LocalImage {
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
