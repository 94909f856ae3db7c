//! Tensors out of a GGUF file, in a type that computes fast.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::BufReader,
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use candle_core::{
    Device,
    quantized::{GgmlDType, QTensor, gguf_file},
};

/// Reads tensors and remembers which, so that none is overlooked.
pub(super) struct Weights<'a> {
    content: &'a gguf_file::Content,
    file: &'a mut BufReader<File>,
    taken: HashSet<String>,
    stored: BTreeMap<String, u32>,
    computed: BTreeMap<String, u32>,
}

impl<'a> Weights<'a> {
    pub(super) fn new(content: &'a gguf_file::Content, file: &'a mut BufReader<File>) -> Self {
        Self {
            content,
            file,
            taken: HashSet::new(),
            stored: BTreeMap::new(),
            computed: BTreeMap::new(),
        }
    }

    /// How many tensors are stored in which type.
    pub(super) fn stored(&self) -> &BTreeMap<String, u32> {
        &self.stored
    }

    /// How many tensors are computed with in which type.
    pub(super) fn computed(&self) -> &BTreeMap<String, u32> {
        &self.computed
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// A whole number of the header.
    pub(super) fn number(&self, key: &str) -> anyhow::Result<usize> {
        let value = self.value(key)?;
        let number = value.to_u64().with_context(|| format!("reading `{key}` of the header"))?;
        Ok(usize::try_from(number)?)
    }

    /// A fraction of the header.
    pub(super) fn fraction(&self, key: &str) -> anyhow::Result<f32> {
        self.value(key)?.to_f32().with_context(|| format!("reading `{key}` of the header"))
    }

    /// A text of the header.
    pub(super) fn text(&self, key: &str) -> anyhow::Result<&str> {
        let value = self.value(key)?;
        Ok(value.to_string().with_context(|| format!("reading `{key}` of the header"))?)
    }

    fn value(&self, key: &str) -> anyhow::Result<&gguf_file::Value> {
        self.content.metadata.get(key).with_context(|| format!("its header has no `{key}`"))
    }

    /// How many tokens the model knows.
    pub(super) fn vocabulary(&self) -> anyhow::Result<usize> {
        let embedding = self.content.tensor_infos.get("token_embd.weight");
        let rows = embedding.and_then(|tensor| tensor.shape.dims().first());
        rows.copied().context("it has no tensor `token_embd.weight`")
    }

    /// The matrix `name` with `rows` rows of `columns` numbers.
    pub(super) fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> anyhow::Result<Arc<QTensor>> {
        let stored = self.tensor(name, &[rows, columns])?;
        let dtype = computed_type(stored.dtype());
        let tensor = if dtype == stored.dtype() {
            stored
        } else {
            let numbers = stored.dequantize(&Device::Cpu)?;
            // Quantising would make zeros of it.
            ensure!(
                !numbers.sum_all()?.to_scalar::<f32>()?.is_nan(),
                "tensor `{name}` holds no numbers (NaN): the file is broken; download it again"
            );
            QTensor::quantize(&numbers, dtype)?
        };
        *self.computed.entry(format!("{dtype:?}")).or_default() += 1;
        Ok(Arc::new(tensor))
    }

    /// The vector `name` of `length` numbers.
    pub(super) fn vector(&mut self, name: &str, length: usize) -> anyhow::Result<Vec<f32>> {
        let tensor = self.tensor(name, &[length])?.dequantize(&Device::Cpu)?;
        *self.computed.entry(format!("{:?}", GgmlDType::F32)).or_default() += 1;
        Ok(tensor.to_vec1()?)
    }

    /// Fails when the file holds tensors that nobody asked for: the model is of a kind that would
    /// be computed wrongly without them.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        let names = self.content.tensor_infos.keys();
        let mut unknown: Vec<_> = names.filter(|name| !self.taken.contains(*name)).collect();
        unknown.sort();
        if let Some(first) = unknown.first() {
            bail!(
                "it has {} tensors that the `native` backend does not know, such as `{first}`; \
                 use a plain Llama model",
                unknown.len()
            );
        }
        Ok(())
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> anyhow::Result<QTensor> {
        let tensor = self
            .content
            .tensor(self.file, name, &Device::Cpu)
            .with_context(|| format!("reading tensor `{name}`; the file may be truncated"))?;
        if tensor.shape().dims() != shape {
            bail!("tensor `{name}` has shape {:?} instead of {shape:?}", tensor.shape().dims());
        }
        self.taken.insert(name.to_owned());
        *self.stored.entry(format!("{:?}", tensor.dtype())).or_default() += 1;
        Ok(tensor)
    }
}

/// The type to compute with. The inference library has no vector kernel for the first four and would
/// be five times slower; Q8_0 has one, the same block size, and enough bits to keep their values
/// (its answers differ from those of unquantised weights no more often than Q4_1's own do). With
/// halves it computes 3 times (BF16) and 13 times (F16) slower than with the same numbers as F32,
/// measured with SmolLM2 135M on one thread; that takes twice the memory.
fn computed_type(stored: GgmlDType) -> GgmlDType {
    match stored {
        GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1 | GgmlDType::Q8_1 => GgmlDType::Q8_0,
        GgmlDType::F16 | GgmlDType::BF16 => GgmlDType::F32,
        other => other,
    }
}
