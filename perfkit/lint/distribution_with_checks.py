"""A distribution that checks its arguments.

**What it finds**: `torch.distributions.X(...)` without `validate_args=False`, in code that runs in
every step.

**Why it hurts**: each parameter is compared with its constraint and the host asks for the truth of
the result.

**Instead**: pass `validate_args=False`, or call `Distribution.set_default_validate_args(False)`
once.

**When not to act**: while the arguments are not trusted yet.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK133"
KIND = "distribution_check"
FIX = "pass validate_args=False"
FUNCTIONS = ("torch.distributions.*",)

SILENT = (
    "d = torch.distributions.Normal(x, y, validate_args=False)",
    "d = torch.distributions.Normal(0.0, 1.0)",
    "d = torch.distributions.Normal(torch.zeros(1), torch.ones(1))",
)
FOUND = (
    "d = torch.distributions.Normal(x, y)  # found",
    "d = torch.distributions.Categorical(logits=x)  # found",
)


def function(site: Site) -> Found | None:
    """`Normal(mean, std)`."""
    last = site.name.rpartition(".")[2]
    if not last[:1].isupper() or last in ("Distribution",) or "constraints" in site.name:
        return None
    given = site.kwargs.get("validate_args")
    if given is not None and site.constant(99, "validate_args") is not True:
        return None
    data = [value for value in (*site.args, *site.kwargs.values()) if value.holds_data]
    if not data or all(value.on == "host" for value in data):
        return None
    return Found("`{code}` checks its arguments on the host and waits", 2)
