"""How a chat job is made, and what becomes of its answer."""

from apps.chat.params import ChatInput
from apps.chat.services import keep_answer
from apps.chat.titles import ask_after
from apps.jobs.kinds import Kind

KIND = Kind(name="chat", input=ChatInput, on_finished=keep_answer, after_finished=ask_after)
