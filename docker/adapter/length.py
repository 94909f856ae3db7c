"""How many tokens a model holds, prompt and answer together."""

# Where configurations keep it, by the families' names for it. The first is transformers' own name,
# which many configurations translate into theirs.
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

# Families of RoBERTa's, which number positions from behind the padding's id on: the first ones of
# their tables are of no token.
BEHIND_PADDING = {
    "camembert",
    "data2vec-text",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}

# What tokenizers have that know of no limit is far above this.
NO_LIMIT = 10**9


def holds(configuration, tokenizer):
    """The tokens that the model holds; none where nothing limits them, as with Mamba."""
    # Models that also see or hear keep what is about text in a part of its own.
    for part in [configuration.get_text_config(decoder=True), configuration]:
        for key in KEYS:
            length = _number(getattr(part, key, None))
            if length:
                return length - _before_first(part)
    length = _number(getattr(tokenizer, "model_max_length", None))
    return length if length and length < NO_LIMIT else None


def _number(value):
    """A length; some configurations have -1 for none, and some 2048.0."""
    is_whole = type(value) is int or type(value) is float and value.is_integer()
    return int(value) if is_whole and value > 0 else None


def _before_first(part):
    if getattr(part, "model_type", None) not in BEHIND_PADDING:
        return 0
    return (getattr(part, "pad_token_id", None) or 0) + 1
