"""The context length of a model, prompt and answer together."""

# Keys of configurations, as the model families name them. The first is transformers' own name, to
# which many configurations map theirs.
KEYS = [
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "max_seq_length",
    "max_seqlen",
    "max_sequence_length",
    "max_target_positions",
    "seq_length",
    "seq_len",
    "n_ctx",
    "context_length",
    "max_context_length",
    "model_max_length",
]

# Families that number positions from `pad_token_id + 1` on, so the first entries of their position
# tables are unused.
OFFSET_BY_PADDING = {
    "camembert",
    "data2vec-text",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}

# Tokenizers without a limit have a value far above this.
NO_LIMIT = 10**9


def context_length(configuration, tokenizer):
    """The context length in tokens. None if nothing limits it, as with Mamba."""
    # Multimodal models have a nested configuration for text.
    for part in [configuration.get_text_config(decoder=True), configuration]:
        for key in KEYS:
            length = _length(getattr(part, key, None))
            if length:
                return length - _offset(part)
    length = _length(getattr(tokenizer, "model_max_length", None))
    return length if length and length < NO_LIMIT else None


def _length(value):
    """A length as an integer. Some configurations have -1 for none, some 2048.0."""
    is_whole = type(value) is int or type(value) is float and value.is_integer()
    return int(value) if is_whole and value > 0 else None


def _offset(part):
    if getattr(part, "model_type", None) not in OFFSET_BY_PADDING:
        return 0
    return (getattr(part, "pad_token_id", None) or 0) + 1
