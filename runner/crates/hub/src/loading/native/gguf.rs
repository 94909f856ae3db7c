//! Whether a GGUF file is complete and of an architecture that the `native` backend runs, by its header.

use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _},
};

use crate::loading::{
    content::{Content, truncated},
    fault::Fault,
};

/// The architecture that the `native` backend runs.
const ARCHITECTURE: &str = "llama";

/// The first bytes of a GGUF file.
const MAGIC: &[u8] = b"GGUF";

/// More header entries than any model has.
const MAX_ENTRIES: u64 = 1 << 24;

/// Default alignment of the tensor data.
const ALIGNMENT: u64 = 32;

/// GGML types: number, elements per block, bytes per block.
const TYPES: [(u32, u64, u64); 15] = [
    (0, 1, 4),
    (1, 1, 2),
    (2, 32, 18),
    (3, 32, 20),
    (6, 32, 22),
    (7, 32, 24),
    (8, 32, 34),
    (9, 32, 36),
    (10, 256, 84),
    (11, 256, 110),
    (12, 256, 144),
    (13, 256, 176),
    (14, 256, 210),
    (15, 256, 292),
    (30, 1, 2),
];

/// Checks the file `name`.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn check(name: &str, content: Content) -> Result<(), Fault> {
    let size = content.size;
    if !content.head.starts_with(MAGIC) {
        return Err(Fault::corrupt(format!("`{name}` is not a GGUF file")));
    }
    let mut file = BufReader::new(content.file);
    let header = file.rewind().and_then(|()| Header::read(&mut file));
    let Header { architecture, end } = match header {
        Ok(Some(header)) => header,
        // An unknown version or tensor type.
        Ok(None) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(Fault::corrupt(format!("`{name}` is truncated: its header has no end")));
        }
        Err(error) => return Err(Fault::unreadable(name, &error)),
    };
    if end > size {
        return Err(Fault::corrupt(format!("`{name}` is {}", truncated(size, end))));
    }
    match architecture {
        Some(other) if other != ARCHITECTURE => Err(Fault::explained(format!(
            "the architecture of `{name}` is `{other}`, and the `native` backend computes \
             `{ARCHITECTURE}` only; choose another model"
        ))),
        _ => Ok(()),
    }
}

/// The parts of a header that are checked.
#[derive(Debug)]
struct Header {
    architecture: Option<String>,
    /// The least size of the file.
    end: u64,
}

impl Header {
    /// Reads the header. `None` for an unknown version or tensor type.
    fn read(file: &mut BufReader<File>) -> io::Result<Option<Self>> {
        number::<4>(file)?;
        let version = number::<4>(file)?;
        if !(2..=3).contains(&version) {
            return Ok(None);
        }
        let (tensors, entries) = (number::<8>(file)?, number::<8>(file)?);
        if tensors > MAX_ENTRIES || entries > MAX_ENTRIES {
            return Ok(None);
        }
        let (mut architecture, mut alignment) = (None, ALIGNMENT);
        for _ in 0..entries {
            let key = text(file)?;
            let kind = number::<4>(file)?;
            match (key.as_str(), kind) {
                ("general.architecture", 8) => architecture = Some(text(file)?),
                ("general.alignment", 4) => alignment = number::<4>(file)?.max(1),
                _ if skip(file, kind, 1, 0)? => {}
                _ => return Ok(None),
            }
        }
        let mut last = 0;
        for _ in 0..tensors {
            text(file)?;
            let mut count = 1_u64;
            for _ in 0..number::<4>(file)?.min(8) {
                count = count.saturating_mul(number::<8>(file)?);
            }
            let (kind, offset) = (number::<4>(file)?, number::<8>(file)?);
            let known = TYPES.iter().find(|(known, ..)| u64::from(*known) == kind);
            let Some((_, block, size)) = known else { return Ok(None) };
            let length = count.div_ceil(*block).saturating_mul(*size);
            last = last.max(offset.saturating_add(length));
        }
        let end = file.stream_position()?.next_multiple_of(alignment).saturating_add(last);
        Ok(Some(Self { architecture, end }))
    }
}

/// Reads a little-endian integer of `N` bytes.
fn number<const N: usize>(file: &mut BufReader<File>) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes[..N])?;
    Ok(u64::from_le_bytes(bytes))
}

/// Reads a string, and keeps its first 4,096 bytes.
fn text(file: &mut BufReader<File>) -> io::Result<String> {
    let length = number::<8>(file)?;
    let mut bytes = Vec::new();
    file.take(length.min(4096)).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length.min(4096) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    skip_bytes(file, length - bytes.len() as u64)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn skip_bytes(file: &mut BufReader<File>, count: u64) -> io::Result<()> {
    let count = i64::try_from(count).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    file.seek_relative(count)
}

/// Skips `count` values of a type. Returns false for an unknown type.
fn skip(file: &mut BufReader<File>, kind: u64, count: u64, depth: u32) -> io::Result<bool> {
    let size = match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        8 => {
            for _ in 0..count {
                let length = number::<8>(file)?;
                skip_bytes(file, length)?;
            }
            return Ok(true);
        }
        9 if depth < 4 => {
            for _ in 0..count {
                let (kind, count) = (number::<4>(file)?, number::<8>(file)?);
                if !skip(file, kind, count, depth + 1)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        _ => return Ok(false),
    };
    skip_bytes(file, count.saturating_mul(size))?;
    Ok(true)
}
