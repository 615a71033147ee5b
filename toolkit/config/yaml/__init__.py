"""Reading YAML: files, closed models, named calls, errors that name the line."""
