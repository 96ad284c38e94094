"""What the model sees: prompt, window, folding, recall."""
