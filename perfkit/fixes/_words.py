"""What functions and methods of torch give, by name."""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


FLOATS = _set(
    """rand randn softmax sigmoid exp log sqrt tanh linspace log_softmax cross_entropy mse_loss
    nll_loss binary_cross_entropy binary_cross_entropy_with_logits l1_loss smooth_l1_loss kl_div
    huber_loss"""
)
DEFAULT_FLOATS = _set("zeros ones empty")
INTEGERS = _set("argmax argmin argsort searchsorted randint randperm count_nonzero")
TRUTHS = _set(
    """isnan isinf isfinite eq ne lt le gt ge logical_and logical_or logical_not logical_xor any
    all"""
)
ALIKE = _set(
    """clone relu abs clamp zeros_like ones_like rand_like neg detach contiguous view reshape
    flatten squeeze unsqueeze transpose permute expand cuda cpu ravel unflatten repeat expand_as
    view_as masked_fill masked_fill_ clamp_ flip roll triu tril square narrow select index_select
    gather t"""
)
TENSORS = _set(
    """cat stack matmul mm bmm einsum where full tensor as_tensor from_numpy mul add sub linear
    layer_norm dropout gelu silu softplus maximum minimum round floor ceil pow"""
)
MEANS = _set("mean std var norm softmax log_softmax sigmoid exp log sqrt tanh")
CASTS = {"bool": "bool", "float": "float", "double": "float", "half": "float"}
CASTS |= {"bfloat16": "float", "long": "int", "int": "int", "short": "int"}
DTYPES = CASTS | {"float32": "float", "float64": "float", "float16": "float", "int64": "int"}
DTYPES |= {"int32": "int", "int16": "int", "int8": "int", "uint8": "int"}
PLAIN_LOADER = _set(
    """dataset batch_size shuffle sampler batch_sampler num_workers pin_memory drop_last timeout
    worker_init_fn generator prefetch_factor persistent_workers"""
)
