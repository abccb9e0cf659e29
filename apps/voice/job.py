"""How a voice job is made."""

from apps.jobs.kinds import Kind
from apps.voice.params import VoiceInput

KIND = Kind(name="voice", input=VoiceInput)
