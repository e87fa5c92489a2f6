"""The same few syncs under everything that hides them: modes, threads, hooks, backward, scripts."""

from __future__ import annotations

from .pattern import Pattern as P

_ITEM = "v = x.sum().item()"
_ONE = {"item": 1}
_SITE = "the innermost frame outside torch is the site"


def _inside(context: str) -> str:
    return f"with {context}:\n    {{line}}"


_FUNCTION = """\
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value * 2

    @staticmethod
    def backward(ctx, grad):
        {line}
        return grad * 2

w = torch.ones(4, device='cuda', requires_grad=True)
Scale.apply(w).sum().backward()
"""
_CHECKPOINT = """\
from torch.utils.checkpoint import checkpoint

def block(value):
    {line}
    return value * value

w = torch.ones(4, device='cuda', requires_grad=True)
checkpoint(block, w, use_reentrant=False).sin().sum().backward()
"""
_THREAD = """\
def work():
    {line}

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
_GENERATOR = """\
def produce():
    for _ in range(2):
        {line}
        yield v

values = list(produce())
"""
_MODULE_HOOK = """\
def hook(module, args, out):
    {line}

net.register_forward_hook(hook)
net(a)
"""
_TENSOR_HOOK = """\
def hook(grad):
    {line}

w = torch.ones(4, device='cuda', requires_grad=True)
w.register_hook(hook)
(w * 2).sum().backward()
"""
_SCRIPT = """\
@torch.jit.script
def total(value: torch.Tensor) -> int:
    return int(value.sum())
"""
_SUBCLASS = "class Mine(torch.Tensor): pass\ns = x.as_subclass(Mine)"

CONTEXTS: tuple[P, ...] = (
    P("item in no_grad", _ITEM, _ONE, _SITE, frame=_inside("torch.no_grad()")),
    P(
        "item in inference_mode",
        _ITEM,
        _ONE,
        "composites arrive whole",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "to cuda in inference_mode",
        "v = cx.to('cuda')",
        {"h2d": 1},
        "composites arrive whole",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "mask read in inference_mode",
        "v = x[m]",
        {"mask_index": 1},
        "composites arrive whole",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "a cast mask read in inference_mode",
        "v = m.long().bool().any().item()",
        {"item": 1},
        "a cast arrives whole and looks like a view",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "host index read, backward, beside one without gradient",
        "v = w.mul(2)[ci]",
        {"h2d": 2},
        "[S] cuda/Indexing.cu computeLinearIndex: .to(device) again; the later read has no node",
        setup="w = torch.ones(4, device='cuda', requires_grad=True)",
        frame="{line}\nu = x[i]\n(v - u).sum().backward()",
    ),
    P(
        "one-argument where in inference_mode",
        "v = torch.where(m)",
        {"nonzero": 1},
        "composite",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "one_hot with classes in inference_mode",
        "v = F.one_hot(k, 4)",
        {},
        "composite",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "one_hot without classes in inference_mode",
        "v = F.one_hot(k)",
        {"one_hot": 1},
        "composite",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "repeat_interleave in inference_mode",
        "v = x.repeat_interleave(k)",
        {"repeat_interleave": 2},
        "composite",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "print in inference_mode",
        "print(x)",
        {"print": ">=1"},
        "modes are off while printing",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "linear in inference_mode",
        "v = net(a)",
        {},
        "composite",
        setup="net = nn.Linear(4, 4).to('cuda')",
        frame=_inside("torch.inference_mode()"),
    ),
    P(
        "item in autocast",
        _ITEM,
        _ONE,
        _SITE,
        frame=_inside("torch.autocast('cuda', dtype=torch.bfloat16)"),
    ),
    P(
        "linear in autocast",
        "v = net(a)",
        {},
        "casts are kernels",
        setup="net = nn.Linear(4, 4).to('cuda')",
        frame=_inside("torch.autocast('cuda', dtype=torch.bfloat16)"),
    ),
    P("item in a thread", _ITEM, _ONE, "modes are per thread", frame=_THREAD),
    P(
        "to cuda in a thread",
        "v = cx.to('cuda')",
        {"h2d": 1},
        "modes are per thread",
        frame=_THREAD,
    ),
    P("item in a generator", _ITEM, {"item": 2}, "resumed elsewhere", frame=_GENERATOR),
    P("item in a Function's backward", "v = grad.sum().item()", _ONE, _SITE, frame=_FUNCTION),
    P(
        "mask read in a Function's backward",
        "v = grad[m]",
        {"mask_index": 1},
        _SITE,
        frame=_FUNCTION,
    ),
    P(
        "item in a checkpointed block",
        "v = value.sum().item()",
        {"item": 2},
        "forward and recomputation",
        frame=_CHECKPOINT,
    ),
    P(
        "mask read in a checkpointed block",
        "v = value[m]",
        {"mask_index": 2},
        "forward and recomputation",
        frame=_CHECKPOINT,
    ),
    P(
        "silent checkpointed block",
        "v = value.sum()",
        {},
        "random state is host data",
        frame=_CHECKPOINT,
    ),
    P(
        "item in a module hook",
        "v = out.sum().item()",
        _ONE,
        _SITE,
        setup="net = nn.Linear(4, 4).to('cuda')",
        frame=_MODULE_HOOK,
    ),
    P("item in a tensor hook", "v = grad.sum().item()", _ONE, _SITE, frame=_TENSOR_HOOK),
    P(
        "item in a scripted function",
        "v = total(k)",
        _ONE,
        "the call, or the line inside where the script is known",
        setup=_SCRIPT,
        anywhere=True,
    ),
    P(
        "item of a subclass",
        "v = s.sum().item()",
        _ONE,
        "__torch_function__ subclasses",
        setup=_SUBCLASS,
    ),
    P("item in a lambda", "v = (lambda e: e.item())(f)", _ONE, _SITE),
    P("item in a class body", "v = type('T', (), {'n': f.item()})", _ONE, _SITE),
    P(
        "mask gradient from a library loss",
        "v = F.mse_loss(w[m], y[:2])",
        {"mask_index": 2},
        "the forward line, not backward()'s",
        setup="w = torch.ones(4, device='cuda', requires_grad=True)",
        frame="{line}\nv.backward()",
    ),
    P(
        "mask gradient through torch.autograd.grad",
        "v = w[m]",
        {"mask_index": 2},
        "the forward line, not autograd.grad's",
        setup="w = torch.ones(4, device='cuda', requires_grad=True)",
        frame="{line}\ntorch.autograd.grad(v.sum(), w)",
    ),
    P(
        "detect_anomaly",
        "(w * 2).sum().backward()",
        {"anomaly_check": ">=1"},
        "[S] csrc/autograd/engine.cpp: is_nan any().item() per output",
        setup="w = torch.ones(4, device='cuda', requires_grad=True)",
        frame=_inside("torch.autograd.detect_anomaly()"),
    ),
    P(
        "silent backward",
        "(w * x).sum().backward()",
        {},
        "kernels only",
        setup="w = torch.ones(4, device='cuda', requires_grad=True)",
    ),
)
