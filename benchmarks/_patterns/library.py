"""Syncs made inside torch's own Python: modules, losses, optimisers, distributions, collectives."""

from __future__ import annotations

from .pattern import Pattern as P

_NET = "net = nn.Linear(4, 4).to('cuda')\n"
_STEP = "net(a).sum().backward()\n"
_PACK = (
    "from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pack_sequence\n"
    "z = torch.ones(2, 3, 4, device='cuda')\nlengths = torch.tensor([2, 3])\n"
)
_NORMAL = "loc, scale = torch.zeros(3, device='cuda'), torch.ones(3, device='cuda')\n"
_CHECK = "[P] distributions/distribution.py: `if not torch._is_all_true(valid)`"
_GLOO = (
    "import torch.distributed as dist\n"
    "dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)"
)
_LEAVE = "dist.destroy_process_group()"
_STEPS = "[P] step counters are CPU tensors"


def _optimizer(text: str) -> str:
    return _NET + f"opt = torch.optim.{text}\n" + _STEP


LIBRARY: tuple[P, ...] = (
    P(
        "clip_grad_norm_ with error_if_nonfinite",
        "nn.utils.clip_grad_norm_(net.parameters(), 1.0, error_if_nonfinite=True)",
        {"clip_grad_norm": 1},
        "[P] utils/clip_grad.py: `and torch.logical_or(...)`",
        setup=_NET + _STEP,
    ),
    P(
        "GradScaler.step",
        "scaler.step(opt)",
        {"grad_scaler|item": 1},
        "[P] amp/grad_scaler.py _maybe_opt_step: found_inf item()",
        setup=_NET + "opt = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "scaler = torch.amp.GradScaler('cuda')\nscaler.scale(net(a).sum()).backward()",
    ),
    P(
        "GradScaler.get_scale",
        "v = scaler.get_scale()",
        {"grad_scaler|item": 1},
        "[P] item()",
        setup="scaler = torch.amp.GradScaler('cuda')\nscaler.scale(x.sum())",
    ),
    P(
        "Normal with validation",
        "v = torch.distributions.Normal(loc, scale)",
        {"distribution_check|item": 2},
        "one truth per parameter; " + _CHECK,
        setup=_NORMAL,
    ),
    P(
        "Normal.log_prob with validation",
        "v = d.log_prob(loc)",
        {"distribution_check|item": 1},
        _CHECK,
        setup=_NORMAL + "d = torch.distributions.Normal(loc, scale)",
    ),
    P(
        "Categorical with validation",
        "v = torch.distributions.Categorical(probs=y)",
        {"distribution_check|item": 1},
        "probs given, logits lazy; " + _CHECK,
    ),
    P(
        "SGD with a CUDA learning rate",
        "opt.step()",
        {"optimizer_read|item": 1},
        "[P] optim/sgd.py _multi_tensor_sgd, the default on CUDA: alpha=-lr, once per group",
        setup=_optimizer("SGD(net.parameters(), lr=torch.tensor(0.1).cuda())"),
    ),
    P(
        "Adam with a CUDA learning rate",
        "opt.step()",
        {"optimizer_read|item": 2},
        "[P] optim/adam.py: no foreach with a tensor lr; value=-step_size, once per parameter",
        setup=_optimizer("Adam(net.parameters(), lr=torch.tensor(0.1).cuda())"),
    ),
    P(
        "LBFGS",
        "opt.step(closure)",
        {"optimizer_read|item": ">=2"},
        "[P] optim/lbfgs.py: float(loss), conditions on tensors",
        setup=_optimizer("LBFGS(net.parameters(), max_iter=2)")
        + "def closure():\n    opt.zero_grad()\n    loss = (net(a) ** 2).sum()\n"
        "    loss.backward()\n    return loss",
    ),
    P(
        "ReduceLROnPlateau",
        "sched.step(f)",
        {"optimizer_read|item": 1},
        "[P] lr_scheduler.py: float(metrics)",
        setup=_optimizer("SGD(net.parameters(), lr=0.1)")
        + "sched = torch.optim.lr_scheduler.ReduceLROnPlateau(opt)",
    ),
    P(
        "BatchNorm without momentum",
        "v = bn(a)",
        {"item": 1},
        "[P] modules/batchnorm.py: 1.0 / float(num_batches_tracked)",
        setup="bn = nn.BatchNorm1d(4, momentum=None).to('cuda')",
    ),
    P(
        "GaussianNLLLoss",
        "v = F.gaussian_nll_loss(x, y, y)",
        {"item": 1},
        "[P] functional.py: torch.any(var < 0)",
    ),
    P(
        "AdaptiveLogSoftmaxWithLoss",
        "v = asm(a, k)",
        {"nonzero": 2, "mask_index": 2},
        "[P] modules/adaptive.py: per cluster one nonzero and one target[mask]",
        setup="k = torch.arange(4, device='cuda')\n"
        "asm = nn.AdaptiveLogSoftmaxWithLoss(4, 4, cutoffs=[2], div_value=1.0).to('cuda')",
    ),
    P(
        "TransformerEncoder with a mask",
        "v = enc(a[:, None], mask=a > 1)",
        {"item": 1},
        "[P] modules/transformer.py _detect_is_causal_mask: bool(...)",
        setup="enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 1, 4, dropout=0.0),"
        " 1).to('cuda')\na = torch.zeros(4, 4, device='cuda')",
    ),
    P(
        "assert_close",
        "torch.testing.assert_close(x, x.clone())",
        {"item": ">=1"},
        "[P] testing/_comparison.py: torch.all(matches) as a condition",
    ),
    P(
        "pack_padded_sequence, unsorted",
        "v = pack_padded_sequence(z, lengths, batch_first=True, enforce_sorted=False)",
        {"packed_sequence|h2d": 1},
        "[P] utils/rnn.py: sorted_indices.to(input.device)",
        setup=_PACK,
        directions={"packed_sequence": "h2d"},
    ),
    P(
        "pack_sequence, unsorted",
        "v = pack_sequence([z[0, :2], z[1]], enforce_sorted=False)",
        {"packed_sequence|h2d": 1},
        "[P] utils/rnn.py: sorted_indices.to(input.device)",
        setup=_PACK,
        directions={"packed_sequence": "h2d"},
    ),
    P(
        "pad_packed_sequence, unsorted",
        "v = pad_packed_sequence(p)",
        {"packed_sequence|d2h": 1},
        "[P] utils/rnn.py: lengths[unsorted_indices.cpu()]",
        setup=_PACK
        + "p = pack_padded_sequence(z, lengths, batch_first=True, enforce_sorted=False)",
    ),
    P(
        "barrier",
        "dist.barrier()",
        {"collective": 1},
        "the host waits for every rank",
        setup=_GLOO,
        cleanup=_LEAVE,
    ),
    P(
        "gloo all_reduce of a CUDA tensor",
        "dist.all_reduce(x)",
        {"collective": ">=1"},
        "gloo stages CUDA tensors through the host and waits",
        setup=_GLOO,
        cleanup=_LEAVE,
    ),
    # look-alikes
    P(
        "clip_grad_norm_",
        "nn.utils.clip_grad_norm_(net.parameters(), 1.0)",
        {},
        "[P] on device",
        setup=_NET + _STEP,
    ),
    P(
        "GradScaler.scale, unscale_, update",
        "scaler.unscale_(opt); scaler.update()",
        {},
        "[P] amp/grad_scaler.py: kernels only",
        setup=_NET + "opt = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "scaler = torch.amp.GradScaler('cuda')\nscaler.scale(net(a).sum()).backward()",
    ),
    P(
        "Normal without validation",
        "v = D(loc, scale, validate_args=False).log_prob(loc)",
        {},
        _CHECK,
        setup=_NORMAL + "D = torch.distributions.Normal",
    ),
    P("SGD", "opt.step()", {}, "numbers only", setup=_optimizer("SGD(net.parameters(), 0.1, 0.9)")),
    P("Adam", "opt.step()", {}, _STEPS, setup=_optimizer("Adam(net.parameters())")),
    P(
        "AdamW, second step",
        "opt.step()",
        {},
        _STEPS,
        setup=_optimizer("AdamW(net.parameters())") + "opt.step()",
    ),
    P(
        "AdamW, one tensor at a time",
        "opt.step()",
        {},
        _STEPS,
        setup=_optimizer("AdamW(net.parameters(), foreach=False)") + "opt.step()",
    ),
    P(
        "AdamW, fused",
        "opt.step()",
        {},
        "[P] counters on the device, never read",
        setup=_optimizer("AdamW(net.parameters(), fused=True)") + "opt.step()",
    ),
    P(
        "zero_grad and scheduler",
        "opt.zero_grad(); sched.step()",
        {},
        "numbers only",
        setup=_optimizer("SGD(net.parameters(), lr=0.1)")
        + "opt.step()\nsched = torch.optim.lr_scheduler.StepLR(opt, 1)",
    ),
    P(
        "BatchNorm",
        "v = bn(a)",
        {},
        "momentum is a number",
        setup="bn = nn.BatchNorm1d(4).to('cuda')",
    ),
    P(
        "linear, backward",
        "v = net(a)",
        {},
        "kernels only",
        setup=_NET,
        frame="{line}\nv.sum().backward()",
    ),
    P(
        "convolution, pooling, norm",
        "v = net(z)",
        {},
        "kernels only",
        setup="net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.GroupNorm(1, 2), nn.GELU(),"
        " nn.MaxPool2d(2)).to('cuda')\nz = torch.ones(1, 1, 4, 4, device='cuda')",
        frame="{line}\nv.sum().backward()",
    ),
    P(
        "multi-head attention",
        "v = mha(a[None], a[None], a[None])",
        {},
        "kernels only",
        setup="mha = nn.MultiheadAttention(4, 1, batch_first=True).to('cuda')",
    ),
    P(
        "pack_padded_sequence, sorted",
        "v = pack_padded_sequence(z, lengths.flip(0), True)",
        {},
        "batch sizes are CPU tensors",
        setup=_PACK,
    ),
    P(
        "LSTM over a packed sequence",
        "v = lstm(p)",
        {},
        "[P] batch sizes are CPU tensors",
        setup=_PACK + "p = pack_padded_sequence(z, lengths.flip(0), True)\n"
        "lstm = nn.LSTM(4, 4).to('cuda')",
    ),
    P(
        "pad_sequence on the host, then moved",
        "v = nn.utils.rnn.pad_sequence([cx, cx[:2]]).to('cuda')",
        {"h2d": 1},
        "made inside C++ from host tensors: the move is a copy",
    ),
    P("pad_sequence", "v = nn.utils.rnn.pad_sequence([x, x[:2]])", {}, "shapes are host data"),
    P(
        "gloo all_reduce of a CPU tensor",
        "dist.all_reduce(cx)",
        {},
        "no device",
        setup=_GLOO,
        cleanup=_LEAVE,
    ),
)
