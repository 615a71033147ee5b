"""The report page: one HTML file that works from disk. Sections are made of blocks, which one template draws."""
