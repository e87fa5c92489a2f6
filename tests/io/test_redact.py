"""What is private does not survive, what analyses need does."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfkit.io.chrome import read_trace
from perfkit.io.redact import Pseudonyms, redact_diagnosis, redact_run, redact_trace
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.loaders import LoaderUse
from perfkit.model.memory import Held, Memory, StepMemory
from perfkit.model.run import Gap, Run
from perfkit.model.syncs import Frame
from perfkit.rules import _engine, diagnose
from tests import sampled
from tests.draw import draw, item
from tests.kineto_traces import document, gpu_events, needs_corpus, span, write
from tests.sample_runs import ctr_run, hostile_run

SECRET = "zqxacme"


def redacted(tmp_path: Path, trace: object) -> dict[str, Any]:
    redact_trace(write(tmp_path / "in.json", trace), tmp_path / "out.json", Pseudonyms())
    found = json.loads((tmp_path / "out.json").read_bytes())
    assert isinstance(found, dict)
    return found


# What must stay.


def test_an_ordinary_gpu_trace_stays_as_it_was(tmp_path: Path) -> None:
    found = redacted(tmp_path, document(gpu_events()))["traceEvents"]
    assert [{"args": {}, **event} for event in found] == [
        {"args": {}, **event} for event in gpu_events()
    ]


@pytest.mark.parametrize(
    "text",
    [
        "aten::_scaled_dot_product_flash_attention",
        "autograd::engine::evaluate_function: AddmmBackward0",
        "ProfilerStep#12345678",
        "Optimizer.step#AdamW.step",
        "enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__",
        "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float> >(int)",
        "ampere_sgemm_128x64_tn",
        "ncclDevKernel_AllReduce_Sum_f32_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
        "Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT256x192x64",
        "Memcpy HtoD (Pageable -> Device)",
        "cudaStreamSynchronize",
        "hipMemcpyWithStream",
        "DistributedDataParallel.forward",
        "NVIDIA H100 80GB HBM3",
    ],
)
def test_names_of_torch_and_of_vendors_stay(text: str) -> None:
    assert Pseudonyms().text(text) == text


@pytest.mark.parametrize(
    ("frame", "public"),
    [
        (
            "/opt/v/lib/python3.11/site-packages/torch/nn/modules/module.py(1773): _call_impl",
            "torch/nn/modules/module.py(1773): _call_impl",
        ),
        ("torch/_tensor.py(1145): __len__", "torch/_tensor.py(1145): __len__"),
        ("/usr/lib/python3.11/threading.py(1032): run", "threading.py(1032): run"),
        ("transformers/models/qwen2/modeling_qwen2.py(56): forward",) * 2,
        (
            "<built-in method sum of Tensor object at 0x7fcb458ef840>",
            "<built-in method sum of Tensor object at 0>",
        ),
    ],
)
def test_frames_of_torch_the_standard_library_and_known_packages_stay(
    frame: str, public: str
) -> None:
    assert Pseudonyms().frame(frame) == public


@needs_corpus()
def test_times_and_joins_of_real_traces_stay(trace: Path, tmp_path: Path) -> None:
    redact_trace(trace, tmp_path / "out.json.gz", Pseudonyms())
    before, after = read_trace(trace), read_trace(tmp_path / "out.json.gz")
    for column in ("start", "dur", "tid", "correlation", "external", "nbytes"):
        if column != "tid" or not before.labels:
            assert np.array_equal(getattr(before, column), getattr(after, column)), column
    assert [s.number for s in before.steps()] == [s.number for s in after.steps()]
    calls = ("cuda_runtime", "cuda_driver", "gpu_memcpy")
    rows = np.flatnonzero(before.of(calls)).tolist()
    assert [before.name_of(row) for row in rows] == [after.name_of(row) for row in rows]


def test_clocks_too_large_for_a_float_keep_their_nanoseconds(tmp_path: Path) -> None:
    text = b'{"traceEvents":[{"ph":"X","cat":"cpu_op","name":"aten::mm","pid":1,"ts":%s,"dur":1}]}'
    redact_trace(
        write(tmp_path / "in.json", text % b"1767189312000001.123"),
        tmp_path / "out.json",
        Pseudonyms(),
    )
    assert b"1767189312000001.123" in (tmp_path / "out.json").read_bytes()


# What must become something else, and always the same.


def test_a_file_has_one_pseudonym_in_all_its_spellings_and_keeps_its_lines() -> None:
    names = Pseudonyms()
    assert names.file(f"/home/{SECRET}/app/train.py") == "user_1.py"
    assert names.frame("app/train.py(31): fit_it") == "user_1.py(31): name_1"
    assert names.prose("train.py:31 waits in fit_it") == "user_1.py:31 waits in name_1"
    assert names.file(f"C:\\Users\\{SECRET}\\other.py") == "user_2.py"
    assert names.stack("train.py(1): <module>;") == "user_1.py(1): <module>;"


def test_two_files_of_one_name_stay_two() -> None:
    names = Pseudonyms()
    assert names.file("/a/x/utils.py") != names.file("/a/y/utils.py")


def test_modules_annotations_operators_and_kernels_of_the_user_get_pseudonyms() -> None:
    names = Pseudonyms()
    for text in (
        f"nn.Module: {SECRET}Net_0",
        f"## forward:{SECRET}_tower ##",
        f"{SECRET}::fused_add",
        f"aten::{SECRET}",
        f"void {SECRET}_kernel<float>(float*)",
        f"triton_poi_fused_{SECRET}_add_0",
        f"{SECRET}Backward0",
    ):
        assert SECRET not in names.text(text)


@pytest.mark.parametrize(
    "text", ["10.20.30.40", "node-3f2a9c1b7d", "3f2a9c1b4d5e", "555123456789", "日本"]
)
def test_addresses_hashes_long_numbers_and_foreign_letters_go(text: str) -> None:
    assert text not in Pseudonyms().text(f"step on {text}")


def test_host_user_and_job_go_from_the_metadata(tmp_path: Path) -> None:
    trace = document(gpu_events(), username=SECRET, host_name=SECRET, traceName=f"/x/{SECRET}")
    trace["distributedInfo"] = {"backend": "nccl", "rank": 3, "world_size": 8, "job": SECRET}
    found = redacted(tmp_path, trace)
    assert found["distributedInfo"] == {"backend": "nccl", "rank": 3, "world_size": 8}
    assert SECRET not in json.dumps(found)


def test_a_run_keeps_its_numbers_and_loses_the_rest() -> None:
    run = ctr_run()
    shared = redact_run(replace(run, directory=Path("/home/ada")), Pseudonyms())
    assert (shared.steps, shared.device, shared.directory) == (run.steps, run.device, None)
    assert [sync.count for sync in shared.syncs] == [sync.count for sync in run.syncs]
    assert {str(s.stack[0].line) for s in shared.syncs} == {str(s.stack[0].line) for s in run.syncs}
    assert "ada" not in str(shared) and "ads-ranking" not in str(shared)


def test_a_diagnosis_keeps_its_sentences_and_loses_files_and_sources() -> None:
    diagnosis = diagnose(ctr_run(), _engine.outcome)
    shared = redact_diagnosis(diagnosis, Pseudonyms())
    assert shared.verdict.what == diagnosis.verdict.what
    assert list(shared.tables) == list(diagnosis.tables)
    for name, table in shared.tables.items():
        assert table.columns == diagnosis.tables[name].columns
    assert Diagnosis.from_json(json.loads(json.dumps(shared.to_json()))) == shared
    text = json.dumps(shared.to_json())
    for private in ("ads-ranking", "ada/", "if picked.any()", "SMoE"):
        assert private in json.dumps(diagnosis.to_json()) and private not in text


def test_hostile_names_are_no_obstacle() -> None:
    names = Pseudonyms()
    shared = redact_diagnosis(diagnose(redact_run(hostile_run(), names)), names)
    assert "onerror" not in json.dumps(shared.to_json())


# Nothing planted survives.

_SHAPES = st.sampled_from(
    (
        "{}",
        "/home/{}/train.py",
        "{}.py(3): forward",
        "model.py(3): {}_step",
        "torch/nn/{}.py(7): forward",
        "nn.Module: {}_0",
        "aten::{}",
        "<built-in method {} of Tensor object at 0x7f>",
        "host-{}.corp.example.com",
        "{} add",
        "C:\\{}\\x",
        "é{}",
        '"{}<script>',
        "node_{}_job",
        "site-packages/numpy/{}/x.py",
        "ProfilerStep#{}",
        "a/{}/b c.py:12",
    )
)
_SECRETS = st.one_of(
    st.sampled_from((SECRET, "ZqxAcme", "zqx_acme", "ZQXACME", "zqxacme7", "7zqxacme")),
    st.from_regex(r"[a-z0-9]{0,3}zqxacme[ A-Za-z0-9_./-]{0,6}", fullmatch=True),
)
_FIELDS = st.sampled_from(("name", "cat", "pid", "tid", "id", "bp", "s", "ph"))
_ARG_KEYS = st.sampled_from(
    ("Call stack", "Module Hierarchy", "Concrete Inputs", "Input type", "kernel_file", "name", "x")
)


def _plant(where: str, text: str, key: str) -> dict[str, Any]:
    """A trace with the text in one place."""
    about: dict[str, Any] = {"python_function": ("python_function", text), "op": ("cpu_op", text)}
    if where in about:
        return document([span(*about[where], 1, 2)])
    if where == "argument":
        return document([{**span("cpu_op", "aten::mm", 1, 2), "args": {key: text, f"k{text}": 1}}])
    if where == "deep":
        value = [{"name": text, text: [text]}, [text]]
        return document([{**span("cpu_op", "aten::mm", 1, 2), "args": {key: value}}])
    if where == "metadata":
        return document(gpu_events(), **{text: 1, "distributedInfo": {key: text, "rank": text}})
    if where == "process":
        event = {"ph": "M", "name": "process_name", "pid": text, "tid": 0, "args": {"name": text}}
        return document([event, *gpu_events()])
    return document([{**span("cpu_op", "aten::mm", 1, 2), key: text}])


def _survives(text: str) -> bool:
    return SECRET in text.lower().replace("_", "")


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    where=st.sampled_from(("python_function", "op", "argument", "deep", "metadata", "process", "")),
    shape=_SHAPES,
    secret=_SECRETS,
    key=st.one_of(_FIELDS, _ARG_KEYS),
)
def test_no_planted_secret_survives_in_a_trace(
    where: str, shape: str, secret: str, key: str
) -> None:
    trace = _plant(where, shape.format(secret), key)
    assert _survives(json.dumps(trace))
    with tempfile.TemporaryDirectory() as folder:
        found = redacted(Path(folder), trace)
    assert not _survives(json.dumps(found))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(shape=_SHAPES, secret=_SECRETS)
def test_no_planted_secret_survives_in_a_run_or_a_diagnosis(shape: str, secret: str) -> None:
    text = shape.format(secret)
    place = Frame(text, 3, text)
    sync = item(op=text, kind=text, fix=text, seen_by=(text,), region=text, stack=(place,))
    run = replace(
        draw("step  bbb.ddd\nsync  i....i.", i=replace(sync, caller=place)),
        name=text,
        command=(text,),
        env={text: text},
        step_marker=text,
        gaps=(Gap(text, text),),
        ended=text,
        overhead={text: 1.0},
    )
    names = Pseudonyms()
    diagnosis = diagnose(run, _engine.outcome)
    assert _survives(json.dumps(diagnosis.to_json())) and _survives(str(run))
    assert not _survives(json.dumps(redact_diagnosis(diagnosis, names).to_json()))
    assert not _survives(str(redact_run(run, names)))


def test_samples_keep_their_values_and_lose_what_names_a_machine() -> None:
    gpu = sampled.device(
        identity={"name": "H100", "uuid": "GPU-1234", "bus id": "00000000:3B:00.0"},
        power=[1.0],
        unavailable=[("process", "NVML lists no process")],
    )
    (found,) = redact_run(Run("r", samples=(gpu,)), Pseudonyms()).samples
    assert found.identity == {"name": "H100"}
    assert found.series["power"].values.tolist() == [1.0]
    assert len(found.unavailable) == 1


def test_costs_keep_their_numbers_and_shapes_and_lose_names_and_paths() -> None:
    cost = OpCost(
        "aten::mm", "f32[2,3] x f32[3,4]", 2, 48, 24, 32, "matmul", "float32",
        module="AcmeRanker.secret_tower", region="acme_loss",
        place=Frame("/home/ada/acme/model.py", 7, "acme_forward"),
    )  # fmt: skip
    (found,) = redact_run(Run("r", costs=(cost,)), Pseudonyms()).costs
    assert (found.flops, found.nbytes, found.signature) == (48, 56, "f32[2,3] x f32[3,4]")
    assert found.place is not None
    assert found.place.line == 7
    assert not any(word in str(found).lower() for word in ("acme", "secret", "ada"))


def test_loaders_keep_their_settings_and_lose_the_name_of_the_data() -> None:
    used = LoaderUse("AdaLovelaceClicks", 8, 2, True, 4, False, 100, 7, ((1, 5),), ((6, 7),))
    (found,) = redact_run(Run("x", loaders=(used,)), Pseudonyms()).loaders
    assert "Ada" not in found.dataset
    assert replace(found, dataset=used.dataset) == used


def test_memory_keeps_its_bytes_and_loses_names_and_paths() -> None:
    place = Frame("/home/ada/acme/model.py", 7, "acme_forward")
    held = (Held("saved for backward", 9, 1, "acme::op", "AcmeRanker.0", place, "AcmeRanker.1"),)
    step = StepMemory(9, None, "acme::op", "AcmeRanker.0", place, held, held, held, 3, place)
    found = redact_run(Run("r", memory=Memory(step, ((0, 5),))), Pseudonyms()).memory
    assert found is not None
    assert found.step is not None
    assert (found.step.held[0].nbytes, found.step.stale_bytes, found.after) == (9, 3, ((0, 5),))
    assert not any(word in str(found).lower() for word in ("acme", "ada"))
