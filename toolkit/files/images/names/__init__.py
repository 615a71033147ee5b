"""What the names of files say: ids, kinds of files in a folder, which masks belong to which images."""
