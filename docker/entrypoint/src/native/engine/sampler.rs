//! Chooses the next token, greedily or by sampling, like transformers' `generate`.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::native::generation::{Decoding, Sampling};

/// Chooses tokens. The same seed gives the same choices.
#[derive(Debug)]
pub(super) struct Sampler {
    decoding: Decoding,
    random: StdRng,
}

impl Sampler {
    pub(super) fn new(decoding: Decoding) -> Self {
        Self { decoding, random: StdRng::seed_from_u64(decoding.seed) }
    }

    /// The token that follows `tokens`.
    pub(super) fn next(&mut self, logits: &mut [f32], tokens: &[u32]) -> anyhow::Result<u32> {
        penalise(logits, tokens, self.decoding.repetition_penalty);
        let chosen = match self.decoding.sampling {
            Some(sampling) => sample(logits, sampling, self.random.random()),
            None => argmax(logits),
        };
        Ok(u32::try_from(chosen)?)
    }
}

/// Applies the repetition penalty once to each token that occurs in `tokens`.
fn penalise(logits: &mut [f32], tokens: &[u32], penalty: f32) {
    if penalty == 1.0 {
        return;
    }
    let mut tokens = tokens.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    for token in tokens {
        if let Some(logit) = logits.get_mut(token as usize) {
            *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
        }
    }
}

/// Index of the highest value, the first of equals.
fn argmax(logits: &[f32]) -> usize {
    let highest = |best, (index, value)| if value > logits[best] { index } else { best };
    logits.iter().copied().enumerate().fold(0, highest)
}

/// The token at `point` (0 to 1) of the cumulative distribution.
fn sample(logits: &[f32], sampling: Sampling, point: f64) -> usize {
    let Sampling { temperature, top_k, top_p } = sampling;
    let mut tokens: Vec<usize> = (0..logits.len()).collect();
    tokens.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    if top_k > 0 {
        tokens.truncate(top_k);
    }
    let highest = tokens.first().map_or(0.0, |first| logits[*first]);
    let weight = |token: &usize| f64::from((logits[*token] - highest) / temperature).exp();
    let mut weights: Vec<f64> = tokens.iter().map(weight).collect();
    let whole: f64 = weights.iter().sum();
    let mut before = 0.0;
    // The fewest tokens that have a probability of `top_p` together, at least one.
    let kept = weights.iter().take_while(|weight| {
        let is_kept = before < f64::from(top_p) * whole;
        before += **weight;
        is_kept
    });
    let kept = kept.count().max(1);
    weights.truncate(kept);
    let mut rest = point * weights.iter().sum::<f64>();
    for (token, weight) in tokens.iter().zip(&weights) {
        if rest < *weight {
            return *token;
        }
        rest -= weight;
    }
    tokens[weights.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::{Sampler, argmax, penalise, sample};
    use crate::native::generation::{Decoding, Sampling};

    #[test]
    fn first_of_equal_maxima_wins() {
        assert_eq!(argmax(&[0.0, 2.0, 2.0, 1.0]), 1);
    }

    #[test]
    fn repeated_token_is_penalised_once() {
        let mut logits = [2.0, -2.0, 2.0];
        penalise(&mut logits, &[0, 1, 0, 9], 2.0);
        assert_eq!(logits, [1.0, -4.0, 2.0]);
    }

    #[test]
    fn top_k_and_top_p_limit_the_samples() {
        let logits = [0.0, f32::ln(2.0), f32::ln(5.0), f32::NEG_INFINITY];
        let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 };
        let at = |sampling, point| sample(&logits, sampling, point);
        // Probabilities of 5/8, 2/8 and 1/8.
        let all = [0.0, 0.62, 0.63, 0.87, 0.88, 0.999].map(|point| at(sampling, point));
        assert_eq!(all, [2, 2, 1, 1, 0, 0]);
        let two = Sampling { top_k: 2, ..sampling };
        assert_eq!([0.71, 0.72, 0.999].map(|point| at(two, point)), [2, 1, 1]);
        let most = Sampling { top_p: 0.6, ..sampling };
        assert_eq!(at(most, 0.999), 2, "the first token alone has more than that");
        let more = Sampling { top_p: 0.63, ..sampling };
        assert_eq!(at(more, 0.999), 1);
        assert_eq!(at(Sampling { top_p: 0.0, ..sampling }, 0.999), 2);
        let cold = Sampling { temperature: 0.01, ..sampling };
        assert_eq!(at(cold, 0.999), 2);
    }

    #[test]
    fn same_seed_gives_the_same_samples() {
        let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 };
        let drawn = |seed| {
            let decoding = Decoding { repetition_penalty: 1.0, sampling: Some(sampling), seed };
            let mut sampler = Sampler::new(decoding);
            (0..20).map(|_| sampler.next(&mut [0.0; 50], &[]).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
