//! What `save` prints: layers as archives in an archive, with a manifest and a configuration.

use std::{
    collections::BTreeMap,
    io::{BufReader, Cursor, Read},
    rc::Rc,
};

use anyhow::{Context as _, bail};
use flate2::bufread::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use tar::{Archive, EntryType};

use super::layer::{Item, Kind, Layer};

/// Files of this size and more are no place for secrets.
const SMALL: u64 = 64 << 10;
/// Nothing but layers is larger than this.
const DOCUMENT: u64 = 16 << 20;

/// An image, as far as it was looked at.
#[derive(Debug)]
pub(super) struct Saved {
    /// Its layers, the lowest first. One may lie in an image twice.
    pub(super) layers: Vec<Rc<Layer>>,
    /// Its configuration.
    pub(super) config: Value,
}

/// What the manifest says of an image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    config: String,
    layers: Vec<String>,
}

/// Reads an archive of one image to its end.
///
/// # Errors
/// When it is broken, or packed in a way that is not known.
pub(super) fn read(stream: impl Read) -> anyhow::Result<Saved> {
    let (mut layers, mut documents) = (BTreeMap::new(), BTreeMap::new());
    // Docker before 25 has a link where a layer comes again.
    let mut links = BTreeMap::new();
    let mut archive = Archive::new(stream);
    for entry in archive.entries()? {
        let entry = entry?;
        let name = name_of(&entry);
        match entry.header().entry_type() {
            EntryType::Regular => match part(entry, &name)? {
                Part::Layer(layer) => drop(layers.insert(name, Rc::new(layer))),
                Part::Document(text) => drop(documents.insert(name, text)),
            },
            EntryType::Symlink | EntryType::Link => {
                let target = entry.link_name_bytes().context("a link without a target")?;
                links.insert(name, String::from_utf8_lossy(&target).into_owned());
            }
            _ => {}
        }
    }
    // Past the archive's end, so that the engine can print all of it.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink())?;

    let document =
        |name: &str| documents.get(name).with_context(|| format!("the archive has no `{name}`"));
    let manifest = document("manifest.json")?;
    let mut manifests = serde_json::from_slice::<Vec<Manifest>>(manifest)
        .context("reading the archive's `manifest.json`")?;
    let Manifest { config, layers: names } = manifests.pop().context("the archive has no image")?;
    let config = serde_json::from_slice(document(&config)?)
        .with_context(|| format!("reading the configuration `{config}`"))?;
    let mut ordered = Vec::new();
    for name in &names {
        let name = links.get(name).map_or(name.as_str(), |target| without_parents(target));
        let layer: &Rc<Layer> =
            layers.get(name).with_context(|| format!("the archive has no layer `{name}`"))?;
        ordered.push(Rc::clone(layer));
    }
    Ok(Saved { layers: ordered, config })
}

/// A part of the archive.
enum Part {
    Layer(Layer),
    Document(Vec<u8>),
}

/// Tells a part by its first bytes: names differ between engines and their versions.
fn part(mut entry: impl Read, name: &str) -> anyhow::Result<Part> {
    let broken = || format!("reading the part `{name}`");
    // A pipe may hand over less than a whole header at once.
    let mut start = Vec::new();
    entry.by_ref().take(512).read_to_end(&mut start).with_context(broken)?;
    let entry = BufReader::with_capacity(64 << 10, Cursor::new(start.clone()).chain(entry));
    if start.starts_with(&[0x1f, 0x8b]) {
        return layer(GzDecoder::new(entry)).map(Part::Layer).with_context(broken);
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        bail!("the layer `{name}` is packed with zstd, which is not read here");
    }
    if start.get(257..262) == Some(b"ustar") || start.starts_with(&[0; 512]) {
        return layer(entry).map(Part::Layer).with_context(broken);
    }
    let mut text = Vec::new();
    entry.take(DOCUMENT).read_to_end(&mut text).with_context(broken)?;
    Ok(Part::Document(text))
}

/// Looks at every item of a layer.
fn layer(stream: impl Read) -> anyhow::Result<Layer> {
    let mut layer = Layer::default();
    for entry in Archive::new(stream).entries()? {
        let mut entry = entry?;
        let kind = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse | EntryType::Link => {
                Kind::File
            }
            EntryType::Directory => Kind::Folder,
            _ => Kind::Other,
        };
        let (path, mode) = (name_of(&entry), entry.header().mode()?);
        let content = if kind == Kind::File && entry.size() < SMALL {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).with_context(|| format!("reading `{path}`"))?;
            Some(content)
        } else {
            None
        };
        layer.add(Item { path, kind, mode, content });
    }
    Ok(layer)
}

/// The path of an entry, as every archive could have it.
fn name_of(entry: &tar::Entry<'_, impl Read>) -> String {
    let path = entry.path_bytes();
    let path = String::from_utf8_lossy(&path);
    path.trim_start_matches("./").trim_matches('/').to_owned()
}

/// A target like `../ab/layer.tar`, from the top of the archive.
fn without_parents(target: &str) -> &str {
    target.trim_start_matches("../").trim_start_matches("./")
}

/// Archives for tests.
#[cfg(test)]
pub(super) mod fixture {
    use serde_json::{Value, json};
    use tar::{Builder, Header};

    /// A layer of files: path, mode and content.
    pub(in super::super) fn layer(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, mode, content) in files {
            let mut header = Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(*mode);
            builder.append_data(&mut header, path, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// An image of these layers, the manifest last, as Docker prints it.
    pub(in super::super) fn saved(layers: &[Vec<u8>], config: &Value) -> Vec<u8> {
        let names = (0..layers.len()).map(|n| format!("{n}/layer.tar")).collect::<Vec<_>>();
        let config = config.to_string();
        let manifest = json!([{ "Config": "c.json", "RepoTags": null, "Layers": names }]);
        let manifest = manifest.to_string();
        let mut files = names
            .iter()
            .zip(layers)
            .map(|(name, l)| (name.as_str(), 0o644, &**l))
            .collect::<Vec<_>>();
        files.push(("c.json", 0o644, config.as_bytes()));
        files.push(("manifest.json", 0o644, manifest.as_bytes()));
        layer(&files)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use serde_json::json;

    use super::{fixture, read};

    /// A pipe that hands over one byte at a time.
    struct Drip<'a>(&'a [u8]);

    impl std::io::Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = buffer.len().min(1);
            std::io::Read::read(&mut self.0, &mut buffer[..length])
        }
    }

    #[test]
    fn a_layer_is_known_however_it_arrives() {
        let empty = [0; 1024];
        assert!(matches!(super::part(Drip(&empty), "x").unwrap(), super::Part::Layer(_)));
        assert!(matches!(super::part(Drip(b"{}"), "x").unwrap(), super::Part::Document(_)));
    }

    #[test]
    fn packed_layers_are_read_and_empty_ones() {
        let plain = fixture::layer(&[("a", 0o644, b"x")]);
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&plain).unwrap();
        let layers = [plain, packed.finish().unwrap(), fixture::layer(&[])];
        let saved = read(&*fixture::saved(&layers, &json!({}))).unwrap();
        assert_eq!(saved.layers.iter().map(|layer| layer.files).collect::<Vec<_>>(), [1, 1, 0]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let fails = |bytes: &[u8]| format!("{:#}", read(bytes).unwrap_err());
        assert_eq!(fails(&[]), "the archive has no `manifest.json`");
        let zstd = fixture::saved(&[vec![0x28, 0xb5, 0x2f, 0xfd]], &json!({}));
        assert_eq!(
            fails(&zstd),
            "the layer `0/layer.tar` is packed with zstd, which is not read here"
        );
        let cut = fixture::saved(&[fixture::layer(&[("a", 0o644, &[1; 2000])])], &json!({}));
        assert!(fails(&cut[..1700]).starts_with("reading"), "{}", fails(&cut[..1700]));
    }
}
