"""Problems in words that help a model, or an author, to mend what does not fit."""
