"""Images and masks as people have them: every kind of file, table and source."""
