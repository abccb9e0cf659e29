"""How a voice job is made."""

from apps.voice.params import VoiceInput
from apps.jobs.kinds import Kind

KIND = Kind(name="voice", input=VoiceInput)
