"""How a image job is made."""

from apps.image.params import ImageInput
from apps.jobs.kinds import Kind

KIND = Kind(name="image", input=ImageInput)
