//! Models and datasets in memory, and small weight files, for tests.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek as _, Write as _},
};

use super::{FileState, Files, Verdict};

/// Files by name: the bytes of each, or its state.
#[derive(Debug, Clone, Default)]
pub struct FakeFiles(BTreeMap<String, Result<Vec<u8>, FileState>>);

impl FakeFiles {
    /// A model with these files.
    pub fn of<T: AsRef<[u8]>>(files: &[(&str, T)]) -> Self {
        Self::default().and(files)
    }

    /// Adds files.
    pub fn and<T: AsRef<[u8]>>(mut self, files: &[(&str, T)]) -> Self {
        for (name, bytes) in files {
            self.0.insert((*name).to_owned(), Ok(bytes.as_ref().to_owned()));
        }
        self
    }

    /// Removes files.
    pub fn without(mut self, names: &[&str]) -> Self {
        names.iter().for_each(|name| drop(self.0.remove(*name)));
        self
    }

    /// Gives a file this state.
    pub fn with_state(mut self, name: &str, state: FileState) -> Self {
        self.0.insert(name.to_owned(), Err(state));
        self
    }
}

impl Files for FakeFiles {
    fn state(&self, name: &str) -> FileState {
        match self.0.get(name) {
            None => FileState::Missing,
            Some(Ok(bytes)) => FileState::Present(bytes.len() as u64),
            Some(Err(state)) => state.clone(),
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<File>> {
        let mut file = tempfile::tempfile()?;
        file.write_all(self.0[name].as_ref().unwrap())?;
        file.rewind()?;
        Ok(Some(file))
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// A verdict as text, for snapshots.
pub fn render(verdict: &Verdict) -> String {
    match verdict {
        Ok(warnings) if warnings.is_empty() => "loads".to_owned(),
        Ok(warnings) => format!("may load: {}", warnings.join("; ")),
        Err(fault) => format!("{:?}: {}", fault.remedy, fault.message),
    }
}

/// A safetensors file with one tensor of `data` bytes.
pub fn safetensors(metadata: &str, data: usize) -> Vec<u8> {
    let tensor = format!(r#""a":{{"dtype":"U8","shape":[{data}],"data_offsets":[0,{data}]}}"#);
    let header = format!("{{{metadata}{tensor}}}");
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &vec![0; data]].concat()
}

/// A file as `torch.save` writes it: a zip archive, here without entries.
pub fn torch_file() -> Vec<u8> {
    let entry = b"PK\x03\x04 the entries";
    let mut end = [0; 22];
    end[..4].copy_from_slice(b"PK\x05\x06");
    end[16] = entry.len() as u8;
    [&entry[..], &end].concat()
}

/// A GGUF file with one tensor of 32 elements.
pub fn gguf(architecture: &str) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let number = |number: u32| number.to_le_bytes().to_vec();
    let long = |number: u64| number.to_le_bytes().to_vec();
    let parts = [
        [b"GGUF".to_vec(), number(3), long(1), long(3)].concat(),
        [text("general.architecture"), number(8), text(architecture)].concat(),
        [text("tokens"), number(9), number(8), long(2), text("a"), text("b")].concat(),
        [text("scale"), number(6), number(0)].concat(),
        [text("w"), number(1), long(32), number(8), long(0)].concat(),
    ];
    let mut bytes = parts.concat();
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    [bytes, vec![0; 34]].concat()
}
