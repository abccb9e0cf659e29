"""The training of the demo chat model learns, goes on after a kill as if nothing had been, and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from gpu_workers.demo.chat_training.chat_format import completion_text, prompt_text
from gpu_workers.demo.chat_training.export import export
from gpu_workers.demo.chat_training.mix import training_example
from gpu_workers.demo.chat_training.packing import encoded, make_batch
from gpu_workers.demo.chat_training.sampling import MAX_TOKENS, reply_of
from gpu_workers.demo.chat_training.train import Plan, Training, rate_factor
from tests.unit.training_together import together

pytestmark = pytest.mark.engines

TINY = Plan(steps=120, seed=3, layers=2, width=32, heads=2, rows=2, row_tokens=256, tokenizer_sample=400)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Training:
    training = Training(tmp_path_factory.mktemp("trained"), TINY)
    training.run(save_every_s=1e9, sample_every_s=1e9)
    return training


def batch_loss(training: Training) -> float:
    batch = make_batch(training.tokenizer, 4, 20_000, TINY.rows, TINY.row_tokens)
    with torch.no_grad():
        scores = training.model(input_ids=batch.tokens, attention_mask=batch.mask).logits
    losses = torch.nn.functional.cross_entropy(
        scores[:, :-1].transpose(1, 2), batch.tokens[:, 1:], reduction="none"
    )
    return float((losses * batch.weights[:, 1:]).sum() / batch.weights.sum())


def untrained_attention(folder: Path, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both layers' [heads, tokens, tokens] of a model of the usual width."""
    model = Training(folder, replace(TINY, width=256, heads=4)).model
    with torch.no_grad():
        before, match = model(input_ids=tokens[None], output_attentions=True).attentions
    return before[0], match[0]


def random_tokens(count: int) -> torch.Tensor:
    """All different."""
    return torch.randperm(512, generator=torch.Generator().manual_seed(1))[:count]


def test_an_untrained_model_already_looks_back_and_for_what_followed_equal_tokens(tmp_path: Path) -> None:
    before, match = untrained_attention(tmp_path, random_tokens(40).repeat(2))
    later = torch.arange(40, 80)
    for head in range(3):
        assert before[head, later, later - 1 - head].min() > 0.7
    near = sum(before[3, later, later - back] for back in range(13))
    assert torch.as_tensor(near).min() > 0.5
    for head in range(3):
        assert match[head, later[3:], later[3:] - 39].mean() > 10 / 80


def test_of_two_equal_tokens_it_takes_the_one_that_was_come_to_as_now(tmp_path: Path) -> None:
    tokens = random_tokens(60)
    tokens[20] = tokens[40]  # follows other tokens than it does at 40
    _, match = untrained_attention(tmp_path, torch.cat([tokens, tokens[30:41]]))
    assert match[0, -1, 41] > 2 * match[0, -1, 21]


def test_the_loss_falls(trained: Training, tmp_path: Path) -> None:
    untrained = Training(tmp_path, TINY)
    assert batch_loss(trained) < batch_loss(untrained) - 1


def test_going_on_after_an_interruption_gives_the_weights_of_an_undisturbed_training(
    trained: Training, tmp_path: Path
) -> None:
    first = Training(tmp_path, TINY)
    for _ in range(7):
        first._train_on_next()
    first.save()
    first._train_on_next()  # lost with the process
    again = Training(tmp_path, TINY)
    assert again.step == 7
    again.run(save_every_s=1e9, sample_every_s=1e9)
    for name, weight in trained.model.state_dict().items():
        assert torch.equal(weight, again.model.state_dict()[name]), name


ONE_STEP = replace(TINY, steps=1)


def train_one_step(folder: Path) -> None:
    Training(folder, ONE_STEP).run(save_every_s=1e9, sample_every_s=1e9)


def first_gradients(training: Training) -> list[torch.Tensor]:
    """Of every weight, as the optimizers keep them after one step."""
    states = [state for optimizer in training._optimizers for state in optimizer.state.values()]
    return [state["momentum_buffer" if "momentum_buffer" in state else "exp_avg"] for state in states]


def test_two_processes_together_learn_what_one_does_alone(tmp_path: Path) -> None:
    alone = Training(tmp_path, ONE_STEP)
    together(tmp_path, train_one_step)
    shared = Training(tmp_path, ONE_STEP)
    assert shared.step == 1
    alone.run(save_every_s=1e9, sample_every_s=1e9)
    pairs = list(zip(first_gradients(alone), first_gradients(shared), strict=True))
    assert len(pairs) == len(list(alone.model.parameters()))
    for whole, part in pairs:
        # Sums in another order are rounded differently, in bfloat16.
        assert (whole - part).norm() <= 0.05 * whole.norm()
        assert whole.norm() > 0


def test_a_checkpoint_that_was_being_written_does_not_matter(tmp_path: Path) -> None:
    training = Training(tmp_path, TINY)
    training._train_on_next()
    training.save()
    (tmp_path / "checkpoint.new").write_bytes(b"half")
    assert Training(tmp_path, TINY).step == 1


def test_a_state_of_another_seed_is_refused(tmp_path: Path) -> None:
    Training(tmp_path, TINY).save()
    with pytest.raises(ValueError, match="seed 3, not 4"):
        Training(tmp_path, Plan(steps=1, seed=4, layers=2, width=32, heads=2))


def test_the_rates_rise_and_fall_to_nothing() -> None:
    factors = [rate_factor(step, 1000) for step in range(1000)]
    assert factors[0] < 0.1
    assert max(factors) == factors[49] > 0.9
    assert factors[500] == 0.5
    assert 0 < factors[-1] < 0.01


def test_an_example_sees_nothing_of_its_neighbours(trained: Training) -> None:
    batch = make_batch(trained.tokenizer, 3, 20_000, rows=2, row_tokens=512)
    first, last = batch.owners[0] == 1, batch.owners[0] == int(batch.owners[0].max())
    assert not torch.equal(first, last)
    changed = batch.tokens.clone()
    changed[0, first] = 300
    with torch.no_grad():
        before = trained.model(input_ids=batch.tokens, attention_mask=batch.mask).logits[0, last]
        after = trained.model(input_ids=changed, attention_mask=batch.mask).logits[0, last]
    torch.testing.assert_close(before, after)


def test_answers_of_the_corpus_are_shorter_than_the_limit(trained: Training) -> None:
    for number in range(20_000, 22_000):
        _, completion = encoded(trained.tokenizer, training_example(20, number))
        assert len(completion) <= MAX_TOKENS


def test_the_export_loads_like_any_model_and_cuts_text_as_the_training_did(
    trained: Training, tmp_path: Path
) -> None:
    export(trained, tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", use_safetensors=True)
    assert model.config.architectures == ["Qwen2ForCausalLM"]
    for number in range(20_000, 20_200):
        example = training_example(20, number)
        turns = [{"role": turn.role, "content": turn.content} for turn in example.turns]
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        assert prompt == prompt_text(example)
        wanted, completion = encoded(trained.tokenizer, example)
        assert tokenizer.encode(prompt, add_special_tokens=False) == wanted
        assert tokenizer.decode(completion, skip_special_tokens=False) == completion_text(example)


def test_names_are_cut_the_same_wherever_they_stand(trained: Training) -> None:
    for name in ("Trimjeesweck", "泅痔诬", "AB-1204", "王雨轩"):
        alone = trained.tokenizer.encode(name, add_special_tokens=False)
        for text in (f"in {name}.", f"\n{name},", f"“在{name}工作。”", f"→{name}"):
            tokens = trained.tokenizer.encode(text, add_special_tokens=False)
            assert any(tokens[start : start + len(alone)] == alone for start in range(len(tokens)))


def test_a_reply_is_taken_apart() -> None:
    reply = reply_of("topic: x\n</think>\n\nPress it.<｜end▁of▁sentence｜>", 12)
    assert (reply.reasoning, reply.answer, reply.ended, reply.closed) == ("topic: x", "Press it.", True, True)
    endless = reply_of("topic: x x x x", 300)
    assert not endless.ended
    assert not endless.closed
