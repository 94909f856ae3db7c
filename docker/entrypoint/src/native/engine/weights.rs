//! Reads the tensors of a GGUF file, in types with fast kernels.

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

/// Reads tensors, and remembers which were used.
pub(super) struct Weights<'a> {
    content: &'a gguf_file::Content,
    file: &'a mut BufReader<File>,
    used: HashSet<String>,
    stored: BTreeMap<String, u32>,
    computed: BTreeMap<String, u32>,
}

impl<'a> Weights<'a> {
    pub(super) fn new(content: &'a gguf_file::Content, file: &'a mut BufReader<File>) -> Self {
        Self {
            content,
            file,
            used: HashSet::new(),
            stored: BTreeMap::new(),
            computed: BTreeMap::new(),
        }
    }

    /// Number of tensors by type, as stored.
    pub(super) fn stored(&self) -> &BTreeMap<String, u32> {
        &self.stored
    }

    /// Number of tensors by type, as used in the computation.
    pub(super) fn computed(&self) -> &BTreeMap<String, u32> {
        &self.computed
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// An integer of the header.
    pub(super) fn integer(&self, key: &str) -> anyhow::Result<usize> {
        let value = self.value(key)?;
        let number = value.to_u64().with_context(|| format!("reading `{key}` of the header"))?;
        Ok(usize::try_from(number)?)
    }

    /// A floating-point number of the header.
    pub(super) fn float(&self, key: &str) -> anyhow::Result<f32> {
        self.value(key)?.to_f32().with_context(|| format!("reading `{key}` of the header"))
    }

    /// A string of the header.
    pub(super) fn string(&self, key: &str) -> anyhow::Result<&str> {
        let value = self.value(key)?;
        Ok(value.to_string().with_context(|| format!("reading `{key}` of the header"))?)
    }

    fn value(&self, key: &str) -> anyhow::Result<&gguf_file::Value> {
        self.content.metadata.get(key).with_context(|| format!("its header has no `{key}`"))
    }

    /// Number of tokens that the model knows.
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
            // Quantising would turn NaN into zeros.
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

    /// Fails if the file has unused tensors: the model is of another kind, and the results would be
    /// wrong.
    pub(super) fn check_all_used(&self) -> anyhow::Result<()> {
        let names = self.content.tensor_infos.keys();
        let mut unknown: Vec<_> = names.filter(|name| !self.used.contains(*name)).collect();
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
        self.used.insert(name.to_owned());
        *self.stored.entry(format!("{:?}", tensor.dtype())).or_default() += 1;
        Ok(tensor)
    }
}

/// The type to compute with.
///
/// candle has no vector kernel for the first four, and is five times slower with them. Q8_0 has
/// one, the same block size, and enough bits for their values: its answers differ from those of
/// unquantised weights as rarely as Q4_1's own. Compared with F32, candle is 3 times slower with
/// BF16 and 13 times slower with F16 (SmolLM2 135M, one thread). F32 takes twice their memory.
fn computed_type(stored: GgmlDType) -> GgmlDType {
    match stored {
        GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1 | GgmlDType::Q8_1 => GgmlDType::Q8_0,
        GgmlDType::F16 | GgmlDType::BF16 => GgmlDType::F32,
        other => other,
    }
}
