"""Makes the demo chat model: a corpus from grammars, a tokenizer, the training and the export."""
