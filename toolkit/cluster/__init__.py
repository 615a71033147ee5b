"""Work on several machines: units that Ray runs wherever there is room, and the files that they need and make."""
