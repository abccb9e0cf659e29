"""The image engine on a tiny random SDXL: every part of the real architecture, loaded by the real code."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from huggingface_hub.utils import filter_repo_objects
from PIL import Image

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ImageParams, ModelSpec
from gpu_workers.engines.base import (
    Chunk,
    DoneChunk,
    EngineError,
    FileChunk,
    PreviewChunk,
    Request,
    StepChunk,
)
from gpu_workers.engines.png import read_parameters

# Below the skips: these need the model libraries.
torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from gpu_workers.demo import tiny_image  # noqa: E402
from gpu_workers.engines import sdxl, sdxl_files  # noqa: E402
from gpu_workers.engines.latent_preview import LatentPreview  # noqa: E402
from gpu_workers.engines.sdxl_schedulers import NAMES  # noqa: E402
from gpu_workers.engines.sdxl_vae import decode  # noqa: E402

pytestmark = pytest.mark.engines

SIDE, STEPS = 64, 4
# Batches and single images add up in other orders: at most this many of 255 levels apart.
ROUNDING = 2
Output = tuple[Request, Chunk | EngineError]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-image")
    tiny_image.build(folder)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Any]:
    loaded = load(folder, max_batch=4)
    yield loaded
    loaded.close()


def load(folder: Path, progress: Callable[[Progress], None] = lambda _: None, **options: Any) -> Any:
    return sdxl.load(spec(folder, **options), progress)


def spec(folder: Path, **options: Any) -> ModelSpec:
    return ModelSpec(id="tiny", medium="image", engine="sdxl", source=str(folder), options=options)


def request(
    prompt: str = "a cat",
    *,
    stopped: Callable[[], bool] = lambda: False,
    attachments: dict[str, bytes] | None = None,
    **params: Any,
) -> Request:
    wanted = {"width": SIDE, "height": SIDE, "steps": STEPS, "seed": 1, **params}
    return Request(ImageParams(prompt=prompt, **wanted), stopped=stopped, attachments=attachments or {})


def chunks_of(outputs: Sequence[Output], request: Request, kind: type[Any]) -> list[Any]:
    return [chunk for owner, chunk in outputs if owner is request and isinstance(chunk, kind)]


def images(outputs: Sequence[Output], request: Request) -> list[np.ndarray]:
    return [pixels(chunk.data) for chunk in chunks_of(outputs, request, FileChunk)]


def pixels(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)


def alone(engine: Any, request: Request) -> list[np.ndarray]:
    return images(list(engine.generate([request])), request)


def distance(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one - other).max())


def png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def drawing() -> bytes:
    """A gradient with a disc: something that survives a VAE."""
    return png(
        Image.merge(
            "RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.new("L", (256, 256), 90)]
        )
    )


def half_mask() -> bytes:
    """The left half white: repaint it."""
    mask = Image.new("L", (256, 256), 0)
    mask.paste(255, (0, 0, 128, 256))
    return png(mask)


# --- loading


def test_loading_tells_each_part(folder: Path) -> None:
    told: list[Progress] = []
    engine = load(folder, told.append)

    assert [(p.step, p.steps, p.stage) for p in told] == [(n, 7, "load") for n in range(1, 8)]
    assert 2_000_000 < engine.memory_bytes() < 4_000_000
    engine.close()


def test_the_checkpoint_is_small_and_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    tiny_image.build(tmp_path)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())

    assert sum((folder / name).stat().st_size for name in files) < 3_000_000
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "model_index.json").unlink(), "no readable model_index.json"),
        (lambda folder: shutil.rmtree(folder / "unet"), "part 'unet'"),
        (
            lambda folder: (folder / "vae/diffusion_pytorch_model.safetensors").write_bytes(b"x" * 99),
            "part 'vae'",
        ),
        (lambda folder: rename_index(folder, "FluxPipeline"), "is a FluxPipeline"),
        (
            # A pickle may run anything: it is not read, not even when there is nothing else.
            lambda folder: (folder / "unet/diffusion_pytorch_model.safetensors").rename(
                folder / "unet/diffusion_pytorch_model.bin"
            ),
            "part 'unet'",
        ),
    ],
)
def test_a_spoilt_folder_is_an_error_that_names_the_part(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], Any], said: str
) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    spoil(copy)

    with pytest.raises(EngineError, match=said) as error:
        load(copy)

    assert error.value.code == "bad_model"


def rename_index(folder: Path, name: str) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": name}))


def test_a_folder_with_half_precision_files_only_loads(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    for weights in copy.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".fp16.safetensors"))

    engine = load(copy)

    assert len(alone(engine, request())) == 1
    engine.close()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_runs_every_mode_and_stays_half(
    folder: Path, dtype: Literal["float16", "bfloat16"]
) -> None:
    engine = sdxl.load(replace(spec(folder), dtype=dtype), lambda _: None)
    for attachments in ({}, {"image": drawing()}, {"image": drawing(), "mask": half_mask()}):
        [image] = alone(engine, request(attachments=attachments))
        assert image.std() > 10
        assert engine._base.vae.dtype == engine._base.unet.dtype == getattr(torch, dtype)
    engine.close()


def test_a_network_made_for_repainting_does_that_and_says_so(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    config = json.loads((copy / "unet/config.json").read_text())
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = diffusers.UNet2DConditionModel.from_config({**config, "in_channels": 9})
    network.save_pretrained(copy / "unet")
    engine = load(copy)
    masked = {"image": drawing(), "mask": half_mask()}
    first, second = (request(seed=seed, attachments=masked) for seed in (1, 2))

    together = list(engine.generate([first, second]))

    assert distance(images(together, second)[0], alone(engine, second)[0]) <= ROUNDING
    [(_, error)] = engine.generate([request()])
    assert isinstance(error, EngineError)
    assert "attach an image and a mask" in error.message
    engine.close()


def test_quantization_is_refused(folder: Path) -> None:
    with pytest.raises(EngineError, match="wants quantization 'int8'"):
        sdxl.load(replace(spec(folder), quantization="int8"), lambda _: None)


@pytest.mark.parametrize(("variant", "dots"), [("", "."), ("fp16", ".fp16.")])
def test_of_a_published_repository_only_the_files_of_the_variant_are_fetched(variant: str, dots: str) -> None:
    wanted = {
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        f"text_encoder/model{dots}safetensors",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "tokenizer_2/vocab.json",
        "unet/config.json",
        f"unet/diffusion_pytorch_model{dots}safetensors",
        f"vae/diffusion_pytorch_model{dots}safetensors",
    }
    others = {
        "README.md",
        "sd_xl_base_1.0.safetensors",
        "text_encoder/flax_model.msgpack",
        "text_encoder/model.onnx",
        "text_encoder/openvino_model.bin",
        "unet/diffusion_pytorch_model.bin",
        "unet/model.onnx_data",
        "vae_1_0/diffusion_pytorch_model.safetensors",
        "vae_decoder/model.onnx",
        f"unet/diffusion_pytorch_model{'.' if variant else '.fp16.'}safetensors",
    }

    patterns = sdxl_files._wanted_files(variant)

    assert set(filter_repo_objects(sorted(wanted | others), allow_patterns=patterns)) == wanted


# --- one request


def test_a_run_tells_each_step_then_the_file_then_the_usage(engine: Any) -> None:
    asked = request("红色的猫", negative_prompt="模糊", seed=7, guidance=4.0)
    outputs = list(engine.generate([asked]))
    kinds = [type(chunk) for _, chunk in outputs if not isinstance(chunk, PreviewChunk)]
    file, done = chunks_of(outputs, asked, FileChunk)[0], chunks_of(outputs, asked, DoneChunk)[0]

    assert kinds == [StepChunk] * STEPS + [FileChunk, DoneChunk]
    assert [(c.step, c.steps) for c in chunks_of(outputs, asked, StepChunk)] == [
        (n, STEPS) for n in range(1, STEPS + 1)
    ]
    assert (file.media_type, file.about) == ("image/png", {"width": SIDE, "height": SIDE, "seed": 7})
    assert pixels(file.data).shape == (SIDE, SIDE, 3)
    assert (done.usage["images"], done.usage["steps"], done.usage["pixel_steps"]) == (
        1,
        STEPS,
        SIDE * SIDE * STEPS,
    )
    assert done.usage["seconds"] > 0
    values = read_parameters(file.data).values
    assert values["prompt"] == "红色的猫"
    assert (values["negative_prompt"], values["seed"], values["guidance"]) == ("模糊", 7, 4.0)
    assert (values["scheduler"], values["model"]) == ("euler", "tiny")


def test_seed_decides_the_image_and_prompt_and_guidance_change_it(engine: Any) -> None:
    [image] = alone(engine, request(seed=3))

    assert distance(image, alone(engine, request(seed=3))[0]) == 0
    assert image.std() > 10  # a picture, not an even area
    for other in (request(seed=4), request("the sea at night", seed=3), request(seed=3, guidance=12.0)):
        assert distance(image, alone(engine, other)[0]) > 3 * ROUNDING


def test_a_seed_is_drawn_and_reported_when_none_is_given(engine: Any) -> None:
    asked = request(seed=None)
    file = chunks_of(list(engine.generate([asked])), asked, FileChunk)[0]

    assert distance(pixels(file.data), alone(engine, request(seed=file.about["seed"]))[0]) <= ROUNDING


def test_several_images_count_up_from_the_seed(engine: Any) -> None:
    asked = request(seed=10, count=3)
    outputs = list(engine.generate([asked]))

    assert [chunk.about["seed"] for chunk in chunks_of(outputs, asked, FileChunk)] == [10, 11, 12]
    for number, image in enumerate(images(outputs, asked)):
        assert distance(image, alone(engine, request(seed=10 + number))[0]) <= ROUNDING


def test_words_that_the_text_encoder_cannot_read_are_counted(engine: Any) -> None:
    asked = request("猫" * 60)
    done = chunks_of(list(engine.generate([asked])), asked, DoneChunk)[0]

    assert done.usage["prompt_tokens_cut"] == done.usage["prompt_tokens"] - 77 > 0


def test_previews_are_few_and_small(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdxl, "PREVIEW_INTERVAL_S", 0.0)
    asked = request(steps=25, count=2)
    outputs = list(engine.generate([asked]))
    previews = chunks_of(outputs, asked, PreviewChunk)

    for index in (0, 1):
        assert 5 <= sum(preview.index == index for preview in previews) <= 10
    for preview in previews:
        with Image.open(BytesIO(preview.jpeg)) as image:
            assert (image.format, max(image.size) <= 128) == ("JPEG", True)
        assert len(preview.jpeg) < 8_000


def test_fast_steps_have_no_previews(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdxl, "PREVIEW_INTERVAL_S", 3600.0)
    asked = request(steps=6)

    assert chunks_of(list(engine.generate([asked])), asked, PreviewChunk) == []


def test_a_preview_is_the_best_linear_guess_at_what_the_vae_shows() -> None:
    matrix = torch.tensor([[0.3, 0.1, 0.0], [0.0, 0.2, -0.2], [-0.1, 0.0, 0.1], [0.1, -0.3, 0.2]])

    def linear(latents: Any) -> SimpleNamespace:
        colours = torch.einsum("nchw,cr->nrhw", latents, matrix) + 0.1
        return SimpleNamespace(sample=colours.repeat_interleave(8, 2).repeat_interleave(8, 3))

    config = SimpleNamespace(scaling_factor=0.5, latent_channels=4, block_out_channels=(8, 16))
    vae = SimpleNamespace(decode=linear, config=config, device=torch.device("cpu"), dtype=torch.float32)
    patches = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(5)).clamp(-1, 1) * 0.9
    latent = patches.repeat_interleave(16, 1).repeat_interleave(16, 2)

    shown = pixels(LatentPreview.of(vae).jpeg(latent))[8::16, 8::16]

    expected = torch.einsum("chw,cr->hwr", patches / 0.5, matrix).add(1.1).mul(127.5).clamp(0, 255).numpy()
    assert np.abs(shown - expected).max() < 12  # what JPEG takes away


# --- batches


@pytest.mark.parametrize("scheduler", NAMES)
def test_an_image_is_the_same_alone_and_in_a_batch(engine: Any, scheduler: str) -> None:
    asked = [
        request("a cat", seed=1, scheduler=scheduler),
        request("the sea at night", negative_prompt="red", seed=2, count=2, scheduler=scheduler),
        request("a cat", seed=3, scheduler=scheduler),
    ]
    assert len({engine.batch_key(one) for one in asked}) == 1

    together = list(engine.generate(asked))

    for one in asked:
        for batched, single in zip(images(together, one), alone(engine, one), strict=True):
            assert distance(batched, single) <= ROUNDING
        assert len(chunks_of(together, one, DoneChunk)) == 1


def test_a_batch_is_one_run_of_the_network(engine: Any) -> None:
    with counted_unet(engine) as calls:
        list(engine.generate([request(seed=1), request(seed=2), request(seed=3)]))

    assert calls == [6] * STEPS  # three images, each with and without the prompt


def test_more_images_than_fit_run_one_after_the_other(folder: Path) -> None:
    engine = load(folder, max_batch=4, max_images=2)
    first, second = request(seed=10, count=3), request(seed=20, count=2)
    with counted_unet(engine) as calls:
        outputs = list(engine.generate([first, second]))

    assert calls == [4] * STEPS + [4] * STEPS + [2] * STEPS
    assert [c.about["seed"] for c in chunks_of(outputs, first, FileChunk)] == [10, 11, 12]
    assert [c.about["seed"] for c in chunks_of(outputs, second, FileChunk)] == [20, 21]
    for one in (first, second):
        steps = chunks_of(outputs, one, StepChunk)
        assert [(c.step, c.steps) for c in steps] == [(n, 2 * STEPS) for n in range(1, 2 * STEPS + 1)]
    engine.close()


def test_requests_that_cannot_share_a_run_have_other_keys(engine: Any) -> None:
    keys = {
        engine.batch_key(one)
        for one in (
            request(),
            request(steps=5),
            request(width=128),
            request(guidance=2.0),
            request(scheduler="ddim"),
            request(attachments={"image": drawing()}),
            request(attachments={"image": drawing()}, strength=0.9),
            request(attachments={"image": drawing(), "mask": half_mask()}),
        )
    }

    assert len(keys) == 8


def test_a_bad_request_does_not_take_its_neighbours_with_it(engine: Any) -> None:
    good, bad = request(), request(attachments={"image": b"no picture"})
    assert engine.batch_key(bad) != engine.batch_key(good)

    outputs = list(engine.generate([bad, good]))

    [error] = chunks_of(outputs, bad, EngineError)
    assert error.code == "bad_image"
    assert len(images(outputs, good)) == 1


def test_guidance_off_runs_the_network_once_for_each_image(engine: Any) -> None:
    with counted_unet(engine) as calls:
        assert len(alone(engine, request(guidance=1.0))) == 1

    assert calls == [1] * STEPS


# --- from images


@pytest.mark.parametrize("attached", ["image", "image and mask"])
def test_an_image_from_an_image_is_the_same_alone_and_in_a_batch(engine: Any, attached: str) -> None:
    other = png(Image.linear_gradient("L").rotate(90))
    masks = {"mask": half_mask()} if "mask" in attached else {}
    asked = [
        request("a cat", seed=1, strength=0.75, attachments={"image": drawing(), **masks}),
        request("the sea", seed=2, strength=0.75, count=2, attachments={"image": other, **masks}),
    ]

    together = list(engine.generate(asked))

    for one in asked:
        for batched, single in zip(images(together, one), alone(engine, one), strict=True):
            assert distance(batched, single) <= ROUNDING


def test_strength_says_how_many_steps_run_and_how_far_the_image_may_go(engine: Any) -> None:
    latents = []
    for strength in (0.125, 1.0):
        asked = request(attachments={"image": drawing()}, strength=strength, steps=8)
        outputs = list(engine.generate([asked]))
        assert len(chunks_of(outputs, asked, StepChunk)) == 8 * strength
        latents.append(images(outputs, asked)[0])

    kept = vae_round_trip(engine, drawing())
    near, far = (np.abs(image - kept).mean() for image in latents)
    assert near < 0.3 * far


def test_repainting_keeps_what_the_mask_leaves_and_changes_the_rest(engine: Any) -> None:
    source = pixels(drawing())
    asked = request(
        attachments={"image": drawing(), "mask": half_mask()}, width=None, height=None, steps=6, seed=9
    )
    # The picture's own 256×256 is more than this model's usual 128×128.
    [image] = alone(engine, asked)
    small = np.asarray(
        Image.fromarray(source.astype(np.uint8)).resize((128, 128), Image.Resampling.LANCZOS), np.int16
    )

    assert image.shape == (128, 128, 3)
    assert distance(image[:, 65:], small[:, 65:]) <= ROUNDING
    assert np.abs(image[:, :63] - small[:, :63]).mean() > 20


# --- stopping


def test_a_stopped_request_runs_no_further_step(engine: Any) -> None:
    told: list[Output] = []
    asked = request(steps=50, stopped=lambda: len(told) >= 3)
    with counted_unet(engine) as calls:
        for output in engine.generate([asked]):
            told.append(output)  # noqa: PERF402  the request looks at it meanwhile

    assert len(calls) < 50
    assert all(isinstance(chunk, StepChunk | PreviewChunk) for _, chunk in told)


def test_a_request_stopped_at_a_step_ends_within_the_next(engine: Any) -> None:
    stop = threading.Event()
    asked = request(steps=50, stopped=stop.is_set)
    with counted_unet(engine, at={3: stop.set}) as calls:
        outputs = list(engine.generate([asked]))

    assert len(calls) == 3
    assert [c.step for c in chunks_of(outputs, asked, StepChunk)] == [1, 2]


def test_a_request_stopped_before_it_starts_never_runs(engine: Any) -> None:
    with counted_unet(engine) as calls:
        assert list(engine.generate([request(stopped=lambda: True)])) == []

    assert calls == []


def test_one_stopped_request_leaves_the_others_as_they_were(engine: Any) -> None:
    stop = threading.Event()
    leaving, staying = request(seed=1, count=2, stopped=stop.is_set), request("the sea", seed=2)
    with counted_unet(engine, at={2: stop.set}):
        outputs = list(engine.generate([leaving, staying]))

    assert [type(c) for c in chunks_of(outputs, leaving, object)] == [StepChunk]
    [image] = images(outputs, staying)
    assert distance(image, alone(engine, request("the sea", seed=2))[0]) <= ROUNDING


def test_a_consumer_that_leaves_ends_the_run(engine: Any) -> None:
    with counted_unet(engine) as calls:
        outputs = engine.generate([request(steps=100)])
        next(outputs)
        outputs.close()  # returns when the run has ended
        after_close = len(calls)
        assert len(alone(engine, request())) == 1

    assert after_close < 100
    assert len(calls) == after_close + STEPS


def test_two_threads_at_once_get_each_their_own(engine: Any) -> None:
    found: dict[int, list[np.ndarray]] = {}
    threads = [
        threading.Thread(target=lambda seed=seed: found.update({seed: alone(engine, request(seed=seed))}))
        for seed in (1, 2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    for seed, [image] in found.items():
        assert distance(image, alone(engine, request(seed=seed))[0]) == 0
    assert sorted(found) == [1, 2, 3]


# --- trouble


def test_out_of_memory_is_told_and_the_engine_goes_on(engine: Any) -> None:
    def refuse() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    with (
        counted_unet(engine, at={2: refuse}),
        pytest.raises(EngineError, match="64×64 at once need more") as error,
    ):
        list(engine.generate([request(), request(seed=2)]))

    assert (error.value.code, error.value.retryable) == ("out_of_memory", True)
    assert len(alone(engine, request())) == 1


def test_an_error_of_the_network_reaches_the_caller_as_it_is(engine: Any) -> None:
    def fail() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with counted_unet(engine, at={1: fail}), pytest.raises(RuntimeError, match="mat1 and mat2"):
        list(engine.generate([request()]))

    assert len(alone(engine, request())) == 1


def test_numbers_that_overflow_are_told_and_not_shown_as_a_black_picture(engine: Any) -> None:
    handle = engine._base.vae.decoder.register_forward_hook(lambda _module, _inputs, output: output / 0)
    try:
        with pytest.raises(EngineError, match="overflowed in float32") as error:
            list(engine.generate([request()]))
    finally:
        handle.remove()

    assert error.value.code == "not_finite"


def test_closing_ends_the_thread(folder: Path) -> None:
    before = set(threading.enumerate())
    engine = load(folder)
    alone(engine, request())
    engine.close()

    assert set(threading.enumerate()) <= before


class counted_unet:
    """The batch size of each call of the network, and things that happen at the n-th call."""

    def __init__(self, engine: Any, at: dict[int, Callable[[], None]] | None = None) -> None:
        self._unet, self._at = engine._base.unet, at or {}
        self._calls: list[int] = []

    def __enter__(self) -> list[int]:
        self._handle = self._unet.register_forward_pre_hook(self._count)
        return self._calls

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _count(self, _module: Any, inputs: tuple[Any, ...]) -> None:
        self._calls.append(len(inputs[0]))
        self._at.get(len(self._calls), lambda: None)()


def vae_round_trip(engine: Any, data: bytes) -> np.ndarray:
    """What the VAE alone makes of the picture: the nearest that any image from it can come."""
    vae = engine._base.vae
    with Image.open(BytesIO(data)) as image, torch.no_grad():
        values = torch.from_numpy(np.array(image.convert("RGB").resize((SIDE, SIDE)), dtype=np.float32))
        latent = vae.encode(values.permute(2, 0, 1)[None] / 127.5 - 1).latent_dist.mode()[0]
        return np.asarray(decode(vae, latent * vae.config.scaling_factor), dtype=np.int16)
