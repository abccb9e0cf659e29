"""Prints in one line which torch is installed, where it computes and whether torchaudio loads."""

import importlib
import sys


def describe() -> str:
    """The line; ImportError when torch itself does not load."""
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        device = f"CUDA {torch.version.cuda} on {torch.cuda.get_device_name(0)}"
    elif torch.backends.mps.is_available():
        device = "Apple GPU"
    else:
        device = f"CPU, {torch.get_num_threads()} threads"
    try:
        importlib.import_module("torchaudio")
        audio = "torchaudio loads"
    except (ImportError, OSError):
        audio = "torchaudio loads without its extension"  # the workers put a stand-in there
    return f"torch {torch.__version__}, {device}, {audio}"


if __name__ == "__main__":
    sys.stdout.write(describe() + "\n")
