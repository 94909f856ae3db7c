//! The Llama architecture, for one sequence at a time. candle multiplies the matrices; everything
//! else is small enough for plain loops.

use std::sync::Arc;

use anyhow::{bail, ensure};
use candle_core::{Device, Tensor, quantized::QTensor};

use super::weights::Weights;

/// The only supported `general.architecture` of the GGUF header.
pub(super) const ARCHITECTURE: &str = "llama";

/// The weights of a model.
pub(super) struct Llama {
    shape: Shape,
    embedding: Arc<QTensor>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    output: Arc<QTensor>,
    /// Rotary embedding: radians per position, for each pair of a head's numbers.
    frequencies: Vec<f32>,
}

/// Hyperparameters of the header.
struct Shape {
    width: usize,
    feed_forward: usize,
    heads: usize,
    kv_heads: usize,
    head: usize,
    context: usize,
    epsilon: f32,
}

struct Layer {
    attention_norm: Vec<f32>,
    query: Arc<QTensor>,
    key: Arc<QTensor>,
    value: Arc<QTensor>,
    attention_output: Arc<QTensor>,
    feed_forward_norm: Vec<f32>,
    gate: Arc<QTensor>,
    up: Arc<QTensor>,
    down: Arc<QTensor>,
}

/// KV cache of a sequence, by layer.
pub(super) struct Cache {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    tokens: usize,
}

impl Cache {
    pub(super) fn new(llama: &Llama) -> Self {
        let empty = vec![Vec::new(); llama.layers.len()];
        Self { keys: empty.clone(), values: empty, tokens: 0 }
    }
}

impl Llama {
    pub(super) fn load(weights: &mut Weights<'_>) -> anyhow::Result<Self> {
        let architecture = weights.string("general.architecture")?;
        if architecture != ARCHITECTURE {
            bail!(
                "its architecture is `{architecture}`, and the `native` backend computes \
                 `{ARCHITECTURE}` only; choose another model"
            );
        }
        let shape = Shape::read(weights)?;
        let Shape { width, feed_forward, .. } = shape;
        let kv_width = shape.kv_heads * shape.head;

        let vocabulary = weights.vocabulary()?;
        let embedding = weights.matrix("token_embd.weight", vocabulary, width)?;
        let mut layers = Vec::new();
        for number in 0..weights.integer("llama.block_count")? {
            let name = |part: &str| format!("blk.{number}.{part}.weight");
            layers.push(Layer {
                attention_norm: weights.vector(&name("attn_norm"), width)?,
                query: weights.matrix(&name("attn_q"), width, width)?,
                key: weights.matrix(&name("attn_k"), kv_width, width)?,
                value: weights.matrix(&name("attn_v"), kv_width, width)?,
                attention_output: weights.matrix(&name("attn_output"), width, width)?,
                feed_forward_norm: weights.vector(&name("ffn_norm"), width)?,
                gate: weights.matrix(&name("ffn_gate"), feed_forward, width)?,
                up: weights.matrix(&name("ffn_up"), feed_forward, width)?,
                down: weights.matrix(&name("ffn_down"), width, feed_forward)?,
            });
        }
        let norm = weights.vector("output_norm.weight", width)?;
        // Small models share one matrix for input and output.
        let output = if weights.has("output.weight") {
            weights.matrix("output.weight", vocabulary, width)?
        } else {
            Arc::clone(&embedding)
        };
        let frequencies = frequencies(weights, shape.head)?;
        weights.check_all_used()?;
        Ok(Self { shape, embedding, layers, norm, output, frequencies })
    }

    /// Number of tokens that the model knows.
    pub(super) fn vocabulary(&self) -> usize {
        self.embedding.shape().dims()[0]
    }

    /// The most tokens that a sequence can have.
    pub(super) fn context_length(&self) -> usize {
        self.shape.context
    }

    /// Appends `tokens` to the sequence in `cache`, and returns the logits of the next token.
    pub(super) fn forward(&self, tokens: &[u32], cache: &mut Cache) -> anyhow::Result<Vec<f32>> {
        let Shape { width, epsilon, .. } = self.shape;
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let mut state: Vec<f32> = self.embedding.embedding(&ids)?.flatten_all()?.to_vec1()?;
        for (number, layer) in self.layers.iter().enumerate() {
            let normed = rms_norm(&state, &layer.attention_norm, epsilon);
            let attention = self.attention(layer, &normed, number, cache)?;
            add(&mut state, &matmul(&layer.attention_output, &attention)?);

            let normed = rms_norm(&state, &layer.feed_forward_norm, epsilon);
            let mut gate = matmul(&layer.gate, &normed)?;
            let up = matmul(&layer.up, &normed)?;
            for (gate, up) in gate.iter_mut().zip(up) {
                *gate = *gate / (1.0 + (-*gate).exp()) * up;
            }
            add(&mut state, &matmul(&layer.down, &gate)?);
        }
        cache.tokens += tokens.len();
        let last = &state[state.len() - width..];
        matmul(&self.output, &rms_norm(last, &self.norm, epsilon))
    }

    /// Grouped-query attention of layer `number`.
    fn attention(
        &self,
        layer: &Layer,
        normed: &[f32],
        number: usize,
        cache: &mut Cache,
    ) -> anyhow::Result<Vec<f32>> {
        let Shape { width, heads, kv_heads, head, .. } = self.shape;
        let mut queries = matmul(&layer.query, normed)?;
        let mut keys = matmul(&layer.key, normed)?;
        let values = matmul(&layer.value, normed)?;
        self.rotate(&mut queries, width, cache.tokens);
        self.rotate(&mut keys, kv_heads * head, cache.tokens);
        cache.keys[number].extend(keys);
        cache.values[number].extend(values);

        let (keys, values) = (&cache.keys[number], &cache.values[number]);
        let scale = 1.0 / (head as f32).sqrt();
        let mut out = vec![0.0; queries.len()];
        let rows = queries.chunks_exact(width).zip(out.chunks_exact_mut(width));
        for (row, (query, out)) in rows.enumerate() {
            let seen = cache.tokens + row + 1;
            let pairs = query.chunks_exact(head).zip(out.chunks_exact_mut(head));
            for (index, (query, out)) in pairs.enumerate() {
                // Several query heads share a key head.
                let at = index / (heads / kv_heads) * head;
                let keys = keys.chunks_exact(kv_heads * head).take(seen);
                let mut shares: Vec<f32> =
                    keys.map(|key| dot(query, &key[at..at + head]) * scale).collect();
                softmax(&mut shares);
                let values = values.chunks_exact(kv_heads * head);
                for (share, value) in shares.iter().zip(values) {
                    for (out, value) in out.iter_mut().zip(&value[at..at + head]) {
                        *out += share * value;
                    }
                }
            }
        }
        Ok(out)
    }

    /// Applies the rotary position embedding to rows from position `first` on. Adjacent numbers are
    /// a pair, because GGUF stores Llama's matrices that way.
    fn rotate(&self, rows: &mut [f32], width: usize, first: usize) {
        for (row, numbers) in rows.chunks_exact_mut(width).enumerate() {
            let position = (first + row) as f32;
            for head in numbers.chunks_exact_mut(self.shape.head) {
                for (pair, frequency) in head.chunks_exact_mut(2).zip(&self.frequencies) {
                    let (sin, cos) = (position * frequency).sin_cos();
                    let (a, b) = (pair[0], pair[1]);
                    pair[0] = a * cos - b * sin;
                    pair[1] = a * sin + b * cos;
                }
            }
        }
    }
}

impl Shape {
    fn read(weights: &Weights<'_>) -> anyhow::Result<Self> {
        let width = weights.integer("llama.embedding_length")?;
        let heads = weights.integer("llama.attention.head_count")?;
        let kv_heads = weights.integer("llama.attention.head_count_kv").unwrap_or(heads);
        ensure!(
            heads > 0
                && kv_heads > 0
                && width.is_multiple_of(heads)
                && heads.is_multiple_of(kv_heads),
            "its header says {width} numbers, {heads} heads and {kv_heads} key heads, which do not \
             divide"
        );
        Ok(Self {
            width,
            feed_forward: weights.integer("llama.feed_forward_length")?,
            heads,
            kv_heads,
            head: width / heads,
            context: weights.integer("llama.context_length")?,
            epsilon: weights.float("llama.attention.layer_norm_rms_epsilon")?,
        })
    }
}

/// Rotary embedding: radians per position, for each pair in a head. Pairs beyond are not rotated.
fn frequencies(weights: &mut Weights<'_>, head: usize) -> anyhow::Result<Vec<f32>> {
    let size = weights.integer("llama.rope.dimension_count").unwrap_or(head);
    let base = weights.float("llama.rope.freq_base").unwrap_or(10_000.0);
    if let Ok(kind) = weights.string("llama.rope.scaling.type")
        && kind != "none"
    {
        bail!("its positions are scaled (`{kind}`), which the `native` backend does not compute");
    }
    let factors = if weights.has("rope_freqs.weight") {
        weights.vector("rope_freqs.weight", size / 2)?
    } else {
        vec![1.0; size / 2]
    };
    let frequency = |(index, factor)| 1.0 / base.powf((2 * index) as f32 / size as f32) / factor;
    Ok(factors.into_iter().enumerate().map(frequency).collect())
}

/// Each row of `rows` times the transposed `matrix`.
fn matmul(matrix: &QTensor, rows: &[f32]) -> anyhow::Result<Vec<f32>> {
    let (_, columns) = matrix.shape().dims2()?;
    refuse_nan(rows)?;
    let rows = Tensor::from_slice(rows, (rows.len() / columns, columns), &Device::Cpu)?;
    let rows: Vec<f32> = rows.apply_op1_no_bwd(matrix)?.flatten_all()?.to_vec1()?;
    refuse_nan(&rows)?;
    Ok(rows)
}

/// Fails on NaN. candle quantises `values`, which would turn NaN into zeros.
fn refuse_nan(values: &[f32]) -> anyhow::Result<()> {
    ensure!(
        !dot(values, values).is_nan(),
        "the model computes no numbers (NaN): its file is broken; download it again"
    );
    Ok(())
}

/// Root-mean-square norm of each row.
fn rms_norm(rows: &[f32], gains: &[f32], epsilon: f32) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.len());
    for row in rows.chunks_exact(gains.len()) {
        let mean = dot(row, row) / row.len() as f32;
        let scale = 1.0 / (mean + epsilon).sqrt();
        out.extend(row.iter().zip(gains).map(|(value, gain)| value * scale * gain));
    }
    out
}

fn add(to: &mut [f32], other: &[f32]) {
    for (to, other) in to.iter_mut().zip(other) {
        *to += other;
    }
}

/// Dot product in eight lanes, which the compiler vectorises.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn softmax(values: &mut [f32]) {
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in values.iter_mut() {
        *value = (*value - highest).exp();
        sum += *value;
    }
    for value in values {
        *value /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::{dot, rms_norm, softmax};

    #[test]
    fn dot_product_includes_the_rest_after_whole_chunks() {
        let a: Vec<f32> = (1..=11).map(|n| n as f32).collect();
        assert_eq!(dot(&a, &a), 506.0);
    }

    #[test]
    fn softmax_does_not_overflow() {
        let mut values = [1000.0, 1000.0, f32::NEG_INFINITY];
        softmax(&mut values);
        assert_eq!(values, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn each_row_is_normalised_by_itself() {
        let rows = rms_norm(&[3.0, 3.0, -2.0, -2.0], &[1.0, 10.0], 0.0);
        assert_eq!(rows, [1.0, 10.0, -1.0, -10.0]);
    }
}
