"""Views, allocations and questions about a tensor: nothing is read, nothing is written.

An allocation's time is not memory traffic. What copies only sometimes (`reshape`, `contiguous`) is
made of other operators and seen there.
"""

from __future__ import annotations

from perfkit.costs._call import CostFunction
from perfkit.costs._shapes import names

_VIEWS = names("""
alias as_strided as_strided_ detach detach_ diagonal expand expand_as broadcast_to flatten unflatten
movedim moveaxis narrow permute real imag view_as_real view_as_complex _conj conj _neg_view resolve_conj
resolve_neg reshape reshape_as ravel select slice split split_with_sizes unsafe_split
unsafe_split_with_sizes chunk unsafe_chunk tensor_split squeeze squeeze_ unsqueeze unsqueeze_ t t_
transpose transpose_ swapaxes swapdims numpy_T mT mH adjoint unbind unfold view view_as _unsafe_view
_reshape_alias lift lift_fresh _fw_primal _make_dual _unpack_dual atleast_1d atleast_2d atleast_3d
_reshape_from_tensor slice_inverse broadcast_tensors
values indices crow_indices col_indices ccol_indices row_indices _values _indices
_autocast_to_full_precision _autocast_to_reduced_precision
""")

_ALLOCATIONS = names("""
empty empty_like empty_strided empty_permuted new_empty new_empty_strided resize_ resize_as_ resize
_resize_output_ set_ set_data _empty_affine_quantized _efficientzerotensor _sparse_coo_tensor_with_dims
_sparse_coo_tensor_with_dims_and_tensors sparse_coo_tensor _sparse_coo_tensor_unsafe
""")

_QUESTIONS = names("""
size stride storage_offset numel dim sym_size sym_stride sym_numel sym_storage_offset is_contiguous
is_pinned is_same_size is_complex is_floating_point is_nonzero item result_type can_cast
_has_same_storage_numel _has_compatible_shallow_copy_type _fused_sdp_choice _local_scalar
record_stream requires_grad_ retain_grad _version is_leaf output_nr data _is_zerotensor is_conj is_neg
sym_constrain_range sym_constrain_range_for_size _assert_tensor_metadata _assert_scalar _assert_async
_functional_assert_async q_scale q_zero_point qscheme q_per_channel_scales q_per_channel_zero_points
q_per_channel_axis _nnz sparse_dim dense_dim is_coalesced _dimI _dimV _linalg_check_errors
_use_cudnn_rnn_flatten_weight _use_cudnn_ctc_loss cudnn_is_acceptable _debug_has_internal_overlap
""")

COSTS: dict[str, CostFunction] = {}

FREE = frozenset(f"aten::{name}" for name in (*_VIEWS, *_ALLOCATIONS, *_QUESTIONS)) | {
    "prim::device", "prim::layout", "profiler::_record_function_enter_new",
    "profiler::_record_function_exit",
}  # fmt: skip
