"""Names of torch by what they give and take: the vocabulary of the flow, no judgement."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """Names written one after the other."""
    return frozenset(text.split())


FROM_NOTHING = names(
    "zeros ones full empty arange range linspace logspace eye rand randn randint randperm "
    "empty_strided tril_indices triu_indices tensor as_tensor asarray scalar_tensor "
    "complex_tensor hann_window hamming_window sparse_coo_tensor normal"
)
"""Functions of torch that make a tensor where `device=` says, else on the host."""

FROM_HOST = names(
    "from_numpy frombuffer FloatTensor LongTensor BoolTensor IntTensor HalfTensor DoubleTensor "
    "ByteTensor ShortTensor Tensor from_file"
)
"""Functions of torch that make a tensor on the host."""

NOT_TENSORS = names(
    "is_tensor device dtype Size Generator manual_seed seed get_rng_state is_grad_enabled "
    "is_floating_point is_complex numel compile no_grad enable_grad inference_mode save load "
    "set_default_device set_default_dtype get_default_dtype set_grad_enabled finfo iinfo "
    "is_inference_mode_enabled use_deterministic_algorithms typename is_storage promote_types "
    "result_type can_cast are_deterministic_algorithms_enabled get_num_threads set_num_threads "
    "is_autocast_enabled get_autocast_gpu_dtype set_printoptions set_float32_matmul_precision "
    "broadcast_shapes is_nonzero equal allclose autocast initial_seed"
)
"""Functions directly under torch whose result is no tensor."""

ASKS = names(
    "item tolist size dim numel stride data_ptr element_size get_device ndimension "
    "is_floating_point is_complex is_contiguous is_pinned is_shared nelement storage_offset "
    "is_set_to equal allclose type storage untyped_storage backward retain_grad register_hook "
    "is_sparse nbytes __len__ dim_order is_inference is_conj is_neg is_signed has_names"
)
"""Methods of tensors whose result is no tensor."""

NUMBERS_OF = names(
    "ndim is_cuda is_leaf requires_grad is_sparse is_quantized itemsize nbytes is_mps is_nested "
    "output_nr _version layout names name grad_fn is_meta is_cpu"
)
"""Attributes of tensors that are plain Python."""

BOOLEAN = names(
    "bool eq ne gt lt ge le greater less greater_equal less_equal not_equal isnan isinf isfinite "
    "isposinf isneginf isin isclose logical_and logical_or logical_not logical_xor all any "
    "signbit isreal"
)
"""Functions and methods that give a tensor of truth values."""

INTEGER = names(
    "long int argmax argmin argsort nonzero argwhere bincount searchsorted bucketize randint "
    "randperm multinomial count_nonzero tril_indices triu_indices"
)
FLOATING = names("float half double bfloat16 softmax sigmoid log_softmax mean std var")

REDUCTIONS = names(
    "sum mean prod max min amax amin any all norm std var argmax argmin median nanmedian "
    "logsumexp count_nonzero nansum nanmean quantile trace dist"
)
"""Reductions: no dimension given, one element comes out."""

NOT_PROOF = (
    FROM_NOTHING
    | FROM_HOST
    | NOT_TENSORS
    | names(
        "cat stack concat concatenate hstack vstack dstack block_diag cartesian_prod meshgrid "
        "broadcast_tensors einsum no_grad is_tensor set_printoptions Generator where pow mul add sub div"
    )
)
"""Functions of torch whose first argument need not be a tensor."""

SCALAR_LOSSES = names(
    "cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss binary_cross_entropy kl_div "
    "binary_cross_entropy_with_logits huber_loss cosine_embedding_loss margin_ranking_loss "
    "triplet_margin_loss hinge_embedding_loss ctc_loss multi_margin_loss soft_margin_loss "
    "poisson_nll_loss gaussian_nll_loss multilabel_margin_loss"
)

PAIRS = names(
    "topk sort mode kthvalue cummax cummin frexp slogdet qr eigh svd unbind split chunk meshgrid "
    "split_with_sizes tensor_split std_mean var_mean broadcast_tensors lstsq aminmax"
)
"""Functions and methods that give several tensors."""

ONLY_TENSORS = names(
    "unsqueeze masked_fill masked_fill_ permute detach contiguous scatter scatter_ scatter_add "
    "scatter_add_ gather index_select numel new_zeros new_ones new_full new_tensor new_empty "
    "softmax log_softmax sigmoid type_as chunk clamp clamp_ clamp_min clamp_max expand expand_as "
    "requires_grad requires_grad_ view backward long bfloat16 is_cuda index_add_ index_copy_ "
    "masked_select nonzero repeat_interleave unbind bool view_as amax amin detach_ "
    "is_floating_point unflatten topk logsumexp grad_fn cuda div_ mul_ add_ sub_ fill_ zero_ "
    "copy_ addmm bmm matmul index_fill index_fill_ narrow movedim rsqrt tril triu sub mul pow log "
    "exp sqrt float"
)
"""Attributes that speak for a tensor when used on a parameter without annotation."""

PROOFS = names(
    "nonzero masked_fill masked_fill_ unsqueeze softmax log_softmax sigmoid detach argmax argmin "
    "bool long float half lt le gt ge eq ne isnan isinf isfinite logical_and logical_or logical_not "
    "abs exp log sqrt rsqrt square clamp clamp_min clamp_max permute contiguous scatter scatter_add "
    "gather index_select type_as expand_as amax amin logsumexp topk masked_select repeat_interleave "
    "cumsum tanh relu transpose"
)
"""Methods that make it likely that what they are called on is a tensor, and so is their result."""

NOT_FOR_TENSORS = names(
    "items keys values get append extend pop update split startswith endswith lower upper join "
    "strip parameters named_parameters state_dict train eval modules named_modules children "
    "config iloc loc astype insert add"
)
"""Attributes that speak against one."""

HOST_CLASSES = (
    "Dataset",
    "Sampler",
    "Collator",
    "Collate",
    "Transform",
    "Tokenizer",
    "DataModule",
    "DataLoader",
    "ImageProcessor",
    "ImageProcessorFast",
    "ProcessorMixin",
    "FeatureExtractor",
    "VideoProcessor",
)
"""Ends of the names of base classes whose code works on the host."""

NET_CLASSES = ("Module", "Model", "Layer", "Loss", "Metric", "Block", "Net", "Encoder", "Decoder")
"""Ends of the names of base classes that are, or derive from, nn.Module."""

NETS = ("Module", "Layer", "Loss", "Metric", "Block")
"""Ends of a class's own name that say the same where its base says nothing."""

SETUP = names(
    "__init__ __repr__ __str__ __format__ extra_repr reset_parameters _init_weights init_weights "
    "build from_pretrained load save load_state_dict state_dict save_pretrained setup teardown "
    "__new__ __reduce__ __getstate__ __setstate__ __post_init__ __del__ _load_from_state_dict "
    "configure_optimizers prepare_data visualize plot summary export"
)
"""Functions that run once, whatever stands in them."""

HOT = names(
    "forward training_step validation_step test_step predict_step __call__ loss compute_loss "
    "backward step update train_step evaluate "
    "generate sample decode"
)
"""Functions that run in every step."""

ENTRIES = names("main train fit training_loop train_epoch train_one_epoch run_training")
"""Functions that hold the loop over the data: what stands outside it runs once."""
