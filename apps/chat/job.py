"""How a chat job is made."""

from apps.chat.params import ChatInput
from apps.jobs.kinds import Kind

KIND = Kind(name="chat", input=ChatInput)
