"""The seeds' names and notes in Chinese, for who reads Chinese; what staff wrote instead stays as they wrote it."""

from __future__ import annotations

from django.utils.translation import get_language

_CHINESE = {
    "Chat: Demo": "对话：演示模型",
    "Chat: tiny random (untrained)": "对话：未训练的小模型",
    "Image: Demo": "图像：演示模型",
    "Image: tiny random (untrained)": "图像：未训练的小模型",
    "Voice: Demo": "语音：演示模型",
    "Voice: tiny random (untrained)": "语音：未训练的小模型",
    "Runs anywhere. Enable a larger model for useful answers.": (
        "任何机器都能运行；要得到有用的回答，请启用更大的模型。"
    ),
    "Runs anywhere. Enable SDXL for real pictures.": "任何机器都能运行；要得到真正的图像，请启用 SDXL。",
    "Over a hundred languages, at once, on any machine; sounds synthetic.": (
        "一百多种语言，任何机器都能立即使用；听起来是合成音。"
    ),
    "Runs anywhere. Enable a VITS model for a natural voice.": "任何机器都能运行；要得到自然的声音，请启用 VITS 模型。",
    "Reasons before it answers. Needs about 4 GB of memory, better on a GPU. MIT licence.": (
        "先推理再回答。约需 4 GB 内存，最好有 GPU。MIT 许可。"
    ),
    "Pictures of 1024 by 1024. Wants a GPU with 8 GB or more. CreativeML Open RAIL++-M licence.": (
        "1024 × 1024 的图像。需要 8 GB 以上显存的 GPU。CreativeML Open RAIL++-M 许可。"
    ),
    "A natural English voice; runs on a CPU.": "自然的英语声音，CPU 即可运行。",
    "Runs on DeepSeek's servers: what people write leaves this machine, and it costs money. "
    "Set DEEPSEEK_API_KEY for the gpu worker. Copy this entry for vLLM, SGLang or Ollama.": (
        "在 DeepSeek 的服务器上运行：输入的内容会离开这台机器，并产生费用。"
        "请为 gpu worker 设置 DEEPSEEK_API_KEY。接入 vLLM、SGLang 或 Ollama 时可复制此条。"
    ),
}


def in_readers_language(words: str) -> str:
    """A seed's words in the language of the request."""
    return _CHINESE.get(words, words) if (get_language() or "").startswith("zh") else words
