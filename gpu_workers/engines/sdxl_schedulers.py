"""The schedulers a person may ask for, by the names that image tools use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers

# Latents are not pixels: clipping them to [-1, 1], which DDIM does by default, spoils the picture.
_NO_CLIPPING = {"clip_sample": False, "set_alpha_to_one": False}


@dataclass(frozen=True, slots=True)
class _Choice:
    cls: type[diffusers.SchedulerMixin]
    options: Mapping[str, Any] = field(default_factory=dict)


# Every one takes a list of generators, one for each image, for its random draws: a scheduler that draws from
# the device's own generator would give other images in a batch than alone, and must not come into this table.
_TABLE: Mapping[str, _Choice] = {
    "ddim": _Choice(diffusers.DDIMScheduler, _NO_CLIPPING),
    "deis": _Choice(diffusers.DEISMultistepScheduler),
    "dpmpp_2m": _Choice(diffusers.DPMSolverMultistepScheduler),
    "dpmpp_2m_karras": _Choice(diffusers.DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "dpmpp_2m_sde": _Choice(diffusers.DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_2m_sde_karras": _Choice(
        diffusers.DPMSolverMultistepScheduler,
        {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True},
    ),
    "euler": _Choice(diffusers.EulerDiscreteScheduler),
    "euler_a": _Choice(diffusers.EulerAncestralDiscreteScheduler),
    "euler_karras": _Choice(diffusers.EulerDiscreteScheduler, {"use_karras_sigmas": True}),
    "heun": _Choice(diffusers.HeunDiscreteScheduler),
    "lcm": _Choice(diffusers.LCMScheduler),
    "unipc": _Choice(diffusers.UniPCMultistepScheduler),
}

# The scheduler the model was published with; what a request without a choice gets.
MODELS_OWN = "model"
NAMES = (MODELS_OWN, *sorted(_TABLE))


def shown_name(name: str, own: diffusers.SchedulerMixin) -> str:
    """What a picture says it was made with: for the model's own the table's name of it, if it has one."""
    if name != MODELS_OWN:
        return name
    plain = (known for known, choice in _TABLE.items() if choice.cls is type(own) and not choice.options)
    return next(plain, type(own).__name__)


def make_scheduler(name: str, own: diffusers.SchedulerMixin) -> diffusers.SchedulerMixin:
    """A fresh scheduler called `name` (one of NAMES) for the noise schedule that `own` describes.

    Fresh for each run, since a scheduler keeps the state of the run that uses it.
    """
    if name == MODELS_OWN:
        return type(own).from_config(own.config)
    choice = _TABLE[name]
    return choice.cls.from_config(own.config, **choice.options)
