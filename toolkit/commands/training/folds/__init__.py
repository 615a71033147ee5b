"""Which folds are trained, and what is drawn when one is finished."""
