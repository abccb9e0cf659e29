"""The training of the demo image model on a few steps: it resumes exactly, and its export is a real SDXL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image, ImageChops

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from safetensors.torch import load_file  # noqa: E402

from gpu_workers.demo import training_run  # noqa: E402
from gpu_workers.demo.image_evaluation import measures, painting, sheet  # noqa: E402
from gpu_workers.demo.image_evaluation.painting import Order, loaded  # noqa: E402
from gpu_workers.demo.image_training import (  # noqa: E402
    latent_pool,
    painter_training,
    text_training,
    vae_training,
)
from gpu_workers.demo.image_training.__main__ import build  # noqa: E402
from gpu_workers.demo.image_training.captions import caption  # noqa: E402
from gpu_workers.demo.image_training.drawing import paint  # noqa: E402
from gpu_workers.demo.image_training.export import MAX_BYTES  # noqa: E402
from gpu_workers.demo.image_training.networks import Painter, TextEncoders, make_vae, tokenize  # noqa: E402
from gpu_workers.demo.image_training.scenes import (  # noqa: E402
    SIDE,
    Landscape,
    Scene,
    training_scene,
    unseen_objects,
)
from gpu_workers.demo.image_training.tokens import MAX_TOKENS, learn_tokens, make_tokenizers  # noqa: E402
from gpu_workers.demo.image_training.vae_start import begin_with_colours  # noqa: E402
from gpu_workers.demo.image_training.vae_training import to_pixels  # noqa: E402
from gpu_workers.demo.scores import Row  # noqa: E402
from gpu_workers.demo.together import my_part  # noqa: E402
from gpu_workers.demo.training_run import Course, TrainingRun  # noqa: E402
from tests.unit.training_together import together  # noqa: E402

pytestmark = pytest.mark.engines

VAE_STEPS, TEXT_STEPS, STEPS, DECODER_STEPS, SCENES = 2, 2, 3, 2, 16


class Killed(Exception):
    """Stands for kill -9: nothing of the run tidies up after it."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def few_pictures() -> Iterator[None]:
    """A step as it is, of fewer pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latent_pool, "SHARD", SCENES)
        patch.setattr(latent_pool, "_AT_ONCE", SCENES)
        patch.setattr(vae_training, "_MEASURED_SCENES", SCENES)
        patch.setattr(painter_training, "BATCH", 8)
        patch.setattr(text_training, "BATCH", 8)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that was trained for a few steps."""
    folder = tmp_path_factory.mktemp("image")
    train(folder / "state", folder / "pipeline")
    return folder / "pipeline"


def train(state: Path, out: Path) -> None:
    build(
        state=state,
        out=out,
        seed=1,
        vae_steps=VAE_STEPS,
        text_steps=TEXT_STEPS,
        scenes=SCENES,
        steps=STEPS,
        decoder_steps=DECODER_STEPS,
    )


def weights(folder: Path) -> dict[str, Any]:
    return {
        f"{path.parent.name} {name}": tensor
        for path in sorted(folder.rglob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


# --- interruptions


def test_a_training_killed_at_any_step_ends_with_the_same_weights(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_run, "CHECKPOINT_INTERVAL_S", 0.0)
    take_step, taken = TrainingRun._take_step, 0

    def counted(run: TrainingRun, loss_of: Callable[[int], Any]) -> float:
        nonlocal taken
        if taken in deadly:
            deadly.remove(taken)
            raise Killed
        taken += 1
        return take_step(run, loss_of)

    monkeypatch.setattr(TrainingRun, "_take_step", counted)
    # Within the VAE's steps, the text encoders', the painter's, the decoder's.
    deadly = {1, VAE_STEPS + 1, VAE_STEPS + TEXT_STEPS + 2, VAE_STEPS + TEXT_STEPS + STEPS + 1}
    while deadly:
        with pytest.raises(Killed):
            train(tmp_path / "state", tmp_path / "pipeline")
    train(tmp_path / "state", tmp_path / "pipeline")
    assert taken == VAE_STEPS + TEXT_STEPS + STEPS + DECODER_STEPS, "no step is taken twice"
    whole, resumed = weights(trained), weights(tmp_path / "pipeline")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_checkpoint_is_replaced_as_a_whole(tmp_path: Path) -> None:
    checkpoint = tmp_path / "line.safetensors"
    (tmp_path / "line.part").write_bytes(b"half of a checkpoint, left by a kill")
    run = line_run(checkpoint, steps=3)
    run.run(line_loss)
    assert line_run(checkpoint, steps=3).step == 3
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_a_training_learns_and_averages_its_weights(tmp_path: Path) -> None:
    average: Any = line_run(tmp_path / "line.safetensors", steps=300).run(line_loss)
    assert average.weight.item() == pytest.approx(3.0, abs=0.1)
    assert not average.weight.requires_grad


def test_the_average_of_a_short_training_forgets_where_it_began() -> None:
    mean = [torch.zeros(1)]
    add = training_run._running_mean(0.999)
    for step in range(1, 200):
        add(mean, [torch.ones(1)], step)
    assert mean[0].item() > 0.99


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("pixels", [1, 3])
def test_muon_teaches_convolutions_and_goes_on_after_a_restart(
    tmp_path: Path, memory: Any, pixels: int
) -> None:
    def filters(name: str, steps: int) -> Any:
        torch.manual_seed(2)
        conv = torch.nn.Conv2d(3, 5, pixels).to(memory_format=memory)
        course = Course(steps=60, rate=0.1, warm_up=1, memory=0.9)
        run = TrainingRun(conv, course, tmp_path / name, matrices=[conv.weight])
        while run.step < steps:
            run._take_step(lambda step: mistake(conv, step))
        run.save()
        return conv

    def mistake(conv: Any, step: int) -> Any:
        picture = torch.randn(4, 3, 4, 4, generator=torch.Generator().manual_seed(step))
        return (conv(picture).mean((2, 3)) - picture.mean((2, 3)).sum(1, keepdim=True)).square().mean()

    begun, whole = filters("begun", 0), filters("whole", 60)
    filters("cut", 37)
    assert torch.equal(filters("cut", 60).weight, whole.weight)
    with torch.no_grad():
        assert float(mistake(whole, 99)) < 0.3 * float(mistake(begun, 99))


def test_the_rate_rises_and_then_falls() -> None:
    course = Course(steps=100, rate=1.0, warm_up=10, memory=0.9)
    rates = [course.rate_at(step) for step in range(100)]
    assert rates.index(max(rates)) == 9
    assert rates[-1] < 0.03


LINE: dict[int, Any] = {}


def line_run(checkpoint: Path, *, steps: int) -> TrainingRun:
    torch.manual_seed(1)
    LINE[0] = torch.nn.Linear(1, 1)
    return TrainingRun(LINE[0], Course(steps, rate=0.1, warm_up=1, memory=0.9), checkpoint)


def line_loss(step: int, part: slice = slice(None)) -> Any:
    x = torch.randn(32, 1, generator=torch.Generator().manual_seed(step))[part]
    return torch.nn.functional.mse_loss(LINE[0](x), 3 * x)


def train_half_a_line(folder: Path) -> None:
    line_run(folder / "together.safetensors", steps=20).run(lambda step: line_loss(step, my_part()))


def test_two_processes_together_learn_what_one_does_alone(tmp_path: Path) -> None:
    line_run(tmp_path / "alone.safetensors", steps=20).run(line_loss)
    together(tmp_path, train_half_a_line)
    alone, shared = (load_file(tmp_path / f"{name}.safetensors") for name in ("alone", "together"))
    for name, tensor in alone.items():
        torch.testing.assert_close(shared[name], tensor)


# --- the VAE


def test_normalised_latents_have_mean_0_and_deviation_1_and_decode_to_the_same_picture() -> None:
    torch.manual_seed(1)
    vae = make_vae().eval()
    pixels = vae_training.to_pixels([training_scene(1, number) for number in range(8)])
    with torch.no_grad():
        before = vae.decode(vae.encode(pixels).latent_dist.mean).sample
        vae_training.normalise(vae, pixels)
        latents = vae.encode(pixels).latent_dist
        after = vae.decode(latents.mean).sample
    flat = latents.mean.movedim(1, -1).reshape(-1, 4)
    assert flat.mean(0).abs().max() < 0.05
    assert (flat.std(0) - 1).abs().max() < 0.05
    assert torch.allclose(before, after, atol=1e-3)


def test_a_finer_decoder_leaves_what_makes_the_latents_as_it_was(tmp_path: Path) -> None:
    vae = make_vae()
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}

    finer = vae_training.train_decoder(tmp_path, vae, seed=1, steps=2, device="cpu").state_dict()

    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], finer[name])}
    assert changed == {"decoder", "post_quant_conv"}


def test_pictures_become_pixels_from_minus_1_to_1() -> None:
    scene = training_scene(1, 0)
    pixels = vae_training.to_pixels([scene])
    assert pixels.shape == (1, 3, SIDE, SIDE)
    back = ((pixels[0] + 1) * 127.5).round().byte().movedim(0, -1).numpy()
    assert Image.fromarray(back).tobytes() == paint(scene).tobytes()


# --- the tokenizer


def test_captions_keep_whole_words_and_single_characters() -> None:
    tokenizer, _ = make_tokenizers(*learn_tokens())
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("three red circles").input_ids)
    assert tokens == ["<|startoftext|>", "three</w>", "red</w>", "circles</w>", "<|endoftext|>"]
    assert len(tokenizer("蓝色背景上的三个红色圆形").input_ids) == 12 + 2


def test_captions_fit_and_unknown_words_are_read_as_bytes() -> None:
    tokenizer, _ = make_tokenizers(*learn_tokens())
    lengths = [len(tokenizer(caption(training_scene(1, n), Random(n))).input_ids) for n in range(500)]
    assert sum(length > MAX_TOKENS for length in lengths) <= 5
    unknown = tokenizer("Zürich 猫 🙂").input_ids
    assert tokenizer.unk_token_id not in unknown[1:-1]


# --- the text encoders


def test_a_scene_answers_every_question_that_a_caption_may_answer() -> None:
    told: dict[str, set[object]] = {name: set() for name in text_training.QUESTIONS}
    for number in range(600):
        for (name, values), answer in zip(
            text_training.QUESTIONS.items(), text_training.answers(training_scene(1, number)), strict=True
        ):
            told[name].add(values[answer])
    never = {name: set(values) - told[name] for name, values in text_training.QUESTIONS.items()}
    # Of two groups each has one or two things.
    assert {name: values for name, values in never.items() if values} == {"second count": {3, 4}}


def test_a_scene_answers_with_what_it_shows() -> None:
    scene = unseen_objects(1, 0, groups=2)
    numbers = text_training.answers(scene)
    told = {
        name: values[number]
        for (name, values), number in zip(text_training.QUESTIONS.items(), numbers, strict=True)
    }
    first, second = scene.groups
    assert (told["background"], told["arrangement"]) == (scene.background, scene.arrangement)
    assert (told["first shape"], told["first colour"], told["first count"]) == (
        first.shape, first.colour, first.count,
    )  # fmt: skip
    assert told["second colour"] == second.colour
    assert {told[part] for part in ("sky", "light", "houses", "boat")} == {text_training.NOTHING}


def test_the_encoders_learn_to_be_read_and_are_then_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_training, "BATCH", 64)
    losses: list[float] = []
    take_step = TrainingRun._take_step

    def noted(run: TrainingRun, loss_of: Callable[[int], Any]) -> float:
        losses.append(take_step(run, loss_of))
        return losses[-1]

    monkeypatch.setattr(TrainingRun, "_take_step", noted)
    texts = text_training.train_texts(tmp_path, learn_tokens(), seed=1, steps=30, device="cpu")
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert not any(weight.requires_grad for weight in Painter(texts).texts.parameters())


# --- the export


def test_the_export_is_small_half_precision_safetensors(trained: Path) -> None:
    files = [path for path in trained.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    assert {path.suffix for path in files} == {".json", ".txt", ".safetensors"}
    assert {tensor.dtype for tensor in weights(trained).values()} == {torch.float16}


def test_diffusers_loads_the_export_with_every_part(trained: Path) -> None:
    pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(trained)
    assert pipeline.unet.config.addition_embed_type == "text_time"
    assert (pipeline.vae_scale_factor, pipeline.default_sample_size) == (4, SIDE // 4)
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert pipeline.config.force_zeros_for_empty_prompt


def test_the_training_reads_captions_as_the_pipeline_does(trained: Path) -> None:
    pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(trained, torch_dtype=torch.float32)
    tokens = learn_tokens()
    painter = Painter(TextEncoders(tokens[0])).eval()
    for name in ("text_encoder", "text_encoder_2"):
        getattr(painter.texts, name).load_state_dict(getattr(pipeline, name).state_dict())
    texts = ["three red circles", "夜晚的湖"]
    seen: dict[str, Any] = {}
    painter.unet.register_forward_pre_hook(lambda _, args, given: seen.update(given), with_kwargs=True)
    with torch.no_grad():
        painter(
            torch.zeros(2, 4, 16, 16),
            torch.tensor([5, 5]),
            tokenize(make_tokenizers(*tokens), texts),
            torch.tensor([1.0, 0.0]),
        )
        embeds, _, pooled, _ = pipeline.encode_prompt(texts, device="cpu", do_classifier_free_guidance=False)
    assert torch.allclose(seen["encoder_hidden_states"][0], embeds[0], atol=1e-5)
    assert torch.allclose(seen["added_cond_kwargs"]["text_embeds"][0], pooled[0], atol=1e-5)
    assert seen["added_cond_kwargs"]["time_ids"][0].tolist() == [SIDE, SIDE, 0, 0, SIDE, SIDE]
    assert not seen["encoder_hidden_states"][1].any(), "a dropped caption is zeros, as the pipeline has it"


def test_the_engine_paints_repaints_and_fills_with_the_export(trained: Path) -> None:
    scene = training_scene(1, 0)
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (64, 0, SIDE, SIDE))
    with loaded(trained) as painter:
        order = Order("一个红色圆形", "blue", seed=3)
        for given in (order, replace(order, image=paint(scene))):
            (picture,) = painter.paint([given], steps=2)
            assert picture.size == (SIDE, SIDE)
        (picture,) = painter.paint([replace(order, image=paint(scene), mask=mask)], steps=2)
    left = picture.crop((0, 0, 64, SIDE))
    assert left.tobytes() == paint(scene).crop((0, 0, 64, SIDE)).tobytes()


def test_orders_of_a_batch_come_back_in_their_order(trained: Path) -> None:
    orders = [Order("a red circle", seed=seed) for seed in range(3)]
    with loaded(trained) as painter:
        together = painter.paint(orders, steps=1)
        alone = painter.paint(orders[2:], steps=1)
    assert apart(together[2], alone[0]) <= 2
    assert apart(together[0], alone[0]) > 2


def apart(one: Image.Image, other: Image.Image) -> int:
    bands: Any = ImageChops.difference(one, other).getextrema()
    return max(int(high) for _, high in bands)


# --- the evaluation


def test_the_untrained_model_is_below_the_bar_and_the_speed_is_measured(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painting, "STEPS", 2)
    rows = list(measures.measure(trained, count=4))
    right, speed = rows[0], rows[-1]
    assert (right.bar, right.ok, right.result) == (0.85, False, 0.0)
    assert speed.unit == "s"
    assert speed.result > 0


class DrawingPainter:
    """Paints by code what was ordered, after `change`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, change: Callable[[Scene], Scene]) -> None:
        self._scenes: dict[str, Scene] = {}
        self._change, real = change, measures._orders

        def remembered(scenes: Sequence[Scene]) -> list[Order]:
            orders = real(scenes)
            self._scenes |= {order.prompt: scene for order, scene in zip(orders, scenes, strict=True)}
            return orders

        monkeypatch.setattr(measures, "_orders", remembered)

    def paint(self, orders: Sequence[Order], **_: Any) -> list[Image.Image]:
        return [self._picture(order) for order in orders]

    def _picture(self, order: Order) -> Image.Image:
        picture = paint(self._change(self._scenes[order.prompt]))
        return (
            picture
            if order.mask is None or order.image is None
            else Image.composite(picture, order.image, order.mask)
        )


def measured(painter: Any) -> list[Row]:
    return [
        *measures._objects(painter, 24),
        measures._pairs(painter, 12),
        measures._landscapes(painter, 24),
        measures._image_to_image(painter, 12),
        *measures._inpainting(painter, 12),
    ]


def test_pictures_drawn_as_ordered_are_right_in_every_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = measured(DrawingPainter(monkeypatch, lambda scene: scene))
    assert {row.measure: row.result for row in rows} == {row.measure: 1.0 for row in rows}


def test_pictures_of_something_else_are_right_in_no_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(scene: Scene) -> Scene:
        if isinstance(scene, Landscape):
            return replace(scene, sky="day", light=None, water="", boat=False, houses=0, trees=0)
        return replace(scene, groups=())

    rows = [row for row in measured(DrawingPainter(monkeypatch, changed)) if "outside" not in row.measure]
    wrong = {row.measure: row.result for row in rows if row.measure != "- background"}
    assert wrong == dict.fromkeys(wrong, 0.0)


def test_the_contact_sheet_shows_24_unseen_orders(trained: Path, tmp_path: Path) -> None:
    captions = sheet.sheet_captions()
    assert len(set(captions)) == 24
    sheet.write_sheet(trained, tmp_path, [Row("right", 240, 0.9, 0.85)])
    with Image.open(tmp_path / "images.png") as image:
        assert image.width > 6 * SIDE
        assert image.height > 4 * SIDE
    page = (tmp_path / "images.md").read_text(encoding="utf-8")
    assert all(text in page for text in captions)
    assert "| right | 240 | 90.0 % | ≥ 85.0 % | ok |" in page


def test_an_untrained_vae_already_shows_where_which_colour_is() -> None:
    vae = make_vae()
    begin_with_colours(vae, to_pixels([training_scene(1, number) for number in range(32)]))
    pixels = to_pixels([unseen_objects(1, number) for number in range(16)])
    with torch.no_grad():
        decoded = vae.decode(vae.encode(pixels).latent_dist.mean).sample
    assert float((decoded - pixels).abs().mean()) < 0.3
    assert float(torch.corrcoef(torch.stack([decoded.flatten(), pixels.flatten()]))[0, 1]) > 0.9
