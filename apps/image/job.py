"""How an image job is made, and what becomes of its pictures."""

from apps.image.params import ImageInput
from apps.image.services import keep_pictures
from apps.jobs.kinds import Kind

KIND = Kind(name="image", input=ImageInput, on_finished=keep_pictures)
